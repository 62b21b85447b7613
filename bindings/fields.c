/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <string.h>

/* How a field is stored, and which value of it means that there is nothing to say. */
enum form {
  TEXT,         /* const char *; "" */
  CHARS,        /* char[]; "" */
  BOOLEAN,      /* bool; none */
  FLAG,         /* one bit of a uint32_t; none */
  WORD,         /* a uint32_t that counts words; one without a word */
  KIND,         /* a uint32_t, a shmkit_info_kind; none */
  KINDS,        /* a uint32_t, SHMKIT_INFO_SET; none */
  STATE,        /* a uint32_t, a shmkit_state; none */
  COUNT32,      /* uint32_t; none */
  ID,           /* uint32_t; SHMKIT_UNKNOWN_ID */
  COUNT,        /* uint64_t; SHMKIT_UNKNOWN */
  NUMBER,       /* uint64_t; 0 */
  PID,          /* int64_t; 0 */
  TIME,         /* int64_t; SHMKIT_UNKNOWN_TIME */
  SEALS,        /* a uint32_t, SHMKIT_SEAL_*; SHMKIT_UNKNOWN_ID */
  CREATOR,      /* shmkit_creator; one with the PID 0 */
  MAPPERS,      /* a pointer to so many as the info says; none */
  EXTENTS,      /* the same; NULL */
  OBJECTS,      /* the same; NULL */
  OBJECT_KIND,  /* a uint32_t, a shmkit_object_kind; none */
  OBJECT_STATE, /* a uint32_t, a shmkit_object_state; none */
  UNIT,         /* a uint32_t, a shmkit_unit; none */
  SCOPE,        /* a uint32_t, a shmkit_scope; none */
  AMOUNT,       /* uint64_t; SHMKIT_UNKNOWN and SHMKIT_UNLIMITED */
  NO_LIMIT      /* whether such a uint64_t is SHMKIT_UNLIMITED; none */
};

struct shmkit_field {
  const char *name;
  size_t offset;
  enum form form;
  /* FLAG: the bit. WORD: the words, and the largest number that has one. */
  uint32_t bit, most;
  const char *const *words;
};

#define SHAPE(type, table)                                                                         \
  {.fields = (table), .count = (int)(sizeof(table) / sizeof *(table)), .size = sizeof(type)}

/* ---- Inspect -------------------------------------------------------------------------------- */

#define MAPPER(field_, form_)                                                                      \
  {.name = #field_, .offset = offsetof(shmkit_mapper, field_), .form = (form_)}

static const struct shmkit_field mapper_fields[] = {
    MAPPER(pid, PID),          MAPPER(start, NUMBER),     MAPPER(started, TIME),
    MAPPER(uid, ID),           MAPPER(mappings, COUNT32), MAPPER(bytes, COUNT),
    MAPPER(offset, COUNT),     MAPPER(program, CHARS),    MAPPER(readable, BOOLEAN),
    MAPPER(writable, BOOLEAN),
};

#define EXTENT(field_) {.name = #field_, .offset = offsetof(shmkit_extent, field_), .form = COUNT}

static const struct shmkit_field extent_fields[] = {EXTENT(offset), EXTENT(length)};

#define OBJECT(field_, form_)                                                                      \
  {.name = #field_, .offset = offsetof(shmkit_object, field_), .form = (form_)}

static const struct shmkit_field object_fields[] = {
    OBJECT(offset, COUNT), OBJECT(kind, OBJECT_KIND), OBJECT(state, OBJECT_STATE),
    OBJECT(identity, ID),  OBJECT(sequence, ID),      OBJECT(waited_for, BOOLEAN),
    OBJECT(pid, PID),      OBJECT(start, NUMBER),     OBJECT(program, CHARS),
};

static const char *const liveness[] = {[SHMKIT_ALIVE] = "alive", [SHMKIT_EXITED] = "exited"};
static const char *const holding[] = {[SHMKIT_HELD] = "held", [SHMKIT_NOT_HELD] = "not held"};
static const char *const removal[] = {
    [SHMKIT_REMOVED] = "removed", [SHMKIT_KEPT] = "kept", [SHMKIT_REMOVAL_FAILED] = "failed"};

#define INFO(field_, form_)                                                                        \
  {.name = #field_, .offset = offsetof(shmkit_info, field_), .form = (form_)}
#define INFO_FLAG(name_, bit_)                                                                     \
  {.name = (name_), .offset = offsetof(shmkit_info, flags), .form = FLAG, .bit = (bit_)}
#define INFO_WORD(field_, words_)                                                                  \
  {.name = #field_,                                                                                \
   .offset = offsetof(shmkit_info, field_),                                                        \
   .form = WORD,                                                                                   \
   .words = (words_),                                                                              \
   .most = sizeof(words_) / sizeof *(words_) - 1}

static const struct shmkit_field info_fields[] = {
    INFO(address, TEXT),
    INFO(name, TEXT),
    INFO(kind, KIND),
    INFO(state, STATE),
    INFO(reason, CHARS),
    INFO_FLAG("dest", SHMKIT_INFO_DEST),
    INFO_FLAG("locked", SHMKIT_INFO_LOCKED),
    INFO_FLAG("last", SHMKIT_INFO_LAST),
    INFO_FLAG("unlinked", SHMKIT_INFO_UNLINKED),
    INFO_FLAG("elsewhere", SHMKIT_INFO_ELSEWHERE),
    INFO_FLAG("may_remove", SHMKIT_INFO_MAY_REMOVE),
    INFO(mode, ID),
    INFO(uid, ID),
    INFO(gid, ID),
    INFO(links, COUNT32),
    INFO(seals, SEALS),
    INFO(device, COUNT),
    INFO(inode, COUNT),
    INFO(ipc_namespace, NUMBER),
    INFO(size, COUNT),
    INFO(allocated, COUNT),
    INFO(resident, COUNT),
    INFO(swapped, COUNT),
    INFO(huge_page, COUNT),
    INFO(created, TIME),
    INFO(changed, TIME),
    INFO(modified, TIME),
    INFO(accessed, TIME),
    INFO(attached, TIME),
    INFO(detached, TIME),
    INFO(attachments, COUNT),
    INFO(last_pid, PID),
    INFO(locks, COUNT32),
    INFO_WORD(creator_state, liveness),
    INFO(creator, CREATOR),
    INFO_WORD(holding, holding),
    INFO_WORD(removal, removal),
    INFO(mappers, MAPPERS),
    INFO(mappings, COUNT),
    INFO(extents, EXTENTS),
    INFO(objects, OBJECTS),
};

static const shmkit_shape mapper_shape = SHAPE(shmkit_mapper, mapper_fields);
static const shmkit_shape extent_shape = SHAPE(shmkit_extent, extent_fields);
static const shmkit_shape object_shape = SHAPE(shmkit_object, object_fields);
const shmkit_shape shmkit_info_shape = SHAPE(shmkit_info, info_fields);

/* ---- Limits --------------------------------------------------------------------------------- */

#define LIMIT(field_, form_)                                                                       \
  {.name = #field_, .offset = offsetof(shmkit_limit, field_), .form = (form_)}
#define LIMIT_FLAG(name_, bit_)                                                                    \
  {.name = (name_), .offset = offsetof(shmkit_limit, flags), .form = FLAG, .bit = (bit_)}

static const struct shmkit_field limit_fields[] = {
    LIMIT(name, TEXT),
    LIMIT(title, TEXT),
    LIMIT(source, TEXT),
    LIMIT(effect, TEXT),
    LIMIT(remedy, TEXT),
    LIMIT(note, TEXT),
    LIMIT(unit, UNIT),
    LIMIT(scope, SCOPE),
    LIMIT(kinds, KINDS),
    LIMIT_FLAG("each", SHMKIT_LIMIT_EACH),
    LIMIT_FLAG("on_request", SHMKIT_LIMIT_ON_REQUEST),
    {.name = "unlimited", .offset = offsetof(shmkit_limit, limit), .form = NO_LIMIT},
    LIMIT(limit, AMOUNT),
    LIMIT(used, AMOUNT),
    LIMIT(free, AMOUNT),
};

const shmkit_shape shmkit_limit_shape = SHAPE(shmkit_limit, limit_fields);

/* ---- Kinds ---------------------------------------------------------------------------------- */

uint32_t shmkit_kinds_find(const char *name) {
  if (strcmp(name, "all") == 0) return SHMKIT_INFO_ALL;
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (strcmp(name, shmkit_info_kind_name(kind)) == 0) return SHMKIT_INFO_SET(kind);
  }
  return 0;
}

/* ---- Values --------------------------------------------------------------------------------- */

static const shmkit_field_value nothing = {.type = SHMKIT_FIELD_NOTHING};

static shmkit_field_value text_value(const char *text) {
  if (text == NULL || *text == '\0') return nothing;
  return (shmkit_field_value){.type = SHMKIT_FIELD_TEXT, .text = text};
}

static shmkit_field_value boolean_value(bool boolean) {
  return (shmkit_field_value){.type = SHMKIT_FIELD_BOOLEAN, .boolean = boolean};
}

static shmkit_field_value signed_value(int64_t integer, int64_t unknown) {
  if (integer == unknown) return nothing;
  return (shmkit_field_value){.type = SHMKIT_FIELD_SIGNED, .integer = integer};
}

static shmkit_field_value unsigned_value(uint64_t natural, uint64_t unknown) {
  if (natural == unknown) return nothing;
  return (shmkit_field_value){.type = SHMKIT_FIELD_UNSIGNED, .natural = natural};
}

static shmkit_field_value seals_value(uint32_t seals) {
  if (seals == SHMKIT_UNKNOWN_ID) return nothing;
  return (shmkit_field_value){.type = SHMKIT_FIELD_SEALS, .seals = seals};
}

static shmkit_field_value kinds_value(uint32_t kinds) {
  return (shmkit_field_value){.type = SHMKIT_FIELD_KINDS, .kinds = kinds};
}

static shmkit_field_value amount_value(uint64_t amount) {
  return amount == SHMKIT_UNLIMITED ? nothing : unsigned_value(amount, SHMKIT_UNKNOWN);
}

static shmkit_field_value creator_value(const shmkit_creator *creator) {
  if (creator->pid == 0) return nothing;
  return (shmkit_field_value){.type = SHMKIT_FIELD_CREATOR, .creator = creator};
}

static shmkit_field_value structs_value(const shmkit_shape *shape, const void *first,
                                        size_t count) {
  return (shmkit_field_value){.type = SHMKIT_FIELD_STRUCTS, .structs = {shape, first, count}};
}

static shmkit_field_value extents_value(const shmkit_info *info) {
  if (info->extents == NULL) return nothing;
  return structs_value(&extent_shape, info->extents, info->extent_count);
}

static shmkit_field_value objects_value(const shmkit_info *info) {
  if (info->objects == NULL) return nothing;
  return structs_value(&object_shape, info->objects, info->object_count);
}

static uint32_t number32(const void *at) {
  return *(const uint32_t *)at;
}

static uint64_t number64(const void *at) {
  return *(const uint64_t *)at;
}

static shmkit_field_value word_value(const struct shmkit_field *field, uint32_t number) {
  return text_value(number <= field->most ? field->words[number] : NULL);
}

static shmkit_field_value get(const struct shmkit_field *field, const void *from) {
  const void *at = (const char *)from + field->offset;
  const shmkit_info *info = from;
  switch (field->form) {
    case TEXT:
      return text_value(*(const char *const *)at);
    case CHARS:
      return text_value(at);
    case BOOLEAN:
      return boolean_value(*(const bool *)at);
    case FLAG:
      return boolean_value((number32(at) & field->bit) != 0);
    case WORD:
      return word_value(field, number32(at));
    case KIND:
      return text_value(shmkit_info_kind_name(number32(at)));
    case KINDS:
      return kinds_value(number32(at));
    case STATE:
      return text_value(shmkit_state_name(number32(at)));
    case COUNT32:
      /* No such number is unknown. */
      return unsigned_value(number32(at), SHMKIT_UNKNOWN);
    case ID:
      return unsigned_value(number32(at), SHMKIT_UNKNOWN_ID);
    case COUNT:
      return unsigned_value(number64(at), SHMKIT_UNKNOWN);
    case NUMBER:
      return unsigned_value(number64(at), 0);
    case PID:
      return signed_value(*(const int64_t *)at, 0);
    case TIME:
      return signed_value(*(const int64_t *)at, SHMKIT_UNKNOWN_TIME);
    case SEALS:
      return seals_value(number32(at));
    case CREATOR:
      return creator_value(at);
    case MAPPERS:
      return structs_value(&mapper_shape, info->mappers, info->mapper_count);
    case EXTENTS:
      return extents_value(info);
    case OBJECTS:
      return objects_value(info);
    case OBJECT_KIND:
      return text_value(shmkit_object_kind_name(number32(at)));
    case OBJECT_STATE:
      return text_value(shmkit_object_state_name(number32(at)));
    case UNIT:
      return text_value(shmkit_unit_name(number32(at)));
    case SCOPE:
      return text_value(shmkit_scope_name(number32(at)));
    case AMOUNT:
      return amount_value(number64(at));
    case NO_LIMIT:
      return boolean_value(number64(at) == SHMKIT_UNLIMITED);
  }
  return nothing;
}

shmkit_field_value shmkit_field_get(const shmkit_shape *shape, int index, const void *from) {
  const struct shmkit_field *field = &shape->fields[index];
  shmkit_field_value value = get(field, from);
  value.name = field->name;
  return value;
}
