/* SPDX-License-Identifier: MIT */
/*
 * A worker of the soak in C: it does the same for ever, until it is killed or told to stop. What all
 * workers share with the harness is the arena, a segment; arena.py and worker.lua know it as well.
 */
#ifndef SHMKIT_TESTS_CRASH_SOAK_WORKER_H
#define SHMKIT_TESTS_CRASH_SOAK_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <shmkit/shmkit.h>

enum { REPORTS = 8, TEXT = 256, TALLIES = 8, SLOTS = 64 };

/* Where in its round a worker is: what the harness can tell of one that it has killed. */
enum phase { OUTSIDE, TRYING, INSIDE, LEAVING };

/* A place for one worker after another; all but `condemned` is written by the one that has it. */
struct slot {
  /* Rounds, of all who had the place. */
  _Atomic uint64_t progress;
  _Atomic uint64_t phase;
  /* The serial number of the last worker here that the harness kills: written before it does. */
  _Atomic uint64_t condemned;
  /* Whatever else the harness is to know of the present one. */
  _Atomic uint64_t mark;
  /* Counts, of all who had the place. */
  _Atomic uint64_t tallies[TALLIES];
  uint64_t reserved[4];
};

struct arena {
  _Atomic uint64_t stop;
  /* Violations: begun to be written, and written. */
  _Atomic uint64_t claimed, reported;
  uint64_t reserved[5];
  char reports[REPORTS][TEXT];
  struct slot slots[SLOTS];
};

_Static_assert(sizeof(struct slot) == 128 && sizeof(struct arena) == 64 + 8 * 256 + 64 * 128,
               "as in arena.py");

/* This process. The serial number, never 0, is no other worker's: the slot's plus a multiple of
 * SLOTS. */
extern struct arena *arena;
extern struct slot *slot;
extern uint64_t serial;

/* What the workers were told to do: the words that follow the role on the command line. */
void work_mutex(char **words);
void work_ring(char **words);

/* Less than `below`, at random. */
uint32_t chance(uint32_t below);

/* Whether a worker was killed; the harness may just be about to. */
bool is_condemned(uint64_t serial_number);

/* The segment of an address, and what lies in it. */
shmkit_segment *open_shared(const char *address, void *data);

/* A round is over. */
void advance(void);

/* Tell the harness what must not be, and end. */
_Noreturn void violate(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* The status, which must not be a failure. */
shmkit_status must(shmkit_status status, const char *doing);

#endif
