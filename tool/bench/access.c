/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../report.h"
#include "../text.h"
#include "payload.h"
#include "peer.h"
#include "process.h"

const char *const mode_names[MODE_COUNT] = {"in-place",       "copy",          "once",
                                            "cold",           "spin-in-place", "spin-copy",
                                            "sleep-in-place", "sleep-copy"};

const struct way access_ways[WAY_COUNT] = {
    {"private", "memory of one process, for comparison", OBJECT_PRIVATE, REACH_MAPPED},
    {"posix", "POSIX shared memory, mapped", OBJECT_POSIX, REACH_MAPPED},
    {"sysv", "System V shared memory, attached", OBJECT_SYSV, REACH_MAPPED},
    {"memfd", "a memfd, mapped", OBJECT_MEMFD, REACH_MAPPED},
    {"tmpfs-map", "a file on tmpfs, mapped", OBJECT_TMPFS, REACH_MAPPED},
    {"tmpfs-read", "a file on tmpfs, written and read", OBJECT_TMPFS, REACH_FILE},
    {"disk-map", "a file on a disk, mapped", OBJECT_DISK, REACH_MAPPED},
    {"disk-read", "a file on a disk, written and read", OBJECT_DISK, REACH_FILE},
    {"pipe", "a pipe", OBJECT_PIPE, REACH_STREAM},
    {"socket", "a Unix socket, stream", OBJECT_SOCKET, REACH_STREAM},
};

/* ---- Operations ----------------------------------------------------------------------------- */

static bool wrong_data(struct access_case *self) {
  return case_fail(&self->base, "the data that arrived are wrong");
}

/* The barrier: what is checked has to be loaded from where it was stored. */
static bool use_in_place(struct access_case *self, void *memory) {
  uint64_t seed = next_seed(self);
  payload_fill(memory, self->size, seed);
  __asm__ volatile("" ::: "memory");
  return payload_check(memory, self->size, seed) || wrong_data(self);
}

static bool operate_in_place(struct bench_case *base) {
  struct access_case *self = (struct access_case *)base;
  return use_in_place(self, self->object->memory);
}

static bool again(ssize_t result) {
  return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* One process at both ends of what does not wait: as much as fits in, then out, and so on. */
static bool through_stream(const struct channel *channel, const char *from, char *to, size_t size) {
  for (size_t sent = 0, got = 0; got < size;) {
    ssize_t now = sent < size ? write(channel->there[1], from + sent, size - sent) : 0;
    if (now < 0 && !again(now)) return false;
    if (now > 0) sent += (size_t)now;
    now = read(channel->there[0], to + got, size - got);
    if (now == 0 || (now < 0 && !again(now))) return false;
    if (now > 0) got += (size_t)now;
  }
  return true;
}

static bool carry(const struct access_case *self, const struct object *object) {
  char *from = self->buffers->source, *to = self->buffers->sink;
  if (self->way->reach == REACH_STREAM) {
    return through_stream(&object->channel, from, to, self->size);
  }
  if (self->way->reach == REACH_FILE) {
    return write_all(object->fd, from, self->size, 0) && read_all(object->fd, to, self->size, 0);
  }
  memcpy(object->memory, from, self->size);
  __asm__ volatile("" ::: "memory");
  memcpy(to, object->memory, self->size);
  return true;
}

static bool use_by_copy(struct access_case *self, const struct object *object) {
  uint64_t seed = next_seed(self);
  payload_fill(self->buffers->source, self->size, seed);
  if (!carry(self, object)) return case_fail_errno(&self->base, "copying");
  return payload_check(self->buffers->sink, self->size, seed) || wrong_data(self);
}

static bool operate_copy(struct bench_case *base) {
  struct access_case *self = (struct access_case *)base;
  return use_by_copy(self, self->object);
}

static bool use_as_reached(struct access_case *self, struct object *object) {
  if (self->way->reach != REACH_MAPPED) return use_by_copy(self, object);
  if (!object_map(object)) return case_fail_errno(&self->base, "mapping");
  return use_in_place(self, object->memory);
}

static bool operate_once(struct bench_case *base) {
  struct access_case *self = (struct access_case *)base;
  struct object opened = {
      .kind = self->object->kind, .size = self->size, .fd = -1, .channel = {{-1, -1}, {-1, -1}}};
  if (!object_open(&opened, self->object)) return case_fail_errno(base, "opening");
  bool good = use_as_reached(self, &opened);
  object_unmap(&opened);
  object_close(&opened);
  return good;
}

/* Created as one creates it: what is mapped has to have its size, what is written gets it. */
static bool create_fresh(const struct access_case *self) {
  struct object *object = self->object;
  if (!object_create(object)) return false;
  if (self->way->reach == REACH_MAPPED) return object_extend(object);
  return self->way->reach == REACH_FILE || channel_set_waiting(&object->channel, false);
}

static bool operate_cold(struct bench_case *base) {
  struct access_case *self = (struct access_case *)base;
  bool good = create_fresh(self) || case_fail_errno(base, "creating");
  good = good && use_as_reached(self, self->object);
  object_end(self->object);
  return good;
}

/* ---- Cases ---------------------------------------------------------------------------------- */

static bool has_peer(enum mode mode) {
  return mode >= MODE_SPIN_IN_PLACE;
}

static bool is_in_place(enum mode mode) {
  return mode == MODE_IN_PLACE || mode == MODE_SPIN_IN_PLACE || mode == MODE_SLEEP_IN_PLACE;
}

/* Which modes make sense. */
static bool applies(const struct way *way, enum mode mode) {
  if (is_in_place(mode) && way->reach != REACH_MAPPED) return false;
  if (way->kind == OBJECT_PRIVATE) return mode != MODE_ONCE && !has_peer(mode);
  return mode != MODE_ONCE || way->reach != REACH_STREAM;
}

/* All that exists while things of one size are measured. */
struct group {
  struct session *session;
  size_t size;
  struct buffers buffers;
  /* For each way: what exists throughout; what a stream has for the other process; what comes and
   * goes. */
  struct object standing[WAY_COUNT], duplex[WAY_COUNT], fresh[WAY_COUNT];
  struct access_case cases[WAY_COUNT * MODE_COUNT];
  size_t count;
};

static char *get_buffer(size_t size) {
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return must(NULL);
  (void)madvise(memory, size, MADV_NOHUGEPAGE);
  return memory;
}

static bool set_up_stream(struct object *object, bool waiting) {
  return object_create(object) && channel_set_waiting(&object->channel, waiting);
}

static bool set_up_memory(struct object *object, enum reach reach) {
  if (!object_create(object) || !object_extend(object) || !object_reserve(object)) return false;
  if (reach == REACH_MAPPED && !object_map(object)) return false;
  /* It stays until the last one detaches it, and goes with us whatever happens. */
  return object->kind != OBJECT_SYSV || object_unlink(object);
}

static bool set_up_way(struct group *group, size_t number) {
  const struct way *way = &access_ways[number];
  const struct places *places = &group->session->places;
  object_prepare(&group->standing[number], way->kind, group->size, places);
  object_prepare(&group->duplex[number], way->kind, group->size, places);
  object_prepare(&group->fresh[number], way->kind, group->size, places);
  bool good = way->reach == REACH_STREAM ? set_up_stream(&group->standing[number], false) &&
                                               set_up_stream(&group->duplex[number], true)
                                         : set_up_memory(&group->standing[number], way->reach);
  if (good) return true;
  char *size = text_size(group->size, false);
  session_note(group->session, "not measured: %s of %s: %s", way->name, size, strerror(errno));
  group->session->failures++;
  free(size);
  return false;
}

static void add_case(struct group *group, size_t way, enum mode mode) {
  static bool (*const operations[])(struct bench_case *) = {
      [MODE_IN_PLACE] = operate_in_place,
      [MODE_COPY] = operate_copy,
      [MODE_ONCE] = operate_once,
      [MODE_COLD] = operate_cold,
  };
  struct access_case *new = &group->cases[group->count++];
  *new = (struct access_case){.way = &access_ways[way],
                              .mode = mode,
                              .size = group->size,
                              .object = &group->standing[way],
                              .buffers = &group->buffers,
                              .seed = chance_next(&group->session->chance)};
  new->base.operate = has_peer(mode) ? peer_operate : operations[mode];
  if (mode == MODE_COLD) new->object = &group->fresh[way];
  new->base.rows[0] =
      session_row(group->session, access_ways[way].name, mode_names[mode], group->size);
  new->base.steps = 1;
  if (!has_peer(mode)) return;
  new->base.begin = peer_begin;
  new->base.end = peer_finish;
  new->base.counts_calls = true;
  if (access_ways[way].reach == REACH_STREAM) new->object = &group->duplex[way];
}

/* Two processes on one CPU, each of which looks until its time slice is over, measure the slice. */
static bool can_spin(const struct session *session) {
  return session->cpus[0] != session->cpus[1];
}

/* Whatever is mapped is the same memory to two processes, as it was to one. */
static bool is_repetition(const struct session *session, const struct way *way, enum mode mode) {
  return has_peer(mode) && !session->ways_chosen &&
         ((way->reach == REACH_MAPPED && way->kind != OBJECT_POSIX) || way->kind == OBJECT_DISK);
}

static void add_way(struct group *group, size_t number) {
  const struct way *way = &access_ways[number];
  for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
    bool spins = mode == MODE_SPIN_IN_PLACE || mode == MODE_SPIN_COPY;
    if (!applies(way, mode) || is_repetition(group->session, way, mode)) continue;
    if (!spins || can_spin(group->session)) add_case(group, number, mode);
  }
}

static void start_peer(struct group *group) {
  struct access_case *cases[WAY_COUNT * MODE_COUNT];
  size_t count = 0;
  for (size_t i = 0; i < group->count; i++) {
    if (has_peer(group->cases[i].mode)) cases[count++] = &group->cases[i];
  }
  if (count == 0 || peer_start(cases, count, group->session->cpus[1])) return;
  for (size_t i = 0; i < count; i++) (void)case_fail_errno(&cases[i]->base, "fork");
}

static void measure_group(struct group *group) {
  struct bench_case *cases[WAY_COUNT * MODE_COUNT];
  char *size = text_size(group->size, false), *label = text_format("payloads of %s", size);
  for (size_t i = 0; i < group->count; i++) cases[i] = &group->cases[i].base;
  start_peer(group);
  session_measure(group->session, cases, group->count, session_share(group->size), label);
  peer_end();
  free(label);
  free(size);
}

static void measure_size(struct session *session, size_t size) {
  struct group *group = must(calloc(1, sizeof *group));
  group->session = session;
  group->size = size;
  group->buffers = (struct buffers){get_buffer(size), get_buffer(size)};
  for (size_t i = 0; i < WAY_COUNT; i++) {
    object_prepare(&group->standing[i], OBJECT_PRIVATE, size, &session->places);
    group->duplex[i] = group->standing[i];
    bool wanted = (session->ways & 1U << i) != 0 && session->stop == 0;
    if (wanted && set_up_way(group, i)) add_way(group, i);
  }
  measure_group(group);
  for (size_t i = 0; i < WAY_COUNT; i++) {
    object_end(&group->standing[i]);
    object_end(&group->duplex[i]);
  }
  (void)munmap(group->buffers.source, size);
  (void)munmap(group->buffers.sink, size);
  free(group);
}

void access_measure(struct session *session) {
  session->shares = 1;
  for (size_t i = 0; i < session->size_count; i++) {
    session->shares += session_share(session->sizes[i]);
  }
  if (!can_spin(session)) {
    session_note(session, "not measured: two processes that look again and again, which need two "
                          "CPUs; see --cpus");
  }
  for (size_t i = 0; i < session->size_count && session->stop == 0; i++) {
    /* Each way's memory once, twice where two kinds of way share a directory, one more while cold,
     * and the buffers of both processes. */
    if (session_has_room(session, session->sizes[i], 12, 4, 3)) {
      measure_size(session, (size_t)session->sizes[i]);
    } else {
      session->shares_done += session_share(session->sizes[i]);
    }
  }
  if (session->stop == 0) process_measure(session);
}
