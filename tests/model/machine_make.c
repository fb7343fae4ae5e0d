/* SPDX-License-Identifier: MIT */
/* Makes random machines. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "rapl.h"

#define WATT UINT64_C(1000000)

/* --- updates --------------------------------------------------------------------------------- */

/* From 1 ms, as in hardware, to 5 s, as of a file that a host writes. Half of the machines have
 * counters that move all the time. */
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

/* A restart of a counter that is not yet known to be slow looks like its next step; and zones of
 * one counter may show an update between their reads. So a machine with slow counters has no such
 * events. */
static void calm_slow(struct machine *machine) {
    struct habits *habits = &machine->habits;
    /* From a third of the period to eleven periods, or an interval independent of the period. */
    if (!random_once_in(&machine->random, 3))
        machine->interval_ns =
            machine->period_ns / 3 + random_scaled(&machine->random, 11 * machine->period_ns);
    habits->reset = habits->sleep = habits->offline = habits->reload = habits->epoch = 0;
    habits->online = habits->outlier = habits->memory = habits->low = 0;
}

/* --- habits ---------------------------------------------------------------------------------- */

/* Chooses once in how many samples an event happens: 0 (never), the rarity of the machine, or
 * sometimes more often. */
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
    /* Machines with few events show that nothing is left out without a reason. */
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
    /* A sample without memory counts as not taken, and then a reset in it may be decided
     * differently next time. */
    if (random_once_in(random, 10) && machine->habits.reset == 0)
        machine->habits.memory = 2 + random_scaled(random, 500);
    /* After a sleep, a read that failed with a lower value looks like a counter that restarted. */
    if (machine->habits.low != 0)
        machine->habits.sleep = 0;
    /* If read late at such a power, a counter may wrap unseen. */
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

static bool any_has_kin(const struct machine *machine) {
    for (size_t i = 0; i < machine->place_count; i++) {
        if (machine->places[i].die_id >= 0 || machine->places[i].kind == ZONE_PSYS)
            return true;
    }
    return false;
}

/* Hides a zone that total needs from the start, for a while or for good. */
static void hide_member(struct machine *machine) {
    struct random *random = &machine->random;
    struct place *place = &machine->places[random_below(random, machine->place_count)];
    if (!random_once_in(random, 4))
        return;
    place->error = random_once_in(random, 2) ? -EIO : -EACCES;
    place->error_left = random_once_in(random, 3) ? UINT64_MAX : 1 + random_scaled(random, 1000);
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
    machine->is_hot =
        machine->max_power_uw == 0 && machine->range_unit_nj >= 15258 && random_once_in(random, 12);
    machine->is_virtual = machine->style != STYLE_PERF && random_once_in(random, 5);
    machine->period_ns = choose_period_ns(machine);
    if (machine->period_ns > NS_PER_MS) {
        machine->vendor = CPU_VENDOR_INTEL;
        machine->is_hot = false;
        /* Smaller units wrap between two updates. */
        if (machine->range_unit_nj < 15258)
            machine->range_unit_nj = 61035;
    }
    machine->parts_within = !random_once_in(random, 4);
    machine->monotonic_ns = 1000 * NS_PER_S + random_below(random, 1000000 * NS_PER_S);
    machine->raw_ns = random_below(random, 1000000 * NS_PER_S);
    machine->suspend_offset_ns =
        random_once_in(random, 2) ? 0 : random_below(random, 1000000 * NS_PER_S);
    machine->wall_ns = UINT64_C(1600000000) * NS_PER_S;
    machine->online_mark = random_next(random);
    choose_habits(machine);
    if (machine->period_ns > NS_PER_MS)
        calm_slow(machine);
    machine_add_zones(machine);
    /* A comparison that was interrupted has another result next time. */
    if (powercap || machine->is_virtual || any_has_kin(machine))
        machine->habits.memory = 0;
    for (size_t i = 0; i < machine->counter_count; i++) {
        struct hardware *hardware = &machine->hardware[i];
        hardware->is_stuck = random_once_in(random, 12);
        hardware->power_uw = hardware->is_stuck ? 0 : random_below(random, hardware->most_uw);
        machine_settle(machine, hardware);
    }
    machine_share_power(machine);
    hide_member(machine);
    machine_live(machine);
    /* Near the wrap, so that wraps also occur where they are rare. */
    for (size_t i = 0; i < machine->counter_count; i++) {
        if (!machine->hardware[i].calm && !machine->hardware[i].has_kin &&
            random_once_in(random, 16))
            machine->hardware[i].offset = 0 - random_below(random, 100000);
    }
}

void machine_print(const struct machine *machine) {
    static const char *const styles[] = {"powercap", "perf", "msr"};
    fprintf(stderr, "# %s, %s%s, interval %.3f s, MaxPower %llu W, period %.3f ms\n",
            styles[machine->style], cpuinfo_vendor_name(machine->vendor),
            machine->is_virtual ? ", virtual" : "", (double)machine->interval_ns / 1e9,
            (unsigned long long)(machine->max_power_uw / WATT), (double)machine->period_ns / 1e6);
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
