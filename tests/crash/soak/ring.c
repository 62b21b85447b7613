/* SPDX-License-Identifier: MIT */
/*
 * Wait until it is one's turn, publish the next number, set the event of who is next. ring.py says
 * what must hold, and does the same, as ring.lua.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker.h"

enum { WORDS = 4, MEMBERS = 6, MILLISECOND = 1000000 };

struct ring {
  /* Set now and then without a reason. */
  char noise[SHMKIT_SYNC_SIZE];
  char events[MEMBERS][SHMKIT_SYNC_SIZE];
  /* Whose turn it is, modulo the number of members. */
  _Atomic uint64_t turn;
  /* All the same as it; written before it by who has the turn. */
  volatile uint64_t words[WORDS];
};

_Static_assert(offsetof(struct ring, turn) == 448, "as in ring.py");

/* Waiting by its level needs an event that nobody else clears. */
enum way { SINCE, ANY, POLL, LEVEL, WAYS };

static struct ring *ring;
static shmkit_event *noise, *events[MEMBERS];
static uint64_t me, members;
static bool own_events;
/* The first turn may be one that the predecessor had begun. */
static bool fresh = true;

static shmkit_event *event_of(uint64_t member) {
  return events[own_events ? member % members : 0];
}

static void take_turn(uint64_t turn) {
  for (int i = 0; i < WORDS; i++) {
    uint64_t word = ring->words[i];
    if (word != turn && !(fresh && word == turn + 1)) {
      violate("C %" PRIu64 " has turn %" PRIu64 ", but sees word %" PRIu64, serial, turn, word);
    }
  }
  fresh = false;
  for (int i = 0; i < WORDS; i++) ring->words[i] = turn + 1;
  if (chance(4) == 0) must(shmkit_event_set(noise), "setting");
  uint64_t expected = turn;
  if (!atomic_compare_exchange_strong(&ring->turn, &expected, turn + 1)) {
    violate("C %" PRIu64 " has turn %" PRIu64 ", and somebody took it", serial, turn);
  }
  must(shmkit_event_set(event_of(turn + 1)), "setting");
  advance();
}

/* The event behind a descriptor: sets from before the last look may ring still, and only those. */
static void wait_for_bell(int fd) {
  struct pollfd bell = {.fd = fd, .events = POLLIN};
  uint64_t count = 0;
  int ready = poll(&bell, 1, -1);
  if (ready < 0 && errno != EINTR) violate("C %" PRIu64 " cannot poll", serial);
  if (ready > 0 && read(fd, &count, sizeof count) != (ssize_t)sizeof count) {
    violate("C %" PRIu64 " cannot read what is ready", serial);
  }
}

static void wait_in_a_way(void) {
  enum way way = chance(own_events ? WAYS : WAYS - 1);
  shmkit_event *own = event_of(me), *both[] = {own, noise};
  size_t which = 0;
  int fd = -1;
  /* All that is needed to miss nothing comes before the look. */
  if (way == POLL) must(shmkit_event_fileno(own, &fd), "asking for a descriptor");
  if (way == LEVEL) must(shmkit_event_clear(own), "clearing");
  const uint32_t since[] = {shmkit_event_sequence(own), shmkit_event_sequence(noise)};
  if (ring->turn % members == me || arena->stop) return;
  int64_t timeout = chance(16) == 0 ? chance(20) * (int64_t)MILLISECOND : SHMKIT_FOREVER;
  slot->tallies[way]++;
  if (way == SINCE) must(shmkit_event_wait_since(own, since[0], timeout), "waiting");
  if (way == ANY) must(shmkit_event_wait_any(both, 2, since, timeout, &which), "waiting for any");
  if (way == POLL) wait_for_bell(fd);
  if (way == LEVEL) must(shmkit_event_wait(own, timeout), "waiting");
}

/* WORDS: address, member, how many there are, whether each has an event of its own */
void work_ring(char **words) {
  shmkit_segment *segment = open_shared(words[0], &ring);
  me = strtoull(words[1], NULL, 10);
  members = strtoull(words[2], NULL, 10);
  own_events = words[3][0] == '1';
  must(shmkit_segment_event(segment, 0, &noise), "making an event");
  for (uint64_t i = 0; i < MEMBERS; i++) {
    uint64_t offset = (i + 1) * SHMKIT_SYNC_SIZE;
    must(shmkit_segment_event(segment, offset, &events[i]), "making an event");
  }
  /* The predecessor may have died after it gave its turn away and before it said so. */
  must(shmkit_event_set(event_of(ring->turn)), "setting");
  while (!arena->stop) {
    uint64_t turn = ring->turn;
    if (turn % members == me) {
      slot->phase = INSIDE;
      take_turn(turn);
      slot->phase = TRYING;
    } else {
      wait_in_a_way();
    }
  }
  for (int i = 0; i < MEMBERS; i++) shmkit_event_free(events[i]);
  shmkit_event_free(noise);
  shmkit_segment_free(segment);
}
