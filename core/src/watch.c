/* SPDX-License-Identifier: MIT */
/*
 * Events behind descriptors. One thread of this process waits for all events that were asked for a
 * descriptor, and rings the bell of each that was set since it rang last.
 *
 * The list is protected by a lock that the thread holds while it looks, and gives up while it sleeps;
 * asleep it touches nothing but words that the kernel looks at, so an event may end meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "crash.h"
#include "error.h"
#include "event.h"
#include "os.h"
#include "segment.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shmkit_event *watched;
/* Changes when the list does, and is slept on beside the events. */
static _Atomic uint32_t changes;
static bool running;

static void hold(void) {
  (void)pthread_mutex_lock(&lock);
}

static void release(void) {
  (void)pthread_mutex_unlock(&lock);
}

/* The child has no such thread, and its bells are its parent's: they are not its to ring or read. */
static void forget_parents(void) {
  for (shmkit_event *event = watched; event != NULL; event = event->next_watched) {
    event->watched = false;
    shmkit__os_bell_end(event->bell);
  }
  watched = NULL;
  running = false;
  release();
}

__attribute__((constructor)) static void prepare(void) {
  (void)pthread_atfork(hold, release, forget_parents);
}

/* ---- The thread ----------------------------------------------------------------------------- */

static void ring(shmkit_event *event, uint32_t seen) {
  uint32_t sequence = seen >> SHMKIT__EVENT_SEQUENCE_SHIFT;
  if (sequence == event->rung) return;
  event->rung = sequence;
  shmkit__os_ring(event->bell);
  shmkit__crash_point("watch.rung");
}

/* Ring all bells that are due, and say of all events that they are waited for. How many words there
 * are to sleep on. */
static size_t look_at_all(struct shmkit__expectation expected[], uint64_t *slice) {
  size_t count = 1;
  *slice = SHMKIT__SLICE;
  expected[0] = (struct shmkit__expectation){.word = &changes, .expected = changes};
  for (shmkit_event *event = watched; event != NULL; event = event->next_watched) {
    uint64_t own;
    uint32_t seen, flagged;
    do {
      seen = shmkit__event_look(event);
      ring(event, seen);
    } while (!shmkit__event_announce(event, seen, &flagged, &own));
    /* Those for whom there is no room are looked at again and again. */
    if (count == SHMKIT__WAIT_ANY_MAX) own = SHMKIT__POLL_SLICE;
    if (own < *slice) *slice = own;
    if (count == SHMKIT__WAIT_ANY_MAX) continue;
    expected[count++] =
        (struct shmkit__expectation){.word = &event->place.memory->word, .expected = flagged};
  }
  return count;
}

static void *watch(void *context) {
  (void)context;
  for (;;) {
    struct shmkit__expectation expected[SHMKIT__WAIT_ANY_MAX];
    uint64_t slice;
    hold();
    size_t count = look_at_all(expected, &slice);
    release();
    if (count > 1) shmkit__crash_point("watch.flagged");
    /* Without events, nobody can die between changing the list and waking: it is this process's. */
    if (count == 1) slice = UINT64_C(3600000000000);
    if (shmkit__os_wait_any(expected, count, slice) == -ENOSYS) {
      (void)shmkit__os_wait(&changes, expected[0].expected,
                            count > 1 ? SHMKIT__POLL_SLICE : SHMKIT__SLICE);
    }
  }
  return NULL;
}

static int start_thread(void) {
  sigset_t all, before;
  pthread_t thread;
  const int own[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  if (running) return 0;
  /* The program's signals are for its own threads. But what this thread itself raises, SIGBUS where a
   * peer has truncated a file, would kill the program if it were blocked, whatever handler it has. */
  (void)sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) (void)sigdelset(&all, own[i]);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, watch, NULL);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) return -error;
  (void)pthread_detach(thread);
  running = true;
  return 0;
}

static void tell_thread(void) {
  atomic_fetch_add(&changes, 1);
  shmkit__os_wake(&changes, 1);
}

/* ---- Events --------------------------------------------------------------------------------- */

static void leave_out(shmkit_event *event) {
  shmkit_event **link = &watched;
  while (*link != event) link = &(*link)->next_watched;
  *link = event->next_watched;
  event->watched = false;
  tell_thread();
}

/* Whose bell had that number until the program closed it. */
static void leave_out_number(int bell) {
  for (shmkit_event *event = watched, *next; event != NULL; event = next) {
    next = event->next_watched;
    if (event->bell == bell) leave_out(event);
  }
}

static int add(shmkit_event *event) {
  int error = shmkit__os_bell(&event->bell);
  if (error != 0) return error;
  error = start_thread();
  if (error != 0) {
    shmkit__os_bell_end(event->bell);
    return error;
  }
  leave_out_number(event->bell);
  event->rung = shmkit_event_sequence(event);
  event->watched = true;
  event->next_watched = watched;
  watched = event;
  tell_thread();
  shmkit__crash_point("watch.added");
  return 0;
}

shmkit_status shmkit_event_fileno(shmkit_event *self, int *out) {
  hold();
  if (self->watched && !shmkit__os_is_bell(self->bell)) leave_out(self);
  int error = self->watched ? 0 : add(self);
  if (error == 0) *out = self->bell;
  release();
  if (error == 0) return 0;
  if (error == -EAGAIN) {
    return shmkit__fail(
        error, self->place.segment->address,
        "cannot have a descriptor for the event in %s: the thread that it needs cannot "
        "be started: raise what limits threads or memory (ulimit -u, -v, -l; pids.max)",
        self->place.segment->address);
  }
  return shmkit__fail_errno(-error, self->place.segment->address,
                            "cannot have a descriptor for the event in %s",
                            self->place.segment->address);
}

void shmkit__event_unwatch(shmkit_event *self) {
  hold();
  if (self->watched) {
    leave_out(self);
    shmkit__os_bell_end(self->bell);
  }
  release();
}
