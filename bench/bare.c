/* SPDX-License-Identifier: MIT */
/* Module "bare": the least that a C function for Lua can do, as measure of a method call. */
#include <lauxlib.h>

__attribute__((visibility("default"))) int luaopen_bare(lua_State *L);

/* length(s): #s */
static int bare_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
  return 1;
}

int luaopen_bare(lua_State *L) {
  static const luaL_Reg functions[] = {{"length", bare_length}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
