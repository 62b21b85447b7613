/* SPDX-License-Identifier: MIT */
/* shmkit ls: what exists. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "command.h"
#include "info_json.h"
#include "parse.h"
#include "report.h"
#include "table.h"

enum { KEY_NO_HEADINGS = 256, KEY_SORT, KEY_RAW, KEY_PID };
enum { OUTPUT_BUFFER = 1 << 16 };

static const struct argp_option options[] = {
    {"kind", 'k', "KIND,...", 0, "Only these kinds", 0},
    {"all", 'a', NULL, 0,
     "Also semaphores, anonymous shared memory, huge pages and files with shared mappings", 0},
    {"pid", KEY_PID, "PID", 0, "Only what this process maps", 0},
    {"sort", KEY_SORT, "COLUMN", 0, "Order by a column; with '-' before it, largest first", 0},
    {"output", 'o', "COLUMN,...", 0, "Which columns; with '+' before them, in addition", 0},
    {"bytes", 'b', NULL, 0, "Exact sizes", 0},
    {"json", 'J', NULL, 0, "Everything that is known, as JSON", 0},
    {"raw", KEY_RAW, NULL, 0, "For programs: columns by one space, odd bytes as \\x20", 0},
    {"noheadings", KEY_NO_HEADINGS, NULL, 0, "No line of headings", 0},
    {0}};

struct request {
  shmkit_listing_options listing;
  struct columns columns;
  const struct column *sort;
  bool descending;
  int64_t pid;
  bool all, bytes, as_json, exact_columns;
  struct table_options table;
};

static void set_sort(struct argp_state *state, const char *name) {
  struct request *request = state->input;
  request->descending = name[0] == '-';
  request->sort = column_find(state, "--sort", name + request->descending);
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'k':
      request->listing.kinds |= parse_kinds(state, "--kind", argument);
      break;
    case 'a':
      request->all = true;
      break;
    case KEY_PID:
      request->pid = parse_number(state, "--pid", argument, 1, INT32_MAX);
      break;
    case KEY_SORT:
      set_sort(state, argument);
      break;
    case 'o':
      columns_choose(state, "--output", argument, &request->columns);
      request->exact_columns |= argument[0] != '+';
      break;
    case 'b':
      request->bytes = true;
      break;
    case 'J':
      request->as_json = true;
      break;
    case KEY_RAW:
      request->table.raw = true;
      break;
    case KEY_NO_HEADINGS:
      request->table.no_headings = true;
      break;
    case ARGP_KEY_END:
      if (request->all && request->listing.kinds == 0) request->listing.kinds = SHMKIT_INFO_ALL;
      break;
    case ARGP_KEY_ARG:
      argp_error(state, "'%s' is too much: ls takes options only; 'shmkit stat' shows one segment",
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
  return columns_describe();
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Lists shared memory segments: POSIX, System V and memfd, also those whose name is gone "
           "while processes map them.\v ",
    .help_filter = help};

static const char *const *choices(int key) {
  if (key == 'k') return parse_kind_names();
  return key == 'o' || key == KEY_SORT ? column_names() : NULL;
}

static bool is_mapped_by(const shmkit_info *info, int64_t pid) {
  for (size_t i = 0; i < info->mapper_count; i++) {
    if (info->mappers[i].pid == pid) return true;
  }
  return false;
}

static int compare(const void *a, const void *b, void *context) {
  const struct request *request = context;
  int order =
      request->sort->compare(*(const shmkit_info *const *)a, *(const shmkit_info *const *)b);
  return request->descending ? -order : order;
}

/* Those that are wanted, in order; an array to be freed. */
static const shmkit_info **select_infos(const shmkit_listing *listing, struct request *request,
                                        size_t *count) {
  size_t total = shmkit_listing_count(listing);
  const shmkit_info **infos = must(calloc(total + 1, sizeof *infos));
  *count = 0;
  for (size_t i = 0; i < total; i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (request->pid == 0 || is_mapped_by(info, request->pid)) infos[(*count)++] = info;
  }
  if (request->sort != NULL) qsort_r(infos, *count, sizeof *infos, compare, request);
  return infos;
}

/* What has no name in the file system is opened through /proc, by an address that says nothing. */
static bool hides_names(const shmkit_info *const *infos, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (infos[i]->name[0] != '\0' && strstr(infos[i]->address, infos[i]->name) == NULL) return true;
  }
  return false;
}

static void print_json(const shmkit_listing *listing, const shmkit_info *const *infos,
                       size_t count) {
  json_begin(listing_json(listing), "segments");
  for (size_t i = 0; i < count; i++) json_item(info_json(infos[i]), i == 0);
  json_end();
}

/* Creators take half of a listing's system calls. */
static bool needs_creators(const struct request *request) {
  const struct column *creator = column_find(NULL, "", "CREATOR");
  bool needed = request->as_json || request->sort == creator;
  for (size_t i = 0; i < request->columns.count; i++) {
    needed |= request->columns.chosen[i] == creator;
  }
  return needed;
}

static int list(struct request *request) {
  shmkit_listing *listing = NULL;
  if (!needs_creators(request)) request->listing.flags |= SHMKIT_LISTING_NO_CREATORS;
  shmkit_status status = shmkit_listing_take(&request->listing, &listing);
  if (status != 0) return report_failure(status);
  size_t count = 0;
  const shmkit_info **infos = select_infos(listing, request, &count);
  struct look look = {
      .now = shmkit_listing_time(listing), .bytes = request->bytes, .raw = request->table.raw};
  if (request->as_json) {
    print_json(listing, infos, count);
  } else {
    if (!request->exact_columns && hides_names(infos, count)) {
      columns_choose(NULL, "", "+NAME", &request->columns);
    }
    columns_print(&request->columns, infos, count, &look, &request->table);
  }
  report_incomplete(listing);
  free(infos);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
  static char buffer[OUTPUT_BUFFER];
  struct request request = {.listing = SHMKIT_LISTING_OPTIONS_INIT};
  columns_choose(NULL, "", "ADDRESS,KIND,OWNER,MODE,SIZE,RSS,PROCS,MAPS,AGE,STATE,CREATOR",
                 &request.columns);
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  /* Also to a terminal: it may be many lines. Without a buffer glibc does not care for the size. */
  (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  if (request.pid != 0 && kill((pid_t)request.pid, 0) != 0 && errno == ESRCH) {
    report("there is no process %jd", (intmax_t)request.pid);
    return EXIT_NOT_FOUND;
  }
  return list(&request);
}

const struct command command_ls = {
    .name = "ls",
    .summary = "List segments of every kind",
    .argp = &argp,
    .run = run,
    .choices = choices,
};
