/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "binding.h"

const char *shmkit_lua_to_natural(lua_State *L, int index, uint64_t most, uint64_t *out) {
  /* lua_isinteger and friends would take the string "10". */
  if (lua_type(L, index) != LUA_TNUMBER) {
    return lua_pushfstring(L, "integer expected, got %s", luaL_typename(L, index));
  }
  int exact = 0;
  lua_Integer value = lua_tointegerx(L, index, &exact);
  if (!exact) {
    return lua_pushfstring(L, "integer expected, got %f", lua_tonumber(L, index));
  }
  if (value < 0) return lua_pushfstring(L, "must not be negative, got %I", value);
  if ((uint64_t)value > most) {
    return lua_pushfstring(L, "must be at most %I, got %I", (LUAI_UACINT)most, value);
  }
  *out = (uint64_t)value;
  return NULL;
}

uint64_t shmkit_lua_check_natural(lua_State *L, int index, const char *name, uint64_t most) {
  uint64_t value = 0;
  const char *problem = shmkit_lua_to_natural(L, index, most, &value);
  if (problem != NULL) luaL_argerror(L, index, lua_pushfstring(L, "%s: %s", name, problem));
  return value;
}

uint64_t shmkit_lua_opt_natural(lua_State *L, int index, const char *name, uint64_t absent) {
  if (lua_isnoneornil(L, index)) return absent;
  return shmkit_lua_check_natural(L, index, name, UINT64_MAX);
}

uint64_t shmkit_lua_check_bits(lua_State *L, int index, const char *name) {
  int exact = 0;
  lua_Integer value = lua_tointegerx(L, index, &exact);
  if (exact && lua_type(L, index) == LUA_TNUMBER) return (uint64_t)value;
  const char *got = lua_type(L, index) == LUA_TNUMBER ? "a fraction" : luaL_typename(L, index);
  luaL_argerror(L, index, lua_pushfstring(L, "%s: integer expected, got %s", name, got));
  return 0;
}

const char *shmkit_lua_check_bytes(lua_State *L, int index, size_t *length) {
  if (lua_type(L, index) != LUA_TSTRING) luaL_typeerror(L, index, "string");
  return lua_tolstring(L, index, length);
}

const char *shmkit_lua_check_text(lua_State *L, int index, const char *name) {
  size_t length = 0;
  const char *text = shmkit_lua_check_bytes(L, index, &length);
  if (memchr(text, '\0', length) != NULL) {
    luaL_argerror(L, index, lua_pushfstring(L, "%s: contains a NUL byte", name));
  }
  return text;
}

const char *shmkit_lua_to_text(lua_State *L, int index, const char **out) {
  if (lua_type(L, index) != LUA_TSTRING) {
    return lua_pushfstring(L, "string expected, got %s", luaL_typename(L, index));
  }
  size_t length = 0;
  *out = lua_tolstring(L, index, &length);
  return memchr(*out, '\0', length) == NULL ? NULL : "contains a NUL byte";
}

shmkit_type shmkit_lua_check_type(lua_State *L, int index) {
  shmkit_type type = SHMKIT_U8;
  if (lua_type(L, index) != LUA_TSTRING) {
    luaL_typeerror(L, index, "one of i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool char");
  }
  if (shmkit_type_find(shmkit_lua_check_text(L, index, "type"), &type) != 0) {
    luaL_argerror(L, index, shmkit_error_message());
  }
  return type;
}
