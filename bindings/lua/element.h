/* SPDX-License-Identifier: MIT */
/*
 * One element of a view: Lua value <-> bits <-> memory.
 *
 *   i8 ... u32    integers; what does not fit is refused
 *   u64           integers; values from 2^63 on are negative in Lua, as its own integers wrap
 *   f32 f64       numbers
 *   bool          booleans; any byte but 0 reads as true
 *   char          strings of one byte
 */
#ifndef SHMKIT_LUA_ELEMENT_H
#define SHMKIT_LUA_ELEMENT_H

#include <lua.h>

#include <shmkit/type.h>

/* Push the element there. Others may be writing it: it is read in one piece, but orders nothing. */
void shmkit_lua_push_element(lua_State *L, shmkit_type type, const void *element);

/* The bits of an element of `size` bytes, and back, in one piece each. */
uint64_t shmkit_lua_load(const void *element, size_t size);
void shmkit_lua_store(void *element, size_t size, uint64_t bits);

/* NULL when fine, else what is wrong with the value, left on the Lua stack. */
const char *shmkit_lua_to_element(lua_State *L, int index, shmkit_type type, uint64_t *bits);

#endif
