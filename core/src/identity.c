/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"
#include "error.h"

_Thread_local struct shmkit__self shmkit__self;
_Atomic uint32_t *shmkit__fork_detector;

/* Held while parties and identities come and go. A fork waits for it, so that no child gets the
 * descriptor of an identity that is being taken, nor a list that is being changed. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shmkit__party *parties;
static uint64_t last_serial;
static pthread_key_t at_thread_end;
static bool has_key;

static void hold(void) {
  (void)pthread_mutex_lock(&lock);
}

static void release(void) {
  (void)pthread_mutex_unlock(&lock);
}

/* ---- Forks ---------------------------------------------------------------------------------- */

/*
 * In a forked child, with the lock held. The kernel has not given it the pins of its parent's
 * identities: what is mapped where they were is something else, and there is nothing to return.
 *
 * A thread frees its identities when it ends, and of the parent's threads only the one that forked is
 * here to do so. Those of the others are freed if it `is_forker` who is here now, and stay if that is
 * not known.
 */
static void forget_parents(bool is_forker) {
  for (struct shmkit__party *party = parties; party != NULL; party = party->next) {
    /* What any thread of the child remembers of its parent is wrong. */
    atomic_store_explicit(&party->serial, ++last_serial, memory_order_relaxed);
    while (party->members != NULL) {
      struct shmkit__identity *identity = party->members;
      party->members = identity->next_member;
      identity->party = NULL;
      identity->number = 0;
      if (is_forker && identity->thread != &shmkit__self) free(identity);
    }
  }
  /* Release, see shmkit__identity_known. */
  atomic_store_explicit(shmkit__fork_detector, 1, memory_order_release);
}

/* Before another thread of the child can come. */
static void begin_child(void) {
  if (shmkit__fork_detector != NULL) forget_parents(true);
  release();
}

/* With the lock held: the detector exists, and knows this process. */
static bool know_process(void) {
  if (shmkit__fork_detector == NULL) shmkit__fork_detector = shmkit__os_fork_detector();
  if (shmkit__fork_detector == NULL || !has_key) return false;
  /* Who forks by a system call of his own runs no handlers. */
  if (*shmkit__fork_detector == 0) forget_parents(false);
  return true;
}

/* ---- Ends ----------------------------------------------------------------------------------- */

/* With the lock held. */
static void leave_party(struct shmkit__identity *identity) {
  struct shmkit__party *party = identity->party;
  if (party == NULL) return;
  struct shmkit__identity **link = &party->members;
  while (*link != identity) link = &(*link)->next_member;
  *link = identity->next_member;
  identity->party = NULL;
  identity->number = 0;
  shmkit__crash_point("identity.ending");
  shmkit__os_identity_return(identity->pin, identity->huge_page);
  shmkit__crash_point("identity.returned");
}

static void end_thread(void *context) {
  (void)context;
  struct shmkit__self *self = &shmkit__self;
  hold();
  (void)know_process();
  while (self->own != NULL) {
    struct shmkit__identity *identity = self->own;
    self->own = identity->next_own;
    leave_party(identity);
    free(identity);
  }
  release();
  free(self->slots);
  *self = (struct shmkit__self){0};
}

/* ---- Beginnings ----------------------------------------------------------------------------- */

__attribute__((constructor)) static void prepare(void) {
  (void)pthread_atfork(hold, release, begin_child);
  has_key = pthread_key_create(&at_thread_end, end_thread) == 0;
}

static bool slot_is_free(size_t slot) {
  for (const struct shmkit__party *party = parties; party != NULL; party = party->next) {
    if (party->slot == slot) return false;
  }
  return true;
}

static struct shmkit__party *find_or_add(dev_t device, ino_t inode) {
  for (struct shmkit__party *party = parties; party != NULL; party = party->next) {
    if (party->device == device && party->inode == inode) return party;
  }
  struct shmkit__party *party = calloc(1, sizeof *party);
  if (party == NULL) return NULL;
  party->device = device;
  party->inode = inode;
  party->serial = ++last_serial;
  while (!slot_is_free(party->slot)) party->slot++;
  party->next = parties;
  parties = party;
  return party;
}

struct shmkit__party *shmkit__party_join(const shmkit_segment *segment) {
  hold();
  struct shmkit__party *party =
      know_process() ? find_or_add(segment->device, segment->inode) : NULL;
  if (party != NULL) party->users++;
  release();
  return party;
}

void shmkit__party_leave(struct shmkit__party *party) {
  hold();
  (void)know_process();
  if (--party->users == 0) {
    /* Identities are freed with their threads. */
    while (party->members != NULL) leave_party(party->members);
    struct shmkit__party **link = &parties;
    while (*link != party) link = &(*link)->next;
    *link = party->next;
    free(party);
  }
  release();
}

static bool make_slot(struct shmkit__self *self, size_t slot) {
  if (slot < self->slot_count) return true;
  size_t count = slot + 8;
  struct shmkit__identity **slots = realloc(self->slots, count * sizeof(*slots));
  if (slots == NULL) return false;
  for (size_t i = self->slot_count; i < count; i++) slots[i] = NULL;
  self->slots = slots;
  self->slot_count = count;
  return true;
}

/* This thread's object for an identity in the party, which has none now; what it had in the same
 * slot for another one is over. */
static struct shmkit__identity *own_identity(const struct shmkit__party *party) {
  struct shmkit__self *self = &shmkit__self;
  if (pthread_setspecific(at_thread_end, self) != 0 || !make_slot(self, party->slot)) return NULL;
  struct shmkit__identity *identity = self->slots[party->slot];
  if (identity != NULL) return identity;
  identity = calloc(1, sizeof *identity);
  if (identity == NULL) return NULL;
  identity->thread = self;
  identity->next_own = self->own;
  self->own = identity;
  self->slots[party->slot] = identity;
  return identity;
}

/* With the lock held. */
static int take(struct shmkit__party *party, const shmkit_segment *segment, int fd, uint32_t *out) {
  int own = -1;
  (void)know_process();
  struct shmkit__identity *identity = own_identity(party);
  if (identity == NULL) return -ENOMEM;
  int error = shmkit__segment_open_anew(segment, fd, O_RDWR, &own);
  if (error != 0) return error;
  uint32_t number = 0;
  shmkit__crash_point("identity.opened");
  identity->huge_page = segment->huge_page;
  error = shmkit__os_identity_take(own, identity->huge_page, &number, &identity->pin);
  shmkit__crash_point("identity.pinned");
  (void)close(own);
  if (error != 0) return error;
  identity->number = number;
  identity->party = party;
  identity->next_member = party->members;
  party->members = identity;
  *out = number;
  shmkit__crash_point("identity.taken");
  return 0;
}

uint32_t shmkit__identity_find(const struct shmkit__party *party) {
  struct shmkit__self *self = &shmkit__self;
  /* Asked before anything else, and with acquire: once it says that a forked child has forgotten its
   * parent's identities, they are seen to be forgotten. */
  if (atomic_load_explicit(shmkit__fork_detector, memory_order_acquire) == 0 ||
      party->slot >= self->slot_count)
    return 0;
  const struct shmkit__identity *identity = self->slots[party->slot];
  if (identity == NULL || atomic_load_explicit(&identity->party, memory_order_relaxed) != party)
    return 0;
  self->last_number = atomic_load_explicit(&identity->number, memory_order_relaxed);
  self->last_serial = atomic_load_explicit(&party->serial, memory_order_relaxed);
  return self->last_number;
}

shmkit_status shmkit__identity_take(struct shmkit__party *party, shmkit_segment *segment,
                                    uint32_t *out) {
  struct stat status;
  int fd = -1;
  if (shmkit__segment_descriptor(segment, &fd, &status) != 0) {
    return shmkit__segment_fail_lost(segment);
  }
  hold();
  int error = take(party, segment, fd, out);
  release();
  switch (error) {
    case 0:
      return 0;
    case -EACCES:
    case -EPERM:
      return shmkit__fail(error, segment->address,
                          "cannot lock in %s: it has to be opened anew for that, and this process "
                          "has no permission to open it",
                          segment->address);
    case -EBUSY:
      return shmkit__fail(error, segment->address,
                          "cannot lock in %s: a program has locked the whole of its file, as lockf "
                          "does: have it unlock, or lock no more than the segment's bytes",
                          segment->address);
    case -ENOSYS:
      return shmkit__fail(error, segment->address,
                          "cannot lock in %s: it has to be opened anew for that, which needs /proc",
                          segment->address);
    case -ENOLCK:
      return shmkit__fail(error, segment->address,
                          "cannot lock in %s: the kernel has no more file locks for this process",
                          segment->address);
    default:
      return shmkit__fail_errno(-error, segment->address, "cannot lock in %s: taking an identity",
                                segment->address);
  }
}
