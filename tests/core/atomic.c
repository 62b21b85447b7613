/* SPDX-License-Identifier: MIT */
/* Atomics: integers that several change at once. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static const shmkit_type types[] = {SHMKIT_I32, SHMKIT_U32, SHMKIT_I64, SHMKIT_U64};

static uint64_t load(shmkit_segment *segment, shmkit_type type, uint64_t offset) {
  uint64_t value = 0;
  assert_done(shmkit_segment_load(segment, type, offset, &value));
  return value;
}

START_TEST(values_are_kept_in_every_type_and_kind) {
  static const char *const addresses[] = {"memfd:x", "sysv:private"};
  for (size_t kind = 0; kind < COUNT(addresses); kind++) {
    shmkit_segment *segment = create(addresses[kind], 64, NULL);
    for (size_t i = 0; i < COUNT(types); i++) {
      uint64_t before = 0;
      assert_done(shmkit_segment_store(segment, types[i], 8, 7));
      ck_assert_uint_eq(load(segment, types[i], 8), 7);
      assert_done(shmkit_segment_add(segment, types[i], 8, 5, &before));
      ck_assert_uint_eq(before, 7);
      assert_done(shmkit_segment_exchange(segment, types[i], 8, 1, &before));
      ck_assert_uint_eq(before, 12);
      assert_done(shmkit_segment_compare_exchange(segment, types[i], 8, 2, 3, &before));
      ck_assert_uint_eq(before, 1);
      assert_done(shmkit_segment_compare_exchange(segment, types[i], 8, 1, 3, &before));
      ck_assert_uint_eq(before, 1);
      ck_assert_uint_eq(load(segment, types[i], 8), 3);
    }
    if (kind == 1) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
  }
}
END_TEST

START_TEST(negative_numbers_and_wrapping_are_the_types) {
  shmkit_segment *segment = create("memfd:x", 64, NULL);
  uint64_t before = 0;
  assert_done(shmkit_segment_store(segment, SHMKIT_I32, 0, (uint64_t)-5));
  ck_assert_int_eq((int64_t)load(segment, SHMKIT_I32, 0), -5);
  ck_assert_uint_eq(load(segment, SHMKIT_U32, 0), UINT32_MAX - 4);
  ck_assert_uint_eq(load(segment, SHMKIT_U32, 4), 0);
  assert_done(shmkit_segment_add(segment, SHMKIT_U32, 0, 5, &before));
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), 0);
  assert_done(shmkit_segment_store(segment, SHMKIT_U32, 0, 7));
  assert_done(shmkit_segment_add(segment, SHMKIT_U32, 0, (uint64_t)-3, &before));
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), 4);
  assert_done(shmkit_segment_store(segment, SHMKIT_U64, 0, UINT64_MAX));
  assert_done(shmkit_segment_add(segment, SHMKIT_I64, 0, 2, &before));
  ck_assert_int_eq((int64_t)before, -1);
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), 1);
  assert_done(shmkit_segment_compare_exchange(segment, SHMKIT_I32, 0, (uint64_t)-1, 4, &before));
  ck_assert_uint_eq(before, 1);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_and_changes_nothing) {
  shmkit_segment *segment = create(name(), 64, NULL);
  uint64_t value = 0;
  assert_fails(-EINVAL, shmkit_segment_load(segment, SHMKIT_U8, 0, &value));
  assert_message_has("i32, u32, i64 or u64");
  assert_fails(-EINVAL, shmkit_segment_load(segment, (shmkit_type)99, 0, &value));
  assert_fails(-EINVAL, shmkit_segment_load(segment, SHMKIT_U64, 4, &value));
  assert_message_has("misaligned");
  assert_fails(-EINVAL, shmkit_segment_store(segment, SHMKIT_U32, 2, 1));
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_store(segment, SHMKIT_U32, 64, 1));
  assert_fails(SHMKIT_ERR_RANGE,
               shmkit_segment_add(segment, SHMKIT_U64, UINT64_MAX - 7, 1, &value));
  assert_fails(-EINVAL, shmkit_segment_store(segment, SHMKIT_U32, 0, (uint64_t)1 << 32));
  assert_fails(-EINVAL, shmkit_segment_store(segment, SHMKIT_I32, 0, (uint64_t)1 << 31));
  assert_message_has("does not fit");
  assert_fails(-EINVAL, shmkit_segment_add(segment, SHMKIT_I32, 0, UINT32_MAX, &value));
  assert_fails(-EINVAL,
               shmkit_segment_add(segment, SHMKIT_U32, 0, (uint64_t)INT32_MIN - 1, &value));
  assert_fails(-EINVAL,
               shmkit_segment_compare_exchange(segment, SHMKIT_U32, 0, UINT64_MAX, 1, &value));
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), 0);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_close(segment);
  assert_fails(SHMKIT_ERR_CLOSED, shmkit_segment_load(segment, SHMKIT_U32, 0, &value));
  ck_assert_uint_eq(value, 0);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_read_only_segment_is_loaded_from_and_not_changed) {
  static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  shmkit_segment *segment = create(name(), 64, NULL), *reader = open_segment(name(), &readonly);
  uint64_t before = 0;
  assert_done(shmkit_segment_store(segment, SHMKIT_U64, 0, 9));
  for (size_t i = 0; i < COUNT(types); i++) {
    ck_assert_uint_eq(load(reader, types[i], 0), 9);
    assert_fails(-EACCES, shmkit_segment_store(reader, types[i], 0, 1));
    assert_fails(-EACCES, shmkit_segment_add(reader, types[i], 0, 1, &before));
    assert_fails(-EACCES, shmkit_segment_exchange(reader, types[i], 0, 1, &before));
    assert_fails(-EACCES, shmkit_segment_compare_exchange(reader, types[i], 0, 9, 1, &before));
  }
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), 9);
  shmkit_segment_free(reader);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

enum { ROUNDS = 20000, PEERS = 3 };

/* Adds in one place; in the other takes turns by compare and exchange; each half of a 64-bit number
 * follows the other, so that a torn one would show. */
static void count_up(void *address) {
  shmkit_segment *segment = open_segment(address, NULL);
  const uint64_t both = ((uint64_t)1 << 32) + 1;
  uint64_t before = 0;
  for (int i = 0; i < ROUNDS; i++) {
    ensure(shmkit_segment_add(segment, SHMKIT_U64, 0, both, &before) == 0);
    ensure(before >> 32 == (before & UINT32_MAX));
    uint64_t expected = 0;
    ensure(shmkit_segment_load(segment, SHMKIT_I32, 8, &expected) == 0);
    for (;;) {
      ensure(shmkit_segment_compare_exchange(segment, SHMKIT_I32, 8, expected, expected + 1,
                                             &before) == 0);
      if (before == expected) break;
      expected = before;
    }
  }
  shmkit_segment_free(segment);
}

START_TEST(processes_lose_nothing_to_each_other) {
  shmkit_segment *segment = create(name(), 64, NULL);
  pid_t children[PEERS];
  for (int i = 0; i < PEERS; i++) children[i] = start(count_up, (void *)(uintptr_t)name());
  finish_all(children, PEERS);
  const uint64_t total = (uint64_t)PEERS * ROUNDS;
  ck_assert_uint_eq(load(segment, SHMKIT_U64, 0), total << 32 | total);
  ck_assert_uint_eq(load(segment, SHMKIT_I32, 8), total);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      values_are_kept_in_every_type_and_kind,
      negative_numbers_and_wrapping_are_the_types,
      what_makes_no_sense_is_refused_and_changes_nothing,
      a_read_only_segment_is_loaded_from_and_not_changed,
      processes_lose_nothing_to_each_other,
  };
  return run_cases("atomic", cases, COUNT(cases), argc, argv);
}
