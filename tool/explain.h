/* SPDX-License-Identifier: MIT */
/* What the files of `shmkit explain` share. Each topic answers one question, with figures that are
 * looked up or measured while it is told. */
#ifndef SHMKIT_TOOL_EXPLAIN_H
#define SHMKIT_TOOL_EXPLAIN_H

#include <shmkit/shmkit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topic {
  const char *name;
  /* What it answers. */
  const char *question;
  /* Gives the exit status. */
  int (*tell)(void);
};

/* About what there is; looks around. */
int tell_ipcs(void);
int tell_dest(void);
int tell_tmpfs(void);
int tell_leak(void);
int tell_nattch(void);
int tell_semaphores(void);
int tell_lifetime(void);

/* About this machine. */
int tell_docker(void);
int tell_room(void);
int tell_removeipc(void);

/* Tried out on scratch memory. */
int tell_echo(void);
int tell_sigbus(void);
int tell_unlink(void);
int tell_size(void);
int tell_mtime(void);
int tell_rss(void);

/* Measured. */
int tell_speed(void);
int tell_loop(void);

/* What the segments of a listing are, in sentences. */
void explain_segments(const shmkit_listing *listing);

/* ---- Words ---------------------------------------------------------------------------------- */

/* Texts that stay until sixteen more have been asked for: "4K", "1.3 us", and what printf makes. */
const char *in_bytes(uint64_t bytes);
const char *in_time(double nanoseconds);
const char *in_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "1 segment", "2 segments": `one` is the word for one, whose plural has an s. */
const char *in_number(uint64_t count, const char *one);

/* ---- Counting ------------------------------------------------------------------------------- */

struct tally {
  uint64_t count, bytes, resident;
};

/* A listing of these kinds, without which there is nothing to tell: leaves the program. */
shmkit_listing *look_around(uint32_t kinds);

/* How many there are here for which `is` holds, not in other containers. What is unknown adds
 * nothing to the bytes. */
struct tally tally_of(const shmkit_listing *listing, bool (*is)(const shmkit_info *info));

bool is_posix(const shmkit_info *info);
bool is_sysv(const shmkit_info *info);
bool is_memfd(const shmkit_info *info);

/* ---- Scratch memory ------------------------------------------------------------------------- */

/* A file of this size in shared memory without a name, so that nothing is left of it however this
 * process ends. With `reserved`, its pages and one more exist; else storing makes them. Leaves the
 * program when there can be none. */
int scratch_open(size_t size, bool reserved);

/* A shared mapping of it. */
void *scratch_map(int fd, size_t size);

/* How long the file is, and how many bytes it has pages for. */
uint64_t scratch_size(int fd);
uint64_t scratch_pages(int fd);

#endif
