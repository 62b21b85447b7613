/* SPDX-License-Identifier: MIT */
/*
 * Everything that lies in shared memory, for programs of 32 and 64 bits and every libc alike. Zeros
 * are a valid state of each.
 */
#ifndef SHMKIT_SRC_SHARED_H
#define SHMKIT_SRC_SHARED_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <shmkit/mutex.h>

/*
 * A mutex or an event. All that happens to it happens to its one word. The mark says which of the
 * two lies here: it is put there by whoever makes the object first and never changes, so that nobody
 * takes one for the other and `shmkit stat` finds them. Nothing else depends on it: zeros, to which a
 * program may reset the whole, are an unused object of either.
 */
struct shmkit__sync_memory {
  /* Written by whoever locks and unlocks, or sets, clears and waits; always by compare-exchange or
   * exchange. */
  _Atomic uint32_t word;
  /* 0 or SHMKIT__MARK_*; written once, by compare-exchange. */
  _Atomic uint32_t mark;
  /* Zero, for later. */
  uint32_t reserved[14];
};

/* Numbers that are unlikely to be anything else; another layout will get another one. */
#define SHMKIT__MARK_MUTEX UINT32_C(0xA5C31B01)
#define SHMKIT__MARK_EVENT UINT32_C(0xA5C31B02)

/* The word of a mutex: the holder's identity in the low 30 bits, 0 when nobody holds it; WAITERS when
 * somebody may sleep on it. Bit 30 is always 0. */
enum { SHMKIT__MUTEX_IDENTITY = (1 << 30) - 1 };
#define SHMKIT__MUTEX_WAITERS (UINT32_C(1) << 31)
#define SHMKIT__MUTEX_BITS (SHMKIT__MUTEX_WAITERS | (uint32_t)SHMKIT__MUTEX_IDENTITY)

/* The word of an event: these in the low bits; how often it was set in the others. */
enum {
  /* Somebody may sleep on it; taken away by who wakes. */
  SHMKIT__EVENT_WAITERS = 1 << 0,
  SHMKIT__EVENT_SET = 1 << 1,
  /* Somebody may sleep who could not say so. Stays for ever. */
  SHMKIT__EVENT_ALWAYS_WAKE = 1 << 2,
  SHMKIT__EVENT_SEQUENCE_SHIFT = 3
};

_Static_assert(sizeof(struct shmkit__sync_memory) == SHMKIT_SYNC_SIZE, "as documented");
_Static_assert(offsetof(struct shmkit__sync_memory, word) == 0, "a futex");
_Static_assert(offsetof(struct shmkit__sync_memory, mark) == 4, "as shmkit stat looks for it");
_Static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2,
               "works between processes");

#endif
