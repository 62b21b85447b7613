/* SPDX-License-Identifier: MIT */
/* Waiting: to spin while that is likely to pay, then to sleep in slices, never past a deadline. */
#ifndef SHMKIT_SRC_SPIN_H
#define SHMKIT_SRC_SPIN_H

#include <stdatomic.h>
#include <stdint.h>

#include <shmkit/mutex.h>

#include "backoff.h"
#include "os.h"

/* Nanoseconds that spinning may take: what a sleep and a wake-up between CPUs cost, some tens of
 * microseconds, so that whoever spins in vain loses no more than he could have won. Nobody needs it:
 * tests/litmus also builds the library without. */
#ifndef SHMKIT__SPIN_MAX
#define SHMKIT__SPIN_MAX 30000U
#endif

enum {
  /* What is taken off after each time in vain, and how often it is tried all the same when nothing
   * is left. */
  SHMKIT__SPIN_STEP = SHMKIT__SPIN_MAX / 8,
  SHMKIT__SPIN_RETRY = 1024,
  /* Looks between two looks at the clock. */
  SHMKIT__SPIN_LOOKS = 16
};

/*
 * What an object in this process has learnt: how long it paid to spin lately. A peer may be bound to
 * the same CPU, or set an event once a minute; nobody can be asked, so the object remembers. All
 * threads use it at once, and an update that is lost costs nothing: relaxed.
 */
struct shmkit__patience {
  _Atomic uint32_t nanoseconds;
  /* Waits that did not spin. */
  _Atomic uint32_t skipped;
};

static inline void shmkit__patience_begin(struct shmkit__patience *self) {
  atomic_init(&self->nanoseconds,
              shmkit__os_spinning() == SHMKIT__SPINNING_PAYS ? SHMKIT__SPIN_MAX : 0);
}

/* One wait's spinning: `while (shmkit__spin(&spin)) look;`, then it is told how that ended. */
struct shmkit__spin {
  struct shmkit__patience *patience;
  uint32_t budget;
  uint32_t looks;
  /* Of the processor, between two looks; at most. */
  uint32_t pauses, most_pauses;
  uint64_t until;
};

/* `most_pauses`: each pause between looks is twice as long as the one before, up to that. */
static inline struct shmkit__spin shmkit__spin_begin(struct shmkit__patience *patience,
                                                     int64_t timeout, uint32_t most_pauses) {
  uint32_t budget = atomic_load_explicit(&patience->nanoseconds, memory_order_relaxed);
  if (budget == 0) {
    uint32_t skipped = atomic_load_explicit(&patience->skipped, memory_order_relaxed) + 1;
    atomic_store_explicit(&patience->skipped, skipped, memory_order_relaxed);
    if (skipped % SHMKIT__SPIN_RETRY == 0 && shmkit__os_spinning() != SHMKIT__SPINNING_IS_VAIN)
      budget = SHMKIT__SPIN_MAX;
  }
  if (timeout >= 0 && timeout < budget) budget = (uint32_t)timeout;
  return (struct shmkit__spin){
      .patience = patience, .budget = budget, .pauses = 1, .most_pauses = most_pauses};
}

static inline void shmkit__relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

/* Relax, and whether to look once more. */
static inline bool shmkit__spin(struct shmkit__spin *self) {
  if (self->budget == 0) return false;
  for (uint32_t i = 0; i < self->pauses; i++) shmkit__relax();
  if (self->pauses < self->most_pauses) self->pauses *= 2;
  if (++self->looks % SHMKIT__SPIN_LOOKS != 0) return true;
  uint64_t now = shmkit__now();
  /* What comes before the first look at the clock costs none. */
  if (self->until == 0) self->until = now + self->budget;
  return now < self->until;
}

/* It came while one spun. */
static inline bool shmkit__spin_paid(const struct shmkit__spin *self) {
  atomic_store_explicit(&self->patience->nanoseconds, SHMKIT__SPIN_MAX, memory_order_relaxed);
  return true;
}

/* It did not. */
static inline bool shmkit__spin_in_vain(const struct shmkit__spin *self) {
  uint32_t before = atomic_load_explicit(&self->patience->nanoseconds, memory_order_relaxed);
  /* Neither a retry nor a short timeout tells anything. */
  if (before == 0 || self->budget < before) return false;
  uint32_t left = before > SHMKIT__SPIN_STEP ? before - SHMKIT__SPIN_STEP : 0;
  atomic_store_explicit(&self->patience->nanoseconds, left, memory_order_relaxed);
  return false;
}

/* In nanoseconds of CLOCK_MONOTONIC; UINT64_MAX for ever. */
static inline uint64_t shmkit__deadline_of(int64_t timeout) {
  if (timeout == SHMKIT_FOREVER) return UINT64_MAX;
  uint64_t now = shmkit__now();
  return (uint64_t)timeout > UINT64_MAX - now ? UINT64_MAX : now + (uint64_t)timeout;
}

/* What is left until the deadline, a slice at most; 0 when it is over. */
static inline uint64_t shmkit__slice(uint64_t deadline, uint64_t slice) {
  if (deadline == UINT64_MAX) return slice;
  uint64_t now = shmkit__now();
  if (now >= deadline) return 0;
  return deadline - now < slice ? deadline - now : slice;
}

#endif
