/* SPDX-License-Identifier: MIT */
/* What a sample means for each account: rules 2 to 5, 9, 10. */
#include <errno.h>
#include <string.h>

#include "account.h"

static struct tally *const tally = &reference.tally;

/* --- looking for zones (rule 5) -----------------------------------------------------------------
 */

static bool is_lead_core(const struct account *account) {
    return account->kind == ZONE_LEAD_CORE ||
           (account->kind == ZONE_CORE && reference.machine->vendor == CPU_VENDOR_UNKNOWN);
}

/* Rule 10: with other CPUs online, a lead core may be another one. */
static bool notice_online(void) {
    if (reference.online_mark == reference.machine->online_mark)
        return false;
    reference.online_mark = reference.machine->online_mark;
    reference.looks_left = 3;
    for (size_t i = 0; i < reference.account_count; i++) {
        if (is_lead_core(&reference.accounts[i]))
            account_forget(&reference.accounts[i]);
    }
    return true;
}

void reference_watch(void) {
    notice_online();
}

/* A look can mend it: gone; there again for root alone, as a driver that is loaded again is until
 * udev's rules ran; or not opened for want of descriptors or memory. */
static bool is_mendable(int error) {
    return source_lost_zone(error) || error == -EACCES || error == -EPERM || error == -EMFILE ||
           error == -ENFILE || error == -ENOMEM;
}

static bool is_missing(const struct account *account) {
    if (!account->has_read || account->ended || account->reads)
        return false;
    for (size_t i = 0; i < account->zone_count; i++) {
        if (!is_mendable(account->zones[i]->zone.error))
            return false;
    }
    return true;
}

bool reference_look_is_due(void) {
    const struct machine *machine = reference.machine;
    bool due = !reference.bound ||
               machine->monotonic_ns + machine->ahead_ns - reference.looked_ns >= 60 * NS_PER_S;
    for (size_t i = 0; i < reference.account_count; i++)
        due = due || is_missing(&reference.accounts[i]);
    if (reference.looks_left > 0) {
        reference.looks_left--;
        due = true;
    }
    return due;
}

void reference_looked(const struct source *source, bool changed) {
    const struct machine *machine = reference.machine;
    const bool first = !reference.sampled;
    reference.looked_ns = machine->monotonic_ns + machine->ahead_ns;
    if (changed && !first)
        reference.health.rediscoveries++;
    if (changed)
        reference.bound = false;
    (void)source;
}

void reference_look_failed(void) {
    reference.looked_ns = 0;
    reference.bound = false;
}

/* --- readings ----------------------------------------------------------------------------------
 */

struct step account_make_step(const struct account *account, uint64_t shown, uint64_t time_ns,
                              uint64_t slept_ns) {
    return (struct step){.before = account->last.shown,
                         .after = shown,
                         .span_ns = time_ns - account->last.time_ns,
                         .slept_ns = account->silent_slept_ns + slept_ns,
                         .gap = account->silent,
                         .style = reference.machine->style,
                         .period_ns = pace_judged_ns(account),
                         .range = account->range,
                         .parts = machine_parts(reference.machine),
                         .ceiling_uw = account_ceiling_uw(account)};
}

/* Longer than any sample takes: a mirror may show it that much later. */
#define LATER_NS (10 * NS_PER_S)

/* No other zone shows its counter, nor may seem to. */
static bool is_alone(const struct fake_zone *zone) {
    const struct machine *machine = reference.machine;
    unsigned int places = 0;
    for (size_t i = 0; i < machine->place_count; i++)
        places += machine->places[i].counter == zone->place->counter;
    return places == 1 && presumption_of(zone) == NULL;
}

bool reference_would_count(const struct fake_zone *zone, uint64_t shown, uint64_t time_ns) {
    const struct account *account = zone->account;
    const struct machine *machine = reference.machine;
    uint64_t energy_uj;
    if (account == NULL || !account->has_baseline || zone->zone.epoch != account->epoch)
        return false;
    if (low_is_pending(zone->place->counter))
        return true;
    const uint64_t slept_ns =
        machine->ahead_ns > reference.ahead_ns ? machine->ahead_ns - reference.ahead_ns : 0;
    const struct step step = account_make_step(account, shown, time_ns, slept_ns);
    const struct step later = account_make_step(account, shown, time_ns + LATER_NS, slept_ns);
    const enum verdict verdict = step_judge(&step, &energy_uj);
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

static wide true_energy_aj(const struct account *account, const struct glimpse *glimpse) {
    const struct hardware *hardware = &reference.machine->hardware[glimpse->counter];
    return (wide)(glimpse->count - account->last.count) * hardware->unit_aj;
}

static bool is_wrong(uint64_t energy_uj, wide true_aj, uint64_t slack_uj) {
    const uint64_t true_uj = (uint64_t)(true_aj / AJ_PER_UJ);
    const uint64_t apart_uj = energy_uj > true_uj ? energy_uj - true_uj : true_uj - energy_uj;
    return apart_uj > slack_uj;
}

static void note_time(struct account *account, const struct glimpse *glimpse) {
    account->now.time_ns = glimpse->time_ns;
    account->now.doubt_ns = glimpse->doubt_ns;
}

/* Ten steps in a row above the ceiling, and below four times as much, raise it. */
static void judge_ceiling(struct account *account, struct step step, bool refused) {
    uint64_t energy_uj;
    const bool is_above = step_judge(&step, &energy_uj) == JUMP;
    step.ceiling_uw = account->place->raised_uw;
    account->above = is_above && account->place->raised_uw != 0 && step_may_be_energy(&step)
                         ? account->above + 1
                         : 0;
    tally->above += account->above > 0;
    if (account->raised || account->above < 10 || !is_above || refused)
        return;
    account->raised = true;
    tally->raised++;
}

/* Before it is known how seldom a counter moves, a wrap of it may pass for a new start. */
static bool may_be_unknown(const struct account *account) {
    return reference.machine->period_ns > NS_PER_MS && account->pace.kind != PACE_SLOW;
}

static enum course course_of(enum verdict verdict) {
    return verdict == COUNTED ? COURSE_ON : verdict == JUMP ? COURSE_JUMP : COURSE_BROKEN;
}

/* What the rules take for energy is energy, and what they take for a new start is one. Whether it
 * is energy. */
static bool count_step(struct account *account, const struct fake_zone *zone, uint64_t slept_ns) {
    const struct glimpse *glimpse = &zone->glimpse;
    const struct step step = account_make_step(account, glimpse->shown, glimpse->time_ns, slept_ns);
    const bool started_again =
        glimpse->counter != account->last.counter || glimpse->restarts != account->last.restarts;
    const bool slept = step.slept_ns > 0;
    const bool is_unknown = may_be_unknown(account);
    const bool follows = slept_ns == 0 && !account->silent;
    wide energy_aj = true_energy_aj(account, glimpse);
    uint64_t energy_uj;
    const enum verdict verdict = step_judge(&step, &energy_uj);
    const bool refused =
        steady_refuses(account, glimpse, course_of(verdict), verdict == COUNTED ? energy_uj : 0);
    const bool held =
        verdict == JUMP && follows && !refused && pace_hold(account, glimpse, started_again);
    judge_ceiling(account, step, refused || held);
    note_time(account, glimpse);
    if (verdict == JUMP && !held)
        account->pace.update.time_ns = 0;
    if (held)
        pace_take(account, glimpse, glimpse->shown - account->last.shown);
    else if (refused)
        pace_break(account);
    if (held || refused)
        return false;
    switch (verdict) {
    case COUNTED:
    case WRAPPED:
        if (part_overruns(account, glimpse, step_shown(&step, verdict == WRAPPED))) {
            pace_break(account);
            return false;
        }
        if (account->unseen || (glimpse->counter != account->last.counter && zone->is_same)) {
            /* Two counters that stood alike when both were read for the first time are one until
             * they part (rule 9): what was counted then is what the one showed of the other. */
            energy_aj = (wide)energy_uj * AJ_PER_UJ;
            tally->mistaken++;
        } else if (started_again) {
            reference_complain("%s: a new start passes for energy", account->name);
        }
        /* In a sleep, or where no range is known, a turn that ends higher than it began is seen by
         * nobody: what the counter tells is less than what was used, and never more. */
        if ((slept || step.range == 0 || is_unknown) && (wide)energy_uj * AJ_PER_UJ < energy_aj) {
            energy_aj = (wide)energy_uj * AJ_PER_UJ;
            account->now.slack_uj++;
        }
        account->now.slack_uj += verdict == WRAPPED ? 2 : 0;
        if (is_wrong(energy_uj, energy_aj, 2))
            reference_complain("%s: the rules count %llu uJ, it was %llu", account->name,
                               (unsigned long long)energy_uj,
                               (unsigned long long)(energy_aj / AJ_PER_UJ));
        account->now.energy_aj += energy_aj;
        account->shown += step_shown(&step, verdict == WRAPPED);
        if (follows)
            pace_take(account, glimpse, step_shown(&step, verdict == WRAPPED));
        else
            pace_break(account);
        tally->wraps += verdict == WRAPPED;
        reference.health.wraps += verdict == WRAPPED;
        return true;
    case NEW_START:
    case JUMP:
        if (verdict == JUMP && follows)
            pace_take(account, glimpse, glimpse->shown - account->last.shown);
        else
            pace_break(account);
        if (!started_again && !slept && step.range != 0 && !reference.machine->is_hot &&
            !is_unknown)
            reference_complain("%s: energy passes for a new start", account->name);
        tally->resets += verdict == NEW_START;
        tally->jumps += verdict == JUMP;
        reference.health.resets++;
        break;
    case UNDECIDED:
        pace_break(account);
        tally->undecided++;
        reference.health.gaps += !account->silent;
        break;
    }
    account->now.slack_uj++;
    account->lost = true;
    return false;
}

/* It gave the last reading, or is the zone of that name that has returned (rule 5). */
static bool gave_last(const struct account *account, const struct fake_zone *zone) {
    return account->has_read && zone->place->die_id == account->fed_die &&
           zone->place->package_id == account->fed_package;
}

/*
 * Which zone serves: the one that did, or one that was seen to show the same counter. Otherwise the
 * first that reads, and that is another counter for all that is known: other tells so.
 */
static struct fake_zone *choose_zone(const struct account *account, bool *other) {
    struct fake_zone *chosen = NULL;
    for (size_t i = 0; i < account->zone_count; i++) {
        struct fake_zone *zone = account->zones[i];
        if (!zone->glimpse.tried || zone->glimpse.error != 0)
            continue;
        *other = account->has_read && !zone->is_same && !gave_last(account, zone);
        if (!*other && (account->has_read || zone->is_same))
            return zone;
        if (chosen == NULL)
            chosen = zone;
    }
    *other = account->has_read;
    return chosen;
}

static void fail(struct account *account, uint64_t slept_ns) {
    if (account->lows > 0)
        account_forget(account);
    account->silent_slept_ns += slept_ns;
    if (!account->has_baseline || account->silent)
        return;
    account->silent = true;
    tally->gaps++;
    reference.health.gaps++;
}

static void take_sample(struct account *account, uint64_t slept_ns) {
    bool other = false;
    struct fake_zone *zone = choose_zone(account, &other);
    account->slept = account->slept || slept_ns > 0;
    account->follows = account->returns = false;
    if (zone == NULL) {
        fail(account, slept_ns);
        return;
    }
    if (account->pace.first_ns == 0)
        account->pace.first_ns = zone->glimpse.time_ns;
    if (account->has_read && (other || zone->zone.epoch != account->epoch))
        account_forget(account);
    account->fed_die = zone->place->die_id;
    account->fed_package = zone->place->package_id;
    account->epoch = zone->zone.epoch;
    const struct glimpse *glimpse = &zone->glimpse;
    const wide shown = account->shown;
    if (account->has_baseline && account->lows > 0) {
        const enum low_verdict verdict = low_judge(account, glimpse, slept_ns);
        if (verdict == LOW_GOES_ON)
            return;
        account->follows = verdict == LOW_FOLLOWS;
        account->above = 0;
        note_time(account, glimpse);
        if (verdict == LOW_FOLLOWS)
            pace_take(account, glimpse, account->shown - shown);
        else
            pace_break(account);
    } else if (account->has_baseline && low_begins(account, glimpse, slept_ns)) {
        low_note(account, glimpse);
        return;
    } else if (account->has_baseline) {
        account->follows = count_step(account, zone, slept_ns) && slept_ns == 0;
    } else {
        pace_break(account);
        account->now.slack_uj++;
        note_time(account, glimpse);
        account->power = account->now;
        account->power.kind = AT_READING;
        account->joined = true;
        steady_begin(account, glimpse);
        /* It has been another counter, or may have been: what went by in between is not known. */
        if (account->has_read) {
            account->lost = true;
            reference.health.gaps++;
            tally->handovers++;
        }
    }
    account->returns = account->gone;
    account->joined = account->joined || account->gone;
    account->gone = false;
    account->last = *glimpse;
    account->has_read = account->has_baseline = account->reads = true;
    account->silent = account->unseen = false;
    account->silent_slept_ns = 0;
    part_follow(account);
}

/* --- a sample ------------------------------------------------------------------------------------
 */

static void count_zones(const struct source *source) {
    reference.health.zones = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct fake_zone *zone = fake_zone_at(source, i);
        if (!zone->glimpse.tried)
            continue;
        reference.health.zones += zone->glimpse.error == 0;
        reference.health.read_errors += zone->glimpse.error != 0;
        tally->errors += zone->glimpse.error != 0;
    }
}

static void note_look(const struct account *account) {
    const struct pace *pace = &account->pace;
    if (pace->shown_ns == 0 && account->now.time_ns - pace->first_ns > 12 * NS_PER_S)
        return;
    const uint64_t look_ns = pace_look_ns(account);
    if ((account->reads || account->lows > 0) && look_ns < reference.look_ns)
        reference.look_ns = look_ns;
}

/* Packages come first, for their parts are held against them. */
static void take_samples(uint64_t slept_ns, bool moved, bool packages) {
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        if ((account->kind == ZONE_PACKAGE) != packages)
            continue;
        account->reads = false;
        if (account->ended || !account_is_wanted(account)) {
            note_look(account);
            continue;
        }
        take_sample(account, slept_ns);
        window_sample(account, slept_ns > 0);
        pace_decide(account);
        note_look(account);
        /* It is not known which core was read. */
        if (moved && is_lead_core(account))
            account_forget(account);
    }
}

void reference_sampled(const struct source *source, bool taken) {
    const uint64_t ahead_ns = reference.sampled ? reference.ahead_ns : world.begin_ahead_ns;
    const uint64_t slept_ns = world.end_ahead_ns > ahead_ns ? world.end_ahead_ns - ahead_ns : 0;
    bool moved = false;
    if (reference.sampled && reference.machine->vendor != CPU_VENDOR_INTEL)
        moved = notice_online();
    count_zones(source);
    if (slept_ns == 0 && mirrors_part(source)) {
        /* At the first sample nobody has seen them as one. */
        reference.health.rediscoveries += reference.sampled;
        reference.bound = false;
        if (taken)
            reference_bind(source);
    }
    if (!taken)
        return;
    reference.ahead_ns = world.begin_ahead_ns;
    grid_sampled();
    reference.sampled = true;
    reference.health.samples++;
    tally->samples++;
    tally->slept += slept_ns > 0;
    reference.health.sleeps += slept_ns > 0;
    reference.look_ns = UINT64_MAX;
    take_samples(slept_ns, moved, true);
    take_samples(slept_ns, moved, false);
    window_sample_sums();
}
