/* SPDX-License-Identifier: MIT */
/*
 * pack and unpack: Lua's own string.pack and string.unpack do the work, on strings that are copied
 * in and out. So every format that Lua has works, and nothing outside the segment is ever read.
 */
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "binding.h"

static const char *const functions[] = {"pack", "unpack", "packsize"};
enum { PACK, UNPACK, PACKSIZE, FUNCTIONS };

/* How much a format of variable length gets to see at first, and how that grows. */
enum { FIRST_CHUNK = 1024, CHUNK_FACTOR = 16 };

void shmkit_lua_open_pack(lua_State *L) {
  luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
  for (int i = 0; i < FUNCTIONS; i++) {
    lua_getfield(L, -1, functions[i]);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &functions[i]);
  }
  lua_pop(L, 1);
}

/* Call one of them with what is on the stack from `first` on; false leaves the error. */
static bool call(lua_State *L, int which, int first) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &functions[which]);
  lua_insert(L, first);
  return lua_pcall(L, lua_gettop(L) - first, LUA_MULTRET, 0) == LUA_OK;
}

/* Raise the error on top. It counts the arguments from the format on: ours has two before. */
static int reraise(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  if (message == NULL) return lua_error(L);
  static const char beginning[] = "bad argument #";
  const char *reason = strstr(message, " (");
  if (strncmp(message, beginning, sizeof beginning - 1) != 0 || reason == NULL) {
    return luaL_error(L, "%s", message);
  }
  int argument = (int)strtol(message + sizeof beginning - 1, NULL, 10) + 2;
  reason += 2;
  lua_pushlstring(L, reason, strlen(reason) - 1); /* without the last parenthesis */
  return luaL_argerror(L, argument, lua_tostring(L, -1));
}

/* (self, offset, format, ...) -> offset of the first byte after what was written */
int shmkit_lua_pack(lua_State *L) {
  shmkit_segment *segment = shmkit_lua_check_segment(L, 1);
  uint64_t offset = shmkit_lua_check_natural(L, 2, "offset", INT64_MAX);
  (void)shmkit_lua_check_bytes(L, 3, NULL);
  if (!call(L, PACK, 3)) return reraise(L);
  size_t length = 0;
  const char *bytes = lua_tolstring(L, 3, &length);
  shmkit_status status = shmkit_segment_write(segment, offset, bytes, length);
  if (status != 0) return shmkit_lua_fail(L, status);
  lua_pushinteger(L, (lua_Integer)(offset + length));
  return 1;
}

/* Unpack `length` bytes at `offset` with the format at 3. 0: the results are on the stack from 4
 * on, the last being the offset of the first byte after. Positive: they are not, but an error. */
static shmkit_status unpack_bytes(lua_State *L, shmkit_segment *segment, uint64_t offset,
                                  uint64_t length) {
  lua_settop(L, 3);
  lua_pushvalue(L, 3);
  shmkit_status status = shmkit_lua_push_content(L, segment, offset, length);
  if (status != 0) return status;
  if (!call(L, UNPACK, 4)) return SHMKIT_AGAIN;
  lua_Integer next = lua_tointeger(L, -1); /* counts from 1 */
  lua_pop(L, 1);
  lua_pushinteger(L, (lua_Integer)offset + next - 1);
  return 0;
}

/* Whether string.unpack's error on top means that more bytes may help. */
static bool wants_more(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  return message != NULL &&
         (strstr(message, "too short") != NULL || strstr(message, "unfinished string") != NULL);
}

/* A format with strings in it tells its length only while it is unpacked: show it more and more. */
static shmkit_status unpack_variable(lua_State *L, shmkit_segment *segment, uint64_t offset,
                                     uint64_t rest) {
  for (uint64_t chunk = FIRST_CHUNK;; chunk *= CHUNK_FACTOR) {
    uint64_t length = chunk < rest ? chunk : rest;
    shmkit_status status = unpack_bytes(L, segment, offset, length);
    if (status != SHMKIT_AGAIN || length == rest || !wants_more(L)) return status;
  }
}

/* (self, offset, format) -> values..., offset of the first byte after them */
int shmkit_lua_unpack(lua_State *L) {
  shmkit_segment *segment = shmkit_lua_check_segment(L, 1);
  uint64_t offset = shmkit_lua_check_natural(L, 2, "offset", INT64_MAX);
  (void)shmkit_lua_check_bytes(L, 3, NULL);
  lua_settop(L, 3);
  lua_pushvalue(L, 3);
  bool fixed = call(L, PACKSIZE, 4);
  shmkit_status status =
      fixed ? unpack_bytes(L, segment, offset, (uint64_t)lua_tointeger(L, 4))
            : unpack_variable(L, segment, offset, shmkit_lua_rest(segment, offset));
  if (status < 0) return shmkit_lua_fail(L, status);
  if (status == 0) return lua_gettop(L) - 3;
  if (!wants_more(L)) return reraise(L);
  shmkit_lua_push_address(L, segment);
  return luaL_error(L, "%s ends before what format '%s' finds at offset %I", lua_tostring(L, -1),
                    lua_tostring(L, 3), (LUAI_UACINT)offset);
}
