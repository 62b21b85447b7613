/* SPDX-License-Identifier: MIT */
/* What the kernel says about the machine in /proc: counters since boot, and levels. */
#ifndef TELEMETRY_PROC_H
#define TELEMETRY_PROC_H

#include <stdbool.h>
#include <stdint.h>

struct proc_counters {
  double time; /* seconds of CLOCK_MONOTONIC */

  /* /proc/stat: clock ticks of all CPUs together; the rest counts events. */
  uint64_t user, system, idle;
  uint64_t switches, forks;
  uint64_t runnable;

  /* /proc/meminfo, in bytes. */
  uint64_t memory_total, memory_available, cached, swap_total, swap_free;

  /* /proc/net/dev, in bytes, without lo. */
  uint64_t received, sent;

  /* /proc/stat, for once. */
  uint64_t boot_time;
  uint32_t cpus;
};

/* Read all of it; false, with errno, when a file cannot be read. The files stay open. */
bool proc_read(struct proc_counters *out);

#endif
