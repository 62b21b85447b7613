/* SPDX-License-Identifier: MIT */
/* Too little room: each case on a /dev/shm of its own, in a mount namespace of its own. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  return close(fd) == 0 && done;
}

/* Who is not root can be in a user namespace, where that is permitted. */
static bool become_able_to_mount(void) {
  char map[64];
  uid_t user = geteuid();
  gid_t group = getegid();
  if (user == 0) return unshare(CLONE_NEWNS) == 0;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  (void)write_file("/proc/self/setgroups", "deny");
  (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
  if (!write_file("/proc/self/uid_map", map)) return false;
  (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)group);
  return write_file("/proc/self/gid_map", map);
}

static bool mount_at(const char *path, const char *options) {
  return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/dev/shm", NULL, MS_PRIVATE, NULL) == 0 &&
         mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

static void mount_shm(const char *options) {
  ensure_msg(mount_at("/dev/shm", options), "mount: %s", strerror(errno));
}

static uint64_t free_room(void) {
  struct statvfs room;
  ensure(statvfs("/dev/shm", &room) == 0);
  return (uint64_t)room.f_bfree * room.f_frsize;
}

START_TEST(no_room_is_an_error_that_names_the_limit) {
  shmkit_segment *segment = NULL;
  mount_shm("size=1m");
  uint64_t before = free_room();
  static const uint64_t sizes[] = {MIB + 1, 2 * MIB, 600 * (uint64_t)MIB, 1ULL << 40};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    assert_fails(-ENOSPC, shmkit_segment_create(name(), sizes[i], NULL, &segment));
    assert_message_has("/dev/shm holds 1.0 MiB");
    assert_fails(-ENOSPC, shmkit_segment_open_or_create(name(), sizes[i], NULL, &segment));
    ensure(!exists(path_of(name())));
    ensure(free_room() == before);
  }
  segment = create(name(), MIB, NULL);
  memset(shmkit_segment_data(segment), 1, MIB);
  assert_fails(-ENOSPC, shmkit_segment_create(other_name("b"), 1, NULL, &segment));
  assert_fails(-EEXIST, shmkit_segment_create(name(), MIB, NULL, &segment));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  ensure(free_room() == before);
}
END_TEST

START_TEST(another_file_system_is_named_when_it_is_the_full_one) {
  char address[300];
  shmkit_segment *segment = NULL;
  mount_shm("size=64m");
  const char *directory = path_of(name());
  ensure(mkdir(directory, 0700) == 0);
  ensure(mount_at(directory, "size=1m,nr_inodes=3"));
  (void)snprintf(address, sizeof address, "file:%s/segment", directory);
  assert_fails(-ENOSPC, shmkit_segment_create(address, 2 * MIB, NULL, &segment));
  assert_message_has("1.0 MiB");
  /* Extended attributes count as files: there is room for one or two. */
  shmkit_status status = 0;
  for (int i = 0; status == 0 && i < 4; i++) {
    (void)snprintf(address, sizeof address, "file:%s/%d", directory, i);
    status = shmkit_segment_create(address, 1, NULL, &segment);
    if (status == 0) shmkit_segment_free(segment);
  }
  assert_fails(-ENOSPC, status);
  assert_message_has("all 3 files");
  assert_message_has(directory);
  ensure(umount(directory) == 0);
  ensure(rmdir(directory) == 0);
}
END_TEST

START_TEST(too_many_files_are_said_to_be) {
  char suffix[16];
  shmkit_segment *segment = NULL;
  shmkit_status status = 0;
  mount_shm("size=1m,nr_inodes=10");
  for (int i = 0; i < 11 && status == 0; i++) {
    (void)snprintf(suffix, sizeof suffix, "%d", i);
    status = shmkit_segment_create(other_name(suffix), 1, NULL, &segment);
    if (status == 0) shmkit_segment_free(segment);
  }
  assert_fails(-ENOSPC, status);
  assert_message_has("all 10 files");
  mount_shm("size=1m");
}
END_TEST

START_TEST(growth_without_room_is_all_or_nothing) {
  const shmkit_segment_options roomy = {.capacity = 64 * MIB};
  struct stat status;
  mount_shm("size=4m");
  shmkit_segment *segment = create(name(), MIB, &roomy);
  memset(shmkit_segment_data(segment), 1, MIB);
  uint64_t before = free_room();
  assert_fails(-ENOSPC, shmkit_segment_grow(segment, 5 * MIB));
  assert_fails(-ENOSPC, shmkit_segment_grow(segment, 64 * MIB));
  assert_message_has("4.0 MiB");
  ensure(shmkit_segment_size(segment) == MIB);
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ensure(status.st_size == MIB);
  ensure(free_room() == before);
  assert_done(shmkit_segment_grow(segment, 4 * MIB));
  memset(shmkit_segment_data(segment), 1, 4 * MIB);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_sparse_segment_reports_no_room_when_written_by_copy) {
  const shmkit_segment_options sparse = {.flags = SHMKIT_SPARSE};
  const shmkit_segment_options populated = {.flags = SHMKIT_SPARSE | SHMKIT_POPULATE};
  static char bytes[2 * MIB];
  mount_shm("size=1m");
  shmkit_segment *segment = create(name(), 16 * MIB, &sparse), *other = NULL;
  assert_done(shmkit_segment_write(segment, 8 * MIB, bytes, KIB));
  assert_fails(-ENOSPC, shmkit_segment_write(segment, 0, bytes, sizeof bytes));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
  /* Asked for all pages now, creating it says so. */
  assert_fails(-ENOSPC, shmkit_segment_create(name(), 16 * MIB, &populated, &other));
  assert_message_has("1.0 MiB");
  ensure(!exists(path_of(name())));
}
END_TEST

START_TEST(content_that_does_not_fit_leaves_nothing) {
  static char bytes[2 * MIB];
  const shmkit_segment_options sparse = {
      .flags = SHMKIT_SPARSE, .content = bytes, .content_size = sizeof bytes};
  shmkit_segment *segment = NULL;
  mount_shm("size=1m");
  uint64_t before = free_room();
  assert_fails(-ENOSPC, shmkit_segment_create(name(), sizeof bytes, &sparse, &segment));
  ensure(!exists(path_of(name())));
  ensure(free_room() == before);
}
END_TEST

/* ---- Room for one, not for two -------------------------------------------------------------- */

enum { PROCESSES = 8 };

struct turns {
  pthread_barrier_t barrier;
  uint64_t size;
  unsigned rounds;
  char address[300];
};

static void open_or_create_in_turns(void *argument) {
  struct turns *turns = argument;
  for (unsigned i = 0; i < turns->rounds; i++) {
    shmkit_segment *segment = NULL;
    (void)pthread_barrier_wait(&turns->barrier);
    assert_done(shmkit_segment_open_or_create(turns->address, turns->size, NULL, &segment));
    if (shmkit_segment_created(segment)) atomic_fetch_add(&shared()->count[0], 1);
    ((char *)shmkit_segment_data(segment))[turns->size - 1] = 1;
    if (pthread_barrier_wait(&turns->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
      assert_done(shmkit_unlink(name()));
    }
    shmkit_segment_free(segment);
  }
}

static void assert_that_one_is_enough(const char *address, uint64_t size, unsigned rounds) {
  pid_t children[PROCESSES];
  pthread_barrierattr_t attributes;
  struct turns *turns =
      mmap(NULL, sizeof *turns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  turns->size = size;
  turns->rounds = rounds;
  (void)snprintf(turns->address, sizeof turns->address, "%s", address);
  ensure(pthread_barrierattr_init(&attributes) == 0);
  ensure(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  ensure(pthread_barrier_init(&turns->barrier, &attributes, PROCESSES) == 0);
  for (int i = 0; i < PROCESSES; i++) children[i] = start(open_or_create_in_turns, turns);
  finish_all(children, PROCESSES);
  ensure(atomic_load(&shared()->count[0]) == rounds);
}

START_TEST(room_for_one_is_room_enough_for_all) {
  mount_shm("size=64m");
  assert_that_one_is_enough(name(), 40 * MIB, 10 + 5 * soak_seconds(0));
}
END_TEST

START_TEST(room_for_one_is_enough_for_files_too) {
  char address[300];
  mount_shm("size=10m");
  (void)snprintf(address, sizeof address, "file:%s", path_of(name()));
  assert_that_one_is_enough(address, 8 * MIB, 20 + 5 * soak_seconds(0));
}
END_TEST

START_TEST(room_for_one_is_enough_also_when_it_is_all_there_is) {
  mount_shm("size=3m");
  assert_that_one_is_enough(name(), 3 * MIB, 60 + 50 * soak_seconds(0));
}
END_TEST

START_TEST(room_for_a_small_one_is_enough_too) {
  mount_shm("size=1m");
  assert_that_one_is_enough(name(), 600 * KIB, 60 + 50 * soak_seconds(0));
}
END_TEST

/* ---- A machine without /proc ---------------------------------------------------------------- */

static void live_without_proc(void *unused) {
  (void)unused;
  const shmkit_segment_options roomy = {.capacity = MIB};
  mount_shm("size=4m");
  ensure(umount2("/proc", MNT_DETACH) == 0 || mount_at("/proc", "size=4k"));
  shmkit_segment *segment = NULL;
  shmkit_status status = shmkit_segment_create(name(), 100, &roomy, &segment);
  /* Before Linux 6.10 only the privileged can give a file its name without /proc. */
  if (status == 0) {
    shmkit_segment *opened = open_segment(name(), &roomy);
    assert_done(shmkit_segment_write(opened, 0, "hello", 5));
    assert_bytes(segment, 0, "hello");
    status = shmkit_segment_grow(segment, 64 * KIB);
    ensure(status < 0);
    assert_message_has("again");
    shmkit_segment_free(opened);
    assert_done(shmkit_segment_unlink(segment));
    shmkit_segment_free(segment);
  }
  ensure(!exists(path_of(name())));
  _exit(EXIT_SUCCESS); /* in exit, sanitizers look into /proc */
}

START_TEST(without_proc_what_needs_it_says_so) {
  /* In a child, because what looks around after the case needs /proc as well. */
  finish(start(live_without_proc, NULL));
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      no_room_is_an_error_that_names_the_limit,
      another_file_system_is_named_when_it_is_the_full_one,
      too_many_files_are_said_to_be,
      growth_without_room_is_all_or_nothing,
      a_sparse_segment_reports_no_room_when_written_by_copy,
      content_that_does_not_fit_leaves_nothing,
      room_for_one_is_room_enough_for_all,
      room_for_one_is_enough_for_files_too,
      room_for_one_is_enough_also_when_it_is_all_there_is,
      room_for_a_small_one_is_enough_too,
      without_proc_what_needs_it_says_so,
  };
  if (!become_able_to_mount()) return skip("no mount namespace of one's own is permitted here");
  return run_cases("room", cases, COUNT(cases), argc, argv);
}
