/* SPDX-License-Identifier: MIT */
/* Everything about what one address leads to. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "listing.h"
#include "os.h"
#include "segment.h"

/* ---- Finding it ----------------------------------------------------------------------------- */

static shmkit_status fail_find(const struct shmkit__address *address, const char *verb, int error) {
  const char *text = address->text;
  switch (error) {
    case ENOENT:
      return shmkit__fail(-ENOENT, text, "cannot %s %s: it does not exist%s", verb, text,
                          address->kind == SHMKIT_SYSV ? " in this IPC namespace" : "");
    case EACCES:
    case EPERM:
      return shmkit__fail(-error, text, "cannot %s %s: no permission on the way to it", verb, text);
    case EBADF:
      return shmkit__fail(-EBADF, text, "cannot %s %s: this process has no open descriptor %d",
                          verb, text, address->number);
    default:
      return shmkit__fail_errno(error, text, "cannot %s %s", verb, text);
  }
}

static shmkit_status find_file(shmkit_listing *listing, const struct shmkit__address *address,
                               const char *verb, bool follow) {
  struct stat status;
  struct shmkit__entry *entry = NULL;
  bool fd = address->kind == SHMKIT_FD;
  if (fd && fcntl(address->number, F_GETFD) < 0) return fail_find(address, verb, EBADF);
  int error = shmkit__os_survey_file(listing, fd ? NULL : address->path, address->number,
                                     follow && address->kind != SHMKIT_POSIX, &status, &entry);
  if (error == -EMLINK) return shmkit__check_regular(address->text, &status, verb);
  if (error != 0) return fail_find(address, verb, -error);
  shmkit__listing_set(listing, &entry->address, address->text);
  listing->closed = true;
  shmkit__listing_look(listing);
  return 0;
}

static bool is_address(struct shmkit__entry *entry, void *address) {
  const struct shmkit__address *wanted = address;
  if (wanted->kind == SHMKIT_SYSV && wanted->sysv == SHMKIT__SYSV_ID) {
    return entry->info.inode == (uint64_t)wanted->number;
  }
  return entry->name != NULL && strcmp(entry->name, wanted->text + wanted->name) == 0;
}

static shmkit_status find_sysv(shmkit_listing *listing, struct shmkit__address *address,
                               const char *verb) {
  if (address->sysv == SHMKIT__SYSV_PRIVATE) {
    return shmkit__fail(
        -EINVAL, address->text,
        "cannot %s %s: it means a new segment without a key; use its identifier, \"sysv:id=...\"",
        verb, address->text);
  }
  int error = shmkit__os_survey_sysv(listing);
  if (error != 0) return fail_find(address, verb, -error);
  shmkit__listing_filter(listing, is_address, address);
  if (listing->count == 0) return fail_find(address, verb, ENOENT);
  listing->closed = true;
  shmkit__listing_look(listing);
  return 0;
}

/* They have no names that lead to them: whoever maps them is asked. */
static shmkit_status find_memfds(shmkit_listing *listing, struct shmkit__address *address) {
  listing->kinds = SHMKIT_INFO_SET(SHMKIT_INFO_MEMFD);
  shmkit__listing_look(listing);
  shmkit__listing_filter(listing, is_address, address);
  if (listing->count > 0) return 0;
  return shmkit__fail(-ENOENT, address->text,
                      "cannot look at %s: no process that can be seen maps a memfd of that name",
                      address->text);
}

shmkit_status shmkit__listing_find_address(shmkit_listing *self, struct shmkit__address *address,
                                           const char *verb, bool follow) {
  switch (address->kind) {
    case SHMKIT_SYSV:
      return find_sysv(self, address, verb);
    case SHMKIT_MEMFD:
      return find_memfds(self, address);
    default:
      return find_file(self, address, verb, follow);
  }
}

/* ---- Examining it --------------------------------------------------------------------------- */

static void find_extents(shmkit_listing *listing, struct shmkit__entry *entry, int fd) {
  uint64_t start = 0, end = 0;
  size_t count = 0;
  while (count < SHMKIT_EXTENTS_MAX && shmkit__os_next_extent(fd, end, &start, &end)) {
    shmkit_extent *extents = shmkit__arena_extend(&listing->arena, entry->extents, count,
                                                  &entry->extent_capacity, sizeof *extents);
    if (extents == NULL) {
      listing->no_memory = true;
      break;
    }
    entry->extents = extents;
    entry->extents[count++] = (shmkit_extent){.offset = start, .length = end - start};
  }
  entry->info.extent_count = count;
  /* None is not unknown. */
  if (entry->extents == NULL) {
    entry->extents = shmkit__arena_take(&listing->arena, sizeof *entry->extents);
  }
}

/* Ask the kernel, through a description that nobody shares. */
static void find_holders(struct shmkit__entry *entry) {
  shmkit_info *info = &entry->info;
  if (info->links == 0 || (info->flags & SHMKIT_INFO_ELSEWHERE)) return;
  int fd = shmkit__os_open_entry(entry);
  /* EWOULDBLOCK: somebody has a lease, and so has it open. */
  int error = fd >= 0 ? shmkit__os_lease(fd) : fd;
  if (error == -EAGAIN) info->holding = SHMKIT_HELD;
  if (error == 0) info->holding = SHMKIT_NOT_HELD;
  if (fd >= 0) (void)close(fd);
}

static void apply_holding(struct shmkit__entry *entry) {
  shmkit_info *info = &entry->info;
  if (shmkit__entry_is_used(entry)) return;
  if (info->holding == SHMKIT_HELD) {
    info->state = SHMKIT_STATE_USED;
    shmkit__entry_explain(entry, "somebody has it open, though nobody is seen to map it");
  } else if (info->holding == SHMKIT_NOT_HELD) {
    info->state = shmkit__entry_judge_unused(entry);
  }
}

static void examine(shmkit_listing *listing, struct shmkit__entry *entry, uint32_t flags) {
  int fd = shmkit__os_open_entry(entry);
  if (fd >= 0) {
    shmkit__os_examine(fd, entry);
    find_extents(listing, entry, fd);
    shmkit__entry_find_objects(listing, entry, fd);
    (void)close(fd);
  }
  if (!(flags & SHMKIT_STAT_EXACT)) return;
  find_holders(entry);
  apply_holding(entry);
}

shmkit_status shmkit_listing_stat(const char *address, uint32_t flags, shmkit_listing **out) {
  struct shmkit__address parsed;
  shmkit_status status = shmkit__address_parse(address, &parsed);
  if (status != 0) return status;
  if (flags & ~(uint32_t)SHMKIT_STAT_EXACT) {
    return shmkit__fail(-EINVAL, parsed.text,
                        "cannot look at %s with flags 0x%x: use 0 or SHMKIT_STAT_EXACT",
                        parsed.text, (unsigned)flags);
  }
  shmkit_listing *self = shmkit__listing_new(SHMKIT_INFO_ALL, 0);
  if (self == NULL) return -ENOMEM;
  self->wants_pins = true;
  status = shmkit__listing_find_address(self, &parsed, "look at", true);
  if (status == 0) {
    shmkit__listing_sort_pins(self);
    for (size_t i = 0; i < self->count; i++) examine(self, self->entries[i], flags);
    status = shmkit__listing_finish(self);
  }
  if (status != 0) {
    shmkit_listing_free(self);
    return status;
  }
  *out = self;
  return 0;
}
