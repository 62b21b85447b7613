/* SPDX-License-Identifier: MIT */
/* gnuplot as a program: the script and the data go to its standard input, the SVG comes from its
 * standard output, so that no file name has to be quoted and a failure leaves the file alone. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../report.h"
#include "../text.h"
#include "output.h"

enum { PANELS_MAX = 16, COLUMNS = 2, PANEL_WIDTH = 720, PANEL_HEIGHT = 420 };

/* ---- The script ----------------------------------------------------------------------------- */

/* The modes of rows that have sizes, in the order of the rows. */
static size_t find_modes(const struct session *session, const char *modes[PANELS_MAX]) {
  size_t count = 0;
  for (size_t i = 0; i < session->row_count; i++) {
    const struct row *row = session->rows[i];
    bool known = row->size == 0 || row->count == 0;
    for (size_t j = 0; j < count && !known; j++) known = strcmp(modes[j], row->mode) == 0;
    if (!known && count < PANELS_MAX) modes[count++] = row->mode;
  }
  return count;
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_subject(const struct row *a, const struct row *b) {
  return b->count > 0 && b->size > 0 && same_text(a->way, b->way) && same_text(a->by, b->by) &&
         same_text(a->room, b->room);
}

static bool same_line(const struct row *a, const struct row *b) {
  return same_subject(a, b) && strcmp(a->mode, b->mode) == 0;
}

/* How many others come before it, so that it has one colour in all panels. */
static size_t color_of(const struct session *session, const struct row *subject) {
  size_t color = 0;
  for (size_t i = 0; i < session->row_count; i++) {
    const struct row *row = session->rows[i];
    bool counted = row->count == 0 || row->size == 0;
    if (same_subject(row, subject)) break;
    for (size_t j = 0; j < i && !counted; j++) counted = same_subject(row, session->rows[j]);
    color += counted ? 0 : 1;
  }
  return color;
}

/* Whether row `i` is the first of its line. */
static bool begins(const struct session *session, size_t i) {
  if (session->rows[i]->count == 0) return false;
  for (size_t j = 0; j < i; j++) {
    if (same_line(session->rows[i], session->rows[j])) return false;
  }
  return true;
}

static void write_data(FILE *out, const struct session *session, size_t first) {
  (void)fprintf(out, "$line%zu << END\n", first);
  for (size_t i = first; i < session->row_count; i++) {
    const struct row *row = session->rows[i];
    if (!same_line(session->rows[first], row)) continue;
    (void)fprintf(out, "%ju %.6g %.6g %.6g\n", (uintmax_t)row->size, row->time.median / 1e9,
                  row->time.low / 1e9, row->time.high / 1e9);
  }
  (void)fputs("END\n", out);
}

static void write_line(FILE *out, const struct session *session, size_t number, bool first) {
  const struct row *row = session->rows[number];
  (void)fprintf(out, "%s $line%zu using 1:2:3:4 with yerrorlines linetype %zu title \"%s%s%s%s%s\"",
                first ? "plot" : ",", number, color_of(session, row) + 1, row->way,
                row->by ? " " : "", row->by ? row->by : "", row->room ? " " : "",
                row->room ? row->room : "");
}

static void write_panel(FILE *out, const struct session *session, const char *mode) {
  bool first = true;
  for (size_t i = 0; i < session->row_count; i++) {
    if (begins(session, i) && strcmp(session->rows[i]->mode, mode) == 0) {
      write_data(out, session, i);
    }
  }
  (void)fprintf(out, "set title \"%s\"\n", mode);
  for (size_t i = 0; i < session->row_count; i++) {
    if (!begins(session, i) || strcmp(session->rows[i]->mode, mode) != 0) continue;
    write_line(out, session, i, first);
    first = false;
  }
  (void)fputs("\n", out);
}

static void write_script(FILE *out, const struct session *session) {
  const char *modes[PANELS_MAX];
  size_t count = find_modes(session, modes), lines = (count + COLUMNS - 1) / COLUMNS;
  (void)fprintf(out,
                "set encoding utf8\n"
                "set terminal svg size %d,%zu background rgb 'white'\n"
                "set logscale x 2\nset logscale y\n"
                "set format x '%%.0b %%BB'\nset format y '%%.0s %%cs'\n"
                "set xrange [%g:%g]\nset xtics rotate by -45\n"
                "set key outside right\nset grid\n"
                "set multiplot layout %zu,%d title \"shmkit bench %s: time per operation\"\n",
                COLUMNS * PANEL_WIDTH, lines * PANEL_HEIGHT, (double)session->sizes[0] / 2,
                (double)session->sizes[session->size_count - 1] * 2, lines, COLUMNS, session->what);
  for (size_t i = 0; i < count; i++) write_panel(out, session, modes[i]);
  (void)fputs("unset multiplot\n", out);
}

/* ---- The program ---------------------------------------------------------------------------- */

/* Start gnuplot; -1 with errno when that is not possible. */
static pid_t start_gnuplot(const char *argument, int input, int output) {
  const char *const arguments[] = {"gnuplot", argument, NULL};
  posix_spawn_file_actions_t actions;
  pid_t child;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  errno =
      posix_spawnp(&child, "gnuplot", &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
  int problem = errno;
  (void)posix_spawn_file_actions_destroy(&actions);
  errno = problem;
  return problem == 0 ? child : -1;
}

static bool ended_well(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool gnuplot_is_there(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_t child = start_gnuplot("--version", null, null);
  int problem = errno;
  if (null >= 0) (void)close(null);
  if (child > 0 && ended_well(child)) return true;
  if (child < 0 && problem != ENOENT) {
    report("gnuplot, which --plot needs: %s", strerror(problem));
  } else {
    report("--plot needs gnuplot, which does not run here; Debian has it in the package "
           "gnuplot-nox");
  }
  return false;
}

bool plot_is_possible(const char *path) {
  struct stat status;
  char *copy = must(strdup(path));
  bool there = stat(path, &status) == 0;
  const char *checked = there ? path : dirname(copy);
  bool good = access(checked, W_OK) == 0;
  if (good && there && !S_ISREG(status.st_mode)) {
    errno = S_ISDIR(status.st_mode) ? EISDIR : EEXIST;
    good = false;
  }
  if (!good) report("%s: %s", path, strerror(errno));
  free(copy);
  return good && gnuplot_is_there();
}

static bool copy_to(const char *path, int from) {
  struct stat status;
  off_t at = 0;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool good = fd >= 0 && fstat(from, &status) == 0;
  while (good && at < status.st_size) {
    good = sendfile(fd, from, &at, (size_t)(status.st_size - at)) > 0;
  }
  if (fd >= 0 && close(fd) != 0) good = false;
  if (!good) report("%s: %s", path, strerror(errno));
  return good;
}

/* Give gnuplot the script; what it makes of it goes to `picture`. */
static bool draw(const struct session *session, int picture) {
  int script[2];
  if (pipe2(script, O_CLOEXEC) != 0) return false;
  pid_t child = start_gnuplot("-", script[0], picture);
  (void)close(script[0]);
  FILE *out = fdopen(script[1], "w");
  if (out != NULL && child > 0) write_script(out, session);
  bool good = out != NULL && fclose(out) == 0;
  return child > 0 && ended_well(child) && good;
}

bool output_plot(const struct session *session, const char *path) {
  int picture = memfd_create("shmkit-bench-plot", MFD_CLOEXEC);
  bool good = picture >= 0 && draw(session, picture);
  if (!good) report("gnuplot could not draw the plot, so %s was not written", path);
  good = good && copy_to(path, picture);
  if (picture >= 0) (void)close(picture);
  return good;
}
