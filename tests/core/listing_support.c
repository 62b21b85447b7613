/* SPDX-License-Identifier: MIT */
#include "listing_support.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

shmkit_listing *take(uint32_t kinds) {
  shmkit_listing *listing = NULL;
  const shmkit_listing_options options = {.kinds = kinds};
  assert_done(shmkit_listing_take(&options, &listing));
  ck_assert_ptr_nonnull(listing);
  return listing;
}

const shmkit_info *find(const shmkit_listing *listing, shmkit_info_kind kind, const char *wanted) {
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (info->kind == kind && strcmp(info->name, wanted) == 0) return info;
  }
  return NULL;
}

const shmkit_info *find_posix(const shmkit_listing *listing, const char *wanted) {
  const shmkit_info *info = find(listing, SHMKIT_INFO_POSIX, wanted);
  ck_assert_msg(info != NULL, "%s is not listed", wanted);
  return info;
}

shmkit_listing *look_at(const char *address, uint32_t flags) {
  shmkit_listing *listing = NULL;
  assert_done(shmkit_listing_stat(address, flags, &listing));
  ck_assert_uint_eq(shmkit_listing_count(listing), 1);
  return listing;
}

int make_file(const char *name_, off_t size) {
  int fd = open(path_of(name_), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(ftruncate(fd, size), 0);
  return fd;
}

void *map_file(int fd, size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  return memory;
}

bool is_long_enough(unsigned seconds) {
  static struct timespec begun;
  struct timespec now;
  ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  if (begun.tv_sec == 0) begun = now;
  time_t gone = now.tv_sec - begun.tv_sec;
  return gone > (time_t)seconds || (gone == (time_t)seconds && now.tv_nsec >= begun.tv_nsec);
}

/* ---- Removing ------------------------------------------------------------------------------- */

shmkit_listing *gc(uint32_t flags, uint64_t older_than, const char *pattern) {
  shmkit_listing *listing = NULL;
  const shmkit_gc_options options = {.flags = flags, .older_than = older_than, .pattern = pattern};
  assert_done(shmkit_gc(&options, &listing));
  return listing;
}

void assert_removal(shmkit_listing *listing, shmkit_removal expected, const char *reason) {
  ck_assert_uint_eq(shmkit_listing_count(listing), 1);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_msg(info->removal == (uint32_t)expected, "removal %u: %s", info->removal, info->reason);
  ck_assert_msg(strstr(info->reason, reason) != NULL, "\"%s\" does not say \"%s\"", info->reason,
                reason);
  shmkit_listing_free(listing);
}

void make_idle(const char *name_) {
  ck_assert_int_eq(close(make_file(name_, 4096)), 0);
}

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  (void)close(fd);
  return done;
}

/* Private is /dev/shm itself: in a chroot, / need not be a mount point. */
bool mount_own_shm(const char *options) {
  return mount(NULL, "/dev/shm", NULL, MS_PRIVATE, NULL) == 0 &&
         mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

bool enter_own_place(void) {
  unsigned user = geteuid(), group = getegid();
  if (user == 0) {
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC) != 0) return false;
  } else {
    char users[32], groups[32];
    (void)snprintf(users, sizeof users, "0 %u 1", user);
    (void)snprintf(groups, sizeof groups, "0 %u 1", group);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) != 0 ||
        !write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", users) ||
        !write_file("/proc/self/gid_map", groups)) {
      return false;
    }
  }
  return mount_own_shm("size=64m");
}
