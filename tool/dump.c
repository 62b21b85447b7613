/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.h"
#include "report.h"
#include "text.h"

enum { LINE = 16, LEAST = 4, LONGEST_CHARACTER = 4 };

struct form {
  void (*bytes)(struct dump *self, const char *bytes, size_t length);
  void (*zeros)(struct dump *self, uint64_t length);
  void (*end)(struct dump *self);
};

struct dump {
  const struct form *form;
  /* Of the next byte. */
  uint64_t offset;
  /* Zeros that came last and are not written yet. */
  uint64_t pending;
  /* Bytes that are not written yet, of a line or a run, and the line before. */
  char held[LINE + 1], previous[LINE];
  size_t held_length;
  bool squeezing, has_previous;
  /* Characters: the bytes of one that is not complete; how many of a run are held; whether the run is
   * being written. */
  char partial[LONGEST_CHARACTER + 1];
  size_t partial_length, characters;
  bool writing;
  void (*character)(struct dump *self, const char *text, size_t length);
  bool trims;
};

/* ---- Output --------------------------------------------------------------------------------- */

/* A reader that has seen enough is no error worth a word, at exit neither. */
static _Noreturn void fail(void) {
  if (errno != EPIPE) report("standard output: %m");
  progress_end();
  _exit(EXIT_FAILURE);
}

static void put(const char *bytes, size_t length) {
  if (fwrite(bytes, 1, length, stdout) != length) fail();
}

static void put_text(const char *text) {
  put(text, strlen(text));
}

/* ---- Raw ------------------------------------------------------------------------------------ */

/* Whether what is skipped reads as zeros: at the end of a regular file. */
static bool can_skip(void) {
  struct stat file;
  int flags = fcntl(STDOUT_FILENO, F_GETFL);
  off_t at = lseek(STDOUT_FILENO, 0, SEEK_CUR);
  return flags >= 0 && !(flags & O_APPEND) && fstat(STDOUT_FILENO, &file) == 0 &&
         S_ISREG(file.st_mode) && at >= file.st_size;
}

static bool skip(uint64_t length) {
  if (fflush(stdout) != 0) fail();
  if (!can_skip()) return false;
  if (fseeko(stdout, (off_t)length, SEEK_CUR) != 0) fail();
  /* The end is set now, should nothing follow. */
  if (ftruncate(STDOUT_FILENO, ftello(stdout)) != 0) fail();
  return true;
}

static void put_zeros(uint64_t length) {
  static const char zeros[1 << 16];
  if (length >= sizeof zeros && skip(length)) return;
  for (uint64_t part; length > 0; length -= part) {
    part = length < sizeof zeros ? length : sizeof zeros;
    put(zeros, (size_t)part);
  }
}

/* The length without zeros at the end. */
static size_t trimmed(const char *bytes, size_t length) {
  while (length >= sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes + length - sizeof word, sizeof word);
    if (word != 0) break;
    length -= sizeof word;
  }
  while (length > 0 && bytes[length - 1] == '\0') length--;
  return length;
}

static void raw_bytes(struct dump *self, const char *bytes, size_t length) {
  size_t kept = trimmed(bytes, length);
  if (kept > 0) {
    put_zeros(self->pending);
    put(bytes, kept);
    self->pending = 0;
  }
  self->pending += length - kept;
}

static void add_pending(struct dump *self, uint64_t length) {
  self->pending += length;
}

static void raw_end(struct dump *self) {
  if (!self->trims) put_zeros(self->pending);
}

/* ---- Hexadecimal ---------------------------------------------------------------------------- */

static char *put_hex(char *to, uint64_t value, unsigned digits) {
  static const char digit[] = "0123456789abcdef";
  for (unsigned shift = digits * 4; shift > 0; shift -= 4) {
    *to++ = digit[value >> (shift - 4) & 15];
  }
  return to;
}

static char *put_offset(char *to, uint64_t offset) {
  return put_hex(to, offset, offset >> 32 != 0 ? 16 : 8);
}

static void put_line(const struct dump *self) {
  char line[128], *to = put_offset(line, self->offset - self->held_length);
  for (size_t i = 0; i < LINE; i++) {
    *to++ = ' ';
    if (i % 8 == 0) *to++ = ' ';
    if (i < self->held_length) {
      to = put_hex(to, (unsigned char)self->held[i], 2);
    } else {
      *to++ = ' ';
      *to++ = ' ';
    }
  }
  to = stpcpy(to, "  |");
  for (size_t i = 0; i < self->held_length; i++) {
    char shown = self->held[i];
    if (shown < ' ' || shown > '~') shown = '.';
    *to++ = shown;
  }
  to = stpcpy(to, "|\n");
  put(line, (size_t)(to - line));
}

/* A full line, or the last one. */
static void end_line(struct dump *self) {
  bool same = self->has_previous && self->held_length == LINE &&
              memcmp(self->held, self->previous, LINE) == 0;
  if (!same) {
    put_line(self);
  } else if (!self->squeezing) {
    put_text("*\n");
  }
  self->squeezing = same;
  memcpy(self->previous, self->held, LINE);
  self->has_previous = true;
  self->held_length = 0;
}

static void hex_bytes(struct dump *self, const char *bytes, size_t length) {
  while (length > 0) {
    size_t room = LINE - self->held_length, part = length < room ? length : room;
    memcpy(self->held + self->held_length, bytes, part);
    self->held_length += part;
    self->offset += part;
    bytes += part;
    length -= part;
    if (self->held_length == LINE) end_line(self);
  }
}

/* Three lines of zeros are enough to begin with "*"; the others are counted only. */
static void hex_zeros(struct dump *self, uint64_t length) {
  static const char zeros[4 * LINE];
  if (length > sizeof zeros) {
    hex_bytes(self, zeros, sizeof zeros - self->held_length);
    length -= sizeof zeros - self->held_length;
  }
  if (self->squeezing && self->held_length == 0) {
    self->offset += length / LINE * LINE;
    length %= LINE;
  }
  hex_bytes(self, zeros, (size_t)length);
}

static void hex_end(struct dump *self) {
  char line[24], *to = put_offset(line, self->offset);
  if (self->held_length > 0) end_line(self);
  *to++ = '\n';
  put(line, (size_t)(to - line));
}

/* ---- Characters ----------------------------------------------------------------------------- */

/* Whether more bytes may make a character of what is there. */
static bool is_partial(const struct dump *self) {
  unsigned char first = (unsigned char)self->partial[0];
  size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  for (size_t i = 1; i < self->partial_length; i++) {
    if (((unsigned char)self->partial[i] & 0xc0) != 0x80) return false;
  }
  return self->partial_length < wanted;
}

/* What is not UTF-8 is a character of length 0. Once its first byte is given up, the others may begin
 * characters. */
static void give_up_first(struct dump *self) {
  self->character(self, self->partial, 0);
  self->partial_length--;
  memmove(self->partial, self->partial + 1, self->partial_length + 1);
}

static void settle(struct dump *self) {
  while (self->partial_length > 0) {
    size_t length = text_character(self->partial);
    if (length == 0 && self->partial[0] == '\0') length = 1;
    if (length == 0 && is_partial(self)) return;
    if (length == 0) {
      give_up_first(self);
    } else {
      self->character(self, self->partial, length);
      self->partial_length -= length;
      memmove(self->partial, self->partial + length, self->partial_length + 1);
    }
  }
}

static void take_character(struct dump *self, char byte) {
  self->offset++;
  if (self->partial_length == 0 && (unsigned char)byte < 0x80) {
    self->character(self, &byte, 1);
    return;
  }
  self->partial[self->partial_length++] = byte;
  self->partial[self->partial_length] = '\0';
  settle(self);
}

static void character_bytes(struct dump *self, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) take_character(self, bytes[i]);
}

/* All but the first, which ends whatever came before, change nothing. */
static void character_zeros(struct dump *self, uint64_t length) {
  take_character(self, '\0');
  self->offset += length - 1;
  if (self->trims) self->pending += length - 1;
}

static void end_characters(struct dump *self) {
  while (self->partial_length > 0) give_up_first(self);
}

/* ---- Strings -------------------------------------------------------------------------------- */

static void end_run(struct dump *self) {
  if (self->writing) put_text("\n");
  self->writing = false;
  self->characters = 0;
  self->held_length = 0;
}

static void begin_run(struct dump *self, uint64_t end) {
  char offset[24], *to = put_offset(offset, end - self->held_length);
  to = stpcpy(to, "  ");
  put(offset, (size_t)(to - offset));
  put(self->held, self->held_length);
  self->writing = true;
}

static void add_to_run(struct dump *self, const char *text, size_t length) {
  if (self->writing) {
    put(text, length);
    return;
  }
  memcpy(self->held + self->held_length, text, length);
  self->held_length += length;
  self->characters++;
  if (self->characters < LEAST) return;
  /* There may be bytes behind it that are looked at already. */
  size_t behind = self->partial_length > length ? self->partial_length - length : 0;
  begin_run(self, self->offset - behind);
}

static void string_character(struct dump *self, const char *text, size_t length) {
  bool printable = length > 0 && (*text == '\t' || !text_is_control(text, length));
  if (printable) {
    add_to_run(self, text, length);
  } else {
    end_run(self);
  }
}

static void string_end(struct dump *self) {
  end_characters(self);
  end_run(self);
}

/* ---- Text ----------------------------------------------------------------------------------- */

static void put_pending(struct dump *self) {
  char escape[40];
  if (self->pending == 0) return;
  (void)snprintf(escape, sizeof escape, self->pending == 1 ? "\\000" : "\\000{%ju}",
                 (uintmax_t)self->pending);
  put_text(escape);
  self->pending = 0;
}

static void put_escaped(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    char escape[8];
    (void)snprintf(escape, sizeof escape, "\\%03o", (unsigned char)text[i]);
    put_text(escape);
  }
}

static void text_form_character(struct dump *self, const char *text, size_t length) {
  if (length == 1 && *text == '\0') {
    self->pending++;
    return;
  }
  put_pending(self);
  self->writing = *text != '\n';
  if (length > 0 && (strchr("\t\n", *text) != NULL || !text_is_control(text, length))) {
    put(text, length);
  } else {
    put_escaped(text, length > 0 ? length : 1);
  }
}

/* The prompt comes on a line of its own. */
static void text_end(struct dump *self) {
  end_characters(self);
  if (self->writing) put_text("\n");
}

/* ---- All ------------------------------------------------------------------------------------ */

struct dump *dump_new(enum dump_form form, uint64_t offset) {
  static const struct form forms[] = {
      [DUMP_RAW] = {raw_bytes, add_pending, raw_end},
      [DUMP_TRIMMED] = {raw_bytes, add_pending, raw_end},
      [DUMP_TEXT] = {character_bytes, character_zeros, text_end},
      [DUMP_HEX] = {hex_bytes, hex_zeros, hex_end},
      [DUMP_STRINGS] = {character_bytes, character_zeros, string_end},
  };
  struct dump *self = must(calloc(1, sizeof *self));
  self->form = &forms[form];
  self->offset = offset;
  self->trims = form == DUMP_TRIMMED || form == DUMP_TEXT;
  self->character = form == DUMP_STRINGS ? string_character : text_form_character;
  return self;
}

void dump_bytes(struct dump *self, const char *bytes, size_t length) {
  self->form->bytes(self, bytes, length);
}

void dump_zeros(struct dump *self, uint64_t length) {
  if (length > 0) self->form->zeros(self, length);
}

void dump_end(struct dump *self) {
  self->form->end(self);
  if (fflush(stdout) != 0) fail();
  free(self);
}
