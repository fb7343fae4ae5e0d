/* SPDX-License-Identifier: MIT */
/* seccomp(2): which system calls the process may still make. */
#ifndef RAPL_SECCOMP_FILTER_H
#define RAPL_SECCOMP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "rapl.h"

/* Why this build has none; NULL: it has. */
extern const char *const seccomp_filter_missing;

/*
 * From now on every other system call than those that are needed is answered with EPERM, and
 * remembered. source: RAPL_SOURCE_AUTO allows what perf asks for, too. Asks for no_new_privs.
 * Negative errno.
 */
int seccomp_filter_set(enum rapl_source source);

/* Afterwards: forbids what will not be needed any more, once it is known that the source is what
 * is read, and setting further rules. Negative errno. */
int seccomp_filter_narrow(enum rapl_source source);

/* The name of a system call that was refused and not told yet, or false. Each is told once. */
bool seccomp_filter_next_refused(char *name, size_t size);

#endif
