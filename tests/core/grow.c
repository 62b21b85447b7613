/* SPDX-License-Identifier: MIT */
/* Growing in place, alone and with others, and what cannot grow. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const shmkit_segment_options roomy = {.capacity = MIB};

static uint64_t file_size(void) {
  struct stat status;
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  return (uint64_t)status.st_size;
}

static void end(shmkit_segment *segment) {
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

START_TEST(memory_never_moves_when_it_grows) {
  shmkit_segment *segment = create(name(), 100, &roomy);
  ck_assert_uint_ge(shmkit_segment_capacity(segment), MIB);
  unsigned char *data = shmkit_segment_data(segment);
  data[99] = 42;
  for (uint64_t size = 200; size <= MIB; size *= 2) {
    assert_done(shmkit_segment_grow(segment, size));
    ck_assert_ptr_eq(shmkit_segment_data(segment), data);
    ck_assert_uint_eq(shmkit_segment_size(segment), size);
    ck_assert_uint_eq(file_size(), size);
    ck_assert_uint_eq(data[size - 1], 0);
    data[size - 1] = 1;
  }
  ck_assert_uint_eq(data[99], 42);
  end(segment);
}
END_TEST

START_TEST(growing_to_less_does_nothing) {
  shmkit_segment *segment = create(name(), 1000, &roomy);
  assert_done(shmkit_segment_grow(segment, 10));
  assert_done(shmkit_segment_grow(segment, 0));
  assert_done(shmkit_segment_grow(segment, 1000));
  ck_assert_uint_eq(file_size(), 1000);
  end(segment);
}
END_TEST

START_TEST(a_peer_sees_the_growth_after_a_refresh) {
  shmkit_segment *segment = create(name(), 100, &roomy);
  shmkit_segment *peer = open_segment(name(), &roomy);
  shmkit_segment *narrow = open_segment(name(), NULL);
  assert_done(shmkit_segment_grow(segment, 64 * KIB));
  assert_done(shmkit_segment_write(segment, 64 * KIB - 5, "hello", 5));
  ck_assert_uint_eq(shmkit_segment_size(peer), 100);
  assert_done(shmkit_segment_refresh(peer));
  ck_assert_uint_eq(shmkit_segment_size(peer), 64 * KIB);
  assert_bytes(peer, 64 * KIB - 5, "hello");
  ck_assert_mem_eq((char *)shmkit_segment_data(peer) + 64 * KIB - 5, "hello", 5);
  /* Who mapped less sees as much as it mapped. */
  assert_done(shmkit_segment_refresh(narrow));
  ck_assert_uint_eq(shmkit_segment_size(narrow), shmkit_segment_capacity(narrow));
  ck_assert_uint_lt(shmkit_segment_size(narrow), 64 * KIB);
  /* Growing what a peer has grown already takes its size. */
  assert_done(shmkit_segment_grow(segment, 128 * KIB));
  assert_done(shmkit_segment_grow(peer, 100 * KIB));
  ck_assert_uint_eq(shmkit_segment_size(peer), 128 * KIB);
  shmkit_segment_free(narrow);
  shmkit_segment_free(peer);
  end(segment);
}
END_TEST

START_TEST(growth_is_reserved_unless_sparse) {
  const shmkit_segment_options sparse = {.capacity = 16 * MIB, .flags = SHMKIT_SPARSE};
  const shmkit_segment_options reserved = {.capacity = 16 * MIB};
  struct stat status;
  shmkit_segment *segment = create(name(), 100, &sparse);
  assert_done(shmkit_segment_grow(segment, 8 * MIB));
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_lt(status.st_blocks * 512, MIB);
  shmkit_segment *peer = open_segment(name(), &reserved);
  assert_done(shmkit_segment_grow(peer, 16 * MIB));
  ck_assert_int_eq(stat(path_of(name()), &status), 0);
  ck_assert_int_ge(status.st_blocks * 512, 8 * MIB);
  shmkit_segment_free(peer);
  end(segment);
}
END_TEST

START_TEST(new_bytes_are_zero_even_where_somebody_wrote_behind_the_end) {
  shmkit_segment *segment = create(name(), 100, &roomy);
  unsigned char *data = shmkit_segment_data(segment);
  data[99] = 1;
  data[100] = data[4000] = 2; /* the rest of the last page is mapped */
  assert_done(shmkit_segment_grow(segment, 8 * KIB));
  ck_assert_uint_eq(data[99], 1);
  for (size_t i = 100; i < 8 * KIB; i++) ck_assert_msg(data[i] == 0, "byte %zu", i);
  end(segment);
}
END_TEST

START_TEST(what_cannot_grow_says_so) {
  shmkit_segment *segment = create(name(), 100, NULL);
  uint64_t capacity = shmkit_segment_capacity(segment);
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_grow(segment, capacity + 1));
  assert_fails(SHMKIT_ERR_RANGE, shmkit_segment_grow(segment, UINT64_MAX));
  ck_assert_uint_eq(file_size(), 100);
  end(segment);
  segment = create("sysv:private", 100, NULL);
  assert_fails(SHMKIT_ERR_UNSUPPORTED, shmkit_segment_grow(segment, 200));
  end(segment);
  const shmkit_segment_options sealed = {.capacity = MIB, .seals = SHMKIT_SEAL_GROW};
  segment = create("memfd:x", 100, &sealed);
  assert_fails(-EPERM, shmkit_segment_grow(segment, 64 * KIB));
  assert_message_has("seal");
  assert_done(shmkit_segment_refresh(segment));
  ck_assert_uint_eq(shmkit_segment_size(segment), 100);
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_segment_of_no_bytes_opens_with_a_capacity_and_grows) {
  int fd = open(path_of(name()), O_RDWR | O_CREAT | O_EXCL, 0600);
  ck_assert_int_eq(close(fd), 0);
  shmkit_segment *segment = NULL;
  assert_fails(SHMKIT_ERR_TRUNCATED, shmkit_segment_open(name(), NULL, &segment));
  segment = open_segment(name(), &roomy);
  ck_assert_uint_eq(shmkit_segment_size(segment), 0);
  assert_done(shmkit_segment_grow(segment, 100));
  assert_done(shmkit_segment_write(segment, 0, "hello", 5));
  end(segment);
}
END_TEST

enum { GROWERS = 6, STEPS = 100, STEP = 10007 };

/* Grow in steps that all take at once, and mark one of the first new bytes of each step, which must
 * stay: a grower that comes late must not clear what the first has given to the others. */
static void grow_in_steps(shmkit_segment *segment, pthread_barrier_t *barrier, unsigned which) {
  unsigned char *data = shmkit_segment_data(segment);
  for (unsigned step = 0; step < STEPS; step++) {
    uint64_t size = (step + 1) * STEP;
    (void)pthread_barrier_wait(barrier);
    assert_done(shmkit_segment_grow(segment, size));
    ensure(shmkit_segment_size(segment) >= size);
    data[step * STEP + 1 + which] = (unsigned char)(which + 1);
  }
}

static void assert_all_marks(shmkit_segment *segment) {
  const unsigned char *data = shmkit_segment_data(segment);
  for (unsigned step = 0; step < STEPS; step++) {
    for (unsigned which = 0; which < GROWERS; which++) {
      ck_assert_uint_eq(data[step * STEP + 1 + which], which + 1);
    }
  }
}

/* For threads and processes alike. */
static pthread_barrier_t *new_barrier(void) {
  pthread_barrierattr_t attributes;
  pthread_barrier_t *barrier =
      mmap(NULL, sizeof *barrier, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(barrier, MAP_FAILED);
  ck_assert_int_eq(pthread_barrierattr_init(&attributes), 0);
  ck_assert_int_eq(pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), 0);
  ck_assert_int_eq(pthread_barrier_init(barrier, &attributes, GROWERS), 0);
  return barrier;
}

struct grower {
  shmkit_segment *segment;
  pthread_barrier_t *barrier;
  unsigned which;
};

static void *grow_in_a_thread(void *argument) {
  const struct grower *grower = argument;
  grow_in_steps(grower->segment, grower->barrier, grower->which);
  return NULL;
}

START_TEST(many_threads_grow_one_segment) {
  pthread_t threads[GROWERS];
  struct grower growers[GROWERS];
  pthread_barrier_t *barrier = new_barrier();
  shmkit_segment *segment = create(name(), 1, &roomy);
  for (unsigned i = 0; i < GROWERS; i++) {
    growers[i] = (struct grower){segment, barrier, i};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, grow_in_a_thread, &growers[i]), 0);
  }
  for (unsigned i = 0; i < GROWERS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ck_assert_uint_eq(file_size(), STEPS * STEP);
  assert_all_marks(segment);
  end(segment);
}
END_TEST

static void grow_in_a_process(void *argument) {
  const struct grower *grower = argument;
  shmkit_segment *segment = open_segment(name(), &roomy);
  grow_in_steps(segment, grower->barrier, grower->which);
  shmkit_segment_free(segment);
}

START_TEST(many_processes_grow_one_segment) {
  pid_t children[GROWERS];
  struct grower grower = {.barrier = new_barrier()};
  shmkit_segment *segment = create(name(), 1, &roomy);
  for (; grower.which < GROWERS; grower.which++) {
    children[grower.which] = start(grow_in_a_process, &grower);
  }
  finish_all(children, GROWERS);
  assert_done(shmkit_segment_refresh(segment));
  ck_assert_uint_eq(shmkit_segment_size(segment), STEPS * STEP);
  assert_all_marks(segment);
  end(segment);
}
END_TEST

START_TEST(growing_asks_how_large_it_is_now) {
  shmkit_segment *segment = create(name(), 2 * 4096, &roomy);
  assert_done(shmkit_segment_write(segment, 4096, "gone", 4));
  ck_assert_int_eq(truncate(path_of(name()), 10), 0);
  assert_done(shmkit_segment_grow(segment, 2 * 4096));
  ck_assert_uint_eq(file_size(), 2 * 4096);
  assert_bytes(segment, 4096, "\0\0\0\0");
  end(segment);
}
END_TEST

START_TEST(a_limit_on_file_sizes_is_an_error_not_a_signal) {
  struct rlimit limit = {.rlim_cur = 64 * KIB, .rlim_max = RLIM_INFINITY};
  shmkit_segment *segment = create(name(), 4096, &roomy), *other = NULL;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_fails(-EFBIG, shmkit_segment_create(other_name("b"), 128 * KIB, NULL, &other));
  assert_fails(-EFBIG, shmkit_segment_grow(segment, 128 * KIB));
  ck_assert_uint_eq(file_size(), 4096);
  end(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      memory_never_moves_when_it_grows,
      growing_to_less_does_nothing,
      growing_asks_how_large_it_is_now,
      a_limit_on_file_sizes_is_an_error_not_a_signal,
      a_peer_sees_the_growth_after_a_refresh,
      growth_is_reserved_unless_sparse,
      new_bytes_are_zero_even_where_somebody_wrote_behind_the_end,
      what_cannot_grow_says_so,
      a_segment_of_no_bytes_opens_with_a_capacity_and_grows,
      many_threads_grow_one_segment,
      many_processes_grow_one_segment,
  };
  return run_cases("grow", cases, COUNT(cases), argc, argv);
}
