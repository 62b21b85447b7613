/* SPDX-License-Identifier: MIT */
/* shmkit rm: remove segments that nobody uses, one by one. */
#include <stdio.h>
#include <stdlib.h>

#include <shmkit/inspect.h>

#include "command.h"
#include "parse.h"
#include "report.h"
#include "text.h"

static const struct argp_option options[] = {
    {"force", 'f', NULL, 0,
     "Also what is in use, or may be: its name goes, and who uses it keeps the memory", 0},
    {"verbose", 'v', NULL, 0, "Also say how large it was, and who used it", 0},
    {0}};

struct request {
  char **addresses;
  size_t count;
  uint32_t flags;
  bool verbose;
};

/* As argp declares it. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  (void)argument;
  switch (key) {
    case 'f':
      request->flags |= SHMKIT_REMOVE_FORCE;
      break;
    case 'v':
      request->verbose = true;
      break;
    case ARGP_KEY_ARGS:
      request->addresses = state->argv + state->next;
      request->count = (size_t)(state->argc - state->next);
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
    .args_doc = "ADDRESS...",
    .doc = "Removes segments, and says which. What a process uses, or may use, is refused; nothing "
           "is removed but the segment that was looked at, and no symbolic link is followed."};

static void say(const shmkit_info *info, bool verbose) {
  char *address = text_quote(info->address), *reason = text_escape(info->reason);
  char *size = text_size(info->size, false);
  bool still_used = info->state == SHMKIT_STATE_USED || info->state == SHMKIT_STATE_DEST;
  (void)printf("removed %s", address);
  if (verbose) (void)printf(", %s", size);
  if (verbose || still_used) (void)printf(": %s", reason);
  (void)putchar('\n');
  free(size);
  free(reason);
  free(address);
}

static int remove_one(const struct request *request, const char *address) {
  shmkit_listing *listing = NULL;
  shmkit_status status = shmkit_remove(address, request->flags, &listing);
  if (status != 0) return report_failure(status);
  say(shmkit_listing_at(listing, 0), request->verbose);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
  struct request request = {.count = 0};
  int status = -1;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  for (size_t i = 0; i < request.count; i++) {
    status = report_merge(status, remove_one(&request, request.addresses[i]));
  }
  return status;
}

const struct command command_rm = {
    .name = "rm",
    .summary = "Remove segments that nobody uses",
    .argp = &argp,
    .run = run,
    .takes_addresses = true,
};
