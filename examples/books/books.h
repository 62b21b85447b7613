/* SPDX-License-Identifier: MIT */
/* What lies in the segment of books: zeros at first, which is as valid as anything later. */
#ifndef BOOKS_H
#define BOOKS_H

#include <stddef.h>
#include <stdint.h>

struct books {
  char mutex[64];      /* who holds it may write what follows */
  char event[64];      /* set when somebody has done his work */
  int64_t accounts[2]; /* add up to nothing, but for a moment within a transfer */
  uint64_t repairs;
};

_Static_assert(offsetof(struct books, event) == 64, "books.py and books.lua say 64");
_Static_assert(offsetof(struct books, accounts) == 128, "books.py and books.lua say 128");
_Static_assert(offsetof(struct books, repairs) == 144, "books.py and books.lua say 144");

#endif
