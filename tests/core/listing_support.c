/* SPDX-License-Identifier: MIT */
#include "listing_support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
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
