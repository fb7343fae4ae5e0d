/* SPDX-License-Identifier: MIT */
/* When zones that were presumed to show one counter turn out not to (rule 9). */
#include "account.h"

static struct tally *const tally = &reference.tally;

static uint64_t apart_uj(const struct fake_zone *a, const struct fake_zone *b) {
    const struct step on = {.before = a->glimpse.shown,
                            .after = b->glimpse.shown,
                            .style = reference.machine->style,
                            .range = a->zone.range_uj,
                            .parts = machine_parts(reference.machine)};
    const uint64_t least = on.before < on.after ? on.before : on.after;
    struct step up = on;
    struct step round = on;
    if (reference.machine->style == STYLE_MSR)
        up.range = round.range = UINT32_MAX;
    up.before = least;
    up.after = on.before + on.after - least;
    round.before = up.after;
    round.after = up.before;
    const uint64_t direct_uj = step_energy_uj(&up, 0);
    const uint64_t round_uj =
        round.range != 0 && round.style != STYLE_PERF ? step_energy_uj(&round, 1) : UINT64_MAX;
    return direct_uj < round_uj ? direct_uj : round_uj;
}

/* How long before or after the one counter the other can have been read. */
static uint64_t most_apart_ns(const struct glimpse *a, const struct glimpse *b) {
    const uint64_t from_ns = a->time_ns < b->time_ns ? a->time_ns : b->time_ns;
    const uint64_t to_ns = a->time_ns + b->time_ns - from_ns;
    return to_ns + a->doubt_ns + b->doubt_ns - from_ns;
}

/* A counter's updates lie 2 ms apart. */
bool mirrors_part(const struct source *source) {
    bool any = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        struct presumption *presumption = presumption_of(zone);
        if (presumption == NULL || !zone->glimpse.tried || zone->glimpse.error != 0)
            continue;
        for (size_t j = 0; j < i; j++) {
            struct fake_zone *other = fake_zone_at(source, j);
            if (presumption_of(other) != presumption || !other->glimpse.tried ||
                other->glimpse.error != 0 || other->place->is_mmio != zone->place->is_mmio)
                continue;
            const bool same = (wide)apart_uj(other, zone) * 1000000000 <=
                              (wide)zone->place->ceiling_uw *
                                  (most_apart_ns(&zone->glimpse, &other->glimpse) + 2 * NS_PER_MS);
            zone->is_same = zone->is_same || same;
            other->is_same = other->is_same || same;
            if (same)
                break;
            presumption->parted = any = true;
            tally->partings++;
            /* Where no range is known, a wrap between the two reads looks like another counter. */
            if (zone->place->counter == other->place->counter && zone->place->shows_range &&
                reference.machine->style != STYLE_PERF)
                reference_complain("%s parts from itself", zone->zone.name);
            if (zone->account != NULL)
                account_forget(zone->account);
            break;
        }
    }
    return any;
}
