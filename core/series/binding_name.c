/* SPDX-License-Identifier: MIT */
#include "series/binding_name.h"

#include <errno.h>
#include <stddef.h>

/* The name of a counter of the whole package, without a die. */
static struct zone_identity without_die(const struct zone_identity *identity) {
    struct zone_identity whole = *identity;
    whole.die_id = RAPL_NO_ID;
    return whole;
}

static bool is_free(const struct series *series) {
    return series->zone_count == 0 && !series->awaits_zone;
}

static bool waits_for_zone(const struct series *series) {
    return series != NULL && is_free(series) && series->has_read && !series->ended &&
           !series->moved_on;
}

static struct zone_identity with_id(const struct zone_identity *identity, const struct zone *zone) {
    struct zone_identity own = *identity;
    zone_set_id(&own, zone->id);
    return own;
}

struct series *binding_find_name(const struct binding *binding, const struct zone *zone) {
    const struct zone_identity own = binding_interpret(binding, &zone->identity);
    struct series *series = binding_find(binding, &own);
    if (zone->control != 0) {
        const struct zone *fed = zone_map_find(&binding->fed_map, &zone->identity);
        return fed != NULL ? fed->series : series;
    }
    const struct zone_identity named = with_id(&own, zone);
    struct series *second = binding_find(binding, &named);
    if (waits_for_zone(second))
        return second;
    if (waits_for_zone(series))
        return series;
    /* After the driver was loaded again: the series had a counter in common with this one. */
    if (series != NULL && waits_for_zone(series->same_as))
        return series->same_as;
    return series == NULL || is_free(series) ? series : second;
}

struct series *binding_make_name(struct binding *binding, const struct zone *zone) {
    struct zone_identity own = binding_interpret(binding, &zone->identity);
    if (binding_find(binding, &own) != NULL)
        own = with_id(&own, zone);
    return binding_add(binding, &own);
}

/* The reading that the series' counter continues from; none if the machine has slept since, or if
 * low readings are undecided. */
static struct reading find_last(const struct series *series) {
    if (!series->counter.has_baseline || series->counter.slept_ns > 0 ||
        series->counter.low.count > 0)
        return (struct reading){.time_ns = 0};
    return (struct reading){.ticks = series->counter.ticks,
                            .time_ns = series->counter.time_ns,
                            .uncertainty_ns = series->uncertainty_ns};
}

void binding_keep_last(const struct source *source, const struct series *series) {
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        if (zone->series == series && zone_equal(&zone->identity, &series->last_zone_identity))
            zone->compared.last = find_last(series);
    }
}

void binding_leave(struct binding *binding, struct zone *zone) {
    struct series *left = zone->series;
    left->moved_on = true;
    left->same_as = NULL;
    /* A zone that leaves twice in a sweep begins where it did the first time. */
    if (!zone->starts) {
        if (zone_equal(&zone->identity, &left->last_zone_identity))
            zone->compared.last = find_last(left);
        zone->starts = left->has_read && zone->compared.last.time_ns != 0;
    }
    binding->starts = binding->starts || zone->starts;
    zone->counter = ZONE_COUNTER_OWN;
    zone->compared.offset = 0;
    zone->compared.has_ticks = false;
    zone->series = NULL;
}

int binding_drop_die(struct binding *binding, struct series *series) {
    const struct zone_identity own = series->identity;
    const struct zone_identity whole = without_die(&own);
    if (binding_find(binding, &whole) != NULL)
        return 0;
    int error = binding_rename(binding, series, &whole);
    if (error != 0)
        return error;
    /* The zone finds its series again by this alias. */
    struct series *alias = binding_add(binding, &own);
    if (alias == NULL)
        return -ENOMEM;
    alias->same_as = series;
    return 0;
}
