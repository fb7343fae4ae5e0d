/* SPDX-License-Identifier: MIT */
/* Whether the processor blurs its energy counters on purpose (INTEL-SA-00389, CVE-2020-8695). */
#ifndef RAPL_ENERGY_FILTER_H
#define RAPL_ENERGY_FILTER_H

#include <stdbool.h>

#include "rapl.h"

/* Reads it from the lowest online CPU. -ENOTSUP: the processor cannot tell, as most cannot;
 * another negative errno: its registers cannot be read. */
int energy_filter_read(int root, const struct rapl_privilege *privilege, bool *filtering);

#endif
