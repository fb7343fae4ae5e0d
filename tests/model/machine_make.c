/* SPDX-License-Identifier: MIT */
/* What machines there are. */
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "rapl.h"

#define WATT UINT64_C(1000000)

/* --- zones ----------------------------------------------------------------------------------- */

static uint64_t choose_unit_aj(struct machine *machine, enum zone_kind kind) {
    if (machine->style != STYLE_POWERCAP)
        return machine->range_unit_nj == 61035 ? UINT64_C(61035156250000)
                                               : UINT64_C(15258789062500);
    if (kind == ZONE_PSYS && random_once_in(&machine->random, 2))
        return UINT64_C(1000000000) * AJ_PER_NJ;
    if (kind == ZONE_DRAM && random_once_in(&machine->random, 2))
        return 15300 * AJ_PER_NJ;
    return machine->range_unit_nj * AJ_PER_NJ;
}

static size_t add_counter(struct machine *machine, enum zone_kind kind) {
    struct hardware *hardware = &machine->hardware[machine->counter_count];
    *hardware = (struct hardware){.unit_aj = choose_unit_aj(machine, kind),
                                  .as_of_ns = machine_true_ns(machine),
                                  .most_uw = UINT64_MAX,
                                  .whole = SIZE_MAX,
                                  .share = random_below(&machine->random, 1025),
                                  .offset = random_next(&machine->random)};
    return machine->counter_count++;
}

static uint64_t sustained_uw(uint64_t ceiling_uw) {
    return ceiling_uw < 4000 * WATT ? ceiling_uw : 4000 * WATT;
}

/* The ceilings that core chooses: the same rules as in core/ceiling.c, written once more. */
static uint64_t choose_ceiling_uw(struct machine *machine, enum zone_kind kind) {
    if (kind == ZONE_PSYS)
        return 50000 * WATT;
    if (machine->max_power_uw != 0)
        return machine->max_power_uw;
    if (machine->style != STYLE_POWERCAP || random_once_in(&machine->random, 3))
        return 1000 * WATT;
    const uint64_t limit_uw = (6 + random_below(&machine->random, 600)) * WATT;
    return 4 * limit_uw > 250 * WATT ? 4 * limit_uw : 250 * WATT;
}

/* Its counter stays below its ceiling. On a hot machine it uses more, but so little that it is read
 * before it has gone round, whatever slews the clock by which that is due. */
static void limit_power(struct machine *machine, const struct place *place) {
    struct hardware *hardware = &machine->hardware[place->counter];
    const bool is_hot = machine->is_hot && place->raised_uw != 0;
    const uint64_t most_uw =
        sustained_uw(is_hot ? place->ceiling_uw / 100 * 165 : place->ceiling_uw) / 100 * 97;
    if (most_uw < hardware->most_uw)
        hardware->most_uw = most_uw;
}

static size_t add_place(struct machine *machine, enum zone_kind kind, size_t parent, int package_id,
                        int die_id, size_t counter) {
    static const char *const domains[] = {
        [ZONE_PACKAGE] = "package", [ZONE_CORE] = "core", [ZONE_UNCORE] = "uncore",
        [ZONE_DRAM] = "dram",       [ZONE_PSYS] = "psys", [ZONE_OTHER] = "gt"};
    const size_t number = machine->place_count++;
    struct place *place = &machine->places[number];
    *place = (struct place){.kind = kind,
                            .domain = domains[kind],
                            .package_id = package_id,
                            .die_id = die_id,
                            .core_id = RAPL_NO_ID,
                            .parent = parent == SIZE_MAX ? number : parent,
                            .counter = counter,
                            .shows_range = !random_once_in(&machine->random, 40),
                            .nameless = random_once_in(&machine->random, 400),
                            .is_away = true};
    const bool follows = kind == ZONE_CORE || kind == ZONE_UNCORE;
    place->ceiling_uw = follows && parent != SIZE_MAX ? machine->places[parent].ceiling_uw
                                                      : choose_ceiling_uw(machine, kind);
    if (kind != ZONE_PSYS && machine->max_power_uw == 0)
        place->raised_uw = 4 * place->ceiling_uw;
    if (follows && parent != SIZE_MAX)
        machine->hardware[counter].whole = machine->places[parent].counter;
    limit_power(machine, place);
    if (machine->style != STYLE_POWERCAP)
        place->shows_range = machine->style == STYLE_MSR;
    return number;
}

static size_t add_own(struct machine *machine, enum zone_kind kind, size_t parent, int package_id,
                      int die_id) {
    return add_place(machine, kind, parent, package_id, die_id, add_counter(machine, kind));
}

static bool is_amd(const struct machine *machine) {
    return machine->vendor == CPU_VENDOR_AMD || machine->vendor == CPU_VENDOR_HYGON;
}

static void add_sub_zones(struct machine *machine, size_t package, size_t twin) {
    static const enum zone_kind kinds[] = {ZONE_CORE, ZONE_UNCORE, ZONE_DRAM, ZONE_OTHER};
    const struct place *place = &machine->places[package];
    const size_t last = machine->place_count;
    const uint64_t which = twin == SIZE_MAX ? random_next(&machine->random) : 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool wanted = (which >> i & 1) != 0 && (i < 3 || (which >> 8 & 7) == 0);
        size_t counter = SIZE_MAX;
        bool shows_range = true;
        /* The sub-zones of a die that shows another's counters show those of its, too. */
        for (size_t j = 0; twin != SIZE_MAX && j < last; j++) {
            const struct place *other = &machine->places[j];
            if (other->parent != twin || j == twin || other->kind != kinds[i])
                continue;
            wanted = true;
            counter = other->counter;
            shows_range = other->shows_range;
        }
        if (!wanted)
            continue;
        if (counter == SIZE_MAX) {
            add_own(machine, kinds[i], package, place->package_id, place->die_id);
            continue;
        }
        const size_t same =
            add_place(machine, kinds[i], package, place->package_id, place->die_id, counter);
        machine->places[same].shows_range = shows_range;
    }
}

static void add_cores(struct machine *machine, size_t package) {
    const int package_id = machine->places[package].package_id;
    const int count = 1 + (int)random_below(&machine->random, 8);
    for (int core = 0; core < count; core++) {
        const size_t place = add_own(machine, ZONE_CORE, package, package_id, RAPL_NO_ID);
        machine->places[place].core_id = core;
    }
}

/* Dies of which nobody knows whether they show one counter (rule 9). Twins do; strangers are far
 * apart from the first, pretenders begin alike and part later. */
enum kinship { TWINS, STRANGERS, PRETENDERS };

static void relate(struct machine *machine, size_t first, size_t other, enum kinship kinship) {
    struct hardware *one = &machine->hardware[machine->places[first].counter];
    struct hardware *two = &machine->hardware[machine->places[other].counter];
    if (one == two)
        return;
    if (kinship == PRETENDERS) {
        two->offset = one->offset;
        one->calm = two->calm = random_once_in(&machine->random, 2);
        two->unit_aj = one->unit_aj;
        one->most_uw = two->most_uw = one->most_uw < two->most_uw ? one->most_uw : two->most_uw;
    } else {
        two->offset =
            one->offset + (UINT64_C(1) << 30) + random_below(&machine->random, UINT32_MAX / 2);
    }
}

static void add_dies(struct machine *machine, int package_id, int dies) {
    struct random *random = &machine->random;
    const enum kinship kinship = is_amd(machine) ? TWINS
                                 : machine->vendor == CPU_VENDOR_UNKNOWN
                                     ? (enum kinship)random_below(random, 3)
                                     : STRANGERS;
    const size_t first = add_own(machine, ZONE_PACKAGE, SIZE_MAX, package_id, 0);
    add_sub_zones(machine, first, SIZE_MAX);
    const bool subs = kinship != PRETENDERS;
    for (int die = 1; die < dies; die++) {
        const bool same = kinship == TWINS;
        const size_t counter =
            same ? machine->places[first].counter : add_counter(machine, ZONE_PACKAGE);
        const size_t place = add_place(machine, ZONE_PACKAGE, SIZE_MAX, package_id, die, counter);
        machine->places[place].ceiling_uw = machine->places[first].ceiling_uw;
        machine->places[place].raised_uw = machine->places[first].raised_uw;
        machine->places[place].shows_range = machine->places[first].shows_range;
        limit_power(machine, &machine->places[place]);
        if (same && !is_amd(machine))
            add_sub_zones(machine, place, first);
        else if (is_amd(machine) && subs)
            add_sub_zones(machine, place, SIZE_MAX);
        relate(machine, first, place, kinship);
    }
}

static void add_psys(struct machine *machine, int packages) {
    struct random *random = &machine->random;
    const size_t first = add_own(machine, ZONE_PSYS, SIZE_MAX, RAPL_NO_ID, RAPL_NO_ID);
    if (machine->style == STYLE_POWERCAP && machine->period_ns <= NS_PER_MS &&
        random_once_in(random, 3)) {
        const enum kinship kinship = (enum kinship)random_below(random, 3);
        const size_t counter =
            kinship == TWINS ? machine->places[first].counter : add_counter(machine, ZONE_PSYS);
        machine->hardware[counter].unit_aj =
            machine->hardware[machine->places[first].counter].unit_aj;
        const size_t other = add_place(machine, ZONE_PSYS, SIZE_MAX, 0, RAPL_NO_ID, counter);
        machine->places[other].shows_range = machine->places[first].shows_range;
        relate(machine, first, other, kinship);
    }
    for (int i = 1; i < packages; i++)
        add_own(machine, ZONE_PSYS, SIZE_MAX, i, RAPL_NO_ID);
}

/* intel-rapl-mmio shows package-0, and its dram, once more (rule 8). */
static void add_mmio(struct machine *machine) {
    const size_t count = machine->place_count;
    size_t package = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct place place = machine->places[i];
        if (place.package_id != 0 || place.die_id != RAPL_NO_ID || place.nameless ||
            (place.kind != ZONE_PACKAGE && (place.kind != ZONE_DRAM || package == SIZE_MAX)))
            continue;
        const size_t copy = add_place(machine, place.kind, package, 0, RAPL_NO_ID, place.counter);
        machine->places[copy].is_mmio = true;
        machine->places[copy].nameless = false;
        if (place.kind == ZONE_PACKAGE)
            package = copy;
    }
}

static void add_zones(struct machine *machine) {
    struct random *random = &machine->random;
    int packages = 1 + (int)random_below(random, 2);
    if (random_once_in(random, 6))
        packages = 3 + (int)random_below(random, 3);
    if (random_once_in(random, 30))
        packages = 16;
    int dies = random_once_in(random, 3) ? 2 + (int)random_below(random, 3) : 1;
    if (machine->style == STYLE_MSR && is_amd(machine))
        dies = 1;
    if (packages == 16)
        dies = 1;
    for (int i = 0; i < packages; i++) {
        if (dies > 1) {
            add_dies(machine, i, dies);
            continue;
        }
        const size_t package = add_own(machine, ZONE_PACKAGE, SIZE_MAX, i, RAPL_NO_ID);
        if (is_amd(machine) && machine->style != STYLE_POWERCAP)
            add_cores(machine, package);
        else
            add_sub_zones(machine, package, SIZE_MAX);
    }
    if (!is_amd(machine) && random_once_in(random, 2))
        add_psys(machine, packages);
    if (machine->style == STYLE_POWERCAP && machine->vendor == CPU_VENDOR_INTEL &&
        random_once_in(random, 4))
        add_mmio(machine);
}

/* --- updates --------------------------------------------------------------------------------- */

/* From the hardware's millisecond to a file that a host writes each 5 s. Half of the machines
 * have counters that move all the time. */
static uint64_t choose_period_ns(struct machine *machine) {
    static const uint64_t slow_ns[] = {2 * NS_PER_MS,    5 * NS_PER_MS,   10 * NS_PER_MS,
                                       30 * NS_PER_MS,   100 * NS_PER_MS, NS_PER_S,
                                       1150 * NS_PER_MS, 5 * NS_PER_S};
    struct random *random = &machine->random;
    if (random_once_in(random, 2))
        return 0;
    if (!random_once_in(random, 4))
        return NS_PER_MS;
    return slow_ns[random_below(random, sizeof(slow_ns) / sizeof(slow_ns[0]))];
}

/* A start of a slow counter, before it is known for one, and its next step are the same to see; and
 * zones of one counter show an update between their reads. */
static void calm_slow(struct machine *machine) {
    struct habits *habits = &machine->habits;
    /* From a third of the period to eleven, beside intervals that have nothing to do with it. */
    if (!random_once_in(&machine->random, 3))
        machine->interval_ns =
            machine->period_ns / 3 + random_scaled(&machine->random, 11 * machine->period_ns);
    habits->reset = habits->sleep = habits->offline = habits->reload = habits->epoch = 0;
    habits->online = habits->outlier = habits->memory = habits->low = 0;
}

/* --- habits ---------------------------------------------------------------------------------- */

/* Once in so many samples: of what is rare on this machine, or once in a while more often. */
static uint64_t choose_rate(struct machine *machine, uint64_t rarity) {
    struct random *random = &machine->random;
    if (random_once_in(random, 3))
        return 0;
    return rarity >> random_below(random, 4) | (random_next(random) & 7);
}

static void choose_habits(struct machine *machine) {
    static const uint64_t intervals_ns[] = {1 * NS_PER_MS,  20 * NS_PER_MS, 100 * NS_PER_MS,
                                            NS_PER_S,       NS_PER_S,       10 * NS_PER_S,
                                            10 * NS_PER_S,  10 * NS_PER_S,  60 * NS_PER_S,
                                            600 * NS_PER_S, 3600 * NS_PER_S};
    struct random *random = &machine->random;
    /* Calm machines show that nothing is left out without a reason. */
    const uint64_t rarity = UINT64_C(1) << (5 + random_below(random, 9));
    machine->interval_ns =
        intervals_ns[random_below(random, sizeof(intervals_ns) / sizeof(intervals_ns[0]))];
    machine->habits = (struct habits){
        .power = 1 + random_below(random, 20),
        .failure = choose_rate(machine, rarity),
        .long_failure = choose_rate(machine, rarity),
        .reset = choose_rate(machine, rarity * 4),
        .sleep = choose_rate(machine, rarity * 2),
        .wall_jump = choose_rate(machine, 256),
        .slew = choose_rate(machine, 256),
        .low = choose_rate(machine, rarity * 16),
        .slow_read = choose_rate(machine, rarity * 16),
        .offline = choose_rate(machine, rarity * 4),
        .reload = choose_rate(machine, rarity * 8),
        .epoch = machine->style == STYLE_PERF ? choose_rate(machine, rarity) : 0,
        .online = choose_rate(machine, rarity),
        .outlier = choose_rate(machine, rarity),
        .lazy = choose_rate(machine, rarity * 4),
        .late = choose_rate(machine, rarity),
        .inside = 2 + random_below(random, 20),
    };
    /* A sample for which there was no memory is one that nobody took; whether a reset in it can be
     * told is another question the next time. */
    if (random_once_in(random, 10) && machine->habits.reset == 0)
        machine->habits.memory = 2 + random_scaled(random, 500);
    /* After a sleep, a read that failed by less looks the same as a counter that restarted. */
    if (machine->habits.low != 0)
        machine->habits.sleep = 0;
    /* Read later than is asked for, a counter may go round unseen at such a power. */
    if (!machine->is_hot)
        return;
    if (machine->interval_ns > 600 * NS_PER_S)
        machine->interval_ns = 600 * NS_PER_S;
    machine->habits = (struct habits){.power = machine->habits.power,
                                      .slew = machine->habits.slew,
                                      .low = machine->habits.low,
                                      .slow_read = machine->habits.slow_read,
                                      .wall_jump = machine->habits.wall_jump,
                                      .inside = machine->habits.inside};
}

void machine_make(struct machine *machine, uint64_t seed, bool powercap) {
    static const enum cpu_vendor vendors[] = {CPU_VENDOR_INTEL,   CPU_VENDOR_INTEL,
                                              CPU_VENDOR_AMD,     CPU_VENDOR_HYGON,
                                              CPU_VENDOR_UNKNOWN, CPU_VENDOR_OTHER};
    static const uint64_t units_nj[] = {61035, 61035, 61035, 15258, 15258, 32000, 1000, 244};
    memset(machine, 0, sizeof(*machine));
    machine->random.state = seed;
    struct random *random = &machine->random;
    const uint64_t style = random_below(random, 8);
    if (!powercap && style < 2)
        machine->style = style == 0 ? STYLE_PERF : STYLE_MSR;
    else
        machine->style = STYLE_POWERCAP;
    machine->vendor = vendors[random_below(random, sizeof(vendors) / sizeof(vendors[0]))];
    if (machine->style == STYLE_MSR)
        machine->vendor = random_once_in(random, 2) ? CPU_VENDOR_INTEL : CPU_VENDOR_AMD;
    machine->range_unit_nj =
        units_nj[random_below(random, machine->style == STYLE_POWERCAP ? 8 : 5)];
    if (random_once_in(random, 4))
        machine->max_power_uw = (20 + random_scaled(random, 3900)) * WATT;
    /* Presumed mirrors part where a counter uses more than its ceiling allows. */
    machine->is_hot = machine->max_power_uw == 0 && machine->range_unit_nj >= 15258 &&
                      machine->vendor != CPU_VENDOR_UNKNOWN && random_once_in(random, 12);
    machine->period_ns = choose_period_ns(machine);
    if (machine->period_ns > NS_PER_MS) {
        machine->vendor = CPU_VENDOR_INTEL;
        machine->is_hot = false;
        /* Others pass their range between two updates. */
        if (machine->range_unit_nj < 15258)
            machine->range_unit_nj = 61035;
    }
    machine->parts_within = !random_once_in(random, 4);
    machine->monotonic_ns = 1000 * NS_PER_S + random_below(random, 1000000 * NS_PER_S);
    machine->raw_ns = random_below(random, 1000000 * NS_PER_S);
    machine->ahead_ns = random_once_in(random, 2) ? 0 : random_below(random, 1000000 * NS_PER_S);
    machine->wall_ns = UINT64_C(1600000000) * NS_PER_S;
    machine->online_mark = random_next(random);
    choose_habits(machine);
    if (machine->period_ns > NS_PER_MS)
        calm_slow(machine);
    if (powercap)
        machine->habits.memory = 0;
    add_zones(machine);
    for (size_t i = 0; i < machine->counter_count; i++) {
        struct hardware *hardware = &machine->hardware[i];
        hardware->is_stuck = random_once_in(random, 12);
        hardware->power_uw = hardware->is_stuck ? 0 : random_below(random, hardware->most_uw);
        machine_settle(machine, hardware);
    }
    machine_share_power(machine);
    machine_live(machine);
    /* Near its end, so that wraps are seen also where they are seldom. */
    for (size_t i = 0; i < machine->counter_count; i++) {
        if (!machine->hardware[i].calm && random_once_in(random, 16))
            machine->hardware[i].offset = 0 - random_below(random, 100000);
    }
}

void machine_print(const struct machine *machine) {
    static const char *const styles[] = {"powercap", "perf", "msr"};
    fprintf(stderr, "# %s, %s, interval %.3f s, MaxPower %llu W, period %.3f ms\n",
            styles[machine->style], cpuinfo_vendor_name(machine->vendor),
            (double)machine->interval_ns / 1e9, (unsigned long long)(machine->max_power_uw / WATT),
            (double)machine->period_ns / 1e6);
    for (size_t i = 0; i < machine->place_count; i++) {
        const struct place *place = &machine->places[i];
        fprintf(stderr,
                "#   %s%s package %d die %d core %d index %x in %zu: counter %zu, unit %llu nJ%s, "
                "ceiling %llu W, restarts %u%s%s%s\n",
                place->is_mmio ? "mmio " : "", place->domain, place->package_id, place->die_id,
                place->core_id, place->index, place->parent, place->counter,
                (unsigned long long)(machine->hardware[place->counter].unit_aj / AJ_PER_NJ),
                place->shows_range ? "" : " (no range)",
                (unsigned long long)(place->ceiling_uw / WATT),
                machine->hardware[place->counter].restarts, place->there ? "" : ", away",
                place->error_left > 0 ? ", fails" : "", place->nameless ? ", nameless" : "");
    }
}
