/* SPDX-License-Identifier: MIT */
/*
 * Who is who: the identities of this process's threads, one for each thread and file, taken when a
 * thread first needs it and given back when it ends or the last object on the file goes.
 */
#ifndef SHMKIT_SRC_IDENTITY_H
#define SHMKIT_SRC_IDENTITY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

/* A file by whose locks its users know each other; one for all objects of this process in it. */
struct shmkit__party {
  struct shmkit__party *next;
  struct shmkit__identity *members;
  dev_t device;
  ino_t inode;
  size_t users;
  /* Where each thread has its identity in this party. */
  size_t slot;
  /* No other party of this process has or had it; never 0; another one after a fork. */
  _Atomic uint64_t serial;
};

struct shmkit__identity {
  /* Of the same party, and of the same thread. */
  struct shmkit__identity *next_member, *next_own;
  /* NULL once the party is over. Relaxed: only a thread that uses the party asks. */
  struct shmkit__party *_Atomic party;
  /* 0: none any more. */
  _Atomic uint32_t number;
  const void *thread;
  void *pin;
  uint64_t huge_page; /* of the file; 0 for ordinary ones */
};

/* This thread's identities. */
struct shmkit__self {
  /* The one that it used last, and its party's serial: found without following a pointer, which is
   * half of what an uncontended lock costs. It is there for as long as its party is. */
  uint64_t last_serial;
  uint32_t last_number;
  struct shmkit__identity **slots;
  size_t slot_count;
  struct shmkit__identity *own;
};
extern _Thread_local struct shmkit__self shmkit__self;

/* 0 in a forked child whose identities, which are its parent's, have not been forgotten yet. */
extern _Atomic uint32_t *shmkit__fork_detector;

/* The party of a segment's file; NULL: no memory. */
struct shmkit__party *shmkit__party_join(const shmkit_segment *segment);
/* Ends all identities in it with its last user. */
void shmkit__party_leave(struct shmkit__party *party);

/* This thread's identity, taken now; `segment` leads to the file. */
shmkit_status shmkit__identity_take(struct shmkit__party *party, shmkit_segment *segment,
                                    uint32_t *out);

/* The same when it has been taken already; else 0. */
uint32_t shmkit__identity_find(const struct shmkit__party *party);

static inline uint32_t shmkit__identity_known(const struct shmkit__party *party) {
  const struct shmkit__self *self = &shmkit__self;
  /* Acquire: the serials of a forked child are there before the detector says that they are. */
  bool last = atomic_load_explicit(shmkit__fork_detector, memory_order_acquire) != 0 &&
              self->last_serial == atomic_load_explicit(&party->serial, memory_order_relaxed);
  return last ? self->last_number : shmkit__identity_find(party);
}

#endif
