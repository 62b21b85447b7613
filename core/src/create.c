/* SPDX-License-Identifier: MIT */
/*
 * Creating segments, so that nobody ever sees half of one: everything is done to a file without a
 * name, and the last step gives it the name or finds it taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"
#include "error.h"
#include "room.h"
#include "segment.h"

/* ---- What is asked for ---------------------------------------------------------------------- */

static shmkit_status fail_option(const struct shmkit__address *address, shmkit_status status,
                                 const char *why) {
  return shmkit__fail(status, address->text, "cannot create %s: %s", address->text, why);
}

static shmkit_status check_flags(const struct shmkit__address *address,
                                 const shmkit_segment_options *options) {
  const uint32_t known = SHMKIT_SPARSE | SHMKIT_POPULATE | SHMKIT_LOCK | SHMKIT_HUGE_PAGES;
  shmkit_kind kind = address->kind;
  if (options->flags & SHMKIT_READONLY) {
    return fail_option(address, -EINVAL,
                       "what is created is not read-only: open it so, or seal it");
  }
  if (options->flags & SHMKIT_ANY_OWNER) {
    return fail_option(address, -EINVAL, "any_owner is for opening what exists");
  }
  if (options->flags & ~known) {
    return shmkit__fail(-EINVAL, address->text, "cannot create %s: unknown flags 0x%x",
                        address->text, (unsigned)(options->flags & ~known));
  }
  if ((options->flags & SHMKIT_HUGE_PAGES) && kind != SHMKIT_MEMFD && kind != SHMKIT_SYSV) {
    return fail_option(address, SHMKIT_ERR_UNSUPPORTED,
                       "huge pages are for memfd: and sysv:, or for file: on a hugetlbfs mount "
                       "without this option");
  }
  return 0;
}

shmkit_status shmkit__check_creation(const struct shmkit__address *address, uint64_t size,
                                     const shmkit_segment_options *options) {
  const uint32_t seals = SHMKIT_SEAL_SEAL | SHMKIT_SEAL_SHRINK | SHMKIT_SEAL_GROW |
                         SHMKIT_SEAL_WRITE | SHMKIT_SEAL_FUTURE_WRITE;
  if (size == 0) return fail_option(address, -EINVAL, "the size is 0: ask for at least 1 byte");
  if (size > INT64_MAX || options->capacity > INT64_MAX) {
    return fail_option(address, -EINVAL, "no segment can have 2^63 bytes or more");
  }
  if (options->mode & ~0777U) {
    return shmkit__fail(-EINVAL, address->text,
                        "cannot create %s: the mode %#o has more than permission bits, 0777: is it "
                        "meant to be octal?",
                        address->text, (unsigned)options->mode);
  }
  if (options->lifetime > SHMKIT_LAST) return fail_option(address, -EINVAL, "unknown lifetime");
  if (options->lifetime != SHMKIT_PERSISTENT && address->kind == SHMKIT_MEMFD) {
    return fail_option(address, SHMKIT_ERR_UNSUPPORTED,
                       "a memfd has no name whose lifetime could be chosen");
  }
  if (options->seals != 0 && address->kind != SHMKIT_MEMFD) {
    return fail_option(address, SHMKIT_ERR_UNSUPPORTED, "only memfd: can be sealed");
  }
  if (options->seals & ~seals) return fail_option(address, -EINVAL, "unknown seals");
  if (options->content == NULL && options->content_size > 0) {
    return fail_option(address, -EINVAL, "the content is a null pointer");
  }
  if (options->content_size > size) {
    return fail_option(address, -EINVAL, "the content is longer than the segment");
  }
  return check_flags(address, options);
}

/* ---- Filling a file that nobody knows ------------------------------------------------------- */

static shmkit_status reserve(shmkit_segment *self, const char *path, uint64_t size) {
  int error;
  if (self->huge_page != 0 && size % self->huge_page != 0) {
    return shmkit__fail(-EINVAL, self->address,
                        "cannot create %s with %" PRIu64 " bytes: its huge pages have %" PRIu64
                        ", use a multiple of that",
                        self->address, size, self->huge_page);
  }
  if (self->flags & SHMKIT_SPARSE) {
    error = shmkit__os_extend(self->fd, size);
  } else {
    shmkit_status room = shmkit__room_check(self->fd, path, self->address, "create", size);
    if (room != 0) return room;
    error = shmkit__os_reserve(self->fd, 0, size, false);
  }
  if (error == 0) return 0;
  if (self->huge_page != 0 && (error == -ENOMEM || error == -ENOSPC)) {
    return shmkit__fail(-ENOSPC, self->address,
                        "cannot create %s: too few huge pages are free for %" PRIu64
                        " bytes: raise /proc/sys/vm/nr_hugepages",
                        self->address, size);
  }
  if (error == -ENOSPC) return shmkit__room_fail(self->fd, path, self->address, "create", size);
  if (error == -EOPNOTSUPP) {
    return shmkit__fail(error, self->address,
                        "cannot create %s: its file system cannot reserve room: create it sparse "
                        "with another program, then open it",
                        self->address);
  }
  return shmkit__fail_errno(-error, self->address, "cannot create %s: reserving %" PRIu64 " bytes",
                            self->address, size);
}

static shmkit_status fail_content(const shmkit_segment *self) {
  return shmkit__fail_errno(errno, self->address, "cannot create %s: writing its content",
                            self->address);
}

/* hugetlbfs has no write; nobody else can truncate this file, so its memory can be used. */
static shmkit_status copy_content(shmkit_segment *self, const void *content, size_t size) {
  size_t page = (size_t)self->huge_page;
  size_t mapped = (size + page - 1) / page * page;
  void *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
  if (memory == MAP_FAILED) return fail_content(self);
  memcpy(memory, content, size);
  (void)munmap(memory, mapped);
  return 0;
}

static shmkit_status write_content(shmkit_segment *self, const char *content, size_t size) {
  if (size > 0 && self->huge_page != 0) return copy_content(self, content, size);
  for (size_t done = 0; done < size;) {
    ssize_t put = pwrite(self->fd, content + done, size - done, (off_t)done);
    if (put < 0 && errno != EINTR) return fail_content(self);
    if (put > 0) done += (size_t)put;
  }
  return 0;
}

/* Before Linux 6.7 what could be made writable may not be mapped once writing is sealed, so what is
 * mapped is a description that cannot. */
static shmkit_status become_readonly(shmkit_segment *self) {
  int fd = -1;
  int error = shmkit__os_reopen(self->fd, O_RDONLY, &fd);
  if (error != 0) {
    return shmkit__fail_errno(-error, self->address,
                              "cannot create %s: opening it anew for reading", self->address);
  }
  shmkit__os_mark(fd);
  (void)close(atomic_exchange(&self->fd, fd));
  self->readonly = true;
  return 0;
}

static shmkit_status add_seals(shmkit_segment *self, uint32_t seals) {
  if (seals == 0) return 0;
  int error = shmkit__os_seal(self->fd, seals);
  if (error != 0) {
    return shmkit__fail_errno(-error, self->address, "cannot create %s: sealing it", self->address);
  }
  return seals & SHMKIT_SEAL_WRITE ? become_readonly(self) : 0;
}

/* Everything but the name. `path` is where it will be, NULL for a memfd. */
static shmkit_status fill(shmkit_segment *self, const char *path, uint64_t size,
                          const shmkit_segment_options *options) {
  shmkit_status status = reserve(self, path, size);
  shmkit__crash_point("create.reserved");
  if (status == 0) status = write_content(self, options->content, options->content_size);
  if (status != 0) return status;
  shmkit__crash_point("create.filled");
  shmkit__stamp_write(self->fd);
  status = add_seals(self, options->seals);
  if (status == 0) status = shmkit__segment_map(self, "create", size, options);
  if (status == 0 && options->lifetime == SHMKIT_LAST) {
    status = shmkit__lifetime_attach_first(self->fd, self->address);
  }
  return status;
}

/* ---- memfd ---------------------------------------------------------------------------------- */

static shmkit_status create_memfd(const struct shmkit__address *address, uint64_t size,
                                  const shmkit_segment_options *options, shmkit_segment *self) {
  struct stat status;
  int fd = -1;
  /* The mode decides who may open it through /proc/PID/fd. */
  mode_t mode = options->mode != 0 ? options->mode : 0600;
  int error = shmkit__os_anonymous(address->text + address->name, mode,
                                   (options->flags & SHMKIT_HUGE_PAGES) != 0, &fd);
  if (error != 0) {
    return shmkit__fail_errno(-error, address->text, "cannot create %s", address->text);
  }
  self->fd = fd;
  if (fstat(fd, &status) != 0) {
    return shmkit__fail_errno(errno, address->text, "cannot create %s", address->text);
  }
  shmkit__segment_set_file(self, fd, &status);
  /* FUTURE_WRITE would keep ourselves out as well if it were set before mapping. */
  shmkit_segment_options without = *options;
  without.seals &= ~(uint32_t)SHMKIT_SEAL_FUTURE_WRITE;
  bool later = without.seals != options->seals;
  /* No seal can follow the seal on seals. */
  if (later) without.seals &= ~(uint32_t)SHMKIT_SEAL_SEAL;
  shmkit_status result = fill(self, NULL, size, &without);
  if (result == 0 && later) result = add_seals(self, options->seals & ~without.seals);
  return result;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static shmkit_status fail_exists(const struct shmkit__address *address) {
  return shmkit__fail(-EEXIST, address->text,
                      "cannot create %s: it exists: open it, use open_or_create, or unlink it",
                      address->text);
}

/* No room for even the empty file, or its name. */
static shmkit_status fail_no_files(const struct shmkit__address *address) {
  char directory[PATH_MAX];
  shmkit__address_directory(address, directory);
  return shmkit__room_fail(-1, directory, address->text, "create", 0);
}

static shmkit_status fail_name(const struct shmkit__address *address, int error) {
  const char *why = NULL;
  if (error == EEXIST) return fail_exists(address);
  if (error == ENOSPC) return fail_no_files(address);
  if (error == EACCES || error == EPERM) why = "no permission to make files in its directory";
  if (error == ENOENT || error == ENOTDIR) why = "its directory does not exist";
  if (why != NULL) return fail_option(address, -error, why);
  return shmkit__fail_errno(error, address->text, "cannot create %s", address->text);
}

static bool exists(const struct shmkit__address *address) {
  struct stat status;
  return lstat(address->path, &status) == 0;
}

static shmkit_status fail_last(const struct shmkit__address *address, struct shmkit__draft *draft) {
  shmkit__os_draft_abandon(address->path, draft);
  return fail_option(address, SHMKIT_ERR_UNSUPPORTED,
                     "the lifetime \"last\" is for file systems in memory (tmpfs, hugetlbfs)");
}

static shmkit_status create_file(const struct shmkit__address *address, uint64_t size,
                                 const shmkit_segment_options *options, shmkit_segment *self) {
  const uint64_t worth_a_look = 1 << 16;
  struct shmkit__draft draft;
  mode_t mode = options->mode != 0 ? options->mode : 0600;
  if (options->lifetime == SHMKIT_LAST) mode |= S_ISVTX;
  /* Publishing finds it out for certain; found out now, it costs nobody room for a second copy. */
  if (size >= worth_a_look && exists(address)) return fail_exists(address);
  int error = shmkit__os_draft_begin(address->path, mode, &draft);
  if (error != 0) return fail_name(address, -error);
  shmkit__crash_point("create.begun");
  shmkit__segment_set_file(self, draft.fd, &draft.status);
  const char *where = address->kind == SHMKIT_POSIX ? SHMKIT__POSIX_DIRECTORY : NULL;
  if (options->lifetime == SHMKIT_LAST && self->lifetime != SHMKIT_LAST) {
    return fail_last(address, &draft);
  }
  shmkit_status status = fill(self, where, size, options);
  /* Whoever asks for a name that is taken shall hear that, not that there is no room. */
  if (status == -ENOSPC && exists(address)) status = fail_exists(address);
  if (status == 0) {
    shmkit__crash_point("create.prepared");
    error = shmkit__os_draft_publish(address->path, &draft);
    if (error != 0) status = fail_name(address, -error);
    shmkit__crash_point("create.published");
  }
  if (status != 0) shmkit__os_draft_abandon(address->path, &draft);
  return status;
}

static shmkit_status create_once(const struct shmkit__address *address, uint64_t size,
                                 const shmkit_segment_options *options, shmkit_segment **out) {
  shmkit_segment *self = shmkit__segment_new(address, options);
  if (self == NULL) return -ENOMEM;
  shmkit_status status = address->kind == SHMKIT_MEMFD ? create_memfd(address, size, options, self)
                                                       : create_file(address, size, options, self);
  if (status != 0) {
    shmkit_segment_free(self);
    return status;
  }
  shmkit__segment_set_created(self, options->lifetime);
  *out = self;
  return 0;
}

/* ---- Creating ------------------------------------------------------------------------------- */

shmkit_status shmkit__segment_create_at(struct shmkit__address *address, uint64_t size,
                                        const shmkit_segment_options *options,
                                        shmkit_segment **out) {
  shmkit_status status = shmkit__check_creation(address, size, options);
  if (status != 0) return status;
  if (address->kind == SHMKIT_SYSV) return shmkit__sysv_create(address, size, options, out);
  if (address->kind == SHMKIT_FD) {
    return fail_option(address, SHMKIT_ERR_UNSUPPORTED,
                       "a descriptor can only be opened; use memfd: for a segment without a name");
  }
  status = create_once(address, size, options, out);
  if (status != -EEXIST) return status;
  /* What a killed process left does not count as existing. */
  if (!shmkit__lifetime_reap_stale(address->path)) return status;
  return create_once(address, size, options, out);
}

shmkit_status shmkit_segment_create(const char *address, uint64_t size,
                                    const shmkit_segment_options *options, shmkit_segment **out) {
  static const shmkit_segment_options defaults = SHMKIT_SEGMENT_OPTIONS_INIT;
  struct shmkit__address parsed;
  shmkit_status status = shmkit__address_parse(address, &parsed);
  if (status != 0) return status;
  return shmkit__segment_create_at(&parsed, size, options != NULL ? options : &defaults, out);
}
