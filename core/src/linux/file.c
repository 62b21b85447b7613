/* SPDX-License-Identifier: MIT */
/* Linux: files without a name, room, seals, and locks of open file descriptions. See os.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "os.h"

/* From <linux/magic.h> and <linux/memfd.h>, which not every libc comes with. */
enum { TMPFS = 0x01021994 };
static const uint32_t ramfs_magic = 0x858458f6U;
static const uint32_t hugetlbfs_magic = 0x958458f6U;
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif

enum { SELF_FD_SIZE = sizeof "/proc/self/fd/" + 11 };

static void self_fd_path(int fd, char path[SELF_FD_SIZE]) {
  (void)snprintf(path, SELF_FD_SIZE, "/proc/self/fd/%d", fd);
}

/* ---- Descriptors ---------------------------------------------------------------------------- */

/* The same description as a number above those of the standard streams. */
static int above_streams(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int error = errno;
  (void)close(fd);
  errno = error;
  return higher;
}

int shmkit__os_open(const char *path, int flags, mode_t mode) {
  int fd = -1;
  do {
    fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
  } while (fd < 0 && errno == EINTR);
  fd = above_streams(fd);
  return fd < 0 ? -errno : fd;
}

/* Signals for O_ASYNC, which is not set: they belong to the description and mean nothing else. One is
 * for files, one for bells. */
static int mark(void) {
  return SIGRTMAX - 1;
}

static int bell_mark(void) {
  return SIGRTMAX - 2;
}

void shmkit__os_mark(int fd) {
  (void)fcntl(fd, F_SETSIG, mark());
}

bool shmkit__os_is_marked(int fd) {
  return fcntl(fd, F_GETSIG) == mark();
}

int shmkit__os_bell(int *out) {
  *out = above_streams(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (*out < 0) return -errno;
  (void)fcntl(*out, F_SETSIG, bell_mark());
  return 0;
}

bool shmkit__os_is_bell(int fd) {
  return fcntl(fd, F_GETSIG) == bell_mark();
}

void shmkit__os_ring(int fd) {
  const uint64_t one = 1;
  /* Full means that it rings already. */
  if (shmkit__os_is_bell(fd)) (void)!write(fd, &one, sizeof one);
}

void shmkit__os_bell_end(int fd) {
  if (shmkit__os_is_bell(fd)) (void)close(fd);
}

/* ---- Drafts --------------------------------------------------------------------------------- */

/* `name` in the directory of `path`. */
static int sibling_path(const char *path, const char *name, char out[static PATH_MAX]) {
  const char *slash = strrchr(path, '/');
  size_t directory = slash == NULL ? 0 : (size_t)(slash - path) + 1;
  if (directory + strlen(name) >= PATH_MAX) return -ENAMETOOLONG;
  memcpy(out, path, directory);
  strcpy(out + directory, name);
  return 0;
}

/* For file systems without nameless files: a name that nobody else guesses or looks for. */
static int begin_hidden(const char *path, mode_t mode, struct shmkit__draft *draft) {
  for (int attempt = 0; attempt < 16; attempt++) {
    uint64_t random = 0;
    char hidden[PATH_MAX];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) return -errno;
    (void)snprintf(draft->hidden, sizeof draft->hidden, ".shmkit-%016llx",
                   (unsigned long long)random);
    int error = sibling_path(path, draft->hidden, hidden);
    if (error != 0) return error;
    draft->fd = shmkit__os_open(hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (draft->fd >= 0) return 0;
    if (draft->fd != -EEXIST) return draft->fd;
  }
  return -EEXIST;
}

static int begin_nameless(const char *path, mode_t mode, struct shmkit__draft *draft) {
  char directory[PATH_MAX];
  int error = sibling_path(path, ".", directory);
  if (error != 0) return error;
  draft->hidden[0] = '\0';
  draft->fd = shmkit__os_open(directory, O_TMPFILE | O_RDWR, mode);
  return draft->fd < 0 ? draft->fd : 0;
}

void shmkit__os_draft_abandon(const char *path, struct shmkit__draft *draft) {
  char hidden[PATH_MAX];
  if (draft->hidden[0] == '\0') return;
  if (sibling_path(path, draft->hidden, hidden) == 0) (void)unlink(hidden);
  draft->hidden[0] = '\0';
}

int shmkit__os_draft_begin(const char *path, mode_t mode, struct shmkit__draft *draft) {
  int error = begin_nameless(path, mode & 0777, draft);
  /* EISDIR: what a file system says that takes O_TMPFILE for opening the directory. */
  if (error == -EOPNOTSUPP || error == -EISDIR || error == -EINVAL) {
    error = begin_hidden(path, mode & 0777, draft);
  }
  if (error != 0) return error;
  /* The umask has taken its part of the mode, and the sticky bit cannot be given to open. */
  if (fstat(draft->fd, &draft->status) != 0) goto fail;
  if ((draft->status.st_mode & 07777) != mode) {
    if (fchmod(draft->fd, mode) != 0 || fstat(draft->fd, &draft->status) != 0) goto fail;
  }
  return 0;
fail:
  error = -errno;
  shmkit__os_draft_abandon(path, draft);
  (void)close(draft->fd);
  return error;
}

static int publish_hidden(const char *path, struct shmkit__draft *draft) {
  char hidden[PATH_MAX];
  int error = sibling_path(path, draft->hidden, hidden);
  if (error == 0 && link(hidden, path) != 0) error = -errno;
  shmkit__os_draft_abandon(path, draft);
  return error;
}

int shmkit__os_draft_publish(const char *path, struct shmkit__draft *draft) {
  if (draft->hidden[0] != '\0') return publish_hidden(path, draft);
  if (linkat(draft->fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0) return 0;
  if (errno == EEXIST) return -EEXIST;
  /* Before Linux 6.10 the empty path needs a capability; this does the same with /proc. */
  char self[SELF_FD_SIZE];
  self_fd_path(draft->fd, self);
  return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* ---- Other ways to a descriptor ------------------------------------------------------------- */

int shmkit__os_anonymous(const char *name, mode_t mode, bool huge_pages, int *fd) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge_pages ? MFD_HUGETLB : 0U);
  /* Sealed against being executed, unless that is what the mode asks for. */
  *fd = memfd_create(name, flags | (mode & 0111 ? MFD_EXEC : MFD_NOEXEC_SEAL));
  /* Before Linux 6.3 these flags are unknown. */
  if (*fd < 0 && errno == EINVAL) *fd = memfd_create(name, flags);
  *fd = above_streams(*fd);
  if (*fd < 0) return -errno;
  if (fchmod(*fd, mode) == 0) return 0;
  int error = -errno;
  (void)close(*fd);
  return error;
}

int shmkit__os_reopen(int fd, int flags, int *out) {
  char self[SELF_FD_SIZE];
  self_fd_path(fd, self);
  *out = shmkit__os_open(self, flags, 0);
  if (*out >= 0) return 0;
  return *out == -ENOENT ? -ENOSYS : *out;
}

int shmkit__os_path_of(int fd, char *path, size_t size) {
  char self[SELF_FD_SIZE];
  self_fd_path(fd, self);
  ssize_t length = readlink(self, path, size);
  if (length < 0) return -errno;
  if ((size_t)length >= size) return -ENAMETOOLONG;
  path[length] = '\0';
  return 0;
}

/* ---- Room ----------------------------------------------------------------------------------- */

/*
 * A signal makes fallocate undo everything it has done in that call. In pieces there is progress,
 * and smaller pieces after each interruption get through between the ticks of a profiler.
 */
int shmkit__os_reserve(int fd, uint64_t from, uint64_t to, bool keep_size) {
  struct rlimit limit;
  /* Beyond this limit the kernel does not only refuse, it sends SIGXFSZ, which kills. */
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && to > limit.rlim_cur) return -EFBIG;
  const uint64_t smallest = UINT64_C(64) << 10;
  uint64_t piece = UINT64_C(16) << 20;
  int interruptions = 0;
  while (from < to) {
    uint64_t length = to - from < piece ? to - from : piece;
    if (fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, (off_t)from, (off_t)length) == 0) {
      from += length;
      interruptions = 0;
    } else if (errno != EINTR) {
      return -errno;
    } else {
      if (piece > smallest) piece /= 2;
      if (++interruptions > 1000) return -EINTR;
    }
  }
  return 0;
}

int shmkit__os_extend(int fd, uint64_t size) {
  return shmkit__os_reserve(fd, size - 1, size, false);
}

void shmkit__os_discard(int fd, uint64_t from, uint64_t to) {
  if (from >= to) return;
  (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
}

/* ---- Properties ----------------------------------------------------------------------------- */

int shmkit__os_seal(int fd, uint32_t seals) {
  return fcntl(fd, F_ADD_SEALS, (int)seals) == 0 ? 0 : -errno;
}

int shmkit__os_seals(int fd, uint32_t *out) {
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return -errno;
  *out = (uint32_t)seals;
  return 0;
}

uint64_t shmkit__os_huge_page_size(int fd, const struct stat *status) {
  struct statfs file_system;
  /* hugetlbfs reports its page size here; asking for the file system costs a system call more. */
  if (status->st_blksize < (64 << 10)) return 0;
  if (fstatfs(fd, &file_system) != 0) return 0;
  return (uint32_t)file_system.f_type == hugetlbfs_magic ? (uint64_t)status->st_blksize : 0;
}

bool shmkit__os_in_memory(int fd) {
  struct statfs file_system;
  if (fstatfs(fd, &file_system) != 0) return false;
  return (uint32_t)file_system.f_type == TMPFS || (uint32_t)file_system.f_type == ramfs_magic;
}

/* ---- Locks ---------------------------------------------------------------------------------- */

static struct flock byte_lock(enum shmkit__byte byte, short type) {
  /* Half of the largest offset: no file reaches there. */
  const int64_t base = INT64_C(1) << 62;
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = base + byte, .l_len = 1};
}

int shmkit__os_lock(int fd, enum shmkit__byte byte, enum shmkit__lock lock) {
  static const short types[] = {F_UNLCK, F_RDLCK, F_WRLCK};
  struct flock wanted = byte_lock(byte, types[lock]);
  if (fcntl(fd, F_OFD_SETLK, &wanted) == 0) return 0;
  return errno == EACCES ? -EAGAIN : -errno;
}

int shmkit__os_is_locked(int fd, enum shmkit__byte byte) {
  struct flock probe = byte_lock(byte, F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &probe) != 0) return -1;
  return probe.l_type != F_UNLCK;
}
