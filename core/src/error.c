/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Long enough for a path and the text around it. */
enum { MESSAGE_SIZE = PATH_MAX + 512, ADDRESS_SIZE = PATH_MAX + 16 };

static _Thread_local char last_message[MESSAGE_SIZE];
static _Thread_local char last_address[ADDRESS_SIZE];

/* Append `text` at `length`, control characters as \xNN, so that the message stays one line and
 * cannot drive a terminal. Returns the new length. */
static size_t append_printable(size_t length, const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char)*text;
    bool plain = byte >= 0x20 && byte != 0x7f;
    size_t need = plain ? 1 : 4;
    if (length + need >= MESSAGE_SIZE) break;
    if (plain) {
      last_message[length] = (char)byte;
    } else {
      (void)snprintf(last_message + length, need + 1, "\\x%02x", byte);
    }
    length += need;
  }
  last_message[length] = '\0';
  return length;
}

SHMKIT__PRINTF(2, 0)
static size_t append_formatted(size_t length, const char *format, va_list arguments) {
  char text[MESSAGE_SIZE];
  (void)vsnprintf(text, sizeof text, format, arguments);
  return append_printable(length, text);
}

static void remember_address(const char *address) {
  (void)snprintf(last_address, sizeof last_address, "%s", address);
}

shmkit_status shmkit__fail(shmkit_status status, const char *address, const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  (void)append_formatted(0, format, arguments);
  va_end(arguments);
  remember_address(address);
  errno = error;
  return status;
}

shmkit_status shmkit__fail_errno(int error, const char *address, const char *format, ...) {
  char text[128];
  va_list arguments;
  va_start(arguments, format);
  size_t length = append_formatted(0, format, arguments);
  va_end(arguments);
  /* %m, because strerror is not safe in threads and strerror_r is two functions. */
  errno = error;
  (void)snprintf(text, sizeof text, ": %m");
  (void)append_printable(length, text);
  remember_address(address);
  errno = error;
  return -error;
}

const char *shmkit_error_message(void) {
  return last_message;
}

const char *shmkit_error_address(void) {
  return last_address;
}

/* Every status that the library can return by name, shmkit's own first. */
#define STATUSES(X)                                                                                \
  X(SHMKIT_OK)                                                                                     \
  X(SHMKIT_AGAIN)                                                                                  \
  X(SHMKIT_TIMEOUT)                                                                                \
  X(SHMKIT_OWNER_DIED)                                                                             \
  X(SHMKIT_ERR_CLOSED)                                                                             \
  X(SHMKIT_ERR_RANGE)                                                                              \
  X(SHMKIT_ERR_TRUNCATED)                                                                          \
  X(SHMKIT_ERR_UNSUPPORTED)                                                                        \
  X(SHMKIT_ERR_INCOMPATIBLE)                                                                       \
  X(SHMKIT_ERR_CORRUPT)
#define ERRNOS(X)                                                                                  \
  X(EACCES)                                                                                        \
  X(EAGAIN)                                                                                        \
  X(EBUSY)                                                                                         \
  X(ECONNREFUSED)                                                                                  \
  X(ECONNRESET)                                                                                    \
  X(EDEADLK)                                                                                       \
  X(EDESTADDRREQ)                                                                                  \
  X(EDQUOT)                                                                                        \
  X(EEXIST)                                                                                        \
  X(EFAULT)                                                                                        \
  X(EFBIG)                                                                                         \
  X(EIDRM)                                                                                         \
  X(EINTR)                                                                                         \
  X(EINVAL)                                                                                        \
  X(EIO)                                                                                           \
  X(EISDIR)                                                                                        \
  X(ELOOP)                                                                                         \
  X(EMFILE)                                                                                        \
  X(ENAMETOOLONG)                                                                                  \
  X(ENFILE)                                                                                        \
  X(ENOBUFS)                                                                                       \
  X(ENODEV)                                                                                        \
  X(ENOENT)                                                                                        \
  X(ENOLCK)                                                                                        \
  X(ENOMEM)                                                                                        \
  X(ENOSPC)                                                                                        \
  X(ENOSYS)                                                                                        \
  X(ENOTCONN)                                                                                      \
  X(ENOTDIR)                                                                                       \
  X(ENOTSOCK)                                                                                      \
  X(ENXIO)                                                                                         \
  X(EOVERFLOW)                                                                                     \
  X(EPERM)                                                                                         \
  X(EPIPE)                                                                                         \
  X(EROFS)                                                                                         \
  X(ESRCH)                                                                                         \
  X(ESTALE)                                                                                        \
  X(ETIMEDOUT)                                                                                     \
  X(ETOOMANYREFS)                                                                                  \
  X(ETXTBSY)

const char *shmkit_error_name(shmkit_status status) {
#define NAME_STATUS(status)                                                                        \
  case (status):                                                                                   \
    return #status;
#define NAME_ERRNO(number)                                                                         \
  case -(number):                                                                                  \
    return #number;
  switch (status) {
    STATUSES(NAME_STATUS)
    ERRNOS(NAME_ERRNO)
    default:
      return "unknown";
  }
}

bool shmkit_error_is_misuse(shmkit_status status) {
  return status == -EINVAL || status == -ENAMETOOLONG || status == SHMKIT_ERR_RANGE ||
         status == SHMKIT_ERR_CLOSED;
}
