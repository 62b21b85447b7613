/* SPDX-License-Identifier: MIT */
/* Segments as JSON, with the names of shmkit_info's members, for every command that prints some. */
#ifndef SHMKIT_TOOL_INFO_JSON_H
#define SHMKIT_TOOL_INFO_JSON_H

#include <shmkit/inspect.h>

#include "json.h"

json *info_json(const shmkit_info *info);

/* The head of a document about a listing: "time", "complete", "unreadable". "segments" is left to be
 * added, or to be printed after it with json_begin. */
json *listing_json(const shmkit_listing *listing);

#endif
