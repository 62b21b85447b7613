/* SPDX-License-Identifier: MIT */
/*
 * Places to die at. In the library as users get it they are nothing; in the one that tests/crash
 * builds, a process that was told a place's name kills itself there.
 */
#ifndef SHMKIT_SRC_CRASH_H
#define SHMKIT_SRC_CRASH_H

#ifdef SHMKIT_CRASH_POINTS
void shmkit__crash_point(const char *name);
#else
#define shmkit__crash_point(name) ((void)0)
#endif

#endif
