/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "element.h"

/* Naturally aligned, so that each is one load or store on 64-bit machines, and what the compiler
 * has for it on others. Relaxed: an element is whole, and nothing is said about its neighbours. */
uint64_t shmkit_lua_load(const void *element, size_t size) {
  switch (size) {
    case 1:
      return __atomic_load_n((const uint8_t *)element, __ATOMIC_RELAXED);
    case 2:
      return __atomic_load_n((const uint16_t *)element, __ATOMIC_RELAXED);
    case 4:
      return __atomic_load_n((const uint32_t *)element, __ATOMIC_RELAXED);
    default:
      return __atomic_load_n((const uint64_t *)element, __ATOMIC_RELAXED);
  }
}

void shmkit_lua_store(void *element, size_t size, uint64_t bits) {
  switch (size) {
    case 1:
      __atomic_store_n((uint8_t *)element, (uint8_t)bits, __ATOMIC_RELAXED);
      break;
    case 2:
      __atomic_store_n((uint16_t *)element, (uint16_t)bits, __ATOMIC_RELAXED);
      break;
    case 4:
      __atomic_store_n((uint32_t *)element, (uint32_t)bits, __ATOMIC_RELAXED);
      break;
    default:
      __atomic_store_n((uint64_t *)element, bits, __ATOMIC_RELAXED);
  }
}

/* One branch for type and size: this is what v[i] waits for. */
#define LOAD(type) __atomic_load_n((const type *)element, __ATOMIC_RELAXED)

static void push_float(lua_State *L, uint32_t bits) {
  float value = 0;
  memcpy(&value, &bits, sizeof value);
  lua_pushnumber(L, (lua_Number)value);
}

static void push_double(lua_State *L, uint64_t bits) {
  double value = 0;
  memcpy(&value, &bits, sizeof value);
  lua_pushnumber(L, value);
}

static void push_char(lua_State *L, char byte) {
  lua_pushlstring(L, &byte, 1);
}

void shmkit_lua_push_element(lua_State *L, shmkit_type type, const void *element) {
  switch (type) {
    case SHMKIT_I8:
      lua_pushinteger(L, LOAD(int8_t));
      break;
    case SHMKIT_I16:
      lua_pushinteger(L, LOAD(int16_t));
      break;
    case SHMKIT_I32:
      lua_pushinteger(L, LOAD(int32_t));
      break;
    case SHMKIT_I64:
      lua_pushinteger(L, LOAD(int64_t));
      break;
    case SHMKIT_U8:
      lua_pushinteger(L, LOAD(uint8_t));
      break;
    case SHMKIT_U16:
      lua_pushinteger(L, LOAD(uint16_t));
      break;
    case SHMKIT_U32:
      lua_pushinteger(L, LOAD(uint32_t));
      break;
    case SHMKIT_U64:
      lua_pushinteger(L, (lua_Integer)LOAD(uint64_t));
      break;
    case SHMKIT_F32:
      push_float(L, LOAD(uint32_t));
      break;
    case SHMKIT_F64:
      push_double(L, LOAD(uint64_t));
      break;
    case SHMKIT_BOOL:
      lua_pushboolean(L, LOAD(uint8_t) != 0);
      break;
    case SHMKIT_CHAR:
      push_char(L, (char)LOAD(uint8_t));
  }
}

/* The range of an integer type that is narrower than Lua's. */
static void integer_range(shmkit_type type, lua_Integer *least, lua_Integer *most) {
  int bits = 8 * (int)shmkit_type_size(type);
  if (type >= SHMKIT_I8 && type <= SHMKIT_I64) {
    *most = INT64_MAX >> (64 - bits);
    *least = -*most - 1;
  } else {
    *most = (lua_Integer)(UINT64_MAX >> (64 - bits));
    *least = 0;
  }
}

static const char *wrong_type(lua_State *L, int index, const char *expected) {
  return lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, index));
}

static const char *to_integer(lua_State *L, int index, shmkit_type type, uint64_t *bits) {
  if (lua_type(L, index) != LUA_TNUMBER) return wrong_type(L, index, "integer");
  int exact = 0;
  lua_Integer value = lua_tointegerx(L, index, &exact);
  if (!exact) return lua_pushfstring(L, "integer expected, got %f", lua_tonumber(L, index));
  if (type != SHMKIT_I64 && type != SHMKIT_U64) {
    lua_Integer least = 0, most = 0;
    integer_range(type, &least, &most);
    if (value < least || value > most) {
      return lua_pushfstring(L, "%I is outside of %s, %I to %I", value, shmkit_type_name(type),
                             least, most);
    }
  }
  *bits = (uint64_t)value;
  return NULL;
}

static const char *to_number(lua_State *L, int index, shmkit_type type, uint64_t *bits) {
  if (lua_type(L, index) != LUA_TNUMBER) return wrong_type(L, index, "number");
  double value = lua_tonumber(L, index);
  if (type == SHMKIT_F32) {
    float narrow = (float)value;
    uint32_t low = 0;
    memcpy(&low, &narrow, sizeof low);
    *bits = low;
  } else {
    memcpy(bits, &value, sizeof *bits);
  }
  return NULL;
}

const char *shmkit_lua_to_element(lua_State *L, int index, shmkit_type type, uint64_t *bits) {
  size_t length = 0;
  switch (type) {
    case SHMKIT_F32:
    case SHMKIT_F64:
      return to_number(L, index, type, bits);
    case SHMKIT_BOOL:
      if (!lua_isboolean(L, index)) return wrong_type(L, index, "boolean");
      *bits = (uint64_t)lua_toboolean(L, index);
      return NULL;
    case SHMKIT_CHAR:
      if (lua_type(L, index) != LUA_TSTRING) return wrong_type(L, index, "string of one byte");
      const char *text = lua_tolstring(L, index, &length);
      if (length != 1) {
        return lua_pushfstring(L, "string of one byte expected, got %I bytes", (LUAI_UACINT)length);
      }
      *bits = (unsigned char)text[0];
      return NULL;
    default:
      return to_integer(L, index, type, bits);
  }
}
