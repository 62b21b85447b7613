/* SPDX-License-Identifier: MIT */
/*
 * Lock, see that nobody else is inside, do work that takes several steps, unlock. mutex.py says what
 * must hold, and does the same, as mutex.lua.
 */
#include <inttypes.h>
#include <sched.h>
#include <stddef.h>

#include "worker.h"

enum { WORDS = 4, WAYS = 3, MILLISECOND = 1000000 };

struct guarded {
  char mutex[SHMKIT_SYNC_SIZE];
  /* The serial number of who is inside: work is half-done while it is there. */
  _Atomic uint64_t inside;
  _Atomic uint64_t identity;
  /* How often somebody was told that the last holder died. */
  _Atomic uint64_t told;
  uint64_t reserved;
  /* All the same, but for who is inside. */
  volatile uint64_t words[WORDS];
};

_Static_assert(offsetof(struct guarded, words) == 96, "as in mutex.py");

enum tally { TIMEOUTS, REPAIRS, UNTOUCHED };

static shmkit_mutex *mutex;
static struct guarded *guarded;

/* For ever, with a timeout, and not at all: whether the last holder died. */
static bool lock(void) {
  shmkit_status status;
  do {
    const int64_t timeouts[WAYS] = {SHMKIT_FOREVER, chance(20) * (int64_t)MILLISECOND, 0};
    status = must(shmkit_mutex_lock(mutex, timeouts[chance(WAYS)]), "locking");
    if (status == SHMKIT_TIMEOUT) slot->tallies[TIMEOUTS]++;
  } while (status == SHMKIT_TIMEOUT);
  return status == SHMKIT_OWNER_DIED;
}

static bool is_half_done(void) {
  for (int i = 1; i < WORDS; i++) {
    if (guarded->words[i] != guarded->words[0]) return true;
  }
  return false;
}

/* What the dead one left, which may be nothing. */
static void repair(uint64_t before) {
  if (before != 0 && !is_condemned(before)) {
    violate("C %" PRIu64 " got the mutex of %" PRIu64 ", who lives", serial, before);
  }
  slot->tallies[before == 0 ? UNTOUCHED : REPAIRS]++;
  for (int i = 1; i < WORDS; i++) guarded->words[i] = guarded->words[0];
}

static void check_mine(void) {
  shmkit_mutex_state is;
  must(shmkit_mutex_look(mutex, &is), "looking");
  if (!is.locked || !is.mine || is.owner_died || is.identity != slot->mark) {
    violate("C %" PRIu64 " is inside with identity %" PRIu64 ", but the mutex is %" PRIu32 "'s",
            serial, (uint64_t)slot->mark, is.identity);
  }
}

static void work(void) {
  uint64_t count = guarded->words[0];
  for (int i = 0; i < WORDS; i++) {
    guarded->words[i] = guarded->words[i] + 1;
    if (chance(8) == 0) (void)sched_yield();
    if (guarded->words[i] != count + 1 || guarded->inside != serial) {
      violate("C %" PRIu64 " was not alone: %" PRIu64 " is inside", serial,
              (uint64_t)guarded->inside);
    }
  }
}

static void take_identity(void) {
  shmkit_mutex_state is;
  must(shmkit_mutex_look(mutex, &is), "looking");
  slot->mark = is.identity;
}

static void do_round(void) {
  slot->phase = TRYING;
  bool told = lock();
  if (told) guarded->told++;
  if (slot->mark == 0) take_identity();
  slot->phase = INSIDE;
  uint64_t before = guarded->inside;
  if (told) repair(before);
  if (!told && (before != 0 || is_half_done())) {
    violate("C %" PRIu64 " was not told that %" PRIu64 " is inside, or half-done work", serial,
            before);
  }
  guarded->inside = serial;
  check_mine();
  guarded->identity = slot->mark;
  work();
  if (guarded->identity != slot->mark) {
    violate("C %" PRIu64 " was not alone: identity %" PRIu64 " was inside", serial,
            (uint64_t)guarded->identity);
  }
  guarded->inside = 0;
  slot->phase = LEAVING;
  must(shmkit_mutex_unlock(mutex), "unlocking");
  slot->phase = OUTSIDE;
  advance();
  /* Others must have a chance. */
  for (uint32_t pause = chance(4); pause > 0; pause--) (void)sched_yield();
}

void work_mutex(char **words) {
  shmkit_segment *segment = open_shared(words[0], &guarded);
  must(shmkit_segment_mutex(segment, 0, &mutex), "making the mutex");
  while (!arena->stop) do_round();
  shmkit_mutex_free(mutex);
  shmkit_segment_free(segment);
}
