/* SPDX-License-Identifier: MIT */
#include "top_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "info_json.h"
#include "names.h"
#include "report.h"
#include "text.h"

#define COMPARE(x, y) (((x) > (y)) - ((x) < (y)))

/* ---- Columns -------------------------------------------------------------------------------- */

static const struct top_row *row_of(const shmkit_info *info) {
  return (const struct top_row *)info;
}

static char *text_of_rate(const shmkit_info *info, const struct look *look) {
  double rate = row_of(info)->rate;
  if (isnan(rate)) return must(strdup("-"));
  if (rate == 0) return must(strdup("0"));
  char *size = text_size((uint64_t)fabs(rate), look->bytes);
  char *text = text_format("%c%s", rate < 0 ? '-' : '+', size);
  free(size);
  return text;
}

static int order_by_rate(const shmkit_info *a, const shmkit_info *b) {
  double x = row_of(a)->rate, y = row_of(b)->rate;
  if (isnan(x) || isnan(y)) return isnan(y) - isnan(x);
  return COMPARE(x, y);
}

/* "new", "gone", or mappers that came and left: "+2-1". */
static char *text_of_change(const shmkit_info *info, const struct look *look) {
  const struct top_row *row = row_of(info);
  (void)look;
  if (row->change != TOP_SAME) return must(strdup(row->change == TOP_NEW ? "new" : "gone"));
  if (row->came > 0 && row->left > 0) return text_format("+%zu-%zu", row->came, row->left);
  if (row->came > 0) return text_format("+%zu", row->came);
  return row->left > 0 ? text_format("-%zu", row->left) : must(strdup("."));
}

static int order_by_change(const shmkit_info *a, const shmkit_info *b) {
  const struct top_row *x = row_of(a), *y = row_of(b);
  if (x->change != y->change) return COMPARE(x->change, y->change);
  return COMPARE(x->came + x->left, y->came + y->left);
}

/* An address through /proc says nothing of what its maker called it. */
static char *text_of_segment(const shmkit_info *info, const struct look *look) {
  char *address = column_find(NULL, "", "ADDRESS")->text(info, look);
  if (info->name[0] == '\0' || info->address[0] == '\0') return address;
  if (strstr(info->address, info->name) != NULL) return address;
  char *name = text_quote(info->name), *text = text_format("%s (%s)", name, address);
  free(address);
  free(name);
  return text;
}

static int order_by_segment(const shmkit_info *a, const shmkit_info *b) {
  return column_find(NULL, "", "ADDRESS")->compare(a, b);
}

void top_extend_columns(void) {
  static const struct column own[] = {
      {"RATE", "change of RSS in bytes per second", TABLE_RIGHT, text_of_rate, order_by_rate},
      {"CHANGE", "new, gone, or how many processes came and left: +2-1", TABLE_LEFT, text_of_change,
       order_by_change},
      {"SEGMENT", "ADDRESS, after NAME where that says more", TABLE_LEFT, text_of_segment,
       order_by_segment}};
  columns_extend(own, sizeof own / sizeof own[0]);
}

void top_set_sort(const struct argp_state *state, const char *what, const char *name,
                  struct top_model *model) {
  bool given = name[0] == '-' || name[0] == '+';
  model->sort = column_find(state, what, name + given);
  model->descending = given ? name[0] == '-' : model->sort->layout == TABLE_RIGHT;
}

/* ---- What has changed ----------------------------------------------------------------------- */

static int compare_identity(const void *a, const void *b) {
  const shmkit_info *x = a, *y = b;
  if (x->kind != y->kind) return COMPARE(x->kind, y->kind);
  if (x->device != y->device) return COMPARE(x->device, y->device);
  if (x->inode != y->inode) return COMPARE(x->inode, y->inode);
  if (x->ipc_namespace != y->ipc_namespace) return COMPARE(x->ipc_namespace, y->ipc_namespace);
  /* Numbers are used again. */
  return COMPARE(x->created, y->created);
}

bool top_is_same(const shmkit_info *a, const shmkit_info *b) {
  return compare_identity(a, b) == 0;
}

static int compare_mappers(const shmkit_mapper *a, const shmkit_mapper *b) {
  return a->pid != b->pid ? COMPARE(a->pid, b->pid) : COMPARE(a->start, b->start);
}

/* Both are in order of PIDs. */
static void count_mappers(struct top_row *row, const shmkit_info *before) {
  size_t i = 0, j = 0;
  while (i < row->info.mapper_count || j < before->mapper_count) {
    int order = i == row->info.mapper_count ? 1
                : j == before->mapper_count
                    ? -1
                    : compare_mappers(&row->info.mappers[i], &before->mappers[j]);
    row->came += order < 0;
    row->left += order > 0;
    i += order <= 0;
    j += order >= 0;
  }
}

static void compare_with(struct top_row *row, const shmkit_info *before, int64_t nanoseconds) {
  uint64_t now = row->info.resident, then = before->resident;
  row->change = TOP_SAME;
  if (now != SHMKIT_UNKNOWN && then != SHMKIT_UNKNOWN && nanoseconds > 0) {
    row->rate = ((double)now - (double)then) * 1e9 / (double)nanoseconds;
  }
  count_mappers(row, before);
}

/* The rows of a look in order of identity, with room for those of another. */
static struct top_row *rows_of(const shmkit_listing *listing, size_t room, size_t *count) {
  *count = listing != NULL ? shmkit_listing_count(listing) : 0;
  struct top_row *rows = must(calloc(*count + room + 1, sizeof *rows));
  for (size_t i = 0; i < *count; i++) {
    rows[i] =
        (struct top_row){.info = *shmkit_listing_at(listing, i), .rate = NAN, .change = TOP_NEW};
  }
  qsort(rows, *count, sizeof *rows, compare_identity);
  return rows;
}

/* Both looks side by side. */
static void compare_looks(struct top_model *model) {
  size_t old_count = 0, count = 0;
  struct top_row *old = rows_of(model->before, 0, &old_count);
  struct top_row *rows = rows_of(model->listing, old_count, &count);
  size_t total = count, j = 0;
  for (size_t i = 0; i < count || j < old_count;) {
    int order = i == count       ? 1
                : j == old_count ? -1
                                 : compare_identity(&rows[i].info, &old[j].info);
    if (order > 0) {
      rows[total] = old[j];
      rows[total++].change = TOP_GONE;
    } else if (order == 0) {
      compare_with(&rows[i], &old[j].info, model->since_before);
    } else if (model->before == NULL) {
      rows[i].change = TOP_SAME;
    }
    i += order <= 0;
    j += order >= 0;
  }
  free(old);
  free(model->rows);
  model->rows = rows;
  model->row_count = total;
}

/* ---- Looking -------------------------------------------------------------------------------- */

/* To look for each creator costs as much as all else. */
static bool wants_creators(const struct top_model *model) {
  bool wanted = model->everything || strcmp(model->sort->name, "CREATOR") == 0;
  for (size_t i = 0; i < model->columns.count; i++) {
    wanted |= strcmp(model->columns.chosen[i]->name, "CREATOR") == 0;
  }
  return wanted;
}

shmkit_status top_look(struct top_model *model) {
  model->options.flags = wants_creators(model) ? 0 : SHMKIT_LISTING_NO_CREATORS;
  shmkit_listing *listing = NULL;
  int64_t began = clock_now();
  shmkit_status status = shmkit_listing_take(&model->options, &listing);
  if (status != 0) return status;
  int64_t ended = clock_now();
  shmkit_listing_free(model->before);
  model->before = model->listing;
  model->listing = listing;
  model->since_before = ended - model->ended;
  model->ended = ended;
  model->took = ended - began;
  compare_looks(model);
  top_arrange(model);
  return 0;
}

void top_forget(struct top_model *model) {
  shmkit_listing_free(model->before);
  shmkit_listing_free(model->listing);
  model->listing = model->before = NULL;
  free(model->rows);
  free(model->shown);
  model->rows = NULL;
  model->shown = NULL;
  model->row_count = model->shown_count = 0;
}

/* ---- Order ---------------------------------------------------------------------------------- */

static bool has_program(const shmkit_info *info, const char *text) {
  for (size_t i = 0; i < info->mapper_count; i++) {
    if (strcasestr(info->mappers[i].program, text) != NULL) return true;
  }
  return false;
}

static bool is_wanted(const struct top_model *model, const shmkit_info *info) {
  const char *text = model->filter;
  return text[0] == '\0' || strcasestr(info->address, text) != NULL ||
         strcasestr(info->name, text) != NULL ||
         strcasestr(name_of_user(info->uid), text) != NULL ||
         strcasestr(shmkit_state_name((shmkit_state)info->state), text) != NULL ||
         strcasestr(shmkit_info_kind_name((shmkit_info_kind)info->kind), text) != NULL ||
         has_program(info, text);
}

static int compare_rows(const void *a, const void *b, void *context) {
  const struct top_model *model = context;
  const struct top_row *x = *(const struct top_row *const *)a,
                       *y = *(const struct top_row *const *)b;
  int order = model->sort->compare(&x->info, &y->info);
  if (order != 0) return model->descending ? -order : order;
  /* Rows that are equal keep their places from look to look. */
  order = order_by_segment(&x->info, &y->info);
  return order != 0 ? order : compare_identity(&x->info, &y->info);
}

void top_arrange(struct top_model *model) {
  free(model->shown);
  model->shown = must(calloc(model->row_count + 1, sizeof *model->shown));
  model->shown_count = 0;
  for (size_t i = 0; i < model->row_count; i++) {
    const struct top_row *row = &model->rows[i];
    if (is_wanted(model, &row->info)) model->shown[model->shown_count++] = row;
  }
  qsort_r(model->shown, model->shown_count, sizeof(const struct top_row *), compare_rows, model);
}

/* ---- The summary ---------------------------------------------------------------------------- */

/* Sums of what is known; `unknown` says that there is more. */
struct sums {
  size_t count;
  uint64_t size, resident;
  bool unknown;
};

static void add(struct sums *sums, const shmkit_info *info) {
  sums->count++;
  sums->size += info->size != SHMKIT_UNKNOWN ? info->size : 0;
  sums->resident += info->resident != SHMKIT_UNKNOWN ? info->resident : 0;
  sums->unknown |= info->size == SHMKIT_UNKNOWN || info->resident == SHMKIT_UNKNOWN;
}

struct totals {
  struct sums all, leaked, kinds[SHMKIT_INFO_FILE + 1];
};

static void add_up(const struct top_model *model, struct totals *totals) {
  *totals = (struct totals){0};
  for (size_t i = 0; i < shmkit_listing_count(model->listing); i++) {
    const shmkit_info *info = shmkit_listing_at(model->listing, i);
    add(&totals->all, info);
    if (info->state == SHMKIT_STATE_LEAKED) add(&totals->leaked, info);
    if (info->kind <= SHMKIT_INFO_FILE) add(&totals->kinds[info->kind], info);
  }
}

static char *summarize_all(const struct totals *totals) {
  char *size = text_size(totals->all.size, false);
  char *resident = text_size(totals->all.resident, false);
  char *leaked = text_size(totals->leaked.resident, false);
  char *line = text_format("%zu segment%s: %s, in memory %s%s; leaked: %zu, in memory %s%s",
                           totals->all.count, totals->all.count == 1 ? "" : "s", size,
                           totals->all.unknown ? "at least " : "", resident, totals->leaked.count,
                           totals->leaked.unknown ? "at least " : "", leaked);
  free(size);
  free(resident);
  free(leaked);
  return line;
}

static char *summarize_kinds(const struct totals *totals) {
  char *line = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&line, &size));
  const char *separator = "";
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    const struct sums *sums = &totals->kinds[kind];
    if (sums->count == 0) continue;
    char *resident = text_size(sums->resident, false);
    (void)fprintf(out, "%s%zu %s %s%s", separator, sums->count,
                  shmkit_info_kind_name((shmkit_info_kind)kind), sums->unknown ? "at least " : "",
                  resident);
    free(resident);
    separator = ", ";
  }
  if (fclose(out) != 0) return must(NULL);
  return line;
}

static char *summarize_limit(const shmkit_limit *limit) {
  char *used = text_size(limit->used, false);
  char *size = text_size(limit->limit, false), *left = text_size(limit->free, false);
  char *line = limit->limit == SHMKIT_UNLIMITED
                   ? text_format("/dev/shm: %s used, no limit", used)
                   : text_format("/dev/shm: %s of %s used, %s free", used, size, left);
  free(used);
  free(size);
  free(left);
  return line;
}

static char *summarize_room(void) {
  shmkit_limits *limits = NULL;
  if (shmkit_limits_take(&limits) != 0) return must(strdup("/dev/shm: -"));
  char *line = NULL;
  for (size_t i = 0; line == NULL && i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (strcmp(limit->name, "shm-bytes") == 0) line = summarize_limit(limit);
  }
  shmkit_limits_free(limits);
  return line != NULL ? line : must(strdup("/dev/shm: -"));
}

static char *summarize_look(const struct top_model *model) {
  char *time = text_time(shmkit_listing_time(model->listing));
  char *line = text_format("%s, this look took %.1f ms", time, (double)model->took / 1e6);
  free(time);
  return line;
}

static char *summarize_unseen(const shmkit_listing *listing) {
  size_t unreadable = shmkit_listing_unreadable(listing);
  if (unreadable == 0)
    return must(strdup("incomplete: there may be processes that cannot be seen"));
  return text_format("incomplete: %zu process%s could not be read", unreadable,
                     unreadable > 1 ? "es" : "");
}

size_t top_summary(const struct top_model *model, char *lines[TOP_SUMMARY_LINES]) {
  struct totals totals;
  size_t count = 0;
  add_up(model, &totals);
  lines[count++] = summarize_all(&totals);
  lines[count++] = summarize_look(model);
  if (totals.all.count > 0) lines[count++] = summarize_kinds(&totals);
  lines[count++] = summarize_room();
  if (!shmkit_listing_complete(model->listing)) lines[count++] = summarize_unseen(model->listing);
  return count;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

json *top_json(const struct top_model *model) {
  static const char *const changes[] = {[TOP_SAME] = NULL, [TOP_NEW] = "new", [TOP_GONE] = "gone"};
  json *document = listing_json(model->listing), *segments = json_new_array();
  json_add_integer(document, "look_ns", model->took);
  for (size_t i = 0; i < model->shown_count; i++) {
    const struct top_row *row = model->shown[i];
    json *object = info_json(&row->info);
    json_add_real(object, "resident_per_second", row->rate);
    json_add_text(object, "change", changes[row->change]);
    json_add_count(object, "mappers_came", row->came);
    json_add_count(object, "mappers_left", row->left);
    json_append(segments, object);
  }
  json_add(document, "segments", segments);
  return document;
}
