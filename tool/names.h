/* SPDX-License-Identifier: MIT */
/* Names of users and groups, each looked up once, and of seals. */
#ifndef SHMKIT_TOOL_NAMES_H
#define SHMKIT_TOOL_NAMES_H

#include <stdint.h>

/* The number where there is no name; "-" when unknown. Valid until the program ends. */
const char *name_of_user(uint32_t uid);
const char *name_of_group(uint32_t gid);

/* Of the seal SHMKIT_SEAL_* that is this bit; NULL after the last. */
const char *name_of_seal(unsigned bit);

#endif
