/* SPDX-License-Identifier: MIT */
/* From Python values to C arguments. Wrong types are TypeErrors, impossible values shmkit.Errors. */
#include "glue.h"

/* Bytes of a str as the file system has them, or the bytes themselves. */
static PyObject *encode(PyObject *object) {
  if (PyUnicode_Check(object)) return PyUnicode_EncodeFSDefault(object);
  Py_INCREF(object);
  return object;
}

/* Bytes without NUL; `filename` is for the error, NULL when it is not about a file. */
static PyObject *parse_text(PyObject *object, const char *name, PyObject *filename) {
  if (!PyUnicode_Check(object) && !PyBytes_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be str or bytes, not %.100s", name,
                 Py_TYPE(object)->tp_name);
    return NULL;
  }
  PyObject *bytes = encode(object);
  if (!bytes) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return NULL;
    PyErr_Clear();
    shmkit_python_fail(-EINVAL, filename, "%s %R has characters that bytes cannot say", name,
                       object);
    return NULL;
  }
  if (strlen(PyBytes_AS_STRING(bytes)) == (size_t)PyBytes_GET_SIZE(bytes)) return bytes;
  Py_DECREF(bytes);
  shmkit_python_fail(-EINVAL, filename, "%s %R has a NUL byte inside", name, object);
  return NULL;
}

PyObject *shmkit_python_text(PyObject *object, const char *name) {
  return parse_text(object, name, NULL);
}

int shmkit_python_type(PyObject *object, shmkit_type *out) {
  if (!PyUnicode_Check(object) && !PyBytes_Check(object)) {
    PyErr_Format(PyExc_TypeError,
                 "type must be one of 'i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64', 'f32', "
                 "'f64', 'bool', 'char', not %.100s",
                 PyType_Check(object) ? ((PyTypeObject *)object)->tp_name
                                      : Py_TYPE(object)->tp_name);
    return 0;
  }
  PyObject *text = shmkit_python_text(object, "type");
  if (!text) return 0;
  shmkit_status status = shmkit_type_find(PyBytes_AS_STRING(text), out);
  Py_DECREF(text);
  if (status < 0) shmkit_python_raise(status);
  return status >= 0;
}

PyObject *shmkit_python_address(PyObject *object) {
  if (PyUnicode_Check(object) || PyBytes_Check(object))
    return parse_text(object, "address", object);
  PyObject *path = PyOS_FSPath(object);
  if (!path) {
    /* What the object's own code raises is its user's to see, KeyboardInterrupt above all. */
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return NULL;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "address must be str, bytes or os.PathLike, not %.100s",
                 Py_TYPE(object)->tp_name);
    return NULL;
  }
  PyObject *bytes = parse_text(path, "path", path);
  Py_DECREF(path);
  if (!bytes) return NULL;
  PyObject *address = PyBytes_FromFormat("file:%s", PyBytes_AS_STRING(bytes));
  Py_DECREF(bytes);
  return address;
}

/* What a call is about, as a str: the segment it is a method of, or its first argument, an address.
 * NULL when it is neither. */
static PyObject *subject(PyObject *self, PyObject *args) {
  if (self && !PyModule_Check(self)) {
    const shmkit_segment *segment = *shmkit_python_pointer(self);
    return segment ? PyUnicode_DecodeFSDefault(shmkit_segment_address(segment)) : NULL;
  }
  PyObject *first =
      args && PyTuple_Check(args) && PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
  if (!first) return NULL;
  if (PyBytes_Check(first)) return PyUnicode_DecodeFSDefault(PyBytes_AS_STRING(first));
  return PyUnicode_Check(first) ? PyObject_Str(first) : NULL;
}

int shmkit_python_integer(PyObject *self, PyObject *args, PyObject *object, const char *name,
                          uint64_t largest, uint64_t *out) {
  if (!PyIndex_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.100s", name,
                 Py_TYPE(object)->tp_name);
    return 0;
  }
  PyObject *integer = PyNumber_Index(object);
  if (!integer) return 0;
  *out = PyLong_AsUnsignedLongLong(integer);
  int good = !PyErr_Occurred() && *out <= largest;
  if (!good) {
    PyErr_Clear();
    PyObject *about = subject(self, args);
    PyErr_Clear();
    shmkit_status status = strcmp(name, "offset") == 0 ? SHMKIT_ERR_RANGE : -EINVAL;
    if (about)
      shmkit_python_fail(status, about, "%U: %s must be from 0 to %llu, not %R", about, name,
                         (unsigned long long)largest, integer);
    else
      shmkit_python_fail(status, NULL, "%s must be from 0 to %llu, not %R", name,
                         (unsigned long long)largest, integer);
    Py_XDECREF(about);
  }
  Py_DECREF(integer);
  return good;
}

/* Integers of 64 bits without or with a sign. */
static int natural_bits(PyObject *integer, uint64_t *out) {
  *out = PyLong_AsUnsignedLongLong(integer);
  return !PyErr_Occurred();
}

static int signed_bits(PyObject *integer, uint64_t *out) {
  *out = (uint64_t)PyLong_AsLongLong(integer);
  return !PyErr_Occurred();
}

static int is_signed(shmkit_type type) {
  return type == SHMKIT_I32 || type == SHMKIT_I64;
}

/* Narrower types are the library's to check. */
static int value_bits(PyObject *integer, shmkit_type type, uint64_t *out) {
  return is_signed(type) ? signed_bits(integer, out) : natural_bits(integer, out);
}

static int addend_bits(PyObject *integer, shmkit_type type, uint64_t *out) {
  if (signed_bits(integer, out)) return 1;
  PyErr_Clear();
  return value_bits(integer, type, out);
}

static int atomic_integer(PyObject *self, PyObject *object, const char *name, shmkit_type type,
                          int (*convert)(PyObject *, shmkit_type, uint64_t *), uint64_t *out) {
  if (!PyIndex_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.100s", name,
                 Py_TYPE(object)->tp_name);
    return 0;
  }
  PyObject *integer = PyNumber_Index(object);
  if (!integer) return 0;
  int good = convert(integer, type, out);
  if (!good) {
    PyErr_Clear();
    PyObject *about = subject(self, NULL);
    if (about)
      shmkit_python_fail(-EINVAL, about, "%U: %s must fit into %s, which %R does not", about, name,
                         shmkit_type_name(type), integer);
    Py_XDECREF(about);
  }
  Py_DECREF(integer);
  return good;
}

int shmkit_python_value(PyObject *self, PyObject *object, const char *name, shmkit_type type,
                        uint64_t *out) {
  return atomic_integer(self, object, name, type, value_bits, out);
}

int shmkit_python_addend(PyObject *self, PyObject *object, shmkit_type type, uint64_t *out) {
  return atomic_integer(self, object, "value", type, addend_bits, out);
}

PyObject *shmkit_python_number(shmkit_type type, uint64_t bits) {
  return is_signed(type) ? PyLong_FromLongLong((long long)bits) : PyLong_FromUnsignedLongLong(bits);
}

int shmkit_python_options_parse(PyObject *self, PyObject *args, PyObject *object,
                                shmkit_python_options *out) {
  static const char *const names[] = {"flags", "mode", "lifetime", "seals"};
  uint32_t *const fields[] = {&out->options.flags, &out->options.mode, &out->options.lifetime,
                              &out->options.seals};
  if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != 6) {
    PyErr_SetString(PyExc_TypeError,
                    "options are (flags, mode, lifetime, seals, capacity, content)");
    return 0;
  }
  uint64_t value;
  for (int i = 0; i < 4; i++) {
    if (!shmkit_python_integer(self, args, PyTuple_GET_ITEM(object, i), names[i], UINT32_MAX,
                               &value))
      return 0;
    *fields[i] = (uint32_t)value;
  }
  PyObject *capacity = PyTuple_GET_ITEM(object, 4);
  if (capacity != Py_None &&
      !shmkit_python_integer(self, args, capacity, "capacity", UINT64_MAX, &out->options.capacity))
    return 0;
  PyObject *content = PyTuple_GET_ITEM(object, 5);
  if (content == Py_None) return 1;
  if (PyObject_GetBuffer(content, &out->content, PyBUF_SIMPLE) < 0) return 0;
  out->options.content = out->content.buf;
  out->options.content_size = (size_t)out->content.len;
  return 1;
}

PyObject *shmkit_python_creator(const shmkit_creator *creator) {
  PyObject *program = PyUnicode_DecodeFSDefault(creator->program);
  if (!program) return NULL;
  return Py_BuildValue("LKKsN", (long long)creator->pid, (unsigned long long)creator->start,
                       (unsigned long long)creator->pid_namespace, creator->boot, program);
}
