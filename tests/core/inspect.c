/* SPDX-License-Identifier: MIT */
/* What exists is listed, as it is. */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_posix_segment_is_listed_with_all_about_it) {
  shmkit_segment *segment = create(name(), 100000, NULL);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert_int_eq(strncmp(info->address, "posix:/", 7), 0);
  ck_assert_str_eq(info->address, shmkit_segment_address(segment));
  ck_assert_uint_eq(info->size, 100000);
  ck_assert_uint_eq(info->allocated, 102400);
  ck_assert_uint_eq(info->mode, 0600);
  ck_assert_uint_eq(info->uid, geteuid());
  ck_assert_uint_eq(info->gid, getegid());
  ck_assert_uint_eq(info->links, 1);
  ck_assert_uint_eq(info->attachments, SHMKIT_UNKNOWN);
  ck_assert_int_gt(info->changed, shmkit_listing_time(listing) - INT64_C(60000000000));
  ck_assert_int_le(info->changed, shmkit_listing_time(listing));
  ck_assert_int_eq(info->attached, SHMKIT_UNKNOWN_TIME);
  ck_assert(info->flags & SHMKIT_INFO_MAY_REMOVE);
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  ck_assert_str_eq(info->reason, "mapped by 1 process");
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_int_eq(info->mappers[0].pid, getpid());
  ck_assert_uint_eq(info->mappers[0].uid, geteuid());
  ck_assert(info->mappers[0].readable && info->mappers[0].writable);
  ck_assert_uint_eq(info->mappers[0].offset, 0);
  ck_assert_int_ne(info->mappers[0].program[0], '\0');
  shmkit_listing_free(listing);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(attachments_are_not_processes) {
  int id = shmget(sysv_key(), 8192, IPC_CREAT | IPC_EXCL | 0640);
  ck_assert_int_ge(id, 0);
  void *memory[5];
  for (size_t i = 0; i < COUNT(memory); i++) memory[i] = shmat(id, NULL, i == 0 ? 0 : SHM_RDONLY);
  shmkit_listing *listing = look_at(sysv_address(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_str_eq(info->address, sysv_address());
  ck_assert_uint_eq(info->inode, (uint64_t)id);
  ck_assert_uint_eq(info->attachments, 5);
  ck_assert_uint_eq(info->mapper_count, 1);
  ck_assert_uint_eq(info->mappings, 5);
  ck_assert_uint_eq(info->mappers[0].mappings, 5);
  ck_assert_uint_eq(info->mappers[0].bytes, 5 * 8192);
  ck_assert(info->mappers[0].writable);
  ck_assert_uint_eq(info->mode, 0640);
  ck_assert_uint_eq(info->resident, 0);
  ck_assert_uint_eq(info->swapped, 0);
  ck_assert_int_eq(info->last_pid, getpid());
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  shmkit_listing_free(listing);
  for (size_t i = 0; i < COUNT(memory); i++) ck_assert_int_eq(shmdt(memory[i]), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
}
END_TEST

START_TEST(keys_of_32_bits_are_not_negative) {
  int key = (int)((unsigned)sysv_key() | 0x80000000U);
  int id = shmget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
  ck_assert_int_ge(id, 0);
  char address[32];
  (void)snprintf(address, sizeof address, "sysv:0x%x", (unsigned)key);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find(listing, SHMKIT_INFO_SYSV, address + 5);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
  ck_assert_ptr_nonnull(info);
  ck_assert_str_eq(info->address, address);
  shmkit_listing_free(listing);
}
END_TEST

START_TEST(what_is_marked_for_removal_is_dest) {
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  void *memory = shmat(id, NULL, 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
  char address[32];
  (void)snprintf(address, sizeof address, "sysv:id=%d", id);
  shmkit_listing *listing = look_at(address, 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_str_eq(info->address, address);
  ck_assert_int_eq(info->state, SHMKIT_STATE_DEST);
  ck_assert(info->flags & SHMKIT_INFO_DEST);
  ck_assert_uint_eq(info->mapper_count, 1);
  shmkit_listing_free(listing);
  ck_assert_int_eq(shmdt(memory), 0);
}
END_TEST

START_TEST(a_memfd_is_found_by_its_name_and_can_be_opened) {
  char address[300];
  (void)snprintf(address, sizeof address, "memfd:%s", name());
  const shmkit_segment_options sealed = {.seals = SHMKIT_SEAL_SHRINK};
  shmkit_segment *segment = create(address, 3 * MIB, &sealed);
  assert_done(shmkit_segment_write(segment, 10, "hello", 5));
  shmkit_listing *listing = look_at(address, 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_int_eq(info->kind, SHMKIT_INFO_MEMFD);
  ck_assert_str_eq(info->name, name());
  ck_assert_uint_eq(info->size, 3 * MIB);
  ck_assert_uint_eq(info->links, 0);
  ck_assert_uint_eq(info->seals & SHMKIT_SEAL_SHRINK, SHMKIT_SEAL_SHRINK);
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  shmkit_segment *other = open_segment(info->address, NULL);
  assert_bytes(other, 10, "hello");
  shmkit_segment_free(other);
  shmkit_listing_free(listing);
  shmkit_segment_free(segment);
  assert_fails(-ENOENT, shmkit_listing_stat(address, 0, &listing));
}
END_TEST

START_TEST(an_unlinked_segment_is_found_while_it_is_mapped) {
  int fd = make_file(name(), 4096);
  void *memory = map_file(fd, 4096);
  strcpy(memory, "still here");
  ck_assert_int_eq(unlink(path_of(name())), 0);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find_posix(listing, name());
  ck_assert_int_eq(info->state, SHMKIT_STATE_UNLINKED);
  ck_assert(info->flags & SHMKIT_INFO_UNLINKED);
  ck_assert(!(info->flags & SHMKIT_INFO_MAY_REMOVE));
  ck_assert_uint_eq(info->links, 0);
  ck_assert_uint_eq(info->size, 4096);
  shmkit_segment *segment = open_segment(info->address, NULL);
  assert_bytes(segment, 0, "still here");
  shmkit_segment_free(segment);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_name_that_was_reused_is_two_segments) {
  int fd = make_file(name(), 4096);
  void *memory = map_file(fd, 4096);
  ck_assert_int_eq(unlink(path_of(name())), 0);
  int second = make_file(name(), 8192);
  shmkit_listing *listing = take(0);
  unsigned named = 0, unlinked = 0;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (info->kind != SHMKIT_INFO_POSIX || strcmp(info->name, name()) != 0) continue;
    bool old = info->state == SHMKIT_STATE_UNLINKED;
    ck_assert_uint_eq(info->size, old ? 4096 : 8192);
    ck_assert_uint_eq(info->mapper_count, old ? 1 : 0);
    ++*(old ? &unlinked : &named);
  }
  ck_assert_uint_eq(named, 1);
  ck_assert_uint_eq(unlinked, 1);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(close(second), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(names_of_any_bytes_come_back_as_they_are) {
  static const char *const suffixes[] = {"new\nline", "back\\012slash", "\x1b[31mred",
                                         "\xff\xfe",  "real (deleted)", " sp ace ",
                                         "a:b"};
  for (size_t i = 0; i < COUNT(suffixes); i++) {
    const char *odd = other_name(suffixes[i]);
    int fd = make_file(odd, 4096);
    void *memory = map_file(fd, 4096);
    shmkit_listing *listing = take(0);
    const shmkit_info *info = find_posix(listing, odd);
    ck_assert_uint_eq(info->mapper_count, 1);
    ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
    shmkit_segment *segment = open_segment(info->address, NULL);
    shmkit_segment_free(segment);
    shmkit_listing *single = look_at(info->address, 0);
    ck_assert_str_eq(shmkit_listing_at(single, 0)->name, odd);
    ck_assert_uint_eq(shmkit_listing_at(single, 0)->mapper_count, 1);
    shmkit_listing_free(single);
    shmkit_listing_free(listing);
    ck_assert_int_eq(unlink(path_of(odd)), 0);
    ck_assert_int_eq(munmap(memory, 4096), 0);
    ck_assert_int_eq(close(fd), 0);
  }
}
END_TEST

START_TEST(a_name_of_255_bytes_is_listed) {
  char longest[256], address[300];
  (void)snprintf(longest, sizeof longest, "%s-", name());
  memset(longest + strlen(longest), 'x', 255 - strlen(longest));
  longest[255] = '\0';
  int fd = make_file(longest, 1);
  (void)snprintf(address, sizeof address, "posix:/%s", longest);
  shmkit_listing *listing = take(0);
  ck_assert_str_eq(find_posix(listing, longest)->address, address);
  shmkit_listing_free(listing);
  ck_assert_int_eq(unlink(path_of(longest)), 0);
  ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_is_no_file_is_no_segment) {
  const char *const names[] = {other_name("link"), other_name("fifo"), other_name("dir"),
                               other_name("socket")};
  ck_assert_int_eq(symlink("/etc/passwd", path_of(names[0])), 0);
  ck_assert_int_eq(mkfifo(path_of(names[1]), 0600), 0);
  ck_assert_int_eq(mkdir(path_of(names[2]), 0700), 0);
  struct sockaddr_un socket_name = {.sun_family = AF_UNIX};
  (void)snprintf(socket_name.sun_path, sizeof socket_name.sun_path, "%.100s", path_of(names[3]));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&socket_name, sizeof socket_name), 0);
  shmkit_listing *listing = take(SHMKIT_INFO_ALL), *none = NULL;
  for (size_t i = 0; i < COUNT(names); i++) {
    ck_assert_ptr_null(find(listing, SHMKIT_INFO_POSIX, names[i]));
    assert_fails(i == 0 ? -ELOOP : SHMKIT_ERR_INCOMPATIBLE,
                 shmkit_listing_stat(names[i], SHMKIT_STAT_EXACT, &none));
  }
  shmkit_listing_free(listing);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(rmdir(path_of(names[2])), 0);
  for (size_t i = 0; i < COUNT(names); i++) (void)unlink(path_of(names[i]));
}
END_TEST

START_TEST(what_is_not_asked_for_is_not_listed) {
  void *memory = mmap(NULL, 12288, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  char semaphore[256];
  (void)snprintf(semaphore, sizeof semaphore, "/%s", name());
  sem_t *sem = sem_open(semaphore, O_CREAT | O_EXCL, 0600, 1);
  ck_assert_ptr_ne(sem, SEM_FAILED);
  (void)snprintf(semaphore, sizeof semaphore, "sem.%.240s", name());
  shmkit_listing *usual = take(0), *all = take(SHMKIT_INFO_ALL);
  unsigned anonymous = 0;
  for (size_t i = 0; i < shmkit_listing_count(usual); i++) {
    ck_assert_uint_le(shmkit_listing_at(usual, i)->kind, SHMKIT_INFO_MEMFD);
  }
  for (size_t i = 0; i < shmkit_listing_count(all); i++) {
    const shmkit_info *info = shmkit_listing_at(all, i);
    bool ours = info->mapper_count == 1 && info->mappers[0].pid == getpid();
    if (info->kind == SHMKIT_INFO_ANONYMOUS && ours && info->mappers[0].bytes == 12288) anonymous++;
  }
  ck_assert_uint_eq(anonymous, 1);
  const shmkit_info *info = find(all, SHMKIT_INFO_SEMAPHORE, semaphore);
  ck_assert_ptr_nonnull(info);
  ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
  shmkit_listing_free(usual);
  shmkit_listing_free(all);
  ck_assert_int_eq(sem_close(sem), 0);
  ck_assert_int_eq(unlink(path_of(semaphore)), 0);
  ck_assert_int_eq(munmap(memory, 12288), 0);
}
END_TEST

/* ---- Comings and goings --------------------------------------------------------------------- */

static void come_and_go(void *suffix) {
  const char *own = other_name(suffix);
  while (!shared()->stop) {
    shmkit_segment *segment = NULL;
    if (shmkit_segment_create(own, 4096, NULL, &segment) != 0) _exit(1);
    if (shmkit_segment_unlink(segment) != 0) _exit(1);
    shmkit_segment_free(segment);
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    void *memory = shmat(id, NULL, 0);
    (void)shmctl(id, IPC_RMID, NULL);
    (void)shmdt(memory);
  }
}

START_TEST(what_vanishes_while_it_is_looked_at_does_no_harm) {
  char one[] = "one", two[] = "two";
  pid_t first = start(come_and_go, one), second = start(come_and_go, two);
  while (!is_long_enough(soak_seconds(1))) {
    shmkit_listing_free(take(SHMKIT_INFO_ALL));
    shmkit_listing *listing = NULL;
    shmkit_status status = shmkit_listing_stat(other_name(one), SHMKIT_STAT_EXACT, &listing);
    ck_assert(status == 0 || status == -ENOENT);
    if (status == 0) shmkit_listing_free(listing);
  }
  shared()->stop = true;
  finish(first);
  finish(second);
}
END_TEST

static void map_briefly(void *unused) {
  (void)unused;
  while (!shared()->stop) {
    pid_t child = fork();
    if (child < 0) _exit(1);
    if (child == 0) {
      /* Mappings enough that reading of them takes a while. */
      int fd = open(path_of(name()), O_RDONLY | O_CLOEXEC);
      for (int i = 0; i < 200; i++) (void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
      _exit(0);
    }
    if (waitpid(child, NULL, 0) != child) _exit(1);
  }
}

START_TEST(processes_that_vanish_while_they_are_looked_at_do_no_harm) {
  int fd = make_file(name(), 4096);
  void *memory = map_file(fd, 4096);
  const pid_t children[] = {start(map_briefly, NULL), start(map_briefly, NULL)};
  while (!is_long_enough(soak_seconds(1))) {
    shmkit_listing *listing = take(0);
    const shmkit_info *info = find_posix(listing, name());
    uint64_t mappings = 0;
    ck_assert_int_eq(info->state, SHMKIT_STATE_USED);
    for (size_t m = 0; m < info->mapper_count; m++) {
      const shmkit_mapper *mapper = &info->mappers[m];
      ck_assert(m == 0 || mapper->pid > info->mappers[m - 1].pid);
      ck_assert_uint_gt(mapper->start, 0);
      ck_assert_int_ne(mapper->program[0], '\0');
      mappings += mapper->mappings;
    }
    ck_assert_uint_eq(info->mappings, mappings);
    shmkit_listing_free(listing);
  }
  shared()->stop = true;
  finish_all(children, COUNT(children));
  ck_assert_int_eq(munmap(memory, 4096), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
  shmkit_listing *listing = NULL;
  const shmkit_listing_options flags = {.flags = 0x80}, kinds = {.kinds = 1U << 20};
  assert_fails(-EINVAL, shmkit_listing_take(&flags, &listing));
  assert_fails(-EINVAL, shmkit_listing_take(&kinds, &listing));
  assert_fails(-ENOENT, shmkit_listing_stat(name(), 0, &listing));
  assert_fails(-ENOENT, shmkit_listing_stat(sysv_address(), 0, &listing));
  assert_fails(-EINVAL, shmkit_listing_stat("sysv:private", 0, &listing));
  assert_fails(-EINVAL, shmkit_listing_stat("what:ever", 0, &listing));
  assert_fails(-EINVAL, shmkit_listing_stat(name(), 0x80, &listing));
  assert_fails(-EBADF, shmkit_listing_stat("fd:987", 0, &listing));
  ck_assert_ptr_null(listing);
  ck_assert_str_eq(shmkit_info_kind_name((shmkit_info_kind)99), "?");
  ck_assert_str_eq(shmkit_state_name((shmkit_state)99), "?");
  listing = take(0);
  ck_assert_ptr_null(shmkit_listing_at(listing, shmkit_listing_count(listing)));
  shmkit_listing_free(listing);
  shmkit_listing_free(NULL);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      a_posix_segment_is_listed_with_all_about_it,
      attachments_are_not_processes,
      keys_of_32_bits_are_not_negative,
      what_is_marked_for_removal_is_dest,
      a_memfd_is_found_by_its_name_and_can_be_opened,
      an_unlinked_segment_is_found_while_it_is_mapped,
      a_name_that_was_reused_is_two_segments,
      names_of_any_bytes_come_back_as_they_are,
      a_name_of_255_bytes_is_listed,
      what_is_no_file_is_no_segment,
      what_is_not_asked_for_is_not_listed,
      what_vanishes_while_it_is_looked_at_does_no_harm,
      processes_that_vanish_while_they_are_looked_at_do_no_harm,
      what_cannot_be_is_refused,
  };
  return run_cases("inspect", cases, COUNT(cases), argc, argv);
}
