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

/* Written by whoever locks and unlocks, always by compare-exchange or exchange. */
struct shmkit__mutex_memory {
  /* The holder's identity in the low 30 bits, 0 when nobody holds it; SHMKIT__MUTEX_WAITERS when
   * somebody may sleep on it. Bit 30 is always 0. */
  _Atomic uint32_t word;
  /* Zero, for later. */
  uint32_t reserved[15];
};

enum { SHMKIT__MUTEX_IDENTITY = (1 << 30) - 1 };
#define SHMKIT__MUTEX_WAITERS (UINT32_C(1) << 31)

/* Written by whoever sets, clears and waits, always by compare-exchange. */
struct shmkit__event_memory {
  /* SHMKIT__EVENT_* in the low bits; how often it was set in the others. */
  _Atomic uint32_t word;
  /* Zero, for later. */
  uint32_t reserved[15];
};

enum {
  /* Somebody may sleep on it; taken away by who wakes. */
  SHMKIT__EVENT_WAITERS = 1 << 0,
  SHMKIT__EVENT_SET = 1 << 1,
  /* Somebody may sleep who could not say so. Stays for ever. */
  SHMKIT__EVENT_ALWAYS_WAKE = 1 << 2,
  SHMKIT__EVENT_SEQUENCE_SHIFT = 3
};

_Static_assert(sizeof(struct shmkit__mutex_memory) == SHMKIT_SYNC_SIZE, "as documented");
_Static_assert(sizeof(struct shmkit__event_memory) == SHMKIT_SYNC_SIZE, "as documented");
_Static_assert(offsetof(struct shmkit__mutex_memory, word) == 0, "a futex");
_Static_assert(offsetof(struct shmkit__event_memory, word) == 0, "a futex");
_Static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2,
               "works between processes");

#endif
