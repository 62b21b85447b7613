/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A call that no program makes: getppid has no arguments. */
enum { MARK = 0x5eed4a11 };

/* Written by the child that watches, read by us when it has ended. */
struct tally {
  uint64_t calls[STEPS_MAX];
  bool complete;
};

void trace_mark(unsigned step) {
  (void)syscall(SYS_getppid, MARK, step);
}

/* Count the call that `pid` is about to make. False when the kernel does not tell which it is. */
static bool count_call(pid_t pid, unsigned *step, struct tally *tally) {
  struct __ptrace_syscall_info info = {0};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) <= 0) return false;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return true;
  if (info.entry.nr == SYS_getppid && (uint32_t)info.entry.args[0] == MARK) {
    *step = (unsigned)info.entry.args[1];
  } else if (*step < STEPS_MAX) {
    tally->calls[*step]++;
  }
  return true;
}

/* The signal to hand on to a process that was stopped: none for what only the tracing caused. */
static int signal_of(int status) {
  int number = WSTOPSIG(status);
  bool ours = number == (SIGTRAP | 0x80) || number == SIGTRAP || number == SIGSTOP;
  return ours ? 0 : number;
}

/* Watch until `child` has ended. */
static void watch(pid_t child, struct tally *tally) {
  unsigned step = TRACE_PAUSE;
  int status;
  bool known = true;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
    if (pid < 0) continue;
    if (!WIFSTOPPED(status)) {
      if (pid != child) continue;
      tally->complete = known && WIFEXITED(status) && WEXITSTATUS(status) == 0;
      return;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) known = count_call(pid, &step, tally) && known;
    (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal_of(status));
  }
}

_Noreturn static void be_watched(bool (*run)(struct bench_case *, uint64_t),
                                 struct bench_case *self, uint64_t operations) {
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(1);
  (void)raise(SIGSTOP);
  bool good = run(self, operations);
  trace_mark(TRACE_PAUSE);
  _exit(good ? 0 : 1);
}

/* In a process of its own, so that waiting for any child does not take others' from the program. */
_Noreturn static void be_watcher(bool (*run)(struct bench_case *, uint64_t),
                                 struct bench_case *self, uint64_t operations,
                                 struct tally *tally) {
  const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                       PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)signal(SIGCHLD, SIG_DFL);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGTERM, SIG_DFL);
  pid_t child = fork();
  if (child == 0) be_watched(run, self, operations);
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) _exit(1);
  if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)options) != 0) {
    (void)kill(child, SIGKILL);
    _exit(1);
  }
  (void)ptrace(PTRACE_SYSCALL, child, NULL, NULL);
  watch(child, tally);
  _exit(0);
}

bool trace_calls(bool (*run)(struct bench_case *self, uint64_t operations), struct bench_case *self,
                 uint64_t operations, uint64_t calls[STEPS_MAX]) {
  struct tally *tally =
      mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (tally == MAP_FAILED) return false;
  pid_t watcher = fork();
  if (watcher == 0) be_watcher(run, self, operations, tally);
  while (watcher > 0 && waitpid(watcher, NULL, 0) < 0 && errno == EINTR) {
  }
  bool complete = watcher > 0 && tally->complete;
  for (unsigned i = 0; i < STEPS_MAX; i++) calls[i] = tally->calls[i];
  (void)munmap(tally, sizeof *tally);
  return complete;
}
