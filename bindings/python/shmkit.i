/* SPDX-License-Identifier: MIT */
/*
 * shmkit.native: what the hand-written package python/shmkit stands on. Users never see it.
 *
 * Only translation happens here. Conversions, the object's slots and errors are C functions of the
 * files beside this one, declared in glue.h.
 */
%module(package="shmkit", threads="1") native

%{
#include <shmkit/shmkit.h>

#include "glue.h"
%}

%include <stdint.i>

/* ---- Blocking calls: release the GIL; after a signal, run its handler and go on (PEP 475) ----- */

%nothread;

%define SHMKIT_BLOCKING(function)
%thread function;
%exception function {
  do {
    $action
  } while (result == -EINTR && PyErr_CheckSignals() == 0);
}
%enddef

SHMKIT_BLOCKING(shmkit_segment_create)
SHMKIT_BLOCKING(shmkit_segment_open)
SHMKIT_BLOCKING(shmkit_segment_open_or_create)
SHMKIT_BLOCKING(shmkit_segment_receive)
SHMKIT_BLOCKING(shmkit_unlink)
SHMKIT_BLOCKING(shmkit_listing_take)
SHMKIT_BLOCKING(shmkit_listing_stat)
SHMKIT_BLOCKING(shmkit_remove)
SHMKIT_BLOCKING(shmkit_gc)
SHMKIT_BLOCKING(shmkit_limits_take)
SHMKIT_BLOCKING(shmkit_segment::grow)
SHMKIT_BLOCKING(shmkit_segment::send)
SHMKIT_BLOCKING(shmkit_segment::unlink)

/* ---- The type --------------------------------------------------------------------------------- */

%rename(Segment) shmkit_segment;
%rename(Mutex) shmkit_mutex;
%rename(Event) shmkit_event;

/* Garbage-collected, so that a cycle through an instance's attributes does not keep its mapping.
 * Compared by identity: SWIG's comparison and hash take all half-made objects for the same. */
%define SHMKIT_OBJECT(type, functions)
%feature("python:tp_flags") type "Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC";
%feature("python:tp_init") type #functions "_init";
%feature("python:tp_dealloc") type #functions "_dealloc";
%feature("python:tp_traverse") type #functions "_traverse";
%feature("python:tp_clear") type "shmkit_python_clear";
%feature("python:tp_repr") type #functions "_repr";
%feature("python:tp_richcompare") type "0";
%feature("python:tp_hash") type "shmkit_python_hash";
%enddef
SHMKIT_OBJECT(shmkit_segment, shmkit_python)
SHMKIT_OBJECT(shmkit_mutex, shmkit_python_mutex)
SHMKIT_OBJECT(shmkit_event, shmkit_python_event)
%feature("python:bf_getbuffer") shmkit_segment "shmkit_python_getbuffer";
%feature("python:bf_releasebuffer") shmkit_segment "shmkit_python_releasebuffer";
%feature("python:mp_length") shmkit_segment "shmkit_python_length";
%feature("python:mp_subscript") shmkit_segment "shmkit_python_subscript";
%feature("python:mp_ass_subscript") shmkit_segment "shmkit_python_assign_subscript";
%feature("python:sq_length") shmkit_segment "shmkit_python_length";
%feature("python:sq_item") shmkit_segment "shmkit_python_item";

/* What C says without arguments is a property: `size` calls shmkit_segment_size. */
%define SHMKIT_PROPERTY(type, name)
%immutable;
type name;
%mutable;
%enddef
%{
#define shmkit_segment_address_get(self) shmkit_segment_address(self)
#define shmkit_segment_name_get(self) shmkit_segment_name(self)
#define shmkit_segment_kind_get(self) shmkit_segment_kind(self)
#define shmkit_segment_lifetime_get(self) shmkit_segment_lifetime(self)
#define shmkit_segment_size_get(self) shmkit_segment_size(self)
#define shmkit_segment_capacity_get(self) shmkit_segment_capacity(self)
#define shmkit_segment_readonly_get(self) shmkit_segment_readonly(self)
#define shmkit_segment_created_get(self) shmkit_segment_created(self)
#define shmkit_segment_closed_get(self) shmkit_segment_closed(self)
#define shmkit_segment_pins_get(self) shmkit_segment_pins(self)
#define shmkit_mutex_offset_get(self) shmkit_mutex_offset(self)
#define shmkit_event_offset_get(self) shmkit_event_offset(self)
#define shmkit_event_sequence_get(self) shmkit_event_sequence(self)
%}
%rename(views) shmkit_segment::pins;

/* The hand-written class gives these a better form. */
%rename(_close) shmkit_segment::close;
%rename(_seal) shmkit_segment::seal;
%rename(_seals) shmkit_segment::seals;
%rename(_creator) shmkit_segment::creator;
%rename(_send) shmkit_segment::send;
%rename(_look) shmkit_mutex::look;
/* mutex.c and event.c have others that can make subclasses. */
%ignore shmkit_segment::mutex;
%ignore shmkit_segment::event;

%include "docs.i"

/* ---- Arguments -------------------------------------------------------------------------------- */

/* SWIG names the type of self both ways. */
%typemap(in, noblock=1) shmkit_segment *, struct shmkit_segment * {
  if (!($1 = shmkit_python_segment($input))) SWIG_fail;
}

%typemap(in, noblock=1) shmkit_mutex *, struct shmkit_mutex * {
  if (!($1 = shmkit_python_mutex($input))) SWIG_fail;
}

%typemap(in, noblock=1) shmkit_event *, struct shmkit_event * {
  if (!($1 = shmkit_python_event($input))) SWIG_fail;
}

%typemap(in, noblock=1) const char * (PyObject *text = NULL) {
  if (!(text = shmkit_python_text($input, "$1_name"))) SWIG_fail;
  $1 = PyBytes_AS_STRING(text);
}
%typemap(freearg, noblock=1) const char * {
  Py_XDECREF(text$argnum);
}
%typemap(in, noblock=1) const char *address (PyObject *text = NULL) {
  if (!(text = shmkit_python_address($input))) SWIG_fail;
  $1 = PyBytes_AS_STRING(text);
}

%typemap(in, noblock=1) uint64_t (uint64_t integer), uint32_t (uint64_t integer) {
  if (!shmkit_python_integer(self, args, $input, "$1_name", ($1_ltype)-1, &integer)) SWIG_fail;
  $1 = ($1_ltype)integer;
}

%typemap(in, noblock=1) shmkit_type type {
  if (!shmkit_python_type($input, &$1)) SWIG_fail;
}
/* Of atomics, whose type is the first argument after self. */
%typemap(in, noblock=1) uint64_t value, uint64_t expected {
  if (!shmkit_python_value(self, $input, "$1_name", arg2, &$1)) SWIG_fail;
}
%typemap(in, noblock=1) uint64_t addend {
  if (!shmkit_python_addend(self, $input, arg2, &$1)) SWIG_fail;
}
/* Python knows statuses as errno numbers. */
%typemap(in, noblock=1) shmkit_status status (uint64_t number) {
  if (!shmkit_python_integer(self, NULL, $input, "errno", INT_MAX, &number)) SWIG_fail;
  $1 = -(int)number;
}

/* The object whose method it is, for those that keep a reference to it. */
%typemap(in, numinputs=0, noblock=1) PyObject *object { $1 = self; }

%typemap(in, noblock=1) int socket {
  if (($1 = PyObject_AsFileDescriptor($input)) < 0) SWIG_fail;
}

%typemap(in, noblock=1) (const void *bytes, size_t length) (Py_buffer buffer = {0}) {
  if (PyObject_GetBuffer($input, &buffer, PyBUF_SIMPLE) < 0) SWIG_fail;
  $1 = buffer.buf;
  $2 = (size_t)buffer.len;
}
%typemap(freearg, noblock=1) (const void *bytes, size_t length) {
  PyBuffer_Release(&buffer$argnum);
}

%typemap(in, noblock=1) const shmkit_segment_options *options (shmkit_python_options given = {0}) {
  if (!shmkit_python_options_parse(self, args, $input, &given)) SWIG_fail;
  $1 = &given.options;
}
%typemap(freearg, noblock=1) const shmkit_segment_options *options {
  PyBuffer_Release(&given$argnum.content);
}

%typemap(in, noblock=1) const shmkit_listing_options *options (shmkit_listing_options given) {
  if (!shmkit_python_listing_options(self, $input, &given)) SWIG_fail;
  $1 = &given;
}
%typemap(in, noblock=1) const shmkit_gc_options *options (shmkit_python_gc_options given = {0}) {
  if (!shmkit_python_gc_options_parse(self, $input, &given)) SWIG_fail;
  $1 = &given.options;
}
%typemap(freearg, noblock=1) const shmkit_gc_options *options {
  Py_XDECREF(given$argnum.pattern);
}

/* ---- Results ---------------------------------------------------------------------------------- */

%typemap(out, noblock=1) shmkit_status {
  if ($1 != SHMKIT_OK) {
    shmkit_python_raise($1);
    SWIG_fail;
  }
  $result = Py_None;
  Py_INCREF($result);
}
%typemap(out, noblock=1) const char * { $result = PyUnicode_DecodeFSDefault($1); }
%typemap(out, noblock=1) shmkit_kind { $result = PyUnicode_FromString(shmkit_kind_name($1)); }
%typemap(out, noblock=1) shmkit_lifetime {
  $result = PyUnicode_FromString(shmkit_lifetime_name($1));
}
%typemap(out, noblock=1) size_t { $result = PyLong_FromSize_t($1); }
%typemap(out, noblock=1) uint64_t { $result = PyLong_FromUnsignedLongLong($1); }
%typemap(out, noblock=1) uint32_t { $result = PyLong_FromUnsignedLong($1); }
%typemap(out, noblock=1) bool { $result = PyBool_FromLong($1); }

/* Reached only after success: the typemap of the status leaves otherwise. */
%typemap(in, numinputs=0, noblock=1) shmkit_segment **out (shmkit_segment *made = NULL),
                                     shmkit_listing **out (shmkit_listing *made = NULL),
                                     shmkit_limits **out (shmkit_limits *made = NULL),
                                     int *out (int made),
                                     uint32_t *out (uint32_t made),
                                     uint64_t *out (uint64_t made),
                                     shmkit_mutex_state *out (shmkit_mutex_state made),
                                     shmkit_creator *out (shmkit_creator made) {
  $1 = &made;
}
%typemap(argout, noblock=1) shmkit_segment **out {
  Py_DECREF($result);
  $result = shmkit_python_wrap(*$1);
}
%typemap(argout, noblock=1) shmkit_listing **out {
  Py_DECREF($result);
  $result = shmkit_python_listing(*$1);
}
%typemap(argout, noblock=1) shmkit_limits **out {
  Py_DECREF($result);
  $result = shmkit_python_limits(*$1);
}
%typemap(argout, noblock=1) int *out, uint32_t *out {
  Py_DECREF($result);
  $result = PyLong_FromLong((long)*$1);
}
%typemap(argout, noblock=1) uint64_t *out {
  Py_DECREF($result);
  $result = shmkit_python_number(arg2, *$1);
}
%typemap(argout, noblock=1) shmkit_mutex_state *out {
  Py_DECREF($result);
  $result = shmkit_python_mutex_state($1);
}
%typemap(argout, noblock=1) shmkit_creator *out {
  Py_DECREF($result);
  $result = shmkit_python_creator($1);
}

/* ---- Left out --------------------------------------------------------------------------------- */

/* Python names types and kinds by strings and never sees their numbers, nor those of statuses. */
%ignore SHMKIT_OK;
%ignore SHMKIT_AGAIN;
%ignore shmkit_kind;
%ignore shmkit_kind_name;
%ignore shmkit_type;
%ignore shmkit_type_find;
%ignore shmkit_type_name;
/* The package has the names of lifetimes, which it takes. */
%ignore shmkit_lifetime_name;

/* ---- Declarations ----------------------------------------------------------------------------- */

/* Large copies let other threads run meanwhile; giving up the GIL for a small one costs more. */
%exception shmkit_segment::write {
  PyThreadState *released = arg4 >= SHMKIT_PYTHON_LARGE_COPY ? PyEval_SaveThread() : NULL;
  $action
  if (released) PyEval_RestoreThread(released);
}

%include "../shmkit.i"

/* Only for Python: the functions are shmkit_segment_python_<name> in access.c and buffer.c. */
%rename(read) shmkit_segment::python_read;
%rename(view) shmkit_segment::python_view;
%feature("kwargs") shmkit_segment::python_read;
%feature("kwargs") shmkit_segment::python_view;
%extend shmkit_segment {
  PyObject *python_read(PyObject *object, PyObject *offset = NULL, PyObject *size = NULL);
  PyObject *python_view(PyObject *object, PyObject *type, PyObject *offset = NULL,
                        PyObject *count = NULL);
}

%exception shmkit_python_register {
  $action
  if (PyErr_Occurred()) SWIG_fail;
}
void shmkit_python_register(PyObject *segment_type, PyObject *make_error,
                            PyObject *make_not_held);

PyObject *shmkit_python_wait_any(PyObject *events, PyObject *since, PyObject *timeout);

uint32_t shmkit_kinds_find(const char *name);

/* ---- The object's pointer, which only code beside SWIG's runtime can reach -------------------- */

%wrapper %{
shmkit_segment **shmkit_python_pointer(PyObject *self) {
  return (shmkit_segment **)&((SwigPyObject *)self)->ptr;
}

shmkit_python_sync **shmkit_python_sync_pointer(PyObject *self) {
  return (shmkit_python_sync **)&((SwigPyObject *)self)->ptr;
}
%}

%init %{
  PyDict_DelItemString(PyModule_GetDict(m), "__all__");
  shmkit_python_prepare(PyModule_GetDict(m));
%}
