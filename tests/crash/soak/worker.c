/* SPDX-License-Identifier: MIT */
/* worker ARENA SLOT SERIAL SEED ROLE WORD...: see worker.h. */
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena *arena;
struct slot *slot;
uint64_t serial;
static uint64_t state;

/* xorshift64*: rand() would be the same for all, and rand_r is not everywhere. */
uint32_t chance(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)(state * UINT64_C(2685821657736338717) >> 32) % below;
}

bool is_condemned(uint64_t serial_number) {
  return arena->slots[serial_number % SLOTS].condemned >= serial_number;
}

void advance(void) {
  slot->progress++;
}

void violate(const char *format, ...) {
  uint64_t number = arena->claimed++;
  if (number < REPORTS) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(arena->reports[number], TEXT, format, arguments);
    va_end(arguments);
  }
  arena->reported++;
  /* Nothing is tidied up: it would be with what went wrong. */
  _Exit(EXIT_FAILURE);
}

shmkit_status must(shmkit_status status, const char *doing) {
  if (status < 0) violate("C %" PRIu64 ", %s: %s", serial, doing, shmkit_error_message());
  return status;
}

shmkit_segment *open_shared(const char *address, void *data) {
  shmkit_segment *segment = NULL;
  must(shmkit_segment_open(address, NULL, &segment), "opening what is shared");
  *(void **)data = shmkit_segment_data(segment);
  return segment;
}

int main(int argc, char **argv) {
  if (argc < 6) return EXIT_FAILURE;
  shmkit_segment *segment = NULL;
  if (shmkit_segment_open(argv[1], NULL, &segment) != 0) {
    (void)fprintf(stderr, "%s\n", shmkit_error_message());
    return EXIT_FAILURE;
  }
  arena = shmkit_segment_data(segment);
  slot = &arena->slots[strtoull(argv[2], NULL, 10) % SLOTS];
  serial = strtoull(argv[3], NULL, 10);
  state = strtoull(argv[4], NULL, 10) + 1;
  if (strcmp(argv[5], "mutex") == 0) work_mutex(argv + 6);
  if (strcmp(argv[5], "ring") == 0) work_ring(argv + 6);
  shmkit_segment_free(segment);
  return EXIT_SUCCESS;
}
