/* SPDX-License-Identifier: MIT */
#include "series.h"

/* What it shows from now on follows on nothing. */
static void break_off(struct series *series) {
    period_break(&series->period);
    series->update.time_ns = 0;
    series->held.is_over = true;
}

void series_forget(struct series *series) {
    if (!series->has_read)
        return;
    counter_forget(&series->counter);
    break_off(series);
    series->lost = true;
}

/* A usual period is little beside the shortest span that a step is judged over. */
static uint64_t judged_period_ns(const struct series *series) {
    const struct period *period = &series->period;
    const bool is_known = period->state == PERIOD_SLOW || period->state == PERIOD_FAST;
    return is_known && period->most_ns > COUNTER_JUDGED_SPAN_NS / PERIOD_SHARPNESS ? period->most_ns
                                                                                   : 0;
}

void series_set_traits(struct series *series, const struct counter_traits *traits) {
    series->traits = series->raised ? counter_raise(traits) : *traits;
    series->traits.period_ns = judged_period_ns(series);
}

static void judge_ceiling(struct series *series) {
    if (series->raised || series->counter.above < COUNTER_BELIEVED_STEPS)
        return;
    series->raised = true;
    series_set_traits(series, &series->traits);
}

/* What comes before a sleep, or a reading that is no continuation, is no part of a sample. */
static void take_sample(struct series *series, const struct counter_step *step,
                        const struct reading *reading, bool slept) {
    const struct reading counted = {
        .ticks = step->ticks, .time_ns = reading->time_ns, .doubt_ns = reading->doubt_ns};
    if (series->reads)
        series->doubt_ns = reading->doubt_ns;
    series->follows =
        !slept && (step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED);
    if (series->window == NULL)
        return;
    if (slept || (series->reads && !series->follows))
        window_break(series->window);
    if (series->reads)
        window_take(series->window, &series->traits, &counted, period_update_ns(&series->period));
}

/* --- the period of its updates -----------------------------------------------------------------
 */

/* Where the unit is not known, a move of a millijoule is of many. */
#define LARGE_UJ 1000

static enum move find_move(const struct series *series, uint64_t ticks) {
    const struct counter_traits *traits = &series->traits;
    if (ticks == 0)
        return MOVE_NONE;
    const bool large =
        traits->unit != 0 ? ticks > traits->unit : counter_to_uj(traits->scale, ticks) > LARGE_UJ;
    return large ? MOVE_LARGE : MOVE_UNIT;
}

static bool is_sharp(const struct series *series, uint64_t width_ns) {
    return width_ns <= series->period.most_ns / PERIOD_SHARPNESS;
}

/* Power that began at a reading begins at the first update after it: what that one counts was used
 * before. Many updates later the reading is as good. */
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
    }
    if (is_slow)
        begin_power(series, &update);
    if (update.kind != MARK_AT_UPDATE)
        return;
    series->update = update;
    series->update_width_ns = width_ns;
}

static void take_move(struct series *series, uint64_t ticks, const struct reading *before,
                      const struct reading *reading) {
    const enum move move = find_move(series, ticks);
    const uint64_t begin_ns = before->time_ns - before->doubt_ns;
    const uint64_t end_ns = reading->time_ns + reading->doubt_ns;
    if (begin_ns >= end_ns)
        return;
    if (move != MOVE_NONE)
        series->motion = SERIES_MOVED;
    period_take(&series->period, move, begin_ns, end_ns);
    series->traits.period_ns = judged_period_ns(series);
    if (move != MOVE_NONE && series->period.state != PERIOD_FAST)
        take_update(series, begin_ns, end_ns);
}

/* --- steps that came too soon ------------------------------------------------------------------
 */

/* Until the period is known, or for as long as two of the longest take. */
#define HELD_LONGEST_NS (3 * PERIOD_LONGEST_NS)

/* Whether a step that is too large for the time since the last reading may be that of a slow
 * counter. Of one whose period is known, the time for which it stood says how slow. */
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

static void hold_step(struct series *series, uint64_t ticks, uint64_t span_ns) {
    struct held_steps *held = &series->held;
    if (held->ticks == 0)
        *held = (struct held_steps){.since_ns = series->counter.time_ns};
    held->ticks += ticks;
    held->span_ns += span_ns;
    held->energy_uj =
        counter_to_uj(series->traits.scale, series->ticks + held->ticks) - series->energy_uj;
}

static bool is_undecided(const struct series *series) {
    const struct period *period = &series->period;
    return series_is_read(series) && !series->held.is_over &&
           (period->state == PERIOD_SOUGHT || period->rests > 0) &&
           series->counter.time_ns - series->held.since_ns < HELD_LONGEST_NS;
}

static bool is_energy(const struct series *series) {
    const struct held_steps *held = &series->held;
    return series->period.state == PERIOD_SLOW && held->ticks <= UINT64_MAX &&
           !counter_exceeds(&series->traits, (uint64_t)held->ticks,
                            held->span_ns + 2 * series->period.most_ns);
}

/* Whether they turn out to be no energy. */
static bool decide_held(struct series *series, struct rapl_health *health) {
    if (is_undecided(series))
        return false;
    const bool counts = is_energy(series);
    if (counts) {
        series->ticks += series->held.ticks;
        series->energy_uj += series->held.energy_uj;
        series->sampled_uj += series->held.energy_uj;
    } else {
        series->update.time_ns = 0;
        series->lost = true;
        health->resets++;
    }
    series->held = (struct held_steps){.ticks = 0};
    return !counts;
}

/* What a step says of the counter's updates. Of a jump that may be one, it is not said yet. */
static enum counter_outcome follow_updates(struct series *series, const struct counter_step *step,
                                           const struct reading *before,
                                           const struct reading *reading, bool broken) {
    if (step->outcome == COUNTER_FAILED || step->outcome == COUNTER_LOW)
        return step->outcome;
    const bool jumped = step->outcome == COUNTER_RESET_FORWARD;
    const bool followed =
        jumped || step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED;
    if (series->first_ns == 0)
        series->first_ns = reading->time_ns;
    if (broken || !followed) {
        break_off(series);
        return step->outcome;
    }
    if (!jumped) {
        take_move(series, step->ticks, before, reading);
        return step->outcome;
    }
    const uint64_t ticks = reading->ticks - before->ticks;
    const uint64_t span_ns = reading->time_ns - before->time_ns;
    const bool may_be_update = may_be_slow(series, ticks, span_ns);
    if (may_be_update)
        hold_step(series, ticks, span_ns);
    take_move(series, ticks, before, reading);
    return may_be_update ? COUNTER_COUNTED : step->outcome;
}

enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health) {
    const bool was_in_gap = series->counter.in_gap;
    const bool had_read = series->has_read;
    const unsigned int lows = series->counter.low.count;
    const struct mark restart = {.time_ns = series->counter.low.first_ns,
                                 .energy_uj = series_now(series).energy_uj};
    const struct reading before = {.ticks = series->counter.ticks,
                                   .time_ns = series->counter.time_ns,
                                   .doubt_ns = series->doubt_ns};
    const struct counter_step step =
        counter_advance(&series->counter, &series->traits, reading, slept_ns);
    series->reads = step.outcome != COUNTER_FAILED && step.outcome != COUNTER_LOW;
    series->returned = series->reads && was_in_gap;
    series->has_read = series->has_read || series->reads;
    series->ticks += step.ticks;
    series->energy_uj = counter_to_uj(series->traits.scale, series->ticks);
    series->slept = series->slept || slept_ns > 0;
    enum counter_outcome outcome = step.outcome;
    const bool broken = slept_ns > 0 || was_in_gap;
    if (outcome == COUNTER_COUNTED && !broken &&
        period_is_usual(&series->period, step.ticks > 0, reading->time_ns - before.time_ns))
        period_skip(&series->period);
    else
        outcome = follow_updates(series, &step, &before, reading, broken);
    take_sample(series, &step, reading, slept_ns > 0);
    switch (outcome) {
    case COUNTER_BASELINE:
        series->power = series_now(series);
        series->joined = true;
        /* After series_forget(): what went by since the last reading is not known. */
        series->lost = series->lost || had_read;
        health->gaps += had_read ? 1 : 0;
        break;
    case COUNTER_COUNTED:
        health->read_errors += lows; /* which were failed reads */
        break;
    case COUNTER_LOW:
        /* Twice in a row, it has most likely started again, and the report says nothing of it. */
        health->resets += lows == 1 ? 1 : 0;
        break;
    case COUNTER_WRAPPED:
        health->wraps++;
        break;
    case COUNTER_RESTARTED:
        if (!series->left_low) {
            series->lost = true;
            break;
        }
        series->power = series->summed = restart;
        series->apart = false; /* the sum's power restarted there, too */
        break;
    case COUNTER_RESET:
        health->resets += lows < 2 ? 1 : 0;
        series->lost = true;
        break;
    case COUNTER_RESET_FORWARD:
        health->resets++;
        series->lost = true;
        judge_ceiling(series);
        break;
    case COUNTER_UNDECIDED:
        health->gaps += was_in_gap ? 0 : 1;
        series->lost = true;
        break;
    case COUNTER_FAILED:
        series->lost = series->lost || lows > 0;
        health->gaps += series->counter.in_gap && !was_in_gap ? 1 : 0;
        break;
    }
    series->left_low = series->left_low && series->counter.low.count > 0;
    if (series->held.ticks != 0 && decide_held(series, health))
        outcome = COUNTER_RESET_FORWARD;
    if (series->reads && series->gone) {
        series->gone = false;
        series->joined = true;
        series->follows = false; /* for the sum, which went on without it */
    }
    return outcome;
}
