/* SPDX-License-Identifier: MIT */
#include "info_json.h"

#include <stdlib.h>

#include "names.h"
#include "report.h"
#include "text.h"

/* null where nobody knows it. */
static json *creator_json(const shmkit_creator *creator) {
  if (creator->pid == 0) return NULL;
  json *object = json_new();
  json_add_integer(object, "pid", creator->pid);
  json_add_text(object, "program", creator->program[0] != '\0' ? creator->program : NULL);
  json_add_count(object, "start", creator->start != 0 ? creator->start : SHMKIT_UNKNOWN);
  json_add_count(object, "pid_namespace",
                 creator->pid_namespace != 0 ? creator->pid_namespace : SHMKIT_UNKNOWN);
  json_add_text(object, "boot", creator->boot[0] != '\0' ? creator->boot : NULL);
  return object;
}

static json *mapper_json(const shmkit_mapper *mapper) {
  json *object = json_new();
  json_add_integer(object, "pid", mapper->pid);
  json_add_text(object, "program", mapper->program);
  json_add_id(object, "uid", mapper->uid);
  json_add_time(object, "started", mapper->started);
  json_add_count(object, "start", mapper->start);
  json_add_count(object, "mappings", mapper->mappings);
  json_add_count(object, "bytes", mapper->bytes);
  json_add_count(object, "offset", mapper->offset);
  json_add_bool(object, "readable", mapper->readable);
  json_add_bool(object, "writable", mapper->writable);
  return object;
}

static json *mappers_json(const shmkit_info *info) {
  json *array = json_new_array();
  for (size_t i = 0; i < info->mapper_count; i++) {
    json_append(array, mapper_json(&info->mappers[i]));
  }
  return array;
}

static json *extents_json(const shmkit_info *info) {
  if (info->extents == NULL) return NULL;
  json *array = json_new_array();
  for (size_t i = 0; i < info->extent_count; i++) {
    json *object = json_new();
    json_add_count(object, "offset", info->extents[i].offset);
    json_add_count(object, "length", info->extents[i].length);
    json_append(array, object);
  }
  return array;
}

static json *object_json(const shmkit_object *object) {
  json *result = json_new();
  json_add_count(result, "offset", object->offset);
  json_add_text(result, "kind", shmkit_object_kind_name((shmkit_object_kind)object->kind));
  json_add_text(result, "state", shmkit_object_state_name((shmkit_object_state)object->state));
  json_add_id(result, "identity", object->identity);
  json_add_id(result, "sequence", object->sequence);
  json_add_bool(result, "waited_for", object->waited_for);
  json_add_count(result, "pid", object->pid != 0 ? (uint64_t)object->pid : SHMKIT_UNKNOWN);
  json_add_count(result, "start", object->start != 0 ? object->start : SHMKIT_UNKNOWN);
  json_add_text(result, "program", object->program[0] != '\0' ? object->program : NULL);
  return result;
}

static json *objects_json(const shmkit_info *info) {
  if (info->objects == NULL) return NULL;
  json *array = json_new_array();
  for (size_t i = 0; i < info->object_count; i++) {
    json_append(array, object_json(&info->objects[i]));
  }
  return array;
}

static json *seals_json(const shmkit_info *info) {
  const char *name;
  if (info->seals == SHMKIT_UNKNOWN_ID) return NULL;
  json *array = json_new_array();
  for (unsigned bit = 0; (name = name_of_seal(bit)) != NULL; bit++) {
    if (info->seals & (1U << bit)) json_append(array, must(json_object_new_string(name)));
  }
  return array;
}

static void add_flags(json *object, const shmkit_info *info) {
  json_add_bool(object, "dest", info->flags & SHMKIT_INFO_DEST);
  json_add_bool(object, "locked", info->flags & SHMKIT_INFO_LOCKED);
  json_add_bool(object, "last", info->flags & SHMKIT_INFO_LAST);
  json_add_bool(object, "unlinked", info->flags & SHMKIT_INFO_UNLINKED);
  json_add_bool(object, "elsewhere", info->flags & SHMKIT_INFO_ELSEWHERE);
  json_add_bool(object, "may_remove", info->flags & SHMKIT_INFO_MAY_REMOVE);
}

static void add_identity(json *object, const shmkit_info *info) {
  json_add_text(object, "address", info->address[0] != '\0' ? info->address : NULL);
  json_add_text(object, "name", info->name[0] != '\0' ? info->name : NULL);
  json_add_text(object, "kind", shmkit_info_kind_name((shmkit_info_kind)info->kind));
  json_add_text(object, "state", shmkit_state_name((shmkit_state)info->state));
  json_add_text(object, "reason", info->reason);
  json_add_id(object, "uid", info->uid);
  json_add_id(object, "gid", info->gid);
  json_add_id(object, "mode", info->mode);
  json_add_count(object, "device", info->device);
  json_add_count(object, "inode", info->inode);
  json_add_count(object, "ipc_namespace",
                 info->ipc_namespace != 0 ? info->ipc_namespace : SHMKIT_UNKNOWN);
  json_add_count(object, "links", info->links);
}

static void add_sizes(json *object, const shmkit_info *info) {
  json_add_count(object, "size", info->size);
  json_add_count(object, "allocated", info->allocated);
  json_add_count(object, "resident", info->resident);
  json_add_count(object, "swapped", info->swapped);
  json_add_count(object, "huge_page", info->huge_page);
}

static void add_times(json *object, const shmkit_info *info) {
  json_add_time(object, "created", info->created);
  json_add_time(object, "changed", info->changed);
  json_add_time(object, "modified", info->modified);
  json_add_time(object, "accessed", info->accessed);
  json_add_time(object, "attached", info->attached);
  json_add_time(object, "detached", info->detached);
}

static void add_users(json *object, const shmkit_info *info) {
  static const char *const states[] = {
      [SHMKIT_LIVENESS_UNKNOWN] = NULL, [SHMKIT_ALIVE] = "alive", [SHMKIT_EXITED] = "exited"};
  static const char *const holdings[] = {
      [SHMKIT_HOLDING_UNKNOWN] = NULL, [SHMKIT_HELD] = "held", [SHMKIT_NOT_HELD] = "not held"};
  static const char *const removals[] = {[SHMKIT_REMOVAL_NONE] = NULL,
                                         [SHMKIT_REMOVED] = "removed",
                                         [SHMKIT_KEPT] = "kept",
                                         [SHMKIT_REMOVAL_FAILED] = "failed"};
  json_add_count(object, "attachments", info->attachments);
  json_add_count(object, "last_pid",
                 info->last_pid != 0 ? (uint64_t)info->last_pid : SHMKIT_UNKNOWN);
  json_add_count(object, "locks", info->locks);
  json_add_text(object, "creator_state", states[info->creator_state]);
  json_add(object, "creator", creator_json(&info->creator));
  json_add_text(object, "holding", holdings[info->holding]);
  json_add_text(object, "removal", removals[info->removal]);
  json_add_count(object, "mappings", info->mappings);
  json_add(object, "mappers", mappers_json(info));
}

json *info_json(const shmkit_info *info) {
  json *object = json_new();
  add_identity(object, info);
  add_flags(object, info);
  add_sizes(object, info);
  json_add(object, "seals", seals_json(info));
  add_times(object, info);
  add_users(object, info);
  json_add(object, "extents", extents_json(info));
  json_add(object, "objects", objects_json(info));
  return object;
}

json *listing_json(const shmkit_listing *listing) {
  json *document = json_new_document();
  json_add_time(document, "time", shmkit_listing_time(listing));
  json_add_bool(document, "complete", shmkit_listing_complete(listing));
  json_add_count(document, "unreadable", shmkit_listing_unreadable(listing));
  return document;
}
