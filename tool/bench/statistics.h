/* SPDX-License-Identifier: MIT */
/* Medians and quartiles, and chance that can be repeated. */
#ifndef SHMKIT_TOOL_BENCH_STATISTICS_H
#define SHMKIT_TOOL_BENCH_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* Half of the values are between `low` and `high`. All of them NaN when there were no values. */
struct quartiles {
  double low, median, high;
};

/* Between neighbours, the quartiles are interpolated. The values stay as they are. */
struct quartiles quartiles_of(const double *values, size_t count);

/*
 * How values[i] / others[i] lie: the median, and between `low` and `high` where the median of ever so
 * many more rounds would be, with 95 % certainty, whatever the distribution. Two ways that were
 * measured in turns were disturbed by the same things, so this tells more than the quotient of their
 * medians. Of fewer than RATIO_LEAST values `low` is 0 and `high` is infinite.
 */
enum { RATIO_LEAST = 6 };
struct quartiles ratio_of(const double *values, const double *others, size_t count);

/* The next number of a sequence that is the same for the same seed. */
uint64_t chance_next(uint64_t *state);

/* Put 0 .. count-1 in random order into `order`. */
void chance_shuffle(uint64_t *state, size_t *order, size_t count);

#endif
