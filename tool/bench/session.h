/* SPDX-License-Identifier: MIT */
/* One run of `shmkit bench`: what was asked for, what came out, what could not be measured and why. */
#ifndef SHMKIT_TOOL_BENCH_SESSION_H
#define SHMKIT_TOOL_BENCH_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "object.h"

enum { SIZES_MAX = 32 };

struct session {
  /* "access", "lifecycle". */
  const char *what;
  /* What was asked for: bytes, in growing order; a bit for each way. */
  uint64_t sizes[SIZES_MAX];
  size_t size_count;
  uint32_t ways;
  /* They were, and are not just all that there are. */
  bool ways_chosen;
  /* They were asked for, so that to leave one out is a failure. */
  bool sizes_chosen;
  double seconds;
  bool quick;
  uint64_t seed;
  /* Ours, and the other process's; the same where there is only one. */
  int cpus[2];
  /* `disk` is NULL when there is no directory on a disk. */
  struct places places;
  /* What came out. */
  struct row **rows;
  size_t row_count;
  char **notes;
  size_t note_count;
  unsigned failures;
  double clock;
  int64_t begun, took;
  char *verdict;
  /* The number of the signal that said stop. */
  volatile sig_atomic_t stop;
  /* For the progress bar: shares of the time, in all and so far; of what is being measured. */
  double shares, shares_done, share;
  const char *now;
  uint64_t chance;
};

/* A new row in the results. */
struct row *session_row(struct session *self, const char *way, const char *mode, uint64_t size);

/* The row of that description; NULL when it was not measured. `by` and `room` may be NULL. */
const struct row *session_find(const struct session *self, const char *way, const char *mode,
                               uint64_t size, const char *by, const char *room);

/* Something that the reader of the results has to know. */
void session_note(struct session *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Measure these in turns, with this share of the time. `label` is for the progress bar. Cases that
 * failed become notes, and failures. */
void session_measure(struct session *self, struct bench_case **cases, size_t count, double share,
                     const char *label);

/* Whether there is room for so many bytes of memory, and so many of them in files on tmpfs and disk;
 * else a note says what there is no room for. */
bool session_has_room(struct session *self, uint64_t size, unsigned in_memory, unsigned on_tmpfs,
                      unsigned on_disk);

/* How large a share of the time things of this size take. */
double session_share(uint64_t size);

#endif
