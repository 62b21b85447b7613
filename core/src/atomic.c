/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdatomic.h>

#include <shmkit/atomic.h>

#include "error.h"
#include "segment.h"

/* One integer of the segment while a function is at it. */
struct cell {
  shmkit_segment *segment;
  shmkit_type type;
  void *memory;
};

static bool is_wide(shmkit_type type) {
  return type == SHMKIT_I64 || type == SHMKIT_U64;
}

static bool fits(shmkit_type type, uint64_t value) {
  if (type == SHMKIT_I32) return (int64_t)value >= INT32_MIN && (int64_t)value <= INT32_MAX;
  return type != SHMKIT_U32 || value <= UINT32_MAX;
}

/* What the type's bits mean as 64. */
static uint64_t widen(shmkit_type type, uint32_t bits) {
  return type == SHMKIT_I32 ? (uint64_t)(int64_t)(int32_t)bits : bits;
}

static shmkit_status check(shmkit_segment *segment, shmkit_type type, bool changes) {
  if (type != SHMKIT_I32 && type != SHMKIT_U32 && !is_wide(type)) {
    return shmkit__fail(-EINVAL, segment->address, "%s has no atomic %s: use i32, u32, i64 or u64",
                        segment->address,
                        shmkit_type_size(type) != 0 ? shmkit_type_name(type) : "of that type");
  }
  if (!changes || !segment->readonly) return 0;
  return shmkit__fail(-EACCES, segment->address, "cannot change %s: it is open read-only",
                      segment->address);
}

/* Until `end`, the memory stays mapped. */
static shmkit_status begin(struct cell *cell, shmkit_segment *segment, shmkit_type type,
                           uint64_t offset, bool changes) {
  shmkit_span span;
  shmkit_status status = check(segment, type, changes);
  if (status == 0) status = shmkit__segment_enter(segment);
  if (status != 0) return status;
  status = shmkit_segment_view(segment, type, offset, 1, &span);
  if (status != 0) {
    shmkit__segment_leave(segment);
    return status;
  }
  *cell = (struct cell){.segment = segment, .type = type, .memory = span.data};
  return 0;
}

static void end(const struct cell *cell) {
  shmkit__segment_leave(cell->segment);
}

static shmkit_status check_value(const shmkit_segment *segment, shmkit_type type, uint64_t value) {
  if (fits(type, value)) return 0;
  return shmkit__fail(-EINVAL, segment->address, "%" PRId64 " does not fit into %s in %s",
                      (int64_t)value, shmkit_type_name(type), segment->address);
}

/* Do one thing, ACTION(memory, type of its bits), with the cell as 64 or 32 bits. */
#define ACT(cell, action)                                                                          \
  (is_wide((cell).type) ? action((_Atomic uint64_t *)(cell).memory, uint64_t)                      \
                        : widen((cell).type, action((_Atomic uint32_t *)(cell).memory, uint32_t)))

shmkit_status shmkit_segment_load(shmkit_segment *self, shmkit_type type, uint64_t offset,
                                  uint64_t *out) {
  struct cell cell;
  shmkit_status status = begin(&cell, self, type, offset, false);
  if (status != 0) return status;
#define LOAD(memory, bits) atomic_load(memory)
  *out = ACT(cell, LOAD);
  end(&cell);
  return 0;
}

shmkit_status shmkit_segment_store(shmkit_segment *self, shmkit_type type, uint64_t offset,
                                   uint64_t value) {
  uint64_t before;
  return shmkit_segment_exchange(self, type, offset, value, &before);
}

shmkit_status shmkit_segment_add(shmkit_segment *self, shmkit_type type, uint64_t offset,
                                 uint64_t value, uint64_t *out) {
  struct cell cell;
  shmkit_status status = begin(&cell, self, type, offset, true);
  if (status != 0) return status;
  /* What is taken away from an unsigned number is a negative one. */
  bool negative = (int64_t)value < 0;
  status = check_value(self, negative && type == SHMKIT_U32 ? SHMKIT_I32 : type, value);
#define ADD(memory, bits) atomic_fetch_add(memory, (bits)value)
  if (status == 0) *out = ACT(cell, ADD);
  end(&cell);
  return status;
}

shmkit_status shmkit_segment_exchange(shmkit_segment *self, shmkit_type type, uint64_t offset,
                                      uint64_t value, uint64_t *out) {
  struct cell cell;
  shmkit_status status = begin(&cell, self, type, offset, true);
  if (status != 0) return status;
  status = check_value(self, type, value);
#define EXCHANGE(memory, bits) atomic_exchange(memory, (bits)value)
  if (status == 0) *out = ACT(cell, EXCHANGE);
  end(&cell);
  return status;
}

static uint64_t compare_exchange(const struct cell *cell, uint64_t expected, uint64_t value) {
  if (is_wide(cell->type)) {
    (void)atomic_compare_exchange_strong((_Atomic uint64_t *)cell->memory, &expected, value);
    return expected;
  }
  uint32_t seen = (uint32_t)expected;
  (void)atomic_compare_exchange_strong((_Atomic uint32_t *)cell->memory, &seen, (uint32_t)value);
  return widen(cell->type, seen);
}

shmkit_status shmkit_segment_compare_exchange(shmkit_segment *self, shmkit_type type,
                                              uint64_t offset, uint64_t expected, uint64_t value,
                                              uint64_t *out) {
  struct cell cell;
  shmkit_status status = begin(&cell, self, type, offset, true);
  if (status != 0) return status;
  status = check_value(self, type, expected);
  if (status == 0) status = check_value(self, type, value);
  if (status == 0) *out = compare_exchange(&cell, expected, value);
  end(&cell);
  return status;
}
