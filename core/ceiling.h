/* SPDX-License-Identifier: MIT */
/* Above which power a step of a counter cannot have been energy. Pure. */
#ifndef RAPL_CEILING_H
#define RAPL_CEILING_H

#include <stdint.h>

#include "zone.h"

/* Limits of 3 kW and more are "no limit programmed" (a laptop of 2015 shows 3.4 and 4.1 kW). */
#define CEILING_LIMIT_BELOW_UW UINT64_C(3000000000)

/*
 * In microwatts. max_power_uw: what the user has set, 0 if nothing. largest_limit_uw: the largest
 * of the zone's power limits that is below CEILING_LIMIT_BELOW_UW, 0 where none is known.
 */
uint64_t ceiling_decide_uw(enum zone_kind kind, uint64_t max_power_uw, uint64_t largest_limit_uw);

#endif
