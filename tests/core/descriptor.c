/* SPDX-License-Identifier: MIT */
/* Programs that close all descriptors behind shmkit's back, and what got their numbers since. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fileno_of(shmkit_segment *segment) {
  int fd = -1;
  assert_done(shmkit_segment_fileno(segment, &fd));
  ck_assert_int_ge(fd, 0);
  return fd;
}

/* A file of the user's own, under this very number. */
static void put_foreign_file_at(int fd) {
  int file = memfd_create("foreign", 0);
  ck_assert_int_eq(ftruncate(file, 4096), 0);
  ck_assert_int_eq(dup2(file, fd), fd);
  if (file != fd) ck_assert_int_eq(close(file), 0);
}

static void assert_untouched(int fd) {
  static const char zeros[4096];
  char bytes[4096];
  struct stat status;
  ck_assert_int_eq(fstat(fd, &status), 0);
  ck_assert_int_eq(status.st_size, 4096);
  ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0), sizeof bytes);
  ck_assert_mem_eq(bytes, zeros, sizeof bytes);
}

START_TEST(the_descriptor_closes_on_exec) {
  shmkit_segment *segment = create(name(), 8, NULL);
  ck_assert_int_eq(fcntl(fileno_of(segment), F_GETFD), FD_CLOEXEC);
  shmkit_segment *opened = open_segment(name(), NULL);
  ck_assert_int_eq(fcntl(fileno_of(opened), F_GETFD), FD_CLOEXEC);
  shmkit_segment_free(opened);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  segment = create("memfd:x", 8, NULL);
  ck_assert_int_eq(fcntl(fileno_of(segment), F_GETFD), FD_CLOEXEC);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_closed_descriptor_is_opened_again_by_name) {
  const shmkit_segment_options roomy = {.capacity = MIB};
  shmkit_segment *segment = create(name(), 8, &roomy);
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  ck_assert_mem_eq(shmkit_segment_data(segment), "hello", 5);
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  assert_done(shmkit_segment_refresh(segment));
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  assert_done(shmkit_segment_grow(segment, 64 * KIB));
  ck_assert_uint_eq(shmkit_segment_size(segment), 64 * KIB);
  ck_assert_int_eq(fcntl(fileno_of(segment), F_GETFD), FD_CLOEXEC);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_file_behind_a_symbolic_link_is_opened_again_too) {
  char address[300];
  shmkit_segment *made = create(name(), 8, NULL);
  const char *link = path_of(other_name("link"));
  ck_assert_int_eq(symlink(path_of(name()), link), 0);
  (void)snprintf(address, sizeof address, "file:%s", link);
  shmkit_segment *segment = open_segment(address, NULL);
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  assert_done(shmkit_segment_refresh(segment));
  shmkit_segment_free(segment);
  ck_assert_int_eq(unlink(link), 0);
  assert_done(shmkit_segment_unlink(made));
  shmkit_segment_free(made);
}
END_TEST

START_TEST(a_foreign_file_under_the_number_is_never_touched) {
  const shmkit_segment_options roomy = {.capacity = MIB};
  static const char *const addresses[] = {NULL, "memfd:x"};
  for (size_t i = 0; i < COUNT(addresses); i++) {
    shmkit_segment *segment = create(addresses[i] != NULL ? addresses[i] : name(), 8, &roomy);
    int fd = fileno_of(segment), other = -1;
    put_foreign_file_at(fd);
    assert_done(shmkit_segment_write(segment, 0, "hello", 5));
    assert_bytes(segment, 0, "hello");
    ck_assert_mem_eq(shmkit_segment_data(segment), "hello", 5);
    shmkit_status found = shmkit_segment_fileno(segment, &other);
    if (addresses[i] == NULL) {
      assert_done(found);
      ck_assert_int_ne(other, fd);
      assert_done(shmkit_segment_refresh(segment));
      assert_done(shmkit_segment_grow(segment, 64 * KIB));
      assert_done(shmkit_segment_unlink(segment));
    } else {
      /* Nothing leads to a memfd but its descriptor. */
      assert_fails(-ESTALE, found);
      assert_message_has("closed by other code");
      assert_fails(-ESTALE, shmkit_segment_refresh(segment));
      assert_fails(-ESTALE, shmkit_segment_grow(segment, 64 * KIB));
      assert_fails(-ESTALE, shmkit_segment_seal(segment, SHMKIT_SEAL_SHRINK));
    }
    shmkit_segment_free(segment);
    assert_untouched(fd);
    ck_assert_int_eq(close(fd), 0);
  }
}
END_TEST

START_TEST(the_same_file_opened_by_the_user_under_the_number_stays_open) {
  shmkit_segment *segment = create(name(), 8, NULL);
  int fd = fileno_of(segment);
  ck_assert_int_eq(close(fd), 0);
  int users = open(path_of(name()), O_RDWR | O_CLOEXEC);
  if (users != fd) {
    ck_assert_int_eq(dup3(users, fd, O_CLOEXEC), fd);
    ck_assert_int_eq(close(users), 0);
  }
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_close(segment);
  shmkit_segment_free(segment);
  char bytes[5];
  ck_assert_int_eq(pread(fd, bytes, 5, 0), 5);
  ck_assert_mem_eq(bytes, "hello", 5);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_name_that_leads_elsewhere_is_not_taken_for_the_segment) {
  shmkit_segment *segment = create(name(), 8, NULL);
  assert_done(shmkit_unlink(name()));
  shmkit_segment *second = create(name(), 16, NULL);
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  int fd = -1;
  assert_fails(-ESTALE, shmkit_segment_fileno(segment, &fd));
  assert_fails(-ESTALE, shmkit_segment_refresh(segment));
  assert_done(shmkit_segment_write(segment, 0, "mine", 4));
  assert_bytes(segment, 0, "mine");
  assert_bytes(second, 0, "");
  ck_assert_int_eq(*(const char *)shmkit_segment_data(second), 0);
  /* Nor is it unlinked. */
  assert_done(shmkit_segment_unlink(segment));
  ck_assert(exists(path_of(name())));
  shmkit_segment_free(segment);
  assert_done(shmkit_segment_unlink(second));
  shmkit_segment_free(second);
}
END_TEST

START_TEST(a_last_segment_keeps_its_presence_when_its_descriptor_is_closed) {
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  shmkit_segment *segment = create(name(), 8, &last);
  ck_assert_int_eq(close(fileno_of(segment)), 0);
  /* Were it taken for stale, opening would remove it. */
  shmkit_segment *second = open_segment(name(), NULL);
  shmkit_segment_free(second);
  ck_assert(exists(path_of(name())));
  shmkit_segment_free(segment);
  ck_assert(!exists(path_of(name())));
}
END_TEST

START_TEST(bad_descriptors_are_refused) {
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  shmkit_segment *segment = NULL;
  char address[32];
  assert_fails(-EBADF, shmkit_segment_open("fd:1000000", NULL, &segment));
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  (void)snprintf(address, sizeof address, "fd:%d", ends[0]);
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open(address, &readonly, &segment));
  ck_assert_int_eq(close(ends[0]), 0);
  ck_assert_int_eq(close(ends[1]), 0);
  static const struct {
    int flags;
    shmkit_status status;
  } bad[] = {{O_WRONLY, -EACCES}, {O_RDONLY, -EACCES}, {O_PATH, -EBADF}};
  shmkit_segment *made = create(name(), 8, NULL);
  for (size_t i = 0; i < COUNT(bad); i++) {
    int fd = open(path_of(name()), bad[i].flags | O_CLOEXEC);
    (void)snprintf(address, sizeof address, "fd:%d", fd);
    assert_fails(bad[i].status, shmkit_segment_open(address, NULL, &segment));
    ck_assert_int_eq(close(fd), 0);
  }
  assert_done(shmkit_segment_unlink(made));
  shmkit_segment_free(made);
}
END_TEST

START_TEST(an_opened_descriptor_stays_the_callers) {
  char address[32];
  int fd = memfd_create("users", MFD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, 100), 0);
  (void)snprintf(address, sizeof address, "fd:%d", fd);
  shmkit_segment *segment = open_segment(address, NULL);
  ck_assert_str_eq(shmkit_segment_address(segment), address);
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_FD);
  ck_assert_int_ne(fileno_of(segment), fd);
  ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  char bytes[5];
  ck_assert_int_eq(pread(fd, bytes, 5, 0), 5);
  ck_assert_mem_eq(bytes, "hello", 5);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(who_shares_the_descriptor_may_make_it_block) {
  unsigned open_before = open_descriptors();
  shmkit_segment *segment = create(name(), 16, NULL);
  int copy = dup(fileno_of(segment));
  ck_assert_int_eq(fcntl(copy, F_SETFL, 0), 0);
  ck_assert_int_eq(close(copy), 0);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  ck_assert_uint_eq(open_descriptors(), open_before);
}
END_TEST

START_TEST(the_numbers_of_the_standard_streams_are_not_taken) {
  int stream = dup(0);
  ck_assert_int_eq(close(0), 0);
  shmkit_segment *created = create(name(), 16, NULL), *opened = open_segment(name(), NULL);
  shmkit_segment *memfd = create("memfd:x", 16, NULL);
  ck_assert_int_gt(fileno_of(created), 2);
  ck_assert_int_gt(fileno_of(opened), 2);
  ck_assert_int_gt(fileno_of(memfd), 2);
  ck_assert_int_eq(dup2(stream, 0), 0);
  ck_assert_int_eq(close(stream), 0);
  assert_done(shmkit_segment_unlink(created));
  shmkit_segment_free(memfd);
  shmkit_segment_free(opened);
  shmkit_segment_free(created);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      the_descriptor_closes_on_exec,
      a_closed_descriptor_is_opened_again_by_name,
      a_file_behind_a_symbolic_link_is_opened_again_too,
      a_foreign_file_under_the_number_is_never_touched,
      the_same_file_opened_by_the_user_under_the_number_stays_open,
      a_name_that_leads_elsewhere_is_not_taken_for_the_segment,
      a_last_segment_keeps_its_presence_when_its_descriptor_is_closed,
      bad_descriptors_are_refused,
      who_shares_the_descriptor_may_make_it_block,
      the_numbers_of_the_standard_streams_are_not_taken,
      an_opened_descriptor_stays_the_callers,
  };
  return run_cases("descriptor", cases, COUNT(cases), argc, argv);
}
