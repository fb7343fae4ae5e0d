/* SPDX-License-Identifier: MIT */
/* What the readings of a sample say of zones that may show one counter. */
#include <errno.h>
#include <stddef.h>

#include "binding.h"
#include "binding_name.h"

/* A comparison of one sample. */
struct comparing {
    struct binding *binding;
    const struct source *source;
    struct problems *problems;
    bool changed;
};

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

/* Parts of two packages are two counters. UNDECIDED: it is not known whether they are two. */
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

/* All zones of a series feed another one from now on. */
static void move_zones(const struct comparing *comparing, struct series *from, struct series *to) {
    const struct source *source = comparing->source;
    for (size_t i = 0; i < from->zone_count; i++)
        source->zones[from->zones[i]]->series = to;
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

static int share(struct comparing *comparing, size_t first, size_t index) {
    struct zone *zone = comparing->source->zones[index];
    const struct zone *other = comparing->source->zones[first];
    if (!other->series->told && is_of_another_die(zone, other)) {
        const int error = binding_drop_die(comparing->binding, other->series);
        if (error != 0)
            return error;
    }
    zone->series->moved_on = true;
    zone->series->same_as = other->series;
    zone->series = other->series;
    zone->counter = ZONE_COUNTER_SHARED;
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

/* Holds a zone that is not known yet against each that leads its series. perf's counts have their
 * place beside one of them alone. */
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
            /* It has no name yet, nor has the other one. */
            zone->series->withheld = zone->compared.moved;
            zone->series->undecided = !zone->series->told;
            source->zones[i]->series->undecided = !source->zones[i]->series->told;
            return 0;
        }
        if (zone->traits.goes_on)
            break;
    }
    lead(comparing, index);
    return 0;
}

/* --- counters that turn out to be several ------------------------------------------------------
 */

static int name_own(struct comparing *comparing, struct zone *zone, enum zone_counter counter) {
    binding_leave(comparing->binding, zone);
    zone->counter = counter;
    zone->series = binding_find_name(comparing->binding, zone);
    if (zone->series == NULL)
        zone->series = binding_make_name(comparing->binding, zone);
    return zone->series != NULL ? 0 : -ENOMEM;
}

/* Where only one zone is left to a series that had the name of all dies, it goes by its own. */
static int name_rest(struct comparing *comparing, struct series *series) {
    struct zone *zone = comparing->source->zones[series->lead];
    const struct zone_identity own = binding_interpret(comparing->binding, &zone->identity);
    size_t left = 0;
    for (size_t i = 0; i < series->zone_count; i++)
        left += !comparing->source->zones[series->zones[i]]->compared.differs;
    return left > 1 || zone_equal(&own, &series->identity)
               ? 0
               : name_own(comparing, zone, ZONE_COUNTER_OWN);
}

/* Those that differ are held against each other, too; perf's counts have no place there. */
static int part(struct comparing *comparing, struct series *series) {
    const size_t *zones = series->zones;
    struct zone *first = comparing->source->zones[series->lead];
    if (series->has_read)
        problems_raise(comparing->problems, PROBLEM_PARTED, 0, series->name);
    comparing->changed = true;
    int error = name_rest(comparing, series);
    first->series->lead = series->lead;
    for (size_t i = 0; i < series->zone_count && error == 0; i++) {
        struct zone *zone = comparing->source->zones[zones[i]];
        if (!zone->compared.differs)
            continue;
        const bool own = zone->traits.goes_on;
        zone->compared.differs = false;
        error = name_own(comparing, zone, own ? ZONE_COUNTER_OWN : ZONE_COUNTER_UNKNOWN);
    }
    return error;
}

/* --- a sample ----------------------------------------------------------------------------------
 */

/* Two series of one counter: the second ends. */
static void join(struct comparing *comparing, size_t first, size_t index) {
    const struct source *source = comparing->source;
    struct series *series = source->zones[index]->series;
    const struct comparison compared = source->zones[index]->compared;
    for (size_t i = 0; i < series->zone_count; i++) {
        struct zone *zone = source->zones[series->zones[i]];
        alike_move(zone, compared.ahead, compared.offset);
        zone->counter = ZONE_COUNTER_SHARED;
    }
    problems_raise(comparing->problems, PROBLEM_JOINED, 0, series->name);
    move_zones(comparing, series, source->zones[first]->series);
    comparing->changed = true;
}

/* Those that are known: whether those of one series still agree, and those of two still differ. */
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
        } else if (alike_judge_shared(source, zone->series->lead, i) == ALIKE_OTHER) {
            zone->series->parted = true;
        } else if (zone->compared.differs) {
            zone->series->withheld = true;
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
    for (size_t i = alike->first; i != SIZE_MAX; i = source->zones[i]->next_alike) {
        source->zones[i]->series->lead = SIZE_MAX;
        source->zones[i]->series->withheld = false;
        source->zones[i]->series->undecided = false;
    }
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
    for (size_t i = 0; binding->alikes.compares && i < binding->alikes.count; i++) {
        const struct alike *alike = &binding->alikes.list[i];
        const int error = alike->count > 1 ? compare(&comparing, alike) : 0;
        if (error != 0)
            return error;
    }
    return comparing.changed ? 1 : 0;
}

void binding_start(struct binding *binding, const struct source *source,
                   struct rapl_health *health) {
    if (!binding->starts)
        return;
    binding->starts = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct zone *zone = source->zones[i];
        if (!zone->starts || !zone->bound)
            continue;
        zone->starts = false;
        if (zone->series->zones[0] != i)
            continue;
        series_forget(zone->series);
        (void)series_take(zone->series, &zone->compared.last, 0, health);
        zone->series->feeder = zone->identity;
        zone->series->epoch = zone->epoch;
    }
}
