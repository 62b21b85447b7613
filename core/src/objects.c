/* SPDX-License-Identifier: MIT */
/*
 * The mutexes and events that lie in a segment, found by their marks. Whoever writes there goes on
 * doing so, or never was a program of shmkit's: what is looked at is a private copy, by pread, which
 * fails where memory would fault.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listing.h"
#include "os.h"
#include "shared.h"

static const char *const kind_names[] = {
    [SHMKIT_OBJECT_MUTEX] = "mutex", [SHMKIT_OBJECT_EVENT] = "event"};

const char *shmkit_object_kind_name(shmkit_object_kind kind) {
  return (unsigned)kind >= SHMKIT_OBJECT_MUTEX && (unsigned)kind <= SHMKIT_OBJECT_EVENT
             ? kind_names[kind]
             : "?";
}

static const char *const state_names[] = {
    [SHMKIT_OBJECT_UNKNOWN] = "unknown", [SHMKIT_OBJECT_UNLOCKED] = "unlocked",
    [SHMKIT_OBJECT_LOCKED] = "locked",   [SHMKIT_OBJECT_OWNER_DIED] = "owner died",
    [SHMKIT_OBJECT_NOT_SET] = "not set", [SHMKIT_OBJECT_SET] = "set",
};

const char *shmkit_object_state_name(shmkit_object_state state) {
  return (unsigned)state <= SHMKIT_OBJECT_SET ? state_names[state] : "?";
}

/* ---- Who holds what ------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b) {
  return (a > b) - (a < b);
}

static int compare_files(const struct shmkit__pin *left, const struct shmkit__pin *right) {
  int order = compare_numbers(left->identity, right->identity);
  if (order == 0) order = compare_numbers(left->device, right->device);
  return order != 0 ? order : compare_numbers(left->inode, right->inode);
}

/* The process that has it longest first: what shares its memory until it runs another program, as
 * the child of a vfork does, has the same mappings. */
static int compare_pins(const void *a, const void *b) {
  const struct shmkit__pin *left = a, *right = b;
  int order = compare_files(left, right);
  if (order == 0) order = compare_numbers(left->process.start, right->process.start);
  return order != 0 ? order : compare_numbers((uint64_t)left->pid, (uint64_t)right->pid);
}

void shmkit__listing_sort_pins(shmkit_listing *self) {
  if (self->pin_count > 1) qsort(self->pins, self->pin_count, sizeof *self->pins, compare_pins);
}

static void find_holder(const shmkit_listing *listing, const shmkit_info *info,
                        shmkit_object *object) {
  const struct shmkit__pin wanted = {
      .device = info->device, .inode = info->inode, .identity = object->identity};
  size_t low = 0, high = listing->pin_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    bool before = compare_files(&listing->pins[middle], &wanted) < 0;
    if (before) low = middle + 1;
    if (!before) high = middle;
  }
  if (low == listing->pin_count || compare_files(&listing->pins[low], &wanted) != 0) return;
  const struct shmkit__pin *pin = &listing->pins[low];
  object->pid = pin->pid;
  object->start = pin->process.start;
  memcpy(object->program, pin->process.program, sizeof object->program);
}

/* ---- What lies there ------------------------------------------------------------------------ */

/* A copy of a struct shmkit__sync_memory, or of whatever is where one could be. */
struct unit {
  uint32_t word, mark, reserved[14];
};
_Static_assert(sizeof(struct unit) == sizeof(struct shmkit__sync_memory), "a copy of it");

enum {
  /* Units that are read at once. */
  PART = 1024,
  /* How often a mutex may get another holder while it is being looked at. */
  TRIES = 8
};

struct search {
  shmkit_listing *listing;
  struct shmkit__entry *entry;
  int fd;
  struct unit *part;
  /* Bytes that may still be read. */
  uint64_t left;
};

/* How many units there were: fewer where a peer has truncated it. A negated errno value. */
static ssize_t read_units(const struct search *self, struct unit units[], size_t count,
                          uint64_t offset) {
  size_t done = 0, length = count * sizeof *units;
  while (done < length) {
    ssize_t got = pread(self->fd, (char *)units + done, length - done, (off_t)offset + (off_t)done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ssize_t)(done / sizeof *units);
}

static bool is_object(const struct unit *unit) {
  if (unit->mark != SHMKIT__MARK_MUTEX && unit->mark != SHMKIT__MARK_EVENT) return false;
  if (unit->mark == SHMKIT__MARK_MUTEX && (unit->word & ~SHMKIT__MUTEX_BITS) != 0) return false;
  uint32_t others = 0;
  for (size_t i = 0; i < sizeof unit->reserved / sizeof unit->reserved[0]; i++) {
    others |= unit->reserved[i];
  }
  return others == 0;
}

/* Who is said to hold a mutex may have unlocked it before he ended: he has died with it only if the
 * word says the same afterwards. `unit` is what it was last. */
static shmkit_object_state judge_mutex(const struct search *self, uint64_t offset,
                                       struct unit *unit) {
  for (int i = 0; i < TRIES; i++) {
    struct unit again;
    uint32_t identity = unit->word & SHMKIT__MUTEX_IDENTITY;
    if (identity == 0) return SHMKIT_OBJECT_UNLOCKED;
    int alive = shmkit__os_identity_lives(self->fd, identity);
    if (alive > 0) return SHMKIT_OBJECT_LOCKED;
    if (alive < 0 || read_units(self, &again, 1, offset) != 1) break;
    if (again.mark != SHMKIT__MARK_MUTEX || !is_object(&again)) break;
    *unit = again;
    if ((again.word & SHMKIT__MUTEX_IDENTITY) == identity) return SHMKIT_OBJECT_OWNER_DIED;
  }
  return SHMKIT_OBJECT_UNKNOWN;
}

static shmkit_object describe_mutex(const struct search *self, uint64_t offset,
                                    const struct unit *found) {
  struct unit unit = *found;
  shmkit_object_state state = judge_mutex(self, offset, &unit);
  shmkit_object object = {.offset = offset,
                          .kind = SHMKIT_OBJECT_MUTEX,
                          .state = state,
                          .identity = unit.word & SHMKIT__MUTEX_IDENTITY,
                          .sequence = SHMKIT_UNKNOWN_ID,
                          .waited_for = (unit.word & SHMKIT__MUTEX_WAITERS) != 0};
  if (state == SHMKIT_OBJECT_LOCKED) find_holder(self->listing, &self->entry->info, &object);
  return object;
}

static shmkit_object describe_event(uint64_t offset, uint32_t word) {
  bool set = (word & SHMKIT__EVENT_SET) != 0;
  return (shmkit_object){.offset = offset,
                         .kind = SHMKIT_OBJECT_EVENT,
                         .state = set ? SHMKIT_OBJECT_SET : SHMKIT_OBJECT_NOT_SET,
                         .identity = SHMKIT_UNKNOWN_ID,
                         .sequence = word >> SHMKIT__EVENT_SEQUENCE_SHIFT,
                         .waited_for = (word & SHMKIT__EVENT_WAITERS) != 0};
}

/* False: no more can be told. */
static bool add(struct search *self, uint64_t offset, const struct unit *unit) {
  struct shmkit__entry *entry = self->entry;
  size_t count = entry->info.object_count;
  if (count == SHMKIT_OBJECTS_MAX) return false;
  shmkit_object *objects = shmkit__arena_extend(&self->listing->arena, entry->objects, count,
                                                &entry->object_capacity, sizeof *objects);
  if (objects == NULL) {
    self->listing->no_memory = true;
    return false;
  }
  objects[count] = unit->mark == SHMKIT__MARK_MUTEX ? describe_mutex(self, offset, unit)
                                                    : describe_event(offset, unit->word);
  entry->objects = objects;
  entry->info.object_count++;
  return true;
}

/* ---- Searching ------------------------------------------------------------------------------ */

/* How many of these units can be looked at next. */
static size_t next_part(const struct search *self, uint64_t from, uint64_t to) {
  uint64_t length = to > from ? to - from : 0;
  if (length > self->left) length = self->left;
  uint64_t count = length / sizeof(struct unit);
  return count < PART ? (size_t)count : PART;
}

/* 0: go on behind it. 1: there is nothing more to look for. A negated errno value. */
static int search_extent(struct search *self, const shmkit_extent *extent) {
  const uint64_t size = sizeof(struct unit);
  uint64_t at = (extent->offset + size - 1) / size * size, end = extent->offset + extent->length;
  for (size_t count; (count = next_part(self, at, end)) > 0; at += count * size) {
    ssize_t got = read_units(self, self->part, count, at);
    if (got < 0) return (int)got;
    for (size_t i = 0; i < (size_t)got; i++) {
      if (is_object(&self->part[i]) && !add(self, at + i * size, &self->part[i])) return 1;
    }
    if ((size_t)got < count) return 1;
    self->left -= count * size;
  }
  return 0;
}

static int search_all(struct search *self) {
  int outcome = 0;
  for (size_t i = 0; i < self->entry->info.extent_count && outcome == 0; i++) {
    outcome = search_extent(self, &self->entry->extents[i]);
  }
  return outcome;
}

/* A file without blocks has nothing in it. So reading never makes something happen, as it can of those
 * files in /proc and /sys that are regular by their type only. */
static bool has_blocks(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_blocks > 0;
}

void shmkit__entry_find_objects(shmkit_listing *listing, struct shmkit__entry *entry, int fd) {
  struct search search = {
      .listing = listing, .entry = entry, .fd = fd, .left = SHMKIT_OBJECTS_DATA};
  if (!shmkit__os_reads_untraced(fd)) return;
  search.part = malloc(PART * sizeof *search.part);
  if (search.part == NULL) {
    listing->no_memory = true;
    return;
  }
  if (has_blocks(fd) && search_all(&search) < 0) {
    entry->objects = NULL;
    entry->info.object_count = 0;
  } else if (entry->objects == NULL) {
    /* None is not unknown. */
    entry->objects = shmkit__arena_take(&listing->arena, sizeof *entry->objects);
  }
  free(search.part);
}
