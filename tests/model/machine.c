/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rapl.h"

#define TURN (UINT64_C(1) << 32)

/* --- counters -------------------------------------------------------------------------------- */

static void use_energy(struct hardware *hardware, uint64_t power_uw, uint64_t ns) {
    hardware->rest_aj += (wide)power_uw * ns * 1000; /* uW x ns = fJ */
    if (hardware->rest_aj < hardware->unit_aj)
        return;
    uint64_t units;
    if (hardware->rest_aj <= UINT64_MAX)
        units = (uint64_t)hardware->rest_aj / hardware->unit_aj;
    else
        units = (uint64_t)(hardware->rest_aj / hardware->unit_aj);
    hardware->count += units;
    hardware->rest_aj -= (wide)units * hardware->unit_aj;
}

void machine_settle(struct machine *machine, struct hardware *hardware) {
    uint64_t now_ns = machine_true_ns(machine);
    if (machine->period_ns != 0)
        now_ns -= now_ns % machine->period_ns;
    if (now_ns <= hardware->as_of_ns)
        return;
    use_energy(hardware, hardware->power_uw, now_ns - hardware->as_of_ns);
    hardware->as_of_ns = now_ns;
}

static uint64_t register_parts(const struct machine *machine) {
    return machine->range_unit_nj == 61035 ? 1 << 14 : 1 << 16;
}

uint64_t machine_parts(const struct machine *machine) {
    if (machine->style == STYLE_PERF)
        return TURN;
    return machine->style == STYLE_MSR ? register_parts(machine) : 1000000;
}

uint64_t machine_unit_parts(const struct machine *machine) {
    return machine->style == STYLE_PERF ? TURN / register_parts(machine) : 1;
}

uint64_t machine_show(const struct machine *machine, const struct place *place) {
    const struct hardware *hardware = &machine->hardware[place->counter];
    if (machine->style == STYLE_PERF)
        return place->base + (hardware->count - place->base_count) * machine_unit_parts(machine);
    const uint64_t raw = (hardware->count + hardware->offset) % TURN;
    if (machine->style == STYLE_MSR)
        return raw;
    /* intel_rapl_common.c, rapl_unit_xlate */
    return raw * (hardware->unit_aj / AJ_PER_NJ) / 1000;
}

uint64_t machine_range_uj(const struct machine *machine, const struct place *place) {
    const struct hardware *hardware = &machine->hardware[place->counter];
    return place->shows_range ? (TURN - 1) * (hardware->unit_aj / AJ_PER_NJ) / 1000 : 0;
}

void machine_restart(struct machine *machine, struct place *place, uint64_t shown) {
    struct hardware *hardware = &machine->hardware[place->counter];
    if (machine->style == STYLE_PERF) {
        place->base = shown;
        place->base_count = hardware->count;
    } else {
        const uint64_t raw = machine->style == STYLE_MSR
                                 ? shown
                                 : (shown * 1000 + hardware->unit_aj / AJ_PER_NJ - 1) /
                                       (hardware->unit_aj / AJ_PER_NJ);
        hardware->offset = raw - hardware->count;
    }
    hardware->restart = RESTART_NONE;
    hardware->restarts++;
}

/* --- time ------------------------------------------------------------------------------------ */

void machine_pass(struct machine *machine, uint64_t ns) {
    machine->raw_ns += ns;
    machine->monotonic_ns += ns + (uint64_t)((int64_t)ns / 1000 * machine->slew_ppm / 1000);
}

void machine_pass_until(struct machine *machine, uint64_t monotonic_ns) {
    if (monotonic_ns <= machine->monotonic_ns)
        return;
    const wide slewed_ns = monotonic_ns - machine->monotonic_ns;
    machine->raw_ns += (uint64_t)(slewed_ns * 1000000 / (uint64_t)(1000000 + machine->slew_ppm));
    machine->monotonic_ns = monotonic_ns;
}

/* Time daemons slew by up to 83,333 ppm (chrony.conf(5), maxslewrate). */
static void slew(struct machine *machine) {
    static const int64_t usual_ppm[] = {0, 20, -20, 500, -500, 83333, -83333};
    const size_t count = sizeof(usual_ppm) / sizeof(usual_ppm[0]);
    const uint64_t choice = random_below(&machine->random, count + 1);
    machine->slew_ppm = choice < count ? usual_ppm[choice]
                                       : (int64_t)random_below(&machine->random, 166667) - 83333;
    machine->seen.slews++;
}

void machine_sleep(struct machine *machine, uint64_t ns) {
    const bool loses_counters = random_once_in(&machine->random, 2);
    for (size_t i = 0; i < machine->counter_count; i++) {
        struct hardware *hardware = &machine->hardware[i];
        const uint64_t most_uw = hardware->most_uw < 3000000 ? hardware->most_uw : 3000000;
        machine_settle(machine, hardware);
        /* Use energy for the rest of the time before the last update. */
        if (!hardware->is_stuck)
            use_energy(hardware, random_below(&machine->random, most_uw), ns);
        hardware->as_of_ns += ns;
        if (loses_counters && !hardware->calm)
            hardware->restart = RESTART_ZERO;
    }
    machine->suspend_offset_ns += ns;
    machine->seen.sleeps++;
}

/* --- what happens ---------------------------------------------------------------------------- */

void machine_share_power(struct machine *machine) {
    for (size_t i = 0; i < machine->counter_count; i++) {
        struct hardware *part = &machine->hardware[i];
        if (!machine->parts_within || part->whole == SIZE_MAX)
            continue;
        machine_settle(machine, part);
        part->power_uw = machine->hardware[part->whole].power_uw / 1024 * part->share;
        if (part->power_uw > part->most_uw)
            part->power_uw = part->most_uw;
    }
}

static void choose_power(struct machine *machine, struct hardware *hardware) {
    struct random *random = &machine->random;
    machine_settle(machine, hardware);
    if (hardware->is_stuck)
        return;
    if (machine->parts_within && hardware->whole != SIZE_MAX) {
        hardware->share = random_below(random, 1025);
        machine_share_power(machine);
        return;
    }
    switch (random_below(random, 6)) {
    case 0:
        hardware->power_uw = 0;
        break;
    case 1: /* idle */
        hardware->power_uw = random_below(random, hardware->most_uw / 20 + 1);
        break;
    case 2: /* at its maximum */
        hardware->power_uw = hardware->most_uw;
        break;
    case 3:
        hardware->power_uw = hardware->most_uw - random_below(random, hardware->most_uw / 50 + 1);
        break;
    default:
        hardware->power_uw = random_below(random, hardware->most_uw + 1);
        break;
    }
    machine_share_power(machine);
}

static void fail_place(struct machine *machine, struct place *place, uint64_t longest) {
    static const int errors[] = {-EIO,   -ENODATA, -EAGAIN, -ENODEV, -EINVAL,
                                 -ENXIO, -ENOENT,  -EACCES, -ENOMEM, -EMFILE};
    if (machine->hardware[place->counter].calm)
        return;
    place->error = errors[random_below(&machine->random, sizeof(errors) / sizeof(errors[0]))];
    place->error_left = 1 + random_below(&machine->random, longest);
    machine->seen.failures++;
}

static void take_away(struct machine *machine, struct place *place, uint64_t returns_ns) {
    if (!place->there)
        return;
    place->there = false;
    place->is_away = true;
    place->returns_ns = returns_ns;
    place->generation = ++machine->generations;
}

static struct place *choose_place(struct machine *machine) {
    return &machine->places[random_below(&machine->random, machine->place_count)];
}

static bool is_calm(const struct machine *machine, const struct place *place) {
    return machine->hardware[place->counter].calm;
}

static uint64_t choose_absence_ns(struct machine *machine) {
    return machine_true_ns(machine) + random_scaled(&machine->random, 8 * machine->interval_ns);
}

/* Takes the last CPU of a package offline, which removes all its zones. */
static void go_offline(struct machine *machine) {
    const int package_id = choose_place(machine)->package_id;
    const uint64_t returns_ns = choose_absence_ns(machine);
    const bool loses_counters = random_once_in(&machine->random, 3);
    for (size_t i = 0; i < machine->place_count; i++) {
        struct place *place = &machine->places[i];
        if (place->package_id != package_id || place->is_mmio || is_calm(machine, place))
            continue;
        take_away(machine, place, returns_ns);
        if (loses_counters)
            machine->hardware[place->counter].restart = RESTART_ZERO;
    }
    machine->online_mark = random_next(&machine->random);
    machine->seen.offlines++;
}

static void reload_driver(struct machine *machine) {
    const uint64_t returns_ns = choose_absence_ns(machine);
    const bool starts_again = random_once_in(&machine->random, 2);
    for (size_t i = 0; i < machine->place_count; i++) {
        struct place *place = &machine->places[i];
        if (is_calm(machine, place))
            continue;
        take_away(machine, place, returns_ns);
        if (starts_again)
            machine->hardware[place->counter].restart = RESTART_ZERO;
    }
    machine->seen.reloads++;
}

static bool index_is_taken(const struct machine *machine, const struct place *place,
                           unsigned int index) {
    for (size_t i = 0; i < machine->place_count; i++) {
        const struct place *other = &machine->places[i];
        const bool beside = place == &machine->places[place->parent]
                                ? other == &machine->places[other->parent]
                                : other->parent == place->parent && i != other->parent;
        if (other != place && other->there && beside && other->is_mmio == place->is_mmio &&
            other->index == index)
            return true;
    }
    return false;
}

/* The kernel assigns the lowest free number (powercap_sys.c, idr_alloc). Dies are added in order,
 * so zones of one name have the same numbers each time. */
static void show_place(struct machine *machine, struct place *place) {
    place->index = place->index_least;
    while (index_is_taken(machine, place, place->index))
        place->index++;
    place->there = true;
    place->is_away = false;
    place->generation = ++machine->generations;
    if (machine->style == STYLE_PERF) {
        place->epoch = ++machine->epochs;
        machine_settle(machine, &machine->hardware[place->counter]);
        place->base = random_next(&machine->random);
        if (random_once_in(&machine->random, 2)) /* shortly before a wrap */
            place->base = UINT64_MAX - random_scaled(&machine->random, TURN << 20);
        place->base_count = machine->hardware[place->counter].count;
    }
}

static void return_places(struct machine *machine, bool all) {
    const size_t count = machine->place_count;
    const size_t first = (size_t)random_below(&machine->random, count);
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any = any || (machine->places[i].is_away &&
                      (all || machine->places[i].returns_ns <= machine_true_ns(machine)));
    /* Top-level zones begin with a random one, so the order of psys and packages changes. */
    for (int sub = 0; any && sub < 2; sub++) {
        for (size_t i = 0; i < count; i++) {
            struct place *place = &machine->places[(first + i) % count];
            const bool is_sub = place != &machine->places[place->parent];
            if (!place->is_away || is_sub != (sub == 1) ||
                (!all && place->returns_ns > machine_true_ns(machine)) ||
                (is_sub && !machine->places[place->parent].there))
                continue;
            show_place(machine, place);
            machine->seen.returns++;
        }
    }
}

/* Another CPU becomes the lead of its package, so AMD's core zone shows another core. If mirrors
 * are assumed, not between the reads of two of them, which would then differ. */
static void change_online(struct machine *machine, bool inside) {
    machine->online_mark = random_next(&machine->random);
    machine->seen.online++;
    for (size_t i = 0; i < machine->place_count; i++) {
        struct place *place = &machine->places[i];
        const bool leads =
            place->kind == ZONE_CORE && place->core_id == RAPL_NO_ID &&
            (machine->vendor == CPU_VENDOR_AMD || machine->vendor == CPU_VENDOR_HYGON ||
             (machine->vendor == CPU_VENDOR_UNKNOWN && !inside));
        if (!leads || machine->style != STYLE_POWERCAP || !random_once_in(&machine->random, 2))
            continue;
        struct hardware *hardware = &machine->hardware[place->counter];
        machine_settle(machine, hardware);
        hardware->offset = random_next(&machine->random);
        hardware->restarts++;
    }
}

static void reopen_counts(struct machine *machine) {
    for (size_t i = 0; i < machine->place_count; i++) {
        struct place *place = &machine->places[i];
        if (!place->there || !random_once_in(&machine->random, 2))
            continue;
        machine_settle(machine, &machine->hardware[place->counter]);
        place->epoch = ++machine->epochs;
        place->base = random_next(&machine->random);
        place->base_count = machine->hardware[place->counter].count;
    }
    machine->seen.epochs++;
}

void machine_live(struct machine *machine) {
    struct random *random = &machine->random;
    const struct habits *habits = &machine->habits;
    return_places(machine, false);
    for (size_t i = 0; i < machine->counter_count; i++) {
        struct hardware *hardware = &machine->hardware[i];
        if (random_once_in(random, habits->power))
            choose_power(machine, hardware);
        if (hardware->calm || !random_once_in(random, habits->reset))
            continue;
        hardware->restart = RESTART_ZERO + (enum restart)random_below(random, 4);
    }
    if (random_once_in(random, habits->failure))
        fail_place(machine, choose_place(machine), 1);
    if (random_once_in(random, habits->long_failure))
        fail_place(machine, choose_place(machine), 40);
    if (random_once_in(random, habits->offline))
        go_offline(machine);
    if (random_once_in(random, habits->reload))
        reload_driver(machine);
    if (random_once_in(random, habits->online))
        change_online(machine, false);
    if (random_once_in(random, habits->epoch))
        reopen_counts(machine);
    if (random_once_in(random, habits->sleep))
        machine_sleep(machine, 1 + random_scaled(random, 3600 * 12 * NS_PER_S));
    if (random_once_in(random, habits->slew))
        slew(machine);
    if (random_once_in(random, habits->wall_jump)) {
        const uint64_t far_ns = random_scaled(random, 86400 * NS_PER_S);
        machine->wall_ns += random_once_in(random, 2) ? far_ns : 0 - far_ns;
        machine->seen.wall_jumps++;
    }
}

void machine_live_inside(struct machine *machine, bool may_sleep) {
    struct random *random = &machine->random;
    const struct habits *habits = &machine->habits;
    if (random_once_in(random, habits->slow_read))
        machine_pass(machine, random_scaled(random, 2 * NS_PER_S));
    if (!random_once_in(random, habits->inside))
        return;
    if (may_sleep && random_once_in(random, habits->sleep))
        machine_sleep(machine, 1 + random_scaled(random, 3600 * NS_PER_S));
    if (random_once_in(random, habits->offline))
        go_offline(machine);
    if (random_once_in(random, habits->online))
        change_online(machine, true);
}

uint64_t machine_choose_interval(struct machine *machine) {
    struct random *random = &machine->random;
    if (random_once_in(random, machine->habits.outlier))
        return 1000 + random_scaled(random, 4 * 3600 * NS_PER_S);
    return machine->interval_ns + random_below(random, machine->interval_ns / 8 + 1);
}
