/* SPDX-License-Identifier: MIT */
/*
 * What shmkit needs of an operating system and cannot have everywhere in the same way: one contract,
 * implemented by one folder per system, chosen by CMake. Above it there are a few flags and calls that
 * Linux has beyond POSIX (O_PATH, extended attributes, SHM_HUGETLB), but no algorithm with an #ifdef.
 *
 * Functions return 0 or a negated errno value and make no messages: only the caller knows what the
 * user was trying to do. None of them is interrupted by signals except where it says so.
 */
#ifndef SHMKIT_SRC_OS_H
#define SHMKIT_SRC_OS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <shmkit/inspect.h>
#include <shmkit/limits.h>
#include <shmkit/segment.h>

/* ---- Files ---------------------------------------------------------------------------------- */

/* Where POSIX shared memory objects are files. */
#define SHMKIT__POSIX_DIRECTORY "/dev/shm"

/* A new file on its way to a name: between begin and publish, nobody can find it. */
struct shmkit__draft {
  int fd;
  /* The hidden name that it has where files cannot be nameless; "" otherwise. */
  char hidden[64];
  /* As fstat says when it is made. */
  struct stat status;
};

/* Make an empty, nameless, readable and writable file in the directory of `path`, with exactly
 * these permission bits. On success draft->fd is open, and the caller's to close. */
int shmkit__os_draft_begin(const char *path, mode_t mode, struct shmkit__draft *draft);

/* Give the draft its name, atomically: -EEXIST when the name is taken. The descriptor stays open
 * either way. */
int shmkit__os_draft_publish(const char *path, struct shmkit__draft *draft);

/* Leave no name of an unpublished draft behind. The descriptor stays open. */
void shmkit__os_draft_abandon(const char *path, struct shmkit__draft *draft);

/* An anonymous file with exactly these permission bits that accepts seals; huge pages when asked.
 * -EINVAL: the name is too long. */
int shmkit__os_anonymous(const char *name, mode_t mode, bool huge_pages, int *fd);

/* Open a file without waiting, never as 0, 1 or 2: where a program has closed those, what it prints
 * would land in the segment. -errno, or the descriptor. */
int shmkit__os_open(const char *path, int flags, mode_t mode);

/*
 * Mark a description as made by shmkit, in a way that programs do not meet by chance or by what they
 * do with descriptors. Whoever shares the description shares the mark.
 */
void shmkit__os_mark(int fd);
bool shmkit__os_is_marked(int fd);

/* Open the file behind `fd` anew, so that the two share no locks. Needs the file's permissions.
 * -ENOSYS where /proc is missing. */
int shmkit__os_reopen(int fd, int flags, int *out);

/* The path by which the file behind `fd` was opened; one that it got since is not known. */
int shmkit__os_path_of(int fd, char *path, size_t size);

/* Make the pages of [from, to) exist, and unless `keep_size`, the file at least `to` long. On
 * failure some of them may stay. Returns -EINTR only when signals come so fast that there is no
 * progress. */
int shmkit__os_reserve(int fd, uint64_t from, uint64_t to, bool keep_size);

/* Extend the file to `size` without reserving more than its last page; never shortens it. */
int shmkit__os_extend(int fd, uint64_t size);

/* Give the pages of [from, to) back; they read as zero afterwards. */
void shmkit__os_discard(int fd, uint64_t from, uint64_t to);

/* Add and ask for seals, SHMKIT_SEAL_*: -EINVAL when the file cannot have any. */
int shmkit__os_seal(int fd, uint32_t seals);
int shmkit__os_seals(int fd, uint32_t *out);

/* The size of the huge pages that the file consists of, 0 for ordinary memory. */
uint64_t shmkit__os_huge_page_size(int fd, const struct stat *status);

/* Whether `fd`'s pages live in memory and swap alone, so that the memory limits apply. */
bool shmkit__os_in_memory(int fd);

/* ---- Locks ---------------------------------------------------------------------------------- */

/*
 * Locks on single bytes far beyond the end of any file. They belong to the open file description:
 * the kernel drops them when the last descriptor and mapping of it are gone, however that comes.
 * Two descriptions exclude each other even in one process; a forked child shares its parent's.
 */
enum shmkit__byte {
  /* Exclusive while a name of the file is being removed. */
  SHMKIT__BYTE_REMOVAL,
  /* Shared by everybody who has a Last segment open; exclusive by who removes it. */
  SHMKIT__BYTE_PRESENCE,
  /* Exclusive while the file is grown. */
  SHMKIT__BYTE_GROWTH
};
enum shmkit__lock { SHMKIT__UNLOCKED, SHMKIT__SHARED, SHMKIT__EXCLUSIVE };

/* Set the lock of this description on a byte, without waiting: -EAGAIN when others are in the way,
 * -EBADF when the descriptor does not allow that lock (exclusive needs writing). */
int shmkit__os_lock(int fd, enum shmkit__byte byte, enum shmkit__lock lock);

/*
 * The identity of a thread: a random number from 1 to SHMKIT__IDENTITY_MAX whose own byte, beyond
 * those above, is locked. `fd` is open for writing and its description nobody else's; it becomes
 * the identity's, which lives while `*pin`, a mapping without access that forked children do not
 * get, exists. The descriptor itself is the caller's to close. `huge_page` is
 * the size of the file's pages, 0 for ordinary ones.
 */
enum { SHMKIT__IDENTITY_MAX = (1 << 30) - 1 };
int shmkit__os_identity_take(int fd, uint64_t huge_page, uint32_t *identity, void **pin);
void shmkit__os_identity_return(void *pin, uint64_t huge_page);

/* Whether somebody has this identity: 1, 0, or a negated errno value. `fd` is any description of the
 * file but the identity's own. */
int shmkit__os_identity_lives(int fd, uint32_t identity);

/* A word that is not 0, and becomes 0 in a forked child until that sets it. NULL: no memory. */
_Atomic uint32_t *shmkit__os_fork_detector(void);

/* Whether an exclusive lock on the byte would meet somebody else's lock. -1: cannot tell. */
int shmkit__os_is_locked(int fd, enum shmkit__byte byte);

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Sleep while the word, in shared memory that may be read-only, is `expected`, for so many
 * nanoseconds at most. 0: look again, for whatever reason; -EINTR: a signal came. */
int shmkit__os_wait(const _Atomic uint32_t *word, uint32_t expected, uint64_t nanoseconds);

/* Wake so many of those who sleep on the word. What the caller made of the word before is seen by all
 * who are about to sleep: that needs no fence of his. */
void shmkit__os_wake(_Atomic uint32_t *word, uint32_t count);

/* A word and what it is expected to be. */
struct shmkit__expectation {
  const _Atomic uint32_t *word;
  uint32_t expected;
};
enum { SHMKIT__WAIT_ANY_MAX = 128 };

/* As shmkit__os_wait, until the first of at most SHMKIT__WAIT_ANY_MAX words changes and is woken.
 * -ENOSYS where the system cannot. */
int shmkit__os_wait_any(const struct shmkit__expectation words[], size_t count,
                        uint64_t nanoseconds);

/* A descriptor that is readable from a ring to the next read of 8 bytes. A program may close it, and
 * get its number for a file of its own: that is no bell, and left alone. */
int shmkit__os_bell(int *out);
bool shmkit__os_is_bell(int fd);
void shmkit__os_ring(int fd);
void shmkit__os_bell_end(int fd);

/* Whether something may change while a thread of this process spins. */
enum shmkit__spinning {
  /* There is one CPU: no. */
  SHMKIT__SPINNING_IS_VAIN,
  /* This process was bound to one CPU when it first asked: if who changes it is not bound to the
   * same. */
  SHMKIT__SPINNING_MAY_PAY,
  SHMKIT__SPINNING_PAYS
};
enum shmkit__spinning shmkit__os_spinning(void);

/* ---- Memory --------------------------------------------------------------------------------- */

/* Copy without SIGBUS or SIGSEGV: -EFAULT when a page is not there. -EPERM or -ENOSYS where the
 * system does not allow it. `to` or `from` may be in a mapping whose file was truncated. */
int shmkit__os_copy(void *to, const void *from, size_t length);

/* Make the page tables of [memory, memory + size) now. -EFAULT: a page is not there. */
int shmkit__os_populate(void *memory, size_t size, bool writable);

/* A limit on memory that is enforced by killing. */
struct shmkit__ceiling {
  uint64_t limit;     /* bytes in all, of the machine with swap; UINT64_MAX when there is none */
  uint64_t used;      /* bytes, without what the kernel can reclaim */
  uint64_t available; /* bytes that can still be used, with swap; UINT64_MAX without a limit */
  uint64_t swap;      /* of the machine: how much of the limit is swap */
  const char *source; /* the file it was read from */
  bool is_machine;    /* not a control group */
};
typedef void shmkit__ceiling_visit(const struct shmkit__ceiling *ceiling, void *context);

/* Tell all that hold for this process: the machine's, and those of its memory control groups from
 * its own upwards, also groups without a limit. What cannot be read is left out. */
void shmkit__os_memory_ceilings(shmkit__ceiling_visit *each, void *context);

/* Which limit leaves least room for memory. */
struct shmkit__memory_room {
  uint64_t available; /* bytes that can still be used, counting what the kernel can reclaim */
  uint64_t limit;     /* bytes in all */
  char what[256];     /* what sets the limit, in words with its file */
};

/* How much memory this process may still use: the tightest of its control groups and the machine.
 * False when nothing can be read. Using more gets the process killed, not an error. */
bool shmkit__os_memory_room(struct shmkit__memory_room *out);

/* ---- Process -------------------------------------------------------------------------------- */

/* Whether this process has more than one thread. */
bool shmkit__os_has_threads(void);

/* Who this process is, for the creator stamp. What cannot be had is 0 or "". */
void shmkit__os_self(shmkit_creator *out);

/* What is known of any process. */
struct shmkit__process {
  uint64_t start;  /* clock ticks since boot */
  int64_t started; /* the same in nanoseconds since 1970 */
  uint32_t uid;
  char program[16];
};

/* -ESRCH: it does not run any more, or is a zombie. Others: it cannot be told. */
int shmkit__os_process(int64_t pid, struct shmkit__process *out);

/* Whether PIDs as the system lists them are PIDs as this process sees them. */
bool shmkit__os_pids_are_ours(void);

/* ---- Looking around --------------------------------------------------------------------------- */

struct shmkit__entry;

/*
 * These enter what there is into a listing, through listing.h, and change nothing they look at: no
 * file is opened, mapped or leased. What cannot be found out stays unknown.
 */

/* Whether the machine has nothing in swap, so that what has room is in memory. */
bool shmkit__os_nothing_is_swapped(void);

/* The files where POSIX shared memory lives; those that are not regular are not segments. */
int shmkit__os_survey_names(shmkit_listing *listing);

/* Who made an entry with a name, by its stamp. */
void shmkit__os_find_creator(struct shmkit__entry *entry);

/* System V segments of this IPC namespace. */
int shmkit__os_survey_sysv(shmkit_listing *listing);

/* Who maps what; adds what has no name. Counts processes that may not be looked at. */
void shmkit__os_survey_processes(shmkit_listing *listing);

/* How many locks are held on each file, and that this was found out. */
void shmkit__os_survey_locks(shmkit_listing *listing);

/* Enter the file at `path` (or the open `fd`, where path is NULL) and tell its status, and the entry
 * when it is a regular file. -EMLINK: not regular. */
int shmkit__os_survey_file(shmkit_listing *listing, const char *path, int fd, bool follow,
                           struct stat *status, struct shmkit__entry **out);

/* Open what an entry is about for reading, by whatever way there is, so that reading changes no time of
 * access where that is permitted. A descriptor, or a negated errno value: -ENOENT when there is no way,
 * or it leads to something else by now. */
int shmkit__os_open_entry(const struct shmkit__entry *entry);

/* What only an open file tells; `fd` is open for reading. */
void shmkit__os_examine(int fd, struct shmkit__entry *entry);

/* Whether reading through it leaves no trace in the time of access. */
bool shmkit__os_reads_untraced(int fd);

/* The next stretch of pages at or behind `from`; false: there is none, or it cannot be told. */
bool shmkit__os_next_extent(int fd, uint64_t from, uint64_t *start, uint64_t *end);

/* ---- Limits ----------------------------------------------------------------------------------- */

/* Enter every ceiling on shared memory that holds for this process, through limit.h. */
void shmkit__os_survey_limits(shmkit_limits *limits);

/* ---- Leases ----------------------------------------------------------------------------------- */

/*
 * Ask to be the only one who has the file open, by any description or mapping, in any container.
 * While granted, others who open it wait until the lease is returned or, after a time that the
 * system sets, taken away. -EAGAIN: others have it open. -EACCES: not permitted. -EINVAL: cannot be.
 * `fd` must be the only descriptor of its description, and this process have no other of the file.
 */
int shmkit__os_lease(int fd);

/* Whether it is still held and nobody waits for it. */
bool shmkit__os_lease_is_whole(int fd);

void shmkit__os_lease_return(int fd);

#endif
