/* SPDX-License-Identifier: MIT */
/*
 * Class Event. Waiting looks first, then sleeps until the sequence has changed from what it was when
 * the call began, so that nothing is missed between two slices of the wait.
 */
#include "binding.h"

static const char class_key = 0;
#define CLASS_NAME "shmkit.Event"

/* The userdata; its user value is the Segment. */
typedef struct lua_event {
  /* NULL before it is made and after its end. */
  shmkit_event *event;
  bool owns_segment;
} lua_event;

static lua_event *new_event(lua_State *L, int segment) {
  segment = lua_absindex(L, segment);
  lua_event *self = lua_newuserdatauv(L, sizeof *self, 1);
  *self = (lua_event){0};
  lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, segment);
  lua_setiuservalue(L, -2, 1);
  return self;
}

shmkit_event **shmkit_lua_new_event(lua_State *L, int segment) {
  return &new_event(L, segment)->event;
}

static lua_event *check_box(lua_State *L, int index) {
  return shmkit_lua_check_self(L, index, CLASS_NAME);
}

shmkit_event *shmkit_lua_check_event(lua_State *L, int index) {
  shmkit_event *event = check_box(L, index)->event;
  if (event == NULL) luaL_argerror(L, index, "attempt to use a closed " CLASS_NAME);
  return event;
}

/* ---- Its life ------------------------------------------------------------------------------- */

static int event_close(lua_State *L) {
  lua_event *self = check_box(L, 1);
  shmkit_event *event = self->event;
  if (event == NULL) return 0;
  shmkit_segment *own = self->owns_segment ? shmkit_event_segment(event) : NULL;
  self->event = NULL;
  shmkit_event_free(event);
  if (own != NULL) shmkit_segment_close(own);
  return 0;
}

static int event_closed(lua_State *L) {
  lua_pushboolean(L, check_box(L, 1)->event == NULL);
  return 1;
}

int shmkit_lua_event_open(lua_State *L) {
  shmkit_segment *segment = NULL;
  shmkit_status status = shmkit_lua_open_own_segment(L, &segment);
  if (status != 0) return shmkit_lua_fail(L, status);
  lua_event *self = new_event(L, -1);
  status = shmkit_segment_event(segment, 0, &self->event);
  self->owns_segment = true;
  return status == 0 ? 1 : shmkit_lua_fail_in_own_segment(L, status, segment);
}

/* ---- Waiting for one ------------------------------------------------------------------------ */

/* What is waited for, and how long. */
typedef struct wait_request {
  uint64_t since;
  bool edge;
  int64_t timeout;
} wait_request;

static const char *to_since(lua_State *L, int index, void *out) {
  wait_request *self = out;
  self->edge = true;
  return shmkit_lua_to_natural(L, index, UINT32_MAX, &self->since);
}

static const char *to_timeout(lua_State *L, int index, void *out) {
  return shmkit_lua_to_timeout(L, index, &((wait_request *)out)->timeout);
}

static const shmkit_lua_option wait_options[] = {
    {"since", 0, to_since}, {"timeout", 0, to_timeout}, {NULL, 0, NULL}};

/* (self [, since [, timeout]]) or (self, {since=, timeout=}) */
static wait_request check_wanted(lua_State *L) {
  uint32_t flags = 0;
  wait_request self = {.timeout = SHMKIT_FOREVER};
  if (lua_istable(L, 2)) {
    shmkit_lua_read_options(L, 2, wait_options, &flags, &self);
    return self;
  }
  self.edge = !lua_isnoneornil(L, 2);
  if (self.edge) self.since = shmkit_lua_check_natural(L, 2, "since", UINT32_MAX);
  self.timeout = shmkit_lua_opt_timeout(L, 3);
  return self;
}

static shmkit_status wait_slowly(lua_State *L, uint32_t since, int64_t timeout) {
  int64_t slice;
  shmkit_lua_wait wait = shmkit_lua_wait_begin(timeout);
  while ((slice = shmkit_lua_wait_next(L, &wait)) != 0) {
    /* A hook may have closed it. */
    shmkit_status status = shmkit_event_wait_since(shmkit_lua_check_event(L, 1), since, slice);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) return status;
  }
  return SHMKIT_TIMEOUT;
}

static int event_wait(lua_State *L) {
  wait_request wanted = check_wanted(L);
  shmkit_event *event = shmkit_lua_check_event(L, 1);
  uint32_t since = wanted.edge ? (uint32_t)wanted.since : shmkit_event_sequence(event);
  shmkit_status status =
      wanted.edge ? shmkit_event_wait_since(event, since, 0) : shmkit_event_wait(event, 0);
  if (status == SHMKIT_TIMEOUT && wanted.timeout != 0)
    status = wait_slowly(L, since, wanted.timeout);
  if (status == SHMKIT_TIMEOUT) return shmkit_lua_timed_out(L);
  if (status < 0) return shmkit_lua_fail(L, status);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- Waiting for several -------------------------------------------------------------------- */

typedef struct wait_any {
  size_t count;
  bool level;
  shmkit_event *events[SHMKIT_WAIT_ANY_MAX];
  uint32_t since[SHMKIT_WAIT_ANY_MAX];
} wait_any;

static shmkit_event *check_element(lua_State *L, size_t i) {
  lua_rawgeti(L, 1, (lua_Integer)i + 1);
  const lua_event *self = shmkit_lua_test_object(L, -1, &class_key);
  shmkit_event *event = self != NULL ? self->event : NULL;
  if (event == NULL)
    luaL_argerror(L, 1, lua_pushfstring(L, "element %d is no open " CLASS_NAME, (int)i + 1));
  lua_pop(L, 1);
  return event;
}

/* The events in the list at 1, which the script may have changed meanwhile. */
static void take_events(lua_State *L, wait_any *self) {
  for (size_t i = 0; i < self->count; i++) self->events[i] = check_element(L, i);
}

/* The list of sequences at 3; else what they are now. */
static void take_since(lua_State *L, wait_any *self) {
  for (size_t i = 0; i < self->count; i++) {
    uint64_t value = 0;
    if (self->level) {
      self->since[i] = shmkit_event_sequence(self->events[i]);
      continue;
    }
    lua_rawgeti(L, 3, (lua_Integer)i + 1);
    const char *problem = shmkit_lua_to_natural(L, -1, UINT32_MAX, &value);
    if (problem != NULL)
      luaL_argerror(L, 3, lua_pushfstring(L, "element %d: %s", (int)i + 1, problem));
    self->since[i] = (uint32_t)value;
    lua_pop(L, 1);
  }
}

static shmkit_status wait_any_slowly(lua_State *L, wait_any *self, int64_t timeout, size_t *which) {
  int64_t slice;
  shmkit_lua_wait wait = shmkit_lua_wait_begin(timeout);
  while ((slice = shmkit_lua_wait_next(L, &wait)) != 0) {
    take_events(L, self);
    shmkit_status status =
        shmkit_event_wait_any(self->events, self->count, self->since, slice, which);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) return status;
  }
  return SHMKIT_TIMEOUT;
}

/* (events [, timeout [, since]]) -> event, index */
int shmkit_lua_wait_any(lua_State *L) {
  wait_any self = {.level = lua_isnoneornil(L, 3)};
  size_t which = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  if (!self.level) luaL_checktype(L, 3, LUA_TTABLE);
  int64_t timeout = shmkit_lua_opt_timeout(L, 2);
  self.count = (size_t)lua_rawlen(L, 1);
  if (self.count > SHMKIT_WAIT_ANY_MAX)
    return shmkit_lua_fail(L, shmkit_event_wait_any(NULL, self.count, NULL, 0, &which));
  take_events(L, &self);
  take_since(L, &self);
  shmkit_status status =
      shmkit_event_wait_any(self.events, self.count, self.level ? NULL : self.since, 0, &which);
  if (status == SHMKIT_TIMEOUT && timeout != 0) status = wait_any_slowly(L, &self, timeout, &which);
  if (status == SHMKIT_TIMEOUT) return shmkit_lua_timed_out(L);
  if (status < 0) return shmkit_lua_fail(L, status);
  lua_rawgeti(L, 1, (lua_Integer)which + 1);
  lua_pushinteger(L, (lua_Integer)which + 1);
  return 2;
}

/* ---- The class ------------------------------------------------------------------------------ */

static int event_segment(lua_State *L) {
  (void)check_box(L, 1);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

static int event_tostring(lua_State *L) {
  const lua_event *self = check_box(L, 1);
  if (self->event == NULL) {
    lua_pushliteral(L, CLASS_NAME ": closed");
    return 1;
  }
  shmkit_lua_push_address(L, shmkit_event_segment(self->event));
  lua_pushfstring(L, CLASS_NAME ": %s, offset %I%s", lua_tostring(L, -1),
                  (LUAI_UACINT)shmkit_event_offset(self->event),
                  shmkit_event_is_set(self->event) ? ", set" : "");
  return 1;
}

static const luaL_Reg methods[] = {{"wait", event_wait},
                                   {"segment", event_segment},
                                   {"close", event_close},
                                   {"closed", event_closed},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", event_close}, {"__close", event_close}, {"__tostring", event_tostring}, {NULL, NULL}};

void shmkit_lua_open_event(lua_State *L, const luaL_Reg *swig_methods) {
  shmkit_lua_new_class(L, &class_key, CLASS_NAME);
  shmkit_lua_set_methods(L, -1, metamethods);
  lua_newtable(L);
  shmkit_lua_set_methods(L, -2, swig_methods);
  shmkit_lua_set_methods(L, -2, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
