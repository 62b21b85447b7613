/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24, REDRAW_MS = 100 };

static const char *task;
static int64_t begun, drawn;

static int64_t milliseconds(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int terminal_width(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_begin(const char *what) {
  const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
  task = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0) ? what : NULL;
  begun = drawn = milliseconds();
}

void progress_show(double done, const char *now) {
  int64_t time = milliseconds();
  if (!task || time - drawn < REDRAW_MS) return;
  drawn = time;
  done = fmin(fmax(done, 0), 1);
  char line[256], bar[BAR + 1];
  for (int i = 0; i < BAR; i++) bar[i] = i < (int)(done * BAR) ? '#' : '.';
  bar[BAR] = '\0';
  (void)snprintf(line, sizeof line, "%s [%s] %3d%% %llds  %s", task, bar, (int)(done * 100),
                 (long long)(time - begun) / 1000, now);
  (void)fprintf(stderr, "\r\033[K%.*s", terminal_width() - 1, line);
}

void progress_end(void) {
  if (!task) return;
  if (drawn != begun) (void)fputs("\r\033[K", stderr);
  task = NULL;
}
