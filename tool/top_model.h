/* SPDX-License-Identifier: MIT */
/*
 * What `top` knows, however it is shown: the latest look at all segments, and what has changed
 * since the one before.
 */
#ifndef SHMKIT_TOOL_TOP_MODEL_H
#define SHMKIT_TOOL_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <shmkit/shmkit.h>

#include "columns.h"
#include "json.h"

enum top_change { TOP_SAME, TOP_NEW, TOP_GONE };

/* A segment. Columns are given `info`, and those of top's own find the row around it. */
struct top_row {
  shmkit_info info;
  /* Bytes that came into memory each second since the look before; NAN when that is not known. */
  double rate;
  enum top_change change;
  /* Mappers that came and left since the look before. */
  size_t came, left;
};

struct top_model {
  shmkit_listing_options options;
  struct columns columns;
  const struct column *sort;
  bool descending, bytes;
  /* Find out also what no column shows. */
  bool everything;
  /* Only segments that have this in their address, name, owner, state, kind or programs; "" for
   * all. */
  char filter[128];

  /* The latest look and the one before; NULL before there are that many. */
  shmkit_listing *listing, *before;
  /* When the latest ended, by the monotonic clock; how long it took; how long before it the one
   * before ended; in nanoseconds. */
  int64_t ended, took, since_before;
  /* All segments, and those that are to be shown, in order. Segments that are gone stay for one
   * look. */
  struct top_row *rows;
  size_t row_count;
  const struct top_row **shown;
  size_t shown_count;
};

/* Top's own columns beside those of all tables; before any are chosen. */
void top_extend_columns(void);
/* "rss": numbers largest first, text from A on; "-rss" and "+rss": largest, smallest first. */
void top_set_sort(const struct argp_state *state, const char *what, const char *name,
                  struct top_model *model);

/* Look. 0, or a failure of the library, after which the model has what it had. */
shmkit_status top_look(struct top_model *model);
/* Forget the looks: when other kinds of segments are wanted, and in the end. */
void top_forget(struct top_model *model);
/* Filter and sort anew. */
void top_arrange(struct top_model *model);

/* Whether both are the same segment, in whatever look. */
bool top_is_same(const shmkit_info *a, const shmkit_info *b);

/* The lines above the table, each to be freed, and how many. The first has what matters most. */
enum { TOP_SUMMARY_LINES = 5 };
size_t top_summary(const struct top_model *model, char *lines[TOP_SUMMARY_LINES]);

/* All that is known of a look, as JSON. */
json *top_json(const struct top_model *model);

#endif
