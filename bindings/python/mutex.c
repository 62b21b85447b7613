/* SPDX-License-Identifier: MIT */
/*
 * Mutex. Locking is tried with the GIL held, which never sleeps; only who has to wait gives it up.
 */
#include <pthread.h>

#include "glue.h"

static PyTypeObject *native_type;

/* How many forks lie between this process and the one that loaded the module. */
static unsigned forks;

static void count_fork(void) {
  forks++;
}

static void end(void *object) {
  shmkit_mutex_free(object);
}

static shmkit_python_sync *of(PyObject *self) {
  return shmkit_python_sync_of(self, native_type);
}

/* The same of a method's own object, whose type the interpreter has checked. */
static shmkit_python_sync *of_self(PyObject *self) {
  shmkit_python_sync *sync = *shmkit_python_sync_pointer(self);
  return sync && !sync->closed ? sync : of(self);
}

shmkit_mutex *shmkit_python_mutex(PyObject *self) {
  shmkit_python_sync *sync = of(self);
  return sync ? sync->object : NULL;
}

/* ---- Locking ---------------------------------------------------------------------------------- */

static shmkit_status wait_once(shmkit_mutex *mutex, int64_t timeout) {
  shmkit_status status;
  Py_BEGIN_ALLOW_THREADS status = shmkit_mutex_lock(mutex, timeout);
  Py_END_ALLOW_THREADS return status;
}

/* Wait, and run handlers of signals meanwhile; they may raise, which ends it. */
static shmkit_status wait_for(shmkit_python_sync *self, int64_t timeout) {
  shmkit_status status = SHMKIT_TIMEOUT;
  shmkit_python_wait wait = shmkit_python_wait_begin(timeout);
  int64_t slice;
  while (!self->closed && (slice = shmkit_python_wait_slice(&wait)) != 0) {
    status = wait_once(self->object, slice);
    if (status != SHMKIT_TIMEOUT && status != -EINTR) break;
    if (PyErr_CheckSignals() < 0) return -EINTR;
    status = SHMKIT_TIMEOUT;
  }
  return status;
}

static bool is_locked(shmkit_status status) {
  return status == SHMKIT_OK || status == SHMKIT_OWNER_DIED;
}

static shmkit_status lock_slowly(shmkit_python_sync *self, int64_t timeout) {
  shmkit_python_sync_begin(self);
  shmkit_status status = wait_for(self, timeout);
  if (status < 0) shmkit_python_raise(status);
  /* Nobody could unlock it any more. */
  if (self->closed && is_locked(status)) (void)shmkit_mutex_unlock(self->object);
  return shmkit_python_sync_finish(self) ? status : SHMKIT_ERR_CLOSED;
}

/* 1: locked; 0: not in time; -1: an exception. */
static int lock(shmkit_python_sync *self, int64_t timeout) {
  shmkit_status status = shmkit_mutex_lock(self->object, 0);
  if (status == SHMKIT_TIMEOUT && timeout != 0)
    status = lock_slowly(self, timeout);
  else if (status < 0)
    shmkit_python_raise(status);
  if (!is_locked(status)) return status < 0 ? -1 : 0;
  self->held = true;
  self->held_in = forks;
  self->owner_died = status == SHMKIT_OWNER_DIED;
  return 1;
}

static PyObject *mutex_enter(PyObject *object, PyObject *nothing) {
  (void)nothing;
  shmkit_python_sync *self = of_self(object);
  if (!self || lock(self, SHMKIT_FOREVER) < 0) return NULL;
  Py_INCREF(object);
  return object;
}

/* What acquire waits: blocking and timeout together. */
static int parse_wait(PyObject *args, PyObject *kwargs, int64_t *timeout) {
  static char *names[] = {(char *)"blocking", (char *)"timeout", NULL};
  int blocking = 1;
  PyObject *given = NULL;
  if (PyTuple_GET_SIZE(args) == 0 && !kwargs) return 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:acquire", names, &blocking, &given) ||
      !shmkit_python_timeout(given, true, timeout))
    return 0;
  if (blocking) return 1;
  if (*timeout != SHMKIT_FOREVER) {
    shmkit_python_fail(-EINVAL, NULL, "there is no timeout for what does not wait: %R", given);
    return 0;
  }
  *timeout = 0;
  return 1;
}

static PyObject *mutex_acquire(PyObject *object, PyObject *args, PyObject *kwargs) {
  int64_t timeout = SHMKIT_FOREVER;
  /* Converting arguments may run anything, close() too: before the look at the object. */
  if (!parse_wait(args, kwargs, &timeout)) return NULL;
  shmkit_python_sync *self = of_self(object);
  int locked = self ? lock(self, timeout) : -1;
  return locked < 0 ? NULL : PyBool_FromLong(locked);
}

/* ---- Unlocking -------------------------------------------------------------------------------- */

/* Also through a closed object, which is not ended before. */
static int unlock(PyObject *object) {
  shmkit_python_sync *self = *shmkit_python_sync_pointer(object);
  if ((!self || !self->held) && !(self = of(object))) return 0;
  shmkit_status status = shmkit_mutex_unlock(self->object);
  if (status == SHMKIT_OK) {
    self->held = false;
    if (self->closed) shmkit_python_sync_settle(self);
  } else if (status == -EPERM) {
    shmkit_python_raise_not_held(status);
  } else {
    shmkit_python_raise(status);
  }
  return status == SHMKIT_OK;
}

/* Not when the thread that locked it has ended, or is the parent's, or has unlocked it through another
 * object. */
static bool is_held(const shmkit_python_sync *self) {
  shmkit_mutex_state state;
  if (!self->held || self->held_in != forks) return false;
  return shmkit_mutex_look(self->object, &state) != SHMKIT_OK || state.locked;
}

static PyObject *mutex_close(PyObject *object, PyObject *nothing) {
  shmkit_python_sync *self = *shmkit_python_sync_pointer(object);
  if (self && !self->closed) self->held = is_held(self);
  return shmkit_python_sync_close(object, nothing);
}

static PyObject *mutex_release(PyObject *object, PyObject *nothing) {
  (void)nothing;
  if (!unlock(object)) return NULL;
  Py_RETURN_NONE;
}

static PyObject *mutex_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
  (void)args, (void)count;
  if (!unlock(object)) return NULL;
  Py_RETURN_NONE;
}

/* ---- Looking ---------------------------------------------------------------------------------- */

static int look(PyObject *object, shmkit_mutex_state *state) {
  shmkit_mutex *mutex = shmkit_python_mutex(object);
  if (!mutex) return 0;
  shmkit_status status = shmkit_mutex_look(mutex, state);
  if (status < 0) shmkit_python_raise(status);
  return status == SHMKIT_OK;
}

static PyObject *mutex_locked(PyObject *object, PyObject *nothing) {
  (void)nothing;
  shmkit_mutex_state state;
  return look(object, &state) ? PyBool_FromLong(state.locked) : NULL;
}

PyObject *shmkit_python_mutex_state(const shmkit_mutex_state *state) {
  return Py_BuildValue("(NNNk)", PyBool_FromLong(state->locked), PyBool_FromLong(state->mine),
                       PyBool_FromLong(state->owner_died), (unsigned long)state->identity);
}

static PyObject *mutex_owner_died(PyObject *object, void *nothing) {
  (void)nothing;
  const shmkit_python_sync *self = *shmkit_python_sync_pointer(object);
  return PyBool_FromLong(self && self->owner_died);
}

static const char *describe(PyObject *object) {
  shmkit_mutex_state state;
  const shmkit_python_sync *self = *shmkit_python_sync_pointer(object);
  if (!self || self->closed) return "";
  if (shmkit_mutex_look(self->object, &state) != SHMKIT_OK) return "in an unknown state";
  if (state.mine) return "locked by this thread";
  if (state.owner_died) return "its owner died";
  return state.locked ? "locked" : "unlocked";
}

PyObject *shmkit_python_mutex_repr(PyObject *object) {
  return shmkit_python_sync_repr(object, describe(object));
}

/* ---- The type --------------------------------------------------------------------------------- */

/* Segment._mutex(type, offset, own) */
static PyObject *segment_mutex(PyObject *object, PyObject *args) {
  PyObject *type, *given;
  uint64_t offset;
  int own;
  shmkit_mutex *mutex = NULL;
  if (!PyArg_ParseTuple(args, "OOp:_mutex", &type, &given, &own) ||
      !shmkit_python_integer(object, NULL, given, "offset", UINT64_MAX, &offset))
    return NULL;
  if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, native_type)) {
    PyErr_SetString(PyExc_TypeError, "a subclass of native.Mutex is needed");
    return NULL;
  }
  shmkit_segment *segment = shmkit_python_segment(object);
  if (!segment) return NULL;
  shmkit_status status = shmkit_segment_mutex(segment, offset, &mutex);
  if (status < 0) {
    shmkit_python_raise(status);
    return NULL;
  }
  shmkit_python_sync made = {
      .object = mutex, .end = end, .segment = object, .owns_segment = own != 0};
  return shmkit_python_sync_new(native_type, type, made);
}

/* What there is to do has been done in __new__. */
int shmkit_python_mutex_init(PyObject *self, PyObject *args, PyObject *kwargs) {
  (void)self, (void)args, (void)kwargs;
  return 0;
}

void shmkit_python_mutex_dealloc(PyObject *self) {
  shmkit_python_sync_dealloc(self, native_type);
}

int shmkit_python_mutex_traverse(PyObject *self, visitproc visit, void *arg) {
  return shmkit_python_sync_traverse(self, native_type, visit, arg);
}

PyDoc_STRVAR(acquire_doc,
             "acquire($self, /, blocking=True, timeout=-1)\n--\n\n"
             "Lock it, waiting while somebody else holds it. Whether it is locked now.\n\n"
             "timeout is in seconds, -1 or None for ever. owner_died says afterwards whether the\n"
             "holder before has died with it. DeadlockError when this thread holds it already.\n"
             "Other threads run while it waits, and handlers of signals.");
PyDoc_STRVAR(release_doc,
             "release($self, /)\n--\n\n"
             "Unlock it. NotHeldError, a RuntimeError, when this thread does not hold it.");
PyDoc_STRVAR(locked_doc, "locked($self, /)\n--\n\n"
                         "Whether somebody who lives holds it.");
PyDoc_STRVAR(close_doc,
             "close($self, /)\n--\n\n"
             "End the use of this object; nothing happens when it is closed already.\n\n"
             "Who has locked it through this object can still release it, and who waits gets a\n"
             "ClosedError. A segment of its own is closed too.");
PyDoc_STRVAR(
    owner_died_doc,
    "Whether the holder before died with it: what the last lock through this object told.\n"
    "It holds as long as you hold the mutex.");

static PyMethodDef methods[] = {
    {"acquire", (PyCFunction)(void (*)(void))mutex_acquire, METH_VARARGS | METH_KEYWORDS,
     acquire_doc},
    {"release", mutex_release, METH_NOARGS, release_doc},
    {"locked", mutex_locked, METH_NOARGS, locked_doc},
    {"close", mutex_close, METH_NOARGS, close_doc},
    {"__enter__", mutex_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))mutex_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef properties[] = {
    {"owner_died", mutex_owner_died, NULL, owner_died_doc, NULL},
    {"closed", shmkit_python_sync_closed, NULL, "Whether close() was called.", NULL},
    {"segment", shmkit_python_sync_segment, NULL, "The Segment that it is in.", NULL},
    {"_own", shmkit_python_sync_owns_segment, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef segment_methods[] = {{"_mutex", segment_mutex, METH_VARARGS, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyGetSetDef no_properties[] = {{NULL, NULL, NULL, NULL, NULL}};

int shmkit_python_prepare_mutex(PyTypeObject *segment, PyTypeObject *mutex) {
  native_type = mutex;
  (void)pthread_atfork(NULL, NULL, count_fork);
  return shmkit_python_add(mutex, methods, properties) &&
         shmkit_python_add(segment, segment_methods, no_properties);
}
