/* SPDX-License-Identifier: MIT */
/* What the tests of listings share. */
#ifndef SHMKIT_TESTS_CORE_LISTING_SUPPORT_H
#define SHMKIT_TESTS_CORE_LISTING_SUPPORT_H

#include "support.h"

/* A listing of these kinds, 0 for the usual ones; and of one address. */
shmkit_listing *take(uint32_t kinds);
shmkit_listing *look_at(const char *address, uint32_t flags);

/* What has that name, NULL when nothing has. */
const shmkit_info *find(const shmkit_listing *listing, shmkit_info_kind kind, const char *wanted);
/* The same for a POSIX segment that must be there. */
const shmkit_info *find_posix(const shmkit_listing *listing, const char *wanted);

/* A plain file in /dev/shm, as any program makes one; its descriptor. */
int make_file(const char *name_, off_t size);
void *map_file(int fd, size_t size);

/* Whether a long case has gone on for its seconds, which begin with the first call. */
bool is_long_enough(unsigned seconds);

/* ---- Removing ------------------------------------------------------------------------------- */

/* Put a tmpfs of this mount namespace over /dev/shm; it must be one's own already. */
bool mount_own_shm(const char *options);

/* Enter mount and IPC namespaces with a /dev/shm of one's own. Whoever tests removing must, since it
 * removes whatever it finds: other people's segments, too, if it saw them. */
bool enter_own_place(void);

/* A plain file in /dev/shm that nobody has open. */
void make_idle(const char *name_);

/* Call shmkit_gc; what it did with the one candidate there is. */
shmkit_listing *gc(uint32_t flags, uint64_t older_than, const char *pattern);
void assert_removal(shmkit_listing *listing, shmkit_removal expected, const char *reason);

#endif
