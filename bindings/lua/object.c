/* SPDX-License-Identifier: MIT */
#include "binding.h"

void shmkit_lua_new_class(lua_State *L, const void *key, const char *name) {
  lua_newtable(L);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  /* Whoever could get at __gc could call it on anything. */
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void shmkit_lua_set_methods(lua_State *L, int class, const luaL_Reg *functions) {
  class = lua_absindex(L, class);
  for (; functions->name != NULL; functions++) {
    lua_pushvalue(L, class);
    lua_pushcclosure(L, functions->func, 1);
    lua_setfield(L, -2, functions->name);
  }
}

void *shmkit_lua_check_self(lua_State *L, int index, const char *name) {
  void *object = lua_touserdata(L, index);
  if (object != NULL && lua_getmetatable(L, index)) {
    int same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (same) return object;
  }
  luaL_typeerror(L, index, name);
  return NULL;
}

void *shmkit_lua_test_object(lua_State *L, int index, const void *key) {
  void *object = lua_touserdata(L, index);
  if (object == NULL || !lua_getmetatable(L, index)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? object : NULL;
}
