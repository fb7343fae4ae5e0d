/* SPDX-License-Identifier: MIT */
/* What can go wrong: one row for each cause. */
#ifndef RAPL_PROBLEM_CAUSE_H
#define RAPL_PROBLEM_CAUSE_H

#include <stdbool.h>

#include "problem/problem.h"

/* How long it lasts. */
enum problem_end {
    ENDS_WITH_PASS, /* a state: it is over when its pass no longer raises it, which is reported */
    ENDS_SILENTLY,  /* it happened in a sweep: nobody asks when it is over */
    ENDS_AT_ONCE,   /* an event: it is over once it is reported */
};

/*
 * Texts may hold {what}: the subject; {others}: how many more it struck; {name}: both; {file}: both
 * below the root; {root}; {error}: what rapl_error_text() says; {module}: the driver's name.
 */
struct cause_row {
    enum problem_pass pass;
    enum problem_end end;
    enum rapl_severity severity;
    bool by_subject;    /* one for each file or zone, rather than one for all that it strikes */
    const char *reason; /* NULL: of choose_reason */
    const char *remedy; /* NULL: of word_remedy; or there is none */
    const char *(*choose_reason)(const struct problem *problem);
    void (*word_remedy)(struct problems *problems, const struct problem *problem);
};

const struct cause_row *problem_cause_row(enum problem_cause cause);

#endif
