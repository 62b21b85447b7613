/* SPDX-License-Identifier: MIT */
/*
 * Removing the one segment that an address leads to, if nobody uses it; or by force.
 *
 * Its file is pinned by a descriptor that opens nothing (O_PATH), which no lease minds, so that until
 * the end its inode number is not given to another: what is removed is what was looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "listing.h"
#include "os.h"
#include "segment.h"

/* ---- Who may -------------------------------------------------------------------------------- */

static int check_right(const struct shmkit__address *address, const shmkit_info *info) {
  char directory[PATH_MAX];
  struct stat status;
  if (address->kind == SHMKIT_SYSV) return info->flags & SHMKIT_INFO_MAY_REMOVE ? 0 : -EPERM;
  shmkit__address_directory(address, directory);
  if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0) return -errno;
  if (stat(directory, &status) != 0) return -errno;
  uid_t user = geteuid();
  bool owner = user == 0 || user == info->uid || user == status.st_uid;
  return owner || !(status.st_mode & S_ISVTX) ? 0 : -EPERM;
}

static shmkit_status fail_right(const char *address, int error) {
  if (error == EACCES || error == EPERM) {
    return shmkit__fail(-error, address, "cannot remove %s: no permission: ask its owner, or root",
                        address);
  }
  return shmkit__fail_errno(error, address, "cannot remove %s", address);
}

/* ---- Who is in the way ---------------------------------------------------------------------- */

enum { NAMED = 3, USERS_SIZE = 192 };

/* "processes 12 (camera), 15 (viewer) and 2 more"; only called where there are some. */
static void name_mappers(const struct shmkit__entry *entry, char out[static USERS_SIZE]) {
  size_t count = entry->info.mapper_count, length = 0;
  length += (size_t)snprintf(out, USERS_SIZE, "process%s", count == 1 ? "" : "es");
  for (size_t i = 0; i < count && i < NAMED; i++) {
    const char *before = i == 0 ? " " : i + 1 == count ? " and " : ", ";
    const shmkit_mapper *mapper = &entry->info.mappers[i];
    length += (size_t)snprintf(out + length, USERS_SIZE - length, "%s%" PRId64 " (%s)", before,
                               mapper->pid, mapper->program);
  }
  if (count > NAMED)
    (void)snprintf(out + length, USERS_SIZE - length, " and %zu more", count - NAMED);
}

static shmkit_status refuse_sysv(const char *address, const struct shmkit__entry *entry) {
  char users[USERS_SIZE] = "processes that cannot be seen";
  const shmkit_info *info = &entry->info;
  if (info->mapper_count > 0) name_mappers(entry, users);
  if (info->flags & SHMKIT_INFO_DEST) {
    return shmkit__fail(
        -EBUSY, address,
        "cannot remove %s: it is marked for removal already, and goes when %s detached it", address,
        users);
  }
  return shmkit__fail(
      -EBUSY, address,
      "cannot remove %s: it has %" PRIu64
      " attachment%s, by %s; forced, it is marked for removal and goes with the last of them",
      address, info->attachments, info->attachments == 1 ? "" : "s", users);
}

/* Somebody is known to use it. */
static shmkit_status refuse(const char *address, const struct shmkit__entry *entry) {
  char users[USERS_SIZE];
  const shmkit_info *info = &entry->info;
  if (info->kind == SHMKIT_INFO_SYSV) return refuse_sysv(address, entry);
  if (info->mapper_count == 0) {
    return shmkit__fail(
        -EBUSY, address,
        "cannot remove %s: a process that does not map it, or cannot be seen, holds a lock on it; "
        "forced, its name goes and who uses it keeps the memory",
        address);
  }
  name_mappers(entry, users);
  return shmkit__fail(
      -EBUSY, address,
      "cannot remove %s: %s map%s it; forced, its name goes and who uses it keeps the memory",
      address, users, info->mapper_count == 1 ? "s" : "");
}

/* It seemed that nobody does, yet it could not be removed. */
static shmkit_status fail_removal(const char *address, const shmkit_listing *listing, int error) {
  char unseen[64] = "";
  const char *reason = listing->entries[0]->info.reason;
  if (strncmp(reason, "kept: ", 6) == 0) reason += 6;
  if (error == -ENOENT) {
    return shmkit__fail(-ENOENT, address, "cannot remove %s: it does not exist any more", address);
  }
  if (error != -EBUSY) return shmkit__fail(error, address, "cannot remove %s: %s", address, reason);
  if (listing->unreadable > 0) {
    (void)snprintf(unseen, sizeof unseen, " (%zu could not be looked at)", listing->unreadable);
  }
  return shmkit__fail(
      -EBUSY, address,
      "cannot remove %s: %s; no process was seen to use it%s; forced, it goes all the same",
      address, reason, unseen);
}

static shmkit_status fail_replaced(const char *address) {
  return shmkit__fail(
      -EBUSY, address,
      "cannot remove %s: another process has put another file in its place meanwhile: try again",
      address);
}

/* ---- One address ---------------------------------------------------------------------------- */

static shmkit_status remove_unused(const char *address, shmkit_listing *listing) {
  struct shmkit__entry *entry = listing->entries[0];
  if (shmkit__entry_is_used(entry)) return refuse(address, entry);
  int error = shmkit__entry_remove(entry);
  if (error != 0) return fail_removal(address, listing, error);
  if (entry->info.kind != SHMKIT_INFO_SYSV) entry->info.holding = SHMKIT_NOT_HELD;
  entry->info.state = shmkit__entry_judge_unused(entry);
  return 0;
}

static void explain_forced(struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  bool one = info->mapper_count == 1;
  if (info->kind == SHMKIT_INFO_SYSV && shmkit__entry_is_used(entry)) {
    shmkit__entry_explain(entry,
                          "marked for removal; goes with the last of %" PRIu64 " attachment%s",
                          info->attachments, info->attachments == 1 ? "" : "s");
  } else if (info->mapper_count > 0) {
    shmkit__entry_explain(entry, "its name is gone; %zu process%s it keep%s the memory",
                          info->mapper_count, one ? " that maps" : "es that map", one ? "s" : "");
  }
}

static shmkit_status remove_forced(const struct shmkit__address *address, shmkit_listing *listing,
                                   const struct stat *pinned) {
  struct shmkit__entry *entry = listing->entries[0];
  if (address->kind == SHMKIT_SYSV) {
    int error = shmkit__entry_remove_sysv(entry);
    if (error != 0) return fail_removal(address->text, listing, error);
  } else {
    shmkit_status status = shmkit__lifetime_unlink(address->path, address->text, pinned);
    if (status == SHMKIT_AGAIN) return fail_replaced(address->text);
    if (status != 0) return status;
    entry->info.removal = SHMKIT_REMOVED;
  }
  explain_forced(entry);
  return 0;
}

static shmkit_status remove_found(const struct shmkit__address *address, shmkit_listing *listing,
                                  uint32_t flags, const struct stat *pinned) {
  const shmkit_info *info = &listing->entries[0]->info;
  bool file = address->kind != SHMKIT_SYSV;
  if (file && (info->inode != pinned->st_ino || info->device != pinned->st_dev)) {
    return fail_replaced(address->text);
  }
  int error = check_right(address, info);
  if (error != 0) return fail_right(address->text, -error);
  if (flags & SHMKIT_REMOVE_FORCE) return remove_forced(address, listing, pinned);
  return remove_unused(address->text, listing);
}

/* What a process has open is a symbolic link there, and shown as the address of what has no name. */
static shmkit_status check_file(const struct shmkit__address *address, const struct stat *status) {
  if (S_ISLNK(status->st_mode) && strncmp(address->path, "/proc/", 6) == 0) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address->text,
                        "%s is no name to remove: what has none goes with its last user",
                        address->text);
  }
  return shmkit__check_regular(address->text, status, "remove");
}

/* Pin the file, without opening it. */
static shmkit_status pin(const struct shmkit__address *address, struct stat *status, int *out) {
  const char *text = address->text;
  int fd = shmkit__os_open(address->path, O_PATH | O_NOFOLLOW, 0);
  if (fd == -ENOENT) {
    return shmkit__fail(-ENOENT, text, "cannot remove %s: it does not exist", text);
  }
  int error = fd < 0 ? -fd : fstat(fd, status) != 0 ? errno : 0;
  shmkit_status result = error == 0 ? check_file(address, status)
                                    : shmkit__fail_errno(error, text, "cannot remove %s", text);
  if (result == 0) {
    *out = fd;
  } else if (fd >= 0) {
    (void)close(fd);
  }
  return result;
}

static shmkit_status find_and_remove(shmkit_listing *listing, struct shmkit__address *address,
                                     uint32_t flags) {
  struct stat pinned = {.st_ino = 0};
  int fd = -1;
  shmkit_status status = 0;
  if (address->kind != SHMKIT_SYSV) status = pin(address, &pinned, &fd);
  if (status == 0) status = shmkit__listing_find_address(listing, address, "remove", false);
  if (status == 0) status = shmkit__listing_finish(listing);
  if (status == 0) status = remove_found(address, listing, flags, &pinned);
  if (fd >= 0) (void)close(fd);
  return status;
}

static shmkit_status check(const struct shmkit__address *address, uint32_t flags) {
  if (address->kind == SHMKIT_MEMFD || address->kind == SHMKIT_FD) {
    return shmkit__lifetime_fail_nameless(address, "remove");
  }
  if (!(flags & ~(uint32_t)SHMKIT_REMOVE_FORCE)) return 0;
  return shmkit__fail(-EINVAL, address->text,
                      "cannot remove %s with flags 0x%x: use 0 or SHMKIT_REMOVE_FORCE",
                      address->text, (unsigned)flags);
}

shmkit_status shmkit_remove(const char *address, uint32_t flags, shmkit_listing **out) {
  struct shmkit__address parsed;
  shmkit_status status = shmkit__address_parse(address, &parsed);
  if (status == 0) status = check(&parsed, flags);
  if (status != 0) return status;
  shmkit_listing *self = shmkit__listing_new(SHMKIT_INFO_ALL, 0);
  if (self == NULL) return -ENOMEM;
  status = find_and_remove(self, &parsed, flags);
  if (status == 0 && out != NULL) {
    *out = self;
  } else {
    shmkit_listing_free(self);
  }
  return status;
}
