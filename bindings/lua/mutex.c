/* SPDX-License-Identifier: MIT */
/*
 * Class Mutex, and the guard that unlocks it at the end of a block.
 *
 * A Lua state is for one thread, which holds a mutex once at most. So each mutex has one guard, made
 * with it, and locking makes no garbage.
 */
#include "binding.h"

static const char class_key = 0, guard_key = 0;
#define CLASS_NAME "shmkit.Mutex"
#define GUARD_NAME "shmkit.Guard"

/* The userdata; its user values are the guard and the Segment. */
enum { GUARD = 1, SEGMENT = 2 };
typedef struct lua_mutex {
  /* &class_key, by which a method knows it at less cost than by its metatable. */
  const void *class;
  /* NULL before it is made and after its end. A closed one that is held is still there. */
  shmkit_mutex *mutex;
  bool owns_segment;
  bool closed;
  /* Locked through this object and not unlocked; what the last lock told. */
  bool held;
  bool owner_died;
} lua_mutex;

/* The guard's user value is the mutex. */
typedef struct lua_guard {
  lua_mutex *mutex;
} lua_guard;

static void set_class(lua_State *L, const void *key) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_setmetatable(L, -2);
}

static lua_mutex *new_mutex(lua_State *L, int segment) {
  segment = lua_absindex(L, segment);
  lua_mutex *self = lua_newuserdatauv(L, sizeof *self, 2);
  *self = (lua_mutex){.class = &class_key};
  set_class(L, &class_key);
  lua_pushvalue(L, segment);
  lua_setiuservalue(L, -2, SEGMENT);
  lua_guard *guard = lua_newuserdatauv(L, sizeof *guard, 1);
  guard->mutex = self;
  set_class(L, &guard_key);
  lua_pushvalue(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_setiuservalue(L, -2, GUARD);
  return self;
}

shmkit_mutex **shmkit_lua_new_mutex(lua_State *L, int segment) {
  return &new_mutex(L, segment)->mutex;
}

/* Its length is asked first: only what is as long has a class to look at. */
static lua_mutex *check_box(lua_State *L, int index) {
  lua_mutex *self = lua_touserdata(L, index);
  if (self == NULL || lua_rawlen(L, index) != sizeof *self || self->class != &class_key)
    luaL_typeerror(L, index, CLASS_NAME);
  return self;
}

static lua_mutex *check_open(lua_State *L, int index) {
  lua_mutex *self = check_box(L, index);
  if (self->mutex == NULL || self->closed) {
    luaL_argerror(L, index, "attempt to use a closed " CLASS_NAME);
  }
  return self;
}

shmkit_mutex *shmkit_lua_check_mutex(lua_State *L, int index) {
  return check_open(L, index)->mutex;
}

/* ---- Its life ------------------------------------------------------------------------------- */

static void end(lua_mutex *self) {
  shmkit_mutex *mutex = self->mutex;
  if (mutex == NULL) return;
  shmkit_segment *own = self->owns_segment ? shmkit_mutex_segment(mutex) : NULL;
  self->mutex = NULL;
  shmkit_mutex_free(mutex);
  if (own != NULL) shmkit_segment_close(own);
}

static int mutex_gc(lua_State *L) {
  end(check_box(L, 1));
  return 0;
}

/* Not in a child of who has locked it, and not when it was unlocked through another object. */
static bool is_held(const lua_mutex *self) {
  shmkit_mutex_state state;
  return self->held && (shmkit_mutex_look(self->mutex, &state) != 0 || state.mine);
}

/* close and __close. Who holds it can unlock it still. */
static int mutex_close(lua_State *L) {
  lua_mutex *self = check_box(L, 1);
  if (self->mutex == NULL) return 0;
  self->closed = true;
  self->held = is_held(self);
  if (!self->held) end(self);
  return 0;
}

static int mutex_closed(lua_State *L) {
  const lua_mutex *self = check_box(L, 1);
  lua_pushboolean(L, self->closed || self->mutex == NULL);
  return 1;
}

int shmkit_lua_mutex_open(lua_State *L) {
  shmkit_segment *segment = NULL;
  shmkit_status status = shmkit_lua_open_own_segment(L, &segment);
  if (status != 0) return shmkit_lua_fail(L, status);
  lua_mutex *self = new_mutex(L, -1);
  status = shmkit_segment_mutex(segment, 0, &self->mutex);
  self->owns_segment = true;
  return status == 0 ? 1 : shmkit_lua_fail_in_own_segment(L, status, segment);
}

/* ---- Locking -------------------------------------------------------------------------------- */

static shmkit_status lock_slowly(lua_State *L, int64_t timeout) {
  int64_t slice;
  shmkit_lua_wait wait = shmkit_lua_wait_begin(timeout);
  while ((slice = shmkit_lua_wait_next(L, &wait)) != 0) {
    /* A hook may have closed it. */
    shmkit_status status = shmkit_mutex_lock(check_open(L, 1)->mutex, slice);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) return status;
  }
  return SHMKIT_TIMEOUT;
}

static int lock(lua_State *L, lua_mutex *self, int64_t timeout) {
  /* Tried first, for it never sleeps: what is uncontended needs no clock. */
  shmkit_status status = shmkit_mutex_lock(self->mutex, 0);
  if (status == SHMKIT_TIMEOUT && timeout != 0) status = lock_slowly(L, timeout);
  if (status == SHMKIT_TIMEOUT) return shmkit_lua_timed_out(L);
  if (status == -EDEADLK) return shmkit_lua_raise(L);
  if (status < 0) return shmkit_lua_fail(L, status);
  self->held = true;
  self->owner_died = status == SHMKIT_OWNER_DIED;
  lua_getiuservalue(L, 1, GUARD);
  return 1;
}

static int mutex_lock(lua_State *L) {
  int64_t timeout = lua_gettop(L) < 2 ? SHMKIT_FOREVER : shmkit_lua_opt_timeout(L, 2);
  return lock(L, check_open(L, 1), timeout);
}

static int mutex_try_lock(lua_State *L) {
  return lock(L, check_open(L, 1), 0);
}

static int unlock(lua_State *L, lua_mutex *self) {
  shmkit_status status = shmkit_mutex_unlock(self->mutex);
  if (status != 0) return shmkit_lua_raise(L);
  self->held = false;
  if (self->closed) end(self);
  return 0;
}

static int mutex_unlock(lua_State *L) {
  lua_mutex *self = check_box(L, 1);
  return unlock(L, self->held ? self : check_open(L, 1));
}

/* ---- Looking -------------------------------------------------------------------------------- */

static int mutex_locked(lua_State *L) {
  shmkit_mutex_state state;
  shmkit_status status = shmkit_mutex_look(shmkit_lua_check_mutex(L, 1), &state);
  if (status != 0) return shmkit_lua_fail(L, status);
  lua_pushboolean(L, state.locked);
  return 1;
}

void shmkit_lua_push_mutex_state(lua_State *L, const shmkit_mutex_state *state) {
  lua_createtable(L, 0, 4);
  lua_pushboolean(L, state->locked);
  lua_setfield(L, -2, "locked");
  lua_pushboolean(L, state->mine);
  lua_setfield(L, -2, "mine");
  lua_pushboolean(L, state->owner_died);
  lua_setfield(L, -2, "owner_died");
  lua_pushinteger(L, state->identity);
  lua_setfield(L, -2, "identity");
}

static int mutex_owner_died(lua_State *L) {
  lua_pushboolean(L, check_box(L, 1)->owner_died);
  return 1;
}

static int mutex_segment(lua_State *L) {
  (void)check_box(L, 1);
  lua_getiuservalue(L, 1, SEGMENT);
  return 1;
}

static int mutex_tostring(lua_State *L) {
  const lua_mutex *self = check_box(L, 1);
  if (self->mutex == NULL) {
    lua_pushliteral(L, CLASS_NAME ": closed");
    return 1;
  }
  shmkit_lua_push_address(L, shmkit_mutex_segment(self->mutex));
  lua_pushfstring(L, CLASS_NAME ": %s, offset %I%s", lua_tostring(L, -1),
                  (LUAI_UACINT)shmkit_mutex_offset(self->mutex), self->held ? ", locked" : "");
  return 1;
}

/* ---- The guard ------------------------------------------------------------------------------ */

static lua_mutex *check_guard(lua_State *L) {
  return ((lua_guard *)shmkit_lua_check_self(L, 1, GUARD_NAME))->mutex;
}

/* The end of the block; who has unlocked it before has nothing left to end. */
static int guard_close(lua_State *L) {
  lua_mutex *self = check_guard(L);
  return self->held && self->mutex != NULL ? unlock(L, self) : 0;
}

static int guard_owner_died(lua_State *L) {
  lua_pushboolean(L, check_guard(L)->owner_died);
  return 1;
}

static const luaL_Reg methods[] = {
    {"lock", mutex_lock},     {"try_lock", mutex_try_lock},     {"unlock", mutex_unlock},
    {"locked", mutex_locked}, {"owner_died", mutex_owner_died}, {"segment", mutex_segment},
    {"close", mutex_close},   {"closed", mutex_closed},         {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", mutex_gc}, {"__close", mutex_close}, {"__tostring", mutex_tostring}, {NULL, NULL}};

static const luaL_Reg guard_methods[] = {
    {"unlock", guard_close}, {"owner_died", guard_owner_died}, {NULL, NULL}};

static const luaL_Reg guard_metamethods[] = {{"__close", guard_close}, {NULL, NULL}};

void shmkit_lua_open_mutex(lua_State *L, const luaL_Reg *swig_methods) {
  shmkit_lua_new_class(L, &class_key, CLASS_NAME);
  shmkit_lua_set_methods(L, -1, metamethods);
  lua_newtable(L);
  shmkit_lua_set_methods(L, -2, swig_methods);
  shmkit_lua_set_methods(L, -2, methods);
  lua_setfield(L, -2, "__index");
  shmkit_lua_new_class(L, &guard_key, GUARD_NAME);
  shmkit_lua_set_methods(L, -1, guard_metamethods);
  lua_newtable(L);
  shmkit_lua_set_methods(L, -2, guard_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 2);
}
