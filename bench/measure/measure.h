/* SPDX-License-Identifier: MIT */
/*
 * Two things beside each other: both sides of a ratio are measured in the same run, in turns of
 * random order, and the ratio is the median over the rounds of one side's time by the other's: what
 * disturbs the machine for a while disturbs both.
 */
#ifndef SHMKIT_BENCH_MEASURE_H
#define SHMKIT_BENCH_MEASURE_H

#include <stdint.h>
#include <sys/types.h>

/* Leave with what shmkit said last unless it is `good`. */
void must(int good, const char *what);

/* Nanoseconds of a clock that only goes forwards. */
uint64_t now(void);

/* What machine this is, and the headings of the lines that follow: "bare calls". */
void begin(const char *bare);

struct comparison {
  const char *what;
  /* Each does it once. */
  void (*bare)(void), (*ours)(void);
  int rounds, calls;
  /* Processes that are needed for one side and stopped while the other is measured; or 0. */
  pid_t bare_peer, our_peer;
  /* The ratio is to be at most that. */
  double target;
};

void compare(const struct comparison *comparison);

#endif
