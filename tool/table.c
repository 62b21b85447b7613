/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

struct table {
  struct libscols_table *columns;
  struct libscols_line *row;
};

bool colors_are_wanted(void) {
  const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
  return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

struct table *table_new(const struct table_options *options) {
  struct table *table = must(calloc(1, sizeof *table));
  table->columns = must(scols_new_table());
  (void)scols_table_enable_raw(table->columns, options->raw);
  (void)scols_table_enable_noheadings(table->columns, options->no_headings);
  (void)scols_table_enable_colors(table->columns, !options->raw && colors_are_wanted());
  return table;
}

void table_add_column(struct table *table, const char *name, enum table_column layout) {
  static const int flags[] = {
      [TABLE_LEFT] = 0, [TABLE_RIGHT] = SCOLS_FL_RIGHT, [TABLE_CUT] = SCOLS_FL_TRUNC};
  must(scols_table_new_column(table->columns, name, 0, flags[layout]));
}

void table_add_row(struct table *table) {
  table->row = must(scols_table_new_line(table->columns, NULL));
}

void table_set(struct table *table, size_t column, char *text, const char *color) {
  if (scols_line_refer_data(table->row, column, text) != 0) must(NULL);
  if (color != NULL) {
    (void)scols_cell_set_color(scols_line_get_cell(table->row, column), color);
  }
}

void table_print(struct table *table) {
  if (scols_print_table(table->columns) != 0) must(NULL);
  scols_unref_table(table->columns);
  free(table);
}
