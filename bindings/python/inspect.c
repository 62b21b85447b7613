/* SPDX-License-Identifier: MIT */
/* Listings and limits: options in, plain data out. The hand-written package makes its classes of the data. */
#include "glue.h"

/* ---- Options ---------------------------------------------------------------------------------- */

/* A tuple of `count` values of which the first two are integers. */
static int parse_flags_and_kinds(PyObject *self, PyObject *object, Py_ssize_t count,
                                 uint32_t *flags, uint32_t *kinds) {
  uint64_t given[2];
  if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != count) {
    PyErr_Format(PyExc_TypeError, "options are a tuple of %zd, flags and kinds first", count);
    return 0;
  }
  if (!shmkit_python_integer(self, NULL, PyTuple_GET_ITEM(object, 0), "flags", UINT32_MAX,
                             &given[0]) ||
      !shmkit_python_integer(self, NULL, PyTuple_GET_ITEM(object, 1), "kinds", UINT32_MAX,
                             &given[1]))
    return 0;
  *flags = (uint32_t)given[0];
  *kinds = (uint32_t)given[1];
  return 1;
}

int shmkit_python_listing_options(PyObject *self, PyObject *object, shmkit_listing_options *out) {
  *out = (shmkit_listing_options)SHMKIT_LISTING_OPTIONS_INIT;
  return parse_flags_and_kinds(self, object, 2, &out->flags, &out->kinds);
}

int shmkit_python_gc_options_parse(PyObject *self, PyObject *object,
                                   shmkit_python_gc_options *out) {
  shmkit_gc_options *options = &out->options;
  if (!parse_flags_and_kinds(self, object, 4, &options->flags, &options->kinds)) return 0;
  if (!shmkit_python_integer(self, NULL, PyTuple_GET_ITEM(object, 2), "older_than", UINT64_MAX,
                             &options->older_than))
    return 0;
  PyObject *pattern = PyTuple_GET_ITEM(object, 3);
  if (pattern == Py_None) return 1;
  if (!(out->pattern = shmkit_python_text(pattern, "pattern"))) return 0;
  options->pattern = PyBytes_AS_STRING(out->pattern);
  return 1;
}

/* ---- Data ------------------------------------------------------------------------------------- */

static PyObject *make_dict(const shmkit_shape *shape, const void *from);

static PyObject *make_list(const shmkit_shape *shape, const char *first, size_t count) {
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *item = make_dict(shape, first + i * shape->size);
    if (item)
      PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    else
      Py_CLEAR(list);
  }
  return list;
}

static PyObject *make_kinds(uint32_t kinds) {
  PyObject *names = PyList_New(0);
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; names && kind <= SHMKIT_INFO_FILE; kind++) {
    if (!(kinds & SHMKIT_INFO_SET(kind))) continue;
    PyObject *name = PyUnicode_FromString(shmkit_info_kind_name(kind));
    if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  return names;
}

static PyObject *make_value(const shmkit_field_value *value) {
  switch (value->type) {
    case SHMKIT_FIELD_BOOLEAN:
      return PyBool_FromLong(value->boolean);
    case SHMKIT_FIELD_SIGNED:
      return PyLong_FromLongLong(value->integer);
    case SHMKIT_FIELD_UNSIGNED:
      return PyLong_FromUnsignedLongLong(value->natural);
    case SHMKIT_FIELD_TEXT:
      return PyUnicode_DecodeFSDefault(value->text);
    case SHMKIT_FIELD_SEALS:
      return PyLong_FromUnsignedLong(value->seals);
    case SHMKIT_FIELD_KINDS:
      return make_kinds(value->kinds);
    case SHMKIT_FIELD_CREATOR:
      return shmkit_python_creator(value->creator);
    case SHMKIT_FIELD_STRUCTS:
      return make_list(value->structs.shape, value->structs.first, value->structs.count);
    case SHMKIT_FIELD_NOTHING:
      break;
  }
  Py_RETURN_NONE;
}

static PyObject *make_dict(const shmkit_shape *shape, const void *from) {
  PyObject *dict = PyDict_New();
  for (int i = 0; dict && i < shape->count; i++) {
    shmkit_field_value value = shmkit_field_get(shape, i, from);
    PyObject *object = make_value(&value);
    if (!object || PyDict_SetItemString(dict, value.name, object) < 0) Py_CLEAR(dict);
    Py_XDECREF(object);
  }
  return dict;
}

PyObject *shmkit_python_listing(shmkit_listing *listing) {
  size_t count = shmkit_listing_count(listing);
  PyObject *infos = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; infos && i < count; i++) {
    PyObject *info = make_dict(&shmkit_info_shape, shmkit_listing_at(listing, i));
    if (info)
      PyList_SET_ITEM(infos, (Py_ssize_t)i, info);
    else
      Py_CLEAR(infos);
  }
  PyObject *complete = PyBool_FromLong(shmkit_listing_complete(listing));
  PyObject *result =
      infos ? Py_BuildValue("OOnL", infos, complete, (Py_ssize_t)shmkit_listing_unreadable(listing),
                            (long long)shmkit_listing_time(listing))
            : NULL;
  Py_DECREF(complete);
  Py_XDECREF(infos);
  shmkit_listing_free(listing);
  return result;
}

/* ---- Limits ----------------------------------------------------------------------------------- */

/* A dict from kinds to indices, of those for which there is one. */
static PyObject *make_choices(const shmkit_limits *limits, bool tightest) {
  PyObject *choices = PyDict_New();
  for (shmkit_info_kind kind = SHMKIT_INFO_POSIX; choices && kind <= SHMKIT_INFO_FILE; kind++) {
    const shmkit_limit *chosen =
        tightest ? shmkit_limits_tightest(limits, kind) : shmkit_limits_scarcest(limits, kind);
    if (!chosen) continue;
    size_t index = 0;
    while (shmkit_limits_at(limits, index) != chosen) index++;
    PyObject *number = PyLong_FromSize_t(index);
    if (!number || PyDict_SetItemString(choices, shmkit_info_kind_name(kind), number) < 0)
      Py_CLEAR(choices);
    Py_XDECREF(number);
  }
  return choices;
}

static PyObject *make_limits(const shmkit_limits *limits) {
  size_t count = shmkit_limits_count(limits);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *limit = make_dict(&shmkit_limit_shape, shmkit_limits_at(limits, i));
    if (limit)
      PyList_SET_ITEM(list, (Py_ssize_t)i, limit);
    else
      Py_CLEAR(list);
  }
  return list;
}

PyObject *shmkit_python_limits(shmkit_limits *limits) {
  PyObject *list = make_limits(limits);
  PyObject *tightest = list ? make_choices(limits, true) : NULL;
  PyObject *scarcest = tightest ? make_choices(limits, false) : NULL;
  PyObject *result = scarcest ? PyTuple_Pack(3, list, tightest, scarcest) : NULL;
  Py_XDECREF(list);
  Py_XDECREF(tightest);
  Py_XDECREF(scarcest);
  shmkit_limits_free(limits);
  return result;
}
