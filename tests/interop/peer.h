/* SPDX-License-Identifier: MIT */
/* What the files of the peer in C share. */
#ifndef SHMKIT_TESTS_INTEROP_PEER_H
#define SHMKIT_TESTS_INTEROP_PEER_H

#include <stddef.h>
#include <stdint.h>

#include <shmkit/shmkit.h>

/* The next word of the command, "" after the last; and as a number. */
char *next(void);
uint64_t next_number(void);

/* Decode a hexadecimal word in place; returns how many bytes. A NUL follows them. */
size_t unhex(char *word);

/* ---- Commands: each prints its results after "ok" ---------------------------------------------- */

shmkit_status list(void);
shmkit_status stat_it(void);
shmkit_status remove_it(void);
shmkit_status gc(void);
shmkit_status limits(void);
shmkit_status mutex_open(void);
shmkit_status mutex_lock(void);
shmkit_status mutex_unlock(void);
shmkit_status mutex_locked(void);
shmkit_status mutex_lock_in_thread(void);
shmkit_status mutex_count(void);
shmkit_status mutex_close(void);
shmkit_status event_open(void);
shmkit_status event_set(void);
shmkit_status event_clear(void);
shmkit_status event_is_set(void);
shmkit_status event_sequence(void);
shmkit_status event_wait(void);
shmkit_status event_wait_since(void);
shmkit_status event_wait_any(void);
shmkit_status event_fileno(void);
shmkit_status event_close(void);

/* At the end. */
void end_sync(void);

#endif
