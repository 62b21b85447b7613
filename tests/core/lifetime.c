/* SPDX-License-Identifier: MIT */
/* When names go: each way to leave, for each lifetime. The storm is in storm.c. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const shmkit_segment_options creator = {.lifetime = SHMKIT_CREATOR};
static const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};

static bool is_there(void) {
  return exists(path_of(name()));
}

/* Segments that a process exits with; reachable, so that they are no leaks. */
static shmkit_segment *kept;

static void create_and_exit(void *options) {
  kept = create(name(), 8, options);
}

static void create_and_leave_abruptly(void *options) {
  kept = create(name(), 8, options);
  _exit(EXIT_SUCCESS);
}

static void create_and_run_another_program(void *options) {
  kept = create(name(), 8, options);
  (void)execl("/bin/true", "true", (char *)NULL);
}

static void create_pinned_close_and_exit(void *options) {
  kept = create(name(), 8, options);
  assert_done(shmkit_segment_pin(kept));
  shmkit_segment_close(kept);
}

/* The memory is taken away from under it: what ThreadSanitizer calls a race is what is tested. */
__attribute__((no_sanitize("thread"))) static void *write_for_ever(void *data) {
  for (volatile char *byte = data;; (*byte)++) {
  }
  return NULL;
}

static void create_and_exit_while_a_thread_writes(void *options) {
  pthread_t thread;
  kept = create(name(), 8, options);
  ck_assert_int_eq(pthread_create(&thread, NULL, write_for_ever, shmkit_segment_data(kept)), 0);
}

static void open_and_wait(void *options) {
  shmkit_segment *segment = open_segment(name(), options);
  signal_turn(0);
  wait_turn(1);
  shmkit_segment_free(segment);
}

START_TEST(a_persistent_name_stays) {
  shmkit_segment_free(create(name(), 8, NULL));
  ck_assert(is_there());
  assert_done(shmkit_unlink(name()));
  finish(start(create_and_exit, NULL));
  ck_assert(is_there());
  assert_done(shmkit_unlink(name()));
}
END_TEST

/* ---- Creator -------------------------------------------------------------------------------- */

START_TEST(the_creators_close_takes_the_name) {
  shmkit_segment *segment = create(name(), 8, &creator);
  ck_assert_int_eq(shmkit_segment_lifetime(segment), SHMKIT_CREATOR);
  shmkit_segment *other = open_segment(name(), NULL);
  ck_assert_int_eq(shmkit_segment_lifetime(other), SHMKIT_PERSISTENT);
  shmkit_segment_free(open_segment(name(), NULL));
  ck_assert(is_there());
  shmkit_segment_close(segment);
  ck_assert(!is_there());
  assert_done(shmkit_segment_write(other, 0, "goes on", 7));
  shmkit_segment_free(other);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(the_creators_exit_takes_the_name_too) {
  finish(start(create_and_exit, (void *)&creator));
  ck_assert(!is_there());
  finish(start(create_pinned_close_and_exit, (void *)&creator));
  ck_assert(!is_there());
}
END_TEST

START_TEST(a_killed_creator_leaves_the_name) {
  finish(start(create_and_leave_abruptly, (void *)&creator));
  ck_assert(is_there());
  assert_done(shmkit_unlink(name()));
}
END_TEST

static void close_inherited(void *segment) {
  shmkit_segment_free(segment);
}

static void exit_with_inherited(void *segment) {
  assert_bytes(segment, 0, "parent");
  assert_done(shmkit_segment_write(segment, 0, "child!", 6));
}

START_TEST(a_forked_child_does_not_take_the_creators_name) {
  shmkit_segment *segment = create(name(), 8, &creator);
  assert_done(shmkit_segment_write(segment, 0, "parent", 6));
  finish(start(exit_with_inherited, segment));
  assert_bytes(segment, 0, "child!");
  ck_assert(is_there());
  finish(start(close_inherited, segment));
  ck_assert(is_there());
  shmkit_segment_free(segment);
  ck_assert(!is_there());
}
END_TEST

START_TEST(a_creator_does_not_take_another_segments_name) {
  shmkit_segment *segment = create(name(), 8, &creator);
  assert_done(shmkit_unlink(name()));
  shmkit_segment *second = create(name(), 8, NULL);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  assert_done(shmkit_segment_unlink(second));
  shmkit_segment_free(second);
}
END_TEST

/* ---- Last ----------------------------------------------------------------------------------- */

START_TEST(the_last_to_leave_takes_the_name) {
  shmkit_segment *first = create(name(), 8, &last), *others[3];
  struct stat status;
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_eq(status.st_mode & 07777, 01600);
  for (size_t i = 0; i < COUNT(others); i++) {
    others[i] = open_segment(name(), i == 1 ? &readonly : NULL);
    ck_assert_int_eq(shmkit_segment_lifetime(others[i]), SHMKIT_LAST);
  }
  shmkit_segment_free(first);
  ck_assert(is_there());
  shmkit_segment_free(others[0]);
  shmkit_segment_free(others[2]);
  ck_assert(is_there());
  shmkit_segment_free(others[1]);
  ck_assert(!is_there());
}
END_TEST

START_TEST(other_processes_count) {
  shmkit_segment *segment = create(name(), 8, &last);
  pid_t child = start(open_and_wait, NULL);
  wait_turn(0);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  signal_turn(1);
  finish(child);
  ck_assert(!is_there());
}
END_TEST

START_TEST(leaving_by_exit_is_leaving) {
  finish(start(create_and_exit, (void *)&last));
  ck_assert(!is_there());
  finish(start(create_pinned_close_and_exit, (void *)&last));
  ck_assert(!is_there());
  finish(start(create_and_exit_while_a_thread_writes, (void *)&last));
  ck_assert(!is_there());
}
END_TEST

START_TEST(what_the_dead_left_does_not_exist_for_the_next) {
  shmkit_segment *segment = NULL;
  static void (*const deaths[])(void *) = {create_and_leave_abruptly,
                                           create_and_run_another_program};
  for (size_t i = 0; i < COUNT(deaths); i++) {
    finish(start(deaths[i], (void *)&last));
    ck_assert(is_there());
    assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
    ck_assert(!is_there());
    finish(start(deaths[i], (void *)&last));
    assert_fails(-ENOENT, shmkit_segment_open(name(), &readonly, &segment));
    ck_assert(!is_there());
    finish(start(deaths[i], (void *)&last));
    segment = create(name(), 16, &last);
    ck_assert_uint_eq(shmkit_segment_size(segment), 16);
    shmkit_segment_free(segment);
    finish(start(deaths[i], (void *)&last));
    assert_done(shmkit_segment_open_or_create(name(), 16, &last, &segment));
    ck_assert(shmkit_segment_created(segment));
    shmkit_segment_free(segment);
    ck_assert(!is_there());
  }
}
END_TEST

START_TEST(a_killed_holder_does_not_matter_to_a_living_one) {
  shmkit_segment *segment = create(name(), 8, &last);
  pid_t child = start(open_and_wait, NULL);
  wait_turn(0);
  kill_child(child);
  shmkit_segment_free(open_segment(name(), NULL));
  ck_assert(is_there());
  shmkit_segment_free(segment);
  ck_assert(!is_there());
}
END_TEST

static void keep_inherited(void *segment) {
  signal_turn(0);
  wait_turn(1);
  assert_bytes(segment, 0, "parent");
}

START_TEST(a_forked_child_with_the_mapping_has_it_open) {
  shmkit_segment *segment = create(name(), 8, &last);
  assert_done(shmkit_segment_write(segment, 0, "parent", 6));
  pid_t child = start(keep_inherited, segment);
  wait_turn(0);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  segment = open_segment(name(), NULL);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  signal_turn(1);
  finish(child);
  ck_assert(!is_there());
}
END_TEST

START_TEST(a_descriptor_that_was_handed_over_counts) {
  char address[32];
  shmkit_segment *segment = create(name(), 8, &last);
  int fd = open(path_of(name()), O_RDWR | O_CLOEXEC);
  (void)snprintf(address, sizeof address, "fd:%d", fd);
  shmkit_segment *other = open_segment(address, NULL);
  ck_assert_int_eq(shmkit_segment_lifetime(other), SHMKIT_LAST);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  shmkit_segment_free(other);
  ck_assert(!is_there());
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_failed_attempt_to_open_robs_nobody) {
  const shmkit_segment_options too_much = {.capacity = 1ULL << 62};
  const shmkit_segment_options foreign = {.mode = 0600};
  shmkit_segment *segment = create(name(), 8, &last), *other = NULL;
  for (int i = 0; i < 3; i++) {
    ck_assert_int_lt(shmkit_segment_open(name(), &too_much, &other), 0);
    assert_fails(-EINVAL, shmkit_segment_open(name(), &foreign, &other));
    assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open_or_create(name(), 9, NULL, &other));
    assert_fails(-EEXIST, shmkit_segment_create(name(), 9, &last, &other));
  }
  ck_assert(is_there());
  shmkit_segment_free(segment);
  ck_assert(!is_there());
}
END_TEST

START_TEST(an_explicit_unlink_and_a_new_segment_are_respected) {
  shmkit_segment *segment = create(name(), 8, &last);
  assert_done(shmkit_segment_unlink(segment));
  ck_assert(!is_there());
  shmkit_segment *second = create(name(), 8, &last);
  shmkit_segment *third = create(other_name("b"), 8, &last);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  ck_assert(is_there());
  shmkit_segment_free(second);
  ck_assert(!is_there());
  ck_assert(exists(path_of(other_name("b"))));
  shmkit_segment_free(third);
}
END_TEST

START_TEST(files_have_lifetimes_too) {
  char address[300];
  (void)snprintf(address, sizeof address, "file:%s", path_of(name()));
  shmkit_segment *segment = create(address, 8, &last);
  shmkit_segment *other = open_segment(address, NULL);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  shmkit_segment_free(other);
  ck_assert(!is_there());
  segment = create(address, 8, &creator);
  shmkit_segment_free(segment);
  ck_assert(!is_there());
}
END_TEST

START_TEST(many_watched_segments_end_in_any_order) {
  enum { MANY = 20 };
  shmkit_segment *segments[MANY];
  char suffix[16];
  for (size_t i = 0; i < MANY; i++) {
    (void)snprintf(suffix, sizeof suffix, "%zu", i);
    segments[i] = create(other_name(suffix), 8, i % 2 ? &last : &creator);
  }
  for (size_t i = 0; i < MANY; i++) shmkit_segment_free(segments[i * 7 % MANY]);
  ck_assert_uint_eq(names_left(), 0);
}
END_TEST

START_TEST(another_name_of_an_unlinked_segment_can_be_unlinked) {
  shmkit_segment *segment = create(name(), 8, NULL);
  const char *hard_link = other_name("hard");
  ck_assert_int_eq(linkat(AT_FDCWD, path_of(name()), AT_FDCWD, path_of(hard_link), 0), 0);
  assert_done(shmkit_segment_unlink(segment));
  assert_done(shmkit_unlink(hard_link));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_symbolic_link_leads_to_the_name_that_goes) {
  char link[64], address[80];
  (void)snprintf(link, sizeof link, "/tmp/shmkit-test-link-%d", (int)getpid());
  (void)snprintf(address, sizeof address, "file:%s", link);
  shmkit_segment *segment = create(name(), 8, &last), *other = NULL;
  ck_assert_int_eq(symlink(path_of(name()), link), 0);
  shmkit_segment *linked = open_segment(address, NULL);
  shmkit_segment_free(segment);
  ck_assert(is_there());
  shmkit_segment_free(linked);
  ck_assert(!is_there());
  /* What a killed one left, found through the link. */
  int fd = open(path_of(name()), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ck_assert_int_eq(fchmod(fd, 01600), 0);
  ck_assert_int_eq(ftruncate(fd, 8), 0);
  ck_assert_int_eq(close(fd), 0);
  assert_fails(-ENOENT, shmkit_segment_open(address, NULL, &other));
  ck_assert(!is_there());
  ck_assert_int_eq(unlink(link), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_persistent_name_stays,
      the_creators_close_takes_the_name,
      the_creators_exit_takes_the_name_too,
      a_killed_creator_leaves_the_name,
      a_forked_child_does_not_take_the_creators_name,
      a_creator_does_not_take_another_segments_name,
      the_last_to_leave_takes_the_name,
      other_processes_count,
      leaving_by_exit_is_leaving,
      what_the_dead_left_does_not_exist_for_the_next,
      a_killed_holder_does_not_matter_to_a_living_one,
      a_forked_child_with_the_mapping_has_it_open,
      a_descriptor_that_was_handed_over_counts,
      a_failed_attempt_to_open_robs_nobody,
      an_explicit_unlink_and_a_new_segment_are_respected,
      another_name_of_an_unlinked_segment_can_be_unlinked,
      files_have_lifetimes_too,
      a_symbolic_link_leads_to_the_name_that_goes,
      many_watched_segments_end_in_any_order,
  };
  return run_cases("lifetime", cases, COUNT(cases), argc, argv);
}
