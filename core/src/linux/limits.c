/* SPDX-License-Identifier: MIT */
/* Linux: every ceiling on shared memory. */
#include "limit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"

enum {
  POSIX = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE),
  SYSV = SHMKIT_INFO_SET(SHMKIT_INFO_SYSV),
  MEMFD = SHMKIT_INFO_SET(SHMKIT_INFO_MEMFD),
  HUGETLB = SHMKIT_INFO_SET(SHMKIT_INFO_HUGETLB),
  NAMELESS = SHMKIT_INFO_SET(SHMKIT_INFO_ANONYMOUS),
  ON_FILE_SYSTEM = HUGETLB | SHMKIT_INFO_SET(SHMKIT_INFO_FILE),
  EVERY = SHMKIT_INFO_ALL
};

static uint64_t times(uint64_t count, uint64_t size) {
  uint64_t product = 0;
  bool overflow = __builtin_mul_overflow(count, size, &product);
  return overflow || product > UINT64_MAX / 4 ? SHMKIT_UNLIMITED : product;
}

/* A number in a file; SHMKIT_UNKNOWN when it cannot be read. More than anybody could reach is how
 * the kernel says that there is no limit. */
static uint64_t number_in(const char *directory, const char *file) {
  uint64_t number = 0;
  if (!shmkit__read_number(directory, file, &number)) return SHMKIT_UNKNOWN;
  return times(number, 1);
}

static uint64_t in_pages(uint64_t pages) {
  return pages < SHMKIT_UNLIMITED ? times(pages, (uint64_t)sysconf(_SC_PAGESIZE)) : pages;
}

/* ---- /dev/shm ------------------------------------------------------------------------------- */

static const shmkit_limit shm_bytes = {
    .name = "shm-bytes",
    .title = "size of " SHMKIT__POSIX_DIRECTORY,
    .source = SHMKIT__POSIX_DIRECTORY " (statfs)",
    .effect = "creating fails with ENOSPC; a store into a sparse segment raises SIGBUS",
    .remedy = "mount -o remount,size=4g " SHMKIT__POSIX_DIRECTORY "; docker run --shm-size=4g",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_FILE_SYSTEM,
    .kinds = POSIX,
};
static const shmkit_limit shm_inodes = {
    .name = "shm-inodes",
    .title = "inodes of " SHMKIT__POSIX_DIRECTORY,
    .source = SHMKIT__POSIX_DIRECTORY " (statfs)",
    .effect = "creating fails with ENOSPC",
    .remedy = "mount -o remount,nr_inodes=1m " SHMKIT__POSIX_DIRECTORY,
    .unit = SHMKIT_UNIT_INODES,
    .scope = SHMKIT_SCOPE_FILE_SYSTEM,
    .kinds = POSIX,
};

/* A file system without such a limit says 0. What is reserved for root is not free for others. */
static void set_room(struct shmkit__limit *limit, uint64_t most, uint64_t free, uint64_t available,
                     uint64_t unit) {
  shmkit__limit_set(limit, most > 0 ? times(most, unit) : SHMKIT_UNLIMITED,
                    most > 0 ? times(most - free, unit) : SHMKIT_UNKNOWN);
  if (limit != NULL && most > 0) limit->limit.free = times(available, unit);
}

/* Nobody can make a segment, or this process cannot. */
static void set_closed(struct shmkit__limit *limit, const char *why) {
  if (limit == NULL) return;
  limit->limit.free = 0;
  shmkit__limit_note(limit, "%s", why);
}

static void note_size(struct shmkit__limit *limit, bool in_memory) {
  const uint64_t usual = UINT64_C(64) << 20;
  if (limit == NULL) return;
  shmkit__limit_note(limit, "%sSystem V and memfd segments do not count against it%s",
                     limit->limit.limit == usual ? "a container's usual 64 MiB; " : "",
                     in_memory ? "" : "; it is no tmpfs: POSIX segments are written to a disk");
}

/* Whether POSIX segments are in memory. */
static bool survey_shm(shmkit_limits *limits) {
  struct shmkit__limit *bytes = shmkit__limits_add(limits, &shm_bytes);
  struct shmkit__limit *inodes = shmkit__limits_add(limits, &shm_inodes);
  struct statfs room;
  const char *closed = NULL;
  bool in_memory = true;
  int fd = open(SHMKIT__POSIX_DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && fstatfs(fd, &room) == 0) {
    in_memory = shmkit__os_in_memory(fd);
    set_room(bytes, room.f_blocks, room.f_bfree, room.f_bavail, (uint64_t)room.f_bsize);
    set_room(inodes, room.f_files, room.f_ffree, room.f_ffree, 1);
    note_size(bytes, in_memory);
  } else if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    closed = "there is no such directory, hence no POSIX segment: mount a tmpfs there";
    shmkit__limit_set(bytes, 0, 0);
    shmkit__limit_set(inodes, 0, 0);
  }
  if (fd >= 0) (void)close(fd);
  if (closed == NULL &&
      faccessat(AT_FDCWD, SHMKIT__POSIX_DIRECTORY, W_OK | X_OK, AT_EACCESS) != 0) {
    if (errno == EROFS) closed = "mounted read-only: nobody can make a POSIX segment";
    if (errno == EACCES) closed = "this process may not write there (chmod 1777)";
  }
  if (closed != NULL) {
    set_closed(bytes, closed);
    set_closed(inodes, closed);
  }
  return in_memory;
}

/* ---- System V ------------------------------------------------------------------------------- */

#define KERNEL "/proc/sys/kernel"

static const shmkit_limit sysv_size = {
    .name = "shmmax",
    .title = "size of one System V segment",
    .source = KERNEL "/shmmax",
    .effect = "shmget fails with EINVAL",
    .remedy = "sysctl -w kernel.shmmax=BYTES",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_IPC_NAMESPACE,
    .kinds = SYSV,
    .flags = SHMKIT_LIMIT_EACH,
};
static const shmkit_limit sysv_bytes = {
    .name = "shmall",
    .title = "size of all System V segments",
    .source = KERNEL "/shmall, in pages",
    .effect = "shmget fails with ENOSPC",
    .remedy = "sysctl -w kernel.shmall=PAGES",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_IPC_NAMESPACE,
    .kinds = SYSV,
};
static const shmkit_limit sysv_segments = {
    .name = "shmmni",
    .title = "number of System V segments",
    .source = KERNEL "/shmmni",
    .effect = "shmget fails with ENOSPC",
    .remedy = "sysctl -w kernel.shmmni=SEGMENTS; shmkit gc removes what nobody needs",
    .unit = SHMKIT_UNIT_SEGMENTS,
    .scope = SHMKIT_SCOPE_IPC_NAMESPACE,
    .kinds = SYSV,
};

static void survey_sysv(shmkit_limits *limits) {
  struct shmkit__limit *size = shmkit__limits_add(limits, &sysv_size);
  struct shmkit__limit *bytes = shmkit__limits_add(limits, &sysv_bytes);
  struct shmkit__limit *segments = shmkit__limits_add(limits, &sysv_segments);
  struct shm_info used = {.shm_tot = 0};
  if (shmctl(0, SHM_INFO, (struct shmid_ds *)&used) < 0) {
    if (errno != ENOSYS) return;
    struct shmkit__limit *const all[] = {size, bytes, segments};
    for (unsigned i = 0; i < 3; i++) {
      shmkit__limit_set(all[i], 0, 0);
      set_closed(all[i], "this kernel has no System V shared memory");
    }
    return;
  }
  shmkit__limit_set(size, number_in(KERNEL, "shmmax"), SHMKIT_UNKNOWN);
  shmkit__limit_set(bytes, in_pages(number_in(KERNEL, "shmall")), in_pages(used.shm_tot));
  shmkit__limit_set(segments, number_in(KERNEL, "shmmni"), (uint64_t)used.used_ids);
}

/* ---- Memory --------------------------------------------------------------------------------- */

static const shmkit_limit memory = {
    .name = "memory",
    .title = "memory and swap of the machine",
    .source = "/proc/meminfo",
    .effect = "processes are killed",
    .remedy = "free memory (shmkit gc) or add swap",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_MACHINE,
    .kinds = SYSV | MEMFD | NAMELESS,
};
static const shmkit_limit group_memory = {
    .name = "cgroup-memory",
    .title = "memory control group",
    .effect = "processes of the group are killed",
    .remedy = "raise it there; docker run --memory=SIZE; systemd MemoryMax=",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_CONTROL_GROUP,
    .kinds = SYSV | MEMFD | NAMELESS,
};

/* While the limits on memory are told. */
struct telling {
  shmkit_limits *limits;
  uint32_t more_kinds; /* POSIX, when its segments are in memory */
  bool machine;        /* has been told */
  unsigned groups;     /* that have a limit */
  /* This process's own group, when it has none. */
  struct shmkit__ceiling unlimited;
  char source[1024];
};

static void add_ceiling(struct telling *telling, const struct shmkit__ceiling *ceiling) {
  struct shmkit__limit *limit =
      shmkit__limits_add(telling->limits, ceiling->is_machine ? &memory : &group_memory);
  if (limit == NULL) return;
  (void)snprintf(limit->source, sizeof limit->source, "%s", ceiling->source);
  limit->limit.source = limit->source;
  limit->limit.kinds |= telling->more_kinds;
  if (ceiling->limit == UINT64_MAX) {
    shmkit__limit_set(limit, SHMKIT_UNLIMITED, ceiling->used);
    shmkit__limit_note(limit, "none of the groups above this process has a limit");
    return;
  }
  shmkit__limit_set(limit, ceiling->limit, ceiling->used);
  limit->limit.free = ceiling->available;
  if (ceiling->is_machine && ceiling->swap == 0) shmkit__limit_note(limit, "there is no swap");
  if (ceiling->is_machine && ceiling->swap > 0) {
    shmkit__limit_note(limit, "%" PRIu64 " MiB of it are swap", ceiling->swap >> 20);
  }
  if (!ceiling->is_machine && ceiling->available > ceiling->limit - ceiling->used) {
    shmkit__limit_note(limit, "what is free includes swap that the group may use");
  }
}

static void tell_ceiling(const struct shmkit__ceiling *ceiling, void *context) {
  struct telling *telling = context;
  if (ceiling->limit == UINT64_MAX) {
    if (telling->unlimited.source != NULL) return;
    (void)snprintf(telling->source, sizeof telling->source, "%s", ceiling->source);
    telling->unlimited = *ceiling;
    telling->unlimited.source = telling->source;
    return;
  }
  if (ceiling->is_machine) {
    telling->machine = true;
  } else {
    telling->groups++;
  }
  add_ceiling(telling, ceiling);
}

static void survey_memory(shmkit_limits *limits, bool posix_is_memory) {
  struct telling telling = {.limits = limits, .more_kinds = posix_is_memory ? POSIX : 0};
  shmkit__os_memory_ceilings(tell_ceiling, &telling);
  if (!telling.machine) (void)shmkit__limits_add(limits, &memory);
  if (telling.groups == 0 && telling.unlimited.source != NULL) {
    add_ceiling(&telling, &telling.unlimited);
  }
}

static const shmkit_limit committed = {
    .name = "commit",
    .title = "memory that may be promised",
    .source = "/proc/meminfo (CommitLimit), /proc/sys/vm/overcommit_memory",
    .effect = "creating fails with ENOMEM or ENOSPC; a store into a sparse segment raises SIGBUS",
    .remedy = "sysctl -w vm.overcommit_memory=0",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_MACHINE,
    .kinds = SYSV | MEMFD | NAMELESS,
};

static void survey_commit(shmkit_limits *limits, bool posix_is_memory) {
  const uint64_t strict = 2, kibi = 1024;
  struct shmkit__limit *limit = shmkit__limits_add(limits, &committed);
  char *machine = shmkit__slurp("/proc/meminfo");
  uint64_t mode = number_in("/proc/sys/vm", "overcommit_memory");
  if (limit != NULL && posix_is_memory) limit->limit.kinds |= POSIX;
  if (mode < strict) {
    shmkit__limit_set(limit, SHMKIT_UNLIMITED, SHMKIT_UNKNOWN);
    shmkit__limit_note(limit, "only counted where vm.overcommit_memory is 2; here it is %" PRIu64,
                       mode);
  } else if (mode == strict && machine != NULL) {
    shmkit__limit_set(limit, shmkit__number_of_key(machine, "CommitLimit:") * kibi,
                      shmkit__number_of_key(machine, "Committed_AS:") * kibi);
  }
  free(machine);
}

/* ---- The process ---------------------------------------------------------------------------- */

static const shmkit_limit file_size = {
    .name = "rlimit-fsize",
    .title = "size of one file",
    .source = "getrlimit(RLIMIT_FSIZE)",
    .effect = "creating fails with EFBIG, and SIGXFSZ kills who does not ignore it",
    .remedy = "ulimit -f unlimited",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_PROCESS,
    .kinds = POSIX | MEMFD | ON_FILE_SYSTEM,
    .flags = SHMKIT_LIMIT_EACH,
};
static const shmkit_limit address_space = {
    .name = "rlimit-as",
    .title = "address space",
    .source = "getrlimit(RLIMIT_AS)",
    .effect = "mapping fails with ENOMEM",
    .remedy = "ulimit -v unlimited",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_PROCESS,
    .kinds = EVERY,
};
static const shmkit_limit locked_memory = {
    .name = "rlimit-memlock",
    .title = "memory locked against swapping",
    .source = "getrlimit(RLIMIT_MEMLOCK)",
    .effect = "locking fails with ENOMEM, or EPERM where nothing may be locked",
    .remedy = "ulimit -l unlimited; docker run --ulimit memlock=-1",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_PROCESS,
    .kinds = EVERY,
    .flags = SHMKIT_LIMIT_ON_REQUEST,
};
static const shmkit_limit descriptors = {
    .name = "rlimit-nofile",
    .title = "open files of one process",
    .source = "getrlimit(RLIMIT_NOFILE)",
    .effect = "opening fails with EMFILE",
    .remedy = "ulimit -n NUMBER",
    .unit = SHMKIT_UNIT_FILES,
    .scope = SHMKIT_SCOPE_PROCESS,
    .kinds = POSIX | MEMFD | ON_FILE_SYSTEM,
};
static const shmkit_limit mappings = {
    .name = "max-map-count",
    .title = "mappings in one process",
    .source = "/proc/sys/vm/max_map_count",
    .effect = "mapping fails with ENOMEM",
    .remedy = "sysctl -w vm.max_map_count=NUMBER",
    .unit = SHMKIT_UNIT_MAPPINGS,
    .scope = SHMKIT_SCOPE_PROCESS,
    .kinds = EVERY,
};

static uint64_t resource_limit(int resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return SHMKIT_UNKNOWN;
  return limit.rlim_cur == RLIM_INFINITY ? SHMKIT_UNLIMITED : (uint64_t)limit.rlim_cur;
}

/* Open descriptors with numbers below `end`: who opened more before the limit was lowered keeps
 * them, and they take nothing away from it. */
static uint64_t own_descriptors(uint64_t end) {
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) return SHMKIT_UNKNOWN;
  const uint64_t own = (uint64_t)dirfd(directory);
  uint64_t count = 0;
  bool found = false;
  for (struct dirent *entry; (entry = shmkit__next(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    uint64_t number = strtoull(entry->d_name, NULL, 10);
    found = true;
    if (number < end && number != own) count++;
  }
  (void)closedir(directory);
  return found ? count : SHMKIT_UNKNOWN;
}

static uint64_t own_mappings(void) {
  FILE *file = fopen("/proc/self/maps", "re");
  if (file == NULL) return SHMKIT_UNKNOWN;
  uint64_t count = 0;
  for (int byte; (byte = getc(file)) != EOF;) count += byte == '\n';
  (void)fclose(file);
  return count;
}

/* Whether it may lock what it likes: a capability that counts in the first user namespace alone. */
static bool may_lock_all(const char *status) {
  const unsigned cap_ipc_lock = 14;
  const ino_t first_user_namespace = 0xEFFFFFFDU;
  struct stat namespace;
  const char *line = strstr(status, "\nCapEff:");
  if (line == NULL || stat("/proc/self/ns/user", &namespace) != 0) return false;
  return namespace.st_ino == first_user_namespace &&
         (strtoull(line + sizeof "\nCapEff:" - 1, NULL, 16) >> cap_ipc_lock & 1) != 0;
}

static void survey_process(shmkit_limits *limits) {
  const uint64_t kibi = 1024;
  uint64_t locked = SHMKIT_UNKNOWN, mapped = SHMKIT_UNKNOWN;
  uint64_t lockable = resource_limit(RLIMIT_MEMLOCK);
  bool privileged = false;
  char *status = shmkit__slurp("/proc/self/status");
  if (status != NULL) {
    locked = shmkit__number_of_key(status, "VmLck:") * kibi;
    mapped = shmkit__number_of_key(status, "VmSize:") * kibi;
    privileged = lockable < SHMKIT_UNLIMITED && may_lock_all(status);
  }
  free(status);
  shmkit__limit_set(shmkit__limits_add(limits, &file_size), resource_limit(RLIMIT_FSIZE),
                    SHMKIT_UNKNOWN);
  shmkit__limit_set(shmkit__limits_add(limits, &address_space), resource_limit(RLIMIT_AS), mapped);
  uint64_t most = resource_limit(RLIMIT_NOFILE);
  shmkit__limit_set(shmkit__limits_add(limits, &descriptors), most, own_descriptors(most));
  shmkit__limit_set(shmkit__limits_add(limits, &mappings),
                    number_in("/proc/sys/vm", "max_map_count"), own_mappings());
  struct shmkit__limit *lock = shmkit__limits_add(limits, &locked_memory);
  shmkit__limit_set(lock, privileged ? SHMKIT_UNLIMITED : lockable, locked);
  if (privileged) {
    shmkit__limit_note(lock, "%" PRIu64 " KiB, from which CAP_IPC_LOCK frees this process",
                       lockable / kibi);
  }
}

static const shmkit_limit open_files = {
    .name = "files",
    .title = "open files of the machine",
    .source = "/proc/sys/fs/file-nr",
    .effect = "opening fails with ENFILE",
    .remedy = "sysctl -w fs.file-max=NUMBER",
    .unit = SHMKIT_UNIT_FILES,
    .scope = SHMKIT_SCOPE_MACHINE,
    .kinds = EVERY,
};

static void survey_files(shmkit_limits *limits) {
  uint64_t used = 0, unused = 0, most = 0;
  struct shmkit__limit *limit = shmkit__limits_add(limits, &open_files);
  char *text = shmkit__slurp("/proc/sys/fs/file-nr");
  if (text != NULL) {
    /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
    int found = sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &used, &unused, &most);
    if (found == 3) shmkit__limit_set(limit, times(most, 1), used - unused);
  }
  free(text);
}

/* ---- Huge pages ----------------------------------------------------------------------------- */

#define HUGE_PAGES "/sys/kernel/mm/hugepages"

static const shmkit_limit huge_pages = {
    .effect = "creating fails with ENOMEM",
    .remedy = "write how many to nr_hugepages there, soon after the machine has started",
    .unit = SHMKIT_UNIT_BYTES,
    .scope = SHMKIT_SCOPE_MACHINE,
    .kinds = HUGETLB | SYSV | MEMFD,
    .flags = SHMKIT_LIMIT_ON_REQUEST,
};

/* The system may set more pages aside when they are needed, up to so many. */
static void count_huge(struct shmkit__limit *limit, uint64_t size) {
  const char *directory = limit->source;
  uint64_t total = 0, free = 0, reserved = 0, surplus = 0, more = 0;
  if (!shmkit__read_number(directory, "nr_hugepages", &total) ||
      !shmkit__read_number(directory, "free_hugepages", &free) ||
      !shmkit__read_number(directory, "resv_hugepages", &reserved) ||
      !shmkit__read_number(directory, "surplus_hugepages", &surplus) ||
      !shmkit__read_number(directory, "nr_overcommit_hugepages", &more)) {
    return;
  }
  shmkit__limit_set(limit, times(total - surplus + more, size),
                    times(total - free + reserved, size));
  shmkit__limit_note(limit,
                     "%" PRIu64 " pages, %" PRIu64 " free, %" PRIu64 " of these reserved; %" PRIu64
                     " more on demand",
                     total, free, reserved, more - (surplus < more ? surplus : more));
}

static void add_huge(shmkit_limits *limits, uint64_t kib) {
  struct shmkit__limit *limit = shmkit__limits_add(limits, &huge_pages);
  if (limit == NULL) return;
  bool giga = kib >= 1 << 20, mega = kib >= 1 << 10;
  (void)snprintf(limit->name, sizeof limit->name, "huge-%" PRIu64 "kB", kib);
  (void)snprintf(limit->title, sizeof limit->title, "huge pages of %" PRIu64 " %s",
                 kib >> (giga   ? 20
                         : mega ? 10
                                : 0),
                 giga   ? "GiB"
                 : mega ? "MiB"
                        : "KiB");
  (void)snprintf(limit->source, sizeof limit->source, HUGE_PAGES "/hugepages-%" PRIu64 "kB", kib);
  limit->limit.name = limit->name;
  limit->limit.title = limit->title;
  limit->limit.source = limit->source;
  count_huge(limit, kib << 10);
}

static int compare_sizes(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static void survey_huge_pages(shmkit_limits *limits) {
  uint64_t sizes[16];
  size_t count = 0;
  DIR *directory = opendir(HUGE_PAGES);
  if (directory == NULL) return;
  struct dirent *entry;
  while (count < sizeof sizes / sizeof sizes[0] && (entry = shmkit__next(directory)) != NULL) {
    /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &sizes[count]) == 1) count++;
  }
  (void)closedir(directory);
  qsort(sizes, count, sizeof sizes[0], compare_sizes);
  for (size_t i = 0; i < count; i++) add_huge(limits, sizes[i]);
}

void shmkit__os_survey_limits(shmkit_limits *limits) {
  bool posix_is_memory = survey_shm(limits);
  survey_sysv(limits);
  survey_memory(limits, posix_is_memory);
  survey_commit(limits, posix_is_memory);
  survey_process(limits);
  survey_files(limits);
  survey_huge_pages(limits);
}
