/* SPDX-License-Identifier: MIT */
/* What a segment costs in C, beside the system calls that it cannot do without. */
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

#include "measure/measure.h"

enum { SIZE = 4096, OPEN_SEGMENTS = 1000 };

static char name[64], path[96];

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
  (void)snprintf(name, sizeof name, "/shmkit-bench-%d", getpid());
  (void)snprintf(path, sizeof path, "/dev/shm/shmkit-bench-%d-new", getpid());
  shmkit_segment *segment = NULL;
  shmkit_segment_options options = SHMKIT_SEGMENT_OPTIONS_INIT;
  options.lifetime = SHMKIT_CREATOR;
  must(shmkit_segment_create(name, SIZE, &options, &segment) == 0, "create");
  begin("bare calls");
  compare(
      &(struct comparison){"open, map, close", open_bare, open_shmkit, 101, 200, .target = 1.4});
  compare(
      &(struct comparison){"create, unlink", create_bare, create_shmkit, 101, 200, .target = 1.3});
  weigh();
  shmkit_segment_free(segment);
  return 0;
}
