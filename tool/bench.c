/* SPDX-License-Identifier: MIT */
/* shmkit bench: is shared memory faster, and what does a segment's life cost? */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/access.h"
#include "bench/lifecycle.h"
#include "bench/output.h"
#include "bench/sweeper.h"
#include "bench/verdict.h"
#include "clock.h"
#include "command.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "text.h"

enum {
  KEY_SIZES = 256,
  KEY_WAYS,
  KEY_TIME,
  KEY_QUICK,
  KEY_SAMPLES,
  KEY_PLOT,
  KEY_SEED,
  KEY_CPUS,
  KEY_TMPFS,
  KEY_DISK
};

static const struct argp_option options[] = {
    {"sizes", KEY_SIZES, "SIZE,...", 0, "Sizes of payloads or segments: 8,4K,1M", 0},
    {"ways", KEY_WAYS, "WAY,...", 0, "Only these ways; see below", 0},
    {"time", KEY_TIME, "SECONDS", 0, "Take about so long; without it, 30 seconds", 0},
    {"quick", KEY_QUICK, NULL, 0, "A few small samples in a few seconds: to try it out", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "Of the random order; without it, a new one each time", 0},
    {"cpus", KEY_CPUS, "A,B", 0, "Run on CPU A, the other process on CPU B", 0},
    {"tmpfs", KEY_TMPFS, "DIR", 0, "For files on tmpfs; without it, /dev/shm", 0},
    {"disk", KEY_DISK, "DIR", 0,
     "For files on a disk; without it, the first of $TMPDIR, /var/tmp, /tmp and . that is on one",
     0},
    {"json", 'J', NULL, 0, "Results as JSON", 0},
    {"samples", KEY_SAMPLES, NULL, 0, "With --json: every sample, too", 0},
    {"plot", KEY_PLOT, "FILE.svg", 0, "Also draw it, with gnuplot", 0},
    {0}};

/* The ways of the one and of the other; bits of these are what session.ways has. */
struct subject {
  const char *name;
  void (*measure)(struct session *session);
  char *(*verdict)(const struct session *session);
  const char *ways[WAY_COUNT + 1], *meanings[WAY_COUNT];
  uint64_t sizes[8], quick_sizes[4];
};

static struct subject subjects[] = {
    {.name = "access",
     .measure = access_measure,
     .verdict = verdict_of_access,
     .sizes = {8, 4096, 64 << 10, 1 << 20, 64 << 20},
     .quick_sizes = {8, 4096, 64 << 10}},
    {.name = "lifecycle",
     .measure = lifecycle_measure,
     .verdict = verdict_of_lifecycle,
     .sizes = {4096, 64 << 10, 1 << 20, 64 << 20},
     .quick_sizes = {4096, 1 << 20}},
};
enum { SUBJECT_COUNT = sizeof subjects / sizeof subjects[0] };

static const char *const subject_names[] = {"access", "lifecycle", NULL};

static void fill_subjects(void) {
  for (size_t i = 0; i < WAY_COUNT; i++) {
    subjects[0].ways[i] = access_ways[i].name;
    subjects[0].meanings[i] = access_ways[i].meaning;
  }
  for (size_t i = 0; i < LIFE_KIND_COUNT; i++) {
    subjects[1].ways[i] = life_kinds[i].name;
    subjects[1].meanings[i] = life_kinds[i].meaning;
  }
}

struct request {
  const struct subject *subject;
  /* What depends on the subject is looked at when that is known. */
  const char *ways, *sizes;
  const char *plot;
  bool json, samples, seeded;
};

/* Signal handlers need it. */
static struct session session;
static struct request request;

/* ---- Options -------------------------------------------------------------------------------- */

static void add_way(const struct argp_state *state, const char *what, const char *word,
                    void *context) {
  (void)context;
  for (size_t i = 0; request.subject->ways[i] != NULL; i++) {
    if (strcmp(request.subject->ways[i], word) != 0) continue;
    session.ways |= 1U << i;
    return;
  }
  argp_error(state, "%s: bench %s has no way '%s'", what, request.subject->name, word);
}

static void add_size(const struct argp_state *state, const char *what, const char *word,
                     void *context) {
  (void)context;
  uint64_t size = parse_size(state, what, word);
  size_t at = 0;
  if (size == 0) argp_error(state, "%s: a size is at least 1", what);
  /* Address space for a dozen of them. */
  if (size > SIZE_MAX / 16 || size > UINT64_C(1) << 40)
    argp_error(state, "%s: '%s' is too large to be measured", what, word);
  while (at < session.size_count && session.sizes[at] < size) at++;
  if (at < session.size_count && session.sizes[at] == size) return;
  if (session.size_count == SIZES_MAX) argp_error(state, "%s: at most %d sizes", what, SIZES_MAX);
  memmove(&session.sizes[at + 1], &session.sizes[at],
          (session.size_count - at) * sizeof session.sizes[0]);
  session.sizes[at] = size;
  session.size_count++;
}

static void add_cpu(const struct argp_state *state, const char *what, const char *word,
                    void *context) {
  int *count = context;
  int64_t cpu = parse_number(state, what, word, 0, INT_MAX);
  if (*count == 2) argp_error(state, "%s: there are two processes", what);
  if (!machine_has_cpu((int)cpu)) {
    argp_error(state, "%s: this process may not run on CPU %s", what, word);
  }
  session.cpus[(*count)++] = (int)cpu;
}

static void set_cpus(const struct argp_state *state, const char *text) {
  int count = 0;
  parse_list(state, "--cpus", text, add_cpu, &count);
  if (count == 1) session.cpus[1] = session.cpus[0];
}

static const char *check_directory(const struct argp_state *state, const char *what,
                                   const char *path, bool in_memory) {
  struct stat status;
  if (stat(path, &status) != 0) argp_failure(state, EXIT_FAILURE, errno, "%s: %s", what, path);
  if (!S_ISDIR(status.st_mode)) argp_error(state, "%s: '%s' is not a directory", what, path);
  if (access(path, W_OK) != 0) argp_failure(state, EXIT_FAILURE, errno, "%s: %s", what, path);
  if (strlen(path) > 200) argp_error(state, "%s: the path is longer than 200 bytes", what);
  if (machine_is_in_memory(path) != in_memory) {
    argp_error(state, "%s: '%s' is %s", what, path, in_memory ? "not on tmpfs" : "on tmpfs");
  }
  return path;
}

static void set_subject(const struct argp_state *state, const char *name) {
  if (request.subject != NULL) argp_error(state, "one thing at a time: access or lifecycle");
  for (size_t i = 0; i < SUBJECT_COUNT; i++) {
    if (strcmp(subjects[i].name, name) == 0) request.subject = &subjects[i];
  }
  if (request.subject == NULL) {
    argp_error(state, "there is no '%s' to be measured: access or lifecycle", name);
  }
}

static void set_defaults(const struct argp_state *state) {
  const struct subject *subject = request.subject;
  if (subject == NULL) {
    argp_error(state, "what is to be measured: access or lifecycle?");
    return;
  }
  if (request.samples && !request.json) argp_error(state, "--samples needs --json");
  session.ways_chosen = request.ways != NULL;
  if (session.ways_chosen) parse_list(state, "--ways", request.ways, add_way, NULL);
  session.sizes_chosen = request.sizes != NULL;
  if (session.sizes_chosen) parse_list(state, "--sizes", request.sizes, add_size, NULL);
  const uint64_t *sizes = session.quick ? subject->quick_sizes : subject->sizes;
  while (!session.sizes_chosen && sizes[session.size_count] != 0) {
    session.sizes[session.size_count] = sizes[session.size_count];
    session.size_count++;
  }
  if (session.ways == 0) session.ways = UINT32_MAX;
  if (session.seconds <= 0) session.seconds = session.quick ? 2 : 30;
}

static void set_seed(const struct argp_state *state, const char *text) {
  session.seed = (uint64_t)parse_number(state, "--seed", text, 0, INT64_MAX);
  request.seeded = true;
}

/* Who asks for a .png would be given SVG under that name. */
static void set_plot(const struct argp_state *state, const char *path) {
  size_t length = strlen(path);
  if (length < 4 || strcasecmp(path + length - 4, ".svg") != 0) {
    argp_error(state, "--plot: '%s' is drawn as SVG: write FILE.svg", path);
  }
  request.plot = path;
}

static error_t parse(int key, char *argument, struct argp_state *state) {
  switch (key) {
    case KEY_SIZES:
      request.sizes = argument;
      break;
    case KEY_WAYS:
      request.ways = argument;
      break;
    case KEY_TIME:
      session.seconds = (double)parse_number(state, "--time", argument, 1, 86400);
      break;
    case KEY_QUICK:
      session.quick = true;
      break;
    case KEY_SEED:
      set_seed(state, argument);
      break;
    case KEY_CPUS:
      set_cpus(state, argument);
      break;
    case KEY_TMPFS:
      session.places.tmpfs = check_directory(state, "--tmpfs", argument, true);
      break;
    case KEY_DISK:
      session.places.disk = check_directory(state, "--disk", argument, false);
      break;
    case 'J':
      request.json = true;
      break;
    case KEY_SAMPLES:
      request.samples = true;
      break;
    case KEY_PLOT:
      set_plot(state, argument);
      break;
    case ARGP_KEY_ARG:
      set_subject(state, argument);
      break;
    case ARGP_KEY_END:
      set_defaults(state);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static char *help(int key, const char *text, void *input) {
  (void)input;
  if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
  char *list = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&list, &size));
  fill_subjects();
  for (size_t i = 0; i < SUBJECT_COUNT; i++) {
    (void)fprintf(out, "%sWays of bench %s:\n", i == 0 ? "" : "\n", subjects[i].name);
    for (size_t j = 0; subjects[i].ways[j] != NULL; j++) {
      (void)fprintf(out, "  %-10s  %s\n", subjects[i].ways[j], subjects[i].meanings[j]);
    }
  }
  (void)fputs("\nBetween two processes, bench access measures posix, tmpfs-read, pipe and socket "
              "unless --ways says otherwise. Ctrl-C stops and shows what has been measured so far. "
              "Exit status: 0 done, 1 something could not be measured, 2 wrong usage, 130 stopped "
              "by Ctrl-C, 143 by SIGTERM.\n",
              out);
  if (fclose(out) != 0) return must(NULL);
  return list;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "access|lifecycle",
    .doc =
        "Measures on this machine: access, how shared memory compares with files, pipes and "
        "sockets for the same work; lifecycle, what creating, touching, opening and removing a "
        "segment costs, with bare system calls and with shmkit. The first line is the answer.\v ",
    .help_filter = help};

static const char *const *choices(int key) {
  fill_subjects();
  if (key == KEY_WAYS) return subjects[0].ways;
  return key == 0 ? subject_names : NULL;
}

/* ---- Running -------------------------------------------------------------------------------- */

static void stop(int number) {
  session.stop = number;
}

/* Without SA_RESTART: what waits has to look. */
static void catch_signals(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = stop};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    (void)sigaction(numbers[i], &action, NULL);
  }
  (void)signal(SIGPIPE, SIG_IGN);
}

static void find_disk(void) {
  const char *candidates[] = {getenv("TMPDIR"), "/var/tmp", "/tmp", "."};
  for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
    const char *path = candidates[i];
    if (path == NULL || *path == '\0' || strlen(path) > 200 || access(path, W_OK) != 0) continue;
    if (machine_is_in_memory(path)) continue;
    session.places.disk = path;
    return;
  }
  for (size_t i = 0; request.subject->ways[i] != NULL; i++) {
    if (strncmp(request.subject->ways[i], "disk", 4) != 0) continue;
    if (session.ways_chosen && (session.ways & 1U << i) != 0) session.failures++;
    session.ways &= ~(1U << i);
  }
  session_note(&session, "not measured: files on a disk; there is no directory on one that can be "
                         "written to, see --disk");
}

static int show(const struct machine *machine) {
  session.verdict = request.subject->verdict(&session);
  if (request.json) {
    output_json(&session, machine, request.samples);
  } else {
    output_tables(&session, machine);
  }
  bool plotted = request.plot == NULL || output_plot(&session, request.plot);
  if (session.stop != 0) return 128 + session.stop;
  return session.failures == 0 && plotted ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Who waits for a CPU, waits longer than most things here take. */
static void warn_when_busy(const struct machine *machine) {
  if (machine->load * 2 < machine->cpus) return;
  session_note(&session,
               "the machine is busy (load average %.1f, %d CPUs), which shows most where two "
               "processes need both of theirs at once; measure again when it is not",
               machine->load, machine->cpus);
}

static int measure(void) {
  struct machine machine;
  machine_describe(&machine);
  warn_when_busy(&machine);
  if (!request.seeded) session.seed = (uint64_t)clock_now() % 1000000;
  session.chance = session.seed;
  if (session.cpus[0] < 0) machine_choose_cpus(session.cpus);
  if (session.places.disk == NULL) find_disk();
  if (!sweeper_start(&session.places)) report_fatal("starting a process: %s", strerror(errno));
  if (!machine_pin(session.cpus[0]))
    session_note(&session, "not pinned to a CPU: %s", strerror(errno));
  catch_signals();
  session.clock = engine_clock_overhead();
  session.begun = clock_now();
  progress_begin("measuring");
  request.subject->measure(&session);
  progress_end();
  session.took = clock_now() - session.begun;
  sweeper_end();
  return show(&machine);
}

static void release(void) {
  for (size_t i = 0; i < session.row_count; i++) {
    free(session.rows[i]->samples);
    free(session.rows[i]);
  }
  for (size_t i = 0; i < session.note_count; i++) free(session.notes[i]);
  free(session.rows);
  free(session.notes);
  free(session.verdict);
}

static int run(int argc, char **argv) {
  session = (struct session){.cpus = {-1, -1}, .places = {.tmpfs = "/dev/shm"}};
  fill_subjects();
  argp_parse(&argp, argc, argv, 0, NULL, NULL);
  session.what = request.subject->name;
  if (request.plot != NULL && !plot_is_possible(request.plot)) return EXIT_FAILURE;
  int status = measure();
  release();
  return status;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "Measure: is shared memory faster, what does a segment cost",
    .argp = &argp,
    .run = run,
    .choices = choices,
};
