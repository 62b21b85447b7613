/* SPDX-License-Identifier: MIT */
/* Opening a segment or creating it, while others do the same, or remove it, at the same time. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backoff.h"
#include "error.h"
#include "segment.h"

struct request {
  struct shmkit__address address;
  uint64_t size;
  const shmkit_segment_options *options;
};

/* What can only be opened: options for creating do not apply. */
static bool never_creates(const struct shmkit__address *address) {
  return address->kind == SHMKIT_FD || address->sysv == SHMKIT__SYSV_ID;
}

static shmkit_status open_existing(const struct request *request, shmkit_segment **out) {
  shmkit_segment_options options = *request->options;
  if (!never_creates(&request->address)) {
    options.flags &= ~(uint32_t)(SHMKIT_SPARSE | SHMKIT_HUGE_PAGES);
    options.mode = options.lifetime = options.seals = 0;
    options.content = NULL;
    options.content_size = 0;
  }
  shmkit_segment *found = NULL;
  shmkit_status status = shmkit__segment_open_at(&request->address, &options, &found);
  if (status != 0) return status;
  if (found->size >= request->size) {
    *out = found;
    return 0;
  }
  status = shmkit__fail(SHMKIT_ERR_INCOMPATIBLE, request->address.text,
                        "%s exists with %zu bytes, fewer than the %" PRIu64 " asked for: open it "
                        "and grow it, or unlink it",
                        request->address.text, shmkit_segment_size(found), request->size);
  shmkit_segment_free(found);
  return status;
}

static shmkit_status create_missing(struct request *request, shmkit_segment **out) {
  shmkit_segment_options options = *request->options;
  options.flags &= ~(uint32_t)SHMKIT_ANY_OWNER;
  return shmkit__segment_create_at(&request->address, request->size, &options, out);
}

/* Each other's creation and removal may be in the way of both; then again. */
static shmkit_status open_or_create_once(struct request *request, shmkit_segment **out) {
  shmkit_status status = open_existing(request, out);
  if (status != -ENOENT) return status;
  status = create_missing(request, out);
  return status == -EEXIST ? SHMKIT_AGAIN : status;
}

static uint64_t free_room(const char *directory) {
  struct statvfs room;
  return statvfs(directory, &room) == 0 ? (uint64_t)room.f_bavail * room.f_frsize : 0;
}

static bool can_ever_fit(const char *directory, uint64_t size) {
  struct statvfs room;
  return statvfs(directory, &room) != 0 || (uint64_t)room.f_blocks * room.f_frsize >= size;
}

/* Whether it will be a file with a name, in a directory by which to take turns. */
static bool has_directory(const struct request *request) {
  return request->address.kind == SHMKIT_POSIX || request->address.kind == SHMKIT_FILE;
}

/* Worth taking turns from the start. */
static bool is_large(const struct request *request) {
  const uint64_t large = 1 << 20;
  return has_directory(request) && request->size >= large &&
         !(request->options->flags & SHMKIT_SPARSE);
}

static bool should_take_turns(const struct request *request, shmkit_status status) {
  char directory[PATH_MAX];
  if (!has_directory(request)) return false;
  if (status == -ENOENT) return is_large(request);
  if (status != -ENOSPC) return false;
  shmkit__address_directory(&request->address, directory);
  return can_ever_fit(directory, request->size);
}

/*
 * Of processes that reserve room for the same segment at once, one will win; meanwhile all together
 * may use more room than there is, and where a control group limits memory, get killed for it. For
 * large segments they take turns from the start, by a lock on the directory, for small ones after
 * they were refused. While the free room keeps changing, others are still at work, and it is worth
 * another look; whoever holds the lock and does nothing is not waited for long.
 */
static shmkit_status take_turns(struct request *request, shmkit_segment **out) {
  char directory[PATH_MAX];
  shmkit__address_directory(&request->address, directory);
  const uint64_t patience = 500000000U, patience_with_others = 2000000000U;
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(10);
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool mine = false;
  uint64_t room = free_room(directory), changed = shmkit__now();
  shmkit_status status;
  do {
    mine = mine || fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    status = mine ? open_or_create_once(request, out) : open_existing(request, out);
    if (status == 0) break;
    bool hopeless =
        status != SHMKIT_AGAIN && status != -ENOENT && !should_take_turns(request, status);
    uint64_t now = shmkit__now(), left = free_room(directory);
    if (left != room) changed = now;
    room = left;
    if (hopeless || now - changed > (mine ? patience : patience_with_others)) break;
  } while (shmkit__backoff_wait(&backoff) && !backoff.interrupted);
  if (status != 0 && backoff.interrupted) {
    status = shmkit__fail_errno(EINTR, request->address.text,
                                "cannot open or create %s: waiting for others who reserve room in "
                                "%s was interrupted",
                                request->address.text, directory);
  }
  /* A child forked meanwhile by another thread has the lock, too, and does not know of it. */
  if (mine && fd >= 0) (void)flock(fd, LOCK_UN);
  if (fd >= 0) (void)close(fd);
  return status == -ENOENT ? open_or_create_once(request, out) : status;
}

shmkit_status shmkit_segment_open_or_create(const char *address, uint64_t size,
                                            const shmkit_segment_options *options,
                                            shmkit_segment **out) {
  static const shmkit_segment_options defaults = SHMKIT_SEGMENT_OPTIONS_INIT;
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(5);
  struct request request = {.size = size, .options = options != NULL ? options : &defaults};
  shmkit_status status = shmkit__address_parse(address, &request.address);
  /* Errors in what is asked for do not depend on whether it exists. */
  if (status == 0 && !never_creates(&request.address)) {
    shmkit_segment_options creating = *request.options;
    creating.flags &= ~(uint32_t)SHMKIT_ANY_OWNER;
    status = shmkit__check_creation(&request.address, size, &creating);
  }
  if (status != 0) return status;
  const struct shmkit__address *parsed = &request.address;
  if (parsed->kind == SHMKIT_MEMFD || parsed->sysv == SHMKIT__SYSV_PRIVATE) {
    return create_missing(&request, out);
  }
  if (never_creates(parsed)) return open_existing(&request, out);
  do {
    status = is_large(&request) ? open_existing(&request, out) : open_or_create_once(&request, out);
    if (should_take_turns(&request, status)) status = take_turns(&request, out);
  } while (status == SHMKIT_AGAIN && shmkit__backoff_wait(&backoff));
  if (status != SHMKIT_AGAIN) return status;
  return shmkit__fail(-EBUSY, parsed->text,
                      "cannot open or create %s: for 5 seconds it did not exist for opening and "
                      "existed for creating: others create and remove it all the time, or what is "
                      "there is a symbolic link to nowhere, or abandoned and not ours to remove",
                      parsed->text);
}
