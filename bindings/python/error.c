/* SPDX-License-Identifier: MIT */
/* Raising: the classes are Python's (shmkit/errors.py), which says here how to make an instance. */
#include <stdarg.h>

#include "glue.h"

static PyObject *factory, *not_held_factory;

void shmkit_python_set_error_factories(PyObject *make_error, PyObject *make_not_held) {
  Py_INCREF(make_error);
  Py_XDECREF(factory);
  factory = make_error;
  Py_INCREF(make_not_held);
  Py_XDECREF(not_held_factory);
  not_held_factory = make_not_held;
}

static void raise_error(PyObject *make, int number, PyObject *message, PyObject *filename) {
  if (!message || !filename) return;
  PyObject *error = make ? PyObject_CallFunction(make, "iOO", number, message, filename)
                         : PyObject_CallFunction(PyExc_OSError, "iO", number, message);
  if (!error) return;
  PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_DECREF(error);
}

static void raise_last(PyObject *make, shmkit_status status) {
  const char *address = shmkit_error_address();
  PyObject *message = PyUnicode_DecodeFSDefault(shmkit_error_message());
  PyObject *filename = *address ? PyUnicode_DecodeFSDefault(address) : Py_None;
  if (filename == Py_None) Py_INCREF(filename);
  raise_error(make, -status, message, filename);
  Py_XDECREF(message);
  Py_XDECREF(filename);
}

void shmkit_python_raise(shmkit_status status) {
  if (PyErr_Occurred()) return;
  if (status == SHMKIT_AGAIN)
    shmkit_python_fail(-EAGAIN, NULL, "the socket is not ready, and does not block");
  else
    raise_last(factory, status);
}

void shmkit_python_raise_not_held(shmkit_status status) {
  raise_last(not_held_factory, status);
}

void shmkit_python_fail(shmkit_status status, PyObject *filename, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject *message = PyUnicode_FromFormatV(format, arguments);
  va_end(arguments);
  raise_error(factory, -status, message, filename ? filename : Py_None);
  Py_XDECREF(message);
}
