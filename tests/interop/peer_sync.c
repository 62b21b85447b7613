/* SPDX-License-Identifier: MIT */
/* Mutexes and events, each in a segment of its own; times are in nanoseconds, -1 for ever. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "peer.h"

enum { OBJECTS = 8 };

static shmkit_mutex *mutexes[OBJECTS];
static shmkit_event *events[OBJECTS];

static shmkit_mutex **next_mutex(void) {
  return &mutexes[next_number() % OBJECTS];
}

static shmkit_event **next_event(void) {
  return &events[next_number() % OBJECTS];
}

/* What is no failure, as a word. */
static shmkit_status put_outcome(shmkit_status status) {
  static const char *const words[] = {
      [0] = "done", [SHMKIT_TIMEOUT] = "timeout", [SHMKIT_OWNER_DIED] = "owner_died"};
  if (status < 0) return status;
  printf(" %s", words[status]);
  return 0;
}

/* ---- Mutexes -------------------------------------------------------------------------------- */

shmkit_status mutex_open(void) {
  shmkit_mutex **mutex = next_mutex();
  char *address = next();
  (void)unhex(address);
  return shmkit_mutex_open(address, NULL, mutex);
}

shmkit_status mutex_lock(void) {
  shmkit_mutex **mutex = next_mutex();
  return put_outcome(shmkit_mutex_lock(*mutex, (int64_t)next_number()));
}

shmkit_status mutex_unlock(void) {
  return shmkit_mutex_unlock(*next_mutex());
}

shmkit_status mutex_locked(void) {
  shmkit_mutex_state state = {0};
  shmkit_status status = shmkit_mutex_look(*next_mutex(), &state);
  if (status == 0) printf(" %d", state.locked);
  return status;
}

static void *lock_in_thread(void *mutex) {
  return shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0 ? mutex : NULL;
}

/* By a thread that ends with it. Only here, for tests/crash. */
shmkit_status mutex_lock_in_thread(void) {
  pthread_t thread;
  void *locked = NULL;
  int error = pthread_create(&thread, NULL, lock_in_thread, *next_mutex());
  if (error != 0) return -error;
  error = pthread_join(thread, &locked);
  return error != 0 ? -error : locked != NULL ? 0 : -ECANCELED;
}

/* Count up behind the mutex in its segment, in two steps that only a holder can make. */
shmkit_status mutex_count(void) {
  shmkit_mutex *mutex = *next_mutex();
  char *data = shmkit_segment_data(shmkit_mutex_segment(mutex));
  volatile uint64_t *count = (void *)(data + SHMKIT_SYNC_SIZE);
  for (uint64_t rounds = next_number(); rounds > 0; rounds--) {
    shmkit_status status = shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
    if (status != 0) return status < 0 ? status : -EOWNERDEAD;
    uint64_t before = *count;
    *count = before + 1;
    status = shmkit_mutex_unlock(mutex);
    if (status != 0) return status;
  }
  return 0;
}

shmkit_status mutex_close(void) {
  shmkit_mutex **mutex = next_mutex();
  shmkit_mutex_free(*mutex);
  *mutex = NULL;
  return 0;
}

/* ---- Events --------------------------------------------------------------------------------- */

shmkit_status event_open(void) {
  shmkit_event **event = next_event();
  char *address = next();
  (void)unhex(address);
  return shmkit_event_open(address, NULL, event);
}

shmkit_status event_set(void) {
  return shmkit_event_set(*next_event());
}

shmkit_status event_clear(void) {
  return shmkit_event_clear(*next_event());
}

shmkit_status event_is_set(void) {
  printf(" %d", shmkit_event_is_set(*next_event()));
  return 0;
}

shmkit_status event_sequence(void) {
  printf(" %" PRIu32, shmkit_event_sequence(*next_event()));
  return 0;
}

shmkit_status event_wait(void) {
  shmkit_event **event = next_event();
  return put_outcome(shmkit_event_wait(*event, (int64_t)next_number()));
}

shmkit_status event_wait_since(void) {
  shmkit_event **event = next_event();
  uint32_t since = (uint32_t)next_number();
  return put_outcome(shmkit_event_wait_since(*event, since, (int64_t)next_number()));
}

/* For this one and another one at once. Only here, for tests/crash. */
shmkit_status event_wait_any(void) {
  shmkit_event *both[] = {*next_event(), *next_event()};
  size_t which = 0;
  shmkit_status status = shmkit_event_wait_any(both, 2, NULL, SHMKIT_FOREVER, &which);
  if (status == 0) printf(" %zu", which);
  return status;
}

/* Only here, for tests/crash. */
shmkit_status event_fileno(void) {
  int fd = -1;
  shmkit_status status = shmkit_event_fileno(*next_event(), &fd);
  if (status == 0) printf(" %d", fd);
  return status;
}

shmkit_status event_close(void) {
  shmkit_event **event = next_event();
  shmkit_event_free(*event);
  *event = NULL;
  return 0;
}

void end_sync(void) {
  for (size_t i = 0; i < OBJECTS; i++) {
    shmkit_mutex_free(mutexes[i]);
    shmkit_event_free(events[i]);
  }
}
