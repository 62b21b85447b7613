/* SPDX-License-Identifier: MIT */
#include "sync.h"

#include <inttypes.h>

#include <shmkit/mutex.h>

#include "error.h"

shmkit_status shmkit__sync_check(const shmkit_segment *segment, const char *what, uint64_t offset) {
  if (offset % SHMKIT_SYNC_SIZE != 0) {
    return shmkit__fail(-EINVAL, segment->address,
                        "offset %" PRIu64 " of %s is misaligned for %s: use a multiple of %d",
                        offset, segment->address, what, SHMKIT_SYNC_SIZE);
  }
  return shmkit__segment_check_range(segment, offset, SHMKIT_SYNC_SIZE);
}

void shmkit__sync_abandon(shmkit_segment *segment) {
  if (shmkit_segment_created(segment)) (void)shmkit_segment_unlink(segment);
  shmkit_segment_free(segment);
}

shmkit_status shmkit__sync_check_timeout(const shmkit_segment *segment, int64_t timeout) {
  if (timeout >= SHMKIT_FOREVER) return 0;
  return shmkit__fail(-EINVAL, segment->address,
                      "%" PRId64 " nanoseconds are no timeout for waiting in %s: use 0, more, or "
                      "SHMKIT_FOREVER",
                      timeout, segment->address);
}
