/* SPDX-License-Identifier: MIT */
#include "sides.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#include "backoff.h"
#include "os.h"
#include "spin.h"

static struct lab *memory;
static struct side sides[SIDES];
static size_t side_count;
static uint64_t until;

/* ---- The lab -------------------------------------------------------------------------------- */

/* The first two CPUs that this process may run on. */
static size_t find_cpus(int cpus[2]) {
  cpu_set_t set;
  size_t count = 0;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++) {
    if (CPU_ISSET(cpu, &set)) cpus[count++] = cpu;
  }
  return count;
}

bool have_two_cpus(void) {
  int cpus[2];
  return find_cpus(cpus) == 2;
}

shmkit_segment *begin_lab(void) {
  shmkit_segment *segment = create(name(), sizeof *memory, NULL);
  memory = shmkit_segment_data(segment);
  return segment;
}

void end_lab(shmkit_segment *segment) {
  (void)printf("%" PRIu32 " rounds\n", (uint32_t)memory->last);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

struct lab *lab(void) {
  return memory;
}

/* ---- Chance --------------------------------------------------------------------------------- */

static uint32_t mix(uint32_t value) {
  value = (value ^ value >> 16) * 0x21f0aaadU;
  value = (value ^ value >> 15) * 0x735a2d97U;
  return value ^ value >> 15;
}

uint32_t draw(struct side *self) {
  return mix(self->random++);
}

void dawdle(struct side *self, uint32_t most) {
  uint32_t chance = draw(self), longest = most >> chance % 16;
  for (uint32_t left = (chance >> 4) % (longest + 1); left > 0; left--) {
    /* Nothing, but not to be optimised away. */
    atomic_signal_fence(memory_order_seq_cst);
  }
}

/* ---- Payloads ------------------------------------------------------------------------------- */

static size_t lines_of(uint32_t value) {
  return 1 + mix(value) % LINES;
}

void publish(struct line payload[], uint32_t value) {
  for (size_t i = lines_of(value); i > 0; i--) payload[i - 1].word = value;
}

void ensure_whole(const struct line payload[], uint32_t value) {
  for (size_t i = 0; i < lines_of(value); i++) {
    uint32_t found = payload[i].word;
    ensure_msg(found == value, "word %zu of %zu is %" PRIu32 ", not %" PRIu32, i, lines_of(value),
               found, value);
  }
}

/* ---- Sides ---------------------------------------------------------------------------------- */

static void bind_to_cpu(unsigned number) {
  int cpus[2] = {0};
  cpu_set_t set;
  ensure(find_cpus(cpus) == 2);
  CPU_ZERO(&set);
  CPU_SET(cpus[number % 2], &set);
  ensure(sched_setaffinity(0, sizeof set, &set) == 0);
}

/* In a loop, so that all go on at nearly the same instant. When that takes long, another one needs
 * this CPU, and to yield it would be to whoever else is busy on it: sleep, for an instant at most, so
 * that nothing depends on being woken. */
static void wait_for_round(_Atomic uint32_t *other, uint32_t round) {
  const unsigned patience = side_count > 2 ? 64 : 1024;
  unsigned looks = 0;
  uint32_t seen;
  while ((seen = atomic_load_explicit(other, memory_order_acquire)) < round) {
    shmkit__relax();
    if (++looks < patience) continue;
    memory->sleepers++;
    (void)shmkit__os_wait(other, seen, 1000000);
    memory->sleepers--;
  }
}

static void meet(struct side *self) {
  _Atomic uint32_t *own = &memory->sides[self->number].round;
  self->round++;
  if (self->number == 0 && shmkit__now() >= until) memory->last = self->round;
  atomic_store(own, self->round);
  if (memory->sleepers > 0) shmkit__os_wake(own, SIDES);
  for (size_t i = 0; i < side_count; i++) wait_for_round(&memory->sides[i].round, self->round);
}

static void go_through(void *context) {
  struct side *self = context;
  bind_to_cpu(self->number);
  do {
    meet(self);
    self->body(self);
  } while (self->round != memory->last);
  memory->ended++;
}

static void *go_through_in_thread(void *context) {
  go_through(context);
  return NULL;
}

/* ---- Races ---------------------------------------------------------------------------------- */

/* How often it was looked whether somebody has gone on, and nobody had. Not a time: a machine may
 * stop. */
struct watchdog {
  uint64_t rounds;
  unsigned looks;
};
enum { LOOKS = 6000 };

static void fail_hanging(void) {
  char rounds[128] = "", words[128] = "";
  int length = 0;
  for (size_t i = 0; i < side_count; i++) {
    length += snprintf(rounds + length, sizeof rounds - (size_t)length, " %" PRIu32,
                       (uint32_t)memory->sides[i].round);
  }
  length = 0;
  for (size_t i = 0; i < OBJECTS; i++) {
    _Atomic uint32_t *word = (void *)memory->objects[i];
    length +=
        snprintf(words + length, sizeof words - (size_t)length, " %08" PRIx32, (uint32_t)*word);
  }
  ensure_msg(false, "nobody has gone on for a minute; rounds:%s; words:%s", rounds, words);
}

static void watch(struct watchdog *self) {
  const struct timespec pause = {.tv_nsec = 10000000};
  uint64_t rounds = memory->ended;
  for (size_t i = 0; i < side_count; i++) rounds += memory->sides[i].round;
  self->looks = rounds == self->rounds ? self->looks + 1 : 0;
  self->rounds = rounds;
  if (self->looks > LOOKS) fail_hanging();
  (void)nanosleep(&pause, NULL);
}

static void race_as_processes(void) {
  struct watchdog watchdog = {0};
  for (size_t i = 0; i < side_count; i++) (void)start(go_through, &sides[i]);
  for (size_t left = side_count; left > 0;) {
    int status = 0;
    pid_t ended = waitpid(-1, &status, WNOHANG);
    ensure_msg(ended <= 0 || status == 0, "a side ended with status 0x%x", (unsigned)status);
    if (ended > 0) {
      left--;
    } else {
      watch(&watchdog);
    }
  }
}

static void race_as_threads(void) {
  struct watchdog watchdog = {0};
  pthread_t threads[SIDES];
  for (size_t i = 0; i < side_count; i++) {
    ensure(pthread_create(&threads[i], NULL, go_through_in_thread, &sides[i]) == 0);
  }
  while (memory->ended < side_count) watch(&watchdog);
  for (size_t i = 0; i < side_count; i++) ensure(pthread_join(threads[i], NULL) == 0);
}

void race(void (*const bodies[])(struct side *self), size_t count) {
  static void (*const ways[])(void) = {race_as_processes, race_as_threads};
  ensure(count <= SIDES);
  side_count = count;
  for (size_t way = 0; way < COUNT(ways); way++) {
    uint64_t now = shmkit__now();
    for (unsigned i = 0; i < count; i++) {
      sides[i] = (struct side){.body = bodies[i],
                               .number = i,
                               .round = memory->last,
                               .random = mix((uint32_t)now + i * 0x9e3779b9U)};
    }
    memory->ended = 0;
    until = now + (uint64_t)soak_seconds(1) * 500000000U;
    ways[way]();
  }
}
