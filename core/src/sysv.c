/* SPDX-License-Identifier: MIT */
/* System V shared memory: no descriptor, no locks, a size for ever. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "backoff.h"
#include "error.h"
#include "room.h"
#include "segment.h"

#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif
#ifndef SHM_DEST
#define SHM_DEST 01000
#endif

/* ---- Finding -------------------------------------------------------------------------------- */

static shmkit_status fail_find(const char *address, const char *verb, int error) {
  switch (error) {
    case ENOENT:
    case EINVAL: /* what the kernel says of an identifier that does not exist */
    case EIDRM:
      return shmkit__fail(-ENOENT, address,
                          "cannot %s %s: it does not exist in this IPC namespace (ipcs -m lists "
                          "what does)",
                          verb, address);
    case EACCES:
    case EPERM:
      return shmkit__fail(-error, address, "cannot %s %s: no permission: ask its owner, or root",
                          verb, address);
    default:
      return shmkit__fail_errno(error, address, "cannot %s %s", verb, address);
  }
}

static shmkit_status find(const struct shmkit__address *address, const char *verb, int *id) {
  if (address->sysv == SHMKIT__SYSV_PRIVATE) {
    return shmkit__fail(-EINVAL, address->text,
                        "cannot %s %s: it means a new segment without a key; use its identifier, "
                        "\"sysv:id=...\"",
                        verb, address->text);
  }
  *id = address->sysv == SHMKIT__SYSV_ID ? address->number : shmget(address->number, 0, 0);
  return *id >= 0 ? 0 : fail_find(address->text, verb, errno);
}

/* ---- Opening -------------------------------------------------------------------------------- */

static shmkit_status check_capacity(const struct shmkit__address *address,
                                    const shmkit_segment_options *options, uint64_t size) {
  if (options->capacity <= size) return 0;
  return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address->text,
                      "%s is a System V segment, which cannot grow: leave the capacity out",
                      address->text);
}

/* Map segment `id` into `self`. SHMKIT_AGAIN: it is marked for removal, so its key is free. */
static shmkit_status attach(shmkit_segment *self, const struct shmkit__address *address,
                            const char *verb, int id, const shmkit_segment_options *options) {
  struct shmid_ds status;
  void *memory = shmat(id, NULL, self->readonly ? SHM_RDONLY : 0);
  if (memory == (void *)-1) return fail_find(self->address, verb, errno);
  self->memory = memory;
  self->mapped = true;
  self->sysv_id = id;
  if (shmctl(id, IPC_STAT, &status) != 0) return fail_find(self->address, verb, errno);
  self->size = self->capacity = status.shm_segsz;
  if (address->sysv == SHMKIT__SYSV_KEY && (status.shm_perm.mode & SHM_DEST)) return SHMKIT_AGAIN;
  shmkit_status result = check_capacity(address, options, status.shm_segsz);
  return result != 0 ? result : shmkit__segment_prepare_memory(self, verb);
}

static shmkit_status open_once(const struct shmkit__address *address,
                               const shmkit_segment_options *options, shmkit_segment **out) {
  int id = -1;
  shmkit_status status = find(address, "open", &id);
  if (status != 0) return status;
  shmkit_segment *self = shmkit__segment_new(address, options);
  if (self == NULL) return -ENOMEM;
  status = attach(self, address, "open", id, options);
  if (status != 0) {
    shmkit_segment_free(self);
    return status;
  }
  shmkit__segment_set_open(self);
  *out = self;
  return 0;
}

shmkit_status shmkit__sysv_open(const struct shmkit__address *address,
                                const shmkit_segment_options *options, shmkit_segment **out) {
  struct shmkit__backoff backoff = shmkit__backoff_for_seconds(5);
  shmkit_status status;
  do {
    status = open_once(address, options, out);
  } while (status == SHMKIT_AGAIN && shmkit__backoff_wait(&backoff));
  if (status != SHMKIT_AGAIN) return status;
  return shmkit__fail(-EBUSY, address->text,
                      "cannot open %s: it was removed each time it was looked at for 5 seconds",
                      address->text);
}

/* ---- Creating ------------------------------------------------------------------------------- */

static shmkit_status fail_create(const struct shmkit__address *address, uint64_t size, int error) {
  const char *text = address->text;
  switch (error) {
    case EEXIST:
      return shmkit__fail(-EEXIST, text,
                          "cannot create %s: it exists: open it, use open_or_create, or unlink it",
                          text);
    case EINVAL:
      return shmkit__fail(-EFBIG, text,
                          "cannot create %s with %" PRIu64 " bytes: more than "
                          "/proc/sys/kernel/shmmax allows%s",
                          text, size,
                          address->sysv == SHMKIT__SYSV_KEY ? ", or a smaller segment has that key"
                                                            : "");
    case ENOSPC:
      return shmkit__fail(-ENOSPC, text,
                          "cannot create %s: no room for %" PRIu64 " bytes: the system's limit on "
                          "the number of System V segments (/proc/sys/kernel/shmmni) or on their "
                          "pages (/proc/sys/kernel/shmall) is reached",
                          text, size);
    case ENOMEM:
      return shmkit__fail(-ENOMEM, text,
                          "cannot create %s: no memory for %" PRIu64 " bytes; for huge pages see "
                          "/proc/sys/vm/nr_hugepages",
                          text, size);
    default:
      return shmkit__fail_errno(error, text, "cannot create %s with %" PRIu64 " bytes", text, size);
  }
}

static shmkit_status check_creation(const struct shmkit__address *address, uint64_t size,
                                    const shmkit_segment_options *options) {
  if (address->sysv == SHMKIT__SYSV_ID) {
    return shmkit__fail(-EINVAL, address->text,
                        "cannot create %s: the system chooses identifiers: use a key, or "
                        "\"sysv:private\"",
                        address->text);
  }
  if (options->lifetime == SHMKIT_LAST) {
    return shmkit__fail(SHMKIT_ERR_UNSUPPORTED, address->text,
                        "cannot create %s with the lifetime \"last\": System V segments have no "
                        "locks that tell who has them open",
                        address->text);
  }
  shmkit_status status = check_capacity(address, options, size);
  if (status == 0 && !(options->flags & SHMKIT_SPARSE)) {
    status = shmkit__room_check(-1, NULL, address->text, "create", size);
  }
  return status;
}

/* A segment that is not finished: nobody must find it. */
static void abandon(shmkit_segment *self, int id) {
  (void)shmctl(id, IPC_RMID, NULL);
  shmkit_segment_free(self);
}

shmkit_status shmkit__sysv_create(struct shmkit__address *address, uint64_t size,
                                  const shmkit_segment_options *options, shmkit_segment **out) {
  shmkit_status status = check_creation(address, size, options);
  if (status != 0) return status;
  int flags = IPC_CREAT | IPC_EXCL | (int)(options->mode != 0 ? options->mode : 0600);
  if (options->flags & SHMKIT_SPARSE) flags |= SHM_NORESERVE;
  if (options->flags & SHMKIT_HUGE_PAGES) flags |= SHM_HUGETLB;
  bool private = address->sysv == SHMKIT__SYSV_PRIVATE;
  /* In a 32-bit program the size would be cut to what it can name. */
  if (size > SIZE_MAX) return fail_create(address, size, EINVAL);
  int id = shmget(private ? IPC_PRIVATE : address->number, (size_t)size, flags);
  if (id < 0) return fail_create(address, size, errno);
  if (private) shmkit__address_set_sysv_id(address, id);
  shmkit_segment *self = shmkit__segment_new(address, options);
  if (self == NULL) {
    (void)shmctl(id, IPC_RMID, NULL);
    return -ENOMEM;
  }
  status = attach(self, address, "create", id, options);
  if (status == SHMKIT_AGAIN) status = fail_find(address->text, "create", EIDRM);
  if (status != 0) {
    abandon(self, id);
    return status;
  }
  if (options->content_size > 0) memcpy(self->memory, options->content, options->content_size);
  shmkit__segment_set_created(self, options->lifetime);
  *out = self;
  return 0;
}

/* ---- The rest ------------------------------------------------------------------------------- */

shmkit_status shmkit__sysv_unlink(const struct shmkit__address *address) {
  int id = -1;
  shmkit_status status = find(address, "unlink", &id);
  if (status != 0) return status;
  return shmctl(id, IPC_RMID, NULL) == 0 ? 0 : fail_find(address->text, "unlink", errno);
}

shmkit_status shmkit__sysv_unlink_id(int id, const char *address) {
  if (shmctl(id, IPC_RMID, NULL) == 0 || errno == EINVAL || errno == EIDRM) return 0;
  return fail_find(address, "unlink", errno);
}

shmkit_status shmkit__sysv_creator(const shmkit_segment *self, shmkit_creator *out) {
  struct shmid_ds status;
  if (shmctl(self->sysv_id, IPC_STAT, &status) != 0) {
    return fail_find(self->address, "ask for the creator of", errno);
  }
  *out = (shmkit_creator){.pid = status.shm_cpid};
  return 0;
}
