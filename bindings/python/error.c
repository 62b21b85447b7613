/* SPDX-License-Identifier: MIT */
/* Raising: the classes are Python's (shmkit/errors.py), which says here how to make an instance. */
#include <stdarg.h>

#include "glue.h"

static PyObject *factory;

void shmkit_python_set_error_factory(PyObject *make_error) {
  Py_INCREF(make_error);
  Py_XDECREF(factory);
  factory = make_error;
}

static void raise_error(int number, PyObject *message, PyObject *filename) {
  if (!message || !filename) return;
  PyObject *error = factory ? PyObject_CallFunction(factory, "iOO", number, message, filename)
                            : PyObject_CallFunction(PyExc_OSError, "iO", number, message);
  if (!error) return;
  PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_DECREF(error);
}

void shmkit_python_raise(shmkit_status status) {
  if (PyErr_Occurred()) return;
  PyObject *message, *filename;
  if (status == SHMKIT_AGAIN) {
    message = PyUnicode_FromString("the socket is not ready, and does not block");
    filename = Py_None;
    Py_INCREF(filename);
    status = -EAGAIN;
  } else {
    const char *address = shmkit_error_address();
    message = PyUnicode_DecodeFSDefault(shmkit_error_message());
    filename = *address ? PyUnicode_DecodeFSDefault(address) : Py_None;
    if (filename == Py_None) Py_INCREF(filename);
  }
  raise_error(-status, message, filename);
  Py_XDECREF(message);
  Py_XDECREF(filename);
}

void shmkit_python_fail(shmkit_status status, PyObject *filename, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject *message = PyUnicode_FromFormatV(format, arguments);
  va_end(arguments);
  raise_error(-status, message, filename ? filename : Py_None);
  Py_XDECREF(message);
}
