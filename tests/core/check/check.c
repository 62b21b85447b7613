/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct TCase {
  const TTest *test;
  void (*before)(void);
  void (*after)(void);
  void (*before_inside)(void);
  void (*after_inside)(void);
  unsigned seconds;
  TCase *next;
};

struct Suite {
  const char *name;
  TCase *first;
  TCase **end;
  int failed;
};

static void *allocate(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) abort();
  return memory;
}

Suite *suite_create(const char *name) {
  Suite *suite = allocate(sizeof *suite);
  suite->name = name;
  suite->end = &suite->first;
  return suite;
}

TCase *tcase_create(const char *name) {
  (void)name;
  return allocate(sizeof(TCase));
}

void tcase_set_timeout(TCase *tcase, double seconds) {
  tcase->seconds = (unsigned)seconds;
}

void tcase_add_unchecked_fixture(TCase *tcase, void (*before)(void), void (*after)(void)) {
  tcase->before = before;
  tcase->after = after;
}

void tcase_add_checked_fixture(TCase *tcase, void (*before)(void), void (*after)(void)) {
  tcase->before_inside = before;
  tcase->after_inside = after;
}

void tcase_add_test(TCase *tcase, const TTest *test) {
  tcase->test = test;
}

void suite_add_tcase(Suite *suite, TCase *tcase) {
  *suite->end = tcase;
  suite->end = &tcase->next;
}

SRunner *srunner_create(Suite *suite) {
  return suite;
}

/* In a process group of its own, so that what it started can be ended with it; alarm ends a process
 * that does nothing about it. */
static _Noreturn void run_inside(const TCase *tcase) {
  (void)setpgid(0, 0);
  (void)alarm(tcase->seconds);
  tcase->before_inside();
  tcase->test->run(0);
  tcase->after_inside();
  exit(EXIT_SUCCESS);
}

static int run_case(const TCase *tcase) {
  int status = 0;
  (void)fflush(NULL);
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) run_inside(tcase);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  (void)kill(-child, SIGKILL);
  return status;
}

void srunner_run_all(SRunner *runner, enum print_output output) {
  (void)output;
  (void)printf("Running suite: %s\n", runner->name);
  for (const TCase *tcase = runner->first; tcase != NULL; tcase = tcase->next) {
    tcase->before();
    int status = run_case(tcase);
    tcase->after();
    if (status == 0) continue;
    runner->failed++;
    (void)printf("%s:%d: %s failed with status 0x%x\n", tcase->test->file, tcase->test->line,
                 tcase->test->name, (unsigned)status);
  }
}

int srunner_ntests_failed(SRunner *runner) {
  return runner->failed;
}

void srunner_free(SRunner *runner) {
  while (runner->first != NULL) {
    TCase *tcase = runner->first;
    runner->first = tcase->next;
    free(tcase);
  }
  free(runner);
}

void check_fail(const char *file, int line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)fprintf(stderr, "%s:%d: ", file, line);
  (void)vfprintf(stderr, format, arguments);
  (void)fputc('\n', stderr);
  va_end(arguments);
  exit(EXIT_FAILURE);
}
