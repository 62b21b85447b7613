/* SPDX-License-Identifier: MIT */
/* Sentences for people, filled to the width of the terminal, or COLUMNS, or 80; 100 at most. */
#ifndef SHMKIT_TOOL_PROSE_H
#define SHMKIT_TOOL_PROSE_H

/* A line of its own, bold on a terminal. */
void prose_title(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A paragraph. An empty line comes between what this and the next three print. */
void prose(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A paragraph that begins with a dash and hangs; items follow each other without an empty line. */
void prose_item(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines that stay as they are, indented: commands and what they print. They follow each other
 * without an empty line, too. */
void prose_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The next one begins without an empty line before it. */
void prose_begin(void);

#endif
