/* SPDX-License-Identifier: MIT */
/* Writes reports to stdout: one, or one for each prompt. Each function returns the exit status. */
#ifndef RAPL_REPORTER_H
#define RAPL_REPORTER_H

#include "line_protocol.h"
#include "options.h"
#include "prompt.h"
#include "rapl.h"
#include "sandbox/sandbox.h"

struct reporter {
    struct rapl *rapl;
    struct line_writer *writer;
    struct prompt *prompt;
    const struct execd_options *options;
    struct sandbox *locked;
};

/* Writes one report, after an interval and once power is known. */
int reporter_run_once(const struct reporter *reporter);

/* Writes a report for each prompt, and a last one at the end of stdin or at a signal to end, so
 * that the energy used since the last prompt is not lost. */
int reporter_run(const struct reporter *reporter);

#endif
