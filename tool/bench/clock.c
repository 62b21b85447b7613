/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include "statistics.h"

enum { READINGS = 1001, PER_READING = 100 };

double clock_overhead(void) {
  double costs[READINGS];
  for (int i = 0; i < READINGS; i++) {
    uint64_t start = clock_now();
    for (int j = 1; j < PER_READING; j++) (void)clock_now();
    costs[i] = (double)(clock_now() - start) / PER_READING;
  }
  return quartiles_of(costs, READINGS).median;
}
