/* SPDX-License-Identifier: MIT */
/**
 * @file
 * shmkit: shared memory on Unix. Includes everything public.
 *
 * Conventions, for every module:
 *
 *   - A noun is an opaque type; its functions are shmkit_<noun>_<verb>(self, ..., outputs).
 *   - Offsets and sizes are in bytes, offsets count from 0.
 *   - A self is never NULL, except for functions that end with _free. Outputs are written to only
 *     after success: begin with NULL.
 *   - Results are a shmkit_status, see <shmkit/error.h>.
 *   - Strings are NUL-terminated bytes; names need not be UTF-8.
 *   - What a function returns through `out` belongs to the caller, who gives it to the function
 *     named there; a plain pointer that is returned belongs to the object it was asked of.
 *   - Each function ends its documentation with who may call it concurrently.
 */
#ifndef SHMKIT_SHMKIT_H
#define SHMKIT_SHMKIT_H

#include <shmkit/atomic.h>
#include <shmkit/error.h>
#include <shmkit/event.h>
#include <shmkit/export.h>
#include <shmkit/inspect.h>
#include <shmkit/limits.h>
#include <shmkit/mutex.h>
#include <shmkit/segment.h>
#include <shmkit/type.h>

SHMKIT_BEGIN_DECLS

/**
 * The version of the library in use, "MAJOR.MINOR.PATCH".
 *
 * Concurrency: any thread.
 */
SHMKIT_API const char *shmkit_version(void);

SHMKIT_END_DECLS

#endif
