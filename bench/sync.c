/* SPDX-License-Identifier: MIT */
/*
 * What a mutex and an event cost in C: beside a process-shared pthread mutex, which does not survive
 * the death of its holder, and beside bare cache lines and futexes.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

#include "measure/measure.h"

/* Everything that two processes share; what shmkit has is in a segment, the rest beside it. */
static struct shared {
  _Alignas(64) _Atomic uint32_t ping;
  _Alignas(64) pthread_mutex_t mutex;
  _Alignas(64) _Atomic uint32_t pong;
  _Alignas(64) _Atomic uint64_t counter;
} *shared;
static shmkit_mutex *mutex;
static shmkit_event *ping, *pong, *nobody;

/* ---- Uncontended ---------------------------------------------------------------------------- */

static void lock_pthread(void) {
  (void)pthread_mutex_lock(&shared->mutex);
  (void)pthread_mutex_unlock(&shared->mutex);
}

static void lock_shmkit(void) {
  (void)shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
  (void)shmkit_mutex_unlock(mutex);
}

static void add_bare(void) {
  (void)atomic_fetch_add(&shared->counter, 1);
}

static void set_shmkit(void) {
  (void)shmkit_event_set(nobody);
}

/* ---- Between two processes ------------------------------------------------------------------ */

static void run_on(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  (void)sched_setaffinity(0, sizeof cpus, &cpus);
}

/* A process that does `body` on that CPU, stopped for now. */
static pid_t start_peer(void (*body)(void), int cpu) {
  pid_t peer = fork();
  must(peer >= 0, "fork");
  if (peer > 0) {
    (void)waitpid(peer, NULL, WUNTRACED);
    return peer;
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  run_on(cpu);
  (void)raise(SIGSTOP);
  for (;;) body();
}

/* With a pause between two looks, as shmkit: without one the looks themselves delay the store that
 * they look for, and both sides are slower. */
static void spin_on(_Atomic uint32_t *word, uint32_t until) {
  while (atomic_load_explicit(word, memory_order_acquire) != until) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
  }
}

static void ping_bare(void) {
  uint32_t turn = atomic_fetch_add(&shared->ping, 1) + 1;
  spin_on(&shared->pong, turn);
}

static void answer_bare(void) {
  uint32_t turn = atomic_load_explicit(&shared->pong, memory_order_relaxed) + 1;
  spin_on(&shared->ping, turn);
  atomic_store_explicit(&shared->pong, turn, memory_order_release);
}

static void wait_on(_Atomic uint32_t *word, uint32_t until) {
  for (;;) {
    uint32_t seen = atomic_load_explicit(word, memory_order_acquire);
    if (seen == until) return;
    (void)syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
  }
}

static void wake(_Atomic uint32_t *word) {
  (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void ping_futex(void) {
  uint32_t turn = atomic_fetch_add(&shared->ping, 1) + 1;
  wake(&shared->ping);
  wait_on(&shared->pong, turn);
}

static void answer_futex(void) {
  uint32_t turn = atomic_load_explicit(&shared->pong, memory_order_relaxed) + 1;
  wait_on(&shared->ping, turn);
  atomic_store_explicit(&shared->pong, turn, memory_order_release);
  wake(&shared->pong);
}

static void ping_event(void) {
  uint32_t since = shmkit_event_sequence(pong);
  (void)shmkit_event_set(ping);
  (void)shmkit_event_wait_since(pong, since, SHMKIT_FOREVER);
}

static void answer_event(void) {
  static uint32_t since;
  (void)shmkit_event_wait_since(ping, since, SHMKIT_FOREVER);
  since = shmkit_event_sequence(ping);
  (void)shmkit_event_set(pong);
}

/* ---- All of it ------------------------------------------------------------------------------ */

static void share(void) {
  pthread_mutexattr_t attributes;
  shmkit_segment *segment = NULL;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(shared != MAP_FAILED, "mmap");
  (void)pthread_mutexattr_init(&attributes);
  (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  (void)pthread_mutex_init(&shared->mutex, &attributes);
  must(shmkit_segment_create("memfd:bench", 4096, NULL, &segment) == 0, "create");
  must(shmkit_segment_mutex(segment, 0, &mutex) == 0, "mutex");
  must(shmkit_segment_event(segment, 64, &ping) == 0, "event");
  must(shmkit_segment_event(segment, 128, &pong) == 0, "event");
  must(shmkit_segment_event(segment, 192, &nobody) == 0, "event");
}

static void alone(void) {
  compare(
      &(struct comparison){"lock, unlock", lock_pthread, lock_shmkit, 101, 20000, .target = 1.5});
  compare(&(struct comparison){"set, nobody waits (add)", add_bare, set_shmkit, 101, 20000,
                               .target = 3});
}

/* Beside peers that are bound to CPU 1. */
static void contended(void) {
  run_on(0);
  compare(&(struct comparison){"lock, unlock, contended", lock_pthread, lock_shmkit, 51, 50000,
                               start_peer(lock_pthread, 1), start_peer(lock_shmkit, 1), 1});
}

static void spinning(void) {
  run_on(0);
  compare(&(struct comparison){"event and back, spinning", ping_bare, ping_event, 51, 20000,
                               start_peer(answer_bare, 1), start_peer(answer_event, 1), 1.3});
}

/* On one CPU nobody spins. */
static void sleeping(void) {
  run_on(0);
  compare(&(struct comparison){"event and back, sleeping", ping_futex, ping_event, 51, 5000,
                               start_peer(answer_futex, 0), start_peer(answer_event, 0), 1.1});
}

/* Each in a process of its own, which has not yet asked how many CPUs it has, and whose peers end
 * with it. */
static void run(void (*body)(void), int cpu) {
  (void)fflush(stdout);
  pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) {
    if (cpu >= 0) run_on(cpu);
    share();
    body();
    (void)fflush(stdout);
    _exit(0);
  }
  (void)waitpid(child, NULL, 0);
}

int main(void) {
  begin("bare");
  run(alone, -1);
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
    run(contended, -1);
    run(spinning, -1);
  } else {
    printf("  one CPU: nothing happens between two\n");
  }
  run(sleeping, -1);
  return 0;
}
