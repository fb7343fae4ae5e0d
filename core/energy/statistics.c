/* SPDX-License-Identifier: MIT */
/* The statistics and their names. */
#include <errno.h>
#include <string.h>

#include "rapl.h"

/* In the order of the bits of enum rapl_statistic. */
static const char *const names[RAPL_STATISTICS] = {"min", "max", "stddev", "p50", "p95", "p99"};

size_t rapl_statistics_list(const struct rapl_value *value, unsigned int chosen,
                            struct rapl_power powers[RAPL_STATISTICS]) {
    const struct rapl_statistics *statistics = &value->statistics;
    const uint64_t powers_uw[RAPL_STATISTICS] = {
        statistics->min_uw, statistics->max_uw, statistics->stddev_uw,
        statistics->p50_uw, statistics->p95_uw, statistics->p99_uw,
    };
    size_t count = 0;
    if (!value->has_statistics || statistics->samples == 0)
        return 0;
    for (size_t i = 0; i < RAPL_STATISTICS; i++) {
        if ((chosen & 1U << i) != 0)
            powers[count++] = (struct rapl_power){.name = names[i], .power_uw = powers_uw[i]};
    }
    return count;
}

int rapl_statistics_add(const char *name, unsigned int *chosen) {
    for (size_t i = 0; i < RAPL_STATISTICS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *chosen |= 1U << i;
            return 0;
        }
    }
    return -EINVAL;
}
