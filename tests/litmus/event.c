/* SPDX-License-Identifier: MIT */
/* The event of event.c, wait_any.c and watch.c itself, raced for: what event.pml shows of the
 * protocol. */
#include "sides.h"

#include <poll.h>
#include <unistd.h>

#include "spin.h"

static shmkit_segment *segment;
static shmkit_event *events[OBJECTS];
/* How long sides wait before they act, as for dawdle: until others are about to fall asleep. */
static const uint32_t delay = SHMKIT__SPIN_MAX > 0 ? VERY_LONG : BRIEFLY;

static uint32_t as_sequence(uint32_t number) {
  return number % (UINT32_C(1) << 29);
}

/* Until the event was set in this round, once in each. */
static void wait_for(const struct side *self, shmkit_event *event) {
  ensure(shmkit_event_wait_since(event, as_sequence(self->round - 1), SHMKIT_FOREVER) == 0);
}

static void set(shmkit_event *event) {
  ensure(shmkit_event_set(event) == 0);
}

static void race_for_events(void (*const bodies[])(struct side *self), size_t count) {
  segment = begin_lab();
  for (size_t i = 0; i < OBJECTS; i++) {
    assert_done(shmkit_segment_event(segment, i * SHMKIT_SYNC_SIZE, &events[i]));
  }
  race(bodies, count);
  for (size_t i = 0; i < OBJECTS; i++) shmkit_event_free(events[i]);
  end_lab(segment);
}

/* ---- Edges ---------------------------------------------------------------------------------- */

enum { PING, PONG };

/* Both ways through the same lines, so that each fetches them from the other one's CPU. */
static void ask(struct side *self) {
  dawdle(self, delay);
  publish(lab()->payloads[0], 2 * self->round);
  set(events[PING]);
  dawdle(self, delay);
  wait_for(self, events[PONG]);
  ensure_whole(lab()->payloads[0], 2 * self->round + 1);
}

static void reply(struct side *self) {
  dawdle(self, delay);
  wait_for(self, events[PING]);
  ensure_whole(lab()->payloads[0], 2 * self->round);
  dawdle(self, delay);
  publish(lab()->payloads[0], 2 * self->round + 1);
  set(events[PONG]);
}

/* Finds a set that does not see who falls asleep at that moment, who falls asleep without seeing the
 * set, and a set that is seen before what was written before it. */
START_TEST(what_was_written_before_a_set_is_seen_after_the_wait) {
  void (*const bodies[])(struct side *) = {ask, reply};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

static void set_once(struct side *self) {
  dawdle(self, BRIEFLY);
  publish(lab()->payloads[0], self->round);
  set(events[PING]);
}

static void wait_for_one_set(struct side *self) {
  dawdle(self, BRIEFLY);
  wait_for(self, events[PING]);
  ensure_whole(lab()->payloads[0], self->round);
}

/* Finds a set that wakes fewer than all, and a waiter whose announcement undoes another one's. */
START_TEST(one_set_wakes_all_who_wait) {
  void (*const bodies[])(struct side *) = {set_once, wait_for_one_set, wait_for_one_set,
                                           wait_for_one_set};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

/* ---- Level ---------------------------------------------------------------------------------- */

enum { ITEMS = 3 };

static uint32_t *item(uint32_t number) {
  return &lab()->payloads[0][number % LINES].word;
}

static void produce(struct side *self) {
  for (uint32_t left = ITEMS; left > 0; left--) {
    uint32_t number = as_sequence(shmkit_event_sequence(events[0]) + 1);
    dawdle(self, BRIEFLY);
    *item(number) = number;
    set(events[0]);
  }
}

static void consume(struct side *self) {
  uint32_t taken = as_sequence((self->round - 1) * ITEMS), all = as_sequence(self->round * ITEMS);
  while (taken != all) {
    dawdle(self, BRIEFLY);
    ensure(shmkit_event_wait(events[0], SHMKIT_FOREVER) == 0);
    dawdle(self, BRIEFLY);
    ensure(shmkit_event_clear(events[0]) == 0);
    uint32_t sequence = shmkit_event_sequence(events[0]);
    while (taken != sequence) {
      taken = as_sequence(taken + 1);
      ensure(*item(taken) == taken);
    }
  }
}

/* Finds a clear that takes away a set which came after it, or what a waiter announced. */
START_TEST(who_clears_before_he_looks_misses_nothing) {
  void (*const bodies[])(struct side *) = {produce, consume};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

/* ---- Several -------------------------------------------------------------------------------- */

static void set_own(struct side *self) {
  dawdle(self, BRIEFLY);
  publish(lab()->payloads[self->number], self->round);
  set(events[self->number]);
}

static void wait_for_both(struct side *self) {
  uint32_t before = as_sequence(self->round - 1), since[2] = {before, before};
  for (unsigned left = 2; left > 0; left--) {
    size_t which = OBJECTS;
    dawdle(self, BRIEFLY);
    ensure(shmkit_event_wait_any(events, 2, since, SHMKIT_FOREVER, &which) == 0);
    ensure(which < 2 && since[which] == before);
    since[which] = as_sequence(self->round);
    ensure_whole(lab()->payloads[which], self->round);
  }
}

/* Finds who falls asleep on several without having announced it for each, or without seeing that one
 * of them was set meanwhile. */
START_TEST(whichever_of_two_is_set_wakes_who_waits_for_any) {
  void (*const bodies[])(struct side *) = {set_own, set_own, wait_for_both};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

/* ---- Descriptors ---------------------------------------------------------------------------- */

enum { WATCHED, READY };

/* Twice: the second time while the thread that was woken by the first looks and falls asleep again. */
static void set_twice_when_ready(struct side *self) {
  wait_for(self, events[READY]);
  dawdle(self, BRIEFLY);
  set(events[WATCHED]);
  dawdle(self, VERY_LONG);
  publish(lab()->payloads[0], self->round);
  set(events[WATCHED]);
}

static void poll_for(const struct side *self, shmkit_event *event) {
  struct pollfd bell = {.events = POLLIN};
  uint64_t rings = 0;
  ensure(shmkit_event_fileno(event, &bell.fd) == 0);
  set(events[READY]);
  while (shmkit_event_sequence(event) != as_sequence(2 * self->round)) {
    ensure(poll(&bell, 1, -1) == 1);
    ensure(read(bell.fd, &rings, sizeof rings) == sizeof rings);
  }
  ensure_whole(lab()->payloads[0], self->round);
}

static void poll_once_more(struct side *self) {
  poll_for(self, events[WATCHED]);
}

/* Finds a set that the thread behind the descriptors misses: this round's or, when nobody needed that
 * one any more, the next one's. */
START_TEST(a_descriptor_is_rung_for_every_set) {
  void (*const bodies[])(struct side *) = {set_twice_when_ready, poll_once_more};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

static void poll_a_new_one(struct side *self) {
  shmkit_event *event = NULL;
  ensure(shmkit_segment_event(segment, WATCHED * SHMKIT_SYNC_SIZE, &event) == 0);
  poll_for(self, event);
  shmkit_event_free(event);
}

/* Finds a thread behind the descriptors that sleeps without knowing the latest of them. */
START_TEST(descriptors_that_come_and_go_are_rung) {
  void (*const bodies[])(struct side *) = {set_twice_when_ready, poll_a_new_one};
  race_for_events(bodies, COUNT(bodies));
}
END_TEST

/* ---- Readers -------------------------------------------------------------------------------- */

static shmkit_event *view;

static void wait_for_view(struct side *self) {
  dawdle(self, BRIEFLY);
  wait_for(self, view);
  const struct lab *seen = shmkit_segment_data(shmkit_event_segment(view));
  ensure_whole(seen->payloads[0], self->round);
}

/* Finds a set that wakes only who could announce himself. */
START_TEST(who_may_only_read_is_woken_when_it_always_wakes) {
  static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  void (*const bodies[])(struct side *) = {set_once, wait_for_view, wait_for_view};
  segment = begin_lab();
  shmkit_segment *reader = open_segment(name(), &readonly);
  assert_done(shmkit_segment_event(segment, 0, &events[PING]));
  assert_done(shmkit_event_always_wake(events[PING]));
  assert_done(shmkit_segment_event(reader, 0, &view));
  race(bodies, COUNT(bodies));
  shmkit_event_free(view);
  shmkit_event_free(events[PING]);
  shmkit_segment_free(reader);
  end_lab(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_was_written_before_a_set_is_seen_after_the_wait,
      one_set_wakes_all_who_wait,
      who_clears_before_he_looks_misses_nothing,
      whichever_of_two_is_set_wakes_who_waits_for_any,
      a_descriptor_is_rung_for_every_set,
      descriptors_that_come_and_go_are_rung,
      who_may_only_read_is_woken_when_it_always_wakes,
  };
  if (!have_two_cpus()) return skip("one CPU is too few to race on");
  return run_cases("litmus-event", cases, COUNT(cases), argc, argv);
}
