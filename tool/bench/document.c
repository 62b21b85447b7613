/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "../json.h"
#include "../report.h"
#include "../text.h"
#include "output.h"

static const char *known(const char *text) {
  return text[0] != '\0' ? text : NULL;
}

static void add_known_number(json *object, const char *key, int number) {
  if (number < 0) {
    json_add_null(object, key);
  } else {
    json_add_integer(object, key, number);
  }
}

static json *place_json(const char *path) {
  json *place = json_new();
  char *type = machine_file_system(path);
  json_add_text(place, "path", path);
  json_add_text(place, "file_system", strcmp(type, "?") == 0 ? NULL : type);
  free(type);
  return place;
}

static json *environment_json(const struct session *session, const struct machine *machine) {
  json *object = json_new(), *cpus = json_new_array();
  json_add_text(object, "model", known(machine->model));
  json_add_text(object, "kernel", machine->kernel);
  json_add_text(object, "architecture", machine->architecture);
  json_add_text(object, "governor", known(machine->governor));
  json_add_text(object, "shared_huge_pages", known(machine->shared_huge_pages));
  add_known_number(object, "cpus", machine->cpus);
  add_known_number(object, "cpus_allowed", machine->cpus_allowed);
  add_known_number(object, "cores", machine->cores);
  add_known_number(object, "threads_per_core", machine->threads_per_core);
  json_add_bool(object, "virtual", machine->virtual);
  json_add_real(object, "load_average", machine->load < 0 ? (double)NAN : machine->load);
  for (int i = 0; i < 2; i++) json_append(cpus, must(json_object_new_int(session->cpus[i])));
  json_add(object, "pinned", cpus);
  json_add_text(object, "relation", machine_relation(session->cpus));
  json_add(object, "posix", place_json("/dev/shm"));
  json_add(object, "tmpfs", place_json(session->places.tmpfs));
  json_add(object, "disk", session->places.disk ? place_json(session->places.disk) : NULL);
  json_add_real(object, "clock_overhead", session->clock);
  return object;
}

/* "copy/posix/4096". */
static char *row_name(const struct row *row) {
  char *name = text_format("%s/%s", row->mode, row->way);
  const char *const more[] = {row->by, row->room};
  for (int i = 0; i < 2; i++) {
    if (more[i] == NULL) continue;
    char *longer = text_format("%s/%s", name, more[i]);
    free(name);
    name = longer;
  }
  if (row->size == 0) return name;
  char *whole = text_format("%s/%ju", name, (uintmax_t)row->size);
  free(name);
  return whole;
}

static json *numbers_json(const double *numbers, size_t count) {
  json *array = json_new_array();
  for (size_t i = 0; i < count; i++) json_append(array, must(json_object_new_double(numbers[i])));
  return array;
}

static json *row_json(const struct row *row, bool samples) {
  json *object = json_new();
  const double quartiles[] = {row->time.low, row->time.high};
  char *name = row_name(row);
  json_add_text(object, "name", name);
  json_add_text(object, "way", row->way);
  json_add_text(object, "mode", row->mode);
  json_add_text(object, "by", row->by);
  json_add_text(object, "room", row->room);
  if (row->size == 0) {
    json_add_null(object, "size");
    json_add_null(object, "verified");
  } else {
    json_add_count(object, "size", row->size);
    /* Each operation was; had one been wrong, there would be no row. */
    json_add_bool(object, "verified", true);
  }
  json_add_text(object, "unit", "ns");
  json_add_real(object, "median", row->time.median);
  json_add(object, "quartiles", numbers_json(quartiles, 2));
  json_add_count(object, "samples", row->count);
  json_add_count(object, "operations_per_sample", row->operations);
  json_add_real(object, "faults", row->faults);
  json_add_real(object, "syscalls", row->calls);
  if (samples) json_add(object, "values", numbers_json(row->samples, row->count));
  free(name);
  return object;
}

void output_json(const struct session *session, const struct machine *machine, bool samples) {
  json *document = json_new_document(), *rows = json_new_array(), *notes = json_new_array();
  char *command = text_format("bench %s", session->what);
  json_add_text(document, "command", command);
  json_add_text(document, "verdict", session->verdict);
  json_add_bool(document, "complete", session->stop == 0);
  json_add_count(document, "seed", session->seed);
  json_add_count(document, "took_ns", session->took);
  json_add(document, "environment", environment_json(session, machine));
  for (size_t i = 0; i < session->row_count; i++) {
    if (session->rows[i]->count > 0) json_append(rows, row_json(session->rows[i], samples));
  }
  json_add(document, "rows", rows);
  for (size_t i = 0; i < session->note_count; i++) {
    char *clean = text_escape(session->notes[i]);
    json_append(notes, must(json_object_new_string(clean)));
    free(clean);
  }
  json_add(document, "notes", notes);
  json_print(document);
  free(command);
}
