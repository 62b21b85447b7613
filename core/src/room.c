/* SPDX-License-Identifier: MIT */
#include "room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "error.h"
#include "os.h"

/* "64 MiB": as exact as a person wants it. */
static const char *in_words(uint64_t bytes, char buffer[static 32]) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  unsigned unit = 0;
  double value = (double)bytes;
  for (; value >= 1024 && unit < 6; unit++) value /= 1024;
  (void)snprintf(buffer, 32, "%.*f %s", unit > 0 && value < 10 ? 1 : 0, value, units[unit]);
  return buffer;
}

static bool exceeds_file_system(int fd, uint64_t size) {
  struct statvfs room;
  if (fd < 0 || fstatvfs(fd, &room) != 0 || room.f_blocks == 0) return false;
  return size > (uint64_t)room.f_bavail * room.f_frsize;
}

shmkit_status shmkit__room_check(int fd, const char *path, const char *address, const char *verb,
                                 uint64_t size) {
  const uint64_t worth_a_look = 1 << 20;
  struct shmkit__memory_room room;
  char asked[32], limit[32], available[32];
  if (size < worth_a_look || (fd >= 0 && !shmkit__os_in_memory(fd))) return 0;
  if (!shmkit__os_memory_room(&room)) return 0;
  /* Beside the pages the kernel needs some memory to keep account of them. */
  if (size + size / 256 <= room.available) return 0;
  if (exceeds_file_system(fd, size)) return shmkit__room_fail(fd, path, address, verb, size);
  return shmkit__fail(
      -ENOMEM, address,
      "cannot %s %s: %s are asked for, and %s of %s leaves %s; using more would get "
      "the process killed: free memory, raise the limit, or create it sparse",
      verb, address, in_words(size, asked), room.what, in_words(room.limit, limit),
      in_words(room.available, available));
}

shmkit_status shmkit__room_fail(int fd, const char *path, const char *address, const char *verb,
                                uint64_t size) {
  struct statvfs room;
  char asked[32], total[32], available[32], directory[256] = "its file system";
  int known = path != NULL ? statvfs(path, &room) : fstatvfs(fd, &room);
  if (path != NULL) (void)snprintf(directory, sizeof directory, "%.255s", path);
  if (known != 0) {
    return shmkit__fail(-ENOSPC, address, "cannot %s %s: no room for %s", verb, address,
                        in_words(size, asked));
  }
  if (room.f_files > 0 && room.f_favail == 0) {
    return shmkit__fail(-ENOSPC, address,
                        "cannot %s %s: all %llu files that %s may hold exist: remove some", verb,
                        address, (unsigned long long)room.f_files, directory);
  }
  if (size == 0) {
    return shmkit__fail(-ENOSPC, address, "cannot %s %s: no room for another file in %s", verb,
                        address, directory);
  }
  return shmkit__fail(-ENOSPC, address,
                      "cannot %s %s: no room for %s: %s holds %s, of which %s are free: remove "
                      "segments that nobody uses or enlarge it (mount -o remount,size=..., in a "
                      "container --shm-size)",
                      verb, address, in_words(size, asked), directory,
                      in_words((uint64_t)room.f_blocks * room.f_frsize, total),
                      in_words((uint64_t)room.f_bavail * room.f_frsize, available));
}
