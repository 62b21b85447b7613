/* SPDX-License-Identifier: MIT */
/* What lies in the segment of hello: 64 bytes that every program here agrees on. */
#ifndef HELLO_H
#define HELLO_H

#include <stddef.h>

struct hello {
  double number;
  char text[48];  /* ends with a NUL */
  char reader[8]; /* the language that read it last; ends with a NUL */
};

_Static_assert(offsetof(struct hello, text) == 8, "hello.py and hello.lua say 8");
_Static_assert(offsetof(struct hello, reader) == 56, "hello.py and hello.lua say 56");
_Static_assert(sizeof(struct hello) == 64, "hello.py and hello.lua say 64");

#endif
