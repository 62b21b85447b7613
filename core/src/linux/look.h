/* SPDX-License-Identifier: MIT */
/* What the files that look around on Linux share. */
#ifndef SHMKIT_SRC_LINUX_LOOK_H
#define SHMKIT_SRC_LINUX_LOOK_H

#include <dirent.h>
#include <stdint.h>
#include <unistd.h>

#include "listing.h"

/* The whole of a small file as a string that the caller frees; NULL when it cannot be read. */
char *shmkit__slurp(const char *path);

/* A file with one number; "max", which control groups say for no limit, is UINT64_MAX. */
bool shmkit__read_number(const char *directory, const char *file, uint64_t *out);

/* The number behind `key` at the start of a line of `text`, 0 when it is not there. */
uint64_t shmkit__number_of_key(const char *text, const char *key);

/* The next entry of a directory, NULL at its end. */
static inline struct dirent *shmkit__next(DIR *directory) {
  /* Unsafe only where threads share the directory. NOLINTNEXTLINE(concurrency-mt-unsafe) */
  return readdir(directory);
}

/* Where the pins of identities are in a file, in pages: beyond what anybody maps for its bytes. */
#define SHMKIT__PIN_PAGES (UINT64_C(1) << 30)

static inline uint64_t shmkit__page_size(void) {
  return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The identity of which a mapping at that offset is the pin; 0 when it is none. */
uint32_t shmkit__pin_identity(uint64_t offset);

/* The kernel's struct statx, which musl has since 1.2.5 only. It tells the time of birth, which a
 * tmpfs knows in newer kernels and which stat has no room for. */
struct shmkit__time {
  int64_t seconds;
  uint32_t nanoseconds;
  int32_t reserved;
};
struct shmkit__statx {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, reserved;
  uint64_t inode, size, blocks, attributes_mask;
  struct shmkit__time accessed, created, changed, modified;
  uint32_t special_major, special_minor, major, minor;
  uint64_t more[14];
};
_Static_assert(sizeof(struct shmkit__statx) == 256, "as the kernel has it");

/* Of `path` in the open directory, or of `directory` itself for "". 0 or a negated errno value. */
int shmkit__statx(int directory, const char *path, bool follow, struct shmkit__statx *out);

uint64_t shmkit__device_of(const struct shmkit__statx *status);

/* Enter what the system says about the file of an entry. */
void shmkit__describe(const shmkit_listing *listing, struct shmkit__entry *entry,
                      const struct shmkit__statx *status);

/* A name in the directory of POSIX segments: SEMAPHORE or POSIX. The size is SHMKIT_UNKNOWN when it
 * is not known. */
shmkit_info_kind shmkit__kind_of_name(const char *name, uint64_t size);

/* If `path` is of a file in the directory of POSIX segments, its name there; else NULL. */
const char *shmkit__posix_name(const char *path);

/* The device of the directory of POSIX segments; 0 when there is none. */
uint64_t shmkit__posix_device(void);

/* The device that memfds, System V and anonymous memory live on. */
uint64_t shmkit__internal_device(void);

/* The page size when `device` is one on which they live with huge pages; else 0. Makes an empty
 * memfd for each size of huge pages to see, once per process. */
uint64_t shmkit__internal_huge_page(uint64_t device);

/* The devices of hugetlbfs that are mounted where the caller sees them; how many. */
unsigned shmkit__hugetlbfs_devices(uint64_t devices[], unsigned capacity);
enum { SHMKIT__HUGETLBFS_MAX = 16 };

/* Tell how much of a System V segment is in memory; again when the size of its pages gets known. */
void shmkit__correct_residency(struct shmkit__entry *entry);

/* Find out about what has no name, through the mappings and descriptors of those who map it. */
void shmkit__resolve(shmkit_listing *listing);

#endif
