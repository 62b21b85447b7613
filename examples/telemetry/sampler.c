/* SPDX-License-Identifier: MIT */
/*
 * sampler: read /proc many times a second into a segment that others look at meanwhile.
 *
 *   sampler [ADDRESS [RATE]]    by default: telemetry, 50 samples a second
 *
 * Ends on SIGHUP, SIGINT or SIGTERM. May be killed: the next sampler goes on where this one stopped, in the
 * same segment, for those who still have it open. With the last of them, the segment goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shmkit/shmkit.h>

#include "layout.h"
#include "proc.h"

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int fail(const char *message) {
  (void)fprintf(stderr, "sampler: %s\n", message);
  return 1;
}

/* ---- The segment ---------------------------------------------------------------------------- */

static struct telemetry_header make_header(const struct proc_counters *machine) {
  static const char names[TELEMETRY_COLUMNS][TELEMETRY_NAME_SIZE] = {TELEMETRY_NAMES};
  struct telemetry_header header = {
      .magic = TELEMETRY_MAGIC,
      .version = TELEMETRY_VERSION,
      .size = sizeof header,
      .memory_total = machine->memory_total,
      .boot_time = machine->boot_time,
      .cpus = machine->cpus,
      .statistics = TELEMETRY_STATISTICS,
      .history = {.offset = offsetof(struct telemetry, history),
                  .rows = TELEMETRY_HISTORY_ROWS,
                  .columns = TELEMETRY_COLUMNS},
      .summary = {.offset = offsetof(struct telemetry, summary),
                  .rows = TELEMETRY_SUMMARY_ROWS,
                  .columns = TELEMETRY_SUMMARY_COLUMNS},
  };
  memcpy(header.names, names, sizeof names);
  return header;
}

/* Two samplers would fill the same slots. The lock belongs to the open segment and goes with it,
 * however this process ends. */
static bool become_writer(shmkit_segment *segment) {
  struct flock lock = {.l_type = F_WRLCK,
                       .l_whence = SEEK_SET,
                       .l_start = offsetof(struct telemetry, header.history),
                       .l_len = sizeof(struct telemetry_ring)};
  int fd = -1;
  return shmkit_segment_fileno(segment, &fd) == 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Create the segment, or take over the one of an earlier sampler. NULL when that fails. */
static shmkit_segment *open_segment(const char *address, const struct proc_counters *machine) {
  const struct telemetry_header header = make_header(machine);
  shmkit_segment_options options = {
      .lifetime = SHMKIT_LAST, .content = &header, .content_size = sizeof header};
  shmkit_segment *segment = NULL;
  if (shmkit_segment_open_or_create(address, sizeof(struct telemetry), &options, &segment) != 0) {
    (void)fail(shmkit_error_message());
    return NULL;
  }
  const struct telemetry *telemetry = shmkit_segment_data(segment);
  if (memcmp(telemetry, &header, offsetof(struct telemetry_header, memory_total)) != 0) {
    (void)fprintf(stderr, "sampler: %s is something else\n", shmkit_segment_address(segment));
  } else if (!become_writer(segment)) {
    (void)fprintf(stderr, "sampler: %s has a sampler already\n", shmkit_segment_address(segment));
  } else {
    return segment;
  }
  shmkit_segment_free(segment);
  return NULL;
}

/* ---- Samples -------------------------------------------------------------------------------- */

/* Change between two counters; never negative, though the kernel's idle time sometimes is. */
static double change(uint64_t before, uint64_t now) {
  return now > before ? (double)(now - before) : 0;
}

static void fill_row(double *row, const struct proc_counters *before,
                     const struct proc_counters *now) {
  double seconds = now->time - before->time;
  double user = change(before->user, now->user);
  double system = change(before->system, now->system);
  double percent = 100 / fmax(user + system + change(before->idle, now->idle), 1);
  row[TELEMETRY_TIME] = now->time;
  row[TELEMETRY_CPU] = (user + system) * percent;
  row[TELEMETRY_USER] = user * percent;
  row[TELEMETRY_SYSTEM] = system * percent;
  row[TELEMETRY_RUNNABLE] = (double)now->runnable;
  row[TELEMETRY_SWITCHES] = change(before->switches, now->switches) / seconds;
  row[TELEMETRY_FORKS] = change(before->forks, now->forks) / seconds;
  row[TELEMETRY_MEMORY] = change(now->memory_available, now->memory_total);
  row[TELEMETRY_CACHED] = (double)now->cached;
  row[TELEMETRY_SWAP] = change(now->swap_free, now->swap_total);
  row[TELEMETRY_RECEIVED] = change(before->received, now->received) / seconds;
  row[TELEMETRY_SENT] = change(before->sent, now->sent) / seconds;
}

static void append(struct telemetry *telemetry, const struct proc_counters *before,
                   const struct proc_counters *now) {
  struct telemetry_ring *ring = &telemetry->header.history;
  /* Nobody else writes it. */
  uint64_t number = atomic_load_explicit(&ring->written, memory_order_relaxed);
  /* A reader that finds any of the new row in this slot must also find `number` in the count, and
   * so know that the old row is gone: the stores below stay behind the one that counted up to
   * `number`. Pairs with the second look of readers. */
  atomic_thread_fence(memory_order_release);
  fill_row(telemetry->history[number % TELEMETRY_HISTORY_ROWS], before, now);
  /* Who sees this count sees the row. */
  atomic_store_explicit(&ring->written, number + 1, memory_order_release);
}

/* ---- Time ----------------------------------------------------------------------------------- */

enum { BEFORE = 512 }; /* how many counters are kept */
static const double rate_span = 0.5;

/* The counters of half a second ago, or the oldest that are kept: from one sample to the next, the
 * kernel's ticks of 10 ms would be too coarse for a rate. `kept` is a ring of the last ones. */
static const struct proc_counters *before(const struct proc_counters *kept, uint64_t count,
                                          double time) {
  uint64_t first = count > BEFORE ? count - BEFORE : 0;
  while (first + 1 < count && time - kept[first % BEFORE].time > rate_span) first++;
  return &kept[first % BEFORE];
}

/* Sleep until the next multiple of the period; those that were missed are left out. */
static void sleep_until_next(double rate) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  double ticks = floor(((double)now.tv_sec + (double)now.tv_nsec / 1e9) * rate) + 1;
  double next = ticks / rate;
  double seconds = floor(next);
  struct timespec until = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((next - seconds) * 1e9)};
  (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int sample(struct telemetry *telemetry, double rate) {
  static struct proc_counters kept[BEFORE];
  uint64_t count = 0;
  if (!proc_read(&kept[count++])) return fail(strerror(errno));
  double start = kept[0].time;
  while (!stopped) {
    sleep_until_next(rate);
    struct proc_counters now;
    if (!proc_read(&now)) return fail(strerror(errno));
    append(telemetry, before(kept, count, now.time), &now);
    kept[count++ % BEFORE] = now;
  }
  double seconds = kept[(count - 1) % BEFORE].time - start;
  (void)fprintf(stderr, "sampler: %llu samples of /proc in %.1f seconds\n",
                (unsigned long long)count - 1, seconds);
  return 0;
}

int main(int argc, char **argv) {
  const char *address = argc > 1 ? argv[1] : "telemetry";
  double rate = argc > 2 ? strtod(argv[2], NULL) : 50;
  if (argc > 3 || address[0] == '-' || !(rate >= 1 && rate <= 1000)) {
    (void)fprintf(stderr, "usage: sampler [ADDRESS [RATE]], with 1 to 1000 samples a second\n");
    return 2;
  }
  struct sigaction action = {.sa_handler = stop}; /* without SA_RESTART: sleeping ends */
  (void)sigaction(SIGHUP, &action, NULL);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);

  struct proc_counters machine;
  if (!proc_read(&machine)) return fail(strerror(errno));
  shmkit_segment *segment = open_segment(address, &machine);
  if (segment == NULL) return 1;
  struct telemetry *telemetry = shmkit_segment_data(segment);
  telemetry->header.rate = rate;
  int status = sample(telemetry, rate);
  shmkit_segment_free(segment);
  return status;
}
