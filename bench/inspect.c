/* SPDX-License-Identifier: MIT */
/*
 * What a listing costs, beside the programs that one would ask otherwise.
 *
 * The scene is a /dev/shm of one's own with segments that shmkit made and that processes map; the
 * machine's other processes are looked at, too. All programs are started in turns, in another order
 * each round, their output goes to /dev/null, and a ratio is the median over the rounds of a
 * program's time by that of the first: what disturbs the machine for a while disturbs all. What
 * the clock says, and what the processors did: the latter can be believed on a busy machine. System
 * calls are counted by strace in a run of their own. How the cost grows is told by processor time.
 *
 *   inspect                the comparison, then the growth
 *   inspect list [few]     one listing: what is measured as "library"; few: SHMKIT_LISTING_NO_CREATORS
 *   inspect COMMAND...     a command in the first scene, for looking closer: perf, strace
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmkit/shmkit.h>

enum { ROUNDS = 7, COMMANDS_MAX = 12, ARGUMENTS_MAX = 8, SIZE = 4096 };

static char self[4096];

static void must(int good, const char *what) {
  if (good) return;
  perror(what);
  exit(1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static uint64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* ---- The scene ------------------------------------------------------------------------------ */

struct scene {
  const char *what;
  unsigned segments, processes, each; /* how many segments each process maps */
};

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  must(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
  (void)close(fd);
}

/* Mount and IPC namespaces of one's own: nothing of the machine's is in the way or at stake. */
static void enter_own_place(void) {
  char user[32], group[32];
  (void)snprintf(user, sizeof user, "0 %u 1", (unsigned)geteuid());
  (void)snprintf(group, sizeof group, "0 %u 1", (unsigned)getegid());
  bool root = geteuid() == 0;
  must(unshare((root ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWIPC) == 0,
       "bench: no mount namespace of one's own is permitted here");
  if (!root) {
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", user);
    write_file("/proc/self/gid_map", group);
  }
  must(mount(NULL, "/dev/shm", NULL, MS_PRIVATE, NULL) == 0, "MS_PRIVATE");
}

static void name_of(unsigned segment, char out[static 32]) {
  (void)snprintf(out, 32, "bench-%u", segment);
}

static void make_segments(const struct scene *scene) {
  char name[32];
  must(mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=256m,nr_inodes=0") == 0,
       "mount");
  for (unsigned i = 0; i < scene->segments; i++) {
    shmkit_segment *segment = NULL;
    name_of(i, name);
    must(shmkit_segment_create(name, SIZE, NULL, &segment) == 0, shmkit_error_message());
    shmkit_segment_free(segment);
  }
}

static void map_and_wait(const struct scene *scene, unsigned process, int ready) {
  char path[64] = "/dev/shm/";
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (unsigned i = 0; i < scene->each; i++) {
    name_of((process * scene->each + i) % scene->segments, path + 9);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED,
         path);
    (void)close(fd);
  }
  (void)close(ready);
  for (;;) (void)pause();
}

/* The first one leads a process group, by which they are ended. */
static pid_t start_processes(const struct scene *scene) {
  int ready[2];
  char nothing;
  pid_t group = 0;
  must(pipe2(ready, O_CLOEXEC) == 0, "pipe");
  for (unsigned i = 0; i < scene->processes; i++) {
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) map_and_wait(scene, i, ready[1]);
    if (group == 0) group = child;
    (void)setpgid(child, group);
  }
  (void)close(ready[1]);
  (void)read(ready[0], &nothing, 1);
  (void)close(ready[0]);
  return group;
}

static pid_t begin_scene(const struct scene *scene) {
  make_segments(scene);
  return start_processes(scene);
}

static void end_scene(pid_t group) {
  (void)kill(-group, SIGKILL);
  while (waitpid(-group, NULL, 0) > 0) continue;
  must(umount2("/dev/shm", MNT_DETACH) == 0, "umount");
}

/* ---- Programs ------------------------------------------------------------------------------- */

struct command {
  const char *what;
  const char *arguments[ARGUMENTS_MAX];
  double wall[ROUNDS], processor[ROUNDS]; /* milliseconds */
  uint64_t calls;
};

static pid_t start(const char *const arguments[], const char *errors) {
  posix_spawn_file_actions_t actions;
  pid_t child = 0;
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  (void)posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  int error = posix_spawnp(&child, arguments[0], &actions, NULL,
                           (char *const *)(uintptr_t)arguments, environ);
  (void)posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -1;
}

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static void run(struct command *command, unsigned round) {
  struct rusage usage;
  uint64_t begun = now();
  pid_t child = start(command->arguments, "/dev/null");
  must(child > 0 && wait4(child, NULL, 0, &usage) == child, command->what);
  command->wall[round] = (double)(now() - begun) / 1e6;
  command->processor[round] = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

/* The summary's last line is "10001 total". */
static uint64_t read_total(FILE *file) {
  char line[256], name[32];
  unsigned long long calls = 0, total = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    /* strace wrote it. NOLINTNEXTLINE(cert-err34-c) */
    bool found = sscanf(line, "%llu %31s", &calls, name) == 2 && strcmp(name, "total") == 0;
    if (found) total = calls;
  }
  return total;
}

static uint64_t count_calls(const struct command *command) {
  const char *arguments[ARGUMENTS_MAX + 8] = {"strace", "-f", "-c", "-U", "calls,name"};
  char output[] = "/tmp/shmkit-bench-XXXXXX";
  for (unsigned i = 0; command->arguments[i] != NULL; i++) arguments[i + 5] = command->arguments[i];
  int fd = mkstemp(output);
  pid_t child = start(arguments, output);
  must(fd >= 0 && child > 0 && waitpid(child, NULL, 0) == child, "strace");
  FILE *file = fdopen(fd, "r");
  must(file != NULL, output);
  uint64_t total = read_total(file);
  (void)fclose(file);
  (void)unlink(output);
  return total;
}

static bool is_installed(const char *program) {
  char path[4096];
  const char *directories = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
  if (strchr(program, '/') != NULL) return access(program, X_OK) == 0;
  while (directories != NULL && *directories != '\0') {
    size_t length = strcspn(directories, ":");
    (void)snprintf(path, sizeof path, "%.*s/%s", (int)length, directories, program);
    if (access(path, X_OK) == 0) return true;
    directories += length + (directories[length] == ':');
  }
  return false;
}

/* The first is what the others are compared with. */
static unsigned find_commands(struct command out[COMMANDS_MAX]) {
  const struct command all[] = {
      {.what = "shmkit ls", .arguments = {"shmkit", "ls"}},
      {.what = "shmkit ls --raw", .arguments = {"shmkit", "ls", "--raw"}},
      {.what = "shmkit ls --json", .arguments = {"shmkit", "ls", "--json"}},
      {.what = "library", .arguments = {self, "list"}},
      {.what = "library, few creators", .arguments = {self, "list", "few"}},
      {.what = "lsof", .arguments = {"lsof", "-nPw"}},
      {.what = "lsof /dev/shm", .arguments = {"lsof", "-nPw", "/dev/shm"}},
      {.what = "lsfd", .arguments = {"lsfd"}},
      {.what = "lsipc -m", .arguments = {"lsipc", "-m"}},
      {.what = "fuser -m /dev/shm", .arguments = {"fuser", "-m", "/dev/shm"}},
  };
  unsigned count = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (is_installed(all[i].arguments[0])) {
      out[count++] = all[i];
    } else {
      printf("  %s is not installed\n", all[i].arguments[0]);
    }
  }
  return count;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double values[ROUNDS], double which) {
  double sorted[ROUNDS];
  memcpy(sorted, values, sizeof sorted);
  qsort(sorted, ROUNDS, sizeof *sorted, by_value);
  return sorted[(int)(which * (ROUNDS - 1))];
}

static void measure(struct command commands[], unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    commands[i].calls = count_calls(&commands[i]);
    run(&commands[i], 0);
  }
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (unsigned i = 0; i < count; i++) run(&commands[(i + round) % count], round);
  }
}

static void print_times(const double times[ROUNDS], const double first[ROUNDS]) {
  double ratios[ROUNDS];
  for (unsigned r = 0; r < ROUNDS; r++) ratios[r] = times[r] / first[r];
  printf(" %8.1f ms %5.2f (%.2f-%.2f)", quantile(times, 0.5), quantile(ratios, 0.5),
         quantile(ratios, 0.25), quantile(ratios, 0.75));
}

static void print(const struct command commands[], unsigned count) {
  const struct command *first = &commands[0];
  printf("  %-22s %8s %5s %11s %5s %23s %5s\n", "", "calls", "ratio", "clock", "ratio", "CPU",
         "ratio");
  for (unsigned i = 0; i < count; i++) {
    const struct command *command = &commands[i];
    printf("  %-22s %8llu %5.2f", command->what, (unsigned long long)command->calls,
           (double)command->calls / (double)first->calls);
    print_times(command->wall, first->wall);
    print_times(command->processor, first->processor);
    (void)putchar('\n');
  }
}

static void compare(const struct scene *scene) {
  struct command commands[COMMANDS_MAX];
  printf("%s: %u segments, %u processes that map %u each, %u mappings\n", scene->what,
         scene->segments, scene->processes, scene->each, scene->processes * scene->each);
  unsigned count = find_commands(commands);
  pid_t group = begin_scene(scene);
  measure(commands, count);
  end_scene(group);
  print(commands, count);
  (void)fflush(stdout);
}

/* The same listing in scenes of several sizes, beside the first. */
static void show_growth(const struct scene scenes[], unsigned count) {
  struct command first = {.what = NULL};
  printf("Growth of the library's listing\n  %-22s %8s %6s %10s %6s\n", "", "calls", "ratio",
         "CPU time", "ratio");
  for (unsigned i = 0; i < count; i++) {
    struct command command = {.what = "library", .arguments = {self, "list"}};
    pid_t group = begin_scene(&scenes[i]);
    measure(&command, 1);
    end_scene(group);
    if (i == 0) first = command;
    double time = quantile(command.processor, 0.5);
    printf("  %-22s %8llu %6.2f %7.1f ms %6.2f\n", scenes[i].what,
           (unsigned long long)command.calls, (double)command.calls / (double)first.calls, time,
           time / quantile(first.processor, 0.5));
    (void)fflush(stdout);
  }
}

/* ---- Parts of it alone ---------------------------------------------------------------------- */

static int list(bool few) {
  const shmkit_listing_options options = {.flags = few ? SHMKIT_LISTING_NO_CREATORS : 0};
  shmkit_listing *listing = NULL;
  must(shmkit_listing_take(&options, &listing) == 0, "listing");
  printf("%zu segments\n", shmkit_listing_count(listing));
  shmkit_listing_free(listing);
  return 0;
}

static int run_in(const struct scene *scene, char **arguments) {
  pid_t child = 0;
  int status = 0;
  pid_t group = begin_scene(scene);
  must(posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) == 0, arguments[0]);
  (void)waitpid(child, &status, 0);
  end_scene(group);
  return status != 0;
}

int main(int argc, char **argv) {
  const struct scene scenes[] = {
      {"Each segment once", 10000, 300, 34},
      {"Three times", 10000, 300, 100},
      {"Ten times", 10000, 300, 334},
  };
  const struct scene sizes[] = {
      {"10000, 300", 10000, 300, 34},    {"segments x 2", 20000, 300, 34},
      {"processes x 2", 10000, 600, 17}, {"mappings x 2", 10000, 300, 68},
      {"all x 2", 20000, 600, 34},
  };
  struct utsname machine;
  if (argc > 1 && strcmp(argv[1], "list") == 0) return list(argc > 2);
  must(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "/proc/self/exe");
  enter_own_place();
  if (argc > 1) return run_in(&scenes[0], argv + 1);
  (void)uname(&machine);
  printf("Listings, shmkit %s, %s %s, %ld CPUs, %d rounds, 25th-75th percentile\n",
         shmkit_version(), machine.sysname, machine.release, sysconf(_SC_NPROCESSORS_ONLN), ROUNDS);
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) compare(&scenes[i]);
  show_growth(sizes, sizeof sizes / sizeof *sizes);
  return 0;
}
