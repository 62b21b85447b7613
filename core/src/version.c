/* SPDX-License-Identifier: MIT */
#include <shmkit/shmkit.h>

const char *shmkit_version(void) {
  return SHMKIT_VERSION;
}
