/* SPDX-License-Identifier: MIT */
#include <shmkit/type.h>

#include <string.h>

#include "error.h"

static const struct {
  const char *name;
  size_t size;
} types[] = {
    [SHMKIT_I8] = {"i8", 1},   [SHMKIT_I16] = {"i16", 2},   [SHMKIT_I32] = {"i32", 4},
    [SHMKIT_I64] = {"i64", 8}, [SHMKIT_U8] = {"u8", 1},     [SHMKIT_U16] = {"u16", 2},
    [SHMKIT_U32] = {"u32", 4}, [SHMKIT_U64] = {"u64", 8},   [SHMKIT_F32] = {"f32", 4},
    [SHMKIT_F64] = {"f64", 8}, [SHMKIT_BOOL] = {"bool", 1}, [SHMKIT_CHAR] = {"char", 1},
};
enum { TYPES = sizeof types / sizeof types[0] };

static bool is_type(shmkit_type type) {
  return (unsigned)type >= SHMKIT_I8 && (unsigned)type < TYPES;
}

shmkit_status shmkit_type_find(const char *name, shmkit_type *out) {
  for (unsigned type = SHMKIT_I8; type < TYPES; type++) {
    if (strcmp(types[type].name, name) == 0) {
      *out = (shmkit_type)type;
      return 0;
    }
  }
  return shmkit__fail(-EINVAL, "",
                      "no type is called \"%s\": use one of i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 "
                      "bool char",
                      name);
}

const char *shmkit_type_name(shmkit_type type) {
  return is_type(type) ? types[type].name : "?";
}

size_t shmkit_type_size(shmkit_type type) {
  return is_type(type) ? types[type].size : 0;
}
