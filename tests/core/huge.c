/* SPDX-License-Identifier: MIT */
/* Huge pages, of which a few are asked of the system when it has none. */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared.h"

enum { PAGE = 2 * MIB, WANTED = 4 };
static const char pool[] = "/proc/sys/vm/nr_hugepages";

static long read_number(const char *path) {
  char text[32] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t got = read(fd, text, sizeof text - 1);
  (void)close(fd);
  return got > 0 ? strtol(text, NULL, 10) : -1;
}

static void write_number(const char *path, long number) {
  char text[32];
  int length = snprintf(text, sizeof text, "%ld", number);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t put = write(fd, text, (size_t)length);
  (void)put;
  (void)close(fd);
}

static long free_pages(void) {
  return read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
}

/* Reads, writes and refuses as any segment, but cannot grow. */
static void use(shmkit_segment *segment) {
  char bytes[16];
  ck_assert_uint_eq(shmkit_segment_size(segment), PAGE);
  assert_done(shmkit_segment_write(segment, PAGE - 5, "hello", 5));
  assert_bytes(segment, PAGE - 5, "hello");
  ck_assert_mem_eq((char *)shmkit_segment_data(segment) + PAGE - 5, "hello", 5);
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_read(segment, PAGE, bytes, 1));
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_grow(segment, PAGE + 1));
}

START_TEST(anonymous_and_system_v_segments_have_huge_pages) {
  const shmkit_segment_options options = {
      .flags = SHMKIT_HUGE_PAGES, .content = "content", .content_size = 7};
  static const char *const addresses[] = {"memfd:x", "sysv:private"};
  long before = free_pages();
  for (size_t i = 0; i < COUNT(addresses); i++) {
    shmkit_segment *segment = create(addresses[i], PAGE, &options), *other = NULL;
    ck_assert_int_lt(free_pages(), before);
    assert_bytes(segment, 0, "content");
    use(segment);
    if (i > 0) assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
    ck_assert_int_eq(free_pages(), before);
    const shmkit_segment_options capacity = {.flags = SHMKIT_HUGE_PAGES, .capacity = 2 * PAGE};
    assert_fails(SHMKIT_ERR_UNSUPPORTED,
                 shmkit_segment_create(addresses[i], PAGE, &capacity, &other));
    ck_assert_int_eq(free_pages(), before);
  }
}
END_TEST

START_TEST(a_size_that_is_no_multiple_is_refused) {
  const shmkit_segment_options options = {.flags = SHMKIT_HUGE_PAGES};
  shmkit_segment *segment = NULL;
  assert_fails(-EINVAL, shmkit_segment_create("memfd:x", PAGE + 1, &options, &segment));
  assert_message_has("multiple");
}
END_TEST

START_TEST(too_few_huge_pages_are_said_to_be) {
  const shmkit_segment_options options = {.flags = SHMKIT_HUGE_PAGES};
  shmkit_segment *segment = NULL;
  shmkit_status status = shmkit_segment_create("memfd:x", 500ULL * PAGE, &options, &segment);
  ck_assert_msg(status == -ENOMEM || status == -ENOSPC, "%d", status);
  assert_message_has("nr_hugepages");
  status = shmkit_segment_create("sysv:private", 500ULL * PAGE, &options, &segment);
  ck_assert_msg(status == -ENOMEM || status == -ENOSPC, "%d", status);
}
END_TEST

START_TEST(received_by_descriptor_it_still_has_them) {
  const shmkit_segment_options options = {.flags = SHMKIT_HUGE_PAGES};
  char address[32];
  int fd = -1;
  shmkit_segment *segment = create("memfd:x", PAGE, &options);
  assert_done(shmkit_segment_fileno(segment, &fd));
  (void)snprintf(address, sizeof address, "fd:%d", fd);
  shmkit_segment *other = open_segment(address, NULL);
  use(other);
  assert_bytes(segment, PAGE - 5, "hello");
  /* Without a descriptor, through the mapping. */
  ck_assert_int_eq(close(fd), 0);
  use(segment);
  shmkit_segment_free(other);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(files_on_hugetlbfs_are_segments) {
  char address[300];
  const char *directory = path_of(name());
  const shmkit_segment_options options = {
      .content = "content", .content_size = 7, .flags = SHMKIT_POPULATE};
  const shmkit_segment_options last = {.lifetime = SHMKIT_LAST};
  shmkit_segment *segment = NULL;
  ck_assert_int_eq(mkdir(directory, 0700), 0);
  ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_PRIVATE, NULL), 0);
  ck_assert_int_eq(mount("none", directory, "hugetlbfs", 0, "pagesize=2M"), 0);
  (void)snprintf(address, sizeof address, "file:%s/segment", directory);
  assert_fails(-EINVAL, shmkit_segment_create(address, 100, NULL, &segment));
  segment = create(address, PAGE, &options);
  assert_bytes(segment, 0, "content");
  use(segment);
  shmkit_segment *opened = open_segment(address, NULL);
  use(opened);
  shmkit_segment_free(opened);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  segment = create(address, PAGE, &last);
  shmkit_segment_free(segment);
  (void)snprintf(address, sizeof address, "%s/segment", directory);
  ck_assert(!exists(address));
  ck_assert_int_eq(umount(directory), 0);
  ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

static void *lock_and_end(void *context) {
  assert_done(shmkit_mutex_lock(context, 0));
  return NULL;
}

static unsigned mappings_of(const char *words) {
  char line[512];
  unsigned count = 0;
  FILE *maps = fopen("/proc/self/maps", "re");
  ck_assert_ptr_nonnull(maps);
  while (fgets(line, sizeof line, maps) != NULL) count += strstr(line, words) != NULL;
  (void)fclose(maps);
  return count;
}

START_TEST(mutexes_are_held_lost_and_inherited_in_them) {
  const shmkit_segment_options options = {.flags = SHMKIT_HUGE_PAGES};
  shmkit_segment *segment = create("memfd:huge-mutex", PAGE, &options);
  long before = free_pages();
  shmkit_mutex *mutex = NULL;
  pthread_t thread;
  assert_done(shmkit_segment_mutex(segment, PAGE - 64, &mutex));
  assert_done(shmkit_mutex_lock(mutex, 0));
  ck_assert_uint_eq(mappings_of("huge-mutex"), 2);
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert_int_eq(pthread_create(&thread, NULL, lock_and_end, mutex), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  assert_done(shmkit_mutex_unlock(mutex));
  shmkit_mutex_free(mutex);
  /* An identity takes no page, and goes. */
  ck_assert_uint_eq(mappings_of("huge-mutex"), 1);
  ck_assert_int_eq(free_pages(), before);
  shmkit_segment_free(segment);
  ck_assert_uint_eq(mappings_of("huge-mutex"), 0);
}
END_TEST

/* The one entry that this process has mapped with huge pages. */
static const shmkit_info *find_own(const shmkit_listing *listing) {
  const shmkit_info *found = NULL;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    bool own = info->mapper_count == 1 && info->mappers[0].pid == getpid();
    if (!own || info->huge_page != PAGE) continue;
    ck_assert_ptr_null(found);
    found = info;
  }
  ck_assert_ptr_nonnull(found);
  return found;
}

/* Make its first page, with an event in it. */
static void touch(char *memory) {
  const uint32_t set[] = {UINT32_C(5) << SHMKIT__EVENT_SEQUENCE_SHIFT, SHMKIT__MARK_EVENT};
  memcpy(memory + 64, set, sizeof set);
}

static void assert_listed(shmkit_info_kind kind, const char *what) {
  long before = free_pages();
  shmkit_listing *listing = take(SHMKIT_INFO_ALL);
  const shmkit_info *info = find_own(listing);
  ck_assert_uint_eq(info->kind, kind);
  if (what != NULL) ck_assert_str_eq(info->name, what);
  ck_assert_uint_eq(info->size, 2 * PAGE);
  ck_assert_uint_eq(info->resident, PAGE);
  ck_assert_uint_eq(info->swapped, 0);
  shmkit_listing *single = look_at(info->address, 0);
  ck_assert_uint_eq(shmkit_listing_at(single, 0)->huge_page, PAGE);
  ck_assert_uint_eq(shmkit_listing_at(single, 0)->mapper_count, 1);
  ck_assert_uint_eq(shmkit_listing_at(single, 0)->object_count, 1);
  ck_assert_uint_eq(shmkit_listing_at(single, 0)->objects[0].offset, 64);
  ck_assert_uint_eq(shmkit_listing_at(single, 0)->objects[0].sequence, 5);
  shmkit_listing_free(single);
  shmkit_listing_free(listing);
  ck_assert_int_eq(free_pages(), before);
}

START_TEST(huge_pages_are_listed_and_looking_takes_none) {
  const char *directory = path_of(name());
  char path[300];
  ck_assert_int_eq(mkdir(directory, 0700), 0);
  ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_PRIVATE, NULL), 0);
  ck_assert_int_eq(mount("none", directory, "hugetlbfs", 0, "pagesize=2M"), 0);
  (void)snprintf(path, sizeof path, "%s/segment", directory);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  char *memory = map_file(fd, 2 * PAGE);
  touch(memory);
  assert_listed(SHMKIT_INFO_HUGETLB, path);
  ck_assert_int_eq(munmap(memory, 2 * PAGE), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(umount(directory), 0);
  ck_assert_int_eq(rmdir(directory), 0);

  fd = memfd_create(name(), MFD_CLOEXEC | MFD_HUGETLB);
  memory = map_file(fd, 2 * PAGE);
  touch(memory);
  assert_listed(SHMKIT_INFO_MEMFD, name());
  ck_assert_int_eq(munmap(memory, 2 * PAGE), 0);
  ck_assert_int_eq(close(fd), 0);

  int id = shmget(sysv_key(), 2 * PAGE, IPC_CREAT | IPC_EXCL | SHM_HUGETLB | 0600);
  memory = shmat(id, NULL, 0);
  ck_assert_ptr_ne(memory, (void *)-1);
  touch(memory);
  assert_listed(SHMKIT_INFO_SYSV, NULL);
  ck_assert_int_eq(shmdt(memory), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      anonymous_and_system_v_segments_have_huge_pages,
      a_size_that_is_no_multiple_is_refused,
      too_few_huge_pages_are_said_to_be,
      received_by_descriptor_it_still_has_them,
      files_on_hugetlbfs_are_segments,
      mutexes_are_held_lost_and_inherited_in_them,
      huge_pages_are_listed_and_looking_takes_none,
  };
  long before = read_number(pool);
  if (geteuid() != 0) return skip("only root can have huge pages made and mounted");
  if (free_pages() < WANTED) write_number(pool, before + WANTED);
  int result = free_pages() < WANTED ? skip("the system has no four huge pages of 2 MiB to spare")
                                     : run_cases("huge", cases, COUNT(cases), argc, argv);
  if (read_number(pool) != before) write_number(pool, before);
  return result;
}
