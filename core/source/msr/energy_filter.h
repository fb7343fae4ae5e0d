/* SPDX-License-Identifier: MIT */
/* Whether the processor adds noise to its energy counters (INTEL-SA-00389, CVE-2020-8695). */
#ifndef RAPL_ENERGY_FILTER_H
#define RAPL_ENERGY_FILTER_H

#include <stdbool.h>

#include "rapl.h"

/* Reads the setting on the lowest online CPU. -ENOTSUP: the processor has no such setting (most
 * have none); another negative errno: its registers cannot be read. */
int energy_filter_read(int root, const struct rapl_privilege *privilege, bool *filtering);

#endif
