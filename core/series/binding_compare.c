/* SPDX-License-Identifier: MIT */
/* Compares zones that may show one counter by the readings of a sweep. */
#include <errno.h>
#include <stddef.h>

#include "series/binding.h"
#include "series/binding_name.h"

/* One comparison, over one sweep. */
struct comparing {
    struct binding *binding;
    const struct source *source;
    struct problems *problems;
    bool changed;
};

/* Leaves a series out until the next sweep, or until its zones part. */
static void withhold(struct comparing *comparing, struct series *series) {
    series->withheld = true;
    comparing->binding->withholds = true;
}

/* Hides a series that no report has contained yet: its name may change. */
static void hide(struct comparing *comparing, struct series *series) {
    series->undecided = !series->was_reported;
    comparing->binding->withholds = true;
}

static void release(struct binding *binding) {
    for (size_t i = 0; binding->withholds && i < binding->series_count; i++) {
        binding->series[i]->withheld = false;
        binding->series[i]->undecided = false;
    }
    binding->withholds = false;
}

static bool leads(const struct source *source, size_t index) {
    const struct series *series = source->zones[index]->series;
    return series != NULL && series->lead == index;
}

static const struct zone *find_package(const struct comparing *comparing, size_t index) {
    struct zone_identity package;
    if (!zone_is_part_of(&comparing->source->zones[index]->identity, &package))
        return NULL;
    return zone_map_find(&comparing->binding->fed_map, &package);
}

/* Parts of two packages are two counters. UNDECIDED: it is unknown whether the packages are two. */
static enum alike_finding judge_packages(const struct comparing *comparing, size_t first,
                                         size_t index) {
    const struct zone *one = find_package(comparing, first);
    const struct zone *other = find_package(comparing, index);
    if (one == NULL || other == NULL || one->series == other->series)
        return ALIKE_SAME;
    return one->counter == ZONE_COUNTER_UNKNOWN || other->counter == ZONE_COUNTER_UNKNOWN
               ? ALIKE_UNDECIDED
               : ALIKE_OTHER;
}

/* All zones of one series feed another one from now on. */
static void move_zones(const struct comparing *comparing, struct series *from, struct series *to) {
    const struct source *source = comparing->source;
    for (size_t i = 0; i < source->zone_count; i++) {
        if (source->zones[i]->series == from)
            source->zones[i]->series = to;
    }
    from->moved_on = true;
    from->same_as = to;
}

static bool is_of_another_package(const struct zone *zone, const struct series *series) {
    return zone->identity.kind == ZONE_PACKAGE &&
           zone->identity.package_id != series->identity.package_id;
}

static bool is_of_another_die(const struct zone *zone, const struct zone *other) {
    return zone->identity.package_id == other->identity.package_id &&
           zone->identity.die_id != other->identity.die_id;
}

/* The zone had a counter in common with zones of another series. If it parts now, its series begins
 * no earlier than here. */
static void begin_common(const struct source *source, size_t index) {
    struct zone *zone = source->zones[index];
    if (zone->starts)
        return;
    zone->compared.last = source->readings[index];
    if (source->readings[index].error != 0)
        zone->compared.last.time_ns = 0;
}

static int share(struct comparing *comparing, size_t first, size_t index) {
    struct zone *zone = comparing->source->zones[index];
    const struct zone *other = comparing->source->zones[first];
    if (!other->series->was_reported && is_of_another_die(zone, other)) {
        const int error = binding_drop_die(comparing->binding, other->series);
        if (error != 0)
            return error;
    }
    zone->series->moved_on = true;
    zone->series->same_as = other->series;
    zone->series = other->series;
    zone->counter = ZONE_COUNTER_SHARED;
    begin_common(comparing->source, first);
    comparing->changed = true;
    if (is_of_another_package(zone, zone->series))
        problems_raise(comparing->problems, PROBLEM_SHARED, 0, zone->series->name);
    return 0;
}

static void lead(struct comparing *comparing, size_t index) {
    struct zone *zone = comparing->source->zones[index];
    zone->series->lead = index;
    if (zone->counter != ZONE_COUNTER_UNKNOWN)
        return;
    zone->counter = ZONE_COUNTER_OWN;
    comparing->changed = true;
    if (zone->series->identity.id[0] != '\0')
        problems_raise(comparing->problems, PROBLEM_DUPLICATE, 0, zone->series->name);
}

/* Compares a zone of unknown counter with each zone that leads its series; for perf's counts, with
 * one of these only. */
static int judge_new(struct comparing *comparing, const struct alike *alike, size_t index) {
    const struct source *source = comparing->source;
    struct zone *zone = source->zones[index];
    for (size_t i = alike->first; i != index; i = source->zones[i]->next_alike) {
        const enum alike_finding packages = judge_packages(comparing, i, index);
        if (!leads(source, i) || packages == ALIKE_OTHER)
            continue;
        const enum alike_finding finding = alike_judge_new(source, i, index);
        if (finding == ALIKE_SAME && packages == ALIKE_SAME)
            return share(comparing, i, index);
        if (finding != ALIKE_OTHER) {
            if (zone->compared.moved || packages == ALIKE_UNDECIDED)
                withhold(comparing, zone->series);
            if (finding == ALIKE_UNDECIDED)
                hide(comparing, zone->series);
            /* The other series has no final name yet, either. */
            if (finding == ALIKE_UNDECIDED && is_of_another_die(zone, source->zones[i]))
                hide(comparing, source->zones[i]->series);
            return 0;
        }
        if (zone->traits.goes_on)
            break;
    }
    lead(comparing, index);
    return 0;
}

/* --- zones that turn out to show several counters --------------------------------------------- */

static int name_own(struct comparing *comparing, size_t index, enum zone_counter counter) {
    struct zone *zone = comparing->source->zones[index];
    binding_leave(comparing->binding, zone);
    zone->counter = counter;
    zone->series = binding_find_name(comparing->binding, zone);
    if (zone->series == NULL)
        zone->series = binding_make_name(comparing->binding, zone);
    return zone->series != NULL ? 0 : -ENOMEM;
}

/* Whether it differs from the first zone that reads, which may itself have differed from an earlier
 * first one. */
static bool differs(const struct zone *zone, const struct zone *first) {
    return zone != first && zone->compared.differs;
}

static bool has_own_name(const struct comparing *comparing, const struct zone *zone,
                         const struct series *series) {
    const struct zone_identity own = binding_interpret(comparing->binding, &zone->identity);
    return zone_equal(&own, &series->identity);
}

/* The zone that keeps the series: the one with its name, even if it has differed, or else the
 * first, unless only one zone is left of a series named for all dies. NULL: the series ends. */
static struct zone *choose_rest(const struct comparing *comparing, const struct series *series) {
    struct zone *first = comparing->source->zones[series->lead];
    size_t left = 0;
    if (has_own_name(comparing, first, series))
        return first;
    for (size_t i = 0; i < series->zone_count; i++) {
        struct zone *zone = comparing->source->zones[series->zones[i]];
        if (has_own_name(comparing, zone, series))
            return zone;
        left += !differs(zone, first);
    }
    return left > 1 ? first : NULL;
}

/* The series begins with this zone alone, at the last common reading. */
static void keep_name(struct comparing *comparing, struct zone *zone, struct series *series) {
    binding_leave(comparing->binding, zone);
    zone->series = series;
}

/* Splits a series. Zones that do not agree with the rest are compared with each other next; perf's
 * counts are not. */
static int part(struct comparing *comparing, struct series *series) {
    const struct source *source = comparing->source;
    struct zone *first = source->zones[series->lead];
    struct zone *rest = choose_rest(comparing, series);
    const bool swaps = rest != NULL && differs(rest, first);
    if (series->has_read)
        problems_raise(comparing->problems, PROBLEM_PARTED, 0, series->name);
    comparing->changed = true;
    int error = 0;
    for (size_t i = 0; i < series->zone_count && error == 0; i++) {
        struct zone *zone = source->zones[series->zones[i]];
        const bool agrees = !differs(zone, first);
        if (swaps && zone == rest) {
            keep_name(comparing, zone, series);
            series->lead = series->zones[i];
        } else if (swaps || !agrees) {
            error = name_own(comparing, series->zones[i],
                             zone->traits.goes_on ? ZONE_COUNTER_OWN : ZONE_COUNTER_UNKNOWN);
        } else if (rest == NULL) {
            error = name_own(comparing, series->zones[i], ZONE_COUNTER_OWN);
            if (error == 0)
                zone->series->lead = series->zones[i];
        }
    }
    for (size_t i = 0; i < series->zone_count; i++)
        source->zones[series->zones[i]]->compared.differs = false;
    return error;
}

/* --- one sweep -------------------------------------------------------------------------------- */

/* Joins two series of one counter: the second ends. */
static void join(struct comparing *comparing, size_t first, size_t index) {
    const struct source *source = comparing->source;
    struct series *series = source->zones[index]->series;
    const struct comparison leader = source->zones[index]->compared;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        if (zone->series != series)
            continue;
        alike_move(zone, leader.ahead, leader.offset);
        begin_common(source, i);
        zone->counter = ZONE_COUNTER_SHARED;
    }
    begin_common(source, first);
    problems_raise(comparing->problems, PROBLEM_JOINED, 0, series->name);
    move_zones(comparing, series, source->zones[first]->series);
    comparing->changed = true;
}

/* Whether a zone leaves its series, because of its values or with its package. */
static bool judge_shared(const struct comparing *comparing, size_t first, size_t index) {
    struct zone *zone = comparing->source->zones[index];
    const bool parts = alike_judge_shared(comparing->source, first, index) == ALIKE_OTHER;
    if (judge_packages(comparing, first, index) != ALIKE_OTHER)
        return parts;
    zone->compared.differs = true;
    return true;
}

/* Checks known zones: whether those of one series still agree, and those of two still differ. */
static int judge_known(struct comparing *comparing, const struct alike *alike) {
    const struct source *source = comparing->source;
    size_t before = SIZE_MAX;
    int error = 0;
    for (size_t i = alike->first; i != SIZE_MAX; i = source->zones[i]->next_alike) {
        struct zone *zone = source->zones[i];
        if (source->readings[i].error != 0 || zone->counter == ZONE_COUNTER_UNKNOWN)
            continue;
        if (zone->series->lead == SIZE_MAX) {
            lead(comparing, i);
            if (before != SIZE_MAX && judge_packages(comparing, before, i) == ALIKE_SAME &&
                alike_judge_own(source, before, i) == ALIKE_SAME)
                join(comparing, before, i);
            else
                before = i;
        } else if (judge_shared(comparing, zone->series->lead, i)) {
            zone->series->parted = true;
        } else if (zone->compared.differs) {
            withhold(comparing, zone->series);
        }
    }
    for (size_t i = alike->first; i != SIZE_MAX && error == 0; i = source->zones[i]->next_alike) {
        struct series *series = source->zones[i]->series;
        if (!series->parted)
            continue;
        series->parted = series->withheld = false;
        error = part(comparing, series);
    }
    return error;
}

static int compare(struct comparing *comparing, const struct alike *alike) {
    const struct source *source = comparing->source;
    for (size_t i = alike->first; i != SIZE_MAX; i = source->zones[i]->next_alike)
        source->zones[i]->series->lead = SIZE_MAX;
    int error = judge_known(comparing, alike);
    for (size_t i = alike->first; i != SIZE_MAX && error == 0; i = source->zones[i]->next_alike) {
        if (source->readings[i].error == 0 && source->zones[i]->counter == ZONE_COUNTER_UNKNOWN)
            error = judge_new(comparing, alike, i);
    }
    return error;
}

int binding_compare(struct binding *binding, const struct source *source,
                    struct problems *problems) {
    struct comparing comparing = {.binding = binding, .source = source, .problems = problems};
    release(binding);
    for (size_t i = 0; binding->alikes.compares && i < binding->alikes.count; i++) {
        const struct alike *alike = &binding->alikes.list[i];
        const int error = alike->count > 1 ? compare(&comparing, alike) : 0;
        if (error != 0)
            return error;
    }
    return comparing.changed ? 1 : 0;
}

void binding_sleep(struct binding *binding, const struct source *source) {
    release(binding);
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        if (!zone->starts)
            zone->compared.last.time_ns = 0;
    }
}

void binding_start(struct binding *binding, const struct source *source,
                   struct rapl_health *health) {
    if (!binding->starts)
        return;
    binding->starts = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        const bool starts = zone->starts;
        zone->starts = false;
        if (!starts || !zone->bound || zone->series->zones[0] != i)
            continue;
        series_forget(zone->series);
        (void)series_take(zone->series, &zone->compared.last, 0, health);
        zone->series->last_zone_identity = zone->identity;
        zone->series->last_zone_offset = zone->compared.offset;
        zone->series->epoch = zone->epoch;
    }
}
