/* SPDX-License-Identifier: MIT */
/* Which RAPL zones the powercap class shows, by the names of its folders. */
#ifndef RAPL_POWERCAP_LIST_H
#define RAPL_POWERCAP_LIST_H

#include <stddef.h>

#define POWERCAP_CLASS "sys/class/powercap"

/* Only its zones, and those of types whose names go on after it (intel-rapl-mmio), are RAPL. */
#define POWERCAP_CONTROL_TYPE "intel-rapl"

/*
 * Lists the ids of zones such as "intel-rapl:0:1": those of intel-rapl first, then by their
 * numbers, a parent before its sub-zones. -ENOMEM, or another negative errno of the folder.
 */
int powercap_list(int root, char ***listed, size_t *listed_count);

void powercap_list_free(char **entries, size_t count);

#endif
