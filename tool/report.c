/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "progress.h"
#include "text.h"

static const char *program = "shmkit";

void report_begin(const char *name) {
  program = name;
}

static bool holding;
static char *held;

void report_hold(bool hold) {
  holding = hold;
}

char *report_held(void) {
  char *latest = held;
  held = NULL;
  return latest;
}

static void say(const char *format, va_list arguments) {
  char *line = NULL;
  if (vasprintf(&line, format, arguments) < 0) return;
  char *clean = text_escape(line);
  if (holding) {
    free(held);
    held = clean;
  } else {
    progress_end(); /* Not behind the bar. */
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s: %s\n", program, clean);
    free(clean);
  }
  free(line);
}

void report(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
}

void report_fatal(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
  exit(EXIT_FAILURE);
}

void *must(void *pointer) {
  if (pointer == NULL) {
    /* Nothing that needs memory. */
    (void)fputs("shmkit: no memory\n", stderr);
    exit(EXIT_FAILURE);
  }
  return pointer;
}

int report_exit_status(shmkit_status status) {
  switch (status) {
    case -ENOENT:
      return EXIT_NOT_FOUND;
    case -EBUSY:
      return EXIT_IN_USE;
    default:
      return shmkit_error_is_misuse(status) ? EXIT_USAGE : EXIT_FAILURE;
  }
}

int report_failure(shmkit_status status) {
  report("%s", shmkit_error_message());
  return report_exit_status(status);
}

int report_merge(int so_far, int status) {
  return so_far < 0 || so_far == status ? status : EXIT_FAILURE;
}

void report_unseen(const shmkit_listing *listing, const char *hence) {
  size_t unreadable = shmkit_listing_unreadable(listing);
  if (shmkit_listing_complete(listing)) return;
  if (unreadable > 0) {
    report("%zu process%s could not be read: %s", unreadable, unreadable == 1 ? "" : "es", hence);
  } else {
    report("there may be processes that cannot be seen from here: %s", hence);
  }
}

void report_incomplete(const shmkit_listing *listing) {
  report_unseen(listing, "numbers of processes and mappings are lower bounds");
}
