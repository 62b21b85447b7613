/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "report.h"

enum { CHUNK = 1 << 16 };

static int fail(const struct input *self) {
  int error = errno;
  report("%s: %s", self->name, strerror(error)); /* NOLINT(concurrency-mt-unsafe): one thread */
  return error == ENOENT ? EXIT_NOT_FOUND : EXIT_FAILURE;
}

/* Files in /proc say 0 and have more. */
static void find_length(struct input *self) {
  off_t at = S_ISREG(self->status.st_mode) ? lseek(self->fd, 0, SEEK_CUR) : -1;
  self->has_length = at >= 0 && self->status.st_size > at;
  if (self->has_length) self->length = (uint64_t)(self->status.st_size - at);
}

int input_open(struct input *self, const char *file) {
  bool standard = file == NULL || strcmp(file, "-") == 0;
  *self = (struct input){.name = standard ? "standard input" : file, .fd = STDIN_FILENO};
  if (!standard) self->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (self->fd < 0 || fstat(self->fd, &self->status) != 0) {
    int result = fail(self);
    input_close(self);
    return result;
  }
  find_length(self);
  return 0;
}

void input_close(struct input *self) {
  if (self->fd > STDIN_FILENO) (void)close(self->fd);
  free(self->bytes);
  *self = (struct input){.fd = -1};
}

static ssize_t read_some(const struct input *self, char *buffer, size_t size) {
  ssize_t got = 0;
  do {
    got = read(self->fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  if (got < 0) (void)fail(self);
  return got;
}

int input_load(struct input *self, uint64_t most) {
  size_t capacity = 0, length = 0;
  ssize_t got = 1;
  while (got > 0 && length <= most) {
    if (capacity - length < CHUNK) {
      capacity = capacity == 0 ? CHUNK : capacity * 2;
      self->bytes = must(realloc(self->bytes, capacity));
    }
    /* One byte more than fits is enough to know. */
    uint64_t rest = most - length;
    got = read_some(self, self->bytes + length, rest < CHUNK ? (size_t)rest + 1 : CHUNK);
    if (got < 0) return EXIT_FAILURE;
    length += (size_t)got;
  }
  self->length = length;
  self->has_length = true;
  return 0;
}

ssize_t input_next(struct input *self, char *buffer, size_t size, const char **out) {
  uint64_t rest = self->length - self->taken;
  size_t part = rest < size ? (size_t)rest : size;
  *out = buffer;
  ssize_t got = (ssize_t)part;
  if (self->bytes != NULL) {
    *out = self->bytes + self->taken;
  } else if (part > 0) {
    got = read_some(self, buffer, part);
  }
  if (got > 0) self->taken += (uint64_t)got;
  return got;
}
