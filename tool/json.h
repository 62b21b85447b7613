/* SPDX-License-Identifier: MIT */
/*
 * The values of JSON output, on json-c. What is unknown is null. Text that is not UTF-8 is escaped,
 * and its bytes follow in base64 under "NAME_base64". Times are RFC 3339 in UTC, and the same in
 * nanoseconds since 1970 under "NAME_ns".
 */
#ifndef SHMKIT_TOOL_JSON_H
#define SHMKIT_TOOL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct json_object json;

/* The format's version: larger when a reader of the old one would go wrong. */
enum { JSON_VERSION = 1 };

json *json_new(void);
json *json_new_array(void);
/* An object with "version". */
json *json_new_document(void);

/* A member that `object` does not have yet. `key` is not copied: a literal. So with all below. */
void json_add(json *object, const char *key, json *value);
void json_append(json *array, json *value);

void json_add_null(json *object, const char *key);
void json_add_bool(json *object, const char *key, bool value);
/* null for SHMKIT_UNKNOWN. */
void json_add_count(json *object, const char *key, uint64_t value);
/* null for SHMKIT_UNKNOWN_ID. */
void json_add_id(json *object, const char *key, uint32_t value);
void json_add_integer(json *object, const char *key, int64_t value);
/* null when not finite. */
void json_add_real(json *object, const char *key, double value);
/* null for NULL; odd bytes as said above. */
void json_add_text(json *object, const char *key, const char *text);
void json_add_time(json *object, const char *key, int64_t time);

/* To standard output, and the end of it. */
void json_print(json *document);
/* In one line, and at once: for a stream of documents. */
void json_print_line(json *document);

/* A document with a long array, which is not in memory as a whole: `document` without the array, of
 * which it has the other members, at least one; then the items, each in a line of its own. */
void json_begin(json *document, const char *key);
void json_item(json *item, bool first);
void json_end(void);

#endif
