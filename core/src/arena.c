/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 8 << 10, LARGEST = 1 << 20 };

struct shmkit__chunk {
  struct shmkit__chunk *next;
  size_t size; /* of memory */
  _Alignas(max_align_t) char memory[];
};

/* Each is twice as large as the one before; what is larger than that gets its own. */
static bool add_chunk(struct shmkit__arena *self, size_t wanted) {
  size_t size = self->chunks == NULL ? FIRST : self->chunks->size * 2;
  if (size > LARGEST) size = LARGEST;
  if (size < wanted) size = wanted;
  struct shmkit__chunk *chunk = calloc(1, sizeof *chunk + size);
  if (chunk == NULL) return false;
  chunk->next = self->chunks;
  chunk->size = size;
  self->chunks = chunk;
  self->left = size;
  return true;
}

void *shmkit__arena_take(struct shmkit__arena *self, size_t size) {
  const size_t unit = _Alignof(max_align_t);
  size = (size + unit - 1) / unit * unit;
  if (size > self->left && !add_chunk(self, size)) return NULL;
  void *memory = self->chunks->memory + self->chunks->size - self->left;
  self->left -= size;
  return memory;
}

void *shmkit__arena_extend(struct shmkit__arena *self, void *array, size_t count, size_t *capacity,
                           size_t element) {
  if (count < *capacity) return array;
  size_t wanted = count == 0 ? 1 : count * 2;
  void *longer = shmkit__arena_take(self, wanted * element);
  if (longer == NULL) return NULL;
  if (count > 0) memcpy(longer, array, count * element);
  *capacity = wanted;
  return longer;
}

void shmkit__arena_free(struct shmkit__arena *self) {
  for (struct shmkit__chunk *chunk = self->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
  *self = (struct shmkit__arena){.chunks = NULL};
}
