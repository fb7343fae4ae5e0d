/* SPDX-License-Identifier: MIT */
#include "binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "binding_mirror.h"
#include "binding_whole.h"

/* --- identities ------------------------------------------------------------------------------ */

static bool is_amd(const struct binding *binding) {
    return binding->vendor == CPU_VENDOR_AMD || binding->vendor == CPU_VENDOR_HYGON;
}

/* AMD: the counter is the package's, so package-N-die-K (Linux 6.9 to 6.11 counts a CCD as a die,
 * commit 26096aed255f) are all the same. */
static bool counts_package(const struct binding *binding, const struct zone_identity *identity) {
    return is_amd(binding) && identity->kind == ZONE_PACKAGE;
}

/* AMD's core zone is the one core of the package's lead CPU (intel_rapl_msr.c, MSR 0xC001029A). */
struct zone_identity binding_interpret(const struct binding *binding,
                                       const struct zone_identity *kernels) {
    struct zone_identity identity = *kernels;
    if (counts_package(binding, kernels))
        identity.die_id = RAPL_NO_ID;
    if (is_amd(binding) && identity.kind == ZONE_CORE && identity.core_id == RAPL_NO_ID) {
        identity.kind = ZONE_LEAD_CORE;
        snprintf(identity.domain, sizeof(identity.domain), "lead_core");
    }
    return identity;
}

/* --- series ---------------------------------------------------------------------------------- */

static struct series *add_series(struct binding *binding, const struct zone_identity *identity,
                                 struct series ***list, size_t *count, struct zone_map *map) {
    struct series **longer = realloc(*list, (*count + 1) * sizeof(struct series *));
    if (longer == NULL)
        return NULL;
    *list = longer;
    struct series *series = calloc(1, sizeof(*series));
    if (series == NULL)
        return NULL;
    series->identity = *identity;
    if (zone_map_add(map, &series->identity, series) != 0) {
        free(series);
        return NULL;
    }
    zone_format_name(identity, series->name);
    zone_format_parent(identity, series->parent);
    series->number = binding->numbered++;
    series->fed_by = SERIES_FED_BY_NONE;
    series->selected = selection_matches(binding->selection, series->name);
    longer[(*count)++] = series;
    return series;
}

struct series *binding_find(const struct binding *binding, const struct zone_identity *identity) {
    return zone_map_find(&binding->series_map, identity);
}

/* The sum of that identity, made where it is the first to be asked for. */
static struct series *find_sum(struct binding *binding, const struct zone_identity *identity) {
    struct series *sum = zone_map_find(&binding->sum_map, identity);
    return sum != NULL ? sum
                       : add_series(binding, identity, &binding->sums, &binding->sum_count,
                                    &binding->sum_map);
}

int binding_open(struct binding *binding, const struct selection *selection, bool total,
                 bool cores) {
    const struct zone_identity identity = {.kind = ZONE_TOTAL,
                                           .domain = "total",
                                           .package_id = RAPL_NO_ID,
                                           .die_id = RAPL_NO_ID,
                                           .core_id = RAPL_NO_ID};
    binding->selection = selection;
    binding->cores = cores;
    struct series *sum = find_sum(binding, &identity);
    if (sum == NULL)
        return -ENOMEM;
    sum->selected = sum->selected && total;
    return 0;
}

static int join_sum(struct binding *binding, struct series *series) {
    struct zone_identity whole;
    if (zone_in_total(&series->identity)) {
        series->sum = binding->sums[0];
    } else if (zone_is_core_of(&series->identity, &whole)) {
        series->selected = series->selected && binding->cores;
        series->sum = find_sum(binding, &whole);
        if (series->sum == NULL)
            return -ENOMEM;
    }
    return 0;
}

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

enum limit_rank binding_rank(const void *context, const struct zone_identity *kernels) {
    const struct binding *binding = context;
    const struct zone_identity identity = binding_interpret(binding, kernels);
    const struct series *known = binding_find(binding, &identity);
    struct zone_identity whole;
    char name[ZONE_NAME_SIZE];
    const enum limit_rank rank = limit_rank_of(&identity);
    if (known != NULL)
        return binding_wants(known) ? rank : LIMIT_UNSELECTED;
    zone_format_name(&identity, name);
    bool wanted = selection_matches(binding->selection, name);
    if (zone_is_core_of(&identity, &whole)) {
        zone_format_name(&whole, name);
        wanted = (wanted && binding->cores) || selection_matches(binding->selection, name);
    }
    /* They are one series, by that name, as long as they do not part. */
    if (mirror_may_be(binding, kernels, &whole)) {
        zone_format_name(&whole, name);
        wanted = wanted || selection_matches(binding->selection, name);
    }
    wanted = wanted || (zone_in_total(&identity) && binding->sums[0]->selected);
    return wanted ? rank : LIMIT_UNSELECTED;
}

/* Whether the zone shows the same counter as the one that feeds the series already. */
static bool is_mirror(const struct binding *binding, const struct zone *zone,
                      const struct zone *first) {
    if (zone->control != first->control)
        return false;
    if (mirror_of(zone) != NULL)
        return true;
    return counts_package(binding, &zone->identity) &&
           !zone_equal(&zone->identity, &first->identity);
}

/* What is known of a zone is not true of another one that has come by its id. */
static void know_zone(struct zone *zone) {
    if (zone_equal(&zone->known, &zone->identity))
        return;
    zone->known = zone->identity;
    zone->stood_by = false;
    zone->was_bound = false;
    zone->agreed = false;
}

static int bind_zone(struct binding *binding, const struct source *source, size_t index,
                     struct problems *problems) {
    struct zone *zone = source->zones[index];
    if (!zone->identified)
        return 0;
    know_zone(zone);
    const bool stood_by = zone->stood_by;
    zone->stood_by = false;
    const struct mirror *mirror = mirror_of(zone);
    const struct zone_identity identity =
        mirror != NULL ? mirror->identity : binding_interpret(binding, &zone->identity);
    zone_format_name(&identity, zone->name);
    struct series *series = binding_find(binding, &identity);
    zone->series = series;
    if (series == NULL && binding->series_count >= BINDING_SERIES_MAX) {
        zone->error = ZONE_BEYOND_LIMIT;
        problems_raise_left_out(problems, zone->error, 1, zone->name, BINDING_SERIES_MAX);
    }
    if (zone_is_left_out(zone->error)) {
        if (series != NULL)
            series->left_out = true;
        return 0;
    }
    /* No counter: intel-rapl-mmio may have the one that is lacking. It is wanted all the same,
     * so that its error is told. */
    if (source_lost_zone(zone->error)) {
        zone->wanted = selection_matches(binding->selection, zone->name);
        return 0;
    }
    if (series == NULL) {
        series = add_series(binding, &identity, &binding->series, &binding->series_count,
                            &binding->series_map);
        if (series != NULL)
            whole_order(binding);
    }
    if (series == NULL || (series->sum == NULL && join_sum(binding, series) != 0))
        return -ENOMEM;
    zone->series = series;
    const struct zone *first = series->zone_count > 0 ? source->zones[series->zones[0]] : NULL;
    if (first != NULL && !is_mirror(binding, zone, first)) {
        zone->shown = first;
        zone->stood_by = true;
        /* The series goes over to the one that has come. */
        if (zone->was_bound)
            series_forget(series);
        series->duplicated = series->duplicated || zone->control == first->control;
        if (zone->control == first->control)
            problems_raise(problems, PROBLEM_DUPLICATE, 0, series->name);
        return 0;
    }
    if (first == NULL) {
        /* A zone that was another's equal by name alone, or of another control type, has a counter
         * of its own: where it stands says nothing of the energy since the last reading. */
        if (stood_by || (series->duplicated && !zone->was_bound) ||
            series->control != zone->control)
            series_forget(series);
        series->control = zone->control;
        series_set_traits(series, &zone->traits);
    }
    zone->agreed = zone->agreed || counts_package(binding, &zone->identity);
    zone->shown = first;
    zone->bound = true;
    zone->reported = series->selected;
    zone->wanted = binding_wants(series);
    return add_zone(series, index);
}

/* A sum that lacks a counter which is there would be a false one. Zones that only show what another
 * one shows lack to nobody. */
static void note_lacks(struct binding *binding, const struct source *source) {
    binding->sums[0]->lacks = source->lacks_members;
    for (size_t i = 1; i < binding->sum_count; i++)
        binding->sums[i]->lacks = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *zone = source->zones[i];
        struct zone_identity whole;
        struct series *sum = NULL;
        if (!zone->identified || !zone_is_left_out(zone->error) ||
            (zone->series != NULL && zone->series->zone_count > 0))
            continue;
        if (zone_in_total(&zone->identity))
            sum = binding->sums[0];
        else if (zone_is_core_of(&zone->identity, &whole))
            sum = zone_map_find(&binding->sum_map, &whole);
        if (sum != NULL)
            sum->lacks = true;
    }
}

/* One window for each series that is shown. */
static int add_windows(struct series *const *series, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!series[i]->selected || series[i]->window != NULL)
            continue;
        series[i]->window = calloc(1, sizeof(*series[i]->window));
        if (series[i]->window == NULL)
            return -ENOMEM;
    }
    return 0;
}

int binding_update(struct binding *binding, const struct source *source,
                   struct problems *problems) {
    int error = mirror_presume(binding, source);
    for (size_t i = 0; i < binding->series_count; i++) {
        binding->series[i]->zone_count = 0;
        binding->series[i]->fed_by = SERIES_FED_BY_NONE;
        binding->series[i]->left_out = false;
    }
    for (size_t i = 0; i < source->zone_count; i++) {
        source->zones[i]->was_bound = source->zones[i]->bound;
        source->zones[i]->bound = false;
        source->zones[i]->wanted = false;
        source->zones[i]->reported = false;
        source->zones[i]->shown = NULL;
        source->zones[i]->series = NULL;
    }
    for (size_t i = 0; i < source->zone_count && error == 0; i++)
        error = bind_zone(binding, source, i, problems);
    for (size_t i = 0; i < binding->series_count && error == 0; i++) {
        struct series *series = binding->series[i];
        series->present = series->zone_count > 0;
        series->left_out = series->left_out && !series->present;
        series->ended = !series->present && mirror_has_ended(binding, series);
    }
    if (error == 0) {
        note_lacks(binding, source);
        whole_bind(binding, source);
    }
    if (error == 0 && binding->windows)
        error = add_windows(binding->series, binding->series_count);
    if (error == 0 && binding->windows)
        error = add_windows(binding->sums, binding->sum_count);
    return error;
}

static void free_series(struct series **series, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(series[i]->zones);
        free(series[i]->window);
        free(series[i]);
    }
    free(series);
}

void binding_free(struct binding *binding) {
    free_series(binding->series, binding->series_count);
    free_series(binding->sums, binding->sum_count);
    for (size_t i = 0; i < binding->mirror_count; i++)
        free(binding->mirrors[i]);
    free(binding->mirrors);
    zone_map_free(&binding->series_map);
    zone_map_free(&binding->sum_map);
    zone_map_free(&binding->mirror_map);
    *binding = (struct binding){.series = NULL};
}
