/* SPDX-License-Identifier: MIT */
/*
 * What Mutex and Event objects share: they live at an offset of a Segment object, which they keep,
 * and one thread may close them while another waits.
 */
#include <time.h>

#include "glue.h"

/* ---- The object ------------------------------------------------------------------------------- */

static void fail_never_made(PyObject *self) {
  shmkit_python_fail(SHMKIT_ERR_CLOSED, NULL, "this %.100s was never made", Py_TYPE(self)->tp_name);
}

static void fail_closed(shmkit_python_sync *self) {
  const shmkit_segment *segment = *shmkit_python_pointer(self->segment);
  PyObject *address = PyUnicode_DecodeFSDefault(shmkit_segment_address(segment));
  if (address)
    shmkit_python_fail(SHMKIT_ERR_CLOSED, address, "the object in %U is closed", address);
  Py_XDECREF(address);
}

shmkit_python_sync *shmkit_python_sync_of(PyObject *self, PyTypeObject *type) {
  if (!PyObject_TypeCheck(self, type)) {
    PyErr_Format(PyExc_TypeError, "a %.100s is needed, not %.100s", type->tp_name,
                 Py_TYPE(self)->tp_name);
    return NULL;
  }
  shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (sync && !sync->closed) return sync;
  if (sync)
    fail_closed(sync);
  else
    fail_never_made(self);
  return NULL;
}

static void end_object(shmkit_python_sync *self) {
  void *object = self->object;
  self->object = NULL;
  if (object) self->end(object);
}

PyObject *shmkit_python_sync_new(PyTypeObject *base, PyObject *type, shmkit_python_sync made) {
  PyObject *nothing = PyTuple_New(0);
  PyObject *self = nothing ? base->tp_new((PyTypeObject *)type, nothing, NULL) : NULL;
  shmkit_python_sync *sync = self ? PyMem_Malloc(sizeof *sync) : NULL;
  Py_XDECREF(nothing);
  if (!sync) {
    end_object(&made);
    Py_XDECREF(self);
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
  }
  *sync = made;
  Py_INCREF(sync->segment);
  *shmkit_python_sync_pointer(self) = sync;
  return self;
}

static void close_segment(shmkit_python_sync *self) {
  if (self->owns_segment) shmkit_segment_close(*shmkit_python_pointer(self->segment));
}

void shmkit_python_sync_settle(shmkit_python_sync *self) {
  if (!self->closed || self->users > 0 || self->held) return;
  end_object(self);
  close_segment(self);
}

void shmkit_python_sync_begin(shmkit_python_sync *self) {
  self->users++;
}

int shmkit_python_sync_finish(shmkit_python_sync *self) {
  self->users--;
  if (!self->closed) return 1;
  shmkit_python_sync_settle(self);
  if (!PyErr_Occurred()) fail_closed(self);
  return 0;
}

/* Nobody waits: whoever does holds a reference to the object. */
void shmkit_python_sync_dealloc(PyObject *self, const PyTypeObject *native) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (native->tp_weaklistoffset) PyObject_ClearWeakRefs(self);
  shmkit_python_clear(self);
  shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (sync) {
    end_object(sync);
    Py_DECREF(sync->segment);
    PyMem_Free(sync);
  }
  type->tp_free(self);
  if (native->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
}

/* Its segment is visited but never cleared, for it is needed to the end: a cycle always leads
 * through an object's attributes, which can be cleared. */
int shmkit_python_sync_traverse(PyObject *self, const PyTypeObject *native, visitproc visit,
                                void *arg) {
  PyObject **attributes = _PyObject_GetDictPtr(self);
  const shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (attributes) Py_VISIT(*attributes);
  if (sync) Py_VISIT(sync->segment);
  if (native->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_VISIT(Py_TYPE(self));
  return 0;
}

PyObject *shmkit_python_sync_close(PyObject *self, PyObject *nothing) {
  (void)nothing;
  shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (sync && !sync->closed) {
    sync->closed = true;
    shmkit_python_sync_settle(sync);
  }
  Py_RETURN_NONE;
}

PyObject *shmkit_python_sync_closed(PyObject *self, void *nothing) {
  (void)nothing;
  const shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  return PyBool_FromLong(!sync || sync->closed);
}

PyObject *shmkit_python_sync_segment(PyObject *self, void *nothing) {
  (void)nothing;
  shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (!sync) {
    fail_never_made(self);
    return NULL;
  }
  Py_INCREF(sync->segment);
  return sync->segment;
}

PyObject *shmkit_python_sync_owns_segment(PyObject *self, void *nothing) {
  (void)nothing;
  const shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  return PyBool_FromLong(sync && sync->owns_segment);
}

PyObject *shmkit_python_sync_repr(PyObject *self, const char *state) {
  const char *type = Py_TYPE(self)->tp_name;
  const shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  if (!sync) return PyUnicode_FromFormat("<%s, never made>", type);
  const shmkit_segment *segment = *shmkit_python_pointer(sync->segment);
  PyObject *address = PyUnicode_DecodeFSDefault(shmkit_segment_address(segment));
  PyObject *text = address ? PyUnicode_FromFormat("<%s in %R, %s>", type, address,
                                                  sync->closed ? "closed" : state)
                           : NULL;
  Py_XDECREF(address);
  return text;
}

/* ---- Timeouts --------------------------------------------------------------------------------- */

/* Beyond this many seconds, nanoseconds do not fit: longer than any program runs. */
#define LONGEST 9e9
/* How late a signal is seen that came while no system call was under way. */
#define SLICE INT64_C(100000000)

static int fail_timeout(PyObject *object) {
  shmkit_python_fail(-EINVAL, NULL,
                     "a timeout is 0 seconds or more, or None to wait for ever: not %R", object);
  return 0;
}

int shmkit_python_timeout(PyObject *object, bool minus_one, int64_t *out) {
  *out = SHMKIT_FOREVER;
  if (!object || object == Py_None) return 1;
  if (!PyFloat_Check(object) && !PyIndex_Check(object)) {
    PyErr_Format(PyExc_TypeError, "a timeout is a number of seconds, or None, not %.100s",
                 Py_TYPE(object)->tp_name);
    return 0;
  }
  double seconds = PyFloat_AsDouble(object);
  if (seconds == -1.0 && PyErr_Occurred()) return 0;
  if (minus_one && seconds == -1.0) return 1;
  if (!(seconds >= 0)) return fail_timeout(object);
  if (seconds >= LONGEST) return 1;
  *out = (int64_t)(seconds * 1e9);
  /* What was more than nothing is not nothing. */
  if (*out == 0 && seconds > 0) *out = 1;
  return 1;
}

static int64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

shmkit_python_wait shmkit_python_wait_begin(int64_t timeout) {
  int64_t begin = timeout > 0 ? now() : 0;
  int64_t deadline = timeout > INT64_MAX - begin ? INT64_MAX : begin + timeout;
  return (shmkit_python_wait){.timeout = timeout, .deadline = deadline};
}

int64_t shmkit_python_wait_slice(const shmkit_python_wait *self) {
  if (self->timeout <= 0) return self->timeout == 0 ? 0 : SLICE;
  int64_t left = self->deadline - now();
  if (left <= 0) return 0;
  return left < SLICE ? left : SLICE;
}
