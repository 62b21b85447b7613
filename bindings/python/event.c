/* SPDX-License-Identifier: MIT */
/*
 * Event. Waiting looks first, with the GIL held; only who has to sleep gives it up. It sleeps until
 * the sequence has changed from what it was when the call began, so that nothing is missed between
 * two slices of the wait.
 */
#include "glue.h"

static PyTypeObject *native_type;

static void end(void *object) {
  shmkit_event_free(object);
}

static shmkit_python_sync *of(PyObject *self) {
  return shmkit_python_sync_of(self, native_type);
}

shmkit_event *shmkit_python_event(PyObject *self) {
  shmkit_python_sync *sync = of(self);
  return sync ? sync->object : NULL;
}

/* ---- Waiting for one -------------------------------------------------------------------------- */

static shmkit_status wait_once(shmkit_event *event, uint32_t since, int64_t timeout) {
  shmkit_status status;
  Py_BEGIN_ALLOW_THREADS status = shmkit_event_wait_since(event, since, timeout);
  Py_END_ALLOW_THREADS return status;
}

static shmkit_status wait_for(shmkit_python_sync *self, uint32_t since, int64_t timeout) {
  int64_t slice;
  shmkit_python_wait wait = shmkit_python_wait_begin(timeout);
  while (!self->closed && (slice = shmkit_python_wait_slice(&wait)) != 0) {
    shmkit_status status = wait_once(self->object, since, slice);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) return status;
    if (PyErr_CheckSignals() < 0) return -EINTR;
  }
  return SHMKIT_TIMEOUT;
}

/* A sequence, or NULL and None for none: an integer, so that who means a timeout learns it. */
static int parse_since(PyObject *object, bool *level, uint32_t *since) {
  uint64_t value = 0;
  *level = !object || object == Py_None;
  if (*level) return 1;
  if (PyFloat_Check(object)) {
    PyErr_SetString(PyExc_TypeError,
                    "the first argument is a sequence, an integer: say wait(timeout=...)");
    return 0;
  }
  if (!shmkit_python_integer(NULL, NULL, object, "since", UINT32_MAX, &value)) return 0;
  *since = (uint32_t)value;
  return 1;
}

static PyObject *event_wait(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *names[] = {(char *)"since", (char *)"timeout", NULL};
  PyObject *given_since = NULL, *given_timeout = NULL;
  bool level;
  uint32_t since = 0;
  int64_t timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:wait", names, &given_since,
                                   &given_timeout) ||
      !parse_since(given_since, &level, &since) ||
      !shmkit_python_timeout(given_timeout, false, &timeout))
    return NULL;
  shmkit_python_sync *self = of(object);
  if (!self) return NULL;
  if (level) since = shmkit_event_sequence(self->object);
  shmkit_status status =
      level ? shmkit_event_wait(self->object, 0) : shmkit_event_wait_since(self->object, since, 0);
  if (status == SHMKIT_TIMEOUT && timeout != 0) {
    shmkit_python_sync_begin(self);
    status = wait_for(self, since, timeout);
    if (status < 0) shmkit_python_raise(status);
    if (!shmkit_python_sync_finish(self)) return NULL;
  } else if (status < 0) {
    shmkit_python_raise(status);
  }
  return status < 0 ? NULL : PyBool_FromLong(status == SHMKIT_OK);
}

/* ---- Waiting for several ---------------------------------------------------------------------- */

typedef struct wait_any {
  size_t count;
  shmkit_python_sync *syncs[SHMKIT_WAIT_ANY_MAX];
  shmkit_event *events[SHMKIT_WAIT_ANY_MAX];
  uint32_t since[SHMKIT_WAIT_ANY_MAX];
  bool level;
} wait_any;

static int parse_any_since(wait_any *self, PyObject *given) {
  bool none;
  PyObject *sequences = PySequence_Tuple(given);
  if (!sequences) return 0;
  int good = PyTuple_GET_SIZE(sequences) == (Py_ssize_t)self->count;
  if (!good)
    shmkit_python_fail(-EINVAL, NULL, "there are %zu events and %zd sequences", self->count,
                       PyTuple_GET_SIZE(sequences));
  for (size_t i = 0; good && i < self->count; i++) {
    PyObject *item = PyTuple_GET_ITEM(sequences, (Py_ssize_t)i);
    good = parse_since(item, &none, &self->since[i]);
    if (good && none) {
      PyErr_SetString(PyExc_TypeError, "a sequence is an integer, not None");
      good = 0;
    }
  }
  Py_DECREF(sequences);
  return good;
}

/* Last, for what was converted before may have closed some. */
static int take_events(wait_any *self, PyObject *events) {
  for (size_t i = 0; i < self->count; i++) {
    self->syncs[i] = of(PyTuple_GET_ITEM(events, (Py_ssize_t)i));
    if (!self->syncs[i]) return 0;
    self->events[i] = self->syncs[i]->object;
    if (self->level) self->since[i] = shmkit_event_sequence(self->events[i]);
  }
  return 1;
}

static bool one_is_closed(const wait_any *self) {
  for (size_t i = 0; i < self->count; i++)
    if (self->syncs[i]->closed) return true;
  return false;
}

static shmkit_status wait_any_once(wait_any *self, int64_t timeout, size_t *which) {
  shmkit_status status;
  Py_BEGIN_ALLOW_THREADS status =
      shmkit_event_wait_any(self->events, self->count, self->since, timeout, which);
  Py_END_ALLOW_THREADS return status;
}

static shmkit_status wait_for_any(wait_any *self, int64_t timeout, size_t *which) {
  int64_t slice;
  shmkit_python_wait wait = shmkit_python_wait_begin(timeout);
  while (!one_is_closed(self) && (slice = shmkit_python_wait_slice(&wait)) != 0) {
    shmkit_status status = wait_any_once(self, slice, which);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) return status;
    if (PyErr_CheckSignals() < 0) return -EINTR;
  }
  return SHMKIT_TIMEOUT;
}

static shmkit_status wait_any_slowly(wait_any *self, int64_t timeout, size_t *which) {
  bool open = true;
  for (size_t i = 0; i < self->count; i++) shmkit_python_sync_begin(self->syncs[i]);
  shmkit_status status = wait_for_any(self, timeout, which);
  if (status < 0) shmkit_python_raise(status);
  for (size_t i = 0; i < self->count; i++)
    if (!shmkit_python_sync_finish(self->syncs[i])) open = false;
  return open ? status : SHMKIT_ERR_CLOSED;
}

static PyObject *wait_for_first(wait_any *self, PyObject *events, int64_t timeout) {
  size_t which = 0;
  shmkit_status status =
      shmkit_event_wait_any(self->events, self->count, self->level ? NULL : self->since, 0, &which);
  if (status == SHMKIT_TIMEOUT && timeout != 0)
    status = wait_any_slowly(self, timeout, &which);
  else if (status < 0)
    shmkit_python_raise(status);
  if (status < 0) return NULL;
  PyObject *found = status == SHMKIT_OK ? PyTuple_GET_ITEM(events, (Py_ssize_t)which) : Py_None;
  Py_INCREF(found);
  return found;
}

PyObject *shmkit_python_wait_any(PyObject *events, PyObject *since, PyObject *timeout) {
  wait_any self = {.level = since == Py_None};
  int64_t nanoseconds;
  PyObject *found = NULL, *taken = PySequence_Tuple(events);
  if (!taken) return NULL;
  self.count = (size_t)PyTuple_GET_SIZE(taken);
  if (self.count > SHMKIT_WAIT_ANY_MAX) {
    size_t which;
    shmkit_python_raise(shmkit_event_wait_any(NULL, self.count, NULL, 0, &which));
  } else if (shmkit_python_timeout(timeout, false, &nanoseconds) &&
             (self.level || parse_any_since(&self, since)) && take_events(&self, taken)) {
    found = wait_for_first(&self, taken, nanoseconds);
  }
  Py_DECREF(taken);
  return found;
}

/* ---- The type --------------------------------------------------------------------------------- */

/* Segment._event(type, offset, own) */
static PyObject *segment_event(PyObject *object, PyObject *args) {
  PyObject *type, *given;
  uint64_t offset;
  int own;
  shmkit_event *event = NULL;
  if (!PyArg_ParseTuple(args, "OOp:_event", &type, &given, &own) ||
      !shmkit_python_integer(object, NULL, given, "offset", UINT64_MAX, &offset))
    return NULL;
  if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, native_type)) {
    PyErr_SetString(PyExc_TypeError, "a subclass of native.Event is needed");
    return NULL;
  }
  shmkit_segment *segment = shmkit_python_segment(object);
  if (!segment) return NULL;
  shmkit_status status = shmkit_segment_event(segment, offset, &event);
  if (status < 0) {
    shmkit_python_raise(status);
    return NULL;
  }
  shmkit_python_sync made = {
      .object = event, .end = end, .segment = object, .owns_segment = own != 0};
  return shmkit_python_sync_new(native_type, type, made);
}

/* What there is to do has been done in __new__. */
int shmkit_python_event_init(PyObject *self, PyObject *args, PyObject *kwargs) {
  (void)self, (void)args, (void)kwargs;
  return 0;
}

void shmkit_python_event_dealloc(PyObject *self) {
  shmkit_python_sync_dealloc(self, native_type);
}

int shmkit_python_event_traverse(PyObject *self, visitproc visit, void *arg) {
  return shmkit_python_sync_traverse(self, native_type, visit, arg);
}

PyObject *shmkit_python_event_repr(PyObject *object) {
  const shmkit_python_sync *self = *shmkit_python_sync_pointer(object);
  bool set = self && !self->closed && shmkit_event_is_set(self->object);
  return shmkit_python_sync_repr(object, set ? "set" : "not set");
}

PyDoc_STRVAR(
    wait_doc,
    "wait($self, /, since=None, *, timeout=None)\n--\n\n"
    "Wait until it is set, or was set after this call began; with a sequence, until it was\n"
    "set since then. True, or False when that did not come in timeout seconds.\n\n"
    "Unlike threading.Event's, the first argument is not the timeout. Other threads run\n"
    "while it waits, and handlers of signals.");
PyDoc_STRVAR(close_doc, "close($self, /)\n--\n\n"
                        "End the use of this object; nothing happens when it is closed already.\n\n"
                        "Who waits gets a ClosedError. A segment of its own is closed too.");

static PyMethodDef methods[] = {
    {"wait", (PyCFunction)(void (*)(void))event_wait, METH_VARARGS | METH_KEYWORDS, wait_doc},
    {"close", shmkit_python_sync_close, METH_NOARGS, close_doc},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef properties[] = {
    {"closed", shmkit_python_sync_closed, NULL, "Whether close() was called.", NULL},
    {"segment", shmkit_python_sync_segment, NULL, "The Segment that it is in.", NULL},
    {"_own", shmkit_python_sync_owns_segment, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef segment_methods[] = {{"_event", segment_event, METH_VARARGS, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyGetSetDef no_properties[] = {{NULL, NULL, NULL, NULL, NULL}};

int shmkit_python_prepare_event(PyTypeObject *segment, PyTypeObject *event) {
  native_type = event;
  return shmkit_python_add(event, methods, properties) &&
         shmkit_python_add(segment, segment_methods, no_properties);
}
