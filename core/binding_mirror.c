/* SPDX-License-Identifier: MIT */
#include "binding_mirror.h"

#include <errno.h>
#include <stdlib.h>

/* Two reads of one counter can lie on both sides of an update, and the updates, about a
 * millisecond apart, jitter. */
#define UPDATE_NS UINT64_C(2000000)

/* psys is that of the first die of package 0, and psys-0 that of another die of it
 * (intel_rapl_common.c names it by the package once the die's number is above 0). */
bool mirror_may_be(const struct binding *binding, const struct zone_identity *identity,
                   struct zone_identity *key) {
    *key = *identity;
    key->die_id = RAPL_NO_ID;
    if (identity->kind == ZONE_PSYS && identity->package_id <= 0) {
        key->package_id = RAPL_NO_ID;
        return true;
    }
    return binding->vendor == CPU_VENDOR_UNKNOWN && identity->die_id != RAPL_NO_ID;
}

/* Made where it is the first to be asked for; NULL without memory. */
static struct mirror *find_mirror(struct binding *binding, const struct zone_identity *key) {
    struct mirror *mirror = zone_map_find(&binding->mirror_map, key);
    if (mirror != NULL)
        return mirror;
    struct mirror **mirrors =
        realloc(binding->mirrors, (binding->mirror_count + 1) * sizeof(struct mirror *));
    if (mirrors == NULL)
        return NULL;
    binding->mirrors = mirrors;
    mirror = calloc(1, sizeof(*mirror));
    if (mirror == NULL)
        return NULL;
    mirror->key = *key;
    if (zone_map_add(&binding->mirror_map, &mirror->key, mirror) != 0) {
        free(mirror);
        return NULL;
    }
    mirrors[binding->mirror_count++] = mirror;
    return mirror;
}

/* Zones of one control type stand side by side in the list. */
static void note_zone(const struct binding *binding, struct mirror *mirror,
                      const struct zone *zone) {
    if (mirror->last != NULL && mirror->last->control != zone->control) {
        if (mirror->meets)
            return;
        mirror->read = NULL;
    } else if (mirror->last != NULL) {
        mirror->meets = mirror->meets || !zone_equal(&mirror->last->identity, &zone->identity);
    }
    mirror->last = zone;
    const struct series *series = zone_map_find(&binding->series_map, &zone->identity);
    if (series != NULL && series->has_read)
        mirror->read = series;
}

/* Zones that may show one counter become a mirror when there are two of them. Where one of them is
 * read under its own name already, that stays the name. */
int mirror_presume(struct binding *binding, const struct source *source) {
    for (size_t i = 0; i < binding->mirror_count; i++) {
        struct mirror *mirror = binding->mirrors[i];
        mirror->last = NULL;
        mirror->meets = false;
        mirror->read = NULL;
    }
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        struct zone_identity key;
        zone->mirror = NULL;
        if (!zone->identified || !mirror_may_be(binding, &zone->identity, &key))
            continue;
        zone->mirror = find_mirror(binding, &key);
        if (zone->mirror == NULL)
            return -ENOMEM;
        if (!zone->mirror->shared)
            note_zone(binding, zone->mirror, zone);
    }
    for (size_t i = 0; i < binding->mirror_count; i++) {
        struct mirror *mirror = binding->mirrors[i];
        if (!mirror->meets)
            continue;
        mirror->shared = true;
        mirror->identity = mirror->read != NULL ? mirror->read->identity : mirror->key;
    }
    return 0;
}

struct mirror *mirror_of(const struct zone *zone) {
    struct mirror *mirror = zone->mirror;
    return mirror != NULL && mirror->shared && !mirror->parted ? mirror : NULL;
}

bool mirror_has_ended(const struct binding *binding, const struct series *series) {
    struct zone_identity key;
    const struct mirror *mirror = zone_map_find(&binding->mirror_map, &series->identity);
    if (mirror != NULL && mirror->parted)
        return series->identity.kind != ZONE_PSYS;
    if (!mirror_may_be(binding, &series->identity, &key))
        return false;
    mirror = zone_map_find(&binding->mirror_map, &key);
    if (mirror == NULL || !mirror->shared || mirror->parted ||
        zone_equal(&mirror->identity, &series->identity))
        return false;
    const struct series *other = zone_map_find(&binding->series_map, &mirror->identity);
    return other != NULL && other->zone_count > 0;
}

/* --- mirrors that part ----------------------------------------------------------------------- */

/* Whether two readings can be of one counter. */
static bool agree(const struct zone *zone, const struct reading *a, const struct reading *b) {
    const uint64_t distance = counter_distance(a->ticks, b->ticks, zone->traits.modulus);
    const uint64_t apart_ns =
        a->time_ns > b->time_ns ? a->time_ns - b->time_ns : b->time_ns - a->time_ns;
    return !counter_exceeds(&zone->traits, distance,
                            apart_ns + a->doubt_ns + b->doubt_ns + UPDATE_NS);
}

/* Whether the zone tells another counter's value than the first of its mirror that reads. */
static bool differs(const struct source *source, size_t index) {
    struct zone *zone = source->zones[index];
    struct mirror *mirror = mirror_of(zone);
    if (mirror == NULL || source->readings[index].error != 0)
        return false;
    if (mirror->first == SIZE_MAX)
        mirror->first = index;
    struct zone *first = source->zones[mirror->first];
    /* What another control type shows is not read beside it. */
    if (first == zone || first->control != zone->control)
        return false;
    const bool same = agree(zone, &source->readings[mirror->first], &source->readings[index]);
    first->agreed = first->agreed || same;
    zone->agreed = zone->agreed || same;
    return !same;
}

bool binding_part(struct binding *binding, const struct source *source, struct problems *problems) {
    bool parted = false;
    for (size_t i = 0; i < binding->mirror_count; i++)
        binding->mirrors[i]->first = SIZE_MAX;
    for (size_t i = 0; binding->mirror_count > 0 && i < source->zone_count; i++) {
        if (!differs(source, i))
            continue;
        struct mirror *mirror = source->zones[i]->mirror;
        struct series *series = zone_map_find(&binding->series_map, &mirror->identity);
        mirror->parted = true;
        parted = true;
        /* Before the first report nobody has seen them as one. */
        if (series != NULL && series->has_read) {
            problems_raise(problems, PROBLEM_PARTED, 0, series->name);
            series_forget(series);
        }
    }
    return parted;
}
