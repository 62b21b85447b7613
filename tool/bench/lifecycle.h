/* SPDX-License-Identifier: MIT */
/*
 * What `bench lifecycle` measures: a segment's life in steps, once with bare system calls and once
 * with the library, each step timed by itself:
 *
 *   create   make it, with its name, its room and its mapping
 *   touch    the first store to each page
 *   again    the same once more
 *   open     open and map it a second time, as another process does
 *   close    end that, when each page has been read through it
 *   unlink   remove the name; not of a memfd, which has none
 *   end      end the first mapping, and with it the memory
 *
 * Room: `reserve` sets it aside in create, so that no store can fail; `sparse` leaves it to the first
 * stores; `populate` also makes the page tables in create. System V accounts for it in create and
 * leaves the pages to the first stores, which is here called sparse.
 */
#ifndef SHMKIT_TOOL_BENCH_LIFECYCLE_H
#define SHMKIT_TOOL_BENCH_LIFECYCLE_H

#include "session.h"

enum { LIFE_KIND_COUNT = 5, LIFE_STEP_COUNT = 7 };

struct life_kind {
  const char *name, *meaning;
  enum object_kind kind;
  /* With which room, as bits. */
  unsigned rooms;
};

enum room { ROOM_RESERVE, ROOM_SPARSE, ROOM_POPULATE, ROOM_COUNT };

extern const struct life_kind life_kinds[LIFE_KIND_COUNT];
extern const char *const life_steps[LIFE_STEP_COUNT];
extern const char *const life_rooms[ROOM_COUNT];

void lifecycle_measure(struct session *session);

#endif
