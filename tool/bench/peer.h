/* SPDX-License-Identifier: MIT */
/*
 * The other process. It is forked once, when everything that it shares with us exists, sleeps until a
 * sample of one of its cases is announced, and dies with us. Both sides count their own system calls:
 * all of them are in this file.
 */
#ifndef SHMKIT_TOOL_BENCH_PEER_H
#define SHMKIT_TOOL_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "access.h"

/* Fork it, onto the CPU `cpu`, for these cases; they get their numbers. False with errno. */
bool peer_start(struct access_case **cases, size_t count, int cpu);
void peer_end(void);

/* For struct bench_case, of cases with a peer. */
bool peer_operate(struct bench_case *self);
bool peer_begin(struct bench_case *self, uint64_t operations);
bool peer_finish(struct bench_case *self);

#endif
