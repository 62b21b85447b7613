/* SPDX-License-Identifier: MIT */
/* Mutexes: one holder at a time, whatever happens to it. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int64_t second = 1000000000;

/* A case's mutex in a segment of its own. */
static shmkit_mutex *begin(void) {
  shmkit_mutex *mutex = NULL;
  assert_done(shmkit_mutex_open(name(), NULL, &mutex));
  return mutex;
}

static void end(shmkit_mutex *mutex) {
  assert_done(shmkit_segment_unlink(shmkit_mutex_segment(mutex)));
  shmkit_mutex_free(mutex);
}

static shmkit_mutex_state look(shmkit_mutex *mutex) {
  shmkit_mutex_state state;
  assert_done(shmkit_mutex_look(mutex, &state));
  return state;
}

/* For children: lock, tell, and stay until killed. */
static void lock_and_stay(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  shmkit_status status = shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
  ensure(status == 0 || status == SHMKIT_OWNER_DIED);
  signal_turn(0);
  for (;;) (void)pause();
}

static pid_t start_holder(void) {
  pid_t holder = start(lock_and_stay, (void *)(uintptr_t)name());
  wait_turn(0);
  return holder;
}

/* ---- One holder ----------------------------------------------------------------------------- */

START_TEST(zeros_are_an_unlocked_mutex) {
  shmkit_mutex *mutex = begin();
  shmkit_mutex_state state = look(mutex);
  ck_assert(!state.locked);
  ck_assert(!state.mine);
  ck_assert(!state.owner_died);
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  state = look(mutex);
  ck_assert(state.locked);
  ck_assert(state.mine);
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert(!look(mutex).locked);
  assert_bytes(shmkit_mutex_segment(mutex), 0, "\0\0\0");
  end(mutex);
}
END_TEST

START_TEST(who_holds_it_cannot_lock_it_again) {
  shmkit_mutex *mutex = begin(), *same = NULL;
  assert_done(shmkit_mutex_open(name(), NULL, &same));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_fails(-EDEADLK, shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  assert_fails(-EDEADLK, shmkit_mutex_lock(same, 0));
  assert_message_has(name());
  assert_done(shmkit_mutex_unlock(same));
  assert_done(shmkit_mutex_lock(same, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  shmkit_mutex_free(same);
  end(mutex);
}
END_TEST

static void *try_from_another_thread(void *context) {
  shmkit_mutex *mutex = context;
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  assert_message_has("does not hold it");
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_TIMEOUT);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 1000), SHMKIT_TIMEOUT);
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  ck_assert(look(mutex).locked);
  ck_assert(!look(mutex).mine);
  return NULL;
}

static void run_thread(void *(*body)(void *), void *context) {
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, body, context), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(who_does_not_hold_it_can_neither_lock_nor_unlock_it) {
  shmkit_mutex *mutex = begin();
  assert_fails(-EPERM, shmkit_mutex_unlock(mutex));
  assert_message_has("not locked");
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  run_thread(try_from_another_thread, mutex);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
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
    ensure(shmkit_mutex_lock(mutex, 60 * second) == 0);
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
  struct crowd crowd = {.mutex = begin()};
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
  end(crowd.mutex);
}
END_TEST

/* ---- Holders that end ----------------------------------------------------------------------- */

START_TEST(a_killed_holder_is_told_to_the_next_one_once) {
  shmkit_mutex *mutex = begin();
  kill_child(start_holder());
  shmkit_mutex_state state = look(mutex);
  ck_assert(state.owner_died);
  ck_assert(!state.locked);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  ck_assert(!look(mutex).owner_died);
  assert_done(shmkit_mutex_unlock(mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

static void wait_and_get(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  signal_turn(1);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == SHMKIT_OWNER_DIED);
  ensure(shmkit_mutex_unlock(mutex) == 0);
  shmkit_mutex_free(mutex);
}

START_TEST(who_sleeps_on_it_gets_it_when_its_holder_is_killed) {
  shmkit_mutex *mutex = begin();
  pid_t holder = start_holder();
  pid_t waiter = start(wait_and_get, (void *)(uintptr_t)name());
  wait_turn(1);
  /* Asleep: it has said so in the word. */
  const _Atomic uint32_t *word = shmkit_segment_data(shmkit_mutex_segment(mutex));
  while (!(*word >> 31)) (void)sched_yield();
  kill_child(holder);
  finish(waiter);
  end(mutex);
}
END_TEST

static void *lock_in_thread(void *mutex) {
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  return NULL;
}

START_TEST(a_thread_that_ends_with_it_has_died) {
  shmkit_mutex *mutex = begin();
  run_thread(lock_in_thread, mutex);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

static void lock_and_exec(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  ensure(shmkit_mutex_lock(mutex, 0) == 0);
  signal_turn(0);
  (void)execl("/bin/sh", "sh", "-c", "exec sleep 1000", (char *)NULL);
}

START_TEST(another_program_in_the_same_process_does_not_hold_it) {
  shmkit_mutex *mutex = begin();
  pid_t child = start(lock_and_exec, (void *)(uintptr_t)name());
  wait_turn(0);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  kill_child(child);
  end(mutex);
}
END_TEST

START_TEST(a_stopped_holder_holds_it) {
  shmkit_mutex *mutex = begin();
  pid_t holder = start_holder();
  int status;
  ck_assert_int_eq(kill(holder, SIGSTOP), 0);
  ck_assert_int_eq(waitpid(holder, &status, WUNTRACED), holder);
  ck_assert(WIFSTOPPED(status));
  /* Longer than the slice after which it is asked whether the holder lives. */
  ck_assert_int_eq(shmkit_mutex_lock(mutex, second / 5), SHMKIT_TIMEOUT);
  ck_assert(look(mutex).locked);
  kill_child(holder);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

static void look_at_parents_lock(void *context) {
  shmkit_mutex *mutex = context;
  ensure(!look(mutex).mine);
  ensure(look(mutex).locked);
  ensure(shmkit_mutex_unlock(mutex) == -EPERM);
  ensure(shmkit_mutex_lock(mutex, 0) == SHMKIT_TIMEOUT);
  signal_turn(0);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  ensure(look(mutex).mine);
  ensure(shmkit_mutex_unlock(mutex) == 0);
  shmkit_mutex_free(mutex);
}

START_TEST(a_forked_child_holds_nothing_of_its_parents) {
  shmkit_mutex *mutex = begin();
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  pid_t child = start(look_at_parents_lock, mutex);
  wait_turn(0);
  assert_done(shmkit_mutex_unlock(mutex));
  finish(child);
  end(mutex);
}
END_TEST

static void *lock_once(void *context) {
  shmkit_mutex *mutex = context;
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  uint32_t identity = look(mutex).identity;
  ensure(shmkit_mutex_unlock(mutex) == 0);
  return (void *)(uintptr_t)identity; /* NOLINT(performance-no-int-to-ptr) */
}

/* The parent's thread that forked has locked before, and is the child's first; another one is the
 * first to lock in the child. */
static void lock_in_two_threads(void *context) {
  pthread_t thread;
  void *other = NULL;
  ensure(pthread_create(&thread, NULL, lock_once, context) == 0);
  ensure(pthread_join(thread, &other) == 0);
  const uint32_t own = (uint32_t)(uintptr_t)lock_once(context);
  ensure(own != (uint32_t)(uintptr_t)other);
  ensure(own != shared()->count[0]);
}

START_TEST(the_threads_of_a_child_have_identities_of_their_own) {
  shmkit_mutex *mutex = begin();
  shared()->count[0] = (unsigned)(uintptr_t)lock_once(mutex);
  finish(start(lock_in_two_threads, mutex));
  ck_assert_uint_eq((unsigned)(uintptr_t)lock_once(mutex), shared()->count[0]);
  end(mutex);
}
END_TEST

/* The same place in memory, another party. */
START_TEST(who_locks_in_another_segment_has_another_identity) {
  shmkit_mutex *mutex = begin();
  uint32_t before = (uint32_t)(uintptr_t)lock_once(mutex);
  end(mutex);
  mutex = begin();
  uint32_t after = (uint32_t)(uintptr_t)lock_once(mutex);
  ck_assert_uint_ne(before, after);
  assert_done(shmkit_mutex_lock(mutex, 0));
  /* As long as it holds it, it lives. */
  ck_assert(look(mutex).locked);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

static void stay(void *context) {
  (void)context;
  signal_turn(1);
  for (;;) (void)pause();
}

static void lock_fork_and_stay(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  ensure(shmkit_mutex_lock(mutex, 0) == 0);
  /* In a group of its own, to be killed without its parent. */
  pid_t child = fork();
  if (child == 0) {
    shared()->count[0] = (unsigned)getpid();
    stay(NULL);
  }
  wait_turn(1);
  signal_turn(0);
  for (;;) (void)pause();
}

START_TEST(a_child_that_lives_on_does_not_keep_its_parents_lock) {
  shmkit_mutex *mutex = begin();
  pid_t holder = start(lock_fork_and_stay, (void *)(uintptr_t)name());
  wait_turn(0);
  pid_t grandchild = (pid_t)shared()->count[0];
  kill_child(holder);
  ck_assert_int_eq(kill(grandchild, 0), 0);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert_int_eq(kill(grandchild, SIGKILL), 0);
  end(mutex);
}
END_TEST

enum { PERMITTED = 1 };

/* Process 1 of a PID namespace of its own holds it; who is outside kills this one, and that one with
 * it. */
static void hold_in_pid_namespace(void *address) {
  if (unshare(CLONE_NEWPID) != 0) {
    signal_turn(0);
    for (;;) (void)pause();
  }
  shared()->count[PERMITTED] = 1;
  if (fork() == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    ensure(getpid() == 1);
    lock_and_stay(address);
  }
  for (;;) (void)pause();
}

START_TEST(a_holder_in_another_pid_namespace_is_known_to_live_and_to_die) {
  shmkit_mutex *mutex = begin();
  pid_t holder = start(hold_in_pid_namespace, (void *)(uintptr_t)name());
  wait_turn(0);
  if (shared()->count[PERMITTED]) {
    ck_assert(look(mutex).locked);
    ck_assert_int_eq(shmkit_mutex_lock(mutex, second / 5), SHMKIT_TIMEOUT);
    kill_child(holder);
    ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
    assert_done(shmkit_mutex_unlock(mutex));
  } else {
    kill_child(holder);
  }
  end(mutex);
}
END_TEST

START_TEST(descriptors_closed_behind_its_back_change_nothing) {
  shmkit_mutex *mutex = begin();
  assert_done(shmkit_mutex_lock(mutex, 0));
  int fd = -1;
  assert_done(shmkit_segment_fileno(shmkit_mutex_segment(mutex), &fd));
  ck_assert_int_eq(close(fd), 0);
  ck_assert(look(mutex).mine);
  ck_assert(look(mutex).locked);
  assert_done(shmkit_mutex_unlock(mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  kill_child(start(stay, NULL)); /* A fork in the middle. */
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

START_TEST(ending_the_object_gives_the_lock_up) {
  shmkit_mutex *mutex = begin(), *other = NULL;
  assert_done(shmkit_mutex_lock(mutex, 0));
  shmkit_mutex_free(mutex);
  assert_done(shmkit_mutex_open(name(), NULL, &other));
  ck_assert_int_eq(shmkit_mutex_lock(other, 0), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(other));
  end(other);
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
  ck_assert(look(last).mine);
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
  shmkit_mutex *mutex = begin();
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, -2));
  ck_assert(!look(mutex).locked);
  pid_t holder = start_holder();
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, -2));
  assert_fails(-EINVAL, shmkit_mutex_lock(mutex, INT64_MIN));
  kill_child(holder);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, INT64_MAX), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
}
END_TEST

START_TEST(whatever_bytes_are_there_nobody_hangs) {
  static const uint32_t words[] = {1, 0x3fffffff, 0x40000000, 0x80000000, 0xc0000000, UINT32_MAX};
  shmkit_mutex *mutex = begin();
  for (size_t i = 0; i < COUNT(words); i++) {
    shmkit_mutex_state state;
    assert_done(shmkit_segment_write(shmkit_mutex_segment(mutex), 0, &words[i], 4));
    shmkit_status status = shmkit_mutex_look(mutex, &state);
    ck_assert(status == 0 || status == SHMKIT_ERR_CORRUPT);
    status = shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
    ck_assert(status == 0 || status == SHMKIT_OWNER_DIED);
    ck_assert(look(mutex).mine);
    assert_done(shmkit_mutex_unlock(mutex));
  }
  end(mutex);
}
END_TEST

START_TEST(the_pins_of_identities_are_no_mappings) {
  shmkit_mutex *mutex = begin();
  shmkit_listing *listing = NULL;
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_listing_stat(name(), 0, &listing));
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_uint_eq(info->mappings, 1);
  ck_assert_uint_eq(info->mappers[0].offset, 0);
  shmkit_listing_free(listing);
  assert_done(shmkit_mutex_unlock(mutex));
  end(mutex);
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
  shmkit_mutex *mutex = begin();
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
  end(mutex);
}
END_TEST

/* ---- A storm -------------------------------------------------------------------------------- */

/* What holders write into: who is inside, and how many ever were. */
struct inside {
  char mutex[64];
  _Atomic uint32_t who;
  _Atomic uint32_t rounds;
  _Atomic uint32_t deaths;
};

static void lock_until_killed(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  struct inside *inside = shmkit_segment_data(shmkit_mutex_segment(mutex));
  uint32_t me = (uint32_t)getpid();
  while (!shared()->stop) {
    shmkit_status status = shmkit_mutex_lock(mutex, 60 * second);
    ensure(status == 0 || status == SHMKIT_OWNER_DIED);
    uint32_t before = inside->who;
    if (status == SHMKIT_OWNER_DIED) {
      inside->deaths++;
    } else {
      ensure_msg(before == 0, "%u is inside with %u", before, me);
    }
    inside->who = me;
    inside->rounds++;
    if (inside->rounds % 7 == 0) (void)sched_yield();
    ensure_msg(inside->who == me, "%u came in while %u was inside", (uint32_t)inside->who, me);
    inside->who = 0;
    ensure(shmkit_mutex_unlock(mutex) == 0);
  }
  shmkit_mutex_free(mutex);
}

START_TEST(killing_holders_at_random_never_lets_two_in_nor_hangs) {
  shmkit_segment *segment = create(name(), sizeof(struct inside), NULL);
  struct inside *inside = shmkit_segment_data(segment);
  void *address = (void *)(uintptr_t)name();
  pid_t peers[PEERS];
  unsigned kills = 0, seed = (unsigned)getpid();
  time_t until = time(NULL) + soak_seconds(2);
  for (int i = 0; i < PEERS; i++) peers[i] = start(lock_until_killed, address);
  while (time(NULL) < until) {
    uint32_t rounds = inside->rounds;
    /* Something is going on again before the next one dies. */
    while (inside->rounds - rounds < 10 + (unsigned)rand_r(&seed) % 50) (void)sched_yield();
    int which = rand_r(&seed) % PEERS;
    kill_child(peers[which]);
    kills++;
    peers[which] = start(lock_until_killed, address);
  }
  shared()->stop = true;
  finish_all(peers, PEERS);
  (void)printf("%u kills, %u of them inside, %u rounds\n", kills, (unsigned)inside->deaths,
               (unsigned)inside->rounds);
  ck_assert_uint_eq(inside->who, 0);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      zeros_are_an_unlocked_mutex,
      who_holds_it_cannot_lock_it_again,
      who_does_not_hold_it_can_neither_lock_nor_unlock_it,
      threads_and_processes_take_turns,
      a_thousand_threads_lock_one_mutex,
      a_killed_holder_is_told_to_the_next_one_once,
      who_sleeps_on_it_gets_it_when_its_holder_is_killed,
      a_thread_that_ends_with_it_has_died,
      another_program_in_the_same_process_does_not_hold_it,
      a_stopped_holder_holds_it,
      a_forked_child_holds_nothing_of_its_parents,
      the_threads_of_a_child_have_identities_of_their_own,
      who_locks_in_another_segment_has_another_identity,
      a_child_that_lives_on_does_not_keep_its_parents_lock,
      a_holder_in_another_pid_namespace_is_known_to_live_and_to_die,
      descriptors_closed_behind_its_back_change_nothing,
      ending_the_object_gives_the_lock_up,
      several_mutexes_of_a_segment_are_independent,
      what_cannot_be_a_mutex_is_refused,
      what_was_made_for_a_mutex_that_cannot_be_is_gone,
      times_that_make_no_sense_are_refused,
      whatever_bytes_are_there_nobody_hangs,
      the_pins_of_identities_are_no_mappings,
      a_signal_ends_the_wait,
      killing_holders_at_random_never_lets_two_in_nor_hangs,
  };
  return run_cases("mutex", cases, COUNT(cases), argc, argv);
}
