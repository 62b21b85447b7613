/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Type: the names of element types, the same wherever a type is named.
 *
 *   i8 i16 i32 i64   signed integers, two's complement
 *   u8 u16 u32 u64   unsigned integers
 *   f32 f64          IEEE 754
 *   bool             one byte, 0 or 1
 *   char             one byte of text
 *
 * All in the machine's byte order. Every type is aligned to its size, on every platform: 8 bytes
 * for the 64-bit types in 32-bit programs too.
 */
#ifndef SHMKIT_TYPE_H
#define SHMKIT_TYPE_H

#include <stddef.h>

#include <shmkit/error.h>

SHMKIT_BEGIN_DECLS

typedef enum shmkit_type {
  SHMKIT_I8 = 1,
  SHMKIT_I16,
  SHMKIT_I32,
  SHMKIT_I64,
  SHMKIT_U8,
  SHMKIT_U16,
  SHMKIT_U32,
  SHMKIT_U64,
  SHMKIT_F32,
  SHMKIT_F64,
  SHMKIT_BOOL,
  SHMKIT_CHAR
} shmkit_type;

/**
 * Find a type by its name.
 *
 * @return 0; -EINVAL when no type has that name, with a message that lists them.
 * Concurrency: any thread.
 */
SHMKIT_API shmkit_status shmkit_type_find(const char *name, shmkit_type *out);

/**
 * The name of a type, "?" for a value that is none.
 *
 * Concurrency: any thread.
 */
SHMKIT_API const char *shmkit_type_name(shmkit_type type);

/**
 * The size of one element in bytes, which is also its alignment; 0 for a value that is no type.
 *
 * Concurrency: any thread.
 */
SHMKIT_API size_t shmkit_type_size(shmkit_type type);

SHMKIT_END_DECLS

#endif
