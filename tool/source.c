/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "report.h"
#include "text.h"

enum { CHUNK = 1 << 20 };

/* ---- Opening -------------------------------------------------------------------------------- */

static int attach(struct source *self) {
  const shmkit_segment_options options = {.flags = SHMKIT_READONLY};
  shmkit_status status = shmkit_segment_open(self->address, &options, &self->attached);
  if (status != 0) return report_failure(status);
  self->size = shmkit_segment_size(self->attached);
  report("%s has to be attached to read it, which changes who attached it last, and when",
         self->address);
  return 0;
}

static int open_file(struct source *self) {
  struct stat now;
  shmkit_status status = shmkit_listing_open(self->listing, 0, &self->fd);
  if (status == SHMKIT_ERR_UNSUPPORTED) return attach(self);
  if (status != 0) return report_failure(status);
  if (fstat(self->fd, &now) != 0) report_fatal("%s: %m", self->address);
  self->size = (uint64_t)now.st_size;
  return 0;
}

/* A memfd's name need not be the only one. */
static int report_several(const struct source *self, size_t count) {
  report("there are %zu segments called %s; one of them is meant by its address:", count,
         self->address);
  for (size_t i = 0; i < count; i++) {
    char *address = text_quote(shmkit_listing_at(self->listing, i)->address);
    report("%s", address);
    free(address);
  }
  return EXIT_FAILURE;
}

int source_open(struct source *self, const char *address) {
  *self = (struct source){.address = address, .fd = -1};
  shmkit_status status = shmkit_listing_stat(address, 0, &self->listing);
  if (status != 0) return report_failure(status);
  size_t count = shmkit_listing_count(self->listing);
  int result = count == 1 ? open_file(self) : report_several(self, count);
  if (result != 0) {
    source_close(self);
  } else {
    self->buffer = must(malloc(CHUNK));
  }
  return result;
}

void source_close(struct source *self) {
  shmkit_listing_free(self->listing);
  shmkit_segment_free(self->attached);
  if (self->fd >= 0) (void)close(self->fd);
  free(self->buffer);
  *self = (struct source){.fd = -1};
}

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* ---- A file --------------------------------------------------------------------------------- */

/* Where the next page at or behind `offset` is; the end of the file when there is none. */
static uint64_t next_data(const struct source *self, uint64_t offset) {
  struct stat now;
  off_t data = lseek(self->fd, (off_t)offset, SEEK_DATA);
  if (data >= 0) return (uint64_t)data;
  if (errno != ENXIO) return offset; /* It cannot be told: as if it had pages everywhere. */
  return fstat(self->fd, &now) == 0 && (uint64_t)now.st_size > offset ? (uint64_t)now.st_size
                                                                      : offset;
}

static int read_file(const struct source *self, uint64_t offset, uint64_t wanted,
                     struct piece *out) {
  ssize_t got = 0;
  do {
    got = pread(self->fd, self->buffer, (size_t)wanted, (off_t)offset);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    report("cannot read %s at offset %ju: %m", self->address, (uintmax_t)offset);
    return EXIT_FAILURE;
  }
  *out = (struct piece){.bytes = self->buffer, .length = (uint64_t)got};
  return 0;
}

static int next_of_file(struct source *self, uint64_t offset, uint64_t end, struct piece *out) {
  if (offset >= self->data_end) {
    uint64_t data = smaller(next_data(self, offset), end);
    if (data > offset) {
      *out = (struct piece){.bytes = NULL, .length = data - offset};
      return 0;
    }
    off_t hole = lseek(self->fd, (off_t)offset, SEEK_HOLE);
    self->data_end = hole < 0 ? end : (uint64_t)hole;
  }
  uint64_t until = self->data_end > offset ? smaller(self->data_end, end) : end;
  return read_file(self, offset, smaller(until - offset, CHUNK), out);
}

/* ---- An attached segment -------------------------------------------------------------------- */

/* What has no page must not be read: that would allocate one. A page that is not in memory is none
 * as long as nothing is in swap; of huge pages the kernel does not tell. */
static bool tells_holes(const struct source *self) {
  struct sysinfo machine;
  const shmkit_info *info = shmkit_listing_at(self->listing, 0);
  return info->huge_page == 0 && sysinfo(&machine) == 0 && machine.freeswap == machine.totalswap;
}

/* How much from `offset` on is alike, and whether it has pages. */
static uint64_t next_run(const struct source *self, uint64_t offset, uint64_t wanted, bool *pages) {
  static unsigned char present[CHUNK / 4096 + 1];
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skipped = offset % page, run = 1;
  char *from = (char *)shmkit_segment_data(self->attached) + (offset - skipped);
  uint64_t count = (skipped + wanted + page - 1) / page;
  *pages = true;
  if (mincore(from, (size_t)(skipped + wanted), present) != 0 || !tells_holes(self)) return wanted;
  while (run < count && (present[run] & 1) == (present[0] & 1)) run++;
  *pages = present[0] & 1;
  return smaller(run * page - skipped, wanted);
}

static int next_attached(struct source *self, uint64_t offset, uint64_t end, struct piece *out) {
  bool pages = true;
  uint64_t length = next_run(self, offset, smaller(end - offset, CHUNK), &pages);
  if (pages) {
    shmkit_status status =
        shmkit_segment_read(self->attached, offset, self->buffer, (size_t)length);
    if (status != 0) return report_failure(status);
  }
  *out = (struct piece){.bytes = pages ? self->buffer : NULL, .length = length};
  return 0;
}

int source_next(struct source *self, uint64_t offset, uint64_t end, struct piece *out) {
  return (self->fd >= 0 ? next_of_file : next_attached)(self, offset, end, out);
}
