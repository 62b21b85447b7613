/* SPDX-License-Identifier: MIT */
/* A memory control group smaller than the request. Reserving past its limit would get the process
 * killed, so that it must be found out before. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both generations, where they are usually mounted; the second also beside the first. */
static const struct generation {
  const char *directory, *limit;
} generations[] = {
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
    {"/sys/fs/cgroup", "memory.max"},
};
static const struct generation *generation;

static void group_path(const char *file, char out[static 256]) {
  (void)snprintf(out, 256, "%s/shmkit-test-%d%s%s", generation->directory, (int)getpid(),
                 *file != '\0' ? "/" : "", file);
}

static bool write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  return close(fd) == 0 && done;
}

/* Make a group of 32 MiB. */
static bool make_group(const char *path, const char *limit) {
  if (mkdir(path, 0755) != 0) return false;
  if (write_text(limit, "33554432")) return true;
  (void)rmdir(path);
  return false;
}

static char group[256];

static bool find_generation(void) {
  for (size_t i = 0; i < COUNT(generations); i++) {
    char limit[256];
    generation = &generations[i];
    group_path("", group);
    group_path(generation->limit, limit);
    if (make_group(group, limit)) return true;
  }
  return false;
}

static void enter_group(void) {
  char path[300], pid[16];
  (void)snprintf(path, sizeof path, "%s/cgroup.procs", group);
  (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
  ensure(write_text(path, pid));
}

static void ask_for_too_much(void *unused) {
  const shmkit_segment_options roomy = {.capacity = 256 * MIB};
  shmkit_segment *segment = NULL;
  (void)unused;
  enter_group();
  assert_fails(-ENOMEM, shmkit_segment_create(name(), 64 * MIB, NULL, &segment));
  assert_message_has("control group");
  assert_message_has("32 MiB");
  ensure(!exists(path_of(name())));
  assert_fails(-ENOMEM, shmkit_segment_create("memfd:x", 64 * MIB, NULL, &segment));
  assert_fails(-ENOMEM, shmkit_segment_create("sysv:private", 64 * MIB, NULL, &segment));
  assert_fails(-ENOMEM, shmkit_segment_open_or_create(name(), 64 * MIB, NULL, &segment));
  segment = create(name(), 8 * MIB, &roomy);
  assert_fails(-ENOMEM, shmkit_segment_grow(segment, 128 * MIB));
  ensure(shmkit_segment_size(segment) == 8 * MIB);
  assert_done(shmkit_segment_grow(segment, 16 * MIB));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

START_TEST(more_than_the_control_group_allows_is_an_error_not_a_killing) {
  finish(start(ask_for_too_much, NULL));
}
END_TEST

static void open_or_create_together(void *unused) {
  (void)unused;
  enter_group();
  for (int i = 0; i < 20; i++) {
    shmkit_segment *segment = NULL;
    assert_done(shmkit_segment_open_or_create(name(), 20 * MIB, NULL, &segment));
    shmkit_segment_free(segment);
  }
}

START_TEST(memory_for_one_is_enough_for_all_who_ask_for_it) {
  pid_t children[4];
  for (size_t i = 0; i < COUNT(children); i++) children[i] = start(open_or_create_together, NULL);
  finish_all(children, COUNT(children));
  assert_done(shmkit_unlink(name()));
}
END_TEST

static void look_at_the_group(void *unused) {
  const shmkit_limit *limit = NULL;
  char source[300];
  shmkit_limits *limits = NULL;
  (void)unused;
  enter_group();
  /* It is what memory is used up for. */
  shmkit_segment *segment = create("memfd:x", 8 * MIB, NULL);
  assert_done(shmkit_limits_take(&limits));
  for (size_t i = 0; i < shmkit_limits_count(limits) && limit == NULL; i++) {
    limit = shmkit_limits_at(limits, i);
    if (strcmp(limit->name, "cgroup-memory") != 0) limit = NULL;
  }
  ensure(limit != NULL);
  (void)snprintf(source, sizeof source, "%s/%s", group, generation->limit);
  ensure_msg(strcmp(limit->source, source) == 0, "it is read from %s", limit->source);
  ensure(limit->limit == 32 * MIB && limit->scope == SHMKIT_SCOPE_CONTROL_GROUP);
  ensure_msg(limit->used >= 8 * MIB && limit->used < 16 * MIB, "%llu are used",
             (unsigned long long)limit->used);
  ensure(limit->free >= limit->limit - limit->used);
  if (limit->free == limit->limit - limit->used) { /* no swap to use */
    ensure(shmkit_limits_tightest(limits, SHMKIT_INFO_SYSV) == limit);
    ensure(shmkit_limits_tightest(limits, SHMKIT_INFO_MEMFD) == limit);
  }
  shmkit_limits_free(limits);
  shmkit_segment_free(segment);
}

START_TEST(the_control_group_is_among_the_limits_the_innermost_first) {
  finish(start(look_at_the_group, NULL));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      more_than_the_control_group_allows_is_an_error_not_a_killing,
      memory_for_one_is_enough_for_all_who_ask_for_it,
      the_control_group_is_among_the_limits_the_innermost_first,
  };
  if (!find_generation()) return skip("no memory control group can be made here");
  int result = run_cases("limits", cases, COUNT(cases), argc, argv);
  /* Its members are gone, but the kernel may need a moment to notice. */
  while (rmdir(group) != 0 && errno == EBUSY) (void)usleep(1000);
  return result;
}
