/* SPDX-License-Identifier: MIT */
#include "watch_screen.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "screen.h"
#include "text.h"

/* Strings are looked for in so many bytes, and are as long as this at least. */
enum { STRINGS_ROOM = 65536, STRING_LEAST = 4 };

struct view {
  struct watch_model *model;
  uint64_t offset;
  int64_t interval;
  bool paused;
  /* What is said until something else is; "" for nothing. */
  char message[256];
};

/* ---- What fits ------------------------------------------------------------------------------ */

static size_t rows(void) {
  return screen_rows() > 2 ? (size_t)screen_rows() - 2 : 1;
}

static int offset_digits(const struct view *view) {
  return content_size(view->model->content) > UINT32_MAX ? 12 : 8;
}

/* The columns that an element of a type takes at most. */
static int element_width(shmkit_type type) {
  static const int widths[] = {
      [SHMKIT_I8] = 4,   [SHMKIT_I16] = 6,  [SHMKIT_I32] = 11, [SHMKIT_I64] = 20,
      [SHMKIT_U8] = 3,   [SHMKIT_U16] = 5,  [SHMKIT_U32] = 10, [SHMKIT_U64] = 20,
      [SHMKIT_F32] = 14, [SHMKIT_F64] = 24, [SHMKIT_BOOL] = 5, [SHMKIT_CHAR] = 4};
  return widths[type];
}

/* Bytes in a row: as many elements as fit, and a power of two. */
static size_t row_bytes(const struct view *view) {
  bool typed = view->model->mode == WATCH_TYPE;
  size_t size = typed ? shmkit_type_size(view->model->type) : 1, count = 1;
  int each = typed ? element_width(view->model->type) + 1 : 4;
  int room = screen_columns() - offset_digits(view) - (typed ? 1 : 3);
  while (count * size < 32 && (int)(2 * count) * each <= room) count *= 2;
  return count * size;
}

static size_t wanted_room(const struct view *view) {
  return view->model->mode == WATCH_STRINGS ? STRINGS_ROOM : rows() * row_bytes(view);
}

/* ---- Drawing -------------------------------------------------------------------------------- */

/* What has just changed stands out, and fades within a few looks. */
static enum screen_style style_of_age(unsigned char age) {
  if (age == 0) return SCREEN_HOT;
  if (age <= 2) return SCREEN_WARM;
  return age <= 5 ? SCREEN_COOL : SCREEN_PLAIN;
}

/* Takes `text`. */
static int put(int row, int column, enum screen_style style, char *text) {
  column = screen_put(row, column, INT_MAX, style, text);
  free(text);
  return column;
}

static int put_offset(const struct view *view, int row, size_t at) {
  uintmax_t offset = view->model->offset + at;
  return put(row, 0, SCREEN_PLAIN, text_format("%0*jx ", offset_digits(view), offset));
}

static void put_character(int row, int column, enum screen_style style, unsigned char byte) {
  const char text[] = {(char)(watch_is_printable(byte) ? byte : '.'), '\0'};
  (void)screen_put(row, column, INT_MAX, style, text);
}

static void draw_hex_row(const struct view *view, int row, size_t from, size_t count) {
  const struct watch_model *model = view->model;
  int column = put_offset(view, row, from) + 1;
  for (size_t i = 0; i < count && from + i < model->length; i++) {
    enum screen_style style = style_of_age(model->ages[from + i]);
    (void)put(row, column + 3 * (int)i, style, text_format("%02x", model->bytes[from + i]));
    put_character(row, column + 3 * (int)count + 1 + (int)i, style, model->bytes[from + i]);
  }
}

static void draw_type_row(const struct view *view, int row, size_t from, size_t count) {
  const struct watch_model *model = view->model;
  size_t size = shmkit_type_size(model->type);
  int width = element_width(model->type), column = put_offset(view, row, from);
  for (size_t at = from; at < from + count && at + size <= model->length; at += size) {
    unsigned char age = WATCH_UNSEEN;
    for (size_t i = 0; i < size; i++) {
      if (model->ages[at + i] < age) age = model->ages[at + i];
    }
    char *text = watch_element(model->type, model->bytes + at);
    int start = column + width - (int)strlen(text);
    (void)put(row, start, style_of_age(age), text);
    column += width + 1;
  }
}

static size_t string_length(const struct watch_model *model, size_t at) {
  size_t length = 0;
  while (at + length < model->length && watch_is_printable(model->bytes[at + length])) length++;
  return length;
}

/* The next string at or after `*at`. */
static bool find_string(const struct watch_model *model, size_t *at, size_t *length) {
  for (; *at < model->length; *at += *length + 1) {
    *length = string_length(model, *at);
    if (*length >= STRING_LEAST) return true;
  }
  return false;
}

static void draw_string(const struct view *view, int row, size_t at, size_t length) {
  int column = put_offset(view, row, at) + 1;
  for (size_t i = 0; i < length && column + (int)i < screen_columns(); i++) {
    put_character(row, column + (int)i, style_of_age(view->model->ages[at + i]),
                  view->model->bytes[at + i]);
  }
}

static void draw_strings(const struct view *view) {
  size_t at = 0, length = 0;
  for (size_t row = 0; row < rows() && find_string(view->model, &at, &length); row++) {
    draw_string(view, (int)row + 1, at, length);
    at += length;
  }
}

static void draw_content(const struct view *view) {
  const struct watch_model *model = view->model;
  if (model->mode == WATCH_STRINGS) {
    draw_strings(view);
    return;
  }
  size_t bytes = row_bytes(view);
  for (size_t row = 0; row < rows() && row * bytes < model->length; row++) {
    (model->mode == WATCH_HEX ? draw_hex_row : draw_type_row)(view, (int)row + 1, row * bytes,
                                                              bytes);
  }
}

static char *heading(const struct view *view) {
  const struct watch_model *model = view->model;
  char *address = text_quote(content_address(model->content));
  const char *mode = model->mode == WATCH_HEX       ? "hex"
                     : model->mode == WATCH_STRINGS ? "strings"
                                                    : shmkit_type_name(model->type);
  char *line = text_format("%s  %ju bytes  at %#jx  %s%s  every %g s, look took %.2f ms", address,
                           (uintmax_t)content_size(model->content), (uintmax_t)model->offset, mode,
                           view->paused ? "  PAUSED" : "", (double)view->interval / 1e9,
                           (double)model->took / 1e6);
  free(address);
  return line;
}

static const char *last_line(const struct view *view) {
  if (view->message[0] != '\0') return view->message;
  if (view->model->event == CONTENT_REMOVED) {
    return "It was removed; this is what is left, until it is created anew";
  }
  return "q quit, arrows move, g go to, t hex/strings/type, T types, p pause, + -";
}

static void draw(struct view *view) {
  screen_clear();
  int column = put(0, 0, SCREEN_HEADING, heading(view));
  (void)screen_fill(0, column, INT_MAX, SCREEN_HEADING);
  if (screen_rows() > 2) draw_content(view);
  if (screen_rows() > 1) {
    (void)screen_put(screen_rows() - 1, 0, INT_MAX, SCREEN_WARM, last_line(view));
  }
  screen_show();
}

/* ---- Looking -------------------------------------------------------------------------------- */

static void say(struct view *view, const char *text) {
  char *address = text_quote(content_address(view->model->content));
  (void)snprintf(view->message, sizeof view->message, "%s %s", address, text);
  free(address);
}

static void say_size(struct view *view, uint64_t before) {
  uint64_t now = content_size(view->model->content);
  if (now == before) return;
  char *text = text_format("%s from %ju to %ju bytes", now > before ? "grew" : "shrank",
                           (uintmax_t)before, (uintmax_t)now);
  say(view, text);
  free(text);
}

static bool has_changed(const struct watch_model *model) {
  return memchr(model->ages, 0, model->length) != NULL;
}

/* Whether something has changed. */
static bool look(struct view *view) {
  struct watch_model *model = view->model;
  uint64_t size = content_size(model->content);
  bool was_removed = model->event == CONTENT_REMOVED;
  if (model->offset != view->offset || model->room != wanted_room(view)) {
    watch_move(model, view->offset, wanted_room(view));
  }
  (void)watch_look(model);
  enum content_event event = model->event;
  say_size(view, size);
  if (event == CONTENT_REPLACED) say(view, "was created anew");
  if (event == CONTENT_SAME && was_removed) say(view, "is there again");
  char *held = report_held();
  if (held != NULL) (void)snprintf(view->message, sizeof view->message, "%s", held);
  free(held);
  return has_changed(model);
}

/* ---- Moving --------------------------------------------------------------------------------- */

static void go_to(struct view *view, uint64_t offset) {
  uint64_t size = content_size(view->model->content);
  view->offset = offset < size ? offset : size > 0 ? size - 1 : 0;
}

static void go_back(struct view *view, uint64_t bytes) {
  view->offset -= bytes < view->offset ? bytes : view->offset;
}

static void go_on(struct view *view, uint64_t bytes) {
  uint64_t size = content_size(view->model->content);
  if (bytes < size && view->offset < size - bytes) view->offset += bytes;
}

/* So many strings onwards from the first one that is shown. */
static void skip_strings(struct view *view, size_t count) {
  size_t at = 0, length = 0;
  while (find_string(view->model, &at, &length)) {
    if (count-- == 0) {
      view->offset = view->model->offset + at;
      return;
    }
    at += length;
  }
  go_on(view, STRINGS_ROOM / 2);
}

/* So many strings back, as far as they are within reach. */
static void skip_strings_back(struct view *view, size_t count) {
  uint64_t first = view->offset, from = first > STRINGS_ROOM ? first - STRINGS_ROOM : 0;
  size_t at = 0, length = 0, found = 0;
  watch_move(view->model, from, STRINGS_ROOM);
  view->offset = from;
  (void)look(view);
  while (find_string(view->model, &at, &length) && from + at < first) {
    found++;
    at += length;
  }
  if (found > count) {
    skip_strings(view, found - count);
  }
}

static void move_rows(struct view *view, size_t count, bool back) {
  bool strings = view->model->mode == WATCH_STRINGS;
  if (strings) {
    (back ? skip_strings_back : skip_strings)(view, count);
  } else {
    (back ? go_back : go_on)(view, count * row_bytes(view));
  }
}

static void go_to_end(struct view *view) {
  uint64_t size = content_size(view->model->content), room = rows() * row_bytes(view);
  uint64_t row = row_bytes(view);
  go_to(view, size > room ? (size - room + row - 1) / row * row : 0);
}

static bool move(struct view *view, int key) {
  size_t step = view->model->mode == WATCH_TYPE ? shmkit_type_size(view->model->type) : 1;
  switch (key) {
    case SCREEN_UP:
    case SCREEN_DOWN:
      move_rows(view, 1, key == SCREEN_UP);
      return true;
    case SCREEN_PAGE_UP:
    case SCREEN_PAGE_DOWN:
      move_rows(view, rows(), key == SCREEN_PAGE_UP);
      return true;
    case SCREEN_LEFT:
    case SCREEN_RIGHT:
      (key == SCREEN_LEFT ? go_back : go_on)(view, step);
      return true;
    case SCREEN_HOME:
      view->offset = 0;
      return true;
    case SCREEN_END:
      go_to_end(view);
      return true;
    default:
      return false;
  }
}

/* ---- Commands ------------------------------------------------------------------------------- */

static void ask_offset(struct view *view) {
  char text[32] = "", *end = NULL;
  if (!screen_ask("Go to offset:", text, sizeof text) || text[0] == '\0') return;
  errno = 0;
  int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
  unsigned long long offset = strtoull(text, &end, base);
  if (*end != '\0' || errno != 0 || strchr("0123456789", text[0]) == NULL) {
    (void)snprintf(view->message, sizeof view->message, "'%s' is no offset; write 4096 or 0x1000",
                   text);
  } else if (offset >= content_size(view->model->content)) {
    say(view, "is not as large as that");
  } else {
    view->offset = offset;
  }
}

static void change_interval(struct view *view, bool longer) {
  const int64_t least = 10000000, most = INT64_C(86400000000000);
  view->interval = longer ? view->interval * 2 : view->interval / 2;
  if (view->interval < least) view->interval = least;
  if (view->interval > most) view->interval = most;
}

static void change_type(struct watch_model *model) {
  if (model->mode == WATCH_TYPE) {
    model->type = model->type < SHMKIT_CHAR ? model->type + 1 : SHMKIT_I8;
  }
  model->mode = WATCH_TYPE;
}

/* False to quit. */
static bool act(struct view *view, int key) {
  view->message[0] = '\0';
  if (move(view, key)) return true;
  switch (key) {
    case 'q':
      return false;
    case 'g':
      ask_offset(view);
      break;
    case 't':
      view->model->mode = (view->model->mode + 1) % (WATCH_TYPE + 1);
      break;
    case 'T':
      change_type(view->model);
      break;
    case 'p':
      view->paused = !view->paused;
      break;
    case '+':
    case '-':
      change_interval(view, key == '+');
      break;
    default:
      break;
  }
  return true;
}

int watch_on_screen(struct watch_model *model, uint64_t offset, int64_t interval, uint64_t count) {
  struct view view = {.model = model, .offset = offset, .interval = interval};
  uint64_t changes = 0;
  int key = SCREEN_NONE;
  screen_begin();
  for (;;) {
    /* A key is no reason to look at what is shown already: changes would fade with each. */
    bool elsewhere = model->offset != view.offset || model->room != wanted_room(&view);
    if (elsewhere || (key == SCREEN_NONE && !view.paused)) changes += look(&view);
    draw(&view);
    if (count > 0 && changes >= count) break;
    key = screen_key((int)(view.interval / 1000000));
    if (key != SCREEN_NONE && !act(&view, key)) break;
  }
  screen_end();
  return EXIT_SUCCESS;
}
