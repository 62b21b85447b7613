/* SPDX-License-Identifier: MIT */
/* Sleeping on a word of shared memory, and who is alive. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "look.h"
#include "os.h"

/* ---- Words ---------------------------------------------------------------------------------- */

/* Not FUTEX_PRIVATE_FLAG: other processes are meant. The time is in the kernel's own struct, which is
 * not libc's where that has moved on to 64 bits. */
#ifdef SYS_futex_time64
enum { FUTEX = SYS_futex_time64 };
#else
enum { FUTEX = SYS_futex };
#endif
/* <linux/futex.h> is not there for every libc. */
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1 };
struct kernel_time {
  int64_t seconds, nanoseconds;
};

int shmkit__os_wait(const _Atomic uint32_t *word, uint32_t expected, uint64_t nanoseconds) {
  struct kernel_time time = {.seconds = (int64_t)(nanoseconds / 1000000000U),
                             .nanoseconds = (int64_t)(nanoseconds % 1000000000U)};
  if (syscall(FUTEX, word, FUTEX_WAIT, expected, &time, NULL, 0) == 0) return 0;
  return errno == EINTR ? -EINTR : 0;
}

void shmkit__os_wake(_Atomic uint32_t *word, uint32_t count) {
  (void)syscall(FUTEX, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* Linux 5.16; headers may be older than the kernel. */
enum { FUTEX_WAITV = 449, FUTEX_WORD = 2 };
struct waiter {
  uint64_t expected, word;
  uint32_t flags, reserved;
};

int shmkit__os_wait_any(const struct shmkit__expectation words[], size_t count,
                        uint64_t nanoseconds) {
  struct waiter waiters[SHMKIT__WAIT_ANY_MAX];
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t until = (uint64_t)now.tv_nsec + nanoseconds;
  struct kernel_time time = {.seconds = now.tv_sec + (int64_t)(until / 1000000000U),
                             .nanoseconds = (int64_t)(until % 1000000000U)};
  for (size_t i = 0; i < count; i++) {
    waiters[i] = (struct waiter){
        .expected = words[i].expected, .word = (uintptr_t)words[i].word, .flags = FUTEX_WORD};
  }
  if (syscall(FUTEX_WAITV, waiters, count, 0, &time, CLOCK_MONOTONIC) >= 0) return 0;
  if (errno == EAGAIN || errno == ETIMEDOUT) return 0;
  /* Sandboxes that are older than the call refuse it with any error. */
  return errno == EINTR ? -EINTR : -ENOSYS;
}

static enum shmkit__spinning spinning;

static void count_cpus(void) {
  cpu_set_t cpus;
  /* More than a cpu_set_t holds is certainly more than one. */
  bool several = sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) > 1;
  spinning = several                              ? SHMKIT__SPINNING_PAYS
             : sysconf(_SC_NPROCESSORS_ONLN) != 1 ? SHMKIT__SPINNING_MAY_PAY
                                                  : SHMKIT__SPINNING_IS_VAIN;
}

enum shmkit__spinning shmkit__os_spinning(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, count_cpus);
  return spinning;
}

/* ---- Identities ----------------------------------------------------------------------------- */

static struct flock identity_lock(uint32_t identity, short type) {
  const int64_t base = (INT64_C(1) << 62) + (INT64_C(1) << 31);
  return (struct flock){
      .l_type = type, .l_whence = SEEK_SET, .l_start = base + identity, .l_len = 1};
}

static uint32_t draw(void) {
  uint32_t number = 0;
  while (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) continue;
  return number & SHMKIT__IDENTITY_MAX;
}

/* That many identities in a row are not in use by chance: somebody has locked all of them. */
enum { DRAWS = 32 };

static int lock_any(int fd, uint32_t *identity) {
  for (int draws = 0; draws < DRAWS;) {
    *identity = draw();
    if (*identity == 0) continue;
    struct flock lock = identity_lock(*identity, F_WRLCK);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return -errno;
    if (errno != EINTR) draws++;
  }
  return -EBUSY;
}

/* The offset of the mapping tells the identity, so that whoever may read the address spaces of
 * processes finds who has it. Not every file system maps so far out. Huge pages are mapped whole. */
static void *map_pin(int fd, size_t page, uint32_t identity) {
  const int flags = MAP_SHARED | MAP_NORESERVE;
  const off_t offset = ((off_t)SHMKIT__PIN_PAGES + identity) * (off_t)page;
  void *pin = mmap(NULL, page, PROT_NONE, flags, fd, offset);
  if (pin == MAP_FAILED) pin = mmap(NULL, page, PROT_NONE, flags, fd, 0);
  return pin;
}

static size_t pin_size(uint64_t huge_page) {
  return (size_t)(huge_page != 0 ? huge_page : shmkit__page_size());
}

int shmkit__os_identity_take(int fd, uint64_t huge_page, uint32_t *identity, void **pin) {
  size_t page = pin_size(huge_page);
  int error = lock_any(fd, identity);
  if (error != 0) return error;
  *pin = map_pin(fd, page, *identity);
  if (*pin == MAP_FAILED) return -errno;
  if (madvise(*pin, page, MADV_DONTFORK) == 0) return 0;
  error = -errno;
  shmkit__os_identity_return(*pin, huge_page);
  return error;
}

void shmkit__os_identity_return(void *pin, uint64_t huge_page) {
  (void)munmap(pin, pin_size(huge_page));
}

/* What lies between the first page of pins and twice that is told in pages, whatever their size. */
uint32_t shmkit__pin_identity(uint64_t offset) {
  uint64_t page = offset / shmkit__page_size();
  while (page >= 2 * SHMKIT__PIN_PAGES) page /= 2;
  return page > SHMKIT__PIN_PAGES ? (uint32_t)(page - SHMKIT__PIN_PAGES) : 0;
}

int shmkit__os_identity_lives(int fd, uint32_t identity) {
  struct flock probe = identity_lock(identity, F_WRLCK);
  const int64_t byte = probe.l_start;
  if (fcntl(fd, F_OFD_GETLK, &probe) != 0) return -errno;
  /* No other lock can lie over the one that is asked for: what is not exactly that one is somebody's
   * who has locked the whole file, and nobody's life. */
  return probe.l_type == F_WRLCK && probe.l_start == byte && probe.l_len == 1;
}

static _Atomic uint32_t *detector;

static void make_detector(void) {
  size_t page = (size_t)shmkit__page_size();
  void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  if (madvise(memory, page, MADV_WIPEONFORK) != 0) {
    (void)munmap(memory, page);
    return;
  }
  detector = memory;
  *detector = 1;
}

_Atomic uint32_t *shmkit__os_fork_detector(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, make_detector);
  return detector;
}
