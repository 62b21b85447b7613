/* SPDX-License-Identifier: MIT */
/*
 * What the generated wrappers of shmkit.native call, and what they give to the files here.
 *
 * As everywhere in CPython: a function that returns NULL, 0 for "no" or -1 has set an exception,
 * objects that are returned are new references, and the caller holds the GIL.
 */
#ifndef SHMKIT_PYTHON_GLUE_H
#define SHMKIT_PYTHON_GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <shmkit/shmkit.h>

#include "../fields.h"

/* From this many bytes on a copy is long enough to let other threads run. */
#define SHMKIT_PYTHON_LARGE_COPY (1 << 16)

/* ---- The object (object.c) -------------------------------------------------------------------- */

/* Where the object keeps its segment. In the wrapper, which alone knows SWIG's object. */
shmkit_segment **shmkit_python_pointer(PyObject *self);

/* At import: take from the type and from its base what SWIG leaves open to users and what would be
 * unsafe. An exception that is set when it returns fails the import. */
void shmkit_python_prepare(PyObject *module);

/* Give a type methods and properties that are written by hand; at import. */
int shmkit_python_add(PyTypeObject *type, PyMethodDef *methods, PyGetSetDef *properties);

/* From the hand-written package, once: the class that functions return, a subclass of Segment, and
 * functions that make exceptions: (errno, message, filename or None); the second one that of who
 * unlocks what he does not hold. */
void shmkit_python_register(PyObject *segment_type, PyObject *make_error, PyObject *make_not_held);

/* The segment of an object; fails for any other object and for one that never was opened. */
shmkit_segment *shmkit_python_segment(PyObject *object);

/* An instance of the registered class that owns the segment; frees the segment when it fails. */
PyObject *shmkit_python_wrap(shmkit_segment *segment);

int shmkit_python_init(PyObject *self, PyObject *args, PyObject *kwargs);
void shmkit_python_dealloc(PyObject *self);
int shmkit_python_traverse(PyObject *self, visitproc visit, void *arg);
int shmkit_python_clear(PyObject *self);
PyObject *shmkit_python_repr(PyObject *self);
Py_hash_t shmkit_python_hash(PyObject *self);

/* ---- Errors (error.c) ------------------------------------------------------------------------- */

void shmkit_python_set_error_factories(PyObject *make_error, PyObject *make_not_held);

/* Raise what this thread's last call into the library said, unless an exception is set already: a
 * signal handler's. */
void shmkit_python_raise(shmkit_status status);

/* The same for who unlocked what he does not hold. */
void shmkit_python_raise_not_held(shmkit_status status);

/* Raise an error of the binding itself; `filename` may be NULL. The format is PyUnicode's. */
void shmkit_python_fail(shmkit_status status, PyObject *filename, const char *format, ...);

/* ---- Arguments (convert.c) -------------------------------------------------------------------- */

/* Bytes for an address or other text: str, bytes or, an address of a file, os.PathLike. */
PyObject *shmkit_python_address(PyObject *object);
PyObject *shmkit_python_text(PyObject *object, const char *name);

/* A type, by its name. */
int shmkit_python_type(PyObject *object, shmkit_type *out);

/* An integer from 0 to `largest`. `self` and `args` are the call's: errors name its segment. */
int shmkit_python_integer(PyObject *self, PyObject *args, PyObject *object, const char *name,
                          uint64_t largest, uint64_t *out);

/* An integer that is to be put into an atomic of that type: one that it cannot hold, or that is no
 * integer, fails. */
int shmkit_python_value(PyObject *self, PyObject *object, const char *name, shmkit_type type,
                        uint64_t *out);
/* One that is to be added, which may also be negative: sums wrap around. */
int shmkit_python_addend(PyObject *self, PyObject *object, shmkit_type type, uint64_t *out);
/* What an atomic of that type held, as an integer. */
PyObject *shmkit_python_number(shmkit_type type, uint64_t bits);

/* Options and the buffer that `content` points into, to be released. */
typedef struct shmkit_python_options {
  shmkit_segment_options options;
  Py_buffer content;
} shmkit_python_options;

/* From a tuple (flags, mode, lifetime, seals, capacity, content). */
int shmkit_python_options_parse(PyObject *self, PyObject *args, PyObject *object,
                                shmkit_python_options *out);

/* (pid, start, pid_namespace, boot, program) */
PyObject *shmkit_python_creator(const shmkit_creator *creator);

/* ---- Listings, limits (inspect.c) ------------------------------------------------------------- */

/* From a tuple (flags, kinds). */
int shmkit_python_listing_options(PyObject *self, PyObject *object, shmkit_listing_options *out);

/* Options and the bytes that `pattern` points into, a reference. */
typedef struct shmkit_python_gc_options {
  shmkit_gc_options options;
  PyObject *pattern;
} shmkit_python_gc_options;

/* From a tuple (flags, kinds, older_than, pattern or None). */
int shmkit_python_gc_options_parse(PyObject *self, PyObject *object, shmkit_python_gc_options *out);

/* (list of dicts, complete, unreadable, time); the listing is freed. */
PyObject *shmkit_python_listing(shmkit_listing *listing);

/* (list of dicts, {kind: index of the tightest}, {kind: index of the scarcest}); they are freed. */
PyObject *shmkit_python_limits(shmkit_limits *limits);

/* ---- Memory (buffer.c, access.c) -------------------------------------------------------------- */

/* Methods. `self` is the object of the segment; arguments that were left out are NULL. */
PyObject *shmkit_segment_python_read(shmkit_segment *segment, PyObject *self, PyObject *offset,
                                     PyObject *size);
PyObject *shmkit_segment_python_view(shmkit_segment *segment, PyObject *self, PyObject *type,
                                     PyObject *offset, PyObject *count);

/* Before the first view. */
int shmkit_python_prepare_views(void);

int shmkit_python_getbuffer(PyObject *self, Py_buffer *view, int flags);
void shmkit_python_releasebuffer(PyObject *self, Py_buffer *view);
Py_ssize_t shmkit_python_length(PyObject *self);
PyObject *shmkit_python_subscript(PyObject *self, PyObject *key);
int shmkit_python_assign_subscript(PyObject *self, PyObject *key, PyObject *value);
PyObject *shmkit_python_item(PyObject *self, Py_ssize_t index);

/* ---- Waiting for each other (sync.c, mutex.c, event.c) --------------------------------------- */

/* What an object keeps that is at an offset of a segment, with the GIL held. It is ended with the
 * last of those who use it: a call that waits without the GIL, a holder. */
typedef struct shmkit_python_sync {
  void *object; /* a shmkit_mutex or shmkit_event; NULL once it is ended */
  void (*end)(void *object);
  PyObject *segment;
  uint32_t users;
  bool owns_segment;
  bool closed;
  /* Of a mutex: locked through this object and not unlocked; what the last lock told. */
  bool held;
  /* In which process: how many forks lie before it. */
  unsigned held_in;
  bool owner_died;
} shmkit_python_sync;

/* Where the object keeps it; NULL in a half-made one. In the wrapper, as above. */
shmkit_python_sync **shmkit_python_sync_pointer(PyObject *self);

/* What an object of `type` keeps; fails for any other, for a half-made and for a closed one. */
shmkit_python_sync *shmkit_python_sync_of(PyObject *self, PyTypeObject *type);

/* An instance of `type` that owns the object, which is in the segment; ends it when that fails.
 * `base`: the native one. */
PyObject *shmkit_python_sync_new(PyTypeObject *base, PyObject *type, shmkit_python_sync made);

/* Before and after a call waits without the GIL. The latter fails when it was closed meanwhile. */
void shmkit_python_sync_begin(shmkit_python_sync *self);
int shmkit_python_sync_finish(shmkit_python_sync *self);
/* End it when it is closed and nobody uses it. */
void shmkit_python_sync_settle(shmkit_python_sync *self);

/* Slots; `native` is SWIG's type. */
void shmkit_python_sync_dealloc(PyObject *self, const PyTypeObject *native);
int shmkit_python_sync_traverse(PyObject *self, const PyTypeObject *native, visitproc visit,
                                void *arg);

/* For tables of methods and properties. */
PyObject *shmkit_python_sync_close(PyObject *self, PyObject *nothing);
PyObject *shmkit_python_sync_closed(PyObject *self, void *nothing);
PyObject *shmkit_python_sync_segment(PyObject *self, void *nothing);
PyObject *shmkit_python_sync_owns_segment(PyObject *self, void *nothing);

/* "posix:/frames, offset 64" and whether it is closed or never was made, in angle brackets;
 * `state` is what else there is to say of an open one. */
PyObject *shmkit_python_sync_repr(PyObject *self, const char *state);

/* Seconds, None for ever; -1 too when `minus_one`. NULL is left out: for ever. */
int shmkit_python_timeout(PyObject *object, bool minus_one, int64_t *out);

/* A wait in slices, so that signals are seen that came between two system calls. */
typedef struct shmkit_python_wait {
  int64_t timeout;
  int64_t deadline;
} shmkit_python_wait;
shmkit_python_wait shmkit_python_wait_begin(int64_t timeout);
/* How long to wait next, in nanoseconds; 0: it is over. */
int64_t shmkit_python_wait_slice(const shmkit_python_wait *self);

int shmkit_python_prepare_mutex(PyTypeObject *segment, PyTypeObject *mutex);
shmkit_mutex *shmkit_python_mutex(PyObject *self);
PyObject *shmkit_python_mutex_state(const shmkit_mutex_state *state);
int shmkit_python_mutex_init(PyObject *self, PyObject *args, PyObject *kwargs);
void shmkit_python_mutex_dealloc(PyObject *self);
int shmkit_python_mutex_traverse(PyObject *self, visitproc visit, void *arg);
PyObject *shmkit_python_mutex_repr(PyObject *object);

int shmkit_python_prepare_event(PyTypeObject *segment, PyTypeObject *event);
shmkit_event *shmkit_python_event(PyObject *self);
int shmkit_python_event_init(PyObject *self, PyObject *args, PyObject *kwargs);
void shmkit_python_event_dealloc(PyObject *self);
int shmkit_python_event_traverse(PyObject *self, visitproc visit, void *arg);
PyObject *shmkit_python_event_repr(PyObject *object);

/* (iterable of events, iterable of sequences or None, timeout) -> the first that was set, or None */
PyObject *shmkit_python_wait_any(PyObject *events, PyObject *since, PyObject *timeout);

#endif
