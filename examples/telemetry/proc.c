/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STAT, MEMINFO, NET, FILES };

static const char *const paths[FILES] = {"/proc/stat", "/proc/meminfo", "/proc/net/dev"};

/* The whole of one file as text; NULL, with errno, when it cannot be read. The kernel makes the
 * text anew whenever it is read from the start. */
static char *content(int which) {
  static int files[FILES] = {-1, -1, -1};
  static char *text;
  static size_t size;
  int fd = files[which];
  if (fd < 0) fd = files[which] = open(paths[which], O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  size_t length = 0;
  ssize_t got = 0;
  do {
    length += (size_t)got;
    if (size - length < 2) {
      /* Of hundreds of CPUs there is much to say. */
      char *larger = realloc(text, size + (1 << 16));
      if (larger == NULL) return NULL;
      text = larger;
      size += 1 << 16;
    }
    got = pread(fd, text + length, size - 1 - length, (off_t)length);
  } while (got > 0);
  text[length] = '\0';
  return got < 0 ? NULL : text;
}

/* The rest of the line that begins with `word`, or "". */
static const char *after(const char *line, const char *word) {
  size_t length = strlen(word);
  return strncmp(line, word, length) == 0 ? line + length : "";
}

static uint64_t number(const char *text) {
  return strtoull(text, NULL, 10);
}

/* Split off the next line of `text`; NULL at the end. */
static char *next_line(char **text) {
  char *line = *text;
  if (*line == '\0') return NULL;
  char *end = line + strcspn(line, "\n");
  *text = *end == '\0' ? end : end + 1;
  *end = '\0';
  return line;
}

/* "cpu  user nice system idle iowait irq softirq steal ...": the sum of all CPUs. */
static void parse_ticks(const char *fields, struct proc_counters *out) {
  enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, TICKS };
  uint64_t ticks[TICKS] = {0};
  char *rest = NULL;
  for (int i = 0; i < TICKS; i++, fields = rest) ticks[i] = strtoull(fields, &rest, 10);
  out->user = ticks[USER] + ticks[NICE];
  out->system = ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ] + ticks[STEAL];
  out->idle = ticks[IDLE] + ticks[IOWAIT];
}

static bool read_stat(struct proc_counters *out) {
  char *text = content(STAT);
  if (text == NULL) return false;
  for (char *line; (line = next_line(&text)) != NULL;) {
    const char *value = NULL;
    if (*(value = after(line, "cpu ")) != '\0') {
      parse_ticks(value, out);
    } else if (isdigit((unsigned char)*after(line, "cpu"))) {
      out->cpus++;
    } else if (*(value = after(line, "ctxt ")) != '\0') {
      out->switches = number(value);
    } else if (*(value = after(line, "btime ")) != '\0') {
      out->boot_time = number(value);
    } else if (*(value = after(line, "processes ")) != '\0') {
      out->forks = number(value);
    } else if (*(value = after(line, "procs_running ")) != '\0') {
      out->runnable = number(value);
    }
  }
  return true;
}

static bool read_meminfo(struct proc_counters *out) {
  const struct {
    const char *word;
    uint64_t *to;
  } wanted[] = {{"MemTotal:", &out->memory_total},
                {"MemAvailable:", &out->memory_available},
                {"Cached:", &out->cached},
                {"SwapTotal:", &out->swap_total},
                {"SwapFree:", &out->swap_free}};
  char *text = content(MEMINFO);
  if (text == NULL) return false;
  for (char *line; (line = next_line(&text)) != NULL;) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      const char *value = after(line, wanted[i].word);
      if (*value != '\0') *wanted[i].to = number(value) * 1024;
    }
  }
  return true;
}

/* "  eth0: received packets errs drop fifo frame compressed multicast sent ..." */
static bool read_net(struct proc_counters *out) {
  char *text = content(NET);
  if (text == NULL) return false;
  for (char *line; (line = next_line(&text)) != NULL;) {
    char *colon = strchr(line, ':');
    if (colon == NULL) continue; /* the two lines of heading */
    *colon = '\0';
    if (strcmp(line + strspn(line, " "), "lo") == 0) continue;
    char *rest = colon + 1;
    out->received += strtoull(rest, &rest, 10);
    for (int skipped = 0; skipped < 7; skipped++) (void)strtoull(rest, &rest, 10);
    out->sent += number(rest);
  }
  return true;
}

bool proc_read(struct proc_counters *out) {
  struct timespec now;
  *out = (struct proc_counters){0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  out->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
  return read_stat(out) && read_meminfo(out) && read_net(out);
}
