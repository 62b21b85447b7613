/* SPDX-License-Identifier: MIT */
/*
 * The lifetime "last" under storm: many processes attach, leave, fail to attach, unlink, create and
 * are killed, all on one name. No leaver leaves the name, nobody robs a holder of it, and what the
 * killed leave goes with the next. SHMKIT_SOAK=SECONDS makes each case as long.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 6, SIZE = 4096, SECONDS = 2 };

/* What the counters in shared memory count. */
enum { ROUNDS, UNLINKS_BEGUN, UNLINKS_DONE, CREATED, KILLED };

static const shmkit_segment_options last = {
    .lifetime = SHMKIT_LAST, .content = "complete", .content_size = 8};
static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
static const shmkit_segment_options impossible = {.capacity = 1ULL << 62};

static unsigned count(unsigned what) {
  return atomic_load(&shared()->count[what]);
}

static void add(unsigned what) {
  atomic_fetch_add(&shared()->count[what], 1);
}

static unsigned random_below(unsigned limit) {
  static unsigned state;
  if (state == 0) state = (unsigned)getpid() * 2654435761U | 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

static bool is_over(void) {
  static time_t end;
  struct timespec now;
  ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  if (end == 0) end = now.tv_sec + (time_t)soak_seconds(SECONDS);
  return now.tv_sec > end || atomic_load(&shared()->stop);
}

/* Whether this open segment has lost its name. */
static bool is_robbed(shmkit_segment *segment) {
  struct stat mine;
  int fd = -1;
  assert_done(shmkit_segment_fileno(segment, &fd));
  ensure(fstat(fd, &mine) == 0);
  return mine.st_nlink == 0;
}

/* Look, while having it open: it is whole, and has its name unless somebody unlinked it. */
static void hold(shmkit_segment *segment, unsigned unlinks) {
  for (unsigned i = random_below(4); i > 0; i--) {
    ensure(shmkit_segment_size(segment) == SIZE);
    assert_bytes(segment, 0, "complete");
    if (is_robbed(segment)) {
      ensure_msg(count(UNLINKS_BEGUN) != unlinks, "a holder was robbed of the name");
      return;
    }
    if (random_below(8) == 0) (void)sched_yield();
  }
}

static void attach_and_leave(void) {
  shmkit_segment *segment = NULL;
  /* One that has begun and is not done may still hit us. */
  unsigned done = count(UNLINKS_DONE), begun = count(UNLINKS_BEGUN);
  shmkit_status status;
  switch (random_below(6)) {
    case 0:
      status = shmkit_segment_open(name(), &readonly, &segment);
      break;
    case 1:
      status = shmkit_segment_open(name(), NULL, &segment);
      break;
    case 2:
      status = shmkit_segment_open(name(), &impossible, &segment);
      ensure(status != 0);
      return;
    default:
      status = shmkit_segment_open_or_create(name(), SIZE, &last, &segment);
      ensure_msg(status == 0, "%s", shmkit_error_message());
  }
  if (status == -ENOENT) return;
  assert_done(status);
  if (shmkit_segment_created(segment)) add(CREATED);
  hold(segment, begun == done ? begun : UINT32_MAX);
  shmkit_segment_free(segment);
  add(ROUNDS);
}

static void work(void *unused) {
  (void)unused;
  while (!is_over()) attach_and_leave();
}

static void run_workers(pid_t workers[static WORKERS]) {
  for (int i = 0; i < WORKERS; i++) workers[i] = start(work, NULL);
}

static void finish_workers(const pid_t workers[static WORKERS]) {
  finish_all(workers, WORKERS);
  ensure(count(ROUNDS) > 0);
}

START_TEST(leavers_leave_nothing_and_rob_nobody) {
  pid_t workers[WORKERS];
  run_workers(workers);
  finish_workers(workers);
  ensure(!exists(path_of(name())));
}
END_TEST

/* All leave, look whether the name is gone, and begin again: the last step of leaving is tried more
 * often than above, where hardly ever all have left. */
static void work_in_step(void *argument) {
  pthread_barrier_t *barrier = argument;
  bool over = false;
  while (!over) {
    attach_and_leave();
    if (pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
      ensure_msg(!exists(path_of(name())), "all have left, and the name has not");
      atomic_store(&shared()->stop, is_over());
    }
    (void)pthread_barrier_wait(barrier);
    over = atomic_load(&shared()->stop);
  }
}

START_TEST(when_all_have_left_the_name_is_gone) {
  pid_t workers[WORKERS];
  pthread_barrierattr_t attributes;
  pthread_barrier_t *barrier =
      mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ensure(pthread_barrierattr_init(&attributes) == 0);
  ensure(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  ensure(pthread_barrier_init(barrier, &attributes, WORKERS) == 0);
  for (int i = 0; i < WORKERS; i++) workers[i] = start(work_in_step, barrier);
  finish_workers(workers);
}
END_TEST

/* ---- Killing -------------------------------------------------------------------------------- */

static void attach_until_killed(void *unused) {
  (void)unused;
  for (;;) attach_and_leave();
}

/* Have children killed at random moments of attaching and leaving. */
static void spawn_and_kill(void *unused) {
  (void)unused;
  while (!is_over()) {
    unsigned rounds = count(ROUNDS) + random_below(20);
    pid_t victim = start(attach_until_killed, NULL);
    while (count(ROUNDS) < rounds) (void)sched_yield();
    kill_child(victim);
    add(KILLED);
  }
}

START_TEST(what_the_killed_leave_is_taken_by_the_next) {
  pid_t workers[WORKERS], killers[2];
  run_workers(workers);
  for (size_t i = 0; i < COUNT(killers); i++) killers[i] = start(spawn_and_kill, NULL);
  for (size_t i = 0; i < COUNT(killers); i++) finish(killers[i]);
  finish_workers(workers);
  ensure(count(KILLED) > 0);
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  ensure(!exists(path_of(name())));
}
END_TEST

START_TEST(when_all_are_killed_the_next_begins_anew) {
  shmkit_segment *segment = NULL;
  while (!is_over()) {
    unsigned rounds = count(ROUNDS) + random_below(50);
    pid_t victims[WORKERS];
    for (int i = 0; i < WORKERS; i++) victims[i] = start(attach_until_killed, NULL);
    while (count(ROUNDS) < rounds) (void)sched_yield();
    for (int i = 0; i < WORKERS; i++) kill_child(victims[i]);
    shmkit_status status =
        shmkit_segment_open(name(), random_below(2) ? &readonly : NULL, &segment);
    ensure_msg(status == -ENOENT, "%d: %s", status, shmkit_error_message());
    ensure(!exists(path_of(name())));
  }
}
END_TEST

/* ---- Unlinking and creating ----------------------------------------------------------------- */

static void unlink_and_create(void *unused) {
  (void)unused;
  while (!is_over()) {
    unsigned rounds = count(ROUNDS) + random_below(30);
    shmkit_segment *segment = NULL;
    add(UNLINKS_BEGUN);
    shmkit_status status = shmkit_unlink(name());
    ensure_msg(status == 0 || status == -ENOENT, "%s", shmkit_error_message());
    add(UNLINKS_DONE);
    status = shmkit_segment_create(name(), SIZE, &last, &segment);
    if (status == 0) {
      hold(segment, count(UNLINKS_BEGUN));
      shmkit_segment_free(segment);
    } else {
      ensure_msg(status == -EEXIST, "%s", shmkit_error_message());
    }
    while (count(ROUNDS) < rounds && !is_over()) (void)sched_yield();
  }
}

START_TEST(unlinking_and_creating_in_between_robs_nobody) {
  pid_t workers[WORKERS];
  run_workers(workers);
  pid_t unlinker = start(unlink_and_create, NULL);
  finish(unlinker);
  finish_workers(workers);
  ensure(count(UNLINKS_DONE) > 0);
  ensure(!exists(path_of(name())));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      leavers_leave_nothing_and_rob_nobody,          when_all_have_left_the_name_is_gone,
      what_the_killed_leave_is_taken_by_the_next,    when_all_are_killed_the_next_begins_anew,
      unlinking_and_creating_in_between_robs_nobody,
  };
  return run_cases("storm", cases, COUNT(cases), argc, argv);
}
