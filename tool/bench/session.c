/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "../clock.h"
#include "../progress.h"
#include "../report.h"
#include "../text.h"

enum { LARGE = 8 << 20 };

struct row *session_row(struct session *self, const char *way, const char *mode, uint64_t size) {
  struct row *row = must(calloc(1, sizeof *row));
  *row = (struct row){.way = way, .mode = mode, .size = size};
  row->faults = row->calls = (double)NAN;
  self->rows = must(realloc(self->rows, (self->row_count + 1) * sizeof *self->rows));
  self->rows[self->row_count++] = row;
  return row;
}

static bool same(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const struct row *session_find(const struct session *self, const char *way, const char *mode,
                               uint64_t size, const char *by, const char *room) {
  for (size_t i = 0; i < self->row_count; i++) {
    const struct row *row = self->rows[i];
    if (row->count > 0 && row->size == size && same(row->way, way) && same(row->mode, mode) &&
        same(row->by, by) && same(row->room, room)) {
      return row;
    }
  }
  return NULL;
}

void session_note(struct session *self, const char *format, ...) {
  char *note = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&note, format, arguments) < 0) (void)must(NULL);
  va_end(arguments);
  self->notes = must(realloc(self->notes, (self->note_count + 1) * sizeof *self->notes));
  self->notes[self->note_count++] = note;
}

static void show_progress(double done, void *context) {
  const struct session *self = context;
  double part = done < 1 ? done : 1;
  progress_show((self->shares_done + part * self->share) / self->shares, self->now);
}

static void note_failure(struct session *self, const struct bench_case *failed) {
  const struct row *row = failed->rows[0];
  char *size = text_size(row->size, false);
  session_note(self, "not measured: %s%s%s%s%s%s%s: %s", row->way, row->by ? " by " : "",
               row->by ? row->by : "", failed->steps > 1 ? "" : " ",
               failed->steps > 1 ? "" : row->mode, row->size ? " of " : "", row->size ? size : "",
               failed->reason);
  free(size);
  self->failures++;
}

void session_measure(struct session *self, struct bench_case **cases, size_t count, double share,
                     const char *label) {
  const uint64_t second = 1000000000;
  self->now = label;
  self->share = share;
  double part = share / (self->shares - self->shares_done);
  double used = (double)(clock_now() - self->begun) / (double)second;
  double left = self->seconds > used ? self->seconds - used : 0;
  struct plan plan = {
      .time = (uint64_t)(left * part * (double)second) + 1,
      .sample_time = self->quick ? 100000 : 500000,
      .least_rounds = RATIO_LEAST,
      .most_rounds = self->quick ? 21 : 101,
      .chance = &self->chance,
      .stop = &self->stop,
      .progress = show_progress,
      .context = self,
  };
  engine_measure(cases, count, &plan);
  self->shares_done += share;
  for (size_t i = 0; i < count; i++) {
    if (cases[i]->failed) note_failure(self, cases[i]);
  }
}

double session_share(uint64_t size) {
  return size >= LARGE ? 5 : 1;
}

/* ---- Room ----------------------------------------------------------------------------------- */

/* Of the machine, as the kernel estimates it. */
static uint64_t memory_available(void) {
  FILE *file = fopen("/proc/meminfo", "re");
  char line[128];
  uint64_t kilobytes = UINT64_MAX >> 10;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "MemAvailable: %" SCNu64, &kilobytes) == 1) break; /* NOLINT(cert-err34-c) */
  }
  if (file != NULL) (void)fclose(file);
  return kilobytes << 10;
}

static uint64_t number_in(const char *path, uint64_t otherwise) {
  FILE *file = fopen(path, "re");
  uint64_t number = otherwise;
  if (file == NULL) return otherwise;
  if (fscanf(file, "%" SCNu64, &number) != 1) number = otherwise; /* NOLINT(cert-err34-c) */
  (void)fclose(file);
  return number;
}

/* Of the control group, as a container sees its own: more than that gets processes killed. */
static uint64_t group_available(void) {
  uint64_t most = number_in("/sys/fs/cgroup/memory.max", UINT64_MAX);
  uint64_t used = number_in("/sys/fs/cgroup/memory.current", 0);
  return most > used ? most - used : 0;
}

static uint64_t free_on(const char *directory) {
  struct statvfs status;
  if (statvfs(directory, &status) != 0) return 0;
  return (uint64_t)status.f_bavail * status.f_frsize;
}

static bool fits(struct session *self, uint64_t size, uint64_t need, uint64_t available,
                 const char *where) {
  /* Others use it too. */
  if (need <= available - available / 8) return true;
  char *of = text_size(size, false), *wanted = text_size(need, false);
  char *there = text_size(available, false);
  session_note(self, "not measured: size %s, which takes %s of %s and some to spare: there are %s",
               of, wanted, where, there);
  if (self->sizes_chosen) self->failures++;
  free(of);
  free(wanted);
  free(there);
  return false;
}

bool session_has_room(struct session *self, uint64_t size, unsigned in_memory, unsigned on_tmpfs,
                      unsigned on_disk) {
  uint64_t memory = memory_available(), group = group_available();
  return fits(self, size, size * in_memory, memory < group ? memory : group, "memory") &&
         fits(self, size, size * on_tmpfs, free_on("/dev/shm"), "/dev/shm") &&
         fits(self, size, size * on_tmpfs, free_on(self->places.tmpfs), self->places.tmpfs) &&
         (self->places.disk == NULL ||
          fits(self, size, size * on_disk, free_on(self->places.disk), self->places.disk));
}
