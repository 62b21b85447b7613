/* SPDX-License-Identifier: MIT */
#include "sync.h"

#include <inttypes.h>

#include <shmkit/mutex.h>

#include "crash.h"
#include "error.h"

const struct shmkit__sort shmkit__sort_mutex = {
    .name = "a mutex", .mark = SHMKIT__MARK_MUTEX, .has_holder = true};
const struct shmkit__sort shmkit__sort_event = {.name = "an event", .mark = SHMKIT__MARK_EVENT};

/* ---- What is there -------------------------------------------------------------------------- */

static const struct shmkit__sort *sort_of(uint32_t mark) {
  if (mark == SHMKIT__MARK_MUTEX) return &shmkit__sort_mutex;
  return mark == SHMKIT__MARK_EVENT ? &shmkit__sort_event : NULL;
}

static shmkit_status fail_taken(const struct shmkit__place *self, const struct shmkit__sort *sort,
                                const struct shmkit__sort *found) {
  const char *address = self->segment->address;
  if (found != NULL && found != sort) {
    return shmkit__fail(SHMKIT_ERR_INCOMPATIBLE, address,
                        "cannot have %s at offset %" PRIu64 " of %s: there is %s", sort->name,
                        self->offset, address, found->name);
  }
  return shmkit__fail(SHMKIT_ERR_CORRUPT, address,
                      "cannot have %s at offset %" PRIu64 " of %s: the %d bytes there are neither "
                      "zeros nor %s",
                      sort->name, self->offset, address, SHMKIT_SYNC_SIZE, sort->name);
}

/* Everything is looked at before the mark: by then, who uses it has put that there. Acquire: each change
 * of the word is a release, by one who has put the mark there or seen it, so that it is seen here by
 * who sees the change. */
static bool is_unused(const struct shmkit__sync_memory *memory) {
  uint32_t bytes = atomic_load_explicit(&memory->word, memory_order_acquire);
  for (size_t i = 0; i < sizeof memory->reserved / sizeof memory->reserved[0]; i++) {
    bytes |= memory->reserved[i];
  }
  return bytes == 0;
}

static shmkit_status put_mark(struct shmkit__place *self, const struct shmkit__sort *sort) {
  bool unused = is_unused(self->memory);
  uint32_t found = atomic_load_explicit(&self->memory->mark, memory_order_relaxed);
  if (found == 0 && unused && !self->segment->readonly) {
    if (atomic_compare_exchange_strong(&self->memory->mark, &found, sort->mark)) {
      shmkit__crash_point("place.marked");
      return 0;
    }
  }
  bool good = found == sort->mark || (found == 0 && unused);
  return good ? 0 : fail_taken(self, sort, sort_of(found));
}

/* ---- Places --------------------------------------------------------------------------------- */

static shmkit_status check(const shmkit_segment *segment, uint64_t offset,
                           const struct shmkit__sort *sort) {
  const char *address = segment->address;
  if (sort->has_holder && segment->kind == SHMKIT_SYSV) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address,
                        "%s cannot have %s: System V segments have no file whose locks tell who "
                        "lives: use posix: or memfd:",
                        address, sort->name);
  }
  if (sort->has_holder && segment->readonly) {
    return shmkit__fail(-EACCES, address, "cannot have %s in %s: it is open read-only", sort->name,
                        address);
  }
  if (offset % SHMKIT_SYNC_SIZE != 0) {
    return shmkit__fail(-EINVAL, address,
                        "offset %" PRIu64 " of %s is misaligned for %s: use a multiple of %d",
                        offset, address, sort->name, SHMKIT_SYNC_SIZE);
  }
  return shmkit__segment_check_range(segment, offset, SHMKIT_SYNC_SIZE);
}

shmkit_status shmkit__place_take(shmkit_segment *segment, uint64_t offset,
                                 const struct shmkit__sort *sort, struct shmkit__place *out) {
  shmkit_status status = shmkit_segment_pin(segment);
  if (status != 0) return status;
  status = check(segment, offset, sort);
  if (status == 0) {
    void *memory = segment->memory + offset;
    *out = (struct shmkit__place){.memory = memory, .segment = segment, .offset = offset};
    status = put_mark(out, sort);
  }
  if (status != 0) shmkit_segment_unpin(segment);
  return status;
}

static void abandon_segment(shmkit_segment *segment) {
  if (shmkit_segment_created(segment)) (void)shmkit_segment_unlink(segment);
  shmkit_segment_free(segment);
}

shmkit_status shmkit__place_open(const char *address, const shmkit_segment_options *options,
                                 const struct shmkit__sort *sort, struct shmkit__place *out) {
  shmkit_segment *segment = NULL;
  shmkit_status status =
      shmkit_segment_open_or_create(address, SHMKIT_SYNC_SIZE, options, &segment);
  if (status != 0) return status;
  status = shmkit__place_take(segment, 0, sort, out);
  if (status != 0) {
    abandon_segment(segment);
    return status;
  }
  out->owns_segment = true;
  return 0;
}

void shmkit__place_leave(struct shmkit__place *self) {
  shmkit_segment_unpin(self->segment);
  if (self->owns_segment) shmkit_segment_free(self->segment);
}

void shmkit__place_abandon(struct shmkit__place *self) {
  shmkit_segment_unpin(self->segment);
  if (self->owns_segment) abandon_segment(self->segment);
}

shmkit_status shmkit__place_fail_memory(const struct shmkit__place *self,
                                        const struct shmkit__sort *sort) {
  const char *address = self->segment->address;
  return shmkit__fail(-ENOMEM, address, "no memory for %s in %s", sort->name, address);
}

shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout) {
  if (timeout >= SHMKIT_FOREVER) return 0;
  return shmkit__fail(-EINVAL, segment->address,
                      "%" PRId64 " nanoseconds are no timeout for waiting in %s: use 0, more, or "
                      "SHMKIT_FOREVER",
                      timeout, segment->address);
}
