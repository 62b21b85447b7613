/* SPDX-License-Identifier: MIT */
/*
 * The mutex: one word that says who holds it, and the kernel's lock table to tell whether that one
 * lives.
 *
 *   lock     0 -> me                          by compare-exchange; the whole of it when uncontended
 *   wait     holder -> holder|WAITERS, sleep on that value for a slice at most
 *   give up  the same, without sleeping again: who was woken and came too late may have got the only
 *            wake-up, and the word does not tell of others who sleep
 *   taken by one who has slept: 0 -> me|WAITERS, because others may sleep still
 *   unlock   me -> 0; me|WAITERS -> 0 and wake one
 *   death    holder[|WAITERS] -> me|WAITERS   by who has asked the kernel and heard that the holder
 *                                             does not live; compare-exchange lets only one do it
 *
 * Whoever dies between unlocking and waking, or after being woken and before locking, leaves others
 * asleep with nobody to wake them: they wake by themselves at the end of the slice.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <shmkit/mutex.h>

#include "crash.h"
#include "error.h"
#include "identity.h"
#include "os.h"
#include "segment.h"
#include "shared.h"
#include "spin.h"
#include "sync.h"

struct shmkit_mutex {
  struct shmkit__place place;
  struct shmkit__party *party;
  struct shmkit__patience patience;
};

/* ---- Making --------------------------------------------------------------------------------- */

/* Takes the place. */
static shmkit_status make(struct shmkit__place *place, shmkit_mutex **out) {
  shmkit_mutex *self = calloc(1, sizeof *self);
  struct shmkit__party *party = self != NULL ? shmkit__party_join(place->segment) : NULL;
  if (party == NULL) {
    shmkit_status status = shmkit__place_fail_memory(place, &shmkit__sort_mutex);
    free(self);
    shmkit__place_abandon(place);
    return status;
  }
  self->place = *place;
  self->party = party;
  shmkit__patience_begin(&self->patience);
  *out = self;
  return 0;
}

shmkit_status shmkit_segment_mutex(shmkit_segment *self, uint64_t offset, shmkit_mutex **out) {
  struct shmkit__place place;
  shmkit_status status = shmkit__place_take(self, offset, &shmkit__sort_mutex, &place);
  return status == 0 ? make(&place, out) : status;
}

shmkit_status shmkit_mutex_open(const char *address, const shmkit_segment_options *options,
                                shmkit_mutex **out) {
  struct shmkit__place place;
  shmkit_status status = shmkit__place_open(address, options, &shmkit__sort_mutex, &place);
  return status == 0 ? make(&place, out) : status;
}

void shmkit_mutex_free(shmkit_mutex *self) {
  if (self == NULL) return;
  shmkit__party_leave(self->party);
  shmkit__place_leave(&self->place);
  free(self);
}

shmkit_segment *shmkit_mutex_segment(const shmkit_mutex *self) {
  return self->place.segment;
}

uint64_t shmkit_mutex_offset(const shmkit_mutex *self) {
  return self->place.offset;
}

/* ---- Whether the holder lives --------------------------------------------------------------- */

/* 1, 0, or a failure that has been said. */
static int lives(shmkit_mutex *self, uint32_t identity) {
  struct stat status;
  int fd = -1;
  if (shmkit__segment_descriptor(self->place.segment, &fd, &status) != 0) {
    return shmkit__segment_fail_lost(self->place.segment);
  }
  int answer = shmkit__os_identity_lives(fd, identity);
  if (answer >= 0) return answer;
  return shmkit__fail_errno(-answer, self->place.segment->address,
                            "cannot lock in %s: asking whether its holder lives",
                            self->place.segment->address);
}

/* ---- Locking -------------------------------------------------------------------------------- */

/* Acquire: what the last holder wrote before it unlocked is seen from here on. (What one wrote that died
 * is seen for another reason: the kernel ended its lock after that, and was asked.) Release: see
 * is_unused in sync.c. On failure `seen` is what the word is instead. */
/* The compare-exchange writes through it. NOLINTNEXTLINE(readability-non-const-parameter) */
static bool change(shmkit_mutex *self, uint32_t *seen, uint32_t to) {
  return atomic_compare_exchange_strong_explicit(&self->place.memory->word, seen, to,
                                                 memory_order_acq_rel, memory_order_relaxed);
}

/* Looking takes the cache line from the holder, who needs it to unlock: ever less often. */
enum { MOST_PAUSES = 32 };

static bool spin(shmkit_mutex *self, uint32_t me, int64_t timeout) {
  struct shmkit__spin spin = shmkit__spin_begin(&self->patience, timeout, MOST_PAUSES);
  while (shmkit__spin(&spin)) {
    uint32_t seen = atomic_load_explicit(&self->place.memory->word, memory_order_relaxed);
    if (seen == 0 && change(self, &seen, me)) return shmkit__spin_paid(&spin);
  }
  return shmkit__spin_in_vain(&spin);
}

/* Take it from a holder that died. SHMKIT_OWNER_DIED: taken. SHMKIT_AGAIN: look again, it has
 * changed. SHMKIT_TIMEOUT: the holder lives. */
static shmkit_status inherit(shmkit_mutex *self, uint32_t seen, uint32_t me) {
  int alive = lives(self, seen & SHMKIT__MUTEX_IDENTITY);
  if (alive < 0) return alive;
  if (alive > 0) return SHMKIT_TIMEOUT;
  shmkit__crash_point("mutex.asked");
  if (!change(self, &seen, me | SHMKIT__MUTEX_WAITERS)) return SHMKIT_AGAIN;
  shmkit__crash_point("mutex.inherited");
  return SHMKIT_OWNER_DIED;
}

/* What one who waits knows. */
struct wait {
  uint64_t deadline;
  /* Others may be asleep of whom the word does not tell: his own wake-up may have been theirs. */
  bool slept;
  /* It is time to ask whether the holder lives. */
  bool probe;
};

/* Sleep while the word is `flagged`, for `pause` at most. */
static shmkit_status sleep_on(shmkit_mutex *self, struct wait *wait, uint32_t flagged,
                              uint64_t pause) {
  /* Whoever waits again after a wake-up has lost a race against somebody who lives. */
  uint64_t before = shmkit__now();
  wait->slept = true;
  shmkit__crash_point("mutex.flagged");
  int error = shmkit__os_wait(&self->place.memory->word, flagged, pause);
  shmkit__crash_point("mutex.woken");
  wait->probe = shmkit__now() - before >= pause;
  if (error == 0) return SHMKIT_AGAIN;
  return shmkit__fail(error, self->place.segment->address,
                      "a signal interrupted waiting for the mutex at offset %" PRIu64 " of %s",
                      self->place.offset, self->place.segment->address);
}

/* One round of the wait: SHMKIT_AGAIN to go on. */
static shmkit_status wait_once(shmkit_mutex *self, uint32_t me, struct wait *wait) {
  uint32_t seen = atomic_load_explicit(&self->place.memory->word, memory_order_relaxed);
  if ((seen & SHMKIT__MUTEX_IDENTITY) == 0) {
    uint32_t mine = wait->slept ? me | SHMKIT__MUTEX_WAITERS : me;
    if (!change(self, &seen, mine)) return SHMKIT_AGAIN;
    shmkit__crash_point("mutex.taken");
    return 0;
  }
  if (wait->probe) {
    shmkit_status status = inherit(self, seen, me);
    if (status != SHMKIT_TIMEOUT) return status;
  }
  uint64_t pause = shmkit__slice(wait->deadline, SHMKIT__SLICE);
  /* Too late; who has slept passes the wake-up on that he may have got. */
  if (pause == 0 && !wait->slept) return SHMKIT_TIMEOUT;
  uint32_t flagged = seen | SHMKIT__MUTEX_WAITERS;
  if (seen != flagged && !change(self, &seen, flagged)) return SHMKIT_AGAIN;
  return pause == 0 ? SHMKIT_TIMEOUT : sleep_on(self, wait, flagged, pause);
}

static shmkit_status lock_slowly(shmkit_mutex *self, uint32_t me, uint32_t seen, int64_t timeout) {
  if ((seen & SHMKIT__MUTEX_IDENTITY) == me) {
    return shmkit__fail(-EDEADLK, self->place.segment->address,
                        "this thread holds the mutex at offset %" PRIu64 " of %s already",
                        self->place.offset, self->place.segment->address);
  }
  shmkit__crash_point("mutex.contended");
  if (timeout != 0 && spin(self, me, timeout)) {
    shmkit__crash_point("mutex.spun");
    return 0;
  }
  struct wait wait = {.deadline = timeout == 0 ? 0 : shmkit__deadline_of(timeout), .probe = true};
  shmkit_status status;
  do {
    status = wait_once(self, me, &wait);
  } while (status == SHMKIT_AGAIN);
  return status;
}

shmkit_status shmkit_mutex_lock(shmkit_mutex *self, int64_t timeout) {
  uint32_t seen = 0, me = shmkit__identity_known(self->party);
  shmkit_status status;
  if (timeout < SHMKIT_FOREVER) return shmkit__sync_check_timeout(self->place.segment, timeout);
  if (me == 0) {
    status = shmkit__identity_take(self->party, self->place.segment, &me);
    if (status != 0) return status;
  }
  if (change(self, &seen, me)) {
    shmkit__crash_point("mutex.locked");
    return 0;
  }
  return lock_slowly(self, me, seen, timeout);
}

/* ---- Unlocking ------------------------------------------------------------------------------ */

static shmkit_status fail_unlock(const shmkit_mutex *self, bool locked) {
  return shmkit__fail(-EPERM, self->place.segment->address,
                      "cannot unlock the mutex at offset %" PRIu64 " of %s: %s", self->place.offset,
                      self->place.segment->address,
                      locked ? "this thread does not hold it" : "it is not locked");
}

shmkit_status shmkit_mutex_unlock(shmkit_mutex *self) {
  _Atomic uint32_t *word = &self->place.memory->word;
  uint32_t me = shmkit__identity_known(self->party), seen = me;
  /* Release: what this holder wrote is seen by the next. */
  if (me != 0 && atomic_compare_exchange_strong_explicit(word, &seen, 0, memory_order_release,
                                                         memory_order_relaxed)) {
    shmkit__crash_point("mutex.freed");
    return 0;
  }
  if (me == 0) seen = atomic_load_explicit(word, memory_order_relaxed);
  if (me == 0 || (seen & SHMKIT__MUTEX_IDENTITY) != me) {
    return fail_unlock(self, (seen & SHMKIT__MUTEX_IDENTITY) != 0);
  }
  /* Nobody else changes it now: the flag is there, and the holder lives. */
  (void)atomic_exchange_explicit(word, 0, memory_order_release);
  shmkit__crash_point("mutex.unlocked");
  shmkit__os_wake(word, 1);
  shmkit__crash_point("mutex.waked");
  return 0;
}

/* ---- Looking -------------------------------------------------------------------------------- */

static shmkit_status fail_no_mutex(const shmkit_mutex *self, uint32_t seen) {
  return shmkit__fail(SHMKIT_ERR_CORRUPT, self->place.segment->address,
                      "there is no mutex at offset %" PRIu64
                      " of %s: its first word is 0x%08" PRIx32,
                      self->place.offset, self->place.segment->address, seen);
}

shmkit_status shmkit_mutex_look(shmkit_mutex *self, shmkit_mutex_state *out) {
  _Atomic uint32_t *word = &self->place.memory->word;
  uint32_t holder, seen = atomic_load_explicit(word, memory_order_acquire);
  int alive;
  /* Who does not live may have unlocked it before he ended: he has died with it only if the word says
   * the same afterwards. */
  do {
    holder = seen & SHMKIT__MUTEX_IDENTITY;
    if ((seen & ~SHMKIT__MUTEX_BITS) != 0) return fail_no_mutex(self, seen);
    alive = holder != 0 ? lives(self, holder) : 0;
    if (alive < 0) return alive;
    if (holder == 0 || alive > 0) break;
    seen = atomic_load_explicit(word, memory_order_acquire);
  } while ((seen & SHMKIT__MUTEX_IDENTITY) != holder);
  *out = (shmkit_mutex_state){.locked = alive > 0,
                              .mine = holder != 0 && holder == shmkit__identity_known(self->party),
                              .owner_died = holder != 0 && alive == 0,
                              .identity = holder};
  return 0;
}
