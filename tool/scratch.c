/* SPDX-License-Identifier: MIT */
/* Words, counts and scratch memory for what `shmkit explain` tells. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "explain.h"
#include "report.h"
#include "text.h"

/* ---- Words ---------------------------------------------------------------------------------- */

/* Keeps a text for a while. */
static const char *keep(char *text) {
  static char *kept[16];
  static unsigned next;
  char **place = &kept[next++ % (sizeof kept / sizeof kept[0])];
  free(*place);
  *place = text;
  return text;
}

const char *in_bytes(uint64_t bytes) {
  return keep(text_size(bytes, false));
}

const char *in_time(double nanoseconds) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  unsigned unit = 0;
  for (; nanoseconds >= 1000 && unit < 3; unit++) nanoseconds /= 1000;
  return keep(text_format("%.*f %s", nanoseconds < 10 ? 1 : 0, nanoseconds, units[unit]));
}

const char *in_text(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return keep(must(length < 0 ? NULL : text));
}

const char *in_number(uint64_t count, const char *one) {
  return in_text("%ju %s%s", (uintmax_t)count, one, count == 1 ? "" : "s");
}

/* ---- Counting ------------------------------------------------------------------------------- */

shmkit_listing *look_around(uint32_t kinds) {
  shmkit_listing *listing = NULL;
  const shmkit_listing_options options = {.kinds = kinds};
  if (shmkit_listing_take(&options, &listing) != 0) report_fatal("%s", shmkit_error_message());
  return listing;
}

static uint64_t known(uint64_t bytes) {
  return bytes == SHMKIT_UNKNOWN ? 0 : bytes;
}

struct tally tally_of(const shmkit_listing *listing, bool (*is)(const shmkit_info *info)) {
  struct tally tally = {0};
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if ((info->flags & SHMKIT_INFO_ELSEWHERE) || !is(info)) continue;
    tally.count++;
    tally.bytes += known(info->size);
    tally.resident += known(info->allocated);
  }
  return tally;
}

bool is_posix(const shmkit_info *info) {
  return info->kind == SHMKIT_INFO_POSIX;
}

bool is_sysv(const shmkit_info *info) {
  return info->kind == SHMKIT_INFO_SYSV;
}

bool is_memfd(const shmkit_info *info) {
  return info->kind == SHMKIT_INFO_MEMFD;
}

/* ---- Scratch memory ------------------------------------------------------------------------- */

static bool make_pages(int fd, size_t size) {
  off_t page = (off_t)sysconf(_SC_PAGESIZE);
  return ftruncate(fd, (off_t)size) == 0 &&
         fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size + page) == 0;
}

/* Above the standard streams, where a shell would put its own files. */
static int lift(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  (void)close(fd);
  return lifted;
}

int scratch_open(size_t size, bool reserved) {
  (void)signal(SIGXFSZ, SIG_IGN);
  if (reserved) {
    int fd = lift(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd >= 0 && make_pages(fd, size)) return fd;
    if (fd >= 0) (void)close(fd);
  }
  /* Where /dev/shm is full, missing or not ours to write, a memfd is the same on another tmpfs. */
  int fd = lift(memfd_create("shmkit-explain", MFD_CLOEXEC));
  bool made = fd >= 0 && (reserved ? make_pages(fd, size) : ftruncate(fd, (off_t)size) == 0);
  if (!made) report_fatal("cannot make scratch memory of %zu bytes: %s", size, strerror(errno));
  return fd;
}

void *scratch_map(int fd, size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) report_fatal("cannot map scratch memory: %s", strerror(errno));
  return memory;
}

static struct stat status_of(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) report_fatal("cannot look at scratch memory: %s", strerror(errno));
  return status;
}

uint64_t scratch_size(int fd) {
  return (uint64_t)status_of(fd).st_size;
}

uint64_t scratch_pages(int fd) {
  return (uint64_t)status_of(fd).st_blocks * 512;
}
