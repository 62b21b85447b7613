/* SPDX-License-Identifier: MIT */
/*
 * Removing what nobody needs, and nothing else. All of it runs in mount and IPC namespaces of its
 * own, with a /dev/shm of its own, because it removes whatever it finds: other people's segments,
 * too, if it saw them.
 */
#include "meanwhile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_nothing_to_do(shmkit_listing *listing) {
  ck_assert_uint_eq(shmkit_listing_count(listing), 0);
  shmkit_listing_free(listing);
}

static void create_and_leave(void *unused) {
  (void)unused;
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name(), 4096, NULL, &segment) != 0) _exit(1);
  shmkit_segment_free(segment);
  if (shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600) < 0) _exit(1);
}

/* ---- What goes and what stays --------------------------------------------------------------- */

START_TEST(nothing_is_removed_unless_asked) {
  make_idle(name());
  assert_removal(gc(SHMKIT_GC_IDLE, 0, NULL), SHMKIT_REMOVAL_NONE, "nobody maps it");
  ck_assert(exists(path_of(name())));
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_REMOVED, "nobody maps it");
  ck_assert(!exists(path_of(name())));
}
END_TEST

START_TEST(what_an_exited_process_left_goes) {
  finish(start(create_and_leave, NULL));
  make_idle(other_name("idle"));
  shmkit_listing *listing = gc(SHMKIT_GC_APPLY, 0, NULL);
  unsigned removed = 0;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    ck_assert_uint_eq(info->removal, SHMKIT_REMOVED);
    ck_assert_ptr_nonnull(strstr(info->reason, "has exited"));
    removed++;
  }
  /* File systems before Linux 6.6 do not know who left what. */
  ck_assert_uint_ge(removed, 1);
  ck_assert_int_lt(shmget(sysv_key(), 0, 0), 0);
  if (removed == 2) ck_assert(!exists(path_of(name())));
  shmkit_listing_free(listing);
  ck_assert(exists(path_of(other_name("idle"))));
  (void)unlink(path_of(name()));
  ck_assert_int_eq(unlink(path_of(other_name("idle"))), 0);
}
END_TEST

START_TEST(what_is_in_use_is_no_candidate) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  int id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600);
  void *memory = shmat(id, NULL, 0);
  assert_nothing_to_do(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL));
  ck_assert_int_eq(shmget(sysv_key(), 0, 0), id);
  ck_assert_int_eq(shmdt(memory), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_somebody_merely_has_open_is_kept) {
  int fd = make_file(name(), 4096);
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_KEPT, "has it open");
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(close(fd), 0);
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_REMOVED, "");
}
END_TEST

START_TEST(what_is_younger_than_asked_is_left_alone) {
  const uint64_t hour = UINT64_C(3600000000000);
  make_idle(name());
  assert_nothing_to_do(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, hour, NULL));
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 1, NULL), SHMKIT_REMOVED, "");
}
END_TEST

START_TEST(only_what_matches_the_pattern_goes) {
  make_idle(name());
  make_idle(other_name("b"));
  char pattern[300];
  (void)snprintf(pattern, sizeof pattern, "posix:/*-b");
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, pattern), SHMKIT_REMOVED, "");
  ck_assert(exists(path_of(name())));
  ck_assert(!exists(path_of(other_name("b"))));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

static void hold_last(void *unused) {
  (void)unused;
  const shmkit_segment_options options = {.lifetime = SHMKIT_LAST};
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name(), 4096, &options, &segment) != 0) _exit(1);
  signal_turn(0);
  for (;;) (void)pause();
}

START_TEST(a_last_segment_goes_when_a_kill_left_it) {
  pid_t child = start(hold_last, NULL);
  wait_turn(0);
  assert_nothing_to_do(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL));
  kill_child(child);
  assert_removal(gc(SHMKIT_GC_APPLY, 0, NULL), SHMKIT_REMOVED, "killed");
  ck_assert(!exists(path_of(name())));
}
END_TEST

START_TEST(semaphores_go_only_when_asked_for) {
  make_idle("sem.x");
  ck_assert_int_eq(truncate("/dev/shm/sem.x", (off_t)sizeof(sem_t)), 0);
  assert_nothing_to_do(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL));
  shmkit_listing *listing = NULL;
  const shmkit_gc_options options = {.flags = SHMKIT_GC_IDLE | SHMKIT_GC_APPLY,
                                     .kinds = SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE)};
  assert_done(shmkit_gc(&options, &listing));
  assert_removal(listing, SHMKIT_REMOVED, "");
}
END_TEST

START_TEST(a_read_only_directory_is_a_failure_of_each_not_of_all) {
  make_idle(name());
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_REMOVAL_FAILED, "Read-only");
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_BIND, NULL), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

static void find_nothing_as_nobody(void *unused) {
  (void)unused;
  if (become_nobody()) assert_nothing_to_do(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL));
}

START_TEST(what_others_own_is_no_candidate) {
  int id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600);
  make_idle(name());
  finish(start(find_nothing_as_nobody, NULL));
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
  shmkit_listing *listing = NULL;
  const shmkit_gc_options flags = {.flags = 0x80};
  const shmkit_gc_options kinds = {.kinds = SHMKIT_INFO_SET(SHMKIT_INFO_MEMFD)};
  assert_fails(-EINVAL, shmkit_gc(&flags, &listing));
  assert_fails(-EINVAL, shmkit_gc(&kinds, &listing));
  ck_assert_ptr_null(listing);
}
END_TEST

/* ---- Who comes at the worst moment ---------------------------------------------------------- */

START_TEST(who_opens_before_looking_keeps_the_segment) {
  make_idle(name());
  before_looking = knock;
  /* The signal that tells of it does not kill. */
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_KEPT, "is opening it");
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(who_waits_for_the_lease_gets_the_live_segment) {
  make_idle(name());
  pid_t child = start(open_as_a_stranger, NULL);
  before_looking = let_one_open;
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_KEPT, "is opening it");
  finish(child);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

static void open_or_create(void *unused) {
  (void)unused;
  struct stat status;
  shmkit_segment *segment = NULL;
  wait_turn(0);
  if (shmkit_segment_open_or_create(name(), 8192, NULL, &segment) != 0) _exit(1);
  if (!shmkit_segment_created(segment) || stat(path_of(name()), &status) != 0) _exit(2);
  shmkit_segment_free(segment);
}

START_TEST(who_comes_too_late_makes_a_new_one) {
  make_idle(name());
  pid_t child = start(open_or_create, NULL);
  before_removing = let_one_open;
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_REMOVED, "");
  finish(child);
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(a_name_that_leads_elsewhere_by_now_is_left_alone) {
  make_idle(name());
  before_looking = replace;
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_KEPT, "leads elsewhere");
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

/* The kernel takes a lease away after this many seconds. */
static unsigned lease_break_time(void) {
  unsigned seconds = 45;
  FILE *file = fopen("/proc/sys/fs/lease-break-time", "re");
  if (file == NULL) return seconds;
  if (fscanf(file, "%u", &seconds) != 1) seconds = 45;
  (void)fclose(file);
  return seconds;
}

static void stop_self(void) {
  signal_turn(0);
  (void)raise(SIGSTOP);
}

static void gc_and_stop(void *unused) {
  (void)unused;
  before_looking = stop_self;
  assert_removal(gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL), SHMKIT_KEPT, "is opening it");
}

START_TEST(a_gc_that_was_stopped_for_long_removes_nothing) {
  /* As long as the system says, and a system-wide setting is not ours to change. */
  if (soak_seconds(0) < lease_break_time()) return;
  make_idle(name());
  pid_t child = start(gc_and_stop, NULL);
  wait_turn(0);
  int fd = open(path_of(name()), O_RDWR | O_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(kill(child, SIGCONT), 0);
  finish(child);
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

int main(int argc, char **argv) {
  if (!enter_own_place()) return skip("mounting in a namespace is not permitted");
  const TTest *const cases[] = {
      nothing_is_removed_unless_asked,
      what_an_exited_process_left_goes,
      what_is_in_use_is_no_candidate,
      what_somebody_merely_has_open_is_kept,
      what_is_younger_than_asked_is_left_alone,
      only_what_matches_the_pattern_goes,
      a_last_segment_goes_when_a_kill_left_it,
      semaphores_go_only_when_asked_for,
      a_read_only_directory_is_a_failure_of_each_not_of_all,
      what_others_own_is_no_candidate,
      what_cannot_be_is_refused,
      who_opens_before_looking_keeps_the_segment,
      who_waits_for_the_lease_gets_the_live_segment,
      who_comes_too_late_makes_a_new_one,
      a_name_that_leads_elsewhere_by_now_is_left_alone,
      a_gc_that_was_stopped_for_long_removes_nothing,
  };
  return run_cases("gc", cases, COUNT(cases), argc, argv);
}
