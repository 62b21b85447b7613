/* SPDX-License-Identifier: MIT */
/*
 * What all core tests share: one process per case, names that nobody else uses, and a look around
 * after each case: nothing may be left in /dev/shm, no System V segment, no descriptor, no child.
 * What a failed or killed case leaves is taken away then.
 */
#ifndef SHMKIT_TESTS_CORE_SUPPORT_H
#define SHMKIT_TESTS_CORE_SUPPORT_H

#include <check.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <shmkit/shmkit.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { KIB = 1 << 10, MIB = 1 << 20, SKIPPED = 77 };

/* ---- Running -------------------------------------------------------------------------------- */

/* Run the cases, each in a process of its own with a deadline, and return main's result. Arguments
 * choose cases by parts of their names. */
int run_cases(const char *topic, const TTest *const cases[], size_t count, int argc, char **argv);

/* Say why a program cannot do its work here; its result is returned. */
int skip(const char *reason);

/* Whether this machine is to be worked hard: SHMKIT_SOAK is the number of seconds for each of the
 * long cases, `otherwise` when it is not set. */
unsigned soak_seconds(unsigned otherwise);

/* ---- Names ---------------------------------------------------------------------------------- */

/* This case's own name for a POSIX segment, "shmkit-test-...", and others that follow from it. */
const char *name(void);
const char *other_name(const char *suffix);

/* Where the segment of that name is a file, for looking at it as any other program would. */
const char *path_of(const char *name);

/* This case's own key for a System V segment, as an address and as the system's key. */
const char *sysv_address(void);
int sysv_key(void);

bool exists(const char *path);

/* How many names in /dev/shm begin with this program's prefix. */
unsigned names_left(void);

/* ---- Asserting ------------------------------------------------------------------------------ */

/*
 * Like ck_assert, which tells the parent of each success: a process that is killed in the middle of
 * that makes it lose track. In processes that may be killed, and in what they call, use these.
 */
#define ensure(condition) ensure_msg((condition), "%s", #condition)
#define ensure_msg(condition, ...)                                                                 \
  ((condition) ? (void)0 : fail_case(__FILE__, __LINE__, __VA_ARGS__))

void fail_case(const char *file, int line, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4), __noreturn__));

#define assert_done(call) assert_status(0, (call), #call, __FILE__, __LINE__)

/* Also that the failure has a message which is fit to be shown. */
#define assert_fails(status, call) assert_status((status), (call), #call, __FILE__, __LINE__)

void assert_status(shmkit_status expected, shmkit_status status, const char *call, const char *file,
                   int line);

/* The last message has these words in it. */
void assert_message_has(const char *words);

/* Create or open with a failure as an error of the test. */
shmkit_segment *create(const char *address, uint64_t size, const shmkit_segment_options *options);
shmkit_segment *open_segment(const char *address, const shmkit_segment_options *options);

/* The bytes at an offset, read by copy, are these. */
void assert_bytes(shmkit_segment *segment, uint64_t offset, const char *bytes);

/* ---- Processes ------------------------------------------------------------------------------ */

/* A page that this case's processes share, to wait for each other and to count. */
struct shared {
  sem_t turn[8];
  _Atomic unsigned count[8];
  _Atomic bool stop;
  pid_t pid; /* of the case itself */
};
struct shared *shared(void);

void signal_turn(unsigned which);
void wait_turn(unsigned which);

/* Run `body` in a child, which dies with this process and ends with exit(0). */
pid_t start(void (*body)(void *), void *argument);

/* Wait for a child that must have ended well. */
void finish(pid_t child);

/* The same for several, the first of which to fail ends the others: they may be waiting for it. */
void finish_all(const pid_t children[], size_t count);

/* Kill and wait. */
void kill_child(pid_t child);

/* Become the user nobody for good, who owns nothing. False when that is not permitted. */
bool become_nobody(void);

/* How many descriptors this process has open. */
unsigned open_descriptors(void);

#endif
