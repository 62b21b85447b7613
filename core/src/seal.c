/* SPDX-License-Identifier: MIT */
/* Seals of a memfd: promises about it that nobody can take back. */
#include <sys/stat.h>

#include "error.h"
#include "segment.h"

/* The descriptor and its seals, which only a memfd has. */
static shmkit_status find_seals(shmkit_segment *self, const char *verb, int *fd, uint32_t *seals) {
  shmkit_status result = shmkit_segment_fileno(self, fd);
  if (result != 0) return result;
  /* Linux answers for any file on a tmpfs; one that has a name cannot be sealed. */
  struct stat status;
  bool named = fstat(*fd, &status) != 0 || status.st_nlink != 0;
  if (!named && shmkit__os_seals(*fd, seals) == 0) return 0;
  return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, self->address, "cannot %s %s: only a memfd has seals",
                      verb, self->address);
}

static shmkit_status add_seals(shmkit_segment *self, uint32_t seals) {
  uint32_t present = 0;
  int fd = -1;
  shmkit_status result = find_seals(self, "seal", &fd, &present);
  if (result != 0) return result;
  int error = shmkit__os_seal(fd, seals);
  switch (error) {
    case 0:
      return 0;
    case -EBUSY:
      return shmkit__fail(error, self->address,
                          "cannot seal %s against writing while it is mapped for writing: create "
                          "it with that seal and its content, or seal future writing only",
                          self->address);
    case -EPERM:
      return shmkit__fail(error, self->address, "cannot seal %s: %s", self->address,
                          present & SHMKIT_SEAL_SEAL ? "it is sealed against sealing"
                                                     : "it is open read-only");
    default:
      return shmkit__fail_errno(-error, self->address, "cannot seal %s with 0x%x", self->address,
                                (unsigned)seals);
  }
}

shmkit_status shmkit_segment_seal(shmkit_segment *self, uint32_t seals) {
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  result = add_seals(self, seals);
  shmkit__segment_leave(self);
  return result;
}

shmkit_status shmkit_segment_seals(shmkit_segment *self, uint32_t *out) {
  uint32_t seals = 0;
  int fd = -1;
  shmkit_status result = shmkit__segment_enter(self);
  if (result != 0) return result;
  result = find_seals(self, "ask for the seals of", &fd, &seals);
  if (result == 0) *out = seals;
  shmkit__segment_leave(self);
  return result;
}
