/* SPDX-License-Identifier: MIT */
/* Whether there is room, and what to say when there is none. */
#ifndef SHMKIT_SRC_ROOM_H
#define SHMKIT_SRC_ROOM_H

#include <stdint.h>

#include <shmkit/error.h>

/* Fail with -ENOMEM when `size` more bytes of this file would exceed a limit on memory that the
 * kernel enforces by killing; with -ENOSPC when they would exceed its file system's as well. Looks
 * only from 1 MiB on: looking costs some 50 microseconds, which small segments are not worth and
 * large ones take longer than anyway. `fd` -1: memory without a file system. `verb` is for the
 * message: "create", "grow"; `path` too, see below. */
shmkit_status shmkit__room_check(int fd, const char *path, const char *address, const char *verb,
                                 uint64_t size);

/* The failure for -ENOSPC: names the limit of the file system that holds `path` or, when that is
 * NULL, the open file. */
shmkit_status shmkit__room_fail(int fd, const char *path, const char *address, const char *verb,
                                uint64_t size);

#endif
