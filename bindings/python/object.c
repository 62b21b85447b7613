/* SPDX-License-Identifier: MIT */
/* Life of a Segment object: made by the library's functions only, half-made otherwise, collected. */
#include "glue.h"

/* SWIG's type, and the hand-written subclass of it that users get. */
static PyTypeObject *native_type;
static PyTypeObject *public_type;

static void prepare_type(PyTypeObject *type) {
  /* SWIG's metaclass is there for C++'s static members, and would collide with ABCMeta and others. */
  Py_SET_TYPE(type, &PyType_Type);
  PyDict_DelItemString(type->tp_dict, "this");
  PyDict_DelItemString(type->tp_dict, "thisown");
  type->tp_as_number->nb_int = NULL;
  /* SWIG begins a docstring of several lines with an empty one, which hides the signature. */
  for (PyMethodDef *method = type->tp_methods; method->ml_name; method++)
    if (method->ml_doc && *method->ml_doc == '\n') method->ml_doc++;
  /* It also gives __dict__ the docstring of the last method. */
  for (PyGetSetDef *attribute = type->tp_getset; attribute->name; attribute++)
    if (strcmp(attribute->name, "__dict__") == 0) attribute->doc = NULL;
}

void shmkit_python_prepare(PyObject *module) {
  if (!shmkit_python_prepare_views()) return;
  native_type = (PyTypeObject *)PyDict_GetItemString(module, "Segment");
  PyTypeObject *mutex = (PyTypeObject *)PyDict_GetItemString(module, "Mutex");
  PyTypeObject *event = (PyTypeObject *)PyDict_GetItemString(module, "Event");
  /* SWIG's base class lets scripts give up ownership, chain objects and ask for the pointer. */
  PyTypeObject *base = native_type->tp_base;
  PyDict_Clear(base->tp_dict);
  base->tp_new = NULL;
  prepare_type(native_type);
  prepare_type(mutex);
  prepare_type(event);
  if (!shmkit_python_prepare_mutex(native_type, mutex) ||
      !shmkit_python_prepare_event(native_type, event))
    return;
  PyType_Modified(base);
}

int shmkit_python_add(PyTypeObject *type, PyMethodDef *methods, PyGetSetDef *properties) {
  int good = 1;
  for (; good && methods->ml_name; methods++) {
    PyObject *method = PyDescr_NewMethod(type, methods);
    good = method && PyDict_SetItemString(type->tp_dict, methods->ml_name, method) == 0;
    Py_XDECREF(method);
  }
  for (; good && properties->name; properties++) {
    PyObject *property = PyDescr_NewGetSet(type, properties);
    good = property && PyDict_SetItemString(type->tp_dict, properties->name, property) == 0;
    Py_XDECREF(property);
  }
  return good;
}

void shmkit_python_register(PyObject *segment_type, PyObject *make_error, PyObject *make_not_held) {
  /* There is one native type in a process, and one set of classes that it can make instances of. */
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError, "shmkit works in the main interpreter only");
    return;
  }
  if (!PyType_Check(segment_type) || !PyType_IsSubtype((PyTypeObject *)segment_type, native_type)) {
    PyErr_SetString(PyExc_TypeError, "a subclass of native.Segment is needed");
    return;
  }
  Py_INCREF(segment_type);
  Py_XDECREF(public_type);
  public_type = (PyTypeObject *)segment_type;
  shmkit_python_set_error_factories(make_error, make_not_held);
}

shmkit_segment *shmkit_python_segment(PyObject *object) {
  if (!PyObject_TypeCheck(object, native_type)) {
    PyErr_Format(PyExc_TypeError, "a Segment is needed, not %.100s", Py_TYPE(object)->tp_name);
    return NULL;
  }
  shmkit_segment *segment = *shmkit_python_pointer(object);
  if (!segment)
    shmkit_python_fail(SHMKIT_ERR_CLOSED, NULL,
                       "this %.100s was never opened: create() and open() make segments",
                       Py_TYPE(object)->tp_name);
  return segment;
}

PyObject *shmkit_python_wrap(shmkit_segment *segment) {
  PyTypeObject *type = public_type ? public_type : native_type;
  PyObject *nothing = PyTuple_New(0);
  PyObject *self = nothing ? type->tp_new(type, nothing, NULL) : NULL;
  Py_XDECREF(nothing);
  /* Scripts can give the class another __new__, which may return anything. */
  if (self && PyObject_TypeCheck(self, native_type) && !*shmkit_python_pointer(self)) {
    *shmkit_python_pointer(self) = segment;
    return self;
  }
  shmkit_segment_free(segment);
  if (self) PyErr_Format(PyExc_TypeError, "%.100s.__new__ made no new segment", type->tp_name);
  Py_XDECREF(self);
  return NULL;
}

int shmkit_python_init(PyObject *self, PyObject *args, PyObject *kwargs) {
  (void)args, (void)kwargs;
  PyErr_Format(PyExc_TypeError,
               "%.100s objects come from create(), open(), open_or_create() and receive()",
               Py_TYPE(self)->tp_name);
  return -1;
}

int shmkit_python_traverse(PyObject *self, visitproc visit, void *arg) {
  PyObject **attributes = _PyObject_GetDictPtr(self);
  if (attributes) Py_VISIT(*attributes);
  /* A type on the heap, as newer SWIG makes it, is kept by its instances. */
  if (native_type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_VISIT(Py_TYPE(self));
  return 0;
}

int shmkit_python_clear(PyObject *self) {
  PyObject **attributes = _PyObject_GetDictPtr(self);
  if (attributes) Py_CLEAR(*attributes);
  return 0;
}

void shmkit_python_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (native_type->tp_weaklistoffset) PyObject_ClearWeakRefs(self);
  shmkit_python_clear(self);
  /* Not pinned: every buffer holds a reference to the object. */
  shmkit_segment_free(*shmkit_python_pointer(self));
  type->tp_free(self);
  if (native_type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
}

PyObject *shmkit_python_repr(PyObject *self) {
  const shmkit_segment *segment = *shmkit_python_pointer(self);
  const char *type = Py_TYPE(self)->tp_name;
  if (!segment) return PyUnicode_FromFormat("<%s, never opened>", type);
  PyObject *address = PyUnicode_DecodeFSDefault(shmkit_segment_address(segment));
  if (!address) return NULL;
  PyObject *text = shmkit_segment_closed(segment)
                       ? PyUnicode_FromFormat("<%s %R, closed>", type, address)
                       : PyUnicode_FromFormat(
                             "<%s %R, %zu bytes%s>", type, address, shmkit_segment_size(segment),
                             shmkit_segment_readonly(segment) ? ", read-only" : "");
  Py_DECREF(address);
  return text;
}

Py_hash_t shmkit_python_hash(PyObject *self) {
  return _Py_HashPointer(self);
}
