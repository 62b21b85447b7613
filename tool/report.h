/* SPDX-License-Identifier: MIT */
/* What is said on standard error, and the exit status that follows from it. */
#ifndef SHMKIT_TOOL_REPORT_H
#define SHMKIT_TOOL_REPORT_H

#include <stdbool.h>

#include <shmkit/shmkit.h>

/* "shmkit ls": what messages begin with. */
void report_begin(const char *name);

/* A line: "shmkit ls: ...". Control characters in it are escaped. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From now on, or not any more: keep messages instead of writing them, where they would spoil a
 * screen. report_held gives the latest one, to be freed, once; NULL when there is none. */
void report_hold(bool hold);
char *report_held(void);

/* What the library says about its last failure; gives the exit status for it. */
int report_failure(shmkit_status status);

/* The exit status for a failure of the library. */
int report_exit_status(shmkit_status status);

/* Of several items: 0 if all went well, the common status if all failed alike, else EXIT_FAILURE.
 * `so_far` is -1 before the first. */
int report_merge(int so_far, int status);

/* Of a listing that does not show everything, why, and what follows: that its numbers are lower
 * bounds, or `hence`. Nothing of one that does. */
void report_incomplete(const shmkit_listing *listing);
void report_unseen(const shmkit_listing *listing, const char *hence);

/* Leave with a message: a program that has no memory or cannot write has nothing better to do. */
_Noreturn void report_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `pointer`, which is not NULL: else there is no memory. */
void *must(void *pointer);

#endif
