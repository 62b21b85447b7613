/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Limits: every ceiling on shared memory, how much of it is used, and which is met first.
 *
 * Ceilings are of different things and do not all hold for all kinds: the 64 MiB that /dev/shm
 * usually has in a container bind POSIX segments, not System V and memfd; shmmax and its kin bind
 * System V alone; memory and control groups bind them all, and kill instead of refusing.
 *
 * The list is a snapshot: plain data, taken at once and never changed afterwards. Ceilings of a
 * process (SHMKIT_SCOPE_PROCESS) are those of the process that takes it.
 *
 * NO LIMIT is told apart from unknown: `limit` and `free` are SHMKIT_UNLIMITED when there is none,
 * and SHMKIT_UNKNOWN when it could not be found out. `used` is SHMKIT_UNKNOWN also where using up
 * has no meaning (SHMKIT_LIMIT_EACH).
 *
 * FREE is what the system would grant now, and not always limit minus used: memory that the kernel
 * can reclaim counts as free, a control group's `free` includes the swap it may use, and of a
 * /dev/shm that the caller may not write to nothing is free for him.
 *
 * Not among them: quotas of users on a tmpfs, limits of control groups on huge pages, a control
 * group's memory.high, which slows down instead, and the size of a 32-bit process's address space.
 *
 * FORK. A list is memory like any other: the child has its own copy.
 */
#ifndef SHMKIT_LIMITS_H
#define SHMKIT_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include <shmkit/error.h>
#include <shmkit/inspect.h>

SHMKIT_BEGIN_DECLS

/** There is no such limit, or none that anybody could reach. */
#define SHMKIT_UNLIMITED (UINT64_MAX - 1)

/** What is counted. */
typedef enum shmkit_unit {
  SHMKIT_UNIT_BYTES = 1,
  /** Files and their extended attributes in a file system. */
  SHMKIT_UNIT_INODES,
  SHMKIT_UNIT_SEGMENTS,
  /** Open files: descriptors of a process, or descriptions of the machine. */
  SHMKIT_UNIT_FILES,
  /** Mappings in an address space. */
  SHMKIT_UNIT_MAPPINGS
} shmkit_unit;

/** Who shares a limit. */
typedef enum shmkit_scope {
  SHMKIT_SCOPE_MACHINE = 1,
  /** All who see the same file system mounted: usually a container. */
  SHMKIT_SCOPE_FILE_SYSTEM,
  /** All processes of an IPC namespace: usually a container. */
  SHMKIT_SCOPE_IPC_NAMESPACE,
  /** All processes of a control group: usually a container or a service. */
  SHMKIT_SCOPE_CONTROL_GROUP,
  /** Each process by itself. */
  SHMKIT_SCOPE_PROCESS
} shmkit_scope;

/** Flags of shmkit_limit. */
enum {
  /** A ceiling on the size of each segment by itself: nothing uses it up, `free` is the limit. */
  SHMKIT_LIMIT_EACH = 1 << 0,
  /** It holds only for segments of its kinds that ask for it: locked into memory, or of huge pages.
   *  Never told as the one that is met first. */
  SHMKIT_LIMIT_ON_REQUEST = 1 << 1
};

/** One ceiling. All pointers are into the list. */
typedef struct shmkit_limit {
  /** For programs, stable: "shm-bytes", "shmmax", "memory", "huge-2048kB". Only "cgroup-memory" may
   *  come several times, once for each group that has a limit, the innermost first. */
  const char *name;
  /** For people: "size of /dev/shm". */
  const char *title;
  /** The path or the call that the figure comes from. */
  const char *source;
  /** What happens to who exceeds it, and how to raise it. One line each. */
  const char *effect, *remedy;
  /** What is special about it here, "a container's usual 64 MiB"; "" when nothing is. One line. */
  const char *note;
  /** A shmkit_unit and a shmkit_scope. */
  uint32_t unit, scope;
  /** SHMKIT_INFO_SET of the kinds that it holds for, or-ed. */
  uint32_t kinds;
  /** SHMKIT_LIMIT_*, or-ed. */
  uint32_t flags;
  /** In units; see NO LIMIT and FREE. */
  uint64_t limit, used, free;
} shmkit_limit;

typedef struct shmkit_limits shmkit_limits;

/**
 * Take a list of the limits that hold here and now. It changes nothing and needs no permission.
 *
 * @param out  the limits, to be ended with shmkit_limits_free.
 * @return 0, also when some could not be found out; -ENOMEM.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_limits_take(shmkit_limits **out);

/**
 * End a list and everything in it. NULL is allowed.
 *
 * Concurrency: no other call on this object may be under way or follow.
 */
SHMKIT_API void shmkit_limits_free(shmkit_limits *self);

/** How many limits there are. Concurrency: any thread; never changes. */
SHMKIT_API size_t shmkit_limits_count(const shmkit_limits *self);

/**
 * The limit at `index`; NULL beyond the last one.
 *
 * @return memory of the list, valid until it is freed.
 * Concurrency: any thread; never changes.
 */
SHMKIT_API const shmkit_limit *shmkit_limits_at(const shmkit_limits *self, size_t index);

/**
 * Which limit on bytes a new segment of this kind, made and mapped by this process, meets first:
 * the one with the least free, which is the size that the segment can have at most. Limits that are
 * unknown are left out.
 *
 * @return memory of the list, valid until it is freed; NULL when none is known, and for HUGETLB and
 *         FILE, which depend on a size of pages or a file system that is not named.
 * Concurrency: any thread; never changes.
 */
SHMKIT_API const shmkit_limit *shmkit_limits_tightest(const shmkit_limits *self,
                                                      shmkit_info_kind kind);

/**
 * The same for how many more segments there can be, however small: of inodes, segments, open files
 * and mappings.
 *
 * Concurrency: any thread; never changes.
 */
SHMKIT_API const shmkit_limit *shmkit_limits_scarcest(const shmkit_limits *self,
                                                      shmkit_info_kind kind);

/** The name of a unit, "bytes"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_unit_name(shmkit_unit unit);

/** The name of a scope, "ipc namespace"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_scope_name(shmkit_scope scope);

SHMKIT_END_DECLS

#endif
