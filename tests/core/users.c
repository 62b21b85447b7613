/* SPDX-License-Identifier: MIT */
/* Several users on one machine: what is another's, and what somebody may have put in one's place.
 * Needs root, who can become others. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
static const shmkit_segment_options any_owner = {.flags = SHMKIT_ANY_OWNER};

static void as_nobody(void (*body)(void)) {
  ck_assert(become_nobody());
  body();
}

static void run_as_nobody(void *body) {
  as_nobody(*(void (**)(void))body);
}

/* Run in a child that is the user nobody. */
static void nobody_does(void (*body)(void)) {
  finish(start(run_as_nobody, (void *)&body));
}

static void make_ours(uint32_t mode) {
  const shmkit_segment_options options = {.mode = mode, .content = "root's", .content_size = 6};
  shmkit_segment_free(create(name(), 8, &options));
}

static void may_do_nothing(void) {
  shmkit_segment *segment = NULL;
  assert_fails(-EACCES, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has("permission");
  assert_message_has(name());
  assert_fails(-EACCES, shmkit_segment_open(name(), &readonly, &segment));
  assert_fails(-EACCES, shmkit_segment_open_or_create(name(), 8, NULL, &segment));
  assert_fails(-EEXIST, shmkit_segment_create(name(), 8, NULL, &segment));
  shmkit_status status = shmkit_unlink(name());
  ck_assert(status == -EACCES || status == -EPERM);
  assert_message_has("permission");
}

START_TEST(what_is_closed_to_others_is_refused_to_them) {
  make_ours(0600);
  nobody_does(may_do_nothing);
  assert_done(shmkit_unlink(name()));
}
END_TEST

static void may_read(void) {
  shmkit_segment *segment = NULL;
  assert_fails(-EACCES, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has("read-only");
  segment = open_segment(name(), &readonly);
  assert_bytes(segment, 0, "root's");
  shmkit_status status = shmkit_segment_unlink(segment);
  ck_assert(status == -EACCES || status == -EPERM);
  shmkit_segment_free(segment);
}

START_TEST(roots_segments_are_accepted_by_all_who_may) {
  make_ours(0644);
  nobody_does(may_read);
  assert_done(shmkit_unlink(name()));
}
END_TEST

static void make_for_all(void) {
  const shmkit_segment_options options = {.mode = 0666, .content = "nobody's", .content_size = 8};
  shmkit_segment_free(create(name(), 8, &options));
}

START_TEST(another_users_segment_is_accepted_only_on_request) {
  shmkit_segment *segment = NULL;
  nobody_does(make_for_all);
  assert_fails(-EACCES, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has("65534");
  assert_message_has("any_owner");
  assert_fails(-EACCES, shmkit_segment_open_or_create(name(), 8, NULL, &segment));
  segment = open_segment(name(), &any_owner);
  assert_bytes(segment, 0, "nobody's");
  shmkit_segment_free(segment);
  assert_done(shmkit_segment_open_or_create(name(), 8, &any_owner, &segment));
  ck_assert(!shmkit_segment_created(segment));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Last ----------------------------------------------------------------------------------- */

static void leave_a_last_one_abruptly(void *unused) {
  const shmkit_segment_options options = {.mode = 0666, .lifetime = SHMKIT_LAST};
  (void)unused;
  (void)create(name(), 8, &options);
  _exit(0);
}

static void find_it_gone_though_its_name_stays(void) {
  const shmkit_segment_options look = {.flags = SHMKIT_READONLY | SHMKIT_ANY_OWNER};
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has("does not exist");
  assert_fails(-ENOENT, shmkit_segment_open(name(), &look, &segment));
}

START_TEST(a_stale_segment_that_one_may_not_remove_does_not_exist_either) {
  finish(start(leave_a_last_one_abruptly, NULL));
  nobody_does(find_it_gone_though_its_name_stays);
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  ck_assert(!exists(path_of(name())));
}
END_TEST

static int ends[2];

static void receive_and_use(void) {
  shmkit_segment *segment = NULL;
  unsigned open = open_descriptors();
  assert_done(shmkit_segment_receive(ends[1], NULL, &segment));
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(segment, 0, "hello");
  shmkit_segment_free(segment);
  ck_assert_uint_eq(open_descriptors(), open);
}

START_TEST(a_descriptor_handed_to_another_user_works_and_does_not_leak) {
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  nobody_does(receive_and_use);
  assert_bytes(segment, 0, "hello");
  ck_assert_int_eq(close(ends[0]), 0);
  ck_assert_int_eq(close(ends[1]), 0);
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Others --------------------------------------------------------------------------------- */

static void lock_too_much(void) {
  const shmkit_segment_options options = {.flags = SHMKIT_LOCK};
  const struct rlimit limit = {64 * KIB, 64 * KIB};
  shmkit_segment *segment = NULL;
  ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
  /* AddressSanitizer makes it do nothing. */
  static char memory[MIB];
  if (mlock(memory, sizeof memory) == 0) return;
  shmkit_segment_free(create("memfd:x", 16 * KIB, &options));
  shmkit_status status = shmkit_segment_create(name(), MIB, &options, &segment);
  ck_assert_msg(status == -ENOMEM || status == -EPERM || status == -EAGAIN, "%d", status);
  assert_message_has("RLIMIT_MEMLOCK");
  assert_message_has("65536");
  ck_assert(!exists(path_of(name())));
  status = shmkit_segment_create(sysv_address(), MIB, &options, &segment);
  ck_assert_int_lt(status, 0);
  assert_fails(-ENOENT, shmkit_unlink(sysv_address()));
}

START_TEST(locking_more_than_allowed_fails_and_leaves_nothing) {
  nobody_does(lock_too_much);
}
END_TEST

static void may_not_use_the_key(void) {
  shmkit_segment *segment = NULL;
  assert_fails(-EACCES, shmkit_segment_open(sysv_address(), NULL, &segment));
  assert_fails(-EACCES, shmkit_segment_open(sysv_address(), &readonly, &segment));
  shmkit_status status = shmkit_unlink(sysv_address());
  ck_assert(status == -EACCES || status == -EPERM);
}

START_TEST(a_system_v_segment_is_refused_in_the_same_way) {
  shmkit_segment *segment = create(sysv_address(), 8, NULL);
  nobody_does(may_not_use_the_key);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

static void may_not_make_files_there(void) {
  shmkit_segment *segment = NULL;
  assert_fails(-EACCES, shmkit_segment_create("file:/usr/shmkit-test", 8, NULL, &segment));
  assert_message_has("permission");
}

START_TEST(a_directory_where_one_may_not_write_is_named_as_the_reason) {
  nobody_does(may_not_make_files_there);
}
END_TEST

static void live_a_whole_life(void) {
  const shmkit_segment_options options = {.lifetime = SHMKIT_LAST, .capacity = MIB};
  shmkit_segment *segment = create(name(), 100, &options);
  shmkit_segment *second = open_segment(name(), &readonly);
  assert_done(shmkit_segment_grow(segment, 64 * KIB));
  assert_done(shmkit_segment_refresh(second));
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(second, 0, "hello");
  shmkit_segment_free(segment);
  ck_assert(exists(path_of(name())));
  shmkit_segment_free(second);
  ck_assert(!exists(path_of(name())));
}

START_TEST(no_rights_are_needed_for_a_whole_life) {
  nobody_does(live_a_whole_life);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_is_closed_to_others_is_refused_to_them,
      roots_segments_are_accepted_by_all_who_may,
      another_users_segment_is_accepted_only_on_request,
      a_stale_segment_that_one_may_not_remove_does_not_exist_either,
      a_descriptor_handed_to_another_user_works_and_does_not_leak,
      locking_more_than_allowed_fails_and_leaves_nothing,
      a_system_v_segment_is_refused_in_the_same_way,
      a_directory_where_one_may_not_write_is_named_as_the_reason,
      no_rights_are_needed_for_a_whole_life,
  };
  if (geteuid() != 0) return skip("only root can become another user");
  return run_cases("users", cases, COUNT(cases), argc, argv);
}
