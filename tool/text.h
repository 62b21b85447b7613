/* SPDX-License-Identifier: MIT */
/* Values as text for people. Strings that are returned are the caller's to free. */
#ifndef SHMKIT_TOOL_TEXT_H
#define SHMKIT_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* asprintf that returns. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The length in bytes of the character at `text`, UTF-8; 0 when there is none. */
size_t text_character(const char *text);

bool text_is_utf8(const char *text);

/* Whether a character acts on terminals: C0, DEL, and C1, which in UTF-8 are two bytes. */
bool text_is_control(const char *text, size_t length);

/* Control characters and what is not UTF-8 as \n, \033 and so on; the rest as it is. */
char *text_escape(const char *text);

/* As a shell reads it back: bare, 'in quotes', or $'with\nescapes'. */
char *text_quote(const char *text);

/* "4096" when exact, else "4K", "1.5G"; "-" when unknown. */
char *text_size(uint64_t bytes, bool exact);

/* "17"; "-" when unknown. */
char *text_count(uint64_t count);

/* From one time to another in its largest unit: "59s", "12m", "7h", "3d", "2y"; "-" when either is
 * unknown. */
char *text_age(int64_t since, int64_t now);

/* "2026-03-01 12:00:05 +0100"; "-" when unknown. */
char *text_time(int64_t time);

/* "rw-r-----"; "-" when unknown. */
char *text_mode(uint32_t mode);

#endif
