/* SPDX-License-Identifier: MIT */
/* The table of causes: one row for each thing that can go wrong. */
#ifndef RAPL_PROBLEM_CAUSE_H
#define RAPL_PROBLEM_CAUSE_H

#include <stdbool.h>

#include "problem/problem.h"

/* How a problem ends. */
enum problem_end {
    ENDS_WITH_PASS, /* a state: over when its pass no longer raises it, which is reported */
    ENDS_SILENTLY,  /* from a sweep: its end is not reported */
    ENDS_AT_ONCE,   /* an event: over once it is reported */
};

/*
 * Placeholders in texts: {what}: the subject; {others}: the number of further subjects; {name}:
 * both; {file}: both as a path below the root; {root}; {error}: text of rapl_error_text();
 * {module}: name of the driver.
 */
struct cause_row {
    enum problem_pass pass;
    enum problem_end end;
    enum rapl_severity severity;
    bool by_subject;    /* one record for each file or zone; false: one for all */
    const char *reason; /* NULL: choose_reason gives it */
    const char *remedy; /* NULL: word_remedy writes it, or there is none */
    const char *(*choose_reason)(const struct problem *problem);
    void (*word_remedy)(struct problems *problems, const struct problem *problem);
};

const struct cause_row *problem_cause_row(enum problem_cause cause);

#endif
