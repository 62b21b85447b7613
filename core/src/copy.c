/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing by copy. It is the kernel that touches the pages, and one that was truncated
 * away is an answer, not a signal: reading through the descriptor; writing, and reading where the
 * descriptor is gone, at a higher price, through this process's memory as if it were another's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "segment.h"

static shmkit_status fail_truncated(const shmkit_segment *self, uint64_t offset, size_t length) {
  if (self->kind == SHMKIT_SYSV) {
    return shmkit__fail(-ENOMEM, self->address,
                        "no memory for a page of the %zu bytes at offset %" PRIu64 " of %s", length,
                        offset, self->address);
  }
  return shmkit__fail(SHMKIT_ERR_TRUNCATED, self->address,
                      "%s was truncated by another process: the %zu bytes at offset %" PRIu64
                      " are gone; refresh tells the new size",
                      self->address, length, offset);
}

static shmkit_status fail_copy(const shmkit_segment *self, uint64_t offset, size_t length,
                               int error) {
  if (error == -EFAULT) return fail_truncated(self, offset, length);
  if (error == -EPERM || error == -ENOSYS) {
    return shmkit__fail(error, self->address,
                        "cannot copy from or to %s: its descriptor is gone or cannot be used, and "
                        "this system does not permit process_vm_readv",
                        self->address);
  }
  return shmkit__fail_errno(-error, self->address, "cannot copy from or to %s", self->address);
}

/* 0, or a negated errno value: -ENODATA for the end of the file. */
static int read_file(int fd, char *to, size_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t got = pread(fd, to, length, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return -ENODATA;
    to += got;
    offset += (uint64_t)got;
    length -= (size_t)got;
  }
  return 0;
}

static int write_file(int fd, const char *from, size_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t put = pwrite(fd, from, length, (off_t)offset);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -errno;
    from += put;
    offset += (uint64_t)put;
    length -= (size_t)put;
  }
  return 0;
}

/* From or to the mapping. Nobody can make a System V segment shorter, so where the safe way is not
 * permitted it is copied as memory; a page without room is SIGBUS then. */
static int copy_mapped(const shmkit_segment *self, void *to, const void *from, size_t length) {
  int error = shmkit__os_copy(to, from, length);
  bool forbidden = error == -EPERM || error == -ENOSYS;
  if (!forbidden || self->kind != SHMKIT_SYSV) return error;
  memmove(to, from, length);
  return 0;
}

static shmkit_status read_entered(shmkit_segment *self, uint64_t offset, void *buffer,
                                  size_t length) {
  struct stat status;
  int fd = -1, error;
  shmkit_status result = shmkit__segment_check_range(self, offset, length);
  if (result != 0 || length == 0) return result;
  if (self->kind != SHMKIT_SYSV && shmkit__segment_descriptor(self, &fd, &status) == 0) {
    error = read_file(fd, buffer, length, offset);
    if (error == 0) return 0;
    if (error == -ENODATA) return fail_truncated(self, offset, length);
  }
  error = copy_mapped(self, buffer, self->memory + offset, length);
  return error == 0 ? 0 : fail_copy(self, offset, length, error);
}

static bool is_inside(int fd, uint64_t offset, size_t length) {
  struct stat status;
  return fstat(fd, &status) == 0 && offset + length <= (uint64_t)status.st_size;
}

static shmkit_status fail_no_page(const shmkit_segment *self, uint64_t offset, size_t length) {
  return shmkit__fail(-ENOSPC, self->address,
                      "no room for %zu bytes at offset %" PRIu64 " of the sparse segment %s",
                      length, offset, self->address);
}

/*
 * Through the mapping: the only way that cannot lengthen a file which a peer is truncating, that
 * hugetlbfs has, and that is left when a memfd is sealed against all future writing.
 */
static shmkit_status write_entered(shmkit_segment *self, uint64_t offset, const void *bytes,
                                   size_t length) {
  if (self->readonly) {
    return shmkit__fail(-EACCES, self->address, "cannot write to %s: it is open read-only",
                        self->address);
  }
  unsigned char *to = self->memory + offset;
  if (length == 0) return 0;
  struct stat status;
  int fd = -1;
  bool known = self->kind != SHMKIT_SYSV && shmkit__segment_descriptor(self, &fd, &status) == 0;
  /* The rest of the last page can be written to, and is not content. */
  if (known && offset + length > (uint64_t)status.st_size) {
    return fail_truncated(self, offset, length);
  }
  int error = copy_mapped(self, to, bytes, length);
  /* Where that is not permitted, or a page is not there: because a sparse segment gets no room, which
   * only the kernel can tell, or because a peer has truncated, and perhaps lengthened it again. Should
   * it truncate right now, this makes the file longer. */
  if (known && error != 0 && is_inside(fd, offset, length)) {
    error = write_file(fd, bytes, length, offset);
  }
  if (error == 0) return 0;
  return error == -ENOSPC ? fail_no_page(self, offset, length)
                          : fail_copy(self, offset, length, error);
}

shmkit_status shmkit_segment_read(shmkit_segment *self, uint64_t offset, void *buffer,
                                  size_t length) {
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  result = read_entered(self, offset, buffer, length);
  shmkit__segment_leave(self);
  return result;
}

/* Bytes of this very memory, which copying forwards would overwrite before it reads them. */
static bool overlaps(const shmkit_segment *self, uint64_t offset, const void *bytes,
                     size_t length) {
  uintptr_t from = (uintptr_t)bytes, to = (uintptr_t)self->memory + (uintptr_t)offset;
  return from < to && to - from < length;
}

static shmkit_status write_own(shmkit_segment *self, uint64_t offset, const void *bytes,
                               size_t length) {
  void *copy = malloc(length);
  if (copy == NULL) {
    return shmkit__fail(-ENOMEM, self->address, "no memory to move %zu bytes inside %s", length,
                        self->address);
  }
  int error = shmkit__os_copy(copy, bytes, length);
  shmkit_status result = error == 0 ? write_entered(self, offset, copy, length)
                                    : fail_copy(self, offset, length, error);
  free(copy);
  return result;
}

shmkit_status shmkit_segment_write(shmkit_segment *self, uint64_t offset, const void *bytes,
                                   size_t length) {
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  result = shmkit__segment_check_range(self, offset, length);
  if (result == 0) {
    result = (overlaps(self, offset, bytes, length) ? write_own : write_entered)(self, offset,
                                                                                 bytes, length);
  }
  shmkit__segment_leave(self);
  return result;
}
