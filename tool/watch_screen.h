/* SPDX-License-Identifier: MIT */
/* `watch` on a terminal. */
#ifndef SHMKIT_TOOL_WATCH_SCREEN_H
#define SHMKIT_TOOL_WATCH_SCREEN_H

#include "watch_model.h"

/* Show the bytes from `offset` on until somebody quits, or after so many looks that saw a change when
 * `count` is not 0; `interval` between looks in nanoseconds. The exit status. */
int watch_on_screen(struct watch_model *model, uint64_t offset, int64_t interval, uint64_t count);

#endif
