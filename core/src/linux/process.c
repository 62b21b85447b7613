/* SPDX-License-Identifier: MIT */
/* Linux: who this process is, and what any process is. See os.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os.h"

/* A first line without its end; its length, or a negated errno value. */
static int read_line(const char *path, char *out, size_t size) {
  out[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t length = read(fd, out, size - 1);
  int error = errno;
  (void)close(fd);
  if (length < 0) return -error;
  if (length > 0 && out[length - 1] == '\n') length--;
  out[length] = '\0';
  return (int)length;
}

/*
 * "pid (program) state ppid ...", where the program may itself contain parentheses and spaces; the
 * state is the first field behind it, the number of threads the 18th, the start the 20th. False for
 * a zombie; a first thread that ended before the others looks like one, and is not.
 */
static bool parse_stat(const char *line, char program[static 16], uint64_t *start) {
  const char *open = strchr(line, '(');
  const char *close = strrchr(line, ')');
  if (open == NULL || close == NULL || close < open || close[1] != ' ') return false;
  (void)snprintf(program, 16, "%.*s", (int)(close - open - 1), open + 1);
  char state = close[2];
  unsigned long threads = 1;
  const char *field = close + 1;
  for (int i = 1; i < 20 && field != NULL; i++) {
    if (i == 18) threads = strtoul(field, NULL, 10);
    field = strchr(field + 1, ' ');
  }
  if (field != NULL) *start = strtoull(field, NULL, 10);
  return threads > 1 || (state != 'Z' && state != 'X');
}

void shmkit__os_self(shmkit_creator *out) {
  struct stat pid_namespace;
  char line[512];
  *out = (shmkit_creator){.pid = getpid()};
  (void)read_line("/proc/self/stat", line, sizeof line);
  (void)parse_stat(line, out->program, &out->start);
  (void)read_line("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot);
  if (stat("/proc/self/ns/pid", &pid_namespace) == 0) out->pid_namespace = pid_namespace.st_ino;
}

bool shmkit__os_has_threads(void) {
  struct stat tasks;
  /* "." and "..", then one directory a thread. */
  return stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink > 3;
}

bool shmkit__os_pids_are_ours(void) {
  char text[16] = "";
  if (readlink("/proc/self", text, sizeof text - 1) <= 0) return false;
  return strtol(text, NULL, 10) == getpid();
}

/* ---- Any process ---------------------------------------------------------------------------- */

static int64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  (void)clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* To whole ticks, so that asking twice gives the same. */
static int64_t time_of_tick(uint64_t ticks) {
  int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);
  int64_t boot = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME);
  return ((int64_t)ticks + (boot + tick / 2) / tick) * tick;
}

/* Its effective user. What is in the directory belongs to root when the program must not be dumped;
 * the directory itself does not. */
static uint32_t user_of(int64_t pid) {
  struct stat status;
  char path[48];
  (void)snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
  return stat(path, &status) == 0 ? status.st_uid : SHMKIT_UNKNOWN_ID;
}

int shmkit__os_process(int64_t pid, struct shmkit__process *out) {
  char path[48], line[512];
  *out = (struct shmkit__process){.uid = SHMKIT_UNKNOWN_ID};
  (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  int length = read_line(path, line, sizeof line);
  if (length == -ENOENT || length == -ESRCH) {
    /* /proc may hide processes of other users, and be of another PID namespace. */
    bool exists = kill((pid_t)pid, 0) == 0 || errno == EPERM;
    return exists ? -EACCES : -ESRCH;
  }
  if (length < 0) return length;
  if (!parse_stat(line, out->program, &out->start)) return -ESRCH;
  out->started = time_of_tick(out->start);
  out->uid = user_of(pid);
  return 0;
}
