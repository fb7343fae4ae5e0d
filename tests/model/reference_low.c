/* SPDX-License-Identifier: MIT */
/* Decides what a decrease means: a wrap, a restart, or a failed read. */
#include "account.h"

static struct tally *const tally = &reference.tally;

static struct step step_from(const struct account *account, const struct glimpse *from,
                             const struct glimpse *to) {
    struct step step = account_make_step(account, to->shown, to->time_ns, 0);
    step.before = from->shown;
    step.span_ns = to->time_ns - from->time_ns;
    step.slept_ns = 0;
    step.gap = false;
    return step;
}

bool low_begins(const struct account *account, const struct glimpse *glimpse, uint64_t slept_ns) {
    const struct step step = account_make_step(account, glimpse->shown, glimpse->time_ns, slept_ns);
    return glimpse->shown < account->last.shown && step_goes_back(&step) && step.slept_ns == 0 &&
           !account->silent;
}

bool low_is_pending(size_t counter) {
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *account = &reference.accounts[i];
        if (account->lows > 0 &&
            (account->last.counter == counter || account->last_low.counter == counter))
            return true;
    }
    return false;
}

/* Notes the first or a further low reading: only the third one separates a restart from a failed
 * read. */
void low_note(struct account *account, const struct glimpse *glimpse) {
    if (account->lows++ == 0)
        account->first_low = *glimpse;
    else
        reference.health.resets++;
    account->last_low = *glimpse;
    account->reads = false;
    tally->lows++;
}

static void lose(struct account *account) {
    account->now.slack_uj++;
    account->lost = true;
}

/* Counts the energy between two glimpses of the same counter. */
static void count_between(struct account *account, const struct glimpse *from,
                          const struct glimpse *to, uint64_t shown, uint64_t energy_uj) {
    const struct hardware *hardware = &reference.machine->hardware[to->counter];
    wide energy_aj = (wide)(to->count - from->count) * hardware->unit_aj;
    /* A wrap above the ceiling may be taken for a failed read, a wrap right after a failed read for
     * a restart, and without a known range a wrap is not seen: less is counted than was used since
     * the last reading. */
    const bool is_unknown =
        reference.machine->period_ns > NS_PER_MS && account->pace.kind != PACE_SLOW;
    const bool may_be_less = reference.machine->is_hot || account->first_low.is_false ||
                             account->range == 0 || is_unknown;
    const wide most_aj = (wide)(to->count - account->last.count) * hardware->unit_aj;
    if (may_be_less && (wide)energy_uj * AJ_PER_UJ < most_aj)
        energy_aj = (wide)energy_uj * AJ_PER_UJ;
    if (from->counter != to->counter || account->unseen) {
        /* Two counters with equal values count as one until they differ. */
        energy_aj = (wide)energy_uj * AJ_PER_UJ;
        tally->mistaken++;
        account->was_mistaken = true;
    } else if (from->restarts != to->restarts) {
        reference_complain("%s: a new start passes for energy after a low reading", account->name);
    }
    const uint64_t true_uj = (uint64_t)(energy_aj / AJ_PER_UJ);
    if (energy_uj > true_uj + 3 || true_uj > energy_uj + 3)
        reference_complain("%s: the rules count %llu uJ after a low reading, it was %llu",
                           account->name, (unsigned long long)energy_uj,
                           (unsigned long long)true_uj);
    account->now.energy_aj += energy_aj;
    account->now.slack_uj += 2;
    account->shown += shown;
}

/* The counter restarted at the first low reading. If a report has already left it out, power begins
 * there. */
static void count_new_start(struct account *account, const struct glimpse *glimpse) {
    const struct step since = step_from(account, &account->first_low, glimpse);
    if (part_overruns(account, glimpse, step_shown(&since, 0)))
        return;
    account->now.slack_uj++;
    account->now.time_ns = account->first_low.time_ns;
    account->now.uncertainty_ns = account->first_low.uncertainty_ns;
    const struct moment start = account->now;
    count_between(account, &account->first_low, glimpse, step_shown(&since, 0),
                  step_energy_uj(&since, 0));
    tally->resets++;
    if (!account->low_told) {
        account->lost = true;
        return;
    }
    account->power = account->sum_power = start;
    account->power.kind = account->sum_power.kind = AT_READING;
    if (account->sum != NULL)
        account->sum_span = account->sum->spans;
    tally->late_starts++;
}

static bool count_wrap(struct account *account, const struct glimpse *glimpse,
                       const struct step *down) {
    const struct step since = step_from(account, &account->first_low, glimpse);
    const uint64_t shown = step_shown(down, 1) + step_shown(&since, 0);
    if (part_overruns(account, glimpse, shown))
        return false;
    count_between(account, &account->last, glimpse, shown,
                  step_energy_uj(down, 1) + step_energy_uj(&since, 0));
    reference.health.wraps++;
    tally->wraps++;
    return true;
}

static bool count_above(struct account *account, const struct glimpse *glimpse,
                        const struct step *above) {
    if (part_overruns(account, glimpse, step_shown(above, 0)))
        return false;
    count_between(account, &account->last, glimpse, step_shown(above, 0), step_energy_uj(above, 0));
    reference.health.read_errors += account->lows;
    tally->false_lows += account->lows;
    return true;
}

/* Decides with the second or third reading. undecided: set only with COURSE_BROKEN. */
static enum course find_course(const struct account *account, const struct glimpse *glimpse,
                               bool interrupted, bool *undecided) {
    const struct step above = step_from(account, &account->last, glimpse);
    const struct step below = step_from(account, &account->last_low, glimpse);
    const struct step down = step_from(account, &account->last, &account->first_low);
    uint64_t energy_uj;
    const enum verdict is_above = step_judge(&above, &energy_uj);
    const enum verdict is_below = step_judge(&below, &energy_uj);
    const enum verdict went_down = step_judge(&down, &energy_uj);
    const bool can_be_above = !step_goes_back(&above) && is_above != JUMP;
    const bool can_be_below = !step_goes_back(&below) && is_below != JUMP;
    *undecided = interrupted || (can_be_above && (can_be_below || is_above == UNDECIDED)) ||
                 (can_be_below && (is_below == UNDECIDED || went_down == UNDECIDED));
    if (*undecided || (!can_be_above && !can_be_below))
        return COURSE_BROKEN;
    if (can_be_above)
        return COURSE_ON_AFTER_LOW;
    return went_down == WRAPPED ? COURSE_WRAP : COURSE_RESTART;
}

static void lose_low(struct account *account, bool undecided) {
    if (undecided) {
        tally->undecided++;
        reference.health.gaps += !account->silent;
    } else {
        reference.health.resets += account->lows < 2;
        tally->resets++;
    }
    lose(account);
}

enum low_verdict low_judge(struct account *account, const struct glimpse *glimpse,
                           uint64_t slept_ns) {
    const struct step above = step_from(account, &account->last, glimpse);
    const struct step down = step_from(account, &account->last, &account->first_low);
    const struct step since = step_from(account, &account->first_low, glimpse);
    bool undecided;
    bool follows = false;
    uint64_t shown = 0;
    const enum course course =
        find_course(account, glimpse, account->silent_slept_ns + slept_ns > 0, &undecided);
    if (course == COURSE_RESTART && account->lows == 1) {
        low_note(account, glimpse);
        return LOW_GOES_ON;
    }
    if (course == COURSE_ON_AFTER_LOW)
        shown = step_shown(&above, 0);
    else if (course != COURSE_BROKEN)
        shown = step_shown(&since, 0) + (course == COURSE_WRAP ? step_shown(&down, 1) : 0);
    const uint64_t energy_uj = (uint64_t)((wide)shown * 1000000 / machine_parts(reference.machine));
    if (steady_refuses(account, glimpse, course, energy_uj))
        follows = false;
    else if (course == COURSE_BROKEN)
        lose_low(account, undecided);
    else if (course == COURSE_ON_AFTER_LOW)
        follows = count_above(account, glimpse, &above);
    else if (course == COURSE_WRAP)
        follows = count_wrap(account, glimpse, &down);
    else
        count_new_start(account, glimpse);
    account->lows = 0;
    account->low_told = false;
    return follows ? LOW_FOLLOWS : LOW_ENDS;
}

unsigned int reference_count_lows(void) {
    unsigned int count = 0;
    for (size_t i = 0; i < reference.account_count; i++)
        count += (reference.accounts[i].lows == 1 ? 1U : 0) + reference.accounts[i].withheld;
    return count;
}

unsigned int reference_count_gaps(void) {
    unsigned int count = 0;
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *account = &reference.accounts[i];
        const bool missed = account->told || (account->sum != NULL && account->sum->told);
        const bool is_open = account->withheld || account->is_hidden;
        count += account->lows == 1 || (is_open && missed);
    }
    return count;
}

/* Returns whether all zones of the counter read: if one of them fails with a lower value, they
 * differ once. */
static bool is_steady_family(const struct fake_zone *zone) {
    const struct machine *machine = reference.machine;
    const struct account *account = zone->account;
    size_t places = 0;
    for (size_t i = 0; i < machine->place_count; i++)
        places += machine->places[i].counter == zone->place->counter && machine->places[i].there;
    for (size_t i = 0; i < account->zone_count; i++) {
        if (account->zones[i]->likeness.differs || account->zones[i]->place->error_left > 0)
            return false;
    }
    return zone->is_known && places == account->zone_count && !account_is_mixed(account);
}

/* Not soon after a restart, because then two events would coincide. */
bool reference_is_settled(const struct fake_zone *zone) {
    const struct account *account = zone->account;
    const struct machine *machine = reference.machine;
    const struct hardware *hardware = &machine->hardware[zone->place->counter];
    /* perf's sum continues past its maximum, where a lower value is an increase. */
    if (machine->style == STYLE_PERF && (account == NULL || account->last.shown > INT64_MAX))
        return false;
    return account != NULL && is_steady_family(zone) && account->has_baseline &&
           account->lows == 0 && !account->silent && !account->lost && !account->unseen &&
           zone->zone.epoch == account->epoch && account->last.counter == zone->place->counter &&
           account->last.restarts == hardware->restarts && hardware->restart == RESTART_NONE;
}
