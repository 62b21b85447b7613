/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Event: something that happens in one process and that others wait for.
 *
 * An event is 64 bytes of a segment of any kind, at a multiple of 64. Zeros are an event that is not
 * set and never was. Whoever makes the first object there and may write marks them as an event's, so
 * that nobody makes a mutex of them. The layout is the same for 32-bit and 64-bit programs and for
 * every libc.
 *
 * LEVEL AND EDGE. An event is set until it is cleared, and it counts how often it was set. Who waits
 * without a sequence waits until it is set; who waits with one waits until it was set since then.
 * Set and cleared at once, both return: nothing that happens after the call began is missed.
 *
 * DEATH. Nobody owns an event. Who sets it and dies before waking the others delays them by 50
 * milliseconds at most.
 *
 * READ-ONLY segments can be waited on. Who cannot write cannot say that he waits, so `set` wakes him
 * only if the event always wakes (shmkit_event_always_wake); else he looks every millisecond.
 *
 * COST. Setting with nobody waiting makes no system call. Waiting spins for 30 microseconds at most,
 * less where that was in vain lately and never on a single CPU, then sleeps.
 */
#ifndef SHMKIT_EVENT_H
#define SHMKIT_EVENT_H

#include <shmkit/error.h>
#include <shmkit/mutex.h>
#include <shmkit/segment.h>

SHMKIT_BEGIN_DECLS

typedef struct shmkit_event shmkit_event;

enum {
  /** How many events one call can wait for. */
  SHMKIT_WAIT_ANY_MAX = 128
};

/**
 * The event at `offset` of a segment, which is pinned as long as the event exists.
 *
 * @param offset  in bytes, a multiple of 64, with 64 bytes inside the segment's size.
 * @param out     the event, to be ended with shmkit_event_free.
 * @return 0; -EINVAL for a misaligned offset; SHMKIT_ERR_RANGE; SHMKIT_ERR_INCOMPATIBLE where there
 *         is a mutex; SHMKIT_ERR_CORRUPT where there is anything else that is not zeros;
 *         SHMKIT_ERR_CLOSED; -ENOMEM.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_event(shmkit_segment *self, uint64_t offset,
                                              shmkit_event **out);

/**
 * The event at the beginning of a segment of its own, which is created when it does not exist, and
 * is persistent unless the options say otherwise.
 *
 * @param address  as for shmkit_segment_open_or_create.
 * @param options  for the segment; NULL for the defaults.
 * @param out      the event, to be ended with shmkit_event_free.
 * @return as shmkit_segment_open_or_create and shmkit_segment_event.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_open(const char *address,
                                           const shmkit_segment_options *options,
                                           shmkit_event **out);

/** End the object; NULL is allowed. Concurrency: no other call may be under way or follow. */
SHMKIT_API void shmkit_event_free(shmkit_event *self);

/** The segment that it is in. Concurrency: any thread. */
SHMKIT_API shmkit_segment *shmkit_event_segment(const shmkit_event *self);

/** Where in the segment. Concurrency: any thread. */
SHMKIT_API uint64_t shmkit_event_offset(const shmkit_event *self);

/**
 * Set it, count one up, and wake everybody who waits. What the caller wrote before is seen by whom
 * it wakes.
 *
 * @return 0; -EACCES in a read-only segment.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_set(shmkit_event *self);

/**
 * It is not set any more; the count stays.
 *
 * @return 0; -EACCES in a read-only segment.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_clear(shmkit_event *self);

/**
 * From now on each `set` makes the system call that wakes, so that readers without the right to write
 * need not poll.
 *
 * @return 0; -EACCES in a read-only segment.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_always_wake(shmkit_event *self);

/** Whether it is set now. Concurrency: any thread. */
SHMKIT_API bool shmkit_event_is_set(const shmkit_event *self);

/** How often it was set, modulo 2^29. Concurrency: any thread. */
SHMKIT_API uint32_t shmkit_event_sequence(const shmkit_event *self);

/**
 * Wait until it is set, or was set after this call began.
 *
 * @param timeout  in nanoseconds; 0: do not wait; SHMKIT_FOREVER.
 * @return 0; SHMKIT_TIMEOUT; -EINTR: a signal came while it slept; call again. -EINVAL: any other
 *         negative timeout.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_wait(shmkit_event *self, int64_t timeout);

/**
 * Wait until it was set since its sequence was `since`. Missed only when it was set exactly 2^29
 * times meanwhile, or a multiple of that.
 *
 * @return as shmkit_event_wait; -EINVAL also for a `since` that no event can have.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_wait_since(shmkit_event *self, uint32_t since,
                                                 int64_t timeout);

/**
 * Wait for the first of several, as shmkit_event_wait for one.
 *
 * Before Linux 5.16, and in sandboxes without futex_waitv, it looks every millisecond. From then on,
 * a signal whose handler has SA_RESTART, as those of signal() do, does not end the wait.
 *
 * @param events   1 to SHMKIT_WAIT_ANY_MAX of them; they may be of different segments.
 * @param since    for each, wait as shmkit_event_wait_since would; NULL: as shmkit_event_wait.
 * @param timeout  in nanoseconds; 0: do not wait; SHMKIT_FOREVER.
 * @param out      the index of one that is set, or was set.
 * @return 0; as shmkit_event_wait_since; -EINVAL for none or too many.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_event_wait_any(shmkit_event *const events[], size_t count,
                                               const uint32_t since[], int64_t timeout,
                                               size_t *out);

/**
 * A descriptor for poll, epoll and event loops that becomes readable when the event is set after this
 * call. Reading its 8 bytes makes it wait for the next time; sets between two reads are one.
 *
 * A thread of the library's, one for the whole process, waits for all of them, with all signals
 * blocked but those that tell of a fault of its own: SIGBUS when a peer truncates the file of an
 * event. It is started by the first call. Before Linux 5.16, and for more than 127 events, it looks
 * every millisecond.
 *
 * @param out  an eventfd, non-blocking and close-on-exec, which belongs to the event and is closed
 *             with it. The same at every call, unless the program has closed it. A forked child must
 *             ask anew: what it inherits is its parent's.
 * @return 0; -EMFILE, -ENFILE; -EAGAIN when no thread can be started; -ENOMEM.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_event_fileno(shmkit_event *self, int *out);

SHMKIT_END_DECLS

#endif
