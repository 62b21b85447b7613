/* SPDX-License-Identifier: MIT */
/* shmkit write: bytes into a segment, in place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "command.h"
#include "input.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "text.h"

enum { KEY_ANY_OWNER = 256, CHUNK = 1 << 20 };

static const struct argp_option options[] = {
    {"offset", 'o', "BYTES", 0, "Begin there instead of at 0", 0},
    {"grow", 'g', NULL, 0, "Let the segment grow to what is needed, with its room reserved", 0},
    {"nul", 'z', NULL, 0, "Write a NUL behind it, where readers in C see the end of a string", 0},
    {"any-owner", KEY_ANY_OWNER, NULL, 0,
     "Also into a POSIX segment that belongs neither to you nor to root: anybody may have put it "
     "there",
     0},
    {"verbose", 'v', NULL, 0, "Say what was written", 0},
    {0}};

struct request {
  const char *address, *file;
  uint64_t offset;
  bool grow, nul, any_owner, verbose;
};

static error_t take_argument(const struct argp_state *state, const char *argument) {
  struct request *request = state->input;
  if (state->arg_num == 0) {
    request->address = argument;
  } else if (state->arg_num == 1) {
    request->file = argument;
  } else {
    argp_error(state, "one segment and one file at a time");
  }
  return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'o':
      request->offset = parse_size(state, "--offset", argument);
      break;
    case 'g':
      request->grow = true;
      break;
    case 'z':
      request->nul = true;
      break;
    case KEY_ANY_OWNER:
      request->any_owner = true;
      break;
    case 'v':
      request->verbose = true;
      break;
    case ARGP_KEY_ARG:
      return take_argument(state, argument);
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
    .args_doc = "ADDRESS [FILE|-]",
    .doc = "Writes a file or standard input into a segment, in place: whoever maps it sees the "
           "bytes, and what is not written over stays.\v"
           "The segment must exist, and is never truncated. What does not fit is an error that "
           "says how much would, and then nothing is written. To know that beforehand, what comes "
           "through a pipe is first read into memory: as much as fits, with --grow all. Sizes may "
           "be written 4096, 64K, 1.5M, 0x1000."};

struct job {
  const struct request *request;
  struct input input;
  shmkit_segment *segment;
};

/* ---- Opening -------------------------------------------------------------------------------- */

/* The segment with so much address space, in place of one that is open already: that one is kept until
 * then, because a Last segment's name goes with its last user. */
static int open_segment(struct job *job, uint64_t capacity) {
  const char *address = job->request->address;
  const shmkit_segment_options any = {.flags = SHMKIT_ANY_OWNER, .capacity = capacity};
  const shmkit_segment_options own = {.capacity = capacity};
  shmkit_segment *segment = NULL;
  shmkit_status status = SHMKIT_ERR_UNSUPPORTED;
  if (job->request->any_owner) status = shmkit_segment_open(address, &any, &segment);
  /* Others than POSIX segments do not take that option, and are not checked. */
  if (status == SHMKIT_ERR_UNSUPPORTED) status = shmkit_segment_open(address, &own, &segment);
  if (status == -ENOENT) {
    report("cannot write into %s: it does not exist; 'shmkit create' makes a segment", address);
    return EXIT_NOT_FOUND;
  }
  if (status != 0) return report_failure(status);
  shmkit_segment_free(job->segment);
  job->segment = segment;
  return 0;
}

/* Reading what is being written would never end, or repeat itself. */
static bool is_input(const struct job *job) {
  struct stat status;
  int fd = -1;
  return shmkit_segment_fileno(job->segment, &fd) == 0 && fstat(fd, &status) == 0 &&
         status.st_dev == job->input.status.st_dev && status.st_ino == job->input.status.st_ino;
}

/* ---- Room ----------------------------------------------------------------------------------- */

/* How many bytes there are from the offset on. */
static uint64_t room(const struct job *job) {
  uint64_t size = shmkit_segment_size(job->segment);
  return size > job->request->offset ? size - job->request->offset : 0;
}

static int report_no_room(const struct job *job) {
  const struct request *request = job->request;
  uint64_t size = shmkit_segment_size(job->segment);
  if (request->offset > size) {
    report("offset %ju is beyond the end of %s, which has %ju bytes; --grow lets it grow",
           (uintmax_t)request->offset, request->address, (uintmax_t)size);
    return EXIT_USAGE;
  }
  report("nothing is written: %s has more than the %ju bytes%s that fit into %s at offset %ju; "
         "--grow lets it grow",
         job->input.name, (uintmax_t)room(job), request->nul ? ", with the NUL," : "",
         request->address, (uintmax_t)request->offset);
  return EXIT_FAILURE;
}

/* The end of what is to be written; false: there is no such number. */
static bool find_end(const struct job *job, uint64_t *end) {
  return !__builtin_add_overflow(job->request->offset, job->input.length, end) &&
         !__builtin_add_overflow(*end, (uint64_t)job->request->nul, end);
}

static int grow(struct job *job, uint64_t end) {
  /* System V says best itself why it cannot. */
  if (shmkit_segment_kind(job->segment) != SHMKIT_SYSV) {
    int result = open_segment(job, end);
    if (result != 0) return result;
  }
  shmkit_status status = shmkit_segment_grow(job->segment, end);
  return status == 0 ? 0 : report_failure(status);
}

/* Have the input's length, and room for it. */
static int prepare(struct job *job) {
  const struct request *request = job->request;
  uint64_t most = UINT64_MAX, end = 0;
  if (!request->grow) {
    if (request->offset > shmkit_segment_size(job->segment)) return report_no_room(job);
    most = room(job) - (request->nul && room(job) > 0);
  }
  if (!job->input.has_length) {
    int result = input_load(&job->input, most);
    if (result != 0) return result;
  } else if (is_input(job)) {
    report("%s is the segment itself", job->input.name);
    return EXIT_FAILURE;
  }
  if (!find_end(job, &end)) {
    report("offset %ju leaves no number for the end", (uintmax_t)request->offset);
    return EXIT_USAGE;
  }
  if (end <= shmkit_segment_size(job->segment)) return 0;
  return request->grow ? grow(job, end) : report_no_room(job);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* What went wrong has been said. */
static int report_part(const struct job *job, uint64_t written) {
  report("%ju of %ju bytes were written", (uintmax_t)written, (uintmax_t)job->input.length);
  return EXIT_FAILURE;
}

static int write_bytes(struct job *job, char *buffer) {
  const char *bytes = NULL;
  const uint64_t begin = job->request->offset, end = begin + job->input.length;
  uint64_t offset = begin;
  while (offset < end) {
    progress_show((double)(offset - begin) / (double)(end - begin), "");
    ssize_t got = input_next(&job->input, buffer, CHUNK, &bytes);
    if (got == 0) report("%s has become shorter", job->input.name);
    if (got <= 0) return report_part(job, offset - job->request->offset);
    shmkit_status status = shmkit_segment_write(job->segment, offset, bytes, (size_t)got);
    if (status != 0) {
      (void)report_failure(status);
      return report_part(job, offset - job->request->offset);
    }
    offset += (uint64_t)got;
  }
  shmkit_status status =
      job->request->nul ? shmkit_segment_write(job->segment, offset, "", 1) : SHMKIT_OK;
  return status == 0 ? 0 : report_failure(status);
}

static void tell(const struct job *job) {
  char *address = text_quote(shmkit_segment_address(job->segment));
  (void)printf("%s: %ju bytes%s at offset %ju of %zu\n", address, (uintmax_t)job->input.length,
               job->request->nul ? " and a NUL" : "", (uintmax_t)job->request->offset,
               shmkit_segment_size(job->segment));
  free(address);
}

static int write_input(struct job *job) {
  /* With an address space of any size, so that one of 0 bytes can be opened, too. */
  int result = open_segment(job, 1);
  if (result == 0) result = prepare(job);
  if (result != 0) return result;
  char *buffer = must(malloc(CHUNK));
  progress_begin("writing");
  result = write_bytes(job, buffer);
  progress_end();
  free(buffer);
  if (result == 0 && job->request->verbose) tell(job);
  return result;
}

static int run(int argc, char **argv) {
  struct request request = {.offset = 0};
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  struct job job = {.request = &request};
  int result = input_open(&job.input, request.file);
  if (result != 0) return result;
  result = write_input(&job);
  shmkit_segment_free(job.segment);
  input_close(&job.input);
  return result;
}

const struct command command_write = {
    .name = "write",
    .summary = "Write into a segment, in place",
    .argp = &argp,
    .run = run,
    .takes_addresses = true,
};
