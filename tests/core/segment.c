/* SPDX-License-Identifier: MIT */
/* A segment from its creation to its end: properties, options, and what is refused. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

START_TEST(a_new_segment_has_the_properties_asked_for) {
  shmkit_segment *segment = create(name(), 5000, NULL);
  ck_assert_int_eq(strncmp(shmkit_segment_address(segment), "posix:/", 7), 0);
  ck_assert_str_eq(shmkit_segment_address(segment) + 7, name());
  ck_assert_str_eq(shmkit_segment_name(segment), name());
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_POSIX);
  ck_assert_int_eq(shmkit_segment_lifetime(segment), SHMKIT_PERSISTENT);
  ck_assert_uint_eq(shmkit_segment_size(segment), 5000);
  ck_assert_uint_ge(shmkit_segment_capacity(segment), 5000);
  ck_assert(!shmkit_segment_readonly(segment));
  ck_assert(shmkit_segment_created(segment));
  ck_assert(!shmkit_segment_closed(segment));
  ck_assert_uint_eq(shmkit_segment_pins(segment), 0);
  ck_assert_uint_eq((uintptr_t)shmkit_segment_data(segment) % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
  shmkit_segment *opened = open_segment(name(), NULL);
  ck_assert(!shmkit_segment_created(opened));
  ck_assert_uint_eq(shmkit_segment_size(opened), 5000);
  shmkit_segment_free(opened);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(its_bytes_are_zero_and_everybody_has_the_same) {
  shmkit_segment *segment = create(name(), 3 * KIB, NULL);
  shmkit_segment *other = open_segment(name(), NULL);
  unsigned char *bytes = shmkit_segment_data(segment);
  for (size_t i = 0; i < 3 * KIB; i++) ck_assert_uint_eq(bytes[i], 0);
  bytes[3 * KIB - 1] = 42;
  ck_assert_uint_eq(((unsigned char *)shmkit_segment_data(other))[3 * KIB - 1], 42);
  shmkit_segment_free(other);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(any_program_that_knows_shm_open_is_a_peer) {
  shmkit_segment *segment = create(name(), 100, NULL);
  int fd = shm_open(name(), O_RDWR, 0);
  ck_assert_int_ge(fd, 0);
  struct stat status;
  ck_assert_int_eq(fstat(fd, &status), 0);
  ck_assert_int_eq(status.st_size, 100);
  ck_assert_int_eq(pwrite(fd, "hello", 5, 10), 5);
  assert_bytes(segment, 10, "hello");
  ck_assert_int_eq(close(fd), 0);
  shmkit_segment_free(segment);
  ck_assert_int_eq(shm_unlink(name()), 0);

  fd = shm_open(name(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ck_assert_int_eq(ftruncate(fd, 64), 0);
  ck_assert_int_eq(pwrite(fd, "plain", 5, 0), 5);
  ck_assert_int_eq(close(fd), 0);
  segment = open_segment(name(), NULL);
  ck_assert_uint_eq(shmkit_segment_size(segment), 64);
  assert_bytes(segment, 0, "plain");
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_taken_name_is_left_alone) {
  shmkit_segment *segment = create(name(), 8, NULL), *second = NULL;
  assert_done(shmkit_segment_write(segment, 0, "mine", 4));
  assert_fails(-EEXIST, shmkit_segment_create(name(), 16 * MIB, NULL, &second));
  assert_fails(-EEXIST, shmkit_segment_create(name(), 1, NULL, &second));
  assert_message_has("open_or_create");
  assert_bytes(segment, 0, "mine");
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(open_or_create_tells_which_it_was) {
  shmkit_segment *first = NULL, *second = NULL, *third = NULL;
  assert_done(shmkit_segment_open_or_create(name(), 100, NULL, &first));
  ck_assert(shmkit_segment_created(first));
  assert_done(shmkit_segment_open_or_create(name(), 50, NULL, &second));
  ck_assert(!shmkit_segment_created(second));
  ck_assert_uint_eq(shmkit_segment_size(second), 100);
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open_or_create(name(), 101, NULL, &third));
  assert_message_has("100");
  assert_message_has("101");
  shmkit_segment_free(second);
  assert_done(shmkit_segment_unlink(first));
  shmkit_segment_free(first);
}
END_TEST

START_TEST(sizes_that_cannot_be_are_refused) {
  static const shmkit_segment_options sparse = {.flags = SHMKIT_SPARSE};
  static const uint64_t huge[] = {UINT64_MAX, (uint64_t)INT64_MAX + 1, INT64_MAX, 1ULL << 62,
                                  1ULL << 48};
  shmkit_segment *segment = NULL;
  assert_fails(-EINVAL, shmkit_segment_create(name(), 0, NULL, &segment));
  assert_fails(-EINVAL, shmkit_segment_create("memfd:x", 0, NULL, &segment));
  assert_fails(-EINVAL, shmkit_segment_create(sysv_address(), 0, NULL, &segment));
  for (size_t i = 0; i < COUNT(huge); i++) {
    shmkit_status status = shmkit_segment_create(name(), huge[i], NULL, &segment);
    ck_assert_msg(status < 0, "%llx bytes: %d", (unsigned long long)huge[i], status);
    if (huge[i] > INT64_MAX) ck_assert_int_eq(status, -EINVAL);
    ck_assert_int_lt(shmkit_segment_create(name(), huge[i], &sparse, &segment), 0);
    ck_assert_int_lt(shmkit_segment_create("memfd:x", huge[i], &sparse, &segment), 0);
    ck_assert_int_lt(shmkit_segment_create(sysv_address(), huge[i], &sparse, &segment), 0);
    ck_assert_int_lt(shmkit_segment_open_or_create(name(), huge[i], NULL, &segment), 0);
  }
  ck_assert_ptr_null(segment);
}
END_TEST

START_TEST(content_is_there_when_the_name_appears) {
  const shmkit_segment_options options = {.content = "content", .content_size = 7};
  static const char *const addresses[] = {"memfd:x", NULL, "sysv:private"};
  for (size_t i = 0; i < COUNT(addresses); i++) {
    shmkit_segment *segment = create(addresses[i] != NULL ? addresses[i] : name(), 8, &options);
    ck_assert_mem_eq(shmkit_segment_data(segment), "content\0", 8);
    if (i > 0) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
  }
  shmkit_segment *segment = NULL;
  assert_fails(-EINVAL, shmkit_segment_create(name(), 6, &options, &segment));
  const shmkit_segment_options missing = {.content_size = 1};
  assert_fails(-EINVAL, shmkit_segment_create(name(), 6, &missing, &segment));
}
END_TEST

static void assert_mode(const char *address, mode_t mode, mode_t mask) {
  struct stat status;
  int fd = -1;
  const shmkit_segment_options options = {.mode = (uint32_t)mode};
  mode_t before = umask(mask);
  shmkit_segment *segment = create(address, 8, &options);
  (void)umask(before);
  assert_done(shmkit_segment_fileno(segment, &fd));
  ck_assert_int_eq(fstat(fd, &status), 0);
  ck_assert_msg((status.st_mode & 07777) == (mode != 0 ? mode : 0600), "%s: mode %o, not %o",
                address, status.st_mode & 07777, mode);
  if (shmkit_segment_kind(segment) != SHMKIT_MEMFD) assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

START_TEST(the_mode_is_exact_whatever_the_umask) {
  static const mode_t modes[] = {0, 0600, 0644, 0666, 0400, 0777, 0001};
  static const mode_t masks[] = {0, 022, 077, 0777};
  for (size_t i = 0; i < COUNT(modes); i++) {
    for (size_t j = 0; j < COUNT(masks); j++) {
      assert_mode(name(), modes[i], masks[j]);
      assert_mode("memfd:x", modes[i], masks[j]);
    }
  }
}
END_TEST

START_TEST(options_that_do_not_apply_to_creating_are_refused) {
  static const struct {
    shmkit_status status;
    const char *address; /* NULL: a posix one */
    shmkit_segment_options options;
  } bad[] = {
      {-EINVAL, NULL, {.flags = SHMKIT_READONLY}},
      {-EINVAL, NULL, {.flags = SHMKIT_ANY_OWNER}},
      {-EINVAL, NULL, {.flags = 1U << 31}},
      {-EINVAL, NULL, {.mode = 01777}},
      {-EINVAL, NULL, {.mode = 04600}},
      {-EINVAL, NULL, {.lifetime = 3}},
      {-EINVAL, NULL, {.capacity = UINT64_MAX}},
      {SHMKIT_ERR_UNSUPPORTED, NULL, {.flags = SHMKIT_HUGE_PAGES}},
      {SHMKIT_ERR_UNSUPPORTED, NULL, {.seals = SHMKIT_SEAL_SHRINK}},
      {SHMKIT_ERR_UNSUPPORTED, "memfd:x", {.lifetime = SHMKIT_LAST}},
      {SHMKIT_ERR_UNSUPPORTED, "memfd:x", {.lifetime = SHMKIT_CREATOR}},
      {-EINVAL, "memfd:x", {.seals = 0x8000}},
      {SHMKIT_ERR_UNSUPPORTED, "sysv:private", {.lifetime = SHMKIT_LAST}},
      {SHMKIT_ERR_UNSUPPORTED, "sysv:private", {.capacity = MIB}},
      {SHMKIT_ERR_UNSUPPORTED, "sysv:private", {.seals = SHMKIT_SEAL_SHRINK}},
      {-EINVAL, "sysv:id=1", {.flags = 0}},
      {SHMKIT_ERR_UNSUPPORTED, "fd:0", {.flags = 0}},
  };
  for (size_t i = 0; i < COUNT(bad); i++) {
    shmkit_segment *segment = NULL;
    assert_fails(bad[i].status, shmkit_segment_create(bad[i].address ? bad[i].address : name(), 8,
                                                      &bad[i].options, &segment));
  }
}
END_TEST

START_TEST(options_that_do_not_apply_to_opening_are_refused) {
  static const shmkit_segment_options bad[] = {
      {.flags = SHMKIT_SPARSE},  {.flags = SHMKIT_HUGE_PAGES}, {.flags = 1U << 31}, {.mode = 0600},
      {.lifetime = SHMKIT_LAST}, {.seals = SHMKIT_SEAL_SEAL},  {.content = ""},
  };
  shmkit_segment *segment = create(name(), 8, NULL), *opened = NULL;
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_fails(-EINVAL, shmkit_segment_open(name(), &bad[i], &opened));
  }
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_open("memfd:x", NULL, &opened));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_unlink("memfd:x"));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_unlink("fd:0"));
}
END_TEST

START_TEST(populated_memory_is_there) {
  const shmkit_segment_options options = {.flags = SHMKIT_POPULATE};
  const shmkit_segment_options readonly = {.flags = SHMKIT_POPULATE | SHMKIT_READONLY};
  unsigned char resident[4];
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  shmkit_segment *segment = create(name(), 4 * page, &options);
  ck_assert_int_eq(mincore(shmkit_segment_data(segment), 4 * page, resident), 0);
  for (size_t i = 0; i < 4; i++) ck_assert_uint_eq(resident[i] & 1, 1);
  shmkit_segment_free(open_segment(name(), &readonly));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_sparse_segment_takes_no_room) {
  const shmkit_segment_options options = {.flags = SHMKIT_SPARSE};
  struct stat status;
  shmkit_segment *segment = create(name(), 64 * MIB, &options);
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_eq(status.st_size, 64 * MIB);
  ck_assert_int_le(status.st_blocks * 512, 64 * KIB);
  assert_done(shmkit_segment_write(segment, 32 * MIB, "middle", 6));
  assert_bytes(segment, 32 * MIB, "middle");
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  segment = create(name(), 1 * MIB, NULL);
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_ge(status.st_blocks * 512, 1 * MIB);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(the_creator_is_written_down) {
  shmkit_creator creator;
  char comm[32] = "";
  int fd = open("/proc/self/comm", O_RDONLY);
  ck_assert_int_gt(read(fd, comm, sizeof comm - 1), 0);
  ck_assert_int_eq(close(fd), 0);
  comm[strcspn(comm, "\n")] = '\0';
  shmkit_segment *segment = create(name(), 8, NULL);
  shmkit_status status = shmkit_segment_creator(segment, &creator);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  if (status == SHMKIT_ERR_UNSUPPORTED) return; /* before Linux 6.6 */
  assert_done(status);
  ck_assert_int_eq(creator.pid, getpid());
  ck_assert_uint_gt(creator.start, 0);
  ck_assert_uint_gt(creator.pid_namespace, 0);
  ck_assert_uint_eq(strlen(creator.boot), 36);
  ck_assert_str_eq(creator.program, comm);
}
END_TEST

START_TEST(a_creator_that_makes_no_sense_is_not_believed) {
  static const char *const bad[] = {
      "",
      "1",
      "1 2",
      "2 1 2 3 boot program",
      "1 -5 2 3 boot program",
      "1 0 2 3 boot program",
      "1 x y z boot program",
      "1 1 2 3 boot",
      "1 1 2 3 boot a-name-of-more-than-15-bytes",
      "1 1 2 3 0123456789012345678901234567890123456789 program",
      "1 99999999999999999999999 2 3 boot program",
      "1 1 2 3 boot esc\x1b[2J",
      "1 1 2 3 bo\x1bot program",
      "1 1 2 3 boot line\nfeed",
  };
  shmkit_creator creator = {.pid = 77};
  char large[1000];
  int fd = shm_open(name(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ck_assert_int_eq(ftruncate(fd, 8), 0);
  shmkit_segment *segment = open_segment(name(), NULL);
  if (fsetxattr(fd, "user.shmkit.creator", "", 0, 0) == 0) {
    for (size_t i = 0; i < COUNT(bad); i++) {
      ck_assert_int_eq(fsetxattr(fd, "user.shmkit.creator", bad[i], strlen(bad[i]), 0), 0);
      ck_assert_msg(shmkit_segment_creator(segment, &creator) == SHMKIT_ERR_CORRUPT, "\"%s\"",
                    bad[i]);
    }
    memset(large, '1', sizeof large);
    ck_assert_int_eq(fsetxattr(fd, "user.shmkit.creator", large, sizeof large, 0), 0);
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_creator(segment, &creator));
    ck_assert_int_eq(fsetxattr(fd, "user.shmkit.creator", "1 1 2 3 - a\0b", 13, 0), 0);
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_creator(segment, &creator));
    ck_assert_int_eq(fremovexattr(fd, "user.shmkit.creator"), 0);
    assert_fails(-ENOENT, shmkit_segment_creator(segment, &creator));
    ck_assert_int_eq(creator.pid, 77);
  }
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_new_segment_has_the_properties_asked_for,
      its_bytes_are_zero_and_everybody_has_the_same,
      any_program_that_knows_shm_open_is_a_peer,
      a_taken_name_is_left_alone,
      open_or_create_tells_which_it_was,
      sizes_that_cannot_be_are_refused,
      content_is_there_when_the_name_appears,
      the_mode_is_exact_whatever_the_umask,
      options_that_do_not_apply_to_creating_are_refused,
      options_that_do_not_apply_to_opening_are_refused,
      populated_memory_is_there,
      a_sparse_segment_takes_no_room,
      the_creator_is_written_down,
      a_creator_that_makes_no_sense_is_not_believed,
  };
  return run_cases("segment", cases, COUNT(cases), argc, argv);
}
