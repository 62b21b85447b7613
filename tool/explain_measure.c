/* SPDX-License-Identifier: MIT */
/* Answers of `shmkit explain` that are measured while they are told: short, for the order of
 * magnitude; `shmkit bench` is the long way. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "explain.h"
#include "prose.h"
#include "report.h"

enum { LENGTH = 4096, BATCHES = 31 };

/* What an access is to. */
struct subject {
  int fd;
  void *memory;
  char path[32];
};

static char buffer[LENGTH];

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* One call of `body` in nanoseconds: the median over batches of so many calls. */
static double measure(void (*body)(const struct subject *), const struct subject *subject,
                      unsigned calls, unsigned batches) {
  double times[BATCHES];
  body(subject);
  for (unsigned i = 0; i < batches; i++) {
    int64_t start = clock_now();
    for (unsigned j = 0; j < calls; j++) body(subject);
    times[i] = (double)(clock_now() - start) / calls;
  }
  qsort(times, batches, sizeof times[0], compare);
  return times[batches / 2];
}

/* ---- Ways of access ------------------------------------------------------------------------- */

/* Keeps the compiler from leaving out what nobody looks at. */
static void use(const void *memory) {
  __asm__ volatile("" : : "r"(memory) : "memory");
}

static void read_word(const struct subject *subject) {
  (void)*(volatile uint64_t *)subject->memory;
}

static void copy_page(const struct subject *subject) {
  use(subject->memory);
  memcpy(buffer, subject->memory, LENGTH);
  use(buffer);
}

static void read_page(const struct subject *subject) {
  if (pread(subject->fd, buffer, LENGTH, 0) != LENGTH) report_fatal("cannot read: %m");
}

static void open_and_read(const struct subject *subject) {
  int fd = open(subject->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, buffer, LENGTH) != LENGTH) report_fatal("cannot read: %m");
  (void)close(fd);
}

static void open_and_map(const struct subject *subject) {
  int fd = open(subject->path, O_RDONLY | O_CLOEXEC);
  void *memory = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) report_fatal("cannot map: %m");
  memcpy(buffer, memory, LENGTH);
  use(buffer);
  (void)munmap(memory, LENGTH);
  (void)close(fd);
}

static void run_program(const struct subject *subject) {
  static char name[] = "true";
  char *const arguments[] = {name, NULL};
  char *const environment[] = {NULL};
  pid_t child = 0;
  int status = 0;
  (void)subject;
  int error = posix_spawnp(&child, name, NULL, NULL, arguments, environment);
  if (error != 0) report_fatal("cannot run true: %s", strerror(error));
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
}

/* ---- Subjects ------------------------------------------------------------------------------- */

static bool fill_subject(struct subject *subject, int fd) {
  char content[LENGTH];
  memset(content, 'x', sizeof content);
  subject->fd = fd;
  (void)snprintf(subject->path, sizeof subject->path, "/proc/self/fd/%d", fd);
  if (pwrite(fd, content, sizeof content, 0) != (ssize_t)sizeof content) return false;
  subject->memory = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return subject->memory != MAP_FAILED;
}

static void end_subject(struct subject *subject) {
  (void)munmap(subject->memory, LENGTH);
  (void)close(subject->fd);
}

static struct subject shared_memory(void) {
  struct subject subject;
  if (!fill_subject(&subject, scratch_open(LENGTH, true))) report_fatal("no scratch memory: %m");
  return subject;
}

static bool is_in_memory(int fd) {
  const uint32_t tmpfs = 0x01021994, ramfs = 0x858458f6U;
  struct statfs file_system;
  if (fstatfs(fd, &file_system) != 0) return true;
  return (uint32_t)file_system.f_type == tmpfs || (uint32_t)file_system.f_type == ramfs;
}

/* A file on a disk, without a name, in one of the usual places; where, or NULL. */
static const char *disk_file(struct subject *subject) {
  static const char *const places[] = {"/var/tmp", "/tmp", "."};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    int fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) continue;
    if (!is_in_memory(fd) && fill_subject(subject, fd)) return places[i];
    (void)close(fd);
  }
  return NULL;
}

/* ---- Answers -------------------------------------------------------------------------------- */

static void tell_line(const char *what, double nanoseconds) {
  prose_line("%-52s %8s", what, in_time(nanoseconds));
}

int tell_speed(void) {
  enum { MANY = 2000, SOME = 200 };
  struct subject shared = shared_memory(), disk;
  const char *place = disk_file(&disk);
  double copy = measure(copy_page, &shared, MANY, BATCHES);
  double word = measure(read_word, &shared, MANY, BATCHES);
  double read = measure(read_page, &shared, MANY, BATCHES);
  double mapped_once = measure(open_and_map, &shared, SOME, BATCHES);
  double read_once = measure(open_and_read, &shared, SOME, BATCHES);
  prose("It is a file: on a tmpfs, whose pages are in memory. So is a file on a disk once it has "
        "been read: its pages are in the page cache, and a mapping of them is the same memory. "
        "What makes a difference is how it is used: keep a mapping and work in place. Measured "
        "just now, per access:");
  tell_line("a word, in place, through a mapping that is kept", word);
  tell_line("4 KiB copied out of shared memory, mapping kept", copy);
  if (place != NULL) {
    tell_line(in_text("4 KiB copied out of a file in %s, mapping kept", place),
              measure(copy_page, &disk, MANY, BATCHES));
    tell_line(in_text("4 KiB read with pread from that file"),
              measure(read_page, &disk, MANY, BATCHES));
    end_subject(&disk);
  }
  tell_line("4 KiB read with pread from shared memory", read);
  tell_line("4 KiB once: open, read, close", read_once);
  tell_line("4 KiB once: open, map, copy, unmap, close", mapped_once);
  if (place == NULL) {
    prose(
        "(No file on a disk to compare with: /var/tmp, /tmp and the current directory take none.)");
  }
  prose("Here pread costs %.1f times what the copy from a kept mapping costs. For a single access "
        "%s is cheaper, by %.1f times: mapping has a price, which only pays when it is used again.",
        read / copy, mapped_once > read_once ? "open and read" : "open and map",
        mapped_once > read_once ? mapped_once / read_once : read_once / mapped_once);
  prose("These are a few milliseconds of measuring, one page, always in the cache. For all sizes, "
        "kinds, pipes and sockets, cold and warm: shmkit bench access.");
  end_subject(&shared);
  return EXIT_SUCCESS;
}

int tell_loop(void) {
  enum { MANY = 2000, SOME = 200 };
  struct subject shared = shared_memory();
  double program = measure(run_program, NULL, 1, BATCHES);
  double once = measure(open_and_read, &shared, SOME, BATCHES);
  double place = measure(read_word, &shared, MANY, BATCHES);
  prose("Because it measures starting the programs. A loop of the shell that runs a program for "
        "each access pays for a new process each time, and the access is lost in that. Measured "
        "just now:");
  tell_line("starting 'true', a program that does nothing", program);
  tell_line("opening 4 KiB of shared memory, reading, closing", once);
  tell_line("a word in place, through a mapping that is kept", place);
  prose("So in such a loop the access is %.2f%% of the time: were it free, or twice as slow, "
        "nobody would see it. 1000 rounds take %s of which %s are accesses. In one process the "
        "same 1000 accesses in place take %s.",
        once * 100 / (program + once), in_time((program + once) * 1000), in_time(once * 1000),
        in_time(place * 1000));
  prose("'shmkit bench access' measures within processes, and shows the loop beside an empty "
        "program.");
  end_subject(&shared);
  return EXIT_SUCCESS;
}
