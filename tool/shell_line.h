/* SPDX-License-Identifier: MIT */
/*
 * A command line of bash up to the cursor: which words it has, and how the last one goes on. What
 * is typed is kept as it is, so a completion is what is missing, quoted in the way that the typed
 * part ends in: bare, in quotes or in $'...'.
 */
#ifndef SHMKIT_TOOL_SHELL_LINE_H
#define SHMKIT_TOOL_SHELL_LINE_H

#include <stddef.h>

enum shell_quote { SHELL_BARE, SHELL_SINGLE, SHELL_DOUBLE, SHELL_ESCAPES };

struct shell_line {
  /* Without quotes; the last one is the one at the cursor, "" after a blank. */
  char **words;
  size_t count;
  /* What the last word ends in. */
  enum shell_quote quote;
  /* So many bytes at its end begin an escape that is not complete, and are not in the word. */
  size_t unfinished;
};

/* Variables and commands are not expanded. */
void shell_line_read(struct shell_line *line, const char *text);
void shell_line_clear(struct shell_line *line);

/* `rest` as it is to follow what was typed; to be freed. Any bytes come out as they are. */
char *shell_line_continue(const struct shell_line *line, const char *rest);

#endif
