/* SPDX-License-Identifier: MIT */
/* Answers of `shmkit explain` that are tried out on scratch memory while they are told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "explain.h"
#include "prose.h"
#include "report.h"
#include "text.h"

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

static pid_t fork_or_leave(void) {
  pid_t child = fork();
  if (child < 0) report_fatal("cannot start a process: %s", strerror(errno));
  return child;
}

/* How a child ended, as waitpid says. */
static int end_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/* ---- echo ----------------------------------------------------------------------------------- */

/* Run a command of the shell that calls the scratch file S, with what it prints in `out`, which is
 * then terminated; how many bytes these are. */
static size_t run_shell(int scratch, const char *command, char *out, size_t size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) report_fatal("cannot make a pipe: %s", strerror(errno));
  pid_t child = fork_or_leave();
  if (child == 0) {
    char name[32];
    (void)snprintf(name, sizeof name, "/dev/fd/%d", scratch);
    (void)dup2(ends[1], STDOUT_FILENO);
    (void)fcntl(scratch, F_SETFD, 0);
    (void)setenv("S", name, 1);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  (void)close(ends[1]);
  size_t length = 0;
  for (ssize_t got; length < size - 1; length += (size_t)got) {
    got = read(ends[0], out + length, size - 1 - length);
    if (got <= 0) break;
  }
  out[length] = '\0';
  (void)close(ends[0]);
  if (end_of(child) != 0) report_fatal("cannot run '%s' with S=/dev/fd/%d", command, scratch);
  return length;
}

/* What a reader with "%s" gets of its mapping. */
static char *as_string(const char *memory, size_t size) {
  char *text = must(strndup(memory, size)), *escaped = text_escape(text);
  free(text);
  return escaped;
}

static void show_mapping(const char *memory, size_t size) {
  char *text = as_string(memory, size);
  prose_line("the mapping of %zu bytes, as a string: \"%s\"", size, text);
  free(text);
}

static void show_cat(int scratch) {
  char out[65536];
  size_t length = run_shell(scratch, "cat \"$S\"", out, sizeof out), zeros = 0;
  while (zeros < length && out[zeros] == '\0') zeros++;
  char *shown = text_escape(out + zeros);
  prose_line("cat S: %zu bytes; %zu NUL bytes, which show as nothing, then \"%s\"", length, zeros,
             shown);
  free(shown);
}

int tell_echo(void) {
  char out[64];
  const size_t size = page_size();
  int fd = scratch_open(size, true);
  const char *memory = scratch_map(fd, size);
  prose(
      "Because >> writes behind the end of the file, and that is behind what the reader has "
      "mapped. A new segment of %zu bytes is a file with %zu NUL bytes; nothing in it says where "
      "the text ends. Done just now with a scratch segment S of this process, which has it mapped:",
      size, size);
  prose_line("$ echo hello >> S");
  (void)run_shell(fd, "echo hello >> \"$S\"", out, sizeof out);
  uint64_t longer = scratch_size(fd);
  prose_line("the file: %zu bytes before, %ju after; the text is at offset %zu", size,
             (uintmax_t)longer, size);
  show_cat(fd);
  show_mapping(memory, size);
  prose("So cat finds it and the reader does not. The memory is not read-only and nothing is late: "
        "what is written in place, without cutting the file off, is seen at once:");
  prose_line("$ printf 'hello\\0' 1<> S");
  (void)run_shell(fd, "printf 'hello\\0' 1<> \"$S\"", out, sizeof out);
  show_mapping(memory, size);
  prose("A single > is worse than >>: it cuts the file to nothing first, so that a reader which "
        "touches a page behind the new end is killed (shmkit explain sigbus).");
  prose_line("$ echo hi > S");
  (void)run_shell(fd, "echo hi > \"$S\"", out, sizeof out);
  prose_line("the file: %ju bytes", (uintmax_t)scratch_size(fd));
  show_mapping(memory, size);
  prose("'echo hello | shmkit write ADDRESS --nul' writes in place and never cuts anything off.");
  (void)close(fd);
  return EXIT_SUCCESS;
}

/* ---- sigbus --------------------------------------------------------------------------------- */

enum { GOT_SIGBUS = 99 };

static void on_sigbus(int signal_) {
  (void)signal_;
  _exit(GOT_SIGBUS);
}

/* Whether a process that looks at this byte gets SIGBUS. */
static bool kills(const volatile char *byte) {
  pid_t child = fork_or_leave();
  if (child == 0) {
    (void)signal(SIGBUS, on_sigbus);
    char value = *byte;
    (void)value;
    _exit(EXIT_SUCCESS);
  }
  int status = end_of(child);
  return WIFEXITED(status) && WEXITSTATUS(status) == GOT_SIGBUS;
}

static void show_touch(const char *memory, size_t offset) {
  prose_line("a process reads the byte at %zu: %s", offset,
             kills(memory + offset) ? "SIGBUS" : "nothing happens");
}

static void tell_full(void) {
  shmkit_limits *limits = NULL;
  if (shmkit_limits_take(&limits) != 0) return;
  for (size_t i = 0; i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (strcmp(limit->name, "shm-bytes") != 0) continue;
    if (limit->free == SHMKIT_UNLIMITED || limit->free == SHMKIT_UNKNOWN) continue;
    prose("The other way is a full /dev/shm: ftruncate promises any size and reserves nothing, and "
          "the first store for which there is no page raises SIGBUS. Here %s of %s are free now; a "
          "segment that shmkit makes has its pages reserved, so that too little room is an error "
          "of create.",
          in_bytes(limit->free), in_bytes(limit->limit));
  }
  shmkit_limits_free(limits);
}

int tell_sigbus(void) {
  const size_t page = page_size(), size = 2 * page;
  int fd = scratch_open(size, true);
  const char *memory = scratch_map(fd, size);
  prose(
      "Because it touched a page of a mapping for which the file has nothing: the file is shorter "
      "than the mapping. Done just now with a scratch segment of %zu bytes, mapped as a whole:",
      size);
  show_touch(memory, page);
  if (ftruncate(fd, 1) != 0) report_fatal("cannot shorten scratch memory: %s", strerror(errno));
  prose_line("somebody cuts the file to 1 byte ('echo > FILE' does, or ftruncate)");
  show_touch(memory, 0);
  show_touch(memory, page - 1);
  show_touch(memory, page);
  prose("The last page of the file still works to its end; the next one does not. Nobody can "
        "prevent that for a file in /dev/shm; a memfd can be sealed against shrinking. shmkit's "
        "read and write copy in a way that gives an error instead.");
  tell_full();
  (void)close(fd);
  return EXIT_SUCCESS;
}

/* ---- size, mtime, unlink -------------------------------------------------------------------- */

int tell_size(void) {
  const size_t size = (size_t)64 << 20;
  int fd = scratch_open(size, false);
  volatile char *memory = scratch_map(fd, size);
  prose("Because its size is a promise, and pages come with the first store (or even the first "
        "look through a mapping). Done just now with scratch memory of %s:",
        in_bytes(size));
  prose_line("made with ftruncate:          size %s, in memory %s", in_bytes(scratch_size(fd)),
             in_bytes(scratch_pages(fd)));
  memory[0] = 1;
  prose_line("1 byte stored:                size %s, in memory %s", in_bytes(scratch_size(fd)),
             in_bytes(scratch_pages(fd)));
  (void)memory[size / 2];
  prose_line("1 byte looked at elsewhere:   size %s, in memory %s", in_bytes(scratch_size(fd)),
             in_bytes(scratch_pages(fd)));
  prose("That is why 'shmkit ls' has SIZE and RSS, and why it maps nothing that it looks at. Room "
        "is only certain when it was reserved (posix_fallocate; shmkit does so unless asked for a "
        "sparse segment): shmkit explain sigbus.");
  (void)close(fd);
  return EXIT_SUCCESS;
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* File times go in steps of the kernel's coarse clock: until a change would show. */
static void let_clock_tick(void) {
  struct timespec before, after;
  (void)clock_gettime(CLOCK_REALTIME_COARSE, &before);
  do {
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &after);
  } while (same_time(&before, &after));
}

struct scratch {
  int fd;
  volatile char *memory;
};

/* Whether the modification time moves when `act` is done after a tick of the clock. */
static bool moves_time(const struct scratch *scratch, void (*act)(const struct scratch *)) {
  struct stat before = {0}, after = {0};
  (void)fstat(scratch->fd, &before);
  let_clock_tick();
  act(scratch);
  (void)fstat(scratch->fd, &after);
  return !same_time(&before.st_mtim, &after.st_mtim);
}

static void store(const struct scratch *scratch) {
  scratch->memory[0] = 'x';
}

static void write_byte(const struct scratch *scratch) {
  if (pwrite(scratch->fd, "y", 1, 0) != 1) report_fatal("cannot write to scratch memory: %m");
}

static void show_time(const char *what, bool moved) {
  prose_line("%-40s modification time %s", what, moved ? "moves" : "stays");
}

int tell_mtime(void) {
  const size_t size = page_size();
  int fd = scratch_open(size, true);
  const struct scratch scratch = {fd, scratch_map(fd, size)};
  prose("Nobody can know. The times of a file tell of system calls; a store through a mapping is "
        "none. At most the first store of a process into a page, for which the kernel has to step "
        "in, moves the time. Done just now with a scratch segment:");
  show_time("the first store into the page", moves_time(&scratch, store));
  show_time("the second store", moves_time(&scratch, store));
  show_time("the third store", moves_time(&scratch, store));
  show_time("write()", moves_time(&scratch, write_byte));
  prose("So a segment with an old time may be busy, and 'find /dev/shm -mtime +1 -delete' removes "
        "what is in use. System V has times of attaching and detaching, not of writing. Whether "
        "anybody maps it is a better question: shmkit stat ADDRESS.");
  (void)close(fd);
  return EXIT_SUCCESS;
}

/* Not counting this process's own. */
static bool is_unlinked(const shmkit_info *info) {
  for (size_t i = 0; i < info->mapper_count; i++) {
    if (info->mappers[i].pid == getpid()) return false;
  }
  return (info->flags & SHMKIT_INFO_UNLINKED) || info->state == SHMKIT_STATE_DEST;
}

int tell_unlink(void) {
  struct stat status;
  const size_t size = page_size();
  int fd = scratch_open(size, true);
  char *memory = scratch_map(fd, size);
  (void)fstat(fd, &status);
  (void)strcpy(memory, "still here");
  prose("Only the name goes. Who has it mapped or open keeps the memory, and it is freed when the "
        "last one is gone; who comes later cannot find it, and 'create' under that name makes "
        "another segment, which the first users do not see. A scratch segment of this process has "
        "no name just now:");
  prose_line("names: %ju; through the mapping: \"%s\"", (uintmax_t)status.st_nlink, memory);
  shmkit_listing *listing = look_around(SHMKIT_INFO_USUAL & ~SHMKIT_INFO_SET(SHMKIT_INFO_MEMFD));
  struct tally tally = tally_of(listing, is_unlinked);
  prose("Besides that there are now %s without a name that processes map, with %s in memory "
        "(states unlinked, and dest for System V, in 'shmkit ls'). 'du /dev/shm' does not count "
        "them, 'df /dev/shm' does.",
        in_number(tally.count, "segment"), in_bytes(tally.resident));
  prose("'shmkit rm' refuses what is in use, unless it is given --force.");
  shmkit_listing_free(listing);
  (void)close(fd);
  return EXIT_SUCCESS;
}

/* ---- rss ------------------------------------------------------------------------------------ */

/* The shared memory that a process is charged with in its resident size; SHMKIT_UNKNOWN. */
static uint64_t resident_shared(pid_t pid) {
  char path[64], line[256];
  uint64_t kib = SHMKIT_UNKNOWN;
  (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return SHMKIT_UNKNOWN;
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "RssShmem:", 9) == 0) kib = strtoull(line + 9, NULL, 10);
  }
  (void)fclose(file);
  return kib == SHMKIT_UNKNOWN ? kib : kib * 1024;
}

static void touch_all(volatile const char *memory, size_t size) {
  for (size_t i = 0; i < size; i += page_size()) (void)memory[i];
}

/* A process that has looked at all of it, and stays until `hold` is closed at its other end. */
static pid_t start_reader(const char *memory, size_t size, const int hold[2]) {
  int ready[2];
  char byte = 0;
  if (pipe2(ready, O_CLOEXEC) != 0) report_fatal("cannot make a pipe: %s", strerror(errno));
  pid_t child = fork_or_leave();
  if (child == 0) {
    (void)close(hold[1]);
    touch_all(memory, size);
    bool told = write(ready[1], &byte, 1) == 1 && read(hold[0], &byte, 1) == 0;
    _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  (void)close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) report_fatal("a process ended too early");
  (void)close(ready[0]);
  return child;
}

int tell_rss(void) {
  enum { PROCESSES = 3 };
  const size_t size = (size_t)8 << 20;
  pid_t children[PROCESSES];
  int hold[2];
  uint64_t sum = 0;
  int fd = scratch_open(size, true);
  const char *memory = scratch_map(fd, size);
  if (pipe2(hold, O_CLOEXEC) != 0) report_fatal("cannot make a pipe: %s", strerror(errno));
  prose("Because each process's resident size counts the shared pages that it has touched as if "
        "they were its own. Done just now: %d processes that map the same scratch memory of %s and "
        "read all of it.",
        PROCESSES, in_bytes(size));
  for (unsigned i = 0; i < PROCESSES; i++) {
    children[i] = start_reader(memory, size, hold);
    uint64_t resident = resident_shared(children[i]);
    prose_line("process %d: %s of shared memory resident (RssShmem)", (int)children[i],
               in_bytes(resident));
    sum += resident == SHMKIT_UNKNOWN ? 0 : resident;
  }
  prose_line("together %s; in memory is %s", in_bytes(sum), in_bytes(scratch_pages(fd)));
  (void)close(hold[1]);
  for (unsigned i = 0; i < PROCESSES; i++) (void)end_of(children[i]);
  prose("A segment's own figure is RSS in 'shmkit ls', which counts each page once. Of a process, "
        "Pss in /proc/PID/smaps_rollup divides shared pages among those who map them.");
  (void)close(hold[0]);
  (void)close(fd);
  return EXIT_SUCCESS;
}
