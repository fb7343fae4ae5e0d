/* SPDX-License-Identifier: MIT */
/* What is found and what is missing, as a table for a person. */
#ifndef RAPL_CHECK_H
#define RAPL_CHECK_H

#include "prompt.h"
#include "rapl.h"
#include "sandbox/sandbox.h"

/* The exit status where energy can be read, but not that of every zone that is wanted. */
#define CHECK_SOME_FAILED 3

/* Prints the table once its watts are known; rights: as in struct capabilities. Returns the exit
 * status: EXIT_FAILURE where no energy can be read, or none is selected. */
int check_run(struct rapl *rapl, struct prompt *prompt, const char *rights,
              const struct sandbox *locked);

#endif
