/* SPDX-License-Identifier: MIT */
/* Bytes on standard output, in one form or another. */
#ifndef SHMKIT_TOOL_DUMP_H
#define SHMKIT_TOOL_DUMP_H

#include <stddef.h>
#include <stdint.h>

enum dump_form {
  /* As they are. Into a regular file, long stretches of zeros are left out as holes. */
  DUMP_RAW,
  /* Without the zeros at the end. */
  DUMP_TRIMMED,
  /* The same for a terminal: what could act on it is escaped, and many zeros are \000{4091}. */
  DUMP_TEXT,
  /* Lines of 16 bytes in hexadecimal with their offset; "*" for repeated ones. */
  DUMP_HEX,
  /* Runs of at least four printable characters, UTF-8, with their offset. */
  DUMP_STRINGS
};

struct dump;

/* The first byte is at `offset`. Output that cannot be written ends the program. */
struct dump *dump_new(enum dump_form form, uint64_t offset);
void dump_bytes(struct dump *self, const char *bytes, size_t length);
void dump_zeros(struct dump *self, uint64_t length);
/* No more bytes come: the rest is written, and `self` freed. */
void dump_end(struct dump *self);

#endif
