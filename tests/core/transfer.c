/* SPDX-License-Identifier: MIT */
/* Descriptors over Unix sockets, from and to shmkit and any other program. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static void connect_ends(int type) {
  ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_ends(void) {
  for (int i = 0; i < 2; i++) {
    if (ends[i] >= 0) ck_assert_int_eq(close(ends[i]), 0);
  }
}

/* What a program without shmkit sends: some bytes beside some descriptors of one file. */
static void send_plainly(size_t bytes, size_t descriptors, int fd) {
  char data[16] = "plain";
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(32 * sizeof(int))];
  } control = {.room = ""};
  struct iovec vector = {.iov_base = data, .iov_len = bytes};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (descriptors > 0) {
    message.msg_control = control.room;
    message.msg_controllen = (socklen_t)CMSG_SPACE(descriptors * sizeof fd);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = (socklen_t)CMSG_LEN(descriptors * sizeof fd);
    for (size_t i = 0; i < descriptors; i++) {
      memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  ck_assert_int_eq(sendmsg(ends[0], &message, MSG_NOSIGNAL), (ssize_t)bytes);
}

static shmkit_segment *receive(const shmkit_segment_options *options) {
  shmkit_segment *segment = NULL;
  assert_done(shmkit_segment_receive(ends[1], options, &segment));
  return segment;
}

static void answer_in_what_is_received(void *unused) {
  (void)unused;
  shmkit_segment *segment = receive(NULL);
  ck_assert_int_eq(shmkit_segment_kind(segment), SHMKIT_FD);
  assert_bytes(segment, 0, "question");
  assert_done(shmkit_segment_write(segment, 0, "answer!!", 8));
  shmkit_segment_free(segment);
  close_ends();
}

START_TEST(another_process_receives_the_segment) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (size_t i = 0; i < COUNT(types); i++) {
    connect_ends(types[i]);
    shmkit_segment *segment = create("memfd:x", 100, NULL);
    assert_done(shmkit_segment_write(segment, 0, "question", 8));
    pid_t peer = start(answer_in_what_is_received, NULL);
    assert_done(shmkit_segment_send(segment, ends[0], 0));
    finish(peer);
    assert_bytes(segment, 0, "answer!!");
    shmkit_segment_free(segment);
    close_ends();
  }
}
END_TEST

START_TEST(what_is_received_has_its_own_descriptor_in_its_address) {
  connect_ends(SOCK_STREAM);
  shmkit_segment *segment = create(name(), 100, NULL);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  shmkit_segment *received = receive(NULL);
  char address[32];
  int fd = -1;
  assert_done(shmkit_segment_fileno(received, &fd));
  (void)snprintf(address, sizeof address, "fd:%d", fd);
  ck_assert_str_eq(shmkit_segment_address(received), address);
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  assert_bytes(received, 0, "hello");
  shmkit_segment_free(received);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  close_ends();
}
END_TEST

START_TEST(plain_programs_are_peers) {
  connect_ends(SOCK_STREAM);
  int fd = memfd_create("plain", MFD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, 100), 0);
  send_plainly(1, 1, fd);
  shmkit_segment *segment = receive(NULL);
  ck_assert_uint_eq(shmkit_segment_size(segment), 100);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  char byte = 0;
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec vector = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  ck_assert_int_eq(recvmsg(ends[1], &message, 0), 1);
  ck_assert_int_eq(byte, 's');
  int sent = -1;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  ck_assert_ptr_nonnull(header);
  memcpy(&sent, CMSG_DATA(header), sizeof sent);
  ck_assert_int_eq(pwrite(sent, "hello", 5, 0), 5);
  assert_bytes(segment, 0, "hello");
  ck_assert_int_eq(close(sent), 0);
  shmkit_segment_free(segment);
  ck_assert_int_eq(close(fd), 0);
  close_ends();
}
END_TEST

START_TEST(what_is_not_one_byte_with_one_descriptor_is_corrupt) {
  static const struct {
    size_t bytes, descriptors;
  } bad[] = {{1, 0}, {1, 2}, {1, 8}, {1, 9}, {1, 31}, {2, 1}, {2, 0}};
  shmkit_segment *segment = NULL;
  int fd = memfd_create("plain", MFD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, 100), 0);
  for (size_t i = 0; i < COUNT(bad); i++) {
    /* In a stream, two bytes are two messages of one. */
    connect_ends(SOCK_SEQPACKET);
    unsigned open = open_descriptors();
    send_plainly(bad[i].bytes, bad[i].descriptors, fd);
    assert_fails(SHMKIT_ERR_CORRUPT, shmkit_segment_receive(ends[1], NULL, &segment));
    ck_assert_uint_eq(open_descriptors(), open);
    close_ends();
  }
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_was_sent_may_be_no_segment) {
  shmkit_segment *segment = NULL;
  connect_ends(SOCK_STREAM);
  unsigned open = open_descriptors();
  send_plainly(1, 1, ends[0]);
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_receive(ends[1], NULL, &segment));
  ck_assert_uint_eq(open_descriptors(), open);
  close_ends();
}
END_TEST

START_TEST(a_peer_that_is_gone_is_said_to_be) {
  shmkit_segment *made = create("memfd:x", 8, NULL), *segment = NULL;
  connect_ends(SOCK_STREAM);
  ck_assert_int_eq(close(ends[0]), 0);
  ends[0] = -1;
  assert_fails(-ECONNRESET, shmkit_segment_receive(ends[1], NULL, &segment));
  assert_fails(-EPIPE, shmkit_segment_send(made, ends[1], 0));
  close_ends();
  assert_fails(-EBADF, shmkit_segment_send(made, 1000000, 0));
  assert_fails(-EBADF, shmkit_segment_receive(1000000, NULL, &segment));
  int fd = -1;
  assert_done(shmkit_segment_fileno(made, &fd));
  assert_fails(-ENOTSOCK, shmkit_segment_send(made, fd, 0));
  shmkit_segment_free(made);
}
END_TEST

START_TEST(a_socket_that_does_not_block_says_again) {
  shmkit_segment *made = create("memfd:x", 8, NULL), *segment = NULL;
  shmkit_status status;
  unsigned sent = 0;
  connect_ends(SOCK_STREAM | SOCK_NONBLOCK);
  ck_assert_int_eq(shmkit_segment_receive(ends[1], NULL, &segment), SHMKIT_AGAIN);
  while ((status = shmkit_segment_send(made, ends[0], 0)) == 0) sent++;
  /* The kernel also limits how many descriptors may be under way. */
  ck_assert_msg(status == SHMKIT_AGAIN || status == -ETOOMANYREFS, "%d", status);
  for (; sent > 0; sent--) shmkit_segment_free(receive(NULL));
  ck_assert_int_eq(shmkit_segment_receive(ends[1], NULL, &segment), SHMKIT_AGAIN);
  shmkit_segment_free(made);
  close_ends();
}
END_TEST

START_TEST(sent_read_only_it_can_only_read) {
  const shmkit_segment_options readonly = {.flags = SHMKIT_READONLY};
  shmkit_segment *made = create("memfd:x", 8, NULL), *segment = NULL;
  connect_ends(SOCK_STREAM);
  assert_done(shmkit_segment_send(made, ends[0], SHMKIT_READONLY));
  assert_fails(-EACCES, shmkit_segment_receive(ends[1], NULL, &segment));
  assert_done(shmkit_segment_send(made, ends[0], SHMKIT_READONLY));
  segment = receive(&readonly);
  assert_fails(-EACCES, shmkit_segment_write(segment, 0, "x", 1));
  /* What is read-only stays so when it is sent on. */
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  shmkit_segment_free(segment);
  assert_fails(-EACCES, shmkit_segment_receive(ends[1], NULL, &segment));
  assert_fails(-EINVAL, shmkit_segment_send(made, ends[0], SHMKIT_SPARSE));
  shmkit_segment_free(made);
  close_ends();
}
END_TEST

START_TEST(a_system_v_segment_is_sent_as_text) {
  shmkit_segment *segment = create("sysv:private", 8, NULL);
  connect_ends(SOCK_STREAM);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_send(segment, ends[0], 0));
  assert_message_has("sysv:id=");
  close_ends();
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(no_locks_are_shared_with_the_receiver) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
  int mine = -1, its = -1;
  connect_ends(SOCK_STREAM);
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  shmkit_segment *received = receive(NULL);
  assert_done(shmkit_segment_fileno(segment, &mine));
  assert_done(shmkit_segment_fileno(received, &its));
  ck_assert_int_eq(fcntl(mine, F_OFD_SETLK, &lock), 0);
  ck_assert_int_eq(fcntl(its, F_OFD_SETLK, &lock), -1);
  shmkit_segment_free(received);
  shmkit_segment_free(segment);
  close_ends();
}
END_TEST

static void interrupt(int signal) {
  (void)signal;
}

static void interrupt_parent(void *parent) {
  while (!atomic_load(&shared()->stop)) {
    (void)kill(*(const pid_t *)parent, SIGUSR1);
    (void)usleep(1000);
  }
}

START_TEST(a_signal_ends_the_wait) {
  shmkit_segment *segment = NULL;
  pid_t self = getpid();
  struct sigaction action = {.sa_handler = interrupt};
  ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
  connect_ends(SOCK_STREAM);
  pid_t interrupter = start(interrupt_parent, &self);
  assert_fails(-EINTR, shmkit_segment_receive(ends[1], NULL, &segment));
  atomic_store(&shared()->stop, true);
  finish(interrupter);
  close_ends();
}
END_TEST

START_TEST(who_received_a_segment_takes_its_name_away_as_the_last) {
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  connect_ends(SOCK_STREAM);
  shmkit_segment *segment = create(name(), 100, &last);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  shmkit_segment *received = receive(NULL);
  shmkit_segment_free(segment);
  ck_assert(exists(path_of(name())));
  shmkit_segment_free(received);
  ck_assert(!exists(path_of(name())));
  close_ends();
}
END_TEST

START_TEST(credentials_beside_the_descriptor_do_no_harm) {
  int on = 1;
  connect_ends(SOCK_STREAM);
  ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  assert_done(shmkit_segment_send(segment, ends[0], 0));
  shmkit_segment_free(receive(NULL));
  shmkit_segment_free(segment);
  close_ends();
}
END_TEST

START_TEST(only_unix_sockets_carry_descriptors) {
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_send(segment, tcp, 0));
  ck_assert_int_eq(close(tcp), 0);
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      another_process_receives_the_segment,
      what_is_received_has_its_own_descriptor_in_its_address,
      plain_programs_are_peers,
      what_is_not_one_byte_with_one_descriptor_is_corrupt,
      what_was_sent_may_be_no_segment,
      a_peer_that_is_gone_is_said_to_be,
      a_socket_that_does_not_block_says_again,
      sent_read_only_it_can_only_read,
      a_system_v_segment_is_sent_as_text,
      no_locks_are_shared_with_the_receiver,
      a_signal_ends_the_wait,
      only_unix_sockets_carry_descriptors,
      who_received_a_segment_takes_its_name_away_as_the_last,
      credentials_beside_the_descriptor_do_no_harm,
  };
  return run_cases("transfer", cases, COUNT(cases), argc, argv);
}
