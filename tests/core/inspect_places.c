/* SPDX-License-Identifier: MIT */
/* Listings where not everything can be seen, or where it is not what it seems: hidden processes,
 * PID namespaces, mounts that are read-only or cover each other. */
#include "listing_support.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void create_and_leave(void *suffix) {
  shmkit_segment *segment = NULL;
  ensure(shmkit_segment_create(other_name(suffix), 4096, NULL, &segment) == 0);
  shmkit_segment_free(segment);
}

/* Somebody else's: a POSIX segment that all may look at, mapped, and one of System V, attached. */
static void hold(void *unused) {
  (void)unused;
  const shmkit_segment_options options = {.mode = 0666};
  shmkit_segment *segment = NULL;
  ensure(shmkit_segment_create(name(), 4096, &options, &segment) == 0);
  int id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0666);
  void *memory = shmat(id, NULL, 0);
  ensure(memory != (void *)-1);
  signal_turn(0);
  wait_turn(1);
  ensure(shmdt(memory) == 0 && shmctl(id, IPC_RMID, NULL) == 0);
  ensure(shmkit_segment_unlink(segment) == 0);
  shmkit_segment_free(segment);
}

/* What hold() has, for who sees no trace of its process. */
static void assert_unknown(const shmkit_listing *listing) {
  ensure(!shmkit_listing_complete(listing));
  const shmkit_info *posix = find(listing, SHMKIT_INFO_POSIX, name());
  ensure(posix != NULL && posix->mapper_count == 0);
  ensure_msg(posix->state == SHMKIT_STATE_UNKNOWN, "%s", posix->reason);
  ensure(posix->creator_state == SHMKIT_LIVENESS_UNKNOWN);
  const shmkit_info *sysv = find(listing, SHMKIT_INFO_SYSV, sysv_address() + 5);
  ensure(sysv != NULL && sysv->mapper_count == 0 && sysv->attachments == 1);
  ensure(sysv->state == SHMKIT_STATE_USED && sysv->creator_state != SHMKIT_EXITED);
  ensure(strstr(sysv->reason, "cannot be seen") != NULL);
}

/* ---- Processes ------------------------------------------------------------------------------ */

static bool mount_proc(const char *options) {
  return mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) == 0 &&
         mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0;
}

START_TEST(processes_that_are_hidden_are_not_taken_for_none) {
  char left[] = "left";
  if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || !mount_proc("hidepid=2")) return;
  pid_t holder = start(hold, NULL);
  wait_turn(0);
  ck_assert(become_nobody());
  shmkit_segment *own = create(other_name("own"), 4096, NULL);
  finish(start(create_and_leave, left));
  shmkit_listing *listing = take(0);
  assert_unknown(listing);
  /* They are not even counted. */
  ck_assert_uint_eq(shmkit_listing_unreadable(listing), 0);
  const shmkit_info *info = find_posix(listing, other_name(left));
  ck_assert_int_eq(info->state, SHMKIT_STATE_UNKNOWN);
  ck_assert_ptr_nonnull(strstr(info->reason, "there may be processes that cannot be seen"));
  ck_assert_int_eq(find_posix(listing, other_name("own"))->state, SHMKIT_STATE_USED);
  ck_assert_uint_eq(find_posix(listing, other_name("own"))->mapper_count, 1);
  shmkit_listing_free(listing);
  signal_turn(1);
  finish(holder);
  assert_done(shmkit_unlink(other_name(left)));
  assert_done(shmkit_segment_unlink(own));
  shmkit_segment_free(own);
}
END_TEST

static void look_with_foreign_proc(void) {
  shmkit_listing *listing = take(0);
  ensure(!shmkit_listing_complete(listing));
  const shmkit_info *info = find(listing, SHMKIT_INFO_POSIX, name());
  ensure(info != NULL && info->mapper_count == 1);
  ensure(info->state == SHMKIT_STATE_USED && info->creator_state == SHMKIT_LIVENESS_UNKNOWN);
  shmkit_listing_free(listing);
}

/* The first process of its namespace, whose own segment everybody sees. */
static void look_from_inside(void) {
  shmkit_segment *own = NULL;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  ensure(getpid() == 1);
  look_with_foreign_proc();
  ensure(unshare(CLONE_NEWNS) == 0 && mount_proc(NULL));
  ensure(shmkit_segment_create(other_name("own"), 4096, NULL, &own) == 0);
  shmkit_listing *listing = take(0);
  assert_unknown(listing);
  const shmkit_info *info = find(listing, SHMKIT_INFO_POSIX, other_name("own"));
  ensure(info != NULL && info->mapper_count == 1 && info->mappers[0].pid == 1);
  ensure(info->creator.pid == 0 || info->creator_state == SHMKIT_ALIVE);
  shmkit_listing_free(listing);
  signal_turn(2);
  wait_turn(3);
  ensure(shmkit_segment_unlink(own) == 0);
  shmkit_segment_free(own);
  _exit(0);
}

/* Whose children are in a namespace that ends with the first; so it has no other use. */
static void start_inside(void *unused) {
  (void)unused;
  ensure(unshare(CLONE_NEWPID) == 0);
  pid_t inside = fork();
  if (inside == 0) look_from_inside();
  shared()->count[0] = (unsigned)inside;
  signal_turn(4);
  finish(inside);
  _exit(0);
}

START_TEST(processes_of_an_outer_namespace_are_not_taken_for_none) {
  if (geteuid() != 0) return;
  pid_t holder = start(hold, NULL);
  wait_turn(0);
  pid_t outside = start(start_inside, NULL);
  wait_turn(2);
  wait_turn(4);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, other_name("own"));
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_int_eq(info->mappers[0].pid, shared()->count[0]);
  /* Its stamp names process 1, which is another one here. */
  ck_assert_int_eq(info->creator_state, SHMKIT_LIVENESS_UNKNOWN);
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  shmkit_listing_free(listing);
  signal_turn(3);
  finish(outside);
  signal_turn(1);
  finish(holder);
}
END_TEST

static void be_a_user_who_hides(void *unused) {
  (void)unused;
  shmkit_segment *segment = NULL;
  ensure(become_nobody());
  ensure(prctl(PR_SET_DUMPABLE, 0) == 0);
  ensure(shmkit_segment_create(name(), 4096, NULL, &segment) == 0);
  signal_turn(0);
  wait_turn(1);
  ensure(shmkit_segment_unlink(segment) == 0);
  shmkit_segment_free(segment);
}

START_TEST(the_user_is_told_of_a_process_that_must_not_be_dumped) {
  if (geteuid() != 0) return;
  pid_t child = start(be_a_user_who_hides, NULL);
  wait_turn(0);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_uint_eq(info->mappers[0].uid, info->uid);
  ck_assert_uint_ne(info->mappers[0].uid, 0);
  shmkit_listing_free(listing);
  signal_turn(1);
  finish(child);
}
END_TEST

/* ---- Mounts --------------------------------------------------------------------------------- */

START_TEST(what_is_on_a_read_only_mount_is_listed) {
  if (!enter_own_place()) return;
  make_idle(name());
  int fd = open(path_of(name()), O_RDONLY | O_CLOEXEC);
  void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
  for (unsigned i = 0; i < 2; i++) {
    shmkit_listing *listing = i == 0 ? take(SHMKIT_INFO_ALL) : look_at(name(), 0);
    const shmkit_info *info = find_posix(listing, name());
    ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
    ck_assert_uint_eq(info->mapper_count, 1);
    ck_assert(!info->mappers[0].writable);
    shmkit_listing_free(listing);
  }
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(fd), 0);
  shmkit_listing *listing = look_at(name(), SHMKIT_STAT_EXACT);
  ck_assert_int_eq(shmkit_listing_at(listing, 0)->holding, SHMKIT_NOT_HELD);
  shmkit_listing_free(listing);
  ck_assert_int_eq(umount("/dev/shm"), 0);
}
END_TEST

START_TEST(a_covered_mount_is_told_from_the_one_on_top) {
  if (!enter_own_place()) return;
  int fd = make_file(name(), 4096);
  void *memory = map_file(fd, 4096);
  make_idle(other_name("below"));
  ck_assert_int_eq(mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m"), 0);
  int top = make_file(name(), 8192);
  shmkit_listing *listing = take(0);
  unsigned below = 0, above = 0;
  ck_assert_ptr_null(find(listing, SHMKIT_INFO_POSIX, other_name("below")));
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (info->kind != SHMKIT_INFO_POSIX || strcmp(info->name, name()) != 0) continue;
    bool covered = (info->flags & SHMKIT_INFO_ELSEWHERE) != 0;
    ck_assert_uint_eq(info->size, covered ? 4096 : 8192);
    ck_assert_uint_eq(info->mapper_count, covered ? 1 : 0);
    ck_assert(!(covered && (info->flags & SHMKIT_INFO_MAY_REMOVE)));
    ++*(covered ? &below : &above);
  }
  ck_assert_uint_eq(below, 1);
  ck_assert_uint_eq(above, 1);
  shmkit_listing_free(listing);
  listing = look_at(name(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->size, 8192);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->mapper_count, 0);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(close(top), 0);
  ck_assert_int_eq(umount("/dev/shm"), 0);
  ck_assert_int_eq(umount("/dev/shm"), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      processes_that_are_hidden_are_not_taken_for_none,
      processes_of_an_outer_namespace_are_not_taken_for_none,
      the_user_is_told_of_a_process_that_must_not_be_dumped,
      what_is_on_a_read_only_mount_is_listed,
      a_covered_mount_is_told_from_the_one_on_top,
  };
  return run_cases("inspect-places", cases, COUNT(cases), argc, argv);
}
