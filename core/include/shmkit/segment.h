/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Segment: shared memory with an address, a size and a mapping.
 *
 * A segment is raw: shmkit puts nothing of its own inside, so any program that knows shm_open or
 * shmget and mmap is a full peer. Its bytes are zero when it is new.
 *
 * ADDRESSES, one syntax everywhere:
 *
 *   frames, /frames, posix:/frames   POSIX shared memory "/frames": one component of at most 255
 *                                    bytes, any byte but '/' and NUL, neither "." nor "..". Write
 *                                    posix:/a:b for a name that begins like a scheme.
 *   sysv:0x5eed  sysv:24301          System V segment by key, hexadecimal or decimal
 *   sysv:id=42                       System V segment by identifier
 *   sysv:private                     create only: a System V segment without a key
 *   memfd:frames                     create only: an anonymous memfd with that debug name (at most
 *                                    249 bytes); others reach it by descriptor
 *   fd:7                             open only: an open descriptor of this process, which stays the
 *                                    caller's
 *   file:/dev/hugepages/frames       any regular file that can be mapped: on hugetlbfs, another
 *                                    tmpfs, a disk, or /proc/PID/fd/N of another process's memfd
 *
 * CREATING is exclusive and atomic: a name never leads to a half-made segment. The file is made
 * without a name, gets its room, its content and its mapping, and only then its name, so a creator
 * that dies leaves nothing. Weaker, and said here once: System V cannot hide a segment before it
 * is filled (a peer may see zeros in place of `content`), and its pages are accounted for but not
 * reserved; a file system without O_TMPFILE has a hidden ".shmkit-*" file for a moment, which a
 * crash leaves.
 *
 * ROOM is reserved before the name appears. No room is an error of create that names the limit,
 * never a SIGBUS later on; SHMKIT_SPARSE opts out.
 *
 * SIZE AND CAPACITY. `size` is what may be accessed: the object's size as the kernel said it last,
 * as far as it is mapped. `capacity` is how much address space is mapped. A segment grows in place
 * up to there and its memory never moves; a peer's growth is seen after shmkit_segment_refresh.
 *
 * LIFETIME of the name; the memory itself lives while somebody maps it.
 *   Persistent (the default): until somebody unlinks it.
 *   Creator: until its creator closes it, or ends by exit or by returning from main; one that is
 *     killed, or ends by _exit or exec, leaves it.
 *   Last: until the last process that has it open through shmkit closes it or exits. Killed ones do
 *     not count: the name and the memory that the last one leaves by a kill, by _exit or exec, or
 *     because it may not write, are taken away by the next who opens or creates the address, for whom
 *     it does not exist. A forked child that keeps its inherited mapping has it open; a program
 *     without shmkit does not count. The sticky bit of a file on a tmpfs or hugetlbfs marks a Last
 *     segment, whoever has set it.
 *   Creator is for posix, sysv and file; Last for posix, and for file on a tmpfs or hugetlbfs.
 *
 * CRASHES. Creating leaves nothing, as said. A peer that truncates the file makes every access
 * through the mapping beyond the new end raise SIGBUS; shmkit_segment_read and _write report it
 * instead. Only a memfd sealed with SHMKIT_SEAL_SHRINK rules that out.
 *
 * FORK. The child has the same mapping at the same address. It may use and close the segment; the
 * name of a Creator segment goes when the process that made it closes it, not when the child does.
 * Should another thread of the parent have been inside a call on the segment, the child's mapping
 * lasts until the child ends.
 *
 * DESCRIPTORS. A segment that has one holds it with close-on-exec. Should the program close all
 * descriptors behind its back, the mapping goes on, and the number is never used for whatever
 * file has got it since.
 *
 * THREADS. Unless a function says otherwise, any thread may call any function on one segment at
 * the same time, close included; only shmkit_segment_free must be the last call. A thread inside a
 * call must not be cancelled (pthread_cancel): what the call holds would stay held.
 */
#ifndef SHMKIT_SEGMENT_H
#define SHMKIT_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <shmkit/error.h>
#include <shmkit/type.h>

SHMKIT_BEGIN_DECLS

typedef struct shmkit_segment shmkit_segment;

/** What kind of address a segment has. */
typedef enum shmkit_kind {
  SHMKIT_POSIX = 1,
  SHMKIT_SYSV,
  SHMKIT_MEMFD,
  SHMKIT_FD,
  SHMKIT_FILE
} shmkit_kind;

/** When the name of a segment goes; see LIFETIME above. */
typedef enum shmkit_lifetime { SHMKIT_PERSISTENT = 0, SHMKIT_CREATOR, SHMKIT_LAST } shmkit_lifetime;

/** Flags of shmkit_segment_options; each says to which calls it applies. */
enum {
  /** open, not open_or_create: map for reading only. Needs only read permission. */
  SHMKIT_READONLY = 1 << 0,
  /** create: do not reserve room. Cheap for huge, mostly empty segments; when room runs out, the
   *  first touch of a page raises SIGBUS. */
  SHMKIT_SPARSE = 1 << 1,
  /** create, open: make the page tables now, so that the first touches do not fault. */
  SHMKIT_POPULATE = 1 << 2,
  /** create, open: keep the pages in memory (mlock). Fails when RLIMIT_MEMLOCK does not allow it. */
  SHMKIT_LOCK = 1 << 3,
  /** create, memfd and sysv: use huge pages from the system's pool; the size must be a multiple of
   *  their size. For files: create them on a hugetlbfs mount. Cannot grow. */
  SHMKIT_HUGE_PAGES = 1 << 4,
  /** open, posix only: accept a segment that belongs to another user. Without it only segments of
   *  the caller and of root are, because anybody may have put a file in that place. */
  SHMKIT_ANY_OWNER = 1 << 5
};

/** Seals of a memfd: promises about it that nobody can take back. Values are F_SEAL_*'s. */
enum {
  /** No more seals can be added. */
  SHMKIT_SEAL_SEAL = 0x01,
  /** It cannot get smaller: whoever has it mapped is safe from SIGBUS. */
  SHMKIT_SEAL_SHRINK = 0x02,
  /** It cannot get larger. */
  SHMKIT_SEAL_GROW = 0x04,
  /** Nobody can write. Cannot be added while a writable mapping exists. */
  SHMKIT_SEAL_WRITE = 0x08,
  /** Writable mappings that exist go on; nobody gets a new one. For a writer who hands the
   *  descriptor to readers. */
  SHMKIT_SEAL_FUTURE_WRITE = 0x10
};

/** Options of create, open, open_or_create and receive. All zero, or a NULL pointer, are the
 *  defaults. What does not apply to a call is an error, never ignored; open_or_create uses those
 *  for creating only when it creates. */
typedef struct shmkit_segment_options {
  /** SHMKIT_READONLY and so on, or-ed. */
  uint32_t flags;
  /** create: permission bits, applied exactly, whatever the umask. 0 means 0600. */
  uint32_t mode;
  /** create: a shmkit_lifetime. Opening takes it from the segment. */
  uint32_t lifetime;
  /** create, memfd: SHMKIT_SEAL_* to set, or-ed. SHMKIT_SEAL_WRITE makes the segment read-only for
   *  its creator too, with what `content` says inside. */
  uint32_t seals;
  /** create, open: bytes of address space to map; 0 means the size. Values below the size mean the
   *  size. Not for System V and huge pages, whose mappings cannot reach beyond the end. */
  uint64_t capacity;
  /** create: bytes to put at offset 0 before the name appears; may be NULL. Read during the call. */
  const void *content;
  /** Length of `content`, at most the segment's size. */
  size_t content_size;
} shmkit_segment_options;

/** Initialiser with the defaults. */
#define SHMKIT_SEGMENT_OPTIONS_INIT {0, 0, SHMKIT_PERSISTENT, 0, 0, NULL, 0}

/** Elements of one type in a segment's memory; see shmkit_segment_view. */
typedef struct shmkit_span {
  /** The first element; in read-only memory writing to it raises SIGSEGV. */
  void *data;
  /** Number of elements. */
  uint64_t count;
} shmkit_span;

/** As the `count` of shmkit_segment_view: as many as fit. */
#define SHMKIT_REST UINT64_MAX

/** Who made a segment, as its maker wrote it down: provenance, not proof. */
typedef struct shmkit_creator {
  /** Process ID, in the PID namespace named below. */
  int64_t pid;
  /** Start of that process in clock ticks since boot, to tell it from a later one with the same
   *  PID; 0 when unknown. */
  uint64_t start;
  /** Inode of its PID namespace; 0 when unknown. */
  uint64_t pid_namespace;
  /** Boot identifier of the machine's run; "" when unknown. */
  char boot[40];
  /** Name of the program, at most 15 bytes; "" when unknown. */
  char program[16];
} shmkit_creator;

/**
 * Create a segment; fails when the address exists.
 *
 * @param size     bytes, at least 1.
 * @param options  see shmkit_segment_options; NULL for the defaults.
 * @param out      the segment, to be ended with shmkit_segment_free.
 * @return 0; -EEXIST; -ENOSPC or -ENOMEM when there is no room, with the limit in the message;
 *         -EACCES; -EINVAL or -ENAMETOOLONG for an address, size or option that cannot be;
 *         SHMKIT_ERR_UNSUPPORTED for an option that this kind of segment does not have; other
 *         errno values of the system.
 * Concurrency: any thread; of many processes creating one address, one succeeds.
 */
SHMKIT_API shmkit_status shmkit_segment_create(const char *address, uint64_t size,
                                               const shmkit_segment_options *options,
                                               shmkit_segment **out);

/**
 * Open an existing segment.
 *
 * @param options  see shmkit_segment_options; NULL for the defaults.
 * @param out      the segment, to be ended with shmkit_segment_free.
 * @return 0; -ENOENT; -EACCES (also for a foreign owner, see SHMKIT_ANY_OWNER, and for a descriptor
 *         that does not allow writing); -ELOOP for a symbolic link and SHMKIT_ERR_INCOMPATIBLE for a
 *         directory, fifo, socket or device in place of a segment; SHMKIT_ERR_TRUNCATED for one of
 *         0 bytes, unless a capacity is given; -EINTR when a signal came while waiting for a holder
 *         of a lease; -EBUSY when somebody holds a lease or, of a Last segment, a lock and does not
 *         go on; others as for create.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_open(const char *address,
                                             const shmkit_segment_options *options,
                                             shmkit_segment **out);

/**
 * Open a segment, or create it when there is none; shmkit_segment_created tells which.
 *
 * Many processes may do so at once on one address: one creates, the others get its segment, and no
 * call fails because others reserve room for the same segment meanwhile. For that, creators of files
 * of 1 MiB or more in one directory take turns by a flock on it; one waits at most 10 seconds for the
 * others, and 2 seconds for somebody who holds the lock and does nothing.
 *
 * @param size  bytes; an existing segment may be larger.
 * @return as create and open; SHMKIT_ERR_INCOMPATIBLE when it exists and is smaller; -EBUSY when
 *         others create and remove it so fast that it could not be caught; -EINTR when a signal came
 *         while waiting for others.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_segment_open_or_create(const char *address, uint64_t size,
                                                       const shmkit_segment_options *options,
                                                       shmkit_segment **out);

/**
 * Remove the name of a segment: posix, file, and sysv, where the system marks the segment for
 * removal. Whoever has it open keeps the memory. Nobody is asked whether they do: shmkit_remove, in
 * <shmkit/inspect.h>, removes only what nobody uses.
 *
 * @return 0; -ENOENT; -EACCES or -EPERM; -ELOOP or SHMKIT_ERR_INCOMPATIBLE when something else is in
 *         its place, which is left alone; SHMKIT_ERR_UNSUPPORTED for memfd and fd, which have no
 *         name; -EBUSY when another process holds the removal lock and does not go on.
 * Concurrency: any thread, any number of processes: a name that another process has just created
 *         anew is never removed in place of the one that was found.
 */
SHMKIT_API shmkit_status shmkit_unlink(const char *address);

/**
 * Remove this segment's name. Done at once when the name is gone already or leads to another
 * segment by now; works on a closed segment too, though on a disk, where inode numbers are used
 * again, only an open one is known for certain.
 *
 * @return as shmkit_unlink, without -ENOENT.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_segment_unlink(shmkit_segment *self);

/**
 * End the use of a segment: every later call on it that needs the memory fails with
 * SHMKIT_ERR_CLOSED. Nothing happens when it is closed already.
 *
 * The mapping and the descriptor go at once or, when the segment is pinned, with the last unpin.
 * Names go as the segment's lifetime says.
 *
 * Concurrency: any thread; calls in other threads finish or fail with SHMKIT_ERR_CLOSED. Pointers
 *         into unpinned memory are invalid afterwards.
 */
SHMKIT_API void shmkit_segment_close(shmkit_segment *self);

/**
 * Close a segment and free the object. NULL is allowed. Must not be pinned.
 *
 * Concurrency: no other call on this object may be under way or follow.
 */
SHMKIT_API void shmkit_segment_free(shmkit_segment *self);

/**
 * Keep the mapping, even across a close, until shmkit_segment_unpin is called as often.
 *
 * @return 0; SHMKIT_ERR_CLOSED.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_pin(shmkit_segment *self);

/**
 * Take one pin back; the last one on a closed segment unmaps it.
 *
 * Concurrency: any thread.
 */
SHMKIT_API void shmkit_segment_unpin(shmkit_segment *self);

/** How many pins there are. Concurrency: any thread; the answer may be old at once. */
SHMKIT_API uint32_t shmkit_segment_pins(const shmkit_segment *self);

/**
 * The address in canonical form, which opens the same segment wherever such addresses do:
 * "posix:/frames", "sysv:0x5eed", "sysv:id=42", "memfd:frames", "fd:7", "file:/absolute/path".
 *
 * Concurrency: any thread; never changes, also valid on a closed segment.
 */
SHMKIT_API const char *shmkit_segment_address(const shmkit_segment *self);

/**
 * The address without its scheme: "frames", "0x5eed", "id=42", "7", "/absolute/path".
 *
 * Concurrency: any thread; never changes, also valid on a closed segment.
 */
SHMKIT_API const char *shmkit_segment_name(const shmkit_segment *self);

/** The kind of its address. Concurrency: any thread; never changes. */
SHMKIT_API shmkit_kind shmkit_segment_kind(const shmkit_segment *self);

/** The name of a kind as in addresses, "posix"; "?" for none. Concurrency: any thread. */
SHMKIT_API const char *shmkit_kind_name(shmkit_kind kind);

/** When its name goes. Concurrency: any thread; never changes. */
SHMKIT_API shmkit_lifetime shmkit_segment_lifetime(const shmkit_segment *self);

/** The name of a lifetime, "persistent", "creator", "last"; "?" for none.
 *  Concurrency: any thread. */
SHMKIT_API const char *shmkit_lifetime_name(shmkit_lifetime lifetime);

/** Accessible bytes; see SIZE AND CAPACITY. 0 when closed.
 *  Concurrency: any thread; changes by refresh and grow. */
SHMKIT_API size_t shmkit_segment_size(const shmkit_segment *self);

/** Mapped bytes of address space, at least the size. 0 when closed. Concurrency: any thread. */
SHMKIT_API size_t shmkit_segment_capacity(const shmkit_segment *self);

/** Whether the mapping is read-only. Concurrency: any thread; never changes. */
SHMKIT_API bool shmkit_segment_readonly(const shmkit_segment *self);

/** Whether this object created the segment. Concurrency: any thread; never changes. */
SHMKIT_API bool shmkit_segment_created(const shmkit_segment *self);

/** Whether it was closed. Concurrency: any thread. */
SHMKIT_API bool shmkit_segment_closed(const shmkit_segment *self);

/**
 * The first byte of the memory; NULL when closed, even while pinned. Page-aligned.
 *
 * @return memory of the segment, valid until it is closed and unpinned; it never moves.
 * Concurrency: any thread. Ordering the accesses of several threads or processes to the memory
 *         is up to them.
 */
SHMKIT_API void *shmkit_segment_data(const shmkit_segment *self);

/**
 * Elements of one type in place, checked against the size.
 *
 * @param offset  in bytes, a multiple of the type's size.
 * @param count   in elements; SHMKIT_REST for as many as fit.
 * @return 0; SHMKIT_ERR_CLOSED; SHMKIT_ERR_RANGE when they reach beyond the size; -EINVAL for a
 *         misaligned offset or no type.
 * Concurrency: any thread; as for shmkit_segment_data.
 */
SHMKIT_API shmkit_status shmkit_segment_view(const shmkit_segment *self, shmkit_type type,
                                             uint64_t offset, uint64_t count, shmkit_span *out);

/**
 * Copy bytes out of the segment. Cannot raise SIGBUS.
 *
 * @param buffer  gets `length` bytes from `offset` on; undefined after a failure.
 * @return 0; SHMKIT_ERR_CLOSED; SHMKIT_ERR_RANGE when they reach beyond the size;
 *         SHMKIT_ERR_TRUNCATED when another process took them away.
 * Concurrency: any thread. Copies what is there while others write: not a consistent state.
 */
SHMKIT_API shmkit_status shmkit_segment_read(shmkit_segment *self, uint64_t offset, void *buffer,
                                             size_t length);

/**
 * Copy bytes into the segment. Cannot raise SIGBUS and never changes the size; where the system does
 * not permit process_vm_readv, a file that a peer truncates at that moment may become longer again.
 *
 * @param bytes  may be the segment's own memory.
 * @return as shmkit_segment_read; -EACCES on a read-only segment; -ENOSPC when a sparse segment
 *         gets no room, and then a part may have been written.
 * Concurrency: any thread. Not atomic for readers.
 */
SHMKIT_API shmkit_status shmkit_segment_write(shmkit_segment *self, uint64_t offset,
                                              const void *bytes, size_t length);

/**
 * Ask the kernel for the size again, which other processes may have changed. Never tells more than
 * the capacity of this mapping: to follow growth, open with one.
 *
 * @return 0; SHMKIT_ERR_CLOSED; -ESTALE when somebody closed the segment's descriptor and the
 *         address does not lead to it any more.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_refresh(shmkit_segment *self);

/**
 * Grow to at least `size` bytes, in place. The new bytes are zero and their room is reserved
 * (except with SHMKIT_SPARSE); all or nothing, except that with SHMKIT_LOCK it has grown when only
 * locking the new bytes is refused. Nothing happens when it is that large already.
 *
 * @param size  bytes, at most the capacity.
 * @return 0; SHMKIT_ERR_CLOSED; SHMKIT_ERR_RANGE beyond the capacity; -ENOSPC or -ENOMEM;
 *         -EACCES on a read-only segment; -EPERM when sealed; SHMKIT_ERR_UNSUPPORTED for System V
 *         and huge pages; -EBUSY when another process grows it and does not go on.
 * Concurrency: any thread, any number of processes.
 */
SHMKIT_API shmkit_status shmkit_segment_grow(shmkit_segment *self, uint64_t size);

/**
 * The segment's descriptor.
 *
 * @param out  stays the segment's: valid until it is closed; do not close it, duplicate it.
 * @return 0; SHMKIT_ERR_CLOSED; SHMKIT_ERR_UNSUPPORTED for System V; -ESTALE when somebody closed
 *         it and it could not be opened again.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_fileno(shmkit_segment *self, int *out);

/**
 * Add seals to a memfd.
 *
 * @param seals  SHMKIT_SEAL_*, or-ed.
 * @return 0; -EPERM when it was sealed with SHMKIT_SEAL_SEAL or is read-only; -EBUSY for
 *         SHMKIT_SEAL_WRITE while a writable mapping exists; SHMKIT_ERR_UNSUPPORTED for anything
 *         but a memfd; as fileno.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_seal(shmkit_segment *self, uint32_t seals);

/**
 * The seals of a memfd.
 *
 * @param out  SHMKIT_SEAL_*, or-ed; others that the kernel knows may be among them.
 * @return 0; SHMKIT_ERR_UNSUPPORTED for anything but a memfd; as fileno.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_seals(shmkit_segment *self, uint32_t *out);

/**
 * Who made the segment. Kept in the extended attribute "user.shmkit.creator" where the file system
 * takes one (tmpfs: since Linux 6.6); System V knows the process ID only, which may have been
 * reused since.
 *
 * @return 0; -ENOENT when nothing was written down; SHMKIT_ERR_UNSUPPORTED where nothing can be;
 *         SHMKIT_ERR_CORRUPT when it makes no sense; as fileno.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_segment_creator(shmkit_segment *self, shmkit_creator *out);

/**
 * Send the segment's descriptor over a connected Unix socket, as SCM_RIGHTS beside one byte 's'.
 * What is sent is opened anew, so that no locks are shared with the receiver.
 *
 * @param flags  0, or SHMKIT_READONLY to send a descriptor that can only read. A receiver of the
 *               same user can still open it for writing through /proc; seal what must not change.
 * @return 0; SHMKIT_AGAIN when a non-blocking socket has no room; -EINTR; -EPIPE when nobody is
 *         there; SHMKIT_ERR_UNSUPPORTED for System V: send the address "sysv:id=..." instead;
 *         as fileno; errors of sendmsg.
 * Concurrency: any thread. May block, as the socket does.
 */
SHMKIT_API shmkit_status shmkit_segment_send(shmkit_segment *self, int socket, uint32_t flags);

/**
 * Receive a descriptor from a Unix socket, from shmkit_segment_send or any program that sends one
 * descriptor beside one byte, and open it. The segment's address is "fd:N". After a failure, what came
 * is closed, and the other side has to send again.
 *
 * @param options  as for open.
 * @param out      the segment, to be ended with shmkit_segment_free.
 * @return 0; SHMKIT_AGAIN on a non-blocking socket; -EINTR; -ECONNRESET when the peer is gone;
 *         SHMKIT_ERR_CORRUPT when what came is not one byte with one descriptor; as open.
 * Concurrency: any thread. May block, as the socket does.
 */
SHMKIT_API shmkit_status shmkit_segment_receive(int socket, const shmkit_segment_options *options,
                                                shmkit_segment **out);

SHMKIT_END_DECLS

#endif
