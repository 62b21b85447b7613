/* SPDX-License-Identifier: MIT */
/*
 * The event: one word with the count of sets, whether it is set, and whether somebody may sleep.
 *
 *   set    +1, SET, without WAITERS, by one compare-exchange; then wake all, if WAITERS was there
 *   clear  without SET
 *   wait   with WAITERS, then sleep on exactly that value for a slice at most
 *
 * Because all of it is one word, a waiter cannot say that he sleeps without seeing a set that came
 * before, and a set cannot miss a waiter that said so before: no fence between two words is needed.
 * Who dies between setting and waking leaves sleepers whose flag is gone; they look by themselves at
 * the end of the slice.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include <shmkit/event.h>

#include "crash.h"
#include "error.h"
#include "event.h"
#include "os.h"
#include "segment.h"
#include "shared.h"
#include "spin.h"
#include "sync.h"

/* ---- Making --------------------------------------------------------------------------------- */

/* Takes the place. */
static shmkit_status make(struct shmkit__place *place, shmkit_event **out) {
  shmkit_event *self = calloc(1, sizeof *self);
  if (self == NULL) {
    shmkit_status status = shmkit__place_fail_memory(place, &shmkit__sort_event);
    shmkit__place_abandon(place);
    return status;
  }
  self->place = *place;
  shmkit__patience_begin(&self->patience);
  *out = self;
  return 0;
}

shmkit_status shmkit_segment_event(shmkit_segment *self, uint64_t offset, shmkit_event **out) {
  struct shmkit__place place;
  shmkit_status status = shmkit__place_take(self, offset, &shmkit__sort_event, &place);
  return status == 0 ? make(&place, out) : status;
}

shmkit_status shmkit_event_open(const char *address, const shmkit_segment_options *options,
                                shmkit_event **out) {
  struct shmkit__place place;
  shmkit_status status = shmkit__place_open(address, options, &shmkit__sort_event, &place);
  return status == 0 ? make(&place, out) : status;
}

void shmkit_event_free(shmkit_event *self) {
  if (self == NULL) return;
  shmkit__event_unwatch(self);
  shmkit__place_leave(&self->place);
  free(self);
}

shmkit_segment *shmkit_event_segment(const shmkit_event *self) {
  return self->place.segment;
}

uint64_t shmkit_event_offset(const shmkit_event *self) {
  return self->place.offset;
}

/* ---- Setting -------------------------------------------------------------------------------- */

static shmkit_status check_writable(const shmkit_event *self) {
  if (!self->place.segment->readonly) return 0;
  return shmkit__fail(-EACCES, self->place.segment->address,
                      "cannot change the event at offset %" PRIu64 " of %s: it is open read-only",
                      self->place.offset, self->place.segment->address);
}

/* The word becomes what it is without `without`, with `with`, plus `plus`; what it became. `seen` is
 * what it is believed to be, then what it was. */
/* The compare-exchange writes through it. NOLINTNEXTLINE(readability-non-const-parameter) */
static uint32_t change(shmkit_event *self, uint32_t *seen, uint32_t without, uint32_t with,
                       uint32_t plus) {
  uint32_t to;
  /* Release: what was written before is seen by who sees the new word. */
  do {
    to = ((*seen & ~without) | with) + plus;
  } while (!atomic_compare_exchange_weak_explicit(&self->place.memory->word, seen, to,
                                                  memory_order_acq_rel, memory_order_relaxed));
  return to;
}

shmkit_status shmkit_event_set(shmkit_event *self) {
  shmkit_status status = check_writable(self);
  if (status != 0) return status;
  const uint32_t one = UINT32_C(1) << SHMKIT__EVENT_SEQUENCE_SHIFT;
  /* Not loaded first: that would fetch the cache line, which somebody may be spinning on, once for
   * looking and once more for changing it. A wrong guess fails, and brings the line and the truth. */
  uint32_t before = atomic_load_explicit(&self->last_set, memory_order_relaxed);
  uint32_t after = change(self, &before, SHMKIT__EVENT_WAITERS, SHMKIT__EVENT_SET, one);
  atomic_store_explicit(&self->last_set, after, memory_order_relaxed);
  if (before & (SHMKIT__EVENT_WAITERS | SHMKIT__EVENT_ALWAYS_WAKE)) {
    shmkit__crash_point("event.set");
    shmkit__os_wake(&self->place.memory->word, INT_MAX);
    shmkit__crash_point("event.waked");
  }
  return 0;
}

shmkit_status shmkit_event_clear(shmkit_event *self) {
  shmkit_status status = check_writable(self);
  if (status != 0) return status;
  uint32_t seen = shmkit__event_look(self);
  (void)change(self, &seen, SHMKIT__EVENT_SET, 0, 0);
  shmkit__crash_point("event.cleared");
  return 0;
}

shmkit_status shmkit_event_always_wake(shmkit_event *self) {
  shmkit_status status = check_writable(self);
  uint32_t seen = shmkit__event_look(self);
  if (status == 0) (void)change(self, &seen, 0, SHMKIT__EVENT_ALWAYS_WAKE, 0);
  return status;
}

bool shmkit_event_is_set(const shmkit_event *self) {
  return (shmkit__event_look(self) & SHMKIT__EVENT_SET) != 0;
}

uint32_t shmkit_event_sequence(const shmkit_event *self) {
  return shmkit__event_look(self) >> SHMKIT__EVENT_SEQUENCE_SHIFT;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Nobody but the setter is delayed by looking, and by that once: as often as possible. */
enum { MOST_PAUSES = 1 };

static bool spin(shmkit_event *self, const struct shmkit__event_wait *wait, int64_t timeout) {
  struct shmkit__spin spin = shmkit__spin_begin(&self->patience, timeout, MOST_PAUSES);
  while (shmkit__spin(&spin)) {
    if (shmkit__event_is_over(wait, shmkit__event_look(self))) return shmkit__spin_paid(&spin);
  }
  return shmkit__spin_in_vain(&spin);
}

bool shmkit__event_announce(shmkit_event *self, uint32_t seen, uint32_t *flagged, uint64_t *slice) {
  bool readonly = self->place.segment->readonly;
  *slice = readonly && !(seen & SHMKIT__EVENT_ALWAYS_WAKE) ? SHMKIT__POLL_SLICE : SHMKIT__SLICE;
  *flagged = readonly ? seen : seen | SHMKIT__EVENT_WAITERS;
  /* Release: see is_unused in sync.c. */
  return seen == *flagged ||
         atomic_compare_exchange_strong_explicit(&self->place.memory->word, &seen, *flagged,
                                                 memory_order_release, memory_order_relaxed);
}

/* One round: SHMKIT_AGAIN to go on. The flag is set anew in each, because who takes it away may die
 * before it wakes. */
static shmkit_status wait_once(shmkit_event *self, const struct shmkit__event_wait *wait,
                               uint64_t deadline) {
  uint64_t slice;
  uint32_t flagged, seen = shmkit__event_look(self);
  if (shmkit__event_is_over(wait, seen)) return 0;
  if (!shmkit__event_announce(self, seen, &flagged, &slice)) return SHMKIT_AGAIN;
  uint64_t pause = shmkit__slice(deadline, slice);
  if (pause == 0) return SHMKIT_TIMEOUT;
  shmkit__crash_point("event.flagged");
  int error = shmkit__os_wait(&self->place.memory->word, flagged, pause);
  shmkit__crash_point("event.woken");
  if (error == 0) return SHMKIT_AGAIN;
  return shmkit__fail(error, self->place.segment->address,
                      "a signal interrupted waiting for the event at offset %" PRIu64 " of %s",
                      self->place.offset, self->place.segment->address);
}

static shmkit_status wait_for(shmkit_event *self, const struct shmkit__event_wait *wait,
                              int64_t timeout) {
  shmkit_status status = shmkit__sync_check_timeout(self->place.segment, timeout);
  if (status != 0) return status;
  if (shmkit__event_is_over(wait, shmkit__event_look(self))) return 0;
  if (timeout == 0) return SHMKIT_TIMEOUT;
  if (spin(self, wait, timeout)) return 0;
  uint64_t deadline = shmkit__deadline_of(timeout);
  do {
    status = wait_once(self, wait, deadline);
  } while (status == SHMKIT_AGAIN);
  return status;
}

shmkit_status shmkit_event_wait(shmkit_event *self, int64_t timeout) {
  struct shmkit__event_wait wait = {.since = shmkit_event_sequence(self), .level = true};
  return wait_for(self, &wait, timeout);
}

shmkit_status shmkit__event_check_sequence(const shmkit_event *self, uint32_t since) {
  if (since <= UINT32_MAX >> SHMKIT__EVENT_SEQUENCE_SHIFT) return 0;
  return shmkit__fail(-EINVAL, self->place.segment->address,
                      "%" PRIu32 " is no sequence of an event in %s: use one that "
                      "shmkit_event_sequence gave",
                      since, self->place.segment->address);
}

shmkit_status shmkit_event_wait_since(shmkit_event *self, uint32_t since, int64_t timeout) {
  shmkit_status status = shmkit__event_check_sequence(self, since);
  if (status != 0) return status;
  struct shmkit__event_wait wait = {.since = since};
  return wait_for(self, &wait, timeout);
}
