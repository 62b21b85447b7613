/* SPDX-License-Identifier: MIT */
/* What can be told of a segment in a table's column, for every command that prints segments. */
#ifndef SHMKIT_TOOL_COLUMNS_H
#define SHMKIT_TOOL_COLUMNS_H

#include <argp.h>

#include <shmkit/inspect.h>

#include "table.h"

/* How values are shown. */
struct look {
  int64_t now;
  bool bytes;
  /* Names as they are: the table escapes what is odd. */
  bool raw;
};

struct column {
  const char *name, *help;
  enum table_column layout;
  char *(*text)(const shmkit_info *info, const struct look *look);
  /* As qsort; unknown is smallest. */
  int (*compare)(const shmkit_info *a, const shmkit_info *b);
};

enum { COLUMNS_MAX = 64 };

/* The columns that were chosen, in order. */
struct columns {
  const struct column *chosen[COLUMNS_MAX];
  size_t count;
};

/* A command's own columns, beside those of all commands; once, before any are asked for. */
void columns_extend(const struct column *more, size_t count);
/* All names, ending with NULL. */
const char *const *column_names(void);
/* The column of that name in whatever case; argp_error when there is none. */
const struct column *column_find(const struct argp_state *state, const char *what,
                                 const char *name);
/* "ADDRESS,SIZE", or "+INODE" for those that are there and more. */
void columns_choose(const struct argp_state *state, const char *what, const char *list,
                    struct columns *columns);
/* The names with what they mean, one a line; to be freed. */
char *columns_describe(void);

/* A table with a row for each segment. */
void columns_print(const struct columns *columns, const shmkit_info *const *infos, size_t count,
                   const struct look *look, const struct table_options *options);

/* Since when it exists as far as one knows: made, or else last changed. */
int64_t info_since(const shmkit_info *info);
/* "1234 (python3)", "exited", "-"; to be freed. */
char *info_creator(const shmkit_info *info);
/* The colour for a state; NULL for none. */
const char *info_state_color(const shmkit_info *info);

#endif
