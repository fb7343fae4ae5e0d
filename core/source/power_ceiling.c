/* SPDX-License-Identifier: MIT */
#include "source/power_ceiling.h"

#define FACTOR 4
#define LEAST_UW UINT64_C(250000000)
#define UNKNOWN_UW UINT64_C(1000000000)
#define PSYS_UW UINT64_C(50000000000)
#define NO_LIMIT_FROM_UW UINT64_C(3000000000)
#define NO_PL4_UW UINT64_C(1023875000)

void power_limits_add(struct power_limits *limits, uint64_t limit_uw) {
    if (limit_uw < NO_LIMIT_FROM_UW && limit_uw != NO_PL4_UW && limit_uw > limits->largest_uw)
        limits->largest_uw = limit_uw;
}

static uint64_t derive_uw(const struct power_limits *limits) {
    const uint64_t known_uw = limits->tdp_uw != 0 ? limits->tdp_uw : limits->largest_uw;
    if (known_uw == 0)
        return UNKNOWN_UW;
    return FACTOR * known_uw > LEAST_UW ? FACTOR * known_uw : LEAST_UW;
}

void power_ceiling_decide(struct counter_traits *traits, enum zone_kind kind, uint64_t max_power_uw,
                          const struct power_limits *limits) {
    traits->most_uw = 0;
    if (kind == ZONE_PSYS) {
        traits->ceiling_uw = PSYS_UW;
    } else if (max_power_uw != 0) {
        traits->ceiling_uw = max_power_uw;
    } else {
        traits->ceiling_uw = derive_uw(limits);
        traits->most_uw = FACTOR * traits->ceiling_uw;
    }
}
