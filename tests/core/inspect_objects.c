/* SPDX-License-Identifier: MIT */
/* What lies in a segment is told: mutexes with their holders, events with their states. */
#include "listing_support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

/* The only segment at an address, and the object at an offset in it. */
static shmkit_object object_at(const char *address, uint64_t offset) {
  shmkit_listing *listing = NULL;
  ensure(shmkit_listing_stat(address, 0, &listing) == 0);
  ensure(shmkit_listing_count(listing) == 1);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  shmkit_object found = {.kind = 0};
  ensure(info->objects != NULL);
  for (size_t i = 0; i < info->object_count; i++) {
    if (info->objects[i].offset == offset) found = info->objects[i];
  }
  shmkit_listing_free(listing);
  ensure_msg(found.kind != 0, "there is nothing at %llu", (unsigned long long)offset);
  return found;
}

static shmkit_mutex *mutex_at(shmkit_segment *segment, uint64_t offset) {
  shmkit_mutex *mutex = NULL;
  assert_done(shmkit_segment_mutex(segment, offset, &mutex));
  return mutex;
}

static shmkit_event *event_at(shmkit_segment *segment, uint64_t offset) {
  shmkit_event *event = NULL;
  assert_done(shmkit_segment_event(segment, offset, &event));
  return event;
}

static void end(shmkit_segment *segment) {
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}

/* For children: hold the mutex at the beginning until killed. */
static void hold(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  signal_turn(0);
  for (;;) (void)pause();
}

static pid_t start_holder(void) {
  pid_t holder = start(hold, (void *)(uintptr_t)name());
  wait_turn(0);
  return holder;
}

/* ---- Where they are ------------------------------------------------------------------------- */

START_TEST(none_are_told_apart_from_not_known) {
  shmkit_segment *segment = create(name(), 8192, NULL);
  shmkit_listing *listing = look_at(name(), 0);
  ck_assert_ptr_nonnull(shmkit_listing_at(listing, 0)->objects);
  ck_assert_uint_eq(shmkit_listing_at(listing, 0)->object_count, 0);
  shmkit_listing_free(listing);
  listing = take(0);
  ck_assert_ptr_null(find_posix(listing, name())->objects);
  ck_assert_uint_eq(find_posix(listing, name())->object_count, 0);
  shmkit_listing_free(listing);
  end(segment);
}
END_TEST

START_TEST(they_are_told_in_the_order_of_their_offsets) {
  static const shmkit_segment_options sparse = {.flags = SHMKIT_SPARSE};
  const uint64_t offsets[] = {0, 64, 4096 - 64, 4096, 50 * MIB, 100 * MIB - 64};
  shmkit_segment *segment = create(name(), 100 * MIB, &sparse);
  for (size_t i = COUNT(offsets); i-- > 0;) {
    if (i % 2 == 0) {
      shmkit_mutex_free(mutex_at(segment, offsets[i]));
    } else {
      shmkit_event_free(event_at(segment, offsets[i]));
    }
  }
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->object_count, COUNT(offsets));
  for (size_t i = 0; i < COUNT(offsets); i++) {
    const shmkit_object *object = &info->objects[i];
    bool mutex = i % 2 == 0;
    ck_assert_uint_eq(object->offset, offsets[i]);
    ck_assert_int_eq(object->kind, mutex ? SHMKIT_OBJECT_MUTEX : SHMKIT_OBJECT_EVENT);
    ck_assert_int_eq(object->state, mutex ? SHMKIT_OBJECT_UNLOCKED : SHMKIT_OBJECT_NOT_SET);
    ck_assert_uint_eq(object->sequence, mutex ? SHMKIT_UNKNOWN_ID : 0);
    ck_assert_uint_eq(object->identity, mutex ? 0 : SHMKIT_UNKNOWN_ID);
    ck_assert_int_eq(object->pid, 0);
    ck_assert_str_eq(object->program, "");
    ck_assert(!object->waited_for);
  }
  shmkit_listing_free(listing);
  end(segment);
}
END_TEST

START_TEST(every_way_to_a_segment_leads_to_them) {
  char memfd[300], file[300], descriptor[32], unlinked[64];
  int fd = -1;
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_mutex *mutex = mutex_at(segment, 128);
  assert_done(shmkit_mutex_lock(mutex, 0));
  assert_done(shmkit_segment_fileno(segment, &fd));
  (void)snprintf(file, sizeof file, "file:%s", path_of(name()));
  (void)snprintf(descriptor, sizeof descriptor, "fd:%d", fd);
  (void)snprintf(unlinked, sizeof unlinked, "file:/proc/%d/fd/%d", (int)getpid(), fd);
  ck_assert_int_eq(object_at(file, 128).pid, getpid());
  ck_assert_int_eq(object_at(descriptor, 128).pid, getpid());
  assert_done(shmkit_segment_unlink(segment));
  ck_assert_int_eq(object_at(unlinked, 128).pid, getpid());
  shmkit_mutex_free(mutex);
  shmkit_segment_free(segment);

  (void)snprintf(memfd, sizeof memfd, "memfd:%s", name());
  segment = create(memfd, 4096, NULL);
  mutex = mutex_at(segment, 0);
  assert_done(shmkit_mutex_lock(mutex, 0));
  ck_assert_int_eq(object_at(memfd, 0).state, SHMKIT_OBJECT_LOCKED);
  ck_assert_int_eq(object_at(memfd, 0).pid, getpid());
  shmkit_mutex_free(mutex);
  shmkit_segment_free(segment);
}
END_TEST

/* ---- Mutexes -------------------------------------------------------------------------------- */

START_TEST(a_holder_is_named_until_it_unlocks) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_mutex *mutex = mutex_at(segment, 0);
  shmkit_mutex_state state;
  pid_t holder = start_holder();
  shmkit_object object = object_at(name(), 0);
  assert_done(shmkit_mutex_look(mutex, &state));
  ck_assert_int_eq(object.state, SHMKIT_OBJECT_LOCKED);
  ck_assert_uint_eq(object.identity, state.identity);
  ck_assert_int_eq(object.pid, holder);
  ck_assert_uint_gt(object.start, 0);
  ck_assert_str_ne(object.program, "");
  ck_assert(!object.waited_for);
  shmkit_listing *listing = look_at(name(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_uint_eq(info->mapper_count, 2);
  for (size_t i = 0; i < 2; i++) {
    if (info->mappers[i].pid != holder) continue;
    ck_assert_uint_eq(info->mappers[i].start, object.start);
    ck_assert_str_eq(info->mappers[i].program, object.program);
  }
  shmkit_listing_free(listing);

  kill_child(holder);
  object = object_at(name(), 0);
  ck_assert_int_eq(object.state, SHMKIT_OBJECT_OWNER_DIED);
  ck_assert_uint_eq(object.identity, state.identity);
  ck_assert_int_eq(object.pid, 0);
  ck_assert_uint_eq(object.start, 0);
  ck_assert_str_eq(object.program, "");

  ck_assert_int_eq(shmkit_mutex_lock(mutex, 0), SHMKIT_OWNER_DIED);
  ck_assert_int_eq(object_at(name(), 0).pid, getpid());
  assert_done(shmkit_mutex_unlock(mutex));
  ck_assert_int_eq(object_at(name(), 0).state, SHMKIT_OBJECT_UNLOCKED);
  shmkit_mutex_free(mutex);
  end(segment);
}
END_TEST

static void *lock_in_thread(void *mutex) {
  ensure(shmkit_mutex_lock(mutex, 0) == 0);
  signal_turn(0);
  wait_turn(1);
  return NULL;
}

START_TEST(of_a_thread_the_process_is_told) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_mutex *mutex = mutex_at(segment, 0);
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, lock_in_thread, mutex), 0);
  wait_turn(0);
  ck_assert_int_eq(object_at(name(), 0).pid, getpid());
  signal_turn(1);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_int_eq(object_at(name(), 0).state, SHMKIT_OBJECT_OWNER_DIED);
  shmkit_mutex_free(mutex);
  end(segment);
}
END_TEST

static void wait_for_mutex(void *address) {
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  ensure(shmkit_mutex_lock(mutex, SHMKIT_FOREVER) == 0);
  ensure(shmkit_mutex_unlock(mutex) == 0);
  shmkit_mutex_free(mutex);
}

START_TEST(that_somebody_waits_is_told) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_mutex *mutex = mutex_at(segment, 0);
  assert_done(shmkit_mutex_lock(mutex, 0));
  ck_assert(!object_at(name(), 0).waited_for);
  pid_t waiter = start(wait_for_mutex, (void *)(uintptr_t)name());
  while (!object_at(name(), 0).waited_for) (void)sched_yield();
  ck_assert_int_eq(object_at(name(), 0).pid, getpid());
  assert_done(shmkit_mutex_unlock(mutex));
  finish(waiter);
  shmkit_mutex_free(mutex);
  end(segment);
}
END_TEST

static int stay(void *unused) {
  (void)unused;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal_turn(0);
  while (pause() < 0) continue;
  return 0;
}

static void hold_and_share_memory(void *address) {
  static char stack[64 * KIB];
  shmkit_mutex *mutex = NULL;
  ensure(shmkit_mutex_open(address, NULL, &mutex) == 0);
  ensure(shmkit_mutex_lock(mutex, 0) == 0);
  /* In another tick of the clock by which starts of processes are told. */
  for (clock_t since = times(NULL); times(NULL) < since + 2;) (void)sched_yield();
  ensure(clone(stay, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) > 0);
  for (;;) (void)pause();
}

START_TEST(who_shares_the_holders_memory_is_not_taken_for_it) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  pid_t holder = start(hold_and_share_memory, (void *)(uintptr_t)name());
  wait_turn(0);
  ck_assert_int_eq(object_at(name(), 0).pid, holder);
  kill_child(holder);
  end(segment);
}
END_TEST

/* ---- PID namespaces ------------------------------------------------------------------------- */

enum { PERMITTED = 1, INSIDE = 2 };

/* What is started by it is process 1 of a namespace that ends with it. */
static void start_in_pid_namespace(void (*body)(void *), void *argument) {
  if (unshare(CLONE_NEWPID) != 0) {
    signal_turn(0);
    for (;;) (void)pause();
  }
  shared()->count[PERMITTED] = 1;
  pid_t inside = fork();
  if (inside == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    ensure(getpid() == 1);
    body(argument);
    _exit(0);
  }
  shared()->count[INSIDE] = (unsigned)inside;
  signal_turn(2);
  for (;;) (void)pause();
}

static void hold_inside(void *address) {
  start_in_pid_namespace(hold, address);
}

START_TEST(a_holder_in_an_inner_pid_namespace_has_the_pid_that_it_has_here) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  pid_t outer = start(hold_inside, (void *)(uintptr_t)name());
  wait_turn(0);
  if (shared()->count[PERMITTED]) {
    wait_turn(2);
    ck_assert_int_eq(object_at(name(), 0).state, SHMKIT_OBJECT_LOCKED);
    ck_assert_int_eq(object_at(name(), 0).pid, (int)shared()->count[INSIDE]);
  }
  kill_child(outer);
  end(segment);
}
END_TEST

/* With a /proc that shows this namespace alone. */
static void look_from_inside(void *unused) {
  (void)unused;
  ensure(unshare(CLONE_NEWNS) == 0);
  ensure(mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) == 0);
  ensure(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0);
  shmkit_object object = object_at(name(), 0);
  ensure(object.state == SHMKIT_OBJECT_LOCKED);
  ensure(object.pid == 0 && object.start == 0 && object.program[0] == '\0');
  signal_turn(0);
}

static void start_looking_inside(void *unused) {
  start_in_pid_namespace(look_from_inside, unused);
}

START_TEST(a_holder_outside_of_ones_pid_namespace_lives_and_is_not_known) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_mutex *mutex = mutex_at(segment, 0);
  assert_done(shmkit_mutex_lock(mutex, 0));
  pid_t outer = start(start_looking_inside, NULL);
  wait_turn(0);
  kill_child(outer);
  shmkit_mutex_free(mutex);
  end(segment);
}
END_TEST

/* ---- Events --------------------------------------------------------------------------------- */

static void wait_for_event(void *address) {
  shmkit_event *event = NULL;
  ensure(shmkit_event_open(address, NULL, &event) == 0);
  ensure(shmkit_event_wait(event, SHMKIT_FOREVER) == 0);
  shmkit_event_free(event);
}

START_TEST(an_event_is_told_with_how_often_it_was_set) {
  shmkit_segment *segment = create(name(), 4096, NULL);
  shmkit_event *event = event_at(segment, 0);
  for (int i = 0; i < 3; i++) assert_done(shmkit_event_set(event));
  shmkit_object object = object_at(name(), 0);
  ck_assert_int_eq(object.kind, SHMKIT_OBJECT_EVENT);
  ck_assert_int_eq(object.state, SHMKIT_OBJECT_SET);
  ck_assert_uint_eq(object.sequence, 3);
  ck_assert(!object.waited_for);
  assert_done(shmkit_event_clear(event));
  assert_done(shmkit_event_always_wake(event));
  object = object_at(name(), 0);
  ck_assert_int_eq(object.state, SHMKIT_OBJECT_NOT_SET);
  ck_assert_uint_eq(object.sequence, 3);
  ck_assert(!object.waited_for);
  pid_t waiter = start(wait_for_event, (void *)(uintptr_t)name());
  while (!object_at(name(), 0).waited_for) (void)sched_yield();
  assert_done(shmkit_event_set(event));
  finish(waiter);
  ck_assert_uint_eq(object_at(name(), 0).sequence, 4);
  shmkit_event_free(event);
  end(segment);
}
END_TEST

START_TEST(the_largest_sequence_is_one) {
  const uint32_t words[] = {UINT32_MAX - 1, 0xA5C31B02};
  shmkit_segment *segment = create(name(), 4096, NULL);
  assert_done(shmkit_segment_write(segment, 0, words, sizeof words));
  ck_assert_uint_eq(object_at(name(), 0).sequence, (UINT32_C(1) << 29) - 1);
  ck_assert_int_eq(object_at(name(), 0).state, SHMKIT_OBJECT_SET);
  end(segment);
}
END_TEST

static void look_at_system_v_as_nobody(void *unused) {
  (void)unused;
  if (!become_nobody()) return;
  shmkit_listing *listing = NULL;
  ensure(shmkit_listing_stat(sysv_address(), 0, &listing) == 0);
  ensure(shmkit_listing_at(listing, 0)->objects == NULL);
  ensure(shmkit_listing_at(listing, 0)->object_count == 0);
  shmkit_listing_free(listing);
}

START_TEST(events_of_system_v_are_told_to_who_may_look_through_its_users) {
  static const shmkit_segment_options options = {.mode = 0666};
  struct shmid_ds before, after;
  shmkit_segment *segment = create(sysv_address(), 4096, &options);
  shmkit_event *event = event_at(segment, 64);
  assert_done(shmkit_event_set(event));
  int id = shmget(sysv_key(), 0, 0);
  ck_assert_int_eq(shmctl(id, IPC_STAT, &before), 0);
  shmkit_listing *listing = look_at(sysv_address(), 0);
  const shmkit_info *info = shmkit_listing_at(listing, 0);
  ck_assert_int_eq(info->objects != NULL, info->extents != NULL);
  if (info->objects != NULL) {
    ck_assert_uint_eq(info->object_count, 1);
    ck_assert_uint_eq(info->objects[0].offset, 64);
    ck_assert_int_eq(info->objects[0].state, SHMKIT_OBJECT_SET);
  }
  shmkit_listing_free(listing);
  ck_assert_int_eq(shmctl(id, IPC_STAT, &after), 0);
  ck_assert_mem_eq(&before, &after, sizeof before);
  /* It inherits the attachment, but may not look through it. */
  finish(start(look_at_system_v_as_nobody, NULL));
  shmkit_event_free(event);
  end(segment);
}
END_TEST

START_TEST(kinds_and_states_have_names) {
  ck_assert_str_eq(shmkit_object_kind_name(SHMKIT_OBJECT_MUTEX), "mutex");
  ck_assert_str_eq(shmkit_object_kind_name(SHMKIT_OBJECT_EVENT), "event");
  ck_assert_str_eq(shmkit_object_kind_name((shmkit_object_kind)0), "?");
  ck_assert_str_eq(shmkit_object_kind_name((shmkit_object_kind)3), "?");
  ck_assert_str_eq(shmkit_object_state_name(SHMKIT_OBJECT_UNKNOWN), "unknown");
  ck_assert_str_eq(shmkit_object_state_name(SHMKIT_OBJECT_OWNER_DIED), "owner died");
  ck_assert_str_eq(shmkit_object_state_name(SHMKIT_OBJECT_SET), "set");
  ck_assert_str_eq(shmkit_object_state_name((shmkit_object_state)6), "?");
  ck_assert_str_eq(shmkit_object_state_name((shmkit_object_state)-1), "?");
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      none_are_told_apart_from_not_known,
      they_are_told_in_the_order_of_their_offsets,
      every_way_to_a_segment_leads_to_them,
      a_holder_is_named_until_it_unlocks,
      of_a_thread_the_process_is_told,
      that_somebody_waits_is_told,
      who_shares_the_holders_memory_is_not_taken_for_it,
      a_holder_in_an_inner_pid_namespace_has_the_pid_that_it_has_here,
      a_holder_outside_of_ones_pid_namespace_lives_and_is_not_known,
      an_event_is_told_with_how_often_it_was_set,
      the_largest_sequence_is_one,
      events_of_system_v_are_told_to_who_may_look_through_its_users,
      kinds_and_states_have_names,
  };
  return run_cases("inspect-objects", cases, COUNT(cases), argc, argv);
}
