/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../clock.h"
#include "../report.h"
#include "trace.h"

/* What is found out at the end of a step. */
enum { WATCH_TIME, WATCH_FAULTS, WATCH_CALLS };

enum { MOST_OPERATIONS = 1 << 22, WATCHED_OPERATIONS = 8, LARGE = 1 << 20 };

bool case_fail(struct bench_case *self, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (!self->failed) (void)vsnprintf(self->reason, sizeof self->reason, format, arguments);
  va_end(arguments);
  self->failed = true;
  return false;
}

bool case_fail_errno(struct bench_case *self, const char *what) {
  char text[128];
  return case_fail(self, "%s: %s", what, strerror_r(errno, text, sizeof text));
}

static uint64_t faults_so_far(const struct bench_case *self) {
  struct rusage own, children = {0};
  (void)getrusage(RUSAGE_SELF, &own);
  if (self->has_children) (void)getrusage(RUSAGE_CHILDREN, &children);
  return (uint64_t)(own.ru_minflt + own.ru_majflt + children.ru_minflt + children.ru_majflt);
}

static uint64_t reading(const struct bench_case *self) {
  return self->watch == WATCH_TIME ? (uint64_t)clock_now() : faults_so_far(self);
}

void case_first_step(struct bench_case *self) {
  self->step = 0;
  if (self->watch == WATCH_CALLS) {
    trace_mark(0);
  } else {
    self->step_start = reading(self);
  }
}

void case_step(struct bench_case *self) {
  unsigned done = self->step++;
  if (self->watch == WATCH_CALLS) {
    trace_mark(self->step < self->steps ? self->step : TRACE_PAUSE);
    return;
  }
  uint64_t now = reading(self);
  self->step_totals[done] += now - self->step_start;
  self->step_start = now;
}

void case_skip(struct bench_case *self) {
  if (self->watch != WATCH_CALLS) self->step_start = reading(self);
}

static bool run(struct bench_case *self, uint64_t operations) {
  for (uint64_t i = 0; i < operations; i++) {
    if (!self->operate(self)) return false;
  }
  return true;
}

/* As many operations, and what they took: all, and in step_totals each step. */
static bool attempt(struct bench_case *self, uint64_t operations, uint64_t *elapsed) {
  memset(self->step_totals, 0, sizeof self->step_totals);
  if (self->begin && !self->begin(self, operations)) return false;
  uint64_t faults = faults_so_far(self);
  int64_t start = clock_now();
  bool good = run(self, operations);
  *elapsed = (uint64_t)(clock_now() - start);
  self->faults += faults_so_far(self) - faults;
  if (self->end && !self->end(self)) good = false;
  if (!good && !self->failed) (void)case_fail(self, "the operation failed");
  return good;
}

static uint64_t operations_to_watch(const struct bench_case *self) {
  return self->has_children || self->rows[0]->size >= LARGE ? 1 : WATCHED_OPERATIONS;
}

static double per_operation(const struct bench_case *self, uint64_t total, uint64_t operations) {
  return (double)total / (double)(operations * (self->repeats ? self->repeats : 1));
}

/* In the child that is watched. */
static bool run_watched(struct bench_case *self, uint64_t operations) {
  /* What is done only the first time shall not count. */
  if (operations > 1 && !run(self, 1)) return false;
  self->watch = WATCH_CALLS;
  if (self->steps == 1) trace_mark(0);
  return run(self, operations);
}

static void count_calls(struct bench_case *self) {
  uint64_t calls[STEPS_MAX], operations = operations_to_watch(self);
  if (self->counts_calls || self->failed) return;
  bool known = trace_calls(run_watched, self, operations, calls);
  for (unsigned i = 0; i < self->steps; i++) {
    self->rows[i]->calls = known ? per_operation(self, calls[i], operations) : NAN;
  }
}

/* Of steps. Of whole operations they are counted while the time is taken. */
static void count_faults(struct bench_case *self) {
  uint64_t elapsed, operations = operations_to_watch(self);
  if (self->steps == 1 || self->failed) return;
  self->watch = WATCH_FAULTS;
  bool good = attempt(self, operations, &elapsed);
  self->watch = WATCH_TIME;
  for (unsigned i = 0; good && i < self->steps; i++) {
    self->rows[i]->faults = per_operation(self, self->step_totals[i], operations);
  }
}

/* Find how many operations make a sample, and warm up what they use. */
static void calibrate(struct bench_case *self, uint64_t sample_time) {
  uint64_t elapsed = 0;
  self->operations = 1;
  while (!self->failed && attempt(self, self->operations, &elapsed)) {
    if (elapsed >= sample_time / 4 || self->operations >= MOST_OPERATIONS) break;
    self->operations *= 4;
  }
  double factor = (double)sample_time / (double)(elapsed ? elapsed : 1);
  double operations = fmin(ceil((double)self->operations * factor), MOST_OPERATIONS);
  self->operations = (uint64_t)fmax(operations, 1);
  self->faults = self->calls = 0;
}

static void add_sample(struct row *row, double nanoseconds) {
  if (row->count == row->space) {
    row->space = row->space ? row->space * 2 : 16;
    row->samples = must(realloc(row->samples, row->space * sizeof *row->samples));
  }
  row->samples[row->count++] = nanoseconds;
}

/* One sample of one case. A failure after the user has said stop is no failure: processes that were
 * started have got the signal as well. */
static void take_sample(struct bench_case *self, const struct plan *plan) {
  uint64_t elapsed;
  if (self->failed) return;
  if (!attempt(self, self->operations, &elapsed)) {
    self->failed = *plan->stop == 0;
    return;
  }
  for (unsigned i = 0; i < self->steps; i++) {
    uint64_t total = self->steps == 1 ? elapsed : self->step_totals[i];
    add_sample(self->rows[i], per_operation(self, total, self->operations));
  }
}

static void conclude(struct bench_case *self) {
  for (unsigned i = 0; i < self->steps; i++) {
    struct row *row = self->rows[i];
    if (self->failed) row->count = 0;
    row->operations = self->operations;
    row->time = quartiles_of(row->samples, row->count);
    uint64_t operations = self->operations * row->count;
    if (self->steps > 1 || operations == 0) continue;
    row->faults = per_operation(self, self->faults, operations);
    if (self->counts_calls) row->calls = per_operation(self, self->calls, operations);
  }
}

/* Run `work` on each case until the user has enough. */
#define FOR_EACH_CASE(work)                                                                        \
  for (size_t i = 0; i < count && *plan->stop == 0; i++) {                                         \
    work;                                                                                          \
    plan->progress((double)(clock_now() - start) / (double)plan->time, plan->context);             \
  }

void engine_measure(struct bench_case **cases, size_t count, const struct plan *plan) {
  int64_t start = clock_now();
  size_t *order = must(calloc(count + 1, sizeof *order));
  /* First: copies of this process that count calls leave its pages to be copied at the next store. */
  FOR_EACH_CASE(count_calls(cases[i]))
  FOR_EACH_CASE(count_faults(cases[i]))
  FOR_EACH_CASE(calibrate(cases[i], plan->sample_time))
  for (unsigned round = 0; round < plan->most_rounds && *plan->stop == 0; round++) {
    if (round >= plan->least_rounds && (uint64_t)(clock_now() - start) >= plan->time) break;
    chance_shuffle(plan->chance, order, count);
    FOR_EACH_CASE(take_sample(cases[order[i]], plan))
  }
  for (size_t i = 0; i < count; i++) conclude(cases[i]);
  free(order);
}

double engine_clock_overhead(void) {
  enum { READINGS = 1001, PER_READING = 100 };
  double costs[READINGS];
  for (int i = 0; i < READINGS; i++) {
    int64_t start = clock_now();
    for (int j = 1; j < PER_READING; j++) (void)clock_now();
    costs[i] = (double)(clock_now() - start) / PER_READING;
  }
  return quartiles_of(costs, READINGS).median;
}
