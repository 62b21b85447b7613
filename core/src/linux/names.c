/* SPDX-License-Identifier: MIT */
/* Linux: segments that have a name, POSIX and System V. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"
#include "segment.h"

/* From <linux/shm.h>, which not every libc comes with. */
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

/* ---- POSIX ---------------------------------------------------------------------------------- */

/* Stamps are read by name. That one is of the file which was described holds if the name still leads
 * there afterwards. */
static bool still_leads_there(const struct shmkit__entry *entry) {
  struct shmkit__statx now;
  return shmkit__statx(AT_FDCWD, entry->path, false, &now) == 0 && now.inode == entry->info.inode &&
         shmkit__device_of(&now) == entry->info.device;
}

void shmkit__os_find_creator(struct shmkit__entry *entry) {
  shmkit_creator creator;
  if (entry->path == NULL || !shmkit__stamp_find(entry->path, false, &creator)) return;
  if (still_leads_there(entry)) entry->info.creator = creator;
}

/* For all at once it also holds if no name has come or gone since `before`. That leaves no trace
 * while the clock of the file system, which is seldom slower than 10 ms, still shows the time of the
 * last change before. */
static bool is_unchanged(const shmkit_listing *listing, const struct stat *before) {
  const int64_t tick = 20000000;
  const struct timespec *time = &before->st_ctim;
  struct stat now;
  return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec < listing->time - tick &&
         stat(SHMKIT__POSIX_DIRECTORY, &now) == 0 && now.st_dev == before->st_dev &&
         now.st_ino == before->st_ino && now.st_ctim.tv_sec == time->tv_sec &&
         now.st_ctim.tv_nsec == time->tv_nsec;
}

static void forget_creators_of_others(shmkit_listing *listing) {
  for (size_t i = 0; i < listing->count; i++) {
    struct shmkit__entry *entry = listing->entries[i];
    if (entry->info.creator.pid != 0 && !still_leads_there(entry)) {
      entry->info.creator = (shmkit_creator){.pid = 0};
    }
  }
}

static void enter_name(shmkit_listing *listing, int directory, const char *name) {
  struct shmkit__statx status;
  if (shmkit__statx(directory, name, false, &status) != 0 || !S_ISREG(status.mode)) return;
  const struct shmkit__identity identity = {.kind = shmkit__kind_of_name(name, status.size),
                                            .device = shmkit__device_of(&status),
                                            .inode = status.inode};
  /* A second name of the same file says nothing new. */
  if (shmkit__listing_find(listing, &identity) != NULL) return;
  struct shmkit__entry *entry = shmkit__listing_add(listing, &identity);
  if (entry == NULL) return;
  shmkit__listing_set_joined(listing, &entry->path, SHMKIT__POSIX_DIRECTORY "/", name);
  shmkit__listing_set_joined(listing, &entry->address, "posix:/", name);
  if (entry->path != NULL) entry->name = shmkit__posix_name(entry->path);
  shmkit__describe(listing, entry, &status);
  if (entry->path != NULL && !listing->few_creators) {
    (void)shmkit__stamp_find(entry->path, false, &entry->info.creator);
  }
}

int shmkit__os_survey_names(shmkit_listing *listing) {
  const uint32_t named =
      SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE);
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
  if (!(listing->kinds & named)) return 0;
  int fd = open(SHMKIT__POSIX_DIRECTORY, flags | O_NOATIME);
  /* Not asking for the time to stay is the owner's right only. */
  if (fd < 0 && errno == EPERM) fd = open(SHMKIT__POSIX_DIRECTORY, flags);
  if (fd < 0) return errno == ENOENT ? 0 : -errno;
  struct stat before = {.st_ino = 0};
  (void)fstat(fd, &before);
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    (void)close(fd);
    return -ENOMEM;
  }
  for (struct dirent *entry; (entry = shmkit__next(directory)) != NULL;) {
    bool regular = entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
    if (regular) enter_name(listing, fd, entry->d_name);
  }
  (void)closedir(directory);
  if (!listing->few_creators && !is_unchanged(listing, &before)) {
    forget_creators_of_others(listing);
  }
  return 0;
}

/* ---- One file ------------------------------------------------------------------------------- */

static bool is_hugetlbfs(uint64_t device) {
  uint64_t devices[SHMKIT__HUGETLBFS_MAX];
  unsigned count = shmkit__hugetlbfs_devices(devices, SHMKIT__HUGETLBFS_MAX);
  for (unsigned i = 0; i < count; i++) {
    if (devices[i] == device) return true;
  }
  return false;
}

static shmkit_info_kind kind_of_file(const struct shmkit__statx *status, const char *path) {
  uint64_t device = shmkit__device_of(status);
  const char *name = path != NULL ? shmkit__posix_name(path) : NULL;
  if (device == shmkit__internal_device() || shmkit__internal_huge_page(device) != 0) {
    return SHMKIT_INFO_MEMFD;
  }
  if (is_hugetlbfs(device)) return SHMKIT_INFO_HUGETLB;
  if (device != shmkit__posix_device()) return SHMKIT_INFO_FILE;
  return name != NULL ? shmkit__kind_of_name(name, status->size) : SHMKIT_INFO_POSIX;
}

/* The name behind a descriptor or a link; a name that is gone is shown with a suffix. */
static void name_file(shmkit_listing *listing, struct shmkit__entry *entry, const char *path,
                      bool gone) {
  static const char memfd[] = "/memfd:", suffix[] = " (deleted)";
  char target[PATH_MAX];
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length > 0 && strncmp(path, "/proc/", 6) == 0) {
    const size_t end = sizeof suffix - 1;
    target[length] = '\0';
    path = target;
    gone = gone || entry->info.kind == SHMKIT_INFO_MEMFD;
    if (gone && (size_t)length > end && strcmp(target + length - end, suffix) == 0) {
      target[(size_t)length - end] = '\0';
    }
    if (strncmp(path, memfd, sizeof memfd - 1) == 0) path += sizeof memfd - 1;
  }
  const char *name = shmkit__posix_name(path);
  shmkit__listing_set(listing, &entry->name, name != NULL ? name : path);
}

int shmkit__os_survey_file(shmkit_listing *listing, const char *path, int fd, bool follow,
                           struct stat *status, struct shmkit__entry **out) {
  char self[32];
  struct shmkit__statx now;
  if (path == NULL) {
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    path = self;
    follow = true;
  }
  int error = shmkit__statx(AT_FDCWD, path, follow, &now);
  if (error != 0) return error;
  status->st_mode = now.mode;
  if (!S_ISREG(now.mode)) return -EMLINK;
  const struct shmkit__identity identity = {
      .kind = kind_of_file(&now, path), .device = shmkit__device_of(&now), .inode = now.inode};
  *out = shmkit__listing_add(listing, &identity);
  if (*out == NULL) return -ENOMEM;
  shmkit__listing_set(listing, &(*out)->path, path);
  name_file(listing, *out, path, now.links == 0);
  shmkit__describe(listing, *out, &now);
  if (now.links == 0) (*out)->info.flags |= SHMKIT_INFO_UNLINKED;
  (void)shmkit__stamp_find(path, follow, &(*out)->info.creator);
  return 0;
}

/* ---- System V ------------------------------------------------------------------------------- */

/* A line of /proc/sysvipc/shm; the key is signed, and 32-bit kernels have narrower columns. */
struct sysv {
  int key, id;
  unsigned mode, uid, gid, creator_uid;
  long long creator, last;
  uint64_t size, attachments, resident, swapped;
  long long attached, detached, changed;
};

static bool parse_sysv(const char *line, struct sysv *out) {
  unsigned group = 0;
  /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
  int found = sscanf(line,
                     "%d %d %o %" SCNu64 " %lld %lld %" SCNu64
                     " %u %u %u %u %lld %lld %lld %" SCNu64 " %" SCNu64,
                     &out->key, &out->id, &out->mode, &out->size, &out->creator, &out->last,
                     &out->attachments, &out->uid, &out->gid, &out->creator_uid, &group,
                     &out->attached, &out->detached, &out->changed, &out->resident, &out->swapped);
  return found == 16;
}

static int64_t time_of(long long seconds) {
  return seconds == 0 ? SHMKIT_UNKNOWN_TIME : (int64_t)seconds * 1000000000;
}

static void name_sysv(shmkit_listing *listing, struct shmkit__entry *entry, int key, int id) {
  char text[32];
  if (key != 0) {
    (void)snprintf(text, sizeof text, "0x%x", (unsigned)key);
  } else {
    (void)snprintf(text, sizeof text, "id=%d", id);
  }
  shmkit__listing_set(listing, &entry->name, text);
  shmkit__listing_set_joined(listing, &entry->address, "sysv:", text);
}

/*
 * Linux 6.7 and newer take each ordinary page of a huge one for a huge page. What is more than the
 * segment has room for was counted so; what would be right in either way is left unknown.
 */
void shmkit__correct_residency(struct shmkit__entry *entry) {
  shmkit_info *info = &entry->info;
  uint64_t ordinary = (uint64_t)sysconf(_SC_PAGESIZE), told = entry->resident_told;
  uint64_t page = info->huge_page != 0 ? info->huge_page : ordinary, often = page / ordinary;
  uint64_t most = (info->size + page - 1) / page * page;
  bool maybe_often = often > 1 && told != 0 && told % (page * often) == 0;
  info->resident = told <= most ? told : SHMKIT_UNKNOWN;
  if (maybe_often) info->resident = told > most ? told / often : SHMKIT_UNKNOWN;
  info->allocated =
      info->resident == SHMKIT_UNKNOWN ? SHMKIT_UNKNOWN : info->resident + info->swapped;
}

static void enter_sysv(shmkit_listing *listing, const struct sysv *segment) {
  const unsigned dest = 01000, locked = 02000, permissions = 0777;
  const struct shmkit__identity identity = {.kind = SHMKIT_INFO_SYSV,
                                            .inode = (uint64_t)segment->id};
  struct shmkit__entry *entry = shmkit__listing_add(listing, &identity);
  if (entry == NULL) return;
  shmkit_info *info = &entry->info;
  name_sysv(listing, entry, segment->key, segment->id);
  entry->described = true;
  info->mode = segment->mode & permissions;
  info->uid = segment->uid;
  info->gid = segment->gid;
  info->size = segment->size;
  info->swapped = segment->swapped;
  entry->resident_told = segment->resident;
  shmkit__correct_residency(entry);
  info->changed = time_of(segment->changed);
  info->attached = time_of(segment->attached);
  info->detached = time_of(segment->detached);
  info->attachments = segment->attachments;
  info->last_pid = segment->last;
  info->creator.pid = segment->creator;
  if (segment->mode & dest) info->flags |= SHMKIT_INFO_DEST;
  if (segment->mode & locked) info->flags |= SHMKIT_INFO_LOCKED;
  uid_t user = listing->user;
  if (user == 0 || user == segment->uid || user == segment->creator_uid) {
    info->flags |= SHMKIT_INFO_MAY_REMOVE;
  }
}

/* What the calls tell, which is not how much is in memory. */
static struct sysv told_by_call(int id, const struct shmid_ds *status) {
  const struct ipc_perm *permissions = &status->shm_perm;
  return (struct sysv){.key = (int)permissions->__key,
                       .id = id,
                       .mode = permissions->mode,
                       .uid = permissions->uid,
                       .gid = permissions->gid,
                       .creator_uid = permissions->cuid,
                       .creator = status->shm_cpid,
                       .last = status->shm_lpid,
                       .size = status->shm_segsz,
                       .attachments = status->shm_nattch,
                       .resident = SHMKIT_UNKNOWN,
                       .swapped = SHMKIT_UNKNOWN,
                       .attached = status->shm_atime,
                       .detached = status->shm_dtime,
                       .changed = status->shm_ctime};
}

/* Where there is no /proc. A kernel without System V has none of them. */
static void survey_by_calls(shmkit_listing *listing) {
  struct shm_info all;
  int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&all);
  for (int index = 0; index <= last; index++) {
    struct shmid_ds status;
    int id = shmctl(index, SHM_STAT_ANY, &status);
    /* Kernels before 4.17 know only how to ask for what the caller may read. */
    if (id < 0) id = shmctl(index, SHM_STAT, &status);
    if (id < 0) continue;
    const struct sysv segment = told_by_call(id, &status);
    enter_sysv(listing, &segment);
  }
}

int shmkit__os_survey_sysv(shmkit_listing *listing) {
  if (!(listing->kinds & SHMKIT_INFO_SET(SHMKIT_INFO_SYSV))) return 0;
  FILE *file = fopen("/proc/sysvipc/shm", "re");
  if (file == NULL && errno != ENOENT) return -errno;
  if (file == NULL) {
    survey_by_calls(listing);
    return 0;
  }
  char *line = NULL;
  size_t size = 0;
  struct sysv segment;
  while (getline(&line, &size, file) > 0) {
    if (parse_sysv(line, &segment)) enter_sysv(listing, &segment);
  }
  free(line);
  (void)fclose(file);
  return 0;
}
