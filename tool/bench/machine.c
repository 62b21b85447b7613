/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <linux/magic.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../text.h"

static bool read_line(const char *path, char *line, size_t size) {
  FILE *file = fopen(path, "re");
  bool good = file != NULL && fgets(line, (int)size, file) != NULL;
  if (file != NULL) (void)fclose(file);
  if (good) line[strcspn(line, "\n")] = '\0';
  return good;
}

static bool read_topology(int cpu, const char *what, char *line, size_t size) {
  char path[128];
  (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, what);
  return read_line(path, line, size);
}

/* ---- CPUs ----------------------------------------------------------------------------------- */

/* The first CPU of the same core, as the core's name; the CPU itself when nothing is known. */
static int core_of(int cpu) {
  char line[64];
  return read_topology(cpu, "thread_siblings_list", line, sizeof line) ? (int)strtol(line, NULL, 10)
                                                                       : cpu;
}

static bool allowed_cpus(cpu_set_t *set) {
  return sched_getaffinity(0, sizeof *set, set) == 0;
}

bool machine_has_cpu(int cpu) {
  cpu_set_t set;
  return cpu >= 0 && cpu < CPU_SETSIZE && allowed_cpus(&set) && CPU_ISSET(cpu, &set);
}

bool machine_pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

void machine_choose_cpus(int cpus[2]) {
  int second = -1;
  cpus[0] = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!machine_has_cpu(cpu)) continue;
    if (cpus[0] < 0) {
      cpus[0] = cpu;
    } else if (core_of(cpu) != core_of(cpus[0])) {
      second = cpu;
      break;
    } else if (second < 0) {
      second = cpu;
    }
  }
  cpus[1] = second < 0 ? cpus[0] : second;
}

const char *machine_relation(const int cpus[2]) {
  if (cpus[0] == cpus[1]) return "one CPU";
  return core_of(cpus[0]) == core_of(cpus[1]) ? "two threads of one core" : "two cores";
}

static void count_cpus(struct machine *self) {
  cpu_set_t set, siblings;
  self->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
  self->cpus_allowed = allowed_cpus(&set) ? CPU_COUNT(&set) : -1;
  CPU_ZERO(&siblings);
  for (int cpu = 0; cpu < self->cpus && cpu < CPU_SETSIZE; cpu++) {
    int core = core_of(cpu);
    if (core >= 0 && core < CPU_SETSIZE) CPU_SET(core, &siblings);
  }
  self->cores = CPU_COUNT(&siblings);
  self->threads_per_core = self->cores > 0 ? self->cpus / self->cores : -1;
}

/* ---- The rest ------------------------------------------------------------------------------- */

static void read_cpuinfo(struct machine *self) {
  FILE *file = fopen("/proc/cpuinfo", "re");
  char *line = NULL;
  size_t space = 0;
  while (file != NULL && getline(&line, &space, file) > 0) {
    const char *value = strchr(line, ':');
    if (value == NULL) continue;
    if (strncmp(line, "model name", 10) == 0 && self->model[0] == '\0') {
      (void)snprintf(self->model, sizeof self->model, "%.*s", (int)strcspn(value + 2, "\n"),
                     value + 2);
    }
    if (strncmp(line, "flags", 5) == 0 && strstr(value, " hypervisor") != NULL) {
      self->virtual = true;
    }
  }
  free(line);
  if (file != NULL) (void)fclose(file);
}

/* "always [never] madvise": what is in the brackets. */
static void read_choice(const char *path, char *choice, size_t size) {
  char line[128];
  if (!read_line(path, line, sizeof line)) return;
  const char *start = strchr(line, '[');
  if (start == NULL) return;
  (void)snprintf(choice, size, "%.*s", (int)strcspn(start + 1, "]"), start + 1);
}

void machine_describe(struct machine *self) {
  struct utsname name;
  *self = (struct machine){0};
  (void)uname(&name);
  (void)snprintf(self->kernel, sizeof self->kernel, "%s %s", name.sysname, name.release);
  (void)snprintf(self->architecture, sizeof self->architecture, "%s", name.machine);
  (void)read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", self->governor,
                  sizeof self->governor);
  read_choice("/sys/kernel/mm/transparent_hugepage/shmem_enabled", self->shared_huge_pages,
              sizeof self->shared_huge_pages);
  read_cpuinfo(self);
  count_cpus(self);
  if (getloadavg(&self->load, 1) != 1) self->load = -1;
}

/* ---- File systems --------------------------------------------------------------------------- */

static const struct {
  uint32_t magic;
  const char *name;
} file_systems[] = {
    {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},
    {HUGETLBFS_MAGIC, "hugetlbfs"},
    {EXT4_SUPER_MAGIC, "ext2/3/4"},
    {0x58465342, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {NFS_SUPER_MAGIC, "nfs"},
    {0x2fc12fc1, "zfs"},
    {0x01021997, "9p"},
    {0x65735546, "fuse"},
};

static uint32_t magic_of(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 ? (uint32_t)status.f_type : 0;
}

char *machine_file_system(const char *path) {
  uint32_t magic = magic_of(path);
  if (magic == 0) return text_format("?");
  for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++) {
    if (file_systems[i].magic == magic) return text_format("%s", file_systems[i].name);
  }
  return text_format("0x%x", (unsigned)magic);
}

bool machine_is_in_memory(const char *path) {
  uint32_t magic = magic_of(path);
  return magic == TMPFS_MAGIC || magic == RAMFS_MAGIC;
}
