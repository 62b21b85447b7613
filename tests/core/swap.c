/* SPDX-License-Identifier: MIT */
/* What of a segment is in swap is told apart from what is in memory. */
#include "listing_support.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { SIZE = 8 * MIB };

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static void fill_and_swap_out(void *memory) {
  memset(memory, 'x', SIZE);
  ck_assert_int_eq(madvise(memory, SIZE, MADV_PAGEOUT), 0);
}

static void assert_in_swap(const shmkit_info *info) {
  ck_assert_uint_ge(info->allocated, SIZE);
  ck_assert_uint_gt(info->swapped, 0);
  ck_assert_uint_lt(info->resident, SIZE);
  ck_assert_uint_ge(info->resident + info->swapped, SIZE);
}

START_TEST(what_is_in_swap_is_not_in_memory) {
  int fd = make_file(name(), SIZE);
  void *memory = map_file(fd, SIZE);
  fill_and_swap_out(memory);
  shmkit_listing *listing = look_at(name(), 0);
  assert_in_swap(shmkit_listing_at(listing, 0));
  shmkit_listing_free(listing);
  listing = take(0);
  /* Without opening it nothing tells them apart, and nothing is made up. */
  ck_assert_uint_eq(find_posix(listing, name())->resident, SHMKIT_UNKNOWN);
  ck_assert_uint_eq(find_posix(listing, name())->swapped, SHMKIT_UNKNOWN);
  ck_assert_uint_ge(find_posix(listing, name())->allocated, SIZE);
  shmkit_listing_free(listing);
  ck_assert_int_eq(munmap(memory, SIZE), 0);
  ck_assert_int_eq(close(fd), 0);
  ck_assert_int_eq(unlink(path_of(name())), 0);
}
END_TEST

START_TEST(of_system_v_listings_know_it_too) {
  int id = shmget(sysv_key(), SIZE, IPC_CREAT | IPC_EXCL | 0600);
  void *memory = shmat(id, NULL, 0);
  ck_assert_ptr_ne(memory, (void *)-1);
  fill_and_swap_out(memory);
  shmkit_listing *listing = take(0);
  const shmkit_info *info = find(listing, SHMKIT_INFO_SYSV, sysv_address() + 5);
  ck_assert_ptr_nonnull(info);
  assert_in_swap(info);
  shmkit_listing_free(listing);
  ck_assert_int_eq(shmdt(memory), 0);
  ck_assert_int_eq(shmctl(id, IPC_RMID, NULL), 0);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      what_is_in_swap_is_not_in_memory,
      of_system_v_listings_know_it_too,
  };
  struct sysinfo machine;
  if (sysinfo(&machine) != 0 || machine.freeswap * machine.mem_unit < UINT64_C(4) * SIZE) {
    return skip("the machine has no swap to spare");
  }
  return run_cases("swap", cases, COUNT(cases), argc, argv);
}
