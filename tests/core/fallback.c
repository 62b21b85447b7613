/* SPDX-License-Identifier: MIT */
/* Kernels, file systems and sandboxes that lack something: a filter makes this kernel one of them. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A system call that fails with `error` when the bits `mask` of an argument are `value`. */
struct rule {
  unsigned call, argument;
  uint32_t mask, value;
  int error;
};

/* From here on, these rules hold in this process and its children. False: not permitted. */
static bool impose(const struct rule *rules, size_t count) {
  struct sock_filter program[64];
  unsigned short at = 0;
  for (size_t i = 0; i < count; i++) {
    /* The low half of an argument, on the little-endian machines that this is tested on. */
    uint32_t argument =
        (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)rules[i].argument);
    const struct sock_filter rule[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rules[i].call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rules[i].mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rules[i].value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)rules[i].error),
    };
    ensure(at + COUNT(rule) < COUNT(program));
    memcpy(program + at, rule, sizeof rule);
    at = (unsigned short)(at + COUNT(rule));
  }
  program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog filter = {.len = at, .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#define IMPOSE(...)                                                                                \
  do {                                                                                             \
    const struct rule rules[] = {__VA_ARGS__};                                                     \
    ck_assert(impose(rules, COUNT(rules)));                                                        \
  } while (0)

static unsigned drafts(void) {
  unsigned found = 0;
  DIR *directory = opendir("/dev/shm");
  ck_assert_ptr_nonnull(directory);
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (strncmp(entry->d_name, ".shmkit-", 8) == 0) found++;
  }
  (void)closedir(directory);
  return found;
}

/* What every kernel must do: make, open, grow, end. */
static void live_a_whole_life(void) {
  const shmkit_segment_options options = {.lifetime = SHMKIT_LAST,
                                          .capacity = MIB,
                                          .mode = 0640,
                                          .content = "content",
                                          .content_size = 7};
  struct stat status;
  shmkit_segment *second = NULL;
  mode_t before = umask(077);
  shmkit_segment *segment = create(name(), 100, &options);
  (void)umask(before);
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_eq(status.st_mode & 07777, 01640);
  ck_assert_uint_eq(status.st_nlink, 1);
  assert_fails(-EEXIST, shmkit_segment_create(name(), 100, &options, &second));
  assert_fails(-EEXIST, shmkit_segment_create(name(), MIB, &options, &second));
  second = open_segment(name(), NULL);
  assert_bytes(second, 0, "content");
  assert_done(shmkit_segment_grow(segment, 64 * KIB));
  assert_done(shmkit_segment_write(segment, 0, "changed", 7));
  assert_bytes(second, 0, "changed");
  shmkit_segment_free(segment);
  ck_assert(exists(path_of(name())));
  shmkit_segment_free(second);
  ck_assert(!exists(path_of(name())));
  shmkit_segment_free(create("memfd:x", 100, NULL));
}

static void live_without_nameless_files(void *error) {
  const unsigned nameless = O_TMPFILE & ~O_DIRECTORY;
  const struct rule rules[] = {
#ifdef SYS_open
      {SYS_open, 1, nameless, nameless, *(const int *)error},
#endif
      {SYS_openat, 2, nameless, nameless, *(const int *)error},
  };
  ck_assert(impose(rules, COUNT(rules)));
  live_a_whole_life();
}

START_TEST(without_nameless_files_there_are_hidden_ones) {
  static int ways_to_say_so[] = {EOPNOTSUPP, EISDIR, EINVAL};
  unsigned before = drafts();
  for (size_t i = 0; i < COUNT(ways_to_say_so); i++) {
    finish(start(live_without_nameless_files, &ways_to_say_so[i]));
  }
  ck_assert_uint_eq(drafts(), before);
}
END_TEST

START_TEST(without_links_from_descriptors_there_is_proc) {
  IMPOSE({SYS_linkat, 4, AT_EMPTY_PATH, AT_EMPTY_PATH, ENOENT});
  live_a_whole_life();
}
END_TEST

START_TEST(without_attributes_nobody_knows_the_creator) {
  shmkit_creator creator;
  IMPOSE({SYS_fsetxattr, 0, 0, 0, EOPNOTSUPP}, {SYS_fgetxattr, 0, 0, 0, EOPNOTSUPP});
  live_a_whole_life();
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_creator(segment, &creator));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(before_linux_6_3_a_memfd_has_no_seal_on_execution) {
  IMPOSE({SYS_memfd_create, 1, 0x8, 0x8, EINVAL}, {SYS_memfd_create, 1, 0x10, 0x10, EINVAL});
  const shmkit_segment_options executable = {.mode = 0700, .seals = SHMKIT_SEAL_SHRINK};
  live_a_whole_life();
  shmkit_segment_free(create("memfd:x", 100, &executable));
}
END_TEST

START_TEST(before_linux_5_14_pages_are_populated_one_by_one) {
  const shmkit_segment_options populate = {.flags = SHMKIT_POPULATE};
  const shmkit_segment_options reader = {.flags = SHMKIT_POPULATE | SHMKIT_READONLY};
  unsigned char resident[16];
  size_t size = sizeof resident * (size_t)sysconf(_SC_PAGESIZE);
  IMPOSE({SYS_madvise, 2, UINT32_MAX, 22, EINVAL}, {SYS_madvise, 2, UINT32_MAX, 23, EINVAL});
  shmkit_segment *segment = create(name(), size, &populate);
  ck_assert_int_eq(mincore(shmkit_segment_data(segment), size, resident), 0);
  for (size_t i = 0; i < sizeof resident; i++) ck_assert_uint_eq(resident[i] & 1, 1);
  shmkit_segment_free(open_segment(name(), &reader));
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(where_memory_of_processes_cannot_be_read_a_lost_memfd_says_so) {
  char bytes[4];
  int fd = -1;
  IMPOSE({SYS_process_vm_readv, 0, 0, 0, EPERM});
  live_a_whole_life();
  shmkit_segment *segment = create("memfd:x", 100, NULL);
  assert_done(shmkit_segment_read(segment, 0, bytes, 4));
  assert_done(shmkit_segment_fileno(segment, &fd));
  ck_assert_int_eq(close(fd), 0);
  assert_fails(-EPERM, shmkit_segment_read(segment, 0, bytes, 4));
  assert_message_has("process_vm_readv");
  assert_fails(-EPERM, shmkit_segment_write(segment, 0, bytes, 4));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_file_system_that_cannot_reserve_is_an_error_that_leaves_nothing) {
  shmkit_segment *segment = NULL;
  IMPOSE({SYS_fallocate, 0, 0, 0, EOPNOTSUPP});
  assert_fails(-EOPNOTSUPP, shmkit_segment_create(name(), 100, NULL, &segment));
  assert_message_has("reserve");
  ck_assert(!exists(path_of(name())));
}
END_TEST

/* As if no path led anywhere. */
static void lock_without_proc(void *mutex) {
  const struct rule rule = {SYS_openat, 0, 0, 0, ENOENT};
  ensure(impose(&rule, 1));
  ensure(shmkit_mutex_lock(mutex, 0) == -ENOSYS);
  ensure(strstr(shmkit_error_message(), "needs /proc") != NULL);
}

START_TEST(without_proc_who_cannot_lock_in_a_memfd_is_told_why) {
  shmkit_segment *segment = create("memfd:x", 64, NULL);
  shmkit_mutex *mutex = NULL;
  assert_done(shmkit_segment_mutex(segment, 0, &mutex));
  finish(start(lock_without_proc, mutex));
  shmkit_mutex_free(mutex);
  shmkit_segment_free(segment);
}
END_TEST

static void ask_without_threads(void *event) {
  enum { CLONE3 = 435 };
  const struct rule rules[] = {{SYS_clone, 0, 0, 0, EAGAIN}, {CLONE3, 0, 0, 0, EAGAIN}};
  int fd = -1;
  ensure(impose(rules, COUNT(rules)));
  ensure(shmkit_event_fileno(event, &fd) == -EAGAIN);
  ensure(strstr(shmkit_error_message(), "the thread that it needs") != NULL);
  /* LeakSanitizer would not get its own at the end. */
  _exit(0);
}

START_TEST(without_a_thread_there_is_no_descriptor_of_an_event) {
  shmkit_segment *segment = create("memfd:x", 64, NULL);
  shmkit_event *event = NULL;
  assert_done(shmkit_segment_event(segment, 0, &event));
  finish(start(ask_without_threads, event));
  shmkit_event_free(event);
  shmkit_segment_free(segment);
}
END_TEST

/* In milliseconds. */
static long cpu_time(void) {
  return (long)(clock() / (CLOCKS_PER_SEC / 1000));
}

static void wait_for_several(void *context) {
  enum { FUTEX_WAITV = 449 };
  const struct rule rules[] = {{FUTEX_WAITV, 0, 0, 0, *(int *)context}};
  shmkit_segment *segment = NULL;
  shmkit_event *events[2] = {NULL};
  size_t which = 0;
  ensure(impose(rules, 1));
  ensure(shmkit_segment_create("memfd:x", 128, NULL, &segment) == 0);
  for (size_t i = 0; i < 2; i++) ensure(shmkit_segment_event(segment, i * 64, &events[i]) == 0);
  struct pollfd bell = {.events = POLLIN};
  ensure(shmkit_event_fileno(events[1], &bell.fd) == 0);
  const long before = cpu_time();
  ensure(shmkit_event_wait_any(events, 2, NULL, 500000000, &which) == SHMKIT_TIMEOUT);
  const long used = cpu_time() - before;
  ensure_msg(used < 250, "waiting takes %ld ms of 500 ms of a CPU", used);
  ensure(shmkit_event_set(events[1]) == 0);
  ensure(shmkit_event_wait_any(events, 2, NULL, SHMKIT_FOREVER, &which) == 0 && which == 1);
  ensure(poll(&bell, 1, 60000) == 1);
  for (size_t i = 0; i < 2; i++) shmkit_event_free(events[i]);
  shmkit_segment_free(segment);
}

START_TEST(where_nobody_can_sleep_on_several_words_one_looks_now_and_then) {
  int errors[] = {ENOSYS, EPERM};
  for (size_t i = 0; i < COUNT(errors); i++) finish(start(wait_for_several, &errors[i]));
}
END_TEST

static void count_signal(int signal) {
  (void)signal;
  atomic_fetch_add(&shared()->count[0], 1);
}

START_TEST(a_rain_of_signals_interrupts_nothing) {
  const shmkit_segment_options roomy = {.capacity = 128 * MIB};
  const struct itimerval often = {.it_interval = {.tv_usec = 200}, .it_value = {.tv_usec = 200}};
  const struct itimerval never = {.it_value = {.tv_usec = 0}};
  struct sigaction action = {.sa_handler = count_signal};
  static char bytes[MIB];
  ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
  ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
  shmkit_segment *segment = create(name(), 64 * MIB, &roomy), *other = NULL;
  assert_done(shmkit_segment_grow(segment, 128 * MIB));
  for (uint64_t at = 0; at < 32 * MIB; at += sizeof bytes) {
    assert_done(shmkit_segment_write(segment, at, bytes, sizeof bytes));
    assert_done(shmkit_segment_read(segment, at, bytes, sizeof bytes));
  }
  for (int i = 0; i < 1000; i++) {
    assert_done(shmkit_segment_open_or_create(name(), 64 * MIB, NULL, &other));
    shmkit_segment_free(other);
  }
  assert_done(shmkit_segment_unlink(segment));
  ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
  shmkit_segment_free(segment);
  ck_assert_uint_gt(atomic_load(&shared()->count[0]), 0);
}
END_TEST

static bool may_filter(void) {
  pid_t child = fork();
  if (child == 0) {
    const struct rule harmless = {SYS_linkat, 4, UINT32_MAX, UINT32_MAX, EPERM};
    _exit(impose(&harmless, 1) ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      without_nameless_files_there_are_hidden_ones,
      without_links_from_descriptors_there_is_proc,
      without_attributes_nobody_knows_the_creator,
      before_linux_6_3_a_memfd_has_no_seal_on_execution,
      before_linux_5_14_pages_are_populated_one_by_one,
      where_memory_of_processes_cannot_be_read_a_lost_memfd_says_so,
      a_file_system_that_cannot_reserve_is_an_error_that_leaves_nothing,
      without_proc_who_cannot_lock_in_a_memfd_is_told_why,
      without_a_thread_there_is_no_descriptor_of_an_event,
      where_nobody_can_sleep_on_several_words_one_looks_now_and_then,
      a_rain_of_signals_interrupts_nothing,
  };
  if (!may_filter()) return skip("no filter of system calls is permitted here");
  return run_cases("fallback", cases, COUNT(cases), argc, argv);
}
