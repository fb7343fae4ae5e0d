/* SPDX-License-Identifier: MIT */
/* When a counter may start again, so that the rules can tell. */
#include "account.h"

/* Longer than any sample takes: a mirror may show it that much later. */
#define LATER_NS (10 * NS_PER_S)

/* No other zone shows its counter, nor may seem to. */
static bool is_alone(const struct fake_zone *zone) {
    const struct machine *machine = reference.machine;
    unsigned int places = 0;
    for (size_t i = 0; i < machine->place_count; i++)
        places += machine->places[i].counter == zone->place->counter;
    return places == 1 && zone->account->zone_count == 1;
}

/* Or may be, and is not read until that is known. */
static bool is_taken_for_another(size_t counter) {
    for (size_t i = 0; i < reference.zone_count; i++) {
        const struct fake_zone *zone = reference.zones[i];
        if (zone->place->counter == counter &&
            (!zone->is_known || zone->named->withheld || account_is_mixed(zone->account)))
            return true;
    }
    return false;
}

/* It shows one step in a long time, as a counter that is updated seldom does. */
static bool is_at_rest(const struct fake_zone *zone) {
    const struct hardware *hardware = &reference.machine->hardware[zone->place->counter];
    const wide used_aj = (wide)hardware->power_uw * 10 * NS_PER_MS * 1000;
    return used_aj < 2 * (wide)hardware->unit_aj;
}

bool reference_would_count(const struct fake_zone *zone, uint64_t shown, uint64_t time_ns) {
    const struct account *account = zone->account;
    const struct machine *machine = reference.machine;
    uint64_t energy_uj;
    /* What is taken for one counter with another does not start again until they have parted. */
    if (is_taken_for_another(zone->place->counter))
        return true;
    if (account == NULL || !account->has_baseline || zone->zone.epoch != account->epoch)
        return false;
    /* Nor what may not be taken at this sample; nor what is held, for two starts look like a slow
     * counter. */
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
    /* By then the counter may have passed what it showed before it started again. */
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
    /* With the time a new start turns into energy, and energy into what nobody can decide. */
    return verdict == COUNTED || verdict == WRAPPED || step_judge(&later, &energy_uj) != verdict;
}

/* A series that has no zone now, for the counter goes by another name, sees it when it may be too
 * late to tell. */
void reference_started_again(const struct fake_zone *zone) {
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        if (account != zone->account && account->has_baseline &&
            account->last.counter == zone->place->counter)
            account->unseen = true;
    }
}
