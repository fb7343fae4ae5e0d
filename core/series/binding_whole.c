/* SPDX-License-Identifier: MIT */
#include "series/binding_whole.h"

#include <string.h>

/* dram is outside of the package, and psys contains it; single cores are added up first. */
static bool is_part(const struct zone_identity *identity) {
    return identity->core_id == RAPL_NO_ID && identity->package_id != RAPL_NO_ID &&
           (identity->kind == ZONE_CORE || identity->kind == ZONE_UNCORE ||
            identity->kind == ZONE_LEAD_CORE);
}

static void move_before(struct binding *binding, size_t from, size_t to) {
    struct series *moved = binding->series[from];
    memmove(&binding->series[to + 1], &binding->series[to], (from - to) * sizeof(struct series *));
    binding->series[to] = moved;
}

void whole_order(struct binding *binding) {
    const size_t last = binding->series_count - 1;
    const struct series *added = binding->series[last];
    if (added->identity.kind != ZONE_PACKAGE)
        return;
    for (size_t i = 0; i < last; i++) {
        const struct zone_identity *identity = &binding->series[i]->identity;
        if (!is_part(identity) || identity->package_id != added->identity.package_id)
            continue;
        move_before(binding, last, i);
        return;
    }
}

/* The zone's own package bounds it: another package may feed the series of that name. If several
 * zones show the part, they may belong to several packages after all. */
static struct series *find_whole(const struct binding *binding, const struct source *source,
                                 const struct series *part) {
    struct zone_identity package;
    if (!is_part(&part->identity) || part->zone_count != 1 ||
        !zone_is_part_of(&source->zones[part->zones[0]]->identity, &package))
        return NULL;
    const struct zone *whole = zone_map_find(&binding->fed_map, &package);
    return whole != NULL ? whole->series : NULL;
}

/* Orders a part after a package that has another one's name, in a virtual machine. */
static void order_after(struct binding *binding, size_t part, const struct series *whole) {
    for (size_t i = part + 1; i < binding->series_count; i++) {
        if (binding->series[i] != whole)
            continue;
        move_before(binding, i, part);
        return;
    }
}

void whole_bind(struct binding *binding, const struct source *source) {
    for (size_t i = 0; i < binding->series_count; i++) {
        struct series *part = binding->series[i];
        struct series *whole = find_whole(binding, source, part);
        part_set_whole(&part->part, whole);
        if (whole != NULL && whole->identity.package_id != part->identity.package_id)
            order_after(binding, i, whole);
    }
}
