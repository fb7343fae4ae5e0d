/* SPDX-License-Identifier: MIT */
#include "series.h"

#include "series_updates.h"

void series_forget(struct series *series) {
    if (!series->has_read)
        return;
    counter_forget(&series->counter);
    series_break_updates(series);
    series->lost = true;
}

void series_set_traits(struct series *series, const struct counter_traits *traits) {
    series->traits = series->raised ? counter_raise(traits) : *traits;
    series_set_spans(series);
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
    series->follows =
        !slept && (step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED);
    if (series->window == NULL)
        return;
    if (slept || (series->reads && !series->follows))
        window_break(series->window);
    if (series->reads)
        window_take(series->window, &series->traits, &counted, period_update_ns(&series->period));
}

/* It started again at its first low reading: what it counted since is energy from there. */
static struct mark find_restart(const struct series *series, const struct counter_step *step,
                                uint64_t low_ns, uint64_t low_doubt_ns) {
    const uint64_t energy_uj =
        counter_to_uj(series->traits.scale, series->ticks - step->ticks) + series->held.energy_uj;
    return (struct mark){.time_ns = low_ns, .doubt_ns = low_doubt_ns, .energy_uj = energy_uj};
}

enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health) {
    const bool was_in_gap = series->counter.in_gap;
    const bool had_read = series->has_read;
    const unsigned int lows = series->counter.low.count;
    const uint64_t low_ns = series->counter.low.first_ns;
    const uint64_t low_doubt_ns = series->counter.low.first_doubt_ns;
    const uint64_t before_doubt_ns = series->doubt_ns;
    const uint64_t before_ticks = series->counter.ticks;
    const uint64_t before_ns = series->counter.time_ns;
    const struct counter_step step =
        counter_advance(&series->counter, &series->traits, reading, slept_ns);
    series->reads = step.outcome != COUNTER_FAILED && step.outcome != COUNTER_LOW;
    if (series->reads)
        series->doubt_ns = reading->doubt_ns;
    series->returned = series->reads && was_in_gap;
    series->has_read = series->has_read || series->reads;
    series->ticks += step.ticks;
    series->energy_uj = counter_to_uj(series->traits.scale, series->ticks);
    series->slept = series->slept || slept_ns > 0;
    enum counter_outcome outcome = step.outcome;
    const bool broken = slept_ns > 0 || was_in_gap;
    if (outcome == COUNTER_COUNTED && !broken &&
        period_is_usual(&series->period, step.ticks > 0, reading->time_ns - before_ns)) {
        period_skip(&series->period);
    } else {
        const struct reading before = {
            .ticks = before_ticks, .time_ns = before_ns, .doubt_ns = before_doubt_ns};
        outcome = series_follow_updates(series, &step, &before, reading, broken);
    }
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
        series->power = series->summed = find_restart(series, &step, low_ns, low_doubt_ns);
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
    if (series->held.ticks != 0 && series_decide_held(series, health))
        outcome = COUNTER_RESET_FORWARD;
    if (series->reads && series->gone) {
        series->gone = false;
        series->joined = true;
        series->follows = false; /* for the sum, which went on without it */
    }
    return outcome;
}
