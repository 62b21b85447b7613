/* SPDX-License-Identifier: MIT */
/* Module "bare": the least that a C function for Lua can do, as measure of a method call. */
#include <lauxlib.h>

__attribute__((visibility("default"))) int luaopen_bare(lua_State *L);

/* length(s): #s */
static int bare_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
  return 1;
}

static int bare_nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* new(): an object with a method that does nothing. */
static int bare_new(lua_State *L) {
  (void)lua_newuserdatauv(L, 1, 0);
  luaL_setmetatable(L, "bare");
  return 1;
}

int luaopen_bare(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"length", bare_length}, {"nothing", bare_nothing}, {"new", bare_new}, {NULL, NULL}};
  luaL_newlib(L, functions);
  (void)luaL_newmetatable(L, "bare");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  return 1;
}
