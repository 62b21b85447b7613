/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"

/* What is done sooner needs no bar. */
enum { BAR = 24, WAIT = 1000000000, REDRAW = 100000000 };

static const char *task;
static int64_t begun, next;
static bool drawn;

static int terminal_width(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_begin(const char *what) {
  const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
  task = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0) ? what : NULL;
  begun = clock_now();
  next = begun + WAIT;
  drawn = false;
}

void progress_show(double done, const char *now) {
  int64_t time = clock_now();
  if (!task || time < next) return;
  next = time + REDRAW;
  drawn = true;
  done = fmin(fmax(done, 0), 1);
  char line[256], bar[BAR + 1];
  for (int i = 0; i < BAR; i++) bar[i] = i < (int)(done * BAR) ? '#' : '.';
  bar[BAR] = '\0';
  (void)snprintf(line, sizeof line, "%s [%s] %3d%% %llds  %s", task, bar, (int)(done * 100),
                 (long long)(time - begun) / 1000000000, now);
  (void)fprintf(stderr, "\r\033[K%.*s", terminal_width() - 1, line);
}

void progress_end(void) {
  if (!task) return;
  if (drawn) (void)fputs("\r\033[K", stderr);
  task = NULL;
}
