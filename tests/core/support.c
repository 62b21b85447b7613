/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIRECTORY "/dev/shm"

enum { DEADLINE = 120, NAME_SIZE = 256, FIRST_KEY = 0x5e600000 };

static struct {
  char prefix[NAME_SIZE]; /* of this program's names */
  char name[NAME_SIZE];   /* of this case */
  unsigned descriptors;   /* open when the case began */
  unsigned keys;          /* the first key of this program */
} run;

static struct shared *page;

/* ---- Names ---------------------------------------------------------------------------------- */

const char *name(void) {
  return run.name;
}

const char *other_name(const char *suffix) {
  static char texts[8][NAME_SIZE];
  static unsigned next;
  char *text = texts[next++ % COUNT(texts)];
  (void)snprintf(text, NAME_SIZE, "%.200s-%.40s", name(), suffix);
  return text;
}

const char *path_of(const char *name_) {
  static char texts[8][NAME_SIZE + sizeof DIRECTORY];
  static unsigned next;
  char *text = texts[next++ % COUNT(texts)];
  (void)snprintf(text, sizeof texts[0], DIRECTORY "/%s", name_);
  return text;
}

int sysv_key(void) {
  return (int)(FIRST_KEY + run.keys * 0x100 + (unsigned)page->pid % 0x100);
}

const char *sysv_address(void) {
  static char text[32];
  (void)snprintf(text, sizeof text, "sysv:0x%x", (unsigned)sysv_key());
  return text;
}

bool exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* ---- What is left --------------------------------------------------------------------------- */

static unsigned sweep_names(bool remove_them) {
  unsigned count = 0;
  DIR *directory = opendir(DIRECTORY);
  if (directory == NULL) return 0;
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (strncmp(entry->d_name, run.prefix, strlen(run.prefix)) != 0) continue;
    count++;
    if (remove_them && unlink(path_of(entry->d_name)) != 0) (void)rmdir(path_of(entry->d_name));
  }
  (void)closedir(directory);
  return count;
}

unsigned names_left(void) {
  return sweep_names(false);
}

/* Segments with one of our keys, and those without a key that process `creator` made. */
static unsigned sweep_sysv(bool remove_them, pid_t creator) {
  struct shmid_ds status;
  struct shm_info info;
  unsigned count = 0;
  int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);
  for (int index = 0; index <= last; index++) {
    int id = shmctl(index, SHM_STAT, &status);
    if (id < 0) continue;
    unsigned key = (unsigned)status.shm_perm.__key;
    bool keyed = key - FIRST_KEY - run.keys * 0x100 < 0x100;
    if (!keyed && (creator == 0 || status.shm_cpid != creator)) continue;
    count++;
    if (remove_them) (void)shmctl(id, IPC_RMID, NULL);
  }
  return count;
}

unsigned open_descriptors(void) {
  unsigned count = 0;
  DIR *directory = opendir("/proc/self/fd");
  ensure(directory != NULL);
  while (readdir(directory) != NULL) count++;
  (void)closedir(directory);
  return count;
}

/* ---- Around each case ----------------------------------------------------------------------- */

static void begin_case(void) {
  page->pid = getpid();
  (void)snprintf(run.name, sizeof run.name, "%.200s-%d", run.prefix, (int)getpid());
  run.descriptors = open_descriptors();
}

static void end_case(void) {
  ensure_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
  ensure_msg(open_descriptors() == run.descriptors, "%u descriptors were open, now %u",
             run.descriptors, open_descriptors());
  ensure_msg(names_left() == 0, "a name is left in " DIRECTORY);
  ensure_msg(sweep_sysv(false, getpid()) == 0, "a System V segment is left");
}

/* The same from outside, in the process that runs all cases, so that it happens whatever becomes of
 * the case. */

static void before_case(void) {
  page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(page, MAP_FAILED);
  for (unsigned i = 0; i < COUNT(page->turn); i++) {
    ensure(sem_init(&page->turn[i], 1, 0) == 0);
  }
}

static void after_case(void) {
  (void)sweep_names(true);
  (void)sweep_sysv(true, page->pid);
  (void)munmap(page, sizeof *page);
}

/* ---- Running -------------------------------------------------------------------------------- */

static bool is_chosen(const char *case_name, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strstr(case_name, argv[i]) != NULL) return true;
  }
  return argc < 2;
}

int run_cases(const char *topic, const TTest *const cases[], size_t count, int argc, char **argv) {
  unsigned random = 0;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return EXIT_FAILURE;
  (void)snprintf(run.prefix, sizeof run.prefix, "shmkit-test-%s-%d-%08x", topic, (int)getpid(),
                 random);
  run.keys = random % 0x1000;
  Suite *suite = suite_create(topic);
  for (size_t i = 0; i < count; i++) {
    if (!is_chosen(cases[i]->name, argc, argv)) continue;
    TCase *tcase = tcase_create(cases[i]->name);
    tcase_set_timeout(tcase, DEADLINE + soak_seconds(0));
    tcase_add_unchecked_fixture(tcase, before_case, after_case);
    tcase_add_checked_fixture(tcase, begin_case, end_case);
    tcase_add_test(tcase, cases[i]);
    suite_add_tcase(suite, tcase);
  }
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int skip(const char *reason) {
  (void)printf("SKIP: %s\n", reason);
  return SKIPPED;
}

unsigned soak_seconds(unsigned otherwise) {
  const char *seconds = getenv("SHMKIT_SOAK");
  return seconds != NULL ? (unsigned)strtoul(seconds, NULL, 10) : otherwise;
}

/* ---- Asserting ------------------------------------------------------------------------------ */

void fail_case(const char *file, int line, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (page != NULL && page->pid == getpid()) ck_abort_msg("%s:%d: %s", file, line, text);
  (void)fprintf(stderr, "%s:%d: process %d: %s\n", file, line, (int)getpid(), text);
  exit(EXIT_FAILURE);
}

static const char *why_unfit(const char *message) {
  size_t length = strlen(message);
  if (length == 0) return "is empty";
  if (message[length - 1] == '.') return "ends with a full stop";
  for (const char *at = message; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20 || *at == 0x7f) return "has control characters";
  }
  return NULL;
}

void assert_status(shmkit_status expected, shmkit_status status, const char *call, const char *file,
                   int line) {
  const char *message = shmkit_error_message();
  ensure_msg(status == expected, "%s:%d: %s is %d (%s), not %d (%s); last message: %s", file, line,
             call, status, shmkit_error_name(status), expected, shmkit_error_name(expected),
             message);
  if (status >= 0) return;
  const char *unfit = why_unfit(message);
  ensure_msg(unfit == NULL, "%s:%d: the message of %s %s: \"%s\"", file, line, call, unfit,
             message);
}

void assert_message_has(const char *words) {
  ensure_msg(strstr(shmkit_error_message(), words) != NULL, "\"%s\" does not say \"%s\"",
             shmkit_error_message(), words);
}

shmkit_segment *create(const char *address, uint64_t size, const shmkit_segment_options *options) {
  shmkit_segment *segment = NULL;
  assert_done(shmkit_segment_create(address, size, options, &segment));
  ensure(segment != NULL);
  return segment;
}

shmkit_segment *open_segment(const char *address, const shmkit_segment_options *options) {
  shmkit_segment *segment = NULL;
  assert_done(shmkit_segment_open(address, options, &segment));
  ensure(segment != NULL);
  return segment;
}

void assert_bytes(shmkit_segment *segment, uint64_t offset, const char *bytes) {
  char read[256] = "";
  size_t length = strlen(bytes);
  ensure(length < sizeof read);
  assert_done(shmkit_segment_read(segment, offset, read, length));
  ensure_msg(memcmp(read, bytes, length) == 0, "\"%s\" at offset %llu, not \"%s\"", read,
             (unsigned long long)offset, bytes);
}

/* ---- Processes ------------------------------------------------------------------------------ */

struct shared *shared(void) {
  return page;
}

void signal_turn(unsigned which) {
  ensure(sem_post(&page->turn[which]) == 0);
}

void wait_turn(unsigned which) {
  while (sem_wait(&page->turn[which]) != 0) ensure(errno == EINTR);
}

pid_t start(void (*body)(void *), void *argument) {
  pid_t parent = getpid(), child = fork();
  ensure(child >= 0);
  if (child != 0) return child;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(EXIT_FAILURE);
  body(argument);
  exit(EXIT_SUCCESS);
}

void finish(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) ensure(errno == EINTR);
  ensure_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended with status 0x%x",
             (unsigned)status);
}

void finish_all(const pid_t children[], size_t count) {
  int status = 0;
  for (size_t left = count; left > 0; left--) {
    pid_t child;
    while ((child = waitpid(-1, &status, 0)) < 0) ensure(errno == EINTR);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    for (size_t i = 0; i < count; i++) {
      if (children[i] != child) (void)kill(children[i], SIGKILL);
    }
    ensure_msg(false, "child %d of %zu ended with status 0x%x", (int)child, count,
               (unsigned)status);
  }
}

void kill_child(pid_t child) {
  ensure(kill(child, SIGKILL) == 0);
  ensure(waitpid(child, NULL, 0) == child);
}

bool become_nobody(void) {
  const uid_t nobody = 65534;
  if (setgroups(0, NULL) != 0 || setresgid(nobody, nobody, nobody) != 0 ||
      setresuid(nobody, nobody, nobody) != 0) {
    return false;
  }
  /* Both were taken away with the rights: dying with the parent, and one's own files in /proc. */
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}
