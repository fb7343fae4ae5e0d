/* SPDX-License-Identifier: MIT */
/* What is found and what is missing, as a table for a person. */
#ifndef RAPL_EXECD_CHECK_H
#define RAPL_EXECD_CHECK_H

#include <stdio.h>

#include "lock_in.h"
#include "rapl.h"

/* The exit status where energy can be read, but not that of every zone that is wanted. */
#define CHECK_SOME_FAILED 3

/* Prints the table; report: for its watts, or NULL; rights: as in struct privileges. Returns the
 * exit status: EXIT_FAILURE where no energy can be read. */
int check_print(FILE *out, struct rapl *rapl, const struct rapl_report *report, const char *rights,
                const struct lock_in *locked);

#endif
