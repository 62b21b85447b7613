/* SPDX-License-Identifier: MIT */
#include "sync.h"

#include <inttypes.h>

#include <shmkit/mutex.h>

#include "error.h"

static const char *mark_name(uint32_t mark) {
  return mark == SHMKIT__MARK_MUTEX ? "a mutex" : "an event";
}

static shmkit_status fail_taken(const struct shmkit__place *self, uint32_t mark, uint32_t found) {
  const char *address = self->segment->address, *name = mark_name(mark);
  if (found == SHMKIT__MARK_MUTEX || found == SHMKIT__MARK_EVENT) {
    return shmkit__fail(SHMKIT_ERR_INCOMPATIBLE, address,
                        "cannot have %s at offset %" PRIu64 " of %s: there is %s", name,
                        self->offset, address, mark_name(found));
  }
  return shmkit__fail(SHMKIT_ERR_CORRUPT, address,
                      "cannot have %s at offset %" PRIu64 " of %s: the %d bytes there are neither "
                      "zeros nor %s",
                      name, self->offset, address, SHMKIT_SYNC_SIZE, name);
}

/* Everything is looked at before the mark: by then, who uses it has put that there. */
static bool is_unused(const struct shmkit__sync_memory *memory) {
  uint32_t bytes = atomic_load_explicit(&memory->word, memory_order_acquire);
  for (size_t i = 0; i < sizeof memory->reserved / sizeof memory->reserved[0]; i++) {
    bytes |= memory->reserved[i];
  }
  return bytes == 0;
}

static shmkit_status put_mark(struct shmkit__place *self, uint32_t mark) {
  bool unused = is_unused(self->memory);
  uint32_t found = atomic_load_explicit(&self->memory->mark, memory_order_relaxed);
  if (found == 0 && unused && !self->segment->readonly) {
    /* Release: who sees a word that is in use sees the mark, too. */
    if (atomic_compare_exchange_strong(&self->memory->mark, &found, mark)) return 0;
  }
  bool good = found == mark || (found == 0 && unused);
  return good ? 0 : fail_taken(self, mark, found);
}

shmkit_status shmkit__place_take(shmkit_segment *segment, uint64_t offset, uint32_t mark,
                                 struct shmkit__place *out) {
  if (offset % SHMKIT_SYNC_SIZE != 0) {
    return shmkit__fail(-EINVAL, segment->address,
                        "offset %" PRIu64 " of %s is misaligned for %s: use a multiple of %d",
                        offset, segment->address, mark_name(mark), SHMKIT_SYNC_SIZE);
  }
  shmkit_status status = shmkit_segment_pin(segment);
  if (status != 0) return status;
  status = shmkit__segment_check_range(segment, offset, SHMKIT_SYNC_SIZE);
  if (status == 0) {
    void *memory = segment->memory + offset;
    *out = (struct shmkit__place){.memory = memory, .segment = segment, .offset = offset};
    status = put_mark(out, mark);
  }
  if (status != 0) shmkit_segment_unpin(segment);
  return status;
}

void shmkit__place_leave(struct shmkit__place *self) {
  shmkit_segment_unpin(self->segment);
  if (self->owns_segment) shmkit_segment_free(self->segment);
}

void shmkit__sync_abandon(shmkit_segment *segment) {
  if (shmkit_segment_created(segment)) (void)shmkit_segment_unlink(segment);
  shmkit_segment_free(segment);
}

shmkit_status shmkit__sync_fail_memory(const shmkit_segment *segment, const char *what) {
  return shmkit__fail(-ENOMEM, segment->address, "no memory for %s in %s", what, segment->address);
}

shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout) {
  if (timeout >= SHMKIT_FOREVER) return 0;
  return shmkit__fail(-EINVAL, segment->address,
                      "%" PRId64 " nanoseconds are no timeout for waiting in %s: use 0, more, or "
                      "SHMKIT_FOREVER",
                      timeout, segment->address);
}
