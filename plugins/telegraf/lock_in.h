/* SPDX-License-Identifier: MIT */
/* What rapl-execd gives up for good before it reads the first text of the kernel's. */
#ifndef RAPL_EXECD_LOCK_IN_H
#define RAPL_EXECD_LOCK_IN_H

#include <stdbool.h>

#include "privileges.h"
#include "rapl.h"

struct lock_in {
    char on[160];     /* what holds, by commas, for --check; or "nothing" */
    char off[768];    /* what does not, and why: by newlines; or "" */
    char failed[512]; /* what was tried and did not come about, to be told; or "" */
    const char *root;
    int root_file;
    bool rules; /* of files */
    bool calls;
    bool narrowed;
};

/* Sets no_new_privs, Landlock and seccomp, as far as kernel and build have them; the capabilities
 * are given up already. Of the calling thread, so before there are others. check: for --check. */
void lock_in(struct lock_in *lock, const struct privileges *privileges,
             const struct rapl_options *options, bool check);

/* Once a source reads: gives up what the others would have needed. Costs nothing afterwards. */
void lock_in_narrow(struct lock_in *lock, const struct rapl *rapl);

/* Logs each system call that was refused, once. */
void lock_in_log(void);

#endif
