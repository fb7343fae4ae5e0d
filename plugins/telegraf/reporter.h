/* SPDX-License-Identifier: MIT */
/* Reports on stdout: one, or one for each prompt. Each returns the exit status. */
#ifndef RAPL_EXECD_REPORTER_H
#define RAPL_EXECD_REPORTER_H

#include "line_protocol.h"
#include "lock_in.h"
#include "options.h"
#include "prompt.h"
#include "rapl.h"

struct reporter {
    struct rapl *rapl;
    struct line_writer *writer;
    struct prompt *prompt;
    const struct execd_options *options;
    struct lock_in *locked;
};

/* One report, after an interval and once power is known. */
int reporter_run_once(const struct reporter *reporter);

/* A report for each prompt, and a last one at the end of stdin or a signal to end: what was used
 * since the one before would be lost with the process. */
int reporter_run(const struct reporter *reporter);

#endif
