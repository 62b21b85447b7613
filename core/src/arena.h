/* SPDX-License-Identifier: MIT */
/* Memory in many small pieces that are given back together. */
#ifndef SHMKIT_SRC_ARENA_H
#define SHMKIT_SRC_ARENA_H

#include <stddef.h>

/* All zero is an empty one. */
struct shmkit__arena {
  struct shmkit__chunk *chunks;
  size_t left; /* bytes of the first chunk, at its end */
};

/* `size` bytes, all zero; NULL when there is no memory. */
void *shmkit__arena_take(struct shmkit__arena *self, size_t size);

/* An array like this one with room for one element more than `count`: itself, or a longer copy. NULL
 * when there is no memory. */
void *shmkit__arena_extend(struct shmkit__arena *self, void *array, size_t count, size_t *capacity,
                           size_t element);

void shmkit__arena_free(struct shmkit__arena *self);

#endif
