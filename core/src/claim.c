/* SPDX-License-Identifier: MIT */
/*
 * Removing one segment that nobody uses, without ever robbing somebody.
 *
 * A file goes while this process
 *
 *   - holds its removal byte exclusively, so that no other shmkit removes the name and makes it anew
 *     between the look where it leads and the unlink;
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
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "listing.h"
#include "os.h"
#include "segment.h"

/* ---- Outcomes ------------------------------------------------------------------------------- */

static int keep(struct shmkit__entry *entry, int error, const char *why) {
  entry->info.removal = SHMKIT_KEPT;
  shmkit__entry_explain(entry, "kept: %s", why);
  return error;
}

static int fail(struct shmkit__entry *entry, const char *what, int error) {
  entry->info.removal = SHMKIT_REMOVAL_FAILED;
  errno = error;
  shmkit__entry_explain(entry, "%s: %m", what);
  return -error;
}

/* It is not known whether it is in use, which counts as in use. */
static int give_up(struct shmkit__entry *entry, const char *what, int error) {
  (void)fail(entry, what, error);
  return -EBUSY;
}

/* ---- Files ---------------------------------------------------------------------------------- */

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

/* Nobody else may remove it, enter it, or have it open, from here to the close of `fd`. */
static int claim(struct shmkit__entry *entry, int fd, const struct stat *status) {
  int error = shmkit__os_lock(fd, SHMKIT__BYTE_REMOVAL, SHMKIT__EXCLUSIVE);
  if (error != 0) return keep(entry, -EBUSY, "another process is removing it");
  if (shmkit__lifetime_is_last(fd, status) &&
      shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__EXCLUSIVE) != 0) {
    return keep(entry, -EBUSY, "a process has it open");
  }
  error = shmkit__os_lease(fd);
  if (error == 0) return 0;
  if (error == -EAGAIN) return keep(entry, -EBUSY, "somebody has it open");
  return give_up(entry, "whether anybody has it open cannot be told, no lease on it is given",
                 -error);
}

static int remove_claimed(struct shmkit__entry *entry, int fd, const struct stat *status) {
  int error = 0;
  if (!shmkit__lifetime_leads_to(entry->path, status)) {
    error = keep(entry, -EBUSY, "its name leads elsewhere by now");
  } else if (!shmkit__os_lease_is_whole(fd)) {
    error = keep(entry, -EBUSY, "a process is opening it");
  } else if (unlink(entry->path) != 0) {
    error = fail(entry, "cannot be removed", errno);
  } else {
    entry->info.removal = SHMKIT_REMOVED;
  }
  shmkit__os_lease_return(fd);
  return error;
}

static int fail_open(struct shmkit__entry *entry, int error) {
  switch (error) {
    case EWOULDBLOCK:
      return keep(entry, -EBUSY, "a process has a lease on it");
    case ENOENT:
      return keep(entry, -ENOENT, "it has gone meanwhile");
    case ELOOP:
    case EISDIR:
    case ENXIO:
      return keep(entry, -EBUSY, "its name leads elsewhere by now");
    default:
      return give_up(entry, "cannot be opened to see whether it is in use", error);
  }
}

static int remove_unused_file(struct shmkit__entry *entry) {
  struct stat status;
  int fd = shmkit__os_open(entry->path, O_RDWR | O_NOFOLLOW, 0);
  if (fd < 0) return fail_open(entry, -fd);
  int error = 0;
  if (fstat(fd, &status) != 0 || !is_as_listed(entry, &status)) {
    error = keep(entry, -EBUSY, "it has changed or been used meanwhile");
  } else {
    error = claim(entry, fd, &status);
  }
  if (error == 0) error = remove_claimed(entry, fd, &status);
  (void)close(fd);
  return error;
}

/* ---- System V ------------------------------------------------------------------------------- */

static bool is_sysv_as_listed(const shmkit_info *info, const struct shmid_ds *status) {
  const int64_t second = 1000000000;
  return status->shm_nattch == 0 && status->shm_segsz == info->size &&
         status->shm_cpid == info->creator.pid && status->shm_lpid == info->last_pid &&
         (int64_t)status->shm_ctime * second == info->changed;
}

int shmkit__entry_remove_sysv(struct shmkit__entry *entry) {
  if (shmctl((int)entry->info.inode, IPC_RMID, NULL) == 0) {
    entry->info.removal = SHMKIT_REMOVED;
    return 0;
  }
  if (errno == EINVAL || errno == EIDRM) return keep(entry, -ENOENT, "it has gone meanwhile");
  return fail(entry, "cannot be removed", errno);
}

static int remove_unused_sysv(struct shmkit__entry *entry) {
  struct shmid_ds status;
  if (shmctl((int)entry->info.inode, IPC_STAT, &status) != 0) {
    if (errno == EINVAL || errno == EIDRM) return keep(entry, -ENOENT, "it has gone meanwhile");
    return give_up(entry, "cannot be looked at", errno);
  }
  if (!is_sysv_as_listed(&entry->info, &status)) {
    return keep(entry, -EBUSY, "it has changed or been used meanwhile");
  }
  return shmkit__entry_remove_sysv(entry);
}

int shmkit__entry_remove(struct shmkit__entry *entry) {
  return entry->info.kind == SHMKIT_INFO_SYSV ? remove_unused_sysv(entry)
                                              : remove_unused_file(entry);
}
