/* SPDX-License-Identifier: MIT */
/* shmkit watch: the bytes of a segment, live. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "command.h"
#include "parse.h"
#include "report.h"
#include "screen.h"
#include "text.h"
#include "watch_model.h"
#include "watch_screen.h"

enum { KEY_INTERVAL = 256, KEY_TYPE };
/* Of lines, which need to know all bytes as they were. */
#define LENGTH_MAX ((uint64_t)1 << 30)

static const struct argp_option options[] = {
    {"offset", 'o', "BYTES", 0, "Begin there instead of at 0", 0},
    {"length", 'l', "BYTES", 0, "At most so many, where changes are lines; all otherwise", 0},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "From the end of one look to the next; 0.5", 0},
    {"hex", 'x', NULL, 0, "In hexadecimal; unless told otherwise", 0},
    {"strings", 's', NULL, 0, "As text", 0},
    {"type", KEY_TYPE, "TYPE", 0, "As an array of a type such as i32 or f64", 0},
    {"count", 'n', "COUNT", 0, "End after so many changes", 0},
    {"follow", 'F', NULL, 0,
     "When it is removed, wait until it is created anew; on a terminal it is always so", 0},
    {0}};

struct request {
  struct watch_model model;
  const char *address;
  uint64_t offset, length, count, changes;
  int64_t interval;
  bool follow;
};

static void set_type(const struct argp_state *state, const char *name, struct watch_model *model) {
  if (shmkit_type_find(name, &model->type) != 0) {
    argp_error(state, "--type: %s", shmkit_error_message());
  }
  model->mode = WATCH_TYPE;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'o':
      request->offset = parse_size(state, "--offset", argument);
      break;
    case 'l':
      request->length = parse_size(state, "--length", argument);
      if (request->length == 0) argp_error(state, "--length: 0 bytes never change");
      break;
    case KEY_INTERVAL:
      request->interval = parse_interval(state, "--interval", argument);
      break;
    case 'x':
      request->model.mode = WATCH_HEX;
      break;
    case 's':
      request->model.mode = WATCH_STRINGS;
      break;
    case KEY_TYPE:
      set_type(state, argument, &request->model);
      break;
    case 'n':
      request->count = (uint64_t)parse_number(state, "--count", argument, 1, INT64_MAX);
      break;
    case 'F':
      request->follow = true;
      break;
    case ARGP_KEY_ARG:
      parse_address(state, argument, &request->address);
      break;
    case ARGP_KEY_NO_ARGS:
      parse_no_address(state);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "ADDRESS",
    .doc =
        "Shows the bytes of a segment and what changes in them: on a terminal live, elsewhere as "
        "a line for each change: the time, the offset, what was there and what is there now. "
        "What changes and changes back between two looks is not seen. Looking changes nothing, "
        "except that a System V segment may have to be attached, which is said."};

static const char *const *choices(int key) {
  static const char *names[SHMKIT_CHAR + 1];
  for (int type = SHMKIT_I8; type <= SHMKIT_CHAR; type++) {
    names[type - SHMKIT_I8] = shmkit_type_name((shmkit_type)type);
  }
  return key == KEY_TYPE ? names : NULL;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static void print_time(void) {
  struct timespec now;
  struct tm utc;
  char text[32];
  (void)clock_gettime(CLOCK_REALTIME, &now);
  (void)gmtime_r(&now.tv_sec, &utc);
  (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  (void)printf("%s.%06ldZ ", text, now.tv_nsec / 1000);
}

static void print_change(const struct watch_model *model, size_t at, size_t length) {
  char *before = watch_text(model, model->before, at, length);
  char *now = watch_text(model, model->bytes, at, length);
  print_time();
  (void)printf("0x%jx %s -> %s\n", (uintmax_t)(model->offset + at), before, now);
  free(before);
  free(now);
}

static bool is_enough(const struct request *request) {
  return request->count > 0 && request->changes >= request->count;
}

static void print_changes(struct request *request) {
  size_t at = 0, length = 0;
  for (size_t from = 0;
       !is_enough(request) && watch_next_change(&request->model, from, &at, &length);
       from = at + length) {
    print_change(&request->model, at, length);
    request->changes++;
  }
}

/* What is watched follows the size. */
static void adapt_length(struct request *request) {
  uint64_t size = content_size(request->model.content);
  uint64_t rest = size > request->offset ? size - request->offset : 0;
  if (request->length != 0 && request->length < rest) rest = request->length;
  if (rest > LENGTH_MAX) {
    report_fatal("%s: %ju bytes are more than can be watched at once: choose up to 1G of them with "
                 "--offset and --length",
                 content_address(request->model.content), (uintmax_t)rest);
  }
  if (rest != request->model.room || request->model.bytes == NULL) {
    watch_move(&request->model, request->offset, (size_t)rest);
  }
}

static void report_size(const struct request *request, uint64_t before) {
  uint64_t now = content_size(request->model.content);
  if (now == before) return;
  report("%s %s from %ju to %ju bytes", content_address(request->model.content),
         now > before ? "grew" : "shrank", (uintmax_t)before, (uintmax_t)now);
}

/* An exit status, or -1 to go on. */
static int look(struct request *request) {
  struct watch_model *model = &request->model;
  const char *address = content_address(model->content);
  bool was_removed = model->event == CONTENT_REMOVED;
  uint64_t size = content_size(model->content);
  if (!watch_look(model)) return EXIT_FAILURE;
  report_size(request, size);
  if (model->event == CONTENT_REPLACED) report("%s was created anew", address);
  print_changes(request);
  if (fflush(stdout) != 0) return EXIT_FAILURE;
  if (model->event == CONTENT_REMOVED && !was_removed) report("%s was removed", address);
  if (is_enough(request)) return EXIT_SUCCESS;
  return model->event == CONTENT_REMOVED && !request->follow ? EXIT_NOT_FOUND : -1;
}

static int print_lines(struct request *request) {
  int status = -1;
  for (bool first = true; status < 0; first = false) {
    if (!first) clock_pause(request->interval);
    adapt_length(request);
    status = look(request);
    if (first && status < 0) {
      report("watching %ju bytes from offset 0x%jx of %s", (uintmax_t)request->model.length,
             (uintmax_t)request->offset, content_address(request->model.content));
    }
  }
  return status;
}

static int run(int argc, char **argv) {
  struct request request = {.interval = 500000000, .model = {.type = SHMKIT_I32}};
  int status = EXIT_SUCCESS;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  request.model.content = content_open(request.address, &status);
  if (request.model.content == NULL) return status;
  if (request.offset > 0 && request.offset >= content_size(request.model.content)) {
    report("%s has %ju bytes, none from offset %ju on", content_address(request.model.content),
           (uintmax_t)content_size(request.model.content), (uintmax_t)request.offset);
    status = EXIT_USAGE;
  } else if (screen_is_possible()) {
    status = watch_on_screen(&request.model, request.offset, request.interval, request.count);
  } else {
    status = print_lines(&request);
  }
  watch_free(&request.model);
  content_close(request.model.content);
  return status;
}

const struct command command_watch = {
    .name = "watch",
    .summary = "Show the bytes of a segment live",
    .argp = &argp,
    .run = run,
    .choices = choices,
    .takes_addresses = true,
};
