/* SPDX-License-Identifier: MIT */
#include "binding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Two reads of one counter can lie on both sides of an update, and the updates, about a
 * millisecond apart, jitter. */
#define UPDATE_NS UINT64_C(2000000)

/* --- identities ------------------------------------------------------------------------------ */

static bool is_amd(const struct binding *binding) {
    return binding->vendor == CPU_VENDOR_AMD || binding->vendor == CPU_VENDOR_HYGON;
}

static struct zone_identity drop_die(const struct zone_identity *identity) {
    struct zone_identity whole = *identity;
    whole.die_id = RAPL_NO_ID;
    return whole;
}

/* AMD: the counter is the package's, so package-N-die-K (Linux 6.9 to 6.11 counts a CCD as a die,
 * commit 26096aed255f) are all the same. */
static bool counts_package(const struct binding *binding, const struct zone *zone) {
    return is_amd(binding) && zone->identity.kind == ZONE_PACKAGE;
}

/* What the zone is, the vendor known. AMD's core zone is the one core of the package's lead CPU
 * (intel_rapl_msr.c, MSR 0xC001029A). */
static struct zone_identity interpret(const struct binding *binding, const struct zone *zone) {
    struct zone_identity identity = zone->identity;
    if (counts_package(binding, zone))
        return drop_die(&identity);
    if (is_amd(binding) && identity.kind == ZONE_CORE && identity.core_id == RAPL_NO_ID) {
        identity.kind = ZONE_LEAD_CORE;
        snprintf(identity.domain, sizeof(identity.domain), "lead_core");
    }
    return identity;
}

/* The identity that stands for presumed mirrors; false where the zone cannot be one. psys is that
 * of the first die of package 0, and psys-0 that of another die of it (intel_rapl_common.c names
 * it by the package once the die's number is above 0). */
static bool presume(const struct binding *binding, const struct zone_identity *identity,
                    struct zone_identity *key) {
    *key = drop_die(identity);
    if (identity->kind == ZONE_PSYS && identity->package_id <= 0) {
        key->package_id = RAPL_NO_ID;
        return true;
    }
    return binding->vendor == CPU_VENDOR_UNKNOWN && identity->die_id != RAPL_NO_ID;
}

static struct mirror *find_mirror(const struct binding *binding, const struct zone_identity *key) {
    for (size_t i = 0; i < binding->mirror_count; i++) {
        if (zone_equal(&binding->mirrors[i].key, key))
            return &binding->mirrors[i];
    }
    return NULL;
}

static struct series *find_series(const struct binding *binding,
                                  const struct zone_identity *identity) {
    for (size_t i = 0; i < binding->series_count; i++) {
        if (zone_equal(&binding->series[i]->identity, identity))
            return binding->series[i];
    }
    return NULL;
}

/* Zones that may show one counter become a mirror when there are two of them. Where one of them is
 * read under its own name already, that stays the name. */
static int presume_mirrors(struct binding *binding, const struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *zone = source->zones[i];
        struct mirror mirror = {.parted = false};
        if (!zone->identified || !presume(binding, &zone->identity, &mirror.key) ||
            find_mirror(binding, &mirror.key) != NULL)
            continue;
        mirror.identity = mirror.key;
        bool others = false;
        for (size_t j = 0; j < source->zone_count; j++) {
            const struct zone *other = source->zones[j];
            struct zone_identity key;
            if (!other->identified || other->control != zone->control ||
                !presume(binding, &other->identity, &key) || !zone_equal(&key, &mirror.key))
                continue;
            const struct series *series = find_series(binding, &other->identity);
            others = others || !zone_equal(&other->identity, &zone->identity);
            if (series != NULL && series->has_read)
                mirror.identity = series->identity;
        }
        if (!others)
            continue;
        struct mirror *mirrors =
            realloc(binding->mirrors, (binding->mirror_count + 1) * sizeof(*mirrors));
        if (mirrors == NULL)
            return -ENOMEM;
        binding->mirrors = mirrors;
        mirrors[binding->mirror_count++] = mirror;
    }
    return 0;
}

/* The mirror that a zone is presumed to be part of, or NULL. */
static struct mirror *mirror_of(const struct binding *binding, const struct zone *zone) {
    struct zone_identity key;
    if (!zone->identified || !presume(binding, &zone->identity, &key))
        return NULL;
    struct mirror *mirror = find_mirror(binding, &key);
    return mirror != NULL && !mirror->parted ? mirror : NULL;
}

/* --- series ---------------------------------------------------------------------------------- */

static struct series *add_series(struct binding *binding, const struct zone_identity *identity,
                                 struct series ***list, size_t *count) {
    struct series **longer = realloc(*list, (*count + 1) * sizeof(struct series *));
    if (longer == NULL)
        return NULL;
    *list = longer;
    struct series *series = calloc(1, sizeof(*series));
    if (series == NULL)
        return NULL;
    series->identity = *identity;
    zone_format_name(identity, series->name);
    zone_format_parent(identity, series->parent);
    series->number = binding->numbered++;
    series->selected = selection_matches(binding->selection, series->name);
    longer[(*count)++] = series;
    return series;
}

/* The sum of that identity, made where it is the first to be asked for. */
static struct series *find_sum(struct binding *binding, const struct zone_identity *identity) {
    for (size_t i = 0; i < binding->sum_count; i++) {
        if (zone_equal(&binding->sums[i]->identity, identity))
            return binding->sums[i];
    }
    return add_series(binding, identity, &binding->sums, &binding->sum_count);
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

/* Whether the zone shows the same counter as the one that feeds the series already. */
static bool is_mirror(const struct binding *binding, const struct zone *zone,
                      const struct zone *first) {
    if (zone->control != first->control)
        return false;
    if (mirror_of(binding, zone) != NULL)
        return true;
    return counts_package(binding, zone) && !zone_equal(&zone->identity, &first->identity);
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
    const struct mirror *mirror = mirror_of(binding, zone);
    const struct zone_identity identity =
        mirror != NULL ? mirror->identity : interpret(binding, zone);
    zone_format_name(&identity, zone->name);
    /* No counter: intel-rapl-mmio may have the one that is lacking. It is wanted all the same,
     * so that its error is told. */
    if (source_lost_zone(zone->error)) {
        zone->wanted = selection_matches(binding->selection, zone->name);
        return 0;
    }
    struct series *series = find_series(binding, &identity);
    if (series == NULL)
        series = add_series(binding, &identity, &binding->series, &binding->series_count);
    if (series == NULL || (series->sum == NULL && join_sum(binding, series) != 0))
        return -ENOMEM;
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
        series->traits = zone->traits;
    }
    zone->agreed = zone->agreed || counts_package(binding, zone);
    zone->shown = first;
    zone->bound = true;
    zone->reported = series->selected;
    zone->wanted = binding_wants(series);
    return add_zone(series, index);
}

/* Whether a series without a zone has none for good: the merged one of mirrors that have parted
 * (but psys was psys before psys-0 parted from it), or a mirror that goes by another's name now. */
static bool has_ended(const struct binding *binding, const struct series *series) {
    struct zone_identity key;
    const struct mirror *mirror = find_mirror(binding, &series->identity);
    if (mirror != NULL && mirror->parted)
        return series->identity.kind != ZONE_PSYS;
    if (!presume(binding, &series->identity, &key))
        return false;
    mirror = find_mirror(binding, &key);
    if (mirror == NULL || mirror->parted || zone_equal(&mirror->identity, &series->identity))
        return false;
    const struct series *other = find_series(binding, &mirror->identity);
    return other != NULL && other->zone_count > 0;
}

int binding_update(struct binding *binding, const struct source *source,
                   struct problems *problems) {
    int error = presume_mirrors(binding, source);
    for (size_t i = 0; i < binding->series_count; i++)
        binding->series[i]->zone_count = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        source->zones[i]->was_bound = source->zones[i]->bound;
        source->zones[i]->bound = false;
        source->zones[i]->wanted = false;
        source->zones[i]->reported = false;
        source->zones[i]->shown = NULL;
    }
    for (size_t i = 0; i < source->zone_count && error == 0; i++)
        error = bind_zone(binding, source, i, problems);
    for (size_t i = 0; i < binding->series_count && error == 0; i++) {
        struct series *series = binding->series[i];
        series->present = series->zone_count > 0;
        series->ended = !series->present && has_ended(binding, series);
    }
    return error;
}

/* --- mirrors that part ----------------------------------------------------------------------- */

/* Whether two readings that lie at most span_ns apart can be of one counter. */
static bool agree(const struct zone *zone, const struct reading *a, const struct reading *b,
                  uint64_t span_ns) {
    const uint64_t distance = counter_distance(a->ticks, b->ticks, zone->traits.modulus);
    return !counter_exceeds(&zone->traits, distance, span_ns + UPDATE_NS);
}

/* Whether another zone of the same mirror tells another counter's value. */
static bool differs(const struct binding *binding, const struct source *source, size_t index,
                    uint64_t span_ns) {
    const struct zone *zone = source->zones[index];
    const struct mirror *mirror = mirror_of(binding, zone);
    const struct reading *readings = source->readings;
    if (mirror == NULL || readings[index].error != 0)
        return false;
    size_t other = index;
    for (size_t i = 0; i < index && other == index; i++) {
        if (readings[i].error == 0 && source->zones[i]->control == zone->control &&
            mirror_of(binding, source->zones[i]) == mirror)
            other = i;
    }
    if (other == index)
        return false;
    const bool same = agree(zone, &readings[other], &readings[index], span_ns);
    source->zones[other]->agreed = source->zones[other]->agreed || same;
    source->zones[index]->agreed = source->zones[index]->agreed || same;
    return !same;
}

bool binding_part(struct binding *binding, const struct source *source, uint64_t span_ns,
                  struct problems *problems) {
    bool parted = false;
    for (size_t i = 0; binding->mirror_count > 0 && i < source->zone_count; i++) {
        if (!differs(binding, source, i, span_ns))
            continue;
        struct mirror *mirror = mirror_of(binding, source->zones[i]);
        struct series *series = find_series(binding, &mirror->identity);
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

void binding_free(struct binding *binding) {
    for (size_t i = 0; i < binding->series_count; i++) {
        free(binding->series[i]->zones);
        free(binding->series[i]);
    }
    for (size_t i = 0; i < binding->sum_count; i++)
        free(binding->sums[i]);
    free(binding->series);
    free(binding->sums);
    free(binding->mirrors);
    *binding = (struct binding){.series = NULL};
}
