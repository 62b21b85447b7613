/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shmkit/inspect.h>

#include "report.h"
#include "text.h"

json *json_new(void) {
  return must(json_object_new_object());
}

json *json_new_array(void) {
  return must(json_object_new_array());
}

json *json_new_document(void) {
  json *document = json_new();
  json_add_integer(document, "version", JSON_VERSION);
  return document;
}

static void add(json *object, const char *key, json *value, unsigned how) {
  how |= JSON_C_OBJECT_ADD_KEY_IS_NEW;
  if (json_object_object_add_ex(object, key, value, how) != 0) must(NULL);
}

void json_add(json *object, const char *key, json *value) {
  add(object, key, value, JSON_C_OBJECT_KEY_IS_CONSTANT);
}

void json_append(json *array, json *value) {
  if (json_object_array_add(array, value) != 0) must(NULL);
}

void json_add_null(json *object, const char *key) {
  json_add(object, key, NULL);
}

void json_add_bool(json *object, const char *key, bool value) {
  json_add(object, key, must(json_object_new_boolean(value)));
}

void json_add_count(json *object, const char *key, uint64_t value) {
  json_add(object, key, value == SHMKIT_UNKNOWN ? NULL : must(json_object_new_uint64(value)));
}

void json_add_id(json *object, const char *key, uint32_t value) {
  json_add_count(object, key, value == SHMKIT_UNKNOWN_ID ? SHMKIT_UNKNOWN : value);
}

void json_add_integer(json *object, const char *key, int64_t value) {
  json_add(object, key, must(json_object_new_int64(value)));
}

void json_add_real(json *object, const char *key, double value) {
  json_add(object, key, isfinite(value) ? must(json_object_new_double(value)) : NULL);
}

/* "key" and "suffix" as one key. */
static void add_as(json *object, const char *key, const char *suffix, json *value) {
  char joined[64];
  (void)snprintf(joined, sizeof joined, "%s%s", key, suffix);
  add(object, joined, value, 0);
}

/* ---- Text ----------------------------------------------------------------------------------- */

static char *base64(const char *bytes, size_t length) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  const unsigned char *in = (const unsigned char *)bytes;
  char *text = must(malloc(length / 3 * 4 + 5)), *out = text;
  for (size_t i = 0; i < length; i += 3) {
    size_t some = length - i < 3 ? length - i : 3;
    uint32_t group = (uint32_t)in[i] << 16;
    if (some > 1) group |= (uint32_t)in[i + 1] << 8;
    if (some > 2) group |= in[i + 2];
    *out++ = digits[group >> 18];
    *out++ = digits[group >> 12 & 63];
    *out++ = digits[some > 1 ? group >> 6 & 63 : 64];
    *out++ = digits[some > 2 ? group & 63 : 64];
  }
  *out = '\0';
  return text;
}

void json_add_text(json *object, const char *key, const char *text) {
  if (text == NULL) {
    json_add_null(object, key);
  } else if (text_is_utf8(text)) {
    json_add(object, key, must(json_object_new_string(text)));
  } else {
    char *escaped = text_escape(text), *encoded = base64(text, strlen(text));
    json_add(object, key, must(json_object_new_string(escaped)));
    add_as(object, key, "_base64", must(json_object_new_string(encoded)));
    free(encoded);
    free(escaped);
  }
}

/* ---- Times ---------------------------------------------------------------------------------- */

/* Times are often of one second, whose date is kept. */
static const char *date_of(time_t seconds) {
  static char date[64];
  static time_t latest;
  struct tm utc;
  if (seconds == latest && *date != '\0') return date;
  if (gmtime_r(&seconds, &utc) == NULL) return NULL;
  (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  latest = seconds;
  return date;
}

static json *rfc3339(int64_t time) {
  const int64_t second = 1000000000;
  char text[80];
  /* Before 1970 the fraction still counts upwards. */
  int64_t fraction = time % second < 0 ? time % second + second : time % second;
  const char *date = date_of((time_t)((time - fraction) / second));
  if (date == NULL) return NULL;
  (void)snprintf(text, sizeof text, "%s.%09" PRId64 "Z", date, fraction);
  return must(json_object_new_string(text));
}

void json_add_time(json *object, const char *key, int64_t time) {
  bool known = time != SHMKIT_UNKNOWN_TIME;
  json_add(object, key, known ? rfc3339(time) : NULL);
  add_as(object, key, "_ns", known ? must(json_object_new_int64(time)) : NULL);
}

static void print(json *document, int style) {
  (void)puts(must((void *)(uintptr_t)json_object_to_json_string_ext(document, style)));
  (void)json_object_put(document);
}

void json_print(json *document) {
  print(document,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static const int plain = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

void json_print_line(json *document) {
  print(document, plain);
  (void)fflush(stdout);
}

static const char *text_of(json *value, size_t *length) {
  return must((void *)(uintptr_t)json_object_to_json_string_length(value, plain, length));
}

void json_begin(json *document, const char *key) {
  size_t length = 0;
  const char *text = text_of(document, &length);
  /* All but the brace that ends it. */
  (void)printf("%.*s,\"%s\":[", (int)length - 1, text, key);
  (void)json_object_put(document);
}

void json_item(json *item, bool first) {
  size_t length = 0;
  const char *text = text_of(item, &length);
  (void)fputs(first ? "\n" : ",\n", stdout);
  (void)fwrite(text, 1, length, stdout);
  (void)json_object_put(item);
}

void json_end(void) {
  (void)puts("\n]}");
}
