/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a segment, looked at again and again, as gently as by a source: its size may change,
 * and its name may go or lead to another segment.
 */
#ifndef SHMKIT_TOOL_CONTENT_H
#define SHMKIT_TOOL_CONTENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct content;

/* What became of the segment since it was asked for last. */
enum content_event {
  CONTENT_SAME,
  /* The address leads nowhere; what is left can still be read. */
  CONTENT_REMOVED,
  /* The address leads to another segment, which is the one that is read from now on. */
  CONTENT_REPLACED
};

/* NULL after a message, with the exit status. */
struct content *content_open(const char *address, int *status);
void content_close(struct content *self);

/* In canonical form. */
const char *content_address(const struct content *self);
/* Bytes, as of the opening or the last content_refresh. */
uint64_t content_size(const struct content *self);
/* Ask for the size, and for what the address leads to. A segment that was removed is looked for
 * again each time. */
enum content_event content_refresh(struct content *self);

/* Up to `length` bytes: how many there were, fewer only at the end; -1 after a message. */
ssize_t content_read(struct content *self, uint64_t offset, void *buffer, size_t length);

#endif
