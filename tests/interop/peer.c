/* SPDX-License-Identifier: MIT */
/*
 * peer: shmkit for the tests between languages. Reads commands from standard input, one per line,
 * and answers each with a line: "ok" and the results, or "error", the errno, whether it is misuse,
 * and the message. peer.py and peer.lua take the same commands; peers.py describes the protocol.
 *
 * Words are separated by a space. Addresses and bytes are in hexadecimal, "-" when empty; floating
 * numbers as C's %a, so that they survive exactly; other numbers in decimal.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

enum { SEGMENTS = 8 };

static shmkit_segment *segments[SEGMENTS];

/* ---- Words ---------------------------------------------------------------------------------- */

char *next(void) {
  static char none[1];
  char *word = strtok(NULL, " \n"); /* NOLINT(concurrency-mt-unsafe): one thread */
  return word != NULL ? word : none;
}

uint64_t next_number(void) {
  return strtoull(next(), NULL, 10);
}

static shmkit_segment **next_slot(void) {
  return &segments[next_number() % SEGMENTS];
}

size_t unhex(char *word) {
  size_t length = 0;
  for (const char *from = word; from[0] != '\0' && from[0] != '-'; from += 2) {
    const char digits[] = {from[0], from[1], '\0'};
    word[length++] = (char)strtol(digits, NULL, 16);
  }
  word[length] = '\0';
  return length;
}

static void put_hex(const void *bytes, size_t length) {
  putchar(' ');
  if (length == 0) putchar('-');
  for (size_t i = 0; i < length; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void put_text(const char *text) {
  put_hex(text, strlen(text));
}

/* ---- Options: the remaining words, name=value ------------------------------------------------- */

static uint32_t seals_of(const char *names) {
  static const char *const known[] = {"seal", "shrink", "grow", "write", "future_write"};
  uint32_t seals = 0;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    const char *found = strstr(names, known[i]);
    if (found != NULL) seals |= 1U << i;
  }
  return seals;
}

static uint32_t lifetime_of(const char *name) {
  uint32_t lifetime = SHMKIT_PERSISTENT;
  while (lifetime <= SHMKIT_LAST && strcmp(shmkit_lifetime_name(lifetime), name) != 0) lifetime++;
  return lifetime;
}

static shmkit_segment_options next_options(void) {
  shmkit_segment_options options = SHMKIT_SEGMENT_OPTIONS_INIT;
  for (char *word = next(); *word != '\0'; word = next()) {
    char *value = strchr(word, '=');
    if (value == NULL) continue;
    *value++ = '\0';
    if (strcmp(word, "readonly") == 0) options.flags |= SHMKIT_READONLY;
    if (strcmp(word, "any_owner") == 0) options.flags |= SHMKIT_ANY_OWNER;
    if (strcmp(word, "sparse") == 0) options.flags |= SHMKIT_SPARSE;
    if (strcmp(word, "capacity") == 0) options.capacity = strtoull(value, NULL, 10);
    if (strcmp(word, "mode") == 0) options.mode = (uint32_t)strtoul(value, NULL, 10);
    if (strcmp(word, "lifetime") == 0) options.lifetime = lifetime_of(value);
    if (strcmp(word, "seals") == 0) options.seals = seals_of(value);
    if (strcmp(word, "content") == 0) {
      options.content_size = unhex(value);
      options.content = value;
    }
  }
  return options;
}

/* ---- Commands: each prints its results after "ok" ---------------------------------------------- */

static shmkit_status create(void) {
  shmkit_segment **slot = next_slot();
  char *address = next();
  uint64_t size = next_number();
  (void)unhex(address);
  shmkit_segment_options options = next_options();
  return shmkit_segment_create(address, size, &options, slot);
}

static shmkit_status open_or_create(void) {
  shmkit_segment **slot = next_slot();
  char *address = next();
  uint64_t size = next_number();
  (void)unhex(address);
  shmkit_segment_options options = next_options();
  return shmkit_segment_open_or_create(address, size, &options, slot);
}

static shmkit_status open_it(void) {
  shmkit_segment **slot = next_slot();
  char *address = next();
  (void)unhex(address);
  shmkit_segment_options options = next_options();
  return shmkit_segment_open(address, &options, slot);
}

static shmkit_status receive(void) {
  shmkit_segment **slot = next_slot();
  int socket = (int)next_number();
  shmkit_segment_options options = next_options();
  return shmkit_segment_receive(socket, &options, slot);
}

static shmkit_status send_it(void) {
  shmkit_segment **slot = next_slot();
  int socket = (int)next_number();
  return shmkit_segment_send(*slot, socket, next_options().flags);
}

static shmkit_status unlink_address(void) {
  char *address = next();
  (void)unhex(address);
  return shmkit_unlink(address);
}

static shmkit_status unlink_it(void) {
  return shmkit_segment_unlink(*next_slot());
}

static shmkit_status close_it(void) {
  shmkit_segment_close(*next_slot());
  return 0;
}

static shmkit_status refresh(void) {
  return shmkit_segment_refresh(*next_slot());
}

static shmkit_status grow(void) {
  shmkit_segment **slot = next_slot();
  return shmkit_segment_grow(*slot, next_number());
}

static shmkit_status seal(void) {
  shmkit_segment **slot = next_slot();
  return shmkit_segment_seal(*slot, seals_of(next()));
}

static shmkit_status seals(void) {
  uint32_t bits = 0;
  shmkit_status status = shmkit_segment_seals(*next_slot(), &bits);
  if (status == 0) printf(" %" PRIu32, bits);
  return status;
}

static shmkit_status fileno_of(void) {
  int fd = -1;
  shmkit_status status = shmkit_segment_fileno(*next_slot(), &fd);
  if (status == 0) printf(" %d", fd);
  return status;
}

static shmkit_status creator(void) {
  shmkit_creator by;
  shmkit_status status = shmkit_segment_creator(*next_slot(), &by);
  if (status == 0) printf(" %" PRId64, by.pid);
  return status;
}

static shmkit_status info(void) {
  const shmkit_segment *segment = *next_slot();
  put_text(shmkit_segment_address(segment));
  put_text(shmkit_segment_name(segment));
  printf(" %s %s %zu %zu %d %d %d", shmkit_kind_name(shmkit_segment_kind(segment)),
         shmkit_lifetime_name(shmkit_segment_lifetime(segment)), shmkit_segment_size(segment),
         shmkit_segment_capacity(segment), shmkit_segment_readonly(segment),
         shmkit_segment_created(segment), shmkit_segment_closed(segment));
  return 0;
}

static shmkit_status read_bytes(void) {
  static char buffer[1 << 16];
  shmkit_segment **slot = next_slot();
  uint64_t offset = next_number();
  size_t length = (size_t)next_number();
  if (length > sizeof buffer) return -E2BIG;
  shmkit_status status = shmkit_segment_read(*slot, offset, buffer, length);
  if (status == 0) put_hex(buffer, length);
  return status;
}

static shmkit_status write_bytes(void) {
  shmkit_segment **slot = next_slot();
  uint64_t offset = next_number();
  char *bytes = next();
  size_t length = unhex(bytes);
  return shmkit_segment_write(*slot, offset, bytes, length);
}

/* ---- Elements ------------------------------------------------------------------------------- */

typedef union element {
  int8_t i8;
  int16_t i16;
  int32_t i32;
  int64_t i64;
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  float f32;
  double f64;
  bool boolean;
  char character;
} element;

/* What lies at `at` is as large as the type, no larger. */
static element load(shmkit_type type, const void *at) {
  element value = {0};
  memcpy(&value, at, shmkit_type_size(type));
  return value;
}

static void put_element(shmkit_type type, element value) {
  switch (type) {
    case SHMKIT_I8:
      printf(" %d", value.i8);
      break;
    case SHMKIT_I16:
      printf(" %d", value.i16);
      break;
    case SHMKIT_I32:
      printf(" %" PRId32, value.i32);
      break;
    case SHMKIT_I64:
      printf(" %" PRId64, value.i64);
      break;
    case SHMKIT_U8:
      printf(" %u", value.u8);
      break;
    case SHMKIT_U16:
      printf(" %u", value.u16);
      break;
    case SHMKIT_U32:
      printf(" %" PRIu32, value.u32);
      break;
    case SHMKIT_U64:
      printf(" %" PRIu64, value.u64);
      break;
    case SHMKIT_F32:
      printf(" %a", (double)value.f32);
      break;
    case SHMKIT_F64:
      printf(" %a", value.f64);
      break;
    case SHMKIT_BOOL:
      printf(" %d", value.boolean);
      break;
    case SHMKIT_CHAR:
      printf(" %u", (unsigned char)value.character);
      break;
  }
}

static element parse(shmkit_type type, const char *word) {
  int64_t integer = strtoll(word, NULL, 10);
  switch (type) {
    case SHMKIT_I8:
      return (element){.i8 = (int8_t)integer};
    case SHMKIT_I16:
      return (element){.i16 = (int16_t)integer};
    case SHMKIT_I32:
      return (element){.i32 = (int32_t)integer};
    case SHMKIT_I64:
      return (element){.i64 = integer};
    case SHMKIT_U8:
      return (element){.u8 = (uint8_t)integer};
    case SHMKIT_U16:
      return (element){.u16 = (uint16_t)integer};
    case SHMKIT_U32:
      return (element){.u32 = (uint32_t)integer};
    case SHMKIT_U64:
      return (element){.u64 = strtoull(word, NULL, 10)};
    case SHMKIT_F32:
      return (element){.f32 = strtof(word, NULL)};
    case SHMKIT_F64:
      return (element){.f64 = strtod(word, NULL)};
    case SHMKIT_BOOL:
      return (element){.boolean = integer != 0};
    case SHMKIT_CHAR:
      return (element){.character = (char)integer};
  }
  return (element){0};
}

/* The elements that the next words name; the type through `type`. */
static shmkit_status next_span(shmkit_type *type, shmkit_span *span) {
  shmkit_segment **slot = next_slot();
  const char *name = next();
  uint64_t offset = next_number();
  uint64_t count = next_number();
  shmkit_status status = shmkit_type_find(name, type);
  return status != 0 ? status : shmkit_segment_view(*slot, *type, offset, count, span);
}

static shmkit_status get(void) {
  shmkit_type type = SHMKIT_U8;
  shmkit_span span;
  shmkit_status status = next_span(&type, &span);
  for (uint64_t i = 0; status == 0 && i < span.count; i++) {
    put_element(type, load(type, (char *)span.data + i * shmkit_type_size(type)));
  }
  return status;
}

static shmkit_status set(void) {
  shmkit_type type = SHMKIT_U8;
  shmkit_span span;
  shmkit_status status = next_span(&type, &span);
  for (uint64_t i = 0; status == 0 && i < span.count; i++) {
    element value = parse(type, next());
    memcpy((char *)span.data + i * shmkit_type_size(type), &value, shmkit_type_size(type));
  }
  return status;
}

/* Count up, by adding and by comparing and exchanging in turns. */
static shmkit_status atomic_count(void) {
  shmkit_segment **slot = next_slot();
  shmkit_type type = SHMKIT_U8;
  shmkit_status status = shmkit_type_find(next(), &type);
  uint64_t offset = next_number(), before = 0;
  for (uint64_t rounds = next_number(); status == 0 && rounds > 0; rounds--) {
    if (rounds % 2 == 0) {
      status = shmkit_segment_add(*slot, type, offset, 1, &before);
      continue;
    }
    uint64_t seen = 0;
    status = shmkit_segment_load(*slot, type, offset, &seen);
    while (status == 0) {
      status = shmkit_segment_compare_exchange(*slot, type, offset, seen, seen + 1, &before);
      if (before == seen) break;
      seen = before;
    }
  }
  return status;
}

/* ---- The loop ------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  shmkit_status (*run)(void);
} commands[] = {{"create", create},
                {"open", open_it},
                {"open_or_create", open_or_create},
                {"receive", receive},
                {"send", send_it},
                {"unlink_address", unlink_address},
                {"unlink", unlink_it},
                {"close", close_it},
                {"refresh", refresh},
                {"grow", grow},
                {"seal", seal},
                {"seals", seals},
                {"fileno", fileno_of},
                {"creator", creator},
                {"info", info},
                {"read", read_bytes},
                {"write", write_bytes},
                {"get", get},
                {"set", set},
                {"atomic_count", atomic_count},
                {"list", list},
                {"stat", stat_it},
                {"remove", remove_it},
                {"gc", gc},
                {"limits", limits},
                {"mutex_open", mutex_open},
                {"mutex_lock", mutex_lock},
                {"mutex_unlock", mutex_unlock},
                {"mutex_locked", mutex_locked},
                {"mutex_lock_in_thread", mutex_lock_in_thread},
                {"mutex_count", mutex_count},
                {"mutex_close", mutex_close},
                {"event_open", event_open},
                {"event_set", event_set},
                {"event_clear", event_clear},
                {"event_is_set", event_is_set},
                {"event_sequence", event_sequence},
                {"event_wait", event_wait},
                {"event_wait_since", event_wait_since},
                {"event_wait_any", event_wait_any},
                {"event_fileno", event_fileno},
                {"event_close", event_close}};

/* Output waits in the buffer: "ok" is taken for granted until the status says otherwise. */
static shmkit_status execute(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(name, commands[i].name) == 0) return commands[i].run();
  }
  return -ENOSYS;
}

int main(void) {
  static char line[1 << 18];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const char *name = strtok(line, " \n"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (name == NULL) continue;
    printf("ok");
    shmkit_status status = execute(name);
    if (status != 0) {
      printf("\nerror %d %d", -status, shmkit_error_is_misuse(status));
      put_text(shmkit_error_message());
    }
    printf("\n.\n");
    (void)fflush(stdout);
  }
  end_sync();
  for (size_t i = 0; i < SEGMENTS; i++) shmkit_segment_free(segments[i]);
  return 0;
}
