/* SPDX-License-Identifier: MIT */
#include "source/powercap/powercap_core.h"

#include "source/powercap/powercap_zone.h"
#include "system/error.h"

/* On AMD, the driver only has registers of the package and of one core (intel_rapl_msr.c,
 * rapl_msr_priv_amd). Other control types are devices of Intel. */
static bool is_intels_alone(const struct zone *zone) {
    const enum zone_kind kind = zone->identity.kind;
    return zone->identified &&
           (zone->control != 0 || kind == ZONE_UNCORE || kind == ZONE_DRAM || kind == ZONE_PSYS);
}

void powercap_core_judge(struct source *source, enum cpu_vendor vendor, bool *is_intel) {
    if (vendor != CPU_VENDOR_UNKNOWN)
        return;
    for (size_t i = 0; i < source->zone_count; i++)
        *is_intel = *is_intel || is_intels_alone(source->zones[i]);
    for (size_t i = 0; i < source->zone_count && !*is_intel; i++) {
        struct zone *zone = source->zones[i];
        if (!zone->identified || zone->identity.kind != ZONE_CORE)
            continue;
        powercap_zone_close((struct powercap_zone *)zone);
        zone->identified = false;
        zone->error = ZONE_WITHOUT_VENDOR;
    }
}
