/* SPDX-License-Identifier: MIT */
/*
 * Class View: elements of one type in a segment's memory, indexed from 1.
 *
 * A view keeps its Segment object alive (as its user value) but not its mapping: each access asks
 * the segment whether the memory is still there. Slices share the memory.
 */
#include <limits.h>

#include "binding.h"
#include "element.h"

static const char class_key;
#define CLASS_NAME "shmkit.View"

typedef struct {
  const void *class; /* &class_key */
  const shmkit_lua_segment *owner;
  unsigned char *data; /* the first element; there only while the segment's size says so */
  uint64_t offset;     /* of it, in bytes */
  uint64_t count;
  size_t size; /* of an element */
  shmkit_type type;
  bool readonly;
} view;

/* No structure of anybody else's takes an odd number of bytes. */
enum { VIEW_SIZE = sizeof(view) + 1 };

/* Elements `first`, counted from 0, to `first + count`. */
typedef struct {
  uint64_t first, count;
} range;

static const view *check_view(lua_State *L) {
  return shmkit_lua_check_self(L, 1, CLASS_NAME);
}

/* Push a view over elements that are known to exist; the Segment is at `owner`. */
static void push_view(lua_State *L, int owner, const view *content) {
  owner = lua_absindex(L, owner);
  view *self = lua_newuserdatauv(L, VIEW_SIZE, 1);
  *self = *content;
  lua_pushvalue(L, owner);
  lua_setiuservalue(L, -2, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key);
  lua_setmetatable(L, -2);
}

/* segment:view(type [, offset [, count]]) */
int shmkit_lua_view(lua_State *L) {
  const shmkit_segment *segment = shmkit_lua_check_segment(L, 1);
  shmkit_type type = shmkit_lua_check_type(L, 2);
  uint64_t offset = shmkit_lua_opt_natural(L, 3, "offset", 0);
  uint64_t count = shmkit_lua_opt_natural(L, 4, "count", SHMKIT_REST);
  shmkit_span span;
  shmkit_status status = shmkit_segment_view(segment, type, offset, count, &span);
  if (status != 0) return shmkit_lua_fail(L, status);
  view content = {.class = &class_key,
                  .owner = lua_touserdata(L, 1),
                  .data = span.data,
                  .offset = offset,
                  .count = span.count,
                  .size = shmkit_type_size(type),
                  .type = type,
                  .readonly = shmkit_segment_readonly(segment)};
  push_view(L, 1, &content);
  return 1;
}

/* ---- Memory --------------------------------------------------------------------------------- */

/* The memory from element `first` on is not there for `count` elements: say why. */
static int raise_unavailable(lua_State *L, const view *self, range elements) {
  const shmkit_segment *segment = self->owner->segment;
  if (segment == NULL) return luaL_error(L, "attempt to use a view of a finalized segment");
  shmkit_span span;
  shmkit_status status = shmkit_segment_view(
      segment, self->type, self->offset + elements.first * self->size, elements.count, &span);
  if (status != 0) return shmkit_lua_raise(L);
  return luaL_error(L, "the segment changed while it was accessed");
}

/* The first of these elements, anywhere when they are none. Raises when they are not accessible any
 * more. Good until the next call into Lua that can run a finalizer. */
static unsigned char *memory(lua_State *L, const view *self, range elements) {
  const shmkit_segment *segment = self->owner->segment;
  uint64_t end = self->offset + (elements.first + elements.count) * self->size;
  /* A segment's memory never moves, and its size is 0 once it is closed. Nothing at the very
   * beginning of a closed one would still pass. */
  if (segment == NULL || end > shmkit_segment_size(segment) ||
      (elements.count == 0 && shmkit_segment_closed(segment))) {
    raise_unavailable(L, self, elements);
  }
  return self->data + elements.first * self->size;
}

static void push_at(lua_State *L, const view *self, uint64_t index) {
  shmkit_lua_push_element(L, self->type, memory(L, self, (range){index, 1}));
}

static void check_writable(lua_State *L, const view *self) {
  if (!self->readonly) return;
  const shmkit_segment *segment = self->owner->segment;
  if (segment == NULL) raise_unavailable(L, self, (range){0, 0});
  shmkit_lua_push_address(L, segment);
  luaL_error(L, "cannot write to %s: it is open for reading only", lua_tostring(L, -1));
}

/* ---- Elements ------------------------------------------------------------------------------- */

/* The key at 2 as an index counted from 0; false when there is no such element. Floats with an
 * integral value arrive as floats. */
static bool to_index(lua_State *L, const view *self, uint64_t *out) {
  int exact = 0;
  lua_Integer key = lua_tointegerx(L, 2, &exact);
  *out = (uint64_t)key - 1;
  return exact && *out < self->count;
}

/* Self of an access to an element. Lua itself gives a view, but the debug library can get at the
 * metamethods. What is inside tells a view from anything else; comparing metatables would make v[i]
 * slower than string.unpack. Only a userdata has a length and an address here. */
static const view *check_accessed(lua_State *L) {
  const view *self = lua_touserdata(L, 1);
  if (self == NULL || lua_rawlen(L, 1) != VIEW_SIZE || self->class != &class_key) {
    luaL_typeerror(L, 1, CLASS_NAME);
  }
  return self;
}

/* Upvalue 2 is the table of methods. */
static int view_index(lua_State *L) {
  const view *self = check_accessed(L);
  if (lua_type(L, 2) != LUA_TNUMBER) {
    lua_rawget(L, lua_upvalueindex(2));
    return 1;
  }
  uint64_t index = 0;
  if (to_index(L, self, &index)) {
    push_at(L, self, index);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static int view_newindex(lua_State *L) {
  const view *self = check_accessed(L);
  uint64_t index = 0, bits = 0;
  if (lua_type(L, 2) != LUA_TNUMBER || !to_index(L, self, &index)) {
    return luaL_error(L, "index %s of a view is not in 1..%I", luaL_tolstring(L, 2, NULL),
                      (LUAI_UACINT)self->count);
  }
  check_writable(L, self);
  const char *problem = shmkit_lua_to_element(L, 3, self->type, &bits);
  if (problem != NULL) return luaL_error(L, "element %I: %s", (LUAI_UACINT)index + 1, problem);
  shmkit_lua_store(memory(L, self, (range){index, 1}), self->size, bits);
  return 0;
}

static int view_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_view(L)->count);
  return 1;
}

/* ---- Bulk ----------------------------------------------------------------------------------- */

/* Arguments i, j at `index` select elements as string.sub selects bytes: counted from 1 or, when
 * negative, from the end; corrected to what there is. */
static range opt_range(lua_State *L, const view *self, int index) {
  lua_Integer count = (lua_Integer)self->count;
  lua_Integer ends[2] = {1, -1};
  for (int k = 0; k < 2; k++) {
    if (lua_isnoneornil(L, index + k)) continue;
    if (lua_type(L, index + k) != LUA_TNUMBER) luaL_typeerror(L, index + k, "integer");
    ends[k] = luaL_checkinteger(L, index + k);
  }
  lua_Integer first = ends[0], last = ends[1];
  if (first < 0) first = first < -count ? 1 : count + first + 1;
  if (first == 0) first = 1;
  if (last < 0) last = last < -count ? 0 : count + last + 1;
  if (last > count) last = count;
  if (first > last) return (range){0, 0};
  return (range){(uint64_t)first - 1, (uint64_t)(last - first) + 1};
}

/* view:totable([i [, j]]) */
static int view_totable(lua_State *L) {
  const view *self = check_view(L);
  range elements = opt_range(L, self, 2);
  (void)memory(L, self, elements);
  if (elements.count > INT_MAX) return luaL_error(L, "too many elements for a table");
  lua_createtable(L, (int)elements.count, 0);
  for (uint64_t k = 0; k < elements.count; k++) {
    push_at(L, self, elements.first + k);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  return 1;
}

/* view:slice([i [, j]]) */
static int view_slice(lua_State *L) {
  const view *self = check_view(L);
  range elements = opt_range(L, self, 2);
  (void)memory(L, self, elements);
  view content = *self;
  content.data += elements.first * self->size;
  content.offset += elements.first * self->size;
  content.count = elements.count;
  lua_getiuservalue(L, 1, 1);
  push_view(L, -1, &content);
  return 1;
}

/* view:fill(value [, i [, j]]) */
static int view_fill(lua_State *L) {
  const view *self = check_view(L);
  uint64_t bits = 0;
  check_writable(L, self);
  const char *problem = shmkit_lua_to_element(L, 2, self->type, &bits);
  if (problem != NULL) luaL_argerror(L, 2, problem);
  range elements = opt_range(L, self, 3);
  unsigned char *to = memory(L, self, elements);
  for (uint64_t k = 0; k < elements.count; k++) {
    shmkit_lua_store(to + k * self->size, self->size, bits);
  }
  return 0;
}

static void set_from_table(lua_State *L, const view *self, range elements) {
  uint64_t bits = 0;
  /* All or nothing: look at every value before the first is written. Raw access: no code of the
   * user runs between. */
  for (uint64_t k = 0; k < elements.count; k++) {
    lua_rawgeti(L, 2, (lua_Integer)k + 1);
    const char *problem = shmkit_lua_to_element(L, -1, self->type, &bits);
    if (problem != NULL) {
      luaL_argerror(L, 2, lua_pushfstring(L, "element %I: %s", (LUAI_UACINT)k + 1, problem));
    }
    lua_pop(L, 1);
  }
  unsigned char *to = memory(L, self, elements);
  for (uint64_t k = 0; k < elements.count; k++) {
    lua_rawgeti(L, 2, (lua_Integer)k + 1);
    (void)shmkit_lua_to_element(L, -1, self->type, &bits);
    shmkit_lua_store(to + k * self->size, self->size, bits);
    lua_pop(L, 1);
  }
}

static void set_from_view(lua_State *L, const view *self, range elements, const view *source) {
  const unsigned char *from = memory(L, source, (range){0, elements.count});
  unsigned char *to = memory(L, self, elements);
  size_t size = self->size;
  /* As memmove, element by element: the two may overlap. */
  bool backwards = from < to;
  for (uint64_t k = 0; k < elements.count; k++) {
    uint64_t at = (backwards ? elements.count - 1 - k : k) * size;
    shmkit_lua_store(to + at, size, shmkit_lua_load(from + at, size));
  }
}

static void set_from_string(lua_State *L, const view *self, range elements) {
  const unsigned char *from = (const unsigned char *)lua_tostring(L, 2);
  unsigned char *to = memory(L, self, elements);
  for (uint64_t k = 0; k < elements.count; k++) shmkit_lua_store(to + k, 1, from[k]);
}

/* view:set(source [, first]); the source is a table, a view of the same type or, for char and u8, a
 * string. Writes all of it or nothing. */
static int view_set(lua_State *L) {
  const view *self = check_view(L);
  const view *source = shmkit_lua_test_object(L, 2, &class_key);
  bool bytes = self->type == SHMKIT_CHAR || self->type == SHMKIT_U8;
  range elements = {0, 0};
  if (source != NULL) {
    luaL_argcheck(L, source->type == self->type, 2, "view of another type");
    elements.count = source->count;
  } else {
    bool string = bytes && lua_type(L, 2) == LUA_TSTRING;
    if (!string && !lua_istable(L, 2)) {
      luaL_typeerror(L, 2, bytes ? "table, view or string" : "table or view");
    }
    elements.count = lua_rawlen(L, 2);
  }
  uint64_t first = shmkit_lua_opt_natural(L, 3, "first", 1);
  luaL_argcheck(L, first >= 1, 3, "first: elements count from 1");
  elements.first = first - 1;
  if (elements.first > self->count || elements.count > self->count - elements.first) {
    return luaL_error(L, "%I elements from %I on do not fit into a view of %I",
                      (LUAI_UACINT)elements.count, (LUAI_UACINT)first, (LUAI_UACINT)self->count);
  }
  check_writable(L, self);
  if (source != NULL) {
    set_from_view(L, self, elements, source);
  } else if (lua_istable(L, 2)) {
    set_from_table(L, self, elements);
  } else {
    set_from_string(L, self, elements);
  }
  return 0;
}

/* ---- About it ------------------------------------------------------------------------------- */

static int view_type(lua_State *L) {
  lua_pushstring(L, shmkit_type_name(check_view(L)->type));
  return 1;
}

static int view_offset(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_view(L)->offset);
  return 1;
}

static int view_segment(lua_State *L) {
  (void)check_view(L);
  lua_getiuservalue(L, 1, 1);
  return 1;
}

static int view_tostring(lua_State *L) {
  const view *self = check_view(L);
  const shmkit_segment *segment = self->owner->segment;
  if (segment == NULL) {
    lua_pushliteral(L, CLASS_NAME ": of a finalized segment");
    return 1;
  }
  shmkit_lua_push_address(L, segment);
  lua_pushfstring(L, CLASS_NAME ": %s[%I] at %I of %s%s", shmkit_type_name(self->type),
                  (LUAI_UACINT)self->count, (LUAI_UACINT)self->offset, lua_tostring(L, -1),
                  shmkit_segment_closed(segment) ? ", closed" : "");
  return 1;
}

static const luaL_Reg methods[] = {
    {"fill", view_fill},   {"offset", view_offset},   {"segment", view_segment}, {"set", view_set},
    {"slice", view_slice}, {"totable", view_totable}, {"type", view_type},       {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__newindex", view_newindex},
                                       {"__len", view_length},
                                       {"__tostring", view_tostring},
                                       {NULL, NULL}};

void shmkit_lua_open_view(lua_State *L) {
  shmkit_lua_new_class(L, &class_key, CLASS_NAME);
  shmkit_lua_set_methods(L, -1, metamethods);
  lua_pushvalue(L, -1);
  lua_newtable(L);
  shmkit_lua_set_methods(L, -3, methods);
  lua_pushcclosure(L, view_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
