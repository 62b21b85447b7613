/* SPDX-License-Identifier: MIT */
/* Who maps what, here and in other namespaces; and that looking changes nothing. */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Mappers -------------------------------------------------------------------------------- */

static void map_read_only(void *address) {
  const shmkit_segment_options options = {.flags = SHMKIT_READONLY};
  shmkit_segment *segment = NULL;
  if (shmkit_segment_open(address, &options, &segment) != 0) _exit(1);
  signal_turn(0);
  wait_turn(1);
  shmkit_segment_free(segment);
}

START_TEST(each_process_that_maps_is_named_once) {
  shmkit_segment *segment = create(name(), 8192, NULL);
  shmkit_segment *second = open_segment(name(), NULL);
  pid_t child = start(map_read_only, (void *)(uintptr_t)shmkit_segment_address(segment));
  wait_turn(0);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert_uint_eq(info->mapper_count, 2);
  ck_assert_uint_lt((uint64_t)info->mappers[0].pid, (uint64_t)info->mappers[1].pid);
  for (size_t i = 0; i < 2; i++) {
    const shmkit_mapper *mapper = &info->mappers[i];
    bool parent = mapper->pid == getpid();
    ck_assert(parent || mapper->pid == child);
    /* The child has inherited two writable mappings, and added one. */
    ck_assert_uint_eq(mapper->mappings, parent ? 2 : 3);
    ck_assert_uint_gt(mapper->start, 0);
    ck_assert_int_lt(mapper->started, shmkit_listing_time(listing) + INT64_C(1000000000));
  }
  ck_assert_uint_eq(info->mappings, 5);
  shmkit_listing_free(listing);
  signal_turn(1);
  finish(child);
  shmkit_segment_free(second);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_private_mapping_is_a_use_that_others_do_not_see) {
  int fd = make_file(name(), 8192);
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  ck_assert_int_eq(close(fd), 0);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  ck_assert(info->mappers[0].readable && !info->mappers[0].writable);
  ck_assert_uint_eq(info->mappers[0].offset, 4096);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(only_the_kernel_knows_of_a_mere_descriptor) {
  int fd = make_file(name(), 4096);
  shmkit_listing *listing = look_at(name(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->mapper_count, 0);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->holding, SHMKIT_HOLDING_UNKNOWN);
  shmkit_listing_free(listing);
  listing = look_at(name(), SHMKIT_STAT_EXACT);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->holding, SHMKIT_HELD);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->state, SHMKIT_STATE_USED);
  shmkit_listing_free(listing);
  ck_assert_int_eq(close(fd), 0);
  listing = look_at(name(), SHMKIT_STAT_EXACT);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->holding, SHMKIT_NOT_HELD);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->state, SHMKIT_STATE_IDLE);
  shmkit_listing_free(listing);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(who_may_not_look_is_told_so) {
  if (geteuid() != 0 || !become_nobody()) return;
  char address[300];
  (void)snprintf(address, sizeof address, "memfd:%s", name());
  shmkit_segment *segment = create(address, 4096, NULL), *posix = create(name(), 4096, NULL);
  shmkit_listing *listing = take(0);
  ck_assert_uint_gt(shmkit_listing_unreadable(listing), 0);
  ck_assert(!shmkit_listing_complete(listing));
  /* The way of the powerful, through the mapping, is closed. */
  const shmkit_info *info = find(listing, SHMKIT_INFO_MEMFD, name());
  ck_assert_ptr_nonnull(info);
  ck_assert_uint_eq(info->size, 4096);
  ck_assert_uint_eq(info->mappers[0].uid, geteuid());
  shmkit_segment *other = open_segment(info->address, NULL);
  shmkit_segment_free(other);
  shmkit_segment_free(segment);
  shmkit_listing_free(listing);
  shmkit_segment_close(posix);
  listing = take(0);
  ck_assert_int_eq(find_posix(listing, name())->state, SHMKIT_STATE_UNKNOWN);
  ck_assert_ptr_nonnull(strstr(find_posix(listing, name())->reason, "could not be looked at"));
  shmkit_listing_free(listing);
  assert_done(shmkit_segment_unlink(posix));
  shmkit_segment_free(posix);
}
END_TEST

/* ---- Looking changes nothing ---------------------------------------------------------------- */

static void assert_same(const struct stat *a, const struct stat *b) {
  ck_assert_int_eq(a->st_blocks, b->st_blocks);
  ck_assert_int_eq(a->st_size, b->st_size);
  ck_assert_mem_eq(&a->st_atim, &b->st_atim, sizeof a->st_atim);
  ck_assert_mem_eq(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim);
  ck_assert_mem_eq(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim);
}

START_TEST(looking_changes_no_page_and_no_time_of_a_file) {
  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  struct stat before, after;
  int fd = make_file(name(), 64 * 4096);
  ck_assert_int_eq(pwrite(fd, "x", 1, 5L * 4096), 1);
  ck_assert_int_eq(pwrite(fd, "x", 1, 40L * 4096), 1);
  /* Older than the last change: a mount with relatime would make it new at the first look. */
  ck_assert_int_eq(futimens(fd, old), 0);
  ck_assert_int_eq(fstat(fd, &before), 0);
  shmkit_listing *listing = take(SHMKIT_INFO_ALL);
  ck_assert_uint_eq(find_posix(listing, name())->allocated, 2 * 4096);
  shmkit_listing_free(listing);
  listing = look_at(name(), SHMKIT_STAT_EXACT);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->extent_count, 2);
  ck_assert_uint_eq(info->extents[0].offset, UINT64_C(5) * 4096);
  ck_assert_uint_eq(info->extents[0].length, 4096);
  ck_assert_uint_eq(info->extents[1].offset, UINT64_C(40) * 4096);
  ck_assert_int_eq(info->accessed, INT64_C(1000000000000));
  ck_assert_int_eq(info->modified, INT64_C(2000000000000));
  shmkit_listing_free(listing);
  ck_assert_int_eq(fstat(fd, &after), 0);
  assert_same(&before, &after);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

static void attach_and_leave(void *id) {
  void *memory = shmat(*(int *)id, NULL, 0);
  if (memory == (void *)-1 || shmdt(memory) != 0) _exit(1);
}

START_TEST(looking_changes_nothing_of_system_v) {
  struct shmid_ds before, after;
  int id = shmget(sysv_key(), 64 * 4096, IPC_CREAT | IPC_EXCL | 0600);
  finish(start(attach_and_leave, &id));
  void *memory = shmat(id, NULL, 0);
  ((char *)memory)[4096] = 1;
  ck_assert_int_eq(shmctl(id, IPC_STAT, &before), 0);
  shmkit_listing_free(take(SHMKIT_INFO_ALL));
  shmkit_listing *listing = look_at(sysv_address(), SHMKIT_STAT_EXACT);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->resident, 4096);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->holding, SHMKIT_HOLDING_UNKNOWN);
  shmkit_listing_free(listing);
  listing = look_at(sysv_address(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->resident, 4096);
  shmkit_listing_free(listing);
  ck_assert_int_eq(shmctl(id, IPC_STAT, &after), 0);
  ck_assert_mem_eq(&before, &after, sizeof before);
  ck_assert_int_eq(shmdt(memory), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
}
END_TEST

/* Make two of its pages. */
static void touch(char *memory) {
  memory[4096] = 1;
  memory[4096L * 40] = 1;
}

START_TEST(looking_changes_nothing_of_what_has_no_name) {
  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  const size_t size = 64 * 4096;
  unsigned char before[64], after[64];
  struct stat memfd_before, memfd_after;
  char address[300];
  int fd = memfd_create(name(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
  char *memory = map_file(fd, size);
  char *anonymous = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(anonymous, MAP_FAILED);
  touch(memory);
  touch(anonymous);
  ck_assert_int_eq(futimens(fd, old), 0);
  ck_assert_int_eq(fstat(fd, &memfd_before), 0);
  ck_assert_int_eq(mincore(anonymous, size, before), 0);
  shmkit_listing_free(take(SHMKIT_INFO_ALL));
  (void)snprintf(address, sizeof address, "memfd:%.200s", name());
  shmkit_listing *listing = look_at(address, SHMKIT_STAT_EXACT);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->extent_count, 2);
  shmkit_listing_free(listing);
  (void)snprintf(address, sizeof address, "fd:%d", fd);
  shmkit_listing_free(look_at(address, SHMKIT_STAT_EXACT));
  ck_assert_int_eq(fstat(fd, &memfd_after), 0);
  ck_assert_int_eq(mincore(anonymous, size, after), 0);
  assert_same(&memfd_before, &memfd_after);
  ck_assert_mem_eq(before, after, sizeof before);
  ck_assert_int_eq(munmap(memory, size), 0);
  ck_assert_int_eq(munmap(anonymous, size), 0);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* A file of any kind, by its path and an address that leads to it. */
static void assert_unchanged_by_looking(const char *path, const char *address) {
  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  struct stat before, after;
  ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
  ck_assert_int_eq(stat(path, &before), 0);
  shmkit_listing *all = take(SHMKIT_INFO_ALL);
  bool listed = false;
  for (size_t i = 0; i < shmkit_listing_count(all); i++) {
    listed |= shmkit_listing_at(all, i)->inode == before.st_ino;
  }
  ck_assert(listed);
  shmkit_listing_free(all);
  shmkit_listing_free(look_at(address, SHMKIT_STAT_EXACT));
  ck_assert_int_eq(stat(path, &after), 0);
  assert_same(&before, &after);
}

START_TEST(looking_changes_nothing_of_a_semaphore_or_a_file_on_a_disk) {
  char semaphore[256], file[] = "/var/tmp/shmkit-test-XXXXXX", address[64];
  (void)snprintf(semaphore, sizeof semaphore, "/%.200s", name());
  sem_t *sem = sem_open(semaphore, O_CREAT | O_EXCL, 0600, 1);
  ck_assert_ptr_ne(sem, SEM_FAILED);
  (void)snprintf(semaphore, sizeof semaphore, "sem.%.200s", name());
  assert_unchanged_by_looking(path_of(semaphore), semaphore);
  ck_assert_int_eq(sem_close(sem), 0);
  ck_assert_int_eq(unlink(path_of(semaphore)), 0);

  int fd = mkstemp(file);
  ck_assert_int_eq(ftruncate(fd, 64L * 4096), 0);
  char *memory = map_file(fd, 64L * 4096);
  touch(memory);
  ck_assert_int_eq(msync(memory, 64L * 4096, MS_SYNC), 0);
  (void)snprintf(address, sizeof address, "file:%s", file);
  assert_unchanged_by_looking(file, address);
  ck_assert_int_eq(munmap(memory, 64L * 4096), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(file), 0);
}
END_TEST

START_TEST(listing_breaks_no_lease) {
  int fd = make_file(name(), 4096);
  ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  shmkit_listing_free(take(SHMKIT_INFO_ALL));
  ck_assert_int_eq(fcntl(fd, F_GETLEASE), F_WRLCK);
  ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

/* ---- Other places --------------------------------------------------------------------------- */

static void attach_elsewhere(void *identifier) {
  if (unshare(CLONE_NEWIPC) != 0) _exit(1);
  int id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600);
  void *memory = shmat(id, NULL, 0);
  if (memory == (void *)-1) _exit(1);
  *(_Atomic unsigned *)identifier = (unsigned)id;
  signal_turn(0);
  wait_turn(1);
}

START_TEST(another_ipc_namespace_has_identifiers_of_its_own) {
  if (geteuid() != 0) return;
  pid_t child = start(attach_elsewhere, &shared()->count[0]);
  wait_turn(0);
  shmkit_listing *listing = take(0);
  unsigned found = 0;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (info->kind != SHMKIT_INFO_SYSV || info->mapper_count != 1) continue;
    if (info->mappers[0].pid != child) continue;
    found++;
    ck_assert_uint_eq(info->inode, shared()->count[0]);
    ck_assert_uint_ne(info->ipc_namespace, 0);
    ck_assert(info->flags & SHMKIT_INFO_ELSEWHERE);
    ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
    ck_assert_str_eq(info->address, "");
  }
  ck_assert_uint_eq(found, 1);
  shmkit_listing_free(listing);
  assert_fails(-ENOENT, shmkit_listing_stat(sysv_address(), 0, &listing));
  signal_turn(1);
  finish(child);
}
END_TEST

static void map_elsewhere(void *unused) {
  (void)unused;
  if (unshare(CLONE_NEWNS) != 0 || !mount_own_shm("size=1m")) _exit(1);
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name(), 8192, NULL, &segment) != 0) _exit(1);
  signal_turn(0);
  wait_turn(1);
  shmkit_segment_free(segment);
}

START_TEST(the_same_name_on_another_mount_is_another_segment) {
  if (geteuid() != 0) return;
  int fd = make_file(name(), 4096);
  pid_t child = start(map_elsewhere, NULL);
  wait_turn(0);
  shmkit_listing *listing = take(SHMKIT_INFO_ALL);
  unsigned here = 0, there = 0;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    bool elsewhere = (info->flags & SHMKIT_INFO_ELSEWHERE) != 0;
    bool mapped = info->mapper_count == 1 && info->mappers[0].pid == child;
    /* In a chroot the kernel shows paths of other namespaces from elsewhere, so that it is a file of
     * some tmpfs. */
    if (mapped && info->size == 8192) {
      ck_assert(info->kind == SHMKIT_INFO_POSIX || info->kind == SHMKIT_INFO_FILE);
      ck_assert_str_ne(info->address, "");
      there++;
    } else if (!elsewhere && strcmp(info->name, name()) == 0) {
      ck_assert_uint_eq(info->size, 4096);
      ck_assert_uint_eq(info->mapper_count, 0);
      here++;
    }
  }
  ck_assert_uint_eq(here, 1);
  ck_assert_uint_eq(there, 1);
  shmkit_listing_free(listing);
  signal_turn(1);
  finish(child);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      each_process_that_maps_is_named_once,
      a_private_mapping_is_a_use_that_others_do_not_see,
      only_the_kernel_knows_of_a_mere_descriptor,
      who_may_not_look_is_told_so,
      looking_changes_no_page_and_no_time_of_a_file,
      looking_changes_nothing_of_system_v,
      looking_changes_nothing_of_what_has_no_name,
      looking_changes_nothing_of_a_semaphore_or_a_file_on_a_disk,
      listing_breaks_no_lease,
      another_ipc_namespace_has_identifiers_of_its_own,
      the_same_name_on_another_mount_is_another_segment,
  };
  return run_cases("inspect-users", cases, COUNT(cases), argc, argv);
}
