/* SPDX-License-Identifier: MIT */
/* What a command reads from a file or standard input. */
#ifndef SHMKIT_TOOL_INPUT_H
#define SHMKIT_TOOL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct input {
  /* For messages. */
  const char *name;
  int fd;
  struct stat status;
  /* Known before it is read: of regular files, and once it is in memory. */
  bool has_length;
  uint64_t length;
  /* Once it is in memory. */
  char *bytes;
  uint64_t taken;
};

/* NULL or "-": standard input. 0, or the exit status after a message. */
int input_open(struct input *self, const char *file);
void input_close(struct input *self);

/* Read all of it into memory, but stop when there is more than `most`: its length is larger then. 0, or
 * the exit status after a message. */
int input_load(struct input *self, uint64_t most);

/* The next bytes, at most `size`; they are in memory already or read into `buffer`. How many, 0 at the
 * end, -1 after a message. */
ssize_t input_next(struct input *self, char *buffer, size_t size, const char **out);

#endif
