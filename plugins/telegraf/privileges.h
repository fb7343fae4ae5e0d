/* SPDX-License-Identifier: MIT */
/* The capability of rapl-execd's file, raised only where a counter is opened. */
#ifndef RAPL_EXECD_PRIVILEGES_H
#define RAPL_EXECD_PRIVILEGES_H

#include "rapl.h"

struct privileges {
    struct rapl_privilege rapl; /* for rapl_open() */
    char rights[512];           /* as whom we run and what we may, for --check */
    void *raised;               /* sets of capabilities (libcap's cap_t) */
    void *lowered;
    char withheld[512];
};

/* Looks what the process was given. Without libcap, or without memory: nothing. */
void privileges_open(struct privileges *privileges);

void privileges_close(struct privileges *privileges);

#endif
