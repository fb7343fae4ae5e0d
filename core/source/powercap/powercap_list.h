/* SPDX-License-Identifier: MIT */
/* Which RAPL zones the powercap class shows, by the names of its folders. */
#ifndef RAPL_POWERCAP_LIST_H
#define RAPL_POWERCAP_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "source/fd_budget.h"

#define POWERCAP_CLASS "sys/class/powercap"

/* Only its zones, and those of types whose names go on after it (intel-rapl-mmio), are RAPL. */
#define POWERCAP_CONTROL_TYPE "intel-rapl"

/* Zones that are looked at: some may be better than what comes before them in the list, and none
 * may fill the memory. */
#define POWERCAP_LIST_MAX (4 * FD_RANK_ZONES)

/*
 * Lists the ids of zones such as "intel-rapl:0:1": those of intel-rapl first, then by their
 * numbers, a parent before its sub-zones. Of more than POWERCAP_LIST_MAX these are the first,
 * parents before all sub-zones, and unlisted is the number of the rest. -ENOMEM, or another
 * negative errno of the folder.
 */
int powercap_list(int root, char ***listed, size_t *listed_count, size_t *unlisted);

/* Below 0: a comes before b; 0: they are the same. */
int powercap_list_compare(const char *a, const char *b);

/* A number for the control type of a zone's id, the same at all times; 0: intel-rapl itself. */
uint32_t powercap_list_control(const char *id);

void powercap_list_free(char **entries, size_t count);

#endif
