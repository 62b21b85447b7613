/* SPDX-License-Identifier: MIT */
/* The listing: what has been found, by identity, and its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "listing.h"
#include "os.h"

static const char *const kind_names[] = {
    [SHMKIT_INFO_POSIX] = "posix",         [SHMKIT_INFO_SYSV] = "sysv",
    [SHMKIT_INFO_MEMFD] = "memfd",         [SHMKIT_INFO_SEMAPHORE] = "semaphore",
    [SHMKIT_INFO_ANONYMOUS] = "anonymous", [SHMKIT_INFO_HUGETLB] = "hugetlb",
    [SHMKIT_INFO_FILE] = "file",
};

const char *shmkit_info_kind_name(shmkit_info_kind kind) {
  return (unsigned)kind >= SHMKIT_INFO_POSIX && (unsigned)kind <= SHMKIT_INFO_FILE
             ? kind_names[kind]
             : "?";
}

shmkit_listing *shmkit__listing_new(uint32_t kinds, uint32_t flags) {
  struct timespec now;
  shmkit_listing *self = calloc(1, sizeof *self);
  if (self == NULL) {
    (void)shmkit__fail(-ENOMEM, "", "no memory for a listing");
    return NULL;
  }
  (void)clock_gettime(CLOCK_REALTIME, &now);
  self->time = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  self->kinds = kinds;
  self->names_only = (flags & SHMKIT_LISTING_NAMES_ONLY) != 0;
  self->few_creators = (flags & SHMKIT_LISTING_NO_CREATORS) != 0;
  self->user = geteuid();
  self->nothing_swapped = shmkit__os_nothing_is_swapped();
  return self;
}

void shmkit_listing_free(shmkit_listing *self) {
  if (self == NULL) return;
  shmkit__arena_free(&self->arena);
  free(self->entries);
  free(self->table);
  free(self);
}

/* ---- Finding -------------------------------------------------------------------------------- */

/* Kinds that have inode numbers of their own on one device; see shmkit__listing_find. */
static unsigned inodes_of(uint32_t kind) {
  switch (kind) {
    case SHMKIT_INFO_SYSV:
    case SHMKIT_INFO_MEMFD:
    case SHMKIT_INFO_ANONYMOUS:
      return kind;
    default:
      return 0;
  }
}

static bool is_identical(const struct shmkit__entry *entry,
                         const struct shmkit__identity *identity) {
  const shmkit_info *info = &entry->info;
  return info->inode == identity->inode && info->device == identity->device &&
         info->ipc_namespace == identity->ipc_namespace &&
         inodes_of(info->kind) == inodes_of(identity->kind);
}

/* Neighbours stay neighbours: what is made at once is mapped at once. */
static uint64_t hash_of(const struct shmkit__identity *identity) {
  uint64_t block = identity->inode / 8 + identity->device * 31 + inodes_of(identity->kind);
  return (block * UINT64_C(0x9e3779b97f4a7c15) >> 32) * 8 + identity->inode % 8;
}

/* Where in the table it is, or would be. */
static struct shmkit__slot *slot_of(const shmkit_listing *self,
                                    const struct shmkit__identity *identity, uint64_t hash) {
  for (size_t at = (size_t)hash;; at++) {
    struct shmkit__slot *slot = &self->table[at & (self->table_size - 1)];
    if (slot->entry == NULL) return slot;
    if (slot->hash == hash && is_identical(slot->entry, identity)) return slot;
  }
}

struct shmkit__entry *shmkit__listing_find(const shmkit_listing *self,
                                           const struct shmkit__identity *identity) {
  return self->count > 0 ? slot_of(self, identity, hash_of(identity))->entry : NULL;
}

/* ---- Adding --------------------------------------------------------------------------------- */

static void enter_in_table(shmkit_listing *self, struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  const struct shmkit__identity identity = {(shmkit_info_kind)info->kind, info->device, info->inode,
                                            info->ipc_namespace};
  uint64_t hash = hash_of(&identity);
  *slot_of(self, &identity, hash) = (struct shmkit__slot){hash, entry};
}

static void fill_table(shmkit_listing *self) {
  memset(self->table, 0, self->table_size * sizeof *self->table);
  for (size_t i = 0; i < self->count; i++) enter_in_table(self, self->entries[i]);
}

/* Room for one more, in a table that is at most half full. */
static bool make_room(shmkit_listing *self) {
  if (self->count < self->capacity) return true;
  size_t capacity = self->capacity == 0 ? 64 : self->capacity * 2;
  struct shmkit__entry **entries = realloc(self->entries, capacity * sizeof(*entries));
  if (entries == NULL) return false;
  self->entries = entries;
  struct shmkit__slot *table = realloc(self->table, capacity * 2 * sizeof *table);
  if (table == NULL) return false;
  self->table = table;
  self->table_size = capacity * 2;
  self->capacity = capacity;
  fill_table(self);
  return true;
}

static void set_unknown(shmkit_info *info) {
  info->address = info->name = "";
  info->mode = info->uid = info->gid = info->seals = SHMKIT_UNKNOWN_ID;
  info->size = info->allocated = info->resident = info->swapped = SHMKIT_UNKNOWN;
  info->attachments = SHMKIT_UNKNOWN;
  info->created = info->changed = info->modified = info->accessed = SHMKIT_UNKNOWN_TIME;
  info->attached = info->detached = SHMKIT_UNKNOWN_TIME;
}

struct shmkit__entry *shmkit__listing_add(shmkit_listing *self,
                                          const struct shmkit__identity *identity) {
  if (self->closed || !(self->kinds & SHMKIT_INFO_SET(identity->kind))) return NULL;
  struct shmkit__entry *entry =
      make_room(self) ? shmkit__arena_take(&self->arena, sizeof *entry) : NULL;
  if (entry == NULL) {
    self->no_memory = true;
    return NULL;
  }
  set_unknown(&entry->info);
  entry->info.kind = identity->kind;
  entry->info.device = identity->device;
  entry->info.inode = identity->inode;
  entry->info.ipc_namespace = identity->ipc_namespace;
  self->entries[self->count++] = entry;
  enter_in_table(self, entry);
  return entry;
}

void shmkit__listing_set_joined(shmkit_listing *self, const char **where, const char *prefix,
                                const char *text) {
  char *copy = shmkit__arena_take(&self->arena, strlen(prefix) + strlen(text) + 1);
  if (copy == NULL) {
    self->no_memory = true;
    return;
  }
  strcpy(stpcpy(copy, prefix), text);
  *where = copy;
}

void shmkit__listing_set(shmkit_listing *self, const char **where, const char *text) {
  shmkit__listing_set_joined(self, where, "", text);
}

shmkit_mapper *shmkit__listing_mapper(shmkit_listing *self, struct shmkit__entry *entry,
                                      int64_t pid) {
  size_t count = entry->info.mapper_count;
  if (count > 0 && entry->mappers[count - 1].pid == pid) return &entry->mappers[count - 1];
  shmkit_mapper *mappers = shmkit__arena_extend(&self->arena, entry->mappers, count,
                                                &entry->mapper_capacity, sizeof *mappers);
  if (mappers == NULL) {
    self->no_memory = true;
    return NULL;
  }
  entry->mappers = mappers;
  entry->info.mapper_count++;
  entry->mappers[count] = (shmkit_mapper){.pid = pid, .offset = SHMKIT_UNKNOWN};
  return &entry->mappers[count];
}

void shmkit__listing_add_pin(shmkit_listing *self, const struct shmkit__pin *pin) {
  struct shmkit__pin *pins = shmkit__arena_extend(&self->arena, self->pins, self->pin_count,
                                                  &self->pin_capacity, sizeof *pins);
  if (pins == NULL) {
    self->no_memory = true;
    return;
  }
  self->pins = pins;
  self->pins[self->pin_count++] = *pin;
}

/* ---- The whole ------------------------------------------------------------------------------ */

void shmkit__listing_filter(shmkit_listing *self, bool (*keep)(struct shmkit__entry *, void *),
                            void *context) {
  size_t kept = 0;
  for (size_t i = 0; i < self->count; i++) {
    if (keep(self->entries[i], context)) self->entries[kept++] = self->entries[i];
  }
  self->count = kept;
  if (self->table != NULL) fill_table(self);
}

static int compare_numbers(uint64_t a, uint64_t b) {
  return (a > b) - (a < b);
}

static int compare_entries(const void *a, const void *b) {
  const shmkit_info *left = &(*(struct shmkit__entry *const *)a)->info;
  const shmkit_info *right = &(*(struct shmkit__entry *const *)b)->info;
  int order = compare_numbers(left->kind, right->kind);
  if (order == 0) order = strcmp(left->name, right->name);
  if (order == 0) order = compare_numbers(left->device, right->device);
  return order != 0 ? order : compare_numbers(left->inode, right->inode);
}

static int compare_mappers(const void *a, const void *b) {
  const shmkit_mapper *left = a, *right = b;
  return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Processes are mostly looked at in the order of their PIDs. */
static void sort_mappers(shmkit_mapper mappers[], size_t count) {
  for (size_t i = 1; i < count; i++) {
    if (mappers[i].pid < mappers[i - 1].pid) {
      qsort(mappers, count, sizeof *mappers, compare_mappers);
      return;
    }
  }
}

static void finish_entry(struct shmkit__entry *entry) {
  shmkit_info *info = &entry->info;
  if (entry->address != NULL) info->address = entry->address;
  if (entry->name != NULL) info->name = entry->name;
  info->mappers = entry->mappers;
  info->extents = entry->extents;
  info->objects = entry->objects;
  sort_mappers(entry->mappers, info->mapper_count);
}

shmkit_status shmkit__listing_finish(shmkit_listing *self) {
  if (self->no_memory) return shmkit__fail(-ENOMEM, "", "no memory for a listing");
  for (size_t i = 0; i < self->count; i++) finish_entry(self->entries[i]);
  if (self->count > 1) {
    qsort(self->entries, self->count, sizeof(*self->entries), compare_entries);
  }
  free(self->table);
  self->table = NULL;
  self->closed = true;
  return 0;
}

/* ---- Taking --------------------------------------------------------------------------------- */

void shmkit__listing_look(shmkit_listing *self) {
  if (self->names_only) {
    self->hidden = true;
  } else {
    shmkit__os_survey_processes(self);
  }
  shmkit__os_survey_locks(self);
  shmkit__listing_judge(self);
}

shmkit_status shmkit__listing_survey(uint32_t kinds, uint32_t flags, shmkit_listing **out) {
  shmkit_listing *self = shmkit__listing_new(kinds, flags);
  if (self == NULL) return -ENOMEM;
  int error = shmkit__os_survey_names(self);
  if (error == 0) error = shmkit__os_survey_sysv(self);
  if (error != 0) {
    shmkit_listing_free(self);
    (void)shmkit__fail_errno(-error, "", "cannot list what is in %s and /proc/sysvipc/shm",
                             SHMKIT__POSIX_DIRECTORY);
    return error;
  }
  shmkit__listing_look(self);
  *out = self;
  return 0;
}

shmkit_status shmkit_listing_take(const shmkit_listing_options *options, shmkit_listing **out) {
  const uint32_t known = SHMKIT_LISTING_NAMES_ONLY | SHMKIT_LISTING_NO_CREATORS;
  uint32_t flags = options != NULL ? options->flags : 0;
  uint32_t kinds = options != NULL && options->kinds != 0 ? options->kinds : SHMKIT_INFO_USUAL;
  shmkit_listing *self = NULL;
  if ((flags & ~known) || (kinds & ~SHMKIT_INFO_ALL)) {
    return shmkit__fail(-EINVAL, "",
                        "cannot take a listing with flags 0x%x and kinds 0x%x: use "
                        "SHMKIT_LISTING_* and SHMKIT_INFO_SET",
                        (unsigned)flags, (unsigned)kinds);
  }
  shmkit_status status = shmkit__listing_survey(kinds, flags, &self);
  if (status != 0) return status;
  status = shmkit__listing_finish(self);
  if (status != 0) {
    shmkit_listing_free(self);
    return status;
  }
  *out = self;
  return 0;
}

/* ---- Properties ----------------------------------------------------------------------------- */

size_t shmkit_listing_count(const shmkit_listing *self) {
  return self->count;
}

const shmkit_info *shmkit_listing_at(const shmkit_listing *self, size_t index) {
  return index < self->count ? &self->entries[index]->info : NULL;
}

bool shmkit_listing_complete(const shmkit_listing *self) {
  return !self->hidden && self->unreadable == 0;
}

size_t shmkit_listing_unreadable(const shmkit_listing *self) {
  return self->unreadable;
}

int64_t shmkit_listing_time(const shmkit_listing *self) {
  return self->time;
}
