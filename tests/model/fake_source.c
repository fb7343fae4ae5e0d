/* SPDX-License-Identifier: MIT */
#include "fake_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rapl.h"
#include "reference.h"

/* --- zones ----------------------------------------------------------------------------------- */

static bool is_sub_zone(const struct place *place) {
    return place != &world.machine->places[place->parent];
}

bool fake_is_listed(const struct place *place) {
    return place->there && world.machine->places[place->parent].there;
}

void fake_format_id(const struct place *place, char id[64]) {
    const char *type = place->is_mmio ? "intel-rapl-mmio" : "intel-rapl";
    const struct place *parent = &world.machine->places[place->parent];
    if (is_sub_zone(place))
        snprintf(id, 64, "%s:%x:%x", type, parent->index, place->index);
    else
        snprintf(id, 64, "%s:%x", type, place->index);
}

static uint64_t order_of(const struct place *place) {
    const struct place *parent = &world.machine->places[place->parent];
    return (uint64_t)place->is_mmio << 40 | (uint64_t)parent->index << 20 |
           (is_sub_zone(place) ? place->index + 1 : 0);
}

static int compare_places(const void *a, const void *b) {
    const uint64_t order_a = order_of(*(struct place *const *)a);
    const uint64_t order_b = order_of(*(struct place *const *)b);
    return (order_a > order_b) - (order_a < order_b);
}

static void describe(const struct place *place, struct zone *zone) {
    const struct machine *machine = world.machine;
    zone->identified = !place->nameless && !machine->places[place->parent].nameless;
    zone->identity = (struct zone_identity){.kind = place->kind,
                                            .package_id = place->package_id,
                                            .die_id = place->die_id,
                                            .core_id = place->core_id};
    snprintf(zone->identity.domain, sizeof(zone->identity.domain), "%s", place->domain);
    zone->control = place->is_mmio;
    zone->range_uj = machine_range_uj(machine, place);
    zone->traits = (struct counter_traits){.modulus = counter_modulus(zone->range_uj),
                                           .unit = counter_unit(zone->range_uj),
                                           .scale = {.numerator_uj = 1, .denominator = 1},
                                           .ceiling_uw = place->ceiling_uw,
                                           .most_uw = place->raised_uw};
    if (machine->style == STYLE_POWERCAP)
        return;
    zone->traits.scale = (struct tick_scale){1000000, machine_parts(machine)};
    zone->traits.unit = machine_unit_parts(machine);
    zone->traits.goes_on = machine->style == STYLE_PERF;
    zone->traits.modulus = machine->style == STYLE_MSR ? UINT64_C(1) << 32 : 0;
}

static void free_zone(struct fake_zone *zone) {
    if (zone == NULL)
        return;
    reference_forget_zone(zone);
    free(zone->zone.id);
    free(zone);
}

struct fake_zone *fake_new_zone(const char *id) {
    struct fake_zone *zone = fake_allocate(sizeof(*zone));
    zone->zone.id = strdup(id);
    if (zone->zone.id == NULL)
        abort();
    zone->zone.path = zone->zone.id;
    zone->zone.wanted = true;
    zone->zone.error = -ENODEV;
    return zone;
}

static bool is_stale(const struct fake_zone *zone) {
    return !zone->open || !zone->place->there || zone->generation != zone->place->generation;
}

/* --- a look ---------------------------------------------------------------------------------- */

static bool load(struct fake_zone *zone, struct place *place) {
    const struct zone was = zone->zone;
    const bool was_open = zone->open;
    const bool served = zone->served;
    zone->place = place;
    zone->generation = place->generation;
    describe(place, &zone->zone);
    zone->zone.epoch = place->epoch;
    zone->zone.error = place->error_left > 0 ? place->error : 0;
    if (!zone->zone.identified)
        zone->zone.error = -EIO;
    zone->open = zone->zone.identified && !error_is_lost(zone->zone.error);
    zone->served = zone->zone.error == 0;
    const bool renamed = !was.identified || !zone_equal(&was.identity, &zone->zone.identity);
    /* The id now belongs to another place. */
    if (zone->zone.identified && zone->known != place) {
        reference_forget_zone(zone);
        zone->known = place;
    }
    if (zone->zone.error != 0)
        return served || zone->zone.error != was.error;
    return !served || !was_open || renamed || was.traits.modulus != zone->zone.traits.modulus ||
           was.traits.ceiling_uw != zone->zone.traits.ceiling_uw;
}

static struct fake_zone *find_zone(const struct source *source, const char *id) {
    for (size_t i = 0; i < source->zone_count; i++) {
        if (strcmp(source->zones[i]->id, id) == 0)
            return fake_zone_at(source, i);
    }
    return NULL;
}

static int discover(struct source *source, struct problems *problems) {
    struct machine *machine = world.machine;
    struct place *places[PLACES_MAX];
    size_t count = 0;
    bool changed = false;
    (void)problems;
    world.looks++;
    if (fake_memory_fails()) {
        reference_look_failed();
        return -ENOMEM;
    }
    for (size_t i = 0; i < machine->place_count; i++) {
        if (fake_is_listed(&machine->places[i]))
            places[count++] = &machine->places[i];
    }
    qsort(places, count, sizeof(struct place *), compare_places);
    struct zone **zones = fake_allocate((count + 1) * sizeof(struct zone *));
    struct reading *readings = fake_allocate((count + 1) * sizeof(*readings));
    for (size_t i = 0; i < source->zone_count; i++)
        fake_zone_at(source, i)->listed = false;
    for (size_t i = 0; i < count; i++) {
        char id[64];
        fake_format_id(places[i], id);
        struct fake_zone *zone = find_zone(source, id);
        if (zone == NULL) {
            zone = fake_new_zone(id);
            changed = true;
        }
        zones[i] = &zone->zone;
        zone->listed = true;
    }
    for (size_t i = 0; i < source->zone_count; i++) {
        if (fake_zone_at(source, i)->listed)
            continue;
        free_zone(fake_zone_at(source, i));
        changed = true;
    }
    free(source->zones);
    free(source->readings);
    source->zones = zones;
    source->readings = readings;
    source->zone_count = count;
    for (size_t i = 0; i < count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        if (zone->open && is_stale(zone))
            zone->zone.error = -ENODEV;
        else if (zone->open)
            zone->zone.error = places[i]->error_left > 0 ? places[i]->error : 0;
        if (!zone->open || error_is_lost(zone->zone.error))
            changed = load(zone, places[i]) || changed;
    }
    world.changes += changed;
    reference_looked(source, changed);
    return changed;
}

/* --- a sample -------------------------------------------------------------------------------- */

/* Restarts a counter only where the rules leave the step out. If the step would pass for energy,
 * the restart is postponed. */
static void start_again(struct fake_zone *zone, uint64_t time_ns) {
    struct machine *machine = world.machine;
    struct place *place = zone->place;
    struct hardware *hardware = &machine->hardware[place->counter];
    struct random *random = &machine->random;
    const struct hardware before = *hardware;
    const struct place place_before = *place;
    const uint64_t shown = machine_show(machine, place);
    const uint64_t range = machine->style == STYLE_POWERCAP
                               ? ((UINT64_C(1) << 32) - 1) * (hardware->unit_aj / AJ_PER_NJ) / 1000
                               : UINT32_MAX;
    uint64_t target = 0;
    if (hardware->restart == RESTART_ANYWHERE)
        target = random_below(random, range);
    else if (hardware->restart == RESTART_FORWARD && shown < range)
        target = shown + random_scaled(random, range - shown);
    else if (hardware->restart == RESTART_BACK)
        target = reference_find_row(zone, shown) + random_scaled(random, range / 1000);
    else if (random_once_in(random, 2))
        target = random_scaled(random, range / 1000);
    machine_restart(machine, place, target);
    if (!reference_would_count(zone, machine_show(machine, place), time_ns)) {
        world.restarts++;
        reference_started_again(zone);
        return;
    }
    *hardware = before;
    *place = place_before;
    world.postponed++;
}

int fake_read(struct fake_zone *zone, bool sampling, uint64_t *shown) {
    struct machine *machine = world.machine;
    struct place *place = zone->place;
    struct hardware *hardware = &machine->hardware[place->counter];
    struct glimpse *glimpse = &zone->glimpse;
    if (place->error_left > 0) {
        place->error_left -= sampling;
        return place->error;
    }
    machine_settle(machine, hardware);
    *shown = machine_show(machine, place);
    if (!sampling)
        return 0;
    /* Mirrors of one counter all show its restart. */
    if (hardware->restart != RESTART_NONE && hardware->read_in != world.number)
        start_again(zone, machine->raw_ns);
    hardware->read_in = world.number;
    glimpse->time_ns = machine->raw_ns;
    *shown = glimpse->shown = machine_show(machine, place);
    glimpse->is_false = random_once_in(&machine->random, machine->habits.low) &&
                        reference_is_settled(zone) && zone->account->last.shown > 0;
    if (glimpse->is_false)
        *shown = glimpse->shown = random_below(&machine->random, zone->account->last.shown) *
                                  random_below(&machine->random, 2);
    glimpse->count = hardware->count;
    glimpse->restarts = hardware->restarts;
    glimpse->counter = place->counter;
    return 0;
}

static uint64_t choose_half_read_ns(struct machine *machine) {
    if (random_once_in(&machine->random, machine->habits.slow_read))
        return random_scaled(&machine->random, 100 * NS_PER_MS);
    return 250 + random_below(&machine->random, 2000);
}

/* The counter is read in the middle of the read's duration. */
static void read_zone(struct fake_zone *zone, struct reading *reading) {
    struct machine *machine = world.machine;
    struct glimpse *glimpse = &zone->glimpse;
    const uint64_t half_ns = choose_half_read_ns(machine);
    machine_pass(machine, half_ns);
    world.readings++;
    glimpse->tried = true;
    if (zone->open)
        zone->zone.error = is_stale(zone) ? -ENODEV : fake_read(zone, true, &reading->ticks);
    if (error_is_lost(zone->zone.error))
        zone->open = false;
    machine_pass(machine, half_ns);
    reading->error = glimpse->error = zone->zone.error;
    if (reading->error != 0)
        return;
    zone->served = true;
    zone->zone.epoch = zone->place->epoch;
    reading->time_ns = glimpse->time_ns;
    reading->uncertainty_ns = glimpse->uncertainty_ns = half_ns;
}

/* Returns a 50th of the time since the last report, from 2 ms to 1 s; between reports 1 s. */
static uint64_t find_slow_ns(void) {
    const uint64_t interval_ns = world.has_reported ? world.begin_ns - world.reported_ns : 0;
    const uint64_t share_ns = world.is_report ? interval_ns / 50 : NS_PER_S;
    if (share_ns < 2 * NS_PER_MS)
        return 2 * NS_PER_MS;
    return share_ns < NS_PER_S ? share_ns : NS_PER_S;
}

void fake_begin_sample(const struct source *source) {
    /* By now the core has assigned its zones to series. */
    if (!reference.bound)
        reference_bind(source);
    world.samples++;
    world.number++;
    world.restarts_before = world.restarts;
    world.begin_ns = world.machine->monotonic_ns;
    world.begin_ahead_ns = world.machine->suspend_offset_ns;
    world.slow_ns = find_slow_ns();
}

void fake_live_inside(void) {
    /* Without sleep after a restart, because then the restart would pass for energy. */
    machine_live_inside(world.machine, world.restarts == world.restarts_before);
}

void fake_end_sample(void) {
    world.end_ns = world.machine->monotonic_ns;
    world.end_raw_ns = world.machine->raw_ns;
    world.end_ahead_ns = world.machine->suspend_offset_ns;
}

static void sample(struct source *source) {
    fake_begin_sample(source);
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        zone->glimpse.tried = false;
        source->readings[i].error = -ENODATA;
        if (!zone->zone.wanted)
            continue;
        fake_live_inside();
        read_zone(zone, &source->readings[i]);
    }
    fake_end_sample();
}

/* --- the source ------------------------------------------------------------------------------ */

static void close_source(struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++)
        free_zone(fake_zone_at(source, i));
    free(source->zones);
    free(source->readings);
    if (world.source == source)
        world.source = NULL;
    free(source);
}

static int find_nothing(struct source *source, struct problems *problems) {
    (void)source;
    (void)problems;
    return 0;
}

static void sample_nothing(struct source *source) {
    (void)source;
}

struct source *fake_source_open(enum style style) {
    static const struct source_operations serving[] = {
        {.name = "powercap", .discover = discover, .sample = sample, .close = close_source},
        {.name = "perf", .discover = discover, .sample = sample, .close = close_source},
        {.name = "msr", .discover = discover, .sample = sample, .close = close_source},
    };
    static const struct source_operations idle[] = {
        {"powercap", find_nothing, sample_nothing, NULL, close_source},
        {"perf", find_nothing, sample_nothing, NULL, close_source},
        {"msr", find_nothing, sample_nothing, NULL, close_source},
    };
    struct source *source = fake_allocate(sizeof(*source));
    const bool serves = world.machine->style == style;
    source->operations = serves ? &serving[style] : &idle[style];
    if (style == STYLE_PERF)
        source->unread_uj = FAKE_UNREAD_UJ;
    if (serves)
        world.source = source;
    return source;
}
