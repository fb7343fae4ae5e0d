/* SPDX-License-Identifier: MIT */
/* When the readings of a report were taken. */
#include "account.h"

/* A report has the time of the middle of its sample; if that took long, of the middle of its
 * readings. */
uint64_t report_age_ns(void) {
    const uint64_t took_ns = world.end_ns - world.begin_ns;
    uint64_t youngest_ns = UINT64_MAX;
    uint64_t oldest_ns = 0;
    for (size_t i = 0; world.source != NULL && i < world.source->zone_count; i++) {
        const struct glimpse *glimpse = &fake_zone_at(world.source, i)->glimpse;
        const uint64_t age_ns = world.end_raw_ns - glimpse->time_ns;
        if (!glimpse->tried || glimpse->error != 0)
            continue;
        youngest_ns = age_ns < youngest_ns ? age_ns : youngest_ns;
        oldest_ns = age_ns > oldest_ns ? age_ns : oldest_ns;
    }
    if (took_ns <= world.slow_ns || youngest_ns == UINT64_MAX)
        return took_ns / 2;
    return oldest_ns - (oldest_ns - youngest_ns) / 2;
}
