/* SPDX-License-Identifier: MIT */
/* shmkit create: a new segment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "command.h"
#include "input.h"
#include "parse.h"
#include "report.h"
#include "text.h"

enum { KEY_HUGE_PAGES = 256 };

static const struct argp_option options[] = {
    {"mode", 'm', "OCTAL", 0, "Permissions, exactly these; 0600 otherwise", 0},
    {"content", 'c', "FILE", 0,
     "What to put into it before its name appears; '-' is standard input. Then SIZE may be left "
     "out",
     0},
    {"sparse", 's', NULL, 0,
     "Do not reserve room: when there is none later on, whoever touches a new page is killed by "
     "SIGBUS",
     0},
    {"huge-pages", KEY_HUGE_PAGES, NULL, 0,
     "Use huge pages from the system's pool: System V. For files, create them on a hugetlbfs mount",
     0},
    {"verbose", 'v', NULL, 0, "Print the address", 0},
    {0}};

struct request {
  const char *address, *content;
  uint64_t size;
  bool has_size, verbose;
  shmkit_segment_options options;
};

static void set_mode(const struct argp_state *state, const char *text) {
  struct request *request = state->input;
  char *end = NULL;
  unsigned long mode = strtoul(text, &end, 8);
  if (strchr("01234567", text[0]) == NULL || *end != '\0' || mode == 0 || mode > 0777) {
    argp_error(state, "--mode: '%s' is no permissions; write 0600, 0640 or 0666", text);
  }
  request->options.mode = (uint32_t)mode;
}

static void set_argument(const struct argp_state *state, const char *argument) {
  struct request *request = state->input;
  if (state->arg_num == 0) {
    request->address = argument;
  } else if (state->arg_num == 1) {
    request->size = parse_size(state, "SIZE", argument);
    request->has_size = true;
  } else {
    argp_error(state, "one segment at a time");
  }
}

static void check(const struct argp_state *state) {
  const struct request *request = state->input;
  if (request->address == NULL) argp_error(state, "an address is missing, such as posix:/frames");
  if (!request->has_size && request->content == NULL) {
    argp_error(state, "its size is missing; write 4096, 64K, 1.5M or 2GiB");
  }
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'm':
      set_mode(state, argument);
      break;
    case 'c':
      request->content = argument;
      break;
    case 's':
      request->options.flags |= SHMKIT_SPARSE;
      break;
    case KEY_HUGE_PAGES:
      request->options.flags |= SHMKIT_HUGE_PAGES;
      break;
    case 'v':
      request->verbose = true;
      break;
    case ARGP_KEY_ARG:
      set_argument(state, argument);
      break;
    case ARGP_KEY_END:
      check(state);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "ADDRESS [SIZE]",
    .doc =
        "Creates a segment of zeros that lasts until somebody removes it, with its room reserved. "
        "An address that exists is an error. For sysv:private, prints the address that opens it.\v"
        "Segments that go with their creator or their last user, and memfds, which live as long as "
        "a process has them open, would be gone when this command ends; programs create those. Its "
        "creator is not written down, or gc would count it as leaked from the start; a System V "
        "segment's always is. Sizes may be written 4096, 64K, 1.5M, 0x1000."};

/* The content in memory, and the size that follows from it. */
static int load(struct input *input, struct request *request) {
  int result = input_open(input, request->content);
  if (result != 0) return result;
  uint64_t most = request->has_size ? request->size : SIZE_MAX - 1;
  result = input_load(input, most);
  if (result != 0) return result;
  if (input->length > most) {
    report("nothing is created: %s has more than %ju bytes", input->name, (uintmax_t)most);
    return EXIT_FAILURE;
  }
  if (!request->has_size) request->size = input->length;
  request->options.content = input->bytes;
  request->options.content_size = (size_t)input->length;
  return 0;
}

static int report_exists(const char *text) {
  char *address = text_quote(text);
  report("%s exists: 'shmkit stat %s' shows what it is, 'shmkit write %s' changes what is in it, "
         "'shmkit rm %s' removes it",
         address, address, address, address);
  free(address);
  return EXIT_FAILURE;
}

static void print_address(const shmkit_segment *segment) {
  char *address = text_quote(shmkit_segment_address(segment));
  (void)puts(address);
  free(address);
}

/* The process that made it ends at once, and that is no reason to take it for leaked. System V writes
 * down every creator by itself. */
static void forget_creator(shmkit_segment *segment) {
  int fd = -1;
  if (shmkit_segment_fileno(segment, &fd) == 0) (void)fremovexattr(fd, "user.shmkit.creator");
}

static int create(const struct request *request) {
  shmkit_segment *segment = NULL;
  shmkit_status status =
      shmkit_segment_create(request->address, request->size, &request->options, &segment);
  if (status == -EEXIST) return report_exists(request->address);
  if (status != 0) return report_failure(status);
  forget_creator(segment);
  bool found_otherwise = strcmp(request->address, "sysv:private") == 0;
  if (request->verbose || found_otherwise) print_address(segment);
  shmkit_segment_free(segment);
  return EXIT_SUCCESS;
}

static int run(int argc, char **argv) {
  struct request request = {.options = SHMKIT_SEGMENT_OPTIONS_INIT};
  struct input input = {.fd = -1};
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  if (strncmp(request.address, "memfd:", 6) == 0) {
    report(
        "%s would be gone when this command ends: a memfd lives as long as a process has it open",
        request.address);
    return EXIT_USAGE;
  }
  int result = request.content != NULL ? load(&input, &request) : 0;
  if (result == 0) result = create(&request);
  input_close(&input);
  return result;
}

const struct command command_create = {
    .name = "create",
    .summary = "Create a segment",
    .argp = &argp,
    .run = run,
};
