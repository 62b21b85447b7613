/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "payload.h"

/* Shared by the two; each word that one of them waits for has a cache line of its own. */
struct control {
  /* Ours: the sample, then its announcement. */
  _Alignas(64) _Atomic uint32_t announced;
  uint32_t number;
  uint64_t operations, seed;
  /* The peer's: that it is awake; what came of the sample, then that it is done. */
  _Alignas(64) _Atomic uint32_t ready;
  _Alignas(64) _Atomic uint32_t done;
  bool good;
  uint64_t calls, faults;
  /* Which payload is there; which has been checked. */
  _Alignas(64) _Atomic uint32_t there;
  _Alignas(64) _Atomic uint32_t back;
};

static struct control *control;
static struct access_case **peer_cases;
static volatile pid_t peer = -1;
/* Of this process, in this sample. */
static uint64_t calls;

/* ---- Waiting -------------------------------------------------------------------------------- */

static void look_again(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void sleep_until(_Atomic uint32_t *word, uint32_t value) {
  for (uint32_t now; (now = atomic_load_explicit(word, memory_order_acquire)) != value;) {
    calls++;
    (void)syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
  }
}

static void wake(_Atomic uint32_t *word) {
  calls++;
  (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool spins(const struct access_case *self) {
  return self->mode == MODE_SPIN_IN_PLACE || self->mode == MODE_SPIN_COPY;
}

/* The release here and the acquire below order the payload's bytes, which are in shared memory or
 * have been written to a file before. */
static void post(const struct access_case *self, _Atomic uint32_t *word, uint32_t value) {
  atomic_store_explicit(word, value, memory_order_release);
  if (!spins(self)) wake(word);
}

static void await(const struct access_case *self, _Atomic uint32_t *word, uint32_t value) {
  if (!spins(self)) {
    sleep_until(word, value);
    return;
  }
  while (atomic_load_explicit(word, memory_order_acquire) != value) look_again();
}

/* ---- Streams -------------------------------------------------------------------------------- */

static bool interrupted(void) {
  if (errno == EAGAIN) look_again();
  return errno == EINTR || errno == EAGAIN;
}

static bool send_bytes(int fd, const char *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    calls++;
    ssize_t now = write(fd, bytes + done, size - done);
    if (now > 0) {
      done += (size_t)now;
    } else if (now == 0 || !interrupted()) {
      return false;
    }
  }
  return true;
}

static bool receive_bytes(int fd, char *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    calls++;
    ssize_t now = read(fd, bytes + done, size - done);
    if (now > 0) {
      done += (size_t)now;
    } else if (now == 0 || !interrupted()) {
      return false;
    }
  }
  return true;
}

/* ---- Both sides of an operation ------------------------------------------------------------- */

static bool in_place(const struct access_case *self) {
  return self->mode == MODE_SPIN_IN_PLACE || self->mode == MODE_SLEEP_IN_PLACE;
}

static bool send_payload(struct access_case *self) {
  const struct object *object = self->object;
  char *bytes = in_place(self) ? object->memory : self->buffers->source;
  payload_fill(bytes, self->size, next_seed(self));
  if (self->way->reach == REACH_STREAM) {
    return send_bytes(object->channel.there[1], bytes, self->size);
  }
  if (self->way->reach == REACH_FILE) {
    calls++;
    return write_all(object->fd, bytes, self->size, 0);
  }
  if (!in_place(self)) memcpy(object->memory, bytes, self->size);
  return true;
}

static bool receive_payload(struct access_case *self) {
  const struct object *object = self->object;
  char *bytes = in_place(self) ? object->memory : self->buffers->sink;
  bool good = true;
  if (self->way->reach == REACH_STREAM) {
    good = receive_bytes(object->channel.there[0], bytes, self->size);
  } else if (self->way->reach == REACH_FILE) {
    calls++;
    good = read_all(object->fd, bytes, self->size, 0);
  } else if (!in_place(self)) {
    memcpy(bytes, object->memory, self->size);
  }
  return good && payload_check(bytes, self->size, next_seed(self));
}

bool peer_operate(struct bench_case *base) {
  struct access_case *self = (struct access_case *)base;
  uint32_t turn = atomic_load_explicit(&control->back, memory_order_relaxed) + 1;
  char byte;
  if (!send_payload(self)) return case_fail_errno(base, "sending");
  if (self->way->reach == REACH_STREAM) {
    return receive_bytes(self->object->channel.back[0], &byte, 1) ||
           case_fail_errno(base, "receiving");
  }
  post(self, &control->there, turn);
  await(self, &control->back, turn);
  return true;
}

/* ---- The peer ------------------------------------------------------------------------------- */

/* One payload. Answers a wrong one too: the other side waits. */
static bool answer(struct access_case *self) {
  if (self->way->reach == REACH_STREAM) {
    bool good = receive_payload(self);
    return send_bytes(self->object->channel.back[1], "", 1) && good;
  }
  uint32_t turn = atomic_load_explicit(&control->back, memory_order_relaxed) + 1;
  await(self, &control->there, turn);
  bool good = receive_payload(self);
  post(self, &control->back, turn);
  return good;
}

static uint64_t faults_so_far(void) {
  struct rusage usage;
  (void)getrusage(RUSAGE_SELF, &usage);
  return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

static void answer_sample(void) {
  struct access_case *self = peer_cases[control->number];
  uint64_t faults = faults_so_far();
  self->seed = control->seed;
  calls = 0;
  control->good = true;
  for (uint64_t i = 0; i < control->operations; i++) {
    if (!answer(self)) control->good = false;
  }
  control->calls = calls;
  control->faults = faults_so_far() - faults;
}

static void announce(_Atomic uint32_t *word, uint32_t sample) {
  atomic_store_explicit(word, sample, memory_order_release);
  wake(word);
}

/* A stop by the keyboard goes to both; the other one decides. */
_Noreturn static void be_peer(pid_t parent, int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || sched_setaffinity(0, sizeof cpus, &cpus) != 0) _exit(1);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGTERM, SIG_IGN);
  (void)signal(SIGHUP, SIG_IGN);
  (void)signal(SIGCHLD, SIG_DFL);
  for (uint32_t sample = 1;; sample++) {
    sleep_until(&control->announced, sample);
    announce(&control->ready, sample);
    answer_sample();
    announce(&control->done, sample);
  }
}

/* Nobody answers any more, so whoever waits would wait for ever; what it waits in may be anything. */
static void mourn(int number) {
  static const char text[] = "shmkit bench: the process on the other side was killed\n";
  siginfo_t info = {0};
  pid_t gone = peer;
  (void)number;
  if (gone <= 0 || waitid(P_PID, (id_t)gone, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  if (info.si_pid != gone) return;
  (void)write(STDERR_FILENO, text, sizeof text - 1);
  _exit(1);
}

bool peer_start(struct access_case **cases, size_t count, int cpu) {
  struct sigaction action = {.sa_handler = mourn, .sa_flags = SA_RESTART};
  control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (control == MAP_FAILED) return false;
  peer_cases = cases;
  for (size_t i = 0; i < count; i++) cases[i]->number = (uint32_t)i;
  (void)sigaction(SIGCHLD, &action, NULL);
  pid_t parent = getpid(), child = fork();
  if (child == 0) be_peer(parent, cpu);
  peer = child;
  /* It may have died before there was a number to look for. */
  if (child > 0) mourn(SIGCHLD);
  return child > 0;
}

void peer_end(void) {
  pid_t child = peer;
  peer = -1;
  if (child <= 0) return;
  (void)kill(child, SIGKILL);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  (void)munmap(control, sizeof *control);
}

/* ---- Samples -------------------------------------------------------------------------------- */

bool peer_begin(struct bench_case *base, uint64_t operations) {
  struct access_case *self = (struct access_case *)base;
  if (peer <= 0) return case_fail(base, "there is no process on the other side");
  if (self->way->reach == REACH_STREAM &&
      !channel_set_waiting(&self->object->channel, !spins(self))) {
    return case_fail_errno(base, "fcntl");
  }
  control->number = self->number;
  control->operations = operations;
  control->seed = self->seed;
  uint32_t sample = atomic_load_explicit(&control->announced, memory_order_relaxed) + 1;
  announce(&control->announced, sample);
  /* To wake up takes longer than some samples. */
  sleep_until(&control->ready, sample);
  calls = 0;
  return true;
}

bool peer_finish(struct bench_case *base) {
  uint64_t ours = calls;
  if (base->failed) {
    /* Nobody knows what is under way on the other side. */
    peer_end();
    return false;
  }
  sleep_until(&control->done, atomic_load_explicit(&control->announced, memory_order_relaxed));
  base->calls += ours + control->calls;
  base->faults += control->faults;
  return control->good || case_fail(base, "the data that arrived are wrong");
}
