/* SPDX-License-Identifier: MIT */
/* What the tests of mutexes share. */
#ifndef SHMKIT_TESTS_CORE_MUTEX_SUPPORT_H
#define SHMKIT_TESTS_CORE_MUTEX_SUPPORT_H

#include "support.h"

#define SECOND INT64_C(1000000000)

/* This case's mutex in a segment of its own, and the end of both. */
shmkit_mutex *begin_mutex(void);
void end_mutex(shmkit_mutex *mutex);

shmkit_mutex_state state_of(shmkit_mutex *mutex);

/* For children, with an address: lock the mutex there, signal turn 0, and stay until killed. */
void lock_and_stay(void *address);

/* A child that has locked this case's mutex. */
pid_t start_holder(void);

/* Run `body` in another thread, to its end. */
void run_thread(void *(*body)(void *), void *context);

#endif
