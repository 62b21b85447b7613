/* SPDX-License-Identifier: MIT */
/*
 * The listing and what the files that fill, judge and act on it share. The order of a look around:
 *
 *   names (os)  ->  processes (os)  ->  locks (os)  ->  judge.c
 *
 * Names come first, so that a mapping finds the name it belongs to; what is mapped and has no name
 * by then is looked up once more, because it may have got one in between.
 */
#ifndef SHMKIT_SRC_LISTING_H
#define SHMKIT_SRC_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <shmkit/inspect.h>

#include "arena.h"
#include "error.h"
#include "os.h"

/* One segment while it is being found out about. It and all that it points to are the listing's. */
struct shmkit__entry {
  shmkit_info info;
  shmkit_mapper *mappers;
  shmkit_extent *extents;
  shmkit_object *objects;
  size_t mapper_capacity, extent_capacity, object_capacity;
  const char *address, *name;
  /* Where its file is, for who can reach it, a name or a way through /proc; NULL when nowhere. */
  const char *path;
  /* System V: the process that attached or detached last does not run any more. */
  bool last_is_gone;
  /* System V: bytes in memory as the system tells them, which may count huge pages too often. */
  uint64_t resident_told;
  /* The system has said what it is: owner, size and so on. */
  bool described;
  /* A mapping through which more can be learnt, and the process that has it; 0 when none. */
  uint64_t map_start, map_end;
  int64_t map_pid;
};

/* Who has an identity by which a mutex knows its holder, as the pin of it tells. */
struct shmkit__pin {
  uint64_t device, inode;
  int64_t pid;
  struct shmkit__process process;
  uint32_t identity;
};

struct shmkit_listing {
  struct shmkit__arena arena;
  struct shmkit__entry **entries;
  size_t count, capacity;
  /* Open addressing: entries by hash, NULL for free; a power of two of them, a half free. */
  struct shmkit__slot {
    uint64_t hash;
    struct shmkit__entry *entry;
  } *table;
  size_t table_size;
  uint32_t kinds;
  /* Only entries that are there already are filled: the listing is about one address. */
  bool closed;
  /* There may be processes that cannot even be seen, or nobody looked. */
  bool hidden;
  /* Pins are kept: of what is there already, if the listing is closed. */
  bool wants_pins;
  struct shmkit__pin *pins;
  size_t pin_count, pin_capacity;
  /* Nobody is to look at processes. */
  bool names_only;
  /* Creators are looked for only where the state depends on them. */
  bool few_creators;
  /* It was possible to ask which files are locked. */
  bool locks_known;
  /* Something could not be kept for lack of memory; the whole listing is then given up. */
  bool no_memory;
  /* Asked once: who looks, and whether nothing at all is in swap. */
  uid_t user;
  bool nothing_swapped;
  size_t unreadable;
  int64_t time;
};

/* What tells one from another. Inodes of one device are not unique: System V uses identifiers. */
struct shmkit__identity {
  shmkit_info_kind kind;
  uint64_t device, inode, ipc_namespace;
};

/* ---- Building (listing.c) ------------------------------------------------------------------- */

/* Empty; NULL when there is no memory, said. The flags are SHMKIT_LISTING_*. */
shmkit_listing *shmkit__listing_new(uint32_t kinds, uint32_t flags);

/* NULL when there is none. POSIX, SEMAPHORE, HUGETLB and FILE are one kind here: where the name is
 * decides between them, and only the inode is certain. */
struct shmkit__entry *shmkit__listing_find(const shmkit_listing *self,
                                           const struct shmkit__identity *identity);

/* A new entry with everything unknown; NULL when the listing does not want it or has no memory. */
struct shmkit__entry *shmkit__listing_add(shmkit_listing *self,
                                          const struct shmkit__identity *identity);

/* Give a string of the entry its value: "&entry->name". */
void shmkit__listing_set(shmkit_listing *self, const char **where, const char *text);
void shmkit__listing_set_joined(shmkit_listing *self, const char **where, const char *prefix,
                                const char *text);

/* This process's mapper, a new one the first time. Mappers of one process come one after another.
 * NULL: no memory. */
shmkit_mapper *shmkit__listing_mapper(shmkit_listing *self, struct shmkit__entry *entry,
                                      int64_t pid);

/* Keep a pin; one of a file at least that the listing is interested in. */
void shmkit__listing_add_pin(shmkit_listing *self, const struct shmkit__pin *pin);

/* Leave out all entries but those that `keep` wants. */
void shmkit__listing_filter(shmkit_listing *self, bool (*keep)(struct shmkit__entry *, void *),
                            void *context);

/* Sort, and give out: no entry is added afterwards. Fails when memory was short on the way. */
shmkit_status shmkit__listing_finish(shmkit_listing *self);

/* ---- Looking (listing.c, judge.c) ----------------------------------------------------------- */

/* What has a name, then the rest as below; not finished. */
shmkit_status shmkit__listing_survey(uint32_t kinds, uint32_t flags, shmkit_listing **out);

/* What one address leads to, with the rest as below, in a new listing; not finished. A symbolic link
 * at its end is followed or is none. `verb` is for messages: "look at". */
struct shmkit__address;
shmkit_status shmkit__listing_find_address(shmkit_listing *self, struct shmkit__address *address,
                                           const char *verb, bool follow);

/* Everything but names: who maps, who locks, and what follows from it. */
void shmkit__listing_look(shmkit_listing *self);

/* Find creators and states, with reasons. */
void shmkit__listing_judge(shmkit_listing *self);

/* Whether anybody is known to use it. */
bool shmkit__entry_is_used(const struct shmkit__entry *entry);

/* The state, and its reason, if nobody uses it: leaked, locked or idle. */
shmkit_state shmkit__entry_judge_unused(struct shmkit__entry *entry);

/*
 * Remove what nobody is known to use, if nobody does and it is still what was listed (claim.c). Sets
 * `removal` and, unless it went, the reason. 0; -ENOENT: it has gone already; -EBUSY: it is in use or
 * that cannot be told; others: the system does not let us.
 */
int shmkit__entry_remove(struct shmkit__entry *entry);

/* The same for System V whoever uses it. */
int shmkit__entry_remove_sysv(struct shmkit__entry *entry);

/* Find the mutexes and events in it, by the extents that are found already (objects.c). `fd` is a
 * description of its own, open for reading. Pins must be in order. */
void shmkit__entry_find_objects(shmkit_listing *listing, struct shmkit__entry *entry, int fd);
void shmkit__listing_sort_pins(shmkit_listing *self);

/* Write the reason. */
void shmkit__entry_explain(struct shmkit__entry *entry, const char *format, ...)
    SHMKIT__PRINTF(2, 3);

#endif
