/* SPDX-License-Identifier: MIT */
#include "sweeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t sweeper = -1;
/* Nobody writes to it: it ends when the last process that has it ends. */
static int lifeline[2] = {-1, -1};

static void sweep(const char *directory) {
  DIR *names = opendir(directory);
  if (!names) return;
  const char *prefix = name_prefix();
  struct dirent *entry;
  while ((entry = readdir(names))) { /* NOLINT(concurrency-mt-unsafe): one thread */
    if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
    (void)unlinkat(dirfd(names), entry->d_name, 0);
  }
  (void)closedir(names);
}

/* What `creator` made without a key and nobody has attached: it died between making one and marking
 * it for removal. */
static void sweep_system_v(pid_t creator) {
  struct shmid_ds status;
  int last = shmctl(0, SHM_INFO, &status);
  for (int i = 0; i <= last; i++) {
    int id = shmctl(i, SHM_STAT, &status);
    if (id >= 0 && status.shm_cpid == creator && status.shm_nattch == 0 &&
        status.shm_perm.__key == IPC_PRIVATE) {
      (void)shmctl(id, IPC_RMID, NULL);
    }
  }
}

_Noreturn static void wait_and_sweep(const struct places *places, pid_t program) {
  char byte;
  (void)setsid();
  for (int number = 1; number < NSIG; number++) (void)signal(number, SIG_IGN);
  (void)close(lifeline[1]);
  /* Whoever waits for the program's output to end must not wait for this. */
  (void)close(STDIN_FILENO);
  (void)close(STDOUT_FILENO);
  (void)close(STDERR_FILENO);
  while (read(lifeline[0], &byte, 1) < 0 && errno == EINTR) {
  }
  sweep("/dev/shm");
  sweep(places->tmpfs);
  if (places->disk) sweep(places->disk);
  sweep_system_v(program);
  _exit(0);
}

bool sweeper_start(const struct places *places) {
  (void)name_prefix();
  if (pipe2(lifeline, O_CLOEXEC) != 0) return false;
  pid_t program = getpid();
  sweeper = fork();
  if (sweeper == 0) wait_and_sweep(places, program);
  (void)close(lifeline[0]);
  return sweeper > 0;
}

void sweeper_end(void) {
  (void)close(lifeline[1]);
  while (sweeper > 0 && waitpid(sweeper, NULL, 0) < 0 && errno == EINTR) {
  }
  sweeper = -1;
}
