/* SPDX-License-Identifier: MIT */
/*
 * hello: one program leaves a greeting in shared memory, others find it there.
 *
 *   hello write NAME TEXT    create the segment
 *   hello read NAME          show what is in it, and sign
 *   hello remove NAME        show who signed, and remove it
 *
 * hello.py and hello.lua do the same: mix them. plain.c does it without shmkit.
 */
#include <stdio.h>
#include <string.h>

#include <shmkit/shmkit.h>

#include "hello.h"

static int fail(void) {
  (void)fprintf(stderr, "hello: %s\n", shmkit_error_message());
  return 1;
}

static int write_hello(const char *name, const char *text) {
  struct hello hello = {.number = 3.14159};
  (void)snprintf(hello.text, sizeof hello.text, "%s", text);
  /* Given as content, it is there before the name is: nobody can find an unfinished segment. */
  shmkit_segment_options options = {.content = &hello, .content_size = sizeof hello};
  shmkit_segment *segment = NULL;
  if (shmkit_segment_create(name, sizeof hello, &options, &segment) != 0) return fail();
  printf("C wrote \"%s\" and %g to %s\n", hello.text, hello.number,
         shmkit_segment_address(segment));
  /* The memory and its name stay after this process, until somebody removes them. */
  shmkit_segment_free(segment);
  return 0;
}

/* The segment's memory as a struct hello, once it is sure that it is large enough. */
static int open_hello(const char *name, shmkit_segment **segment, struct hello **hello) {
  shmkit_span bytes;
  if (shmkit_segment_open(name, NULL, segment) != 0) return fail();
  if (shmkit_segment_view(*segment, SHMKIT_U8, 0, sizeof(struct hello), &bytes) != 0) {
    (void)fail();
    shmkit_segment_free(*segment);
    return 1;
  }
  *hello = bytes.data;
  return 0;
}

static int read_hello(const char *name) {
  shmkit_segment *segment = NULL;
  struct hello *hello = NULL;
  if (open_hello(name, &segment, &hello) != 0) return 1;
  /* No copy: this is the memory that the writer filled. What others can write may lack its NUL. */
  printf("C read \"%.*s\" and %g\n", (int)sizeof hello->text, hello->text, hello->number);
  memcpy(hello->reader, "C", sizeof "C");
  shmkit_segment_free(segment);
  return 0;
}

static int remove_hello(const char *name) {
  shmkit_segment *segment = NULL;
  struct hello *hello = NULL;
  if (open_hello(name, &segment, &hello) != 0) return 1;
  printf("C removed it, last read by %.*s\n", (int)sizeof hello->reader, hello->reader);
  int status = shmkit_segment_unlink(segment) == 0 ? 0 : fail();
  shmkit_segment_free(segment);
  return status;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "write") == 0) return write_hello(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "read") == 0) return read_hello(argv[2]);
  if (argc == 3 && strcmp(argv[1], "remove") == 0) return remove_hello(argv[2]);
  (void)fprintf(stderr, "usage: hello write NAME TEXT | read NAME | remove NAME\n");
  return 2;
}
