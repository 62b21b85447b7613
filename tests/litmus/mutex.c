/* SPDX-License-Identifier: MIT */
/* The mutex of mutex.c itself, raced for: what mutex.pml shows of the protocol. */
#include "sides.h"

#include <inttypes.h>

#include "spin.h"

static shmkit_mutex *mutex;
/* How long its holders stay, as for dawdle: until others have fallen asleep. */
static uint32_t stay = SHMKIT__SPIN_MAX > 0 ? VERY_LONG : LONG;

/* Count up the number that only holders touch, on several lines. */
static void use(struct side *self) {
  struct line *payload = lab()->payloads[0];
  uint32_t before = payload->word;
  ensure_whole(payload, before);
  dawdle(self, stay);
  publish(payload, before + 1);
  shared()->count[self->number]++;
}

static void lock_for_ever(struct side *self) {
  for (uint32_t laps = 1 + draw(self) % 4; laps > 0; laps--) {
    dawdle(self, BRIEFLY);
    assert_done(shmkit_mutex_lock(mutex, SHMKIT_FOREVER));
    use(self);
    ensure(shmkit_mutex_unlock(mutex) == 0);
  }
}

/* After about as long as waking up takes. */
static void lock_or_give_up(struct side *self) {
  dawdle(self, BRIEFLY);
  shmkit_status status = shmkit_mutex_lock(mutex, (int64_t)(draw(self) % 20000));
  if (status == SHMKIT_TIMEOUT) return;
  ensure(status == 0);
  use(self);
  ensure(shmkit_mutex_unlock(mutex) == 0);
}

static void race_for_mutex(void (*const bodies[])(struct side *self), size_t count) {
  shmkit_segment *segment = begin_lab();
  uint32_t total = 0;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  race(bodies, count);
  for (size_t i = 0; i < count; i++) total += shared()->count[i];
  (void)printf("locked %" PRIu32 " times in ", total);
  ck_assert_uint_eq(lab()->payloads[0][0].word, total);
  shmkit_mutex_free(mutex);
  end_lab(segment);
}

/* Finds an unlock that does not see who falls asleep at that moment, one whose holder's writes become
 * visible after it, and two holders at once. */
START_TEST(two_take_turns) {
  void (*const bodies[])(struct side *) = {lock_for_ever, lock_for_ever};
  race_for_mutex(bodies, COUNT(bodies));
}
END_TEST

/* Finds who, having slept, forgets that others may sleep still. Who meets the others in the end does
 * not wake by chance those who were forgotten. */
START_TEST(four_on_two_cpus_take_turns) {
  void (*const bodies[])(struct side *) = {lock_for_ever, lock_for_ever, lock_for_ever,
                                           lock_for_ever};
  race_for_mutex(bodies, COUNT(bodies));
}
END_TEST

/* Finds who was woken, came too late, and gives up without a word to the others. */
START_TEST(who_gives_up_is_no_loss_to_the_others) {
  void (*const bodies[])(struct side *) = {lock_for_ever, lock_for_ever, lock_or_give_up,
                                           lock_or_give_up};
  stay = VERY_LONG;
  race_for_mutex(bodies, COUNT(bodies));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      two_take_turns,
      four_on_two_cpus_take_turns,
      who_gives_up_is_no_loss_to_the_others,
  };
  if (!have_two_cpus()) return skip("one CPU is too few to race on");
  return run_cases("litmus-mutex", cases, COUNT(cases), argc, argv);
}
