/* SPDX-License-Identifier: MIT */
/*
 * What a segment costs in C, beside the system calls that it cannot do without.
 *
 * Both sides of each ratio are measured in the same run, in turns of random order, and the ratio is
 * the median over the rounds of one side's time by the other's: what disturbs the machine for a
 * while disturbs both.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

enum { ROUNDS = 101, CALLS = 200, SIZE = 4096, OPEN_SEGMENTS = 1000 };

static char name[64], path[96];

static void must(int good, const char *what) {
  if (good) return;
  (void)fprintf(stderr, "bench: %s: %s\n", what, shmkit_error_message());
  exit(1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static uint64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* ---- What is compared ----------------------------------------------------------------------- */

static void open_bare(void) {
  struct stat status;
  int fd = shm_open(name, O_RDWR, 0);
  must(fd >= 0 && fstat(fd, &status) == 0, "shm_open");
  void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(memory != MAP_FAILED, "mmap");
  (void)munmap(memory, SIZE);
  (void)close(fd);
}

static void open_shmkit(void) {
  shmkit_segment *segment = NULL;
  must(shmkit_segment_open(name, NULL, &segment) == 0, "open");
  shmkit_segment_free(segment);
}

/* The shortest sequence that makes a segment atomically and with its room, and ends it again. */
static void create_bare(void) {
  char self[32];
  int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  must(fd >= 0 && posix_fallocate(fd, 0, SIZE) == 0, "O_TMPFILE");
  void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(memory != MAP_FAILED, "mmap");
  (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  must(linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0, "linkat");
  (void)munmap(memory, SIZE);
  (void)close(fd);
  must(unlink(path) == 0, "unlink");
}

static void create_shmkit(void) {
  shmkit_segment *segment = NULL;
  must(shmkit_segment_create(path + sizeof "/dev/shm/" - 1, SIZE, NULL, &segment) == 0, "create");
  must(shmkit_segment_unlink(segment) == 0, "unlink");
  shmkit_segment_free(segment);
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The quantile of values, which are put in order. */
static double quantile(double *values, double which) {
  qsort(values, ROUNDS, sizeof *values, by_value);
  return values[(int)(which * (ROUNDS - 1))];
}

static double nanoseconds_per_call(void (*call)(void)) {
  uint64_t start = now();
  for (int i = 0; i < CALLS; i++) call();
  return (double)(now() - start) / CALLS;
}

static void compare(const char *what, void (*bare)(void), void (*ours)(void), double target) {
  double bare_times[ROUNDS], our_times[ROUNDS], ratios[ROUNDS];
  (void)nanoseconds_per_call(bare);
  (void)nanoseconds_per_call(ours);
  for (int round = 0; round < ROUNDS; round++) {
    bool first = now() / 16 % 2 != 0;
    if (first) our_times[round] = nanoseconds_per_call(ours);
    bare_times[round] = nanoseconds_per_call(bare);
    if (!first) our_times[round] = nanoseconds_per_call(ours);
    ratios[round] = our_times[round] / bare_times[round];
  }
  double low = quantile(ratios, 0.25), high = quantile(ratios, 0.75);
  double ratio = quantile(ratios, 0.5);
  printf("  %-22s %8.0f ns %8.0f ns   %5.2f  (%.2f-%.2f)   at most %.1f: %s\n", what,
         quantile(bare_times, 0.5), quantile(our_times, 0.5), ratio, low, high, target,
         ratio <= target ? "yes" : "NO");
}

/* Heap that open segments take, beside their mappings. */
static void weigh(void) {
  static shmkit_segment *segments[OPEN_SEGMENTS];
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < OPEN_SEGMENTS; i++) {
    must(shmkit_segment_open(name, NULL, &segments[i]) == 0, "open");
  }
  size_t after = mallinfo2().uordblks;
  for (int i = 0; i < OPEN_SEGMENTS; i++) shmkit_segment_free(segments[i]);
  printf("  heap of an open segment: %zu bytes (under 1024)\n", (after - before) / OPEN_SEGMENTS);
}

int main(void) {
  struct utsname machine;
  (void)uname(&machine);
  printf("C, shmkit %s, %s %s, %ld CPUs, %d rounds of %d calls, 25th-75th percentile\n",
         shmkit_version(), machine.sysname, machine.release, sysconf(_SC_NPROCESSORS_ONLN), ROUNDS,
         CALLS);
  (void)snprintf(name, sizeof name, "/shmkit-bench-%d", getpid());
  (void)snprintf(path, sizeof path, "/dev/shm/shmkit-bench-%d-new", getpid());
  shmkit_segment *segment = NULL;
  shmkit_segment_options options = SHMKIT_SEGMENT_OPTIONS_INIT;
  options.lifetime = SHMKIT_CREATOR;
  must(shmkit_segment_create(name, SIZE, &options, &segment) == 0, "create");
  printf("  %-22s %11s %11s   %5s\n", "", "bare calls", "shmkit", "ratio");
  compare("open, map, close", open_bare, open_shmkit, 1.4);
  compare("create, unlink", create_bare, create_shmkit, 1.3);
  weigh();
  shmkit_segment_free(segment);
  return 0;
}
