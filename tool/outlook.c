/* SPDX-License-Identifier: MIT */
#include "outlook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "report.h"
#include "text.h"

static const char *plural(uint64_t count) {
  return count == 1 ? "" : "s";
}

bool outlook_is_nameless(const shmkit_info *info) {
  switch (info->kind) {
    case SHMKIT_INFO_SYSV:
      return false;
    case SHMKIT_INFO_MEMFD:
    case SHMKIT_INFO_ANONYMOUS:
      return true;
    default:
      return info->links == 0 || (info->flags & SHMKIT_INFO_UNLINKED);
  }
}

char *outlook_who_may_remove(const shmkit_info *info) {
  if (outlook_is_nameless(info)) return must(strdup("nobody: it has no name"));
  if (info->kind == SHMKIT_INFO_FILE || info->kind == SHMKIT_INFO_HUGETLB) {
    return must(strdup("who may write to its directory"));
  }
  const char *you = info->flags & SHMKIT_INFO_MAY_REMOVE ? "you may" : "you may not";
  if (info->uid == 0) return text_format("root, its owner; %s", you);
  return text_format("its owner %s, and root; %s", name_of_user(info->uid), you);
}

static char *removal_of_used_sysv(const shmkit_info *info) {
  if (info->flags & SHMKIT_INFO_DEST) {
    return text_format("marked already; goes with the last of %" PRIu64 " attachment%s",
                       info->attachments, plural(info->attachments));
  }
  return text_format(
      "'shmkit rm' refuses, since it has %" PRIu64 " attachment%s; with --force, its "
      "key goes, who attaches it keeps the memory, and it goes with the last of them",
      info->attachments, plural(info->attachments));
}

static char *removal_of_used_file(const shmkit_info *info) {
  const char *force = "with --force, its name goes, and who uses it keeps the memory";
  if (info->mapper_count > 0) {
    return text_format("'shmkit rm' refuses, since %zu process%s; %s", info->mapper_count,
                       info->mapper_count == 1 ? " maps it" : "es map it", force);
  }
  return text_format("'shmkit rm' refuses, since %s; %s",
                     info->locks > 0 ? "a process holds a lock on it" : "somebody has it open",
                     force);
}

char *outlook_of_removal(const shmkit_info *info) {
  bool sysv = info->kind == SHMKIT_INFO_SYSV;
  /* Of other files, the directory decides. */
  bool has_owner = info->kind != SHMKIT_INFO_FILE && info->kind != SHMKIT_INFO_HUGETLB;
  if (outlook_is_nameless(info)) return must(strdup("goes with its last user"));
  if (info->flags & SHMKIT_INFO_ELSEWHERE) {
    return must(strdup("not from here: its name leads nowhere in this namespace"));
  }
  if (has_owner && !(info->flags & SHMKIT_INFO_MAY_REMOVE)) {
    return must(strdup("'shmkit rm' fails: you may not remove it"));
  }
  if (info->state == SHMKIT_STATE_USED || info->state == SHMKIT_STATE_DEST) {
    return sysv ? removal_of_used_sysv(info) : removal_of_used_file(info);
  }
  const char *gc = info->state == SHMKIT_STATE_LEAKED ? "; so would 'shmkit gc'" : "";
  if (sysv || info->holding == SHMKIT_NOT_HELD) {
    return text_format("'shmkit rm' would remove it, and nobody would lose anything%s", gc);
  }
  return text_format("'shmkit rm' would remove it, unless the kernel says that somebody has it "
                     "open%s",
                     gc);
}
