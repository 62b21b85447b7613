/* SPDX-License-Identifier: MIT */
/*
 * What lies in the segment of telemetry. Declared here; layout.py and layout.lua mirror it, each in
 * one place, and compare what they expect with what the segment says of itself.
 *
 * Two rings of rows, each with one writer. Row number n of a ring lies in slot n % rows:
 *
 *   history   one row per sample of /proc           written by sampler.c
 *   summary   one row per window over the history   written by summary.py
 *
 * How a reader never uses a torn row. The writer fills the next slot, then counts it in `written`,
 * with release: who reads the count with acquire sees the whole of every row below it. The slot
 * after that is being filled at any time, with the row that will push out the oldest. So, counting
 * without end, whole rows are those from `written - rows + 1` on, below `written`. A reader takes
 * what it needs and then looks at `written` again: were its rows still among those, they were whole
 * all the time.
 *
 * A writer that dies half-way has not counted its row; the next one fills it anew.
 *
 * Python and Lua have no acquire and release. Each reads and writes a u64 in one piece, and x86
 * keeps the order of loads among loads and stores among stores, which is what this needs.
 */
#ifndef TELEMETRY_LAYOUT_H
#define TELEMETRY_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define TELEMETRY_MAGIC "shmtele"
#define TELEMETRY_VERSION 1

/* Columns of the history: f64. */
enum telemetry_column {
  TELEMETRY_TIME,     /* seconds of CLOCK_MONOTONIC */
  TELEMETRY_CPU,      /* percent of all CPUs that were busy; all rates are over half a second */
  TELEMETRY_USER,     /* percent, in programs */
  TELEMETRY_SYSTEM,   /* percent, in the kernel */
  TELEMETRY_RUNNABLE, /* processes that run or want to */
  TELEMETRY_SWITCHES, /* context switches per second */
  TELEMETRY_FORKS,    /* new processes per second */
  TELEMETRY_MEMORY,   /* bytes that are not available to programs any more */
  TELEMETRY_CACHED,   /* bytes of file contents in memory, shared memory among them */
  TELEMETRY_SWAP,     /* bytes in use */
  TELEMETRY_RECEIVED, /* bytes per second, over all network interfaces but lo */
  TELEMETRY_SENT,
  TELEMETRY_COLUMNS
};

#define TELEMETRY_NAMES                                                                            \
  "time", "cpu", "user", "system", "runnable", "switches", "forks", "memory", "cached", "swap",    \
      "received", "sent"

enum {
  TELEMETRY_HISTORY_ROWS = 2048,
  TELEMETRY_SUMMARY_ROWS = 64,
  TELEMETRY_NAME_SIZE = 16,
  /* A row of the summary: time of the newest sample, number of the first, how many, 0; then for
   * every column of the history minimum, mean, maximum and standard deviation. */
  TELEMETRY_SUMMARY_HEAD = 4,
  TELEMETRY_STATISTICS = 4,
  TELEMETRY_SUMMARY_COLUMNS = TELEMETRY_SUMMARY_HEAD + TELEMETRY_COLUMNS * TELEMETRY_STATISTICS
};

/* A cache line of its own for each writer. The writer holds a lock on these bytes of the file. */
struct telemetry_ring {
  _Atomic uint64_t written; /* rows since the beginning */
  uint64_t offset;          /* of slot 0 in the segment; this and what follows never changes */
  uint32_t rows;
  uint32_t columns; /* f64 values in a row */
  uint8_t unused[40];
};

struct telemetry_header {
  char magic[8];
  uint32_t version;
  uint32_t size;         /* of this header */
  uint64_t memory_total; /* bytes */
  uint64_t boot_time;    /* seconds since 1970 */
  uint32_t cpus;
  uint32_t statistics; /* values per column in a row of the summary */
  double rate;         /* samples per second; changes when another sampler takes over */
  uint8_t unused[16];
  struct telemetry_ring history;
  struct telemetry_ring summary;
  char names[TELEMETRY_COLUMNS][TELEMETRY_NAME_SIZE]; /* of the columns, ending with a NUL */
};

struct telemetry {
  struct telemetry_header header;
  double history[TELEMETRY_HISTORY_ROWS][TELEMETRY_COLUMNS];
  double summary[TELEMETRY_SUMMARY_ROWS][TELEMETRY_SUMMARY_COLUMNS];
};

_Static_assert(offsetof(struct telemetry_header, rate) == 40, "the same for every compiler");
_Static_assert(offsetof(struct telemetry_header, history) == 64, "the same for every compiler");
_Static_assert(offsetof(struct telemetry_header, names) == 192, "the same for every compiler");
_Static_assert(sizeof(struct telemetry_header) == 384, "the same for every compiler");
_Static_assert(offsetof(struct telemetry, history) % 64 == 0, "the same for every compiler");

#endif
