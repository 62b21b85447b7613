/* SPDX-License-Identifier: MIT */
/*
 * A process that waits for the end of this one, however it comes, and takes away the names that are
 * left. Named files cannot be had without a name, and nobody can clean up after his own kill -9.
 */
#ifndef SHMKIT_TOOL_BENCH_SWEEPER_H
#define SHMKIT_TOOL_BENCH_SWEEPER_H

#include <stdbool.h>

#include "object.h"

/* Before the first name is made. `places` must last. False when there can be no process. */
bool sweeper_start(const struct places *places);

/* Have it sweep and end, and wait for that. */
void sweeper_end(void);

#endif
