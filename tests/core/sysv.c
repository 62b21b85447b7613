/* SPDX-License-Identifier: MIT */
/* System V segments: by key, by identifier, without a key; and what they cannot do. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static void end(shmkit_segment *segment) {
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

START_TEST(a_key_leads_to_one_segment) {
  shmkit_segment *segment = create(sysv_address(), 5000, NULL), *second = NULL;
  ck_assert_str_eq(shmkit_segment_address(segment), sysv_address());
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_SYSV);
  ck_assert_uint_eq(shmkit_segment_size(segment), 5000);
  ck_assert_uint_eq(shmkit_segment_capacity(segment), 5000);
  assert_fails(-EEXIST, shmkit_segment_create(sysv_address(), 5000, NULL, &second));
  shmkit_segment *opened = open_segment(sysv_address(), NULL);
  ck_assert(!shmkit_segment_created(opened));
  assert_done(shmkit_segment_write(segment, 4995, "hello", 5));
  assert_bytes(opened, 4995, "hello");
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_write(opened, 4996, "hello", 5));
  assert_done(shmkit_segment_refresh(opened));
  shmkit_segment_free(opened);
  end(segment);
}
END_TEST

START_TEST(an_identifier_leads_to_it_too) {
  char address[32];
  shmkit_segment *segment = create(sysv_address(), 100, NULL);
  int id = shmget(sysv_key(), 0, 0);
  (void)snprintf(address, sizeof address, "sysv:id=%d", id);
  shmkit_segment *opened = open_segment(address, NULL);
  ck_assert_str_eq(shmkit_segment_address(opened), address);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(opened, 0, "hello");
  shmkit_segment_free(opened);
  assert_done(shmkit_unlink(address));
  shmkit_segment_free(segment);
  assert_fails(-ENOENT, shmkit_segment_open(address, NULL, &opened));
  assert_fails(-ENOENT, shmkit_unlink(address));
}
END_TEST

START_TEST(a_private_one_is_known_by_its_identifier) {
  shmkit_segment *segment = create("sysv:private", 100, NULL), *second = NULL;
  ck_assert_int_eq(strncmp(shmkit_segment_address(segment), "sysv:id=", 8), 0);
  shmkit_segment *opened = open_segment(shmkit_segment_address(segment), NULL);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(opened, 0, "hello");
  shmkit_segment_free(opened);
  assert_fails(-EINVAL, shmkit_segment_open("sysv:private", NULL, &opened));
  assert_fails(-EINVAL, shmkit_unlink("sysv:private"));
  assert_done(shmkit_segment_open_or_create("sysv:private", 100, NULL, &second));
  ck_assert(shmkit_segment_created(second));
  ck_assert_str_ne(shmkit_segment_address(second), shmkit_segment_address(segment));
  end(second);
  end(segment);
}
END_TEST

START_TEST(any_program_that_knows_shmget_is_a_peer) {
  int id = shmget(sysv_key(), 100, IPC_CREAT | IPC_EXCL | 0600);
  ck_assert_int_ge(id, 0);
  char *memory = shmat(id, NULL, 0);
  (void)strcpy(memory, "plain");
  shmkit_segment *segment = NULL;
  assert_done(shmkit_segment_open_or_create(sysv_address(), 100, NULL, &segment));
  ck_assert(!shmkit_segment_created(segment));
  assert_bytes(segment, 0, "plain");
  assert_fails(SHMKIT_ERR_INCOMPATIBLE,
               shmkit_segment_open_or_create(sysv_address(), 200, NULL, &segment));
  ck_assert_int_eq(shmdt(memory), 0);
  end(segment);
}
END_TEST

START_TEST(removal_frees_the_key_while_others_go_on) {
  shmkit_segment *segment = create(sysv_address(), 100, NULL), *opened = NULL;
  assert_done(shmkit_segment_write(segment, 0, "old", 3));
  assert_done(shmkit_unlink(sysv_address()));
  assert_fails(-ENOENT, shmkit_segment_open(sysv_address(), NULL, &opened));
  assert_fails(-ENOENT, shmkit_unlink(sysv_address()));
  shmkit_segment *second = create(sysv_address(), 100, NULL);
  assert_bytes(segment, 0, "old");
  /* The first object's key leads elsewhere by now: unlinking it leaves the second alone. */
  assert_done(shmkit_segment_unlink(segment));
  opened = open_segment(sysv_address(), NULL);
  shmkit_segment_free(opened);
  shmkit_segment_free(segment);
  end(second);
}
END_TEST

START_TEST(a_read_only_attachment_cannot_write) {
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  shmkit_segment *segment = create(sysv_address(), 100, NULL);
  shmkit_segment *reader = open_segment(sysv_address(), &readonly);
  assert_fails(-EACCES, shmkit_segment_write(reader, 0, "x", 1));
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(reader, 0, "hello");
  shmkit_segment_free(reader);
  end(segment);
}
END_TEST

START_TEST(what_it_cannot_do_is_said) {
  const shmkit_segment_options capacity = {.capacity = MIB};
  const shmkit_segment_options enough = {.capacity = 50};
  const shmkit_segment_options owner = {.flags = SHMKIT_ANY_OWNER};
  shmkit_segment *segment = create(sysv_address(), 100, NULL), *opened = NULL;
  int fd = -1;
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_fileno(segment, &fd));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_grow(segment, 200));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_open(sysv_address(), &capacity, &opened));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_open(sysv_address(), &owner, &opened));
  opened = open_segment(sysv_address(), &enough);
  ck_assert_uint_eq(shmkit_segment_capacity(opened), 100);
  shmkit_segment_free(opened);
  struct shmid_ds status;
  ck_assert_int_eq(shmctl(shmget(sysv_key(), 0, 0), IPC_STAT, &status), 0);
  ck_assert_uint_eq(status.shm_nattch, 1);
  end(segment);
}
END_TEST

START_TEST(its_maker_is_known_by_process) {
  shmkit_creator creator;
  shmkit_segment *segment = create(sysv_address(), 100, NULL);
  assert_done(shmkit_segment_creator(segment, &creator));
  ck_assert_int_eq(creator.pid, getpid());
  ck_assert_uint_eq(creator.start, 0);
  ck_assert_str_eq(creator.program, "");
  end(segment);
}
END_TEST

START_TEST(its_mode_is_exact) {
  const shmkit_segment_options options = {.mode = 0646};
  struct shmid_ds status;
  mode_t before = umask(0777);
  shmkit_segment *segment = create(sysv_address(), 100, &options);
  (void)umask(before);
  ck_assert_int_eq(shmctl(shmget(sysv_key(), 0, 0), IPC_STAT, &status), 0);
  ck_assert_int_eq(status.shm_perm.mode & 0777, 0646);
  end(segment);
}
END_TEST

START_TEST(the_creators_segment_goes_with_him) {
  const shmkit_segment_options creator = {.lifetime = SHMKIT_CREATOR};
  shmkit_segment *segment = create(sysv_address(), 100, &creator);
  shmkit_segment *opened = open_segment(sysv_address(), NULL);
  shmkit_segment_free(segment);
  ck_assert_int_eq(shmget(sysv_key(), 0, 0), -1);
  assert_bytes(opened, 0, "");
  shmkit_segment_free(opened);
}
END_TEST

START_TEST(limits_are_named) {
  const shmkit_segment_options sparse = {.flags = SHMKIT_SPARSE};
  static const uint64_t huge[] = {1ULL << 52, INT64_MAX, (1ULL << 32) + 1, UINT64_MAX / 2};
  shmkit_segment *segment = NULL;
  for (size_t i = 0; i < COUNT(huge); i++) {
    shmkit_status status = shmkit_segment_create("sysv:private", huge[i], &sparse, &segment);
    if (status == 0) {
      /* There may be room for as much; then it is as much. */
      ck_assert_uint_eq(shmkit_segment_size(segment), huge[i]);
      end(segment);
      continue;
    }
    ck_assert_msg(status == -EFBIG || status == -ENOSPC || status == -ENOMEM, "%d", status);
    ck_assert_str_ne(shmkit_error_message(), "");
  }
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_key_leads_to_one_segment,
      an_identifier_leads_to_it_too,
      a_private_one_is_known_by_its_identifier,
      any_program_that_knows_shmget_is_a_peer,
      removal_frees_the_key_while_others_go_on,
      a_read_only_attachment_cannot_write,
      what_it_cannot_do_is_said,
      its_maker_is_known_by_process,
      its_mode_is_exact,
      the_creators_segment_goes_with_him,
      limits_are_named,
  };
  return run_cases("sysv", cases, COUNT(cases), argc, argv);
}
