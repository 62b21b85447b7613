/* SPDX-License-Identifier: MIT */
/*
 * shmkit complete: what the completion of shells asks. It is not among the commands that help lists.
 *
 *   shmkit complete words WORD...       the words after "shmkit", the last one not yet complete:
 *                                       pairs of a whole word and what it is
 *   shmkit complete bash LINE TEXT      a line up to the cursor, and the part of it that bash is
 *                                       about to replace: what to put there
 *
 * Everything ends with NUL, because names may have all other bytes. An empty word leaves it to the
 * shell, which knows how to complete names of files.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <shmkit/inspect.h>

#include "command.h"
#include "names.h"
#include "report.h"
#include "shell_line.h"
#include "text.h"

struct request {
  /* The words before the one at the cursor. */
  char *const *words;
  size_t count;
  /* The word at the cursor: what is not up to us, "--kind=posix,", and what is to go on. */
  const char *head, *tail;
  size_t head_length;
  /* For bash. */
  const struct shell_line *line;
  const char *text;
};

/* ---- Answers -------------------------------------------------------------------------------- */

static void print(const char *text) {
  (void)fwrite(text, 1, strlen(text) + 1, stdout);
}

static void print_for_bash(const struct request *request, const char *value) {
  const struct shell_line *line = request->line;
  size_t length = strlen(request->text);
  char *rest = shell_line_continue(line, value + strlen(request->tail));
  length -= length < line->unfinished ? length : line->unfinished;
  (void)fwrite(request->text, 1, length, stdout);
  print(rest);
  free(rest);
}

static void offer_files(const struct request *request) {
  print("");
  if (request->line == NULL) print("");
}

static void offer(const struct request *request, const char *value, const char *description) {
  if (strncmp(value, request->tail, strlen(request->tail)) != 0) return;
  if (request->line != NULL) {
    print_for_bash(request, value);
  } else {
    (void)fwrite(request->head, 1, request->head_length, stdout);
    print(value);
    print(description);
  }
}

/* Leave so much of the tail alone. */
static void skip(struct request *request, size_t length) {
  request->head_length += length;
  request->tail += length;
}

/* Names that may be written in lower case go on in it. */
static void offer_word(const struct request *request, const char *word) {
  const char *tail = request->tail;
  char *lower = must(strdup(word));
  for (char *c = lower; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
  offer(request, islower((unsigned char)*tail) ? lower : word, "");
  free(lower);
}

static void offer_words(struct request *request, const char *const *words, bool is_list) {
  const char *comma = is_list ? strrchr(request->tail, ',') : NULL;
  /* "-o +INODE", "--sort=-SIZE". */
  if (strchr("+-", request->tail[0]) != NULL) skip(request, request->tail[0] != '\0');
  if (comma != NULL) skip(request, (size_t)(comma + 1 - request->tail));
  for (; *words != NULL; words++) offer_word(request, *words);
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static bool begins(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static void offer_segment(const struct request *request, const shmkit_info *info) {
  char *size = text_size(info->size, false);
  char *description = text_format("%s, %s", size, name_of_user(info->uid));
  if (info->kind == SHMKIT_INFO_MEMFD) {
    char *address = text_format("memfd:%s", info->name);
    offer(request, address, description);
    free(address);
  }
  if (info->address[0] != '\0') offer(request, info->address, description);
  /* "frames" is short for "posix:/frames". */
  if (request->tail[0] != '\0' && begins(info->address, "posix:/") &&
      strchr(info->name, ':') == NULL) {
    offer(request, info->name, description);
  }
  free(description);
  free(size);
}

/* What has no name is found in the processes only, and that is looked for when it is asked for. */
static void offer_segments(const struct request *request) {
  bool nameless = begins(request->tail, "memfd:") || begins(request->tail, "file:/proc/");
  shmkit_listing_options options = {.flags = nameless ? 0 : SHMKIT_LISTING_NAMES_ONLY,
                                    .kinds = SHMKIT_INFO_ALL};
  shmkit_listing *listing = NULL;
  if (shmkit_listing_take(&options, &listing) != 0) return;
  for (size_t i = 0; i < shmkit_listing_count(listing); i++) {
    offer_segment(request, shmkit_listing_at(listing, i));
  }
  shmkit_listing_free(listing);
}

static void offer_file(const struct request *request, const char *directory, const char *name) {
  struct stat status;
  char *path = text_format("%s%s", directory, name);
  bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
  char *address = text_format("file:%s%s", path, is_directory ? "/" : "");
  offer(request, address, is_directory ? "directory" : "file");
  free(address);
  free(path);
}

static void offer_paths(const struct request *request) {
  const char *path = request->tail + strlen("file:"), *slash = strrchr(path, '/');
  int length = slash != NULL ? (int)(slash + 1 - path) : 0;
  char *directory = text_format("%.*s", length, path);
  DIR *files = opendir(length > 0 ? directory : ".");
  for (const struct dirent *file; files != NULL && (file = readdir(files)) != NULL;) {
    bool is_hidden = file->d_name[0] == '.';
    if (!is_hidden || (path[length] == '.' && strspn(file->d_name, ".") != strlen(file->d_name))) {
      offer_file(request, directory, file->d_name);
    }
  }
  if (files != NULL) (void)closedir(files);
  free(directory);
}

static void offer_addresses(const struct request *request) {
  offer_segments(request);
  if (begins(request->tail, "file:")) {
    offer_paths(request);
  } else {
    offer(request, "file:", "any file that can be mapped");
  }
}

/* ---- Options -------------------------------------------------------------------------------- */

static bool ends_options(const struct argp_option *option) {
  return option->name == NULL && option->key == 0 && option->doc == NULL && option->group == 0;
}

static bool has_letter(const struct argp_option *option) {
  return option->key > 0 && option->key < 256 && isprint(option->key);
}

/* One that has that long name or, for length 0, that letter. */
static const struct argp_option *find_option(const struct argp *argp, const char *name,
                                             size_t length) {
  const struct argp_option *option = argp->options;
  for (; option != NULL && !ends_options(option); option++) {
    bool found = length == 0 ? has_letter(option) && option->key == (unsigned char)*name
                             : option->name != NULL && strlen(option->name) == length &&
                                   strncmp(option->name, name, length) == 0;
    if (found) return option;
  }
  return NULL;
}

static bool takes_value(const struct argp_option *option) {
  return option != NULL && option->arg != NULL;
}

/* In "-bkposix", the option 'k' and its value; NULL when no letter takes one. */
static const struct argp_option *find_in_letters(const struct argp *argp, const char *word,
                                                 const char **value) {
  for (const char *letter = word + 1; *letter != '\0'; letter++) {
    const struct argp_option *option = find_option(argp, letter, 0);
    if (takes_value(option)) {
      *value = letter + 1;
      return option;
    }
  }
  return NULL;
}

/* The option that a word is, and its value in the same word, NULL if it is not there. */
static const struct argp_option *find_in_word(const struct argp *argp, const char *word,
                                              const char **value) {
  *value = NULL;
  if (begins(word, "--")) {
    const char *equals = strchrnul(word, '=');
    if (*equals == '=') *value = equals + 1;
    return equals == word + 2 ? NULL : find_option(argp, word + 2, (size_t)(equals - word - 2));
  }
  const struct argp_option *option = find_in_letters(argp, word, value);
  if (option != NULL && **value == '\0') *value = NULL;
  return option;
}

static void offer_option(const struct request *request, const struct argp_option *option) {
  const char *doc = option->doc != NULL ? option->doc : "";
  if (option->flags & OPTION_HIDDEN) return;
  if (option->name != NULL) {
    char *word = text_format("--%s", option->name);
    offer(request, word, doc);
    free(word);
  }
  if (has_letter(option)) {
    char word[] = {'-', (char)option->key, '\0'};
    offer(request, word, doc);
  }
}

static void offer_options(const struct request *request, const struct argp *argp) {
  static const struct argp_option common[] = {
      {"help", '?', NULL, 0, "Give this help list", 0},
      {"usage", 0, NULL, 0, "Give a short usage message", 0},
      {"version", 'V', NULL, 0, "Print program version", 0}};
  const struct argp_option *option = argp != NULL ? argp->options : NULL;
  for (; option != NULL && !ends_options(option); option++) offer_option(request, option);
  for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) offer_option(request, &common[i]);
}

/* ---- What is asked for ---------------------------------------------------------------------- */

static void complete_value(struct request *request, const struct command *command,
                           const struct argp_option *option) {
  const char *const *words = command->choices != NULL ? command->choices(option->key) : NULL;
  if (words != NULL) offer_words(request, words, strchr(option->arg, ',') != NULL);
  if (words == NULL && begins(option->arg, "FILE")) offer_files(request);
}

/* The description of the argument at `index`: of "ADDRESS [FILE|-]", "[FILE|-]" at 1. The last one
 * may be there many times, "ADDRESS...". */
static char *argument_name(const struct command *command, size_t index) {
  const char *names = command->argp->args_doc != NULL ? command->argp->args_doc : "", *name = names;
  size_t length = 0;
  for (;; index--) {
    names += strspn(names, " \n");
    if (*names == '\0') break;
    name = names;
    length = strcspn(names, " \n");
    names += length;
    if (index == 0) return must(strndup(name, length));
  }
  /* Beyond the last one. */
  return must(strndup(name, memmem(name, length, "...", 3) != NULL ? length : 0));
}

static void complete_argument(struct request *request, const struct command *command,
                              size_t index) {
  char *name = argument_name(command, index);
  const char *const *words = command->choices != NULL ? command->choices(0) : NULL;
  if (words != NULL && name[0] != '\0') offer_words(request, words, false);
  if (command->takes_addresses && strstr(name, "ADDRESS") != NULL) offer_addresses(request);
  if (strstr(name, "FILE") != NULL) offer_files(request);
  free(name);
}

static bool is_option(const char *word) {
  return word[0] == '-' && word[1] != '\0';
}

/* Once the words of the command are read. */
static void complete_word(struct request *request, const struct command *command,
                          const struct argp_option *pending, bool arguments_only,
                          size_t arguments) {
  const char *value = NULL;
  bool ends = arguments_only || request->tail[0] != '-';
  const struct argp_option *option =
      ends ? NULL : find_in_word(command->argp, request->tail, &value);
  if (pending != NULL) {
    complete_value(request, command, pending);
  } else if (ends) {
    complete_argument(request, command, arguments);
    /* Where nothing else can follow. */
    if (!arguments_only && command->argp->args_doc == NULL) offer_options(request, command->argp);
  } else if (takes_value(option) && value != NULL) {
    skip(request, (size_t)(value - request->tail));
    complete_value(request, command, option);
  } else {
    offer_options(request, command->argp);
  }
}

/* From the word after the command's name. */
static void complete_command(struct request *request, const struct command *command, size_t first) {
  const struct argp_option *pending = NULL;
  bool arguments_only = false;
  size_t arguments = 0;
  if (command->argp == NULL) return;
  for (size_t i = first; i < request->count; i++) {
    const char *word = request->words[i], *value = NULL;
    if (pending != NULL) {
      pending = NULL;
    } else if (arguments_only || !is_option(word)) {
      arguments++;
    } else if (strcmp(word, "--") == 0) {
      arguments_only = true;
    } else {
      const struct argp_option *option = find_in_word(command->argp, word, &value);
      if (takes_value(option) && value == NULL && !(option->flags & OPTION_ARG_OPTIONAL)) {
        pending = option;
      }
    }
  }
  complete_word(request, command, pending, arguments_only, arguments);
}

static void offer_commands(const struct request *request) {
  for (const struct command *const *command = commands; *command != NULL; command++) {
    if ((*command)->summary != NULL) offer(request, (*command)->name, (*command)->summary);
  }
}

static void complete(struct request *request) {
  size_t first = 0;
  while (first < request->count && is_option(request->words[first])) first++;
  if (first == request->count && request->tail[0] == '-') {
    offer_options(request, NULL);
  } else if (first == request->count) {
    offer_commands(request);
    offer(request, "help", "Say more about a command");
  } else if (strcmp(request->words[first], "help") == 0) {
    if (first + 1 == request->count) offer_commands(request);
  } else {
    const struct command *command = command_find(request->words[first]);
    if (command != NULL) complete_command(request, command, first + 1);
  }
}

static void complete_words(char *const *words, size_t count) {
  struct request request = {
      .words = words, .count = count - 1, .head = words[count - 1], .tail = words[count - 1]};
  complete(&request);
}

static void complete_bash(const char *typed, const char *text) {
  struct shell_line line;
  shell_line_read(&line, typed);
  struct request request = {.line = &line, .text = text};
  /* The first word is "shmkit" itself. */
  if (line.count > 1) {
    request.words = line.words + 1;
    request.count = line.count - 2;
    request.head = request.tail = line.words[line.count - 1];
    complete(&request);
  }
  shell_line_clear(&line);
}

static int run(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "words") == 0) {
    complete_words(argv + 2, (size_t)argc - 2);
  } else if (argc == 4 && strcmp(argv[1], "bash") == 0) {
    complete_bash(argv[2], argv[3]);
  } else {
    report("this is for the completion of shells: 'words WORD...' or 'bash LINE TEXT'");
    return EXIT_USAGE;
  }
  return EXIT_SUCCESS;
}

const struct command command_complete = {.name = "complete", .run = run};
