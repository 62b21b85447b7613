/* SPDX-License-Identifier: MIT */
/* What mutexes and events share. */
#ifndef SHMKIT_SRC_SYNC_H
#define SHMKIT_SRC_SYNC_H

#include "segment.h"

/* How long a waiter sleeps at most before it looks by itself: how late a death is noticed. */
#define SHMKIT__SLICE UINT64_C(50000000)

/* Fail unless an object may be at `offset` of a segment that the caller has entered or pinned.
 * `what`: "a mutex". */
shmkit_status shmkit__sync_check(const shmkit_segment *segment, const char *what, uint64_t offset);

/* End the segment of an object of its own that could not be made: what was created for it goes. */
void shmkit__sync_abandon(shmkit_segment *segment);

/* Fail when it makes no sense. */
shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout);

#endif
