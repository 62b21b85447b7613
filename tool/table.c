/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

struct column {
  char *name;
  enum table_column layout;
  /* Of the widest text, in bytes. */
  size_t width;
};

struct cell {
  char *text;
  const char *color;
};

struct table {
  struct table_options options;
  struct column *columns;
  size_t column_count;
  /* Row by row. */
  struct cell *cells;
  size_t cell_count, room;
  /* No text has anything but printable ASCII. */
  bool plain;
};

bool colors_are_wanted(void) {
  const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
  return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') && terminal != NULL &&
         strcmp(terminal, "dumb") != 0;
}

/* ---- What is in it -------------------------------------------------------------------------- */

struct table *table_new(const struct table_options *options) {
  struct table *table = must(calloc(1, sizeof *table));
  table->options = *options;
  table->plain = true;
  return table;
}

/* Takes note of a text for its column's width. */
static void measure(struct table *table, size_t column, const char *text) {
  const char *end = text;
  while (*end >= ' ' && *end <= '~') end++;
  size_t length = (size_t)(end - text);
  if (*end != '\0') table->plain = false;
  if (length > table->columns[column].width) table->columns[column].width = length;
}

void table_add_column(struct table *table, const char *name, enum table_column layout) {
  size_t index = table->column_count++;
  table->columns = must(reallocarray(table->columns, table->column_count, sizeof *table->columns));
  table->columns[index] = (struct column){.name = must(strdup(name)), .layout = layout};
  measure(table, index, name);
}

void table_add_row(struct table *table) {
  size_t count = table->cell_count + table->column_count;
  if (count > table->room) {
    table->room = 2 * count;
    table->cells = must(reallocarray(table->cells, table->room, sizeof *table->cells));
  }
  memset(table->cells + table->cell_count, 0, table->column_count * sizeof *table->cells);
  table->cell_count = count;
}

void table_set(struct table *table, size_t column, char *text, const char *color) {
  size_t index = table->cell_count - table->column_count + column;
  measure(table, column, text);
  table->cells[index] = (struct cell){text, color};
}

/* ---- Printing ------------------------------------------------------------------------------- */

static void set_cell(struct libscols_line *line, size_t column, const struct cell *cell) {
  /* The library frees it. */
  if (scols_line_refer_data(line, column, cell->text) != 0) must(NULL);
  if (cell->color != NULL) {
    (void)scols_cell_set_color(scols_line_get_cell(line, column), cell->color);
  }
}

static void print_by_library(const struct table *table) {
  static const int flags[] = {
      [TABLE_LEFT] = 0, [TABLE_RIGHT] = SCOLS_FL_RIGHT, [TABLE_CUT] = SCOLS_FL_TRUNC};
  const bool raw = table->options.raw;
  struct libscols_table *to = must(scols_new_table());
  (void)scols_table_enable_raw(to, raw);
  (void)scols_table_enable_noheadings(to, table->options.no_headings);
  (void)scols_table_enable_colors(to, !raw && colors_are_wanted());
  for (size_t i = 0; i < table->column_count; i++) {
    must(scols_table_new_column(to, table->columns[i].name, 0, flags[table->columns[i].layout]));
  }
  for (size_t i = 0; i < table->cell_count;) {
    struct libscols_line *line = must(scols_table_new_line(to, NULL));
    for (size_t j = 0; j < table->column_count; j++) set_cell(line, j, &table->cells[i++]);
  }
  if (scols_print_table(to) != 0) must(NULL);
  scols_unref_table(to);
}

static void pad(size_t count) {
  static const char spaces[] = "                                ";
  const size_t most = sizeof spaces - 1;
  for (; count > most; count -= most) (void)fwrite(spaces, 1, most, stdout);
  (void)fwrite(spaces, 1, count, stdout);
}

static void print_plain_cell(const struct table *table, size_t index, const char *text) {
  const struct column *column = &table->columns[index];
  bool last = index + 1 == table->column_count;
  size_t length = strlen(text);
  if (column->layout == TABLE_RIGHT) pad(column->width - length);
  (void)fwrite(text, 1, length, stdout);
  if (column->layout != TABLE_RIGHT && !last) pad(column->width - length);
  (void)putc(last ? '\n' : ' ', stdout);
}

/* What the library would print, in a small part of its time: it looks up the width of each character,
 * several times over. */
static void print_plain(const struct table *table) {
  if (table->cell_count == 0) return;
  for (size_t i = 0; i < table->column_count && !table->options.no_headings; i++) {
    print_plain_cell(table, i, table->columns[i].name);
  }
  for (size_t i = 0; i < table->cell_count;) {
    for (size_t j = 0; j < table->column_count; j++) {
      char *text = table->cells[i++].text;
      print_plain_cell(table, j, text != NULL ? text : "");
      free(text);
    }
  }
}

void table_print(struct table *table) {
  if (table->plain && !table->options.raw && !isatty(STDOUT_FILENO)) {
    print_plain(table);
  } else {
    print_by_library(table);
  }
  for (size_t i = 0; i < table->column_count; i++) free(table->columns[i].name);
  free(table->cells);
  free(table->columns);
  free(table);
}
