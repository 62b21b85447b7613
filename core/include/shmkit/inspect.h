/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Inspect: which shared memory exists, who made it, who maps it, and what nobody needs any more.
 *
 * A LISTING is a snapshot: plain data about segments of every kind, taken at once and never changed
 * afterwards. It holds nothing of the system, no descriptor and no mapping. Segments and processes
 * may come and go while it is being taken; what has vanished by then is left out.
 *
 * LOOKING CHANGES NOTHING. No segment is mapped or attached, none is leased; no page is allocated,
 * and access times, System V's "last process" and the like stay as they are. (Only the directory
 * /dev/shm itself may get a new access time, when the caller is not its owner.) Listings open and
 * read none. shmkit_listing_stat reads the one that it is about, for its objects, and what it reads
 * comes into memory, should it be in swap or on a disk. The functions that do more say so:
 * shmkit_listing_stat with SHMKIT_STAT_EXACT, shmkit_remove and shmkit_gc.
 *
 * WHO MAPS IT is found in the address spaces of all processes. Not seen are processes that the
 * caller may not look at, which are counted, and those of PID namespaces outside the caller's.
 * Either makes the listing incomplete: numbers of mappers are then lower bounds. A process that has
 * no more than a descriptor of a segment is not a mapper, and a memfd that nobody maps is not found.
 * A file with several names in /dev/shm is listed once, under one of them; `links` counts them.
 *
 * UNKNOWN is told apart from none: sizes and counts are SHMKIT_UNKNOWN, IDs of users
 * SHMKIT_UNKNOWN_ID, times SHMKIT_UNKNOWN_TIME, PIDs 0. Sizes are in bytes, times in nanoseconds
 * since 1970 in UTC. Stores through a mapping leave no trace in the times, but for the first one
 * into a page, which may.
 *
 * A CREATOR is named only when it is certain to be the process that made the segment: by the stamp
 * that shmkit leaves, or for System V by its PID when the process with that PID is older than the
 * segment. A PID that has been given to another process since counts as exited.
 *
 * FORK. A listing is memory like any other: the child has its own copy.
 */
#ifndef SHMKIT_INSPECT_H
#define SHMKIT_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include <shmkit/error.h>
#include <shmkit/segment.h>

SHMKIT_BEGIN_DECLS

#define SHMKIT_UNKNOWN UINT64_MAX
#define SHMKIT_UNKNOWN_ID UINT32_MAX
#define SHMKIT_UNKNOWN_TIME INT64_MIN

/** What something is. A shmkit_kind says how something is addressed, which is not the same. */
typedef enum shmkit_info_kind {
  /** A file in /dev/shm, or one that was there when it was opened. */
  SHMKIT_INFO_POSIX = 1,
  /** System V. */
  SHMKIT_INFO_SYSV,
  /** A memfd that somebody maps. */
  SHMKIT_INFO_MEMFD,
  /** A named POSIX semaphore: a small file "sem.NAME" in /dev/shm. */
  SHMKIT_INFO_SEMAPHORE,
  /** Memory without a name that processes share by being forked from each other. */
  SHMKIT_INFO_ANONYMOUS,
  /** A file on hugetlbfs with a shared mapping. */
  SHMKIT_INFO_HUGETLB,
  /** Any other file or device with a shared mapping: on a disk, or on another tmpfs. */
  SHMKIT_INFO_FILE
} shmkit_info_kind;

/** A set of kinds: SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | ... */
#define SHMKIT_INFO_SET(kind) (1U << (kind))
/** What a listing has unless told otherwise. */
#define SHMKIT_INFO_USUAL                                                                          \
  (SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV) |                        \
   SHMKIT_INFO_SET(SHMKIT_INFO_MEMFD))
#define SHMKIT_INFO_ALL ((1U << (SHMKIT_INFO_FILE + 1)) - 2U)

/** Whether a segment is needed, as far as that can be told from outside; the first that applies. */
typedef enum shmkit_state {
  /** Nobody who could be looked at uses it, but not everybody could. */
  SHMKIT_STATE_UNKNOWN = 0,
  /** System V: marked for removal; goes when the last process detaches it. */
  SHMKIT_STATE_DEST,
  /** Its name is gone, and processes still map it. */
  SHMKIT_STATE_UNLINKED,
  /** A process maps it, attaches it, or holds a lock on it. */
  SHMKIT_STATE_USED,
  /** Nobody uses it and its creator has exited; or a Last segment that its last user left behind
   *  when it was killed. */
  SHMKIT_STATE_LEAKED,
  /** System V: nobody uses it, and somebody had it locked into memory. */
  SHMKIT_STATE_LOCKED,
  /** Nobody uses it now; its creator lives, or is not known. */
  SHMKIT_STATE_IDLE
} shmkit_state;

/** Flags of shmkit_info. */
enum {
  /** System V: marked for removal. */
  SHMKIT_INFO_DEST = 1 << 0,
  /** System V: locked into memory. */
  SHMKIT_INFO_LOCKED = 1 << 1,
  /** It is a Last segment; see <shmkit/segment.h>. */
  SHMKIT_INFO_LAST = 1 << 2,
  /** No name leads to it any more. */
  SHMKIT_INFO_UNLINKED = 1 << 3,
  /** It is of another mount or IPC namespace, or covered by another mount: its name leads to
   *  nothing, or to something else, for the caller. */
  SHMKIT_INFO_ELSEWHERE = 1 << 4,
  /** The caller has the right to remove it. Whether that is wise is said by the state. */
  SHMKIT_INFO_MAY_REMOVE = 1 << 5
};

/** Whether the process that made a segment still runs. */
typedef enum shmkit_liveness {
  SHMKIT_LIVENESS_UNKNOWN = 0,
  SHMKIT_ALIVE,
  SHMKIT_EXITED
} shmkit_liveness;

/** Whether anybody has a segment open, told by the kernel; see SHMKIT_STAT_EXACT. */
typedef enum shmkit_holding {
  SHMKIT_HOLDING_UNKNOWN = 0,
  /** Somebody has a descriptor or a mapping of it, whoever and wherever that may be. */
  SHMKIT_HELD,
  /** At that moment nobody had. */
  SHMKIT_NOT_HELD
} shmkit_holding;

/** What shmkit_gc or shmkit_remove did with a segment. */
typedef enum shmkit_removal {
  /** Not asked to remove anything. */
  SHMKIT_REMOVAL_NONE = 0,
  SHMKIT_REMOVED,
  /** It turned out to be in use, or to be another segment by now; `reason` says which. */
  SHMKIT_KEPT,
  /** Removing failed; `reason` says why. */
  SHMKIT_REMOVAL_FAILED
} shmkit_removal;

/** A process that maps a segment. */
typedef struct shmkit_mapper {
  /** Process ID as /proc shows it. */
  int64_t pid;
  /** Start of the process in clock ticks since boot, to tell it from a later one with that PID. */
  uint64_t start;
  /** The same as a time of day. */
  int64_t started;
  /** Its effective user. */
  uint32_t uid;
  /** How many mappings it has of this segment. */
  uint32_t mappings;
  /** Their lengths added up, which may reach beyond the segment's end. */
  uint64_t bytes;
  /** The lowest offset in the segment that is mapped. */
  uint64_t offset;
  /** Name of the program, at most 15 bytes. */
  char program[16];
  /** Whether it can read; whether it can store what others see (a private mapping cannot). */
  bool readable, writable;
} shmkit_mapper;

/** A stretch of a segment that has pages. */
typedef struct shmkit_extent {
  uint64_t offset, length;
} shmkit_extent;

/** What lies in a segment. */
typedef enum shmkit_object_kind { SHMKIT_OBJECT_MUTEX = 1, SHMKIT_OBJECT_EVENT } shmkit_object_kind;

/** What it is like. */
typedef enum shmkit_object_state {
  /** A mutex that is locked or whose holder died: which of them cannot be told here. */
  SHMKIT_OBJECT_UNKNOWN = 0,
  /** A mutex that nobody holds; that somebody who lives holds; whose holder died, and nobody has got
   *  it since. */
  SHMKIT_OBJECT_UNLOCKED,
  SHMKIT_OBJECT_LOCKED,
  SHMKIT_OBJECT_OWNER_DIED,
  /** An event. */
  SHMKIT_OBJECT_NOT_SET,
  SHMKIT_OBJECT_SET
} shmkit_object_state;

/**
 * A mutex or an event in a segment, as it was at that moment.
 *
 * It is known by the mark that it has from who made it first. What a program resets to zeros, or what
 * was only ever used read-only, has none. Bytes that happen to be, or were copied to be, exactly those
 * of an object are taken for one.
 */
typedef struct shmkit_object {
  /** Where in the segment. */
  uint64_t offset;
  /** A shmkit_object_kind and a shmkit_object_state. */
  uint32_t kind, state;
  /** Of a mutex: the holder's identity, also of one that died; 0 when nobody's. SHMKIT_UNKNOWN_ID of
   *  an event. */
  uint32_t identity;
  /** Of an event: how often it was set, modulo 2^29. SHMKIT_UNKNOWN_ID of a mutex. */
  uint32_t sequence;
  /** Somebody has said that he waits. He may have been killed since; and who has a segment open
   *  read-only cannot say so. */
  bool waited_for;
  /** Of a mutex that is locked: the process, one of whose threads is the holder, as /proc shows it.
   *  0 when it was not seen: it may not be looked at, is of another PID namespace, or came only just
   *  now; or the file system has no files as large as the trace needs. That is a mapping far beyond
   *  the end, which whoever may open the segment could imitate; that somebody holds the mutex is
   *  certain nevertheless. */
  int64_t pid;
  /** Start of that process in clock ticks since boot, 0 when unknown; name of the program, at most
   *  15 bytes. */
  uint64_t start;
  char program[16];
} shmkit_object;

/** Everything about one segment. All pointers are into the listing. */
typedef struct shmkit_info {
  /** The address that opens it, for whoever may: "posix:/frames", "sysv:0x5eed", "sysv:id=42",
   *  "file:/proc/7/fd/4" for what has no name; "" when nothing does. */
  const char *address;
  /** What its maker called it: "frames", "0x5eed"; a memfd's name; the path of a file, also of one
   *  that is gone; "" when nothing. Any bytes but NUL. */
  const char *name;
  /** A shmkit_info_kind and a shmkit_state. */
  uint32_t kind, state;
  /** Why it has that state; from shmkit_gc, why it would be, was, or was not removed. One line. */
  char reason[160];
  /** SHMKIT_INFO_DEST and so on, or-ed. */
  uint32_t flags;
  /** Permission bits, without type and sticky bit. SHMKIT_UNKNOWN_ID when unknown. */
  uint32_t mode;
  uint32_t uid, gid;
  /** Names of the file; 0 for what has none. */
  uint32_t links;
  /** SHMKIT_SEAL_*, or-ed; of memfds, by stat, else SHMKIT_UNKNOWN_ID. */
  uint32_t seals;
  /** File system and file: unique among segments of one kind and IPC namespace. System V's inode is
   *  its identifier. */
  uint64_t device, inode;
  /** The IPC namespace of a System V segment with SHMKIT_INFO_ELSEWHERE; else 0. */
  uint64_t ipc_namespace;
  uint64_t size;
  /** Bytes in memory or swap; of a file on a disk, bytes there. */
  uint64_t allocated;
  /** Bytes in memory, and in swap. Listings know them apart for System V, and for others while
   *  the machine has nothing in swap. */
  uint64_t resident, swapped;
  /** The size of its pages when they are huge; 0 for ordinary ones. */
  uint64_t huge_page;
  /** When it was made (unknown for System V and older kernels); when its size, owner, permissions
   *  or name were changed; when it was last written to or read by a system call or mapped. */
  int64_t created, changed, modified, accessed;
  /** System V: when it was last attached and detached. */
  int64_t attached, detached;
  /** System V: how many attachments there are. Not a number of processes: one may have several. */
  uint64_t attachments;
  /** System V: the PID of the last process that attached or detached; may be reused since. */
  int64_t last_pid;
  /** File locks that are held on it, by whomever; a Last segment's users each hold one. Off by a few
   *  when locks come and go on the machine meanwhile. */
  uint32_t locks;
  /** A shmkit_liveness; the creator's `pid` is 0 when nobody knows it. */
  uint32_t creator_state;
  shmkit_creator creator;
  /** A shmkit_holding and a shmkit_removal. */
  uint32_t holding, removal;
  /** The processes that map it, by PID, and how many mappings they have of it together. */
  const shmkit_mapper *mappers;
  size_t mapper_count;
  uint64_t mappings;
  /** Where it has pages, by shmkit_listing_stat; at most the first SHMKIT_EXTENTS_MAX. NULL when
   *  unknown. */
  const shmkit_extent *extents;
  size_t extent_count;
  /** The mutexes and events in it, by offset, by shmkit_listing_stat; at most the first
   *  SHMKIT_OBJECTS_MAX in the first SHMKIT_OBJECTS_DATA bytes of these stretches. NULL when unknown:
   *  it could not be read, or not without changing when it was last accessed, which can be kept from
   *  changing by the owner and by those with CAP_FOWNER. */
  const shmkit_object *objects;
  size_t object_count;
} shmkit_info;

enum {
  /** Of a segment whose pages are scattered more widely, only so many stretches are told. */
  SHMKIT_EXTENTS_MAX = 4096,
  /** Of a segment with more objects, only so many are told. */
  SHMKIT_OBJECTS_MAX = 4096,
  /** Of a segment with more pages, only so many bytes are searched for objects: 16 MiB. */
  SHMKIT_OBJECTS_DATA = 16 << 20
};

typedef struct shmkit_listing shmkit_listing;

/** Flags of shmkit_listing_options. */
enum {
  /** Do not look at processes: cheap, but nobody is known to map anything, and what has no name is
   *  not found. The listing is incomplete. */
  SHMKIT_LISTING_NAMES_ONLY = 1 << 0,
  /** Do not look for the creators of files that are in use: that is a system call for each, half of
   *  all that a large listing makes. Their `creator` stays unknown. States are the same as without
   *  it: where a state depends on the creator, which is with what nobody uses, it is looked for; and
   *  with System V, where it costs nothing. */
  SHMKIT_LISTING_NO_CREATORS = 1 << 1
};

/** Options of shmkit_listing_take. All zero, or a NULL pointer, are the defaults. */
typedef struct shmkit_listing_options {
  /** SHMKIT_LISTING_*, or-ed. */
  uint32_t flags;
  /** SHMKIT_INFO_SET of what to list, or-ed; 0 means SHMKIT_INFO_USUAL. */
  uint32_t kinds;
} shmkit_listing_options;

/** Initialiser with the defaults. */
#define SHMKIT_LISTING_OPTIONS_INIT {0, 0}

/** Flags of shmkit_listing_stat. */
enum {
  /**
   * Also ask the kernel whether anybody has it open, by taking a lease on it for an instant. It sees
   * descriptors that nobody mapped, and holders in other containers; it needs to be the owner, or
   * CAP_LEASE. Meanwhile a process that opens it waits or, with O_NONBLOCK, fails with EWOULDBLOCK.
   * Files with a name only.
   */
  SHMKIT_STAT_EXACT = 1 << 0
};

/** Flags of shmkit_remove. */
enum {
  /** Remove it also when it is in use, or when that cannot be told. */
  SHMKIT_REMOVE_FORCE = 1 << 0
};

/** Options of shmkit_gc. All zero, or a NULL pointer, are the defaults: tell what would go. */
typedef struct shmkit_gc_options {
  /** SHMKIT_GC_*, or-ed. */
  uint32_t flags;
  /** SHMKIT_INFO_SET of POSIX, SYSV and SEMAPHORE, or-ed; 0 means POSIX and SYSV. */
  uint32_t kinds;
  /** Leave alone what was made, changed, attached or the like in the last so many nanoseconds. */
  uint64_t older_than;
  /** Only what has an address that matches this pattern of fnmatch, "posix:/frames-*", where '*' goes
   *  for slashes too; NULL for all. */
  const char *pattern;
} shmkit_gc_options;

/** Initialiser with the defaults. */
#define SHMKIT_GC_OPTIONS_INIT {0, 0, 0, NULL}

/** Flags of shmkit_gc_options. */
enum {
  /** Remove. Without it nothing is touched. */
  SHMKIT_GC_APPLY = 1 << 0,
  /** Not only what is leaked: whatever nobody uses now. */
  SHMKIT_GC_IDLE = 1 << 1
};

/**
 * Take a listing of what exists.
 *
 * Costs time in proportion to the number of processes, mappings and segments, not their product.
 *
 * @param options  see shmkit_listing_options; NULL for the defaults.
 * @param out      the listing, by kind and then name; to be ended with shmkit_listing_free.
 * @return 0, also for an incomplete one; -EINVAL for options that cannot be; -ENOMEM; other errno
 *         values when /dev/shm cannot be read.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_listing_take(const shmkit_listing_options *options,
                                             shmkit_listing **out);

/**
 * Everything about what one address leads to: a listing of one, with seals, extents and objects where
 * the caller may open it for reading. "memfd:NAME" gives all memfds of that name that processes map.
 *
 * @param address  as for shmkit_segment_open.
 * @param flags    0 or SHMKIT_STAT_EXACT.
 * @param out      the listing, to be ended with shmkit_listing_free.
 * @return 0; -ENOENT; -EACCES; -EINVAL and -ENAMETOOLONG for an address or flag that cannot be;
 *         -ELOOP for a symbolic link and SHMKIT_ERR_INCOMPATIBLE for anything else that is no
 *         segment; -EBADF; -ENOMEM. That something could not be found out is not a failure.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_listing_stat(const char *address, uint32_t flags,
                                             shmkit_listing **out);

/**
 * Open a listed segment for looking at its bytes, with pread.
 *
 * Nothing is mapped or attached, and of a Last segment the caller does not become a user. A pread from
 * a hole allocates no page, and SEEK_DATA and SEEK_HOLE tell where those are. Times of access stay as
 * they are when the caller owns the segment or has CAP_FOWNER: O_NOATIME among the flags that
 * fcntl(F_GETFL) tells says so. System V has no way to do that but through a process that has the segment
 * attached, for callers with CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; others have to attach it, by
 * shmkit_segment_open.
 *
 * @param index  of the segment in the listing.
 * @param out    a descriptor for reading, close-on-exec: the caller's to close. The very segment that is
 *               listed, whatever its name leads to by now.
 * @return 0; -ENOENT when it is gone; -EACCES or -EPERM; SHMKIT_ERR_UNSUPPORTED when the only way is to
 *         attach it; SHMKIT_ERR_RANGE beyond the last segment; -EINTR when a signal came while waiting
 *         for a holder of a lease, and -EBUSY when that does not go on; other errno values.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_listing_open(const shmkit_listing *self, size_t index, int *out);

/**
 * Remove the one segment that an address leads to, unless somebody uses it. shmkit_unlink is the one
 * that does not ask.
 *
 * It is looked at as by shmkit_listing_stat, and what is removed is the very segment that was looked
 * at: no other one that has got its name since, and never what a symbolic link leads to. In use is
 * what a process maps, attaches, has a lock on or, of files, merely has open, whoever and wherever
 * that may be: they are removed under a lease, as by shmkit_gc, of which all is true here. Where the
 * kernel gives no lease (to others than the owner and those with CAP_LEASE; on some file systems),
 * and where the file cannot be opened for writing, that it is unused cannot be told, which counts as
 * in use. Whether the creator runs does not matter. "posix:/sem.NAME" is a semaphore.
 *
 * By force, POSIX segments and files lose their name, and who maps them keeps the memory; a System V
 * segment is marked, and goes when nobody attaches it any more.
 *
 * @param address  as for shmkit_unlink.
 * @param flags    0 or SHMKIT_REMOVE_FORCE.
 * @param out      a listing of the one segment as it was, with its `removal` and, by force, in
 *                 `reason` what becomes of its users; to be ended with shmkit_listing_free. NULL when
 *                 nobody wants to know.
 * @return 0; -EBUSY when it is in use or that cannot be told, with a message that says who uses it,
 *         or what stands against knowing; -ENOENT; -EACCES or -EPERM without the right to remove it,
 *         -EROFS; -ELOOP for a symbolic link and SHMKIT_ERR_INCOMPATIBLE for anything else that is no
 *         segment; SHMKIT_ERR_UNSUPPORTED for memfd, fd, and what has no name any more; -EINVAL and
 *         -ENAMETOOLONG for an address or flag that cannot be; -ENOMEM.
 * Concurrency: as shmkit_gc with SHMKIT_GC_APPLY.
 */
SHMKIT_API shmkit_status shmkit_remove(const char *address, uint32_t flags, shmkit_listing **out);

/**
 * Tell, and with SHMKIT_GC_APPLY remove, the segments that nobody needs: those with the state
 * leaked; with SHMKIT_GC_IDLE, all that nobody uses. Only those that the caller has the right to
 * remove.
 *
 * POSIX segments are removed under a lease, which the kernel grants only when nobody anywhere has
 * the file open, and which is looked at again right before the name goes; so it does not matter
 * which processes the caller can see. Who may not lease it cannot remove it so. Processes that open
 * the segment meanwhile wait for an instant; those using shmkit then find it gone or not, and never
 * get one without a name. The lease being broken sends SIGURG to this process, which ignores it
 * unless the program has a handler.
 *
 * System V segments are removed when nothing is attached and neither their creator nor the last
 * process that attached them runs; looked at again right before. The kernel has no way to make the
 * two steps one: who attaches in between keeps the memory, but its key is gone.
 *
 * What cannot be found out counts as in use.
 *
 * @param options  see shmkit_gc_options; NULL for the defaults.
 * @param out      the candidates, each with its `reason` and its `removal`; to be ended with
 *                 shmkit_listing_free.
 * @return 0, also when some could not be removed; as shmkit_listing_take.
 * Concurrency: any thread, any number of processes. With SHMKIT_GC_APPLY, not while another thread
 *         forks: a child that has a copy of the descriptor holds the lease until it runs another
 *         program.
 */
SHMKIT_API shmkit_status shmkit_gc(const shmkit_gc_options *options, shmkit_listing **out);

/**
 * End a listing and everything in it. NULL is allowed.
 *
 * Concurrency: no other call on this object may be under way or follow.
 */
SHMKIT_API void shmkit_listing_free(shmkit_listing *self);

/** How many segments it has. Concurrency: any thread; never changes. */
SHMKIT_API size_t shmkit_listing_count(const shmkit_listing *self);

/**
 * The segment at `index`; NULL beyond the last one.
 *
 * @return memory of the listing, valid until it is freed.
 * Concurrency: any thread; never changes.
 */
SHMKIT_API const shmkit_info *shmkit_listing_at(const shmkit_listing *self, size_t index);

/** Whether every process that could map something was looked at; see WHO MAPS IT.
 *  Concurrency: any thread; never changes. */
SHMKIT_API bool shmkit_listing_complete(const shmkit_listing *self);

/** How many processes could be seen but not looked at. 0 does not mean complete: there may be
 *  others that cannot even be seen. Concurrency: any thread; never changes. */
SHMKIT_API size_t shmkit_listing_unreadable(const shmkit_listing *self);

/** When it was begun, as the times in it. Concurrency: any thread; never changes. */
SHMKIT_API int64_t shmkit_listing_time(const shmkit_listing *self);

/** The name of a kind, "posix", "semaphore"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_info_kind_name(shmkit_info_kind kind);

/** The name of a state, "leaked"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_state_name(shmkit_state state);

/** The name of an object's kind, "mutex"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_object_kind_name(shmkit_object_kind kind);

/** The name of an object's state, "owner died"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_object_state_name(shmkit_object_state state);

SHMKIT_END_DECLS

#endif
