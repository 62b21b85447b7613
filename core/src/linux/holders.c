/* SPDX-License-Identifier: MIT */
/*
 * Linux: what has no name, found out about through those who map it; what only an open file tells;
 * and what the kernel says about who has a file open or locked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"
#include "segment.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same on all machines */
#endif

/* ---- Without a name ------------------------------------------------------------------------- */

static bool is_of(const struct shmkit__entry *entry, const struct shmkit__statx *status) {
  if (status->inode != entry->info.inode) return false;
  return entry->info.kind == SHMKIT_INFO_SYSV || shmkit__device_of(status) == entry->info.device;
}

static void enter(shmkit_listing *listing, struct shmkit__entry *entry, const char *path,
                  const struct shmkit__statx *status) {
  shmkit__listing_set(listing, &entry->path, path);
  if (entry->info.kind != SHMKIT_INFO_SYSV) {
    shmkit__listing_set_joined(listing, &entry->address, "file:", path);
  }
  shmkit__describe(listing, entry, status);
  if (listing->few_creators) return;
  if (entry->info.kind == SHMKIT_INFO_MEMFD || entry->info.kind == SHMKIT_INFO_POSIX) {
    (void)shmkit__stamp_find(path, true, &entry->info.creator);
  }
}

/* Through the mapping itself, which needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
static bool resolve_by_mapping(shmkit_listing *listing, struct shmkit__entry *entry) {
  char path[80];
  struct shmkit__statx status;
  (void)snprintf(path, sizeof path, "/proc/%lld/map_files/%llx-%llx", (long long)entry->map_pid,
                 (unsigned long long)entry->map_start, (unsigned long long)entry->map_end);
  if (shmkit__statx(AT_FDCWD, path, true, &status) != 0 || !is_of(entry, &status)) return false;
  enter(listing, entry, path, &status);
  return true;
}

/* What a file is entered as. */
static struct shmkit__identity identity_of(uint64_t device, uint64_t inode) {
  bool internal = device == shmkit__internal_device() || shmkit__internal_huge_page(device) != 0;
  return (struct shmkit__identity){
      .kind = internal ? SHMKIT_INFO_MEMFD : SHMKIT_INFO_FILE, .device = device, .inode = inode};
}

/* Any descriptor of the process that is of something about which nothing is known yet. */
static void resolve_descriptor(shmkit_listing *listing, const char *path) {
  struct shmkit__statx status;
  if (shmkit__statx(AT_FDCWD, path, true, &status) != 0 || !S_ISREG(status.mode)) return;
  const struct shmkit__identity identity = identity_of(shmkit__device_of(&status), status.inode);
  struct shmkit__entry *entry = shmkit__listing_find(listing, &identity);
  if (entry != NULL && !entry->described) enter(listing, entry, path, &status);
}

static void resolve_by_descriptors(shmkit_listing *listing, int64_t pid) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%lld/fd", (long long)pid);
  DIR *directory = opendir(path);
  if (directory == NULL) return;
  for (struct dirent *file; (file = shmkit__next(directory)) != NULL;) {
    (void)snprintf(path, sizeof path, "/proc/%lld/fd/%.12s", (long long)pid, file->d_name);
    resolve_descriptor(listing, path);
  }
  (void)closedir(directory);
}

static int compare_pids(const void *a, const void *b) {
  const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

/* Each process that maps something unknown is looked at once, whatever it maps. */
static void resolve_rest(shmkit_listing *listing, size_t mappers) {
  size_t count = 0;
  int64_t *pids = malloc(mappers * sizeof *pids);
  if (pids == NULL) {
    listing->no_memory = true;
    return;
  }
  for (size_t i = 0; i < listing->count; i++) {
    const struct shmkit__entry *entry = listing->entries[i];
    if (entry->described) continue;
    for (size_t m = 0; m < entry->info.mapper_count; m++) pids[count++] = entry->mappers[m].pid;
  }
  qsort(pids, count, sizeof *pids, compare_pids);
  for (size_t i = 0; i < count; i++) {
    if (i == 0 || pids[i] != pids[i - 1]) resolve_by_descriptors(listing, pids[i]);
  }
  free(pids);
}

void shmkit__resolve(shmkit_listing *listing) {
  size_t mappers = 0;
  for (size_t i = 0; i < listing->count; i++) {
    struct shmkit__entry *entry = listing->entries[i];
    if (entry->described || entry->map_pid == 0) continue;
    if (!resolve_by_mapping(listing, entry)) mappers += entry->info.mapper_count;
  }
  if (mappers > 0) resolve_rest(listing, mappers);
}

int shmkit__os_open_entry(const struct shmkit__entry *entry) {
  char mapping[80];
  struct shmkit__statx status;
  const char *path = entry->path;
  int flags = O_RDONLY | O_NOATIME;
  if (path == NULL && entry->map_pid == 0) return -ENOENT;
  if (path == NULL) {
    (void)snprintf(mapping, sizeof mapping, "/proc/%lld/map_files/%llx-%llx",
                   (long long)entry->map_pid, (unsigned long long)entry->map_start,
                   (unsigned long long)entry->map_end);
    path = mapping;
  }
  if (shmkit__posix_name(path) != NULL) flags |= O_NOFOLLOW;
  int fd = shmkit__os_open(path, flags, 0);
  /* Others than the owner may not keep the time of access from changing. */
  if (fd == -EPERM) fd = shmkit__os_open(path, flags & ~O_NOATIME, 0);
  if (fd < 0) return fd;
  if (shmkit__statx(fd, "", true, &status) == 0 && is_of(entry, &status)) return fd;
  (void)close(fd);
  return -ENOENT;
}

/* ---- Open files ----------------------------------------------------------------------------- */

/* How much is in memory, told apart from swap: Linux 6.5 and newer. */
static void examine_residency(int fd, shmkit_info *info) {
  struct {
    uint64_t offset, length;
  } all = {0, 0};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } pages;
  if (info->resident != SHMKIT_UNKNOWN || info->kind == SHMKIT_INFO_HUGETLB) return;
  if (syscall(SYS_cachestat, fd, &all, &pages, 0) != 0) return;
  info->resident = pages.cached * (uint64_t)sysconf(_SC_PAGESIZE);
  if (info->kind == SHMKIT_INFO_FILE) return;
  info->swapped = info->allocated > info->resident ? info->allocated - info->resident : 0;
}

void shmkit__os_examine(int fd, struct shmkit__entry *entry) {
  uint32_t seals = 0;
  examine_residency(fd, &entry->info);
  if (entry->info.kind == SHMKIT_INFO_MEMFD && shmkit__os_seals(fd, &seals) == 0) {
    entry->info.seals = seals;
  }
}

bool shmkit__os_reads_untraced(int fd) {
  struct statvfs status;
  if (fcntl(fd, F_GETFL) & O_NOATIME) return true;
  return fstatvfs(fd, &status) == 0 && (status.f_flag & (ST_NOATIME | ST_RDONLY)) != 0;
}

bool shmkit__os_next_extent(int fd, uint64_t from, uint64_t *start, uint64_t *end) {
  off_t data = lseek(fd, (off_t)from, SEEK_DATA);
  off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
  if (hole <= data) return false;
  *start = (uint64_t)data;
  *end = (uint64_t)hole;
  return true;
}

/* ---- Locks and leases ----------------------------------------------------------------------- */

/* "1: OFDLCK ADVISORY  READ -1 00:1b:2636205 0 EOF"; who waits for one has "->" in front. */
void shmkit__os_survey_locks(shmkit_listing *listing) {
  FILE *file = fopen("/proc/locks", "re");
  if (file == NULL) return;
  listing->locks_known = true;
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, file) > 0) {
    char type[16];
    unsigned major = 0, minor = 0;
    unsigned long long inode = 0;
    /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(line, "%*d: %15s %*s %*s %*d %x:%x:%llu", type, &major, &minor, &inode) != 4 ||
        strcmp(type, "->") == 0 || strcmp(type, "LEASE") == 0) {
      continue;
    }
    const struct shmkit__identity identity = identity_of(makedev(major, minor), inode);
    struct shmkit__entry *entry = shmkit__listing_find(listing, &identity);
    if (entry != NULL) entry->info.locks++;
  }
  free(line);
  (void)fclose(file);
}

int shmkit__os_lease(int fd) {
  /* SIGIO, which is sent otherwise, would end the process; SIGURG is ignored by default. */
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return -errno;
  return fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 0 : -errno;
}

bool shmkit__os_lease_is_whole(int fd) {
  return fcntl(fd, F_GETLEASE) == F_WRLCK;
}

void shmkit__os_lease_return(int fd) {
  (void)fcntl(fd, F_SETLEASE, F_UNLCK);
}
