/* SPDX-License-Identifier: MIT */
/* Mutexes: one holder at a time. What becomes of holders is in mutex_holders.c. */
#include "mutex_support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- One holder ----------------------------------------------------------------------------- */

START_TEST(zeros_are_an_unlocked_mutex) {
  shmkit_mutex *mutex = begin_mutex();
  shmkit_mutex_state state = state_of(mutex);
  ck_assert(!state.locked);
  ck_assert(!state.mine);
  ck_assert(!state.owner_died);
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  state = state_of(mutex);
  ck_assert(state.locked);
  ck_assert(state.mine);
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert(!state_of(mutex).locked);
  assert_bytes(shmkit_mutex_segment(mutex), 0, "\0\0\0");
  end_mutex(mutex);
}
END_TEST

START_TEST(who_holds_it_cannot_lock_it_again) {
  shmkit_mutex *mutex = begin_mutex(), *same = NULL;
  assert_done(shmkit_mutex_open(name(), NULL, &same));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_fails(-EDEADLK, shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  assert_fails(-EDEADLK, shmkit_mutex_lock(same, 0));
  assert_message_has(name());
  assert_done(shmkit_mutex_unlock(same));
  assert_done(shmkit_mutex_lock(same, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  shmkit_mutex_free(same);
  end_mutex(mutex);
}
END_TEST

static void *try_from_another_thread(void *context) {
  shmkit_mutex *mutex = context;
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  assert_message_has("does not hold it");
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_TIMEOUT);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 1000), SHMKIT_TIMEOUT);
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  ck_assert(state_of(mutex).locked);
  ck_assert(!state_of(mutex).mine);
  return NULL;
}

START_TEST(who_does_not_hold_it_can_neither_lock_nor_unlock_it) {
  shmkit_mutex *mutex = begin_mutex();
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  assert_message_has("not locked");
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  run_thread(try_from_another_thread, mutex);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
}
END_TEST

enum { ROUNDS = 3000, PEERS = 4 };

/* Beside the mutex there is a number that only holders touch, and not in one step. */
static void count_up(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  volatile unsigned *count =
      (void *)((char *)shmkit_segment_data(shmkit_mutex_segment(mutex)) + 64);
  for (int i = 0; i < ROUNDS; i++) {
    ensure(shmkit_mutex_lock(mutex, 60 * SECOND) == 0);
    unsigned before = *count;
    if (i % 16 == 0) (void)sched_yield();
    *count = before + 1;
    ensure(shmkit_mutex_unlock(mutex) == 0);
  }
  shmkit_mutex_free(mutex);
}

static void *count_in_thread(void *context) {
  count_up(context);
  return NULL;
}

static void count_in_threads(void *address) {
  pthread_t threads[PEERS];
  for (int i = 0; i < PEERS; i++) {
    ensure(pthread_create(&threads[i], NULL, count_in_thread, address) == 0);
  }
  for (int i = 0; i < PEERS; i++) ensure(pthread_join(threads[i], NULL) == 0);
}

START_TEST(threads_and_processes_take_turns) {
  shmkit_segment *segment = create(name(), 128, NULL);
  pid_t children[PEERS];
  for (int i = 0; i < PEERS; i++) {
    children[i] = start(i % 2 ? count_in_threads : count_up, (void *)(uintptr_t)name());
  }
  finish_all(children, PEERS);
  unsigned *count = (void *)((char *)shmkit_segment_data(segment) + 64);
  ck_assert_uint_eq(*count, (PEERS / 2) * ROUNDS + (PEERS / 2) * PEERS * ROUNDS);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

enum { MANY = 1000 };

struct crowd {
  shmkit_mutex *mutex;
  unsigned count;
  pthread_barrier_t all_have_one;
};

static void *join_crowd(void *context) {
  struct crowd *crowd = context;
  for (int i = 0; i < 3; i++) {
    assert_done(shmkit_mutex_lock(crowd->mutex, SHMKIT_FOREVER));
    crowd->count++;
    assert_done(shmkit_mutex_unlock(crowd->mutex));
  }
  /* Nobody ends, and gives its identity back, before everybody has one. */
  (void)pthread_barrier_wait(&crowd->all_have_one);
  return NULL;
}

START_TEST(a_thousand_threads_lock_one_mutex) {
  static pthread_t threads[MANY];
  struct crowd crowd = {.mutex = begin_mutex()};
  pthread_attr_t small;
  ck_assert_int_eq(pthread_attr_init(&small), 0);
  ck_assert_int_eq(pthread_attr_setstacksize(&small, 128 * KIB), 0);
  ck_assert_int_eq(pthread_barrier_init(&crowd.all_have_one, NULL, MANY), 0);
  for (int i = 0; i < MANY; i++) {
    ck_assert_int_eq(pthread_create(&threads[i], &small, join_crowd, &crowd), 0);
  }
  for (int i = 0; i < MANY; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ck_assert_uint_eq(crowd.count, 3 * MANY);
  (void)pthread_barrier_destroy(&crowd.all_have_one);
  (void)pthread_attr_destroy(&small);
  end_mutex(crowd.mutex);
}
END_TEST

/* ---- Places --------------------------------------------------------------------------------- */

START_TEST(several_mutexes_of_a_segment_are_independent) {
  shmkit_segment *segment = create("memfd:x", 256, NULL);
  shmkit_mutex *first = NULL, *last = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &first));
  assert_done(shmkit_segment_mutex(segment, 192, &last));
  ck_assert_uint_eq(shmkit_mutex_offset(last), 192);
  ck_assert_ptr_eq(shmkit_mutex_segment(last), segment);
  assert_done(shmkit_mutex_lock(first, 0));
  assert_done(shmkit_mutex_lock(last, 0));
  assert_done(shmkit_mutex_unlock(first));
  ck_assert(state_of(last).mine);
  assert_done(shmkit_mutex_unlock(last));
  shmkit_mutex_free(first);
  /* Closed, the memory is there as long as a mutex is. */
  shmkit_segment_close(segment);
  ck_assert_int_eq(shmkit_mutex_lock(last, 0), 0);
  shmkit_mutex_free(last);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_cannot_be_a_mutex_is_refused) {
  static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  shmkit_segment *segment = create(name(), 128, NULL), *sysv = create("sysv:private", 128, NULL);
  shmkit_mutex *mutex = NULL;
  assert_fails(-EINVAL, shmkit_segment_mutex(segment, 8, &mutex));
  assert_message_has("multiple of 64");
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_mutex(segment, 128, &mutex));
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_mutex(segment, UINT64_MAX - 63, &mutex));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_mutex(sysv, 0, &mutex));
  assert_message_has("posix:");
  assert_done(shmkit_segment_unlink(sysv));
  shmkit_segment_free(sysv);
  shmkit_segment *reader = open_segment(name(), &readonly);
  assert_fails(-EACCES, shmkit_segment_mutex(reader, 0, &mutex));
  assert_message_has("read-only");
  shmkit_segment_free(reader);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_close(segment);
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_mutex(segment, 0, &mutex));
  ck_assert_ptr_null(mutex);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_was_made_for_a_mutex_that_cannot_be_is_gone) {
  shmkit_mutex *mutex = NULL;
  shmkit_segment *segment = NULL;
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_mutex_open(sysv_address(), NULL, &mutex));
  assert_fails(-ENOENT, shmkit_segment_open(sysv_address(), NULL, &segment));
}
END_TEST

START_TEST(times_that_make_no_sense_are_refused) {
  shmkit_mutex *mutex = begin_mutex();
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, -2));
  ck_assert(!state_of(mutex).locked);
  pid_t holder = start_holder();
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, -2));
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, INT64_MIN));
  kill_child(holder);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, INT64_MAX), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
}
END_TEST

START_TEST(whatever_bytes_are_there_nobody_hangs) {
  static const uint32_t words[] = {1, 0x3fffffff, 0x40000000, 0x80000000, 0xc0000000, UINT32_MAX};
  shmkit_mutex *mutex = begin_mutex();
  for (size_t i = 0; i < COUNT(words); i++) {
    shmkit_mutex_state state;
    assert_done(shmkit_segment_write(shmkit_mutex_segment(mutex), 0, &words[i], 4));
    shmkit_status status = shmkit_mutex_look(mutex, &state);
    ck_assert(status == 0 || status == SHMKIT_ERR_CORRUPT);
    status = shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
    ck_assert(status == 0 || status == SHMKIT_OWNER_DIED);
    ck_assert(state_of(mutex).mine);
    assert_done(shmkit_mutex_unlock(mutex));
  }
  end_mutex(mutex);
}
END_TEST

/* ---- Signals -------------------------------------------------------------------------------- */

static void note(int number) {
  (void)number;
}

static void wait_for_signal(void *address) {
  const struct sigaction action = {.sa_handler = note};
  shmkit_mutex *mutex = NULL;
  ensure(sigaction(SIGUSR1, &action, NULL) == 0);
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  signal_turn(1);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == -EINTR);
  shmkit_mutex_free(mutex);
}

START_TEST(a_signal_ends_the_wait) {
  shmkit_mutex *mutex = begin_mutex();
  assert_done(shmkit_mutex_lock(mutex, 0));
  pid_t waiter = start(wait_for_signal, (void *)(uintptr_t)name());
  wait_turn(1);
  /* Once may come before it sleeps. */
  int status = 0;
  while (waitpid(waiter, &status, WNOHANG) == 0) {
    (void)kill(waiter, SIGUSR1);
    (void)usleep(1000);
  }
  ck_assert_int_eq(status, 0);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      zeros_are_an_unlocked_mutex,
      who_holds_it_cannot_lock_it_again,
      who_does_not_hold_it_can_neither_lock_nor_unlock_it,
      threads_and_processes_take_turns,
      a_thousand_threads_lock_one_mutex,
      several_mutexes_of_a_segment_are_independent,
      what_cannot_be_a_mutex_is_refused,
      what_was_made_for_a_mutex_that_cannot_be_is_gone,
      times_that_make_no_sense_are_refused,
      whatever_bytes_are_there_nobody_hangs,
      a_signal_ends_the_wait,
  };
  return run_cases("mutex", cases, COUNT(cases), argc, argv);
}
