/* SPDX-License-Identifier: MIT */
/*
 * Linux: who maps what, from /proc/PID/maps, read once for all processes.
 *
 * A line is "start-end perms offset major:minor inode   path". Only a newline in a path is escaped,
 * as \012, so that what looks like one may have been one; " (deleted)" behind it may be part of a
 * real name. Neither matters where the inode is known: paths are looked at only for what is not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"
#include "segment.h"

enum { BUFFER_SIZE = 64 << 10 };

static const char deleted[] = " (deleted)";

struct scan {
  shmkit_listing *listing;
  int proc; /* the directory */
  uint64_t posix, internal, ipc_namespace;
  uint64_t hugetlbfs[SHMKIT__HUGETLBFS_MAX];
  unsigned hugetlbfs_count;
  /* The process that is being looked at. The rest is asked for when it maps something. */
  int64_t pid;
  bool known, gone;
  struct shmkit__process process;
  bool namespace_known;
  uint64_t its_namespace;
  char *buffer;
};

struct line {
  uint64_t start, end, offset, device, inode;
  bool readable, writable, shared;
  /* If it is the pin of an identity, that; else 0. */
  uint32_t identity;
  char *path;
};

/* ---- Lines ---------------------------------------------------------------------------------- */

/* Take the digits of a number and the character behind it. */
static uint64_t take(char **text, unsigned base) {
  uint64_t number = 0;
  for (;; ++*text) {
    unsigned char c = (unsigned char)**text;
    unsigned digit = c - (unsigned)'0';
    if (digit > 9) digit = c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : base;
    if (digit >= base) break;
    number = number * base + digit;
  }
  if (**text != '\0') ++*text;
  return number;
}

/* False for the many lines that are of no interest: no file, or a private mapping of one that is not
 * in shared memory. */
static bool parse(const struct scan *scan, char *text, struct line *out) {
  out->start = take(&text, 16);
  out->end = take(&text, 16);
  if (strnlen(text, 5) < 5) return false;
  bool closed = memcmp(text, "---s", 4) == 0;
  out->readable = text[0] == 'r';
  out->shared = text[3] == 's';
  out->writable = text[1] == 'w' && out->shared;
  text += 5;
  out->offset = take(&text, 16);
  unsigned major = (unsigned)take(&text, 16), minor = (unsigned)take(&text, 16);
  out->device = makedev(major, minor);
  out->inode = take(&text, 10);
  while (*text == ' ') text++;
  out->path = text;
  /* The pin of an identity: not a use of the memory, and where there is one there is a mapping. */
  out->identity = closed ? shmkit__pin_identity(out->offset) : 0;
  if (out->identity != 0) return scan->listing->wants_pins;
  /* Not by the inode: the first System V segment of a namespace has the identifier 0. */
  if (out->device == 0) return false;
  return out->shared || out->device == scan->posix || out->device == scan->internal ||
         (major == 0 && shmkit__internal_huge_page(out->device) != 0);
}

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* As it was, if it was a newline. */
static void unescape(char *path) {
  char *to = path;
  for (const char *from = path; *from != '\0'; to++) {
    bool newline = starts_with(from, "\\012");
    *to = *from;
    if (newline) *to = '\n';
    from += newline ? 4 : 1;
  }
  *to = '\0';
}

static void strip_deleted(char *path) {
  size_t length = strlen(path), suffix = sizeof deleted - 1;
  if (length > suffix && strcmp(path + length - suffix, deleted) == 0) {
    path[length - suffix] = '\0';
  }
}

static shmkit_info_kind kind_of(const struct scan *scan, const struct line *line) {
  uint64_t device = line->device;
  if (device == scan->internal || shmkit__internal_huge_page(device) != 0) {
    if (starts_with(line->path, "/SYSV")) return SHMKIT_INFO_SYSV;
    if (starts_with(line->path, "/memfd:")) return SHMKIT_INFO_MEMFD;
    if (starts_with(line->path, "/dev/zero") || starts_with(line->path, "/anon_hugepage") ||
        starts_with(line->path, "[anon_shmem")) {
      return SHMKIT_INFO_ANONYMOUS;
    }
    return SHMKIT_INFO_FILE;
  }
  if (device == scan->posix) return SHMKIT_INFO_POSIX;
  for (unsigned i = 0; i < scan->hugetlbfs_count; i++) {
    if (device == scan->hugetlbfs[i]) return SHMKIT_INFO_HUGETLB;
  }
  /* Another mount, here or in another container, under the same path. */
  bool elsewhere = major(device) == 0 && shmkit__posix_name(line->path) != NULL;
  return elsewhere ? SHMKIT_INFO_POSIX : SHMKIT_INFO_FILE;
}

/* ---- What is mapped ------------------------------------------------------------------------- */

/* Its name, while a file with this inode can be found under the path as it is. */
static bool enter_named(struct scan *scan, const struct line *line, struct shmkit__entry *entry) {
  struct shmkit__statx status;
  if (*line->path != '/' || shmkit__statx(AT_FDCWD, line->path, false, &status) != 0) return false;
  if (status.inode != line->inode || shmkit__device_of(&status) != line->device) return false;
  const char *name = shmkit__posix_name(line->path);
  bool posix = name != NULL && line->device == scan->posix;
  shmkit__listing_set(scan->listing, &entry->name, posix ? name : line->path);
  shmkit__listing_set(scan->listing, &entry->path, line->path);
  shmkit__listing_set_joined(scan->listing, &entry->address,
                             posix ? "posix:/" : "file:", posix ? name : line->path);
  /* Names of a directory below are paths. */
  if (!posix && entry->info.kind == SHMKIT_INFO_POSIX) entry->info.kind = SHMKIT_INFO_FILE;
  shmkit__describe(scan->listing, entry, &status);
  if (posix && !scan->listing->few_creators) {
    (void)shmkit__stamp_find(line->path, false, &entry->info.creator);
  }
  return true;
}

/* What it was called. A file that was made without a name and got one later is shown to its maker
 * as "#INODE"; others know better. */
static void set_former_name(struct scan *scan, struct line *line, struct shmkit__entry *entry) {
  char nameless[32];
  char *path = line->path;
  strip_deleted(path);
  const char *name = shmkit__posix_name(path);
  if (entry->info.kind == SHMKIT_INFO_MEMFD) name = path + sizeof "/memfd:" - 1;
  if (entry->info.kind == SHMKIT_INFO_ANONYMOUS || entry->info.kind == SHMKIT_INFO_SYSV) return;
  if (name == NULL) name = path;
  (void)snprintf(nameless, sizeof nameless, "#%llu", (unsigned long long)line->inode);
  if (strcmp(name, nameless) == 0) return;
  shmkit__listing_set(scan->listing, &entry->name, name);
}

static void enter_nameless(struct scan *scan, struct line *line, struct shmkit__entry *entry) {
  shmkit_info *info = &entry->info;
  size_t length = strlen(line->path), suffix = sizeof deleted - 1;
  bool gone = length > suffix && strcmp(line->path + length - suffix, deleted) == 0;
  set_former_name(scan, line, entry);
  if (info->kind == SHMKIT_INFO_SYSV) {
    char text[32];
    (void)snprintf(text, sizeof text, "id=%llu", (unsigned long long)line->inode);
    shmkit__listing_set(scan->listing, &entry->name, text);
    info->flags |= SHMKIT_INFO_ELSEWHERE;
  } else if (info->kind != SHMKIT_INFO_MEMFD && info->kind != SHMKIT_INFO_ANONYMOUS) {
    info->flags |= gone ? SHMKIT_INFO_UNLINKED : SHMKIT_INFO_ELSEWHERE;
  }
}

/* The IPC namespace of this process, 0 when it is the caller's. */
static uint64_t ipc_namespace(struct scan *scan) {
  char path[48];
  struct stat status;
  if (!scan->namespace_known) {
    scan->namespace_known = true;
    (void)snprintf(path, sizeof path, "%lld/ns/ipc", (long long)scan->pid);
    bool other = fstatat(scan->proc, path, &status, 0) == 0 && status.st_ino != scan->ipc_namespace;
    scan->its_namespace = other ? status.st_ino : 0;
  }
  return scan->its_namespace;
}

static struct shmkit__entry *entry_of(struct scan *scan, struct line *line) {
  struct shmkit__identity identity = {
      .kind = kind_of(scan, line), .device = line->device, .inode = line->inode};
  if (identity.kind == SHMKIT_INFO_SYSV) {
    if (!(scan->listing->kinds & SHMKIT_INFO_SET(SHMKIT_INFO_SYSV))) return NULL;
    identity.device = 0;
    identity.ipc_namespace = ipc_namespace(scan);
  }
  struct shmkit__entry *entry = shmkit__listing_find(scan->listing, &identity);
  if (entry != NULL) {
    if (entry->name == NULL) {
      unescape(line->path);
      set_former_name(scan, line, entry);
    }
    return entry;
  }
  unescape(line->path);
  const char *name = shmkit__posix_name(line->path);
  if (identity.kind == SHMKIT_INFO_POSIX && name != NULL) {
    identity.kind = shmkit__kind_of_name(name, SHMKIT_UNKNOWN);
  }
  entry = shmkit__listing_add(scan->listing, &identity);
  if (entry != NULL && !enter_named(scan, line, entry)) enter_nameless(scan, line, entry);
  return entry;
}

/* ---- Who maps it ---------------------------------------------------------------------------- */

/* Who this process is; false when it has ended meanwhile. */
static bool know_process(struct scan *scan) {
  if (!scan->known) {
    scan->known = true;
    scan->gone = shmkit__os_process(scan->pid, &scan->process) == -ESRCH;
  }
  return !scan->gone;
}

static void enter_mapping(struct scan *scan, struct line *line) {
  struct shmkit__entry *entry = entry_of(scan, line);
  if (entry == NULL || !know_process(scan)) return;
  shmkit_mapper *mapper = shmkit__listing_mapper(scan->listing, entry, scan->pid);
  if (mapper == NULL) return;
  if (mapper->mappings == 0) {
    mapper->start = scan->process.start;
    mapper->started = scan->process.started;
    mapper->uid = scan->process.uid;
    memcpy(mapper->program, scan->process.program, sizeof mapper->program);
  }
  mapper->mappings++;
  mapper->bytes += line->end - line->start;
  if (line->offset < mapper->offset) mapper->offset = line->offset;
  mapper->readable |= line->readable;
  mapper->writable |= line->writable;
  entry->info.mappings++;
  if (entry->info.kind == SHMKIT_INFO_SYSV && entry->info.huge_page == 0) {
    entry->info.huge_page = shmkit__internal_huge_page(line->device);
    if (entry->info.huge_page != 0) shmkit__correct_residency(entry);
  }
  if (entry->map_pid != 0) return;
  entry->map_pid = scan->pid;
  entry->map_start = line->start;
  entry->map_end = line->end;
}

static void enter_pin(struct scan *scan, const struct line *line) {
  shmkit_listing *listing = scan->listing;
  const struct shmkit__identity file = {
      .kind = kind_of(scan, line), .device = line->device, .inode = line->inode};
  if (!(listing->kinds & SHMKIT_INFO_SET(file.kind))) return;
  if (listing->closed && shmkit__listing_find(listing, &file) == NULL) return;
  if (!know_process(scan)) return;
  const struct shmkit__pin pin = {.device = line->device,
                                  .inode = line->inode,
                                  .pid = scan->pid,
                                  .process = scan->process,
                                  .identity = line->identity};
  shmkit__listing_add_pin(listing, &pin);
}

/* Enter the whole lines at the start of the buffer; how many bytes they were. */
static size_t enter_lines(struct scan *scan, size_t length) {
  char *at = scan->buffer, *end = at + length;
  for (;;) {
    char *newline = memchr(at, '\n', (size_t)(end - at));
    if (newline == NULL) return (size_t)(at - scan->buffer);
    struct line line;
    *newline = '\0';
    if (parse(scan, at, &line)) {
      if (line.identity != 0) {
        enter_pin(scan, &line);
      } else {
        enter_mapping(scan, &line);
      }
    }
    at = newline + 1;
  }
}

static int read_maps(struct scan *scan, int fd) {
  size_t kept = 0;
  for (;;) {
    ssize_t got = read(fd, scan->buffer + kept, BUFFER_SIZE - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? 0 : -errno;
    size_t length = kept + (size_t)got, used = enter_lines(scan, length);
    kept = length - used;
    /* A line is never that long. */
    if (kept == BUFFER_SIZE) return -EIO;
    memmove(scan->buffer, scan->buffer + used, kept);
  }
}

static void look_at(struct scan *scan, const char *pid) {
  char path[32];
  (void)snprintf(path, sizeof path, "%.20s/maps", pid);
  scan->pid = strtoll(pid, NULL, 10);
  scan->known = scan->gone = scan->namespace_known = false;
  int fd = openat(scan->proc, path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? -errno : read_maps(scan, fd);
  if (fd >= 0) (void)close(fd);
  /* It has ended, or it has no memory: a zombie, a thread of the kernel. */
  if (error != 0 && error != -ENOENT && error != -ESRCH) scan->listing->unreadable++;
}

/* ---- All processes -------------------------------------------------------------------------- */

/* Whether there may be processes that /proc does not show: it leaves out those of other users when
 * it is mounted so, always those of outer PID namespaces. The first of all has a known inode. */
static bool some_are_hidden(const struct scan *scan) {
  const ino_t first_pid_namespace = 0xEFFFFFFCU;
  struct stat status;
  if (fstatat(scan->proc, "1", &status, 0) != 0) return true;
  return fstatat(scan->proc, "self/ns/pid", &status, 0) != 0 ||
         status.st_ino != first_pid_namespace;
}

static void begin(struct scan *scan) {
  const uint32_t files = SHMKIT_INFO_SET(SHMKIT_INFO_HUGETLB) | SHMKIT_INFO_SET(SHMKIT_INFO_FILE);
  struct stat status;
  scan->posix = shmkit__posix_device();
  scan->internal = shmkit__internal_device();
  if (fstatat(scan->proc, "self/ns/ipc", &status, 0) == 0) scan->ipc_namespace = status.st_ino;
  if (scan->listing->kinds & files) {
    scan->hugetlbfs_count = shmkit__hugetlbfs_devices(scan->hugetlbfs, SHMKIT__HUGETLBFS_MAX);
  }
}

void shmkit__os_survey_processes(shmkit_listing *listing) {
  struct scan scan = {.listing = listing, .buffer = malloc(BUFFER_SIZE)};
  DIR *directory = opendir("/proc");
  listing->hidden = true;
  if (scan.buffer == NULL) listing->no_memory = true;
  if (scan.buffer == NULL || directory == NULL) goto done;
  scan.proc = dirfd(directory);
  begin(&scan);
  for (struct dirent *entry; (entry = shmkit__next(directory)) != NULL;) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') look_at(&scan, entry->d_name);
  }
  listing->hidden = some_are_hidden(&scan);
  shmkit__resolve(listing);
done:
  if (directory != NULL) (void)closedir(directory);
  free(scan.buffer);
}
