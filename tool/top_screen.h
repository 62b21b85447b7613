/* SPDX-License-Identifier: MIT */
/* `top` on a terminal. */
#ifndef SHMKIT_TOOL_TOP_SCREEN_H
#define SHMKIT_TOOL_TOP_SCREEN_H

#include "screen.h"
#include "top_model.h"

/* Show it until somebody quits, or after so many looks when `count` is not 0; `interval` from the
 * end of one to the next, in nanoseconds. The exit status. */
int top_on_screen(struct top_model *model, int64_t interval, uint64_t count);

/* All about one segment, as it is now; `info` may be of an earlier look. */
void top_details(const shmkit_info *info, struct screen_text *text);

#endif
