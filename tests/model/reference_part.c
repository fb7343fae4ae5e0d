/* SPDX-License-Identifier: MIT */
/* Checks that a part of a package uses no more than the package. */
#include "account.h"

static struct tally *const tally = &reference.tally;

#define UPDATES_NS (50 * NS_PER_MS)

static struct account *find_whole(const struct account *part) {
    const bool is_part =
        part->core_id < 0 &&
        (part->kind == ZONE_CORE || part->kind == ZONE_UNCORE || part->kind == ZONE_LEAD_CORE);
    if (!is_part || part->zone_count != 1 || part->is_apart)
        return NULL;
    const struct fake_zone *package = zone_find_package(part->zones[0]->place);
    return package != NULL ? package->named : NULL;
}

void part_bind(void) {
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *part = &reference.accounts[i];
        struct account *whole = find_whole(part);
        if (whole == part->whole)
            continue;
        part->whole = whole;
        part->followed = NULL;
        part->overrun_count = 0;
    }
}

static uint64_t to_uj(wide shown) {
    return (uint64_t)(shown * 1000000 / machine_parts(reference.machine));
}

static uint64_t later_by(uint64_t a_ns, uint64_t b_ns) {
    return a_ns > b_ns ? a_ns - b_ns : 0;
}

/* Returns whether the part exceeds the package by more than a tenth and what the package can use in
 * a time that may not have been counted; computed in tenths of 10^-15 J. */
static bool is_more(const struct account *whole, uint64_t part_uj, uint64_t whole_uj,
                    uint64_t lacks_ns) {
    const wide used = 10 * (wide)part_uj * 1000000000;
    const wide counted = 11 * (wide)whole_uj * 1000000000;
    /* The core truncates the tenth to whole microjoules. */
    const wide cut = whole_uj % 10 * (wide)1000000000;
    return used > counted - cut + 10 * (wide)account_ceiling_uw(whole) * lacks_ns;
}

/* The steps above the package's must cover at least six tenths of the time since the first of
 * them. */
static void note_overrun(struct account *part, uint64_t end_ns) {
    const struct overrun overrun = {part->last.time_ns, end_ns};
    uint64_t above_ns = end_ns - overrun.begin_ns;
    for (size_t i = 0; i < part->overrun_count; i++)
        above_ns += part->overruns[i].end_ns - part->overruns[i].begin_ns;
    if (part->overrun_count > 0 && above_ns / 6 < (end_ns - part->overruns[0].begin_ns) / 10)
        part->overrun_count = 0;
    part->overruns[part->overrun_count++] = overrun;
    if (part->overrun_count < OVERRUNS_MOST)
        return;
    part->is_apart = true;
    part->whole = part->followed = NULL;
    tally->apart++;
}

/* If the true energy of parts is within the package's, only another counter can exceed it. */
static void check(const struct account *part, const struct glimpse *glimpse) {
    const struct machine *machine = reference.machine;
    const bool same = glimpse->counter == part->last.counter &&
                      machine->hardware[glimpse->counter].whole == part->whole->last.counter &&
                      glimpse->restarts == part->last.restarts && !part->last.is_false;
    tally->strange_parts += glimpse->restarts != part->last.restarts;
    const bool seen = part->whole->range != 0 || machine->style == STYLE_PERF;
    const bool is_unknown = machine->period_ns > NS_PER_MS &&
                            (part->pace.kind != PACE_SLOW || part->whole->pace.kind != PACE_SLOW);
    /* A failed read of 0 may pass for a wrap, and then the package has counted less. */
    const struct glimpse *low = &part->whole->first_low;
    const bool lacks =
        (low->is_false && low->time_ns > part->last.time_ns) || part->whole->was_mistaken;
    if (machine->parts_within && !lacks && same && seen && !machine->is_hot && !part->unseen &&
        !is_unknown)
        reference_complain("%s: energy is taken for more than its package used", part->name);
}

bool part_overruns(struct account *account, const struct glimpse *glimpse, wide shown) {
    const struct account *whole = account->whole;
    if (whole == NULL || account->followed != whole || !whole->reads || whole->held.shown != 0 ||
        whole->row_began > account->followed_in || account->slept || whole->slept)
        return false;
    const uint64_t part_uj = to_uj(account->shown + shown) - to_uj(account->shown);
    const uint64_t whole_uj = to_uj(whole->shown) - to_uj(account->followed_shown);
    const uint64_t end_ns = glimpse->time_ns + glimpse->uncertainty_ns + whole->last.uncertainty_ns;
    const uint64_t lacks_ns = UPDATES_NS + pace_judged_ns(account) + pace_judged_ns(whole) +
                              later_by(account->followed_ns, account->last.time_ns) +
                              later_by(end_ns, whole->last.time_ns);
    if (whole_uj == 0 || glimpse->time_ns == account->last.time_ns ||
        !is_more(whole, part_uj, whole_uj, lacks_ns))
        return false;
    check(account, glimpse);
    note_overrun(account, glimpse->time_ns);
    reference.health.resets += account->lows < 2;
    account->now.slack_uj++;
    account->lost = true;
    tally->overruns++;
    return true;
}

void part_follow(struct account *account) {
    const struct account *whole = account->whole;
    if (!account->follows)
        account->row_began = reference.turn;
    if (whole == NULL)
        return;
    account->followed = account->whole;
    account->followed_shown = whole->shown;
    account->followed_in = reference.turn;
    account->followed_ns =
        whole->last.time_ns + whole->last.uncertainty_ns + account->last.uncertainty_ns;
}
