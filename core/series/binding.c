/* SPDX-License-Identifier: MIT */
#include "series/binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "series/binding_name.h"
#include "series/binding_whole.h"
#include "system/error.h"

/* --- identities ------------------------------------------------------------------------------- */

static bool is_amd(const struct binding *binding) {
    return binding->vendor == CPU_VENDOR_AMD || binding->vendor == CPU_VENDOR_HYGON;
}

/* AMD's core zone is one core, the package's lead CPU (intel_rapl_msr.c, MSR 0xC001029A). */
struct zone_identity binding_interpret(const struct binding *binding,
                                       const struct zone_identity *kernels) {
    struct zone_identity identity = *kernels;
    if (is_amd(binding) && identity.kind == ZONE_CORE && identity.core_id == RAPL_NO_ID) {
        identity.kind = ZONE_LEAD_CORE;
        snprintf(identity.domain, sizeof(identity.domain), "lead_core");
    }
    return identity;
}

/* --- zones and their series ------------------------------------------------------------------- */

static int add_zone(struct series *series, size_t index) {
    size_t *zones = realloc(series->zones, (series->zone_count + 1) * sizeof(*zones));
    if (zones == NULL)
        return -ENOMEM;
    series->zones = zones;
    zones[series->zone_count++] = index;
    return 0;
}

bool binding_wants(const struct series *series) {
    return series->selected || (series->sum != NULL && series->sum->selected);
}

enum fd_rank binding_rank(const void *context, const struct zone_identity *kernels) {
    const struct binding *binding = context;
    const struct zone_identity identity = binding_interpret(binding, kernels);
    const struct series *known = binding_find(binding, &identity);
    struct zone_identity whole;
    char name[ZONE_NAME_SIZE];
    const enum fd_rank rank = fd_rank_of(&identity);
    if (known != NULL)
        return binding_wants(known) ? rank : FD_RANK_UNSELECTED;
    zone_format_name(&identity, name);
    bool wanted = zone_filter_matches(binding->zone_filter, name);
    if (zone_is_core_of(&identity, &whole)) {
        zone_format_name(&whole, name);
        wanted = (wanted && binding->cores) || zone_filter_matches(binding->zone_filter, name);
    }
    /* Zones that may be alike can become one series with this name. */
    if (zone_may_be_alike(&identity, false, &whole)) {
        zone_format_name(&whole, name);
        wanted = wanted || zone_filter_matches(binding->zone_filter, name);
    }
    wanted = wanted || (zone_in_total(&identity) && binding->sums[0]->selected);
    return wanted ? rank : FD_RANK_UNSELECTED;
}

/* What is known of a zone does not hold if another zone has taken over its id. */
static void know_zone(struct zone *zone) {
    if (zone_equal(&zone->known, &zone->identity))
        return;
    zone->known = zone->identity;
    zone->counter = ZONE_COUNTER_UNKNOWN;
    zone->compared = (struct comparison){.has_ticks = false};
    zone->starts = false;
    zone->series = NULL;
}

/* Zones of other control types than intel-rapl show its counters again: their names decide
 * alone. */
static bool is_compared(const struct zone *zone) {
    return zone->control == 0;
}

static bool is_known(const struct zone *zone) {
    return zone->identified && zone->series != NULL && is_compared(zone) &&
           zone->counter != ZONE_COUNTER_UNKNOWN;
}

/* Adds the zone to the group of those that may show its counter. -ENOMEM. */
static int add_alike(struct binding *binding, const struct source *source, size_t index) {
    const struct zone *zone = source->zones[index];
    const struct zone_identity own = binding_interpret(binding, &zone->identity);
    struct zone_identity key;
    if (!is_compared(zone) || !zone_may_be_alike(&own, binding->is_virtual, &key))
        return 0;
    return alikes_add(&binding->alikes, source, index, &key);
}

/* Returns the series that the zone is to feed, and makes it if there is none. NULL: the zone has no
 * place (zone->error says why) or, if *error is set, there is no memory. */
static struct series *place_zone(struct binding *binding, struct zone *zone, int *error,
                                 struct problems *problems) {
    *error = 0;
    struct series *series = is_known(zone) ? zone->series : binding_find_name(binding, zone);
    if (series == NULL && binding->series_count >= BINDING_SERIES_MAX) {
        zone->error = ZONE_BEYOND_LIMIT;
        problems_raise_left_out(problems, zone->error, 1, zone->name, BINDING_SERIES_MAX);
    }
    zone->series = series;
    if (error_is_left_out(zone->error)) {
        if (series != NULL)
            series->left_out = true;
        return NULL;
    }
    /* The zone has no counter; intel-rapl-mmio may have it. The zone is read all the same, so that
     * its error is reported. */
    if (error_is_lost(zone->error)) {
        /* The kernel gives two counters one name only for psys. Any other zone that comes by this
         * name is the lost one by another id. */
        if (is_known(zone) && zone->identity.kind == ZONE_PSYS)
            series->awaits_zone = true;
        zone->wanted = zone_filter_matches(binding->zone_filter, zone->name);
        return NULL;
    }
    if (series == NULL)
        series = binding_make_name(binding, zone);
    if (series == NULL || (series->sum == NULL && binding_join_sum(binding, series) != 0)) {
        *error = -ENOMEM;
        return NULL;
    }
    zone->series = series;
    return series;
}

static int bind_zone(struct binding *binding, const struct source *source, size_t index,
                     struct problems *problems) {
    struct zone *zone = source->zones[index];
    int error;
    struct series *series = place_zone(binding, zone, &error, problems);
    if (series == NULL)
        return error;
    memcpy(zone->name, series->name, sizeof(zone->name));
    const struct zone *first = series->zone_count > 0 ? source->zones[series->zones[0]] : NULL;
    zone->shown = first;
    if (first != NULL && zone->control != first->control)
        return 0;
    if (first == NULL) {
        /* Readings of another control type, or of a series that had ended, do not continue the old
         * ones. */
        if (series->control != zone->control || series->ended)
            series_forget(series);
        series->control = zone->control;
        series->same_as = NULL;
        series_set_traits(series, &zone->traits);
    }
    zone->bound = true;
    zone->reported = series->selected;
    zone->wanted = binding_wants(series);
    error = add_zone(series, index);
    if (error == 0)
        error = add_alike(binding, source, index);
    if (error == 0 && zone_map_find(&binding->fed_map, &zone->identity) == NULL)
        error = zone_map_add(&binding->fed_map, &zone->identity, zone);
    return error;
}

/* A sum without a counter that exists would be wrong. A zone that only shows another one's counter
 * is missing from no sum. */
static void note_lacks(struct binding *binding, const struct source *source) {
    binding->sums[0]->lacks = source->lacks_members;
    for (size_t i = 1; i < binding->sum_count; i++)
        binding->sums[i]->lacks = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *zone = source->zones[i];
        if (!zone->identified || !error_is_left_out(zone->error) ||
            (zone->series != NULL && zone->series->zone_count > 0))
            continue;
        struct series *sum = binding_find_sum(binding, zone);
        if (sum != NULL)
            sum->lacks = true;
    }
}

static int add_window(struct series *series) {
    if (!series->selected || series->window != NULL)
        return 0;
    series->window = calloc(1, sizeof(*series->window));
    return series->window != NULL ? 0 : -ENOMEM;
}

/* One window for each reported series, once its counter is known. */
static int add_windows(struct binding *binding, const struct source *source) {
    int error = 0;
    for (size_t i = 0; i < binding->series_count && error == 0; i++) {
        struct series *series = binding->series[i];
        if (series->present && source->zones[series->zones[0]]->counter != ZONE_COUNTER_UNKNOWN)
            error = add_window(series);
    }
    for (size_t i = 0; i < binding->sum_count && error == 0; i++)
        error = add_window(binding->sums[i]);
    return error;
}

static void begin_update(struct binding *binding, const struct source *source) {
    zone_map_free(&binding->fed_map);
    for (size_t i = 0; i < binding->series_count; i++) {
        binding->series[i]->zone_count = 0;
        binding->series[i]->last_zone_index = SERIES_FED_BY_NONE;
        binding->series[i]->left_out = false;
        binding->series[i]->awaits_zone = false;
    }
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        zone->bound = false;
        zone->wanted = false;
        zone->reported = false;
        zone->shown = NULL;
        zone->alike = NULL;
        if (!zone->identified) {
            zone->known = (struct zone_identity){.domain = ""};
            zone->series = NULL;
            continue;
        }
        know_zone(zone);
        const struct zone_identity own = binding_interpret(binding, &zone->identity);
        zone_format_name(&own, zone->name);
    }
}

/* A zone that no other may mirror has its own counter. If others may, all of these are read until
 * that is known. */
static void find_unknown(const struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        if (!zone->bound || zone->counter != ZONE_COUNTER_UNKNOWN)
            continue;
        if (zone->alike == NULL || zone->alike->count == 1)
            zone->counter = ZONE_COUNTER_OWN;
        else
            zone->alike->unknown = true;
    }
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        zone->wanted = zone->wanted || (zone->alike != NULL && zone->alike->unknown);
    }
}

static void end_update(struct binding *binding, const struct source *source) {
    find_unknown(source);
    for (size_t i = 0; i < binding->series_count; i++) {
        struct series *series = binding->series[i];
        series->present = series->zone_count > 0;
        series->left_out = series->left_out && !series->present;
        series->ended = !series->present && (series->ended || series->moved_on);
        series->moved_on = false;
    }
}

int binding_update(struct binding *binding, const struct source *source,
                   struct problems *problems) {
    int error = alikes_begin(&binding->alikes, source->zone_count);
    if (error != 0)
        return error;
    begin_update(binding, source);
    /* Zones with a known series come first: no other zone may take it. */
    for (size_t i = 0; i < source->zone_count && error == 0; i++) {
        if (is_known(source->zones[i]))
            error = bind_zone(binding, source, i, problems);
    }
    for (size_t i = 0; i < source->zone_count && error == 0; i++) {
        if (source->zones[i]->identified && !source->zones[i]->bound)
            error = bind_zone(binding, source, i, problems);
    }
    if (error != 0)
        return error;
    end_update(binding, source);
    note_lacks(binding, source);
    whole_bind(binding, source);
    return binding->windows ? add_windows(binding, source) : 0;
}
