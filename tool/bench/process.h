/* SPDX-License-Identifier: MIT */
/*
 * What does not depend on a size: an empty loop, the shortest system call, starting a process, and
 * the loop in a shell that people time: in which nearly all time goes into starting processes, as the
 * same loop around a program that does nothing shows.
 */
#ifndef SHMKIT_TOOL_BENCH_PROCESS_H
#define SHMKIT_TOOL_BENCH_PROCESS_H

#include "session.h"

void process_measure(struct session *session);

#endif
