/* SPDX-License-Identifier: MIT */
/* What mutexes and events share. */
#ifndef SHMKIT_SRC_SYNC_H
#define SHMKIT_SRC_SYNC_H

#include "segment.h"
#include "shared.h"

/* How long a waiter sleeps at most before it looks by itself: how late a death is noticed. */
#define SHMKIT__SLICE UINT64_C(50000000)

/* Where an object is: in a segment that is pinned as long. */
struct shmkit__place {
  struct shmkit__sync_memory *memory;
  shmkit_segment *segment;
  uint64_t offset;
  /* The segment is the object's own. */
  bool owns_segment;
};

/* Take the place at `offset` of a segment for an object, and mark it. Fails where there is another
 * one, or anything else. */
shmkit_status shmkit__place_take(shmkit_segment *segment, uint64_t offset, uint32_t mark,
                                 struct shmkit__place *out);
/* Also ends a segment that is the object's own. */
void shmkit__place_leave(struct shmkit__place *self);

/* End the segment of an object of its own that could not be made: what was created for it goes. */
void shmkit__sync_abandon(shmkit_segment *segment);

/* The failure when there is no memory for `what`: "a mutex". */
shmkit_status shmkit__sync_fail_memory(const shmkit_segment *segment, const char *what);

/* Fail when it makes no sense. */
shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout);

#endif
