/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <shmkit/inspect.h>

#include "report.h"
#include "text.h"

/* Few users own many segments: a list is enough, with the latest first. */
struct known {
  struct known *next;
  uint32_t id;
  char *name;
};

static const char *user_name(uint32_t id) {
  const struct passwd *user = getpwuid(id);
  return user != NULL ? user->pw_name : NULL;
}

static const char *group_name(uint32_t id) {
  const struct group *group = getgrgid(id);
  return group != NULL ? group->gr_name : NULL;
}

static const char *name_of(struct known **list, uint32_t id, const char *(*ask)(uint32_t)) {
  if (id == SHMKIT_UNKNOWN_ID) return "-";
  for (struct known *known = *list; known != NULL; known = known->next) {
    if (known->id == id) return known->name;
  }
  struct known *known = must(malloc(sizeof *known));
  const char *name = ask(id);
  *known = (struct known){
      .next = *list, .id = id, .name = name != NULL ? must(strdup(name)) : text_format("%u", id)};
  *list = known;
  return known->name;
}

const char *name_of_user(uint32_t uid) {
  static struct known *users;
  return name_of(&users, uid, user_name);
}

const char *name_of_group(uint32_t gid) {
  static struct known *groups;
  return name_of(&groups, gid, group_name);
}

const char *name_of_seal(unsigned bit) {
  /* In the order of SHMKIT_SEAL_SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE. */
  static const char *const names[] = {"seal", "shrink", "grow", "write", "future_write"};
  return bit < sizeof names / sizeof names[0] ? names[bit] : NULL;
}
