/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Event: something that happens in one process and that others wait for.
 *
 * An event is 64 bytes of a segment of any kind, at a multiple of 64. Zeros are an event that is not
 * set and never was. The layout is the same for 32-bit and 64-bit programs and for every libc.
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
 * COST. Setting with nobody waiting makes no system call. Waiting spins for a moment where there is
 * more than one CPU, then sleeps.
 */
#ifndef SHMKIT_EVENT_H
#define SHMKIT_EVENT_H

#include <shmkit/error.h>
#include <shmkit/mutex.h>
#include <shmkit/segment.h>

SHMKIT_BEGIN_DECLS

typedef struct shmkit_event shmkit_event;

/**
 * The event at `offset` of a segment, which is pinned as long as the event exists.
 *
 * @param offset  in bytes, a multiple of 64, with 64 bytes inside the segment's size.
 * @param out     the event, to be ended with shmkit_event_free.
 * @return 0; -EINVAL for a misaligned offset; SHMKIT_ERR_RANGE; SHMKIT_ERR_CLOSED; -ENOMEM.
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

/** From now on each `set` makes the system call that wakes, so that readers without the right to
 *  write need not poll. -EACCES in a read-only segment. Concurrency: as set. */
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

SHMKIT_END_DECLS

#endif
