/* SPDX-License-Identifier: MIT */
/* shmkit stat: everything about segments of which one has the addresses. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "command.h"
#include "info_json.h"
#include "names.h"
#include "outlook.h"
#include "parse.h"
#include "report.h"
#include "table.h"
#include "text.h"

enum { EXTENTS_SHOWN = 8, OBJECTS_SHOWN = 16 };

static const struct argp_option options[] = {
    {"exact", 'e', NULL, 0,
     "Also ask the kernel whether anybody has it open, mapped or not; who opens it meanwhile waits",
     0},
    {"bytes", 'b', NULL, 0, "Exact sizes", 0},
    {"json", 'J', NULL, 0, "Everything that is known, as JSON", 0},
    {0}};

struct request {
  char **addresses;
  size_t count;
  uint32_t flags;
  bool bytes, as_json;
};

/* As argp declares it. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  (void)argument;
  switch (key) {
    case 'e':
      request->flags |= SHMKIT_STAT_EXACT;
      break;
    case 'b':
      request->bytes = true;
      break;
    case 'J':
      request->as_json = true;
      break;
    case ARGP_KEY_ARGS:
      request->addresses = state->argv + state->next;
      request->count = (size_t)(state->argc - state->next);
      break;
    case ARGP_KEY_NO_ARGS:
      parse_no_address(state);
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "ADDRESS...",
    .doc =
        "Shows everything about segments: what they are, who made them, who maps them, where "
        "they have pages, which mutexes and events lie there, and what their removal would mean."};

/* ---- Lines ---------------------------------------------------------------------------------- */

/* Takes `value`. */
static void line(const char *key, char *value) {
  (void)printf("%-13s%s\n", key, value);
  free(value);
}

static void line_of_time(const char *key, int64_t time, const char *unknown, int64_t now) {
  if (time == SHMKIT_UNKNOWN_TIME) {
    line(key, must(strdup(unknown)));
    return;
  }
  char *text = text_time(time), *age = text_age(time, now);
  line(key, text_format("%s (%s ago)", text, age));
  free(age);
  free(text);
}

static void show_identity(const shmkit_info *info) {
  bool sysv = info->kind == SHMKIT_INFO_SYSV;
  char *name = text_escape(info->name);
  line("Address:", info->address[0] != '\0' ? text_quote(info->address) : must(strdup("none")));
  if (info->name[0] != '\0') line("Name:", text_format("%s", name));
  free(name);
  line("Kind:", text_format("%s%s", shmkit_info_kind_name((shmkit_info_kind)info->kind),
                            info->flags & SHMKIT_INFO_LAST ? ", goes with its last user" : ""));
  if (!sysv) {
    line("File:",
         text_format("device %u:%u, inode %" PRIu64 ", %" PRIu32 " name%s", major(info->device),
                     minor(info->device), info->inode, info->links, info->links == 1 ? "" : "s"));
  } else if (info->ipc_namespace != 0) {
    line("Identifier:", text_format("%" PRIu64 " in the IPC namespace %" PRIu64, info->inode,
                                    info->ipc_namespace));
  } else {
    line("Identifier:", text_format("%" PRIu64 " in this IPC namespace", info->inode));
  }
  char *mode = text_mode(info->mode);
  line("Owner:",
       text_format("%s, group %s, %s", name_of_user(info->uid), name_of_group(info->gid), mode));
  free(mode);
}

static char *seals(const shmkit_info *info) {
  const char *name;
  char *text = NULL;
  size_t size = 0;
  if (info->seals == 0) return must(strdup("none"));
  FILE *out = must(open_memstream(&text, &size));
  for (unsigned bit = 0; (name = name_of_seal(bit)) != NULL; bit++) {
    if (info->seals & (1U << bit)) (void)fprintf(out, "%s%s", ftell(out) > 0 ? ", " : "", name);
  }
  if (fclose(out) != 0) return must(NULL);
  return text;
}

/* "4096-8191, 65536-69631", of stretches that have pages. */
static char *extents(const shmkit_info *info) {
  char *text = NULL;
  size_t size = 0, count = info->extent_count;
  if (info->extents == NULL) return must(strdup("not known"));
  if (count == 0) return must(strdup("none: no page has been written to"));
  FILE *out = must(open_memstream(&text, &size));
  for (size_t i = 0; i < count && i < EXTENTS_SHOWN; i++) {
    const shmkit_extent *extent = &info->extents[i];
    (void)fprintf(out, "%s%" PRIu64 "-%" PRIu64, i == 0 ? "bytes " : ", ", extent->offset,
                  extent->offset + extent->length - 1);
  }
  if (count > EXTENTS_SHOWN) {
    (void)fprintf(out, " and %s%zu more stretches (--json lists them)",
                  count == SHMKIT_EXTENTS_MAX ? "at least " : "", count - EXTENTS_SHOWN);
  }
  if (fclose(out) != 0) return must(NULL);
  return text;
}

static char *known_size(uint64_t bytes, bool exact) {
  return bytes == SHMKIT_UNKNOWN ? must(strdup("not known")) : text_size(bytes, exact);
}

static void show_memory(const shmkit_info *info, bool exact) {
  line("Size:", known_size(info->size, exact));
  line("Allocated:", known_size(info->allocated, exact));
  line("Resident:", known_size(info->resident, exact));
  line("Swapped:", known_size(info->swapped, exact));
  if (info->huge_page != 0) line("Huge pages:", text_size(info->huge_page, exact));
  if (info->kind != SHMKIT_INFO_SYSV || info->extents != NULL) line("Data:", extents(info));
  if (info->seals != SHMKIT_UNKNOWN_ID) line("Seals:", seals(info));
}

/* "process 7 (python3)" */
static char *process_text(int64_t pid, const char *known_program) {
  char *program = text_escape(known_program);
  char *text = text_format("process %" PRId64 "%s%s%s", pid, *program ? " (" : "", program,
                           *program ? ")" : "");
  free(program);
  return text;
}

/* ---- What lies there ------------------------------------------------------------------------ */

static char *state_of_mutex(const shmkit_object *object) {
  static const char *const states[] = {
      [SHMKIT_OBJECT_UNKNOWN] = "locked, or its holder died, which cannot be told",
      [SHMKIT_OBJECT_UNLOCKED] = "unlocked",
      [SHMKIT_OBJECT_LOCKED] = "locked by a process that cannot be seen",
      [SHMKIT_OBJECT_OWNER_DIED] = "its holder died, and nobody has got it since"};
  if (object->pid == 0) return must(strdup(states[object->state]));
  char *process = process_text(object->pid, object->program);
  char *text = text_format("locked by %s", process);
  free(process);
  return text;
}

static char *state_of_event(const shmkit_object *object) {
  const char *verb = object->state == SHMKIT_OBJECT_SET ? "set, " : "not set, was ";
  if (object->sequence == 1) return text_format("%sonce so far", verb);
  if (object->sequence == 0 && object->state != SHMKIT_OBJECT_SET) {
    return must(strdup("not set, never was"));
  }
  return text_format("%s%" PRIu32 " times so far", verb, object->sequence);
}

static char *describe_object(const shmkit_object *object) {
  bool mutex = object->kind == SHMKIT_OBJECT_MUTEX;
  char *state = mutex ? state_of_mutex(object) : state_of_event(object);
  char *text = text_format("%s at %" PRIu64 ": %s%s",
                           shmkit_object_kind_name((shmkit_object_kind)object->kind),
                           object->offset, state, object->waited_for ? "; somebody waits" : "");
  free(state);
  return text;
}

static void show_unknown_objects(const shmkit_info *info) {
  bool readable = info->extents != NULL;
  if (!readable && info->kind == SHMKIT_INFO_SYSV) return;
  line("Objects:",
       text_format("not known%s", readable ? ": only its owner can look without a trace" : ""));
}

static void show_objects(const shmkit_info *info) {
  const shmkit_object *objects = info->objects;
  size_t count = info->object_count;
  if (objects == NULL) {
    show_unknown_objects(info);
    return;
  }
  for (size_t i = 0; i < count && i < OBJECTS_SHOWN; i++) {
    line(i == 0 ? "Objects:" : "", describe_object(&objects[i]));
  }
  if (count > OBJECTS_SHOWN) {
    line("", text_format("and %s%zu more (--json lists them)",
                         count == SHMKIT_OBJECTS_MAX ? "at least " : "", count - OBJECTS_SHOWN));
  }
}

/* ---- Its story ------------------------------------------------------------------------------ */

static void show_times(const shmkit_info *info, int64_t now) {
  if (info->kind == SHMKIT_INFO_SYSV) {
    line_of_time("Changed:", info->changed, "not known", now);
    line_of_time("Attached:", info->attached, "never", now);
    line_of_time("Detached:", info->detached, "never", now);
    return;
  }
  line_of_time("Created:", info->created, "not known", now);
  line_of_time("Changed:", info->changed, "not known", now);
  line_of_time("Modified:", info->modified, "not known", now);
  line_of_time("Accessed:", info->accessed, "not known", now);
}

static void show_creator(const shmkit_info *info) {
  static const char *const lives[] = {[SHMKIT_LIVENESS_UNKNOWN] = "whether it runs is not known",
                                      [SHMKIT_ALIVE] = "runs",
                                      [SHMKIT_EXITED] = "has exited"};
  const shmkit_creator *creator = &info->creator;
  if (creator->pid == 0) {
    line("Creator:", must(strdup("not known")));
    return;
  }
  char *process = process_text(creator->pid, creator->program);
  line("Creator:", text_format("%s, %s", process, lives[info->creator_state]));
  free(process);
  if (creator->start == 0 || creator->boot[0] == '\0') return;
  char *boot = text_escape(creator->boot);
  line("", text_format("started %" PRIu64 " ticks after boot %s, PID namespace %" PRIu64,
                       creator->start, boot, creator->pid_namespace));
  free(boot);
}

/* ---- Users ---------------------------------------------------------------------------------- */

static void show_holding(const shmkit_info *info, bool exact) {
  const char *words = "not asked; --exact asks";
  if (info->kind == SHMKIT_INFO_SYSV || outlook_is_nameless(info)) return;
  if (exact) {
    bool may_ask = geteuid() == 0 || geteuid() == info->uid;
    words =
        may_ask ? "not known: the kernel does not tell" : "not known: the kernel tells its owner";
  }
  if (info->holding == SHMKIT_HELD) words = "yes: somebody has it open";
  if (info->holding == SHMKIT_NOT_HELD) words = "no: nobody had it open when the kernel was asked";
  line("Held:", must(strdup(words)));
}

static void show_mapped(const shmkit_info *info, bool complete) {
  const char *bound = complete ? "" : "at least ";
  if (info->mapper_count == 0) {
    bool certain = complete || info->attachments == 0;
    line("Mapped:", must(strdup(certain ? "by nobody" : "by nobody that can be seen")));
    return;
  }
  line("Mapped:", text_format("by %s%zu process%s, %s%" PRIu64 " mapping%s", bound,
                              info->mapper_count, info->mapper_count == 1 ? "" : "es", bound,
                              info->mappings, info->mappings == 1 ? "" : "s"));
}

static void show_users(const shmkit_info *info, bool complete, bool exact) {
  if (info->attachments != SHMKIT_UNKNOWN) {
    line("Attachments:", text_format("%" PRIu64, info->attachments));
  }
  if (info->last_pid != 0) {
    line("Last PID:", text_format("%" PRId64 ", which attached or detached last", info->last_pid));
  }
  if (info->kind != SHMKIT_INFO_SYSV) line("Locks:", text_format("%" PRIu32, info->locks));
  show_holding(info, exact);
  show_mapped(info, complete);
}

static void add_mapper(struct table *table, const shmkit_mapper *mapper, bool exact) {
  size_t column = 0;
  table_add_row(table);
  table_set(table, column++, text_format("%" PRId64, mapper->pid), NULL);
  table_set(table, column++, text_escape(mapper->program), NULL);
  table_set(table, column++, must(strdup(name_of_user(mapper->uid))), NULL);
  table_set(table, column++,
            text_format("%c%c", mapper->readable ? 'r' : '-', mapper->writable ? 'w' : '-'), NULL);
  table_set(table, column++, text_format("%" PRIu32, mapper->mappings), NULL);
  table_set(table, column++, text_count(mapper->offset), NULL);
  table_set(table, column++, text_size(mapper->bytes, exact), NULL);
  table_set(table, column, text_time(mapper->started), NULL);
}

static void show_mappers(const shmkit_info *info, bool exact) {
  static const struct {
    const char *name;
    enum table_column layout;
  } columns[] = {{"PID", TABLE_RIGHT},    {"PROGRAM", TABLE_LEFT}, {"USER", TABLE_LEFT},
                 {"ACCESS", TABLE_LEFT},  {"MAPS", TABLE_RIGHT},   {"OFFSET", TABLE_RIGHT},
                 {"MAPPED", TABLE_RIGHT}, {"STARTED", TABLE_LEFT}};
  static const struct table_options plain = {.raw = false};
  if (info->mapper_count == 0) return;
  struct table *table = table_new(&plain);
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
    table_add_column(table, columns[i].name, columns[i].layout);
  }
  for (size_t i = 0; i < info->mapper_count; i++) add_mapper(table, &info->mappers[i], exact);
  (void)putchar('\n');
  table_print(table);
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void show(const shmkit_info *info, const shmkit_listing *listing,
                 const struct request *request) {
  bool bytes = request->bytes;
  char *reason = text_escape(info->reason);
  show_identity(info);
  line("State:", text_format("%s: %s", shmkit_state_name((shmkit_state)info->state), reason));
  free(reason);
  show_memory(info, bytes);
  show_objects(info);
  show_times(info, shmkit_listing_time(listing));
  show_creator(info);
  show_users(info, shmkit_listing_complete(listing), request->flags & SHMKIT_STAT_EXACT);
  line("May remove:", outlook_who_may_remove(info));
  line("Removal:", outlook_of_removal(info));
  show_mappers(info, bytes);
}

/* What has been looked at so far. */
struct outcome {
  json *document, *segments;
  size_t shown;
  shmkit_listing *incomplete;
};

static void add_json(struct outcome *outcome, const shmkit_listing *listing) {
  if (outcome->document == NULL) outcome->document = listing_json(listing);
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    json_append(outcome->segments, info_json(shmkit_listing_at(listing, i)));
  }
}

static void add_text(struct outcome *outcome, const shmkit_listing *listing,
                     const struct request *request) {
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    if (outcome->shown++ > 0) (void)putchar('\n');
    show(shmkit_listing_at(listing, i), listing, request);
  }
}

static int look(const struct request *request, const char *address, struct outcome *outcome) {
  shmkit_listing *listing = NULL;
  shmkit_status status = shmkit_listing_stat(address, request->flags, &listing);
  if (status != 0) return report_failure(status);
  if (request->as_json) {
    add_json(outcome, listing);
  } else {
    add_text(outcome, listing, request);
  }
  if (outcome->incomplete == NULL && !shmkit_listing_complete(listing)) {
    outcome->incomplete = listing;
  } else {
    shmkit_listing_free(listing);
  }
  return EXIT_SUCCESS;
}

/* Only now is it known whether all was found out. */
static void print_json(struct outcome *outcome) {
  json *document = outcome->document;
  if (document == NULL) {
    document = json_new_document();
    json_add_bool(document, "complete", true);
  }
  (void)json_object_set_boolean(json_object_object_get(document, "complete"),
                                outcome->incomplete == NULL);
  json_begin(document, "segments");
  for (size_t i = 0; i < json_object_array_length(outcome->segments); i++) {
    json_item(json_object_get(json_object_array_get_idx(outcome->segments, i)), i == 0);
  }
  json_end();
}

static int run(int argc, char **argv) {
  struct request request = {.count = 0};
  struct outcome outcome = {.segments = json_new_array()};
  int status = -1;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  for (size_t i = 0; i < request.count; i++) {
    status = report_merge(status, look(&request, request.addresses[i], &outcome));
  }
  if (request.as_json) print_json(&outcome);
  if (outcome.incomplete != NULL) report_incomplete(outcome.incomplete);
  (void)json_object_put(outcome.segments);
  shmkit_listing_free(outcome.incomplete);
  return status;
}

const struct command command_stat = {
    .name = "stat",
    .summary = "Show everything about a segment",
    .argp = &argp,
    .run = run,
    .takes_addresses = true,
};
