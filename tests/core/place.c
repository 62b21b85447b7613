/* SPDX-License-Identifier: MIT */
/* What may lie where a segment should be, and who may stand in the way: other kinds of files, links
 * to elsewhere, holders of a lease. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Every way in and out refuses it and leaves it alone. */
static void assert_refused(shmkit_status expected, const char *what) {
  struct stat before, after;
  shmkit_segment *segment = NULL;
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  ck_assert_int_eq(lstat(path_of(name()), &before), 0);
  assert_fails(expected, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has(what);
  assert_message_has(name());
  assert_fails(expected, shmkit_segment_open(name(), &readonly, &segment));
  assert_fails(expected, shmkit_segment_open_or_create(name(), 8, NULL, &segment));
  assert_fails(-EEXIST, shmkit_segment_create(name(), 8, NULL, &segment));
  assert_fails(expected, shmkit_unlink(name()));
  assert_message_has(what);
  ck_assert_int_eq(lstat(path_of(name()), &after), 0);
  ck_assert_uint_eq(before.st_ino, after.st_ino);
}

START_TEST(a_symbolic_link_is_not_followed) {
  shmkit_segment *target = create(other_name("target"), 8, NULL);
  ck_assert_int_eq(symlink(path_of(other_name("target")), path_of(name())), 0);
  assert_refused(-ELOOP, "symbolic link");
  ck_assert_int_eq(unlink(path_of(name())), 0);
  ck_assert_int_eq(symlink("nowhere", path_of(name())), 0);
  assert_refused(-ELOOP, "symbolic link");
  ck_assert_int_eq(unlink(path_of(name())), 0);
  assert_done(shmkit_segment_unlink(target));
  shmkit_segment_free(target);
}
END_TEST

START_TEST(a_directory_is_no_segment) {
  ck_assert_int_eq(mkdir(path_of(name()), 0700), 0);
  assert_refused(SHMKIT_ERR_INCOMPATIBLE, "directory");
  ck_assert_int_eq(rmdir(path_of(name())), 0);
}
END_TEST

START_TEST(a_fifo_is_no_segment_and_nobody_waits_for_its_other_end) {
  ck_assert_int_eq(mkfifo(path_of(name()), 0600), 0);
  assert_refused(SHMKIT_ERR_INCOMPATIBLE, "fifo");
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(a_socket_is_no_segment) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  ck_assert_int_lt(snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(name())),
                   (int)sizeof address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_refused(SHMKIT_ERR_INCOMPATIBLE, "socket");
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(a_device_is_no_segment) {
  shmkit_segment *segment = NULL;
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open("file:/dev/null", NULL, &segment));
  assert_message_has("device");
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open("file:/dev/shm", NULL, &segment));
  assert_message_has("directory");
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_unlink("file:/dev/null"));
  ck_assert(exists("/dev/null"));
}
END_TEST

START_TEST(what_does_not_exist_is_said_not_to) {
  shmkit_segment *segment = NULL;
  char address[300];
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  assert_fails(-ENOENT, shmkit_unlink(name()));
  (void)snprintf(address, sizeof address, "file:%s/x", path_of(name()));
  assert_fails(-ENOENT, shmkit_segment_open(address, NULL, &segment));
  assert_fails(-ENOENT, shmkit_segment_create(address, 8, NULL, &segment));
  assert_message_has("directory");
}
END_TEST

START_TEST(files_follow_links_and_reach_memfds_of_others) {
  char address[300];
  int fd = -1;
  shmkit_segment *memfd = create("memfd:x", 100, NULL);
  assert_done(shmkit_segment_fileno(memfd, &fd));
  (void)snprintf(address, sizeof address, "file:/proc/%d/fd/%d", (int)getpid(), fd);
  shmkit_segment *segment = open_segment(address, NULL);
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_FILE);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(memfd, 0, "hello");
  shmkit_segment_free(segment);
  shmkit_segment_free(memfd);
}
END_TEST

START_TEST(files_on_a_disk_are_segments_too) {
  char address[300], path[] = "/var/tmp/shmkit-test-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(path));
  (void)snprintf(address, sizeof address, "file:%s/segment", path);
  const shmkit_segment_options options = {
      .capacity = MIB, .mode = 0640, .content = "hello", .content_size = 5};
  shmkit_segment *segment = create(address, 100, &options), *second = NULL;
  assert_fails(-EEXIST, shmkit_segment_create(address, 100, NULL, &second));
  shmkit_segment *opened = open_segment(address, NULL);
  assert_bytes(opened, 0, "hello");
  assert_done(shmkit_segment_grow(segment, 64 * KIB));
  shmkit_segment_free(opened);
  assert_done(shmkit_unlink(address));
  shmkit_segment_free(segment);
  ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* ---- Leases --------------------------------------------------------------------------------- */

static void ignore(int signal) {
  (void)signal;
}

/* Hold a lease on the segment's file; give it back when asked to, which is when somebody opens. */
static void hold_lease(void *gives_back) {
  sigset_t asked;
  ck_assert_int_eq(sigemptyset(&asked), 0);
  ck_assert_int_eq(sigaddset(&asked, SIGURG), 0);
  ck_assert_int_eq(sigprocmask(SIG_BLOCK, &asked, NULL), 0);
  int fd = open(path_of(name()), O_RDWR | O_CLOEXEC);
  /* The default signal, SIGIO, would kill. */
  ck_assert_int_eq(fcntl(fd, F_SETSIG, SIGURG), 0);
  ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  signal_turn(0);
  siginfo_t info;
  ck_assert_int_eq(sigwaitinfo(&asked, &info), SIGURG);
  signal_turn(1);
  if (gives_back == NULL) wait_turn(2);
  ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
  ck_assert_int_eq(close(fd), 0);
}

static void leave_segment(void) {
  shmkit_segment *segment = create(name(), 8, NULL);
  shmkit_segment_free(segment);
}

START_TEST(opening_waits_for_the_holder_of_a_lease) {
  bool gives_back = true;
  leave_segment();
  pid_t holder = start(hold_lease, &gives_back);
  wait_turn(0);
  shmkit_segment *segment = open_segment(name(), NULL);
  finish(holder);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

static void signal_parent_when_lease_is_asked_for(void *parent) {
  wait_turn(1);
  while (!atomic_load(&shared()->stop)) {
    (void)kill(*(const pid_t *)parent, SIGUSR1);
    (void)usleep(1000);
  }
}

START_TEST(a_signal_ends_the_wait_for_a_lease) {
  shmkit_segment *segment = NULL;
  pid_t self = getpid();
  struct sigaction action = {.sa_handler = ignore};
  ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
  leave_segment();
  pid_t holder = start(hold_lease, NULL);
  wait_turn(0);
  pid_t interrupter = start(signal_parent_when_lease_is_asked_for, &self);
  assert_fails(-EINTR, shmkit_segment_open(name(), NULL, &segment));
  atomic_store(&shared()->stop, true);
  finish(interrupter);
  signal_turn(2);
  finish(holder);
  assert_done(shmkit_unlink(name()));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_symbolic_link_is_not_followed,
      a_directory_is_no_segment,
      a_fifo_is_no_segment_and_nobody_waits_for_its_other_end,
      a_socket_is_no_segment,
      a_device_is_no_segment,
      what_does_not_exist_is_said_not_to,
      files_follow_links_and_reach_memfds_of_others,
      files_on_a_disk_are_segments_too,
      opening_waits_for_the_holder_of_a_lease,
      a_signal_ends_the_wait_for_a_lease,
  };
  return run_cases("place", cases, COUNT(cases), argc, argv);
}
