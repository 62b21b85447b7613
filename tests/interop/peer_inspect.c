/* SPDX-License-Identifier: MIT */
/*
 * Listings: of the whole, and then of each segment up to the word "end", every field as NAME=VALUE.
 * Limits likewise. Texts are in hexadecimal; what is unknown is "none". Written out here, without what the languages
 * share, so that it shows whether they say what C says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

/* Before names: "mapper1.", or nothing. */
static char prefix[32];

static void put_field_text(const char *name, const char *text) {
  printf(" %s%s=", prefix, name);
  if (*text == '\0') printf("none");
  for (; *text != '\0'; text++) printf("%02x", (unsigned char)*text);
}

static void put_known(const char *name, bool known, uint64_t number) {
  if (known) {
    printf(" %s%s=%" PRIu64, prefix, name, number);
  } else {
    printf(" %s%s=none", prefix, name);
  }
}

static void put_count(const char *name, uint64_t count) {
  put_known(name, count != SHMKIT_UNKNOWN, count);
}

static void put_id(const char *name, uint32_t id) {
  put_known(name, id != SHMKIT_UNKNOWN_ID, id);
}

static void put_time(const char *name, int64_t time) {
  put_known(name, time != SHMKIT_UNKNOWN_TIME, (uint64_t)time);
}

static void put_flag(const char *name, bool flag) {
  printf(" %s%s=%s", prefix, name, flag ? "true" : "false");
}

static void put_flags(uint32_t flags) {
  put_flag("dest", flags & SHMKIT_INFO_DEST);
  put_flag("locked", flags & SHMKIT_INFO_LOCKED);
  put_flag("last", flags & SHMKIT_INFO_LAST);
  put_flag("unlinked", flags & SHMKIT_INFO_UNLINKED);
  put_flag("elsewhere", flags & SHMKIT_INFO_ELSEWHERE);
  put_flag("may_remove", flags & SHMKIT_INFO_MAY_REMOVE);
}

static void put_mapper(const shmkit_mapper *mapper, size_t index) {
  (void)snprintf(prefix, sizeof prefix, "mapper%zu.", index);
  put_known("pid", mapper->pid != 0, (uint64_t)mapper->pid);
  put_known("start", mapper->start != 0, mapper->start);
  put_time("started", mapper->started);
  put_id("uid", mapper->uid);
  put_count("mappings", mapper->mappings);
  put_count("bytes", mapper->bytes);
  put_count("offset", mapper->offset);
  put_field_text("program", mapper->program);
  put_flag("readable", mapper->readable);
  put_flag("writable", mapper->writable);
  *prefix = '\0';
}

static void put_extent(const shmkit_extent *extent, size_t index) {
  (void)snprintf(prefix, sizeof prefix, "extent%zu.", index);
  put_count("offset", extent->offset);
  put_count("length", extent->length);
  *prefix = '\0';
}

static void put_object(const shmkit_object *object, size_t index) {
  (void)snprintf(prefix, sizeof prefix, "object%zu.", index);
  put_count("offset", object->offset);
  put_field_text("kind", shmkit_object_kind_name(object->kind));
  put_field_text("state", shmkit_object_state_name(object->state));
  put_id("identity", object->identity);
  put_id("sequence", object->sequence);
  put_flag("waited_for", object->waited_for);
  put_known("pid", object->pid != 0, (uint64_t)object->pid);
  put_known("start", object->start != 0, object->start);
  put_field_text("program", object->program);
  *prefix = '\0';
}

static void put_content(const shmkit_info *info) {
  const shmkit_extent *extents = info->extents;
  const shmkit_object *objects = info->objects;
  put_known("extents", extents != NULL, info->extent_count);
  for (size_t i = 0; extents != NULL && i < info->extent_count; i++) put_extent(&extents[i], i);
  put_known("objects", objects != NULL, info->object_count);
  for (size_t i = 0; objects != NULL && i < info->object_count; i++) put_object(&objects[i], i);
}

static void put_users(const shmkit_info *info) {
  static const char *const liveness[] = {"", "alive", "exited"};
  static const char *const holding[] = {"", "held", "not held"};
  static const char *const removal[] = {"", "removed", "kept", "failed"};
  put_count("locks", info->locks);
  put_field_text("creator_state", liveness[info->creator_state]);
  put_known("creator", info->creator.pid != 0, (uint64_t)info->creator.pid);
  put_field_text("holding", holding[info->holding]);
  put_field_text("removal", removal[info->removal]);
  put_count("mappings", info->mappings);
  put_count("mappers", info->mapper_count);
  for (size_t i = 0; i < info->mapper_count; i++) put_mapper(&info->mappers[i], i);
}

static void put_info(const shmkit_info *info) {
  put_field_text("address", info->address);
  put_field_text("name", info->name);
  put_field_text("kind", shmkit_info_kind_name(info->kind));
  put_field_text("state", shmkit_state_name(info->state));
  put_field_text("reason", info->reason);
  put_flags(info->flags);
  put_id("mode", info->mode);
  put_id("uid", info->uid);
  put_id("gid", info->gid);
  put_count("links", info->links);
  /* The kernel has more, for which there are no names. */
  put_known("seals", info->seals != SHMKIT_UNKNOWN_ID, info->seals & 0x1fU);
  put_count("device", info->device);
  put_count("inode", info->inode);
  put_known("ipc_namespace", info->ipc_namespace != 0, info->ipc_namespace);
  put_count("size", info->size);
  put_count("allocated", info->allocated);
  put_count("resident", info->resident);
  put_count("swapped", info->swapped);
  put_count("huge_page", info->huge_page);
  put_time("created", info->created);
  put_time("changed", info->changed);
  put_time("modified", info->modified);
  put_time("accessed", info->accessed);
  put_time("attached", info->attached);
  put_time("detached", info->detached);
  put_count("attachments", info->attachments);
  put_known("last_pid", info->last_pid != 0, (uint64_t)info->last_pid);
  put_users(info);
  put_content(info);
}

/* What has that name, "-" for all. */
static shmkit_status put_listing(shmkit_status status, shmkit_listing *listing, const char *name) {
  if (status != 0) return status;
  put_flag("complete", shmkit_listing_complete(listing));
  put_count("unreadable", shmkit_listing_unreadable(listing));
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    const shmkit_info *info = shmkit_listing_at(listing, i);
    if (*name != '\0' && strcmp(info->name, name) != 0) continue;
    put_info(info);
    printf(" end");
  }
  shmkit_listing_free(listing);
  return 0;
}

static uint32_t kinds_of(const char *names) {
  uint32_t kinds = strcmp(names, "all") == 0 ? SHMKIT_INFO_ALL : 0;
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (strstr(names, shmkit_info_kind_name(kind)) != NULL) kinds |= SHMKIT_INFO_SET(kind);
  }
  return kinds;
}

static const char *next_text(void) {
  char *word = next();
  (void)unhex(word);
  return word;
}

shmkit_status list(void) {
  shmkit_listing *listing = NULL;
  const char *name = next_text();
  shmkit_listing_options options = {.kinds = kinds_of(next())};
  for (const char *word = next(); *word != '\0'; word = next()) {
    if (strcmp(word, "names_only") == 0) options.flags |= SHMKIT_LISTING_NAMES_ONLY;
    if (strcmp(word, "no_creators") == 0) options.flags |= SHMKIT_LISTING_NO_CREATORS;
  }
  shmkit_status status = shmkit_listing_take(&options, &listing);
  return put_listing(status, listing, name);
}

shmkit_status stat_it(void) {
  shmkit_listing *listing = NULL;
  const char *address = next_text();
  uint32_t flags = *next() != '\0' ? SHMKIT_STAT_EXACT : 0;
  shmkit_status status = shmkit_listing_stat(address, flags, &listing);
  return put_listing(status, listing, "");
}

shmkit_status remove_it(void) {
  shmkit_listing *listing = NULL;
  const char *address = next_text();
  uint32_t flags = *next() != '\0' ? SHMKIT_REMOVE_FORCE : 0;
  shmkit_status status = shmkit_remove(address, flags, &listing);
  return put_listing(status, listing, "");
}

shmkit_status gc(void) {
  shmkit_listing *listing = NULL;
  shmkit_gc_options options = {.pattern = next_text()};
  options.kinds = kinds_of(next());
  options.older_than = next_number();
  for (const char *word = next(); *word != '\0'; word = next()) {
    if (strcmp(word, "apply") == 0) options.flags |= SHMKIT_GC_APPLY;
    if (strcmp(word, "idle") == 0) options.flags |= SHMKIT_GC_IDLE;
  }
  shmkit_status status = shmkit_gc(&options, &listing);
  return put_listing(status, listing, "");
}

/* ---- Limits --------------------------------------------------------------------------------- */

static void put_amount(const char *name, uint64_t amount) {
  put_known(name, amount < SHMKIT_UNLIMITED, amount);
}

static void put_limit(const shmkit_limit *limit) {
  put_field_text("name", limit->name);
  put_field_text("title", limit->title);
  put_field_text("source", limit->source);
  put_field_text("effect", limit->effect);
  put_field_text("remedy", limit->remedy);
  put_field_text("note", limit->note);
  put_field_text("unit", shmkit_unit_name(limit->unit));
  put_field_text("scope", shmkit_scope_name(limit->scope));
  put_count("kinds", limit->kinds);
  put_flag("each", limit->flags & SHMKIT_LIMIT_EACH);
  put_flag("on_request", limit->flags & SHMKIT_LIMIT_ON_REQUEST);
  put_flag("unlimited", limit->limit == SHMKIT_UNLIMITED);
  put_amount("limit", limit->limit);
  put_amount("used", limit->used);
  put_amount("free", limit->free);
  printf(" end");
}

shmkit_status limits(void) {
  shmkit_limits *taken = NULL;
  shmkit_status status = shmkit_limits_take(&taken);
  if (status != 0) return status;
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    const shmkit_limit *tightest = shmkit_limits_tightest(taken, kind);
    const shmkit_limit *scarcest = shmkit_limits_scarcest(taken, kind);
    (void)snprintf(prefix, sizeof prefix, "%s.", shmkit_info_kind_name(kind));
    put_field_text("tightest", tightest != NULL ? tightest->name : "");
    put_field_text("scarcest", scarcest != NULL ? scarcest->name : "");
  }
  *prefix = '\0';
  for (size_t i = 0; i < shmkit_limits_count(taken); i++) put_limit(shmkit_limits_at(taken, i));
  shmkit_limits_free(taken);
  return 0;
}
