/* SPDX-License-Identifier: MIT */
/*
 * What a command is. Each has a file of its own and a line in main.c; its table of options is the
 * only place where they are declared: help, completion and the tests of the man pages read it.
 */
#ifndef SHMKIT_TOOL_COMMAND_H
#define SHMKIT_TOOL_COMMAND_H

#include <argp.h>
#include <stdbool.h>

/* Exit statuses, besides EXIT_SUCCESS and EXIT_FAILURE (it, or some of the items, failed). */
enum { EXIT_USAGE = 2, EXIT_NOT_FOUND = 3, EXIT_IN_USE = 4 };

struct command {
  const char *name;
  /* One line, for the list of commands; NULL for what is not in it. */
  const char *summary;
  const struct argp *argp;
  /* argv[0] is "shmkit NAME". Gives the exit status. */
  int (*run)(int argc, char **argv);
  /* The words that the option with this key takes, or that are arguments for 0, ending with NULL;
   * NULL when they are free. May be NULL. */
  const char *const *(*choices)(int key);
  /* Arguments are addresses of segments: those that are called ADDRESS in the parser's
   * `args_doc`. */
  bool takes_addresses;
};

/* All of them, ending with NULL; the one with that name, or NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

extern const struct command command_bench;
extern const struct command command_cat;
extern const struct command command_complete;
extern const struct command command_create;
extern const struct command command_explain;
extern const struct command command_gc;
extern const struct command command_limits;
extern const struct command command_ls;
extern const struct command command_rm;
extern const struct command command_stat;
extern const struct command command_top;
extern const struct command command_watch;
extern const struct command command_write;

#endif
