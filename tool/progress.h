/* SPDX-License-Identifier: MIT */
/*
 * A bar for what takes longer than a second: one line on standard error, drawn over and over and gone
 * at the end. Nothing where standard error is no terminal.
 */
#ifndef SHMKIT_TOOL_PROGRESS_H
#define SHMKIT_TOOL_PROGRESS_H

/* `what` in a word or two: "measuring"; must last until the end. */
void progress_begin(const char *what);

/* So much of it is done, 0 to 1; `now` is what is being done, or "". Cheap: draws ten times a second
 * at most. */
void progress_show(double done, const char *now);

/* Take the bar away. Nothing when there is none. */
void progress_end(void);

#endif
