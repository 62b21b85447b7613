/* SPDX-License-Identifier: MIT */
#include "content.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include <shmkit/shmkit.h>

#include "report.h"
#include "source.h"
#include "text.h"

struct content {
  char *address;
  /* Of a file; NULL for System V. */
  char *path;
  bool has_key;
  key_t key;
  struct source source;
  /* What is read. */
  uint64_t device, inode, size;
};

/* ---- Opening -------------------------------------------------------------------------------- */

static char *path_of(const char *address) {
  if (strncmp(address, "posix:/", 7) == 0) return text_format("/dev/shm/%s", address + 7);
  if (strncmp(address, "file:", 5) == 0) return must(strdup(address + 5));
  if (strncmp(address, "fd:", 3) == 0) return text_format("/proc/self/fd/%s", address + 3);
  return NULL;
}

static void parse_key(struct content *self) {
  const char *text = self->address + strlen("sysv:");
  self->has_key = strncmp(self->address, "sysv:", 5) == 0 && strncmp(text, "id=", 3) != 0;
  if (!self->has_key) return;
  self->key = (key_t)strtoull(text, NULL, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
}

static void note_identity(struct content *self) {
  const shmkit_info *info = shmkit_listing_at(self->source.listing, 0);
  self->device = info->device;
  self->inode = info->inode;
  self->size = self->source.size;
}

struct content *content_open(const char *address, int *status) {
  struct content *self = must(calloc(1, sizeof *self));
  *status = source_open(&self->source, address);
  if (*status != 0) {
    free(self);
    return NULL;
  }
  const shmkit_info *info = shmkit_listing_at(self->source.listing, 0);
  /* In canonical form, but what says by which way it was meant. */
  bool as_asked = strncmp(address, "sysv:", 5) == 0 || strncmp(address, "fd:", 3) == 0;
  self->address = must(strdup(as_asked || info->address[0] == '\0' ? address : info->address));
  self->source.address = self->address;
  self->path = path_of(self->address);
  parse_key(self);
  note_identity(self);
  return self;
}

void content_close(struct content *self) {
  if (self == NULL) return;
  source_close(&self->source);
  free(self->path);
  free(self->address);
  free(self);
}

static enum content_event open_anew(struct content *self) {
  struct source found;
  if (source_open(&found, self->address) != 0) return CONTENT_REMOVED;
  source_close(&self->source);
  self->source = found;
  note_identity(self);
  return CONTENT_REPLACED;
}

/* ---- What became of it ---------------------------------------------------------------------- */

static enum content_event look_at_file(struct content *self) {
  struct stat mine, found;
  if (fstat(self->source.fd, &mine) == 0) self->size = (uint64_t)mine.st_size;
  if (stat(self->path, &found) != 0) return CONTENT_REMOVED;
  bool same = found.st_ino == self->inode && found.st_dev == self->device;
  return same ? CONTENT_SAME : open_anew(self);
}

/* A segment that is marked for removal goes with its last attachment, which ours is not to be. */
static bool is_there(const struct content *self) {
  struct shmid_ds status;
  if (shmctl((int)self->inode, IPC_STAT, &status) != 0) return errno != EINVAL && errno != EIDRM;
  return !(status.shm_perm.mode & SHM_DEST) || status.shm_nattch > (self->source.attached != NULL);
}

static enum content_event look_at_system_v(struct content *self) {
  int id = self->has_key ? shmget(self->key, 0, 0) : (int)self->inode;
  if (id < 0) return CONTENT_REMOVED;
  if (id != (int)self->inode) return open_anew(self);
  return is_there(self) ? CONTENT_SAME : CONTENT_REMOVED;
}

enum content_event content_refresh(struct content *self) {
  return self->path != NULL ? look_at_file(self) : look_at_system_v(self);
}

/* ---- Reading -------------------------------------------------------------------------------- */

const char *content_address(const struct content *self) {
  return self->address;
}

uint64_t content_size(const struct content *self) {
  return self->size;
}

ssize_t content_read(struct content *self, uint64_t offset, void *buffer, size_t length) {
  unsigned char *to = buffer;
  struct piece piece = {.length = 1};
  if (offset >= self->size) return 0;
  uint64_t end = length > self->size - offset ? self->size : offset + length, at = offset;
  while (at < end && piece.length > 0) {
    if (source_next(&self->source, at, end, &piece) != 0) return -1;
    if (piece.bytes != NULL) {
      memcpy(to, piece.bytes, (size_t)piece.length);
    } else {
      memset(to, 0, (size_t)piece.length);
    }
    to += piece.length;
    at += piece.length;
  }
  return (ssize_t)(at - offset);
}
