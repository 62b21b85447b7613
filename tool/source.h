/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a segment as they are, looked at without changing anything: no page is allocated in
 * holes, nothing is mapped, and the time of access stays where that is permitted. Only a System V
 * segment that cannot be reached otherwise is attached, which is said.
 */
#ifndef SHMKIT_TOOL_SOURCE_H
#define SHMKIT_TOOL_SOURCE_H

#include <shmkit/inspect.h>
#include <stdbool.h>
#include <stdint.h>

struct source {
  const char *address;
  shmkit_listing *listing;
  /* -1: it is attached. */
  int fd;
  shmkit_segment *attached;
  /* When it was opened. */
  uint64_t size;
  /* Up to where the file has pages, from where it was asked last. */
  uint64_t data_end;
  char *buffer;
};

/* A stretch of it. */
struct piece {
  /* NULL: zeros, which have no page. Valid until the next one. */
  const char *bytes;
  /* 0: it has become shorter, and ends here. */
  uint64_t length;
};

/* 0, or the exit status after a message. `address` must stay. */
int source_open(struct source *self, const char *address);
void source_close(struct source *self);

/* What is at `offset`, not beyond `end`. 0, or the exit status after a message. */
int source_next(struct source *self, uint64_t offset, uint64_t end, struct piece *out);

#endif
