/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <shmkit/inspect.h>

#include "report.h"

/* A number that is not negative, and where it ends; NULL when there is none. */
static const char *number(const char *text, double *value) {
  char *end = NULL;
  if (strchr("0123456789.", text[0]) == NULL) return NULL;
  errno = 0;
  *value = strtod(text, &end);
  return end == text || errno == ERANGE || !isfinite(*value) ? NULL : end;
}

/* Whole numbers are exact to the last of their 64 bits; where they end. */
static const char *whole(const char *text, uint64_t *value) {
  char *end = NULL;
  if (strchr("0123456789", text[0]) == NULL) return NULL;
  errno = 0;
  *value = strtoumax(text, &end, text[0] == '0' && strchr("xX", text[1]) != NULL ? 16 : 10);
  return end == text || errno == ERANGE || *end == '.' ? NULL : end;
}

/* The power of 1024 that a suffix stands for: "", "B", "K", "KB", "KiB"; -1 for others. */
static int power_of(const char *suffix) {
  static const char units[] = "KMGTPE";
  if (*suffix == '\0' || strcasecmp(suffix, "b") == 0) return 0;
  char unit = (char)(*suffix & ~0x20);
  /* A space would be the end of the units. */
  const char *at = unit != '\0' ? strchr(units, unit) : NULL;
  if (at == NULL) return -1;
  suffix++;
  if (*suffix != '\0' && strcasecmp(suffix, "b") != 0 && strcasecmp(suffix, "ib") != 0) return -1;
  return (int)(at - units) + 1;
}

uint64_t parse_size(const struct argp_state *state, const char *what, const char *text) {
  uint64_t bytes = 0;
  double fraction = 0;
  const char *suffix = whole(text, &bytes);
  int power = suffix != NULL ? power_of(suffix) : -1;
  if (power >= 0 && bytes <= UINT64_MAX >> (10 * power)) return bytes << (10 * power);
  suffix = suffix == NULL ? number(text, &fraction) : NULL;
  power = suffix != NULL ? power_of(suffix) : -1;
  fraction = power >= 0 ? ldexp(fraction, 10 * power) : -1;
  if (fraction < 0 || fraction >= 0x1p64) {
    argp_error(state, "%s: '%s' is no size; write 4096, 64K, 1.5M or 2GiB", what, text);
    return 0;
  }
  return (uint64_t)fraction;
}

uint64_t parse_age(const struct argp_state *state, const char *what, const char *text) {
  static const char units[] = "smhdw";
  static const double seconds[] = {1, 60, 3600, 86400, 604800};
  double value = 0;
  const char *unit = number(text, &value);
  const char *at = unit != NULL && *unit != '\0' && unit[1] == '\0' ? strchr(units, *unit) : NULL;
  double nanoseconds = at != NULL ? value * seconds[at - units] * 1e9 : -1;
  if (nanoseconds < 0 || nanoseconds >= 0x1p63) {
    argp_error(state, "%s: '%s' is no time; write 90s, 10m, 2h, 1d or 3w", what, text);
    return 0;
  }
  return (uint64_t)nanoseconds;
}

int64_t parse_interval(const struct argp_state *state, const char *what, const char *text) {
  double seconds = 0;
  const char *unit = number(text, &seconds);
  bool known = unit != NULL && (*unit == '\0' || strcmp(unit, "s") == 0);
  if (!known || seconds < 0.01 || seconds > 86400) {
    argp_error(state, "%s: '%s' is no time from 0.01 to 86400 seconds; write 2, 0.5 or 10s", what,
               text);
    return 0;
  }
  return (int64_t)(seconds * 1e9);
}

int64_t parse_number(const struct argp_state *state, const char *what, const char *text,
                     int64_t least, int64_t most) {
  char *end = NULL;
  errno = 0;
  intmax_t value = strtoimax(text, &end, 10);
  if (end == text || *end != '\0' || errno == ERANGE || value < least || value > most) {
    argp_error(state, "%s: '%s' is no whole number from %jd to %jd", what, text, (intmax_t)least,
               (intmax_t)most);
    return least;
  }
  return (int64_t)value;
}

void parse_list(const struct argp_state *state, const char *what, const char *text,
                void (*take)(const struct argp_state *state, const char *what, const char *word,
                             void *context),
                void *context) {
  char *copy = must(strdup(text)), *rest = copy;
  for (char *word; (word = strsep(&rest, ",")) != NULL;) take(state, what, word, context);
  free(copy);
}

void parse_address(const struct argp_state *state, const char *text, const char **address) {
  if (*address != NULL) argp_error(state, "one segment at a time");
  *address = text;
}

void parse_no_address(const struct argp_state *state) {
  argp_error(state, "an address is missing, such as posix:/frames; 'shmkit ls' lists them");
}

/* ---- Kinds ---------------------------------------------------------------------------------- */

const char *const *parse_kind_names(void) {
  static const char *names[SHMKIT_INFO_FILE + 1];
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    names[kind - SHMKIT_INFO_POSIX] = shmkit_info_kind_name((shmkit_info_kind)kind);
  }
  return names;
}

static void take_kind(const struct argp_state *state, const char *what, const char *word,
                      void *context) {
  uint32_t *kinds = context;
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (strcasecmp(word, shmkit_info_kind_name((shmkit_info_kind)kind)) == 0) {
      *kinds |= SHMKIT_INFO_SET(kind);
      return;
    }
  }
  argp_error(state,
             "%s: there is no kind '%s'; there are posix, sysv, memfd, semaphore, anonymous, "
             "hugetlb and file",
             what, word);
}

uint32_t parse_kinds(const struct argp_state *state, const char *what, const char *text) {
  uint32_t kinds = 0;
  parse_list(state, what, text, take_kind, &kinds);
  return kinds;
}
