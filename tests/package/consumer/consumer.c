/* SPDX-License-Identifier: MIT */
/* A user's program: makes a segment, finds it again, and takes it away. */
#include <shmkit/shmkit.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static shmkit_status round_trip(const char *address) {
  shmkit_segment *segment = NULL;
  shmkit_segment *same = NULL;
  char text[6] = "";

  shmkit_status status = shmkit_segment_create(address, 4096, NULL, &segment);
  if (status == 0) status = shmkit_segment_write(segment, 0, "hello", sizeof "hello");
  if (status == 0) status = shmkit_segment_open(address, NULL, &same);
  if (status == 0) status = shmkit_segment_read(same, 0, text, sizeof text);
  if (status == 0) status = shmkit_segment_unlink(segment);
  shmkit_segment_free(same);
  shmkit_segment_free(segment);
  if (status == 0) printf("%s %s\n", shmkit_version(), text);
  return status;
}

int main(void) {
  char address[64];
  (void)snprintf(address, sizeof address, "posix:/shmkit-consumer-%ld", (long)getpid());
  if (round_trip(address) == 0) return 0;
  (void)fprintf(stderr, "%s\n", shmkit_error_message());
  return 1;
}
