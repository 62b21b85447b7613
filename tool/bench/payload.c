/* SPDX-License-Identifier: MIT */
#include "payload.h"

#include <string.h>

/* Two words, which every processor of today adds and compares at once. May alias anything. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
typedef uint64_t word __attribute__((may_alias));

/* Four pairs that do not wait for each other. */
enum { PAIRS = 4, WORDS = 2 * PAIRS };

static const pair first = {0, 1};

static void fill_words(word *words, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i < to; i++) words[i] = seed + i;
}

static uint64_t differing_bits(const word *words, size_t from, size_t to, uint64_t seed) {
  uint64_t difference = 0;
  for (size_t i = from; i < to; i++) difference |= words[i] ^ (seed + i);
  return difference;
}

static void fill_pairs(pair *pairs, size_t blocks, uint64_t seed) {
  pair a = first + seed, b = a + 2, c = b + 2, d = c + 2;
  for (size_t i = 0; i < blocks; i++, pairs += PAIRS) {
    pairs[0] = a, pairs[1] = b, pairs[2] = c, pairs[3] = d;
    a += WORDS, b += WORDS, c += WORDS, d += WORDS;
  }
}

static uint64_t differing_pairs(const pair *pairs, size_t blocks, uint64_t seed) {
  pair a = first + seed, b = a + 2, c = b + 2, d = c + 2;
  pair even = {0}, odd = {0};
  for (size_t i = 0; i < blocks; i++, pairs += PAIRS) {
    even |= (pairs[0] ^ a) | (pairs[2] ^ c);
    odd |= (pairs[1] ^ b) | (pairs[3] ^ d);
    a += WORDS, b += WORDS, c += WORDS, d += WORDS;
  }
  even |= odd;
  return even[0] | even[1];
}

void payload_fill(void *memory, size_t size, uint64_t seed) {
  size_t blocks = size / sizeof(pair[PAIRS]), words = size / sizeof(word);
  if (blocks > 0) fill_pairs(memory, blocks, seed);
  fill_words(memory, blocks * WORDS, words, seed);
  uint64_t rest = seed + words;
  if (size % sizeof rest != 0) {
    memcpy((char *)memory + words * sizeof rest, &rest, size % sizeof rest);
  }
}

bool payload_check(const void *memory, size_t size, uint64_t seed) {
  size_t blocks = size / sizeof(pair[PAIRS]), words = size / sizeof(word);
  uint64_t difference = blocks > 0 ? differing_pairs(memory, blocks, seed) : 0;
  difference |= differing_bits(memory, blocks * WORDS, words, seed);
  uint64_t rest = seed + words;
  if (size % sizeof rest == 0) return difference == 0;
  return difference == 0 &&
         memcmp((const char *)memory + words * sizeof rest, &rest, size % sizeof rest) == 0;
}
