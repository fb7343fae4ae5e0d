/* SPDX-License-Identifier: MIT */
/* Decides when a counter may restart without misleading the rules. */
#include "account.h"

/* Longer than any sample takes: a mirror may show the restart that much later. */
#define LATER_NS (10 * NS_PER_S)

/* Returns whether no other zone shows its counter, or may seem to. */
static bool is_alone(const struct fake_zone *zone) {
    const struct machine *machine = reference.machine;
    unsigned int places = 0;
    for (size_t i = 0; i < machine->place_count; i++)
        places += machine->places[i].counter == zone->place->counter;
    return places == 1 && zone->account->zone_count == 1;
}

/* Also true if it may be another counter and is not read until that is known. */
static bool is_taken_for_another(size_t counter) {
    for (size_t i = 0; i < reference.zone_count; i++) {
        const struct fake_zone *zone = reference.zones[i];
        if (zone->place->counter == counter &&
            (!zone->is_known || zone->named->withheld || account_is_mixed(zone->account)))
            return true;
    }
    return false;
}

/* Returns whether it shows a single step in a long time, like a slow counter. */
static bool is_at_rest(const struct fake_zone *zone) {
    const struct hardware *hardware = &reference.machine->hardware[zone->place->counter];
    const wide used_aj = (wide)hardware->power_uw * 10 * NS_PER_MS * 1000;
    return used_aj < 2 * (wide)hardware->unit_aj;
}

bool reference_would_count(const struct fake_zone *zone, uint64_t shown, uint64_t time_ns) {
    const struct account *account = zone->account;
    const struct machine *machine = reference.machine;
    uint64_t energy_uj;
    /* A counter taken for the same as another one does not restart until they have parted. */
    if (is_taken_for_another(zone->place->counter))
        return true;
    if (account == NULL || !account->has_baseline || zone->zone.epoch != account->epoch)
        return false;
    /* Not while low readings or held steps are pending, or before its counter is known: two
     * restarts look like a slow counter. */
    if (low_is_pending(zone->place->counter) || !zone->is_known || account->held.shown != 0)
        return true;
    const uint64_t slept_ns = machine->suspend_offset_ns > reference.suspend_offset_ns
                                  ? machine->suspend_offset_ns - reference.suspend_offset_ns
                                  : 0;
    const struct step step = account_make_step(account, shown, time_ns, slept_ns);
    const struct step later = account_make_step(account, shown, time_ns + LATER_NS, slept_ns);
    const enum verdict verdict = step_judge(&step, &energy_uj);
    if (verdict == JUMP && account->pace.kind == PACE_UNKNOWN && is_at_rest(zone))
        return true;
    /* By then the counter may have passed its value before the restart. */
    const struct step missing = {.before = shown,
                                 .after = step.before,
                                 .style = step.style,
                                 .range = step.range,
                                 .parts = step.parts};
    if (shown <= step.before &&
        (wide)step_energy_uj(&missing, 0) * 1000000000 <= (wide)step.ceiling_uw * LATER_NS)
        return true;
    if (verdict == COUNTED && slept_ns == 0 && is_alone(zone) &&
        steady_would_refuse(account, shown, time_ns, energy_uj))
        return false;
    /* With time a restart starts to look like energy, and energy becomes undecidable. */
    return verdict == COUNTED || verdict == WRAPPED || step_judge(&later, &energy_uj) != verdict;
}

/* A series without a zone now, because the counter has another name, may see the restart too late
 * to recognize it. */
void reference_started_again(const struct fake_zone *zone) {
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        if (account != zone->account && account->has_baseline &&
            account->last.counter == zone->place->counter)
            account->unseen = true;
    }
}
