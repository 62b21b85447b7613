/* SPDX-License-Identifier: MIT */
/* Linux: copying that cannot fault, and how much memory the control groups and the machine leave. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/look.h"
#include "os.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

int shmkit__os_copy(void *to, const void *from, size_t length) {
  while (length > 0) {
    struct iovec local = {.iov_base = to, .iov_len = length};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = length};
    ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return -errno;
    if (copied == 0) return -EFAULT;
    to = (char *)to + copied;
    from = (const char *)from + copied;
    length -= (size_t)copied;
  }
  return 0;
}

/* Before Linux 5.14: have every page looked at through the mapping. */
static int touch_pages(const unsigned char *memory, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t at = 0; at < size; at += page) {
    unsigned char byte;
    int error = shmkit__os_copy(&byte, memory + at, 1);
    if (error != 0) return error;
  }
  return 0;
}

int shmkit__os_populate(void *memory, size_t size, bool writable) {
  if (madvise(memory, size, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0) return 0;
  return errno == EINVAL ? touch_pages(memory, size) : -errno;
}

/* ---- Small files of /proc and /sys ---------------------------------------------------------- */

char *shmkit__slurp(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  size_t capacity = 4096, length = 0;
  char *text = malloc(capacity);
  while (text != NULL) {
    ssize_t got = read(fd, text + length, capacity - length - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    length += (size_t)got;
    if (capacity - length > 1) continue;
    char *larger = realloc(text, capacity *= 2);
    if (larger == NULL) free(text);
    text = larger;
  }
  (void)close(fd);
  if (text != NULL) text[length] = '\0';
  return text;
}

bool shmkit__read_number(const char *directory, const char *file, uint64_t *out) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path) return false;
  char *text = shmkit__slurp(path);
  if (text == NULL) return false;
  char *end = text;
  *out = strncmp(text, "max", 3) == 0 ? UINT64_MAX : strtoull(text, &end, 10);
  bool good = *out == UINT64_MAX || end != text;
  free(text);
  return good;
}

uint64_t shmkit__number_of_key(const char *text, const char *key) {
  size_t length = strlen(key);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, key, length) == 0) return strtoull(line + length, NULL, 10);
  }
  return 0;
}

static uint64_t minus(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

/* ---- Control groups ------------------------------------------------------------------------- */

/* The two generations of control groups call the same things differently. */
struct generation {
  const char *type; /* of the file system */
  const char *limit, *usage;
  const char *inactive_file, *active_file; /* in memory.stat: what reclaim can give back */
  /* Of swap alone, or of memory and swap together. */
  const char *swap_limit, *swap_usage;
  bool together;
};
static const struct generation first_generation = {
    .type = "cgroup",
    .limit = "memory.limit_in_bytes",
    .usage = "memory.usage_in_bytes",
    .inactive_file = "total_inactive_file ",
    .active_file = "total_active_file ",
    .swap_limit = "memory.memsw.limit_in_bytes",
    .swap_usage = "memory.memsw.usage_in_bytes",
    .together = true,
};
static const struct generation second_generation = {
    .type = "cgroup2",
    .limit = "memory.max",
    .usage = "memory.current",
    .inactive_file = "inactive_file ",
    .active_file = "active_file ",
    .swap_limit = "memory.swap.max",
    .swap_usage = "memory.swap.current",
};

/* What the group can move out of `room` bytes of memory and all free swap. */
static uint64_t add_swap(const struct generation *generation, const char *directory, uint64_t room,
                         uint64_t free_swap) {
  uint64_t limit = UINT64_MAX, usage = 0;
  if (!shmkit__read_number(directory, generation->swap_limit, &limit) ||
      !shmkit__read_number(directory, generation->swap_usage, &usage)) {
    return room + free_swap;
  }
  uint64_t left = minus(limit, usage);
  if (generation->together) return left < room + free_swap ? left : room + free_swap;
  return room + (left < free_swap ? left : free_swap);
}

/* What a look at all limits needs: where to tell them. */
struct look {
  shmkit__ceiling_visit *each;
  void *context;
  uint64_t free_swap;
};

/* What reclaim can give back is not counted as used. */
static uint64_t needed_of(const struct generation *generation, const char *directory,
                          uint64_t usage) {
  char path[PATH_MAX];
  (void)snprintf(path, sizeof path, "%s/memory.stat", directory);
  char *statistics = shmkit__slurp(path);
  if (statistics == NULL) return usage;
  usage = minus(usage, shmkit__number_of_key(statistics, generation->inactive_file) +
                           shmkit__number_of_key(statistics, generation->active_file));
  free(statistics);
  return usage;
}

static void consider_group(const struct generation *generation, const char *directory,
                           const struct look *look) {
  char source[PATH_MAX];
  uint64_t limit = 0, usage = 0;
  if (!shmkit__read_number(directory, generation->limit, &limit)) return;
  if (!shmkit__read_number(directory, generation->usage, &usage)) return;
  (void)snprintf(source, sizeof source, "%s/%s", directory, generation->limit);
  struct shmkit__ceiling ceiling = {.limit = UINT64_MAX, .available = UINT64_MAX, .source = source};
  ceiling.used = needed_of(generation, directory, usage);
  /* The first generation says "no limit" as the largest multiple of the page size. */
  if (limit <= UINT64_MAX / 4) {
    ceiling.limit = limit;
    ceiling.available =
        add_swap(generation, directory, minus(limit, ceiling.used), look->free_swap);
  }
  look->each(&ceiling, look->context);
}

/*
 * The part of a mountinfo line that is needed, taken apart in place:
 *   id parent device root mount-point options [optional...] - type source super-options
 */
struct mount {
  char *root, *point, *type, *options;
};

static bool parse_mount(char *line, struct mount *out) {
  char *rest = strstr(line, " - ");
  if (rest == NULL) return false;
  *rest = '\0';
  char *save = NULL;
  char *fields[5] = {NULL};
  fields[0] = strtok_r(line, " ", &save);
  for (int i = 1; i < 5 && fields[i - 1] != NULL; i++) fields[i] = strtok_r(NULL, " ", &save);
  out->root = fields[3];
  out->point = fields[4];
  out->type = strtok_r(rest + 3, " ", &save);
  (void)strtok_r(NULL, " ", &save);
  out->options = strtok_r(NULL, " ", &save);
  return out->point != NULL && out->type != NULL && out->options != NULL;
}

static bool has_word(const char *list, const char *word) {
  size_t length = strlen(word);
  for (const char *at = list; at != NULL; at = strchr(at, ',')) {
    if (*at == ',') at++;
    if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

/* Where the hierarchy with the memory controller is mounted, and which part of it. */
static bool find_mount(char *mounts, const struct generation *generation, struct mount *out) {
  char *save = NULL;
  for (char *line = strtok_r(mounts, "\n", &save); line != NULL;
       line = strtok_r(NULL, "\n", &save)) {
    if (!parse_mount(line, out) || strcmp(out->type, generation->type) != 0) continue;
    if (generation == &second_generation || has_word(out->options, "memory")) return true;
  }
  return false;
}

/* Every group from this process's own up to the mounted root; limits hold on all levels. */
static void consider_path(const struct generation *generation, const char *group,
                          const struct look *look) {
  struct mount mount;
  char *mounts = shmkit__slurp("/proc/self/mountinfo");
  if (mounts == NULL) return;
  if (find_mount(mounts, generation, &mount)) {
    size_t root = strlen(mount.root);
    /* In a container the mount shows a part of the hierarchy; the group's path may be of the
     * whole. */
    if (root > 1 && strncmp(group, mount.root, root) == 0) group += root;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s", mount.point, strcmp(group, "/") ? group : "");
    size_t point = strlen(mount.point);
    while (length < (int)sizeof path && strlen(path) >= point) {
      consider_group(generation, path, look);
      char *slash = strrchr(path, '/');
      if (slash == NULL || slash == path) break;
      *slash = '\0';
    }
  }
  free(mounts);
}

static void consider_groups(const struct look *look) {
  char *groups = shmkit__slurp("/proc/self/cgroup");
  if (groups == NULL) return;
  char *save = NULL;
  /* Lines are hierarchy:controllers:path, without controllers for the second generation. */
  for (char *line = strtok_r(groups, "\n", &save); line != NULL;
       line = strtok_r(NULL, "\n", &save)) {
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) continue;
    *path++ = '\0';
    controllers++;
    if (*controllers == '\0') {
      consider_path(&second_generation, path, look);
    } else if (has_word(controllers, "memory")) {
      consider_path(&first_generation, path, look);
    }
  }
  free(groups);
}

static void consider_machine(struct look *look) {
  const uint64_t kibi = 1024;
  char *machine = shmkit__slurp("/proc/meminfo");
  uint64_t memory = machine != NULL ? shmkit__number_of_key(machine, "MemTotal:") * kibi : 0;
  if (memory > 0) {
    look->free_swap = shmkit__number_of_key(machine, "SwapFree:") * kibi;
    uint64_t swap = shmkit__number_of_key(machine, "SwapTotal:") * kibi;
    uint64_t available = shmkit__number_of_key(machine, "MemAvailable:") * kibi + look->free_swap;
    look->each(&(struct shmkit__ceiling){.limit = memory + swap,
                                         .used = minus(memory + swap, available),
                                         .available = available,
                                         .source = "/proc/meminfo",
                                         .swap = swap,
                                         .is_machine = true},
               look->context);
  }
  free(machine);
}

void shmkit__os_memory_ceilings(shmkit__ceiling_visit *each, void *context) {
  struct look look = {.each = each, .context = context};
  consider_machine(&look);
  consider_groups(&look);
}

static void keep_tightest(const struct shmkit__ceiling *ceiling, void *context) {
  struct shmkit__memory_room *room = context;
  if (ceiling->available >= room->available) return;
  room->available = ceiling->available;
  room->limit = ceiling->limit;
  if (ceiling->is_machine) {
    (void)snprintf(room->what, sizeof room->what, "the machine's memory (%s)", ceiling->source);
  } else {
    (void)snprintf(room->what, sizeof room->what, "the memory control group's limit (%.200s)",
                   ceiling->source);
  }
}

bool shmkit__os_memory_room(struct shmkit__memory_room *out) {
  *out = (struct shmkit__memory_room){.available = UINT64_MAX, .limit = UINT64_MAX};
  shmkit__os_memory_ceilings(keep_tightest, out);
  return out->limit != UINT64_MAX;
}
