/* SPDX-License-Identifier: MIT */
#include "ceiling.h"

#define FACTOR 4
#define LEAST_UW UINT64_C(250000000)
#define UNKNOWN_UW UINT64_C(1000000000)
#define PSYS_UW UINT64_C(50000000000)

uint64_t ceiling_decide_uw(enum zone_kind kind, uint64_t max_power_uw, uint64_t largest_limit_uw) {
    if (kind == ZONE_PSYS)
        return PSYS_UW;
    if (max_power_uw != 0)
        return max_power_uw;
    if (largest_limit_uw == 0)
        return UNKNOWN_UW;
    const uint64_t ceiling_uw = FACTOR * largest_limit_uw;
    return ceiling_uw > LEAST_UW ? ceiling_uw : LEAST_UW;
}
