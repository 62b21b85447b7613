/* SPDX-License-Identifier: MIT */
/*
 * require "shmkit.core".
 *
 * SWIG's own start-up (SWIG_init) is never run: it writes globals, keeps a table of types that all
 * Lua states of the process share without a lock, and offers functions that take any pointer. What
 * is needed of it are two constant arrays of functions. Everything else lives in the Lua state, so
 * that states in different threads have nothing in common but the library itself.
 */
#include "binding.h"

LUALIB_API __attribute__((visibility("default"))) int luaopen_shmkit_core(lua_State *L);

void shmkit_lua_assemble(lua_State *L, const shmkit_lua_functions *functions) {
  static const luaL_Reg by_hand[] = {{"mutex_open", shmkit_lua_mutex_open},
                                     {"event_open", shmkit_lua_event_open},
                                     {"wait_any", shmkit_lua_wait_any},
                                     {NULL, NULL}};
  shmkit_lua_open_pack(L);
  shmkit_lua_open_segment(L, functions->segment);
  shmkit_lua_open_view(L);
  shmkit_lua_open_inspect(L);
  shmkit_lua_open_mutex(L, functions->mutex);
  shmkit_lua_open_event(L, functions->event);
  lua_newtable(L);
  luaL_setfuncs(L, functions->module, 0);
  luaL_setfuncs(L, by_hand, 0);
}

int luaopen_shmkit_core(lua_State *L) {
  luaL_checkversion(L);
  shmkit_lua_push_module(L);
  return 1;
}
