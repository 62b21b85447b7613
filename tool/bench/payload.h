/* SPDX-License-Identifier: MIT */
/*
 * What is carried: every word differs from every other and from those of the operation before, every
 * word is stored and every word is compared. So each operation that is timed proves that its data
 * arrived, and no way can be fast by not looking.
 */
#ifndef SHMKIT_TOOL_BENCH_PAYLOAD_H
#define SHMKIT_TOOL_BENCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `memory` is aligned to 8 bytes. */
void payload_fill(void *memory, size_t size, uint64_t seed);
bool payload_check(const void *memory, size_t size, uint64_t seed);

#endif
