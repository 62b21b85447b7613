/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Mutex: one holder at a time among all threads of all processes, whatever happens to them.
 *
 * A mutex is 64 bytes of a segment, at a multiple of 64. Zeros are an unlocked mutex, so a new
 * segment needs no initialisation. Whoever makes the first object there marks them as a mutex's, so
 * that nobody makes an event of them. The layout is the same for 32-bit and 64-bit programs and for
 * every libc.
 *
 * DEATH. A holder that is killed, exits, runs another program, or whose thread ends gives the mutex
 * up: whoever waits for it, or comes later, gets it with SHMKIT_OWNER_DIED and knows that what the
 * mutex protects may be half-changed. It is told once, to the one who gets it. A stopped process
 * (SIGSTOP) still holds what it holds.
 *
 * WHO LIVES is known by the kernel. A thread that locks takes a random identity and locks the byte
 * of the segment's file that has that number, far beyond its end, through an open file description
 * that a mapping pins. The kernel drops it when the thread's process ends in any way; the thread's
 * end gives it back. No PID is involved: containers and PID namespaces make no difference. Taking an
 * identity costs some 10 microseconds, once per thread and segment. It needs the right to open the
 * segment's file for writing. Closing the descriptor for it ends what this process has locked in the
 * file with lockf or F_SETLK, as closing any descriptor of a file does; locks of flock and F_OFD_SETLK
 * stay.
 *
 * FORK. The child holds nothing that its parent holds. Its threads have identities of their own.
 *
 * WAITING spins for 30 microseconds at most, less where that was in vain lately and never on a single
 * CPU, then sleeps. There is no order among those who wait. Should the holder die while others sleep,
 * they notice within 50 milliseconds.
 *
 * LIMITS. A mutex cannot be locked twice by one thread; that is an error. Identities have 30 bits:
 * a new thread that draws the one of a holder that died, while the mutex is still marked with it,
 * is taken for it; the odds are one in a thousand million for each such mutex.
 */
#ifndef SHMKIT_MUTEX_H
#define SHMKIT_MUTEX_H

#include <shmkit/error.h>
#include <shmkit/segment.h>

SHMKIT_BEGIN_DECLS

typedef struct shmkit_mutex shmkit_mutex;

/** Bytes of a mutex, and of an event; their offsets are multiples of it. */
#define SHMKIT_SYNC_SIZE 64

/** As a timeout: for ever. */
#define SHMKIT_FOREVER INT64_C(-1)

/** What a mutex is at a moment. */
typedef struct shmkit_mutex_state {
  /** Somebody who lives holds it. */
  bool locked;
  /** The calling thread does. */
  bool mine;
  /** Its holder died, and nobody has got it since. */
  bool owner_died;
  /** The holder's identity; 0 when nobody's. */
  uint32_t identity;
} shmkit_mutex_state;

/**
 * The mutex at `offset` of a segment, which must stay open as long as the mutex: it is pinned.
 *
 * @param offset  in bytes, a multiple of 64, with 64 bytes inside the segment's size.
 * @param out     the mutex, to be ended with shmkit_mutex_free.
 * @return 0; -EINVAL for a misaligned offset; SHMKIT_ERR_RANGE; -EACCES when the segment is
 *         read-only; SHMKIT_ERR_UNSUPPORTED for System V, which has no file to hold identities;
 *         SHMKIT_ERR_INCOMPATIBLE where there is an event; SHMKIT_ERR_CORRUPT where there is anything
 *         else that is not zeros; SHMKIT_ERR_CLOSED; -ENOMEM.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_mutex(shmkit_segment *self, uint64_t offset,
                                              shmkit_mutex **out);

/**
 * The mutex at the beginning of a segment of its own, which is created when it does not exist.
 *
 * The segment is persistent: its name stays, and with it the knowledge that a holder died, until
 * somebody unlinks it.
 *
 * @param address  as for shmkit_segment_open_or_create; not sysv.
 * @param options  for the segment; NULL for the defaults.
 * @param out      the mutex, to be ended with shmkit_mutex_free.
 * @return as shmkit_segment_open_or_create and shmkit_segment_mutex.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_mutex_open(const char *address,
                                           const shmkit_segment_options *options,
                                           shmkit_mutex **out);

/**
 * End the object; NULL is allowed. A thread of this process that holds the mutex through the last
 * object of its file gives it up as if it had died.
 *
 * Concurrency: no other call on this object may be under way or follow.
 */
SHMKIT_API void shmkit_mutex_free(shmkit_mutex *self);

/** The segment that it is in; the mutex's own for shmkit_mutex_open. Concurrency: any thread. */
SHMKIT_API shmkit_segment *shmkit_mutex_segment(const shmkit_mutex *self);

/** Where in the segment. Concurrency: any thread. */
SHMKIT_API uint64_t shmkit_mutex_offset(const shmkit_mutex *self);

/**
 * Lock, waiting while somebody else holds it.
 *
 * Uncontended it is one atomic instruction. What the previous holder wrote before it unlocked is
 * seen by the next.
 *
 * @param timeout  in nanoseconds; 0: do not wait; SHMKIT_FOREVER.
 * @return 0: locked. SHMKIT_OWNER_DIED: locked, and the last holder died with it. SHMKIT_TIMEOUT:
 *         not locked. -EDEADLK: this thread holds it already. -EINTR: a signal came while it slept;
 *         call again. -EINVAL: any other negative timeout. -EACCES, -EBUSY and others: no identity
 *         could be taken, the latter because a program has a lock on the whole of the file, with
 *         lockf for one.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_mutex_lock(shmkit_mutex *self, int64_t timeout);

/**
 * Unlock, and wake one of those who wait.
 *
 * @return 0; -EPERM when the calling thread does not hold it.
 * Concurrency: the thread that locked it.
 */
SHMKIT_API shmkit_status shmkit_mutex_unlock(shmkit_mutex *self);

/**
 * What it is now; it may be another thing by the time the caller looks.
 *
 * @return 0; SHMKIT_ERR_CORRUPT when no mutex could have these bytes; others: it could not be asked
 *         whether its holder lives.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_mutex_look(shmkit_mutex *self, shmkit_mutex_state *out);

SHMKIT_END_DECLS

#endif
