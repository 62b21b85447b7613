/* SPDX-License-Identifier: MIT */
/* What is shown of a session: tables, JSON, a plot. */
#ifndef SHMKIT_TOOL_BENCH_OUTPUT_H
#define SHMKIT_TOOL_BENCH_OUTPUT_H

#include "machine.h"
#include "session.h"

void output_tables(const struct session *session, const struct machine *machine);

/* With every sample, if wanted. */
void output_json(const struct session *session, const struct machine *machine, bool samples);

/* Whether output_plot will be able to: there is gnuplot, and `path` can be written. Reports why
 * not. */
bool plot_is_possible(const char *path);

/* An SVG: a panel for each mode, a line for each way, bars from quartile to quartile. Reports what
 * goes wrong. */
bool output_plot(const struct session *session, const char *path);

#endif
