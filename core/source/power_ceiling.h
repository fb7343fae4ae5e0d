/* SPDX-License-Identifier: MIT */
/* Plausible power of a zone: a step that implies more is not energy. Pure. */
#ifndef RAPL_POWER_CEILING_H
#define RAPL_POWER_CEILING_H

#include <stdint.h>

#include "energy/counter.h"
#include "zone/zone.h"

/* What a zone's registers or files state about its power, in microwatts; 0: nothing. */
struct power_limits {
    uint64_t tdp_uw;
    uint64_t largest_uw; /* largest limit that does not mean "no limit" */
};

/* Adds a limit. Values of 3 kW and more mean "no limit" (a laptop of 2015 shows 3.4 and 4.1 kW),
 * and so does 1023.875 W, the largest value of the PL4 field (SDM vol. 4, MSR 601H: 13 bits of 1/8
 * W). */
void power_limits_add(struct power_limits *limits, uint64_t limit_uw);

/*
 * Sets the ceiling of a zone, and the value that ten steps in a row above the ceiling may raise it
 * to. max_power_uw: set by the user; 0: not set. The TDP takes precedence over limits, which
 * firmware may set to seven times the TDP.
 */
void power_ceiling_decide(struct counter_traits *traits, enum zone_kind kind, uint64_t max_power_uw,
                          const struct power_limits *limits);

#endif
