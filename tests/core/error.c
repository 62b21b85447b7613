/* SPDX-License-Identifier: MIT */
/* Errors: names, classes, and messages that belong to their thread; and the names of types. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

START_TEST(statuses_have_names_and_shmkits_own_win) {
  ck_assert_str_eq(shmkit_error_name(0), "SHMKIT_OK");
  ck_assert_str_eq(shmkit_error_name(SHMKIT_AGAIN), "SHMKIT_AGAIN");
  ck_assert_str_eq(shmkit_error_name(-EBADF), "SHMKIT_ERR_CLOSED");
  ck_assert_str_eq(shmkit_error_name(-ERANGE), "SHMKIT_ERR_RANGE");
  ck_assert_str_eq(shmkit_error_name(-ENODATA), "SHMKIT_ERR_TRUNCATED");
  ck_assert_str_eq(shmkit_error_name(-EOPNOTSUPP), "SHMKIT_ERR_UNSUPPORTED");
  ck_assert_str_eq(shmkit_error_name(-EPROTO), "SHMKIT_ERR_INCOMPATIBLE");
  ck_assert_str_eq(shmkit_error_name(-EBADMSG), "SHMKIT_ERR_CORRUPT");
  ck_assert_str_eq(shmkit_error_name(-ENOENT), "ENOENT");
  ck_assert_str_eq(shmkit_error_name(-EEXIST), "EEXIST");
  ck_assert_str_eq(shmkit_error_name(-EDQUOT), "EDQUOT");
  ck_assert_str_eq(shmkit_error_name(-ENOTCONN), "ENOTCONN");
  ck_assert_str_eq(shmkit_error_name(99), "unknown");
  ck_assert_str_eq(shmkit_error_name(-100000), "unknown");
}
END_TEST

START_TEST(misuse_is_what_no_machine_could_do) {
  static const shmkit_status misuse[] = {-EINVAL, -ENAMETOOLONG, SHMKIT_ERR_RANGE,
                                         SHMKIT_ERR_CLOSED};
  static const shmkit_status others[] = {0,
                                         SHMKIT_AGAIN,
                                         -ENOENT,
                                         -EEXIST,
                                         -EACCES,
                                         -EPERM,
                                         -ENOSPC,
                                         -ENOMEM,
                                         -EBUSY,
                                         SHMKIT_ERR_TRUNCATED,
                                         SHMKIT_ERR_UNSUPPORTED,
                                         SHMKIT_ERR_INCOMPATIBLE,
                                         SHMKIT_ERR_CORRUPT};
  for (size_t i = 0; i < COUNT(misuse); i++) ck_assert(shmkit_error_is_misuse(misuse[i]));
  for (size_t i = 0; i < COUNT(others); i++) ck_assert(!shmkit_error_is_misuse(others[i]));
}
END_TEST

START_TEST(there_is_no_message_before_the_first_failure) {
  ck_assert_str_eq(shmkit_error_message(), "");
  ck_assert_str_eq(shmkit_error_address(), "");
}
END_TEST

START_TEST(a_message_stays_until_the_next_failure) {
  char first[512];
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  ck_assert_uint_lt(strlen(shmkit_error_message()), sizeof first);
  (void)strcpy(first, shmkit_error_message());
  shmkit_segment_free(create("memfd:x", 1, NULL));
  ck_assert_str_eq(shmkit_error_message(), first);
  assert_fails(-EINVAL, shmkit_segment_open("", NULL, &segment));
  ck_assert_str_ne(shmkit_error_message(), first);
}
END_TEST

START_TEST(a_message_names_the_address_in_canonical_form) {
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  assert_message_has("posix:/shmkit-test-");
  assert_message_has("does not exist");
  assert_fails(-ENOENT, shmkit_unlink(sysv_address()));
  ck_assert_str_eq(shmkit_error_address(), sysv_address());
  assert_message_has(sysv_address());
}
END_TEST

START_TEST(control_characters_in_names_are_written_out) {
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open("posix:/no\n\x1b[31m\x7f\xffsuch", NULL, &segment));
  assert_message_has("no\\x0a\\x1b[31m\\x7f\xffsuch");
  ck_assert_str_eq(shmkit_error_address(), "posix:/no\n\x1b[31m\x7f\xffsuch");
}
END_TEST

static void *fail_in_a_thread(void *out) {
  shmkit_segment *segment = NULL;
  ck_assert_str_eq(shmkit_error_message(), "");
  assert_fails(-EINVAL, shmkit_segment_open("..", NULL, &segment));
  *(const char **)out = shmkit_error_message();
  return NULL;
}

START_TEST(each_thread_has_its_own_message) {
  pthread_t thread;
  const char *its = NULL, *mine = shmkit_error_message();
  shmkit_segment *segment = NULL;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  ck_assert_int_eq(pthread_create(&thread, NULL, fail_in_a_thread, &its), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_ptr_ne(its, mine);
  assert_message_has("does not exist");
}
END_TEST

START_TEST(failing_writes_to_no_output) {
  char mark;
  shmkit_segment *segment = (shmkit_segment *)&mark;
  shmkit_span span = {&mark, 77};
  shmkit_type type = SHMKIT_F32;
  assert_fails(-ENOENT, shmkit_segment_open(name(), NULL, &segment));
  assert_fails(-EINVAL, shmkit_segment_create(name(), 0, NULL, &segment));
  assert_fails(-EINVAL, shmkit_segment_open_or_create(name(), 0, NULL, &segment));
  ck_assert_ptr_eq(segment, &mark);
  assert_fails(-EINVAL, shmkit_type_find("int", &type));
  ck_assert_int_eq(type, SHMKIT_F32);
  shmkit_segment *good = create(name(), 8, NULL);
  assert_fails(SHMKIT_ERR_INCOMPATIBLE, shmkit_segment_open_or_create(name(), 9, NULL, &segment));
  ck_assert_ptr_eq(segment, &mark);
  assert_done(shmkit_segment_unlink(good));
  assert_fails(-EINVAL, shmkit_segment_view(good, SHMKIT_U64, 4, 1, &span));
  ck_assert_ptr_eq(span.data, &mark);
  ck_assert_uint_eq(span.count, 77);
  shmkit_segment_free(good);
}
END_TEST

START_TEST(types_have_names_and_sizes) {
  static const struct {
    const char *name;
    shmkit_type type;
    size_t size;
  } expected[] = {
      {"i8", SHMKIT_I8, 1},   {"i16", SHMKIT_I16, 2},   {"i32", SHMKIT_I32, 4},
      {"i64", SHMKIT_I64, 8}, {"u8", SHMKIT_U8, 1},     {"u16", SHMKIT_U16, 2},
      {"u32", SHMKIT_U32, 4}, {"u64", SHMKIT_U64, 8},   {"f32", SHMKIT_F32, 4},
      {"f64", SHMKIT_F64, 8}, {"bool", SHMKIT_BOOL, 1}, {"char", SHMKIT_CHAR, 1},
  };
  for (size_t i = 0; i < COUNT(expected); i++) {
    shmkit_type type = (shmkit_type)0;
    assert_done(shmkit_type_find(expected[i].name, &type));
    ck_assert_int_eq(type, expected[i].type);
    ck_assert_str_eq(shmkit_type_name(type), expected[i].name);
    ck_assert_uint_eq(shmkit_type_size(type), expected[i].size);
  }
}
END_TEST

START_TEST(what_is_no_type_is_said_to_be_none) {
  static const char *const bad[] = {"", "int", "u128", "U8", "u8 ", " u8", "f16", "?"};
  shmkit_type type;
  for (size_t i = 0; i < COUNT(bad); i++) {
    assert_fails(-EINVAL, shmkit_type_find(bad[i], &type));
    assert_message_has("f64");
  }
  static const int numbers[] = {0, -1, 13, 1 << 30};
  for (size_t i = 0; i < COUNT(numbers); i++) {
    ck_assert_str_eq(shmkit_type_name((shmkit_type)numbers[i]), "?");
    ck_assert_uint_eq(shmkit_type_size((shmkit_type)numbers[i]), 0);
  }
}
END_TEST

START_TEST(the_version_is_three_numbers) {
  unsigned major, minor, patch;
  char rest;
  ck_assert_int_eq(sscanf(shmkit_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      statuses_have_names_and_shmkits_own_win,
      misuse_is_what_no_machine_could_do,
      there_is_no_message_before_the_first_failure,
      a_message_stays_until_the_next_failure,
      a_message_names_the_address_in_canonical_form,
      control_characters_in_names_are_written_out,
      each_thread_has_its_own_message,
      failing_writes_to_no_output,
      types_have_names_and_sizes,
      what_is_no_type_is_said_to_be_none,
      the_version_is_three_numbers,
  };
  return run_cases("error", cases, COUNT(cases), argc, argv);
}
