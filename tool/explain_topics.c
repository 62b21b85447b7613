/* SPDX-License-Identifier: MIT */
/* Answers of `shmkit explain` about what there is now, and about this machine. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "explain.h"
#include "names.h"
#include "prose.h"
#include "report.h"

/* ---- Kinds ---------------------------------------------------------------------------------- */

/* In a column, where "1 segment" is not to end below the s of "2 segments". */
static const char *in_segments(uint64_t count) {
  return in_text("%2ju segment%s", (uintmax_t)count, count == 1 ? " " : "s");
}

int tell_ipcs(void) {
  shmkit_listing *listing = look_around(0);
  struct tally posix = tally_of(listing, is_posix), sysv = tally_of(listing, is_sysv),
               memfd = tally_of(listing, is_memfd);
  prose(
      "Because ipcs knows System V alone: it reads /proc/sysvipc/shm. What shm_open makes (POSIX) "
      "is a file in /dev/shm, and what memfd_create makes is a file without a name. Here and now:");
  prose_line("System V  %11s  %6s   shown by ipcs -m", in_segments(sysv.count),
             in_bytes(sysv.bytes));
  prose_line("POSIX     %11s  %6s   ls -l /dev/shm, as far as they have a name",
             in_segments(posix.count), in_bytes(posix.bytes));
  prose_line("memfd     %11s  %6s   /proc/PID/maps of who maps them", in_segments(memfd.count),
             in_bytes(memfd.bytes));
  prose("'shmkit ls' lists all of them. Also, System V segments belong to an IPC namespace and "
        "POSIX ones to a mount namespace: a container sees its own (shmkit explain docker).");
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static bool is_dest(const shmkit_info *info) {
  return is_sysv(info) && (info->flags & SHMKIT_INFO_DEST);
}

static bool is_private(const shmkit_info *info) {
  return is_sysv(info) && strncmp(info->name, "id=", 3) == 0;
}

static void tell_dest_one(const shmkit_info *info) {
  const char *creator = info->creator_state == SHMKIT_EXITED ? "a process that has exited"
                        : info->creator.pid == 0             ? "nobody knows whom"
                                                 : in_text("%jd (%s)", (intmax_t)info->creator.pid,
                                                           info->creator.program);
  prose_line("%s  %s  made by %s; last used by %jd; %s", info->address, in_bytes(info->size),
             creator, (intmax_t)info->last_pid, in_number(info->attachments, "attachment"));
}

int tell_dest(void) {
  enum { SHOWN = 8 };
  shmkit_listing *listing = look_around(SHMKIT_INFO_SET(SHMKIT_INFO_SYSV));
  struct tally all = tally_of(listing, is_sysv), dest = tally_of(listing, is_dest),
               private = tally_of(listing, is_private);
  prose("Programs with windows, through X11's shared memory extension (MIT-SHM): 1920 x 1080 "
        "pixels of 4 bytes are %d bytes, one full picture of the screen. The program makes the "
        "segment without a key, it and the X server attach it, and then it marks it for removal at "
        "once: dest. Such a segment goes by itself when the last of them detaches or is killed, so "
        "it cannot be leaked and there is nothing to clear up. The last to use it is usually the X "
        "server.",
        1920 * 1080 * 4);
  prose("Here and now: %s with status dest (%s), of %s of System V in all, %ju without a key.",
        in_number(dest.count, "segment"), in_bytes(dest.bytes), in_number(all.count, "segment"),
        (uintmax_t)private.count);
  size_t shown = 0;
  for (size_t i = 0; i < shmkit_listing_count(listing) && shown < SHOWN; i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (is_dest(info) && ++shown) tell_dest_one(info);
  }
  if (dest.count > SHOWN) prose_line("... (shmkit ls --kind sysv)");
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static const char *file_system_of(const char *path) {
  struct statfs status;
  if (statfs(path, &status) != 0) return "there is none";
  const uint32_t type = (uint32_t)status.f_type, tmpfs = 0x01021994;
  if (type != tmpfs) return in_text("no tmpfs (file system type 0x%x)", type);
  return in_text("a tmpfs of %s, %s of it free",
                 status.f_blocks > 0
                     ? in_bytes((uint64_t)status.f_blocks * (uint64_t)status.f_bsize)
                     : "unlimited size",
                 in_bytes((uint64_t)status.f_bavail * (uint64_t)status.f_bsize));
}

static bool is_on_tmpfs(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) == 0 && (uint32_t)status.f_type == 0x01021994;
}

int tell_tmpfs(void) {
  int fd = scratch_open(1, false);
  prose("Yes. shm_open(\"/x\") is open(\"/dev/shm/x\"): a POSIX segment is a file on a tmpfs, a "
        "file system that keeps its files in memory (and swap), and ls, cp, chmod and rm work on "
        "it. System V segments, memfds and shared anonymous memory are files on a tmpfs of the "
        "kernel's own, which is mounted nowhere.");
  prose_line("/dev/shm                  %s", file_system_of("/dev/shm"));
  prose_line("a memfd, made just now    %s", is_on_tmpfs(fd) ? "a tmpfs, not mounted" : "no tmpfs");
  prose("Nothing is written to a disk except as swap, and nothing survives a restart of the "
        "machine. As for speed: shmkit explain speed.");
  (void)close(fd);
  return EXIT_SUCCESS;
}

/* ---- Leaks ---------------------------------------------------------------------------------- */

static bool is_leaked(const shmkit_info *info) {
  return info->state == SHMKIT_STATE_LEAKED;
}

static bool is_idle(const shmkit_info *info) {
  return info->state == SHMKIT_STATE_IDLE || info->state == SHMKIT_STATE_LOCKED;
}

static bool is_used(const shmkit_info *info) {
  return info->state == SHMKIT_STATE_USED;
}

static bool is_unsure(const shmkit_info *info) {
  return info->state == SHMKIT_STATE_UNKNOWN;
}

static void tell_tally(const char *what, struct tally tally, const char *why) {
  prose_line("%-8s %11s  %6s in memory   %s", what, in_segments(tally.count),
             in_bytes(tally.resident), why);
}

int tell_leak(void) {
  shmkit_listing *listing =
      look_around(SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV));
  prose("A segment with a name stays when its processes end, also when they crash: until somebody "
        "removes it or the machine restarts. One counts as leaked when nobody uses it and who made "
        "it has exited; as idle when nobody uses it and its maker runs or is not known (a POSIX "
        "segment keeps no record of that, except those of shmkit). Here and now:");
  tell_tally("leaked", tally_of(listing, is_leaked), "nobody needs them");
  tell_tally("idle", tally_of(listing, is_idle), "nobody uses them now");
  tell_tally("used", tally_of(listing, is_used), "");
  tell_tally("unknown", tally_of(listing, is_unsure), "some process could not be looked at");
  prose("'shmkit gc' shows what would be removed and why; 'shmkit gc --apply' removes it, each "
        "only if the kernel confirms that nobody has it open; --idle takes in the second group. To "
        "leave nothing behind in the first place, make segments with the lifetime 'last'.");
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

int tell_nattch(void) {
  uint64_t segments = 0, attachments = 0, processes = 0;
  shmkit_listing *listing = look_around(SHMKIT_INFO_SET(SHMKIT_INFO_SYSV));
  prose("Not as many as nattch says: that counts attachments, and a process may attach a segment "
        "several times; a forked child attaches what its parent has. Other kinds have no count at "
        "all. 'shmkit ls' looks into the address spaces of all processes: PROCS is processes, MAPS "
        "mappings.");
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (info->attachments == SHMKIT_UNKNOWN || (info->flags & SHMKIT_INFO_ELSEWHERE)) continue;
    segments++;
    attachments += info->attachments;
    processes += info->mapper_count;
  }
  prose("Here and now: %s of System V, with %s (nattch) by %ju %s, counted for each segment.",
        in_number(segments, "segment"), in_number(attachments, "attachment"), (uintmax_t)processes,
        processes == 1 ? "process" : "processes");
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static bool is_semaphore(const shmkit_info *info) {
  return info->kind == SHMKIT_INFO_SEMAPHORE;
}

int tell_semaphores(void) {
  shmkit_listing *listing = look_around(SHMKIT_INFO_SET(SHMKIT_INFO_SEMAPHORE));
  struct tally all = tally_of(listing, is_semaphore), used = tally_of(listing, is_used);
  prose("Named POSIX semaphores: sem_open(\"/x\") makes the file sem.x of a few bytes in /dev/shm "
        "and maps it. Removing one that is in use splits its users in two groups that no longer "
        "wait for each other. Here and now: %s, of which somebody maps %ju.",
        in_number(all.count, "semaphore"), (uintmax_t)used.count);
  prose(
      "'shmkit ls --kind semaphore' lists them; plain 'ls' and 'gc' leave them out. Do not confuse "
      "them with the semaphores of System V, which ipcs -s shows and which are no memory.");
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static bool is_last(const shmkit_info *info) {
  return info->flags & SHMKIT_INFO_LAST;
}

int tell_lifetime(void) {
  shmkit_listing *listing = look_around(0);
  struct tally all = tally_of(listing, is_posix), last = tally_of(listing, is_last),
               sysv = tally_of(listing, is_sysv), dest = tally_of(listing, is_dest),
               memfd = tally_of(listing, is_memfd);
  prose_item("POSIX (%ju now): until its name is removed and the last process has let go of it; at "
             "the latest until the machine, or its container, restarts.",
             (uintmax_t)all.count);
  prose_item("System V (%ju now, %ju marked for removal): until it is removed and the last process "
             "has detached it; the same otherwise.",
             (uintmax_t)sysv.count, (uintmax_t)dest.count);
  prose_item("memfd (%ju now mapped): until the last descriptor and mapping are gone. It has no "
             "name, so nothing is ever left behind.",
             (uintmax_t)memfd.count);
  prose_item("made by shmkit with the lifetime 'last' (%ju now): its name goes with its last user, "
             "also when that one is killed; with 'creator': when its maker closes it.",
             (uintmax_t)last.count);
  prose("A process that ends, however it does, takes its mappings with it and never the name.");
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

/* The value of RemoveIPC in one file: the last that is set; `value` stays when none is. */
static void read_setting(const char *path, char value[static 16], char source[static 300]) {
  char line[256], found[16];
  FILE *file = fopen(path, "re");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, " RemoveIPC = %15s", found) != 1) continue;
    (void)snprintf(value, 16, "%s", found);
    (void)snprintf(source, 300, "%s", path);
  }
  (void)fclose(file);
}

static int is_setting(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* The files of systemd in the order in which later ones win. */
static void find_setting(char value[static 16], char source[static 300]) {
  static const char *const places[] = {"/usr/lib/systemd", "/run/systemd", "/etc/systemd"};
  for (size_t i = 0; i < 3; i++) {
    read_setting(in_text("%s/logind.conf", places[i]), value, source);
  }
  for (size_t i = 0; i < 3; i++) {
    struct dirent **names = NULL;
    const char *directory = in_text("%s/logind.conf.d", places[i]);
    int count = scandir(directory, &names, is_setting, alphasort);
    for (int j = 0; j < count; j++) {
      read_setting(in_text("%s/logind.conf.d/%s", places[i], names[j]->d_name), value, source);
      free(names[j]);
    }
    free(names);
  }
}

static bool is_mine(const shmkit_info *info) {
  return info->uid == geteuid();
}

int tell_removeipc(void) {
  char value[16] = "", source[300] = "";
  shmkit_listing *listing =
      look_around(SHMKIT_INFO_SET(SHMKIT_INFO_POSIX) | SHMKIT_INFO_SET(SHMKIT_INFO_SYSV));
  struct tally mine = tally_of(listing, is_mine);
  const char *user = name_of_user(geteuid());
  bool logind = access("/run/systemd/seats", F_OK) == 0;
  bool lingers = access(in_text("/var/lib/systemd/linger/%s", user), F_OK) == 0;
  find_setting(value, source);
  prose("Because of systemd's logind: with RemoveIPC=yes, its default, it removes all POSIX and "
        "System V memory of a user when the last session of that user ends, also what a service or "
        "a job left running still uses. System users, root among them, are spared.");
  prose_line("logind on this machine   %s", logind ? "runs" : "does not run: nothing is removed");
  if (value[0] != '\0') {
    prose_line("RemoveIPC                %s, in %s", value, source);
  } else {
    prose_line("RemoveIPC                set in no logind.conf, so it is systemd's default: yes");
  }
  prose_line("user %-19s %s here; %s", user, in_number(mine.count, "segment"),
             geteuid() < 1000 ? "a system user, spared"
             : lingers        ? "lingers, so sessions do not end"
                              : "does not linger");
  prose("To keep them: RemoveIPC=no in /etc/systemd/logind.conf, or 'loginctl enable-linger USER', "
        "or run the service as a system user. A memfd has no name to be removed.");
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

/* ---- Limits --------------------------------------------------------------------------------- */

static const struct {
  shmkit_info_kind kind;
  const char *name;
} makeable[] = {
    {SHMKIT_INFO_POSIX, "POSIX"}, {SHMKIT_INFO_SYSV, "System V"}, {SHMKIT_INFO_MEMFD, "memfd"}};

static shmkit_limits *take_limits(void) {
  shmkit_limits *limits = NULL;
  if (shmkit_limits_take(&limits) != 0) report_fatal("%s", shmkit_error_message());
  return limits;
}

static void tell_firsts(const shmkit_limits *limits) {
  for (size_t i = 0; i < sizeof makeable / sizeof makeable[0]; i++) {
    const shmkit_limit *limit = shmkit_limits_tightest(limits, makeable[i].kind);
    if (limit == NULL) {
      prose_item("%s: unknown", makeable[i].name);
    } else {
      prose_item("%s: %s. The limit on the %s comes first, and beyond it, %s.", makeable[i].name,
                 in_bytes(limit->free), limit->title, limit->effect);
    }
  }
}

int tell_room(void) {
  shmkit_limits *limits = take_limits();
  prose("As large as the tightest of several limits lets it be, and which one that is depends on "
        "the kind. Those of memory do not refuse: they kill. Here and now a new segment can have "
        "at most:");
  tell_firsts(limits);
  prose("'shmkit limits' shows all of them, and how to raise them. A size that ftruncate accepts "
        "says nothing, since it reserves nothing (shmkit explain sigbus); segments that shmkit "
        "makes have their room reserved, and are refused before a limit that kills is reached.");
  shmkit_limits_free(limits);
  return EXIT_SUCCESS;
}

/* Whether this process is in the namespace that the machine started with. */
static const char *namespace_of(const char *name, ino_t first) {
  struct stat status;
  if (stat(in_text("/proc/self/ns/%s", name), &status) != 0) return "unknown";
  return status.st_ino == first ? "the machine's own" : "one of its own";
}

static const shmkit_limit *limit_of(const shmkit_limits *limits, const char *name) {
  for (size_t i = 0; i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (strcmp(limit->name, name) == 0) return limit;
  }
  return NULL;
}

static void tell_limit(const char *title, const shmkit_limit *limit) {
  if (limit == NULL || limit->limit == SHMKIT_UNKNOWN) {
    prose_line("%-22s unknown", title);
  } else if (limit->limit == SHMKIT_UNLIMITED) {
    prose_line("%-22s no limit", title);
  } else {
    prose_line("%-22s %s, %s free%s", title, in_bytes(limit->limit), in_bytes(limit->free),
               strstr(limit->note, "usual 64 MiB") != NULL ? " (a container's usual 64 MiB)" : "");
  }
}

int tell_docker(void) {
  /* What the kernel numbers the first ones with. */
  const ino_t first_ipc = 0xEFFFFFFFU, first_user = 0xEFFFFFFDU, first_pid = 0xEFFFFFFCU;
  shmkit_limits *limits = take_limits();
  prose_item("Its /dev/shm is its own, and small: 64 MiB unless it is started with --shm-size. "
             "Only POSIX segments and semaphores count against it; System V and memfd do not.");
  prose_item("System V segments and their limits are those of its IPC namespace (--ipc=host, or "
             "--ipc=container:NAME, to share them, and /dev/shm).");
  prose_item("All of it counts against the container's memory limit, in the control group of who "
             "touches a page first; beyond that, processes are killed.");
  prose_item("PIDs inside are not those outside, so who maps a segment is only seen for processes "
             "of the same container or from outside of it.");
  prose("Here, as this process sees it:");
  tell_limit("/dev/shm", limit_of(limits, "shm-bytes"));
  tell_limit("memory control group", limit_of(limits, "cgroup-memory"));
  prose_line("%-22s %s", "IPC namespace", namespace_of("ipc", first_ipc));
  prose_line("%-22s %s", "PID namespace", namespace_of("pid", first_pid));
  prose_line("%-22s %s", "user namespace", namespace_of("user", first_user));
  prose("A new segment can have at most:");
  tell_firsts(limits);
  shmkit_limits_free(limits);
  return EXIT_SUCCESS;
}
