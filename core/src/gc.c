/* SPDX-License-Identifier: MIT */
/* Removing what nobody needs: which segments that is. How they go is in claim.c. */
#include <errno.h>
#include <fnmatch.h>

#include "error.h"
#include "listing.h"

/* ---- Candidates ----------------------------------------------------------------------------- */

struct choice {
  const shmkit_gc_options *options;
  int64_t now;
};

static int64_t later(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static bool is_old_enough(const shmkit_info *info, const struct choice *choice) {
  /* Unknown times are the smallest. */
  int64_t last = later(later(info->created, info->changed), later(info->modified, info->accessed));
  last = later(last, later(info->attached, info->detached));
  if (choice->options->older_than == 0) return true;
  if (last == SHMKIT_UNKNOWN_TIME || last > choice->now) return false;
  return (uint64_t)(choice->now - last) >= choice->options->older_than;
}

/* What has a name, no known user, and the caller may remove. Whether all users are known does not
 * matter for what can be leased: the kernel will say. */
static bool is_candidate(struct shmkit__entry *entry, void *context) {
  const struct choice *choice = context;
  const uint32_t out = SHMKIT_INFO_DEST | SHMKIT_INFO_UNLINKED | SHMKIT_INFO_ELSEWHERE;
  if (!entry->described || entry->address == NULL || (entry->info.flags & out) ||
      !(entry->info.flags & SHMKIT_INFO_MAY_REMOVE) || shmkit__entry_is_used(entry))
    return false;
  if (entry->info.kind != SHMKIT_INFO_SYSV && entry->path == NULL) return false;
  if (!is_old_enough(&entry->info, choice)) return false;
  const char *pattern = choice->options->pattern;
  if (pattern != NULL && fnmatch(pattern, entry->address, 0) != 0) return false;
  shmkit_state state = shmkit__entry_judge_unused(entry);
  return state == SHMKIT_STATE_LEAKED || (choice->options->flags & SHMKIT_GC_IDLE);
}

/* ---- All of them ---------------------------------------------------------------------------- */

static shmkit_status check(const shmkit_gc_options *options) {
  const uint32_t flags = SHMKIT_GC_APPLY | SHMKIT_GC_IDLE;
  const uint32_t kinds = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV) |
                         SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE);
  if (!(options->flags & ~flags) && !(options->kinds & ~kinds)) return 0;
  return shmkit__fail(-EINVAL, "",
                      "cannot remove with flags 0x%x and kinds 0x%x: use SHMKIT_GC_*, and the "
                      "kinds posix, sysv and semaphore",
                      (unsigned)options->flags, (unsigned)options->kinds);
}

shmkit_status shmkit_gc(const shmkit_gc_options *options, shmkit_listing **out) {
  static const shmkit_gc_options defaults = SHMKIT_GC_OPTIONS_INIT;
  const uint32_t usual = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV);
  shmkit_listing *self = NULL;
  if (options == NULL) options = &defaults;
  shmkit_status status = check(options);
  if (status != 0) return status;
  status = shmkit__listing_survey(options->kinds != 0 ? options->kinds : usual, 0, &self);
  if (status != 0) return status;
  struct choice choice = {.options = options, .now = self->time};
  shmkit__listing_filter(self, is_candidate, &choice);
  /* Knowledge that was cut short is not acted on. */
  status = shmkit__listing_finish(self);
  if (status != 0) {
    shmkit_listing_free(self);
    return status;
  }
  bool apply = options->flags & SHMKIT_GC_APPLY;
  for (size_t i = 0; apply && i < self->count; i++) (void)shmkit__entry_remove(self->entries[i]);
  *out = self;
  return 0;
}
