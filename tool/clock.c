/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <errno.h>

void clock_pause(int64_t nanoseconds) {
  struct timespec rest = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                          .tv_nsec = (long)(nanoseconds % 1000000000)};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) continue;
}
