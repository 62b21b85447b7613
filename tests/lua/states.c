/* SPDX-License-Identifier: MIT */
/*
 * Two Lua states in two threads, again and again: both load the module at the same moment, work on
 * one segment, and end with live objects. Silence and exit code 0 mean that all went well.
 */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 2, ROUNDS = 50 };

static pthread_barrier_t barrier;

static const char script[] =
    "local shm = require 'shmkit'\n"
    "local name = ...\n"
    "local seg = assert(shm.open_or_create(name, 4096))\n"
    "local view = seg:view('u64', 0, 8)\n"
    "for i = 1, 200 do\n"
    "  view[i % 8 + 1] = i\n"
    "  assert(math.type(view[i % 8 + 1]) == 'integer')\n"
    "  assert(seg:write(64, 'hello') and seg:read(64, 5) == 'hello')\n"
    "  assert(not pcall(seg.read, seg, 1 << 40, 1) and not pcall(shm.open, name, {nonsense = 1}))\n"
    "  assert(seg:unpack(64, 'c5z') == 'hello' and not shm.create(name, 1))\n"
    "  local closed <close> = assert(shm.open(name))\n"
    "end\n"
    /* What is left to lua_close, in an order of its choice. */
    "kept = {seg, view, setmetatable({}, {__gc = function() assert(pcall(tostring, view)) end})}\n"
    "assert(swig_type == nil and swig_equals == nil)\n";

/* A state of its own, from its first to its last moment in this thread. */
static void *run_state(void *argument) {
  const char *name = argument;
  lua_State *L = luaL_newstate();
  if (L == NULL) return (void *)"no memory";
  luaL_openlibs(L);
  int loaded = luaL_loadstring(L, script);
  lua_pushstring(L, name);
  (void)pthread_barrier_wait(&barrier);
  const char *problem = NULL;
  if (loaded != LUA_OK || lua_pcall(L, 1, 0, 0) != LUA_OK) {
    (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
    problem = "failed";
  }
  lua_close(L);
  return (void *)problem;
}

static int remove_segment(const char *name) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  int result = luaL_loadstring(L, "assert(require('shmkit').unlink(...))");
  lua_pushstring(L, name);
  if (result == LUA_OK) result = lua_pcall(L, 1, 0, 0);
  if (result != LUA_OK) (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return result;
}

int main(void) {
  char name[64];
  int result = EXIT_SUCCESS;
  (void)snprintf(name, sizeof name, "shmkit-lua-states-%d", (int)getpid());
  (void)pthread_barrier_init(&barrier, NULL, THREADS);
  for (int round = 0; round < ROUNDS && result == EXIT_SUCCESS; round++) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
      if (pthread_create(&threads[i], NULL, run_state, name) != 0) return EXIT_FAILURE;
    }
    for (int i = 0; i < THREADS; i++) {
      void *problem = NULL;
      (void)pthread_join(threads[i], &problem);
      if (problem != NULL) result = EXIT_FAILURE;
    }
  }
  (void)pthread_barrier_destroy(&barrier);
  return remove_segment(name) == LUA_OK ? result : EXIT_FAILURE;
}
