/* SPDX-License-Identifier: MIT */
/*
 * books: several programs keep the same books, and one of them is killed while it writes.
 *
 *   books work NAME TIMES    move money from one account to the other so many times
 *   books crash NAME         be killed in the middle of a transfer
 *   books wait NAME          wait until somebody has done his work
 *
 * books.py and books.lua do the same: mix them, and run several at once.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmkit/shmkit.h>

#include "books.h"

/* The segment, and what there is in it. */
struct office {
  shmkit_segment *segment;
  shmkit_mutex *mutex;
  shmkit_event *event;
  struct books *books;
};

static int fail(void) {
  (void)fprintf(stderr, "books: %s\n", shmkit_error_message());
  return 1;
}

static void leave(struct office *office) {
  shmkit_event_free(office->event);
  shmkit_mutex_free(office->mutex);
  shmkit_segment_free(office->segment);
}

/* Whoever comes first creates it. */
static int enter(const char *name, struct office *office) {
  shmkit_span bytes;
  if (shmkit_segment_open_or_create(name, sizeof(struct books), NULL, &office->segment) != 0 ||
      shmkit_segment_mutex(office->segment, offsetof(struct books, mutex), &office->mutex) != 0 ||
      shmkit_segment_event(office->segment, offsetof(struct books, event), &office->event) != 0 ||
      shmkit_segment_view(office->segment, SHMKIT_U8, 0, sizeof(struct books), &bytes) != 0) {
    return fail();
  }
  office->books = bytes.data;
  return 0;
}

/* Lock, and put right what somebody who was killed has left half-done: that is the first thing to do
 * for who is told, because nobody will be told again. */
static int lock(struct office *office) {
  shmkit_status status = shmkit_mutex_lock(office->mutex, SHMKIT_FOREVER);
  if (status < 0) return fail();
  if (status == SHMKIT_OWNER_DIED) {
    office->books->accounts[1] = -office->books->accounts[0];
    office->books->repairs++;
    printf("C put right what somebody who was killed had left\n");
  }
  return 0;
}

static int work(struct office *office, long times) {
  for (long i = 0; i < times; i++) {
    if (lock(office) != 0) return 1;
    office->books->accounts[0] += i % 7;
    office->books->accounts[1] -= i % 7;
    if (shmkit_mutex_unlock(office->mutex) != 0) return fail();
  }
  printf("C did its work\n");
  return shmkit_event_set(office->event) == 0 ? 0 : fail();
}

static int crash(struct office *office) {
  if (lock(office) != 0) return 1;
  office->books->accounts[0] += 1000;
  (void)raise(SIGKILL);
  return 1;
}

static int wait_for_work(struct office *office) {
  if (shmkit_event_wait(office->event, SHMKIT_FOREVER) != 0) return fail();
  if (lock(office) != 0) return 1;
  const struct books *books = office->books;
  printf("C sees %s, %" PRIu64 " repaired\n",
         books->accounts[0] + books->accounts[1] == 0 ? "balanced books" : "WRONG BOOKS",
         books->repairs);
  return shmkit_mutex_unlock(office->mutex) == 0 ? 0 : fail();
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  struct office office = {.segment = NULL};
  bool works = strcmp(command, "work") == 0 && argc == 4;
  bool crashes = strcmp(command, "crash") == 0 && argc == 3;
  bool waits = strcmp(command, "wait") == 0 && argc == 3;
  if (!works && !crashes && !waits) {
    (void)fprintf(stderr, "usage: books work NAME TIMES | crash NAME | wait NAME\n");
    return 2;
  }
  int status = enter(argv[2], &office);
  if (status == 0 && works) status = work(&office, strtol(argv[3], NULL, 10));
  if (status == 0 && crashes) status = crash(&office);
  if (status == 0 && waits) status = wait_for_work(&office);
  leave(&office);
  return status;
}
