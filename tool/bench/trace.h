/* SPDX-License-Identifier: MIT */
/*
 * System calls of an operation, counted exactly: it runs once more, untimed, in a child that is
 * stopped at each call (ptrace). What the child's own children do counts as well.
 */
#ifndef SHMKIT_TOOL_BENCH_TRACE_H
#define SHMKIT_TOOL_BENCH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

/* As a step: what follows does not count. */
#define TRACE_PAUSE STEPS_MAX

/* In the child that is watched: what follows belongs to this step. */
void trace_mark(unsigned step);

/* Run `run(self, operations)` so. Calls per step into `calls`. False where that is refused, or when
 * `run` failed. */
bool trace_calls(bool (*run)(struct bench_case *self, uint64_t operations), struct bench_case *self,
                 uint64_t operations, uint64_t calls[STEPS_MAX]);

#endif
