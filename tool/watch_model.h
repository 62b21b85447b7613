/* SPDX-License-Identifier: MIT */
/* What `watch` knows, however it is shown: a part of a segment as it is and as it was at the look
 * before, and how long ago each byte changed. */
#ifndef SHMKIT_TOOL_WATCH_MODEL_H
#define SHMKIT_TOOL_WATCH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shmkit/shmkit.h>

#include "content.h"

enum watch_mode { WATCH_HEX, WATCH_STRINGS, WATCH_TYPE };

/* Looks since a byte changed: 0 is now, WATCH_OLD long ago or never; of WATCH_UNSEEN nothing is
 * known, or there is no such byte. */
enum { WATCH_OLD = 254, WATCH_UNSEEN = 255 };

struct watch_model {
  struct content *content;
  enum watch_mode mode;
  shmkit_type type;
  /* The part that is looked at: `room` bytes from `offset`, of which there are `length`. */
  uint64_t offset;
  size_t room, length;
  unsigned char *bytes, *before, *ages;
  /* How long the latest look took, in nanoseconds. */
  int64_t took;
  /* What became of the segment by then. */
  enum content_event event;
};

/* Look at another part; what both parts have stays known. */
void watch_move(struct watch_model *model, uint64_t offset, size_t room);
/* Look. False after a message when it cannot be read. */
bool watch_look(struct watch_model *model);
void watch_free(struct watch_model *model);

/* The first change at or after `from` in the latest look, as the mode sees it: where it begins, and
 * its length. False when there is none. */
bool watch_next_change(const struct watch_model *model, size_t from, size_t *at, size_t *length);
/* Such a stretch of `bytes` as text, as the mode sees it; to be freed. */
char *watch_text(const struct watch_model *model, const unsigned char *bytes, size_t at,
                 size_t length);

/* An element of a type as text; to be freed. */
char *watch_element(shmkit_type type, const unsigned char *bytes);
/* What a byte of text may be. */
bool watch_is_printable(unsigned char byte);

#endif
