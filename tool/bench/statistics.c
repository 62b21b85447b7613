/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

#include "../report.h"

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double which) {
  double place = which * (double)(count - 1);
  size_t below = (size_t)place;
  size_t above = below + 1 < count ? below + 1 : below;
  return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

/* Puts the values in order. */
static struct quartiles quartiles_in_place(double *values, size_t count) {
  if (count == 0) return (struct quartiles){NAN, NAN, NAN};
  qsort(values, count, sizeof *values, by_value);
  return (struct quartiles){quantile(values, count, 0.25), quantile(values, count, 0.5),
                            quantile(values, count, 0.75)};
}

struct quartiles quartiles_of(const double *values, size_t count) {
  double *copy = must(calloc(count + 1, sizeof *copy));
  for (size_t i = 0; i < count; i++) copy[i] = values[i];
  struct quartiles result = quartiles_in_place(copy, count);
  free(copy);
  return result;
}

/* As many values as the interval leaves out at each end: of the binomial distribution, approximately,
 * and none where there are too few values for that. */
static size_t left_out(size_t count) {
  double rank = (double)count / 2 - 0.98 * sqrt((double)count);
  return rank > 1 ? (size_t)rank - 1 : 0;
}

struct quartiles ratio_of(const double *values, const double *others, size_t count) {
  double *ratios = must(calloc(count + 1, sizeof *ratios));
  for (size_t i = 0; i < count; i++) ratios[i] = values[i] / others[i];
  struct quartiles result = quartiles_in_place(ratios, count);
  if (count > 0 && count < RATIO_LEAST) {
    result.low = 0;
    result.high = (double)INFINITY;
  } else if (count > 0) {
    result.low = ratios[left_out(count)];
    result.high = ratios[count - 1 - left_out(count)];
  }
  free(ratios);
  return result;
}

/* SplitMix64: any seed will do, zero too. */
uint64_t chance_next(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

void chance_shuffle(uint64_t *state, size_t *order, size_t count) {
  for (size_t i = 0; i < count; i++) {
    size_t other = (size_t)(chance_next(state) % (i + 1));
    order[i] = order[other];
    order[other] = i;
  }
}
