/* SPDX-License-Identifier: MIT */
/*
 * What every language gets, declared once. A per-language file includes this one after its
 * typemaps, which find their arguments by name:
 *
 *   shmkit_status (result)             failure becomes the language's error
 *   const char *address, *name         text without NUL bytes
 *   const void *bytes, size_t length   bytes in
 *   const T *options, uint32_t ..._flags   the language's way to give options
 *   T *out, T **out                    the result, only when the status says so
 *
 * A method without a body calls the C function shmkit_<noun>_<method>(self, ...). One without
 * arguments that only tells something is a SHMKIT_PROPERTY; a language may have another form for it.
 */
#ifndef SHMKIT_PROPERTY
%define SHMKIT_PROPERTY(type, name)
type name() const;
%enddef
#endif

typedef int shmkit_status;

%nodefaultctor shmkit_segment;
%nodefaultdtor shmkit_segment;
/* Opaque in C; SWIG extends only what it has seen a body of. */
typedef struct shmkit_segment {
} shmkit_segment;

%nodefaultctor shmkit_mutex;
%nodefaultdtor shmkit_mutex;
typedef struct shmkit_mutex {
} shmkit_mutex;

%nodefaultctor shmkit_event;
%nodefaultdtor shmkit_event;
typedef struct shmkit_event {
} shmkit_event;

%rename("%(strip:[SHMKIT_])s", %$isenumitem) "";
%rename("%(strip:[shmkit_])s", %$isfunction) "";

enum { SHMKIT_OK, SHMKIT_AGAIN };

typedef enum shmkit_kind {
  SHMKIT_POSIX = 1,
  SHMKIT_SYSV,
  SHMKIT_MEMFD,
  SHMKIT_FD,
  SHMKIT_FILE
} shmkit_kind;

typedef enum shmkit_lifetime {
  SHMKIT_PERSISTENT = 0,
  SHMKIT_CREATOR,
  SHMKIT_LAST
} shmkit_lifetime;

enum {
  SHMKIT_READONLY = 1 << 0,
  SHMKIT_SPARSE = 1 << 1,
  SHMKIT_POPULATE = 1 << 2,
  SHMKIT_LOCK = 1 << 3,
  SHMKIT_HUGE_PAGES = 1 << 4,
  SHMKIT_ANY_OWNER = 1 << 5
};

enum {
  SHMKIT_SEAL_SEAL = 0x01,
  SHMKIT_SEAL_SHRINK = 0x02,
  SHMKIT_SEAL_GROW = 0x04,
  SHMKIT_SEAL_WRITE = 0x08,
  SHMKIT_SEAL_FUTURE_WRITE = 0x10
};

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

enum { SHMKIT_LISTING_NAMES_ONLY = 1 << 0, SHMKIT_LISTING_NO_CREATORS = 1 << 1 };
enum { SHMKIT_STAT_EXACT = 1 << 0 };
enum { SHMKIT_REMOVE_FORCE = 1 << 0 };
enum { SHMKIT_GC_APPLY = 1 << 0, SHMKIT_GC_IDLE = 1 << 1 };

const char *shmkit_version(void);
const char *shmkit_error_name(shmkit_status status);

shmkit_status shmkit_type_find(const char *name, shmkit_type *out);
const char *shmkit_type_name(shmkit_type type);
size_t shmkit_type_size(shmkit_type type);

shmkit_status shmkit_segment_create(const char *address, uint64_t size,
                                    const shmkit_segment_options *options, shmkit_segment **out);
shmkit_status shmkit_segment_open(const char *address, const shmkit_segment_options *options,
                                  shmkit_segment **out);
shmkit_status shmkit_segment_open_or_create(const char *address, uint64_t size,
                                            const shmkit_segment_options *options,
                                            shmkit_segment **out);
shmkit_status shmkit_segment_receive(int socket, const shmkit_segment_options *options,
                                     shmkit_segment **out);
shmkit_status shmkit_unlink(const char *address);
const char *shmkit_kind_name(shmkit_kind kind);
const char *shmkit_lifetime_name(shmkit_lifetime lifetime);

/* Listings and limits become plain data, see fields.h. */
shmkit_status shmkit_listing_take(const shmkit_listing_options *options, shmkit_listing **out);
shmkit_status shmkit_listing_stat(const char *address, uint32_t stat_flags, shmkit_listing **out);
shmkit_status shmkit_remove(const char *address, uint32_t remove_flags, shmkit_listing **out);
shmkit_status shmkit_gc(const shmkit_gc_options *options, shmkit_listing **out);
shmkit_status shmkit_limits_take(shmkit_limits **out);

%extend shmkit_segment {
  shmkit_status unlink();
  void close();

  SHMKIT_PROPERTY(const char *, address)
  SHMKIT_PROPERTY(const char *, name)
  SHMKIT_PROPERTY(shmkit_kind, kind)
  SHMKIT_PROPERTY(shmkit_lifetime, lifetime)
  SHMKIT_PROPERTY(size_t, size)
  SHMKIT_PROPERTY(size_t, capacity)
  SHMKIT_PROPERTY(bool, readonly)
  SHMKIT_PROPERTY(bool, created)
  SHMKIT_PROPERTY(bool, closed)
  SHMKIT_PROPERTY(uint32_t, pins)

  shmkit_status write(uint64_t offset, const void *bytes, size_t length);
  shmkit_status refresh();
  shmkit_status grow(uint64_t size);
  shmkit_status fileno(int *out);
  shmkit_status seal(uint32_t seals);
  shmkit_status seals(uint32_t *out);
  shmkit_status creator(shmkit_creator *out);
  shmkit_status send(int socket, uint32_t flags);

  shmkit_status load(shmkit_type type, uint64_t offset, uint64_t *out);
  shmkit_status store(shmkit_type type, uint64_t offset, uint64_t value);
  shmkit_status add(shmkit_type type, uint64_t offset, uint64_t addend, uint64_t *out);
  shmkit_status exchange(shmkit_type type, uint64_t offset, uint64_t value, uint64_t *out);
  shmkit_status compare_exchange(shmkit_type type, uint64_t offset, uint64_t expected,
                                 uint64_t value, uint64_t *out);

  shmkit_status mutex(uint64_t offset, shmkit_mutex **out);
  shmkit_status event(uint64_t offset, shmkit_event **out);
}

/* Locking and unlocking are written by hand: each language has its own way to say a timeout, to be
 * interrupted, and to unlock at the end of a block. */
%extend shmkit_mutex {
  SHMKIT_PROPERTY(uint64_t, offset)
  shmkit_status look(shmkit_mutex_state *out);
}

/* So is waiting. */
%extend shmkit_event {
  SHMKIT_PROPERTY(uint64_t, offset)
  SHMKIT_PROPERTY(uint32_t, sequence)
  shmkit_status set();
  shmkit_status clear();
  shmkit_status always_wake();
  bool is_set() const;
  shmkit_status fileno(int *out);
}
