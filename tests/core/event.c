/* SPDX-License-Identifier: MIT */
/* Events: nothing that happens is missed. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000000000;

static shmkit_event *begin(void) {
  shmkit_event *event = NULL;
  assert_done(shmkit_event_open(name(), NULL, &event));
  return event;
}

static void end(shmkit_event *event) {
  assert_done(shmkit_segment_unlink(shmkit_event_segment(event)));
  shmkit_event_free(event);
}

static const _Atomic uint32_t *word_of(const shmkit_event *event) {
  return (void *)((char *)shmkit_segment_data(shmkit_event_segment(event)) +
                  shmkit_event_offset(event));
}

/* Until somebody has said that he sleeps. */
static void wait_for_sleeper(const shmkit_event *event) {
  while (!(*word_of(event) & 1)) (void)sched_yield();
}

/* ---- Level and edge ------------------------------------------------------------------------- */

START_TEST(zeros_are_an_event_that_is_not_set) {
  shmkit_event *event = begin();
  ck_assert(!shmkit_event_is_set(event));
  ck_assert_uint_eq(shmkit_event_sequence(event), 0);
  ck_assert_int_eq(shmkit_event_wait(event, 0), SHMKIT_TIMEOUT);
  ck_assert_int_eq(shmkit_event_wait(event, 1000), SHMKIT_TIMEOUT);
  end(event);
}
END_TEST

START_TEST(it_is_set_until_it_is_cleared) {
  shmkit_event *event = begin();
  assert_done(shmkit_event_set(event));
  ck_assert(shmkit_event_is_set(event));
  assert_done(shmkit_event_wait(event, SHMKIT_FOREVER));
  assert_done(shmkit_event_wait(event, 0));
  assert_done(shmkit_event_clear(event));
  ck_assert(!shmkit_event_is_set(event));
  ck_assert_int_eq(shmkit_event_wait(event, 0), SHMKIT_TIMEOUT);
  assert_done(shmkit_event_clear(event));
  end(event);
}
END_TEST

START_TEST(it_counts_how_often_it_was_set) {
  shmkit_event *event = begin();
  uint32_t since = shmkit_event_sequence(event);
  ck_assert_int_eq(shmkit_event_wait_since(event, since, 0), SHMKIT_TIMEOUT);
  assert_done(shmkit_event_set(event));
  assert_done(shmkit_event_set(event));
  ck_assert_uint_eq(shmkit_event_sequence(event), since + 2);
  assert_done(shmkit_event_clear(event));
  ck_assert_uint_eq(shmkit_event_sequence(event), since + 2);
  /* Set and cleared since then: that it is not set now does not matter. */
  assert_done(shmkit_event_wait_since(event, since, 0));
  /* That it is set does not matter either. */
  assert_done(shmkit_event_set(event));
  ck_assert_int_eq(shmkit_event_wait_since(event, since + 3, 0), SHMKIT_TIMEOUT);
  end(event);
}
END_TEST

START_TEST(its_count_begins_anew_at_its_end) {
  shmkit_event *event = begin();
  const uint32_t last = ((1U << 29) - 1) << 3;
  assert_done(shmkit_segment_write(shmkit_event_segment(event), 0, &last, sizeof last));
  ck_assert_uint_eq(shmkit_event_sequence(event), (1U << 29) - 1);
  assert_done(shmkit_event_set(event));
  ck_assert_uint_eq(shmkit_event_sequence(event), 0);
  ck_assert(shmkit_event_is_set(event));
  assert_done(shmkit_event_wait_since(event, (1U << 29) - 1, 0));
  end(event);
}
END_TEST

/* ---- Sleepers ------------------------------------------------------------------------------- */

static void wait_for_level(void *address) {
  shmkit_event *event = NULL;
  ensure(shmkit_event_open(address, NULL, &event) == 0);
  ensure(shmkit_event_wait(event, 60 * second) == 0);
  shmkit_event_free(event);
}

enum { SLEEPERS = 4 };

START_TEST(everybody_who_sleeps_is_woken) {
  shmkit_event *event = begin();
  pid_t sleepers[SLEEPERS];
  for (int i = 0; i < SLEEPERS; i++) {
    sleepers[i] = start(wait_for_level, (void *)(uintptr_t)name());
  }
  wait_for_sleeper(event);
  assert_done(shmkit_event_set(event));
  finish_all(sleepers, SLEEPERS);
  end(event);
}
END_TEST

START_TEST(set_and_cleared_at_once_it_still_wakes) {
  shmkit_event *event = begin();
  pid_t sleeper = start(wait_for_level, (void *)(uintptr_t)name());
  wait_for_sleeper(event);
  assert_done(shmkit_event_set(event));
  assert_done(shmkit_event_clear(event));
  finish(sleeper);
  end(event);
}
END_TEST

START_TEST(who_dies_before_waking_only_delays_the_others) {
  shmkit_event *event = begin();
  pid_t sleeper = start(wait_for_level, (void *)(uintptr_t)name());
  wait_for_sleeper(event);
  /* What is left by one who was killed between setting and waking. */
  _Atomic uint32_t *word = (_Atomic uint32_t *)(uintptr_t)word_of(event);
  *word = 1U << 3 | 2U;
  finish(sleeper);
  end(event);
}
END_TEST

START_TEST(other_waiters_coming_and_going_do_not_matter) {
  shmkit_event *event = begin();
  pid_t sleeper = start(wait_for_level, (void *)(uintptr_t)name());
  pid_t other = start(wait_for_level, (void *)(uintptr_t)name());
  wait_for_sleeper(event);
  kill_child(other);
  ck_assert_int_eq(shmkit_event_wait(event, 1000), SHMKIT_TIMEOUT);
  assert_done(shmkit_event_set(event));
  finish(sleeper);
  end(event);
}
END_TEST

enum { HANDOVERS = 20000 };

/* Two events, each waits for the other's: a lost one is a hang. */
static void answer(void *address) {
  shmkit_segment *segment = open_segment(address, NULL);
  shmkit_event *ping = NULL, *pong = NULL;
  ensure(shmkit_segment_event(segment, 0, &ping) == 0);
  ensure(shmkit_segment_event(segment, 64, &pong) == 0);
  for (uint32_t i = 0; i < HANDOVERS; i++) {
    ensure(shmkit_event_wait_since(ping, i, 60 * second) == 0);
    ensure(shmkit_event_set(pong) == 0);
  }
  shmkit_event_free(ping);
  shmkit_event_free(pong);
  shmkit_segment_free(segment);
}

START_TEST(nothing_is_lost_between_two) {
  shmkit_segment *segment = create(name(), 128, NULL);
  shmkit_event *ping = NULL, *pong = NULL;
  assert_done(shmkit_segment_event(segment, 0, &ping));
  assert_done(shmkit_segment_event(segment, 64, &pong));
  pid_t peer = start(answer, (void *)(uintptr_t)name());
  for (uint32_t i = 0; i < HANDOVERS; i++) {
    assert_done(shmkit_event_set(ping));
    assert_done(shmkit_event_wait_since(pong, i, 60 * second));
  }
  finish(peer);
  shmkit_event_free(ping);
  shmkit_event_free(pong);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Readers -------------------------------------------------------------------------------- */

static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};

static void wait_read_only(void *address) {
  shmkit_segment *segment = open_segment(address, &readonly);
  shmkit_event *event = NULL;
  ensure(shmkit_segment_event(segment, 0, &event) == 0);
  ensure(shmkit_event_wait(event, 1000) == SHMKIT_TIMEOUT);
  signal_turn(0);
  ensure(shmkit_event_wait(event, 60 * second) == 0);
  shmkit_event_free(event);
  shmkit_segment_free(segment);
}

START_TEST(who_may_only_read_can_wait) {
  for (int always = 0; always < 2; always++) {
    shmkit_event *event = begin();
    if (always) assert_done(shmkit_event_always_wake(event));
    pid_t reader = start(wait_read_only, (void *)(uintptr_t)name());
    wait_turn(0);
    assert_done(shmkit_event_set(event));
    finish(reader);
    ck_assert_uint_eq(shmkit_event_sequence(event), 1);
    end(event);
  }
}
END_TEST

START_TEST(who_may_only_read_cannot_change_it) {
  shmkit_event *event = begin(), *view = NULL;
  shmkit_segment *reader = open_segment(name(), &readonly);
  assert_done(shmkit_segment_event(reader, 0, &view));
  assert_fails(-EACCES, shmkit_event_set(view));
  assert_message_has("read-only");
  assert_fails(-EACCES, shmkit_event_clear(view));
  assert_fails(-EACCES, shmkit_event_always_wake(view));
  ck_assert_uint_eq(shmkit_event_sequence(view), 0);
  shmkit_event_free(view);
  shmkit_segment_free(reader);
  end(event);
}
END_TEST

/* ---- Places --------------------------------------------------------------------------------- */

START_TEST(every_kind_of_segment_has_events) {
  static const char *const addresses[] = {"sysv:private", "memfd:x"};
  for (size_t i = 0; i < COUNT(addresses); i++) {
    shmkit_segment *segment = create(addresses[i], 128, NULL);
    shmkit_event *event = NULL;
    assert_done(shmkit_segment_event(segment, 64, &event));
    assert_done(shmkit_event_set(event));
    assert_done(shmkit_event_wait(event, SHMKIT_FOREVER));
    if (i == 0) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_close(segment);
    ck_assert(shmkit_event_is_set(event));
    shmkit_event_free(event);
    shmkit_segment_free(segment);
  }
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
  shmkit_segment *segment = create("memfd:x", 64, NULL);
  shmkit_event *event = NULL;
  assert_fails(-EINVAL, shmkit_segment_event(segment, 4, &event));
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_event(segment, 64, &event));
  assert_done(shmkit_segment_event(segment, 0, &event));
  assert_fails(-EINVAL, shmkit_event_wait(event, -2));
  assert_fails(-EINVAL, shmkit_event_wait_since(event, 1U << 29, 0));
  assert_done(shmkit_event_set(event));
  assert_fails(-EINVAL, shmkit_event_wait(event, -2));
  assert_fails(-EINVAL, shmkit_event_wait_since(event, 0, INT64_MIN));
  shmkit_event_free(event);
  shmkit_segment_close(segment);
  event = NULL;
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_event(segment, 0, &event));
  ck_assert_ptr_null(event);
  shmkit_segment_free(segment);
}
END_TEST

static void note(int number) {
  (void)number;
}

static void wait_for_signal(void *address) {
  const struct sigaction action = {.sa_handler = note};
  shmkit_event *event = NULL;
  ensure(sigaction(SIGUSR1, &action, NULL) == 0);
  ensure(shmkit_event_open(address, NULL, &event) == 0);
  signal_turn(0);
  ensure(shmkit_event_wait(event, SHMKIT_FOREVER) == -EINTR);
  shmkit_event_free(event);
}

START_TEST(a_signal_ends_the_wait) {
  shmkit_event *event = begin();
  pid_t waiter = start(wait_for_signal, (void *)(uintptr_t)name());
  int status = 0;
  wait_turn(0);
  while (waitpid(waiter, &status, WNOHANG) == 0) {
    (void)kill(waiter, SIGUSR1);
    (void)usleep(1000);
  }
  ck_assert_int_eq(status, 0);
  end(event);
}
END_TEST

/* ---- Several, and descriptors ---------------------------------------------------------------- */

enum { SEVERAL = 5 };

static void set_fourth(void *address) {
  shmkit_segment *segment = open_segment(address, NULL);
  shmkit_event *event = NULL;
  ensure(shmkit_segment_event(segment, 3 * (uint64_t)SHMKIT_SYNC_SIZE, &event) == 0);
  wait_for_sleeper(event);
  ensure(shmkit_event_set(event) == 0);
  shmkit_event_free(event);
  shmkit_segment_free(segment);
}

START_TEST(the_first_of_several_is_told) {
  shmkit_segment *segment = create(name(), SEVERAL * SHMKIT_SYNC_SIZE, NULL);
  shmkit_event *events[SEVERAL] = {NULL};
  uint32_t since[SEVERAL] = {0};
  size_t which = 99;
  for (size_t i = 0; i < SEVERAL; i++) {
    assert_done(shmkit_segment_event(segment, i * SHMKIT_SYNC_SIZE, &events[i]));
  }
  ck_assert_int_eq(shmkit_event_wait_any(events, SEVERAL, NULL, 0, &which), SHMKIT_TIMEOUT);
  /* Who does not wait does not say that he does, which would cost the next setter a system call. */
  for (size_t i = 0; i < SEVERAL; i++) ck_assert_uint_eq(*word_of(events[i]), 0);
  ck_assert_int_eq(shmkit_event_wait_any(events, SEVERAL, since, 1000, &which), SHMKIT_TIMEOUT);
  ck_assert_uint_eq(which, 99);
  pid_t setter = start(set_fourth, (void *)(uintptr_t)name());
  assert_done(shmkit_event_wait_any(events, SEVERAL, NULL, SHMKIT_FOREVER, &which));
  ck_assert_uint_eq(which, 3);
  finish(setter);
  which = 99;
  assert_done(shmkit_event_wait_any(events, SEVERAL, since, 0, &which));
  ck_assert_uint_eq(which, 3);
  since[3] = 1;
  ck_assert_int_eq(shmkit_event_wait_any(events, SEVERAL, since, 0, &which), SHMKIT_TIMEOUT);
  /* Who does not wait does not say that he does. */
  ck_assert_uint_eq(*word_of(events[3]) & 1, 0);
  for (size_t i = 0; i < SEVERAL; i++) shmkit_event_free(events[i]);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(none_and_too_many_are_refused) {
  shmkit_event *event = begin(), *many[SHMKIT_WAIT_ANY_MAX + 1];
  const uint32_t wrong = UINT32_MAX;
  size_t which = 99;
  for (size_t i = 0; i < COUNT(many); i++) many[i] = event;
  assert_fails(-EINVAL, shmkit_event_wait_any(many, 0, NULL, 0, &which));
  assert_fails(-EINVAL, shmkit_event_wait_any(many, COUNT(many), NULL, 0, &which));
  assert_fails(-EINVAL, shmkit_event_wait_any(many, 1, NULL, -5, &which));
  assert_fails(-EINVAL, shmkit_event_wait_any(many, 1, &wrong, 0, &which));
  ck_assert_int_eq(shmkit_event_wait_any(many, COUNT(many) - 1, NULL, 1000, &which),
                   SHMKIT_TIMEOUT);
  assert_done(shmkit_event_set(event));
  assert_done(shmkit_event_wait_any(many, COUNT(many) - 1, NULL, SHMKIT_FOREVER, &which));
  ck_assert_uint_eq(which, 0);
  end(event);
}
END_TEST

/* Whether a descriptor is readable within a minute or, if it is not to be, now. */
static bool rings(int fd, bool expected) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  int ready = poll(&poll_fd, 1, expected ? 60000 : 0);
  uint64_t count = 0;
  if (ready == 1) ck_assert_int_eq(read(fd, &count, sizeof count), sizeof count);
  return ready == 1;
}

START_TEST(a_descriptor_is_readable_when_it_is_set) {
  shmkit_event *event = begin();
  int fd = -1, same = -1;
  assert_done(shmkit_event_set(event));
  assert_done(shmkit_event_fileno(event, &fd));
  assert_done(shmkit_event_fileno(event, &same));
  ck_assert_int_eq(fd, same);
  /* What was before does not count. */
  ck_assert(!rings(fd, false));
  for (int i = 0; i < 100; i++) {
    assert_done(shmkit_event_set(event));
    ck_assert(rings(fd, true));
    assert_done(shmkit_event_clear(event));
  }
  ck_assert(!rings(fd, false));
  end(event);
  ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* A daemon closes what it does not know, and opens other files. */
START_TEST(no_bell_rings_in_a_file_that_has_its_number) {
  shmkit_event *event = begin(), *other = NULL;
  int fd = -1, other_fd = -1;
  assert_done(shmkit_event_open(name(), NULL, &other));
  assert_done(shmkit_event_fileno(event, &fd));
  int file = memfd_create("x", MFD_CLOEXEC);
  ck_assert_int_eq(dup3(file, fd, O_CLOEXEC), fd);
  assert_done(shmkit_event_fileno(other, &other_fd));
  assert_done(shmkit_event_set(event));
  ck_assert(rings(other_fd, true));
  /* By the second ring, the thread has looked at both. */
  assert_done(shmkit_event_set(event));
  ck_assert(rings(other_fd, true));
  ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
  int again = -1;
  assert_done(shmkit_event_fileno(event, &again));
  ck_assert_int_ne(again, fd);
  assert_done(shmkit_event_set(event));
  ck_assert(rings(again, true));
  ck_assert(rings(other_fd, true));
  shmkit_event_free(other);
  end(event);
  ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(close(file), 0);
}
END_TEST

static void ask_in_child(void *context) {
  shmkit_event *event = context;
  int fd = -1;
  ensure(shmkit_event_fileno(event, &fd) == 0);
  ensure(shmkit_event_set(event) == 0);
  ensure(rings(fd, true));
  shmkit_event_free(event);
}

START_TEST(parent_and_child_have_descriptors_of_their_own) {
  shmkit_event *event = begin();
  int fd = -1;
  assert_done(shmkit_event_fileno(event, &fd));
  finish(start(ask_in_child, event));
  ck_assert(rings(fd, true));
  end(event);
}
END_TEST

static void put_zeros_there(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  char *fault = info->si_addr;
  void *start = fault - (uintptr_t)fault % page;
  (void)mmap(start, page, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  signal_turn(0);
}

/* The first to notice is the thread that waits. */
START_TEST(who_handles_a_truncation_survives_it) {
  shmkit_event *event = begin();
  struct sigaction action = {.sa_sigaction = put_zeros_there, .sa_flags = SA_SIGINFO};
  ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
  int fd = -1;
  assert_done(shmkit_event_fileno(event, &fd));
  ck_assert_int_eq(truncate(path_of(name()), 0), 0);
  wait_turn(0);
  assert_done(shmkit_event_set(event));
  ck_assert(rings(fd, true));
  end(event);
}
END_TEST

START_TEST(hundreds_of_events_have_descriptors) {
  enum { HUNDREDS = 300 };
  shmkit_segment *segment = create("memfd:x", HUNDREDS * SHMKIT_SYNC_SIZE, NULL);
  shmkit_event *events[HUNDREDS] = {NULL};
  int fds[HUNDREDS];
  for (size_t i = 0; i < HUNDREDS; i++) {
    assert_done(shmkit_segment_event(segment, i * SHMKIT_SYNC_SIZE, &events[i]));
    assert_done(shmkit_event_fileno(events[i], &fds[i]));
  }
  for (size_t i = 0; i < HUNDREDS; i++) {
    assert_done(shmkit_event_set(events[i]));
    ck_assert(rings(fds[i], true));
    shmkit_event_free(events[i]);
  }
  shmkit_segment_free(segment);
}
END_TEST

/* ---- A storm -------------------------------------------------------------------------------- */

static void wait_until_killed(void *address) {
  shmkit_event *event = NULL;
  ensure(shmkit_event_open(address, NULL, &event) == 0);
  uint32_t seen = shmkit_event_sequence(event);
  while (!shared()->stop) {
    ensure(shmkit_event_wait_since(event, seen, 60 * second) == 0);
    seen = shmkit_event_sequence(event);
    shared()->count[0]++;
  }
  shmkit_event_free(event);
}

static void set_until_killed(void *address) {
  shmkit_event *event = NULL;
  ensure(shmkit_event_open(address, NULL, &event) == 0);
  while (!shared()->stop) {
    ensure(shmkit_event_set(event) == 0);
    (void)sched_yield();
  }
  shmkit_event_free(event);
}

START_TEST(killing_setters_and_waiters_loses_nothing) {
  shmkit_event *event = begin();
  void *address = (void *)(uintptr_t)name();
  pid_t waiters[2] = {start(wait_until_killed, address), start(wait_until_killed, address)};
  time_t until = time(NULL) + soak_seconds(2);
  unsigned seed = (unsigned)getpid(), kills = 0;
  while (time(NULL) < until) {
    pid_t setter = start(set_until_killed, address);
    unsigned woken = shared()->count[0];
    while (shared()->count[0] - woken < 1 + (unsigned)rand_r(&seed) % 20) (void)sched_yield();
    kill_child(setter);
    /* A waiter that only the last, killed setter could have woken wakes with the next one. */
    int which = rand_r(&seed) % 2;
    kill_child(waiters[which]);
    waiters[which] = start(wait_until_killed, address);
    kills += 2;
  }
  shared()->stop = true;
  assert_done(shmkit_event_set(event));
  /* One may have looked at `stop` before, and at the event after. */
  int status = 0, left = 2;
  while (left > 0) {
    assert_done(shmkit_event_set(event));
    pid_t ended = waitpid(-1, &status, WNOHANG);
    if (ended > 0) ck_assert_int_eq(status, 0);
    left -= ended > 0;
    (void)sched_yield();
  }
  (void)printf("%u kills, %u wake-ups\n", kills, (unsigned)shared()->count[0]);
  end(event);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      zeros_are_an_event_that_is_not_set,
      it_is_set_until_it_is_cleared,
      it_counts_how_often_it_was_set,
      its_count_begins_anew_at_its_end,
      everybody_who_sleeps_is_woken,
      set_and_cleared_at_once_it_still_wakes,
      who_dies_before_waking_only_delays_the_others,
      other_waiters_coming_and_going_do_not_matter,
      nothing_is_lost_between_two,
      who_may_only_read_can_wait,
      who_may_only_read_cannot_change_it,
      every_kind_of_segment_has_events,
      what_makes_no_sense_is_refused,
      a_signal_ends_the_wait,
      the_first_of_several_is_told,
      none_and_too_many_are_refused,
      a_descriptor_is_readable_when_it_is_set,
      no_bell_rings_in_a_file_that_has_its_number,
      parent_and_child_have_descriptors_of_their_own,
      who_handles_a_truncation_survives_it,
      hundreds_of_events_have_descriptors,
      killing_setters_and_waiters_loses_nothing,
  };
  return run_cases("event", cases, COUNT(cases), argc, argv);
}
