/* SPDX-License-Identifier: MIT */
/* Finds how often a counter moves, and which power is therefore known. */
#include "account.h"

#define SLOW_NS (25 * NS_PER_MS)
#define USUAL_NS UINT64_C(1200000)
#define LONGEST_NS (12 * NS_PER_S)
#define SHARP 20
#define RESTS 3

static struct tally *const tally = &reference.tally;

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t apart_ns(uint64_t begin_ns, uint64_t end_ns) {
    return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

static uint64_t stood_ns(const struct account *account) {
    const struct pace *pace = &account->pace;
    return pace->shown_ns != 0 ? apart_ns(pace->shown_ns, account->now.time_ns) : 0;
}

void pace_break(struct account *account) {
    account->pace.unshown_ns = account->pace.shown_ns = 0;
    account->pace.was_large = account->pace.stands = false;
    account->pace.update.time_ns = 0;
    account->held.is_over = true;
}

/* --- the period ------------------------------------------------------------------------------- */

/* Two moves were between short_ns and long_ns apart. After three spans in a row that are longer
 * than possible, the period is taken to be a new one. */
static void learn(struct pace *pace, uint64_t short_ns, uint64_t long_ns) {
    const bool contradicts = pace->longest_ns != 0 && short_ns > pace->longest_ns;
    const bool is_like =
        2 * short_ns <= 3 * pace->rested_ns + 1 && 2 * pace->rested_ns <= 3 * short_ns + 1;
    if (!contradicts)
        pace->contradictions = 0;
    else
        pace->contradictions = is_like ? pace->contradictions + 1 : 1;
    if (contradicts)
        pace->rested_ns = short_ns;
    if (contradicts && (pace->contradictions < 3 || long_ns > LONGEST_NS))
        return;
    if (contradicts) {
        pace->contradictions = 0;
        pace->shortest_ns = short_ns;
        pace->longest_ns = long_ns;
        return;
    }
    pace->shortest_ns = most(pace->shortest_ns, short_ns);
    if (long_ns != UINT64_MAX && (pace->longest_ns == 0 || long_ns < pace->longest_ns)) {
        pace->longest_ns = long_ns;
        if (pace->shortest_ns > long_ns)
            pace->shortest_ns = short_ns;
    }
}

static void seek_anew(struct pace *pace) {
    pace->kind = PACE_UNKNOWN;
    pace->sought_ns = 0;
    pace->spans = 0;
    pace->may_be_slow = false;
}

static void name_pace(struct pace *pace, uint64_t now_ns, bool was_long) {
    const bool knows = pace->longest_ns != 0;
    const bool is_short = knows && pace->longest_ns <= SLOW_NS;
    const bool is_exact = knows && pace->longest_ns - pace->shortest_ns <= pace->longest_ns / 8;
    if (pace->shortest_ns > SLOW_NS) {
        pace->kind = PACE_SLOW;
        return;
    }
    if (pace->kind == PACE_SLOW || (pace->kind == PACE_QUICK && !is_short) ||
        (pace->kind == PACE_TAKEN_FOR_QUICK && is_short && was_long))
        seek_anew(pace);
    const unsigned int enough = pace->longest_ns <= USUAL_NS + NS_PER_MS / 2 ? 8 : 64;
    if (is_short && (pace->spans >= enough || is_exact || pace->kind == PACE_QUICK)) {
        pace->kind = PACE_QUICK;
    } else if (pace->kind == PACE_UNKNOWN) {
        if (pace->sought_ns == 0)
            pace->sought_ns = now_ns;
        if (now_ns - pace->sought_ns > LONGEST_NS)
            pace->kind = PACE_TAKEN_FOR_QUICK;
    }
}

static bool is_sharp(const struct pace *pace, uint64_t width_ns) {
    return width_ns <= pace->shortest_ns / SHARP;
}

static void begin_there(const struct account *account, struct moment *power,
                        const struct moment *update) {
    if (update->kind > power->kind && update->time_ns >= power->time_ns &&
        update->time_ns - power->time_ns < SHARP * account->pace.longest_ns)
        *power = *update;
}

/* Returns the last instant, up to that time, at which counters moved. */
static uint64_t true_update_ns(uint64_t time_ns) {
    const struct machine *machine = reference.machine;
    const uint64_t now_ns = time_ns + machine->suspend_offset_ns;
    const uint64_t period_ns = machine->period_ns != 0 ? machine->period_ns : 1;
    return now_ns - now_ns % period_ns - machine->suspend_offset_ns;
}

static void note_update(struct account *account, uint64_t begin_ns, uint64_t end_ns) {
    struct pace *pace = &account->pace;
    const bool sharp = is_sharp(pace, end_ns - begin_ns);
    const bool is_slow = pace->kind == PACE_SLOW;
    struct moment update = account->now;
    update.kind = sharp || !is_slow ? AT_UPDATE : AT_MOVE;
    update.true_ns = true_update_ns(account->now.time_ns);
    if (update.kind == AT_UPDATE) {
        update.time_ns = begin_ns + (end_ns - begin_ns) / 2;
        update.uncertainty_ns = (end_ns - begin_ns) / 2;
    }
    if (is_slow) {
        if (pace->update.time_ns != 0 && is_sharp(pace, pace->update_width_ns)) {
            begin_there(account, &account->power, &pace->update);
            begin_there(account, &account->sum_power, &pace->update);
        }
        begin_there(account, &account->power, &update);
        begin_there(account, &account->sum_power, &update);
    }
    if (update.kind != AT_UPDATE)
        return;
    pace->update = update;
    pace->update_width_ns = end_ns - begin_ns;
}

static bool is_large(const struct account *account, wide moved) {
    const uint64_t parts = machine_parts(reference.machine);
    if (reference.machine->style != STYLE_POWERCAP)
        return moved >= 2 * machine_unit_parts(reference.machine);
    const uint64_t unit_uj = (account->range + UINT32_MAX / 2) / UINT32_MAX;
    return unit_uj != 0 ? moved >= 2 * unit_uj : moved * 1000 > parts;
}

void pace_take(struct account *account, const struct glimpse *glimpse, wide moved) {
    struct pace *pace = &account->pace;
    const uint64_t begin_ns = account->last.time_ns - account->last.uncertainty_ns;
    const uint64_t end_ns = glimpse->time_ns + glimpse->uncertainty_ns;
    if (begin_ns >= end_ns)
        return;
    if (moved == 0) {
        pace->stands = true;
        if (pace->shown_ns == 0)
            pace->shown_ns = begin_ns;
        if (pace->kind != PACE_UNKNOWN)
            return;
        if ((pace->sought_ns == 0 || pace->was_large) && apart_ns(pace->shown_ns, end_ns) > SLOW_NS)
            pace->may_be_slow = true;
        if (pace->sought_ns != 0)
            name_pace(pace, end_ns, false);
        return;
    }
    /* For a quick counter, a move after more than a period is large. */
    const bool is_usual = pace->kind == PACE_QUICK &&
                          glimpse->time_ns - account->last.time_ns > pace->longest_ns &&
                          !pace->stands;
    const bool large = is_large(account, moved);
    uint64_t short_ns = 0;
    if (large && pace->was_large && pace->shown_ns != 0)
        short_ns = apart_ns(pace->shown_ns, begin_ns);
    if (short_ns > LONGEST_NS)
        short_ns = 0;
    const bool was_long = pace->longest_ns == 0 || pace->longest_ns > SLOW_NS;
    pace->spans += pace->unshown_ns != 0;
    learn(pace, short_ns, pace->unshown_ns != 0 ? apart_ns(pace->unshown_ns, end_ns) : UINT64_MAX);
    if (!pace->moves && pace->may_be_slow) {
        account->power = account->now;
        account->power.kind = AT_MOVE;
        account->sum_power = account->power;
    }
    pace->moves = true;
    pace->is_stuck = false;
    pace->unshown_ns = begin_ns;
    pace->shown_ns = is_usual ? 0 : end_ns;
    pace->stands = false;
    pace->was_large = large || is_usual;
    pace->may_be_slow = pace->may_be_slow && large;
    name_pace(pace, end_ns, was_long);
    if (pace->kind != PACE_QUICK)
        note_update(account, begin_ns, end_ns);
}

uint64_t pace_judged_ns(const struct account *account) {
    const struct pace *pace = &account->pace;
    const bool knows = pace->kind == PACE_QUICK || pace->kind == PACE_SLOW;
    return knows && pace->longest_ns > 2500000 ? pace->longest_ns : 0;
}

uint64_t pace_update_ns(const struct account *account) {
    const struct pace *pace = &account->pace;
    if (pace->longest_ns != 0 && pace->longest_ns <= LONGEST_NS)
        return most(pace->longest_ns, USUAL_NS);
    return pace->kind == PACE_TAKEN_FOR_QUICK ? USUAL_NS : UINT64_MAX;
}

uint64_t pace_look_ns(const struct account *account) {
    const struct pace *pace = &account->pace;
    const uint64_t now_ns = account->now.time_ns;
    if (pace->kind == PACE_UNKNOWN && pace->sought_ns != 0 &&
        apart_ns(pace->sought_ns, now_ns) > LONGEST_NS)
        return UINT64_MAX;
    if (pace->kind == PACE_UNKNOWN)
        return stood_ns(account) > LONGEST_NS ? UINT64_MAX
                                              : most(NS_PER_MS / 2, stood_ns(account) / 32);
    if (pace->kind != PACE_SLOW || pace->unshown_ns == 0 ||
        stood_ns(account) > 3 * pace->longest_ns ||
        reference.interval_ns / SHARP >= pace->longest_ns)
        return UINT64_MAX;
    return most(apart_ns(now_ns, pace->unshown_ns + pace->shortest_ns), pace->shortest_ns / 32);
}

/* --- steps that are held ---------------------------------------------------------------------- */

static bool is_below_ceiling(const struct account *account, wide shown, uint64_t span_ns) {
    const wide energy_uj = shown * 1000000 / machine_parts(reference.machine);
    return energy_uj * 1000000000 <= (wide)account_ceiling_uw(account) * span_ns;
}

static uint64_t to_uj(wide shown) {
    return (uint64_t)(shown * 1000000 / machine_parts(reference.machine));
}

/* The account is still at the previous reading. */
bool pace_hold(struct account *account, const struct glimpse *glimpse, bool is_start) {
    const struct pace *pace = &account->pace;
    const struct hardware *hardware = &reference.machine->hardware[glimpse->counter];
    const wide shown = glimpse->shown - account->last.shown;
    const uint64_t span_ns = glimpse->time_ns - account->last.time_ns;
    uint64_t longest_ns = LONGEST_NS;
    if (pace->kind == PACE_QUICK || pace->kind == PACE_SLOW) {
        longest_ns = pace->shown_ns != 0 ? apart_ns(pace->shown_ns, glimpse->time_ns) : 0;
        if (pace->kind == PACE_QUICK || longest_ns <= pace->longest_ns || longest_ns > LONGEST_NS)
            return false;
    }
    if (!is_below_ceiling(account, shown, span_ns + longest_ns))
        return false;
    if (account->held.shown == 0)
        account->held = (struct held){.since_ns = glimpse->time_ns, .is_new = true};
    wide energy_aj = (wide)(glimpse->count - account->last.count) * hardware->unit_aj;
    if (is_start)
        energy_aj = 0;
    account->held.is_start = account->held.is_start || is_start;
    account->held.energy_aj += energy_aj;
    account->held.shown += shown;
    account->held.span_ns += span_ns;
    account->now.energy_aj += energy_aj;
    account->now.slack_uj++;
    tally->held++;
    return true;
}

void pace_decide(struct account *account) {
    const struct pace *pace = &account->pace;
    struct held *held = &account->held;
    const bool reads = account->reads || account->lows > 0;
    if (held->shown == 0)
        return;
    if (held->is_new) {
        held->is_new = false;
        held->spans = pace->spans;
    }
    const bool moved_on = pace->spans != held->spans;
    const bool is_open = pace->kind == PACE_UNKNOWN ||
                         (pace->kind == PACE_SLOW && (pace->contradictions > 0 || !moved_on));
    if (reads && !held->is_over && account->now.time_ns - held->since_ns < 3 * LONGEST_NS &&
        is_open)
        return;
    if (pace->kind == PACE_SLOW && moved_on &&
        is_below_ceiling(account, held->shown, held->span_ns + 2 * pace->longest_ns)) {
        if (held->is_start)
            reference_complain("%s: a new start passes for a slow counter's step", account->name);
        const uint64_t before_uj = to_uj(account->shown);
        account->shown += held->shown;
        account->observed += held->shown;
        if (account->sum != NULL)
            account->sum->observed += to_uj(account->shown) - before_uj;
        account->now.slack_uj++;
        tally->held_counted++;
    } else {
        account->now.energy_aj -= held->energy_aj;
        account->pace.update.time_ns = 0;
        account->lost = true;
        reference.health.resets++;
        tally->jumps++;
    }
    *held = (struct held){.shown = 0};
}

/* --- power ------------------------------------------------------------------------------------ */

/* A counter that never moved rests if it stands still for three of the longest known periods. */
static uint64_t find_rest_ns(void) {
    uint64_t slowest_ns = 0;
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *account = &reference.accounts[i];
        if (account->pace.kind == PACE_QUICK || account->pace.kind == PACE_SLOW)
            slowest_ns = most(slowest_ns, pace_update_ns(account));
    }
    return slowest_ns != 0 ? RESTS * slowest_ns : UINT64_MAX;
}

static uint64_t shortest_span_ns(const struct account *account) {
    const uint64_t unit_uj = reference.machine->hardware[account->last.counter].unit_aj / AJ_PER_UJ;
    const bool knows_unit = account->range != 0 || reference.machine->style == STYLE_PERF;
    const uint64_t span_ns = most(50 * NS_PER_MS, knows_unit ? unit_uj * 500 : 0);
    const struct pace *pace = &account->pace;
    const bool is_sought =
        pace->kind == PACE_UNKNOWN && (pace->was_large || pace->longest_ns <= SLOW_NS);
    return pace->kind == PACE_QUICK || is_sought ? most(span_ns, SHARP * pace->longest_ns)
                                                 : span_ns;
}

static bool rests(const struct account *account) {
    return account->pace.kind == PACE_SLOW && stood_ns(account) >= RESTS * account->pace.longest_ns;
}

static bool end_slow(const struct account *account, const struct moment *begin,
                     struct moment *end) {
    const struct pace *pace = &account->pace;
    const uint64_t now_ns = account->now.time_ns;
    if (now_ns < begin->time_ns)
        return false;
    if (now_ns - begin->time_ns >= SHARP * pace->longest_ns)
        return true;
    if (begin->kind == AT_UPDATE &&
        pace->update.time_ns >= begin->time_ns + shortest_span_ns(account)) {
        *end = pace->update;
        return true;
    }
    return rests(account) && account->now.energy_aj == begin->energy_aj && now_ns > begin->time_ns;
}

bool pace_end_power(const struct account *account, const struct moment *begin, struct moment *end) {
    const struct pace *pace = &account->pace;
    const bool is_whole = account->kind == ZONE_PACKAGE || account->kind == ZONE_PSYS;
    *end = account->now;
    end->kind = AT_READING;
    const bool is_long =
        end->time_ns > begin->time_ns && end->time_ns - begin->time_ns >= shortest_span_ns(account);
    if (account->held.shown != 0)
        return false;
    if (!pace->moves)
        return is_long && !is_whole && end->time_ns - pace->first_ns >= find_rest_ns();
    if (pace->kind == PACE_SLOW)
        return end_slow(account, begin, end);
    const bool moved_once = pace->was_large && pace->longest_ns == 0;
    if (pace->kind == PACE_UNKNOWN && (pace->may_be_slow || moved_once))
        return false;
    return is_long;
}

struct moment pace_begin_power(const struct account *account) {
    const struct pace *pace = &account->pace;
    struct moment now = account->now;
    now.kind = AT_READING;
    const bool is_last = pace->update.time_ns != 0 && pace->update.energy_aj == now.energy_aj;
    return pace->kind == PACE_SLOW && is_last && !rests(account) ? pace->update : now;
}

void pace_report(struct account *account) {
    struct pace *pace = &account->pace;
    struct moment now = account->now;
    now.kind = AT_READING;
    if (rests(account)) {
        if (account->power.energy_aj != now.energy_aj)
            account->power = now;
        if (account->sum_power.energy_aj != now.energy_aj)
            account->sum_power = now;
        tally->rests++;
    }
    const bool is_whole = account->kind == ZONE_PACKAGE || account->kind == ZONE_PSYS;
    if (pace->moves || pace->is_stuck || !is_whole || !account->reads)
        return;
    pace->still_reports++;
    pace->is_stuck =
        pace->still_reports >= 10 && account->now.time_ns - pace->first_ns >= 60 * NS_PER_S;
    tally->stuck += pace->is_stuck;
}
