/* SPDX-License-Identifier: MIT */
/* The segment object: its properties, who is using it, and its end. */
#include "segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"
#include "error.h"

enum { CLOSED = 1, USER = 2 };

static const char *const lifetime_names[] = {"persistent", "creator", "last"};

const char *shmkit_lifetime_name(shmkit_lifetime lifetime) {
  return (unsigned)lifetime <= SHMKIT_LAST ? lifetime_names[lifetime] : "?";
}

/* ---- Making --------------------------------------------------------------------------------- */

shmkit_segment *shmkit__segment_new(const struct shmkit__address *address,
                                    const shmkit_segment_options *options) {
  size_t length = strlen(address->text) + 1;
  shmkit_segment *self = calloc(1, sizeof *self + length);
  if (self == NULL) {
    (void)shmkit__fail(-ENOMEM, address->text, "no memory for the object of %s", address->text);
    return NULL;
  }
  self->state = CLOSED;
  self->fd = -1;
  self->sysv_id = -1;
  self->owner = getpid();
  self->kind = (uint8_t)address->kind;
  self->flags = options->flags;
  self->readonly = (options->flags & SHMKIT_READONLY) != 0;
  self->name = address->name;
  memcpy(self->address, address->text, length);
  return self;
}

void shmkit__segment_set_file(shmkit_segment *self, int fd, const struct stat *status) {
  self->fd = fd;
  if (!self->duplicate) shmkit__os_mark(fd);
  self->device = status->st_dev;
  self->inode = status->st_ino;
  self->huge_page = shmkit__os_huge_page_size(fd, status);
  if (shmkit__lifetime_is_last(fd, status)) self->lifetime = SHMKIT_LAST;
}

void shmkit__segment_set_open(shmkit_segment *self) {
  atomic_store_explicit(&self->state, 0, memory_order_release);
  if (self->lifetime != SHMKIT_PERSISTENT) shmkit__lifetime_watch(self);
}

void shmkit__segment_set_created(shmkit_segment *self, uint32_t lifetime) {
  self->created = true;
  self->lifetime = (uint8_t)lifetime;
  shmkit__segment_set_open(self);
}

/* ---- The descriptor ------------------------------------------------------------------------- */

/* The path of a segment that has one, else NULL. */
static const char *file_path(const shmkit_segment *self, char buffer[static PATH_MAX]) {
  if (self->kind == SHMKIT_FILE) return self->address + self->name;
  if (self->kind != SHMKIT_POSIX) return NULL;
  size_t directory = sizeof SHMKIT__POSIX_DIRECTORY - 1;
  memcpy(buffer, SHMKIT__POSIX_DIRECTORY "/", directory + 1);
  strcpy(buffer + directory + 1, self->address + self->name);
  return buffer;
}

static bool is_same_file(const shmkit_segment *self, const struct stat *status) {
  return status->st_dev == self->device && status->st_ino == self->inode;
}

/* Open the file by its name, if that leads to it. -ESTALE otherwise. */
static int open_by_name(const shmkit_segment *self, int flags, int *out, struct stat *status) {
  char buffer[PATH_MAX];
  const char *path = file_path(self, buffer);
  if (path == NULL) return -ESTALE;
  if (self->kind == SHMKIT_POSIX) flags |= O_NOFOLLOW;
  *out = shmkit__os_open(path, flags, 0);
  if (*out < 0) return -ESTALE;
  if (fstat(*out, status) == 0 && is_same_file(self, status)) return 0;
  (void)close(*out);
  return -ESTALE;
}

int shmkit__segment_open_anew(const shmkit_segment *self, int fd, int flags, int *out) {
  struct stat status;
  /* By name where it has one: opened through /proc, a file that got its name after it was opened
   * does not know it, and who receives that descriptor could not take the name away. */
  if (open_by_name(self, flags, out, &status) == 0) return 0;
  return shmkit__os_reopen(fd, flags, out);
}

/* Open the file again by its name, in place of the descriptor `lost`. */
static int reopen_by_name(shmkit_segment *self, int lost, struct stat *status) {
  int fd = -1;
  if (open_by_name(self, self->readonly ? O_RDONLY : O_RDWR, &fd, status) != 0) return -ESTALE;
  shmkit__os_mark(fd);
  if (atomic_compare_exchange_strong(&self->fd, &lost, fd)) return 0;
  (void)close(fd);
  /* Another thread was faster. */
  return lost >= 0 && fstat(lost, status) == 0 && is_same_file(self, status) ? 0 : -ESTALE;
}

int shmkit__segment_descriptor(shmkit_segment *self, int *fd, struct stat *status) {
  int known = self->fd;
  if (known < 0 || fstat(known, status) != 0 || !is_same_file(self, status)) {
    int error = reopen_by_name(self, known, status);
    if (error != 0) return error;
  }
  *fd = self->fd;
  return 0;
}

shmkit_status shmkit__segment_fail_lost(const shmkit_segment *self) {
  return shmkit__fail(-ESTALE, self->address,
                      "the descriptor of %s was closed by other code in this process, and its "
                      "address does not lead to it: open it anew",
                      self->address);
}

/* Whether a number that was this segment's descriptor still is. The same file opened by the user
 * under the same number is told apart by the mark; a duplicate has none. */
static bool is_ours(const shmkit_segment *self, int fd, struct stat *status) {
  if (fd < 0 || fstat(fd, status) != 0 || !is_same_file(self, status)) return false;
  return self->duplicate || shmkit__os_is_marked(fd);
}

static void close_descriptor(shmkit_segment *self) {
  struct stat status;
  int fd = atomic_exchange(&self->fd, -1);
  if (is_ours(self, fd, &status)) (void)close(fd);
}

shmkit_status shmkit_segment_fileno(shmkit_segment *self, int *out) {
  struct stat status;
  int result = shmkit__segment_enter(self);
  if (result != 0) return result;
  if (self->kind == SHMKIT_SYSV) {
    result = shmkit__fail(
        SHMKIT_ERR_UNSUPPORTED, self->address,
        "%s is a System V segment, which has no descriptor: use posix: or memfd:", self->address);
  } else if (shmkit__segment_descriptor(self, out, &status) != 0) {
    result = shmkit__segment_fail_lost(self);
  }
  shmkit__segment_leave(self);
  return result;
}

/* ---- Users and the end ---------------------------------------------------------------------- */

static void unmap(shmkit_segment *self) {
  if (!self->mapped) return;
  if (self->kind == SHMKIT_SYSV) {
    (void)shmdt(self->memory);
  } else {
    (void)munmap(self->memory, self->capacity);
  }
  self->mapped = false;
}

/* Close the descriptor and, for a Last segment that is not mapped any more, take its name away if
 * nobody else has it open. Only without mapping and descriptor is this process's part of the
 * description, and so of its lock, gone. */
bool shmkit__segment_depart(shmkit_segment *self) {
  char path[PATH_MAX];
  const char *name = NULL;
  if (self->lifetime == SHMKIT_LAST) {
    int fd = self->fd;
    /* The creator of a file knows its name from the address alone, everybody else better from the
     * system: through a symbolic link, or for a descriptor, the address is not where the name is. */
    bool ask = self->kind != SHMKIT_POSIX && !self->created && fd >= 0;
    name = ask && shmkit__os_path_of(fd, path, sizeof path) == 0 ? path : file_path(self, path);
  }
  close_descriptor(self);
  shmkit__crash_point("detach.left");
  return name == NULL || shmkit__lifetime_reap(name, self->device, self->inode);
}

static void release(shmkit_segment *self) {
  /* An attempt to open that failed half-way was attached for a moment, too; the others may have left
   * the name to it. */
  bool attached = self->mapped || self->fd >= 0;
  /* A pinned Last segment is watched until here: its name goes with its mapping. */
  if (self->lifetime == SHMKIT_LAST) shmkit__lifetime_unwatch(self);
  unmap(self);
  if (attached) (void)shmkit__segment_depart(self);
}

static shmkit_status fail_closed(const shmkit_segment *self) {
  return shmkit__fail(SHMKIT_ERR_CLOSED, self->address, "the segment %s is closed: open it again",
                      self->address);
}

static bool try_enter(shmkit_segment *self) {
  uint32_t state = atomic_load_explicit(&self->state, memory_order_relaxed);
  do {
    if (state & CLOSED) return false;
    /* Acquire: whoever sees it open sees the mapping that set_open published. */
  } while (!atomic_compare_exchange_weak_explicit(&self->state, &state, state + USER,
                                                  memory_order_acquire, memory_order_relaxed));
  return true;
}

shmkit_status shmkit__segment_enter(shmkit_segment *self) {
  return try_enter(self) ? 0 : fail_closed(self);
}

void shmkit__segment_leave(shmkit_segment *self) {
  /* Release: this thread's accesses come before the unmapping by whoever leaves last; acquire: the
   * last one has everybody's behind it. */
  uint32_t before = atomic_fetch_sub_explicit(&self->state, USER, memory_order_acq_rel);
  if (before == (USER | CLOSED)) release(self);
}

shmkit_status shmkit_segment_pin(shmkit_segment *self) {
  shmkit_status status = shmkit__segment_enter(self);
  if (status == 0) atomic_fetch_add_explicit(&self->pins, 1, memory_order_relaxed);
  return status;
}

void shmkit_segment_unpin(shmkit_segment *self) {
  atomic_fetch_sub_explicit(&self->pins, 1, memory_order_relaxed);
  shmkit__segment_leave(self);
}

uint32_t shmkit_segment_pins(const shmkit_segment *self) {
  return atomic_load_explicit(&self->pins, memory_order_relaxed);
}

void shmkit_segment_close(shmkit_segment *self) {
  if (shmkit_segment_closed(self)) return;
  if (self->lifetime == SHMKIT_CREATOR) {
    if (self->owner == getpid()) (void)shmkit_segment_unlink(self);
    shmkit__lifetime_unwatch(self);
  }
  uint32_t before = atomic_fetch_or_explicit(&self->state, CLOSED, memory_order_acq_rel);
  if (before == 0) release(self);
}

void shmkit_segment_free(shmkit_segment *self) {
  if (self == NULL) return;
  shmkit_segment_close(self);
  /* Again for an object that was never open: a constructor's that failed. */
  release(self);
  free(self);
}

/* Through the descriptor, when this process opened it for writing; SHMKIT_AGAIN when it did not. */
static shmkit_status unlink_own(shmkit_segment *self, const char *path) {
  struct stat file;
  int fd = self->fd;
  if (self->readonly || self->duplicate || self->owner != getpid()) return SHMKIT_AGAIN;
  if (!is_ours(self, fd, &file)) return SHMKIT_AGAIN;
  return shmkit__lifetime_unlink_own(path, self->address, fd, &file);
}

shmkit_status shmkit_segment_unlink(shmkit_segment *self) {
  char buffer[PATH_MAX];
  if (self->kind == SHMKIT_SYSV) return shmkit__sysv_unlink_id(self->sysv_id, self->address);
  const char *path = file_path(self, buffer);
  if (path == NULL) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address, "%s has no name to unlink: %s",
                        self->address,
                        self->kind == SHMKIT_FD ? "unlink the address that it was opened by"
                                                : "it goes with its last user");
  }
  shmkit_status status = SHMKIT_AGAIN;
  /* Closed, it has no descriptor any more, and needs none. */
  if (try_enter(self)) {
    status = unlink_own(self, path);
    shmkit__segment_leave(self);
  }
  if (status == SHMKIT_AGAIN) {
    struct stat only = {.st_dev = self->device, .st_ino = self->inode};
    status = shmkit__lifetime_unlink(path, self->address, &only);
  }
  return status == -ENOENT || status == SHMKIT_AGAIN ? 0 : status;
}

/* ---- Properties ----------------------------------------------------------------------------- */

const char *shmkit_segment_address(const shmkit_segment *self) {
  return self->address;
}

const char *shmkit_segment_name(const shmkit_segment *self) {
  return self->address + self->name;
}

shmkit_kind shmkit_segment_kind(const shmkit_segment *self) {
  return (shmkit_kind)self->kind;
}

shmkit_lifetime shmkit_segment_lifetime(const shmkit_segment *self) {
  return (shmkit_lifetime)self->lifetime;
}

bool shmkit_segment_readonly(const shmkit_segment *self) {
  return self->readonly;
}

bool shmkit_segment_created(const shmkit_segment *self) {
  return self->created;
}

bool shmkit_segment_closed(const shmkit_segment *self) {
  return (atomic_load_explicit(&self->state, memory_order_acquire) & CLOSED) != 0;
}

size_t shmkit_segment_size(const shmkit_segment *self) {
  if (shmkit_segment_closed(self)) return 0;
  return atomic_load_explicit(&self->size, memory_order_relaxed);
}

size_t shmkit_segment_capacity(const shmkit_segment *self) {
  return shmkit_segment_closed(self) ? 0 : self->capacity;
}

void *shmkit_segment_data(const shmkit_segment *self) {
  return shmkit_segment_closed(self) ? NULL : self->memory;
}

/* ---- Access --------------------------------------------------------------------------------- */

shmkit_status shmkit__segment_check_range(const shmkit_segment *self, uint64_t offset,
                                          uint64_t length) {
  size_t size = atomic_load_explicit(&self->size, memory_order_relaxed);
  if (offset <= size && length <= size - offset) return 0;
  return shmkit__fail(SHMKIT_ERR_RANGE, self->address,
                      "%" PRIu64 " bytes at offset %" PRIu64 " are not inside %s, which has %zu "
                      "bytes",
                      length, offset, self->address, size);
}

shmkit_status shmkit_segment_view(const shmkit_segment *self, shmkit_type type, uint64_t offset,
                                  uint64_t count, shmkit_span *out) {
  size_t unit = shmkit_type_size(type);
  if (shmkit_segment_closed(self)) return fail_closed(self);
  if (unit == 0) {
    return shmkit__fail(-EINVAL, self->address, "%d is no element type", (int)type);
  }
  if (offset % unit != 0) {
    return shmkit__fail(-EINVAL, self->address,
                        "offset %" PRIu64 " of %s is misaligned for %s: use a multiple of %zu",
                        offset, self->address, shmkit_type_name(type), unit);
  }
  size_t size = atomic_load_explicit(&self->size, memory_order_relaxed);
  uint64_t fit = offset <= size ? (size - offset) / unit : 0;
  if (offset > size || (count != SHMKIT_REST && count > fit)) {
    return shmkit__fail(SHMKIT_ERR_RANGE, self->address,
                        "%" PRIu64 " elements of %s at offset %" PRIu64 " are not inside %s, which "
                        "has %zu bytes: %" PRIu64 " fit there",
                        count == SHMKIT_REST ? 0 : count, shmkit_type_name(type), offset,
                        self->address, size, fit);
  }
  out->data = self->memory + offset;
  out->count = count == SHMKIT_REST ? fit : count;
  return 0;
}
