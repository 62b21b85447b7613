/* SPDX-License-Identifier: MIT */
/*
 * Many processes that create one name at once: one does, nobody ever sees half of it, and creators
 * that are killed leave complete segments or nothing. SHMKIT_SOAK=SECONDS makes the storms as long.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CREATED, OPENED, MISSED };
enum { SIZE = 256 * KIB, SECONDS = 2 };

static unsigned char content[SIZE];

static void fill_content(void) {
  for (size_t i = 0; i < SIZE; i++) content[i] = (unsigned char)(i * 31 + 7);
}

static const shmkit_segment_options whole = {.content = content, .content_size = SIZE};

static void add(unsigned what) {
  atomic_fetch_add(&shared()->count[what], 1);
}

static unsigned count(unsigned what) {
  return atomic_load(&shared()->count[what]);
}

/* It has its full size and content, and ends here. */
static void assert_whole(shmkit_segment *segment) {
  ensure(shmkit_segment_size(segment) == SIZE);
  ensure(memcmp(shmkit_segment_data(segment), content, SIZE) == 0);
  shmkit_segment_free(segment);
}

static bool is_over(void) {
  static time_t end;
  struct timespec now;
  ensure(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  if (end == 0) end = now.tv_sec + (time_t)soak_seconds(SECONDS);
  return now.tv_sec > end;
}

static pthread_barrier_t *new_barrier(unsigned members) {
  pthread_barrierattr_t attributes;
  pthread_barrier_t *barrier =
      mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ensure(barrier != MAP_FAILED);
  ensure(pthread_barrierattr_init(&attributes) == 0);
  ensure(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  ensure(pthread_barrier_init(barrier, &attributes, members) == 0);
  return barrier;
}

/* ---- All at once ---------------------------------------------------------------------------- */

static void open_or_create(const char *address) {
  shmkit_segment *segment = NULL;
  assert_done(shmkit_segment_open_or_create(address, SIZE, &whole, &segment));
  add(shmkit_segment_created(segment) ? CREATED : OPENED);
  assert_whole(segment);
}

static void join_in(void *barrier) {
  (void)pthread_barrier_wait(barrier);
  open_or_create(name());
}

START_TEST(of_200_processes_one_creates_and_all_see_it_whole) {
  enum { PROCESSES = 200, TIMES = 3 };
  pthread_barrier_t *barrier = new_barrier(PROCESSES);
  fill_content();
  for (unsigned time = 1; time <= TIMES; time++) {
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) children[i] = start(join_in, barrier);
    finish_all(children, PROCESSES);
    ensure(count(CREATED) == time);
    ensure(count(OPENED) == time * (PROCESSES - 1));
    assert_done(shmkit_unlink(name()));
  }
}
END_TEST

static void join_in_with_a_key(void *barrier) {
  shmkit_segment *segment = NULL;
  (void)pthread_barrier_wait(barrier);
  assert_done(shmkit_segment_open_or_create(sysv_address(), SIZE, NULL, &segment));
  ensure(shmkit_segment_size(segment) == SIZE);
  add(shmkit_segment_created(segment) ? CREATED : OPENED);
  shmkit_segment_free(segment);
}

START_TEST(the_same_with_a_system_v_key) {
  enum { PROCESSES = 50 };
  pthread_barrier_t *barrier = new_barrier(PROCESSES);
  pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) children[i] = start(join_in_with_a_key, barrier);
  finish_all(children, PROCESSES);
  ensure(count(CREATED) == 1);
  assert_done(shmkit_unlink(sysv_address()));
}
END_TEST

/* ---- Storms --------------------------------------------------------------------------------- */

static void create_and_unlink(void *unused) {
  (void)unused;
  while (!is_over()) {
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_create(name(), SIZE, &whole, &segment);
    ensure_msg(status == 0 || status == -EEXIST, "%s", shmkit_error_message());
    if (status != 0) continue;
    add(CREATED);
    assert_done(shmkit_segment_unlink(segment));
    assert_whole(segment);
  }
}

static void open_and_look(void *unused) {
  (void)unused;
  while (!is_over()) {
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_open(name(), NULL, &segment);
    ensure_msg(status == 0 || status == -ENOENT, "%s", shmkit_error_message());
    if (status == 0) assert_whole(segment);
    add(status == 0 ? OPENED : MISSED);
  }
}

static void open_or_create_and_unlink(void *unused) {
  (void)unused;
  while (!is_over()) {
    open_or_create(name());
    shmkit_status status = shmkit_unlink(name());
    ensure_msg(status == 0 || status == -ENOENT, "%s", shmkit_error_message());
  }
}

START_TEST(whoever_opens_while_others_create_and_unlink_sees_all_or_nothing) {
  static void (*const roles[])(void *) = {
      create_and_unlink, create_and_unlink,         open_and_look,
      open_and_look,     open_or_create_and_unlink, open_or_create_and_unlink};
  pid_t children[COUNT(roles)];
  fill_content();
  for (size_t i = 0; i < COUNT(roles); i++) children[i] = start(roles[i], NULL);
  finish_all(children, COUNT(roles));
  ensure(count(CREATED) > 0);
  ensure(count(OPENED) > 0);
  shmkit_status status = shmkit_unlink(name());
  ensure(status == 0 || status == -ENOENT);
}
END_TEST

/* ---- Killed creators ------------------------------------------------------------------------ */

static unsigned drafts(void) {
  unsigned found = 0;
  DIR *directory = opendir("/dev/shm");
  ensure(directory != NULL);
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (strncmp(entry->d_name, ".shmkit-", 8) == 0) found++;
  }
  (void)closedir(directory);
  return found;
}

static void create_until_killed(void *unused) {
  (void)unused;
  for (;;) {
    shmkit_segment *segment = NULL;
    signal_turn(0);
    if (shmkit_segment_create(name(), SIZE, &whole, &segment) != 0) continue;
    add(CREATED);
    shmkit_segment_free(segment);
    (void)shmkit_unlink(name());
  }
}

START_TEST(creators_killed_at_any_moment_leave_whole_segments_or_nothing) {
  enum { CREATORS = 4 };
  unsigned before = drafts(), random = (unsigned)getpid();
  fill_content();
  while (!is_over()) {
    pid_t children[CREATORS];
    for (int i = 0; i < CREATORS; i++) children[i] = start(create_until_killed, NULL);
    /* At some point in the work of the one that begins now. */
    wait_turn(0);
    random = random * 1103515245U + 12345U;
    struct timespec moment = {.tv_nsec = (long)(random >> 8) % 1000000};
    (void)nanosleep(&moment, NULL);
    for (int i = 0; i < CREATORS; i++) kill_child(children[i]);
    while (sem_trywait(&shared()->turn[0]) == 0) {
    }
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_open(name(), NULL, &segment);
    ensure_msg(status == 0 || status == -ENOENT, "%s", shmkit_error_message());
    add(status == 0 ? OPENED : MISSED);
    if (status != 0) continue;
    assert_whole(segment);
    assert_done(shmkit_unlink(name()));
  }
  ensure(count(OPENED) + count(MISSED) > 0);
  ensure(drafts() == before);
}
END_TEST

static void join_in_and_be_killed(void *barrier) {
  (void)pthread_barrier_wait(barrier);
  for (;;) {
    open_or_create(name());
    (void)shmkit_unlink(name());
  }
}

START_TEST(killed_among_many_they_do_not_disturb_the_others) {
  enum { VICTIMS = 10, OTHERS = 20 };
  fill_content();
  while (!is_over()) {
    pthread_barrier_t *barrier = new_barrier(VICTIMS + OTHERS);
    pid_t victims[VICTIMS], others[OTHERS];
    for (int i = 0; i < VICTIMS; i++) victims[i] = start(join_in_and_be_killed, barrier);
    for (int i = 0; i < OTHERS; i++) others[i] = start(join_in, barrier);
    finish(others[0]);
    for (int i = 0; i < VICTIMS; i++) kill_child(victims[i]);
    for (int i = 1; i < OTHERS; i++) finish(others[i]);
    shmkit_segment *segment = NULL;
    shmkit_status status = shmkit_segment_open(name(), NULL, &segment);
    ensure(status == 0 || status == -ENOENT);
    if (status != 0) continue;
    assert_whole(segment);
    assert_done(shmkit_unlink(name()));
  }
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      of_200_processes_one_creates_and_all_see_it_whole,
      the_same_with_a_system_v_key,
      whoever_opens_while_others_create_and_unlink_sees_all_or_nothing,
      creators_killed_at_any_moment_leave_whole_segments_or_nothing,
      killed_among_many_they_do_not_disturb_the_others,
  };
  return run_cases("race", cases, COUNT(cases), argc, argv);
}
