/* SPDX-License-Identifier: MIT */
/*
 * Who made a file, in its extended attribute "user.shmkit.creator", one line of text:
 *
 *   1 PID START PID-NAMESPACE BOOT PROGRAM
 *
 * 1 is the version of the format; "-" stands for an unknown boot; the program may have spaces.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "error.h"
#include "segment.h"

static const char attribute[] = "user.shmkit.creator";
enum { STAMP_SIZE = 160 };

static bool is_control(unsigned char byte) {
  return byte < 0x20 || byte == 0x7f;
}

void shmkit__stamp_write(int fd) {
  /* Per thread, so that it needs no lock that a fork could leave locked; made anew in a child. */
  static _Thread_local char text[STAMP_SIZE];
  static _Thread_local pid_t made_by;
  static _Thread_local size_t length;
  pid_t pid = getpid();
  if (made_by != pid) {
    shmkit_creator self;
    shmkit__os_self(&self);
    (void)snprintf(text, sizeof text, "1 %" PRId64 " %" PRIu64 " %" PRIu64 " %s %s", self.pid,
                   self.start, self.pid_namespace, self.boot[0] != '\0' ? self.boot : "-",
                   self.program);
    length = strlen(text);
    /* A program may call itself anything. */
    for (size_t i = 0; i < length; i++) {
      if (is_control((unsigned char)text[i])) text[i] = '?';
    }
    made_by = pid;
  }
  (void)fsetxattr(fd, attribute, text, length, 0);
}

/* A number and the space behind it. */
static bool take_number(const char **text, uint64_t *out) {
  const char *at = *text;
  uint64_t number = 0;
  for (; *at >= '0' && *at <= '9'; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (number > (UINT64_MAX - digit) / 10) return false;
    number = number * 10 + digit;
  }
  if (at == *text || *at != ' ') return false;
  *text = at + 1;
  *out = number;
  return true;
}

/* A word that fits, and the space behind it. */
static bool take_word(const char **text, char *out, size_t size) {
  size_t length = strcspn(*text, " ");
  if (length == 0 || length >= size || (*text)[length] != ' ') return false;
  for (size_t i = 0; i < length; i++) {
    if ((*text)[i] < 0) return false;
  }
  memcpy(out, *text, length);
  out[length] = '\0';
  *text += length + 1;
  return true;
}

/* The attribute can be anybody's: nothing is believed that does not read as above, and nothing that
 * would drive the terminal it is shown on. */
static bool parse(const char *text, shmkit_creator *out) {
  uint64_t version = 0, pid = 0;
  *out = (shmkit_creator){.pid = 0};
  for (const char *at = text; *at != '\0'; at++) {
    if (is_control((unsigned char)*at)) return false;
  }
  if (!take_number(&text, &version) || version != 1) return false;
  if (!take_number(&text, &pid) || pid == 0 || pid > INT_MAX) return false;
  if (!take_number(&text, &out->start) || !take_number(&text, &out->pid_namespace)) return false;
  if (!take_word(&text, out->boot, sizeof out->boot)) return false;
  if (strlen(text) >= sizeof out->program) return false;
  out->pid = (int64_t)pid;
  if (strcmp(out->boot, "-") == 0) out->boot[0] = '\0';
  strcpy(out->program, text);
  return true;
}

bool shmkit__stamp_find(const char *path, bool follow, shmkit_creator *out) {
  char text[STAMP_SIZE];
  ssize_t length = follow ? getxattr(path, attribute, text, sizeof text - 1)
                          : lgetxattr(path, attribute, text, sizeof text - 1);
  if (length < 0 || memchr(text, '\0', (size_t)length) != NULL) return false;
  text[length] = '\0';
  shmkit_creator read;
  if (!parse(text, &read)) return false;
  *out = read;
  return true;
}

static shmkit_status read_stamp(const shmkit_segment *self, int fd, shmkit_creator *out) {
  char text[STAMP_SIZE];
  shmkit_creator read;
  ssize_t length = fgetxattr(fd, attribute, text, sizeof text - 1);
  if (length < 0 && errno == ENODATA) {
    return shmkit__fail(-ENOENT, self->address,
                        "nobody wrote down who created %s: it was not made by shmkit",
                        self->address);
  }
  if (length < 0 && errno == EOPNOTSUPP) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address,
                        "who created %s could not be written down: its file system takes no user "
                        "attributes (tmpfs does since Linux 6.6)",
                        self->address);
  }
  if (length < 0 && errno != ERANGE) {
    return shmkit__fail_errno(errno, self->address, "cannot read who created %s", self->address);
  }
  if (length >= 0) text[length] = '\0';
  if (length < 0 || memchr(text, '\0', (size_t)length) != NULL || !parse(text, &read)) {
    return shmkit__fail(SHMKIT_ERR_CORRUPT, self->address,
                        "what is written down about the creator of %s makes no sense",
                        self->address);
  }
  *out = read;
  return 0;
}

shmkit_status shmkit_segment_creator(shmkit_segment *self, shmkit_creator *out) {
  struct stat status;
  int fd = -1;
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  if (self->kind == SHMKIT_SYSV) {
    result = shmkit__sysv_creator(self, out);
  } else if (shmkit__segment_descriptor(self, &fd, &status) != 0) {
    result = shmkit__segment_fail_lost(self);
  } else {
    result = read_stamp(self, fd, out);
  }
  shmkit__segment_leave(self);
  return result;
}
