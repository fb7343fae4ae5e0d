/* SPDX-License-Identifier: MIT */
/* Above which power a step of a counter cannot have been energy. Pure. */
#ifndef RAPL_POWER_CEILING_H
#define RAPL_POWER_CEILING_H

#include <stdint.h>

#include "energy/counter.h"
#include "zone/zone.h"

/* What a zone's registers or files say of its power, in microwatts; 0: nothing. */
struct power_limits {
    uint64_t tdp_uw;
    uint64_t largest_uw; /* of the limits that are none of the values for "no limit" */
};

/* 3 kW and more are "no limit" (a laptop of 2015 shows 3.4 and 4.1 kW), and so is 1023.875 W, the
 * largest that the field of PL4 holds (SDM vol. 4, MSR 601H: 13 bits of 1/8 W). */
void power_limits_add(struct power_limits *limits, uint64_t limit_uw);

/*
 * Sets the ceiling of a zone, and what ten steps in a row above it may raise it to. max_power_uw is
 * the one that the user has set, 0 if none. A limit says little beside a TDP: firmware may set it
 * to seven times as much.
 */
void power_ceiling_decide(struct counter_traits *traits, enum zone_kind kind, uint64_t max_power_uw,
                          const struct power_limits *limits);

#endif
