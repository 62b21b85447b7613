/* SPDX-License-Identifier: MIT */
/* Looking for objects where nobody put one, where others write meanwhile, and where one may not. */
#include "listing_support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared.h"

enum { UNIT = SHMKIT_SYNC_SIZE };

/* As they lie in memory. */
struct unit {
  uint32_t word, mark, reserved[14];
};
static const struct unit mutex = {.mark = SHMKIT__MARK_MUTEX}, event = {.mark = SHMKIT__MARK_EVENT};

static void put(int fd, uint64_t offset, const struct unit *unit) {
  ensure(pwrite(fd, unit, sizeof *unit, (off_t)offset) == (ssize_t)sizeof *unit);
}

static void end(int fd) {
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}

/* ---- What is there -------------------------------------------------------------------------- */

START_TEST(what_merely_looks_like_a_mark_is_none) {
  struct unit odd = event;
  int fd = make_file(name(), 4096 + UNIT + 36);
  odd.reserved[13] = 1;
  put(fd, 0, &odd);
  odd = event;
  odd.reserved[0] = 0x80000000;
  put(fd, UNIT, &odd);
  odd = mutex;
  odd.word = UINT32_C(1) << 30;
  put(fd, 2L * UNIT, &odd);
  put(fd, 3L * UNIT + 32, &mutex);
  odd = (struct unit){.word = SHMKIT__MARK_EVENT};
  put(fd, 5L * UNIT, &odd);
  odd = (struct unit){.mark = SHMKIT__MARK_EVENT + 1};
  put(fd, 6L * UNIT, &odd);
  /* The last one has no room, and the one before has. */
  put(fd, 4096, &event);
  ck_assert_int_eq(pwrite(fd, &event, 36, 4096 + UNIT), 36);
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->object_count, 1);
  ck_assert_uint_eq(info->objects[0].offset, 4096);
  shmkit_listing_free(listing);
  end(fd);
}
END_TEST

START_TEST(of_a_mutex_that_was_copied_the_holder_has_died) {
  const struct unit held = {.word = SHMKIT__MUTEX_WAITERS | 1, .mark = SHMKIT__MARK_MUTEX};
  const struct unit waited_for = {.word = SHMKIT__MUTEX_WAITERS, .mark = SHMKIT__MARK_MUTEX};
  int fd = make_file(name(), 4096);
  put(fd, 0, &held);
  put(fd, UNIT, &waited_for);
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_object *objects = shmkit_listing_at(listing, 0)->objects;
  ck_assert_int_eq(objects[0].state, SHMKIT_OBJECT_OWNER_DIED);
  ck_assert_uint_eq(objects[0].identity, 1);
  ck_assert(objects[0].waited_for);
  ck_assert_int_eq(objects[1].state, SHMKIT_OBJECT_UNLOCKED);
  ck_assert(objects[1].waited_for);
  shmkit_listing_free(listing);
  end(fd);
}
END_TEST

START_TEST(sizes_at_which_there_is_room_for_none_or_one) {
  static const off_t sizes[] = {0, 1, 63, 64, 65, 127};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    int fd = make_file(name(), 0);
    ck_assert_int_eq(pwrite(fd, &event, (size_t)(sizes[i] < UNIT ? sizes[i] : UNIT), 0),
                     sizes[i] < UNIT ? sizes[i] : UNIT);
    ck_assert_int_eq(ftruncate(fd, sizes[i]), 0);
    shmkit_listing *listing = look_at(name(), 0);
    ck_assert_ptr_nonnull(shmkit_listing_at(listing, 0)->objects);
    ck_assert_uint_eq(shmkit_listing_at(listing, 0)->object_count, sizes[i] >= UNIT ? 1 : 0);
    shmkit_listing_free(listing);
    end(fd);
  }
}
END_TEST

/* ---- Much of it ----------------------------------------------------------------------------- */

START_TEST(of_very_many_the_first_are_told) {
  enum { ALL = SHMKIT_OBJECTS_MAX + 100 };
  int fd = make_file(name(), (off_t)ALL * UNIT);
  struct unit *units = map_file(fd, (size_t)ALL * UNIT);
  for (size_t i = 0; i < ALL; i++) {
    units[i] = i % 2 == 0 ? event : mutex;
    if (i % 2 == 1) units[i].word = (uint32_t)i;
  }
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->object_count, SHMKIT_OBJECTS_MAX);
  for (size_t i = 0; i < info->object_count; i++) {
    ensure(info->objects[i].offset == i * UNIT);
    ensure(info->objects[i].state ==
           (i % 2 == 0 ? (uint32_t)SHMKIT_OBJECT_NOT_SET : (uint32_t)SHMKIT_OBJECT_OWNER_DIED));
  }
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(units, (size_t)ALL * UNIT), 0);
  end(fd);
}
END_TEST

START_TEST(only_so_many_bytes_are_searched) {
  const uint64_t hole = 64 * MIB, rest = SHMKIT_OBJECTS_DATA - 4096;
  int fd = make_file(name(), (off_t)(hole + rest + 8192));
  /* A page, then nothing, then the rest of what is searched and a page more. */
  put(fd, 0, &event);
  char *memory = mmap(NULL, rest + 4096, PROT_WRITE, MAP_SHARED, fd, (off_t)hole);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  memset(memory, 'x', rest + 4096);
  memcpy(memory + rest - UNIT, &event, UNIT);
  memcpy(memory + rest, &event, UNIT);
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->object_count, 2);
  ck_assert_uint_eq(info->objects[0].offset, 0);
  ck_assert_uint_eq(info->objects[1].offset, hole + rest - UNIT);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, rest + 4096), 0);
  end(fd);
}
END_TEST

START_TEST(a_large_segment_without_pages_gets_none_and_keeps_its_times) {
  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  const uint64_t far = UINT64_C(1) << 40;
  struct stat before, after;
  int fd = make_file(name(), (off_t)far * 2);
  put(fd, far, &event);
  /* Older than the last change: a mount with relatime would make it new at the first look. */
  ck_assert_int_eq(futimens(fd, old), 0);
  ck_assert_int_eq(fstat(fd, &before), 0);
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->object_count, 1);
  ck_assert_uint_eq(info->objects[0].offset, far);
  shmkit_listing_free(listing);
  ck_assert_int_eq(fstat(fd, &after), 0);
  ck_assert_int_eq(after.st_blocks, before.st_blocks);
  ck_assert_mem_eq(&after.st_atim, &before.st_atim, sizeof after.st_atim);
  ck_assert_mem_eq(&after.st_mtim, &before.st_mtim, sizeof after.st_mtim);
  end(fd);
}
END_TEST

/* ---- Meanwhile ------------------------------------------------------------------------------ */

static void truncate_and_fill(void *unused) {
  (void)unused;
  int fd = open(path_of(name()), O_RDWR | O_CLOEXEC);
  struct unit units[64];
  ensure(fd >= 0);
  for (size_t i = 0; i < COUNT(units); i++) units[i] = event;
  while (!shared()->stop) {
    for (off_t part = 0; part < 64; part++) {
      ensure(pwrite(fd, units, sizeof units, part * (off_t)sizeof units) == sizeof units);
    }
    shared()->count[0]++;
    ensure(ftruncate(fd, 0) == 0);
  }
  (void)close(fd);
}

START_TEST(a_peer_that_truncates_meanwhile_does_no_harm) {
  int fd = make_file(name(), 4096);
  pid_t peer = start(truncate_and_fill, NULL);
  for (int i = 0; i < 100 || shared()->count[0] < 100; i++) {
    shmkit_listing *listing = look_at(name(), 0);
    const shmkit_info *info = shmkit_listing_at(listing, 0);
    ensure(info->objects != NULL);
    for (size_t which = 0; which < info->object_count; which++) {
      ensure(info->objects[which].state == SHMKIT_OBJECT_NOT_SET);
    }
    shmkit_listing_free(listing);
  }
  shared()->stop = true;
  finish(peer);
  end(fd);
}
END_TEST

static void *lock_once(void *context) {
  ensure(shmkit_mutex_lock(context, SHMKIT_FOREVER) == 0);
  for (int i = 0; i < 100; i++) (void)sched_yield();
  ensure(shmkit_mutex_unlock(context) == 0);
  return NULL;
}

/* Each thread has another identity, and ends as soon as it has unlocked. */
static void lock_in_many_threads(void *offset) {
  shmkit_segment *segment = NULL;
  shmkit_mutex *shared_mutex = NULL;
  ensure(shmkit_segment_open(name(), NULL, &segment) == 0);
  ensure(shmkit_segment_mutex(segment, *(uint64_t *)offset, &shared_mutex) == 0);
  while (!shared()->stop) {
    pthread_t thread;
    ensure(pthread_create(&thread, NULL, lock_once, shared_mutex) == 0);
    ensure(pthread_join(thread, NULL) == 0);
    shared()->count[0]++;
  }
  shmkit_mutex_free(shared_mutex);
  shmkit_segment_free(segment);
}

START_TEST(who_unlocks_and_ends_meanwhile_has_not_died_with_it) {
  const struct unit left = {.word = 1, .mark = SHMKIT__MARK_MUTEX};
  uint64_t last = 64 * KIB - UNIT;
  int fd = make_file(name(), 64 * KIB);
  /* So much is asked about that the last one changes between being read and being asked about. */
  for (uint64_t offset = 0; offset < last; offset += UNIT) put(fd, offset, &left);
  pid_t peer = start(lock_in_many_threads, &last);
  while (shared()->count[0] == 0) (void)sched_yield();
  for (int i = 0; i < 300; i++) {
    shmkit_listing *listing = look_at(name(), 0);
    const shmkit_info *info = shmkit_listing_at(listing, 0);
    ensure(info->object_count == 64 * KIB / UNIT);
    const shmkit_object *object = &info->objects[info->object_count - 1];
    ensure(object->state != SHMKIT_OBJECT_OWNER_DIED);
    ensure(object->pid == 0 || object->pid == peer);
    shmkit_listing_free(listing);
  }
  shared()->stop = true;
  finish(peer);
  end(fd);
}
END_TEST

/* ---- Permissions ---------------------------------------------------------------------------- */

/* What somebody else, who may read at best, is told: whether objects are known. */
static void expect(void *known) {
  if (!become_nobody()) return;
  shmkit_listing *listing = NULL;
  ensure(shmkit_listing_stat(name(), 0, &listing) == 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ensure((info->objects != NULL) == *(bool *)known);
  ensure(info->object_count == (*(bool *)known ? 2 : 0));
  if (*(bool *)known) ensure(info->objects[1].state == SHMKIT_OBJECT_OWNER_DIED);
  shmkit_listing_free(listing);
}

static int make_readable(mode_t mode) {
  static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  const struct unit held = {.word = 1, .mark = SHMKIT__MARK_MUTEX};
  int fd = make_file(name(), 4096);
  put(fd, 0, &event);
  put(fd, UNIT, &held);
  ck_assert_int_eq(fchmod(fd, mode), 0);
  ck_assert_int_eq(futimens(fd, old), 0);
  return fd;
}

START_TEST(what_may_not_be_read_is_not_known_to_have_none) {
  bool known = false;
  if (geteuid() != 0) return;
  int fd = make_readable(0);
  finish(start(expect, &known));
  end(fd);
}
END_TEST

START_TEST(what_cannot_be_read_without_a_trace_is_not_read) {
  bool known = false;
  struct stat after;
  if (geteuid() != 0 || !enter_own_place()) return;
  int fd = make_readable(0644);
  finish(start(expect, &known));
  ck_assert_int_eq(fstat(fd, &after), 0);
  ck_assert_int_eq(after.st_atim.tv_sec, 1000);
  /* Where times of access are not kept, there is no trace. */
  const unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOATIME;
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, flags, NULL), 0);
  known = true;
  finish(start(expect, &known));
  ck_assert_int_eq(fstat(fd, &after), 0);
  ck_assert_int_eq(after.st_atim.tv_sec, 1000);
  end(fd);
}
END_TEST

/* The segment's owner, who may not look into the processes of others. */
static void make_and_look(void *unused) {
  const shmkit_segment_options options = {.mode = 0666};
  shmkit_segment *segment = NULL;
  (void)unused;
  ensure(become_nobody());
  ensure(shmkit_segment_create(name(), 4096, &options, &segment) == 0);
  signal_turn(0);
  wait_turn(1);
  shmkit_listing *listing = NULL;
  ensure(shmkit_listing_stat(name(), 0, &listing) == 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ensure(info->object_count == 1);
  ensure(info->objects[0].state == SHMKIT_OBJECT_LOCKED);
  ensure(info->objects[0].identity != 0 && info->objects[0].pid == 0);
  shmkit_listing_free(listing);
  shmkit_segment_free(segment);
}

START_TEST(a_holder_that_one_may_not_look_at_lives_and_is_not_known) {
  const shmkit_segment_options options = {.flags = SHMKIT_ANY_OWNER};
  if (geteuid() != 0) return;
  pid_t owner = start(make_and_look, NULL);
  wait_turn(0);
  shmkit_segment *segment = open_segment(name(), &options);
  shmkit_mutex *held = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &held));
  assert_done(shmkit_mutex_lock(held, 0));
  signal_turn(1);
  finish(owner);
  shmkit_mutex_free(held);
  ck_assert_int_eq(unlink(path_of(name())), 0);
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_merely_looks_like_a_mark_is_none,
      of_a_mutex_that_was_copied_the_holder_has_died,
      sizes_at_which_there_is_room_for_none_or_one,
      of_very_many_the_first_are_told,
      only_so_many_bytes_are_searched,
      a_large_segment_without_pages_gets_none_and_keeps_its_times,
      a_peer_that_truncates_meanwhile_does_no_harm,
      who_unlocks_and_ends_meanwhile_has_not_died_with_it,
      what_may_not_be_read_is_not_known_to_have_none,
      what_cannot_be_read_without_a_trace_is_not_read,
      a_holder_that_one_may_not_look_at_lives_and_is_not_known,
  };
  return run_cases("inspect-strange", cases, COUNT(cases), argc, argv);
}
