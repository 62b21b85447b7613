/* SPDX-License-Identifier: MIT */
/* What C functions say, as Lua says it: misuse raises, the world's refusals are returned. */
#include "binding.h"

int shmkit_lua_raise(lua_State *L) {
  return luaL_error(L, "%s", shmkit_error_message());
}

int shmkit_lua_fail(lua_State *L, shmkit_status status) {
  if (shmkit_error_is_misuse(status)) return shmkit_lua_raise(L);
  luaL_pushfail(L);
  if (status > 0) {
    lua_pushliteral(L, "not ready yet: try again");
    lua_pushinteger(L, EAGAIN);
  } else {
    lua_pushstring(L, shmkit_error_message());
    lua_pushinteger(L, -status);
  }
  return 3;
}

bool shmkit_lua_collect_after(lua_State *L, shmkit_status status) {
  switch (status) {
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ENOSPC:
      /* -1 in a finalizer: it cannot collect. */
      return lua_gc(L, LUA_GCCOLLECT) == 0;
    default:
      return false;
  }
}

/* What is unknown is absent. */
static void set_number(lua_State *L, const char *key, uint64_t value) {
  if (value == 0) return;
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *value) {
  if (value[0] == '\0') return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

void shmkit_lua_push_creator(lua_State *L, const shmkit_creator *creator) {
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, creator->pid);
  lua_setfield(L, -2, "pid");
  set_number(L, "start", creator->start);
  set_number(L, "pid_namespace", creator->pid_namespace);
  set_text(L, "boot", creator->boot);
  set_text(L, "program", creator->program);
}
