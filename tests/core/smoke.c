/* SPDX-License-Identifier: MIT */
/*
 * One life of a segment without any test framework, so that it can be built for every ABI and libc;
 * and the two sides of a meeting between programs that were built differently.
 *
 *   smoke              everything in one process
 *   smoke make NAME    make a segment of the lifetime "last", with content, and hold a mutex in it; wait
 *                      for the end of standard input; then check that the other side has answered,
 *                      left it, and ended with another mutex
 *   smoke meet NAME    check what "make" made, answer, and leave
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char *condition) {
  (void)fprintf(stderr, "smoke.c:%d: not so: %s (last message: %s)\n", line, condition,
                shmkit_error_message());
  exit(EXIT_FAILURE);
}

enum { SIZE = 5000, CAPACITY = 1 << 20, LARGE = 200000 };

/* Both sides must agree where the fields of a struct of these lie. */
static void put_fields(shmkit_segment *segment) {
  shmkit_span span;
  CHECK(shmkit_segment_view(segment, SHMKIT_U64, 8, 2, &span) == 0);
  ((uint64_t *)span.data)[0] = UINT64_C(0x0123456789abcdef);
  CHECK(shmkit_segment_view(segment, SHMKIT_F64, 24, 1, &span) == 0);
  *(double *)span.data = 1.5;
}

static void check_fields(shmkit_segment *segment) {
  shmkit_span span;
  CHECK(shmkit_segment_view(segment, SHMKIT_U64, 8, 2, &span) == 0);
  CHECK(((uint64_t *)span.data)[0] == UINT64_C(0x0123456789abcdef));
  CHECK(shmkit_segment_view(segment, SHMKIT_F64, 24, 1, &span) == 0);
  CHECK(*(double *)span.data == 1.5);
  CHECK(shmkit_segment_view(segment, SHMKIT_F64, 4, 1, &span) == -EINVAL);
}

/* ---- Waiting for each other ----------------------------------------------------------------- */

/* What the maker holds, what the guest ends with, and what it sets. */
enum { MAKERS = 1024, GUESTS = 1088, EVENT = 1152 };
static shmkit_mutex *makers, *guests;
static shmkit_event *event;

static void find_objects(shmkit_segment *segment) {
  CHECK(shmkit_segment_mutex(segment, MAKERS, &makers) == 0);
  CHECK(shmkit_segment_mutex(segment, GUESTS, &guests) == 0);
  CHECK(shmkit_segment_event(segment, EVENT, &event) == 0);
}

static void free_objects(void) {
  shmkit_mutex_free(makers);
  shmkit_mutex_free(guests);
  shmkit_event_free(event);
}

static void hold(shmkit_segment *segment) {
  find_objects(segment);
  CHECK(shmkit_mutex_lock(makers, SHMKIT_FOREVER) == 0);
  CHECK(shmkit_event_wait(event, 0) == SHMKIT_TIMEOUT);
}

/* The guest knows that the maker lives, and leaves with a mutex as if it were killed. */
static void die_with_it(shmkit_segment *segment) {
  find_objects(segment);
  CHECK(shmkit_mutex_lock(makers, 0) == SHMKIT_TIMEOUT);
  CHECK(shmkit_mutex_unlock(makers) == -EPERM);
  CHECK(shmkit_mutex_lock(guests, SHMKIT_FOREVER) == 0);
  CHECK(shmkit_event_set(event) == 0);
  CHECK(shmkit_event_sequence(event) == 1);
  free_objects();
}

static void inherit(void) {
  CHECK(shmkit_event_wait(event, SHMKIT_FOREVER) == 0);
  CHECK(shmkit_event_wait_since(event, 0, SHMKIT_FOREVER) == 0);
  CHECK(shmkit_mutex_lock(guests, SHMKIT_FOREVER) == SHMKIT_OWNER_DIED);
  CHECK(shmkit_mutex_unlock(guests) == 0);
  CHECK(shmkit_mutex_unlock(makers) == 0);
  free_objects();
}

/* ---- Meeting -------------------------------------------------------------------------------- */

static shmkit_segment *make(const char *name) {
  const shmkit_segment_options options = {
      .lifetime = SHMKIT_LAST, .capacity = CAPACITY, .content = "made", .content_size = 4};
  shmkit_segment *segment = NULL;
  CHECK(shmkit_segment_create(name, SIZE, &options, &segment) == 0);
  put_fields(segment);
  return segment;
}

static void meet(const char *name) {
  const shmkit_segment_options options = {.capacity = CAPACITY};
  shmkit_segment *segment = NULL;
  shmkit_creator creator;
  char made[4];
  CHECK(shmkit_segment_open(name, &options, &segment) == 0);
  CHECK(shmkit_segment_size(segment) == SIZE);
  CHECK(shmkit_segment_lifetime(segment) == SHMKIT_LAST);
  CHECK(shmkit_segment_read(segment, 0, made, 4) == 0 && memcmp(made, "made", 4) == 0);
  check_fields(segment);
  shmkit_status known = shmkit_segment_creator(segment, &creator);
  CHECK(known == SHMKIT_ERR_UNSUPPORTED ||
        (known == 0 && strstr(creator.program, "smoke") != NULL));
  CHECK(shmkit_segment_grow(segment, LARGE) == 0);
  CHECK(shmkit_segment_write(segment, LARGE - 8, "answered", 8) == 0);
  shmkit_segment_free(segment);
}

static void meet_and_die(const char *name) {
  shmkit_segment *segment = NULL;
  CHECK(shmkit_segment_open(name, NULL, &segment) == 0);
  die_with_it(segment);
  shmkit_segment_free(segment);
  meet(name);
}

static void check_answer(shmkit_segment *segment) {
  char answer[8];
  CHECK(shmkit_segment_refresh(segment) == 0);
  CHECK(shmkit_segment_size(segment) == LARGE);
  CHECK(shmkit_segment_read(segment, LARGE - 8, answer, 8) == 0);
  CHECK(memcmp(answer, "answered", 8) == 0);
}

static void check_that_none_is_left(const char *name) {
  shmkit_segment *segment = NULL;
  CHECK(shmkit_segment_open(name, NULL, &segment) == -ENOENT);
}

static void make_and_wait(const char *name) {
  char byte;
  shmkit_segment *segment = make(name);
  hold(segment);
  CHECK(printf("made\n") > 0 && fflush(stdout) == 0);
  CHECK(read(STDIN_FILENO, &byte, 1) == 0);
  check_answer(segment);
  inherit();
  shmkit_segment_free(segment);
  check_that_none_is_left(name);
}

/* Sizes that fit 64 bits but not this program's addresses. */
static void check_large_sizes(void) {
  static const char *const addresses[] = {"memfd:x", "sysv:private", "shmkit-smoke-large"};
  const shmkit_segment_options sparse = {.flags = SHMKIT_SPARSE};
  for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
    shmkit_segment *segment = NULL;
    uint64_t size = (UINT64_C(1) << 32) + 1;
    if (shmkit_segment_create(addresses[i], size, &sparse, &segment) != 0) continue;
    CHECK(shmkit_segment_size(segment) == size);
    if (i > 0) CHECK(shmkit_segment_unlink(segment) == 0);
    shmkit_segment_free(segment);
  }
}

/* Memory whose descriptor is gone, truncated: reported, not fatal. */
static void check_truncation(void) {
  char byte;
  int fd = -1;
  shmkit_segment *segment = NULL;
  CHECK(shmkit_segment_create("memfd:x", 3 * 4096, NULL, &segment) == 0);
  CHECK(shmkit_segment_fileno(segment, &fd) == 0);
  CHECK(ftruncate(fd, 4096) == 0);
  CHECK(shmkit_segment_read(segment, 8192, &byte, 1) == SHMKIT_ERR_TRUNCATED);
  CHECK(close(fd) == 0);
  CHECK(shmkit_segment_read(segment, 8192, &byte, 1) == SHMKIT_ERR_TRUNCATED);
  CHECK(shmkit_segment_read(segment, 0, &byte, 1) == 0);
  shmkit_segment_free(segment);
}

static void do_everything(void) {
  char name[64];
  (void)snprintf(name, sizeof name, "shmkit-smoke-%d", (int)getpid());
  shmkit_segment *segment = make(name);
  meet(name);
  check_answer(segment);
  shmkit_segment_free(segment);
  check_that_none_is_left(name);
  CHECK(strcmp(shmkit_error_name(-ENOENT), "ENOENT") == 0);
  CHECK(strstr(shmkit_error_message(), name) != NULL);
  check_large_sizes();
  check_truncation();
}

int main(int argc, char **argv) {
  if (argc == 1) {
    do_everything();
  } else if (argc == 3 && strcmp(argv[1], "make") == 0) {
    make_and_wait(argv[2]);
  } else if (argc == 3 && strcmp(argv[1], "meet") == 0) {
    meet_and_die(argv[2]);
  } else {
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
