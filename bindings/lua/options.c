/* SPDX-License-Identifier: MIT */
/*
 * Options of create, open and the like: a Lua table with named fields. Which options apply to which
 * call, and whether their values make sense, is the library's to say; here they get their types.
 */
#include <string.h>

#include "binding.h"

/* ---- Tables of options ----------------------------------------------------------------------- */

/* Push "a, b, c" and return it. The first field of an entry must be its name. */
static const char *push_names(lua_State *L, const void *table, size_t stride) {
  luaL_Buffer list;
  luaL_buffinit(L, &list);
  for (const char *entry = table; *(const char *const *)entry != NULL; entry += stride) {
    if (entry != table) luaL_addstring(&list, ", ");
    luaL_addstring(&list, *(const char *const *)entry);
  }
  luaL_pushresult(&list);
  return lua_tostring(L, -1);
}

static const shmkit_lua_option *find(const shmkit_lua_option *known, const char *text) {
  for (; known->name != NULL; known++) {
    if (strcmp(known->name, text) == 0) return known;
  }
  return NULL;
}

static const char *read_option(lua_State *L, int index, const shmkit_lua_option *found,
                               uint32_t *flags, void *out) {
  if (found->read != NULL) return found->read(L, index, out);
  if (!lua_isboolean(L, index)) {
    return lua_pushfstring(L, "boolean expected, got %s", luaL_typename(L, index));
  }
  if (lua_toboolean(L, index)) *flags |= found->flag;
  return NULL;
}

void shmkit_lua_keep_option(lua_State *L, int index) {
  lua_pushvalue(L, index);
  lua_insert(L, -3);
}

/* The table is read raw: it is plain data, and so no code of the user runs here. */
void shmkit_lua_read_options(lua_State *L, int index, const shmkit_lua_option *known,
                             uint32_t *flags, void *out) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      luaL_argerror(L, index, "options have names: {name = value}");
    }
    const char *text = lua_tostring(L, -2);
    const shmkit_lua_option *found = find(known, text);
    if (found == NULL) {
      const char *list = push_names(L, known, sizeof *known);
      luaL_argerror(L, index, lua_pushfstring(L, "unknown option '%s'; known: %s", text, list));
    } else {
      const char *problem = read_option(L, lua_gettop(L), found, flags, out);
      if (problem != NULL) {
        luaL_argerror(L, index, lua_pushfstring(L, "option '%s': %s", text, problem));
      }
    }
    lua_pop(L, 1);
  }
}

/* ---- Segments ------------------------------------------------------------------------------- */

/* Names of numbers; an entry without a name ends a list. */
typedef struct {
  const char *name;
  uint32_t value;
} name;

static const name lifetimes[] = {{"persistent", SHMKIT_PERSISTENT},
                                 {"creator", SHMKIT_CREATOR},
                                 {"last", SHMKIT_LAST},
                                 {NULL, 0}};

static const name seals[] = {{"seal", SHMKIT_SEAL_SEAL},
                             {"shrink", SHMKIT_SEAL_SHRINK},
                             {"grow", SHMKIT_SEAL_GROW},
                             {"write", SHMKIT_SEAL_WRITE},
                             {"future_write", SHMKIT_SEAL_FUTURE_WRITE},
                             {NULL, 0}};

/* All of these leave NULL, or what is wrong with the value at `index` on the Lua stack. */

static const char *to_named(lua_State *L, int index, const name *names, uint32_t *out) {
  if (lua_type(L, index) != LUA_TSTRING) {
    return lua_pushfstring(L, "string expected, got %s", luaL_typename(L, index));
  }
  const char *text = lua_tostring(L, index);
  for (const name *known = names; known->name != NULL; known++) {
    if (strcmp(known->name, text) == 0) {
      *out = known->value;
      return NULL;
    }
  }
  const char *list = push_names(L, names, sizeof *names);
  return lua_pushfstring(L, "'%s' is none of: %s", text, list);
}

static const char *to_seals(lua_State *L, int index, uint32_t *out) {
  if (!lua_istable(L, index)) {
    return lua_pushfstring(L, "list of seals expected, got %s", luaL_typename(L, index));
  }
  int list = lua_absindex(L, index);
  uint32_t sum = 0;
  lua_Integer length = (lua_Integer)lua_rawlen(L, list);
  for (lua_Integer i = 1; i <= length; i++) {
    uint32_t seal = 0;
    lua_rawgeti(L, list, i);
    const char *problem = to_named(L, -1, seals, &seal);
    if (problem != NULL) return problem;
    lua_pop(L, 1);
    sum |= seal;
  }
  *out = sum;
  return NULL;
}

static const char *to_capacity(lua_State *L, int index, void *out) {
  shmkit_segment_options *options = out;
  return shmkit_lua_to_natural(L, index, UINT64_MAX, &options->capacity);
}

/* Beyond what any mode can be, so that the library names the limit, and not a conversion. */
enum { MODE_BOUND = INT32_MAX };

static const char *to_mode(lua_State *L, int index, void *out) {
  shmkit_segment_options *options = out;
  uint64_t mode = 0;
  const char *problem = shmkit_lua_to_natural(L, index, MODE_BOUND, &mode);
  options->mode = (uint32_t)mode;
  return problem;
}

static const char *to_lifetime(lua_State *L, int index, void *out) {
  shmkit_segment_options *options = out;
  return to_named(L, index, lifetimes, &options->lifetime);
}

static const char *to_seals_option(lua_State *L, int index, void *out) {
  shmkit_segment_options *options = out;
  return to_seals(L, index, &options->seals);
}

static const char *to_content(lua_State *L, int index, void *out) {
  shmkit_segment_options *options = out;
  if (lua_type(L, index) != LUA_TSTRING) {
    return lua_pushfstring(L, "string expected, got %s", luaL_typename(L, index));
  }
  options->content = lua_tolstring(L, index, &options->content_size);
  shmkit_lua_keep_option(L, index);
  return NULL;
}

static const shmkit_lua_option segment_options[] = {{"any_owner", SHMKIT_ANY_OWNER, NULL},
                                                    {"capacity", 0, to_capacity},
                                                    {"content", 0, to_content},
                                                    {"huge_pages", SHMKIT_HUGE_PAGES, NULL},
                                                    {"lifetime", 0, to_lifetime},
                                                    {"lock", SHMKIT_LOCK, NULL},
                                                    {"mode", 0, to_mode},
                                                    {"populate", SHMKIT_POPULATE, NULL},
                                                    {"readonly", SHMKIT_READONLY, NULL},
                                                    {"seals", 0, to_seals_option},
                                                    {"sparse", SHMKIT_SPARSE, NULL},
                                                    {NULL, 0, NULL}};

static const shmkit_lua_option send_options[] = {{"readonly", SHMKIT_READONLY, NULL},
                                                 {NULL, 0, NULL}};

const shmkit_segment_options *shmkit_lua_check_options(lua_State *L, int index,
                                                       shmkit_segment_options *storage) {
  if (lua_isnoneornil(L, index)) return NULL;
  *storage = (shmkit_segment_options)SHMKIT_SEGMENT_OPTIONS_INIT;
  shmkit_lua_read_options(L, index, segment_options, &storage->flags, storage);
  return storage;
}

uint32_t shmkit_lua_check_send_options(lua_State *L, int index) {
  uint32_t flags = 0;
  shmkit_lua_read_options(L, index, send_options, &flags, NULL);
  return flags;
}

uint32_t shmkit_lua_check_seals(lua_State *L, int index) {
  uint32_t sum = 0;
  const char *problem = to_seals(L, index, &sum);
  if (problem != NULL) luaL_argerror(L, index, problem);
  return sum;
}

void shmkit_lua_push_seals(lua_State *L, uint32_t present) {
  lua_newtable(L);
  for (const name *known = seals; known->name != NULL; known++) {
    if ((present & known->value) == 0) continue;
    lua_pushstring(L, known->name);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, known->name);
  }
}
