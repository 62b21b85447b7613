/* SPDX-License-Identifier: MIT */
/* What mutexes and events share: timeouts, waits that can be interrupted, segments of their own. */
#include <math.h>
#include <time.h>

#include "binding.h"

/* Beyond this many seconds, nanoseconds do not fit: longer than any program runs. */
#define LONGEST 9e9
/* How late a signal is seen that came while no system call was under way. */
#define SLICE INT64_C(100000000)

const char *shmkit_lua_to_timeout(lua_State *L, int index, int64_t *out) {
  if (lua_type(L, index) != LUA_TNUMBER)
    return lua_pushfstring(L, "timeout in seconds expected, got %s", luaL_typename(L, index));
  lua_Number seconds = lua_tonumber(L, index);
  if (!(seconds >= 0))
    return lua_pushfstring(L, "a timeout is 0 seconds or more, or nil: got %f", seconds);
  *out = seconds >= LONGEST ? SHMKIT_FOREVER : (int64_t)(seconds * 1e9);
  /* What was more than nothing is not nothing. */
  if (*out == 0 && seconds > 0) *out = 1;
  return NULL;
}

int64_t shmkit_lua_opt_timeout(lua_State *L, int index) {
  int64_t timeout = SHMKIT_FOREVER;
  if (lua_isnoneornil(L, index)) return timeout;
  const char *problem = shmkit_lua_to_timeout(L, index, &timeout);
  if (problem != NULL) luaL_argerror(L, index, problem);
  return timeout;
}

static int64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

shmkit_lua_wait shmkit_lua_wait_begin(int64_t timeout) {
  int64_t begin = timeout > 0 ? now() : 0;
  int64_t deadline = timeout > INT64_MAX - begin ? INT64_MAX : begin + timeout;
  return (shmkit_lua_wait){.timeout = timeout, .deadline = deadline};
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* The interpreter's handler of SIGINT sets a hook, which raises at the next call of a function. */
static void run_hooks(lua_State *L) {
  if (lua_gethook(L) == NULL) return;
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
}

int64_t shmkit_lua_wait_next(lua_State *L, const shmkit_lua_wait *self) {
  run_hooks(L);
  if (self->timeout <= 0) return self->timeout == 0 ? 0 : SLICE;
  int64_t left = self->deadline - now();
  if (left <= 0) return 0;
  return left < SLICE ? left : SLICE;
}

int shmkit_lua_timed_out(lua_State *L) {
  luaL_pushfail(L);
  lua_pushliteral(L, "timed out");
  lua_pushinteger(L, ETIMEDOUT);
  return 3;
}

shmkit_status shmkit_lua_open_own_segment(lua_State *L, shmkit_segment **out) {
  shmkit_segment_options storage;
  const char *address = shmkit_lua_check_text(L, 1, "address");
  const shmkit_segment_options *options = shmkit_lua_check_options(L, 2, &storage);
  shmkit_segment **segment = shmkit_lua_new_segment(L);
  shmkit_status status = shmkit_segment_open_or_create(address, SHMKIT_SYNC_SIZE, options, segment);
  if (shmkit_lua_collect_after(L, status))
    status = shmkit_segment_open_or_create(address, SHMKIT_SYNC_SIZE, options, segment);
  *out = *segment;
  return status;
}

int shmkit_lua_fail_in_own_segment(lua_State *L, shmkit_status status, shmkit_segment *segment) {
  int count = shmkit_lua_fail(L, status);
  if (shmkit_segment_created(segment)) (void)shmkit_segment_unlink(segment);
  shmkit_segment_close(segment);
  return count;
}
