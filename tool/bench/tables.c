/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../table.h"
#include "../text.h"
#include "access.h"
#include "lifecycle.h"
#include "output.h"

/* ---- Cells ---------------------------------------------------------------------------------- */

/* "2.35 ns", "59.1 ms": three digits. */
static char *text_time_span(double nanoseconds) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  size_t unit = 0;
  if (isnan(nanoseconds)) return text_format("-");
  for (; nanoseconds >= 999.5 && unit < 3; unit++) nanoseconds /= 1000;
  int digits = nanoseconds >= 99.95 ? 0 : nanoseconds >= 9.995 ? 1 : 2;
  return text_format("%.*f %s", digits, nanoseconds, units[unit]);
}

/* "0", "0.04", "1234"; "-" when unknown. */
static char *text_number(double number) {
  if (isnan(number)) return text_format("-");
  bool whole = fabs(number - round(number)) < 0.005 || number >= 100;
  return text_format("%.*f", whole ? 0 : 2, number);
}

static char *text_row_size(const struct row *row) {
  return row->size == 0 ? text_format("-") : text_size(row->size, false);
}

/* ---- What the figures depend on ------------------------------------------------------------- */

static void print_machine(const struct machine *machine) {
  printf("%s, %d CPUs (%d allowed), %d cores, %d thread%s per core%s\n",
         machine->model[0] != '\0' ? machine->model : "unknown processor", machine->cpus,
         machine->cpus_allowed, machine->cores, machine->threads_per_core,
         machine->threads_per_core == 1 ? "" : "s", machine->virtual ? ", virtual machine" : "");
  printf("%s %s, governor %s, huge pages for shared memory: %s, load average %.2f\n",
         machine->kernel, machine->architecture,
         machine->governor[0] != '\0' ? machine->governor : "unknown",
         machine->shared_huge_pages[0] != '\0' ? machine->shared_huge_pages : "unknown",
         machine->load);
}

static void print_place(const char *what, const char *path) {
  char *type = machine_file_system(path), *clean = text_escape(path);
  printf("%s %s (%s)", what, clean, type);
  free(clean);
  free(type);
}

static void print_session(const struct session *session) {
  printf("CPU %d", session->cpus[0]);
  if (strcmp(session->what, "access") == 0) {
    printf(", the other process on CPU %d (%s)", session->cpus[1], machine_relation(session->cpus));
  }
  printf("; reading the clock takes %.0f ns; seed %ju; took %.1f s\n", session->clock,
         (uintmax_t)session->seed, (double)session->took / 1e9);
  print_place("POSIX segments in", "/dev/shm");
  print_place(", other tmpfs files in", session->places.tmpfs);
  if (session->places.disk != NULL) print_place(", disk files in", session->places.disk);
  puts("\nMedian and quartiles of samples that were taken in turns, in random order; page faults "
       "and system calls per operation");
}

static void print_notes(const struct session *session) {
  if (session->note_count > 0) puts("");
  for (size_t i = 0; i < session->note_count; i++) {
    char *clean = text_escape(session->notes[i]);
    printf("Note: %s\n", clean);
    free(clean);
  }
}

/* ---- Access --------------------------------------------------------------------------------- */

static const struct {
  const char *mode, *title;
} access_tables[] = {
    {"baseline", "For comparison"},
    {"shell-loop", "What one measures with a loop in a shell: starting programs (one round of it)"},
    {"in-place", "Used in place: each payload stored and checked where it lies, mapping kept"},
    {"copy", "Copied in and out: made elsewhere, carried, checked elsewhere; opened once"},
    {"once", "Opened, used and closed for each payload; memory in place"},
    {"cold", "Created, used and removed for each payload; memory in place"},
    {"spin-in-place", "To another process and a word back, in place; both look again and again"},
    {"spin-copy", "The same with copying in and out; both look again and again"},
    {"sleep-in-place", "To another process and a word back, in place; both sleep until woken"},
    {"sleep-copy", "The same with copying in and out; both sleep until woken"},
};

static char *text_beside_posix(const struct session *session, const struct row *row) {
  const struct row *posix = session_find(session, "posix", row->mode, row->size, NULL, NULL);
  if (posix == NULL) return text_format("-");
  double ratio = row->time.median / posix->time.median;
  return text_format("%.*f", ratio >= 20 ? 0 : 2, ratio);
}

static void add_access_row(struct table *table, const struct session *session,
                           const struct row *row) {
  table_add_row(table);
  table_set(table, 0, text_row_size(row), NULL);
  table_set(table, 1, text_format("%s", row->way), NULL);
  table_set(table, 2, text_time_span(row->time.median), NULL);
  table_set(table, 3, text_time_span(row->time.low), NULL);
  table_set(table, 4, text_time_span(row->time.high), NULL);
  table_set(table, 5, text_beside_posix(session, row), NULL);
  table_set(table, 6, text_number(row->faults), NULL);
  table_set(table, 7, text_number(row->calls), NULL);
  table_set(table, 8, text_count(row->count), NULL);
}

static void print_access_table(const struct session *session, const char *mode, const char *title) {
  static const char *const columns[] = {"SIZE",    "WAY",    "MEDIAN", "LOW",    "HIGH",
                                        "X POSIX", "FAULTS", "CALLS",  "SAMPLES"};
  struct table *table = table_new(&(struct table_options){0});
  size_t count = 0;
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    table_add_column(table, columns[i], i == 1 ? TABLE_LEFT : TABLE_RIGHT);
  }
  for (size_t i = 0; i < session->row_count; i++) {
    const struct row *row = session->rows[i];
    if (strcmp(row->mode, mode) != 0 || row->count == 0) continue;
    if (count++ == 0) printf("\n%s\n", title);
    add_access_row(table, session, row);
  }
  table_print(table);
}

/* ---- Lifecycle ------------------------------------------------------------------------------ */

/* "8.21 us 4%": the median, and half the distance between the quartiles. */
static char *text_step(const struct row *row) {
  if (row == NULL) return text_format("-");
  char *median = text_time_span(row->time.median);
  double spread = 50 * (row->time.high - row->time.low) / row->time.median;
  char *text = text_format("%s +-%.0f%%", median, spread);
  free(median);
  return text;
}

/* Whether a row begins another line of the table. */
static bool begins_line(const struct session *session, size_t i) {
  const struct row *row = session->rows[i];
  return row->count > 0 && strcmp(row->mode, life_steps[0]) == 0;
}

static void add_line(struct table *table, const struct session *session, const struct row *first) {
  double faults = 0, calls = 0;
  table_add_row(table);
  table_set(table, 0, text_row_size(first), NULL);
  table_set(table, 1, text_format("%s", first->way), NULL);
  table_set(table, 2, text_format("%s", first->room), NULL);
  table_set(table, 3, text_format("%s", first->by), NULL);
  for (size_t i = 0; i < LIFE_STEP_COUNT; i++) {
    const struct row *row =
        session_find(session, first->way, life_steps[i], first->size, first->by, first->room);
    table_set(table, 4 + i, text_step(row), NULL);
    if (row == NULL) continue;
    faults += row->faults;
    calls += row->calls;
  }
  table_set(table, 4 + LIFE_STEP_COUNT, text_number(faults), NULL);
  table_set(table, 5 + LIFE_STEP_COUNT, text_number(calls), NULL);
  table_set(table, 6 + LIFE_STEP_COUNT, text_count(first->count), NULL);
}

static void print_lifecycle_table(const struct session *session) {
  static const char *const before[] = {"SIZE", "WAY", "ROOM", "BY"};
  static const char *const after[] = {"FAULTS", "CALLS", "SAMPLES"};
  struct table *table = table_new(&(struct table_options){0});
  for (size_t i = 0; i < 4; i++) {
    table_add_column(table, before[i], i == 0 ? TABLE_RIGHT : TABLE_LEFT);
  }
  for (size_t i = 0; i < LIFE_STEP_COUNT; i++) {
    char heading[16] = "";
    for (size_t j = 0; life_steps[i][j] != '\0'; j++) heading[j] = (char)(life_steps[i][j] - 32);
    table_add_column(table, heading, TABLE_RIGHT);
  }
  for (size_t i = 0; i < 3; i++) table_add_column(table, after[i], TABLE_RIGHT);
  puts("+-: half the distance between the quartiles; faults and calls of the whole life\n");
  for (size_t i = 0; i < session->row_count; i++) {
    if (begins_line(session, i)) add_line(table, session, session->rows[i]);
  }
  table_print(table);
}

void output_tables(const struct session *session, const struct machine *machine) {
  printf("%s\n\n", session->verdict);
  print_machine(machine);
  print_session(session);
  if (strcmp(session->what, "lifecycle") == 0) print_lifecycle_table(session);
  if (strcmp(session->what, "access") == 0) {
    for (size_t i = 0; i < sizeof access_tables / sizeof *access_tables; i++) {
      print_access_table(session, access_tables[i].mode, access_tables[i].title);
    }
  }
  print_notes(session);
}
