/* SPDX-License-Identifier: MIT */
#include "series/series_updates.h"

/* --- the period of its updates ---------------------------------------------------------------- */

void series_break_updates(struct series *series) {
    period_break(&series->period);
    series_set_spans(series);
    series->update.time_ns = 0;
    series->held.is_over = true;
}

/* A large move is at least two units, because one unit is rounded to whole microjoules. If the unit
 * is unknown, more than a millijoule is large. */
#define LARGE_UJ 1000

static enum move find_move(const struct series *series, uint64_t ticks) {
    const struct counter_traits *traits = &series->traits;
    if (ticks == 0)
        return MOVE_NONE;
    const bool large = traits->unit != 0 ? ticks / 2 >= traits->unit
                                         : counter_to_uj(traits->scale, ticks) > LARGE_UJ;
    return large ? MOVE_LARGE : MOVE_UNIT;
}

static bool is_sharp(const struct series *series, uint64_t width_ns) {
    return width_ns <= series->period.least_ns / PERIOD_SHARPNESS;
}

/* Power that began at a reading begins at the first update after it instead: the energy of that
 * update was used before. After many updates the reading is as good. */
static void begin_at_update(const struct series *series, struct mark *mark,
                            const struct mark *update) {
    const uint64_t span_ns = PERIOD_SHARPNESS * series->period.most_ns;
    if (update->kind > mark->kind && update->time_ns >= mark->time_ns &&
        update->time_ns - mark->time_ns < span_ns)
        *mark = *update;
}

static void begin_power(struct series *series, const struct mark *update) {
    begin_at_update(series, &series->power, update);
    begin_at_update(series, &series->summed, update);
}

static void take_update(struct series *series, uint64_t begin_ns, uint64_t end_ns) {
    const uint64_t width_ns = end_ns - begin_ns;
    const bool is_slow = series->period.state == PERIOD_SLOW;
    struct mark update = series_now(series);
    if (is_slow && series->update.time_ns != 0 && is_sharp(series, series->update_width_ns))
        begin_power(series, &series->update);
    update.kind = MARK_AT_MOVE;
    if (!is_slow || is_sharp(series, width_ns)) {
        update.kind = MARK_AT_UPDATE;
        update.time_ns = begin_ns + width_ns / 2;
        update.uncertainty_ns = width_ns / 2;
    }
    if (is_slow)
        begin_power(series, &update);
    if (update.kind != MARK_AT_UPDATE)
        return;
    series->update = update;
    series->update_width_ns = width_ns;
}

/* The energy in the first move of a counter that stood since the start has no power. */
static void begin_to_move(struct series *series) {
    series->motion = SERIES_MOVED;
    if (!series->period.has_stood)
        return;
    series->power = series_now(series);
    series->power.kind = MARK_AT_MOVE;
    series->summed = series->power;
}

static void take_move(struct series *series, uint64_t ticks, const struct reading *before,
                      const struct reading *reading) {
    const enum move move = find_move(series, ticks);
    const uint64_t begin_ns = before->time_ns - before->uncertainty_ns;
    const uint64_t end_ns = reading->time_ns + reading->uncertainty_ns;
    if (begin_ns >= end_ns)
        return;
    if (move != MOVE_NONE && series->motion != SERIES_MOVED)
        begin_to_move(series);
    period_take(&series->period, move, begin_ns, end_ns);
    series_set_spans(series);
    if (move != MOVE_NONE && series->period.state != PERIOD_FAST)
        take_update(series, begin_ns, end_ns);
}

/* --- steps that are too large for their time -------------------------------------------------- */

/* Steps are held until the period is known, or for three of the longest periods. */
#define HELD_LONGEST_NS (3 * PERIOD_LONGEST_NS)

/* Whether a step that is too large for the time since the last reading may be one of a slow
 * counter. If the period is known, the time for which the counter stood says how slow it may be. */
static bool may_be_slow(const struct series *series, uint64_t ticks, uint64_t span_ns) {
    const struct period *period = &series->period;
    uint64_t longest_ns = period_stood_ns(period, series->counter.time_ns);
    if (period->state == PERIOD_SOUGHT || period->state == PERIOD_ASSUMED)
        longest_ns = PERIOD_LONGEST_NS;
    else if (period->state == PERIOD_FAST || longest_ns <= period->most_ns)
        return false;
    return longest_ns <= PERIOD_LONGEST_NS &&
           !counter_exceeds(&series->traits, ticks, span_ns + longest_ns);
}

/* Rounded together with the counted energy, as it will be when it is counted. */
static void set_held_energy(struct series *series) {
    struct held_steps *held = &series->held;
    held->energy_uj =
        counter_to_uj(series->traits.scale, series->ticks + held->ticks) - series->energy_uj;
}

static void hold_step(struct series *series, uint64_t ticks, uint64_t span_ns) {
    struct held_steps *held = &series->held;
    if (held->ticks == 0)
        *held = (struct held_steps){.since_ns = series->counter.time_ns};
    held->ticks += ticks;
    held->span_ns += span_ns;
    set_held_energy(series);
}

/* The long time before the first held step may have been rest: only a move after it shows the
 * period. */
static bool is_confirmed(const struct series *series) {
    return series->period.state == PERIOD_SLOW && series->period.pairs != series->held.pairs;
}

static bool is_undecided(const struct series *series) {
    const struct period *period = &series->period;
    const bool is_open =
        period->state == PERIOD_SOUGHT ||
        (period->state == PERIOD_SLOW && (period->rests > 0 || !is_confirmed(series)));
    return is_open && series_is_read(series) && !series->held.is_over &&
           series->counter.time_ns - series->held.since_ns < HELD_LONGEST_NS;
}

static bool is_energy(const struct series *series) {
    const struct held_steps *held = &series->held;
    return is_confirmed(series) && !counter_exceeds(&series->traits, held->ticks,
                                                    held->span_ns + 2 * series->period.most_ns);
}

bool series_decide_held(struct series *series, struct rapl_health *health) {
    if (is_undecided(series))
        return false;
    const bool counts = is_energy(series);
    if (counts) {
        const uint64_t before_uj = series->energy_uj;
        series->ticks += series->held.ticks;
        series->energy_uj = counter_to_uj(series->traits.scale, series->ticks);
        series->sampled_uj += series->energy_uj - before_uj;
    } else {
        series->update.time_ns = 0;
        series->lost = true;
        health->resets++;
    }
    series->held = (struct held_steps){.ticks = 0};
    return !counts;
}

enum counter_outcome series_follow_updates(struct series *series, const struct counter_step *step,
                                           const struct reading *before,
                                           const struct reading *reading, bool broken) {
    if (series->held.ticks != 0)
        set_held_energy(series);
    if (step->outcome == COUNTER_FAILED || step->outcome == COUNTER_LOW)
        return step->outcome;
    const bool jumped = step->outcome == COUNTER_RESET_FORWARD;
    const bool followed =
        jumped || step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED;
    if (series->first_ns == 0)
        series->first_ns = reading->time_ns;
    if (broken || !followed) {
        series_break_updates(series);
        return step->outcome;
    }
    if (!jumped) {
        take_move(series, step->ticks, before, reading);
        return step->outcome;
    }
    const uint64_t ticks = reading->ticks - before->ticks;
    const uint64_t span_ns = reading->time_ns - before->time_ns;
    const bool may_be_update = may_be_slow(series, ticks, span_ns);
    const bool is_first = series->held.ticks == 0;
    if (may_be_update)
        hold_step(series, ticks, span_ns);
    else
        series->update.time_ns = 0;
    take_move(series, ticks, before, reading);
    if (is_first)
        series->held.pairs = series->period.pairs;
    return may_be_update ? COUNTER_COUNTED : step->outcome;
}
