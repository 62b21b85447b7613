/* SPDX-License-Identifier: MIT */
/* Holders of mutexes: who they are, and what becomes of the mutex when they end. */
#include "mutex_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "identity.h"

/* ---- Holders that end ----------------------------------------------------------------------- */

START_TEST(a_killed_holder_is_told_to_the_next_one_once) {
  shmkit_mutex *mutex = begin_mutex();
  kill_child(start_holder());
  shmkit_mutex_state state = state_of(mutex);
  ck_assert(state.owner_died);
  ck_assert(!state.locked);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  ck_assert(!state_of(mutex).owner_died);
  assert_done(shmkit_mutex_unlock(mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
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
  shmkit_mutex *mutex = begin_mutex();
  pid_t holder = start_holder();
  pid_t waiter = start(wait_and_get, (void *)(uintptr_t)name());
  wait_turn(1);
  /* Asleep: it has said so in the word. */
  const _Atomic uint32_t *word = shmkit_segment_data(shmkit_mutex_segment(mutex));
  while (!(*word >> 31)) (void)sched_yield();
  kill_child(holder);
  finish(waiter);
  end_mutex(mutex);
}
END_TEST

static void *lock_in_thread(void *mutex) {
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  return NULL;
}

START_TEST(a_thread_that_ends_with_it_has_died) {
  shmkit_mutex *mutex = begin_mutex();
  run_thread(lock_in_thread, mutex);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
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
  shmkit_mutex *mutex = begin_mutex();
  pid_t child = start(lock_and_exec, (void *)(uintptr_t)name());
  wait_turn(0);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  kill_child(child);
  end_mutex(mutex);
}
END_TEST

START_TEST(a_stopped_holder_holds_it) {
  shmkit_mutex *mutex = begin_mutex();
  pid_t holder = start_holder();
  int status;
  ck_assert_int_eq(kill(holder, SIGSTOP), 0);
  ck_assert_int_eq(waitpid(holder, &status, WUNTRACED), holder);
  ck_assert(WIFSTOPPED(status));
  /* Longer than the slice after which it is asked whether the holder lives. */
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SECOND / 5), SHMKIT_TIMEOUT);
  ck_assert(state_of(mutex).locked);
  kill_child(holder);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
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
  shmkit_mutex *mutex = begin_mutex();
  pid_t holder = start(lock_fork_and_stay, (void *)(uintptr_t)name());
  wait_turn(0);
  pid_t grandchild = (pid_t)shared()->count[0];
  kill_child(holder);
  ck_assert_int_eq(kill(grandchild, 0), 0);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert_int_eq(kill(grandchild, SIGKILL), 0);
  end_mutex(mutex);
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
  shmkit_mutex *mutex = begin_mutex();
  pid_t holder = start(hold_in_pid_namespace, (void *)(uintptr_t)name());
  wait_turn(0);
  if (shared()->count[PERMITTED]) {
    ck_assert(state_of(mutex).locked);
    ck_assert_int_eq(shmkit_mutex_lock(mutex, SECOND / 5), SHMKIT_TIMEOUT);
    kill_child(holder);
    ck_assert_int_eq(shmkit_mutex_lock(mutex, SHMKIT_FOREVER), SHMKIT_OWNER_DIED);
    assert_done(shmkit_mutex_unlock(mutex));
  } else {
    kill_child(holder);
  }
  end_mutex(mutex);
}
END_TEST

START_TEST(descriptors_closed_behind_its_back_change_nothing) {
  shmkit_mutex *mutex = begin_mutex();
  assert_done(shmkit_mutex_lock(mutex, 0));
  int fd = -1;
  assert_done(shmkit_segment_fileno(shmkit_mutex_segment(mutex), &fd));
  ck_assert_int_eq(close(fd), 0);
  ck_assert(state_of(mutex).mine);
  ck_assert(state_of(mutex).locked);
  assert_done(shmkit_mutex_unlock(mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  kill_child(start(stay, NULL)); /* A fork in the middle. */
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
}
END_TEST

START_TEST(ending_the_object_gives_the_lock_up) {
  shmkit_mutex *mutex = begin_mutex(), *other = NULL;
  assert_done(shmkit_mutex_lock(mutex, 0));
  shmkit_mutex_free(mutex);
  assert_done(shmkit_mutex_open(name(), NULL, &other));
  ck_assert_int_eq(shmkit_mutex_lock(other, 0), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(other));
  end_mutex(other);
}
END_TEST

static void lock_and_end_often(void *context) {
  shmkit_segment *segment = context;
  while (!shared()->stop) {
    shmkit_mutex *mutex = NULL;
    ensure(shmkit_segment_mutex(segment, 0, &mutex) == 0);
    if (shmkit_mutex_lock(mutex, 0) == 0) ensure(shmkit_mutex_unlock(mutex) == 0);
    shmkit_mutex_free(mutex);
  }
}

START_TEST(who_unlocks_and_ends_is_never_seen_to_have_died_with_it) {
  shmkit_segment *segment = create("memfd:x", SHMKIT_SYNC_SIZE, NULL);
  shmkit_mutex *mutex = NULL;
  pid_t holders[2] = {start(lock_and_end_often, segment), start(lock_and_end_often, segment)};
  /* Not before: a child that has it, too, would keep its identity. */
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  time_t until = time(NULL) + soak_seconds(2);
  while (time(NULL) < until) {
    shmkit_mutex_state state;
    for (int i = 0; i < 1000; i++) {
      ensure(shmkit_mutex_look(mutex, &state) == 0);
      ensure(!state.owner_died);
    }
  }
  shared()->stop = true;
  finish_all(holders, COUNT(holders));
  shmkit_mutex_free(mutex);
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Who is who ----------------------------------------------------------------------------- */

static void look_at_parents_lock(void *context) {
  shmkit_mutex *mutex = context;
  ensure(!state_of(mutex).mine);
  ensure(state_of(mutex).locked);
  ensure(shmkit_mutex_unlock(mutex) == -EPERM);
  ensure(shmkit_mutex_lock(mutex, 0) == SHMKIT_TIMEOUT);
  signal_turn(0);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  ensure(state_of(mutex).mine);
  ensure(shmkit_mutex_unlock(mutex) == 0);
  shmkit_mutex_free(mutex);
}

START_TEST(a_forked_child_holds_nothing_of_its_parents) {
  shmkit_mutex *mutex = begin_mutex();
  assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
  pid_t child = start(look_at_parents_lock, mutex);
  wait_turn(0);
  assert_done(shmkit_mutex_unlock(mutex));
  finish(child);
  end_mutex(mutex);
}
END_TEST

static void *lock_once(void *context) {
  shmkit_mutex *mutex = context;
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  uint32_t identity = state_of(mutex).identity;
  ensure(shmkit_mutex_unlock(mutex) == 0);
  return (void *)(uintptr_t)identity; /* NOLINT(performance-no-int-to-ptr) */
}

/* The child's first thread ends, then its process. */
#if defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
/* ThreadSanitizer does not know that the first thread can end and be waited for, and in a child of
 * musl's it leaves its lock on the list of threads behind. */
static void end_first(void *memory) {
  (void)memory;
  _exit(EXIT_SUCCESS);
}
#else
static pthread_t first;

static void *exit_after_first(void *memory) {
  ensure(pthread_join(first, NULL) == 0);
  if (memory != NULL) *(char *)memory = 1;
  _exit(EXIT_SUCCESS);
}

static void end_first(void *memory) {
  pthread_t thread;
  first = pthread_self();
  ensure(pthread_create(&thread, NULL, exit_after_first, memory) == 0);
  pthread_exit(NULL);
}
#endif

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
  end_first(NULL);
}

/* The child has not got the pin, and something else where that was, which stays. */
static void map_in_place_of_pin(void *unused) {
  (void)unused;
  void *pin = shmkit__self.own->pin;
  void *memory = mmap(pin, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ensure(memory == pin);
  end_first(memory);
}

/* `_Fork` tells nobody that it forks. */
static void run_forked(pid_t (*way)(void), void (*body)(void *), void *argument) {
  pid_t child = way();
  ck_assert_int_ge(child, 0);
  if (child == 0) body(argument);
  finish(child);
}

START_TEST(the_threads_of_a_child_have_identities_of_their_own) {
  static pid_t (*const ways[])(void) = {fork, _Fork};
  shmkit_mutex *mutex = begin_mutex();
  shared()->count[0] = (unsigned)(uintptr_t)lock_once(mutex);
  for (size_t i = 0; i < COUNT(ways); i++) {
    run_forked(ways[i], lock_in_two_threads, mutex);
    run_forked(ways[i], map_in_place_of_pin, NULL);
  }
  ck_assert_uint_eq((unsigned)(uintptr_t)lock_once(mutex), shared()->count[0]);
  end_mutex(mutex);
}
END_TEST

/* The same place in memory, another party. */
START_TEST(who_locks_in_another_segment_has_another_identity) {
  shmkit_mutex *mutex = begin_mutex();
  uint32_t before = (uint32_t)(uintptr_t)lock_once(mutex);
  end_mutex(mutex);
  mutex = begin_mutex();
  uint32_t after = (uint32_t)(uintptr_t)lock_once(mutex);
  ck_assert_uint_ne(before, after);
  assert_done(shmkit_mutex_lock(mutex, 0));
  /* As long as it holds it, it lives. */
  ck_assert(state_of(mutex).locked);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
}
END_TEST

START_TEST(the_pins_of_identities_are_no_mappings) {
  shmkit_mutex *mutex = begin_mutex();
  shmkit_listing *listing = NULL;
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_listing_stat(name(), 0, &listing));
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_uint_eq(info->mappings, 1);
  ck_assert_uint_eq(info->mappers[0].offset, 0);
  shmkit_listing_free(listing);
  assert_done(shmkit_mutex_unlock(mutex));
  end_mutex(mutex);
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
    shmkit_status status = shmkit_mutex_lock(mutex, 60 * SECOND);
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

enum { PEERS = 4 };

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

/* As lockf does, or who may only read: from the beginning to the end of all numbers. */
static int lock_all(shmkit_segment *segment, int flags, short type) {
  struct flock all = {.l_type = type, .l_whence = SEEK_SET};
  int fd = open(path_of(shmkit_segment_name(segment)), flags | O_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &all), 0);
  return fd;
}

START_TEST(who_locks_the_whole_file_is_told_of) {
  shmkit_segment *segment = create(name(), 64, NULL);
  shmkit_mutex *mutex = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  for (int reads = 0; reads < 2; reads++) {
    int fd = lock_all(segment, reads ? O_RDONLY : O_RDWR, reads ? F_RDLCK : F_WRLCK);
    assert_fails(-EBUSY, shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
    assert_message_has("the whole of its file");
    ck_assert_int_eq(close(fd), 0);
  }
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  shmkit_mutex_free(mutex);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(who_locks_the_whole_file_is_not_taken_for_a_holder) {
  shmkit_segment *segment = create(name(), 64, NULL);
  shmkit_mutex *mutex = NULL;
  const uint32_t nobody = 12345;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  assert_done(shmkit_segment_write(segment, 0, &nobody, sizeof nobody));
  int fd = lock_all(segment, O_RDWR, F_WRLCK);
  ck_assert(state_of(mutex).owner_died);
  ck_assert_int_eq(close(fd), 0);
  shmkit_mutex_free(mutex);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_killed_holder_is_told_to_the_next_one_once,
      who_sleeps_on_it_gets_it_when_its_holder_is_killed,
      a_thread_that_ends_with_it_has_died,
      another_program_in_the_same_process_does_not_hold_it,
      a_stopped_holder_holds_it,
      a_child_that_lives_on_does_not_keep_its_parents_lock,
      a_holder_in_another_pid_namespace_is_known_to_live_and_to_die,
      descriptors_closed_behind_its_back_change_nothing,
      ending_the_object_gives_the_lock_up,
      who_unlocks_and_ends_is_never_seen_to_have_died_with_it,
      a_forked_child_holds_nothing_of_its_parents,
      the_threads_of_a_child_have_identities_of_their_own,
      who_locks_in_another_segment_has_another_identity,
      the_pins_of_identities_are_no_mappings,
      killing_holders_at_random_never_lets_two_in_nor_hangs,
      who_locks_the_whole_file_is_told_of,
      who_locks_the_whole_file_is_not_taken_for_a_holder,
  };
  return run_cases("mutex_holders", cases, COUNT(cases), argc, argv);
}
