/* SPDX-License-Identifier: MIT */
/* The list of limits: each is what the system then enforces. For those of control groups see
 * limits.c. */
#include "listing_support.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

static shmkit_limits *take_limits(void) {
  shmkit_limits *limits = NULL;
  assert_done(shmkit_limits_take(&limits));
  ck_assert_ptr_nonnull(limits);
  return limits;
}

/* The limit of that name, which must be there. */
static const shmkit_limit *limit_of(const shmkit_limits *limits, const char *wanted) {
  for (size_t i = 0; i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (strcmp(limit->name, wanted) == 0) return limit;
  }
  ck_abort_msg("there is no limit %s", wanted);
  return NULL;
}

static void assert_first(const shmkit_limit *limit, const char *wanted) {
  ck_assert_msg(limit != NULL && strcmp(limit->name, wanted) == 0, "%s is met before %s",
                limit != NULL ? limit->name : "nothing", wanted);
}

static void assert_numbers(const shmkit_limit *limit, uint64_t most, uint64_t used, uint64_t left) {
  ck_assert_msg(limit->limit == most && limit->used == used && limit->free == left,
                "%s: %" PRIu64 " of which %" PRIu64 " used and %" PRIu64 " free", limit->name,
                limit->limit, limit->used, limit->free);
}

static bool write_number(const char *path, unsigned number) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = dprintf(fd, "%u", number) > 0;
  (void)close(fd);
  return done;
}

/* Mounts and namespaces are for one case alone. */
static void enter_own_mounts(void) {
  ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
}

static void mount_shm(const char *options) {
  enter_own_mounts();
  ck_assert(mount_own_shm(options));
}

static void enter_own_ipc(void) {
  ck_assert_int_eq(unshare(CLONE_NEWIPC), 0);
}

static void limit_resource(int resource, rlim_t most) {
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(resource, &limit), 0);
  limit.rlim_cur = most;
  ck_assert_int_eq(setrlimit(resource, &limit), 0);
}

/* AddressSanitizer has an mlock that does nothing. */
static bool lock_memory(const void *memory, size_t size) {
  return syscall(SYS_mlock, memory, size) == 0;
}

/* ---- What all have -------------------------------------------------------------------------- */

START_TEST(every_limit_says_what_it_is_and_where_it_comes_from) {
  shmkit_limits *limits = take_limits();
  size_t count = shmkit_limits_count(limits);
  ck_assert_uint_gt(count, 12);
  for (size_t i = 0; i < count; i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    ck_assert(limit->name[0] != '\0' && limit->title[0] != '\0' && limit->source[0] != '\0');
    ck_assert(limit->effect[0] != '\0' && limit->remedy[0] != '\0' && limit->note != NULL);
    ck_assert_str_ne(shmkit_unit_name((shmkit_unit)limit->unit), "?");
    ck_assert_str_ne(shmkit_scope_name((shmkit_scope)limit->scope), "?");
    ck_assert_uint_ne(limit->kinds, 0);
    ck_assert_uint_eq(limit->kinds & ~SHMKIT_INFO_ALL, 0);
  }
  ck_assert_ptr_null(shmkit_limits_at(limits, count));
  shmkit_limits_free(limits);
  shmkit_limits_free(NULL);
}
END_TEST

START_TEST(names_are_the_same_on_every_machine_and_come_once) {
  static const char *const names[] = {
      "shm-bytes",      "shm-inodes",   "shmmax",    "shmall",        "shmmni",
      "memory",         "rlimit-fsize", "rlimit-as", "rlimit-nofile", "max-map-count",
      "rlimit-memlock", "files",        "commit"};
  shmkit_limits *limits = take_limits();
  for (size_t i = 0; i < COUNT(names); i++) {
    unsigned found = 0;
    for (size_t j = 0; j < shmkit_limits_count(limits); j++) {
      if (strcmp(shmkit_limits_at(limits, j)->name, names[i]) == 0) found++;
    }
    ck_assert_msg(found == 1, "%s comes %u times", names[i], found);
  }
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(units_and_scopes_have_names) {
  ck_assert_str_eq(shmkit_unit_name(SHMKIT_UNIT_BYTES), "bytes");
  ck_assert_str_eq(shmkit_unit_name(SHMKIT_UNIT_MAPPINGS), "mappings");
  ck_assert_str_eq(shmkit_unit_name((shmkit_unit)0), "?");
  ck_assert_str_eq(shmkit_unit_name((shmkit_unit)99), "?");
  ck_assert_str_eq(shmkit_scope_name(SHMKIT_SCOPE_MACHINE), "machine");
  ck_assert_str_eq(shmkit_scope_name(SHMKIT_SCOPE_PROCESS), "process");
  ck_assert_str_eq(shmkit_scope_name((shmkit_scope)99), "?");
}
END_TEST

/* ---- /dev/shm ------------------------------------------------------------------------------- */

START_TEST(what_is_free_in_dev_shm_is_what_can_be_made_there) {
  mount_shm("size=64m");
  shmkit_segment *used = create(name(), MIB, NULL), *rest = NULL;
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "shm-bytes");
  assert_numbers(limit, 64 * MIB, MIB, 63 * MIB);
  ck_assert_ptr_nonnull(strstr(limit->note, "container's usual 64 MiB"));
  ck_assert_uint_eq(limit->kinds,
                    SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE));
  assert_fails(-ENOSPC, shmkit_segment_create(other_name("b"), limit->free + 1, NULL, &rest));
  rest = create(other_name("b"), limit->free, NULL);
  shmkit_limits_free(limits);
  limits = take_limits();
  assert_numbers(limit_of(limits, "shm-bytes"), 64 * MIB, 64 * MIB, 0);
  assert_first(shmkit_limits_tightest(limits, SHMKIT_INFO_POSIX), "shm-bytes");
  shmkit_limits_free(limits);
  shmkit_segment_free(rest);
  shmkit_segment_free(used);
  mount_shm("size=1m");
}
END_TEST

START_TEST(as_many_files_as_are_free_can_be_made_and_no_more) {
  char suffix[16];
  mount_shm("size=64m,nr_inodes=10");
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "shm-inodes");
  assert_first(shmkit_limits_scarcest(limits, SHMKIT_INFO_POSIX), "shm-inodes");
  ck_assert_uint_eq(limit->unit, SHMKIT_UNIT_INODES);
  assert_numbers(limit, 10, 1, 9);
  for (unsigned i = 0; i < limit->free; i++) {
    (void)snprintf(suffix, sizeof suffix, "%u", i);
    make_idle(other_name(suffix));
  }
  ck_assert_int_lt(open(path_of(name()), O_RDWR | O_CREAT | O_CLOEXEC, 0600), 0);
  ck_assert_int_eq(errno, ENOSPC);
  shmkit_limits_free(limits);
  mount_shm("size=1m");
}
END_TEST

START_TEST(a_file_system_without_limits_is_unlimited_not_full) {
  mount_shm("size=0,nr_inodes=0");
  shmkit_limits *limits = take_limits();
  assert_numbers(limit_of(limits, "shm-bytes"), SHMKIT_UNLIMITED, SHMKIT_UNKNOWN, SHMKIT_UNLIMITED);
  ck_assert_uint_eq(limit_of(limits, "shm-inodes")->free, SHMKIT_UNLIMITED);
  const shmkit_limit *first = shmkit_limits_tightest(limits, SHMKIT_INFO_POSIX);
  ck_assert_str_ne(first->name, "shm-bytes");
  ck_assert_uint_lt(first->free, SHMKIT_UNLIMITED);
  shmkit_limits_free(limits);
}
END_TEST

/* Nothing is free in there, and the reason is said. */
static void assert_closed(const char *why) {
  shmkit_limits *limits = take_limits();
  const shmkit_limit *bytes = limit_of(limits, "shm-bytes");
  ck_assert_uint_eq(bytes->free, 0);
  ck_assert_uint_eq(limit_of(limits, "shm-inodes")->free, 0);
  ck_assert_msg(strstr(bytes->note, why) != NULL, "\"%s\" does not say %s", bytes->note, why);
  assert_first(shmkit_limits_tightest(limits, SHMKIT_INFO_POSIX), "shm-bytes");
  ck_assert_uint_gt(shmkit_limits_tightest(limits, SHMKIT_INFO_MEMFD)->free, 0);
  shmkit_limits_free(limits);
}

START_TEST(nothing_is_free_where_dev_shm_is_read_only) {
  mount_shm("size=64m");
  ck_assert_int_eq(mount(NULL, "/dev/shm", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
  assert_closed("read-only");
}
END_TEST

START_TEST(nothing_is_free_where_dev_shm_is_missing) {
  enter_own_mounts();
  ck_assert_int_eq(mount("tmpfs", "/dev", "tmpfs", 0, NULL), 0);
  assert_closed("no such directory");
  ck_assert_int_eq(umount("/dev"), 0);
}
END_TEST

START_TEST(nothing_is_free_for_who_may_not_write_there) {
  mount_shm("size=64m,mode=0755");
  /* In a user namespace there is nobody else to become. */
  if (!become_nobody()) return;
  assert_closed("may not write");
}
END_TEST

START_TEST(memory_does_not_hold_for_segments_on_another_file_system) {
  const uint32_t posix = SHMKIT_INFO_SET(SHMKIT_INFO_POSIX);
  shmkit_limits *limits = take_limits();
  ck_assert_uint_eq(limit_of(limits, "memory")->kinds & posix, posix);
  shmkit_limits_free(limits);
  enter_own_mounts();
  ck_assert_int_eq(mount("/proc", "/dev/shm", NULL, MS_BIND, NULL), 0);
  limits = take_limits();
  ck_assert_uint_eq(limit_of(limits, "memory")->kinds & posix, 0);
  ck_assert_uint_eq(limit_of(limits, "commit")->kinds & posix, 0);
  shmkit_limits_free(limits);
}
END_TEST

/* ---- System V ------------------------------------------------------------------------------- */

#define KERNEL "/proc/sys/kernel/"

START_TEST(as_many_system_v_segments_as_are_free_can_be_made) {
  const unsigned most = 5;
  enter_own_ipc();
  /* In a user namespace of their own, newer kernels alone let it be changed. */
  if (!write_number(KERNEL "shmmni", most)) return;
  for (int i = 0; i < 2; i++) ck_assert_int_ge(shmget(IPC_PRIVATE, 4096, 0600), 0);
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "shmmni");
  assert_numbers(limit, most, 2, 3);
  assert_first(shmkit_limits_scarcest(limits, SHMKIT_INFO_SYSV), "shmmni");
  for (unsigned i = 0; i < limit->free; i++) {
    ck_assert_int_ge(shmget(IPC_PRIVATE, 4096, 0600), 0);
  }
  ck_assert_int_eq(shmget(IPC_PRIVATE, 4096, 0600), -1);
  ck_assert_int_eq(errno, ENOSPC);
  shmkit_limits_free(limits);
  enter_own_ipc();
}
END_TEST

START_TEST(what_is_free_of_shmall_is_what_can_be_made) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  enter_own_ipc();
  if (!write_number(KERNEL "shmall", 16)) return;
  ck_assert_int_ge(shmget(IPC_PRIVATE, 3 * page - 1, 0600), 0);
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "shmall");
  assert_numbers(limit, 16 * page, 3 * page, 13 * page);
  assert_first(shmkit_limits_tightest(limits, SHMKIT_INFO_SYSV), "shmall");
  ck_assert_int_eq(shmget(IPC_PRIVATE, (size_t)limit->free + 1, 0600), -1);
  ck_assert_int_eq(errno, ENOSPC);
  ck_assert_int_ge(shmget(IPC_PRIVATE, (size_t)limit->free, 0600), 0);
  shmkit_limits_free(limits);
  enter_own_ipc();
}
END_TEST

START_TEST(shmmax_is_a_limit_on_each_segment_that_nothing_uses_up) {
  enter_own_ipc();
  if (!write_number(KERNEL "shmmax", MIB)) return;
  for (int i = 0; i < 3; i++) ck_assert_int_ge(shmget(IPC_PRIVATE, MIB, 0600), 0);
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "shmmax");
  assert_numbers(limit, MIB, SHMKIT_UNKNOWN, MIB);
  ck_assert_uint_eq(limit->flags, SHMKIT_LIMIT_EACH);
  assert_first(shmkit_limits_tightest(limits, SHMKIT_INFO_SYSV), "shmmax");
  ck_assert_str_ne(shmkit_limits_tightest(limits, SHMKIT_INFO_MEMFD)->name, "shmmax");
  ck_assert_int_eq(shmget(IPC_PRIVATE, MIB + 1, 0600), -1);
  ck_assert_int_eq(errno, EINVAL);
  shmkit_limits_free(limits);
  enter_own_ipc();
}
END_TEST

START_TEST(the_kernels_own_huge_numbers_are_no_limits) {
  enter_own_ipc();
  shmkit_limits *limits = take_limits();
  /* What an IPC namespace begins with; on 32-bit kernels it is a real limit. */
  if (sizeof(void *) == 8) {
    ck_assert_uint_eq(limit_of(limits, "shmmax")->limit, SHMKIT_UNLIMITED);
    assert_numbers(limit_of(limits, "shmall"), SHMKIT_UNLIMITED, 0, SHMKIT_UNLIMITED);
  }
  assert_numbers(limit_of(limits, "shmmni"), 4096, 0, 4096);
  shmkit_limits_free(limits);
}
END_TEST

/* ---- The process ---------------------------------------------------------------------------- */

START_TEST(the_limit_on_files_is_met_by_memfd_and_not_by_system_v) {
  shmkit_segment *segment = NULL;
  limit_resource(RLIMIT_FSIZE, MIB);
  (void)signal(SIGXFSZ, SIG_IGN);
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = shmkit_limits_tightest(limits, SHMKIT_INFO_MEMFD);
  assert_first(limit, "rlimit-fsize");
  assert_numbers(limit, MIB, SHMKIT_UNKNOWN, MIB);
  ck_assert_str_ne(shmkit_limits_tightest(limits, SHMKIT_INFO_SYSV)->name, "rlimit-fsize");
  assert_fails(-EFBIG, shmkit_segment_create("memfd:limits", limit->free + 1, NULL, &segment));
  segment = create("memfd:limits", limit->free, NULL);
  shmkit_segment_free(segment);
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(as_many_descriptors_as_are_free_can_be_opened) {
  enum { MOST = 64 };
  int copies[MOST];
  limit_resource(RLIMIT_NOFILE, MOST);
  unsigned before = 0;
  for (int fd = 0; fd < MOST; fd++) before += fcntl(fd, F_GETFD) >= 0;
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "rlimit-nofile");
  assert_numbers(limit, MOST, before, MOST - before);
  assert_first(shmkit_limits_scarcest(limits, SHMKIT_INFO_MEMFD), "rlimit-nofile");
  for (unsigned i = 0; i < limit->free; i++) {
    copies[i] = dup(STDERR_FILENO);
    ck_assert_int_ge(copies[i], 0);
  }
  ck_assert_int_eq(dup(STDERR_FILENO), -1);
  for (unsigned i = 0; i < limit->free; i++) (void)close(copies[i]);
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(the_address_space_that_is_free_is_what_can_be_mapped) {
  shmkit_limits *limits = take_limits();
  uint64_t used = limit_of(limits, "rlimit-as")->used;
  shmkit_limits_free(limits);
  ck_assert_uint_lt(used, SHMKIT_UNLIMITED);
  limit_resource(RLIMIT_AS, used + 8 * MIB);
  limits = take_limits();
  const shmkit_limit *limit = shmkit_limits_tightest(limits, SHMKIT_INFO_SYSV);
  assert_first(limit, "rlimit-as");
  ck_assert_uint_eq(limit->limit, used + 8 * MIB);
  ck_assert_uint_le(limit->free, 8 * MIB);
  const size_t left = (size_t)limit->free;
  void *memory = mmap(NULL, left + MIB, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_eq(memory, MAP_FAILED);
  memory = mmap(NULL, left - MIB, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  ck_assert_int_eq(munmap(memory, left - MIB), 0);
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(mappings_are_counted) {
  enum { MORE = 50 };
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  shmkit_limits *limits = take_limits();
  uint64_t before = limit_of(limits, "max-map-count")->used;
  shmkit_limits_free(limits);
  /* Every other page of another protection, so that the system cannot make them one. */
  char *memory = mmap(NULL, MORE * page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  for (size_t i = 0; i < MORE; i += 2) {
    ck_assert_int_eq(mprotect(memory + i * page, page, PROT_NONE), 0);
  }
  limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "max-map-count");
  ck_assert_uint_ge(limit->used, before + MORE);
  ck_assert_uint_eq(limit->free, limit->limit - limit->used);
  ck_assert_uint_eq(limit->unit, SHMKIT_UNIT_MAPPINGS);
  shmkit_limits_free(limits);
  ck_assert_int_eq(munmap(memory, MORE * page), 0);
}
END_TEST

START_TEST(locked_memory_is_counted_and_never_said_to_be_first) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  static char buffer[4 * 65536];
  limit_resource(RLIMIT_MEMLOCK, 16 * page);
  /* Root may lock what it likes. */
  bool free_of_it = geteuid() == 0 && !become_nobody();
  char *start = buffer + page - (uintptr_t)buffer % page;
  ck_assert(lock_memory(start, 2 * page));
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "rlimit-memlock");
  ck_assert_uint_eq(limit->used, 2 * page);
  ck_assert_uint_eq(limit->flags, SHMKIT_LIMIT_ON_REQUEST);
  if (!free_of_it) assert_numbers(limit, 16 * page, 2 * page, 14 * page);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_ANONYMOUS; kind++) {
    ck_assert_str_ne(shmkit_limits_tightest(limits, kind)->name, "rlimit-memlock");
  }
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(who_may_lock_all_has_no_limit_on_it) {
  if (geteuid() != 0) return;
  limit_resource(RLIMIT_MEMLOCK, 0);
  static char buffer[4096];
  if (!lock_memory(buffer, sizeof buffer)) return; /* root of a user namespace */
  shmkit_limits *limits = take_limits();
  ck_assert_uint_eq(limit_of(limits, "rlimit-memlock")->limit, SHMKIT_UNLIMITED);
  shmkit_limits_free(limits);
}
END_TEST

/* ---- The machine ---------------------------------------------------------------------------- */

START_TEST(memory_binds_every_kind_of_memory_and_no_other) {
  shmkit_limits *limits = take_limits();
  const shmkit_limit *limit = limit_of(limits, "memory");
  ck_assert_uint_gt(limit->limit, 0);
  ck_assert_uint_lt(limit->limit, SHMKIT_UNLIMITED);
  ck_assert_uint_eq(limit->used + limit->free, limit->limit);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_ANONYMOUS; kind++) {
    ck_assert(limit->kinds & SHMKIT_INFO_SET(kind));
    ck_assert_uint_le(shmkit_limits_tightest(limits, kind)->free, limit->free);
  }
  ck_assert_ptr_null(shmkit_limits_tightest(limits, SHMKIT_INFO_HUGETLB));
  ck_assert_ptr_null(shmkit_limits_tightest(limits, SHMKIT_INFO_FILE));
  ck_assert_ptr_null(shmkit_limits_scarcest(limits, (shmkit_info_kind)99));
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(every_size_of_huge_pages_is_there) {
  char path[128], wanted[32];
  shmkit_limits *limits = take_limits();
  for (unsigned shift = 4; shift < 32; shift++) {
    const unsigned long kib = 1UL << shift;
    (void)snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%lukB", kib);
    if (!exists(path)) continue;
    (void)snprintf(wanted, sizeof wanted, "huge-%lukB", kib);
    const shmkit_limit *limit = limit_of(limits, wanted);
    ck_assert_str_eq(limit->source, path);
    ck_assert_uint_eq(limit->flags, SHMKIT_LIMIT_ON_REQUEST);
    ck_assert_uint_eq(limit->limit % (kib * 1024), 0);
    ck_assert_uint_le(limit->free, limit->limit);
  }
  shmkit_limits_free(limits);
}
END_TEST

START_TEST(what_cannot_be_found_out_is_unknown_and_never_zero) {
  static const char *const from_proc[] = {"shmmax", "shmall", "shmmni",       "memory",
                                          "commit", "files",  "max-map-count"};
  /* An empty /proc. */
  enter_own_mounts();
  ck_assert_int_eq(mount("tmpfs", "/proc", "tmpfs", 0, NULL), 0);
  shmkit_limits *limits = take_limits();
  for (size_t i = 0; i < COUNT(from_proc); i++) {
    const shmkit_limit *limit = limit_of(limits, from_proc[i]);
    ck_assert_msg(limit->limit == SHMKIT_UNKNOWN, "%s is known", limit->name);
    ck_assert_uint_eq(limit->free, SHMKIT_UNKNOWN);
  }
  ck_assert_uint_eq(limit_of(limits, "rlimit-as")->used, SHMKIT_UNKNOWN);
  ck_assert_uint_eq(limit_of(limits, "rlimit-nofile")->used, SHMKIT_UNKNOWN);
  /* It can still be said what is met first of what is known. */
  assert_first(shmkit_limits_tightest(limits, SHMKIT_INFO_POSIX), "shm-bytes");
  ck_assert_ptr_null(shmkit_limits_scarcest(limits, SHMKIT_INFO_SYSV));
  shmkit_limits_free(limits);
  ck_assert_int_eq(umount("/proc"), 0);
}
END_TEST

int main(int argc, char **argv) {
  if (!enter_own_place()) return skip("mounting in a namespace is not permitted");
  const TTest *const cases[] = {
      every_limit_says_what_it_is_and_where_it_comes_from,
      names_are_the_same_on_every_machine_and_come_once,
      units_and_scopes_have_names,
      what_is_free_in_dev_shm_is_what_can_be_made_there,
      as_many_files_as_are_free_can_be_made_and_no_more,
      a_file_system_without_limits_is_unlimited_not_full,
      nothing_is_free_where_dev_shm_is_read_only,
      nothing_is_free_where_dev_shm_is_missing,
      nothing_is_free_for_who_may_not_write_there,
      memory_does_not_hold_for_segments_on_another_file_system,
      as_many_system_v_segments_as_are_free_can_be_made,
      what_is_free_of_shmall_is_what_can_be_made,
      shmmax_is_a_limit_on_each_segment_that_nothing_uses_up,
      the_kernels_own_huge_numbers_are_no_limits,
      the_limit_on_files_is_met_by_memfd_and_not_by_system_v,
      as_many_descriptors_as_are_free_can_be_opened,
      the_address_space_that_is_free_is_what_can_be_mapped,
      mappings_are_counted,
      locked_memory_is_counted_and_never_said_to_be_first,
      who_may_lock_all_has_no_limit_on_it,
      memory_binds_every_kind_of_memory_and_no_other,
      every_size_of_huge_pages_is_there,
      what_cannot_be_found_out_is_unknown_and_never_zero,
  };
  return run_cases("limits_take", cases, COUNT(cases), argc, argv);
}
