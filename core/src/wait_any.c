/* SPDX-License-Identifier: MIT */
/* Waiting for the first of several events. */
#include <errno.h>
#include <time.h>

#include "crash.h"
#include "error.h"
#include "event.h"
#include "os.h"
#include "segment.h"
#include "spin.h"

struct wait_any {
  shmkit_event *const *events;
  size_t count;
  struct shmkit__event_wait waits[SHMKIT_WAIT_ANY_MAX];
};

static shmkit_status begin(struct wait_any *self, const uint32_t since[]) {
  for (size_t i = 0; i < self->count; i++) {
    shmkit_event *event = self->events[i];
    shmkit_status status = since != NULL ? shmkit__event_check_sequence(event, since[i]) : 0;
    if (status != 0) return status;
    self->waits[i].since = since != NULL ? since[i] : shmkit_event_sequence(event);
    self->waits[i].level = since == NULL;
  }
  return 0;
}

static bool find(const struct wait_any *self, size_t *out) {
  for (size_t i = 0; i < self->count; i++) {
    if (!shmkit__event_is_over(&self->waits[i], shmkit__event_look(self->events[i]))) continue;
    *out = i;
    return true;
  }
  return false;
}

/* As for one: nobody but the setters is delayed by looking. What the first event has learnt serves
 * for all. */
static bool spin(const struct wait_any *self, int64_t timeout, size_t *out) {
  struct shmkit__spin spin = shmkit__spin_begin(&self->events[0]->patience, timeout, 1);
  while (shmkit__spin(&spin)) {
    if (find(self, out)) return shmkit__spin_paid(&spin);
  }
  return shmkit__spin_in_vain(&spin);
}

/* Say of all that they are waited for; false when one has changed. */
static bool announce(const struct wait_any *self, struct shmkit__expectation expected[],
                     uint64_t *slice) {
  *slice = SHMKIT__SLICE;
  for (size_t i = 0; i < self->count; i++) {
    uint64_t own;
    shmkit_event *event = self->events[i];
    uint32_t seen = shmkit__event_look(event);
    if (shmkit__event_is_over(&self->waits[i], seen) ||
        !shmkit__event_announce(event, seen, &expected[i].expected, &own))
      return false;
    expected[i].word = &event->place.memory->word;
    if (own < *slice) *slice = own;
  }
  return true;
}

/* For a slice at most, or until a signal, as shmkit__os_wait_any. */
static int nap(uint64_t nanoseconds) {
  struct timespec pause = {.tv_nsec = (long)nanoseconds};
  return nanosleep(&pause, NULL) == 0 ? 0 : -errno;
}

static shmkit_status wait_once(const struct wait_any *self, uint64_t deadline, size_t *out) {
  struct shmkit__expectation expected[SHMKIT_WAIT_ANY_MAX];
  uint64_t slice;
  if (find(self, out)) return 0;
  if (!announce(self, expected, &slice)) return SHMKIT_AGAIN;
  uint64_t pause = shmkit__slice(deadline, slice);
  if (pause == 0) return SHMKIT_TIMEOUT;
  shmkit__crash_point("wait_any.flagged");
  int error = shmkit__os_wait_any(expected, self->count, pause);
  if (error == -ENOSYS) error = nap(pause < SHMKIT__POLL_SLICE ? pause : SHMKIT__POLL_SLICE);
  shmkit__crash_point("wait_any.woken");
  if (error == 0) return SHMKIT_AGAIN;
  return shmkit__fail(error, self->events[0]->place.segment->address,
                      "a signal interrupted waiting for %zu events, the first of them in %s",
                      self->count, self->events[0]->place.segment->address);
}

shmkit_status shmkit_event_wait_any(shmkit_event *const events[], size_t count,
                                    const uint32_t since[], int64_t timeout, size_t *out) {
  struct wait_any self = {.events = events, .count = count};
  if (count == 0 || count > SHMKIT_WAIT_ANY_MAX) {
    return shmkit__fail(-EINVAL, "", "cannot wait for %zu events at once: give 1 to %d", count,
                        SHMKIT_WAIT_ANY_MAX);
  }
  shmkit_status status = begin(&self, since);
  if (status == 0) status = shmkit__sync_check_timeout(events[0]->place.segment, timeout);
  if (status != 0) return status;
  if (find(&self, out)) return 0;
  if (timeout == 0) return SHMKIT_TIMEOUT;
  if (spin(&self, timeout, out)) return 0;
  uint64_t deadline = shmkit__deadline_of(timeout);
  do {
    status = wait_once(&self, deadline, out);
  } while (status == SHMKIT_AGAIN);
  return status;
}
