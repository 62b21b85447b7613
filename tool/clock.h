/* SPDX-License-Identifier: MIT */
/* The clock that lasting and waiting are measured by: monotonic, whole nanoseconds. */
#ifndef SHMKIT_TOOL_CLOCK_H
#define SHMKIT_TOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Here, because `bench` times single operations with it. */
static inline int64_t clock_now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Wait for so many nanoseconds. */
void clock_pause(int64_t nanoseconds);

#endif
