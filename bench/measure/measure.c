/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

enum { ROUNDS_MAX = 1001 };

void must(int good, const char *what) {
  if (good) return;
  (void)fprintf(stderr, "bench: %s: %s\n", what, shmkit_error_message());
  exit(1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

uint64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

void begin(const char *bare) {
  struct utsname machine;
  (void)uname(&machine);
  printf("C, shmkit %s, %s %s, %ld CPUs; median of rounds, 25th-75th percentile\n",
         shmkit_version(), machine.sysname, machine.release, sysconf(_SC_NPROCESSORS_ONLN));
  printf("  %-26s %11s %11s   %5s\n", "", bare, "shmkit", "ratio");
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The quantile of values, which are put in order. */
static double quantile(double *values, int count, double which) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  return values[(int)(which * (count - 1))];
}

static double nanoseconds_per_call(void (*call)(void), int calls, pid_t peer) {
  if (peer != 0) (void)kill(peer, SIGCONT);
  call(); /* The peer is at it, and everything is in the cache. */
  uint64_t start = now();
  for (int i = 0; i < calls; i++) call();
  uint64_t end = now();
  if (peer != 0) (void)kill(peer, SIGSTOP);
  return (double)(end - start) / calls;
}

static double measure_bare(const struct comparison *self) {
  return nanoseconds_per_call(self->bare, self->calls, self->bare_peer);
}

static double measure_ours(const struct comparison *self) {
  return nanoseconds_per_call(self->ours, self->calls, self->our_peer);
}

void compare(const struct comparison *comparison) {
  static double bare_times[ROUNDS_MAX], our_times[ROUNDS_MAX], ratios[ROUNDS_MAX];
  int rounds = comparison->rounds;
  for (int round = 0; round < rounds; round++) {
    bool first = now() / 16 % 2 != 0;
    if (first) our_times[round] = measure_ours(comparison);
    bare_times[round] = measure_bare(comparison);
    if (!first) our_times[round] = measure_ours(comparison);
    ratios[round] = our_times[round] / bare_times[round];
  }
  double low = quantile(ratios, rounds, 0.25), high = quantile(ratios, rounds, 0.75);
  double ratio = quantile(ratios, rounds, 0.5);
  printf("  %-26s %8.0f ns %8.0f ns   %5.2f  (%.2f-%.2f)   at most %.1f: %s\n", comparison->what,
         quantile(bare_times, rounds, 0.5), quantile(our_times, rounds, 0.5), ratio, low, high,
         comparison->target, ratio <= comparison->target ? "yes" : "NO");
}
