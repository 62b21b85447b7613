/* SPDX-License-Identifier: MIT */
/* The list of limits while it is being filled. Not called limits.h, as a header of C is. */
#ifndef SHMKIT_SRC_LIMIT_H
#define SHMKIT_SRC_LIMIT_H

#include <shmkit/limits.h>

#include "error.h"

/* A limit and its texts. The pointers of `limit` are either into here or to constants. */
struct shmkit__limit {
  shmkit_limit limit;
  char name[32], title[64], note[192], source[1024];
};

/* Add one that begins as `model`, whose texts must stay, with its numbers unknown. NULL: no memory;
 * the list remembers that. */
struct shmkit__limit *shmkit__limits_add(shmkit_limits *self, const shmkit_limit *model);

/* Its note, which is made by this. NULL is ignored. */
void shmkit__limit_note(struct shmkit__limit *limit, const char *format, ...) SHMKIT__PRINTF(2, 3);

/* How much there is and how much is used; what is left follows. Each may be SHMKIT_UNKNOWN, the
 * limit SHMKIT_UNLIMITED. NULL is ignored. */
void shmkit__limit_set(struct shmkit__limit *limit, uint64_t most, uint64_t used);

#endif
