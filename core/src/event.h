/* SPDX-License-Identifier: MIT */
/* The event object, and what the files that wait for one, for many, and behind a descriptor share. */
#ifndef SHMKIT_SRC_EVENT_H
#define SHMKIT_SRC_EVENT_H

#include <stdatomic.h>

#include <shmkit/event.h>

#include "shared.h"
#include "spin.h"
#include "sync.h"

/* Between two looks of who cannot say that he waits. */
#define SHMKIT__POLL_SLICE UINT64_C(1000000)

struct shmkit_event {
  struct shmkit__place place;
  struct shmkit__patience patience;
  /* What this process's last set made of the word; see `set`. Relaxed: a guess. */
  _Atomic uint32_t last_set;
  /* Behind a descriptor; all protected by the lock in watch.c. */
  bool watched;
  int bell;
  uint32_t rung; /* the sequence up to which the bell has rung */
  shmkit_event *next_watched;
};

static inline uint32_t shmkit__event_look(const shmkit_event *self) {
  /* Acquire: what was written before the set that is seen here is seen from here on. */
  return atomic_load_explicit(&self->place.memory->word, memory_order_acquire);
}

/* What is waited for. */
struct shmkit__event_wait {
  uint32_t since;
  /* It is enough that it is set. */
  bool level;
};

static inline bool shmkit__event_is_over(const struct shmkit__event_wait *wait, uint32_t word) {
  return word >> SHMKIT__EVENT_SEQUENCE_SHIFT != wait->since ||
         (wait->level && (word & SHMKIT__EVENT_SET));
}

/* Before sleeping on the event: which word to expect, and for how long to sleep at most. False: it
 * has changed meanwhile, look again. */
bool shmkit__event_announce(shmkit_event *self, uint32_t seen, uint32_t *flagged, uint64_t *slice);

shmkit_status shmkit__event_check_sequence(const shmkit_event *self, uint32_t since);

/* No descriptor any more. */
void shmkit__event_unwatch(shmkit_event *self);

#endif
