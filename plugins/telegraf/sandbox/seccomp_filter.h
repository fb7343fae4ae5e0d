/* SPDX-License-Identifier: MIT */
/* seccomp(2): limits the system calls that the process may make. */
#ifndef RAPL_SECCOMP_FILTER_H
#define RAPL_SECCOMP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "rapl.h"

/* Why this build has no filter; NULL: it has one. */
extern const char *const seccomp_filter_missing;

/*
 * Answers every system call that is not needed with EPERM, and records it. source: RAPL_SOURCE_AUTO
 * also allows the calls of perf. Requires no_new_privs. Negative errno.
 */
int seccomp_filter_set(enum rapl_source source);

/* Call it after seccomp_filter_set(), once the source is known: also forbids the calls that this
 * source does not need, and further rules. Negative errno. */
int seccomp_filter_narrow(enum rapl_source source);

/* Gets the name of the next refused system call, each once; false: no more. */
bool seccomp_filter_next_refused(char *name, size_t size);

#endif
