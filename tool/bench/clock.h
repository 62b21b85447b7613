/* SPDX-License-Identifier: MIT */
/* The clock that everything is measured with: monotonic, whole nanoseconds. */
#ifndef SHMKIT_TOOL_BENCH_CLOCK_H
#define SHMKIT_TOOL_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* What one reading of the clock costs, in nanoseconds: median of many. Part of every step that is
 * timed by itself; of a sample of many operations, nothing. */
double clock_overhead(void);

#endif
