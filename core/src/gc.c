/* SPDX-License-Identifier: MIT */
/*
 * Removing what nobody needs, without ever robbing somebody.
 *
 * A POSIX segment goes while this process
 *
 *   - holds the removal byte of its file exclusively, so that no other shmkit removes the name and
 *     makes it anew between the look where it leads and the unlink;
 *   - holds the presence byte of a Last segment exclusively, so that nobody enters;
 *   - has a lease on it, which the kernel gives only when nobody anywhere has the file open, and
 *     during which openers wait. Whoever comes is seen by asking for the lease again right before
 *     the unlink: also after this process was stopped for so long that the kernel took the lease
 *     away and let the waiting ones in.
 *
 * An opener that waited gets a file whose name has just gone; shmkit's own notices and opens again.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "listing.h"
#include "os.h"
#include "segment.h"

/* ---- Candidates ----------------------------------------------------------------------------- */

struct choice {
  const shmkit_gc_options *options;
  int64_t now;
};

static int64_t later(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static bool is_old_enough(const shmkit_info *info, const struct choice *choice) {
  /* Unknown times are the smallest. */
  int64_t last = later(later(info->created, info->changed), later(info->modified, info->accessed));
  last = later(last, later(info->attached, info->detached));
  if (choice->options->older_than == 0) return true;
  if (last == SHMKIT_UNKNOWN_TIME || last > choice->now) return false;
  return (uint64_t)(choice->now - last) >= choice->options->older_than;
}

/* What has a name and no known user. Whether all users are known does not matter for what can be
 * leased: the kernel will say. */
static bool is_candidate(struct shmkit__entry *entry, void *context) {
  const struct choice *choice = context;
  const uint32_t out = SHMKIT_INFO_DEST | SHMKIT_INFO_UNLINKED | SHMKIT_INFO_ELSEWHERE;
  if (!entry->described || entry->address == NULL || (entry->info.flags & out) ||
      shmkit__entry_is_used(entry))
    return false;
  if (entry->info.kind != SHMKIT_INFO_SYSV && entry->path == NULL) return false;
  if (!is_old_enough(&entry->info, choice)) return false;
  const char *pattern = choice->options->pattern;
  if (pattern != NULL && fnmatch(pattern, entry->address, 0) != 0) return false;
  shmkit_state state = shmkit__entry_judge_unused(entry);
  return state == SHMKIT_STATE_LEAKED || (choice->options->flags & SHMKIT_GC_IDLE);
}

/* ---- Removing ------------------------------------------------------------------------------- */

static void keep(struct shmkit__entry *entry, const char *why) {
  entry->info.removal = SHMKIT_KEPT;
  shmkit__entry_explain(entry, "kept: %s", why);
}

static void fail(struct shmkit__entry *entry, const char *what, int error) {
  entry->info.removal = SHMKIT_REMOVAL_FAILED;
  errno = error;
  shmkit__entry_explain(entry, "%s: %m", what);
}

static int64_t nanoseconds(struct timespec time) {
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool is_as_listed(const struct shmkit__entry *entry, const struct stat *status) {
  const shmkit_info *info = &entry->info;
  return status->st_ino == info->inode && status->st_dev == info->device &&
         nanoseconds(status->st_ctim) == info->changed &&
         nanoseconds(status->st_mtim) == info->modified &&
         nanoseconds(status->st_atim) == info->accessed;
}

static bool leads_to(const char *path, const struct stat *file) {
  struct stat now;
  return lstat(path, &now) == 0 && now.st_dev == file->st_dev && now.st_ino == file->st_ino;
}

/* Nobody else may remove it, enter it, or have it open, from here to the close of `fd`. */
static bool claim(struct shmkit__entry *entry, int fd, const struct stat *status) {
  int error = shmkit__os_lock(fd, SHMKIT__BYTE_REMOVAL, SHMKIT__EXCLUSIVE);
  if (error != 0) {
    keep(entry, "another process is removing it");
    return false;
  }
  if (shmkit__lifetime_is_last(fd, status) &&
      shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__EXCLUSIVE) != 0) {
    keep(entry, "a process has it open");
    return false;
  }
  error = shmkit__os_lease(fd);
  if (error == 0) return true;
  if (error == -EAGAIN) {
    keep(entry, "somebody has it open");
  } else {
    fail(entry, "whether anybody has it open cannot be told, no lease on it is given", -error);
  }
  return false;
}

static void remove_claimed(struct shmkit__entry *entry, int fd, const struct stat *status) {
  if (!leads_to(entry->path, status)) {
    keep(entry, "its name leads elsewhere by now");
  } else if (!shmkit__os_lease_is_whole(fd)) {
    keep(entry, "a process is opening it");
  } else if (unlink(entry->path) != 0) {
    fail(entry, "cannot be removed", errno);
  } else {
    entry->info.removal = SHMKIT_REMOVED;
  }
  shmkit__os_lease_return(fd);
}

static void remove_file(struct shmkit__entry *entry) {
  struct stat status;
  int fd = shmkit__os_open(entry->path, O_RDWR | O_NOFOLLOW, 0);
  if (fd < 0) {
    if (fd == -EWOULDBLOCK) {
      keep(entry, "a process has a lease on it");
    } else if (fd == -ENOENT) {
      keep(entry, "it has gone meanwhile");
    } else {
      fail(entry, "cannot be opened to see whether it is in use", -fd);
    }
    return;
  }
  if (fstat(fd, &status) != 0 || !is_as_listed(entry, &status)) {
    keep(entry, "it has changed or been used meanwhile");
  } else if (claim(entry, fd, &status)) {
    remove_claimed(entry, fd, &status);
  }
  (void)close(fd);
}

static bool is_sysv_as_listed(const shmkit_info *info, const struct shmid_ds *status) {
  const int64_t second = 1000000000;
  return status->shm_nattch == 0 && status->shm_segsz == info->size &&
         status->shm_cpid == info->creator.pid && status->shm_lpid == info->last_pid &&
         (int64_t)status->shm_ctime * second == info->changed;
}

static void remove_sysv(struct shmkit__entry *entry) {
  struct shmid_ds status;
  int id = (int)entry->info.inode;
  if (shmctl(id, IPC_STAT, &status) != 0) {
    if (errno == EINVAL || errno == EIDRM) {
      keep(entry, "it has gone meanwhile");
    } else {
      fail(entry, "cannot be looked at", errno);
    }
  } else if (!is_sysv_as_listed(&entry->info, &status)) {
    keep(entry, "it has changed or been used meanwhile");
  } else if (shmctl(id, IPC_RMID, NULL) != 0) {
    fail(entry, "cannot be removed", errno);
  } else {
    entry->info.removal = SHMKIT_REMOVED;
  }
}

/* ---- All of them ---------------------------------------------------------------------------- */

static shmkit_status check(const shmkit_gc_options *options) {
  const uint32_t flags = SHMKIT_GC_APPLY | SHMKIT_GC_IDLE;
  const uint32_t kinds = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV) |
                         SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE);
  if (!(options->flags & ~flags) && !(options->kinds & ~kinds)) return 0;
  return shmkit__fail(-EINVAL, "",
                      "cannot remove with flags 0x%x and kinds 0x%x: use SHMKIT_GC_*, and the "
                      "kinds posix, sysv and semaphore",
                      (unsigned)options->flags, (unsigned)options->kinds);
}

static void apply(shmkit_listing *listing) {
  for (size_t i = 0; i < listing->count; i++) {
    struct shmkit__entry *entry = listing->entries[i];
    if (entry->info.kind == SHMKIT_INFO_SYSV) {
      remove_sysv(entry);
    } else {
      remove_file(entry);
    }
  }
}

shmkit_status shmkit_gc(const shmkit_gc_options *options, shmkit_listing **out) {
  static const shmkit_gc_options defaults = SHMKIT_GC_OPTIONS_INIT;
  const uint32_t usual = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV);
  shmkit_listing *self = NULL;
  if (options == NULL) options = &defaults;
  shmkit_status status = check(options);
  if (status != 0) return status;
  status = shmkit__listing_survey(options->kinds != 0 ? options->kinds : usual, 0, &self);
  if (status != 0) return status;
  struct choice choice = {.options = options, .now = self->time};
  shmkit__listing_filter(self, is_candidate, &choice);
  /* Knowledge that was cut short is not acted on. */
  status = shmkit__listing_finish(self);
  if (status != 0) {
    shmkit_listing_free(self);
    return status;
  }
  if (options->flags & SHMKIT_GC_APPLY) apply(self);
  *out = self;
  return 0;
}
