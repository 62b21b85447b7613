/* SPDX-License-Identifier: MIT */
/* Listings and limits: tables of options in, plain tables out. */
#include "binding.h"

/* ---- Options -------------------------------------------------------------------------------- */

/* NULL, or what is wrong with the name at `index`. */
static const char *add_kind(lua_State *L, int index, uint32_t *kinds) {
  const char *name = NULL;
  const char *problem = shmkit_lua_to_text(L, index, &name);
  if (problem != NULL) return problem;
  uint32_t found = shmkit_kinds_find(name);
  *kinds |= found;
  if (found != 0) return NULL;
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    luaL_addstring(&list, shmkit_info_kind_name(kind));
    luaL_addstring(&list, ", ");
  }
  luaL_addstring(&list, "all");
  luaL_pushresult(&list);
  return lua_pushfstring(L, "'%s' is none of: %s", name, lua_tostring(L, -1));
}

/* A name, or a list of names. */
static const char *to_kinds(lua_State *L, int index, uint32_t *kinds) {
  if (lua_type(L, index) == LUA_TSTRING) return add_kind(L, index, kinds);
  if (!lua_istable(L, index)) {
    return lua_pushfstring(L, "list of kinds expected, got %s", luaL_typename(L, index));
  }
  lua_Integer length = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= length; i++) {
    lua_rawgeti(L, index, i);
    const char *problem = add_kind(L, lua_gettop(L), kinds);
    if (problem != NULL) return problem;
    lua_pop(L, 1);
  }
  /* What C takes for its default. */
  return *kinds != 0 ? NULL : "no kinds at all: leave them out for the usual ones";
}

static const char *to_listing_kinds(lua_State *L, int index, void *out) {
  shmkit_listing_options *options = out;
  return to_kinds(L, index, &options->kinds);
}

static const char *to_gc_kinds(lua_State *L, int index, void *out) {
  shmkit_gc_options *options = out;
  return to_kinds(L, index, &options->kinds);
}

static const char *to_older_than(lua_State *L, int index, void *out) {
  shmkit_gc_options *options = out;
  return shmkit_lua_to_natural(L, index, UINT64_MAX, &options->older_than);
}

static const char *to_pattern(lua_State *L, int index, void *out) {
  shmkit_gc_options *options = out;
  const char *problem = shmkit_lua_to_text(L, index, &options->pattern);
  if (problem == NULL) shmkit_lua_keep_option(L, index);
  return problem;
}

static const shmkit_lua_option listing_options[] = {
    {"kinds", 0, to_listing_kinds},
    {"names_only", SHMKIT_LISTING_NAMES_ONLY, NULL},
    {"no_creators", SHMKIT_LISTING_NO_CREATORS, NULL},
    {NULL, 0, NULL}};

static const shmkit_lua_option stat_options[] = {{"exact", SHMKIT_STAT_EXACT, NULL},
                                                 {NULL, 0, NULL}};

static const shmkit_lua_option remove_options[] = {{"force", SHMKIT_REMOVE_FORCE, NULL},
                                                   {NULL, 0, NULL}};

static const shmkit_lua_option gc_options[] = {
    {"apply", SHMKIT_GC_APPLY, NULL}, {"idle", SHMKIT_GC_IDLE, NULL}, {"kinds", 0, to_gc_kinds},
    {"older_than", 0, to_older_than}, {"pattern", 0, to_pattern},     {NULL, 0, NULL}};

const shmkit_listing_options *shmkit_lua_check_listing_options(lua_State *L, int index,
                                                               shmkit_listing_options *storage) {
  *storage = (shmkit_listing_options)SHMKIT_LISTING_OPTIONS_INIT;
  shmkit_lua_read_options(L, index, listing_options, &storage->flags, storage);
  return storage;
}

const shmkit_gc_options *shmkit_lua_check_gc_options(lua_State *L, int index,
                                                     shmkit_gc_options *storage) {
  *storage = (shmkit_gc_options)SHMKIT_GC_OPTIONS_INIT;
  shmkit_lua_read_options(L, index, gc_options, &storage->flags, storage);
  return storage;
}

uint32_t shmkit_lua_check_stat_options(lua_State *L, int index) {
  uint32_t flags = 0;
  shmkit_lua_read_options(L, index, stat_options, &flags, NULL);
  return flags;
}

uint32_t shmkit_lua_check_remove_options(lua_State *L, int index) {
  uint32_t flags = 0;
  shmkit_lua_read_options(L, index, remove_options, &flags, NULL);
  return flags;
}

/* ---- Data ----------------------------------------------------------------------------------- */

static void push_struct(lua_State *L, const shmkit_shape *shape, const void *from);

static void push_structs(lua_State *L, const shmkit_shape *shape, const char *first, size_t count) {
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_struct(L, shape, first + i * shape->size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_kinds(lua_State *L, uint32_t kinds) {
  lua_Integer count = 0;
  lua_newtable(L);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    if (!(kinds & SHMKIT_INFO_SET(kind))) continue;
    lua_pushstring(L, shmkit_info_kind_name(kind));
    lua_rawseti(L, -2, ++count);
  }
}

static void push_value(lua_State *L, const shmkit_field_value *value) {
  switch (value->type) {
    case SHMKIT_FIELD_BOOLEAN:
      lua_pushboolean(L, value->boolean);
      return;
    case SHMKIT_FIELD_SIGNED:
      lua_pushinteger(L, value->integer);
      return;
    case SHMKIT_FIELD_UNSIGNED:
      lua_pushinteger(L, (lua_Integer)value->natural);
      return;
    case SHMKIT_FIELD_TEXT:
      lua_pushstring(L, value->text);
      return;
    case SHMKIT_FIELD_SEALS:
      shmkit_lua_push_seals(L, value->seals);
      return;
    case SHMKIT_FIELD_KINDS:
      push_kinds(L, value->kinds);
      return;
    case SHMKIT_FIELD_CREATOR:
      shmkit_lua_push_creator(L, value->creator);
      return;
    case SHMKIT_FIELD_STRUCTS:
      push_structs(L, value->structs.shape, value->structs.first, value->structs.count);
      return;
    case SHMKIT_FIELD_NOTHING:
      lua_pushnil(L);
  }
}

static void push_struct(lua_State *L, const shmkit_shape *shape, const void *from) {
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, shape->count);
  for (int i = 0; i < shape->count; i++) {
    shmkit_field_value value = shmkit_field_get(shape, i, from);
    push_value(L, &value);
    lua_setfield(L, -2, value.name);
  }
}

/* ---- Owners --------------------------------------------------------------------------------- */

static const char listing_key, limits_key;

static int listing_gc(lua_State *L) {
  shmkit_listing **listing = lua_touserdata(L, 1);
  shmkit_listing_free(*listing);
  *listing = NULL;
  return 0;
}

static int limits_gc(lua_State *L) {
  shmkit_limits **limits = lua_touserdata(L, 1);
  shmkit_limits_free(*limits);
  *limits = NULL;
  return 0;
}

/* A userdata for one pointer. */
static void *new_owner(lua_State *L, const void *key) {
  void **pointer = lua_newuserdatauv(L, sizeof *pointer, 0);
  *pointer = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_setmetatable(L, -2);
  return pointer;
}

shmkit_listing **shmkit_lua_new_listing(lua_State *L) {
  return new_owner(L, &listing_key);
}

shmkit_limits **shmkit_lua_new_limits(lua_State *L) {
  return new_owner(L, &limits_key);
}

static void open_owner(lua_State *L, const void *key, const char *name, lua_CFunction gc) {
  shmkit_lua_new_class(L, key, name);
  lua_pushcfunction(L, gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void shmkit_lua_open_inspect(lua_State *L) {
  open_owner(L, &listing_key, "shmkit.Listing", listing_gc);
  open_owner(L, &limits_key, "shmkit.Limits", limits_gc);
}

/* ---- Wholes --------------------------------------------------------------------------------- */

void shmkit_lua_push_listing(lua_State *L, shmkit_listing **listing) {
  size_t count = shmkit_listing_count(*listing);
  lua_createtable(L, (int)count, 3);
  for (size_t i = 0; i < count; i++) {
    push_struct(L, &shmkit_info_shape, shmkit_listing_at(*listing, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushboolean(L, shmkit_listing_complete(*listing));
  lua_setfield(L, -2, "complete");
  lua_pushinteger(L, (lua_Integer)shmkit_listing_unreadable(*listing));
  lua_setfield(L, -2, "unreadable");
  lua_pushinteger(L, shmkit_listing_time(*listing));
  lua_setfield(L, -2, "time");
  shmkit_listing_free(*listing);
  *listing = NULL;
}

/* Set a field of the list on top: a table from kinds to entries of the list. */
static void set_choices(lua_State *L, const shmkit_limits *limits, const char *name,
                        bool tightest) {
  lua_newtable(L);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; kind <= SHMKIT_INFO_FILE; kind++) {
    const shmkit_limit *chosen =
        tightest ? shmkit_limits_tightest(limits, kind) : shmkit_limits_scarcest(limits, kind);
    if (chosen == NULL) continue;
    size_t index = 0;
    while (shmkit_limits_at(limits, index) != chosen) index++;
    lua_rawgeti(L, -2, (lua_Integer)index + 1);
    lua_setfield(L, -2, shmkit_info_kind_name(kind));
  }
  lua_setfield(L, -2, name);
}

void shmkit_lua_push_limits(lua_State *L, shmkit_limits **limits) {
  size_t count = shmkit_limits_count(*limits);
  lua_createtable(L, (int)count, 2);
  for (size_t i = 0; i < count; i++) {
    push_struct(L, &shmkit_limit_shape, shmkit_limits_at(*limits, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  set_choices(L, *limits, "tightest", true);
  set_choices(L, *limits, "scarcest", false);
  shmkit_limits_free(*limits);
  *limits = NULL;
}
