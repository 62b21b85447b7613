/* SPDX-License-Identifier: MIT */
/*
 * Access by copy: read(), segment[i], segment[a:b]. It goes through the library's read and write,
 * which report what a peer has truncated; through the mapping it would be SIGBUS.
 */
#include "glue.h"

/* New bytes with what is there; NULL when that fails. */
static PyObject *copy_out(shmkit_segment *segment, uint64_t offset, uint64_t length) {
  /* No memory is taken for what cannot be there: the library says so, before it would touch any.
   * Unless another thread grows the segment right now. */
  while (length > shmkit_segment_size(segment)) {
    size_t most = length < SIZE_MAX ? (size_t)length : SIZE_MAX;
    shmkit_status outside = shmkit_segment_read(segment, offset, NULL, most);
    if (outside < 0 && length > shmkit_segment_size(segment)) {
      shmkit_python_raise(outside);
      return NULL;
    }
  }
  PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
  if (!bytes) return NULL;
  PyThreadState *released = length >= SHMKIT_PYTHON_LARGE_COPY ? PyEval_SaveThread() : NULL;
  shmkit_status status =
      shmkit_segment_read(segment, offset, PyBytes_AS_STRING(bytes), (size_t)length);
  if (released) PyEval_RestoreThread(released);
  if (status >= 0) return bytes;
  Py_DECREF(bytes);
  shmkit_python_raise(status);
  return NULL;
}

PyObject *shmkit_segment_python_read(shmkit_segment *segment, PyObject *self, PyObject *offset,
                                     PyObject *size) {
  uint64_t first = 0, length = 0;
  if (offset && !shmkit_python_integer(self, NULL, offset, "offset", UINT64_MAX, &first))
    return NULL;
  if (size && size != Py_None) {
    if (!shmkit_python_integer(self, NULL, size, "size", UINT64_MAX, &length)) return NULL;
  } else {
    uint64_t end = shmkit_segment_size(segment);
    length = first < end ? end - first : 0;
  }
  return copy_out(segment, first, length);
}

Py_ssize_t shmkit_python_length(PyObject *self) {
  const shmkit_segment *segment = shmkit_python_segment(self);
  return segment ? (Py_ssize_t)shmkit_segment_size(segment) : -1;
}

/* Negative indices count from the end. One that is outside, the library's read and write refuse. */
static int find_index(shmkit_segment *segment, PyObject *key, Py_ssize_t *index) {
  Py_ssize_t given = PyNumber_AsSsize_t(key, NULL);
  if (given == -1 && PyErr_Occurred()) return 0;
  *index = given < 0 ? given + (Py_ssize_t)shmkit_segment_size(segment) : given;
  return 1;
}

PyObject *shmkit_python_item(PyObject *self, Py_ssize_t index) {
  unsigned char byte;
  shmkit_segment *segment = shmkit_python_segment(self);
  if (!segment) return NULL;
  /* A negative one became that large: outside. */
  shmkit_status status = shmkit_segment_read(segment, (uint64_t)index, &byte, 1);
  if (status < 0) {
    shmkit_python_raise(status);
    return NULL;
  }
  return PyLong_FromLong(byte);
}

static PyObject *get_slice(shmkit_segment *segment, PyObject *slice) {
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return NULL;
  Py_ssize_t size = (Py_ssize_t)shmkit_segment_size(segment);
  Py_ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
  /* Of nothing, the start may be outside; a closed segment must fail nevertheless. */
  if (count == 0) return copy_out(segment, 0, 0);
  if (step == 1) return copy_out(segment, (uint64_t)start, (uint64_t)count);
  /* Read from the lowest to the highest index, then pick. */
  Py_ssize_t last = start + (count - 1) * step, low = step > 0 ? start : last;
  PyObject *all = copy_out(segment, (uint64_t)low, (uint64_t)((step > 0 ? last : start) - low + 1));
  if (!all) return NULL;
  PyObject *picked = PyBytes_FromStringAndSize(NULL, count);
  if (picked)
    for (Py_ssize_t i = 0; i < count; i++)
      PyBytes_AS_STRING(picked)[i] = PyBytes_AS_STRING(all)[start + i * step - low];
  Py_DECREF(all);
  return picked;
}

PyObject *shmkit_python_subscript(PyObject *self, PyObject *key) {
  Py_ssize_t index;
  shmkit_segment *segment = shmkit_python_segment(self);
  if (!segment) return NULL;
  if (PySlice_Check(key)) return get_slice(segment, key);
  if (!PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "indices must be integers or slices, not %.100s",
                 Py_TYPE(key)->tp_name);
    return NULL;
  }
  return find_index(segment, key, &index) ? shmkit_python_item(self, index) : NULL;
}

/* Writes; a step other than 1 byte by byte, so that nothing between is touched. */
static int put(shmkit_segment *segment, Py_ssize_t start, Py_ssize_t step, const void *bytes,
               Py_ssize_t count) {
  shmkit_status status;
  if (count == 0) {
    status = shmkit_segment_write(segment, 0, bytes, 0);
  } else if (step == 1) {
    status = shmkit_segment_write(segment, (uint64_t)start, bytes, (size_t)count);
  } else {
    const char *next = bytes;
    status = SHMKIT_OK;
    for (Py_ssize_t i = 0; i < count && status >= 0; i++)
      status = shmkit_segment_write(segment, (uint64_t)(start + i * step), next++, 1);
  }
  if (status < 0) shmkit_python_raise(status);
  return status < 0 ? -1 : 0;
}

static int set_slice(shmkit_segment *segment, PyObject *slice, PyObject *value) {
  Py_ssize_t start, stop, step;
  Py_buffer bytes;
  if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return -1;
  if (PyObject_GetBuffer(value, &bytes, PyBUF_SIMPLE) < 0) return -1;
  Py_ssize_t size = (Py_ssize_t)shmkit_segment_size(segment);
  Py_ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
  int result = -1;
  if (bytes.len == count || shmkit_segment_closed(segment)) {
    result = put(segment, start, step, bytes.buf, count);
  } else {
    PyObject *address = PyUnicode_DecodeFSDefault(shmkit_segment_address(segment));
    if (address)
      shmkit_python_fail(-EINVAL, address, "%U: cannot assign %zd bytes to a slice of %zd", address,
                         bytes.len, count);
    Py_XDECREF(address);
  }
  PyBuffer_Release(&bytes);
  return result;
}

static int set_item(shmkit_segment *segment, PyObject *key, PyObject *value) {
  Py_ssize_t index;
  int overflow;
  if (!PyIndex_Check(value)) {
    PyErr_Format(PyExc_TypeError, "a byte must be an integer, not %.100s", Py_TYPE(value)->tp_name);
    return -1;
  }
  PyObject *integer = PyNumber_Index(value);
  if (!integer) return -1;
  long byte = PyLong_AsLongAndOverflow(integer, &overflow);
  Py_DECREF(integer);
  if (overflow || byte < 0 || byte > 255) {
    PyErr_SetString(PyExc_ValueError, "byte must be in range(0, 256)");
    return -1;
  }
  unsigned char octet = (unsigned char)byte;
  if (!find_index(segment, key, &index)) return -1;
  return put(segment, index, 1, &octet, 1);
}

int shmkit_python_assign_subscript(PyObject *self, PyObject *key, PyObject *value) {
  shmkit_segment *segment = shmkit_python_segment(self);
  if (!segment) return -1;
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "the bytes of a segment cannot be deleted");
    return -1;
  }
  if (PySlice_Check(key)) return set_slice(segment, key, value);
  if (PyIndex_Check(key)) return set_item(segment, key, value);
  PyErr_Format(PyExc_TypeError, "indices must be integers or slices, not %.100s",
               Py_TYPE(key)->tp_name);
  return -1;
}
