/* SPDX-License-Identifier: MIT */
#include "lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

#include "../report.h"
#include "../text.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

const struct life_kind life_kinds[LIFE_KIND_COUNT] = {
    {"posix", "POSIX shared memory", OBJECT_POSIX,
     1U << ROOM_RESERVE | 1U << ROOM_SPARSE | 1U << ROOM_POPULATE},
    {"sysv", "System V shared memory", OBJECT_SYSV, 1U << ROOM_SPARSE | 1U << ROOM_POPULATE},
    {"memfd", "a memfd", OBJECT_MEMFD, 1U << ROOM_RESERVE},
    {"tmpfs", "a file on tmpfs", OBJECT_TMPFS, 1U << ROOM_RESERVE},
    {"disk", "a file on a disk", OBJECT_DISK, 1U << ROOM_RESERVE},
};

const char *const life_steps[LIFE_STEP_COUNT] = {"create", "touch",  "again", "open",
                                                 "close",  "unlink", "end"};

const char *const life_rooms[ROOM_COUNT] = {"reserve", "sparse", "populate"};

struct life_case {
  struct bench_case base;
  enum room room;
  struct object object;
  size_t page;
  uint64_t value;
};

static bool has_name(const struct life_case *self) {
  return self->object.kind != OBJECT_MEMFD;
}

/* ---- Steps that both have ------------------------------------------------------------------- */

/* A store to each page, which the next look has to find. */
static void touch(const struct life_case *self, volatile char *memory, uint64_t value) {
  for (size_t at = 0; at < self->object.size; at += self->page) memory[at] = (char)value;
}

static bool was_touched(const struct life_case *self, const volatile char *memory, uint64_t value) {
  for (size_t at = 0; at < self->object.size; at += self->page) {
    if (memory[at] != (char)value) return false;
  }
  return true;
}

/* `first` and `second` are mappings of the same memory. */
static bool check(struct life_case *self, const void *first, const void *second) {
  bool good = was_touched(self, first, self->value) && was_touched(self, second, self->value);
  return good || case_fail(&self->base, "the second mapping does not show what was stored");
}

static void touch_twice(struct life_case *self, void *memory) {
  self->value = self->value % 100 + 1;
  touch(self, memory, self->value + 1);
  case_step(&self->base);
  touch(self, memory, self->value);
  case_step(&self->base);
}

/* ---- Bare system calls ---------------------------------------------------------------------- */

static bool make_room(const struct life_case *self, struct object *object) {
  return self->room == ROOM_SPARSE ? object_extend(object) : object_reserve(object);
}

static bool populate(const struct life_case *self, const struct object *object) {
  return self->room != ROOM_POPULATE ||
         madvise(object->memory, object->size, MADV_POPULATE_WRITE) == 0;
}

static void end_second(struct bench_case *base, struct object *second) {
  object_unmap(second);
  object_close(second);
  case_step(base);
}

static bool live_bare(struct life_case *self, struct object *object, struct object *second) {
  struct bench_case *base = &self->base;
  case_first_step(base);
  if (!object_create(object) || !make_room(self, object) || !object_map(object) ||
      !populate(self, object)) {
    return case_fail_errno(base, "creating");
  }
  case_step(base);
  touch_twice(self, object->memory);
  if (!object_open(second, object) || !object_map(second)) return case_fail_errno(base, "opening");
  case_step(base);
  if (!check(self, object->memory, second->memory)) return false;
  case_skip(base);
  end_second(base, second);
  if (has_name(self)) {
    if (!object_unlink(object)) return case_fail_errno(base, "unlink");
    case_step(base);
  }
  object_unmap(object);
  object_close(object);
  object->id = -1;
  case_step(base);
  return true;
}

static bool operate_bare(struct bench_case *base) {
  struct life_case *self = (struct life_case *)base;
  struct object second = {.kind = self->object.kind, .size = self->object.size, .fd = -1, .id = -1};
  second.channel = self->object.channel;
  bool good = live_bare(self, &self->object, &second);
  if (good) return true;
  object_unmap(&second);
  object_close(&second);
  object_end(&self->object);
  return false;
}

/* ---- The library ---------------------------------------------------------------------------- */

static bool fail_shmkit(struct life_case *self) {
  return case_fail(&self->base, "%s", shmkit_error_message());
}

static bool create_shmkit(struct life_case *self, shmkit_segment **out) {
  static const uint32_t flags[] = {
      [ROOM_RESERVE] = 0, [ROOM_SPARSE] = SHMKIT_SPARSE, [ROOM_POPULATE] = SHMKIT_POPULATE};
  shmkit_segment_options options = SHMKIT_SEGMENT_OPTIONS_INIT;
  /* System V has no other room, and takes no flag for it. */
  bool choice = self->object.kind != OBJECT_SYSV || self->room != ROOM_SPARSE;
  options.flags = choice ? flags[self->room] : 0;
  return shmkit_segment_create(self->object.address, self->object.size, &options, out) == 0;
}

/* By its address; a memfd's is where its descriptor is seen. */
static bool open_shmkit(shmkit_segment *first, shmkit_segment **out) {
  char address[64];
  int fd;
  if (shmkit_segment_kind(first) != SHMKIT_MEMFD) {
    return shmkit_segment_open(shmkit_segment_address(first), NULL, out) == 0;
  }
  if (shmkit_segment_fileno(first, &fd) != 0) return false;
  (void)snprintf(address, sizeof address, "file:/proc/self/fd/%d", fd);
  return shmkit_segment_open(address, NULL, out) == 0;
}

static bool live_shmkit(struct life_case *self, shmkit_segment **first, shmkit_segment **second) {
  struct bench_case *base = &self->base;
  case_first_step(base);
  if (!create_shmkit(self, first)) return fail_shmkit(self);
  case_step(base);
  touch_twice(self, shmkit_segment_data(*first));
  if (!open_shmkit(*first, second)) return fail_shmkit(self);
  case_step(base);
  if (!check(self, shmkit_segment_data(*first), shmkit_segment_data(*second))) return false;
  case_skip(base);
  shmkit_segment_free(*second);
  *second = NULL;
  case_step(base);
  if (has_name(self)) {
    if (shmkit_segment_unlink(*first) != 0) return fail_shmkit(self);
    case_step(base);
  }
  shmkit_segment_free(*first);
  *first = NULL;
  case_step(base);
  return true;
}

static bool operate_shmkit(struct bench_case *base) {
  struct life_case *self = (struct life_case *)base;
  shmkit_segment *first = NULL, *second = NULL;
  bool good = live_shmkit(self, &first, &second);
  if (good) return true;
  shmkit_segment_free(second);
  if (first != NULL && has_name(self)) (void)shmkit_segment_unlink(first);
  shmkit_segment_free(first);
  return false;
}

/* ---- Cases ---------------------------------------------------------------------------------- */

enum { CASES_MAX = LIFE_KIND_COUNT * ROOM_COUNT * 2 };

static void add_rows(struct session *session, struct life_case *self, const char *way,
                     const char *by) {
  for (int i = 0; i < LIFE_STEP_COUNT; i++) {
    if (!has_name(self) && strcmp(life_steps[i], "unlink") == 0) continue;
    struct row *row = session_row(session, way, life_steps[i], self->object.size);
    row->by = by;
    row->room = life_rooms[self->room];
    self->base.rows[self->base.steps++] = row;
  }
}

static void add_case(struct session *session, struct life_case *new, size_t kind, enum room room,
                     bool library, size_t size) {
  *new = (struct life_case){.room = room, .page = (size_t)sysconf(_SC_PAGESIZE)};
  object_prepare(&new->object, life_kinds[kind].kind, size, &session->places);
  new->base.operate = library ? operate_shmkit : operate_bare;
  add_rows(session, new, life_kinds[kind].name, library ? "shmkit" : "bare");
}

static size_t add_kind(struct session *session, struct life_case *cases, size_t kind, size_t size) {
  size_t count = 0;
  for (enum room room = 0; room < ROOM_COUNT; room++) {
    if ((life_kinds[kind].rooms & 1U << room) == 0) continue;
    add_case(session, &cases[count++], kind, room, false, size);
    add_case(session, &cases[count++], kind, room, true, size);
  }
  return count;
}

static void measure_size(struct session *session, size_t size) {
  struct life_case *cases = must(calloc(CASES_MAX, sizeof *cases));
  struct bench_case *pointers[CASES_MAX];
  size_t count = 0;
  char *text = text_size(size, false), *label = text_format("segments of %s", text);
  for (size_t i = 0; i < LIFE_KIND_COUNT; i++) {
    if ((session->ways & 1U << i) != 0) count += add_kind(session, cases + count, i, size);
  }
  for (size_t i = 0; i < count; i++) pointers[i] = &cases[i].base;
  session_measure(session, pointers, count, session_share(size), label);
  free(label);
  free(text);
  free(cases);
}

void lifecycle_measure(struct session *session) {
  for (size_t i = 0; i < session->size_count; i++) {
    session->shares += session_share(session->sizes[i]);
  }
  for (size_t i = 0; i < session->size_count && session->stop == 0; i++) {
    if (session_has_room(session, session->sizes[i], 2, 2, 2)) {
      measure_size(session, (size_t)session->sizes[i]);
    } else {
      session->shares_done += session_share(session->sizes[i]);
    }
  }
}
