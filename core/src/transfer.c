/* SPDX-License-Identifier: MIT */
/* Descriptors over Unix sockets: SCM_RIGHTS beside a single byte, so that any program can be the
 * other side and no bytes of a stream are swallowed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "segment.h"

/* Room for a few descriptors more than the one wanted, so as to see and close what was not, and for
 * what the receiver's socket may be set to add: credentials and a security label. */
enum { DESCRIPTORS = 8, LABEL_SIZE = 256 };
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
union control {
  struct cmsghdr header;
  char room[CMSG_SPACE(DESCRIPTORS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) +
            CMSG_SPACE(sizeof(int)) + CMSG_SPACE(LABEL_SIZE)];
};

/* A signal is reported, not swallowed: waiting must end with Ctrl-C. */
static shmkit_status fail_socket(const char *address, const char *verb, int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return SHMKIT_AGAIN;
  return shmkit__fail_errno(error, address, "cannot %s%s%s over the socket", verb,
                            *address != '\0' ? " " : " a segment", address);
}

static shmkit_status send_descriptor(int socket, int fd, const char *address) {
  char byte = 's';
  int domain = AF_UNIX;
  socklen_t length = sizeof domain;
  /* Others send the byte and lose the descriptor without a word. */
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain != AF_UNIX) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address,
                        "cannot send %s: only Unix sockets carry descriptors", address);
  }
  union control control;
  struct iovec bytes = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = CMSG_SPACE(sizeof fd)};
  memset(&control, 0, sizeof control);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(socket, &message, MSG_NOSIGNAL) == 1) return 0;
  return fail_socket(address, "send", errno);
}

shmkit_status shmkit_segment_send(shmkit_segment *self, int socket, uint32_t flags) {
  int own = -1, fd = -1;
  if (flags & ~(uint32_t)SHMKIT_READONLY) {
    return shmkit__fail(-EINVAL, self->address,
                        "cannot send %s with flags 0x%x: only read-only is "
                        "known",
                        self->address, (unsigned)flags);
  }
  shmkit_status status = shmkit__segment_enter(self);
  if (status != 0) return status;
  if (self->kind == SHMKIT_SYSV) {
    status = shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address,
                          "%s has no descriptor to send: send the address \"sysv:id=%d\" as text",
                          self->address, self->sysv_id);
  } else {
    status = shmkit_segment_fileno(self, &own);
  }
  if (status == 0) {
    bool readonly = self->readonly || (flags & SHMKIT_READONLY);
    int error = shmkit__segment_open_anew(self, own, readonly ? O_RDONLY : O_RDWR, &fd);
    if (error != 0) {
      status = shmkit__fail_errno(-error, self->address, "cannot open %s anew to send it",
                                  self->address);
    } else {
      status = send_descriptor(socket, fd, self->address);
      (void)close(fd);
    }
  }
  shmkit__segment_leave(self);
  return status;
}

/* Take the descriptors out of a message: the number of them; all but the first are closed. */
static int take_descriptors(struct msghdr *message, int *first) {
  int count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    bool asked_for = header->cmsg_type == SCM_RIGHTS;
    if (!asked_for && header->cmsg_type != SCM_PIDFD) continue;
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + at, sizeof fd);
      if (asked_for && count++ == 0) {
        *first = fd;
      } else {
        (void)close(fd);
      }
    }
  }
  return count;
}

static shmkit_status receive_descriptor(int socket, int *out) {
  char byte;
  union control control;
  struct iovec bytes = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &bytes,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return fail_socket("", "receive", errno);
  int fd = -1;
  int count = take_descriptors(&message, &fd);
  if (count == 1 && got == 1 && !(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
    *out = fd;
    return 0;
  }
  if (count > 0) (void)close(fd);
  if (got == 0) {
    return shmkit__fail(-ECONNRESET, "",
                        "cannot receive a segment: the peer has closed the socket");
  }
  return shmkit__fail(SHMKIT_ERR_CORRUPT, "",
                      "cannot receive a segment: what came is not one byte with one descriptor; "
                      "the other side must use send, or SCM_RIGHTS");
}

shmkit_status shmkit_segment_receive(int socket, const shmkit_segment_options *options,
                                     shmkit_segment **out) {
  static const shmkit_segment_options defaults = SHMKIT_SEGMENT_OPTIONS_INIT;
  struct shmkit__address address;
  shmkit_segment *self = NULL;
  int fd = -1;
  shmkit_status status = receive_descriptor(socket, &fd);
  if (status != 0) return status;
  shmkit__address_set_fd(&address, fd);
  status = shmkit__segment_open_at(&address, options != NULL ? options : &defaults, &self);
  if (status != 0) {
    (void)close(fd);
    return status;
  }
  /* The number that came is in the address: the segment's own descriptor takes its place. Only
   * close of that number by another thread can make this fail. */
  if (dup3(self->fd, fd, O_CLOEXEC) != fd) {
    status = shmkit__fail_errno(errno, self->address, "cannot receive %s", self->address);
    shmkit_segment_free(self);
    (void)close(fd);
    return status;
  }
  (void)close(atomic_exchange(&self->fd, fd));
  *out = self;
  return 0;
}
