/* SPDX-License-Identifier: MIT */
/* shmkit gc: what nobody needs any more, and its removal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "command.h"
#include "info_json.h"
#include "parse.h"
#include "report.h"
#include "table.h"
#include "text.h"

enum { KEY_APPLY = 256, KEY_IDLE, KEY_OLDER, KEY_PATTERN, KEY_NO_HEADINGS };

/* What has a name of its own, and so something to remove. */
static const uint32_t removable = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) |
                                  SHMKIT_INFO_SET(SHMKIT_INFO_SYSV) |
                                  SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE);

static const struct argp_option options[] = {
    {"apply", KEY_APPLY, NULL, 0, "Remove them; without it nothing is touched", 0},
    {"idle", KEY_IDLE, NULL, 0, "Also what nobody uses now, whether or not its creator runs", 0},
    {"older-than", KEY_OLDER, "AGE", 0,
     "Only what has not been made, changed, attached or the like for so long: 90s, 10m, 2h, 1d", 0},
    {"kind", 'k', "KIND,...", 0, "Only posix, sysv or semaphore; posix and sysv unless given", 0},
    {"pattern", KEY_PATTERN, "PATTERN", 0,
     "Only what has an address that matches, as in 'posix:/frames-*'", 0},
    {"bytes", 'b', NULL, 0, "Exact sizes", 0},
    {"json", 'J', NULL, 0, "Everything that is known, as JSON", 0},
    {"noheadings", KEY_NO_HEADINGS, NULL, 0, "No line of headings", 0},
    {0}};

struct request {
  shmkit_gc_options gc;
  bool bytes, as_json;
  struct table_options table;
};

static bool begins_like(const char *pattern, const char *scheme) {
  size_t literal = strcspn(pattern, "*?[\\"), length = strlen(scheme);
  if (pattern[literal] == '\0' && literal <= length) return false;
  return strncmp(pattern, scheme, literal < length ? literal : length) == 0;
}

/* A pattern that matches no address whatever exists would look as if there were nothing to do. */
static const char *check_pattern(struct argp_state *state, const char *pattern) {
  if (!begins_like(pattern, "posix:/") && !begins_like(pattern, "sysv:")) {
    argp_error(state, "--pattern: no address is like '%s'; write 'posix:/%s'", pattern,
               pattern + (pattern[0] == '/'));
  }
  return pattern;
}

static void add_kinds(struct argp_state *state, struct request *request, const char *kinds) {
  request->gc.kinds |= parse_kinds(state, "--kind", kinds);
  if (request->gc.kinds & ~removable) {
    argp_error(state, "--kind: only posix, sysv and semaphore have names to remove");
  }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case KEY_APPLY:
      request->gc.flags |= SHMKIT_GC_APPLY;
      break;
    case KEY_IDLE:
      request->gc.flags |= SHMKIT_GC_IDLE;
      break;
    case KEY_OLDER:
      request->gc.older_than = parse_age(state, "--older-than", argument);
      break;
    case KEY_PATTERN:
      request->gc.pattern = check_pattern(state, argument);
      break;
    case 'k':
      add_kinds(state, request, argument);
      break;
    case 'b':
      request->bytes = true;
      break;
    case 'J':
      request->as_json = true;
      break;
    case KEY_NO_HEADINGS:
      request->table.no_headings = true;
      break;
    case ARGP_KEY_ARG:
      argp_error(state,
                 "'%s' is too much: gc takes options only; --pattern narrows it, 'shmkit rm' "
                 "removes one segment",
                 argument);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Shows which segments nobody needs: those that nobody uses and whose creator has "
           "exited. With --apply, they are removed, each unless it turns out to be in use."};

static const char *const *choices(int key) {
  static const char *const kinds[] = {"posix", "sysv", "semaphore", NULL};
  return key == 'k' ? kinds : NULL;
}

/* ---- What there is to say ------------------------------------------------------------------- */

struct totals {
  size_t count, removed, kept, failed;
  /* Of all of them, and of those that were removed. */
  uint64_t bytes, freed;
};

/* The memory that its removal gives back. */
static uint64_t bytes_of(const shmkit_info *info) {
  return info->allocated == SHMKIT_UNKNOWN || info->links > 1 ? 0 : info->allocated;
}

static struct totals add_up(const shmkit_listing *listing) {
  struct totals totals = {.count = shmkit_listing_count(listing)};
  for (size_t i = 0; i < totals.count; i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    totals.bytes += bytes_of(info);
    totals.kept += info->removal == SHMKIT_KEPT;
    totals.failed += info->removal == SHMKIT_REMOVAL_FAILED;
    if (info->removal != SHMKIT_REMOVED) continue;
    totals.removed++;
    totals.freed += bytes_of(info);
  }
  return totals;
}

static void print_json(const shmkit_listing *listing, const struct totals *totals, bool apply) {
  json *document = listing_json(listing);
  json_add_bool(document, "applied", apply);
  json_add_count(document, "bytes", totals->bytes);
  json_add_count(document, "freed", totals->freed);
  json_begin(document, "segments");
  for (size_t i = 0; i < totals->count; i++) {
    json_item(info_json(shmkit_listing_at(listing, i)), i == 0);
  }
  json_end();
}

static void print_table(const shmkit_listing *listing, const struct request *request, bool apply) {
  struct columns columns = {.count = 0};
  struct look look = {.now = shmkit_listing_time(listing), .bytes = request->bytes};
  size_t count = shmkit_listing_count(listing);
  const shmkit_info **infos = must(calloc(count + 1, sizeof *infos));
  for (size_t i = 0; i < count; i++) infos[i] = shmkit_listing_at(listing, i);
  columns_choose(NULL, "",
                 apply ? "ADDRESS,KIND,OWNER,SIZE,ALLOCATED,AGE,STATE,REMOVAL,REASON"
                       : "ADDRESS,KIND,OWNER,SIZE,ALLOCATED,AGE,STATE,REASON",
                 &columns);
  if (count > 0) columns_print(&columns, infos, count, &look, &request->table);
  free(infos);
}

static void say_nothing_found(const shmkit_gc_options *gc) {
  const char *what = gc->pattern != NULL || gc->older_than != 0 ? " of what is asked for" : "";
  if (gc->flags & SHMKIT_GC_IDLE) {
    report("nothing to remove%s", what);
  } else {
    report("nothing to remove: nothing%s is known to be left over; --idle also takes what nobody "
           "uses now",
           what);
  }
}

static void say_verdict(const struct totals *totals, const struct request *request, bool apply) {
  char *bytes = text_size(apply ? totals->freed : totals->bytes, request->bytes);
  const char *unit = request->bytes ? " bytes" : "";
  if (totals->count == 0) {
    say_nothing_found(&request->gc);
  } else if (apply) {
    report("%zu removed, %s%s freed; %zu kept, %zu failed", totals->removed, bytes, unit,
           totals->kept, totals->failed);
  } else {
    report("%zu to remove, %s%s to free; --apply removes what nobody has open then", totals->count,
           bytes, unit);
  }
  free(bytes);
}

static int run(int argc, char **argv) {
  struct request request = {.gc = SHMKIT_GC_OPTIONS_INIT};
  shmkit_listing *listing = NULL;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  shmkit_status status = shmkit_gc(&request.gc, &listing);
  if (status != 0) return report_failure(status);
  bool apply = request.gc.flags & SHMKIT_GC_APPLY;
  struct totals totals = add_up(listing);
  if (request.as_json) {
    print_json(listing, &totals, apply);
  } else {
    print_table(listing, &request, apply);
  }
  report_unseen(
      listing, "what they use is found out by the kernel when it is about to be removed, and kept");
  if (!request.as_json) say_verdict(&totals, &request, apply);
  shmkit_listing_free(listing);
  return totals.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const struct command command_gc = {
    .name = "gc",
    .summary = "Show, and remove, what nobody needs any more",
    .argp = &argp,
    .run = run,
    .choices = choices,
};
