/* SPDX-License-Identifier: MIT */
#include "binding_whole.h"

#include <string.h>

/* dram lies outside of the package and psys holds it; single cores are added up first. */
static bool is_part(const struct zone_identity *identity) {
    return identity->core_id == RAPL_NO_ID && identity->package_id != RAPL_NO_ID &&
           (identity->kind == ZONE_CORE || identity->kind == ZONE_UNCORE ||
            identity->kind == ZONE_LEAD_CORE);
}

void whole_order(struct binding *binding) {
    const size_t last = binding->series_count - 1;
    struct series *added = binding->series[last];
    if (added->identity.kind != ZONE_PACKAGE)
        return;
    for (size_t i = 0; i < last; i++) {
        const struct zone_identity *identity = &binding->series[i]->identity;
        if (!is_part(identity) || identity->package_id != added->identity.package_id)
            continue;
        memmove(&binding->series[i + 1], &binding->series[i], (last - i) * sizeof(struct series *));
        binding->series[i] = added;
        return;
    }
}

/* A part that several zones show may be those of several packages after all. */
static struct series *find_whole(const struct binding *binding, const struct series *part) {
    if (!is_part(&part->identity) || part->zone_count != 1)
        return NULL;
    struct series *whole = binding_find_whole(binding, &part->identity);
    return whole != NULL && whole->zone_count > 0 ? whole : NULL;
}

void whole_bind(struct binding *binding) {
    for (size_t i = 0; i < binding->series_count; i++) {
        struct series *part = binding->series[i];
        part_set_whole(&part->part, find_whole(binding, part));
    }
}
