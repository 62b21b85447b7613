/* SPDX-License-Identifier: MIT */
/* The list of limits, and which of them is met first. */
#include "limit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "os.h"

struct shmkit_limits {
  struct shmkit__limit **entries;
  size_t count, capacity;
  bool no_memory;
};

/* ---- Filling -------------------------------------------------------------------------------- */

static bool make_room(shmkit_limits *self) {
  if (self->count < self->capacity) return true;
  size_t capacity = self->capacity == 0 ? 32 : self->capacity * 2;
  struct shmkit__limit **entries = realloc(self->entries, capacity * sizeof(*entries));
  if (entries == NULL) return false;
  self->entries = entries;
  self->capacity = capacity;
  return true;
}

struct shmkit__limit *shmkit__limits_add(shmkit_limits *self, const shmkit_limit *model) {
  struct shmkit__limit *entry = make_room(self) ? calloc(1, sizeof *entry) : NULL;
  if (entry == NULL) {
    self->no_memory = true;
    return NULL;
  }
  entry->limit = *model;
  entry->limit.note = entry->note;
  entry->limit.limit = entry->limit.used = entry->limit.free = SHMKIT_UNKNOWN;
  self->entries[self->count++] = entry;
  return entry;
}

void shmkit__limit_note(struct shmkit__limit *limit, const char *format, ...) {
  va_list arguments;
  if (limit == NULL) return;
  va_start(arguments, format);
  (void)vsnprintf(limit->note, sizeof limit->note, format, arguments);
  va_end(arguments);
}

static uint64_t left_of(uint64_t most, uint64_t used) {
  if (most == SHMKIT_UNKNOWN || most == SHMKIT_UNLIMITED) return most;
  if (used == SHMKIT_UNKNOWN) return SHMKIT_UNKNOWN;
  return most > used ? most - used : 0;
}

void shmkit__limit_set(struct shmkit__limit *limit, uint64_t most, uint64_t used) {
  if (limit == NULL) return;
  limit->limit.limit = most;
  limit->limit.used = used;
  limit->limit.free = limit->limit.flags & SHMKIT_LIMIT_EACH ? most : left_of(most, used);
}

shmkit_status shmkit_limits_take(shmkit_limits **out) {
  shmkit_limits *self = calloc(1, sizeof *self);
  if (self != NULL) shmkit__os_survey_limits(self);
  if (self == NULL || self->no_memory) {
    shmkit_limits_free(self);
    return shmkit__fail(-ENOMEM, "", "no memory for a list of limits");
  }
  *out = self;
  return 0;
}

void shmkit_limits_free(shmkit_limits *self) {
  if (self == NULL) return;
  for (size_t i = 0; i < self->count; i++) free(self->entries[i]);
  free(self->entries);
  free(self);
}

/* ---- Asking --------------------------------------------------------------------------------- */

size_t shmkit_limits_count(const shmkit_limits *self) {
  return self->count;
}

const shmkit_limit *shmkit_limits_at(const shmkit_limits *self, size_t index) {
  return index < self->count ? &self->entries[index]->limit : NULL;
}

/* The one with the least free; among equals the first. */
static const shmkit_limit *first_met(const shmkit_limits *self, shmkit_info_kind kind,
                                     bool in_bytes) {
  const shmkit_limit *found = NULL;
  if (kind < SHMKIT_INFO_POSIX || kind > SHMKIT_INFO_ANONYMOUS) return NULL;
  for (size_t i = 0; i < self->count; i++) {
    const shmkit_limit *limit = &self->entries[i]->limit;
    if (!(limit->kinds & SHMKIT_INFO_SET(kind)) || (limit->flags & SHMKIT_LIMIT_ON_REQUEST) ||
        (limit->unit == SHMKIT_UNIT_BYTES) != in_bytes || limit->free >= SHMKIT_UNLIMITED) {
      continue;
    }
    if (found == NULL || limit->free < found->free) found = limit;
  }
  return found;
}

const shmkit_limit *shmkit_limits_tightest(const shmkit_limits *self, shmkit_info_kind kind) {
  return first_met(self, kind, true);
}

const shmkit_limit *shmkit_limits_scarcest(const shmkit_limits *self, shmkit_info_kind kind) {
  return first_met(self, kind, false);
}

const char *shmkit_unit_name(shmkit_unit unit) {
  static const char *const names[] = {"?", "bytes", "inodes", "segments", "files", "mappings"};
  return (unsigned)unit <= SHMKIT_UNIT_MAPPINGS ? names[unit] : names[0];
}

const char *shmkit_scope_name(shmkit_scope scope) {
  static const char *const names[] = {
      "?", "machine", "file system", "ipc namespace", "control group", "process"};
  return (unsigned)scope <= SHMKIT_SCOPE_PROCESS ? names[scope] : names[0];
}
