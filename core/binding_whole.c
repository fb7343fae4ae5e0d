/* SPDX-License-Identifier: MIT */
#include "binding_whole.h"

#include <string.h>

#include "binding_mirror.h"

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

/* Its zone is the only one of its name, and not just presumed to show the counter. */
static bool is_certain(const struct source *source, const struct series *series) {
    return series->zone_count > 0 && !series->duplicated &&
           mirror_of(source->zones[series->zones[0]]) == NULL;
}

static struct series *find_whole(const struct binding *binding, const struct source *source,
                                 const struct series *part) {
    struct zone_identity package;
    if (!is_part(&part->identity) || !zone_is_part_of(&part->identity, &package) ||
        !is_certain(source, part))
        return NULL;
    package = binding_interpret(binding, &package);
    struct series *whole = binding_find(binding, &package);
    return whole != NULL && is_certain(source, whole) ? whole : NULL;
}

void whole_bind(struct binding *binding, const struct source *source) {
    for (size_t i = 0; i < binding->series_count; i++) {
        struct series *part = binding->series[i];
        part_set_whole(&part->part, find_whole(binding, source, part));
    }
}
