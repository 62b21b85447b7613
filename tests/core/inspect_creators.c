/* SPDX-License-Identifier: MIT */
/* Who made a segment, and what is left of those that have exited. */
#include "listing_support.h"

#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static void create_and_leave(void *unused) {
  (void)unused;
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name(), 4096, NULL, &segment) != 0) _exit(1);
  shmkit_segment_free(segment);
}

/* File systems before Linux 6.6 keep no stamp. */
static bool has_stamp(const shmkit_info *info) {
  return info->creator.pid != 0;
}

START_TEST(a_creator_that_runs_is_named) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  if (has_stamp(info)) {
    ck_assert_int_eq(info->creator.pid, getpid());
    ck_assert_int_eq(info->creator_state, SHMKIT_ALIVE);
    ck_assert_uint_eq(info->creator.start, info->mappers[0].start);
    ck_assert_str_eq(info->creator.program, info->mappers[0].program);
  }
  shmkit_listing_free(listing);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_a_process_left_that_has_exited_is_leaked) {
  finish(start(create_and_leave, NULL));
  shmkit_listing *listing = look_at(name(), SHMKIT_STAT_EXACT);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  if (has_stamp(info)) {
    ck_assert_int_eq(info->creator_state, SHMKIT_EXITED);
    ck_assert_int_eq(info->state, SHMKIT_STATE_LEAKED);
  }
  shmkit_listing_free(listing);
  assert_done(shmkit_unlink(name()));
}
END_TEST

START_TEST(a_reused_pid_is_not_named_as_creator) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  char stamp[160] = "", forged[160];
  ssize_t length = getxattr(path_of(name()), "user.shmkit.creator", stamp, sizeof stamp - 1);
  unsigned long long pid = 0, begun = 0;
  int rest = 0;
  if (length > 0 && sscanf(stamp, "1 %llu %llu%n", &pid, &begun, &rest) == 2) {
    (void)snprintf(forged, sizeof forged, "1 %llu %llu%.100s", pid, begun - 1, stamp + rest);
    ck_assert_int_eq(setxattr(path_of(name()), "user.shmkit.creator", forged, strlen(forged), 0),
                     0);
    shmkit_listing *listing = take(0);
    ck_assert_int_eq(find_posix(listing, name())->creator_state, SHMKIT_EXITED);
    shmkit_listing_free(listing);
  }
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

static shmkit_listing *take_without_creators(void) {
  const shmkit_listing_options options = {.flags = SHMKIT_LISTING_NO_CREATORS};
  shmkit_listing *listing = NULL;
  assert_done(shmkit_listing_take(&options, &listing));
  return listing;
}

START_TEST(without_creators_states_are_the_same) {
  finish(start(create_and_leave, NULL));
  make_idle(other_name("idle"));
  shmkit_segment *used = create(other_name("used"), 4096, NULL);
  shmkit_listing *with = take(0), *without = take_without_creators();
  const char *const names[] = {name(), other_name("idle"), other_name("used")};
  for (size_t i = 0; i < COUNT(names); i++) {
    ck_assert_uint_eq(find_posix(without, names[i])->state, find_posix(with, names[i])->state);
  }
  ck_assert_int_eq(find_posix(without, names[2])->creator.pid, 0);
  ck_assert_int_eq(find_posix(without, names[2])->creator_state, SHMKIT_LIVENESS_UNKNOWN);
  const shmkit_info *left = find_posix(without, name());
  if (left->state != SHMKIT_STATE_UNKNOWN && has_stamp(find_posix(with, name()))) {
    ck_assert_int_eq(left->state, SHMKIT_STATE_LEAKED);
    ck_assert_int_eq(left->creator_state, SHMKIT_EXITED);
  }
  shmkit_listing_free(with);
  shmkit_listing_free(without);
  assert_done(shmkit_segment_unlink(used));
  shmkit_segment_free(used);
  assert_done(shmkit_unlink(name()));
  ck_assert_int_eq(unlink(path_of(names[1])), 0);
}
END_TEST

/* Make the segment again and again, with the process's own size, when the other has none. */
static void make_again(void *size) {
  while (!shared()->stop) {
    shmkit_segment *segment = NULL;
    if (shmkit_segment_create(name(), *(const uint64_t *)size, NULL, &segment) != 0) continue;
    shmkit_segment_free(segment);
    if (shmkit_unlink(name()) != 0) _exit(1);
  }
}

START_TEST(whoever_made_a_name_before_is_not_named_as_creator) {
  uint64_t sizes[2] = {4096, 8192};
  const pid_t makers[] = {start(make_again, &sizes[0]), start(make_again, &sizes[1])};
  while (!is_long_enough(soak_seconds(1))) {
    shmkit_listing *listing = NULL;
    const shmkit_listing_options options = {.flags = SHMKIT_LISTING_NAMES_ONLY};
    assert_done(shmkit_listing_take(&options, &listing));
    const shmkit_info *info = find(listing, SHMKIT_INFO_POSIX, name());
    if (info != NULL && has_stamp(info)) {
      ck_assert_int_eq(info->creator.pid, makers[info->size == sizes[0] ? 0 : 1]);
    }
    shmkit_listing_free(listing);
  }
  shared()->stop = true;
  finish_all(makers, COUNT(makers));
}
END_TEST

static void die_holding(void *unused) {
  (void)unused;
  const shmkit_segment_options options = {.lifetime = SHMKIT_LAST};
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name(), 4096, &options, &segment) != 0) _exit(1);
  signal_turn(0);
  for (;;) (void)pause();
}

START_TEST(a_last_segment_is_used_while_it_is_locked_and_leaked_after_a_kill) {
  pid_t child = start(die_holding, NULL);
  wait_turn(0);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert(info->flags & SHMKIT_INFO_LAST);
  ck_assert_uint_ge(info->locks, 1);
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  ck_assert_uint_eq(info->mode, 0600);
  shmkit_listing_free(listing);
  kill_child(child);
  listing = take(0);
  ck_assert_uint_eq(find_posix(listing, name())->locks, 0);
  ck_assert_int_eq(find_posix(listing, name())->state, SHMKIT_STATE_LEAKED);
  shmkit_listing_free(listing);
  assert_done(shmkit_unlink(name()));
}
END_TEST

static void make_sysv(void *id) {
  *(int *)id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600);
}

START_TEST(a_system_v_segment_of_an_exited_process_is_leaked) {
  finish(start(make_sysv, &(int){0}));
  shmkit_listing *listing = look_at(sysv_address(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_int_eq(info->creator_state, SHMKIT_EXITED);
  ck_assert_str_eq(info->creator.program, "");
  ck_assert_int_eq(info->state, SHMKIT_STATE_LEAKED);
  shmkit_listing_free(listing);
  assert_done(shmkit_unlink(sysv_address()));
}
END_TEST

static void make_own_sysv(void *unused) {
  (void)unused;
  if (shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600) < 0) _exit(1);
}

/* A child with that PID, which waits to be killed; -1 where choosing is not permitted. */
static pid_t start_with_pid(pid_t pid) {
  /* struct clone_args, which is in <linux/sched.h>; not every libc comes with it. */
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size;
  } arguments = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
  pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child != 0) return child;
  for (;;) (void)pause();
}

START_TEST(a_reused_pid_is_not_named_as_creator_of_system_v) {
  pid_t first = start(make_own_sysv, NULL);
  finish(first);
  pid_t second = start_with_pid(first);
  if (second == first) {
    shmkit_listing *listing = look_at(sysv_address(), 0);
    const shmkit_info *info = shmkit_listing_at(listing, 0);
    ck_assert_int_eq(info->creator.pid, first);
    ck_assert_int_ne(info->creator_state, SHMKIT_ALIVE);
    ck_assert_str_eq(info->creator.program, "");
    shmkit_listing_free(listing);
  }
  if (second > 0) kill_child(second);
  assert_done(shmkit_unlink(sysv_address()));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_creator_that_runs_is_named,
      what_a_process_left_that_has_exited_is_leaked,
      a_reused_pid_is_not_named_as_creator,
      without_creators_states_are_the_same,
      whoever_made_a_name_before_is_not_named_as_creator,
      a_last_segment_is_used_while_it_is_locked_and_leaked_after_a_kill,
      a_system_v_segment_of_an_exited_process_is_leaked,
      a_reused_pid_is_not_named_as_creator_of_system_v,
  };
  return run_cases("inspect-creators", cases, COUNT(cases), argc, argv);
}
