/* SPDX-License-Identifier: MIT */
#include "top_screen.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "report.h"
#include "text.h"

struct view {
  struct top_model *model;
  int64_t interval;
  bool paused, all;
  /* The position in `kind_sets`. */
  size_t kinds;
  uint32_t kinds_asked;
  /* The first row and the first column that are shown, and the selected row with what it is. */
  size_t top, left, selected;
  shmkit_info selection;
  /* Something to say once; "" when there is nothing. */
  char message[256];
};

enum outcome { DRAW, LOOK, QUIT };

/* ---- Drawing -------------------------------------------------------------------------------- */

static enum screen_style style_of_state(const shmkit_info *info) {
  const char *color = info_state_color(info);
  if (color == NULL) return SCREEN_PLAIN;
  if (strcmp(color, "green") == 0) return SCREEN_GREEN;
  if (strcmp(color, "yellow") == 0) return SCREEN_YELLOW;
  if (strcmp(color, "red") == 0) return SCREEN_RED;
  return strcmp(color, "cyan") == 0 ? SCREEN_CYAN : SCREEN_PLAIN;
}

static enum screen_style style_of_row(const struct view *view, size_t index) {
  const struct top_row *row = view->model->shown[index];
  if (index == view->selected) return SCREEN_SELECTED;
  if (row->change == TOP_NEW) return SCREEN_HOT;
  if (row->change == TOP_GONE) return SCREEN_GONE;
  return row->came + row->left > 0 ? SCREEN_WARM : SCREEN_PLAIN;
}

/* The rows of the summary that leave room for the table. */
static size_t summary_rows(size_t lines) {
  int rows = screen_rows();
  size_t most = rows >= 16 ? lines : rows >= 10 ? 2 : 1;
  return most < lines ? most : lines;
}

static size_t draw_summary(const struct view *view) {
  char *lines[TOP_SUMMARY_LINES];
  size_t count = top_summary(view->model, lines), rows = summary_rows(count);
  for (size_t i = 0; i < count; i++) {
    if (i < rows) (void)screen_put((int)i, 0, INT_MAX, SCREEN_PLAIN, lines[i]);
    free(lines[i]);
  }
  return rows;
}

/* A part of the table as text, with the width of each column. */
struct cells {
  size_t rows, columns;
  char **texts;
  int widths[COLUMNS_MAX];
};

static char **cell(const struct cells *cells, size_t row, size_t column) {
  return &cells->texts[row * cells->columns + column];
}

static void fill_cells(const struct view *view, struct cells *cells) {
  const struct top_model *model = view->model;
  const struct look look = {.now = shmkit_listing_time(model->listing), .bytes = model->bytes};
  cells->columns = model->columns.count - view->left;
  cells->texts = must(calloc(cells->rows * cells->columns + 1, sizeof *cells->texts));
  for (size_t i = 0; i < cells->columns; i++) {
    const struct column *column = model->columns.chosen[view->left + i];
    cells->widths[i] = screen_width(column->name);
    for (size_t row = 0; row < cells->rows; row++) {
      char *text = column->text(&model->shown[view->top + row]->info, &look);
      int width = screen_width(text);
      if (width > cells->widths[i]) cells->widths[i] = width;
      *cell(cells, row, i) = text;
    }
  }
}

static void free_cells(struct cells *cells) {
  for (size_t i = 0; i < cells->rows * cells->columns; i++) free(cells->texts[i]);
  free(cells->texts);
}

/* How many columns are left out before the last one, so that something of that one is seen. */
static size_t left_out(const struct cells *cells) {
  enum { LEAST = 16 };
  size_t last = cells->columns - 1, shown = last;
  int width = cells->widths[last] < LEAST ? cells->widths[last] : LEAST;
  for (size_t i = 0; i < last; i++) width += cells->widths[i] + 1;
  while (shown > 0 && width > screen_columns()) width -= cells->widths[--shown] + 1;
  return last - shown;
}

struct line {
  int row;
  enum screen_style style;
  /* Of the segment's state; elsewhere as the line. */
  enum screen_style state_style;
};

static void draw_line(const struct view *view, const struct cells *cells, const struct line *line,
                      const char *(*text_of)(const struct view *, const struct cells *, size_t,
                                             size_t),
                      size_t row) {
  size_t out = left_out(cells), last = cells->columns - 1;
  int at = 0;
  for (size_t i = 0; i < cells->columns; i++) {
    if (i + out >= last && i < last) continue;
    const struct column *column = view->model->columns.chosen[view->left + i];
    const char *text = text_of(view, cells, row, i);
    int end = i == last ? INT_MAX : at + cells->widths[i];
    int start = column->layout == TABLE_RIGHT ? at + cells->widths[i] - screen_width(text) : at;
    bool state = line->style == SCREEN_PLAIN && strcmp(column->name, "STATE") == 0;
    at = screen_fill(line->row, at, start, line->style);
    at = screen_put(line->row, at, end, state ? line->state_style : line->style, text);
    if (i < last) at = screen_fill(line->row, at, end + 1, line->style);
  }
  if (line->style == SCREEN_SELECTED || line->style == SCREEN_HEADING) {
    (void)screen_fill(line->row, at, INT_MAX, line->style);
  }
}

static const char *heading(const struct view *view, const struct cells *cells, size_t row,
                           size_t column) {
  (void)cells, (void)row;
  return view->model->columns.chosen[view->left + column]->name;
}

static const char *value(const struct view *view, const struct cells *cells, size_t row,
                         size_t column) {
  (void)view;
  return *cell(cells, row, column);
}

/* From a row of the screen on, so many rows. */
static void draw_table(struct view *view, int from, size_t room) {
  struct cells cells = {.rows = view->model->shown_count - view->top};
  if (cells.rows > room) cells.rows = room;
  fill_cells(view, &cells);
  draw_line(view, &cells, &(struct line){from, SCREEN_HEADING, SCREEN_HEADING}, heading, 0);
  for (size_t row = 0; row < cells.rows; row++) {
    struct line line = {.row = from + 1 + (int)row,
                        .style = style_of_row(view, view->top + row),
                        .state_style = style_of_state(&view->model->shown[view->top + row]->info)};
    draw_line(view, &cells, &line, value, row);
  }
  free_cells(&cells);
}

static const char *name_of_kinds(const struct view *view) {
  if (view->all) return "all kinds";
  return view->kinds == 0 ? "" : shmkit_info_kind_name((shmkit_info_kind)view->kinds);
}

static char *status_line(const struct view *view) {
  const struct top_model *model = view->model;
  char *filter = text_escape(model->filter);
  const char *kinds = name_of_kinds(view);
  char *line =
      view->message[0] != '\0'
          ? text_escape(view->message)
          : text_format("q quit, h help%s%s%s%s%s; by %s, %s first; every %g s",
                        view->paused ? "; PAUSED" : "", *filter != '\0' ? "; only with " : "",
                        filter, *kinds != '\0' ? "; " : "", kinds, model->sort->name,
                        model->descending ? "largest" : "smallest", (double)view->interval / 1e9);
  free(filter);
  return line;
}

/* The rows for segments between what is above and the last line. */
static size_t table_room(void) {
  size_t above = summary_rows(TOP_SUMMARY_LINES - 1) + 2;
  return (size_t)screen_rows() > above ? (size_t)screen_rows() - above : 1;
}

/* The selection stays on the screen, and the screen within the table. */
static void scroll_to_selection(struct view *view, size_t room) {
  size_t count = view->model->shown_count;
  if (view->selected >= count) view->selected = count > 0 ? count - 1 : 0;
  if (view->top > view->selected) view->top = view->selected;
  if (view->selected >= view->top + room) view->top = view->selected + 1 - room;
  if (view->top + room > count) view->top = count > room ? count - room : 0;
}

static void draw(struct view *view) {
  screen_clear();
  size_t above = draw_summary(view);
  size_t used = above + 2;
  size_t room = (size_t)screen_rows() > used ? (size_t)screen_rows() - used : 0;
  scroll_to_selection(view, room);
  draw_table(view, (int)above, room);
  char *status = status_line(view);
  int row = screen_rows() - 1;
  int end = screen_put(row, 0, INT_MAX, SCREEN_WARM, status);
  (void)screen_fill(row, end, INT_MAX, SCREEN_PLAIN);
  free(status);
  screen_show();
}

/* ---- The selection -------------------------------------------------------------------------- */

static void remember_selection(struct view *view) {
  if (view->selected < view->model->shown_count) {
    view->selection = view->model->shown[view->selected]->info;
  }
}

/* The same segment may be in another row now. */
static void find_selection(struct view *view) {
  if (view->selection.kind == 0) return;
  for (size_t i = 0; i < view->model->shown_count; i++) {
    if (top_is_same(&view->model->shown[i]->info, &view->selection)) {
      view->selected = i;
      return;
    }
  }
}

static void move_to(struct view *view, size_t row) {
  size_t count = view->model->shown_count;
  view->selected = row < count ? row : count > 0 ? count - 1 : 0;
  remember_selection(view);
}

static bool move(struct view *view, int key) {
  size_t at = view->selected, page = table_room();
  switch (key) {
    case SCREEN_UP:
      move_to(view, at > 0 ? at - 1 : 0);
      return true;
    case SCREEN_DOWN:
      move_to(view, at + 1);
      return true;
    case SCREEN_PAGE_UP:
      move_to(view, at > page ? at - page : 0);
      return true;
    case SCREEN_PAGE_DOWN:
      move_to(view, at + page);
      return true;
    case SCREEN_HOME:
      move_to(view, 0);
      return true;
    case SCREEN_END:
      move_to(view, SIZE_MAX);
      return true;
    case SCREEN_LEFT:
      view->left -= view->left > 0;
      return true;
    case SCREEN_RIGHT:
      view->left += view->left + 1 < view->model->columns.count;
      return true;
    default:
      return false;
  }
}

/* ---- Text in place of the table ------------------------------------------------------------- */

/* Made anew each interval. */
static void show_details(struct view *view) {
  struct screen_text text = {0};
  if (view->model->shown_count == 0) return;
  int key = SCREEN_NONE;
  do {
    size_t top = text.top;
    if (key == SCREEN_NONE || text.lines == NULL) {
      screen_text_free(&text);
      top_details(&view->selection, &text);
      text.top = top;
    }
    screen_text_draw(&text, "Details");
    key = screen_key((int)(view->interval / 1000000));
  } while (screen_text_scroll(&text, key));
  screen_text_free(&text);
}

static void show_help(void) {
  static const char *const lines[] = {
      "Up, Down, PgUp, PgDn, Home, End   select a segment",
      "Left, Right                       more columns",
      "Enter, i                          all about the selected segment",
      "<, >                              sort by the column to the left, to the right",
      "s                                 sort by a column of which you type the name",
      "r                                 reverse the order",
      "/                                 only segments with a text in their address, name,",
      "                                  owner, state, kind or programs",
      "a                                 all kinds, or the usual ones",
      "k                                 one kind after the other",
      "p                                 pause",
      "+, -                              look less often, more often",
      "Space                             look now",
      "q, Ctrl-C                         quit",
      "",
      "CHANGE says 'new' and 'gone', and how many processes came and left: +2-1.",
      "RATE is the change of RSS in bytes per second."};
  struct screen_text text = {0};
  for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
    screen_text_add(&text, must(strdup(lines[i])));
  }
  do {
    screen_text_draw(&text, "Keys");
  } while (screen_text_scroll(&text, screen_key(60000)));
  screen_text_free(&text);
}

/* ---- Commands ------------------------------------------------------------------------------- */

static void say(struct view *view, const char *text) {
  (void)snprintf(view->message, sizeof view->message, "%s", text);
}

static void rearrange(struct view *view) {
  top_arrange(view->model);
  find_selection(view);
}

static bool is_column(const char *name) {
  for (const char *const *known = column_names(); *known != NULL; known++) {
    if (strcasecmp(*known, name) == 0) return true;
  }
  return false;
}

static void ask_sort(struct view *view) {
  char name[32] = "";
  if (!screen_ask("Sort by column:", name, sizeof name) || name[0] == '\0') return;
  if (!is_column(name + (name[0] == '-' || name[0] == '+'))) {
    say(view, "There is no such column; 'shmkit top --help' lists them");
    return;
  }
  top_set_sort(NULL, "", name, view->model);
  rearrange(view);
}

static void sort_by_neighbour(struct view *view, int step) {
  const struct columns *columns = &view->model->columns;
  int at = step > 0 ? -1 : 0;
  if (columns->count == 0) return;
  for (size_t i = 0; i < columns->count; i++) {
    if (columns->chosen[i] == view->model->sort) at = (int)i;
  }
  at = (at + step + (int)columns->count) % (int)columns->count;
  top_set_sort(NULL, "", columns->chosen[at]->name, view->model);
  rearrange(view);
}

static void ask_filter(struct view *view) {
  char text[sizeof view->model->filter];
  memcpy(text, view->model->filter, sizeof text);
  if (!screen_ask("Only with:", text, sizeof text)) return;
  memcpy(view->model->filter, text, sizeof text);
  rearrange(view);
}

static enum outcome choose_kinds(struct view *view, bool all, size_t kinds) {
  view->all = all;
  view->kinds = kinds;
  view->model->options.kinds = all          ? SHMKIT_INFO_ALL
                               : kinds == 0 ? view->kinds_asked
                                            : SHMKIT_INFO_SET(kinds);
  /* What is of another kind is neither new nor gone. */
  top_forget(view->model);
  return LOOK;
}

static void change_interval(struct view *view, bool longer) {
  const int64_t least = 100000000, most = (int64_t)86400 * 1000000000;
  view->interval = longer ? view->interval * 2 : view->interval / 2;
  if (view->interval < least) view->interval = least;
  if (view->interval > most) view->interval = most;
}

static enum outcome act(struct view *view, int key) {
  struct top_model *model = view->model;
  view->message[0] = '\0';
  if (move(view, key)) return DRAW;
  switch (key) {
    case 'q':
      return QUIT;
    case 'a':
      return choose_kinds(view, !view->all, 0);
    case 'k':
      return choose_kinds(view, false, (view->kinds + 1) % (SHMKIT_INFO_FILE + 1));
    case ' ':
      return LOOK;
    case 'i':
    case SCREEN_ENTER:
      show_details(view);
      return DRAW;
    case 'h':
    case '?':
      show_help();
      return DRAW;
    case 's':
      ask_sort(view);
      return DRAW;
    case '/':
      ask_filter(view);
      return DRAW;
    case '<':
    case '>':
      sort_by_neighbour(view, key == '<' ? -1 : 1);
      return DRAW;
    case 'r':
      model->descending = !model->descending;
      rearrange(view);
      return DRAW;
    case 'p':
      view->paused = !view->paused;
      return DRAW;
    case '+':
    case '-':
      change_interval(view, key == '+');
      return DRAW;
    default:
      return DRAW;
  }
}

/* ---- The loop ------------------------------------------------------------------------------- */

/* Keys, until it is time to look. */
static enum outcome wait_for_look(struct view *view) {
  for (;;) {
    int64_t rest =
        view->paused ? INT64_C(60000000000) : view->model->ended + view->interval - clock_now();
    if (rest <= 0) return LOOK;
    int key = screen_key(
        (int)((rest < INT64_C(60000000000) ? rest : INT64_C(60000000000)) / 1000000 + 1));
    if (key == SCREEN_NONE) continue;
    enum outcome outcome = act(view, key);
    if (outcome != DRAW) return outcome;
    draw(view);
  }
}

/* A look that fails leaves the one before on the screen, if there is one. */
static bool look(struct view *view) {
  shmkit_status status = top_look(view->model);
  if (status != 0) say(view, shmkit_error_message());
  if (status != 0 && view->model->listing == NULL) return false;
  if (status != 0) view->model->ended = clock_now();
  find_selection(view);
  return true;
}

int top_on_screen(struct top_model *model, int64_t interval, uint64_t count) {
  struct view view = {.model = model, .interval = interval, .kinds_asked = model->options.kinds};
  view.all = model->options.kinds == SHMKIT_INFO_ALL;
  if (view.all) view.kinds_asked = 0;
  screen_begin();
  for (uint64_t looks = 0; count == 0 || looks < count; looks++) {
    if (!look(&view)) {
      screen_end();
      report("%s", view.message);
      return EXIT_FAILURE;
    }
    if (view.selection.kind == 0) remember_selection(&view);
    draw(&view);
    if (wait_for_look(&view) == QUIT) break;
  }
  screen_end();
  return EXIT_SUCCESS;
}
