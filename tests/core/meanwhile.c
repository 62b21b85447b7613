/* SPDX-License-Identifier: MIT */
#include "meanwhile.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void (*before_opening)(void), (*before_looking)(void), (*before_removing)(void),
    (*before_counting)(void);

static void act_once(void (**action)(void)) {
  void (*act)(void) = *action;
  *action = NULL;
  if (act != NULL) act();
}

/* libc calls the parameters by names that are its own. */
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int lstat(const char *restrict path, struct stat *restrict status) {
  act_once(&before_looking);
  return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int unlink(const char *path) {
  act_once(&before_removing);
  return unlinkat(AT_FDCWD, path, 0);
}

/* What these two do is not to be had otherwise. */

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int faccessat(int directory, const char *path, int mode, int flags) {
  int (*next)(int, const char *, int, int) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "faccessat");
  act_once(&before_opening);
  return next(directory, path, mode, flags);
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
int shmctl(int id, int command, struct shmid_ds *status) {
  int (*next)(int, int, struct shmid_ds *) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "shmctl");
  if (command == IPC_STAT) act_once(&before_counting);
  return next(id, command, status);
}

void knock(void) {
  ck_assert_int_lt(open(path_of(name()), O_RDWR | O_NONBLOCK | O_CLOEXEC), 0);
  ck_assert_int_eq(errno, EWOULDBLOCK);
}

void replace(void) {
  ck_assert_int_eq(unlink(path_of(name())), 0);
  make_idle(name());
}

/* Until somebody waits for the lease, or would if it waited. */
static void wait_for_opener(void) {
  struct stat status;
  char file_id[64], line[256];
  bool breaking = false;
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  (void)snprintf(file_id, sizeof file_id, " %02x:%02x:%llu ", major(status.st_dev),
                 minor(status.st_dev), (unsigned long long)status.st_ino);
  while (!breaking) {
    FILE *file = fopen("/proc/locks", "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
      breaking |= strstr(line, "BREAKING") != NULL && strstr(line, file_id) != NULL;
    }
    ck_assert_int_eq(fclose(file), 0);
  }
}

void let_one_open(void) {
  signal_turn(0);
  wait_for_opener();
}

void open_as_a_stranger(void *unused) {
  (void)unused;
  struct stat status;
  wait_turn(0);
  int fd = open(path_of(name()), O_RDWR | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0 || status.st_nlink != 1) _exit(1);
}
