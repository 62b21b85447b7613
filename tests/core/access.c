/* SPDX-License-Identifier: MIT */
/* Reading, writing and viewing: bounds, alignment, and memory that a peer takes away. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 1000 };

/* A case's segment of SIZE bytes; ended by `end`. */
static shmkit_segment *begin(void) {
  return create(name(), SIZE, NULL);
}

static void end(shmkit_segment *segment) {
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

START_TEST(what_was_written_is_read) {
  static const char *const addresses[] = {"memfd:x", "sysv:private", NULL};
  char bytes[SIZE], read[SIZE];
  for (size_t i = 0; i < SIZE; i++) bytes[i] = (char)(i * 7);
  for (size_t i = 0; i < COUNT(addresses); i++) {
    shmkit_segment *segment = create(addresses[i] != NULL ? addresses[i] : name(), SIZE, NULL);
    assert_done(shmkit_segment_write(segment, 0, bytes, SIZE));
    ck_assert_mem_eq(shmkit_segment_data(segment), bytes, SIZE);
    assert_done(shmkit_segment_read(segment, 0, read, SIZE));
    ck_assert_mem_eq(read, bytes, SIZE);
    assert_done(shmkit_segment_read(segment, SIZE - 1, read, 1));
    ck_assert_int_eq(read[0], bytes[SIZE - 1]);
    if (i > 0) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
  }
}
END_TEST

START_TEST(what_reaches_outside_is_refused) {
  static const struct {
    uint64_t offset;
    size_t length;
  } bad[] = {
      {0, SIZE + 1}, {SIZE, 1},       {SIZE + 1, 0},        {SIZE - 1, 2},   {UINT64_MAX, 1},
      {1, SIZE_MAX}, {UINT64_MAX, 0}, {UINT64_MAX - 5, 10}, {1ULL << 63, 1}, {SIZE, SIZE_MAX},
  };
  char buffer[SIZE + 1];
  shmkit_segment *segment = begin();
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_read(segment, bad[i].offset, buffer, bad[i].length));
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_write(segment, bad[i].offset, buffer, bad[i].length));
    assert_message_has(shmkit_segment_address(segment));
  }
  assert_done(shmkit_segment_read(segment, SIZE, buffer, 0));
  assert_done(shmkit_segment_write(segment, SIZE, buffer, 0));
  assert_done(shmkit_segment_read(segment, 0, NULL, 0));
  end(segment);
}
END_TEST

START_TEST(views_of_every_type_are_in_place) {
  shmkit_segment *segment = begin();
  char *data = shmkit_segment_data(segment);
  for (int type = SHMKIT_I8; type <= SHMKIT_CHAR; type++) {
    size_t unit = shmkit_type_size((shmkit_type)type);
    shmkit_span span;
    assert_done(shmkit_segment_view(segment, (shmkit_type)type, 0, SHMKIT_REST, &span));
    ck_assert_ptr_eq(span.data, data);
    ck_assert_uint_eq(span.count, SIZE / unit);
    assert_done(shmkit_segment_view(segment, (shmkit_type)type, 3 * unit, 2, &span));
    ck_assert_ptr_eq(span.data, data + 3 * unit);
    ck_assert_uint_eq(span.count, 2);
    assert_done(shmkit_segment_view(segment, (shmkit_type)type, SIZE / unit * unit, 0, &span));
    ck_assert_uint_eq(span.count, 0);
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_view(segment, (shmkit_type)type, 0, SIZE / unit + 1, &span));
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_view(segment, (shmkit_type)type, unit, UINT64_MAX / 2, &span));
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_view(segment, (shmkit_type)type, unit, UINT64_MAX - 1, &span));
    assert_fails(SHMKIT_ERR_RANGE,
                 shmkit_segment_view(segment, (shmkit_type)type, 8ULL << 50, SHMKIT_REST, &span));
    for (size_t offset = 1; offset < unit; offset++) {
      assert_fails(-EINVAL, shmkit_segment_view(segment, (shmkit_type)type, offset, 1, &span));
      assert_message_has("misaligned");
    }
  }
  end(segment);
}
END_TEST

START_TEST(a_view_of_no_type_is_refused) {
  static const int types[] = {0, -1, 13, 1 << 30};
  shmkit_segment *segment = begin();
  shmkit_span span;
  for (size_t i = 0; i < COUNT(types); i++) {
    assert_fails(-EINVAL, shmkit_segment_view(segment, (shmkit_type)types[i], 0, 1, &span));
  }
  end(segment);
}
END_TEST

START_TEST(a_read_only_segment_reads_only) {
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY, .capacity = 4 * SIZE};
  shmkit_segment *segment = begin();
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  ck_assert_int_eq(chmod(path_of(name()), 0400), 0);
  shmkit_segment *reader = open_segment(name(), &readonly);
  ck_assert(shmkit_segment_readonly(reader));
  assert_bytes(reader, 0, "hello");
  assert_fails(-EACCES, shmkit_segment_write(reader, 0, "x", 1));
  assert_fails(-EACCES, shmkit_segment_write(reader, 0, "", 0));
  assert_fails(-EACCES, shmkit_segment_grow(reader, 2 * SIZE));
  assert_done(shmkit_segment_refresh(reader));
  assert_bytes(segment, 0, "hello");
  shmkit_segment_free(reader);
  end(segment);
}
END_TEST

START_TEST(truncation_by_a_peer_is_reported_not_fatal) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  shmkit_segment *segment = create(name(), 4 * page, NULL);
  char buffer[16] = "";
  ck_assert_int_eq(truncate(path_of(name()), (off_t)(page + 10)), 0);
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_read(segment, 3 * page, buffer, 16));
  assert_message_has("truncated");
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_write(segment, 3 * page, buffer, 16));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_read(segment, page, buffer, 16));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_write(segment, page, buffer, 16));
  assert_done(shmkit_segment_read(segment, 0, buffer, 16));
  assert_done(shmkit_segment_write(segment, page - 6, buffer, 16));
  ck_assert_uint_eq(shmkit_segment_size(segment), 4 * page);
  assert_done(shmkit_segment_refresh(segment));
  ck_assert_uint_eq(shmkit_segment_size(segment), page + 10);
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_read(segment, 3 * page, buffer, 16));
  struct stat status;
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_eq(status.st_size, (off_t)(page + 10));
  end(segment);
}
END_TEST

START_TEST(a_segment_truncated_to_nothing_is_reported_too) {
  shmkit_segment *segment = begin(), *opened = NULL;
  char buffer[16];
  ck_assert_int_eq(truncate(path_of(name()), 0), 0);
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_read(segment, 0, buffer, 1));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_write(segment, 0, buffer, 1));
  assert_done(shmkit_segment_refresh(segment));
  ck_assert_uint_eq(shmkit_segment_size(segment), 0);
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_read(segment, 0, buffer, 1));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_open(name(), NULL, &opened));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_open_or_create(name(), 1, NULL, &opened));
  end(segment);
}
END_TEST

START_TEST(truncation_is_reported_through_the_mapping_when_the_descriptor_is_gone) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  int fd = -1;
  char buffer[16] = "";
  shmkit_segment *segment = create("memfd:x", 4 * page, NULL);
  assert_done(shmkit_segment_fileno(segment, &fd));
  int peer = dup(fd);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(ftruncate(peer, (off_t)page), 0);
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_read(segment, page, buffer, 16));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_read(segment, page - 8, buffer, 16));
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_write(segment, page, buffer, 16));
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(segment, 0, "hello");
  ck_assert_int_eq(close(peer), 0);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_peer_that_truncates_for_ever_never_raises_a_signal) {
  enum { LARGE = 64 * KIB, ROUNDS = 5000 };
  static char buffer[LARGE];
  shmkit_segment *segment = create(name(), LARGE, NULL);
  pid_t peer = fork();
  ck_assert_int_ge(peer, 0);
  if (peer == 0) {
    while (truncate(path_of(name()), 0) == 0 && truncate(path_of(name()), LARGE) == 0) {
    }
    _exit(0);
  }
  for (int i = 0; i < ROUNDS; i++) {
    shmkit_status status = shmkit_segment_read(segment, 0, buffer, LARGE);
    ck_assert(status == 0 || status == SHMKIT_ERR_TRUNCATED);
    status = shmkit_segment_write(segment, 0, buffer, LARGE);
    ck_assert(status == 0 || status == SHMKIT_ERR_TRUNCATED);
  }
  kill_child(peer);
  end(segment);
}
END_TEST

START_TEST(the_bytes_may_be_the_segments_own) {
  shmkit_segment *segment = create(name(), 16, NULL);
  assert_done(shmkit_segment_write(segment, 0, "abcdefgh", 8));
  assert_done(shmkit_segment_write(segment, 1, shmkit_segment_data(segment), 8));
  assert_bytes(segment, 0, "aabcdefgh");
  assert_done(shmkit_segment_read(segment, 1, shmkit_segment_data(segment), 8));
  assert_bytes(segment, 0, "abcdefgh");
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_was_written_is_read,
      the_bytes_may_be_the_segments_own,
      what_reaches_outside_is_refused,
      views_of_every_type_are_in_place,
      a_view_of_no_type_is_refused,
      a_read_only_segment_reads_only,
      truncation_by_a_peer_is_reported_not_fatal,
      a_segment_truncated_to_nothing_is_reported_too,
      truncation_is_reported_through_the_mapping_when_the_descriptor_is_gone,
      a_peer_that_truncates_for_ever_never_raises_a_signal,
  };
  return run_cases("access", cases, COUNT(cases), argc, argv);
}
