/* SPDX-License-Identifier: MIT */
/* Addresses, taken apart. The syntax is described in <shmkit/segment.h>. */
#ifndef SHMKIT_SRC_ADDRESS_H
#define SHMKIT_SRC_ADDRESS_H

#include <limits.h>
#include <sys/types.h>

#include <shmkit/segment.h>

struct shmkit__address {
  shmkit_kind kind;
  /* How a System V segment is named; the number says which. 0 for other kinds. */
  enum { SHMKIT__SYSV_NONE, SHMKIT__SYSV_KEY, SHMKIT__SYSV_ID, SHMKIT__SYSV_PRIVATE } sysv;
  /* The key, the identifier or the descriptor. */
  int number;
  /* posix and file: the absolute path of the file. */
  char path[PATH_MAX];
  /* In canonical form; the name begins at text + name. */
  char text[PATH_MAX + sizeof "memfd:"];
  size_t name;
};

/* 0; -EINVAL or -ENAMETOOLONG with a message. */
shmkit_status shmkit__address_parse(const char *text, struct shmkit__address *out);

/* The directory of its path, for kinds that have one. */
void shmkit__address_directory(const struct shmkit__address *address, char out[static PATH_MAX]);

/* What a System V segment without a key becomes once it exists: "sysv:id=N". */
void shmkit__address_set_sysv_id(struct shmkit__address *address, int id);

/* The address of an open descriptor: "fd:N". */
void shmkit__address_set_fd(struct shmkit__address *address, int fd);

#endif
