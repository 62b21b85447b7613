/* SPDX-License-Identifier: MIT */
/* Addresses: what they lead to, how they are spelled canonically, and what cannot be one. */
#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address.h"

static struct shmkit__address parsed(const char *text) {
  struct shmkit__address address;
  assert_done(shmkit__address_parse(text, &address));
  return address;
}

static void assert_canonical(const char *text, const char *canonical) {
  struct shmkit__address address = parsed(text);
  ck_assert_str_eq(address.text, canonical);
  /* It is a fixed point, and its name follows the scheme. */
  struct shmkit__address again = parsed(canonical);
  ck_assert_str_eq(again.text, canonical);
  ck_assert_str_eq(again.text + again.name, address.text + address.name);
}

static void assert_bad(shmkit_status expected, const char *text) {
  shmkit_segment *segment = NULL;
  struct shmkit__address address;
  assert_fails(expected, shmkit__address_parse(text, &address));
  ck_assert(shmkit_error_is_misuse(expected));
  /* An address longer than any that can be is kept in part. */
  ck_assert_int_eq(strncmp(shmkit_error_address(), text != NULL ? text : "", PATH_MAX), 0);
  /* Every way in says the same. */
  assert_fails(expected, shmkit_segment_create(text, 1, NULL, &segment));
  assert_fails(expected, shmkit_segment_open(text, NULL, &segment));
  assert_fails(expected, shmkit_segment_open_or_create(text, 1, NULL, &segment));
  assert_fails(expected, shmkit_unlink(text));
  ck_assert_ptr_null(segment);
}

START_TEST(every_spelling_has_one_canonical_form) {
  assert_canonical("frames", "posix:/frames");
  assert_canonical("/frames", "posix:/frames");
  assert_canonical("posix:frames", "posix:/frames");
  assert_canonical("posix:/frames", "posix:/frames");
  assert_canonical("posix:/a:b", "posix:/a:b");
  assert_canonical("posix:/posix:", "posix:/posix:");
  assert_canonical("...", "posix:/...");
  assert_canonical("sysv:0x5eed", "sysv:0x5eed");
  assert_canonical("sysv:0x5EED", "sysv:0x5eed");
  assert_canonical("sysv:24301", "sysv:0x5eed");
  assert_canonical("sysv:4294967295", "sysv:0xffffffff");
  assert_canonical("sysv:id=42", "sysv:id=42");
  assert_canonical("sysv:id=0", "sysv:id=0");
  assert_canonical("sysv:private", "sysv:private");
  assert_canonical("memfd:frames", "memfd:frames");
  assert_canonical("memfd:", "memfd:");
  assert_canonical("fd:7", "fd:7");
  assert_canonical("fd:007", "fd:7");
  assert_canonical("file:/dev/hugepages/x", "file:/dev/hugepages/x");
}
END_TEST

START_TEST(the_kind_and_the_name_are_parts_of_the_address) {
  static const struct {
    const char *text, *name;
    shmkit_kind kind;
  } expected[] = {
      {"frames", "frames", SHMKIT_POSIX},
      {"sysv:0x5eed", "0x5eed", SHMKIT_SYSV},
      {"sysv:id=42", "id=42", SHMKIT_SYSV},
      {"memfd:frames", "frames", SHMKIT_MEMFD},
      {"fd:7", "7", SHMKIT_FD},
      {"file:/a/b", "/a/b", SHMKIT_FILE},
      {"posix:/file:x", "file:x", SHMKIT_POSIX},
  };
  for (size_t i = 0; i < COUNT(expected); i++) {
    struct shmkit__address address = parsed(expected[i].text);
    ck_assert_int_eq(address.kind, expected[i].kind);
    ck_assert_str_eq(address.text + address.name, expected[i].name);
  }
}
END_TEST

START_TEST(kinds_and_lifetimes_have_the_names_of_the_documentation) {
  ck_assert_str_eq(shmkit_kind_name(SHMKIT_POSIX), "posix");
  ck_assert_str_eq(shmkit_kind_name(SHMKIT_SYSV), "sysv");
  ck_assert_str_eq(shmkit_kind_name(SHMKIT_MEMFD), "memfd");
  ck_assert_str_eq(shmkit_kind_name(SHMKIT_FD), "fd");
  ck_assert_str_eq(shmkit_kind_name(SHMKIT_FILE), "file");
  ck_assert_str_eq(shmkit_kind_name((shmkit_kind)0), "?");
  ck_assert_str_eq(shmkit_kind_name((shmkit_kind)-1), "?");
  ck_assert_str_eq(shmkit_kind_name((shmkit_kind)99), "?");
  ck_assert_str_eq(shmkit_lifetime_name(SHMKIT_PERSISTENT), "persistent");
  ck_assert_str_eq(shmkit_lifetime_name(SHMKIT_CREATOR), "creator");
  ck_assert_str_eq(shmkit_lifetime_name(SHMKIT_LAST), "last");
  ck_assert_str_eq(shmkit_lifetime_name((shmkit_lifetime)3), "?");
}
END_TEST

START_TEST(what_cannot_be_a_posix_name_is_refused) {
  static const char *const bad[] = {
      NULL, "",    "/",      ".",       "..",       "/.",        "/..",       "/a/b",       "a/b",
      "a/", "//a", "posix:", "posix:/", "posix:/.", "posix:/..", "posix://a", "posix:/a/b",
  };
  for (size_t i = 0; i < COUNT(bad); i++) assert_bad(-EINVAL, bad[i]);
}
END_TEST

START_TEST(an_unknown_scheme_is_refused_with_a_way_out) {
  assert_bad(-EINVAL, "shm:/frames");
  assert_bad(-EINVAL, "a:b");
  assert_message_has("posix:/a:b");
  assert_bad(-EINVAL, "http://example");
  assert_bad(-EINVAL, "0:x");
}
END_TEST

START_TEST(what_cannot_be_a_system_v_address_is_refused) {
  static const char *const bad[] = {
      "sysv:",
      "sysv:0",
      "sysv:0x0",
      "sysv:0x",
      "sysv:frames",
      "sysv:-1",
      "sysv:+1",
      "sysv: 1",
      "sysv:1 ",
      "sysv:0x5eeg",
      "sysv:4294967296",
      "sysv:0x100000000",
      "sysv:99999999999999999999999",
      "sysv:id=",
      "sysv:id=-1",
      "sysv:id=x",
      "sysv:id=0x10",
      "sysv:id=2147483648",
      "sysv:PRIVATE",
      "sysv:private ",
  };
  for (size_t i = 0; i < COUNT(bad); i++) assert_bad(-EINVAL, bad[i]);
}
END_TEST

START_TEST(what_cannot_be_a_descriptor_is_refused) {
  static const char *const bad[] = {"fd:",   "fd:-1", "fd:x",          "fd:0x7",
                                    "fd: 7", "fd:7 ", "fd:2147483648", "fd:18446744073709551623"};
  for (size_t i = 0; i < COUNT(bad); i++) assert_bad(-EINVAL, bad[i]);
  assert_bad(-EINVAL, "file:");
}
END_TEST

START_TEST(names_end_at_the_longest_that_the_kernel_takes) {
  char text[PATH_MAX + 32] = "posix:/";
  size_t scheme = strlen(text);
  memset(text + scheme, 'n', 255);
  ck_assert_uint_eq(strlen(parsed(text).path), sizeof "/dev/shm/" - 1 + 255);
  text[scheme + 255] = 'n';
  assert_bad(-ENAMETOOLONG, text);
  (void)strcpy(text, "memfd:");
  memset(text + 6, 'm', 249);
  text[6 + 249] = '\0';
  shmkit_segment_free(create(text, 1, NULL));
  text[6 + 249] = 'm';
  text[6 + 250] = '\0';
  assert_bad(-ENAMETOOLONG, text);
  memset(text, 'f', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  memcpy(text, "file:/", 6);
  assert_bad(-ENAMETOOLONG, text);
  memcpy(text, "ffffff", 6);
  assert_bad(-ENAMETOOLONG, text);
}
END_TEST

START_TEST(relative_paths_become_absolute_at_once) {
  char directory[PATH_MAX], expected[PATH_MAX + 16];
  ck_assert_ptr_nonnull(getcwd(directory, sizeof directory));
  (void)snprintf(expected, sizeof expected, "file:%s/x/y", directory);
  assert_canonical("file:x/y", expected);
  ck_assert_int_eq(chdir("/"), 0);
  assert_canonical("file:x", "file:/x");
  ck_assert_int_eq(chdir("/dev/shm"), 0);
  (void)snprintf(expected, sizeof expected, "file:%s", name());
  shmkit_segment *segment = create(expected, 1, NULL);
  ck_assert_int_eq(chdir("/"), 0);
  assert_done(shmkit_segment_unlink(segment));
  shmkit_segment_free(segment);
}
END_TEST

START_TEST(a_directory_that_is_gone_is_said_to_be) {
  struct shmkit__address address;
  const char *directory = path_of(name());
  ck_assert_int_eq(mkdir(directory, 0700), 0);
  ck_assert_int_eq(chdir(directory), 0);
  ck_assert_int_eq(rmdir(directory), 0);
  assert_fails(-ENOENT, shmkit__address_parse("file:x", &address));
  assert_message_has("current directory");
}
END_TEST

/* Make a segment under this name, have it be the file that everybody expects, and open it by its
 * canonical address. */
static void assert_round_trip(const char *its_name) {
  char address[PATH_MAX];
  (void)snprintf(address, sizeof address, "posix:/%s", its_name);
  shmkit_segment *made = create(address, 8, NULL);
  ck_assert_str_eq(shmkit_segment_address(made), address);
  ck_assert_str_eq(shmkit_segment_name(made), its_name);
  ck_assert_msg(exists(path_of(its_name)), "%s is not where it should be", its_name);
  shmkit_segment *opened = open_segment(shmkit_segment_address(made), NULL);
  assert_done(shmkit_segment_write(made, 0, "same", 4));
  assert_bytes(opened, 0, "same");
  shmkit_segment_free(opened);
  shmkit_segment_free(made);
  assert_done(shmkit_unlink(address));
}

START_TEST(names_with_odd_bytes_round_trip) {
  assert_round_trip(other_name(" with spaces "));
  assert_round_trip(other_name("line\nfeed\ttab\r"));
  assert_round_trip(other_name("\xff\xfe not UTF-8 \x80"));
  assert_round_trip(other_name("\xc3\xa9t\xc3\xa9"));
  assert_round_trip(other_name("a:b"));
  assert_round_trip(other_name("%s%n\"'\\"));
  assert_round_trip(other_name("\x1b[31m\x7f"));
}
END_TEST

START_TEST(a_name_of_255_bytes_works) {
  char longest[256];
  memset(longest, 'x', 255);
  longest[255] = '\0';
  memcpy(longest, name(), strlen(name()));
  shmkit_segment *segment = create(longest, 8, NULL);
  ck_assert_str_eq(shmkit_segment_name(segment), longest);
  shmkit_segment_free(open_segment(longest, NULL));
  assert_done(shmkit_unlink(longest));
  shmkit_segment_free(segment);
}
END_TEST

int main(int argc, char **argv) {
  const TTest *const cases[] = {
      every_spelling_has_one_canonical_form,
      the_kind_and_the_name_are_parts_of_the_address,
      kinds_and_lifetimes_have_the_names_of_the_documentation,
      what_cannot_be_a_posix_name_is_refused,
      an_unknown_scheme_is_refused_with_a_way_out,
      what_cannot_be_a_system_v_address_is_refused,
      what_cannot_be_a_descriptor_is_refused,
      names_end_at_the_longest_that_the_kernel_takes,
      relative_paths_become_absolute_at_once,
      a_directory_that_is_gone_is_said_to_be,
      names_with_odd_bytes_round_trip,
      a_name_of_255_bytes_works,
  };
  return run_cases("address", cases, COUNT(cases), argc, argv);
}
