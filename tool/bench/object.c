/* SPDX-License-Identifier: MIT */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

const char *name_prefix(void) {
  static char prefix[32];
  if (!*prefix) (void)snprintf(prefix, sizeof prefix, "shmkit-bench-%ld-", (long)getpid());
  return prefix;
}

void object_prepare(struct object *self, enum object_kind kind, size_t size,
                    const struct places *places) {
  static unsigned number;
  *self = (struct object){.kind = kind, .size = size, .fd = -1, .id = -1};
  self->channel = (struct channel){{-1, -1}, {-1, -1}};
  char name[64];
  (void)snprintf(name, sizeof name, "/%s%u", name_prefix(), number++);
  switch (kind) {
    case OBJECT_POSIX:
      (void)snprintf(self->path, sizeof self->path, "%s", name);
      (void)snprintf(self->address, sizeof self->address, "posix:%s", name);
      break;
    case OBJECT_TMPFS:
    case OBJECT_DISK:
      (void)snprintf(self->path, sizeof self->path, "%s%s",
                     kind == OBJECT_TMPFS ? places->tmpfs : places->disk, name);
      (void)snprintf(self->address, sizeof self->address, "file:%.300s", self->path);
      break;
    case OBJECT_SYSV:
      (void)snprintf(self->address, sizeof self->address, "sysv:private");
      break;
    case OBJECT_MEMFD:
      (void)snprintf(self->address, sizeof self->address, "memfd:%s", name + 1);
      break;
    default:
      break;
  }
}

static bool create_channel(struct channel *self, bool socket) {
  if (!socket) return pipe2(self->there, O_CLOEXEC) == 0 && pipe2(self->back, O_CLOEXEC) == 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->there) != 0) return false;
  /* Both ends of a socket can read and write; a pipe's first one reads. */
  self->back[0] = fcntl(self->there[1], F_DUPFD_CLOEXEC, 0);
  self->back[1] = fcntl(self->there[0], F_DUPFD_CLOEXEC, 0);
  return self->back[0] >= 0 && self->back[1] >= 0;
}

bool object_create(struct object *self) {
  switch (self->kind) {
    case OBJECT_PRIVATE:
      return true;
    case OBJECT_POSIX:
      self->fd = shm_open(self->path, O_RDWR | O_CREAT | O_EXCL, 0600);
      break;
    case OBJECT_SYSV:
      self->id = shmget(IPC_PRIVATE, self->size, IPC_CREAT | 0600);
      return self->id >= 0;
    case OBJECT_MEMFD:
      self->fd = memfd_create("shmkit-bench", MFD_CLOEXEC);
      break;
    case OBJECT_TMPFS:
    case OBJECT_DISK:
      self->fd = open(self->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      break;
    case OBJECT_PIPE:
    case OBJECT_SOCKET:
      return create_channel(&self->channel, self->kind == OBJECT_SOCKET);
  }
  return self->fd >= 0;
}

bool object_extend(struct object *self) {
  return self->fd < 0 || ftruncate(self->fd, (off_t)self->size) == 0;
}

bool object_reserve(struct object *self) {
  if (self->fd < 0) return true;
  do {
    errno = posix_fallocate(self->fd, 0, (off_t)self->size);
  } while (errno == EINTR);
  return errno == 0;
}

bool object_map(struct object *self) {
  if (self->kind == OBJECT_SYSV) {
    void *memory = shmat(self->id, NULL, 0);
    if (memory == (void *)-1) return false;
    self->memory = memory;
    return true;
  }
  int flags = self->kind == OBJECT_PRIVATE ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void *memory = mmap(NULL, self->size, PROT_READ | PROT_WRITE, flags, self->fd, 0);
  if (memory == MAP_FAILED) return false;
  self->memory = memory;
  /* Shared memory has ordinary pages unless told otherwise; so shall this, whatever the system
   * likes to give. */
  if (self->kind == OBJECT_PRIVATE) (void)madvise(memory, self->size, MADV_NOHUGEPAGE);
  return true;
}

bool object_open(struct object *self, const struct object *existing) {
  char path[64];
  switch (existing->kind) {
    case OBJECT_SYSV:
      self->id = existing->id;
      return true;
    case OBJECT_POSIX:
      self->fd = shm_open(existing->path, O_RDWR, 0);
      break;
    case OBJECT_MEMFD:
      (void)snprintf(path, sizeof path, "/proc/self/fd/%d", existing->fd);
      self->fd = open(path, O_RDWR | O_CLOEXEC);
      break;
    default:
      self->fd = open(existing->path, O_RDWR | O_CLOEXEC);
  }
  return self->fd >= 0;
}

bool object_unlink(struct object *self) {
  switch (self->kind) {
    case OBJECT_SYSV:
      return shmctl(self->id, IPC_RMID, NULL) == 0;
    case OBJECT_POSIX:
      return shm_unlink(self->path) == 0;
    case OBJECT_TMPFS:
    case OBJECT_DISK:
      return unlink(self->path) == 0;
    default:
      return true;
  }
}

void object_unmap(struct object *self) {
  if (!self->memory) return;
  if (self->kind == OBJECT_SYSV) {
    (void)shmdt(self->memory);
  } else {
    (void)munmap(self->memory, self->size);
  }
  self->memory = NULL;
}

static void close_number(int *fd) {
  if (*fd >= 0) (void)close(*fd);
  *fd = -1;
}

void object_close(struct object *self) {
  close_number(&self->fd);
  for (int i = 0; i < 2; i++) {
    close_number(&self->channel.there[i]);
    close_number(&self->channel.back[i]);
  }
}

void object_end(struct object *self) {
  object_unmap(self);
  if (self->fd >= 0 || self->id >= 0) (void)object_unlink(self);
  object_close(self);
  self->id = -1;
}

bool channel_set_waiting(const struct channel *self, bool waiting) {
  const int ends[] = {self->there[0], self->there[1], self->back[0], self->back[1]};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    if (fcntl(ends[i], F_SETFL, waiting ? 0 : O_NONBLOCK) != 0) return false;
  }
  return true;
}

bool write_all(int fd, const char *bytes, size_t size, int64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t now = pwrite(fd, bytes + done, size - done, offset + (off_t)done);
    if (now > 0) {
      done += (size_t)now;
    } else if (now == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool read_all(int fd, char *bytes, size_t size, int64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t now = pread(fd, bytes + done, size - done, offset + (off_t)done);
    if (now > 0) {
      done += (size_t)now;
    } else if (now == 0 || errno != EINTR) {
      errno = now == 0 ? ENODATA : errno;
      return false;
    }
  }
  return true;
}
