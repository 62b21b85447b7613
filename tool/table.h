/* SPDX-License-Identifier: MIT */
/* Tables, laid out by libsmartcols. A failure is the lack of memory and ends the program. */
#ifndef SHMKIT_TOOL_TABLE_H
#define SHMKIT_TOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

struct table_options {
  /* For programs: columns by one space, odd bytes as \x20. */
  bool raw;
  bool no_headings;
};

/* How a column is laid out. */
enum table_column { TABLE_LEFT, TABLE_RIGHT, TABLE_CUT };

struct table *table_new(const struct table_options *options);
/* TABLE_CUT: cut off at the right end of a terminal that is not wide enough. */
void table_add_column(struct table *table, const char *name, enum table_column layout);
void table_add_row(struct table *table);
/* Into the last row; takes `text`, which came from malloc. `color` is one of terminal-colors.d(5),
 * "red", or NULL. */
void table_set(struct table *table, size_t column, char *text, const char *color);
/* To standard output; the end of the table. */
void table_print(struct table *table);

/* Whether standard output is a terminal that shows colours and nobody asked for none (NO_COLOR). */
bool colors_are_wanted(void);

#endif
