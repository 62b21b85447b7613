/* SPDX-License-Identifier: MIT */
/* What follows from what was seen: whether the creator still runs, and whether anybody needs it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "listing.h"
#include "os.h"

static const char *const state_names[] = {
    [SHMKIT_STATE_UNKNOWN] = "unknown",   [SHMKIT_STATE_DEST] = "dest",
    [SHMKIT_STATE_UNLINKED] = "unlinked", [SHMKIT_STATE_USED] = "used",
    [SHMKIT_STATE_LEAKED] = "leaked",     [SHMKIT_STATE_LOCKED] = "locked",
    [SHMKIT_STATE_IDLE] = "idle",
};

const char *shmkit_state_name(shmkit_state state) {
  return (unsigned)state <= SHMKIT_STATE_IDLE ? state_names[state] : "?";
}

void shmkit__entry_explain(struct shmkit__entry *entry, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(entry->info.reason, sizeof entry->info.reason, format, arguments);
  va_end(arguments);
}

/* ---- Creators ------------------------------------------------------------------------------- */

/* Segments come in families with one creator: what was found out about a process is kept. */
enum { KNOWN = 64 };
struct court {
  shmkit_creator self;
  bool pids_are_ours;
  struct {
    int64_t pid;
    int error;
    struct shmkit__process process;
  } known[KNOWN];
};

static int ask(struct court *court, int64_t pid, struct shmkit__process *out) {
  size_t slot = (uint64_t)pid % KNOWN;
  if (court->known[slot].pid != pid) {
    court->known[slot].error = shmkit__os_process(pid, &court->known[slot].process);
    court->known[slot].pid = pid;
  }
  *out = court->known[slot].process;
  return court->known[slot].error;
}

/* By its stamp: PID and start together are of one process only. */
static shmkit_liveness find_stamped(struct court *court, const shmkit_creator *creator) {
  struct shmkit__process process;
  const shmkit_creator *self = &court->self;
  if (creator->pid == 0) return SHMKIT_LIVENESS_UNKNOWN;
  if (creator->boot[0] != '\0' && self->boot[0] != '\0' && strcmp(creator->boot, self->boot) != 0) {
    return SHMKIT_EXITED;
  }
  if (!court->pids_are_ours || creator->pid_namespace == 0 ||
      creator->pid_namespace != self->pid_namespace) {
    return SHMKIT_LIVENESS_UNKNOWN;
  }
  int error = ask(court, creator->pid, &process);
  if (error == -ESRCH) return SHMKIT_EXITED;
  if (error != 0 || creator->start == 0) return SHMKIT_LIVENESS_UNKNOWN;
  return process.start == creator->start ? SHMKIT_ALIVE : SHMKIT_EXITED;
}

static bool is_mapped_by(const struct shmkit__entry *entry, int64_t pid) {
  for (size_t i = 0; i < entry->info.mapper_count; i++) {
    if (entry->mappers[i].pid == pid) return true;
  }
  return false;
}

/* The earliest and the latest time at which a System V segment is known to have existed. */
static int64_t first_sight(const shmkit_info *info) {
  int64_t first = info->changed;
  if (info->attached != SHMKIT_UNKNOWN_TIME && info->attached < first) first = info->attached;
  if (info->detached != SHMKIT_UNKNOWN_TIME && info->detached < first) first = info->detached;
  return first;
}

static int64_t last_sight(const shmkit_info *info) {
  int64_t last = info->changed;
  if (info->attached > last) last = info->attached;
  if (info->detached > last) last = info->detached;
  return last;
}

/*
 * Whether the process that has this PID now is the one that had it at `time`, in whole seconds: yes
 * if it was there before, no if it has come since. In the second itself, nothing can be said.
 */
static shmkit_liveness find_by_time(struct court *court, int64_t pid, int64_t time,
                                    struct shmkit__process *process) {
  const int64_t second = 1000000000, tolerance = 20000000;
  if (pid == 0 || !court->pids_are_ours) return SHMKIT_LIVENESS_UNKNOWN;
  int error = ask(court, pid, process);
  if (error == -ESRCH) return SHMKIT_EXITED;
  if (error != 0 || time == SHMKIT_UNKNOWN_TIME) return SHMKIT_LIVENESS_UNKNOWN;
  if (process->started <= time - tolerance) return SHMKIT_ALIVE;
  return process->started >= time + second + tolerance ? SHMKIT_EXITED : SHMKIT_LIVENESS_UNKNOWN;
}

static shmkit_liveness find_sysv(struct court *court, struct shmkit__entry *entry) {
  struct shmkit__process process = {.started = 0};
  shmkit_info *info = &entry->info;
  shmkit_creator *creator = &info->creator;
  shmkit_liveness creator_state = find_by_time(court, creator->pid, first_sight(info), &process);
  /* Most programs make their segments within their first second. One that has it attached did not
   * come by that PID by chance. */
  if (creator_state == SHMKIT_LIVENESS_UNKNOWN && process.started != 0 &&
      is_mapped_by(entry, creator->pid) && process.started <= first_sight(info) + 1000000000) {
    creator_state = SHMKIT_ALIVE;
  }
  if (creator_state == SHMKIT_ALIVE) {
    creator->start = process.start;
    creator->pid_namespace = court->self.pid_namespace;
    memcpy(creator->boot, court->self.boot, sizeof creator->boot);
    memcpy(creator->program, process.program, sizeof creator->program);
  }
  /* Who used it last may have been told by its creator to, and come back. */
  shmkit_liveness last = find_by_time(court, info->last_pid, last_sight(info), &process);
  entry->last_is_gone = info->last_pid == 0 || last == SHMKIT_EXITED;
  return creator_state;
}

/* ---- States --------------------------------------------------------------------------------- */

static const char *plural(uint64_t count) {
  return count == 1 ? "" : "s";
}

bool shmkit__entry_is_used(const struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  if (info->mapper_count > 0 || info->locks > 0) return true;
  return info->attachments != SHMKIT_UNKNOWN && info->attachments > 0;
}

/* Whether nobody can use it without being known. */
static bool is_counted(const shmkit_listing *listing, const struct shmkit__entry *entry) {
  if (listing->unreadable == 0 && !listing->hidden) return true;
  if (entry->info.attachments != SHMKIT_UNKNOWN) return true;
  return (entry->info.flags & SHMKIT_INFO_LAST) && listing->locks_known;
}

static void explain_use(struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  if (info->mapper_count > 0) {
    shmkit__entry_explain(entry, "mapped by %zu process%s", info->mapper_count,
                          info->mapper_count == 1 ? "" : "es");
  } else if (info->locks > 0) {
    shmkit__entry_explain(entry, "%" PRIu32 " lock%s held on it", info->locks,
                          info->locks == 1 ? " is" : "s are");
  } else {
    shmkit__entry_explain(entry, "%" PRIu64 " attachment%s by processes that cannot be seen",
                          info->attachments, plural(info->attachments));
  }
}

shmkit_state shmkit__entry_judge_unused(struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  const shmkit_creator *creator = &info->creator;
  bool sysv = info->kind == SHMKIT_INFO_SYSV;
  if (info->flags & SHMKIT_INFO_LAST) {
    shmkit__entry_explain(entry, "its last user left it behind when it was killed");
    return SHMKIT_STATE_LEAKED;
  }
  if (info->creator_state == SHMKIT_EXITED && (!sysv || entry->last_is_gone)) {
    shmkit__entry_explain(entry, "nobody %s it, and its creator, process %" PRId64 "%s%s%s, %s",
                          sysv ? "attaches" : "maps", creator->pid, *creator->program ? " (" : "",
                          creator->program, *creator->program ? ")" : "", "has exited");
    return SHMKIT_STATE_LEAKED;
  }
  if (info->flags & SHMKIT_INFO_LOCKED) {
    shmkit__entry_explain(entry, "nobody attaches it; it is locked into memory");
    return SHMKIT_STATE_LOCKED;
  }
  if (info->creator_state == SHMKIT_ALIVE) {
    shmkit__entry_explain(entry, "nobody %s it; its creator, process %" PRId64 " (%s), runs",
                          sysv ? "attaches" : "maps", creator->pid, creator->program);
  } else if (info->creator_state == SHMKIT_EXITED) {
    shmkit__entry_explain(entry, "nobody attaches it; process %" PRId64 ", which did last, may run",
                          info->last_pid);
  } else {
    shmkit__entry_explain(entry, "nobody %s it; whether its creator runs is not known",
                          sysv ? "attaches" : "maps");
  }
  return SHMKIT_STATE_IDLE;
}

static void explain_incomplete(const shmkit_listing *listing, struct shmkit__entry *entry) {
  const char *creator =
      entry->info.creator_state == SHMKIT_EXITED ? "its creator has exited and " : "";
  if (listing->unreadable > 0) {
    shmkit__entry_explain(entry,
                          "%snobody is seen to map it, but %zu process%s could not be looked at",
                          creator, listing->unreadable, listing->unreadable == 1 ? "" : "es");
  } else {
    shmkit__entry_explain(
        entry, "%snobody is seen to map it, but there may be processes that cannot be seen",
        creator);
  }
}

static shmkit_state judge_entry(const shmkit_listing *listing, struct shmkit__entry *entry) {
  const shmkit_info *info = &entry->info;
  if (info->flags & SHMKIT_INFO_DEST) {
    shmkit__entry_explain(entry,
                          "marked for removal; goes with the last of %" PRIu64 " attachment%s",
                          info->attachments, plural(info->attachments));
    return SHMKIT_STATE_DEST;
  }
  if (info->flags & SHMKIT_INFO_UNLINKED) {
    shmkit__entry_explain(entry, "its name is gone; goes with its last user");
    return SHMKIT_STATE_UNLINKED;
  }
  if (shmkit__entry_is_used(entry)) {
    explain_use(entry);
    return SHMKIT_STATE_USED;
  }
  if (is_counted(listing, entry)) return shmkit__entry_judge_unused(entry);
  explain_incomplete(listing, entry);
  return SHMKIT_STATE_UNKNOWN;
}

/* Whether its state cannot be told without. */
static bool needs_creator(const shmkit_listing *listing, const struct shmkit__entry *entry) {
  return !(entry->info.flags & (SHMKIT_INFO_UNLINKED | SHMKIT_INFO_LAST)) &&
         !shmkit__entry_is_used(entry) && is_counted(listing, entry);
}

void shmkit__listing_judge(shmkit_listing *self) {
  struct court court = {.pids_are_ours = shmkit__os_pids_are_ours()};
  shmkit__os_self(&court.self);
  for (size_t i = 0; i < self->count; i++) {
    struct shmkit__entry *entry = self->entries[i];
    shmkit_info *info = &entry->info;
    bool sysv = info->kind == SHMKIT_INFO_SYSV;
    if (!sysv && self->few_creators && needs_creator(self, entry)) shmkit__os_find_creator(entry);
    info->creator_state = sysv ? find_sysv(&court, entry) : find_stamped(&court, &info->creator);
    info->state = judge_entry(self, entry);
  }
}
