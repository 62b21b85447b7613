/* SPDX-License-Identifier: MIT */
/*
 * Removing what nobody needs while others come and go: nobody who holds a segment may lose it.
 * SHMKIT_SOAK=SECONDS makes it 10,000 rounds, and the deadline so much later: 600 will do.
 */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HELD, ROBBED, WAITED };

static void count(unsigned what) {
  atomic_fetch_add(&shared()->count[what], 1);
}

static void check_held(const char *path, int fd) {
  struct stat held, named;
  (void)sched_yield();
  bool live = fstat(fd, &held) == 0 && held.st_nlink == 1 && lstat(path, &named) == 0 &&
              named.st_ino == held.st_ino;
  count(live ? HELD : ROBBED);
}

/* Nobody has it open for a while, at most as long as some looks around take. */
static void leave_it_alone(void) {
  static unsigned random = 1;
  random = random * 1103515245U + (unsigned)getpid();
  const struct timespec pause = {.tv_nsec = (long)(random % 16 * 1000000)};
  (void)nanosleep(&pause, NULL);
}

/* shmkit's own: gets what is there or makes it, holds it, leaves it. */
static void come_and_go(void *suffix) {
  const char *own = other_name(suffix);
  while (!shared()->stop) {
    shmkit_segment *segment = NULL;
    int fd = -1;
    if (shmkit_segment_open_or_create(own, 4096, NULL, &segment) != 0) _exit(1);
    if (shmkit_segment_fileno(segment, &fd) != 0) _exit(1);
    check_held(path_of(own), fd);
    shmkit_segment_free(segment);
    leave_it_alone();
  }
}

/* Anybody: opens without knowing of leases, and so waits for them. Who waited may have a file whose
 * name has gone; who has not is not robbed any more. */
static void come_as_a_stranger(void *suffix) {
  const char *path = path_of(other_name(suffix));
  while (!shared()->stop) {
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) _exit(1);
    if (fstat(fd, &status) != 0) _exit(1);
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (status.st_nlink == 1) {
      check_held(path, fd);
    } else {
      count(WAITED);
    }
    (void)munmap(memory, 4096);
    (void)close(fd);
    leave_it_alone();
  }
}

/* Makes and removes its own: in between, nobody may touch it. */
static void make_and_remove(void *suffix) {
  const char *own = other_name(suffix);
  while (!shared()->stop) {
    shmkit_segment *segment = NULL;
    int fd = -1;
    if (shmkit_segment_create(own, 4096, NULL, &segment) != 0) _exit(1);
    if (shmkit_segment_fileno(segment, &fd) != 0) _exit(1);
    check_held(path_of(own), fd);
    if (shmkit_segment_unlink(segment) != 0) _exit(1);
    shmkit_segment_free(segment);
  }
}

static unsigned clear_up(void) {
  unsigned removed = 0;
  shmkit_listing *listing = gc(SHMKIT_GC_IDLE | SHMKIT_GC_APPLY, 0, NULL);
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    if (shmkit_listing_at(listing, i)->removal == SHMKIT_REMOVED) removed++;
  }
  shmkit_listing_free(listing);
  return removed;
}

static unsigned remove_each(void) {
  static const char *const suffixes[] = {"a", "b", "c"};
  unsigned removed = 0;
  for (size_t i = 0; i < COUNT(suffixes); i++) {
    shmkit_status status = shmkit_remove(other_name(suffixes[i]), 0, NULL);
    ck_assert_msg(status == 0 || status == -EBUSY || status == -ENOENT, "%s",
                  shmkit_error_message());
    if (status == 0) removed++;
  }
  return removed;
}

/* 10,000 rounds when the machine is to be worked hard; else 200 and until the others were there, or
 * as many as a slow machine does in half a minute. */
static bool is_enough(unsigned rounds, unsigned removed, time_t begun) {
  if (soak_seconds(0) > 0) return rounds == 10000;
  bool met = removed > 0 && shared()->count[HELD] > 0;
  return (met && rounds >= 200) || time(NULL) - begun > 30;
}

static void attack(unsigned (*act)(void)) {
  unsigned removed = 0, rounds = 0;
  time_t begun = time(NULL);
  char a[] = "a", b[] = "b", c[] = "c";
  pid_t children[] = {start(come_and_go, a), start(come_and_go, a), start(come_as_a_stranger, b),
                      start(come_as_a_stranger, b), start(make_and_remove, c)};
  for (; !is_enough(rounds, removed, begun); rounds++) removed += act();
  shared()->stop = true;
  for (size_t i = 0; i < COUNT(children); i++) finish(children[i]);
  (void)unlink(path_of(other_name("a")));
  (void)unlink(path_of(other_name("b")));
  (void)printf("%u rounds: %u removed, %u held, %u waited for nothing\n", rounds, removed,
               shared()->count[HELD], shared()->count[WAITED]);
  ck_assert_uint_eq(shared()->count[ROBBED], 0);
  ck_assert_uint_gt(shared()->count[HELD], 0);
  ck_assert_uint_gt(removed, 0);
}

START_TEST(no_held_segment_goes_under_attack) {
  attack(clear_up);
}
END_TEST

START_TEST(no_held_segment_goes_one_by_one_either) {
  attack(remove_each);
}
END_TEST

int main(int argc, char **argv) {
  if (!enter_own_place()) return skip("mounting in a namespace is not permitted");
  const TTest *const cases[] = {
      no_held_segment_goes_under_attack,
      no_held_segment_goes_one_by_one_either,
  };
  return run_cases("gc-attack", cases, COUNT(cases), argc, argv);
}
