/* SPDX-License-Identifier: MIT */
/* The capabilities of rapl-execd, raised only where a counter is opened, and the rest given up. */
#ifndef RAPL_CAPABILITIES_H
#define RAPL_CAPABILITIES_H

#include <stdbool.h>

#include "rapl.h"

struct capabilities {
    struct rapl_privilege rapl; /* for rapl_open() */
    char rights[512];           /* as whom we run and what we may, for --check */
    void *raised;               /* sets of capabilities (libcap's cap_t) */
    void *lowered;
    char withheld[512];
    const char *kept; /* why it holds more capabilities than it uses; NULL: it does not */
};

/* Why this build can give up none; NULL: it can. */
extern const char *const capabilities_missing;

/*
 * Looks what the process was given, and gives up for good what counters do not ask for, inheritable
 * and ambient sets included. own_root: what is left is effective only while a counter is opened.
 * Otherwise nothing is ever raised, and what was effective stays so: that of root in a container.
 * Without libcap, or without memory: nothing.
 */
void capabilities_open(struct capabilities *privileges, bool own_root);

void capabilities_close(struct capabilities *privileges);

#endif
