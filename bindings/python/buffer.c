/* SPDX-License-Identifier: MIT */
/*
 * The buffer protocol: memoryview(segment), and views of typed elements.
 *
 * Every buffer that is handed out pins the segment, so that its memory outlives a close, and holds
 * a reference to the object, so that the object outlives the buffer.
 */
#include "glue.h"

static int fill(PyObject *exporter, shmkit_segment *segment, Py_buffer *view, void *data,
                uint64_t length, int flags) {
  view->obj = NULL;
  bool readonly = shmkit_segment_readonly(segment);
  if (readonly && (flags & PyBUF_WRITABLE)) {
    PyErr_Format(PyExc_BufferError, "%s is open for reading only", shmkit_segment_address(segment));
    return -1;
  }
  return PyBuffer_FillInfo(view, exporter, data, (Py_ssize_t)length, readonly, flags);
}

int shmkit_python_getbuffer(PyObject *self, Py_buffer *view, int flags) {
  view->obj = NULL;
  shmkit_segment *segment = shmkit_python_segment(self);
  if (!segment) return -1;
  shmkit_status status = shmkit_segment_pin(segment);
  if (status < 0) {
    shmkit_python_raise(status);
    return -1;
  }
  if (fill(self, segment, view, shmkit_segment_data(segment), shmkit_segment_size(segment),
           flags) == 0)
    return 0;
  shmkit_segment_unpin(segment);
  return -1;
}

void shmkit_python_releasebuffer(PyObject *self, Py_buffer *view) {
  (void)view;
  shmkit_segment_unpin(*shmkit_python_pointer(self));
}

/* ---- Elements --------------------------------------------------------------------------------- */

/*
 * What stands behind view(): memoryview alone can neither begin in the middle of a buffer with a
 * format of its own, nor cast nothing to it.
 *
 * Visited by the collector but never cleared: the pins of its buffers need its segment, and a cycle
 * always leads through an object that can be cleared, the memoryview or the segment's attributes.
 */
typedef struct {
  PyObject_HEAD PyObject *owner;
  shmkit_span span;
  const char *format;
  Py_ssize_t item_size;
  Py_ssize_t shape[1];
} Elements;

static int elements_getbuffer(PyObject *self, Py_buffer *view, int flags) {
  Elements *elements = (Elements *)self;
  view->obj = NULL;
  shmkit_segment *segment = *shmkit_python_pointer(elements->owner);
  shmkit_status status = shmkit_segment_pin(segment);
  if (status < 0) {
    shmkit_python_raise(status);
    return -1;
  }
  uint64_t length = elements->span.count * (uint64_t)elements->item_size;
  if (fill(self, segment, view, elements->span.data, length, flags) < 0) {
    shmkit_segment_unpin(segment);
    return -1;
  }
  /* FillInfo has described bytes; say what they are to those who ask. */
  view->itemsize = elements->item_size;
  if (flags & PyBUF_FORMAT) view->format = (char *)elements->format;
  if (flags & PyBUF_ND) view->shape = elements->shape;
  return 0;
}

static void elements_releasebuffer(PyObject *self, Py_buffer *view) {
  (void)view;
  shmkit_segment_unpin(*shmkit_python_pointer(((Elements *)self)->owner));
}

static int elements_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(((Elements *)self)->owner);
  return 0;
}

static void elements_dealloc(PyObject *self) {
  PyObject_GC_UnTrack(self);
  Py_DECREF(((Elements *)self)->owner);
  PyObject_GC_Del(self);
}

static PyBufferProcs elements_buffer = {elements_getbuffer, elements_releasebuffer};

/* Without tp_new: scripts meet it as memoryview.obj and cannot make one. */
static PyTypeObject elements_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "shmkit.native.Elements",
    .tp_doc = "Elements of a segment; memoryview(elements) gives them.",
    .tp_basicsize = sizeof(Elements),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_as_buffer = &elements_buffer,
    .tp_traverse = elements_traverse,
    .tp_dealloc = elements_dealloc,
};

int shmkit_python_prepare_views(void) {
  return PyType_Ready(&elements_type) == 0;
}

/* The element's format in the struct module's native mode, as memoryview wants it. */
static const char *type_format(shmkit_type type) {
  switch (type) {
    case SHMKIT_I8:
      return "b";
    case SHMKIT_I16:
      return "h";
    case SHMKIT_I32:
      return "i";
    case SHMKIT_I64:
      return "q";
    case SHMKIT_U8:
      return "B";
    case SHMKIT_U16:
      return "H";
    case SHMKIT_U32:
      return "I";
    case SHMKIT_U64:
      return "Q";
    case SHMKIT_F32:
      return "f";
    case SHMKIT_F64:
      return "d";
    case SHMKIT_BOOL:
      return "?";
    case SHMKIT_CHAR:
      return "c";
  }
  return NULL;
}

/* Type name, offset and count; NULL for what was left out. */
static int parse(PyObject *self, PyObject *name, PyObject *offset, PyObject *count,
                 shmkit_type *type, uint64_t *first, uint64_t *length) {
  if (!shmkit_python_type(name, type)) return 0;
  *first = 0;
  *length = SHMKIT_REST;
  if (offset && !shmkit_python_integer(self, NULL, offset, "offset", UINT64_MAX, first)) return 0;
  /* The largest value means "the rest" in C; say it with None. */
  return !count || count == Py_None ||
         shmkit_python_integer(self, NULL, count, "count", SHMKIT_REST - 1, length);
}

PyObject *shmkit_segment_python_view(shmkit_segment *segment, PyObject *self, PyObject *type_name,
                                     PyObject *offset, PyObject *count) {
  shmkit_type type;
  uint64_t first, length;
  shmkit_span span;
  if (!parse(self, type_name, offset, count, &type, &first, &length)) return NULL;
  shmkit_status status = shmkit_segment_view(segment, type, first, length, &span);
  if (status < 0) {
    shmkit_python_raise(status);
    return NULL;
  }
  Elements *elements = PyObject_GC_New(Elements, &elements_type);
  if (!elements) return NULL;
  Py_INCREF(self);
  elements->owner = self;
  elements->span = span;
  elements->format = type_format(type);
  elements->item_size = (Py_ssize_t)shmkit_type_size(type);
  elements->shape[0] = (Py_ssize_t)span.count;
  PyObject_GC_Track(elements);
  PyObject *view = PyMemoryView_FromObject((PyObject *)elements);
  Py_DECREF(elements);
  return view;
}
