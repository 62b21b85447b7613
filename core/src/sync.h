/* SPDX-License-Identifier: MIT */
/* What mutexes and events share. */
#ifndef SHMKIT_SRC_SYNC_H
#define SHMKIT_SRC_SYNC_H

#include "segment.h"
#include "shared.h"

/* How long a waiter sleeps at most before it looks by itself: how late a death is noticed. Nobody
 * needs it where nobody dies, but it hides lost wake-ups: tests/litmus builds the library with an
 * hour. */
#ifndef SHMKIT__SLICE
#define SHMKIT__SLICE UINT64_C(50000000)
#endif

/* A sort of object. */
struct shmkit__sort {
  const char *name; /* "a mutex" */
  uint32_t mark;
  /* It has a holder, who is known by a lock on the segment's file. */
  bool has_holder;
};
extern const struct shmkit__sort shmkit__sort_mutex, shmkit__sort_event;

/* Where an object is: in a segment that is pinned as long. */
struct shmkit__place {
  struct shmkit__sync_memory *memory;
  shmkit_segment *segment;
  uint64_t offset;
  /* The segment is the object's own. */
  bool owns_segment;
};

/* Take the place at `offset` of a segment for an object, and mark it. Fails where there is another
 * one, or anything else, or where there can be none of that sort. */
shmkit_status shmkit__place_take(shmkit_segment *segment, uint64_t offset,
                                 const struct shmkit__sort *sort, struct shmkit__place *out);
/* The same at the beginning of a segment of its own. */
shmkit_status shmkit__place_open(const char *address, const shmkit_segment_options *options,
                                 const struct shmkit__sort *sort, struct shmkit__place *out);
/* Also ends a segment that is the object's own. */
void shmkit__place_leave(struct shmkit__place *self);
/* The same for an object that could not be made: what was created for it goes. */
void shmkit__place_abandon(struct shmkit__place *self);

/* The failure when there is no memory for one of that sort. */
shmkit_status shmkit__place_fail_memory(const struct shmkit__place *self,
                                        const struct shmkit__sort *sort);

/* Fail when it makes no sense. */
shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout);

#endif
