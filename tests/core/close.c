/* SPDX-License-Identifier: MIT */
/* The end of a segment: closing, pins, use after close, threads that close while others work. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whether the page is mapped at all. */
static bool is_mapped(void *page) {
  unsigned char resident;
  return mincore(page, 1, &resident) == 0;
}

START_TEST(closing_unmaps_and_can_be_done_again) {
  shmkit_segment *segment = create(name(), 100, NULL);
  void *data = shmkit_segment_data(segment);
  unsigned open = open_descriptors();
  ck_assert(is_mapped(data));
  shmkit_segment_close(segment);
  ck_assert(!is_mapped(data));
  ck_assert_uint_eq(open_descriptors(), open - 1);
  shmkit_segment_close(segment);
  ck_assert(shmkit_segment_closed(segment));
  assert_done(shmkit_segment_unlink(segment));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  shmkit_segment_free(NULL);
}
END_TEST

START_TEST(a_closed_segment_refuses_and_names_itself) {
  shmkit_segment *segment = create(name(), 100, NULL), *sysv = create("sysv:private", 8, NULL);
  shmkit_span span;
  shmkit_creator creator;
  char byte;
  int fd = -1;
  uint32_t seals;
  shmkit_segment_close(segment);
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_read(segment, 0, &byte, 1));
  assert_message_has(shmkit_segment_address(segment));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_write(segment, 0, "x", 1));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_view(segment, SHMKIT_U8, 0, 1, &span));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_refresh(segment));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_grow(segment, 1000));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_fileno(segment, &fd));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_seal(segment, SHMKIT_SEAL_GROW));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_seals(segment, &seals));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_creator(segment, &creator));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_send(segment, 0, 0));
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_pin(segment));
  ck_assert_uint_eq(shmkit_segment_size(segment), 0);
  ck_assert_uint_eq(shmkit_segment_capacity(segment), 0);
  ck_assert_ptr_null(shmkit_segment_data(segment));
  ck_assert_str_eq(shmkit_segment_name(segment), name());
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_POSIX);
  ck_assert(shmkit_segment_created(segment));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  shmkit_segment_close(sysv);
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_read(sysv, 0, &byte, 1));
  assert_done(shmkit_segment_unlink(sysv));
  shmkit_segment_free(sysv);
}
END_TEST

START_TEST(pins_keep_the_memory_across_a_close) {
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  char *data = shmkit_segment_data(segment);
  unsigned open = open_descriptors();
  assert_done(shmkit_segment_pin(segment));
  assert_done(shmkit_segment_pin(segment));
  ck_assert_uint_eq(shmkit_segment_pins(segment), 2);
  shmkit_segment_close(segment);
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_pin(segment));
  ck_assert_uint_eq(shmkit_segment_pins(segment), 2);
  (void)strcpy(data, "still here");
  shmkit_segment_unpin(segment);
  ck_assert_str_eq(data, "still here");
  ck_assert_uint_eq(open_descriptors(), open);
  shmkit_segment_unpin(segment);
  ck_assert(!is_mapped(data));
  ck_assert_uint_eq(open_descriptors(), open - 1);
  ck_assert_uint_eq(shmkit_segment_pins(segment), 0);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_pinned_last_segment_keeps_its_name_until_the_last_unpin) {
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  shmkit_segment *segment = create(name(), 8, &last);
  assert_done(shmkit_segment_pin(segment));
  shmkit_segment_close(segment);
  ck_assert(exists(path_of(name())));
  shmkit_segment_unpin(segment);
  ck_assert(!exists(path_of(name())));
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 300 };

struct work {
  shmkit_segment *segment;
  pthread_barrier_t *start;
  /* Where this thread writes: what several write to one place is theirs to order. */
  uint64_t offset;
  unsigned done;
};

/* Use the segment in every way until it is closed; the memory only while pinned. */
static void *use_until_closed(void *argument) {
  struct work *work = argument;
  shmkit_segment *segment = work->segment;
  char bytes[64];
  (void)pthread_barrier_wait(work->start);
  for (;;) {
    shmkit_status status = shmkit_segment_pin(segment);
    if (status == 0) {
      _Atomic unsigned char *data = shmkit_segment_data(segment);
      shmkit_span span;
      if (data != NULL) (void)atomic_load_explicit(data, memory_order_relaxed);
      status = shmkit_segment_view(segment, SHMKIT_U32, 0, SHMKIT_REST, &span);
      ensure(status == 0 || status == SHMKIT_ERR_CLOSED);
      (void)shmkit_segment_size(segment);
      (void)shmkit_segment_capacity(segment);
      shmkit_segment_unpin(segment);
    }
    status = shmkit_segment_read(segment, 0, bytes, sizeof bytes);
    if (status == 0) status = shmkit_segment_write(segment, work->offset, bytes, sizeof bytes);
    if (status == 0) status = shmkit_segment_refresh(segment);
    if (status == 0) status = shmkit_segment_grow(segment, 4096 + ++work->done % 4096);
    if (status == SHMKIT_ERR_CLOSED) return NULL;
    ensure_msg(status == 0, "%s", shmkit_error_message());
  }
}

static void *close_at_once(void *argument) {
  struct work *work = argument;
  (void)pthread_barrier_wait(work->start);
  shmkit_segment_close(work->segment);
  return NULL;
}

START_TEST(one_thread_closes_while_others_use_it) {
  const shmkit_segment_options options = {.capacity = 64 * KIB};
  unsigned open = open_descriptors();
  for (unsigned round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS + 1];
    struct work work[THREADS + 1];
    pthread_barrier_t barrier;
    shmkit_segment *segment = create("memfd:x", 4096, &options);
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    for (unsigned i = 0; i <= THREADS; i++) {
      work[i] = (struct work){.segment = segment, .start = &barrier, .offset = 1024 + i * 64};
      ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                      i < THREADS ? use_until_closed : close_at_once, &work[i]),
                       0);
    }
    for (unsigned i = 0; i <= THREADS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    shmkit_segment_free(segment);
    ck_assert_int_eq(pthread_barrier_destroy(&barrier), 0);
    ck_assert_uint_eq(open_descriptors(), open);
  }
}
END_TEST

START_TEST(threads_that_close_at_once_close_once) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
    struct work work = {.segment = create(name(), 4096, &last), .start = &barrier};
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
      ck_assert_int_eq(pthread_create(&threads[i], NULL, close_at_once, &work), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    shmkit_segment_free(work.segment);
    ck_assert_int_eq(pthread_barrier_destroy(&barrier), 0);
    ensure(!exists(path_of(name())));
  }
}
END_TEST

static void *make_and_end(void *argument) {
  struct work *work = argument;
  const shmkit_segment_options creator = {.lifetime = SHMKIT_CREATOR};
  (void)pthread_barrier_wait(work->start);
  for (unsigned round = 0; round < ROUNDS; round++) {
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_open_or_create(name(), 4096, &creator, &segment);
    ensure_msg(status == 0, "%s", shmkit_error_message());
    if (shmkit_segment_created(segment)) work->done++;
    shmkit_segment_free(segment);
  }
  return NULL;
}

START_TEST(threads_make_and_end_segments_of_one_name) {
  pthread_t threads[THREADS];
  struct work work[THREADS];
  pthread_barrier_t barrier;
  ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
  for (unsigned i = 0; i < THREADS; i++) {
    work[i] = (struct work){.start = &barrier};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_end, &work[i]), 0);
  }
  unsigned made = 0;
  for (unsigned i = 0; i < THREADS; i++) {
    ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    made += work[i].done;
  }
  ck_assert_uint_gt(made, 0);
  ck_assert_int_eq(pthread_barrier_destroy(&barrier), 0);
  ensure(!exists(path_of(name())));
}
END_TEST

static void *make_and_end_for_ever(void *argument) {
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  struct work *work = argument;
  while (!atomic_load(&shared()->stop)) {
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_open_or_create(name(), 4096, &last, &segment);
    ensure_msg(status == 0, "%s", shmkit_error_message());
    if (work->done++ % 2 == 0) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
  }
  return NULL;
}

static void make_and_end_in_a_child(void *inherited) {
  shmkit_segment_close(inherited);
  ensure(shmkit_segment_closed(inherited));
#ifndef __SANITIZE_ADDRESS__ /* whose malloc a fork may leave locked */
  const shmkit_segment_options creator = {.lifetime = SHMKIT_CREATOR};
  shmkit_segment_free(create(other_name("child"), 4096, &creator));
#endif
  _exit(EXIT_SUCCESS); /* in exit, ThreadSanitizer sleeps for a second */
}

START_TEST(a_child_forked_while_threads_are_at_work_finds_nothing_locked) {
  enum { FORKS = 500 };
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  pthread_t threads[2];
  struct work work[2] = {{.done = 0}, {.done = 1}};
  for (size_t i = 0; i < COUNT(threads); i++) {
    ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_end_for_ever, &work[i]), 0);
  }
  shmkit_segment *segment = create(other_name("inherited"), 4096, &last);
  for (int i = 0; i < FORKS; i++) finish(start(make_and_end_in_a_child, segment));
  ck_assert(exists(path_of(other_name("inherited"))));
  shmkit_segment_free(segment);
  atomic_store(&shared()->stop, true);
  for (size_t i = 0; i < COUNT(threads); i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ck_assert(!exists(path_of(name())));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      closing_unmaps_and_can_be_done_again,
      a_closed_segment_refuses_and_names_itself,
      pins_keep_the_memory_across_a_close,
      a_pinned_last_segment_keeps_its_name_until_the_last_unpin,
      one_thread_closes_while_others_use_it,
      threads_that_close_at_once_close_once,
      threads_make_and_end_segments_of_one_name,
      a_child_forked_while_threads_are_at_work_finds_nothing_locked,
  };
  return run_cases("close", cases, COUNT(cases), argc, argv);
}
