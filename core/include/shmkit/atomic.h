/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Atomics: integers of a segment that several processes change at the same time.
 *
 * Each function is one step for everybody: no other thread, in whatever language and process, sees
 * half of it. All of them are sequentially consistent: they happen in one order that everybody
 * agrees on, and what was written before one of them is seen by who sees its result.
 *
 * TYPES are SHMKIT_I32, SHMKIT_U32, SHMKIT_I64 and SHMKIT_U64, the byte order the machine's own.
 * Values pass as 64 bits: those of SHMKIT_I32 sign-extended, those of SHMKIT_U32 with zeros. Sums
 * wrap around. C code that knows where its data is can as well use <stdatomic.h> on the address that
 * shmkit_segment_view gives; the two go together.
 *
 * ERRORS, the same for all: -EINVAL for another type, an offset that is no multiple of the type's
 * size, and a value that the type cannot hold; SHMKIT_ERR_RANGE outside the segment; -EACCES for
 * changing a read-only segment; SHMKIT_ERR_CLOSED. A peer that has truncated the file makes them
 * raise SIGBUS, as any access through the mapping.
 */
#ifndef SHMKIT_ATOMIC_H
#define SHMKIT_ATOMIC_H

#include <shmkit/error.h>
#include <shmkit/segment.h>

SHMKIT_BEGIN_DECLS

/**
 * The value at an offset.
 *
 * @return 0; see ERRORS above.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_load(shmkit_segment *self, shmkit_type type,
                                             uint64_t offset, uint64_t *out);

/**
 * Put a value there.
 *
 * @return 0; see ERRORS above.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_store(shmkit_segment *self, shmkit_type type,
                                              uint64_t offset, uint64_t value);

/**
 * Add to the value; to subtract, add the negative, whatever the type.
 *
 * @param out  what it was before.
 * @return 0; see ERRORS above.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_add(shmkit_segment *self, shmkit_type type, uint64_t offset,
                                            uint64_t value, uint64_t *out);

/**
 * Put a value there and tell what was there.
 *
 * @param out  what it was before.
 * @return 0; see ERRORS above.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_exchange(shmkit_segment *self, shmkit_type type,
                                                 uint64_t offset, uint64_t value, uint64_t *out);

/**
 * Put a value there if what is there is `expected`. It never fails without a reason.
 *
 * @param out  what it was before: `expected` when it was changed.
 * @return 0, whether or not it was changed; see ERRORS above.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_compare_exchange(shmkit_segment *self, shmkit_type type,
                                                         uint64_t offset, uint64_t expected,
                                                         uint64_t value, uint64_t *out);

SHMKIT_END_DECLS

#endif
