/* SPDX-License-Identifier: MIT */
/* Waiting in slices: to spin for a moment, then to sleep, never past a deadline. */
#ifndef SHMKIT_SRC_SPIN_H
#define SHMKIT_SRC_SPIN_H

#include <stdint.h>

#include <shmkit/mutex.h>

#include "backoff.h"

/* Spinning pays while what is waited for is likely to come before a sleep and its wake-up would be
 * over, which takes tens of microseconds between CPUs. */
enum { SHMKIT__SPINS = 1000 };

static inline void shmkit__relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

/* In nanoseconds of CLOCK_MONOTONIC; UINT64_MAX for ever. */
static inline uint64_t shmkit__deadline_of(int64_t timeout) {
  uint64_t now = shmkit__now();
  return timeout == SHMKIT_FOREVER || (uint64_t)timeout > UINT64_MAX - now
             ? UINT64_MAX
             : now + (uint64_t)timeout;
}

/* What is left until the deadline, a slice at most; 0 when it is over. */
static inline uint64_t shmkit__slice(uint64_t deadline, uint64_t slice) {
  if (deadline == UINT64_MAX) return slice;
  uint64_t now = shmkit__now();
  if (now >= deadline) return 0;
  return deadline - now < slice ? deadline - now : slice;
}

#endif
