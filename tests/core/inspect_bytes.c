/* SPDX-License-Identifier: MIT */
/* The bytes of what is listed can be looked at, and looking leaves no trace. */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_listed(const char *address) {
  shmkit_listing *listing = look_at(address, 0);
  int fd = -1;
  assert_done(shmkit_listing_open(listing, 0, &fd));
  shmkit_listing_free(listing);
  return fd;
}

static void assert_reads(int fd, off_t offset, const char *bytes) {
  char buffer[64];
  ssize_t length = (ssize_t)strlen(bytes);
  ck_assert_int_eq(pread(fd, buffer, (size_t)length, offset), length);
  ck_assert_int_eq(memcmp(buffer, bytes, (size_t)length), 0);
}

START_TEST(looking_at_a_file_changes_neither_pages_nor_times) {
  char zeros[4096];
  struct stat before, after;
  int file = make_file(name(), 100 * MIB);
  ck_assert_int_eq(pwrite(file, "hello", 5, 50 * MIB), 5);
  /* An access before the last change is one that relatime would bring up to date. */
  const struct timespec old[] = {{1000000000, 0}, {0, UTIME_OMIT}};
  ck_assert_int_eq(futimens(file, old), 0);
  ck_assert_int_eq(fstat(file, &before), 0);
  int fd = open_listed(name());
  ck_assert(fcntl(fd, F_GETFL) & O_NOATIME);
  ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  assert_reads(fd, 50 * MIB, "hello");
  ck_assert_int_eq(lseek(fd, 0, SEEK_DATA), 50 * MIB);
  ck_assert_int_eq(pread(fd, zeros, sizeof zeros, 0), sizeof zeros);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(fstat(file, &after), 0);
  ck_assert_int_eq(after.st_blocks, before.st_blocks);
  ck_assert_int_eq(after.st_atim.tv_sec, before.st_atim.tv_sec);
  ck_assert_int_eq(close(file), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(a_last_segment_that_its_users_left_behind_stays) {
  int file = make_file(name(), 4096);
  ck_assert_int_eq(pwrite(file, "evidence", 8, 0), 8);
  ck_assert_int_eq(fchmod(file, S_ISVTX | 0600), 0);
  ck_assert_int_eq(close(file), 0);
  int fd = open_listed(name());
  assert_reads(fd, 0, "evidence");
  ck_assert_int_eq(close(fd), 0);
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(it_is_the_listed_segment_or_none) {
  int file = make_file(name(), 4096), fd = -1;
  shmkit_listing *listing = look_at(name(), 0);
  /* Kept, so that its inode number is not given to the next one. */
  ck_assert_int_eq(unlink(path_of(name())), 0);
  assert_fails(-ENOENT, shmkit_listing_open(listing, 0, &fd));
  ck_assert_int_eq(close(make_file(name(), 4096)), 0);
  assert_fails(-ENOENT, shmkit_listing_open(listing, 0, &fd));
  assert_fails(SHMKIT_ERR_RANGE, shmkit_listing_open(listing, 1, &fd));
  ck_assert_int_eq(fd, -1);
  shmkit_listing_free(listing);
  ck_assert_int_eq(unlink(path_of(name())), 0);
  ck_assert_int_eq(close(file), 0);
}
END_TEST

START_TEST(what_has_no_name_is_reached_through_who_maps_it) {
  int file = make_file(name(), 4096);
  char *memory = map_file(file, 4096), address[64];
  (void)strcpy(memory, "nameless");
  ck_assert_int_eq(unlink(path_of(name())), 0);
  (void)snprintf(address, sizeof address, "fd:%d", file);
  int fd = open_listed(address);
  assert_reads(fd, 0, "nameless");
  ck_assert_int_eq(close(fd), 0);
  shmkit_listing *listing = take(0);
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    if (strcmp(shmkit_listing_at(listing, i)->name, name()) != 0) continue;
    assert_done(shmkit_listing_open(listing, i, &fd));
    assert_reads(fd, 0, "nameless");
    ck_assert_int_eq(close(fd), 0);
  }
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(file), 0);
}
END_TEST

START_TEST(system_v_is_read_without_attaching_or_refused) {
  struct shmid_ds before, after;
  int id = shmget(sysv_key(), 1 * MIB, IPC_CREAT | IPC_EXCL | 0600), fd = -1;
  ck_assert_int_ge(id, 0);
  shmkit_listing *listing = look_at(sysv_address(), 0);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_listing_open(listing, 0, &fd));
  shmkit_listing_free(listing);
  char *memory = shmat(id, NULL, 0);
  (void)strcpy(memory + 8192, "hello");
  ck_assert_int_eq(shmctl(id, IPC_STAT, &before), 0);
  listing = look_at(sysv_address(), 0);
  shmkit_status status = shmkit_listing_open(listing, 0, &fd);
  if (status == 0) {
    assert_reads(fd, 8192, "hello");
    ck_assert_int_eq(lseek(fd, 0, SEEK_DATA), 8192);
    ck_assert_int_eq(close(fd), 0);
  } else {
    ck_assert_int_eq(status, SHMKIT_ERR_UNSUPPORTED);
  }
  shmkit_listing_free(listing);
  listing = look_at(sysv_address(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->resident, 4096);
  shmkit_listing_free(listing);
  ck_assert_int_eq(shmctl(id, IPC_STAT, &after), 0);
  ck_assert_int_eq(after.shm_atime, before.shm_atime);
  ck_assert_uint_eq(after.shm_nattch, 1);
  ck_assert_int_eq(shmdt(memory), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
}
END_TEST

static void look_without_permission(void *unused) {
  int fd = -1;
  (void)unused;
  if (geteuid() == 0 && !become_nobody()) return;
  shmkit_listing *listing = look_at(name(), 0);
  assert_fails(-EACCES, shmkit_listing_open(listing, 0, &fd));
  shmkit_listing_free(listing);
}

START_TEST(without_permission_nothing_is_opened) {
  int file = make_file(name(), 4096);
  ck_assert_int_eq(fchmod(file, 0), 0);
  ck_assert_int_eq(close(file), 0);
  finish(start(look_without_permission, NULL));
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      looking_at_a_file_changes_neither_pages_nor_times,
      a_last_segment_that_its_users_left_behind_stays,
      it_is_the_listed_segment_or_none,
      what_has_no_name_is_reached_through_who_maps_it,
      system_v_is_read_without_attaching_or_refused,
      without_permission_nothing_is_opened,
  };
  return run_cases("inspect_bytes", cases, COUNT(cases), argc, argv);
}
