/* SPDX-License-Identifier: MIT */
#include "mutex_support.h"

#include <pthread.h>
#include <unistd.h>

shmkit_mutex *begin_mutex(void) {
  shmkit_mutex *mutex = NULL;
  assert_done(shmkit_mutex_open(name(), NULL, &mutex));
  return mutex;
}

void end_mutex(shmkit_mutex *mutex) {
  assert_done(shmkit_segment_unlink(shmkit_mutex_segment(mutex)));
  shmkit_mutex_free(mutex);
}

shmkit_mutex_state state_of(shmkit_mutex *mutex) {
  shmkit_mutex_state state;
  assert_done(shmkit_mutex_look(mutex, &state));
  return state;
}

void lock_and_stay(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  shmkit_status status = shmkit_mutex_lock(mutex, SHMKIT_FOREVER);
  ensure(status == 0 || status == SHMKIT_OWNER_DIED);
  signal_turn(0);
  for (;;) (void)pause();
}

pid_t start_holder(void) {
  pid_t holder = start(lock_and_stay, (void *)(uintptr_t)name());
  wait_turn(0);
  return holder;
}

void run_thread(void *(*body)(void *), void *context) {
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, body, context), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
