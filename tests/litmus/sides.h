/* SPDX-License-Identifier: MIT */
/*
 * Sides of a race: processes, then threads of one, bound to two CPUs. In each round all meet and then
 * do something with the same objects at about the same instant, give or take a random moment.
 *
 * The library is built for this with slices of an hour (see sync.h): one lost wake-up is a hang. It is
 * built once so that nobody spins and every wait that is not over already really sleeps, and once so
 * that all do. Nobody going on for a minute is a failure; nothing else here looks at the time.
 */
#ifndef SHMKIT_TESTS_LITMUS_SIDES_H
#define SHMKIT_TESTS_LITMUS_SIDES_H

#include "support.h"

enum {
  SIDES = 4,
  OBJECTS = 4,
  PAYLOADS = 2,
  /* Of a payload, which the other CPU had last. Fetching them keeps the stores behind them from being
   * seen for a while, unless these are made to wait: long enough for somebody to fall asleep. */
  LINES = 64,
  /* For dawdle: a few microseconds, in which somebody is about to fall asleep; some ten, in which he
   * has; and some fifty, in which one who was woken is up again, or one who spins has given up. */
  BRIEFLY = 1 << 12,
  LONG = 1 << 15,
  VERY_LONG = 1 << 17
};

/* One word of a cache line of its own. */
struct line {
  uint32_t word;
  char apart[60];
};

/* A segment of this case's own, for objects and what they protect: plain words. */
struct lab {
  char objects[OBJECTS][SHMKIT_SYNC_SIZE];
  struct line payloads[PAYLOADS][LINES];
  struct {
    _Atomic uint32_t round;
    char apart[60];
  } sides[SIDES];
  /* The last round, when it has been decided. */
  _Atomic uint32_t last;
  _Atomic unsigned ended;
  /* Who sleep until the others meet them. */
  _Atomic unsigned sleepers;
};

struct side {
  void (*body)(struct side *self);
  unsigned number;
  /* From 1 on, and on from there in the next race of the same case. */
  uint32_t round;
  uint32_t random;
};

/* Whether there are two CPUs to be bound to. */
bool have_two_cpus(void);

shmkit_segment *begin_lab(void);
void end_lab(shmkit_segment *segment);
struct lab *lab(void);

/* Race: each body is what one side does in a round, about half of the time as processes, then as
 * threads. */
void race(void (*const bodies[])(struct side *self), size_t count);

uint32_t draw(struct side *self);

/* For a moment of any length up to `most`, which are turns of an empty loop. Short ones are as likely
 * as long ones. */
void dawdle(struct side *self, uint32_t most);

/* Write a value to some lines of a payload, and find exactly that value there. */
void publish(struct line payload[], uint32_t value);
void ensure_whole(const struct line payload[], uint32_t value);

#endif
