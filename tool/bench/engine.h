/* SPDX-License-Identifier: MIT */
/*
 * Measuring: cases that are compared with each other take turns.
 *
 * Each round takes one sample of every case, in an order that is random anew; a sample is as many
 * operations as make it long beside the clock. What disturbs the machine for a while disturbs all
 * cases alike. Before the rounds each case is run untimed, so that what is warm is warm.
 *
 * Two kinds of case: those that are timed as a whole, and those whose operation consists of steps
 * (create, touch, unlink), each timed by itself: they call case_step after each.
 */
#ifndef SHMKIT_TOOL_BENCH_ENGINE_H
#define SHMKIT_TOOL_BENCH_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statistics.h"

enum { STEPS_MAX = 8 };

/* A result: one case, or one step of one. Texts are constants. */
struct row {
  /* What is measured: "posix", "getppid"; in which way: "copy", "create". */
  const char *way, *mode;
  /* By whom, and with what room; NULL where there is no choice: "bare", "shmkit"; "reserve". */
  const char *by, *room;
  /* Bytes; 0 for what has none. */
  uint64_t size;
  /* Nanoseconds per operation, one for each round. */
  double *samples;
  size_t count, space;
  /* Operations in each sample. */
  uint64_t operations;
  struct quartiles time;
  /* Per operation; NaN when unknown. */
  double faults, calls;
};

struct bench_case {
  /* One operation. False when it failed, with the reason through case_fail. */
  bool (*operate)(struct bench_case *self);
  /* Around the operations of a sample, not timed; NULL when there is nothing to do. `end` is false
   * when they failed on another process's side. */
  bool (*begin)(struct bench_case *self, uint64_t operations);
  bool (*end)(struct bench_case *self);
  /* How often its operation repeats what is measured, as a loop in a shell does; 0 for once. */
  unsigned repeats;
  /* Counts the system calls of all processes in `calls` while it is measured. Others are watched
   * while they are not. */
  bool counts_calls;
  uint64_t calls, faults;
  /* Starts processes, whose faults count. */
  bool has_children;
  /* One row, or one for each step. */
  struct row *rows[STEPS_MAX];
  unsigned steps;
  /* Set by case_fail: left out from then on. */
  bool failed;
  char reason[256];
  /* The engine's. */
  uint64_t operations, step_start, step_totals[STEPS_MAX];
  unsigned step;
  int watch;
};

/* How long, how often, and what to stop for. */
struct plan {
  /* For these cases, in nanoseconds. Each gets its least number of rounds, even so. */
  uint64_t time;
  uint64_t sample_time;
  unsigned least_rounds, most_rounds;
  uint64_t *chance;
  /* Not 0: stop after this sample. */
  const volatile sig_atomic_t *stop;
  /* Told how much of `time` is used, 0 to 1. */
  void (*progress)(double done, void *context);
  void *context;
};

/* Say why a case cannot be measured; gives false. */
bool case_fail(struct bench_case *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, ending in what errno means. */
bool case_fail_errno(struct bench_case *self, const char *what);

/* The operation begins with its first step. */
void case_first_step(struct bench_case *self);

/* A step is done, the next begins. */
void case_step(struct bench_case *self);

/* What was done since the last step belongs to none. It made no system calls. */
void case_skip(struct bench_case *self);

/* Measure `cases` in turns into their rows. */
void engine_measure(struct bench_case **cases, size_t count, const struct plan *plan);

/* What one reading of the clock costs, in nanoseconds: median of many. Part of every step that is
 * timed by itself; of a sample of many operations, nothing. */
double engine_clock_overhead(void);

#endif
