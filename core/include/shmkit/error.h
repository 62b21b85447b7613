/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Error: how functions report what happened.
 *
 * A function that can fail returns a shmkit_status:
 *
 *   0         done.
 *   positive  nothing is wrong, but it is not done (SHMKIT_AGAIN). No message is made.
 *   negative  it failed: the negated errno value, and a message of one line that names what was
 *             tried on which address, why it failed, and what to do about it.
 *
 * A failed function has changed nothing and written to none of its outputs, unless it says
 * otherwise.
 *
 * The message belongs to the calling thread: ask right after the failure. Success does not clear it,
 * yet a function that tries several ways and succeeds may have changed it. The library never logs,
 * never exits and never installs a signal handler.
 */
#ifndef SHMKIT_ERROR_H
#define SHMKIT_ERROR_H

#include <errno.h>
#include <stdbool.h>

#include <shmkit/export.h>

SHMKIT_BEGIN_DECLS

typedef int shmkit_status;

enum {
  /** Done. */
  SHMKIT_OK = 0,
  /** Nothing there yet on something that was asked not to block. Try again when it is ready. */
  SHMKIT_AGAIN = 1,
  /** The time is over, and it has not happened. */
  SHMKIT_TIMEOUT = 2,
  /** A mutex is locked now, and whoever held it before died with it. */
  SHMKIT_OWNER_DIED = 3
};

/*
 * Conditions of shmkit's own. Each is the nearest errno, negated, so that code which knows only
 * errno does something sensible with it.
 */
enum {
  /** The object was closed before the call. */
  SHMKIT_ERR_CLOSED = -EBADF,
  /** An offset, a length or a count reaches outside the object. */
  SHMKIT_ERR_RANGE = -ERANGE,
  /** The memory is shorter than it was: another process truncated it, or never gave it a size. */
  SHMKIT_ERR_TRUNCATED = -ENODATA,
  /** This kind of segment, file system or kernel cannot do it. */
  SHMKIT_ERR_UNSUPPORTED = -EOPNOTSUPP,
  /** What exists under that address is not what the caller asked for. */
  SHMKIT_ERR_INCOMPATIBLE = -EPROTO,
  /** What another process wrote or sent makes no sense. */
  SHMKIT_ERR_CORRUPT = -EBADMSG
};

/**
 * The message of this thread's last failure; "" when there was none.
 *
 * One line of printable text without a final full stop: control characters in names are written
 * as \xNN. Bytes above 0x7f come as they are in the name, so it need not be valid UTF-8.
 *
 * @return memory of the calling thread, valid until its next call.
 * Concurrency: any thread; each has its own message.
 */
SHMKIT_API const char *shmkit_error_message(void);

/**
 * The address that this thread's last failure is about, as the caller gave it or, for an open
 * segment, in canonical form; "" when it was about none.
 *
 * @return memory of the calling thread, valid until its next call.
 * Concurrency: any thread; each has its own.
 */
SHMKIT_API const char *shmkit_error_address(void);

/**
 * The symbolic name of a status: "SHMKIT_ERR_TRUNCATED", "ENOENT", "SHMKIT_AGAIN".
 *
 * shmkit's own names win over errno's. "SHMKIT_OK" for 0; "unknown" for a number nobody named.
 *
 * Concurrency: any thread.
 */
SHMKIT_API const char *shmkit_error_name(shmkit_status status);

/**
 * Whether a failure says that the call itself was wrong, whatever the state of the machine: an
 * address that cannot exist, an offset outside, a closed object. Languages that tell programming
 * errors from the world's refusals (Lua: raise, or return nil and a message) draw the line here.
 *
 * Concurrency: any thread.
 */
SHMKIT_API bool shmkit_error_is_misuse(shmkit_status status);

SHMKIT_END_DECLS

#endif
