/* SPDX-License-Identifier: MIT */
/*
 * Lua: how arguments and results of the common interface are converted. All logic is in the C files
 * beside this one.
 */
%module shmkit_core
%include <stdint.i>

%{
#include "binding.h"

/* Lua drops arguments that are too many and takes missing ones for nil: each is checked below. */
#undef SWIG_check_num_args
#define SWIG_check_num_args(function, least, most)
/* SWIG's start-up stays unused, see module.c: only its hook for %init is called. */
#undef SWIG_init
#define SWIG_init shmkit_lua_unused_init
#undef SWIG_init_user
#define SWIG_init_user shmkit_lua_push_module
%}

/* ---- In ------------------------------------------------------------------------------------- */

%typemap(in) struct shmkit_segment *self, const struct shmkit_segment *self
  "$1 = shmkit_lua_check_segment(L, $input);"
%typemap(in) struct shmkit_mutex *self, const struct shmkit_mutex *self
  "$1 = shmkit_lua_check_mutex(L, $input);"
%typemap(in) struct shmkit_event *self, const struct shmkit_event *self
  "$1 = shmkit_lua_check_event(L, $input);"
%typemap(in) const char * %{ $1 = (char *)shmkit_lua_check_text(L, $input, "$1_name"); %}
%typemap(in) uint64_t %{ $1 = shmkit_lua_check_natural(L, $input, "$1_name", UINT64_MAX); %}
%typemap(in) uint64_t value, uint64_t addend, uint64_t expected
  %{ $1 = shmkit_lua_check_bits(L, $input, "$1_name"); %}
%typemap(in) int socket %{ $1 = (int)shmkit_lua_check_natural(L, $input, "$1_name", INT32_MAX); %}
%typemap(in) uint32_t flags "$1 = shmkit_lua_check_send_options(L, $input);"
%typemap(in) uint32_t seals "$1 = shmkit_lua_check_seals(L, $input);"
%typemap(in) shmkit_type type "$1 = shmkit_lua_check_type(L, $input);"
%typemap(in) (const void *bytes, size_t length)
  "$1 = (void *)shmkit_lua_check_bytes(L, $input, &$2);"
%typemap(in) const shmkit_segment_options *options (shmkit_segment_options storage)
  "$1 = (shmkit_segment_options *)shmkit_lua_check_options(L, $input, &storage);"
%typemap(in) const shmkit_listing_options *options (shmkit_listing_options storage)
  "$1 = (shmkit_listing_options *)shmkit_lua_check_listing_options(L, $input, &storage);"
%typemap(in) const shmkit_gc_options *options (shmkit_gc_options storage)
  "$1 = (shmkit_gc_options *)shmkit_lua_check_gc_options(L, $input, &storage);"
%typemap(in) uint32_t stat_flags "$1 = shmkit_lua_check_stat_options(L, $input);"
%typemap(in) uint32_t remove_flags "$1 = shmkit_lua_check_remove_options(L, $input);"
/* Lua knows statuses as errno numbers. */
%typemap(in) shmkit_status status
  %{ $1 = -(int)shmkit_lua_check_natural(L, $input, "errno", INT32_MAX); %}

/* ---- Results -------------------------------------------------------------------------------- */

/* Failure ends the function here. Done is true, unless an output takes its place: Lua returns what
 * is on top. */
%typemap(out) shmkit_status %{
  if ($1 != 0) return shmkit_lua_fail(L, $1);
  lua_pushboolean(L, 1);
  SWIG_arg = 1;
%}
%typemap(out) size_t, uint64_t, uint32_t "lua_pushinteger(L, (lua_Integer)$1); SWIG_arg = 1;"
%typemap(out) shmkit_kind "lua_pushstring(L, shmkit_kind_name($1)); SWIG_arg = 1;"
%typemap(out) shmkit_lifetime "lua_pushstring(L, shmkit_lifetime_name($1)); SWIG_arg = 1;"

/* The object is made before the call, as `check` runs when every argument is in. It lies below the
 * status then. */
%typemap(in, numinputs=0) shmkit_segment **out ""
%typemap(check) shmkit_segment **out "$1 = shmkit_lua_new_segment(L);"
%typemap(argout) shmkit_segment **out "lua_pop(L, 1);"
/* These keep the segment that they are in, self. */
%typemap(in, numinputs=0) shmkit_mutex **out, shmkit_event **out ""
%typemap(check) shmkit_event **out "$1 = shmkit_lua_new_event(L, 1);"
%typemap(argout) shmkit_event **out "lua_pop(L, 1);"
%typemap(check) shmkit_mutex **out "$1 = shmkit_lua_new_mutex(L, 1);"
%typemap(argout) shmkit_mutex **out "lua_pop(L, 1);"
/* What owns them while they become tables, since that may raise. */
%typemap(in, numinputs=0) shmkit_listing **out, shmkit_limits **out ""
%typemap(check) shmkit_limits **out "$1 = shmkit_lua_new_limits(L);"
%typemap(argout) shmkit_limits **out "shmkit_lua_push_limits(L, $1);"
%typemap(check) shmkit_listing **out "$1 = shmkit_lua_new_listing(L);"
%typemap(argout) shmkit_listing **out "shmkit_lua_push_listing(L, $1);"

%typemap(in, numinputs=0) int *out (int value) "$1 = &value;"
%typemap(argout) int *out "lua_pushinteger(L, *$1);"
%typemap(in, numinputs=0) uint64_t *out (uint64_t value) "$1 = &value;"
%typemap(argout) uint64_t *out "lua_pushinteger(L, (lua_Integer)*$1);"
%typemap(in, numinputs=0) uint32_t *out (uint32_t value) "$1 = &value;"
%typemap(argout) uint32_t *out "shmkit_lua_push_seals(L, *$1);"
%typemap(in, numinputs=0) shmkit_mutex_state *out (shmkit_mutex_state value) "$1 = &value;"
%typemap(argout) shmkit_mutex_state *out "shmkit_lua_push_mutex_state(L, $1);"
%typemap(in, numinputs=0) shmkit_creator *out (shmkit_creator value) "$1 = &value;"
%typemap(argout) shmkit_creator *out "shmkit_lua_push_creator(L, $1);"

/* ---- Out of something ----------------------------------------------------------------------- */

/* Segments that a script has forgotten hold descriptors and memory, of which the collector sees
 * nothing: when these run out, collect, and try once more. */
%define SHMKIT_COLLECT_AND_RETRY(function)
%exception function %{
  $action
  if (shmkit_lua_collect_after(L, result)) { $action }
%}
%enddef
SHMKIT_COLLECT_AND_RETRY(shmkit_segment_create)
SHMKIT_COLLECT_AND_RETRY(shmkit_segment_open)
SHMKIT_COLLECT_AND_RETRY(shmkit_segment_open_or_create)
SHMKIT_COLLECT_AND_RETRY(shmkit_listing_take)
SHMKIT_COLLECT_AND_RETRY(shmkit_listing_stat)
SHMKIT_COLLECT_AND_RETRY(shmkit_remove)
SHMKIT_COLLECT_AND_RETRY(shmkit_gc)

/* ---- Left out ------------------------------------------------------------------------------- */

/* Lua names types, kinds and lifetimes by strings and never sees their numbers. */
%ignore shmkit_type_find;
%ignore shmkit_type_name;
%ignore shmkit_kind_name;
%ignore shmkit_lifetime_name;
/* Views do not pin: they look whether the segment is open. */
%ignore shmkit_segment::pins;
/* Also a metamethod, see segment.c. */
%ignore shmkit_segment::close;

%include "../shmkit.i"

%init %{
  shmkit_lua_assemble(L, &(const shmkit_lua_functions){.module = swig_SwigModule_methods,
                                                       .segment = swig_shmkit_segment_methods,
                                                       .mutex = swig_shmkit_mutex_methods,
                                                       .event = swig_shmkit_event_methods});
%}
