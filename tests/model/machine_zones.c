/* SPDX-License-Identifier: MIT */
/* Adds the zones of random machines. */
#include <string.h>

#include "machine.h"
#include "rapl.h"

#define WATT UINT64_C(1000000)

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

/* The ceilings that the core chooses: a second implementation of core/source/power_ceiling.c. */
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

/* Limits the power of its counter to the ceiling. On a hot machine it is higher, but low enough
 * that the counter is read before it wraps, even if the clock for the due time is slewed. */
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

static void add_sub_zones(struct machine *machine, size_t package) {
    static const enum zone_kind kinds[] = {ZONE_CORE, ZONE_UNCORE, ZONE_DRAM, ZONE_OTHER};
    const struct place *place = &machine->places[package];
    const uint64_t which = random_next(&machine->random);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((which >> i & 1) != 0 && (i < 3 || (which >> 8 & 7) == 0))
            add_own(machine, kinds[i], package, place->package_id, place->die_id);
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

/* --- zones that may show one counter -----------------------------------------------------------
 */

/* Twins show one counter; strangers differ clearly from the start; pretenders begin with the same
 * values and differ later. */
enum kinship { TWINS, STRANGERS, PRETENDERS };

/* Slow counters show an update between two reads, and hot ones exceed their ceilings: they only get
 * strangers. */
static bool has_kin(const struct machine *machine) {
    return machine->period_ns <= NS_PER_MS && !machine->is_hot;
}

static enum kinship choose_kinship(struct machine *machine) {
    return has_kin(machine) ? (enum kinship)random_below(&machine->random, 3) : STRANGERS;
}

static void relate(struct machine *machine, size_t first, size_t other, enum kinship kinship) {
    struct hardware *one = &machine->hardware[machine->places[first].counter];
    struct hardware *two = &machine->hardware[machine->places[other].counter];
    if (one == two)
        return;
    one->has_kin = two->has_kin = true;
    if (kinship == PRETENDERS) {
        two->offset = one->offset;
        one->calm = two->calm = random_once_in(&machine->random, 2);
        two->unit_aj = one->unit_aj;
        one->most_uw = two->most_uw = one->most_uw < two->most_uw ? one->most_uw : two->most_uw;
    } else {
        two->offset =
            one->offset + (UINT64_C(1) << 30) + random_below(&machine->random, UINT32_MAX / 2);
        /* Even at full power, they do not count the same. */
        two->most_uw -= two->most_uw / 100 * (1 + random_below(&machine->random, 50));
    }
}

/* Adds a zone like the first. */
static size_t add_kin(struct machine *machine, size_t first, size_t parent, int package_id,
                      int die_id, enum kinship kinship) {
    const struct place one = machine->places[first];
    const size_t counter = kinship == TWINS ? one.counter : add_counter(machine, one.kind);
    if (kinship == PRETENDERS)
        machine->hardware[counter].unit_aj = machine->hardware[one.counter].unit_aj;
    const size_t number = add_place(machine, one.kind, parent, package_id, die_id, counter);
    struct place *place = &machine->places[number];
    place->ceiling_uw = one.ceiling_uw;
    place->raised_uw = one.raised_uw;
    place->shows_range = one.shows_range;
    limit_power(machine, place);
    relate(machine, first, number, kinship);
    return number;
}

/* Adds its parts, related to the parts of the first as the packages are to each other. */
static void add_kin_parts(struct machine *machine, size_t first, size_t package,
                          enum kinship kinship) {
    const size_t last = package;
    const struct place place = machine->places[package];
    for (size_t i = 0; i < last; i++) {
        const struct place *part = &machine->places[i];
        if (part->parent != first || i == first)
            continue;
        /* AMD's core zone shows a single core. */
        const bool is_lead = is_amd(machine) && part->kind == ZONE_CORE;
        add_kin(machine, i, package, place.package_id, place.die_id, is_lead ? STRANGERS : kinship);
    }
}

/* Some zones appear later than the others. */
static void maybe_delay(struct machine *machine, size_t number) {
    if (random_once_in(&machine->random, 6))
        machine->places[number].returns_ns =
            machine_true_ns(machine) + random_scaled(&machine->random, 200 * NS_PER_S);
}

/* Adds a die, or a package of a virtual machine, beside those from first on. */
static void add_package_kin(struct machine *machine, size_t first, int package_id, int die_id) {
    const size_t last = machine->place_count;
    size_t packages[64] = {first};
    size_t count = 0;
    for (size_t i = first; i < last && count < 64; i++) {
        if (machine->places[i].kind == ZONE_PACKAGE)
            packages[count++] = i;
    }
    const size_t like = packages[random_below(&machine->random, count)];
    const enum kinship kinship = choose_kinship(machine);
    const size_t package = add_kin(machine, like, SIZE_MAX, package_id, die_id, kinship);
    add_kin_parts(machine, like, package, kinship);
    maybe_delay(machine, package);
}

static void add_dies(struct machine *machine, int package_id, int dies, size_t like) {
    const size_t first = machine->place_count;
    if (like == SIZE_MAX) {
        add_sub_zones(machine, add_own(machine, ZONE_PACKAGE, SIZE_MAX, package_id,
                                       dies > 1 ? 0 : RAPL_NO_ID));
        maybe_delay(machine, first);
    } else {
        add_package_kin(machine, like, package_id, dies > 1 ? 0 : RAPL_NO_ID);
    }
    for (int die = 1; die < dies; die++)
        add_package_kin(machine, like != SIZE_MAX ? like : first, package_id, die);
}

static void add_psys(struct machine *machine, int packages) {
    struct random *random = &machine->random;
    const size_t first = add_own(machine, ZONE_PSYS, SIZE_MAX, RAPL_NO_ID, RAPL_NO_ID);
    const bool has_more = machine->style == STYLE_POWERCAP;
    if (has_more && has_kin(machine) && random_once_in(random, 3))
        maybe_delay(machine,
                    add_kin(machine, first, SIZE_MAX, 0, RAPL_NO_ID, choose_kinship(machine)));
    for (int i = 1; i < packages; i++) {
        const size_t place = add_own(machine, ZONE_PSYS, SIZE_MAX, i, RAPL_NO_ID);
        /* The psys zones of two dies share a name. */
        if (!has_more || i > 1 || !random_once_in(random, 3))
            continue;
        const size_t other =
            add_kin(machine, place, SIZE_MAX, i, RAPL_NO_ID, choose_kinship(machine));
        machine->places[place].index_least = 64;
        machine->places[other].index_least = 65;
        maybe_delay(machine, other);
    }
}

/* intel-rapl-mmio shows package-0 and its dram again (docs/design.md, rule 8). */
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

void machine_add_zones(struct machine *machine) {
    struct random *random = &machine->random;
    int packages = 1 + (int)random_below(random, 2);
    if (random_once_in(random, 6))
        packages = 3 + (int)random_below(random, 3);
    if (random_once_in(random, 30))
        packages = 16;
    int dies = random_once_in(random, 3) ? 2 + (int)random_below(random, 3) : 1;
    /* perf's counts begin separately; unit tests cover them. */
    if (machine->style == STYLE_PERF || (machine->style == STYLE_MSR && is_amd(machine)))
        dies = 1;
    if (packages == 16)
        dies = 1;
    for (int i = 0; i < packages; i++) {
        if (!is_amd(machine) || machine->style == STYLE_POWERCAP)
            add_dies(machine, i, dies, machine->is_virtual && i > 0 ? 0 : SIZE_MAX);
        else
            add_cores(machine, add_own(machine, ZONE_PACKAGE, SIZE_MAX, i, RAPL_NO_ID));
    }
    /* A virtual machine has no psys. */
    if (!is_amd(machine) && !machine->is_virtual && random_once_in(random, 2))
        add_psys(machine, packages);
    if (machine->style == STYLE_POWERCAP && machine->vendor == CPU_VENDOR_INTEL &&
        random_once_in(random, 4))
        add_mmio(machine);
}
