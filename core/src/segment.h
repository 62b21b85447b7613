/* SPDX-License-Identifier: MIT */
/*
 * The segment object, and what the files that make, use and end it share. No other file looks
 * inside. Functions with two underscores are hidden from users of the library.
 */
#ifndef SHMKIT_SRC_SEGMENT_H
#define SHMKIT_SRC_SEGMENT_H

#include <stdatomic.h>
#include <sys/types.h>

#include <shmkit/segment.h>

#include "address.h"
#include "os.h"

struct shmkit_segment {
  /* The mapping: set before anybody else knows the object, never changed until it is unmapped. */
  unsigned char *memory;
  size_t capacity;
  /* Accessible bytes. Written by refresh and grow; relaxed, because it orders nothing: the memory
   * up to a size that the kernel has said is there. */
  _Atomic size_t size;
  /* Twice the number of users of the mapping, plus one when closed. Who takes it to exactly
   * "closed" unmaps. The object's own use until it is closed is not counted. */
  _Atomic uint32_t state;
  /* Pins of the API's users, a part of the count above; for telling, not for deciding. */
  _Atomic uint32_t pins;
  /* -1 for System V, and when it was lost. Check with shmkit__segment_descriptor before use. */
  _Atomic int fd;
  int sysv_id;
  /* Identity of the file behind it. */
  dev_t device;
  ino_t inode;
  /* The process that made this object; a forked child has its descriptor and locks, too. */
  pid_t owner;
  uint32_t flags;
  uint64_t huge_page; /* size of its pages when they are huge, else 0 */
  uint8_t kind, lifetime;
  bool readonly, created;
  /* There is a mapping that release must end. Only makers and the last user look. */
  bool mapped;
  /* The descriptor is a duplicate: its description is somebody else's too. */
  bool duplicate;
  /* The list of segments that must do something at exit; protected by the lock in lifetime.c. */
  struct shmkit_segment *previous, *next;
  size_t name;
  char address[];
};

/* ---- Making (segment.c, map.c) -------------------------------------------------------------- */

/* A closed, empty object with an address; shmkit_segment_free when done. NULL: no memory, said. */
shmkit_segment *shmkit__segment_new(const struct shmkit__address *address,
                                    const shmkit_segment_options *options);

/* Take the identity of an open file: descriptor, device, inode, lifetime, huge pages. */
void shmkit__segment_set_file(shmkit_segment *self, int fd, const struct stat *status);

/* Map `size` accessible bytes of the descriptor, with the capacity of the options, and apply the
 * options on memory. `verb` is for messages: "create", "open". */
shmkit_status shmkit__segment_map(shmkit_segment *self, const char *verb, uint64_t size,
                                  const shmkit_segment_options *options);

/* The part of it that concerns memory which is mapped already: populate and lock. */
shmkit_status shmkit__segment_prepare_memory(shmkit_segment *self, const char *verb);

/* From now on it is open. */
void shmkit__segment_set_open(shmkit_segment *self);

/* The same for the object that created it: its name will go as `lifetime` says. */
void shmkit__segment_set_created(shmkit_segment *self, uint32_t lifetime);

/* ---- Using (segment.c) ---------------------------------------------------------------------- */

/* Enter a function that needs the memory or the descriptor: keeps a close in another thread from
 * unmapping until shmkit__segment_leave. Fails when closed. */
shmkit_status shmkit__segment_enter(shmkit_segment *self);
void shmkit__segment_leave(shmkit_segment *self);

/* Close the descriptor of a segment whose mapping is gone, and take the name of a Last segment away
 * with it when this was the last. False: somebody still has it open. */
bool shmkit__segment_depart(shmkit_segment *self);

/* Fail unless [offset, offset + length) is inside the size. */
shmkit_status shmkit__segment_check_range(const shmkit_segment *self, uint64_t offset,
                                          uint64_t length);

/*
 * The descriptor, after a check that it is still this segment's, and what fstat says of it now.
 * One that somebody closed is opened again by name where that still leads to the same file.
 * -ESTALE otherwise, with no message: ask shmkit__segment_fail_lost for it.
 */
int shmkit__segment_descriptor(shmkit_segment *self, int *fd, struct stat *status);

/* Another description of the file behind the segment's descriptor `fd`, which shares no locks. */
int shmkit__segment_open_anew(const shmkit_segment *self, int fd, int flags, int *out);

/* The failure for a descriptor that is lost. */
shmkit_status shmkit__segment_fail_lost(const shmkit_segment *self);

/* ---- Opening and creating (open.c, create.c, sysv.c) ---------------------------------------- */

/* Fail unless `status` is of a file that can be a segment, naming what it is. */
shmkit_status shmkit__check_regular(const char *address, const struct stat *status,
                                    const char *verb);

shmkit_status shmkit__segment_open_at(const struct shmkit__address *address,
                                      const shmkit_segment_options *options, shmkit_segment **out);
/* Fail when such a segment cannot be created, whatever exists. */
shmkit_status shmkit__check_creation(const struct shmkit__address *address, uint64_t size,
                                     const shmkit_segment_options *options);
shmkit_status shmkit__segment_create_at(struct shmkit__address *address, uint64_t size,
                                        const shmkit_segment_options *options,
                                        shmkit_segment **out);

shmkit_status shmkit__sysv_create(struct shmkit__address *address, uint64_t size,
                                  const shmkit_segment_options *options, shmkit_segment **out);
shmkit_status shmkit__sysv_open(const struct shmkit__address *address,
                                const shmkit_segment_options *options, shmkit_segment **out);
shmkit_status shmkit__sysv_unlink(const struct shmkit__address *address);
shmkit_status shmkit__sysv_unlink_id(int id, const char *address);
shmkit_status shmkit__sysv_creator(const shmkit_segment *self, shmkit_creator *out);

/* ---- Ending (lifetime.c) -------------------------------------------------------------------- */

/* Whether the name at `path` leads to this file now, and not through a symbolic link. */
bool shmkit__lifetime_leads_to(const char *path, const struct stat *file);

/* Whether an open file is a Last segment. */
bool shmkit__lifetime_is_last(int fd, const struct stat *status);

/*
 * Enter the processes that have a Last segment open, for as long as this descriptor's description
 * lives. 0: entered. SHMKIT_AGAIN: the segment is being removed or was stale and is removed now:
 * open again, or take it for not existing when that has been tried.
 */
shmkit_status shmkit__lifetime_attach(const struct shmkit__address *address, int fd,
                                      const struct stat *status, bool readonly);

/* A creator's entry, before the file has a name: nobody can be in the way. */
shmkit_status shmkit__lifetime_attach_first(int fd, const char *address);

/* Remove the name at `path` if it leads to this file and nobody has it open. False: somebody has. */
bool shmkit__lifetime_reap(const char *path, dev_t device, ino_t inode);

/* Remove the name at `path`, if it leads to the file `only` when that is not NULL: SHMKIT_AGAIN when
 * it leads to another one. */
shmkit_status shmkit__lifetime_unlink(const char *path, const char *address,
                                      const struct stat *only);

/* The failure for an address without a name: memfd and fd. `verb`: "unlink". */
shmkit_status shmkit__lifetime_fail_nameless(const struct shmkit__address *address,
                                             const char *verb);

/* Remove the name at `path` if it leads to a Last segment that nobody has open. Whether it leads
 * nowhere or elsewhere now. */
bool shmkit__lifetime_reap_stale(const char *path);

/* The same for a segment that this process itself opened for writing, through its descriptor: saves
 * opening the file once more. */
shmkit_status shmkit__lifetime_unlink_own(const char *path, const char *address, int fd,
                                          const struct stat *file);

/* Remember a segment whose name must go at exit; forget it. */
void shmkit__lifetime_watch(shmkit_segment *self);
void shmkit__lifetime_unwatch(shmkit_segment *self);

/* ---- Creator stamp (stamp.c) ---------------------------------------------------------------- */

/* Write down who creates this file. Nothing depends on it, so it cannot fail. */
void shmkit__stamp_write(int fd);

/* Who created the file at `path`, without opening it; false when that is not written down. */
bool shmkit__stamp_find(const char *path, bool follow, shmkit_creator *out);

#endif
