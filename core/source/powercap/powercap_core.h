/* SPDX-License-Identifier: MIT */
/* Whether a core zone stands for one core or for all of them, where nobody names the vendor. Pure.
 */
#ifndef RAPL_POWERCAP_CORE_H
#define RAPL_POWERCAP_CORE_H

#include <stdbool.h>

#include "source/source.h"

/*
 * Intel's core zones count all cores of a package, AMD's count one. Where the vendor is unknown,
 * the other zones may tell; if they do not, core zones are left out, with ZONE_WITHOUT_VENDOR. They
 * have to be identified first. is_intel: whether other zones have told, now or earlier.
 */
void powercap_core_judge(struct source *source, enum cpu_vendor vendor, bool *is_intel);

#endif
