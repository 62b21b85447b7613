/* SPDX-License-Identifier: MIT */
/* From a descriptor to memory: mapping, growing, and keeping up with a size that others change. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backoff.h"
#include "crash.h"
#include "error.h"
#include "room.h"
#include "segment.h"

/* ---- Mapping -------------------------------------------------------------------------------- */

static shmkit_status fail_lock(const char *address, const char *verb, size_t size, int error) {
  struct rlimit limit = {0, 0};
  (void)getrlimit(RLIMIT_MEMLOCK, &limit);
  return shmkit__fail(-error, address,
                      "cannot %s %s: locking %zu bytes in memory is refused, RLIMIT_MEMLOCK allows "
                      "this process %llu: raise it (ulimit -l) or do without",
                      verb, address, size, (unsigned long long)limit.rlim_cur);
}

shmkit_status shmkit__segment_prepare_memory(shmkit_segment *self, const char *verb) {
  size_t size = self->size;
  if (self->flags & SHMKIT_POPULATE) {
    int error = shmkit__os_populate(self->memory, size, !self->readonly);
    /* A page of a sparse file for which there is no room. */
    if (error == -EFAULT && self->fd >= 0 && !self->readonly) {
      return shmkit__room_fail(self->fd, NULL, self->address, verb, size);
    }
    if (error != 0) {
      return shmkit__fail_errno(-error, self->address, "cannot %s %s: populating %zu bytes", verb,
                                self->address, size);
    }
  }
  if ((self->flags & SHMKIT_LOCK) && mlock(self->memory, size) != 0) {
    return fail_lock(self->address, verb, size, errno);
  }
  return 0;
}

static shmkit_status fail_map(const shmkit_segment *self, const char *verb, uint64_t capacity,
                              int error) {
  if (error == EPERM && !self->readonly) {
    return shmkit__fail(-EPERM, self->address,
                        "cannot %s %s: it is sealed against writing: open it read-only", verb,
                        self->address);
  }
  return shmkit__fail_errno(error, self->address,
                            "cannot %s %s: mapping %" PRIu64 " bytes of address space", verb,
                            self->address, capacity);
}

shmkit_status shmkit__segment_map(shmkit_segment *self, const char *verb, uint64_t size,
                                  const shmkit_segment_options *options) {
  uint64_t capacity = options->capacity > size ? options->capacity : size;
  if (self->huge_page != 0) {
    if (capacity > size) {
      return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address,
                          "cannot %s %s with a capacity beyond its size: a mapping of huge pages "
                          "cannot reach beyond the end",
                          verb, self->address);
    }
    /* Unmapping takes whole pages only. */
    capacity = (capacity + self->huge_page - 1) / self->huge_page * self->huge_page;
  }
  if (capacity > SIZE_MAX) return fail_map(self, verb, capacity, ENOMEM);
  int protection = self->readonly ? PROT_READ : PROT_READ | PROT_WRITE;
  void *memory = mmap(NULL, (size_t)capacity, protection, MAP_SHARED, self->fd, 0);
  if (memory == MAP_FAILED) return fail_map(self, verb, capacity, errno);
  self->memory = memory;
  self->mapped = true;
  self->capacity = (size_t)capacity;
  self->size = (size_t)size;
  return shmkit__segment_prepare_memory(self, verb);
}

/* ---- A size that changes -------------------------------------------------------------------- */

static void take_size(shmkit_segment *self, const struct stat *status) {
  uint64_t size = (uint64_t)status->st_size;
  if (size > self->capacity) size = self->capacity;
  atomic_store_explicit(&self->size, (size_t)size, memory_order_relaxed);
}

shmkit_status shmkit_segment_refresh(shmkit_segment *self) {
  struct stat status;
  int fd = -1;
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  /* A System V segment keeps its size for ever. */
  if (self->kind != SHMKIT_SYSV) {
    if (shmkit__segment_descriptor(self, &fd, &status) == 0) {
      take_size(self, &status);
    } else {
      result = shmkit__segment_fail_lost(self);
    }
  }
  shmkit__segment_leave(self);
  return result;
}

/* ---- Growing -------------------------------------------------------------------------------- */

/* What cannot be grown to `size`, whoever tries; 0 when it might be. */
static shmkit_status check_growth(const shmkit_segment *self, uint64_t size) {
  if (self->kind == SHMKIT_SYSV || self->huge_page != 0) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address,
                        "%s cannot grow: %s have a fixed size", self->address,
                        self->kind == SHMKIT_SYSV ? "System V segments" : "mappings of huge pages");
  }
  if (self->readonly) {
    return shmkit__fail(-EACCES, self->address, "cannot grow %s: it is open read-only",
                        self->address);
  }
  if (size > self->capacity) {
    return shmkit__fail(SHMKIT_ERR_RANGE, self->address,
                        "cannot grow %s to %" PRIu64 " bytes: this mapping has a capacity of %zu: "
                        "give a larger one when it is created or opened",
                        self->address, size, self->capacity);
  }
  return 0;
}

static uint64_t round_up_to_page(uint64_t size) {
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  return (size + page - 1) / page * page;
}

/*
 * First the room, behind the end where nobody looks, then the end in one step: peers see the old
 * size or the new one. Room that was got before the rest was refused is given back; nobody else
 * can have grown into it, because who grows holds the growth byte. The rest of the last page is
 * mapped, and whatever somebody has written there must not become content.
 */
static shmkit_status extend(shmkit_segment *self, int fd, uint64_t from, uint64_t to) {
  int error = 0;
  shmkit__crash_point("grow.locked");
  if (!(self->flags & SHMKIT_SPARSE)) {
    shmkit_status room = shmkit__room_check(fd, NULL, self->address, "grow", to - from);
    if (room != 0) return room;
    error = shmkit__os_reserve(fd, from, to, true);
    if (error != 0 && round_up_to_page(from) < to) {
      shmkit__os_discard(fd, round_up_to_page(from), round_up_to_page(to));
    }
  }
  shmkit__crash_point("grow.reserved");
  if (error == 0) {
    shmkit__os_discard(fd, from, round_up_to_page(from));
    error = shmkit__os_extend(fd, to);
  }
  shmkit__crash_point("grow.extended");
  if (error == 0) return 0;
  if (error == -ENOSPC) return shmkit__room_fail(fd, NULL, self->address, "grow", to - from);
  if (error == -EPERM) {
    return shmkit__fail(-EPERM, self->address, "cannot grow %s: it is sealed against growing",
                        self->address);
  }
  return shmkit__fail_errno(-error, self->address, "cannot grow %s to %" PRIu64 " bytes",
                            self->address, to);
}

/* Grow while holding the growth byte. */
static shmkit_status grow_locked(shmkit_segment *self, int fd, uint64_t size) {
  struct stat status;
  if (fstat(fd, &status) != 0) return shmkit__segment_fail_lost(self);
  uint64_t old = (uint64_t)status.st_size;
  if (old < size) {
    shmkit_status result = extend(self, fd, old, size);
    if (result != 0) return result;
    if (fstat(fd, &status) != 0) return shmkit__segment_fail_lost(self);
  }
  size_t before = self->size;
  take_size(self, &status);
  if ((self->flags & SHMKIT_LOCK) && self->size > before && mlock(self->memory, self->size) != 0) {
    return fail_lock(self->address, "lock all of", self->size, errno);
  }
  return 0;
}

/* The descriptor that excludes other growers: another thread of this process shares ours, so each
 * call opens the file anew. */
static shmkit_status grow(shmkit_segment *self, uint64_t size) {
  struct stat status;
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(10);
  int known = -1, fd = -1;
  if (shmkit__segment_descriptor(self, &known, &status) != 0) {
    return shmkit__segment_fail_lost(self);
  }
  int error = shmkit__os_reopen(known, O_RDWR, &fd);
  if (error != 0) {
    return shmkit__fail_errno(-error, self->address, "cannot open %s again to grow it",
                              self->address);
  }
  do {
    error = shmkit__os_lock(fd, SHMKIT__BYTE_GROWTH, SHMKIT__EXCLUSIVE);
  } while (error == -EAGAIN && shmkit__backoff_wait(&backoff));
  shmkit_status result;
  if (error == -EAGAIN) {
    result = shmkit__fail(-EBUSY, self->address,
                          "cannot grow %s: another process has been growing it for 10 seconds",
                          self->address);
  } else if (error != 0) {
    result = shmkit__fail_errno(-error, self->address, "cannot lock %s to grow it", self->address);
  } else {
    result = grow_locked(self, fd, size);
  }
  (void)close(fd);
  return result;
}

/* Whether it is that large already, asking the kernel: a peer may have changed it either way. */
static bool is_large_enough(shmkit_segment *self, uint64_t size) {
  struct stat status;
  int fd = -1;
  if (self->kind != SHMKIT_SYSV && shmkit__segment_descriptor(self, &fd, &status) == 0) {
    take_size(self, &status);
  }
  return self->size >= size;
}

shmkit_status shmkit_segment_grow(shmkit_segment *self, uint64_t size) {
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  if (!is_large_enough(self, size)) {
    result = check_growth(self, size);
    if (result == 0) result = grow(self, size);
  }
  shmkit__segment_leave(self);
  return result;
}
