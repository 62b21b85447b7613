/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shmkit/inspect.h>

#include "report.h"

char *text_format(const char *format, ...) {
  /* Most are short, and vasprintf allocates twice. */
  char brief[64], *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(brief, sizeof brief, format, arguments);
  va_end(arguments);
  if (length >= 0 && (size_t)length < sizeof brief) return must(strdup(brief));
  va_start(arguments, format);
  length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return must(length < 0 ? NULL : text);
}

/* ---- Names ---------------------------------------------------------------------------------- */

static bool continues(const char *text, size_t count) {
  for (size_t i = 1; i <= count; i++) {
    if (((unsigned char)text[i] & 0xc0) != 0x80) return false;
  }
  return true;
}

size_t text_character(const char *text) {
  unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(text, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    /* Not longer than needed, and no surrogates. */
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;
    return continues(text, 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
    return continues(text, 3) ? 4 : 0;
  }
  return 0;
}

bool text_is_utf8(const char *text) {
  while (*text != '\0') {
    size_t length = text_character(text);
    if (length == 0) return false;
    text += length;
  }
  return true;
}

bool text_is_control(const char *text, size_t length) {
  unsigned char first = (unsigned char)text[0];
  return (length == 1 && (first < 0x20 || first == 0x7f)) ||
         (length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

static char letter_of(char c) {
  static const char codes[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";
  const char *at = strchr(codes, c);
  if (at == NULL) return '\0';
  return letters[at - codes]; /* "" ends both. */
}

/* Octal, because libsmartcols takes "\x" for an escape of its own, and escapes it. */
static void put_escape(FILE *out, char c) {
  char letter = letter_of(c);
  if (letter != '\0') {
    (void)fprintf(out, "\\%c", letter);
  } else {
    (void)fprintf(out, "\\%03o", (unsigned char)c);
  }
}

/* Each of `special` is escaped, too. */
static void put_escaped(FILE *out, const char *text, const char *special) {
  while (*text != '\0') {
    size_t length = text_character(text);
    if (length == 0 || text_is_control(text, length)) {
      size_t bytes = length == 0 ? 1 : length;
      for (size_t i = 0; i < bytes; i++) put_escape(out, text[i]);
      text += bytes;
    } else {
      if (strchr(special, *text) != NULL) {
        put_escape(out, *text);
      } else {
        (void)fwrite(text, 1, length, out);
      }
      text += length;
    }
  }
}

static char *escaped(const char *before, const char *text, const char *special, const char *after) {
  char *result = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&result, &size));
  (void)fputs(before, out);
  put_escaped(out, text, special);
  (void)fputs(after, out);
  if (fclose(out) != 0) return must(NULL);
  return result;
}

char *text_escape(const char *text) {
  return escaped("", text, "", "");
}

static bool needs_escapes(const char *text) {
  for (size_t length; *text != '\0'; text += length) {
    length = text_character(text);
    if (length == 0 || text_is_control(text, length) || strchr("\\'", *text) != NULL) return true;
  }
  return false;
}

char *text_quote(const char *text) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                              "%+,-./:=@_";
  if (*text != '\0' && text[strspn(text, plain)] == '\0') return must(strdup(text));
  if (needs_escapes(text)) return escaped("$'", text, "\\'", "'");
  return text_format("'%s'", text);
}

/* ---- Numbers -------------------------------------------------------------------------------- */

char *text_count(uint64_t count) {
  return count == SHMKIT_UNKNOWN ? must(strdup("-")) : text_format("%ju", (uintmax_t)count);
}

char *text_size(uint64_t bytes, bool exact) {
  static const char units[] = "BKMGTPE";
  unsigned unit = 0;
  uint64_t whole = bytes, rest = 0;
  if (exact || bytes == SHMKIT_UNKNOWN) return text_count(bytes);
  while (whole >= 1024) {
    rest = whole % 1024;
    whole /= 1024;
    unit++;
  }
  uint64_t tenths = (whole * 1024 + rest) * 10 / 1024;
  if (unit == 0) return text_format("%juB", (uintmax_t)bytes);
  if (tenths >= 100 || tenths % 10 == 0) return text_format("%ju%c", (uintmax_t)whole, units[unit]);
  return text_format("%ju.%ju%c", (uintmax_t)(tenths / 10), (uintmax_t)(tenths % 10), units[unit]);
}

char *text_age(int64_t since, int64_t now) {
  static const struct {
    int64_t seconds;
    char name;
  } units[] = {{(int64_t)365 * 86400, 'y'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  if (since == SHMKIT_UNKNOWN_TIME || now == SHMKIT_UNKNOWN_TIME) return must(strdup("-"));
  /* Unsigned, because files may have times that are centuries away. */
  uint64_t nanoseconds = now > since ? (uint64_t)now - (uint64_t)since : 0;
  int64_t seconds = (int64_t)(nanoseconds / 1000000000);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (seconds >= units[i].seconds) {
      return text_format("%jd%c", (intmax_t)(seconds / units[i].seconds), units[i].name);
    }
  }
  return must(strdup("0s"));
}

char *text_time(int64_t time) {
  char text[64];
  time_t seconds = (time_t)(time / 1000000000);
  struct tm local;
  if (time == SHMKIT_UNKNOWN_TIME || localtime_r(&seconds, &local) == NULL) {
    return must(strdup("-"));
  }
  (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &local);
  return must(strdup(text));
}

char *text_mode(uint32_t mode) {
  static const char bits[] = "rwxrwxrwx";
  char text[] = "---------";
  if (mode == SHMKIT_UNKNOWN_ID) return must(strdup("-"));
  for (unsigned i = 0; i < 9; i++) {
    if (mode & (0400U >> i)) text[i] = bits[i];
  }
  return must(strdup(text));
}
