/* SPDX-License-Identifier: MIT */
/*
 * The memory, files and channels that are compared, through bare system calls: create, open, map,
 * remove. Names begin with name_prefix(), for the sweeper; whatever needs none has none.
 */
#ifndef SHMKIT_TOOL_BENCH_OBJECT_H
#define SHMKIT_TOOL_BENCH_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum object_kind {
  OBJECT_PRIVATE,
  OBJECT_POSIX,
  OBJECT_SYSV,
  OBJECT_MEMFD,
  OBJECT_TMPFS,
  OBJECT_DISK,
  OBJECT_PIPE,
  OBJECT_SOCKET
};

/* Where files go. */
struct places {
  const char *tmpfs, *disk;
};

/* A way there, and one back. */
struct channel {
  int there[2], back[2];
};

struct object {
  enum object_kind kind;
  size_t size;
  /* -1 when there is none. */
  int fd, id;
  /* NULL when not mapped. */
  void *memory;
  /* With scheme for shmkit, as shmkit_segment_open takes it; "" when it has none. */
  char address[320];
  /* Of files: the path; of POSIX segments the name with its slash. */
  char path[320];
  struct channel channel;
};

/* "shmkit-bench-PID-", the same in all processes of this run. */
const char *name_prefix(void);

/* Nothing yet, with a name of its own. */
void object_prepare(struct object *self, enum object_kind kind, size_t size,
                    const struct places *places);

/* Each of these gives false with errno. What they made, object_end ends. */

/* Make it: a file is empty. Private memory comes with its mapping. */
bool object_create(struct object *self);
/* Make a file as long as its size; what is no file is already. */
bool object_extend(struct object *self);
/* Get it memory or disk space. */
bool object_reserve(struct object *self);
bool object_map(struct object *self);
/* Another descriptor of an existing one, by name: for System V nothing, its identifier is enough. */
bool object_open(struct object *self, const struct object *existing);
/* Take its name away. A System V segment loses it as soon as it is mapped. */
bool object_unlink(struct object *self);
void object_unmap(struct object *self);
void object_close(struct object *self);
/* All of it. */
void object_end(struct object *self);

/* Whether its ends wait for each other, or say EAGAIN; for the processes at both ends. */
bool channel_set_waiting(const struct channel *self, bool waiting);

/* Whole transfers; short ones go on, interruptions do not end them. */
bool write_all(int fd, const char *bytes, size_t size, int64_t offset);
bool read_all(int fd, char *bytes, size_t size, int64_t offset);

#endif
