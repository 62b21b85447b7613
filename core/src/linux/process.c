/* SPDX-License-Identifier: MIT */
/* Linux: who this process is. See os.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"

static void read_line(const char *path, char *out, size_t size) {
  out[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t length = read(fd, out, size - 1);
  (void)close(fd);
  if (length > 0 && out[length - 1] == '\n') length--;
  out[length > 0 ? length : 0] = '\0';
}

/* "pid (program) state ppid ...", where the program may itself contain parentheses and spaces;
 * the state is the first field behind it, the start the 20th. */
static void parse_stat(const char *line, shmkit_creator *out) {
  const char *open = strchr(line, '(');
  const char *close = strrchr(line, ')');
  if (open == NULL || close == NULL || close < open) return;
  (void)snprintf(out->program, sizeof out->program, "%.*s", (int)(close - open - 1), open + 1);
  const char *field = close + 1;
  for (int i = 0; i < 19 && field != NULL; i++) field = strchr(field + 1, ' ');
  if (field != NULL) out->start = strtoull(field, NULL, 10);
}

void shmkit__os_self(shmkit_creator *out) {
  struct stat pid_namespace;
  char line[512];
  *out = (shmkit_creator){.pid = getpid()};
  read_line("/proc/self/stat", line, sizeof line);
  parse_stat(line, out);
  read_line("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot);
  if (stat("/proc/self/ns/pid", &pid_namespace) == 0) out->pid_namespace = pid_namespace.st_ino;
}

bool shmkit__os_has_threads(void) {
  struct stat tasks;
  /* "." and "..", then one directory a thread. */
  return stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink > 3;
}
