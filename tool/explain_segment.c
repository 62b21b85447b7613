/* SPDX-License-Identifier: MIT */
/* `shmkit explain ADDRESS`: what a segment is, in sentences. */
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "names.h"
#include "outlook.h"
#include "prose.h"
#include "report.h"
#include "text.h"

/* ---- What it is ----------------------------------------------------------------------------- */

static void say_kind(const shmkit_info *info) {
  const char *name = info->name[0] != '\0' ? info->name : "(no name)";
  switch ((shmkit_info_kind)info->kind) {
    case SHMKIT_INFO_POSIX:
      prose("A POSIX segment: %s \"%s\" in /dev/shm, as shm_open makes it; ipcs does not show it.",
            info->flags & SHMKIT_INFO_UNLINKED ? "what was the file" : "the file", name);
      break;
    case SHMKIT_INFO_SYSV:
      prose("A System V segment with the identifier %ju and %s, in the memory of the kernel; ipcs "
            "-m shows it.",
            (uintmax_t)info->inode,
            strncmp(info->name, "id=", 3) == 0 ? "no key (IPC_PRIVATE)"
                                               : in_text("the key %s", name));
      break;
    case SHMKIT_INFO_MEMFD:
      prose("A memfd called \"%s\": memory that its processes find by a descriptor, not by a name, "
            "and that is freed with the last of them.",
            name);
      break;
    case SHMKIT_INFO_SEMAPHORE:
      prose("A named POSIX semaphore, as sem_open makes it: the small file \"%s\" in /dev/shm.",
            name);
      break;
    case SHMKIT_INFO_ANONYMOUS:
      prose("Shared memory without a name, between processes that were forked from each other.");
      break;
    case SHMKIT_INFO_HUGETLB:
      prose("A file of huge pages of %s, \"%s\".", in_bytes(info->huge_page), name);
      break;
    case SHMKIT_INFO_FILE:
      prose("A file, \"%s\", which is on a disk or on another tmpfs than /dev/shm.", name);
      break;
  }
}

static const char *length_of(uint64_t bytes) {
  return bytes < 1024 ? in_number(bytes, "byte")
                      : in_text("%s (%ju bytes)", in_bytes(bytes), (uintmax_t)bytes);
}

static const char *place_of(const shmkit_info *info) {
  if (info->kind == SHMKIT_INFO_FILE) return "in its file system";
  if (info->swapped == SHMKIT_UNKNOWN) return "in memory or swap";
  if (info->swapped == 0) return "in memory";
  return in_text("in memory or swap (%s in swap)", in_bytes(info->swapped));
}

static void say_size(const shmkit_info *info) {
  if (info->size == SHMKIT_UNKNOWN) {
    prose("Its size cannot be found out from here.");
  } else if (info->allocated == SHMKIT_UNKNOWN) {
    prose("It is %s long; how much of that takes memory cannot be found out from here.",
          length_of(info->size));
  } else if (info->allocated == 0) {
    prose("It is %s long, and takes no memory: nothing has been stored there.",
          length_of(info->size));
  } else {
    prose("It is %s long, and has %s %s%s.", length_of(info->size), in_bytes(info->allocated),
          place_of(info),
          info->allocated < info->size ? "; the rest holds nothing and takes nothing" : "");
  }
}

/* ---- Who made it ---------------------------------------------------------------------------- */

static void say_owner(const shmkit_info *info) {
  if (info->uid == SHMKIT_UNKNOWN_ID) return;
  char *mode = text_mode(info->mode), *changed = text_time(info->changed),
       *created = text_time(info->created);
  prose("It belongs to the user %s and the group %s, with the permissions %s. %s %s.",
        name_of_user(info->uid), name_of_group(info->gid), mode,
        info->created != SHMKIT_UNKNOWN_TIME ? "It was made on" : "It was made or last changed on",
        info->created != SHMKIT_UNKNOWN_TIME ? created : changed);
  free(created);
  free(changed);
  free(mode);
}

static void say_creator(const shmkit_info *info) {
  const shmkit_creator *creator = &info->creator;
  const char *program = creator->program[0] != '\0' ? in_text(" (%s)", creator->program) : "";
  if (info->creator_state == SHMKIT_EXITED) {
    prose("The process that made it%s has exited%s.", program,
          creator->pid != 0 ? in_text("; it was %jd", (intmax_t)creator->pid) : "");
  } else if (creator->pid != 0 && info->creator_state == SHMKIT_ALIVE) {
    prose("Process %jd%s made it, and runs.", (intmax_t)creator->pid, program);
  } else if (creator->pid != 0) {
    prose("Process %jd%s made it, as far as is recorded; whether that one runs cannot be found out "
          "from here.",
          (intmax_t)creator->pid, program);
  } else {
    prose("Which process made it cannot be known: %s.",
          info->kind == SHMKIT_INFO_SYSV
              ? "its number may belong to another process by now"
              : "files keep no record of it, except those that shmkit makes");
  }
}

/* ---- Who uses it ---------------------------------------------------------------------------- */

static void say_mapper(const shmkit_mapper *mapper) {
  prose_item("%jd (%s), user %s: %s, %s", (intmax_t)mapper->pid, mapper->program,
             name_of_user(mapper->uid), in_number(mapper->mappings, "mapping"),
             mapper->writable ? "can write" : "can only read");
}

static void say_users(const shmkit_info *info) {
  enum { SHOWN = 10 };
  if (info->mapper_count == 0) {
    prose("No process is seen to map it now.");
  } else {
    prose("%ju %s it now:", (uintmax_t)info->mapper_count,
          info->mapper_count == 1 ? "process maps" : "processes map");
  }
  for (size_t i = 0; i < info->mapper_count && i < SHOWN; i++) say_mapper(&info->mappers[i]);
  if (info->mapper_count > SHOWN) prose_item("... (shmkit stat shows all)");
  if (info->kind == SHMKIT_INFO_SYSV && info->attachments != SHMKIT_UNKNOWN) {
    prose("nattch is %ju: the number of attachments, not of processes.",
          (uintmax_t)info->attachments);
  }
  if (info->locks > 0) {
    prose("%s held on it, which only somebody who has it open can have.",
          info->locks == 1 ? "One file lock is" : in_text("%u file locks are", info->locks));
  }
}

static void say_state(const shmkit_info *info) {
  static const char *const meanings[] = {
      [SHMKIT_STATE_UNKNOWN] = "whether anybody uses it is not certain",
      [SHMKIT_STATE_DEST] = "it is marked for removal and goes when the last process detaches it",
      [SHMKIT_STATE_UNLINKED] = "its name is gone, and it goes with its last user",
      [SHMKIT_STATE_USED] = "it is in use",
      [SHMKIT_STATE_LEAKED] = "nobody needs it: it has been left behind",
      [SHMKIT_STATE_LOCKED] = "nobody uses it, and somebody locked it into memory",
      [SHMKIT_STATE_IDLE] = "nobody uses it now, but somebody may come back to it"};
  const char *meaning = meanings[info->state];
  prose("Its state is %s: %s%s%s%s.", shmkit_state_name((shmkit_state)info->state), meaning,
        info->reason[0] != '\0' ? " (" : "", info->reason, info->reason[0] != '\0' ? ")" : "");
  if (info->flags & SHMKIT_INFO_LAST) {
    prose("It was made with the lifetime 'last': its name goes with its last user.");
  }
}

/* ---- Removing ------------------------------------------------------------------------------- */

static void say_removal(const shmkit_info *info) {
  char *removal = outlook_of_removal(info), *who = outlook_who_may_remove(info);
  prose("Its removal: %s. Who may remove it: %s.", removal, who);
  free(who);
  free(removal);
  if (info->kind == SHMKIT_INFO_FILE || info->allocated == SHMKIT_UNKNOWN) return;
  prose("Its memory (%s) is freed once it has neither a name nor a user.",
        in_bytes(info->allocated));
}

/* ---- Limits --------------------------------------------------------------------------------- */

/* Those that are of memory or of a place, and that it takes something of. */
static bool is_used_up_by(const shmkit_limit *limit, const shmkit_info *info) {
  return (limit->kinds & SHMKIT_INFO_SET(info->kind)) && limit->scope != SHMKIT_SCOPE_PROCESS &&
         !(limit->flags & (SHMKIT_LIMIT_EACH | SHMKIT_LIMIT_ON_REQUEST)) &&
         limit->unit == SHMKIT_UNIT_BYTES && limit->limit < SHMKIT_UNLIMITED;
}

static void say_limits(const shmkit_info *info) {
  shmkit_limits *limits = NULL;
  if (shmkit_limits_take(&limits) != 0) return;
  bool begun = false;
  for (size_t i = 0; i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (!is_used_up_by(limit, info)) continue;
    if (!begun) prose("It counts against these limits, as they are from here:");
    begun = true;
    prose_item("%s: %s, of which %s are used and %s free", limit->title, in_bytes(limit->limit),
               in_bytes(limit->used), in_bytes(limit->free));
  }
  shmkit_limits_free(limits);
}

static void explain_one(const shmkit_info *info) {
  prose_title("%s", info->address[0] != '\0' ? info->address : info->name);
  say_kind(info);
  say_size(info);
  say_owner(info);
  say_creator(info);
  say_users(info);
  say_state(info);
  say_removal(info);
  say_limits(info);
}

void explain_segments(const shmkit_listing *listing) {
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    explain_one(shmkit_listing_at(listing, i));
  }
}
