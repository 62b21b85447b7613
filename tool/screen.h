/* SPDX-License-Identifier: MIT */
/*
 * The terminal as a screen, by ncurses. There is one, between screen_begin and screen_end; whatever
 * way the program leaves, by exit or by a signal that ends it, the terminal is as before. Ctrl-Z
 * gives it back, too, and fg takes it again.
 *
 * What is put on it is text of any origin: control characters and what has no width never reach
 * the terminal, and appear as '?'.
 */
#ifndef SHMKIT_TOOL_SCREEN_H
#define SHMKIT_TOOL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* How text looks. Each can be told from plain text without colours as well, except the last four. */
enum screen_style {
  SCREEN_PLAIN,
  SCREEN_HEADING,
  SCREEN_SELECTED,
  /* Just changed, or new; changed a little ago; changed some time ago; gone. */
  SCREEN_HOT,
  SCREEN_WARM,
  SCREEN_COOL,
  SCREEN_GONE,
  SCREEN_GREEN,
  SCREEN_YELLOW,
  SCREEN_RED,
  SCREEN_CYAN
};

/* Keys besides characters, which are themselves. */
enum screen_key {
  /* The time is over. */
  SCREEN_NONE = 0x110000,
  /* Another size: draw again. */
  SCREEN_RESIZED,
  SCREEN_UP,
  SCREEN_DOWN,
  SCREEN_LEFT,
  SCREEN_RIGHT,
  SCREEN_PAGE_UP,
  SCREEN_PAGE_DOWN,
  SCREEN_HOME,
  SCREEN_END,
  SCREEN_ENTER,
  SCREEN_ESCAPE,
  SCREEN_BACKSPACE
};

/* Whether standard input and output are a terminal that can be a screen. Leaves with a message when
 * they are a terminal and nobody said which, by TERM, or said something unknown. */
bool screen_is_possible(void);

/* Until the end, messages are held; see report_hold. */
void screen_begin(void);
void screen_end(void);

int screen_rows(void);
int screen_columns(void);

/* An empty screen to draw on; nothing is seen before screen_show. */
void screen_clear(void);
/* From a column on, cut off at column `end` or the right end; gives the column behind the text. */
int screen_put(int row, int column, int end, enum screen_style style, const char *text);
/* Spaces up to column `end`, INT_MAX for the right end; gives that column. */
int screen_fill(int row, int column, int end, enum screen_style style);
void screen_show(void);

/* The columns that text takes on the screen. */
int screen_width(const char *text);

/* A key, waited for no longer than so many milliseconds. Ends the program on a signal that says so,
 * and when the terminal is gone. */
int screen_key(int milliseconds);

/* Ask for a line of text in the last row; `text` has what is there to begin with. False when it was
 * given up with Escape, and when the screen's size has changed. */
bool screen_ask(const char *question, char *text, size_t size);

/* Lines of text in place of everything else, to be scrolled. */
struct screen_text {
  char **lines;
  size_t count;
  /* The first that is shown. */
  size_t top;
};
/* Takes `line`, which came from malloc. */
void screen_text_add(struct screen_text *self, char *line);
void screen_text_free(struct screen_text *self);
void screen_text_draw(struct screen_text *self, const char *title);
/* Whether the key was one that scrolls. */
bool screen_text_scroll(struct screen_text *self, int key);

#endif
