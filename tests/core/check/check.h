/* SPDX-License-Identifier: MIT */
/*
 * As much of Check (libcheck.github.io) as our tests use, for an ABI that no package of Check
 * exists for: 32-bit, musl. Each case is a process with a deadline here, too.
 */
#ifndef SHMKIT_TESTS_CHECK_H
#define SHMKIT_TESTS_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct TTest {
  const char *name;
  void (*run)(int);
  const char *file;
  int line;
} TTest;

typedef struct Suite Suite;
typedef struct TCase TCase;
typedef struct Suite SRunner;

enum print_output { CK_NORMAL };

#define START_TEST(name)                                                                           \
  static void name##_fn(int _i);                                                                   \
  static const TTest name##_ttest = {#name, name##_fn, __FILE__, __LINE__};                        \
  static const TTest *const name = &name##_ttest;                                                  \
  static void name##_fn(int _i __attribute__((unused)))
#define END_TEST

Suite *suite_create(const char *name);
TCase *tcase_create(const char *name);
void tcase_set_timeout(TCase *tcase, double seconds);
void tcase_add_unchecked_fixture(TCase *tcase, void (*before)(void), void (*after)(void));
void tcase_add_checked_fixture(TCase *tcase, void (*before)(void), void (*after)(void));
void tcase_add_test(TCase *tcase, const TTest *test);
void suite_add_tcase(Suite *suite, TCase *tcase);
SRunner *srunner_create(Suite *suite);
void srunner_run_all(SRunner *runner, enum print_output output);
int srunner_ntests_failed(SRunner *runner);
void srunner_free(SRunner *runner);

_Noreturn void check_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define ck_abort_msg(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
#define ck_assert_msg(condition, ...)                                                              \
  do {                                                                                             \
    if (!(condition)) check_fail(__FILE__, __LINE__, __VA_ARGS__);                                 \
  } while (0)
#define ck_assert(condition) ck_assert_msg((condition), "'%s' failed", #condition)

#define CHECK_COMPARE(type, format, a, op, b)                                                      \
  do {                                                                                             \
    type check_a = (a);                                                                            \
    type check_b = (b);                                                                            \
    ck_assert_msg(check_a op check_b, "%s %s %s failed: " format ", " format, #a, #op, #b,         \
                  check_a, check_b);                                                               \
  } while (0)
#define ck_assert_int_eq(a, b) CHECK_COMPARE(intmax_t, "%jd", a, ==, b)
#define ck_assert_int_ne(a, b) CHECK_COMPARE(intmax_t, "%jd", a, !=, b)
#define ck_assert_int_lt(a, b) CHECK_COMPARE(intmax_t, "%jd", a, <, b)
#define ck_assert_int_le(a, b) CHECK_COMPARE(intmax_t, "%jd", a, <=, b)
#define ck_assert_int_gt(a, b) CHECK_COMPARE(intmax_t, "%jd", a, >, b)
#define ck_assert_int_ge(a, b) CHECK_COMPARE(intmax_t, "%jd", a, >=, b)
#define ck_assert_uint_eq(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, ==, b)
#define ck_assert_uint_ne(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, !=, b)
#define ck_assert_uint_lt(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, <, b)
#define ck_assert_uint_le(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, <=, b)
#define ck_assert_uint_gt(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, >, b)
#define ck_assert_uint_ge(a, b) CHECK_COMPARE(uintmax_t, "%ju", a, >=, b)
#define ck_assert_ptr_eq(a, b) CHECK_COMPARE(const void *, "%p", a, ==, b)
#define ck_assert_ptr_ne(a, b) CHECK_COMPARE(const void *, "%p", a, !=, b)
#define ck_assert_ptr_null(a) ck_assert_ptr_eq(a, NULL)
#define ck_assert_ptr_nonnull(a) ck_assert_ptr_ne(a, NULL)

#define CHECK_COMPARE_TEXT(equal, a, b)                                                            \
  do {                                                                                             \
    const char *check_a = (a);                                                                     \
    const char *check_b = (b);                                                                     \
    ck_assert_msg((strcmp(check_a, check_b) == 0) == (equal), "%s is \"%s\", %s is \"%s\"", #a,    \
                  check_a, #b, check_b);                                                           \
  } while (0)
#define ck_assert_str_eq(a, b) CHECK_COMPARE_TEXT(true, a, b)
#define ck_assert_str_ne(a, b) CHECK_COMPARE_TEXT(false, a, b)
#define ck_assert_mem_eq(a, b, length) ck_assert(memcmp((a), (b), (length)) == 0)

#endif
