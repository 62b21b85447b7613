/* SPDX-License-Identifier: MIT */
/* shmkit top: what exists, live. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "parse.h"
#include "report.h"
#include "table.h"
#include "top_model.h"
#include "top_screen.h"

enum { KEY_SORT = 256, KEY_INTERVAL, KEY_BYTES };

static const struct argp_option options[] = {
    {"batch", 'b', NULL, 0, "Lines of text, also on a terminal; elsewhere it is always so", 0},
    {"count", 'n', "COUNT", 0, "Look so many times", 0},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "From the end of one look to the next; 2", 0},
    {"kind", 'k', "KIND,...", 0, "Only these kinds", 0},
    {"all", 'a', NULL, 0,
     "Also semaphores, anonymous shared memory, huge pages and files with shared mappings", 0},
    {"sort", KEY_SORT, "COLUMN", 0,
     "Order by a column: numbers largest first, text from A on; with '-' before it largest first, "
     "with '+' smallest",
     0},
    {"output", 'o', "COLUMN,...", 0, "Which columns; with '+' before them, in addition", 0},
    {"bytes", KEY_BYTES, NULL, 0, "Exact sizes", 0},
    {"json", 'J', NULL, 0, "Everything that is known, as one JSON document a line for each look",
     0},
    {0}};

struct request {
  struct top_model model;
  int64_t interval;
  uint64_t count;
  bool all, batch, as_json;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'b':
      request->batch = true;
      break;
    case 'n':
      request->count = (uint64_t)parse_number(state, "--count", argument, 1, INT64_MAX);
      break;
    case KEY_INTERVAL:
      request->interval = parse_interval(state, "--interval", argument);
      break;
    case 'k':
      request->model.options.kinds |= parse_kinds(state, "--kind", argument);
      break;
    case 'a':
      request->all = true;
      break;
    case KEY_SORT:
      top_set_sort(state, "--sort", argument, &request->model);
      break;
    case 'o':
      columns_choose(state, "--output", argument, &request->model.columns);
      break;
    case KEY_BYTES:
      request->model.bytes = true;
      break;
    case 'J':
      request->as_json = request->model.everything = true;
      break;
    case ARGP_KEY_ARG:
      argp_error(state,
                 "'%s' is too much: top takes options only; 'shmkit watch' shows one segment",
                 argument);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static char *help(int key, const char *text, void *input) {
  (void)input;
  if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
  top_extend_columns();
  return columns_describe();
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Shows shared memory segments live, the largest in memory first, with what changes from "
           "look to look. Press h for the keys.\v ",
    .help_filter = help};

static const char *const *choices(int key) {
  top_extend_columns();
  if (key == 'k') return parse_kind_names();
  return key == 'o' || key == KEY_SORT ? column_names() : NULL;
}

/* ---- Batches -------------------------------------------------------------------------------- */

static void print_table(const struct top_model *model) {
  const struct look look = {.now = shmkit_listing_time(model->listing), .bytes = model->bytes};
  const struct table_options table = {0};
  const shmkit_info **infos = must(calloc(model->shown_count + 1, sizeof *infos));
  for (size_t i = 0; i < model->shown_count; i++) infos[i] = &model->shown[i]->info;
  columns_print(&model->columns, infos, model->shown_count, &look, &table);
  free(infos);
}

static void print_text(const struct top_model *model, bool first) {
  char *lines[TOP_SUMMARY_LINES];
  size_t count = top_summary(model, lines);
  if (!first) (void)putchar('\n');
  for (size_t i = 0; i < count; i++) {
    (void)puts(lines[i]);
    free(lines[i]);
  }
  (void)putchar('\n');
  print_table(model);
}

static int print_batches(struct request *request) {
  struct top_model *model = &request->model;
  for (uint64_t i = 0; request->count == 0 || i < request->count; i++) {
    if (i > 0) clock_pause(request->interval);
    shmkit_status status = top_look(model);
    if (status != 0) return report_failure(status);
    if (request->as_json) {
      json_print_line(top_json(model));
    } else {
      print_text(model, i == 0);
    }
    /* Whoever reads it is not to wait, and who cannot be written to is no reason to go on. */
    if (fflush(stdout) != 0) return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
  struct request request = {.interval = 2000000000,
                            .model = {.options = SHMKIT_LISTING_OPTIONS_INIT}};
  top_extend_columns();
  columns_choose(NULL, "", "RSS,RATE,SIZE,PROCS,CHANGE,STATE,OWNER,SEGMENT",
                 &request.model.columns);
  top_set_sort(NULL, "", "RSS", &request.model);
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  if (request.all && request.model.options.kinds == 0) {
    request.model.options.kinds = SHMKIT_INFO_ALL;
  }
  bool batch = request.batch || request.as_json || !screen_is_possible();
  int status = batch ? print_batches(&request)
                     : top_on_screen(&request.model, request.interval, request.count);
  top_forget(&request.model);
  return status;
}

const struct command command_top = {
    .name = "top",
    .summary = "Show segments live, the largest first",
    .argp = &argp,
    .run = run,
    .choices = choices,
};
