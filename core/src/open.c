/* SPDX-License-Identifier: MIT */
/* Opening segments that have a file behind them. System V is in sysv.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backoff.h"
#include "crash.h"
#include "error.h"
#include "segment.h"

/* ---- What is there -------------------------------------------------------------------------- */

static const char *type_in_words(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a fifo";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

shmkit_status shmkit__check_regular(const char *address, const struct stat *status,
                                    const char *verb) {
  if (S_ISREG(status->st_mode)) return 0;
  return shmkit__fail(S_ISLNK(status->st_mode) ? -ELOOP : SHMKIT_ERR_INCOMPATIBLE, address,
                      "cannot %s %s: it is %s, not a segment", verb, address,
                      type_in_words(status->st_mode));
}

static shmkit_status fail_open(const struct shmkit__address *address, int flags, int error) {
  struct stat status;
  const char *text = address->text;
  if (error == ENOENT) {
    return shmkit__fail(
        -ENOENT, text, "cannot open %s: it does not exist: create it, or use open_or_create", text);
  }
  if (error == EACCES || error == EPERM) {
    return shmkit__fail(-error, text, "cannot open %s for %s: no permission%s", text,
                        (flags & O_ACCMODE) == O_RDONLY ? "reading" : "writing",
                        (flags & O_ACCMODE) == O_RDONLY ? ""
                                                        : ": open it read-only, or ask its owner");
  }
  /* ELOOP, EISDIR, ENXIO: what it is says more than the error does. */
  if (lstat(address->path, &status) == 0) {
    shmkit_status regular = shmkit__check_regular(text, &status, "open");
    if (regular != 0) return regular;
  }
  return shmkit__fail_errno(error, text, "cannot open %s", text);
}

/*
 * Opening never blocks: on a fifo it would for ever. Then a lease, which whoever removes idle
 * segments holds for an instant, is EWOULDBLOCK, and waiting for it is ours. The kernel takes a
 * lease away from a stopped holder after lease-break-time, 45 seconds by default.
 */
static shmkit_status open_path(const struct shmkit__address *address, int flags, int *fd) {
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(60);
  if (address->kind == SHMKIT_POSIX) flags |= O_NOFOLLOW;
  for (;;) {
    *fd = shmkit__os_open(address->path, flags, 0);
    if (*fd >= 0) return 0;
    if (*fd != -EWOULDBLOCK) return fail_open(address, flags, -*fd);
    bool waited = shmkit__backoff_wait(&backoff);
    if (backoff.interrupted) {
      return shmkit__fail_errno(EINTR, address->text,
                                "cannot open %s: another process holds a lease on it, and waiting "
                                "for it was interrupted",
                                address->text);
    }
    if (!waited) {
      return shmkit__fail(-EBUSY, address->text,
                          "cannot open %s: another process has held a lease on it for 60 seconds",
                          address->text);
    }
  }
}

/* ---- An open descriptor --------------------------------------------------------------------- */

/* `duplicate`: set when the result shares its description with the caller's descriptor. */
static shmkit_status open_descriptor(const struct shmkit__address *address, int flags, int *fd,
                                     bool *duplicate) {
  const char *text = address->text;
  int allowed = fcntl(address->number, F_GETFL);
  if (allowed < 0 || (allowed & O_PATH)) {
    return shmkit__fail(-EBADF, text, "cannot open %s: %d is not an open descriptor%s", text,
                        address->number, allowed < 0 ? "" : " that can be used (O_PATH)");
  }
  struct stat status;
  if (fstat(address->number, &status) != 0) {
    return shmkit__fail_errno(errno, text, "cannot open %s", text);
  }
  shmkit_status regular = shmkit__check_regular(text, &status, "open");
  if (regular != 0) return regular;
  if ((allowed & O_ACCMODE) == O_WRONLY) {
    return shmkit__fail(-EACCES, text, "cannot open %s: the descriptor does not allow reading",
                        text);
  }
  /* What the descriptor withholds is not taken by opening it anew, even where that would work. */
  if ((flags & O_ACCMODE) == O_RDWR && (allowed & O_ACCMODE) == O_RDONLY) {
    return shmkit__fail(-EACCES, text,
                        "cannot open %s for writing: the descriptor is read-only: open it "
                        "read-only",
                        text);
  }
  if (shmkit__os_reopen(address->number, flags, fd) == 0) return 0;
  /* A file of another user, who handed us the descriptor, cannot be opened again. */
  *fd = fcntl(address->number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  *duplicate = true;
  if (*fd >= 0) return 0;
  return shmkit__fail_errno(errno, text, "cannot open %s: duplicating the descriptor", text);
}

/* ---- Opening -------------------------------------------------------------------------------- */

static shmkit_status check_options(const struct shmkit__address *address,
                                   const shmkit_segment_options *options) {
  const uint32_t known = SHMKIT_READONLY | SHMKIT_POPULATE | SHMKIT_LOCK | SHMKIT_ANY_OWNER;
  const char *what = NULL;
  if (options->flags & ~known) what = "that flag (sparse, huge_pages or an unknown one)";
  if (options->mode != 0) what = "mode";
  if (options->lifetime != SHMKIT_PERSISTENT) what = "lifetime";
  if (options->seals != 0) what = "seals";
  if (options->content != NULL || options->content_size != 0) what = "content";
  if (what != NULL) {
    return shmkit__fail(-EINVAL, address->text,
                        "cannot open %s with the option %s: it is for creating", address->text,
                        what);
  }
  if (address->kind == SHMKIT_POSIX || !(options->flags & SHMKIT_ANY_OWNER)) return 0;
  return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address->text,
                      "cannot open %s with the option any_owner: the owner is checked for posix: "
                      "only, so leave it out",
                      address->text);
}

static shmkit_status check_owner(const struct shmkit__address *address, const struct stat *status,
                                 uint32_t flags) {
  if (address->kind != SHMKIT_POSIX || (flags & SHMKIT_ANY_OWNER)) return 0;
  if (status->st_uid == 0 || status->st_uid == geteuid()) return 0;
  return shmkit__fail(-EACCES, address->text,
                      "cannot open %s: it belongs to user %u, and anybody may have put it there: "
                      "accept that with the option any_owner",
                      address->text, (unsigned)status->st_uid);
}

/* SHMKIT_AGAIN: it was removed meanwhile, look again. */
static shmkit_status check_file(const struct shmkit__address *address, int fd,
                                const struct stat *status, const shmkit_segment_options *options) {
  shmkit_status result = shmkit__check_regular(address->text, status, "open");
  if (result != 0) return result;
  if (address->kind == SHMKIT_POSIX && status->st_nlink == 0) return SHMKIT_AGAIN;
  result = check_owner(address, status, options->flags);
  if (result != 0) return result;
  if (status->st_size == 0 && options->capacity == 0) {
    return shmkit__fail(SHMKIT_ERR_TRUNCATED, address->text,
                        "cannot open %s: it has 0 bytes; whoever makes it has not given it a size "
                        "yet, or somebody truncated it: try later, or give a capacity",
                        address->text);
  }
  if (!shmkit__lifetime_is_last(fd, status)) return 0;
  return shmkit__lifetime_attach(address, fd, status, (options->flags & SHMKIT_READONLY) != 0);
}

static shmkit_status open_file(const struct shmkit__address *address,
                               const shmkit_segment_options *options, shmkit_segment *self) {
  struct stat status;
  int fd = -1;
  int flags = self->readonly ? O_RDONLY : O_RDWR;
  shmkit_status result = address->kind == SHMKIT_FD
                             ? open_descriptor(address, flags, &fd, &self->duplicate)
                             : open_path(address, flags, &fd);
  if (result != 0) return result;
  if (fstat(fd, &status) != 0) {
    result = shmkit__fail_errno(errno, address->text, "cannot open %s", address->text);
  } else {
    result = check_file(address, fd, &status, options);
  }
  if (result != 0) {
    (void)close(fd);
    return result;
  }
  shmkit__segment_set_file(self, fd, &status);
  return shmkit__segment_map(self, "open", (uint64_t)status.st_size, options);
}

shmkit_status shmkit__segment_open_at(const struct shmkit__address *address,
                                      const shmkit_segment_options *options, shmkit_segment **out) {
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(5);
  shmkit_status status = check_options(address, options);
  if (status != 0) return status;
  if (address->kind == SHMKIT_SYSV) return shmkit__sysv_open(address, options, out);
  if (address->kind == SHMKIT_MEMFD) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address->text,
                        "cannot open %s: a memfd has no name to open it by: receive its descriptor "
                        "(fd:N), or use file:/proc/PID/fd/N",
                        address->text);
  }
  shmkit_segment *self = shmkit__segment_new(address, options);
  if (self == NULL) return -ENOMEM;
  do {
    status = open_file(address, options, self);
  } while (status == SHMKIT_AGAIN && shmkit__backoff_wait(&backoff));
  if (status == SHMKIT_AGAIN) {
    status = shmkit__fail(-EBUSY, address->text,
                          "cannot open %s: it was removed each time it was looked at for 5 seconds",
                          address->text);
  }
  if (status != 0) {
    shmkit_segment_free(self);
    return status;
  }
  shmkit__segment_set_open(self);
  shmkit__crash_point("attach.done");
  *out = self;
  return 0;
}

shmkit_status shmkit_segment_open(const char *address, const shmkit_segment_options *options,
                                  shmkit_segment **out) {
  static const shmkit_segment_options defaults = SHMKIT_SEGMENT_OPTIONS_INIT;
  struct shmkit__address parsed;
  shmkit_status status = shmkit__address_parse(address, &parsed);
  if (status != 0) return status;
  return shmkit__segment_open_at(&parsed, options != NULL ? options : &defaults, out);
}
