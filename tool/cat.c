/* SPDX-License-Identifier: MIT */
/* shmkit cat: what is in a segment. */
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "dump.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "source.h"

enum { KEY_RAW = 256 };

static const struct argp_option options[] = {
    {"offset", 'o', "BYTES", 0, "Begin there instead of at 0", 0},
    {"length", 'l', "BYTES", 0, "At most so many; all the rest otherwise", 0},
    {"hex", 'x', NULL, 0,
     "In hexadecimal, 16 bytes to a line, each with its offset in the segment; '*' stands for "
     "lines that repeat the one before",
     0},
    {"strings", 's', NULL, 0,
     "Only text: runs of four and more printable characters (UTF-8), each with its offset in "
     "hexadecimal",
     0},
    {"trim", 't', NULL, 0,
     "Without the NULs at the end. To a terminal, what could act on it is escaped, and n NULs "
     "between the text are \\000{n}",
     0},
    {"raw", KEY_RAW, NULL, 0, "The bytes as they are, to a terminal as well", 0},
    {0}};

enum look { LOOK_DEFAULT, LOOK_RAW, LOOK_TRIM, LOOK_HEX, LOOK_STRINGS };

struct request {
  const char *address;
  uint64_t offset, length;
  enum look look;
};

static void set_look(const struct argp_state *state, enum look look) {
  struct request *request = state->input;
  if (request->look != LOOK_DEFAULT && request->look != look) {
    argp_error(state, "only one of --hex, --strings, --trim and --raw can be had");
  }
  request->look = look;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'o':
      request->offset = parse_size(state, "--offset", argument);
      break;
    case 'l':
      request->length = parse_size(state, "--length", argument);
      break;
    case 'x':
      set_look(state, LOOK_HEX);
      break;
    case 's':
      set_look(state, LOOK_STRINGS);
      break;
    case 't':
      set_look(state, LOOK_TRIM);
      break;
    case KEY_RAW:
      set_look(state, LOOK_RAW);
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
    .doc = "Writes the bytes of a segment to standard output: as they are, unless told otherwise "
           "or standard output is a terminal, which gets --hex.\v"
           "Looking changes nothing: holes get no pages, nothing is mapped, and the time of access "
           "stays, except of other users' segments. Only a System V segment that no process has "
           "attached through which you may look is attached for it, which is said. What others "
           "write meanwhile is shown or not. Sizes may be written 4096, 64K, 1.5M, 0x1000."};

static enum dump_form choose_form(enum look look) {
  bool terminal = isatty(STDOUT_FILENO);
  switch (look) {
    case LOOK_TRIM:
      return terminal ? DUMP_TEXT : DUMP_TRIMMED;
    case LOOK_HEX:
      return DUMP_HEX;
    case LOOK_STRINGS:
      return DUMP_STRINGS;
    case LOOK_DEFAULT:
      if (!terminal) return DUMP_RAW;
      report("in hexadecimal, because standard output is a terminal; --trim shows text, --raw the "
             "bytes as they are");
      return DUMP_HEX;
    default:
      return DUMP_RAW;
  }
}

/* From `begin` to `end`, as far as it goes. */
static int copy(struct source *source, uint64_t begin, uint64_t end, struct dump *dump) {
  struct piece piece;
  for (uint64_t offset = begin; offset < end; offset += piece.length) {
    int result = source_next(source, offset, end, &piece);
    if (result != 0) return result;
    if (piece.length == 0) {
      progress_end();
      report("%s was truncated while it was read: what is there ends at offset %ju instead of %ju",
             source->address, (uintmax_t)offset, (uintmax_t)source->size);
      return EXIT_FAILURE;
    }
    if (piece.bytes != NULL) {
      dump_bytes(dump, piece.bytes, (size_t)piece.length);
    } else {
      dump_zeros(dump, piece.length);
    }
    progress_show((double)(offset - begin) / (double)(end - begin), "");
  }
  return 0;
}

static int show(struct source *source, const struct request *request) {
  if (request->offset > source->size) {
    report("offset %ju is beyond the end of %s, which has %ju bytes", (uintmax_t)request->offset,
           source->address, (uintmax_t)source->size);
    return EXIT_USAGE;
  }
  uint64_t rest = source->size - request->offset;
  uint64_t end = request->offset + (request->length < rest ? request->length : rest);
  struct dump *dump = dump_new(choose_form(request->look), request->offset);
  /* Also when the reader goes away. On a terminal, what is shown is progress enough. */
  (void)atexit(progress_end);
  if (!isatty(STDOUT_FILENO)) progress_begin("reading");
  int result = copy(source, request->offset, end, dump);
  dump_end(dump);
  progress_end();
  return result;
}

static int run(int argc, char **argv) {
  struct request request = {.length = UINT64_MAX};
  struct source source;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  int result = source_open(&source, request.address);
  if (result != 0) return result;
  result = show(&source, &request);
  source_close(&source);
  return result;
}

const struct command command_cat = {
    .name = "cat",
    .summary = "Show what is in a segment",
    .argp = &argp,
    .run = run,
    .takes_addresses = true,
};
