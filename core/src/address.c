/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "os.h"

enum { POSIX_NAME_MAX = 255, MEMFD_NAME_MAX = 249 };

static const char *const kind_names[] = {
    [SHMKIT_POSIX] = "posix", [SHMKIT_SYSV] = "sysv", [SHMKIT_MEMFD] = "memfd",
    [SHMKIT_FD] = "fd",       [SHMKIT_FILE] = "file",
};
enum { KINDS = sizeof kind_names / sizeof kind_names[0] };

const char *shmkit_kind_name(shmkit_kind kind) {
  return (unsigned)kind >= SHMKIT_POSIX && (unsigned)kind < KINDS ? kind_names[kind] : "?";
}

/* Put `name`, which fits, behind a prefix. Opening does it twice; printf takes longer than the rest
 * of parsing. */
static void join(char *out, const char *prefix, const char *name) {
  strcpy(stpcpy(out, prefix), name);
}

/* Many write the path of a segment in place of its address. */
static shmkit_status fail_path(const char *text) {
  static const char directory[] = SHMKIT__POSIX_DIRECTORY "/";
  const char *name = text + sizeof directory - 1;
  bool names_segment = strncmp(text, directory, sizeof directory - 1) == 0 && *name != '\0';
  if (names_segment && strchr(name, '/') == NULL) {
    return shmkit__fail(-EINVAL, text,
                        "\"%s\" is a path with slashes, not an address: write \"posix:/%s\"", text,
                        name);
  }
  return shmkit__fail(-EINVAL, text,
                      "\"%s\" has a slash inside, and POSIX names are one component: leave it "
                      "out, or use file: for a path",
                      text);
}

static shmkit_status parse_posix(const char *text, const char *name, struct shmkit__address *out) {
  if (*name == '/') name++;
  if (*name == '\0') {
    return shmkit__fail(-EINVAL, text, "\"%s\" has no name: give it one, such as \"frames\"", text);
  }
  if (strchr(name, '/') != NULL) return fail_path(text);
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
    return shmkit__fail(-EINVAL, text, "\"%s\" is a directory's name: choose another", text);
  }
  if (strlen(name) > POSIX_NAME_MAX) {
    return shmkit__fail(-ENAMETOOLONG, text,
                        "\"%.40s...\" has %zu bytes: POSIX names have at most %d", name,
                        strlen(name), POSIX_NAME_MAX);
  }
  join(out->path, SHMKIT__POSIX_DIRECTORY "/", name);
  join(out->text, "posix:/", name);
  out->name = sizeof "posix:/" - 1;
  return 0;
}

/* A whole string as a number of `base`, digits only. */
static bool parse_digits(const char *text, int base, unsigned long long limit,
                         unsigned long long *out) {
  const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
  size_t length = strlen(text);
  if (length == 0 || length > 20 || strspn(text, digits) != length) return false;
  errno = 0;
  *out = strtoull(text, NULL, base);
  return errno == 0 && *out <= limit;
}

static bool parse_number(const char *text, unsigned long long limit, unsigned long long *out) {
  if (strncmp(text, "0x", 2) == 0) return parse_digits(text + 2, 16, limit, out);
  return parse_digits(text, 10, limit, out);
}

void shmkit__address_set_sysv_id(struct shmkit__address *address, int id) {
  address->kind = SHMKIT_SYSV;
  address->sysv = SHMKIT__SYSV_ID;
  address->number = id;
  (void)snprintf(address->text, sizeof address->text, "sysv:id=%d", id);
  address->name = sizeof "sysv:" - 1;
}

static shmkit_status parse_sysv(const char *text, const char *name, struct shmkit__address *out) {
  unsigned long long number = 0;
  out->name = sizeof "sysv:" - 1;
  if (strcmp(name, "private") == 0) {
    out->sysv = SHMKIT__SYSV_PRIVATE;
    join(out->text, "sysv:", name);
    return 0;
  }
  if (strncmp(name, "id=", 3) == 0) {
    if (!parse_digits(name + 3, 10, INT_MAX, &number)) {
      return shmkit__fail(-EINVAL, text,
                          "\"%s\" has no identifier of a System V segment: write it as ipcs does, "
                          "\"sysv:id=42\"",
                          text);
    }
    shmkit__address_set_sysv_id(out, (int)number);
    return 0;
  }
  if (!parse_number(name, UINT_MAX, &number)) {
    return shmkit__fail(-EINVAL, text,
                        "\"%s\" has no key of a System V segment: write a number of 32 bits, "
                        "\"sysv:0x5eed\" or \"sysv:24301\"",
                        text);
  }
  if (number == 0) {
    return shmkit__fail(-EINVAL, text,
                        "\"%s\" is the key of no segment: use \"sysv:private\" to create one "
                        "without a key",
                        text);
  }
  out->sysv = SHMKIT__SYSV_KEY;
  out->number = (int)(unsigned)number;
  (void)snprintf(out->text, sizeof out->text, "sysv:0x%x", (unsigned)number);
  return 0;
}

static shmkit_status parse_memfd(const char *text, const char *name, struct shmkit__address *out) {
  if (strlen(name) > MEMFD_NAME_MAX) {
    return shmkit__fail(-ENAMETOOLONG, text,
                        "\"%.40s...\" has %zu bytes: memfd names have at most %d", name,
                        strlen(name), MEMFD_NAME_MAX);
  }
  join(out->text, "memfd:", name);
  out->name = sizeof "memfd:" - 1;
  return 0;
}

void shmkit__address_set_fd(struct shmkit__address *address, int fd) {
  address->kind = SHMKIT_FD;
  address->sysv = SHMKIT__SYSV_NONE;
  address->number = fd;
  (void)snprintf(address->text, sizeof address->text, "fd:%d", fd);
  address->name = sizeof "fd:" - 1;
}

static shmkit_status parse_fd(const char *text, const char *name, struct shmkit__address *out) {
  unsigned long long number = 0;
  if (!parse_digits(name, 10, INT_MAX, &number)) {
    return shmkit__fail(-EINVAL, text, "\"%s\" has no descriptor: write a number, \"fd:7\"", text);
  }
  shmkit__address_set_fd(out, (int)number);
  return 0;
}

static shmkit_status parse_file(const char *text, const char *name, struct shmkit__address *out) {
  if (*name == '\0') {
    return shmkit__fail(-EINVAL, text, "\"%s\" has no path: write \"file:/dev/hugepages/frames\"",
                        text);
  }
  size_t length = 0;
  /* Absolute, so that it stays true when the program changes its directory. */
  if (*name != '/') {
    if (getcwd(out->path, sizeof out->path - 1) == NULL) {
      return shmkit__fail_errno(errno, text, "cannot tell the current directory for \"%s\"", text);
    }
    length = strlen(out->path);
    if (out->path[length - 1] != '/') out->path[length++] = '/';
  }
  if (length + strlen(name) >= sizeof out->path) {
    return shmkit__fail(-ENAMETOOLONG, text, "\"%.40s...\" is too long a path: at most %zu bytes",
                        text, sizeof out->path - 1);
  }
  strcpy(out->path + length, name);
  join(out->text, "file:", out->path);
  out->name = sizeof "file:" - 1;
  return 0;
}

void shmkit__address_directory(const struct shmkit__address *address, char out[static PATH_MAX]) {
  size_t length = (size_t)(strrchr(address->path, '/') - address->path);
  if (length == 0) length = 1;
  memcpy(out, address->path, length);
  out[length] = '\0';
}

/* The length of the scheme in front of the first colon, 0 when there is none. */
static size_t scheme_length(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
  return text[length] == ':' ? length : 0;
}

shmkit_status shmkit__address_parse(const char *text, struct shmkit__address *out) {
  static shmkit_status (*const parsers[])(const char *, const char *, struct shmkit__address *) = {
      [SHMKIT_POSIX] = parse_posix, [SHMKIT_SYSV] = parse_sysv, [SHMKIT_MEMFD] = parse_memfd,
      [SHMKIT_FD] = parse_fd,       [SHMKIT_FILE] = parse_file,
  };
  if (text == NULL) return shmkit__fail(-EINVAL, "", "the address is a null pointer");
  out->sysv = SHMKIT__SYSV_NONE;
  size_t length = scheme_length(text);
  if (length == 0) {
    out->kind = SHMKIT_POSIX;
    return parse_posix(text, text, out);
  }
  for (unsigned kind = SHMKIT_POSIX; kind < KINDS; kind++) {
    if (strlen(kind_names[kind]) != length || strncmp(kind_names[kind], text, length) != 0)
      continue;
    out->kind = (shmkit_kind)kind;
    return parsers[kind](text, text + length + 1, out);
  }
  return shmkit__fail(-EINVAL, text,
                      "\"%s\" has an unknown scheme: use posix: sysv: memfd: fd: or file:, and "
                      "posix:/%s for a POSIX name with a colon",
                      text, text);
}
