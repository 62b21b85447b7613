/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "parse.h"
#include "report.h"
#include "text.h"

int64_t info_since(const shmkit_info *info) {
  return info->created != SHMKIT_UNKNOWN_TIME ? info->created : info->changed;
}

char *info_creator(const shmkit_info *info) {
  if (info->creator_state == SHMKIT_EXITED) return must(strdup("exited"));
  if (info->creator.pid == 0) return must(strdup("-"));
  if (info->creator.program[0] == '\0') return text_format("%jd", (intmax_t)info->creator.pid);
  return text_format("%jd (%s)", (intmax_t)info->creator.pid, info->creator.program);
}

const char *info_state_color(const shmkit_info *info) {
  static const char *const colors[] = {
      [SHMKIT_STATE_UNKNOWN] = "darkgray", [SHMKIT_STATE_DEST] = "cyan",
      [SHMKIT_STATE_UNLINKED] = "cyan",    [SHMKIT_STATE_USED] = "green",
      [SHMKIT_STATE_LEAKED] = "red",       [SHMKIT_STATE_LOCKED] = "yellow",
      [SHMKIT_STATE_IDLE] = "yellow"};
  return info->state <= SHMKIT_STATE_IDLE ? colors[info->state] : NULL;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

#define TEXT(column, expression)                                                                   \
  static char *text_of_##column(const shmkit_info *info, const struct look *look) {                \
    (void)look;                                                                                    \
    return expression;                                                                             \
  }
#define ORDER(column, expression)                                                                  \
  static int order_by_##column(const shmkit_info *a, const shmkit_info *b) {                       \
    return expression;                                                                             \
  }
#define COMPARE(x, y) (((x) > (y)) - ((x) < (y)))
/* Unknown counts are the largest numbers, and are to come first. */
#define COMPARE_COUNT(member) COMPARE(a->member + 1, b->member + 1)
#define COMPARE_TIME(member) COMPARE(a->member, b->member)
#define COMPARE_ID(member) COMPARE(a->member + 1U, b->member + 1U)

#define COUNT_COLUMN(column, member)                                                               \
  TEXT(column, text_count(info->member))                                                           \
  ORDER(column, COMPARE_COUNT(member))
#define SIZE_COLUMN(column, member)                                                                \
  TEXT(column, text_size(info->member, look->bytes))                                               \
  ORDER(column, COMPARE_COUNT(member))
#define TIME_COLUMN(column, member)                                                                \
  TEXT(column, text_time(info->member))                                                            \
  ORDER(column, COMPARE_TIME(member))
#define ID_COLUMN(column, member)                                                                  \
  TEXT(column,                                                                                     \
       info->member == SHMKIT_UNKNOWN_ID ? must(strdup("-")) : text_format("%u", info->member))    \
  ORDER(column, COMPARE_ID(member))

/* What nobody can open has no address; its name says more than nothing. */
static const char *label(const shmkit_info *info) {
  return info->address[0] != '\0' ? info->address : info->name;
}

static char *text_of_word(const char *word, const struct look *look) {
  if (word[0] == '\0') return must(strdup("-"));
  return look->raw ? must(strdup(word)) : text_quote(word);
}

static char *text_of_label(const shmkit_info *info, const struct look *look) {
  if (info->address[0] != '\0' || info->name[0] == '\0') return text_of_word(info->address, look);
  char *name = text_escape(info->name), *text = text_format("[%s]", name);
  free(name);
  return text;
}

static char *text_of_names(const shmkit_info *info, bool pids) {
  char *text = NULL;
  size_t size = 0;
  if (info->mapper_count == 0) return must(strdup("-"));
  FILE *out = must(open_memstream(&text, &size));
  for (size_t i = 0; i < info->mapper_count; i++) {
    const shmkit_mapper *mapper = &info->mappers[i];
    if (i > 0) (void)fputc(',', out);
    if (pids) {
      (void)fprintf(out, "%jd", (intmax_t)mapper->pid);
    } else {
      char *program = text_escape(mapper->program);
      (void)fputs(program, out);
      free(program);
    }
  }
  if (fclose(out) != 0) return must(NULL);
  return text;
}

static char *text_of_outcome(const shmkit_info *info) {
  static const char *const words[] = {[SHMKIT_REMOVAL_NONE] = "-",
                                      [SHMKIT_REMOVED] = "removed",
                                      [SHMKIT_KEPT] = "kept",
                                      [SHMKIT_REMOVAL_FAILED] = "failed"};
  return must(strdup(words[info->removal]));
}

static char *text_of_inode_number(const shmkit_info *info) {
  return text_format("%ju", (uintmax_t)info->inode);
}

TEXT(address, text_of_label(info, look))
ORDER(address, strcmp(label(a), label(b)))
TEXT(name, text_of_word(info->name, look))
ORDER(name, strcmp(a->name, b->name))
TEXT(kind, must(strdup(shmkit_info_kind_name((shmkit_info_kind)info->kind))))
ORDER(kind, COMPARE(a->kind, b->kind))
TEXT(owner, must(strdup(name_of_user(info->uid))))
ORDER(owner, strcmp(name_of_user(a->uid), name_of_user(b->uid)))
TEXT(group, must(strdup(name_of_group(info->gid))))
ORDER(group, strcmp(name_of_group(a->gid), name_of_group(b->gid)))
ID_COLUMN(uid, uid)
ID_COLUMN(gid, gid)
TEXT(mode, text_mode(info->mode))
ORDER(mode, COMPARE_ID(mode))
SIZE_COLUMN(size, size)
/* While something is in swap, what is in memory or swap is known of most kinds, and no more. */
TEXT(rss, text_size(info->resident, look->bytes))
ORDER(rss, COMPARE_COUNT(resident))
SIZE_COLUMN(swap, swapped)
SIZE_COLUMN(allocated, allocated)
COUNT_COLUMN(procs, mapper_count)
COUNT_COLUMN(maps, mappings)
TEXT(age, text_age(info_since(info), look->now))
ORDER(age, COMPARE(info_since(b), info_since(a)))
TEXT(state, must(strdup(shmkit_state_name((shmkit_state)info->state))))
ORDER(state, COMPARE(a->state, b->state))
TEXT(creator, info_creator(info))
ORDER(creator, COMPARE(a->creator.pid, b->creator.pid))
TEXT(reason, text_escape(info->reason))
ORDER(reason, strcmp(a->reason, b->reason))
TEXT(removal, text_of_outcome(info))
ORDER(removal, COMPARE(a->removal, b->removal))
TEXT(pids, text_of_names(info, true))
TEXT(programs, text_of_names(info, false))
TEXT(inode, text_of_inode_number(info))
ORDER(inode, COMPARE(a->inode, b->inode))
COUNT_COLUMN(attachments, attachments)
TEXT(lpid, info->last_pid != 0 ? text_format("%jd", (intmax_t)info->last_pid) : must(strdup("-")))
ORDER(lpid, COMPARE(a->last_pid, b->last_pid))
TEXT(links, text_format("%u", info->links))
ORDER(links, COMPARE(a->links, b->links))
TEXT(locks, text_format("%u", info->locks))
ORDER(locks, COMPARE(a->locks, b->locks))
SIZE_COLUMN(huge, huge_page)
TIME_COLUMN(created, created)
TIME_COLUMN(changed, changed)
TIME_COLUMN(modified, modified)
TIME_COLUMN(accessed, accessed)
TIME_COLUMN(attached, attached)
TIME_COLUMN(detached, detached)

/* ---- The columns ---------------------------------------------------------------------------- */

#define COLUMN(NAME, column, layout, help)                                                         \
  {NAME, help, TABLE_##layout, text_of_##column, order_by_##column}

static const struct column all[] = {
    COLUMN("ADDRESS", address, LEFT, "what opens it; in brackets a name that leads nowhere"),
    COLUMN("KIND", kind, LEFT, "posix, sysv, memfd, semaphore, anonymous, hugetlb, file"),
    COLUMN("OWNER", owner, LEFT, "user"),
    COLUMN("MODE", mode, LEFT, "permissions"),
    COLUMN("SIZE", size, RIGHT, "size"),
    COLUMN("RSS", rss, RIGHT, "of that, in memory"),
    COLUMN("PROCS", procs, RIGHT, "processes that map it"),
    COLUMN("MAPS", maps, RIGHT, "mappings, of which a process may have several"),
    COLUMN("AGE", age, RIGHT, "since it was made or, where that is not known, last changed"),
    COLUMN("STATE", state, LEFT, "used, idle, leaked, dest, unlinked, locked or unknown"),
    COLUMN("CREATOR", creator, LEFT, "process that made it, 'exited', or '-' when not known"),
    COLUMN("REASON", reason, LEFT, "why it has that state"),
    COLUMN("REMOVAL", removal, LEFT, "what gc did with it: removed, kept or failed"),
    COLUMN("NAME", name, LEFT, "name without the kind"),
    COLUMN("GROUP", group, LEFT, "group"),
    COLUMN("UID", uid, RIGHT, "user ID"),
    COLUMN("GID", gid, RIGHT, "group ID"),
    COLUMN("SWAP", swap, RIGHT, "bytes in swap"),
    COLUMN("ALLOCATED", allocated, RIGHT, "in memory, swap or on disk"),
    {"PIDS", "processes that map it", TABLE_LEFT, text_of_pids, order_by_procs},
    {"PROGRAMS", "their programs", TABLE_LEFT, text_of_programs, order_by_procs},
    COLUMN("INODE", inode, RIGHT, "inode; System V's identifier"),
    COLUMN("ATTACHMENTS", attachments, RIGHT, "System V: attachments, which are no processes"),
    COLUMN("LPID", lpid, RIGHT, "System V: last process that attached or detached"),
    COLUMN("LINKS", links, RIGHT, "names of the file"),
    COLUMN("LOCKS", locks, RIGHT, "file locks on it"),
    COLUMN("HUGE", huge, RIGHT, "size of its huge pages"),
    COLUMN("CREATED", created, LEFT, "when it was made"),
    COLUMN("CHANGED", changed, LEFT, "when its size, owner, permissions or name changed"),
    COLUMN("MODIFIED", modified, LEFT, "when a system call wrote to it; stores leave no trace"),
    COLUMN("ACCESSED", accessed, LEFT, "when a system call read or mapped it"),
    COLUMN("ATTACHED", attached, LEFT, "System V: when it was last attached"),
    COLUMN("DETACHED", detached, LEFT, "System V: when it was last detached"),
};
enum { ALL_COUNT = sizeof all / sizeof all[0] };

/* A command's own. */
static const struct column *extra;
static size_t extra_count;
enum { EXTRA_MAX = 8 };

void columns_extend(const struct column *more, size_t count) {
  extra = more;
  extra_count = count < EXTRA_MAX ? count : EXTRA_MAX;
}

static size_t known_count(void) {
  return ALL_COUNT + extra_count;
}

static const struct column *known(size_t index) {
  return index < ALL_COUNT ? &all[index] : &extra[index - ALL_COUNT];
}

const char *const *column_names(void) {
  static const char *names[ALL_COUNT + EXTRA_MAX + 1];
  for (size_t i = 0; i < known_count(); i++) names[i] = known(i)->name;
  return names;
}

const struct column *column_find(const struct argp_state *state, const char *what,
                                 const char *name) {
  for (size_t i = 0; i < known_count(); i++) {
    if (strcasecmp(known(i)->name, name) == 0) return known(i);
  }
  argp_error(state, "%s: there is no column '%s'; --help lists them", what, name);
  return &all[0];
}

static void choose(const struct argp_state *state, const char *what, const char *word,
                   void *context) {
  struct columns *columns = context;
  if (columns->count == COLUMNS_MAX) {
    argp_error(state, "%s: more than %d columns", what, COLUMNS_MAX);
    return;
  }
  columns->chosen[columns->count++] = column_find(state, what, word);
}

void columns_choose(const struct argp_state *state, const char *what, const char *list,
                    struct columns *columns) {
  if (list[0] == '+') {
    list++;
  } else {
    columns->count = 0;
  }
  parse_list(state, what, list, choose, columns);
}

char *columns_describe(void) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = must(open_memstream(&text, &size));
  (void)fputs("Columns:\n", out);
  for (size_t i = 0; i < known_count(); i++) {
    (void)fprintf(out, "  %-12s %s\n", known(i)->name, known(i)->help);
  }
  if (fclose(out) != 0) return must(NULL);
  return text;
}

void columns_print(const struct columns *columns, const shmkit_info *const *infos, size_t count,
                   const struct look *look, const struct table_options *options) {
  struct table *table = table_new(options);
  for (size_t i = 0; i < columns->count; i++) {
    table_add_column(table, columns->chosen[i]->name, columns->chosen[i]->layout);
  }
  for (size_t row = 0; row < count; row++) {
    table_add_row(table);
    for (size_t i = 0; i < columns->count; i++) {
      const struct column *column = columns->chosen[i];
      bool state = column->text == text_of_state;
      table_set(table, i, column->text(infos[row], look),
                state ? info_state_color(infos[row]) : NULL);
    }
  }
  table_print(table);
}
