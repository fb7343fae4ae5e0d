/* SPDX-License-Identifier: MIT */
/* Shows what was found and what is missing, as a table for people. */
#ifndef RAPL_CHECK_H
#define RAPL_CHECK_H

#include "prompt.h"
#include "rapl.h"
#include "sandbox/sandbox.h"

/* Exit status if energy can be read, but not from every selected zone. */
#define CHECK_SOME_FAILED 3

/* Waits until power is known and prints the table. rights: as in struct capabilities. Returns the
 * exit status: EXIT_FAILURE if no energy can be read, or no zone is selected. */
int check_run(struct rapl *rapl, struct prompt *prompt, const char *rights,
              const struct sandbox *locked);

#endif
