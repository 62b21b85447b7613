/* SPDX-License-Identifier: MIT */
#include "watch_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report.h"
#include "text.h"

/* ---- Looking -------------------------------------------------------------------------------- */

void watch_move(struct watch_model *model, uint64_t offset, size_t room) {
  unsigned char *bytes = must(calloc(room + 1, 1)), *ages = must(malloc(room + 1));
  memset(ages, WATCH_UNSEEN, room);
  for (size_t i = 0; i < model->length; i++) {
    uint64_t at = model->offset + i;
    if (at < offset || at - offset >= room) continue;
    bytes[at - offset] = model->bytes[i];
    ages[at - offset] = model->ages[i];
  }
  watch_free(model);
  model->bytes = bytes;
  model->ages = ages;
  model->before = must(calloc(room + 1, 1));
  model->offset = offset;
  model->room = room;
  /* Those at the end that are not known are marked. */
  model->length = room;
}

void watch_free(struct watch_model *model) {
  free(model->bytes);
  free(model->before);
  free(model->ages);
  model->bytes = model->before = model->ages = NULL;
}

static void grow_old(struct watch_model *model) {
  for (size_t i = 0; i < model->length; i++) {
    unsigned char *age = &model->ages[i];
    if (*age == WATCH_UNSEEN) {
      *age = WATCH_OLD;
    } else if (model->bytes[i] != model->before[i]) {
      *age = 0;
    } else if (*age < WATCH_OLD) {
      (*age)++;
    }
  }
  memset(model->ages + model->length, WATCH_UNSEEN, model->room - model->length);
}

bool watch_look(struct watch_model *model) {
  int64_t began = clock_now();
  model->event = content_refresh(model->content);
  unsigned char *now = model->before;
  ssize_t got = content_read(model->content, model->offset, now, model->room);
  if (got >= 0) {
    model->before = model->bytes;
    model->bytes = now;
    model->length = (size_t)got;
    grow_old(model);
  }
  model->took = clock_now() - began;
  return got >= 0;
}

/* ---- Changes -------------------------------------------------------------------------------- */

bool watch_is_printable(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f;
}

static bool is_changed(const struct watch_model *model, size_t at) {
  return at < model->length && model->ages[at] == 0;
}

/* Neighbours, at most as many as a line of hexadecimal has. */
static size_t run_of_bytes(const struct watch_model *model, size_t at) {
  enum { MOST = 16 };
  size_t length = 0;
  while (length < MOST && is_changed(model, at + length)) length++;
  return length;
}

static bool is_text(const struct watch_model *model, size_t at) {
  return at < model->length &&
         (watch_is_printable(model->bytes[at]) || watch_is_printable(model->before[at]));
}

/* Elements are where they would be in an array from offset 0 on. */
static bool find_element(const struct watch_model *model, size_t *at, size_t *length) {
  size_t size = shmkit_type_size(model->type), into = (model->offset + *at) % size;
  *at = *at >= into ? *at - into : 0;
  *length = size;
  return *at + size <= model->length && (model->offset + *at) % size == 0;
}

static bool find_stretch(const struct watch_model *model, size_t from, size_t *at, size_t *length) {
  switch (model->mode) {
    case WATCH_TYPE:
      return find_element(model, at, length);
    case WATCH_STRINGS:
      if (!is_text(model, *at)) return false;
      while (*at > from && is_text(model, *at - 1)) (*at)--;
      for (*length = 0; is_text(model, *at + *length);) (*length)++;
      return true;
    default:
      *length = run_of_bytes(model, *at);
      return true;
  }
}

bool watch_next_change(const struct watch_model *model, size_t from, size_t *at, size_t *length) {
  for (size_t i = from; i < model->length; i++) {
    const unsigned char *next = memchr(model->ages + i, 0, model->length - i);
    if (next == NULL) return false;
    i = *at = (size_t)(next - model->ages);
    if (find_stretch(model, from, at, length)) return true;
  }
  return false;
}

/* ---- Text ----------------------------------------------------------------------------------- */

static char *hexadecimal(const unsigned char *bytes, size_t length) {
  char *text = must(malloc(3 * length + 1));
  text[0] = '\0';
  for (size_t i = 0; i < length; i++) {
    (void)snprintf(text + 3 * i - (i > 0), 4, i > 0 ? " %02x" : "%02x", bytes[i]);
  }
  return text;
}

/* The text up to the first byte that is none. */
static char *string(const unsigned char *bytes, size_t length) {
  size_t end = 0;
  while (end < length && watch_is_printable(bytes[end])) end++;
  return text_format("\"%.*s\"", (int)end, (const char *)bytes);
}

/* As few digits as give the same number again. */
static char *real(double value, int least, int most) {
  for (int digits = least;; digits++) {
    char *text = text_format("%.*g", digits, value);
    double back = strtod(text, NULL);
    bool same = most == 9 ? (float)back == (float)value : back == value;
    if (same || digits == most) return text;
    free(text);
  }
}

/* In the machine's byte order. */
static int64_t signed_value(const unsigned char *bytes, size_t size) {
  int8_t one;
  int16_t two;
  int32_t four;
  int64_t eight;
  switch (size) {
    case sizeof one:
      memcpy(&one, bytes, size);
      return one;
    case sizeof two:
      memcpy(&two, bytes, size);
      return two;
    case sizeof four:
      memcpy(&four, bytes, size);
      return four;
    default:
      memcpy(&eight, bytes, sizeof eight);
      return eight;
  }
}

static uint64_t unsigned_value(const unsigned char *bytes, size_t size) {
  uint64_t value = (uint64_t)signed_value(bytes, size);
  return size < sizeof value ? value & ((UINT64_C(1) << (8 * size)) - 1) : value;
}

static char *float_text(const unsigned char *bytes) {
  float value;
  memcpy(&value, bytes, sizeof value);
  return real((double)value, 6, 9);
}

static char *double_text(const unsigned char *bytes) {
  double value;
  memcpy(&value, bytes, sizeof value);
  return real(value, 15, 17);
}

char *watch_element(shmkit_type type, const unsigned char *bytes) {
  size_t size = shmkit_type_size(type);
  switch (type) {
    case SHMKIT_F32:
      return float_text(bytes);
    case SHMKIT_F64:
      return double_text(bytes);
    case SHMKIT_BOOL:
      if (bytes[0] <= 1) return must(strdup(bytes[0] ? "true" : "false"));
      return text_format("%u", bytes[0]);
    case SHMKIT_CHAR:
      return watch_is_printable(bytes[0]) ? text_format("%c", bytes[0])
                                          : text_format("\\%03o", bytes[0]);
    case SHMKIT_U8:
    case SHMKIT_U16:
    case SHMKIT_U32:
    case SHMKIT_U64:
      return text_format("%ju", (uintmax_t)unsigned_value(bytes, size));
    default:
      return text_format("%jd", (intmax_t)signed_value(bytes, size));
  }
}

char *watch_text(const struct watch_model *model, const unsigned char *bytes, size_t at,
                 size_t length) {
  if (model->mode == WATCH_TYPE) return watch_element(model->type, bytes + at);
  return (model->mode == WATCH_STRINGS ? string : hexadecimal)(bytes + at, length);
}
