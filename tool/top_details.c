/* SPDX-License-Identifier: MIT */
/* All about one segment, in lines. */
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "report.h"
#include "text.h"
#include "top_screen.h"

/* Takes `value`. */
static void add(struct screen_text *text, const char *label, char *value) {
  screen_text_add(text, text_format("%-12s %s", label, value));
  free(value);
}

static void add_size(struct screen_text *text, const char *label, uint64_t bytes) {
  char *rounded = text_size(bytes, false), *exact = text_size(bytes, true);
  add(text, label,
      bytes < 1024 || bytes == SHMKIT_UNKNOWN ? must(strdup(exact))
                                              : text_format("%s (%s)", exact, rounded));
  free(rounded);
  free(exact);
}

static void add_time(struct screen_text *text, const char *label, int64_t time) {
  if (time != SHMKIT_UNKNOWN_TIME) add(text, label, text_time(time));
}

static void add_identity(struct screen_text *text, const shmkit_info *info) {
  char *mode = text_mode(info->mode), *reason = text_escape(info->reason);
  add(text, "Address", info->address[0] != '\0' ? text_quote(info->address) : must(strdup("-")));
  if (info->name[0] != '\0') add(text, "Name", text_quote(info->name));
  add(text, "Kind", must(strdup(shmkit_info_kind_name((shmkit_info_kind)info->kind))));
  add(text, "State", text_format("%s: %s", shmkit_state_name((shmkit_state)info->state), reason));
  add(text, "Owner",
      text_format("%s, group %s, mode %s", name_of_user(info->uid), name_of_group(info->gid),
                  mode));
  add(text, "Creator", info_creator(info));
  add(text, "Inode",
      text_format("%ju on device %ju", (uintmax_t)info->inode, (uintmax_t)info->device));
  free(mode);
  free(reason);
}

static void add_sizes(struct screen_text *text, const shmkit_info *info) {
  add_size(text, "Size", info->size);
  add_size(text, "In memory", info->resident);
  add_size(text, "In swap", info->swapped);
  add_size(text, "Allocated", info->allocated);
  if (info->huge_page != 0) add_size(text, "Huge pages", info->huge_page);
}

static void add_times(struct screen_text *text, const shmkit_info *info) {
  add_time(text, "Created", info->created);
  add_time(text, "Changed", info->changed);
  add_time(text, "Modified", info->modified);
  add_time(text, "Accessed", info->accessed);
  add_time(text, "Attached", info->attached);
  add_time(text, "Detached", info->detached);
}

static void add_mapper(struct screen_text *text, const shmkit_mapper *mapper) {
  char *program = text_escape(mapper->program), *bytes = text_size(mapper->bytes, false);
  char *since = text_time(mapper->started);
  screen_text_add(text,
                  text_format("%8jd  %-10s %-16s %4u %6s  %c%c  %#jx  %s", (intmax_t)mapper->pid,
                              name_of_user(mapper->uid), program, mapper->mappings, bytes,
                              mapper->readable ? 'r' : '-', mapper->writable ? 'w' : '-',
                              (uintmax_t)mapper->offset, since));
  free(program);
  free(bytes);
  free(since);
}

static void add_users(struct screen_text *text, const shmkit_info *info) {
  if (info->kind == SHMKIT_INFO_SYSV) {
    add(text, "Attachments", text_count(info->attachments));
    if (info->last_pid != 0) {
      add(text, "Last process", text_format("%jd", (intmax_t)info->last_pid));
    }
  }
  add(text, "Locks", text_format("%u", info->locks));
  add(text, "Mapped by",
      text_format("%zu processes, %ju mappings", info->mapper_count, (uintmax_t)info->mappings));
  if (info->mapper_count == 0) return;
  screen_text_add(text, must(strdup("")));
  screen_text_add(text, text_format("%8s  %-10s %-16s %4s %6s  %-2s  %s", "PID", "USER", "PROGRAM",
                                    "MAPS", "BYTES", "", "FROM  SINCE"));
  for (size_t i = 0; i < info->mapper_count; i++) add_mapper(text, &info->mappers[i]);
}

static void add_all(struct screen_text *text, const shmkit_info *info) {
  add_identity(text, info);
  add_sizes(text, info);
  add_times(text, info);
  add_users(text, info);
}

/* Of what the address leads to, the one that is meant. */
static const shmkit_info *find(const shmkit_listing *listing, const shmkit_info *wanted) {
  for (size_t i = 0; listing != NULL && i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (top_is_same(info, wanted)) return info;
  }
  return NULL;
}

void top_details(const shmkit_info *info, struct screen_text *text) {
  shmkit_listing *listing = NULL;
  if (info->address[0] == '\0' || shmkit_listing_stat(info->address, 0, &listing) != 0) {
    listing = NULL;
  }
  const shmkit_info *now = find(listing, info);
  if (now == NULL) {
    screen_text_add(text, must(strdup("Its address does not lead to it; as it was seen last:")));
  }
  add_all(text, now != NULL ? now : info);
  shmkit_listing_free(listing);
}
