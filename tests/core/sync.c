/* SPDX-License-Identifier: MIT */
/* What mutexes and events have in common: the 64 bytes that they lie in. */
#include "support.h"

#include <errno.h>
#include <string.h>

static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};

START_TEST(nobody_takes_one_for_the_other) {
  shmkit_segment *segment = create("memfd:x", 128, NULL);
  shmkit_mutex *mutex = NULL, *no_mutex = NULL;
  shmkit_event *event = NULL, *no_event = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  assert_done(shmkit_segment_event(segment, 64, &event));
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_event(segment, 0, &no_event));
  assert_message_has("offset 0 of memfd:x: there is a mutex");
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_mutex(segment, 64, &no_mutex));
  assert_message_has("there is an event");
  ck_assert_ptr_null(no_event);
  ck_assert_ptr_null(no_mutex);
  /* In use or not, unlocked or not. */
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_event_set(event));
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_event(segment, 0, &no_event));
  assert_done(shmkit_segment_mutex(segment, 0, &no_mutex));
  shmkit_mutex_free(no_mutex);
  shmkit_event_free(event);
  shmkit_mutex_free(mutex);
  ck_assert_uint_eq(shmkit_segment_pins(segment), 0);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_is_neither_is_left_alone) {
  shmkit_segment *segment = create(name(), 192, NULL);
  shmkit_mutex *mutex = NULL;
  shmkit_event *event = NULL;
  assert_done(shmkit_segment_write(segment, 0, "a", 1));
  assert_done(shmkit_segment_write(segment, 64 + 4, "b", 1));
  assert_done(shmkit_segment_write(segment, 128 + 63, "c", 1));
  shmkit_segment *reader = open_segment(name(), &readonly);
  for (uint64_t offset = 0; offset < 192; offset += 64) {
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_mutex(segment, offset, &mutex));
    assert_message_has("neither zeros nor a mutex");
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_event(segment, offset, &event));
    assert_message_has("neither zeros nor an event");
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_event(reader, offset, &event));
  }
  assert_bytes(segment, 0, "a\0\0\0\0");
  ck_assert_uint_eq(shmkit_segment_pins(segment), 0);
  shmkit_segment_free(reader);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(who_only_reads_takes_zeros_for_an_event_and_changes_nothing) {
  shmkit_segment *segment = create(name(), 64, NULL), *reader = open_segment(name(), &readonly);
  shmkit_event *view = NULL, *event = NULL;
  assert_done(shmkit_segment_event(reader, 0, &view));
  assert_bytes(segment, 0, "\0\0\0\0\0\0\0");
  /* Who writes comes later. */
  assert_done(shmkit_segment_event(segment, 0, &event));
  assert_done(shmkit_event_set(event));
  ck_assert(shmkit_event_is_set(view));
  shmkit_event_free(event);
  shmkit_event_free(view);
  shmkit_segment_free(reader);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

/* A program may reset it so, also while others have it. */
START_TEST(zeros_make_it_new) {
  static const char zeros[64];
  shmkit_segment *segment = create("memfd:x", 64, NULL);
  shmkit_mutex *mutex = NULL;
  shmkit_event *event = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_segment_write(segment, 0, zeros, sizeof zeros));
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_mutex_unlock(mutex));
  shmkit_mutex_free(mutex);
  assert_done(shmkit_segment_write(segment, 0, zeros, sizeof zeros));
  assert_done(shmkit_segment_event(segment, 0, &event));
  shmkit_event_free(event);
  shmkit_segment_free(segment);
}
END_TEST

/* All of them at once, in a new segment each time. */
static void make_and_lock(void *context) {
  shmkit_segment *segment = context;
  for (uint64_t offset = 0; offset < shmkit_segment_size(segment); offset += SHMKIT_SYNC_SIZE) {
    shmkit_mutex *mutex = NULL;
    ensure(shmkit_segment_mutex(segment, offset, &mutex) == 0);
    ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
    ensure(shmkit_mutex_unlock(mutex) == 0);
    shmkit_mutex_free(mutex);
  }
}

START_TEST(several_that_make_one_at_once_have_the_same) {
  enum { MAKERS = 4 };
  shmkit_segment *segment = create("memfd:x", 256 * KIB, NULL);
  pid_t children[MAKERS];
  for (int i = 0; i < MAKERS; i++) children[i] = start(make_and_lock, segment);
  finish_all(children, MAKERS);
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      nobody_takes_one_for_the_other,
      what_is_neither_is_left_alone,
      who_only_reads_takes_zeros_for_an_event_and_changes_nothing,
      zeros_make_it_new,
      several_that_make_one_at_once_have_the_same,
  };
  return run_cases("sync", cases, COUNT(cases), argc, argv);
}
