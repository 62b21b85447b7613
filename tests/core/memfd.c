/* SPDX-License-Identifier: MIT */
/* Anonymous segments: seals, and huge pages where the machine has some. */
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
  return fd;
}

static uint32_t seals_of(shmkit_segment *segment) {
  uint32_t seals = 0;
  assert_done(shmkit_segment_seals(segment, &seals));
  return seals & (SHMKIT_SEAL_SEAL | SHMKIT_SEAL_SHRINK | SHMKIT_SEAL_GROW | SHMKIT_SEAL_WRITE |
                  SHMKIT_SEAL_FUTURE_WRITE);
}

START_TEST(a_memfd_has_no_name_but_a_descriptor) {
  char address[32];
  shmkit_segment *segment = create("memfd:frames", 100, NULL);
  ck_assert_str_eq(shmkit_segment_address(segment), "memfd:frames");
  ck_assert_str_eq(shmkit_segment_name(segment), "frames");
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_MEMFD);
  ck_assert_uint_eq(seals_of(segment), 0);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_unlink(segment));
  (void)snprintf(address, sizeof address, "fd:%d", fileno_of(segment));
  shmkit_segment *other = open_segment(address, NULL);
  assert_done(shmkit_segment_write(other, 0, "hello", 5));
  assert_bytes(segment, 0, "hello");
  shmkit_segment_free(other);
  /* Two with one name are two. */
  shmkit_segment *namesake = NULL;
  assert_done(shmkit_segment_open_or_create("memfd:frames", 100, NULL, &namesake));
  ck_assert(shmkit_segment_created(namesake));
  shmkit_segment_free(namesake);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(each_seal_can_be_asked_for_at_creation) {
  static const uint32_t each[] = {SHMKIT_SEAL_SEAL,
                                  SHMKIT_SEAL_SHRINK,
                                  SHMKIT_SEAL_GROW,
                                  SHMKIT_SEAL_WRITE,
                                  SHMKIT_SEAL_FUTURE_WRITE,
                                  SHMKIT_SEAL_FUTURE_WRITE | SHMKIT_SEAL_SEAL | SHMKIT_SEAL_SHRINK |
                                      SHMKIT_SEAL_GROW};
  for (size_t i = 0; i < COUNT(each); i++) {
    const shmkit_segment_options options = {.seals = each[i]};
    shmkit_segment *segment = create("memfd:x", 100, &options);
    ck_assert_uint_eq(seals_of(segment), each[i]);
    ck_assert(shmkit_segment_readonly(segment) == ((each[i] & SHMKIT_SEAL_WRITE) != 0));
    shmkit_segment_free(segment);
  }
}
END_TEST

START_TEST(seals_are_enforced) {
  const shmkit_segment_options options = {.seals = SHMKIT_SEAL_SHRINK | SHMKIT_SEAL_SEAL};
  shmkit_segment *segment = create("memfd:x", 100, &options);
  ck_assert_int_eq(ftruncate(fileno_of(segment), 10), -1);
  ck_assert_int_eq(errno, EPERM);
  assert_fails(-EPERM, shmkit_segment_seal(segment, SHMKIT_SEAL_GROW));
  assert_message_has("sealed");
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(seals_can_be_added_later) {
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  assert_done(shmkit_segment_seal(segment, SHMKIT_SEAL_SHRINK));
  assert_done(shmkit_segment_seal(segment, SHMKIT_SEAL_GROW | SHMKIT_SEAL_SHRINK));
  ck_assert_uint_eq(seals_of(segment), SHMKIT_SEAL_SHRINK | SHMKIT_SEAL_GROW);
  assert_fails(-EBUSY, shmkit_segment_seal(segment, SHMKIT_SEAL_WRITE));
  assert_fails(-EINVAL, shmkit_segment_seal(segment, 0x8000));
  assert_done(shmkit_segment_seal(segment, SHMKIT_SEAL_SEAL));
  assert_fails(-EPERM, shmkit_segment_seal(segment, SHMKIT_SEAL_FUTURE_WRITE));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(sealed_against_writing_it_has_its_content_for_ever) {
  const shmkit_segment_options options = {
      .seals = SHMKIT_SEAL_WRITE, .content = "for ever", .content_size = 8};
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  char address[32];
  shmkit_segment *segment = create("memfd:x", 100, &options), *other = NULL;
  assert_bytes(segment, 0, "for ever");
  assert_fails(-EACCES, shmkit_segment_write(segment, 0, "x", 1));
  (void)snprintf(address, sizeof address, "fd:%d", fileno_of(segment));
  assert_fails(-EACCES, shmkit_segment_open(address, NULL, &other));
  assert_message_has("read-only");
  other = open_segment(address, &readonly);
  assert_bytes(other, 0, "for ever");
  shmkit_segment_free(other);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(the_creator_goes_on_writing_what_nobody_else_may) {
  const shmkit_segment_options options = {.seals = SHMKIT_SEAL_FUTURE_WRITE};
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  char address[32];
  shmkit_segment *segment = create("memfd:x", 100, &options), *other = NULL;
  assert_done(shmkit_segment_write(segment, 0, "by copy", 7));
  (void)strcpy((char *)shmkit_segment_data(segment) + 50, "in place");
  (void)snprintf(address, sizeof address, "fd:%d", fileno_of(segment));
  assert_fails(-EPERM, shmkit_segment_open(address, NULL, &other));
  other = open_segment(address, &readonly);
  assert_bytes(other, 0, "by copy");
  assert_bytes(other, 50, "in place");
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_write(segment, 99, "xx", 2));
  shmkit_segment_free(other);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(only_a_memfd_has_seals) {
  uint32_t seals;
  shmkit_segment *segment = create(name(), 8, NULL), *sysv = create("sysv:private", 8, NULL);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_seal(segment, SHMKIT_SEAL_SHRINK));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_seals(segment, &seals));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_seal(sysv, SHMKIT_SEAL_SHRINK));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_seals(sysv, &seals));
  /* Linux answers for any file on a tmpfs. */
  char address[32];
  (void)snprintf(address, sizeof address, "fd:%d", fileno_of(segment));
  shmkit_segment *again = open_segment(address, NULL);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_seals(again, &seals));
  shmkit_segment_free(again);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  assert_done(shmkit_segment_unlink(sysv));
  shmkit_segment_free(sysv);
}
END_TEST

START_TEST(a_read_only_holder_cannot_seal) {
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  char address[32];
  shmkit_segment *segment = create("memfd:x", 8, NULL);
  (void)snprintf(address, sizeof address, "fd:%d", fileno_of(segment));
  shmkit_segment *reader = open_segment(address, &readonly);
  assert_fails(-EPERM, shmkit_segment_seal(reader, SHMKIT_SEAL_SHRINK));
  assert_message_has("read-only");
  shmkit_segment_free(reader);
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_memfd_has_no_name_but_a_descriptor,
      each_seal_can_be_asked_for_at_creation,
      seals_are_enforced,
      seals_can_be_added_later,
      sealed_against_writing_it_has_its_content_for_ever,
      the_creator_goes_on_writing_what_nobody_else_may,
      only_a_memfd_has_seals,
      a_read_only_holder_cannot_seal,
  };
  return run_cases("memfd", cases, COUNT(cases), argc, argv);
}
