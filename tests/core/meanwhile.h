/* SPDX-License-Identifier: MIT */
/*
 * Acting exactly while a segment is being removed. When it has been looked at, the library asks who
 * may remove from the directory (faccessat), opens it, and leases it; then it asks where the name
 * leads (lstat), looks whether the lease is still whole, and removes the name (unlink). Of System V,
 * it asks for the attachments again (shmctl). meanwhile.c replaces these functions of libc.
 */
#ifndef SHMKIT_TESTS_CORE_MEANWHILE_H
#define SHMKIT_TESTS_CORE_MEANWHILE_H

#include "listing_support.h"

/* Called once each, by the next faccessat, lstat, unlink, and shmctl that asks. */
extern void (*before_opening)(void), (*before_looking)(void), (*before_removing)(void),
    (*before_counting)(void);

/* ---- What to do then, with this case's own segment ------------------------------------------ */

/* Open it without waiting, for which the lease is in the way. */
void knock(void);

/* Put another in its place. */
void replace(void);

/* Let the process that waits for turn 0 open it, until the lease makes it wait. */
void let_one_open(void);

/* Such a process, which must get the segment with its name. */
void open_as_a_stranger(void *unused);

#endif
