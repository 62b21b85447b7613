/* SPDX-License-Identifier: MIT */
/* What the figures depend on: the machine, and where on it we are. */
#ifndef SHMKIT_TOOL_BENCH_MACHINE_H
#define SHMKIT_TOOL_BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* -1 and "" are unknown. */
struct machine {
  char model[128], kernel[160], architecture[72], governor[32];
  /* "never", "always": whether the system gives shared memory huge pages. */
  char shared_huge_pages[16];
  int cpus, cpus_allowed, cores;
  /* Hardware threads of one core. */
  int threads_per_core;
  bool virtual;
  double load;
};

void machine_describe(struct machine *self);

/* Two CPUs of different cores that this process may use, where there are two. */
void machine_choose_cpus(int cpus[2]);

/* Whether this process may run there. */
bool machine_has_cpu(int cpu);

/* Run on this CPU alone. */
bool machine_pin(int cpu);

/* "same core (SMT)", "different cores": how two CPUs are related. */
const char *machine_relation(const int cpus[2]);

/* "tmpfs", "ext2/3/4", "0x1234": the type of the file system of `path`; "?" when unknown. To be
 * freed. */
char *machine_file_system(const char *path);

/* Whether a file there is in memory only. */
bool machine_is_in_memory(const char *path);

#endif
