/* SPDX-License-Identifier: MIT */
/* shmkit limits: every ceiling, and which is met first. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "json.h"
#include "parse.h"
#include "prose.h"
#include "report.h"
#include "table.h"
#include "text.h"

enum { KEY_NO_HEADINGS = 256, KEY_RAW };

static const struct argp_option options[] = {
    {"kind", 'k', "KIND,...", 0, "Only what holds for segments of these kinds", 0},
    {"output", 'o', "COLUMN,...", 0, "Which columns; with '+' before them, in addition", 0},
    {"bytes", 'b', NULL, 0, "Exact sizes", 0},
    {"json", 'J', NULL, 0, "Everything that is known, as JSON", 0},
    {"raw", KEY_RAW, NULL, 0, "For programs: the table alone, columns by one space", 0},
    {"noheadings", KEY_NO_HEADINGS, NULL, 0, "No line of headings", 0},
    {0}};

/* ---- Columns -------------------------------------------------------------------------------- */

/* What is not limited by anything is not a number. */
static char *amount(uint64_t value, const shmkit_limit *limit, bool exact) {
  if (value == SHMKIT_UNLIMITED) return must(strdup("unlimited"));
  return limit->unit == SHMKIT_UNIT_BYTES ? text_size(value, exact) : text_count(value);
}

static char *text_of_limit(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->title));
}

static char *text_of_name(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->name));
}

static char *text_of_size(const shmkit_limit *limit, bool exact) {
  return amount(limit->limit, limit, exact);
}

static char *text_of_used(const shmkit_limit *limit, bool exact) {
  return amount(limit->used, limit, exact);
}

static char *text_of_free(const shmkit_limit *limit, bool exact) {
  return amount(limit->free, limit, exact);
}

static char *text_of_share(const shmkit_limit *limit, bool exact) {
  (void)exact;
  if (limit->limit >= SHMKIT_UNLIMITED || limit->used >= SHMKIT_UNLIMITED || limit->limit == 0) {
    return must(strdup("-"));
  }
  /* Upwards, so that a little is not nothing. */
  double percent = (double)limit->used * 100 / (double)limit->limit;
  uint64_t whole = (uint64_t)percent;
  return text_format("%ju%%", (uintmax_t)(percent > (double)whole ? whole + 1 : whole));
}

/* The kinds that people ask for, and others where there are none of these. */
static char *text_of_kinds(const shmkit_limit *limit, bool exact) {
  (void)exact;
  if (limit->kinds == SHMKIT_INFO_ALL && !(limit->flags & SHMKIT_LIMIT_ON_REQUEST)) {
    return must(strdup("all"));
  }
  uint32_t kinds =
      limit->kinds & SHMKIT_INFO_USUAL ? limit->kinds & SHMKIT_INFO_USUAL : limit->kinds;
  char *text = must(strdup(""));
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (!(kinds & SHMKIT_INFO_SET(kind))) continue;
    char *longer = text_format("%s%s%s", text, *text != '\0' ? "," : "",
                               shmkit_info_kind_name((shmkit_info_kind)kind));
    free(text);
    text = longer;
  }
  if (!(limit->flags & SHMKIT_LIMIT_ON_REQUEST)) return text;
  char *some = text_format("%s on request", limit->kinds == SHMKIT_INFO_ALL ? "all" : text);
  free(text);
  return some;
}

static char *text_of_scope(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(shmkit_scope_name((shmkit_scope)limit->scope)));
}

static char *text_of_unit(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(shmkit_unit_name((shmkit_unit)limit->unit)));
}

static char *text_of_source(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->source));
}

static char *text_of_effect(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->effect));
}

static char *text_of_remedy(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->remedy));
}

static char *text_of_note(const shmkit_limit *limit, bool exact) {
  (void)exact;
  return must(strdup(limit->note));
}

struct limit_column {
  const char *name, *help;
  enum table_column layout;
  char *(*text)(const shmkit_limit *limit, bool exact);
};
static const struct limit_column all[] = {
    {"LIMIT", "what is limited", TABLE_LEFT, text_of_limit},
    {"NAME", "the same in a word that stays, for programs", TABLE_LEFT, text_of_name},
    {"SIZE", "how much there can be", TABLE_RIGHT, text_of_size},
    {"USED", "how much is used", TABLE_RIGHT, text_of_used},
    {"FREE", "how much would be granted now", TABLE_RIGHT, text_of_free},
    {"USE%", "used, of the size", TABLE_RIGHT, text_of_share},
    {"UNIT", "what is counted", TABLE_LEFT, text_of_unit},
    {"FOR", "the kinds of segments that it holds for", TABLE_LEFT, text_of_kinds},
    {"SCOPE", "who shares it", TABLE_LEFT, text_of_scope},
    {"SOURCE", "where the figure comes from", TABLE_CUT, text_of_source},
    {"EFFECT", "what happens to who exceeds it", TABLE_CUT, text_of_effect},
    {"REMEDY", "how to raise it", TABLE_CUT, text_of_remedy},
    {"NOTE", "what is special about it here", TABLE_CUT, text_of_note},
};
enum { ALL_COUNT = sizeof all / sizeof all[0], CHOSEN_MAX = 32 };

struct request {
  const struct limit_column *chosen[CHOSEN_MAX];
  size_t chosen_count;
  uint32_t kinds;
  bool bytes, as_json;
  struct table_options table;
};

static void choose(const struct argp_state *state, const char *what, const char *word,
                   void *context) {
  struct request *request = context;
  if (request->chosen_count == CHOSEN_MAX) {
    argp_error(state, "%s: more than %d columns", what, CHOSEN_MAX);
    return;
  }
  for (size_t i = 0; i < ALL_COUNT; i++) {
    if (strcasecmp(all[i].name, word) != 0) continue;
    request->chosen[request->chosen_count++] = &all[i];
    return;
  }
  argp_error(state, "%s: there is no column '%s'; --help lists them", what, word);
}

static void choose_columns(const struct argp_state *state, const char *list,
                           struct request *request) {
  if (list[0] != '+') request->chosen_count = 0;
  parse_list(state, "--output", list + (list[0] == '+'), choose, request);
}

static void print_table(const shmkit_limits *limits, const struct request *request) {
  struct table *table = table_new(&request->table);
  for (size_t i = 0; i < request->chosen_count; i++) {
    table_add_column(table, request->chosen[i]->name, request->chosen[i]->layout);
  }
  for (size_t row = 0; row < shmkit_limits_count(limits); row++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, row);
    if (!(limit->kinds & request->kinds)) continue;
    bool full = limit->free == 0 && !(limit->flags & SHMKIT_LIMIT_ON_REQUEST);
    table_add_row(table);
    for (size_t i = 0; i < request->chosen_count; i++) {
      table_set(table, i, request->chosen[i]->text(limit, request->bytes), full ? "red" : NULL);
    }
  }
  table_print(table);
}

/* ---- The verdict ---------------------------------------------------------------------------- */

static const struct {
  shmkit_info_kind kind;
  const char *title;
} makeable[] = {
    {SHMKIT_INFO_POSIX, "POSIX"}, {SHMKIT_INFO_SYSV, "System V"}, {SHMKIT_INFO_MEMFD, "memfd"}};
enum { MAKEABLE = sizeof makeable / sizeof makeable[0] };

typedef const shmkit_limit *ask_first(const shmkit_limits *limits, shmkit_info_kind kind);

static bool is_among(const shmkit_limits *limits, ask_first *ask, uint32_t kinds, size_t index,
                     const shmkit_limit *limit) {
  return (kinds & SHMKIT_INFO_SET(makeable[index].kind)) &&
         ask(limits, makeable[index].kind) == limit;
}

/* The kinds that meet this limit first: "POSIX, System V or memfd". */
static char *who_meets(const shmkit_limits *limits, ask_first *ask, uint32_t kinds,
                       const shmkit_limit *limit) {
  const char *found[MAKEABLE] = {"", "", ""};
  size_t count = 0;
  for (size_t i = 0; i < MAKEABLE; i++) {
    if (is_among(limits, ask, kinds, i, limit)) found[count++] = makeable[i].title;
  }
  if (count == 3) return text_format("%s, %s or %s", found[0], found[1], found[2]);
  return count == 2 ? text_format("%s or %s", found[0], found[1]) : text_format("%s", found[0]);
}

/* "23G, 570M of it used; there is no swap". */
static char *figures_of(const shmkit_limit *limit) {
  char *most = amount(limit->limit, limit, false), *used = amount(limit->used, limit, false);
  const char *and = *limit->note != '\0' ? "; " : "";
  char *text = limit->flags & SHMKIT_LIMIT_EACH
                   ? text_format("%s%s%s", most, and, limit->note)
                   : text_format("%s, %s of it used%s%s", most, used, and, limit->note);
  free(used);
  free(most);
  return text;
}

static void tell_size(const char *who, const shmkit_limit *limit) {
  char *left = text_size(limit->free, false), *figures = figures_of(limit);
  if (limit->free == 0) {
    prose("No %s segment can be made: nothing is left of the %s (%s): %s. To raise it: %s.", who,
          limit->title, figures, limit->effect, limit->remedy);
  } else {
    prose("A new %s segment can have %s at most: the limit on the %s bites first (%s). Beyond it, "
          "%s. To raise it: %s.",
          who, left, limit->title, figures, limit->effect, limit->remedy);
  }
  free(figures);
  free(left);
}

static void tell_count(const char *who, const shmkit_limit *limit) {
  char *figures = figures_of(limit);
  prose("%ju more %s segments can be made and kept open here, however small: then the limit on the "
        "%s bites (%s), and %s.",
        (uintmax_t)limit->free, who, limit->title, figures, limit->effect);
  free(figures);
}

/* Each limit once, with all the kinds that meet it first. */
static void tell(const shmkit_limits *limits, uint32_t kinds, ask_first *ask,
                 void (*tell_one)(const char *who, const shmkit_limit *limit)) {
  for (size_t i = 0; i < MAKEABLE; i++) {
    const shmkit_limit *limit = ask(limits, makeable[i].kind);
    bool told = limit == NULL || !is_among(limits, ask, kinds, i, limit);
    for (size_t j = 0; j < i; j++) told |= is_among(limits, ask, kinds, j, limit);
    if (told) continue;
    char *who = who_meets(limits, ask, kinds, limit);
    tell_one(who, limit);
    free(who);
  }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void add_amount(json *object, const char *key, uint64_t value) {
  json_add_count(object, key, value == SHMKIT_UNLIMITED ? SHMKIT_UNKNOWN : value);
}

static json *limit_json(const shmkit_limit *limit) {
  json *object = json_new(), *kinds = json_new_array();
  json_add_text(object, "name", limit->name);
  json_add_text(object, "title", limit->title);
  json_add_text(object, "unit", shmkit_unit_name((shmkit_unit)limit->unit));
  json_add_text(object, "scope", shmkit_scope_name((shmkit_scope)limit->scope));
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (!(limit->kinds & SHMKIT_INFO_SET(kind))) continue;
    json_append(kinds, must(json_object_new_string(shmkit_info_kind_name((shmkit_info_kind)kind))));
  }
  json_add(object, "kinds", kinds);
  json_add_bool(object, "each", limit->flags & SHMKIT_LIMIT_EACH);
  json_add_bool(object, "on_request", limit->flags & SHMKIT_LIMIT_ON_REQUEST);
  json_add_bool(object, "unlimited", limit->limit == SHMKIT_UNLIMITED);
  add_amount(object, "limit", limit->limit);
  add_amount(object, "used", limit->used);
  add_amount(object, "free", limit->free);
  json_add_text(object, "source", limit->source);
  json_add_text(object, "effect", limit->effect);
  json_add_text(object, "remedy", limit->remedy);
  json_add_text(object, "note", limit->note);
  return object;
}

static json *first_json(const shmkit_limit *limit) {
  if (limit == NULL) return NULL;
  json *object = json_new();
  json_add_text(object, "name", limit->name);
  json_add_count(object, "free", limit->free);
  return object;
}

static void print_json(const shmkit_limits *limits, uint32_t kinds) {
  json *document = json_new_document(), *array = json_new_array(), *first = json_new();
  for (size_t i = 0; i < shmkit_limits_count(limits); i++) {
    const shmkit_limit *limit = shmkit_limits_at(limits, i);
    if (limit->kinds & kinds) json_append(array, limit_json(limit));
  }
  for (unsigned kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_ANONYMOUS; kind++) {
    if (!(kinds & SHMKIT_INFO_SET(kind))) continue;
    json *object = json_new();
    json_add(object, "tightest",
             first_json(shmkit_limits_tightest(limits, (shmkit_info_kind)kind)));
    json_add(object, "scarcest",
             first_json(shmkit_limits_scarcest(limits, (shmkit_info_kind)kind)));
    json_add(first, shmkit_info_kind_name((shmkit_info_kind)kind), object);
  }
  json_add(document, "limits", array);
  json_add(document, "first", first);
  json_print(document);
}

/* ---- The command ---------------------------------------------------------------------------- */

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  switch (key) {
    case 'k':
      request->kinds |= parse_kinds(state, "--kind", argument);
      break;
    case 'o':
      choose_columns(state, argument, request);
      break;
    case 'b':
      request->bytes = true;
      break;
    case 'J':
      request->as_json = true;
      break;
    case KEY_RAW:
      request->table.raw = true;
      break;
    case KEY_NO_HEADINGS:
      request->table.no_headings = true;
      break;
    case ARGP_KEY_ARG:
      argp_error(state, "'%s' is too much: limits takes options only", argument);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static char *help(int key, const char *text, void *input) {
  (void)input;
  if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
  char *list = text_format("Columns:\n");
  for (size_t i = 0; i < ALL_COUNT; i++) {
    char *longer = text_format("%s  %-12s %s\n", list, all[i].name, all[i].help);
    free(list);
    list = longer;
  }
  return list;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Shows every ceiling on shared memory, how much of it is used and free, and which one a "
           "new segment meets first. Limits of a process are this command's own, which it has from "
           "the shell.\v ",
    .help_filter = help};

static const char *const *choices(int key) {
  static const char *names[ALL_COUNT + 1];
  for (size_t i = 0; i < ALL_COUNT; i++) names[i] = all[i].name;
  if (key == 'k') return parse_kind_names();
  return key == 'o' ? names : NULL;
}

static int run(int argc, char **argv) {
  struct request request = {.kinds = 0};
  shmkit_limits *limits = NULL;
  choose_columns(NULL, "LIMIT,SIZE,USED,FREE,USE%,FOR,SOURCE", &request);
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  if (request.kinds == 0) request.kinds = SHMKIT_INFO_ALL;
  shmkit_status status = shmkit_limits_take(&limits);
  if (status != 0) return report_failure(status);
  if (request.as_json) {
    print_json(limits, request.kinds);
  } else {
    print_table(limits, &request);
    if (!request.table.raw) {
      (void)putchar('\n');
      prose_begin();
      tell(limits, request.kinds, shmkit_limits_tightest, tell_size);
      tell(limits, request.kinds, shmkit_limits_scarcest, tell_count);
    }
  }
  shmkit_limits_free(limits);
  return EXIT_SUCCESS;
}

const struct command command_limits = {
    .name = "limits",
    .summary = "Show every ceiling, and which one is met first",
    .argp = &argp,
    .run = run,
    .choices = choices,
};
