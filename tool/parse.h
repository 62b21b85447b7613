/* SPDX-License-Identifier: MIT */
/* What people type, as values. Each leaves through argp_error, which names the option, when it makes
 * no sense. */
#ifndef SHMKIT_TOOL_PARSE_H
#define SHMKIT_TOOL_PARSE_H

#include <argp.h>
#include <stdint.h>

/* "4096", "64K", "1.5MiB", "0x1000": bytes. `what` as in "--length" or "SIZE". */
uint64_t parse_size(const struct argp_state *state, const char *what, const char *text);

/* "90s", "10m", "2h", "1d", "3w": nanoseconds. */
uint64_t parse_age(const struct argp_state *state, const char *what, const char *text);

/* "0.5", "2", "2s", from 0.01 to a day: nanoseconds. */
int64_t parse_interval(const struct argp_state *state, const char *what, const char *text);

/* A whole number from `least` to `most`. */
int64_t parse_number(const struct argp_state *state, const char *what, const char *text,
                     int64_t least, int64_t most);

/* Take the address of the one segment that a command is about; leave because there is none. */
void parse_address(const struct argp_state *state, const char *text, const char **address);
void parse_no_address(const struct argp_state *state);

/* "posix,sysv": a set of SHMKIT_INFO_SET. */
uint32_t parse_kinds(const struct argp_state *state, const char *what, const char *text);

/* The words for it, ending with NULL. */
const char *const *parse_kind_names(void);

/* Call `take` for each word of "a,b,c"; none may be empty. */
void parse_list(const struct argp_state *state, const char *what, const char *text,
                void (*take)(const struct argp_state *state, const char *what, const char *word,
                             void *context),
                void *context);

#endif
