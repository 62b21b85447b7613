/* SPDX-License-Identifier: MIT */
/* The bytes of what is listed, for looking at them. */
#include <errno.h>

#include "backoff.h"
#include "error.h"
#include "listing.h"
#include "os.h"

static const char *called(const shmkit_info *info) {
  if (info->address[0] != '\0') return info->address;
  return info->name[0] != '\0' ? info->name : "a segment without a name";
}

static shmkit_status fail_open(const shmkit_info *info, int error) {
  const char *text = called(info);
  /* It is there, and no way leads to it. */
  if (info->kind == SHMKIT_INFO_SYSV && (error == EPERM || error == EACCES || error == ENOENT)) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, info->address,
                        "cannot look at the bytes of %s: no process has it attached through which "
                        "you may look: open the segment, which attaches it",
                        text);
  }
  switch (error) {
    case ENOENT:
      return shmkit__fail(-ENOENT, info->address, "cannot look at the bytes of %s: it is gone",
                          text);
    case EACCES:
    case EPERM:
      return shmkit__fail(-error, info->address,
                          "cannot look at the bytes of %s: no permission to read it", text);
    case EWOULDBLOCK:
      return shmkit__fail(
          -EBUSY, info->address,
          "cannot look at the bytes of %s: another process has held a lease on it for 60 seconds",
          text);
    case EINTR:
      return shmkit__fail_errno(error, info->address,
                                "cannot look at the bytes of %s: another process holds a lease on "
                                "it, and waiting for it was interrupted",
                                text);
    default:
      return shmkit__fail_errno(error, info->address, "cannot look at the bytes of %s", text);
  }
}

shmkit_status shmkit_listing_open(const shmkit_listing *self, size_t index, int *out) {
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(60);
  if (index >= self->count) {
    return shmkit__fail(SHMKIT_ERR_RANGE, "", "cannot look at segment %zu of a listing of %zu",
                        index, self->count);
  }
  const struct shmkit__entry *entry = self->entries[index];
  int fd;
  do {
    fd = shmkit__os_open_entry(entry);
    if (backoff.interrupted) break;
  } while (fd == -EWOULDBLOCK && shmkit__backoff_wait(&backoff));
  if (fd == -EWOULDBLOCK && backoff.interrupted) fd = -EINTR;
  if (fd < 0) return fail_open(&entry->info, -fd);
  *out = fd;
  return 0;
}
