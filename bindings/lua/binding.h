/* SPDX-License-Identifier: MIT */
/*
 * What the files of the Lua module share. SWIG's wrappers (shmkit.i) call these from typemaps; the
 * files that bind by hand call them directly.
 *
 * OBJECTS. A Segment in Lua is a userdata that holds one pointer. Methods are closures whose first
 * upvalue is the metatable of their class: comparing it with the object's own is a check of self
 * that costs next to nothing and that no value from Lua can pass by accident or by design.
 *
 * ERRORS. Functions called *_check_* raise a Lua error and do not return when the argument is
 * wrong. Nothing that needs freeing is ever held across them, or across anything else that may
 * raise.
 *
 * FINALIZERS. Any call into Lua that allocates may run finalizers, and these may close any segment.
 * A pointer into a segment's memory therefore lives only between two such calls.
 */
#ifndef SHMKIT_LUA_BINDING_H
#define SHMKIT_LUA_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include <shmkit/shmkit.h>

#include "../fields.h"

/* ---- Arguments (argument.c) ----------------------------------------------------------------- */

/* An integer in 0..most; floats with an integral value count, strings do not. NULL when fine,
 * else what is wrong with it, left on the Lua stack. */
const char *shmkit_lua_to_natural(lua_State *L, int index, uint64_t most, uint64_t *out);

/* The same for an argument; `name` is the parameter's, for the message. */
uint64_t shmkit_lua_check_natural(lua_State *L, int index, const char *name, uint64_t most);

/* The same; nil and none give `absent`. */
uint64_t shmkit_lua_opt_natural(lua_State *L, int index, const char *name, uint64_t absent);

/* Any integer, as the 64 bits that it is. */
uint64_t shmkit_lua_check_bits(lua_State *L, int index, const char *name);

/* A string; numbers are not strings. */
const char *shmkit_lua_check_bytes(lua_State *L, int index, size_t *length);

/* A string without NUL bytes. */
const char *shmkit_lua_check_text(lua_State *L, int index, const char *name);

/* The same, as to_natural. */
const char *shmkit_lua_to_text(lua_State *L, int index, const char **out);

/* A type, by its name. */
shmkit_type shmkit_lua_check_type(lua_State *L, int index);

/* ---- Options (options.c) -------------------------------------------------------------------- */

/* A field that a table of options may have; an entry without a name ends a list of them. */
typedef struct shmkit_lua_option {
  const char *name;
  /* It is a flag, or has a function that reads the value at `index` into `out`. It leaves NULL, or
   * what is wrong with the value on the Lua stack. */
  uint32_t flag;
  const char *(*read)(lua_State *L, int index, void *out);
} shmkit_lua_option;

/* Read a table of options, by what is known of them; nil and none give nothing. */
void shmkit_lua_read_options(lua_State *L, int index, const shmkit_lua_option *known,
                             uint32_t *flags, void *out);

/* For a function that reads an option and points into its string: that must outlive the table, which
 * a finalizer could empty. Keeps it on the stack, below the key that the reading goes on from. */
void shmkit_lua_keep_option(lua_State *L, int index);

/* A table of options into `storage`; NULL for nil and none. `content` points into the table. */
const shmkit_segment_options *shmkit_lua_check_options(lua_State *L, int index,
                                                       shmkit_segment_options *storage);

/* The options of send: flags. */
uint32_t shmkit_lua_check_send_options(lua_State *L, int index);

/* A list of seals by name. */
uint32_t shmkit_lua_check_seals(lua_State *L, int index);

/* A table that is a list of names and has each name as a key too. */
void shmkit_lua_push_seals(lua_State *L, uint32_t present);

/* ---- Results (result.c) --------------------------------------------------------------------- */

/* A status other than 0: raise for misuse, else push nil, message, errno. Returns how many. */
int shmkit_lua_fail(lua_State *L, shmkit_status status);

/* Whether a failure may be different after a garbage collection, and then do one. */
bool shmkit_lua_collect_after(lua_State *L, shmkit_status status);

/* Raise the last failure of this thread, whatever it was. */
int shmkit_lua_raise(lua_State *L);

void shmkit_lua_push_creator(lua_State *L, const shmkit_creator *creator);

/* ---- Objects (object.c) --------------------------------------------------------------------- */

/* Push a new metatable with __name, hidden from Lua, and register it under `key`. */
void shmkit_lua_new_class(lua_State *L, const void *key, const char *name);

/* Set functions into the table on top, as closures with the metatable at `class` as first
 * upvalue. */
void shmkit_lua_set_methods(lua_State *L, int class, const luaL_Reg *functions);

/* Self of the running method. */
void *shmkit_lua_check_self(lua_State *L, int index, const char *name);

/* An argument of a class that need not be the running method's; NULL when it is something else. */
void *shmkit_lua_test_object(lua_State *L, int index, const void *key);

/* ---- Segment (segment.c, pack.c) ------------------------------------------------------------ */

/* The userdata. It outlives the segment, so that views can ask whether that is there. */
typedef struct shmkit_lua_segment {
  /* NULL before it is made and after the finalizer. A closed segment is still there. */
  shmkit_segment *segment;
} shmkit_lua_segment;

/* Push a Segment and return where its pointer goes. Pushed before the segment is made, so that
 * running out of memory cannot leak one. */
shmkit_segment **shmkit_lua_new_segment(lua_State *L);

shmkit_segment *shmkit_lua_check_segment(lua_State *L, int index);

/* Push what names a segment in messages: its address, printable. */
void shmkit_lua_push_address(lua_State *L, const shmkit_segment *segment);

/* Push a string of `length` bytes at `offset` and return 0; a status and nothing pushed when that
 * cannot be. */
shmkit_status shmkit_lua_push_content(lua_State *L, shmkit_segment *segment, uint64_t offset,
                                      uint64_t length);

/* The bytes from `offset` to the end. */
uint64_t shmkit_lua_rest(const shmkit_segment *segment, uint64_t offset);

/* Register the class; its methods are SWIG's and those written by hand. */
void shmkit_lua_open_segment(lua_State *L, const luaL_Reg *swig_methods);

int shmkit_lua_pack(lua_State *L);
int shmkit_lua_unpack(lua_State *L);
/* Remember string.pack and its kind before a script can replace them. */
void shmkit_lua_open_pack(lua_State *L);

/* ---- Listings, limits (inspect.c) ----------------------------------------------------------- */

/* Tables of options into `storage`, flags. */
const shmkit_listing_options *shmkit_lua_check_listing_options(lua_State *L, int index,
                                                               shmkit_listing_options *storage);
const shmkit_gc_options *shmkit_lua_check_gc_options(lua_State *L, int index,
                                                     shmkit_gc_options *storage);
uint32_t shmkit_lua_check_stat_options(lua_State *L, int index);
uint32_t shmkit_lua_check_remove_options(lua_State *L, int index);

/* Push an object that owns what is put there, until it has become plain data. */
shmkit_listing **shmkit_lua_new_listing(lua_State *L);
shmkit_limits **shmkit_lua_new_limits(lua_State *L);
/* Push it as plain data, and free it. */
void shmkit_lua_push_listing(lua_State *L, shmkit_listing **listing);
void shmkit_lua_push_limits(lua_State *L, shmkit_limits **limits);
void shmkit_lua_open_inspect(lua_State *L);

/* ---- Waiting for each other (sync.c, mutex.c, event.c) --------------------------------------- */

/* Seconds as nanoseconds; nil and none wait for ever. */
int64_t shmkit_lua_opt_timeout(lua_State *L, int index);
/* The same, as to_natural. */
const char *shmkit_lua_to_timeout(lua_State *L, int index, int64_t *out);

/* A wait in slices: between them hooks run, which is how Ctrl-C reaches a script, and a signal is
 * seen that came between two system calls. */
typedef struct shmkit_lua_wait {
  int64_t timeout;
  int64_t deadline;
} shmkit_lua_wait;
shmkit_lua_wait shmkit_lua_wait_begin(int64_t timeout);
/* How long to wait next, in nanoseconds; 0: it is over. May raise, and may run anything before. */
int64_t shmkit_lua_wait_next(lua_State *L, const shmkit_lua_wait *self);

/* Push nil, message, errno for a wait that was in vain; returns how many. */
int shmkit_lua_timed_out(lua_State *L);

/* A new Segment of the options at index 2 and the address at 1, for an object that has one of its
 * own. A status and the Segment on the stack. */
shmkit_status shmkit_lua_open_own_segment(lua_State *L, shmkit_segment **out);

/* Return the failure to make that object, and close the segment; its name goes if it was made for it. */
int shmkit_lua_fail_in_own_segment(lua_State *L, shmkit_status status, shmkit_segment *segment);

/* Push a Mutex of the segment at `segment` and return where its pointer goes. */
shmkit_mutex **shmkit_lua_new_mutex(lua_State *L, int segment);
shmkit_mutex *shmkit_lua_check_mutex(lua_State *L, int index);
void shmkit_lua_push_mutex_state(lua_State *L, const shmkit_mutex_state *state);
/* Register the classes; the function of the module is set into the table on top. */
void shmkit_lua_open_mutex(lua_State *L, const luaL_Reg *swig_methods);
int shmkit_lua_mutex_open(lua_State *L);

/* The same for events. */
shmkit_event **shmkit_lua_new_event(lua_State *L, int segment);
shmkit_event *shmkit_lua_check_event(lua_State *L, int index);
void shmkit_lua_open_event(lua_State *L, const luaL_Reg *swig_methods);
int shmkit_lua_event_open(lua_State *L);
int shmkit_lua_wait_any(lua_State *L);

/* ---- Views (view.c) ------------------------------------------------------------------------- */

int shmkit_lua_view(lua_State *L);
void shmkit_lua_open_view(lua_State *L);

/* ---- The module (shmkit.i, module.c) -------------------------------------------------------- */

/* Push the module's table, by way of SWIG's generated file, which knows its functions ... */
void shmkit_lua_push_module(lua_State *L);
/* ... and gives them to this. */
typedef struct shmkit_lua_functions {
  const luaL_Reg *module, *segment, *mutex, *event;
} shmkit_lua_functions;
void shmkit_lua_assemble(lua_State *L, const shmkit_lua_functions *functions);

#endif
