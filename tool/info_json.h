/* SPDX-License-Identifier: MIT */
/* Segments as JSON, with the names of shmkit_info's members, for every command that prints some. */
#ifndef SHMKIT_TOOL_INFO_JSON_H
#define SHMKIT_TOOL_INFO_JSON_H

#include <shmkit/inspect.h>

#include "json.h"

json *info_json(const shmkit_info *info);

/* A document about a listing: "time", "complete", "unreadable", and an empty array "segments". */
json *listing_json(const shmkit_listing *listing);
/* A segment into it. */
void listing_json_add(json *document, const shmkit_info *info);

#endif
