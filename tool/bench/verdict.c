/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../report.h"
#include "../text.h"
#include "access.h"
#include "lifecycle.h"

/* Which of two takes longer. */
enum relation { NOT_MEASURED, SAME, LONGER, SHORTER, UNCLEAR };

struct comparison {
  enum relation relation;
  struct quartiles ratio;
};

/* What is nearer to 1 than this is the same for whoever has to choose. */
static const double close_to_1 = 0.1;

static struct comparison judge(struct quartiles ratio) {
  enum relation relation = UNCLEAR;
  if (isnan(ratio.median)) {
    relation = NOT_MEASURED;
  } else if (ratio.low >= 1 - close_to_1 && ratio.high <= 1 + close_to_1) {
    relation = SAME;
  } else if (ratio.low > 1) {
    relation = LONGER;
  } else if (ratio.high < 1) {
    relation = SHORTER;
  }
  return (struct comparison){relation, ratio};
}

static struct comparison compare(const struct row *a, const struct row *b) {
  if (a == NULL || b == NULL) return judge((struct quartiles){NAN, NAN, NAN});
  size_t count = a->count < b->count ? a->count : b->count;
  return judge(ratio_of(a->samples, b->samples, count));
}

/* "95", "4.2", "1.03". */
static void print_ratio(FILE *out, double ratio) {
  int digits = ratio >= 20 ? 0 : ratio < 1.2 ? 2 : 1;
  (void)fprintf(out, "%.*f", digits, ratio);
}

static void print_range(FILE *out, struct quartiles ratio) {
  if (isinf(ratio.high)) {
    (void)fputs("an unknown multiple (too few samples to tell)", out);
    return;
  }
  (void)fputs("between ", out);
  print_ratio(out, ratio.low);
  (void)fputs(" and ", out);
  print_ratio(out, ratio.high);
  (void)fputs(" x (too noisy to tell)", out);
}

/* "95 x", of something that may be longer or shorter. */
static void print_either(FILE *out, const struct comparison *comparison) {
  if (comparison->relation == UNCLEAR) {
    print_range(out, comparison->ratio);
    return;
  }
  print_ratio(out, comparison->ratio.median);
  (void)fputs(" x", out);
}

static void print_size(FILE *out, uint64_t size) {
  char *text = text_size(size, false);
  (void)fputs(text, out);
  free(text);
}

/* "95 x", of something that ought to be longer. False when not measured. */
static bool print_expected_longer(FILE *out, const struct comparison *comparison) {
  switch (comparison->relation) {
    case NOT_MEASURED:
      return false;
    case UNCLEAR:
      print_range(out, comparison->ratio);
      return true;
    case SHORTER:
    case SAME:
      (void)fputs("against expectation only ", out);
      break;
    case LONGER:
      break;
  }
  print_ratio(out, comparison->ratio.median);
  (void)fputs(" x", out);
  return true;
}

/* ---- Access --------------------------------------------------------------------------------- */

/* The measured size nearest to a page, the one that most is said about. */
static uint64_t usual_size(const struct session *session) {
  uint64_t best = session->size_count > 0 ? session->sizes[0] : 0;
  for (size_t i = 1; i < session->size_count; i++) {
    double now = fabs(log2((double)session->sizes[i] / 4096));
    if (now < fabs(log2((double)best / 4096))) best = session->sizes[i];
  }
  return best;
}

static struct comparison compare_modes(const struct session *session, uint64_t size,
                                       const char *way, enum mode mode, const char *other,
                                       enum mode other_mode) {
  return compare(session_find(session, way, mode_names[mode], size, NULL, NULL),
                 session_find(session, other, mode_names[other_mode], size, NULL, NULL));
}

/* Samples of pairs of rows, one after the other. */
struct pairs {
  double *values, *others;
  size_t count;
};

static void add_pair(struct pairs *pairs, const struct row *a, const struct row *b) {
  if (a == NULL || b == NULL) return;
  size_t more = a->count < b->count ? a->count : b->count;
  pairs->values = must(realloc(pairs->values, (pairs->count + more) * sizeof(double)));
  pairs->others = must(realloc(pairs->others, (pairs->count + more) * sizeof(double)));
  for (size_t i = 0; i < more; i++, pairs->count++) {
    pairs->values[pairs->count] = a->samples[i];
    pairs->others[pairs->count] = b->samples[i];
  }
}

/* POSIX shared memory beside a mapped file on tmpfs: of all sizes, in place and copied. */
static struct comparison compare_with_tmpfs(const struct session *session) {
  static const enum mode modes[] = {MODE_IN_PLACE, MODE_COPY};
  struct pairs pairs = {0};
  for (size_t i = 0; i < session->size_count * 2; i++) {
    const char *mode = mode_names[modes[i % 2]];
    uint64_t size = session->sizes[i / 2];
    add_pair(&pairs, session_find(session, "posix", mode, size, NULL, NULL),
             session_find(session, "tmpfs-map", mode, size, NULL, NULL));
  }
  struct comparison result = judge(ratio_of(pairs.values, pairs.others, pairs.count));
  free(pairs.values);
  free(pairs.others);
  return result;
}

static void say_same(FILE *out, const struct session *session) {
  struct comparison tmpfs = compare_with_tmpfs(session);
  switch (tmpfs.relation) {
    case NOT_MEASURED:
      (void)fputs("POSIX shared memory beside a mapped file on tmpfs was not measured", out);
      return;
    case UNCLEAR:
      (void)fputs("POSIX shared memory beside a mapped file on tmpfs: ", out);
      print_range(out, tmpfs.ratio);
      return;
    case SAME:
      (void)fputs("No: POSIX shared memory takes as long as a mapped file on tmpfs (", out);
      break;
    case LONGER:
    case SHORTER:
      (void)fprintf(
          out, "Against expectation, POSIX shared memory takes %s than a mapped file on tmpfs (",
          tmpfs.relation == LONGER ? "longer" : "less time");
      break;
  }
  print_ratio(out, tmpfs.ratio.median);
  (void)fputs(" x)", out);
}

/* Of reading and writing a file, beside memory in place, for the least, the usual and the largest
 * size. */
static void say_in_place(FILE *out, const struct session *session, uint64_t usual) {
  const uint64_t least = session->sizes[0], most = session->sizes[session->size_count - 1];
  const uint64_t sizes[] = {least, usual, most};
  bool any = false;
  for (int i = 0; i < 3; i++) {
    if (i > 0 && sizes[i] == sizes[i - 1]) continue;
    struct comparison read =
        compare_modes(session, sizes[i], "tmpfs-read", MODE_COPY, "posix", MODE_IN_PLACE);
    if (read.relation == NOT_MEASURED) continue;
    (void)fputs(any ? ", "
                    : "; beside memory that stays mapped and is used in place, writing and reading "
                      "a file on tmpfs takes ",
                out);
    (void)print_expected_longer(out, &read);
    (void)fputs(" at ", out);
    print_size(out, sizes[i]);
    any = true;
  }
}

static void say_peers(FILE *out, const struct session *session, uint64_t size) {
  static const struct {
    const char *way, *text;
    enum mode mode, shared;
  } others[] = {{"pipe", "a pipe ", MODE_SPIN_COPY, MODE_SPIN_IN_PLACE},
                {"socket", "a Unix socket ", MODE_SPIN_COPY, MODE_SPIN_IN_PLACE},
                {"pipe", "a pipe, both asleep, ", MODE_SLEEP_COPY, MODE_SLEEP_IN_PLACE}};
  bool any = false;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct comparison other =
        compare_modes(session, size, others[i].way, others[i].mode, "posix", others[i].shared);
    if (other.relation == NOT_MEASURED) continue;
    (void)fprintf(out, "%s%s", any ? ", " : "; to another process at the same size, ",
                  others[i].text);
    /* Asleep, waking takes nearly all the time on either way: nothing to expect. */
    if (others[i].mode == MODE_SLEEP_COPY) {
      print_either(out, &other);
    } else {
      (void)print_expected_longer(out, &other);
    }
    any = true;
  }
}

static void say_once(FILE *out, const struct session *session, uint64_t size) {
  struct comparison once =
      compare_modes(session, size, "tmpfs-map", MODE_ONCE, "tmpfs-read", MODE_ONCE);
  if (once.relation == NOT_MEASURED) return;
  (void)fputs("; but opened anew each time, mapping takes ", out);
  print_either(out, &once);
  (void)fputs(" of writing and reading", out);
}

static void say_loop(FILE *out, const struct session *session) {
  const struct row *empty = session_find(session, "empty-program", "shell-loop", 0, NULL, NULL);
  const struct row *cat = session_find(session, "cat-tmpfs", "shell-loop", 0, NULL, NULL);
  struct comparison loop = compare(empty, cat);
  if (loop.relation == NOT_MEASURED) return;
  (void)fputs(
      ". A shell loop shows none of it: beside cat of a file, a program that does nothing takes ",
      out);
  print_either(out, &loop);
  (void)fputs(" of the time", out);
}

static FILE *begin(char **text, size_t *length) {
  return must(open_memstream(text, length));
}

static char *finish(FILE *out, const struct session *session, char **text) {
  if (session->stop != 0) (void)fputs(" (incomplete: stopped by a signal)", out);
  if (fclose(out) != 0) return must(NULL);
  return *text;
}

char *verdict_of_access(const struct session *session) {
  char *text = NULL;
  size_t length = 0;
  uint64_t size = usual_size(session);
  FILE *out = begin(&text, &length);
  say_same(out, session);
  say_in_place(out, session, size);
  say_peers(out, session, size);
  say_once(out, session, size);
  say_loop(out, session);
  return finish(out, session, &text);
}

/* ---- Lifecycle ------------------------------------------------------------------------------ */

static const struct row *find_step(const struct session *session, const char *way, const char *step,
                                   const char *by, enum room room, uint64_t size) {
  return session_find(session, way, step, size, by, life_rooms[room]);
}

static void say_shmkit(FILE *out, const struct session *session, uint64_t size) {
  static const char *const steps[] = {"create", "open", "unlink"};
  bool any = false;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    struct comparison step =
        compare(find_step(session, "posix", steps[i], "shmkit", ROOM_RESERVE, size),
                find_step(session, "posix", steps[i], "bare", ROOM_RESERVE, size));
    if (step.relation == NOT_MEASURED) continue;
    (void)fprintf(out, "%s%s ",
                  any ? ", " : "The library beside bare system calls (posix): ", steps[i]);
    print_either(out, &step);
    any = true;
  }
  if (!any) (void)fputs("The library beside bare system calls was not measured (posix)", out);
  (void)fputs(" at ", out);
  print_size(out, size);
}

/* Create and first touch together, per round. To be freed; NULL when not measured. */
static double *create_and_touch(const struct session *session, enum room room, uint64_t size,
                                size_t *count) {
  const struct row *create = find_step(session, "posix", "create", "bare", room, size);
  const struct row *touch = find_step(session, "posix", "touch", "bare", room, size);
  if (create == NULL || touch == NULL) return NULL;
  *count = create->count < touch->count ? create->count : touch->count;
  double *sums = must(calloc(*count + 1, sizeof *sums));
  for (size_t i = 0; i < *count; i++) sums[i] = create->samples[i] + touch->samples[i];
  return sums;
}

static void say_reserve(FILE *out, const struct session *session, uint64_t size) {
  size_t reserved_count = 0, sparse_count = 0;
  double *reserved = create_and_touch(session, ROOM_RESERVE, size, &reserved_count);
  double *sparse = create_and_touch(session, ROOM_SPARSE, size, &sparse_count);
  if (reserved != NULL && sparse != NULL) {
    size_t count = reserved_count < sparse_count ? reserved_count : sparse_count;
    struct comparison room = judge(ratio_of(reserved, sparse, count));
    (void)fputs("; to set room aside and then touch it takes ", out);
    print_either(out, &room);
    (void)fputs(" of touching alone at ", out);
    print_size(out, size);
  }
  free(reserved);
  free(sparse);
}

static void say_touch(FILE *out, const struct session *session, uint64_t size) {
  struct comparison touch =
      compare(find_step(session, "posix", "touch", "bare", ROOM_SPARSE, size),
              find_step(session, "posix", "again", "bare", ROOM_SPARSE, size));
  if (touch.relation == NOT_MEASURED) return;
  (void)fputs("; without room, the first touch takes ", out);
  if (print_expected_longer(out, &touch)) (void)fputs(" of the second", out);
}

char *verdict_of_lifecycle(const struct session *session) {
  char *text = NULL;
  size_t length = 0;
  uint64_t most = session->sizes[session->size_count - 1];
  FILE *out = begin(&text, &length);
  say_shmkit(out, session, session->sizes[0]);
  say_reserve(out, session, most);
  say_touch(out, session, most);
  return finish(out, session, &text);
}
