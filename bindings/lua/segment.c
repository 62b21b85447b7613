/* SPDX-License-Identifier: MIT */
/* Class Segment: the object's life, and the methods that SWIG has no words for. */
#include "binding.h"

static const char class_key;
#define CLASS_NAME "shmkit.Segment"

shmkit_segment **shmkit_lua_new_segment(lua_State *L) {
  shmkit_lua_segment *self = lua_newuserdatauv(L, sizeof *self, 0);
  self->segment = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
  lua_setmetatable(L, -2);
  return &self->segment;
}

static shmkit_lua_segment *check_box(lua_State *L, int index) {
  return shmkit_lua_check_self(L, index, CLASS_NAME);
}

shmkit_segment *shmkit_lua_check_segment(lua_State *L, int index) {
  shmkit_segment *segment = check_box(L, index)->segment;
  /* Other objects' finalizers may still hold it when its own has run. */
  if (segment == NULL) luaL_argerror(L, index, "attempt to use a finalized " CLASS_NAME);
  return segment;
}

static int segment_gc(lua_State *L) {
  shmkit_lua_segment *self = check_box(L, 1);
  shmkit_segment *segment = self->segment;
  self->segment = NULL;
  shmkit_segment_free(segment);
  return 0;
}

/* close and __close; the latter also gets the error that ended the scope, which is not ours. */
static int segment_close(lua_State *L) {
  shmkit_segment *segment = check_box(L, 1)->segment;
  if (segment != NULL) shmkit_segment_close(segment);
  return 0;
}

static int segment_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)shmkit_segment_size(shmkit_lua_check_segment(L, 1)));
  return 1;
}

void shmkit_lua_push_address(lua_State *L, const shmkit_segment *segment) {
  static const char digits[] = "0123456789abcdef";
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (const char *p = shmkit_segment_address(segment); *p != '\0'; p++) {
    unsigned char byte = (unsigned char)*p;
    if (byte >= 0x20 && byte != 0x7f) {
      luaL_addchar(&text, *p);
    } else {
      luaL_addstring(&text, "\\x");
      luaL_addchar(&text, digits[byte >> 4]);
      luaL_addchar(&text, digits[byte & 15]);
    }
  }
  luaL_pushresult(&text);
}

static int segment_tostring(lua_State *L) {
  const shmkit_segment *segment = check_box(L, 1)->segment;
  if (segment == NULL) {
    lua_pushliteral(L, CLASS_NAME ": finalized");
    return 1;
  }
  shmkit_lua_push_address(L, segment);
  const char *address = lua_tostring(L, -1);
  if (shmkit_segment_closed(segment)) {
    lua_pushfstring(L, CLASS_NAME ": %s, closed", address);
  } else {
    lua_pushfstring(L, CLASS_NAME ": %s, %I bytes%s", address,
                    (LUAI_UACINT)shmkit_segment_size(segment),
                    shmkit_segment_readonly(segment) ? ", read-only" : "");
  }
  return 1;
}

shmkit_status shmkit_lua_push_content(lua_State *L, shmkit_segment *segment, uint64_t offset,
                                      uint64_t length) {
  size_t count = length < SIZE_MAX ? (size_t)length : SIZE_MAX;
  /* No memory for a length from nowhere: the library refuses it before it would touch any. */
  if (count > shmkit_segment_size(segment)) {
    return shmkit_segment_read(segment, offset, NULL, count);
  }
  luaL_Buffer buffer;
  char *bytes = luaL_buffinitsize(L, &buffer, count);
  shmkit_status status = shmkit_segment_read(segment, offset, bytes, count);
  luaL_pushresultsize(&buffer, status == 0 ? count : 0);
  if (status != 0) lua_pop(L, 1);
  return status;
}

uint64_t shmkit_lua_rest(const shmkit_segment *segment, uint64_t offset) {
  size_t size = shmkit_segment_size(segment);
  return offset < size ? size - offset : 0;
}

static int segment_read(lua_State *L) {
  shmkit_segment *segment = shmkit_lua_check_segment(L, 1);
  uint64_t offset = shmkit_lua_opt_natural(L, 2, "offset", 0);
  uint64_t length = shmkit_lua_opt_natural(L, 3, "n", shmkit_lua_rest(segment, offset));
  shmkit_status status = shmkit_lua_push_content(L, segment, offset, length);
  return status == 0 ? 1 : shmkit_lua_fail(L, status);
}

static const luaL_Reg methods[] = {{"close", segment_close},  {"read", segment_read},
                                   {"pack", shmkit_lua_pack}, {"unpack", shmkit_lua_unpack},
                                   {"view", shmkit_lua_view}, {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__gc", segment_gc},
                                       {"__close", segment_close},
                                       {"__len", segment_length},
                                       {"__tostring", segment_tostring},
                                       {NULL, NULL}};

void shmkit_lua_open_segment(lua_State *L, const luaL_Reg *swig_methods) {
  shmkit_lua_new_class(L, &class_key, CLASS_NAME);
  shmkit_lua_set_methods(L, -1, metamethods);
  lua_newtable(L);
  shmkit_lua_set_methods(L, -2, swig_methods);
  shmkit_lua_set_methods(L, -2, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
