/* SPDX-License-Identifier: MIT */
/* Linux: what the system says about a file without it being opened, and which kind of memory the
 * device that it is on stands for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"

/* From <linux/stat.h>, which not every libc comes with. */
enum { BASIC_AND_BIRTH = 0xfff, BIRTH = 0x800 };

int shmkit__statx(int directory, const char *path, bool follow, struct shmkit__statx *out) {
  int flags = (follow ? 0 : AT_SYMLINK_NOFOLLOW) | (*path == '\0' ? AT_EMPTY_PATH : 0);
  return syscall(SYS_statx, directory, path, flags, BASIC_AND_BIRTH, out) == 0 ? 0 : -errno;
}

uint64_t shmkit__device_of(const struct shmkit__statx *status) {
  return makedev(status->major, status->minor);
}

/* ---- Entering ------------------------------------------------------------------------------- */

/* File systems in memory keep whatever second somebody sets, which need not fit. */
static int64_t nanoseconds(struct shmkit__time time) {
  int64_t result = 0;
  if (__builtin_mul_overflow(time.seconds, INT64_C(1000000000), &result) ||
      __builtin_add_overflow(result, (int64_t)time.nanoseconds, &result)) {
    return SHMKIT_UNKNOWN_TIME;
  }
  return result;
}

bool shmkit__os_nothing_is_swapped(void) {
  struct sysinfo machine;
  return sysinfo(&machine) == 0 && machine.totalswap == machine.freeswap;
}

static void describe_room(const shmkit_listing *listing, shmkit_info *info,
                          const struct shmkit__statx *status) {
  const uint64_t unit = 512;
  info->allocated = status->blocks * unit;
  /* Devices have no room, and what a disk has says nothing of memory. */
  bool in_memory = info->kind != SHMKIT_INFO_FILE && info->kind != SHMKIT_INFO_HUGETLB;
  bool huge = info->huge_page != 0;
  if (!huge && (!in_memory || !listing->nothing_swapped)) return;
  info->resident = info->allocated;
  info->swapped = 0;
}

static bool may_remove(const shmkit_listing *listing, const struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  if (entry->path == NULL || info->links == 0 || (info->flags & SHMKIT_INFO_ELSEWHERE))
    return false;
  /* The directory is everybody's, and sticky: only owners remove. */
  return listing->user == 0 || listing->user == info->uid;
}

void shmkit__describe(const shmkit_listing *listing, struct shmkit__entry *entry,
                      const struct shmkit__statx *status) {
  const uint32_t permissions = 0777, sticky = 01000;
  shmkit_info *info = &entry->info;
  entry->described = true;
  info->mode = status->mode & permissions;
  info->uid = status->uid;
  info->gid = status->gid;
  info->size = status->size;
  info->created = status->mask & BIRTH ? nanoseconds(status->created) : SHMKIT_UNKNOWN_TIME;
  info->changed = nanoseconds(status->changed);
  info->modified = nanoseconds(status->modified);
  info->accessed = nanoseconds(status->accessed);
  /* The internal file systems count a link that nobody can follow. */
  bool nameless = info->kind == SHMKIT_INFO_MEMFD || info->kind == SHMKIT_INFO_ANONYMOUS ||
                  info->kind == SHMKIT_INFO_SYSV;
  info->links = nameless ? 0 : status->links;
  if (info->kind == SHMKIT_INFO_HUGETLB) info->huge_page = status->block_size;
  if (nameless) info->huge_page = shmkit__internal_huge_page(shmkit__device_of(status));
  if (info->kind == SHMKIT_INFO_POSIX && (status->mode & sticky)) info->flags |= SHMKIT_INFO_LAST;
  describe_room(listing, info, status);
  if (may_remove(listing, entry)) info->flags |= SHMKIT_INFO_MAY_REMOVE;
}

/* ---- Names ---------------------------------------------------------------------------------- */

shmkit_info_kind shmkit__kind_of_name(const char *name, uint64_t size) {
  /* A 32-bit program's are half as large. */
  bool fits = size == SHMKIT_UNKNOWN || size == sizeof(sem_t) || size == sizeof(sem_t) / 2 ||
              size == sizeof(sem_t) * 2;
  return strncmp(name, "sem.", 4) == 0 && fits ? SHMKIT_INFO_SEMAPHORE : SHMKIT_INFO_POSIX;
}

const char *shmkit__posix_name(const char *path) {
  size_t directory = sizeof SHMKIT__POSIX_DIRECTORY "/" - 1;
  if (strncmp(path, SHMKIT__POSIX_DIRECTORY "/", directory) != 0) return NULL;
  const char *name = path + directory;
  return *name != '\0' && strchr(name, '/') == NULL ? name : NULL;
}

/* ---- Devices -------------------------------------------------------------------------------- */

uint64_t shmkit__posix_device(void) {
  struct stat status;
  return stat(SHMKIT__POSIX_DIRECTORY, &status) == 0 ? status.st_dev : 0;
}

/* The device that a new memfd is on; 0 when there can be none. */
static uint64_t device_of_memfd(unsigned flags) {
  struct stat status = {.st_dev = 0};
  int fd = memfd_create("shmkit", flags | MFD_CLOEXEC);
  if (fd < 0) return 0;
  (void)fstat(fd, &status);
  (void)close(fd);
  return status.st_dev;
}

static struct {
  pthread_once_t once;
  uint64_t ordinary;
  struct {
    uint64_t device, page;
  } huge[8];
  unsigned count;
} internal = {.once = PTHREAD_ONCE_INIT};

static void find_huge_pages(void) {
  const unsigned capacity = sizeof internal.huge / sizeof internal.huge[0];
  const unsigned size_shift = 26; /* of MFD_HUGE_* */
  DIR *directory = opendir("/sys/kernel/mm/hugepages");
  if (directory == NULL) return;
  struct dirent *entry;
  while (internal.count < capacity && (entry = shmkit__next(directory)) != NULL) {
    unsigned long long kib = 0;
    /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(entry->d_name, "hugepages-%llukB", &kib) != 1 || kib == 0) continue;
    unsigned exponent = (unsigned)__builtin_ctzll(kib) + 10;
    uint64_t device = device_of_memfd(MFD_HUGETLB | (exponent << size_shift));
    if (device == 0) continue;
    internal.huge[internal.count].device = device;
    internal.huge[internal.count++].page = kib << 10;
  }
  (void)closedir(directory);
}

static void find_internal(void) {
  internal.ordinary = device_of_memfd(0);
  find_huge_pages();
}

uint64_t shmkit__internal_device(void) {
  (void)pthread_once(&internal.once, find_internal);
  return internal.ordinary;
}

uint64_t shmkit__internal_huge_page(uint64_t device) {
  (void)pthread_once(&internal.once, find_internal);
  for (unsigned i = 0; i < internal.count; i++) {
    if (internal.huge[i].device == device) return internal.huge[i].page;
  }
  return 0;
}

unsigned shmkit__hugetlbfs_devices(uint64_t devices[], unsigned capacity) {
  unsigned count = 0, major = 0, minor = 0;
  FILE *file = fopen("/proc/self/mountinfo", "re");
  if (file == NULL) return 0;
  char *line = NULL;
  size_t size = 0;
  while (count < capacity && getline(&line, &size, file) > 0) {
    const char *type = strstr(line, " - ");
    if (type == NULL || strncmp(type, " - hugetlbfs ", 13) != 0) continue;
    /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2)
      devices[count++] = makedev(major, minor);
  }
  free(line);
  (void)fclose(file);
  return count;
}
