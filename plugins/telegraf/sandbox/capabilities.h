/* SPDX-License-Identifier: MIT */
/* Gives up the capabilities that rapl-execd does not need, and raises the others only while a
 * counter is opened. */
#ifndef RAPL_CAPABILITIES_H
#define RAPL_CAPABILITIES_H

#include <stdbool.h>

#include "rapl.h"

struct capabilities {
    struct rapl_privilege rapl; /* for rapl_open() */
    char rights[512];           /* user, group and capabilities, for --check */
    void *raised;               /* capability sets (libcap's cap_t) */
    void *lowered;
    char withheld[512];
    const char *kept; /* why unneeded capabilities could not be given up; or NULL */
};

/* Why this build cannot give up capabilities; NULL: it can. */
extern const char *const capabilities_missing;

/*
 * Gives up for good the capabilities that counters do not need, inheritable and ambient sets
 * included. own_root: the remaining ones are effective only while a counter is opened. Otherwise
 * none is ever raised, and those that were effective stay so (root in a container). Changes nothing
 * without libcap, or if memory ran out.
 */
void capabilities_open(struct capabilities *privileges, bool own_root);

void capabilities_close(struct capabilities *privileges);

#endif
