/* SPDX-License-Identifier: MIT */
#include "prose.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "report.h"
#include "table.h"
#include "text.h"

enum { USUAL_WIDTH = 80, LARGEST_WIDTH = 100, LEAST_WIDTH = 20, INDENT = 4 };
enum part { NOTHING, TITLE, PARAGRAPH, ITEM, LINE };

static enum part last;

void prose_begin(void) {
  last = NOTHING;
}

static size_t width(void) {
  struct winsize size;
  const char *asked = getenv("COLUMNS");
  long columns = asked != NULL ? strtol(asked, NULL, 10) : 0;
  if (columns <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (columns <= 0) columns = USUAL_WIDTH;
  if (columns < LEAST_WIDTH) columns = LEAST_WIDTH;
  return (size_t)(columns < LARGEST_WIDTH ? columns : LARGEST_WIDTH);
}

/* How many columns a word takes. */
static size_t width_of(const char *word, size_t bytes) {
  size_t columns = 0;
  mbstate_t state = {0};
  while (bytes > 0) {
    wchar_t character;
    size_t length = mbrtowc(&character, word, bytes, &state);
    if (length == 0 || length > bytes) return columns + bytes;
    int wide = wcwidth(character);
    columns += wide > 0 ? (size_t)wide : 0;
    word += length;
    bytes -= length;
  }
  return columns;
}

/* `first` before the first line, as many spaces before the others. */
static void fill(const char *first, const char *text) {
  size_t margin = strlen(first), most = width(), column = margin;
  (void)fputs(first, stdout);
  bool begins = true;
  while (*(text += strspn(text, " ")) != '\0') {
    size_t bytes = strcspn(text, " "), wide = width_of(text, bytes);
    if (!begins && column + 1 + wide > most) {
      (void)printf("\n%*s", (int)margin, "");
      column = margin;
      begins = true;
    }
    (void)printf("%s%.*s", begins ? "" : " ", (int)bytes, text);
    column += wide + (begins ? 0 : 1);
    begins = false;
    text += bytes;
  }
  (void)putchar('\n');
}

static char *formatted(const char *format, va_list arguments) {
  char *text = NULL;
  int length = vasprintf(&text, format, arguments);
  char *clean = text_escape(must(length < 0 ? NULL : text));
  free(text);
  return clean;
}

static void separate(enum part part) {
  bool together = last == NOTHING || (part == last && (part == ITEM || part == LINE));
  if (!together) (void)putchar('\n');
  last = part;
}

void prose_title(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = formatted(format, arguments);
  va_end(arguments);
  separate(TITLE);
  bool bold = colors_are_wanted();
  (void)printf("%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[0m" : "");
  free(text);
}

void prose(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = formatted(format, arguments);
  va_end(arguments);
  separate(PARAGRAPH);
  fill("", text);
  free(text);
}

void prose_item(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = formatted(format, arguments);
  va_end(arguments);
  separate(ITEM);
  fill("- ", text);
  free(text);
}

void prose_line(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = formatted(format, arguments);
  va_end(arguments);
  separate(LINE);
  for (size_t length = strlen(text); length > 0 && text[length - 1] == ' ';) {
    text[--length] = '\0';
  }
  (void)printf("%*s%s\n", INDENT, "", text);
  free(text);
}
