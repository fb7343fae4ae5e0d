/* SPDX-License-Identifier: MIT */
/* What is found and what is missing, as a table for a person. */
#ifndef RAPL_EXECD_CHECK_H
#define RAPL_EXECD_CHECK_H

#include "lock_in.h"
#include "rapl.h"

/* Prints to stdout; rights: as in struct privileges. Returns whether energy can be read. */
bool check_print(struct rapl *rapl, const char *rights, const struct lock_in *locked);

#endif
