/* SPDX-License-Identifier: MIT */
/*
 * Structs of the library as plain data: which fields there are, what they are called, and what each
 * says about a given struct. Written down once, so that the words are the same in every language.
 *
 * What C says by a sentinel (SHMKIT_UNKNOWN and its kin, a PID of 0, "" for a text that there is
 * not) is SHMKIT_FIELD_NOTHING here. Flags are fields of their own; what has a name is its name.
 */
#ifndef SHMKIT_BINDINGS_FIELDS_H
#define SHMKIT_BINDINGS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shmkit/shmkit.h>

/* What a struct is made of. */
typedef struct shmkit_shape {
  const struct shmkit_field *fields;
  int count;
  /* Of the struct in C. */
  size_t size;
} shmkit_shape;

typedef enum shmkit_field_type {
  SHMKIT_FIELD_NOTHING = 0,
  SHMKIT_FIELD_BOOLEAN,
  SHMKIT_FIELD_SIGNED,
  SHMKIT_FIELD_UNSIGNED,
  SHMKIT_FIELD_TEXT,
  SHMKIT_FIELD_SEALS,
  SHMKIT_FIELD_KINDS,
  SHMKIT_FIELD_CREATOR,
  SHMKIT_FIELD_STRUCTS
} shmkit_field_type;

typedef struct shmkit_field_value {
  /* Of the field in C, in all languages. */
  const char *name;
  shmkit_field_type type;
  /* Pointers are into the struct, or to constants. */
  union {
    bool boolean;
    int64_t integer;
    uint64_t natural;
    const char *text;
    /* SHMKIT_SEAL_*, or-ed. */
    uint32_t seals;
    /* SHMKIT_INFO_SET, or-ed. */
    uint32_t kinds;
    const shmkit_creator *creator;
    /* `count` structs, one after the other. */
    struct {
      const shmkit_shape *shape;
      const char *first;
      size_t count;
    } structs;
  };
} shmkit_field_value;

extern const shmkit_shape shmkit_info_shape;
extern const shmkit_shape shmkit_limit_shape;

/* The field at an index from 0 to the shape's count. */
shmkit_field_value shmkit_field_get(const shmkit_shape *shape, int index, const void *from);

/* The set that has the kind of that name alone, or all for "all"; 0 when nothing is called so. */
uint32_t shmkit_kinds_find(const char *name);

#endif
