/* SPDX-License-Identifier: MIT */
/* What would become of a segment, in words. Strings that are returned are the caller's to free. */
#ifndef SHMKIT_TOOL_OUTLOOK_H
#define SHMKIT_TOOL_OUTLOOK_H

#include <shmkit/inspect.h>

/* No name leads to it, so that there is nothing to remove. */
bool outlook_is_nameless(const shmkit_info *info);

/* "alice, its owner, and root; you may not". */
char *outlook_who_may_remove(const shmkit_info *info);

/* What `shmkit rm` would do to it, what it would refuse, and what its users would keep. */
char *outlook_of_removal(const shmkit_info *info);

#endif
