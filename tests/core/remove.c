/* SPDX-License-Identifier: MIT */
/* Removing one segment: what is in use is refused unless forced, and nothing else ever goes. */
#include "meanwhile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A listing of one, of what went. */
static shmkit_listing *removed(const char *address, uint32_t flags) {
  shmkit_listing *listing = NULL;
  assert_done(shmkit_remove(address, flags, &listing));
  ck_assert_uint_eq(shmkit_listing_count(listing), 1);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->removal, SHMKIT_REMOVED);
  return listing;
}

static void assert_refused(shmkit_status status, const char *address, const char *words) {
  shmkit_listing *listing = NULL;
  assert_fails(status, shmkit_remove(address, 0, &listing));
  ck_assert_ptr_null(listing);
  assert_message_has(words);
}

static int make_sysv(void) {
  int id = shmget(sysv_key(), 4096, IPC_CREAT | IPC_EXCL | 0600);
  ck_assert_int_ge(id, 0);
  return id;
}

/* ---- What goes ------------------------------------------------------------------------------ */

START_TEST(what_nobody_uses_goes_and_is_told_about) {
  make_idle(name());
  shmkit_listing *listing = removed(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert(!exists(path_of(name())));
  ck_assert_str_eq(info->name, name());
  ck_assert_uint_eq(info->size, 4096);
  ck_assert_uint_eq(info->links, 1);
  ck_assert_uint_eq(info->state, SHMKIT_STATE_IDLE);
  ck_assert_uint_eq(info->holding, SHMKIT_NOT_HELD);
  shmkit_listing_free(listing);
  assert_refused(-ENOENT, name(), "does not exist");
}
END_TEST

START_TEST(nobody_has_to_want_to_know) {
  make_idle(name());
  assert_done(shmkit_remove(name(), 0, NULL));
  ck_assert(!exists(path_of(name())));
  (void)make_sysv();
  assert_done(shmkit_remove(sysv_address(), 0, NULL));
  ck_assert_int_lt(shmget(sysv_key(), 0, 0), 0);
  assert_refused(-ENOENT, sysv_address(), "does not exist");
}
END_TEST

START_TEST(system_v_goes_by_its_identifier_too) {
  char address[32];
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  (void)snprintf(address, sizeof address, "sysv:id=%d", id);
  shmkit_listing_free(removed(address, 0));
  ck_assert_int_lt(shmctl(id, IPC_STAT, &(struct shmid_ds){.shm_segsz = 0}), 0);
}
END_TEST

START_TEST(a_file_and_a_semaphore_go_by_their_addresses) {
  char address[300];
  make_idle(name());
  (void)snprintf(address, sizeof address, "file:%s", path_of(name()));
  shmkit_listing_free(removed(address, 0));
  ck_assert(!exists(path_of(name())));
  (void)snprintf(address, sizeof address, "sem.%s", name());
  int fd = make_file(address, (off_t)sizeof(sem_t));
  void *semaphore = map_file(fd, sizeof(sem_t));
  ck_assert_int_eq(close(fd), 0);
  assert_refused(-EBUSY, address, "maps it");
  ck_assert_int_eq(munmap(semaphore, sizeof(sem_t)), 0);
  shmkit_listing *listing = removed(address, 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->kind, SHMKIT_INFO_SEMAPHORE);
  shmkit_listing_free(listing);
}
END_TEST

START_TEST(another_name_of_the_same_file_stays) {
  make_idle(name());
  ck_assert_int_eq(link(path_of(name()), path_of(other_name("b"))), 0);
  assert_done(shmkit_remove(name(), 0, NULL));
  ck_assert(exists(path_of(other_name("b"))));
  assert_done(shmkit_remove(other_name("b"), 0, NULL));
}
END_TEST

static void hold_last(void *unused) {
  (void)unused;
  const shmkit_segment_options options = {.lifetime = SHMKIT_LAST};
  (void)create(name(), 4096, &options);
  signal_turn(0);
  for (;;) (void)pause();
}

START_TEST(a_last_segment_goes_when_a_kill_left_it) {
  pid_t child = start(hold_last, NULL);
  wait_turn(0);
  assert_refused(-EBUSY, name(), "maps it");
  kill_child(child);
  shmkit_listing *listing = removed(name(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->state, SHMKIT_STATE_LEAKED);
  shmkit_listing_free(listing);
}
END_TEST

/* ---- What is in use ------------------------------------------------------------------------- */

START_TEST(who_maps_it_is_named_and_keeps_it_unless_forced) {
  char words[64];
  shmkit_segment *segment = create(name(), 4096, NULL);
  ck_assert_int_eq(prctl(PR_SET_NAME, "camera"), 0);
  (void)snprintf(words, sizeof words, "process %d (camera) maps it", (int)getpid());
  assert_refused(-EBUSY, name(), words);
  ck_assert(exists(path_of(name())));
  shmkit_listing *listing = removed(name(), SHMKIT_REMOVE_FORCE);
  ck_assert_ptr_nonnull(strstr(shmkit_listing_at(listing, 0)->reason, "keeps the memory"));
  shmkit_listing_free(listing);
  ck_assert(!exists(path_of(name())));
  assert_done(shmkit_segment_write(segment, 0, "mine", 4));
  assert_bytes(segment, 0, "mine");
  shmkit_segment_free(segment);
}
END_TEST

static void map_and_wait(void *unused) {
  (void)unused;
  shmkit_segment *segment = open_segment(name(), NULL);
  signal_turn(0);
  wait_turn(1);
  shmkit_segment_free(segment);
}

START_TEST(of_many_users_some_are_named) {
  make_idle(name());
  pid_t children[5];
  for (size_t i = 0; i < COUNT(children); i++) {
    children[i] = start(map_and_wait, NULL);
    wait_turn(0);
  }
  assert_refused(-EBUSY, name(), " and 2 more map it; forced, its name goes");
  for (size_t i = 0; i < COUNT(children); i++) signal_turn(1);
  finish_all(children, COUNT(children));
  assert_done(shmkit_remove(name(), 0, NULL));
}
END_TEST

START_TEST(who_merely_has_it_open_is_in_the_way) {
  int fd = make_file(name(), 4096);
  assert_refused(-EBUSY, name(), "somebody has it open");
  ck_assert(exists(path_of(name())));
  assert_done(shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
  ck_assert(!exists(path_of(name())));
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(who_holds_a_lock_or_a_lease_is_in_the_way) {
  int fd = make_file(name(), 4096);
  struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
  assert_refused(-EBUSY, name(), "holds a lock on it");
  lock.l_type = F_UNLCK;
  ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
  ck_assert_int_eq(fcntl(fd, F_SETSIG, SIGURG), 0);
  ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  assert_refused(-EBUSY, name(), "has a lease on it");
  ck_assert_int_eq(close(fd), 0);
  assert_done(shmkit_remove(name(), 0, NULL));
}
END_TEST

START_TEST(attachments_are_in_the_way_and_keep_the_memory_when_forced) {
  char words[64], address[32];
  int id = make_sysv();
  unsigned char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, 0);
  (void)snprintf(words, sizeof words, "2 attachments, by process %d (", (int)getpid());
  assert_refused(-EBUSY, sysv_address(), words);
  shmkit_listing *listing = removed(sysv_address(), SHMKIT_REMOVE_FORCE);
  ck_assert_ptr_nonnull(strstr(shmkit_listing_at(listing, 0)->reason, "last of 2 attachments"));
  shmkit_listing_free(listing);
  first[0] = 7;
  ck_assert_uint_eq(second[0], 7);
  (void)snprintf(address, sizeof address, "sysv:id=%d", id);
  assert_refused(-EBUSY, address, "marked for removal already");
  assert_done(shmkit_remove(address, SHMKIT_REMOVE_FORCE, NULL));
  ck_assert_int_eq(shmdt(first), 0);
  ck_assert_int_eq(shmdt(second), 0);
  assert_refused(-ENOENT, address, "does not exist");
}
END_TEST

/* ---- What is no segment --------------------------------------------------------------------- */

START_TEST(a_symbolic_link_is_never_followed) {
  char address[300];
  make_idle(other_name("target"));
  ck_assert_int_eq(symlink(path_of(other_name("target")), path_of(name())), 0);
  (void)snprintf(address, sizeof address, "file:%s", path_of(name()));
  const char *const addresses[] = {name(), address};
  for (size_t i = 0; i < COUNT(addresses); i++) {
    assert_fails(-ELOOP, shmkit_remove(addresses[i], 0, NULL));
    assert_fails(-ELOOP, shmkit_remove(addresses[i], SHMKIT_REMOVE_FORCE, NULL));
    assert_message_has("symbolic link");
  }
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(unlink(path_of(name())), 0);
  ck_assert_int_eq(unlink(path_of(other_name("target"))), 0);
}
END_TEST

static void assert_no_segment(void) {
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_remove(name(), 0, NULL));
  assert_message_has("not a segment");
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
  ck_assert(exists(path_of(name())));
}

START_TEST(what_is_no_file_is_left_alone) {
  ck_assert_int_eq(mkdir(path_of(name()), 0700), 0);
  assert_no_segment();
  ck_assert_int_eq(rmdir(path_of(name())), 0);
  ck_assert_int_eq(mkfifo(path_of(name()), 0600), 0);
  assert_no_segment();
  ck_assert_int_eq(unlink(path_of(name())), 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path_of(name()));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  ck_assert_str_eq(address.sun_path, path_of(name()));
  assert_no_segment();
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(what_has_no_name_cannot_lose_it) {
  char address[64];
  assert_refused(SHMKIT_ERR_UNSUPPORTED, "memfd:frames", "no name to remove");
  assert_refused(SHMKIT_ERR_UNSUPPORTED, "fd:0", "no name to remove");
  int fd = make_file(name(), 4096);
  ck_assert_int_eq(unlink(path_of(name())), 0);
  (void)snprintf(address, sizeof address, "file:/proc/%d/fd/%d", (int)getpid(), fd);
  assert_refused(SHMKIT_ERR_UNSUPPORTED, address, "goes with its last user");
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
  assert_refused(-EINVAL, "a/b", "slash");
  assert_refused(-EINVAL, "sysv:private", "identifier");
  assert_refused(-ENOENT, "file:/dev/shm/no such directory/segment", "does not exist");
  assert_fails(-EINVAL, shmkit_remove(name(), 0x80, NULL));
  assert_fails(-EINVAL, shmkit_remove(NULL, 0, NULL));
}
END_TEST

/* ---- Who may -------------------------------------------------------------------------------- */

static void try_as_nobody(void *unused) {
  (void)unused;
  if (!become_nobody()) return;
  for (uint32_t flags = 0; flags <= SHMKIT_REMOVE_FORCE; flags++) {
    assert_fails(-EPERM, shmkit_remove(name(), flags, NULL));
    assert_message_has("no permission: ask its owner, or root");
    assert_fails(-EPERM, shmkit_remove(sysv_address(), flags, NULL));
    assert_message_has("no permission: ask its owner, or root");
  }
}

START_TEST(others_segments_are_not_ours_to_remove) {
  int id = make_sysv();
  make_idle(name());
  finish(start(try_as_nobody, NULL));
  ck_assert(exists(path_of(name())));
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(an_ordinary_user_removes_his_own) {
  if (geteuid() == 0 && !become_nobody()) return;
  make_idle(name());
  /* Whether others map it, he cannot see: the kernel tells that nobody does. */
  shmkit_listing *listing = removed(name(), 0);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->state, SHMKIT_STATE_IDLE);
  shmkit_listing_free(listing);
  (void)make_sysv();
  assert_done(shmkit_remove(sysv_address(), 0, NULL));
}
END_TEST

START_TEST(what_cannot_be_told_counts_as_in_use) {
  if (geteuid() == 0 && !become_nobody()) return;
  make_idle(name());
  ck_assert_int_eq(chmod(path_of(name()), 0), 0);
  assert_refused(-EBUSY, name(), "cannot be opened to see whether it is in use");
  assert_message_has("forced, it goes all the same");
  ck_assert(exists(path_of(name())));
  assert_done(shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
}
END_TEST

START_TEST(a_read_only_file_system_keeps_it) {
  if (!enter_own_place()) return;
  make_idle(name());
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
  assert_refused(-EROFS, name(), "Read-only");
  assert_fails(-EROFS, shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_BIND, NULL), 0);
  assert_done(shmkit_remove(name(), 0, NULL));
}
END_TEST

/* ---- Who comes at the worst moment ---------------------------------------------------------- */

static void use(void) {
  int fd = open(path_of(name()), O_WRONLY | O_CLOEXEC);
  ck_assert_int_eq(write(fd, "x", 1), 1);
  ck_assert_int_eq(close(fd), 0);
}

START_TEST(what_was_used_or_replaced_since_the_look_stays) {
  make_idle(name());
  before_opening = use;
  assert_refused(-EBUSY, name(), "has changed or been used meanwhile");
  before_opening = replace;
  assert_refused(-EBUSY, name(), "has changed or been used meanwhile");
  before_opening = replace;
  assert_fails(-EBUSY, shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
  before_opening = use;
  assert_done(shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
}
END_TEST

static void *attached;

static void attach(void) {
  attached = shmat(shmget(sysv_key(), 0, 0), NULL, 0);
  ck_assert_ptr_ne(attached, (void *)-1);
}

START_TEST(who_attaches_meanwhile_keeps_the_segment) {
  (void)make_sysv();
  /* This process is the last one that used it either way. */
  attach();
  ck_assert_int_eq(shmdt(attached), 0);
  before_counting = attach;
  assert_refused(-EBUSY, sysv_address(), "has changed or been used meanwhile");
  ck_assert_int_eq(shmdt(attached), 0);
  assert_done(shmkit_remove(sysv_address(), 0, NULL));
}
END_TEST

START_TEST(who_opens_meanwhile_keeps_the_segment) {
  make_idle(name());
  before_looking = knock;
  assert_refused(-EBUSY, name(), "a process is opening it");
  ck_assert(exists(path_of(name())));
  assert_done(shmkit_remove(name(), 0, NULL));
}
END_TEST

START_TEST(who_waits_for_the_lease_gets_the_live_segment) {
  make_idle(name());
  pid_t child = start(open_as_a_stranger, NULL);
  before_looking = let_one_open;
  assert_refused(-EBUSY, name(), "a process is opening it");
  finish(child);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(what_has_taken_its_place_stays_even_when_forced) {
  make_idle(name());
  before_looking = replace;
  assert_refused(-EBUSY, name(), "leads elsewhere");
  ck_assert(exists(path_of(name())));
  before_looking = replace;
  assert_fails(-EBUSY, shmkit_remove(name(), SHMKIT_REMOVE_FORCE, NULL));
  assert_message_has("try again");
  ck_assert(exists(path_of(name())));
  assert_done(shmkit_remove(name(), 0, NULL));
}
END_TEST

static void remove_first(void) {
  ck_assert_int_eq(unlink(path_of(name())), 0);
}

START_TEST(who_removes_it_first_leaves_nothing_to_do) {
  make_idle(name());
  before_removing = remove_first;
  assert_refused(-ENOENT, name(), "does not exist any more");
}
END_TEST

START_TEST(a_descriptor_that_opens_nothing_is_no_use) {
  make_idle(name());
  int fd = open(path_of(name()), O_PATH | O_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  assert_done(shmkit_remove(name(), 0, NULL));
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_nobody_uses_goes_and_is_told_about,
      nobody_has_to_want_to_know,
      system_v_goes_by_its_identifier_too,
      a_file_and_a_semaphore_go_by_their_addresses,
      another_name_of_the_same_file_stays,
      a_last_segment_goes_when_a_kill_left_it,
      who_maps_it_is_named_and_keeps_it_unless_forced,
      of_many_users_some_are_named,
      who_merely_has_it_open_is_in_the_way,
      who_holds_a_lock_or_a_lease_is_in_the_way,
      attachments_are_in_the_way_and_keep_the_memory_when_forced,
      a_symbolic_link_is_never_followed,
      what_is_no_file_is_left_alone,
      what_has_no_name_cannot_lose_it,
      what_cannot_be_is_refused,
      others_segments_are_not_ours_to_remove,
      an_ordinary_user_removes_his_own,
      what_cannot_be_told_counts_as_in_use,
      a_read_only_file_system_keeps_it,
      what_was_used_or_replaced_since_the_look_stays,
      who_attaches_meanwhile_keeps_the_segment,
      who_opens_meanwhile_keeps_the_segment,
      who_waits_for_the_lease_gets_the_live_segment,
      what_has_taken_its_place_stays_even_when_forced,
      who_removes_it_first_leaves_nothing_to_do,
      a_descriptor_that_opens_nothing_is_no_use,
  };
  return run_cases("remove", cases, COUNT(cases), argc, argv);
}
