/* SPDX-License-Identifier: MIT */
/* The `shmkit` command: which of its commands is meant. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "report.h"
#include "text.h"

const struct command *const commands[] = {
    &command_ls,      &command_stat,  &command_cat,      &command_write, &command_create,
    &command_rm,      &command_gc,    &command_limits,   &command_watch, &command_top,
    &command_explain, &command_bench, &command_complete, NULL,
};

const char *argp_program_version = "shmkit " SHMKIT_VERSION;

const struct command *command_find(const char *name) {
  for (size_t i = 0; commands[i] != NULL; i++) {
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
  }
  return NULL;
}

/* "-h" alone is what many try first. */
static void translate_h(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "-h") == 0) argv[1] = (char *)(uintptr_t)"--help";
}

static int run(const struct command *command, int argc, char **argv) {
  char *name = text_format("shmkit %s", command->name);
  argv[0] = name;
  translate_h(argc, argv);
  report_begin(name);
  int status = command->run(argc, argv);
  report_begin("shmkit");
  free(name);
  return status;
}

static const struct command *find_or_leave(const struct argp_state *state, const char *name) {
  const struct command *command = command_find(name);
  if (command == NULL) argp_error(state, "there is no command '%s'", name);
  return command;
}

/* "help NAME" is "NAME --help". */
static int help(struct argp_state *state, int argc, char **argv) {
  if (argc < 2) argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
  char *ask[] = {NULL, (char *)(uintptr_t)"--help", NULL};
  return run(find_or_leave(state, argv[1]), 2, ask);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  int *status = state->input;
  if (key == ARGP_KEY_NO_ARGS) {
    report("a command is missing");
    argp_state_help(state, stderr, ARGP_HELP_USAGE | ARGP_HELP_POST_DOC | ARGP_HELP_EXIT_ERR);
  }
  if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
  int argc = state->argc - state->next + 1;
  char **argv = state->argv + state->next - 1;
  /* The rest is the command's. */
  state->next = state->argc;
  *status = strcmp(argument, "help") == 0 ? help(state, argc, argv)
                                          : run(find_or_leave(state, argument), argc, argv);
  return 0;
}

static char *describe(int key, const char *text, void *input) {
  (void)input;
  if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
  char *list = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&list, &size));
  (void)fputs("Commands:\n", out);
  for (size_t i = 0; commands[i] != NULL; i++) {
    if (commands[i]->summary == NULL) continue;
    (void)fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
  }
  (void)fputs(
      "\n'shmkit COMMAND --help' says more. Exit status: 0 done, 1 it or some of it failed, "
      "2 wrong usage, 3 not found, 4 refused because in use.\n",
      out);
  if (fclose(out) != 0) return must(NULL);
  return list;
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "COMMAND [OPTION...] [ARGUMENT...]",
    .doc = "Shows, explains and manages shared memory of every kind on this machine.\v ",
    .help_filter = describe};

/* Also at the end of --help, which argp makes. */
static void check_output(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return;
  report("standard output: %m");
  _exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
  int status = EXIT_SUCCESS;
  (void)atexit(check_output);
  (void)setlocale(LC_CTYPE, "");
  argp_err_exit_status = EXIT_USAGE;
  if (argc > 0) argv[0] = (char *)(uintptr_t)"shmkit";
  translate_h(argc, argv);
  argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &status);
  return status;
}
