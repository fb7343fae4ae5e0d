/* SPDX-License-Identifier: MIT */
#include "fake_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rapl.h"
#include "reference.h"
#include "topology.h"

struct world world;

void world_begin(struct machine *machine) {
    const uint64_t readings = world.readings;
    const uint64_t restarts = world.restarts;
    const uint64_t postponed = world.postponed;
    world = (struct world){
        .machine = machine, .readings = readings, .restarts = restarts, .postponed = postponed};
}

/* --- what the core calls (ld, --wrap) --------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __real_sysfs_open_root(const char *root);
int __wrap_sysfs_open_root(const char *root);
int __wrap_topology_open_online(int root);
uint64_t __wrap_topology_online_mark(int online_file);
struct cpu_model __wrap_topology_read_model(int root);
struct source *__wrap_powercap_open(const struct source_options *options);
struct source *__wrap_perf_open(const struct source_options *options);
struct source *__wrap_msr_open(const struct source_options *options);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
    const struct machine *machine = world.machine;
    uint64_t ns = machine->monotonic_ns;
    if (id != CLOCK_MONOTONIC)
        ns += machine->ahead_ns;
    if (id == CLOCK_REALTIME)
        ns += machine->wall_ns;
    now->tv_sec = (time_t)(ns / NS_PER_S);
    now->tv_nsec = (long)(ns % NS_PER_S);
    return 0;
}

int __wrap_sysfs_open_root(const char *root) {
    (void)root;
    return __real_sysfs_open_root("/");
}

int __wrap_topology_open_online(int root) {
    (void)root;
    return open("/dev/null", O_RDONLY | O_CLOEXEC); /* the mark is the machine's */
}

uint64_t __wrap_topology_online_mark(int online_file) {
    (void)online_file;
    return world.machine->online_mark;
}

struct cpu_model __wrap_topology_read_model(int root) {
    (void)root;
    return (struct cpu_model){.vendor = world.machine->vendor};
}

static bool memory_fails(void) {
    if (!world.memory_fails || world.memory_left-- > 0)
        return false;
    world.memory_fails = false;
    world.memory_failed = true;
    return true;
}

void *__wrap_calloc(size_t count, size_t size) {
    return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return memory_fails() ? NULL : __real_realloc(memory, size);
}

/* --- zones ----------------------------------------------------------------------------------- */

static bool is_sub_zone(const struct place *place) {
    return place != &world.machine->places[place->parent];
}

static void format_id(const struct place *place, char id[64]) {
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
                                           .ceiling_uw = place->ceiling_uw};
    const uint64_t parts = machine->range_unit_nj == 61035 ? 1 << 14 : 1 << 16;
    if (machine->style == STYLE_MSR) {
        zone->traits.modulus = UINT64_C(1) << 32;
        zone->traits.unit = 1;
        zone->traits.scale = (struct tick_scale){1000000, parts};
    } else if (machine->style == STYLE_PERF) {
        zone->traits.goes_on = true;
        zone->traits.unit = (UINT64_C(1) << 32) / parts;
        zone->traits.scale = (struct tick_scale){1000000, UINT64_C(1) << 32};
    }
}

static void free_zone(struct fake_zone *zone) {
    if (zone == NULL)
        return;
    reference_forget_zone(zone);
    free(zone->zone.id);
    free(zone);
}

static struct fake_zone *new_zone(const char *id) {
    struct fake_zone *zone = __real_calloc(1, sizeof(*zone));
    if (zone == NULL || (zone->zone.id = strdup(id)) == NULL)
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
    zone->open = zone->zone.identified && !source_lost_zone(zone->zone.error);
    zone->served = zone->zone.error == 0;
    const bool renamed = !was.identified || !zone_equal(&was.identity, &zone->zone.identity);
    /* Its id is another's now. */
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
    if (memory_fails()) {
        reference_look_failed();
        return -ENOMEM;
    }
    for (size_t i = 0; i < machine->place_count; i++) {
        if (machine->places[i].there && machine->places[machine->places[i].parent].there)
            places[count++] = &machine->places[i];
    }
    qsort(places, count, sizeof(struct place *), compare_places);
    struct zone **zones = __real_calloc(count + 1, sizeof(struct zone *));
    struct reading *readings = __real_calloc(count + 1, sizeof(*readings));
    if (zones == NULL || readings == NULL)
        abort();
    for (size_t i = 0; i < source->zone_count; i++)
        fake_zone_at(source, i)->listed = false;
    for (size_t i = 0; i < count; i++) {
        char id[64];
        format_id(places[i], id);
        struct fake_zone *zone = find_zone(source, id);
        if (zone == NULL) {
            zone = new_zone(id);
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
        if (!zone->open || source_lost_zone(zone->zone.error))
            changed = load(zone, places[i]) || changed;
    }
    world.changes += changed;
    reference_looked(source, changed);
    return changed;
}

/* --- a sample -------------------------------------------------------------------------------- */

/* A counter starts again where the rules leave the step out; where it would pass for energy, it
 * waits. */
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

static void read_zone(struct fake_zone *zone, struct reading *reading, uint64_t time_ns) {
    struct machine *machine = world.machine;
    struct place *place = zone->place;
    struct hardware *hardware = &machine->hardware[place->counter];
    struct glimpse *glimpse = &zone->glimpse;
    world.readings++;
    glimpse->tried = true;
    if (!zone->open) {
        /* it stays as it was */
    } else if (is_stale(zone)) {
        zone->zone.error = -ENODEV;
    } else if (place->error_left > 0) {
        place->error_left--;
        zone->zone.error = place->error;
    } else {
        zone->zone.error = 0;
    }
    if (source_lost_zone(zone->zone.error))
        zone->open = false;
    reading->error = glimpse->error = zone->zone.error;
    if (reading->error != 0)
        return;
    zone->served = true;
    zone->zone.epoch = place->epoch;
    machine_settle(machine, hardware);
    /* Mirrors of one counter show it alike. */
    if (hardware->restart != RESTART_NONE && hardware->read_in != world.number)
        start_again(zone, time_ns);
    hardware->read_in = world.number;
    reading->time_ns = glimpse->time_ns = time_ns;
    reading->ticks = glimpse->shown = machine_show(machine, place);
    glimpse->count = hardware->count;
    glimpse->restarts = hardware->restarts;
    glimpse->counter = place->counter;
}

static void sample(struct source *source) {
    struct machine *machine = world.machine;
    /* The core has given its zones to series by now. */
    if (!reference.bound)
        reference_bind(source);
    world.samples++;
    world.number++;
    const uint64_t restarts = world.restarts;
    world.begin_ns = machine->monotonic_ns;
    world.begin_ahead_ns = machine->ahead_ns;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        zone->glimpse.tried = false;
        source->readings[i].error = -ENODATA;
        if (!zone->zone.wanted)
            continue;
        /* A sleep that follows a new start would let it pass for energy after all. */
        machine_live_inside(machine, world.restarts == restarts);
        read_zone(zone, &source->readings[i], machine->monotonic_ns);
        machine_pass(machine, 500 + random_below(&machine->random, 4000));
    }
    world.end_ns = machine->monotonic_ns;
    world.end_ahead_ns = machine->ahead_ns;
}

/* --- sources --------------------------------------------------------------------------------- */

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

static struct source *open_source(const char *name, bool serves) {
    static const struct source_operations operations[] = {
        {.name = "powercap", .discover = discover, .sample = sample, .close = close_source},
        {.name = "perf", .discover = discover, .sample = sample, .close = close_source},
        {.name = "msr", .discover = discover, .sample = sample, .close = close_source},
    };
    static const struct source_operations nothing[] = {
        {.name = "powercap",
         .discover = find_nothing,
         .sample = sample_nothing,
         .close = close_source},
        {.name = "perf", .discover = find_nothing, .sample = sample_nothing, .close = close_source},
        {.name = "msr", .discover = find_nothing, .sample = sample_nothing, .close = close_source},
    };
    struct source *source = __real_calloc(1, sizeof(*source));
    if (source == NULL)
        abort();
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(operations[i].name, name) == 0)
            source->operations = serves ? &operations[i] : &nothing[i];
    }
    if (serves)
        world.source = source;
    return source;
}

struct source *__wrap_powercap_open(const struct source_options *options) {
    (void)options;
    return open_source("powercap", world.machine->style == STYLE_POWERCAP);
}

struct source *__wrap_perf_open(const struct source_options *options) {
    (void)options;
    struct source *source = open_source("perf", world.machine->style == STYLE_PERF);
    source->longest_ns = 60 * NS_PER_S;
    return source;
}

struct source *__wrap_msr_open(const struct source_options *options) {
    (void)options;
    return open_source("msr", world.machine->style == STYLE_MSR);
}
