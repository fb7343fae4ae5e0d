/* SPDX-License-Identifier: MIT */
/* What rapl-execd gives up for good before it reads any text of the kernel. */
#ifndef RAPL_SANDBOX_H
#define RAPL_SANDBOX_H

#include <stdbool.h>

#include "rapl.h"
#include "sandbox/capabilities.h"

struct sandbox {
    char on[160];     /* active parts, separated by commas, for --check; or "nothing" */
    char off[768];    /* inactive parts with reasons, one per line; or "" */
    char failed[512]; /* parts that failed, to be logged; or "" */
    const char *root;
    int root_file;
    bool rules; /* Landlock is active */
    bool calls;
    bool narrowed;
};

/* Sets no_new_privs, Landlock and seccomp, as far as kernel and build support them. Capabilities
 * have to be given up before. Applies to the calling thread, so call it before any other thread
 * starts. check: for --check. */
void sandbox(struct sandbox *lock, const struct capabilities *privileges,
             const struct rapl_options *options, bool check);

/* Once a source reads, gives up what only the other sources need. Later calls do nothing. */
void sandbox_narrow(struct sandbox *lock, const struct rapl *rapl);

/* Logs each refused system call once. */
void sandbox_log(void);

#endif
