/* SPDX-License-Identifier: MIT */
/* What is found and what is missing, as a table for a person. */
#ifndef RAPL_EXECD_CHECK_H
#define RAPL_EXECD_CHECK_H

#include "lock_in.h"
#include "prompt.h"
#include "rapl.h"

/* The exit status where energy can be read, but not that of every zone that is wanted. */
#define CHECK_SOME_FAILED 3

/* Prints the table once its watts are known; rights: as in struct privileges. Returns the exit
 * status: EXIT_FAILURE where no energy can be read, or none is selected. */
int check_run(struct rapl *rapl, struct prompt *prompt, const char *rights,
              const struct lock_in *locked);

#endif
