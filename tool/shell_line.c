/* SPDX-License-Identifier: MIT */
#include "shell_line.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

/* ---- Reading -------------------------------------------------------------------------------- */

struct reader {
  struct shell_line *line;
  const char *at;
  FILE *word; /* NULL between words. */
  char *bytes;
  size_t size;
};

static void begin_word(struct reader *reader) {
  if (reader->word == NULL) reader->word = must(open_memstream(&reader->bytes, &reader->size));
}

static void end_word(struct reader *reader) {
  struct shell_line *line = reader->line;
  if (reader->word == NULL) return;
  if (fclose(reader->word) != 0) must(NULL);
  reader->word = NULL;
  line->words = must(reallocarray(line->words, line->count + 1, sizeof *line->words));
  line->words[line->count++] = reader->bytes;
}

static void put(struct reader *reader, char c) {
  begin_word(reader);
  (void)fputc(c, reader->word);
}

/* A number of at most `most` digits. False when the line ends before they are all there: there may
 * be more to come. */
static bool read_number(struct reader *reader, int base, int most) {
  char digits[4] = "", *end = NULL;
  (void)strncpy(digits, reader->at, (size_t)most);
  unsigned long value = strtoul(digits, &end, base);
  reader->at += end - digits;
  if (end - digits < most && *reader->at == '\0') return false;
  put(reader, (char)value);
  return true;
}

/* After a backslash in $'...'; false when the escape is not complete. */
static bool read_escape(struct reader *reader) {
  static const char letters[] = "abtnvfreE", codes[] = "\a\b\t\n\v\f\r\033\033";
  char c = *reader->at;
  if (c >= '0' && c <= '7') return read_number(reader, 8, 3);
  reader->at++;
  if (c == 'x') return read_number(reader, 16, 2);
  const char *letter = strchr(letters, c);
  if (letter != NULL) c = codes[letter - letters];
  put(reader, c);
  return true;
}

/* From a backslash on. */
static void read_backslash(struct reader *reader) {
  struct shell_line *line = reader->line;
  const char *start = reader->at++;
  bool complete = *reader->at != '\0';
  begin_word(reader);
  if (complete && line->quote == SHELL_ESCAPES) {
    complete = read_escape(reader);
  } else if (complete) {
    if (line->quote == SHELL_DOUBLE && strchr("\"\\$`", *reader->at) == NULL) put(reader, '\\');
    put(reader, *reader->at++);
  }
  if (!complete) line->unfinished = (size_t)(reader->at - start);
}

static void open_quote(struct reader *reader, enum shell_quote quote, size_t length) {
  begin_word(reader);
  reader->line->quote = quote;
  reader->at += length;
}

static void read_bare(struct reader *reader) {
  if (isblank((unsigned char)*reader->at)) {
    end_word(reader);
    reader->at++;
  } else if (*reader->at == '\\') {
    read_backslash(reader);
  } else if (*reader->at == '\'') {
    open_quote(reader, SHELL_SINGLE, 1);
  } else if (*reader->at == '"') {
    open_quote(reader, SHELL_DOUBLE, 1);
  } else if (strncmp(reader->at, "$'", 2) == 0) {
    open_quote(reader, SHELL_ESCAPES, 2);
  } else {
    put(reader, *reader->at++);
  }
}

static void read_quoted(struct reader *reader) {
  enum shell_quote *quote = &reader->line->quote;
  if (*reader->at == (*quote == SHELL_DOUBLE ? '"' : '\'')) {
    *quote = SHELL_BARE;
    reader->at++;
  } else if (*reader->at == '\\' && *quote != SHELL_SINGLE) {
    read_backslash(reader);
  } else {
    put(reader, *reader->at++);
  }
}

void shell_line_read(struct shell_line *line, const char *text) {
  struct reader reader = {.line = line, .at = text};
  *line = (struct shell_line){.quote = SHELL_BARE};
  while (*reader.at != '\0') {
    if (line->quote == SHELL_BARE) {
      read_bare(&reader);
    } else {
      read_quoted(&reader);
    }
  }
  begin_word(&reader);
  end_word(&reader);
}

void shell_line_clear(struct shell_line *line) {
  for (size_t i = 0; i < line->count; i++) free(line->words[i]);
  free(line->words);
}

/* ---- Going on ------------------------------------------------------------------------------- */

/* Control characters and what is not UTF-8 would not survive the editing of a line. */
static bool needs_escape(const char *text, size_t length) {
  char piece[5] = "";
  memcpy(piece, text, length > 0 ? length : 1);
  char *escaped = text_escape(piece);
  bool differs = strcmp(escaped, piece) != 0;
  free(escaped);
  return differs;
}

static void put_escape(FILE *out, enum shell_quote quote, const char *piece) {
  static const char *const before[] = {"$'", "'$'", "\"$'", ""}, *const after[] = {"'", "''", "'\"",
                                                                                   ""};
  char *escaped = text_escape(piece);
  (void)fprintf(out, "%s%s%s", before[quote], escaped, after[quote]);
  free(escaped);
}

/* Where a backslash does. */
static bool needs_backslash(enum shell_quote quote, char c) {
  switch (quote) {
    case SHELL_BARE:
      return !isalnum((unsigned char)c) && (c & 0x80) == 0 && strchr("%+,-./:=@_", c) == NULL;
    case SHELL_DOUBLE:
      return strchr("\"\\$`", c) != NULL;
    case SHELL_ESCAPES:
      return strchr("'\\", c) != NULL;
    case SHELL_SINGLE:
      break;
  }
  return false;
}

static void put_byte(FILE *out, enum shell_quote quote, char c) {
  if (quote == SHELL_SINGLE && c == '\'') {
    (void)fputs("'\\''", out);
  } else if (quote == SHELL_DOUBLE && c == '!') {
    /* Inside of the quotes it would stand for an earlier command, and a backslash would stay. */
    (void)fputs("\"\\!\"", out);
  } else {
    if (needs_backslash(quote, c)) (void)fputc('\\', out);
    (void)fputc(c, out);
  }
}

/* readline closes quotes, but not where the last character looks as if they were closed. */
static char *closed(enum shell_quote quote, char *text, size_t size) {
  char mark = quote == SHELL_DOUBLE ? '"' : '\'';
  if (quote == SHELL_BARE || size == 0 || text[size - 1] != mark) return text;
  char *longer = text_format("%s%c", text, mark);
  free(text);
  return longer;
}

char *shell_line_continue(const struct shell_line *line, const char *rest) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&text, &size));
  while (*rest != '\0') {
    size_t length = text_character(rest), bytes = length > 0 ? length : 1;
    char piece[5] = "";
    memcpy(piece, rest, bytes);
    if (needs_escape(rest, length)) {
      put_escape(out, line->quote, piece);
    } else {
      for (size_t i = 0; i < bytes; i++) put_byte(out, line->quote, piece[i]);
    }
    rest += bytes;
  }
  if (fclose(out) != 0) return must(NULL);
  return closed(line->quote, text, size);
}
