/* SPDX-License-Identifier: MIT */
/* Applies a sample to each account (docs/design.md, rules 2 to 4, 9, 10). */
#include "account.h"

static struct tally *const tally = &reference.tally;

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
    account->now.uncertainty_ns = glimpse->uncertainty_ns;
}

/* Ten steps in a row above the ceiling, and below four times the ceiling, raise it. */
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

/* Until a counter is known to be slow, a wrap of it may pass for a restart. */
static bool may_be_unknown(const struct account *account) {
    return reference.machine->period_ns > NS_PER_MS && account->pace.kind != PACE_SLOW;
}

static enum course course_of(enum verdict verdict) {
    return verdict == COUNTED ? COURSE_ON : verdict == JUMP ? COURSE_JUMP : COURSE_BROKEN;
}

/* Checks that what the rules take for energy is energy, and what they take for a restart is one.
 * Returns whether it is energy. */
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
        if (account->unseen || glimpse->counter != account->last.counter) {
            /* Two counters with equal values at their first reading count as one until they part
             * (rule 9): what was counted then mixes both. */
            energy_aj = (wide)energy_uj * AJ_PER_UJ;
            tally->mistaken++;
            account->was_mistaken = true;
        } else if (started_again) {
            reference_complain("%s: a new start passes for energy", account->name);
        }
        /* After a sleep, or without a known range, a wrap that ends above its start is not seen:
         * the counter shows less than was used, never more. */
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
        reference.health.gaps += !account->silent || account->gone;
        break;
    }
    account->now.slack_uj++;
    account->lost = true;
    return false;
}

/* Chooses the zone that served before or has the name of that one; otherwise the first that
 * reads. */
static struct fake_zone *choose_zone(const struct account *account, bool slept) {
    struct fake_zone *chosen = NULL;
    for (size_t i = 0; i < account->zone_count; i++) {
        struct fake_zone *zone = account->zones[i];
        if (!zone->glimpse.tried || zone->glimpse.error != 0 || (slept && !zone->is_known))
            continue;
        if (zone_gave_last(account, zone))
            return zone;
        if (chosen == NULL)
            chosen = zone;
    }
    return chosen;
}

static void note_feeder(struct account *account, const struct fake_zone *zone) {
    account->fed_die = zone->place->die_id;
    account->fed_package = zone->place->package_id;
    account->fed_offset = zone->likeness.offset;
    account->epoch = zone->zone.epoch;
}

/* The first reading, or the first one after account_forget(): the counter is or may be another one,
 * and the energy in between is unknown. */
static void begin(struct account *account, const struct glimpse *glimpse) {
    pace_break(account);
    account->now.slack_uj++;
    note_time(account, glimpse);
    account->power = account->now;
    account->power.kind = AT_READING;
    account->joined = true;
    steady_begin(account, glimpse);
    if (!account->has_read)
        return;
    account->lost = true;
    reference.health.gaps++;
    tally->handovers++;
}

static void end_reading(struct account *account, const struct glimpse *glimpse) {
    account->returns = account->gone;
    account->joined = account->joined || account->gone;
    account->gone = false;
    account->last = *glimpse;
    account->has_read = account->has_baseline = account->reads = true;
    account->silent = account->unseen = false;
    account->silent_slept_ns = 0;
    part_follow(account);
}

void account_begin_earlier(const struct source *source) {
    reference.turn++;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        struct account *account = zone->account;
        const bool begins = zone->begins;
        zone->begins = false;
        if (!begins || account == NULL || account->zones[0] != zone)
            continue;
        account_forget(account);
        account->follows = false;
        if (account->pace.first_ns == 0)
            account->pace.first_ns = zone->likeness.common.time_ns;
        begin(account, &zone->likeness.common);
        end_reading(account, &zone->likeness.common);
        /* A restart since then, which another zone showed, may pass for energy. */
        const struct glimpse *common = &zone->likeness.common;
        account->unseen = common->restarts != reference.machine->hardware[common->counter].restarts;
        note_feeder(account, zone);
        window_sample(account, false);
        pace_decide(account);
    }
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

/* What a zone has counted stays counted: if it leaves, it begins after that. */
static void keep_last(const struct account *account) {
    for (size_t i = 0; i < world.source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(world.source, i);
        if (zone->named == account && account->has_read &&
            zone->place->die_id == account->fed_die &&
            zone->place->package_id == account->fed_package)
            zone_note_last(zone, account);
    }
}

static void take_sample(struct account *account, uint64_t slept_ns) {
    struct fake_zone *zone = choose_zone(account, slept_ns > 0);
    account->slept = account->slept || slept_ns > 0;
    account->follows = account->returns = false;
    if (zone == NULL) {
        fail(account, slept_ns);
        return;
    }
    if (account->pace.first_ns == 0)
        account->pace.first_ns = zone->glimpse.time_ns;
    if (slept_ns == 0 && account->last_zone_index != zone && !zone_gave_last(account, zone))
        keep_last(account);
    if (zone->likeness.offset != account->fed_offset || zone->zone.epoch != account->epoch ||
        (zone->likeness.differs && !zone_gave_last(account, zone)))
        account_forget(account);
    account->last_zone_index = zone;
    note_feeder(account, zone);
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
        begin(account, glimpse);
    }
    end_reading(account, glimpse);
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

/* Packages first, because parts are compared with them. */
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
        if (account->withheld) {
            tally->withheld++;
            note_look(account);
            continue;
        }
        take_sample(account, slept_ns);
        window_sample(account, slept_ns > 0);
        pace_decide(account);
        note_look(account);
        /* It is not known which core was read. */
        if (moved && account_is_lead_core(account))
            account_forget(account);
    }
}

/* It is unknown what counters did during a sleep: nothing is compared, and zones that part after it
 * begin after it. */
static void forget_common(const struct source *source) {
    for (size_t i = 0; i < reference.account_count; i++)
        reference.accounts[i].withheld = reference.accounts[i].is_hidden = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(source, i);
        if (!zone->begins)
            zone->likeness.has_common = false;
    }
}

void reference_sampled(const struct source *source, bool taken) {
    const uint64_t suspend_offset_ns =
        reference.sampled ? reference.suspend_offset_ns : world.begin_ahead_ns;
    const uint64_t slept_ns =
        world.end_ahead_ns > suspend_offset_ns ? world.end_ahead_ns - suspend_offset_ns : 0;
    bool moved = false;
    if (reference.sampled && reference.machine->vendor != CPU_VENDOR_INTEL)
        moved = reference_notice_online();
    count_zones(source);
    if (!taken)
        return;
    if (slept_ns > 0) {
        forget_common(source);
    } else if (alike_compare()) {
        /* At the first sample there was no earlier binding. */
        reference.health.rediscoveries += reference.sampled;
        reference_bind(source);
    }
    reference.suspend_offset_ns = world.begin_ahead_ns;
    grid_sampled();
    reference.sampled = true;
    reference.health.sweeps++;
    tally->samples++;
    tally->slept += slept_ns > 0;
    reference.health.sleeps += slept_ns > 0;
    reference.look_ns = UINT64_MAX;
    account_begin_earlier(source);
    reference.turn++;
    take_samples(slept_ns, moved, true);
    take_samples(slept_ns, moved, false);
    note_unread(source);
    if (moved)
        reference_forget_lead_cores();
    window_sample_sums();
}
