/* SPDX-License-Identifier: MIT */
/*
 * When names go.
 *
 * A Last segment is marked by the sticky bit of its file. Whoever has it open holds a shared lock
 * on its presence byte, through the open file description that its mapping pins: the lock ends with
 * the mapping and the descriptor, by close, exec, exit or kill, and a forked child that keeps the
 * mapping keeps it. An exclusive lock on that byte is proof that nobody has the segment open.
 *
 *   Attach:  try exclusive. Got it: stale; remove the name, open again. Else try shared. Not got:
 *            it is being removed; open again. Then the name must still exist, else open again.
 *   Leave:   give up the shared lock first, then try exclusive on a new description. Got it: remove.
 *            (Upgrading in place would leave the name behind: two leavers block each other.)
 *   Remove:  with the removal byte held exclusively, look once more where the name leads, then
 *            unlink. Without it, another process can unlink and create between the look and the
 *            unlink, and the new segment is robbed of its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backoff.h"
#include "crash.h"
#include "error.h"
#include "segment.h"

/* ---- Removing ------------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool shmkit__lifetime_leads_to(const char *path, const struct stat *file) {
  struct stat now;
  return lstat(path, &now) == 0 && same_file(&now, file);
}

/* Remove the name while the caller's descriptor `fd` of that file may lock. -EAGAIN: another
 * process is removing it. -ESTALE: it leads elsewhere. */
static int remove_name(const char *path, int fd, const struct stat *file) {
  int error = shmkit__os_lock(fd, SHMKIT__BYTE_REMOVAL, SHMKIT__EXCLUSIVE);
  /* A file that cannot be opened for writing cannot be locked: its name is removed as rm would. */
  if (error != 0 && error != -EBADF) return error;
  if (!shmkit__lifetime_leads_to(path, file)) return -ESTALE;
  shmkit__crash_point("unlink.locked");
  int result = unlink(path) == 0 ? 0 : -errno;
  shmkit__crash_point("unlink.done");
  return result;
}

bool shmkit__lifetime_reap(const char *path, dev_t device, ino_t inode) {
  struct stat status;
  int fd = shmkit__os_open(path, O_RDWR | O_NOFOLLOW, 0);
  if (fd < 0) return true;
  bool alone = true;
  if (fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode &&
      shmkit__lifetime_is_last(fd, &status)) {
    alone = shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__EXCLUSIVE) == 0;
    shmkit__crash_point("detach.asked");
    if (alone) (void)remove_name(path, fd, &status);
  }
  (void)close(fd);
  return alone;
}

bool shmkit__lifetime_reap_stale(const char *path) {
  struct stat status;
  if (lstat(path, &status) != 0) return errno == ENOENT;
  if (!S_ISREG(status.st_mode)) return false;
  (void)shmkit__lifetime_reap(path, status.st_dev, status.st_ino);
  return !shmkit__lifetime_leads_to(path, &status);
}

static shmkit_status fail_unlink(const char *address, int error) {
  switch (error) {
    case ENOENT:
      return shmkit__fail(-ENOENT, address, "cannot unlink %s: it does not exist", address);
    case EACCES:
    case EPERM:
      return shmkit__fail(-error, address,
                          "cannot unlink %s: no permission: ask its owner, or root", address);
    case EAGAIN:
      return shmkit__fail(-EBUSY, address,
                          "cannot unlink %s: another process has been about to remove it for 5 "
                          "seconds",
                          address);
    default:
      return shmkit__fail_errno(error, address, "cannot unlink %s", address);
  }
}

/* Open what the name leads to, for locking where that is permitted, without opening what is not a
 * regular file: that may wait, or act on a device. */
static int open_to_unlink(const char *path, const struct stat *only, struct stat *status) {
  if (only == NULL) {
    if (lstat(path, status) != 0) return -errno;
    if (!S_ISREG(status->st_mode)) return -EINVAL;
  }
  int fd = shmkit__os_open(path, O_RDWR | O_NOFOLLOW, 0);
  if (fd < 0 && fd != -ENOENT) fd = shmkit__os_open(path, O_PATH | O_NOFOLLOW, 0);
  if (fd < 0) return fd;
  /* Whatever it leads to now is what is unlinked, if it is a file. */
  int error = fstat(fd, status) != 0 ? -errno : S_ISREG(status->st_mode) ? 0 : -EINVAL;
  if (error == 0) return fd;
  (void)close(fd);
  return error;
}

shmkit_status shmkit__lifetime_unlink(const char *path, const char *address,
                                      const struct stat *only) {
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(5);
  int error;
  do {
    struct stat status;
    int fd = open_to_unlink(path, only, &status);
    if (fd == -EINVAL) return shmkit__check_regular(address, &status, "unlink");
    if (fd < 0) return fail_unlink(address, -fd);
    if (only != NULL && !same_file(&status, only)) {
      (void)close(fd);
      return SHMKIT_AGAIN;
    }
    error = remove_name(path, fd, &status);
    (void)close(fd);
  } while ((error == -EAGAIN || error == -ESTALE) && shmkit__backoff_wait(&backoff));
  return error == 0 ? 0 : fail_unlink(address, -error);
}

/* Threads of one process share a segment's description, which therefore does not keep them apart. */
static pthread_mutex_t own_removal = PTHREAD_MUTEX_INITIALIZER;

shmkit_status shmkit__lifetime_unlink_own(const char *path, const char *address, int fd,
                                          const struct stat *file) {
  (void)pthread_mutex_lock(&own_removal);
  int error = remove_name(path, fd, file);
  /* Without any name, nobody will want the removal byte: it may stay locked until the close. */
  if (error != 0 || file->st_nlink > 1)
    (void)shmkit__os_lock(fd, SHMKIT__BYTE_REMOVAL, SHMKIT__UNLOCKED);
  (void)pthread_mutex_unlock(&own_removal);
  if (error == 0 || error == -ESTALE) return 0;
  return shmkit__lifetime_unlink(path, address, file);
}

shmkit_status shmkit__lifetime_fail_nameless(const struct shmkit__address *address,
                                             const char *verb) {
  const char *text = address->text;
  if (address->kind == SHMKIT_FD) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, text,
                        "%s has no name to %s: %s the address that it was opened by", text, verb,
                        verb);
  }
  return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, text,
                      "%s has no name to %s: it goes with its last user", text, verb);
}

shmkit_status shmkit_unlink(const char *address) {
  struct shmkit__address parsed;
  shmkit_status status = shmkit__address_parse(address, &parsed);
  if (status != 0) return status;
  switch (parsed.kind) {
    case SHMKIT_POSIX:
    case SHMKIT_FILE:
      return shmkit__lifetime_unlink(parsed.path, parsed.text, NULL);
    case SHMKIT_SYSV:
      return shmkit__sysv_unlink(&parsed);
    default:
      return shmkit__lifetime_fail_nameless(&parsed, "unlink");
  }
}

/* ---- Attaching ------------------------------------------------------------------------------ */

/* Somebody's file on a disk may have a sticky bit for no reason that anybody remembers, and must not
 * go because shmkit opened it. */
bool shmkit__lifetime_is_last(int fd, const struct stat *status) {
  if (!(status->st_mode & S_ISVTX)) return false;
  return shmkit__os_in_memory(fd) || shmkit__os_huge_page_size(fd, status) != 0;
}

shmkit_status shmkit__lifetime_attach_first(int fd, const char *address) {
  int error = shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__SHARED);
  if (error == 0) return 0;
  return shmkit__fail_errno(
      -error, address, "cannot create %s with the lifetime \"last\": locking the file", address);
}

/* Whether nobody has it open. Who may not write cannot try the exclusive lock and must ask. */
static bool is_stale(int fd, bool readonly) {
  if (readonly) return shmkit__os_is_locked(fd, SHMKIT__BYTE_PRESENCE) == 0;
  return shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__EXCLUSIVE) == 0;
}

/* Remove the name of a segment that nobody has open. SHMKIT_AGAIN: look what is there now. */
static shmkit_status remove_stale(const struct shmkit__address *address, int fd,
                                  const struct stat *status, bool readonly) {
  char through[PATH_MAX];
  const char *path = address->path;
  /* Through a symbolic link the address is not where the name is. */
  if (address->kind == SHMKIT_FILE && shmkit__os_path_of(fd, through, sizeof through) == 0) {
    path = through;
  }
  if (readonly) {
    (void)shmkit__lifetime_reap(path, status->st_dev, status->st_ino);
    if (!shmkit__lifetime_leads_to(path, status)) return SHMKIT_AGAIN;
  } else {
    int error = remove_name(path, fd, status);
    if (error == 0 || error == -EAGAIN || error == -ESTALE || error == -ENOENT) return SHMKIT_AGAIN;
  }
  return shmkit__fail(-ENOENT, address->text,
                      "%s does not exist any more: its last user has gone, and removing its name "
                      "is left to somebody who may",
                      address->text);
}

shmkit_status shmkit__lifetime_attach(const struct shmkit__address *address, int fd,
                                      const struct stat *status, bool readonly) {
  struct stat now;
  bool named = address->kind != SHMKIT_FD;
  shmkit__crash_point("attach.begun");
  if (named && is_stale(fd, readonly)) return remove_stale(address, fd, status, readonly);
  int error = shmkit__os_lock(fd, SHMKIT__BYTE_PRESENCE, SHMKIT__SHARED);
  if (error == -EAGAIN) return SHMKIT_AGAIN;
  if (error != 0) {
    return shmkit__fail_errno(-error, address->text, "cannot open %s: locking the file",
                              address->text);
  }
  shmkit__crash_point("attach.locked");
  if (!named) return 0;
  /* Between opening and locking, the last one may have left and taken the name along. */
  if (fstat(fd, &now) != 0 || now.st_nlink == 0) return SHMKIT_AGAIN;
  return 0;
}

/* ---- At exit -------------------------------------------------------------------------------- */

/*
 * A program that ends without closing its segments, by exit or by returning from main, still leaves
 * them. Only those whose name must go are watched.
 */
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static shmkit_segment *watched;

static void lock_watch(void) {
  (void)pthread_mutex_lock(&watch_lock);
}

static void unlock_watch(void) {
  (void)pthread_mutex_unlock(&watch_lock);
}

static void lock_all(void) {
  lock_watch();
  (void)pthread_mutex_lock(&own_removal);
}

static void unlock_all(void) {
  (void)pthread_mutex_unlock(&own_removal);
  unlock_watch();
}

__attribute__((constructor)) static void survive_fork(void) {
  /* A child must not inherit a lock from a thread that it does not have. */
  (void)pthread_atfork(lock_all, unlock_all, unlock_all);
}

void shmkit__lifetime_watch(shmkit_segment *self) {
  lock_watch();
  self->next = watched;
  if (watched != NULL) watched->previous = self;
  watched = self;
  unlock_watch();
}

static bool is_watched(const shmkit_segment *self) {
  return self->previous != NULL || watched == self;
}

void shmkit__lifetime_unwatch(shmkit_segment *self) {
  lock_watch();
  if (is_watched(self)) {
    if (self->next != NULL) self->next->previous = self->previous;
    *(self->previous != NULL ? &self->previous->next : &watched) = self->next;
    self->previous = self->next = NULL;
  }
  unlock_watch();
}

/*
 * Other threads may still be running and using the memory. Private zeros take its place, which ends
 * this process's presence without a fault; what they write from now on is lost, as it would be had
 * they been a moment later. One that is inside a call on the file keeps the presence until it is out
 * of the kernel, which is waited for a little.
 */
static void vacate(shmkit_segment *self) {
  (void)mmap(self->memory, self->capacity, PROT_READ | PROT_WRITE,
             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  bool gone = shmkit__segment_depart(self);
  for (int wait = 0; !gone && wait < 10 && shmkit__os_has_threads(); wait++) {
    struct timespec pause = {.tv_nsec = 3000000};
    (void)nanosleep(&pause, NULL);
    gone = shmkit__segment_depart(self);
  }
}

__attribute__((destructor)) static void leave_at_exit(void) {
  lock_watch();
  while (watched != NULL) {
    shmkit_segment *self = watched;
    watched = self->next;
    if (watched != NULL) watched->previous = NULL;
    self->next = NULL;
    if (self->lifetime == SHMKIT_LAST) {
      vacate(self);
    } else if (self->owner == getpid()) {
      (void)shmkit_segment_unlink(self);
    }
  }
  unlock_watch();
}
