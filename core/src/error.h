/* SPDX-License-Identifier: MIT */
/* The one door through which failures leave the library. */
#ifndef SHMKIT_SRC_ERROR_H
#define SHMKIT_SRC_ERROR_H

#include <shmkit/error.h>

/* Have the compiler check a format string against its arguments; both positions count from one. */
#define SHMKIT__PRINTF(position, first) __attribute__((__format__(__printf__, position, first)))

/*
 * Record a failure for this thread and return `status`, which is negative. The format says in one
 * line what was tried, why it failed and what to do; `address` ("" for none) is kept beside it and
 * is not part of it unless the format names it. Keeps errno.
 */
shmkit_status shmkit__fail(shmkit_status status, const char *address, const char *format, ...)
    SHMKIT__PRINTF(3, 4);

/* The same for an errno value of the system, whose text is appended: "cannot map X: Out of memory". */
shmkit_status shmkit__fail_errno(int error, const char *address, const char *format, ...)
    SHMKIT__PRINTF(3, 4);

#endif
