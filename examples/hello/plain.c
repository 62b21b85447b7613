/* SPDX-License-Identifier: MIT */
/*
 * plain: hello without shmkit, for nothing but the bytes themselves is in a segment. Whoever knows
 * the name and the layout shares it with the others.
 *
 *   plain write NAME TEXT    create the segment
 *   plain read NAME          show what is in it, and sign
 *   plain remove NAME        show who signed, and remove it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"

static int fail(const char *what) {
  perror(what);
  return 1;
}

static struct hello *map_hello(int fd) {
  void *memory = mmap(NULL, sizeof(struct hello), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  (void)close(fd);
  return memory == MAP_FAILED ? NULL : memory;
}

static int write_hello(const char *name, const char *text) {
  /* From here until the text is in, others find an unfinished segment: shmkit has no such gap. */
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return fail("plain: shm_open");
  if (ftruncate(fd, sizeof(struct hello)) != 0) return fail("plain: ftruncate");
  struct hello *hello = map_hello(fd);
  if (hello == NULL) return fail("plain: mmap");
  hello->number = 3.14159;
  (void)snprintf(hello->text, sizeof hello->text, "%s", text);
  printf("plain C wrote \"%s\" and %g to %s\n", hello->text, hello->number, name);
  return 0;
}

static struct hello *open_hello(const char *name) {
  struct stat status;
  int fd = shm_open(name, O_RDWR, 0);
  if (fd < 0 || fstat(fd, &status) != 0) return NULL;
  /* Touching memory beyond the end of the file would raise SIGBUS. */
  if (status.st_size < (off_t)sizeof(struct hello)) {
    (void)close(fd);
    errno = ENODATA;
    return NULL;
  }
  return map_hello(fd);
}

static int read_hello(const char *name) {
  struct hello *hello = open_hello(name);
  if (hello == NULL) return fail("plain: cannot open it");
  printf("plain C read \"%.*s\" and %g\n", (int)sizeof hello->text, hello->text, hello->number);
  memcpy(hello->reader, "plain C", sizeof "plain C");
  return 0;
}

static int remove_hello(const char *name) {
  struct hello *hello = open_hello(name);
  if (hello == NULL) return fail("plain: cannot open it");
  printf("plain C removed it, last read by %.*s\n", (int)sizeof hello->reader, hello->reader);
  return shm_unlink(name) == 0 ? 0 : fail("plain: shm_unlink");
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "write") == 0) return write_hello(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "read") == 0) return read_hello(argv[2]);
  if (argc == 3 && strcmp(argv[1], "remove") == 0) return remove_hello(argv[2]);
  (void)fprintf(stderr, "usage: plain write NAME TEXT | read NAME | remove NAME\n");
  return 2;
}
