/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../report.h"

enum { LOOPS = 10, FILE_SIZE = 4096 };

static const char empty_program[] = "/bin/true", reader[] = "/bin/cat";
/* $0 is the program, $1 the file. */
static const char script[] =
    "i=0; while [ $i -lt 10 ]; do \"$0\" \"$1\" >/dev/null || exit 1; i=$((i+1)); done";

struct process_case {
  struct bench_case base;
  const char *program, *file;
};

static bool operate_nothing(struct bench_case *self) {
  (void)self;
  return true;
}

static bool operate_getppid(struct bench_case *self) {
  (void)self;
  return syscall(SYS_getppid) >= 0;
}

/* Start it and wait for its end. */
static bool run_program(struct bench_case *self, const char *const *arguments) {
  pid_t child;
  int status;
  char *const *argv = (char *const *)(uintptr_t)arguments;
  errno = posix_spawn(&child, arguments[0], NULL, NULL, argv, environ);
  if (errno != 0) return case_fail_errno(self, arguments[0]);
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return case_fail_errno(self, "waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  return case_fail(self, "%s ended with status %#x", arguments[0], (unsigned)status);
}

static bool operate_program(struct bench_case *self) {
  const char *const arguments[] = {empty_program, NULL};
  return run_program(self, arguments);
}

static bool operate_shell(struct bench_case *base) {
  const struct process_case *self = (struct process_case *)base;
  const char *const arguments[] = {"/bin/sh", "-c", script, self->program, self->file, NULL};
  return run_program(base, arguments);
}

static void prepare(struct session *session, struct process_case *new, const char *way,
                    const char *mode, bool (*operate)(struct bench_case *)) {
  *new = (struct process_case){.base = {.operate = operate, .steps = 1}};
  new->base.rows[0] = session_row(session, way, mode, 0);
}

static void prepare_loop(struct session *session, struct process_case *new, const char *way,
                         const char *program, const char *file) {
  prepare(session, new, way, "shell-loop", operate_shell);
  new->base.repeats = LOOPS;
  new->base.has_children = true;
  new->program = program;
  new->file = file;
}

/* A file for the readers. */
static bool make_file(struct session *session, struct object *file, enum object_kind kind) {
  static const char content[FILE_SIZE] = "shmkit bench\n";
  if (kind == OBJECT_DISK && session->places.disk == NULL) {
    *file = (struct object){.fd = -1, .id = -1, .channel = {{-1, -1}, {-1, -1}}};
    return false;
  }
  object_prepare(file, kind, FILE_SIZE, &session->places);
  if (object_create(file) && write_all(file->fd, content, FILE_SIZE, 0)) return true;
  session_note(session, "not measured: a loop that reads %s: %s", file->path, strerror(errno));
  session->failures++;
  return false;
}

void process_measure(struct session *session) {
  struct process_case cases[8];
  struct bench_case *pointers[8];
  struct object tmpfs, disk;
  size_t count = 0;
  prepare(session, &cases[count++], "empty-loop", "baseline", operate_nothing);
  prepare(session, &cases[count++], "getppid", "baseline", operate_getppid);
  prepare(session, &cases[count], "start-process", "baseline", operate_program);
  cases[count++].base.has_children = true;
  prepare_loop(session, &cases[count++], "empty-program", empty_program, "");
  if (make_file(session, &tmpfs, OBJECT_TMPFS)) {
    prepare_loop(session, &cases[count++], "cat-tmpfs", reader, tmpfs.path);
  }
  if (make_file(session, &disk, OBJECT_DISK)) {
    prepare_loop(session, &cases[count++], "cat-disk", reader, disk.path);
  }
  for (size_t i = 0; i < count; i++) pointers[i] = &cases[i].base;
  session_measure(session, pointers, count, 1, "processes");
  object_end(&tmpfs);
  object_end(&disk);
}
