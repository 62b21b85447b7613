/* SPDX-License-Identifier: MIT */
/*
 * What `bench access` measures. A payload is made by the one side and checked by the other, every
 * word of it; what differs is the way there:
 *
 *   in-place        made and checked in the shared memory itself
 *   copy            made elsewhere, copied in, copied out, checked elsewhere: the same work for
 *                   memory (memcpy), files (write and read), pipes and sockets
 *   once            as above, opened and closed around each payload; memory in place
 *   cold            as above, created and removed around each payload
 *   spin-in-place,  two processes on two CPUs: there, and a word back. Both wait by looking again
 *   spin-copy       and again
 *   sleep-in-place, the same; both sleep until woken (futex, or a read that blocks)
 *   sleep-copy
 *
 * With two processes, only posix, tmpfs-read, pipe and socket are measured unless ways were chosen.
 */
#ifndef SHMKIT_TOOL_BENCH_ACCESS_H
#define SHMKIT_TOOL_BENCH_ACCESS_H

#include "engine.h"
#include "object.h"
#include "session.h"

enum mode {
  MODE_IN_PLACE,
  MODE_COPY,
  MODE_ONCE,
  MODE_COLD,
  MODE_SPIN_IN_PLACE,
  MODE_SPIN_COPY,
  MODE_SLEEP_IN_PLACE,
  MODE_SLEEP_COPY,
  MODE_COUNT
};

extern const char *const mode_names[MODE_COUNT];

/* How one gets at an object's bytes. */
enum reach { REACH_MAPPED, REACH_FILE, REACH_STREAM };

struct way {
  const char *name;
  /* What it is, for people. */
  const char *meaning;
  enum object_kind kind;
  enum reach reach;
};

enum { WAY_COUNT = 10 };
extern const struct way access_ways[WAY_COUNT];

/* Buffers of one size, for all cases of that size. */
struct buffers {
  char *source, *sink;
};

/* One payload on one way. */
struct access_case {
  struct bench_case base;
  const struct way *way;
  enum mode mode;
  size_t size;
  /* For what exists before and after; shared by the modes of a way. */
  struct object *object;
  const struct buffers *buffers;
  const struct places *places;
  /* Of the payload; changes with each. */
  uint64_t seed;
  /* Which of the peer's cases this is. */
  uint32_t number;
};

static inline uint64_t next_seed(struct access_case *self) {
  return self->seed += 0x9e3779b97f4a7c15U;
}

/* Measure all that is asked for. */
void access_measure(struct session *session);

#endif
