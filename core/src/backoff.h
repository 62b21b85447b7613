/* SPDX-License-Identifier: MIT */
/* Waiting for another process that holds something for an instant, without burning its CPU. */
#ifndef SHMKIT_SRC_BACKOFF_H
#define SHMKIT_SRC_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct shmkit__backoff {
  uint64_t deadline; /* nanoseconds of CLOCK_MONOTONIC */
  uint32_t pause;    /* of the next wait, in nanoseconds */
  bool interrupted;  /* by a signal, in the last wait */
};

static inline uint64_t shmkit__now(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline struct shmkit__backoff shmkit__backoff_for_seconds(uint32_t seconds) {
  return (struct shmkit__backoff){.deadline = shmkit__now() + (uint64_t)seconds * 1000000000U,
                                  .pause = 20000};
}

/* Sleep a little, each time longer, at most 10 ms. False, at once, when the time is over. A signal
 * ends the pause early, which does no harm where the caller looks again. */
static inline bool shmkit__backoff_wait(struct shmkit__backoff *self) {
  const uint32_t longest = 10000000;
  if (shmkit__now() >= self->deadline) return false;
  struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)self->pause};
  self->interrupted = nanosleep(&pause, NULL) != 0;
  self->pause = self->pause < longest / 2 ? self->pause * 2 : longest;
  return true;
}

#endif
