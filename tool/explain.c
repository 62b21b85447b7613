/* SPDX-License-Identifier: MIT */
/* shmkit explain: questions that people ask, answered with this machine's own figures. */
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "prose.h"
#include "report.h"
#include "text.h"

static const struct topic topics[] = {
    {"ipcs", "Why does ipcs not show my segment?", tell_ipcs},
    {"dest", "Who makes the segments with status dest, often of 8294400 bytes?", tell_dest},
    {"tmpfs", "Is shared memory a file?", tell_tmpfs},
    {"speed", "Is shared memory faster than a file?", tell_speed},
    {"loop", "Why does timing a loop of small programs show no difference?", tell_loop},
    {"echo", "Why does a mapped reader not see what echo >> wrote?", tell_echo},
    {"sigbus", "Why does a program die of SIGBUS?", tell_sigbus},
    {"room", "How large can a segment be?", tell_room},
    {"docker", "What is different in a container?", tell_docker},
    {"size", "Why does a large segment take no memory?", tell_size},
    {"rss", "Why do my processes use more memory together than there is?", tell_rss},
    {"mtime", "When was a segment last written to?", tell_mtime},
    {"nattch", "How many processes use a segment?", tell_nattch},
    {"leak", "What has been left behind?", tell_leak},
    {"lifetime", "How long does a segment live?", tell_lifetime},
    {"unlink", "What happens when a segment is removed while it is used?", tell_unlink},
    {"removeipc", "Why do my segments vanish when I log out?", tell_removeipc},
    {"semaphores", "What are the files sem.* in /dev/shm?", tell_semaphores},
};
enum { TOPIC_COUNT = sizeof topics / sizeof topics[0] };

/* Other words that people try. */
static const char *const aliases[][2] = {
    {"append", "echo"},          {"container", "docker"}, {"limits", "room"}, {"full", "room"},
    {"semaphore", "semaphores"}, {"logout", "removeipc"}, {"x11", "dest"},    {"memory", "rss"},
};

static const struct topic *find_topic(const char *name) {
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
    if (strcasecmp(name, aliases[i][0]) == 0) name = aliases[i][1];
  }
  for (size_t i = 0; i < TOPIC_COUNT; i++) {
    if (strcasecmp(topics[i].name, name) == 0) return &topics[i];
  }
  return NULL;
}

static int list_topics(void) {
  prose(
      "What can be asked: shmkit explain TOPIC, or the address of a segment (shmkit ls) to be told "
      "what it is. Figures in the answers are this machine's, looked up or measured at that "
      "moment.");
  for (size_t i = 0; i < TOPIC_COUNT; i++) {
    prose_line("%-11s %s", topics[i].name, topics[i].question);
  }
  return EXIT_SUCCESS;
}

static int explain_address(const char *address) {
  shmkit_listing *listing = NULL;
  shmkit_status status = shmkit_listing_stat(address, 0, &listing);
  if (status != 0) {
    if (strpbrk(address, ":/") != NULL) return report_failure(status);
    report("'%s' is no topic (shmkit explain lists them), and as a segment: %s", address,
           shmkit_error_message());
    return report_exit_status(status);
  }
  explain_segments(listing);
  report_incomplete(listing);
  shmkit_listing_free(listing);
  return EXIT_SUCCESS;
}

static int explain(const char *what) {
  const struct topic *topic = find_topic(what);
  if (topic == NULL) return explain_address(what);
  prose_title("%s", topic->question);
  return topic->tell();
}

struct request {
  char **words;
  size_t count;
};

static error_t parse(int key, char *argument, struct argp_state *state) {
  struct request *request = state->input;
  if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
  request->words[request->count++] = argument;
  return 0;
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "[TOPIC|ADDRESS...]",
    .doc = "Answers a question about shared memory, with this machine's own figures, or says in "
           "sentences what a segment is, who made it, who uses it, and what removing it would do. "
           "Without arguments it lists the topics. A segment that is called like a topic is "
           "posix:/NAME."};

static int run(int argc, char **argv) {
  struct request request = {.words = must(calloc((size_t)argc, sizeof(char *)))};
  int status = -1;
  argp_parse(&argp, argc, argv, 0, NULL, &request);
  prose_begin();
  if (request.count == 0) status = list_topics();
  for (size_t i = 0; i < request.count; i++) {
    status = report_merge(status, explain(request.words[i]));
  }
  free(request.words);
  return status;
}

static const char *const *choices(int key) {
  static const char *names[TOPIC_COUNT + 1];
  for (size_t i = 0; i < TOPIC_COUNT; i++) names[i] = topics[i].name;
  return key == 0 ? names : NULL;
}

const struct command command_explain = {
    .name = "explain",
    .summary = "Answer questions, and say what a segment is",
    .argp = &argp,
    .run = run,
    .choices = choices,
    .takes_addresses = true,
};
