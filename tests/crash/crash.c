/* SPDX-License-Identifier: MIT */
/* Where to die: SHMKIT_CRASH is "PLACE" or "PLACE:N", for the N-th time that it is passed. Where to
 * stop, until SIGCONT: SHMKIT_STOP is a place. */
#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void shmkit__crash_point(const char *name) {
  static int passed;
  const char *wanted = getenv("SHMKIT_CRASH"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
  const char *stop = getenv("SHMKIT_STOP");    /* NOLINT(concurrency-mt-unsafe): nobody sets it */
  size_t length = strlen(name);
  if (stop != NULL && strcmp(stop, name) == 0) (void)raise(SIGSTOP);
  if (wanted == NULL || strncmp(wanted, name, length) != 0) return;
  if (wanted[length] != '\0' && wanted[length] != ':') return;
  int nth = wanted[length] == ':' ? atoi(wanted + length + 1) : 1; /* NOLINT(cert-err34-c): ours */
  if (++passed == nth) (void)raise(SIGKILL);
}
