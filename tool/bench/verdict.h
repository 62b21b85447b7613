/* SPDX-License-Identifier: MIT */
/*
 * The answer in words, from this run's figures alone. Where they contradict what one expects, or
 * differ too much among themselves to tell, it says so.
 */
#ifndef SHMKIT_TOOL_BENCH_VERDICT_H
#define SHMKIT_TOOL_BENCH_VERDICT_H

#include "session.h"

/* One line, to be freed. */
char *verdict_of_access(const struct session *session);
char *verdict_of_lifecycle(const struct session *session);

#endif
