/* SPDX-License-Identifier: MIT */
/* Lists the RAPL zones of the powercap class by the names of its folders. */
#ifndef RAPL_POWERCAP_LIST_H
#define RAPL_POWERCAP_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "source/fd_budget.h"

#define POWERCAP_CLASS "sys/class/powercap"

/* RAPL zones belong to this control type or to one whose name extends it (intel-rapl-mmio). */
#define POWERCAP_CONTROL_TYPE "intel-rapl"

/* Most zones that are listed. More than can be read, because later ones may rank higher, but
 * limited to bound memory. */
#define POWERCAP_LIST_MAX (4 * FD_RANK_ZONES)

/*
 * Lists the ids of zones such as "intel-rapl:0:1": those of intel-rapl first, then by their
 * numbers, a parent before its sub-zones. If there are more than POWERCAP_LIST_MAX, parents are
 * kept before sub-zones, and unlisted counts the rest. The caller frees the list with
 * powercap_list_free(). 0, -ENOMEM, or another negative errno of the folder.
 */
int powercap_list(int root, char ***listed, size_t *listed_count, size_t *unlisted);

/* Below 0: a comes before b; 0: they are equal. */
int powercap_list_compare(const char *a, const char *b);

/* Number of the control type in a zone's id, which never changes; 0: intel-rapl itself. */
uint32_t powercap_list_control(const char *id);

void powercap_list_free(char **entries, size_t count);

#endif
