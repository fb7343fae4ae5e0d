/* SPDX-License-Identifier: MIT */
/* Decides whether a core zone is one core or all cores if the vendor is unknown. Pure. */
#ifndef RAPL_POWERCAP_CORE_H
#define RAPL_POWERCAP_CORE_H

#include <stdbool.h>

#include "source/source.h"

/*
 * Intel's core zones count all cores of a package, AMD's count one. If the vendor is unknown and no
 * other zone shows that it is Intel, core zones are left out with ZONE_WITHOUT_VENDOR. Zones must
 * be identified first. is_intel: in and out; set once another zone has shown it.
 */
void powercap_core_judge(struct source *source, enum cpu_vendor vendor, bool *is_intel);

#endif
