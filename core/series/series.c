/* SPDX-License-Identifier: MIT */
#include "series/series.h"

#include "series/series_updates.h"

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

/* What came before a sleep, or before a reading that does not continue the last one, is part of no
 * sample. */
static void take_sample(struct series *series, const struct counter_step *step,
                        const struct reading *reading, bool slept) {
    const struct reading counted = {.ticks = step->ticks,
                                    .time_ns = reading->time_ns,
                                    .uncertainty_ns = reading->uncertainty_ns};
    series->follows =
        !slept && (step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED);
    if (!series->follows)
        series->breaks += series->reads ? 1 : 0;
    if (series->window == NULL)
        return;
    if (slept || (series->reads && !series->follows))
        window_break(series->window);
    if (series->reads)
        window_take(series->window, &series->traits, &counted, period_update_ns(&series->period));
}

/* The counter restarted at its first low reading: it has counted energy from there. */
static struct mark find_restart(const struct series *series, const struct counter_step *step,
                                const struct low_readings *low) {
    const uint64_t energy_uj =
        counter_to_uj(series->traits.scale, series->ticks - step->ticks) + series->held.energy_uj;
    return (struct mark){.time_ns = low->first_ns,
                         .uncertainty_ns = low->first_uncertainty_ns,
                         .energy_uj = energy_uj};
}

static void judge_steady(struct series *series, struct counter_step *step,
                         const struct reading *from, const struct reading *reading,
                         const struct low_readings *low) {
    const struct steady_step taken = {.step = *step, .from = *from, .low = *low};
    const enum counter_outcome outcome =
        steady_judge(&series->steady, &series->traits, &taken, reading);
    if (outcome != step->outcome)
        *step = (struct counter_step){.outcome = outcome};
}

/* Adds the step's energy, unless its package shows that it is not energy. */
static void count_step(struct series *series, struct counter_step *step, uint64_t begin_ns,
                       const struct reading *reading) {
    const rapl_uint128 ticks = series->ticks + step->ticks;
    const uint64_t energy_uj = counter_to_uj(series->traits.scale, ticks);
    const struct part *part = &series->part;
    const uint64_t step_uj = energy_uj - series->energy_uj;
    if (part->whole != NULL && step_uj > part->whole->energy_uj - part->whole_uj &&
        part_exceeds(series, step_uj, begin_ns, reading)) {
        *step = (struct counter_step){.outcome = COUNTER_ABOVE_WHOLE};
        return;
    }
    series->ticks = ticks;
    series->energy_uj = energy_uj;
}

/* What the package counts from this reading on bounds the part's next step. */
static void follow_whole(struct part *part, const struct reading *reading) {
    const struct series *whole = part->whole;
    part->whole_uj = whole->energy_uj;
    part->whole_ns = whole->counter.time_ns + whole->uncertainty_ns + reading->uncertainty_ns;
    part->whole_breaks = whole->breaks;
}

enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health) {
    const bool was_in_gap = series->counter.in_gap;
    const bool had_read = series->has_read;
    const struct reading from = {.ticks = series->counter.ticks,
                                 .time_ns = series->counter.time_ns,
                                 .uncertainty_ns = series->uncertainty_ns};
    const unsigned int lows = series->counter.low.count;
    struct low_readings low = {.count = 0};
    if (lows > 0)
        low = series->counter.low;
    struct counter_step step =
        counter_advance(&series->counter, &series->traits, reading, slept_ns);
    series->slept = series->slept || slept_ns > 0;
    if (step.outcome != COUNTER_COUNTED || series->steady.watches || lows > 0)
        judge_steady(series, &step, &from, reading, &low);
    count_step(series, &step, from.time_ns, reading);
    series->reads = step.outcome != COUNTER_FAILED && step.outcome != COUNTER_LOW;
    if (series->reads)
        series->uncertainty_ns = reading->uncertainty_ns;
    series->returned = series->reads && was_in_gap;
    series->has_read = series->has_read || series->reads;
    enum counter_outcome outcome = step.outcome;
    const bool broken = slept_ns > 0 || was_in_gap;
    if (outcome == COUNTER_COUNTED && !broken &&
        period_is_usual(&series->period, step.ticks > 0, reading->time_ns - from.time_ns))
        period_skip(&series->period);
    else
        outcome = series_follow_updates(series, &step, &from, reading, broken);
    take_sample(series, &step, reading, slept_ns > 0);
    if (series->part.whole != NULL && series->reads)
        follow_whole(&series->part, reading);
    switch (outcome) {
    case COUNTER_BASELINE:
        series->power = series_now(series);
        series->joined = true;
        /* After series_forget(), the energy since the last reading is unknown. */
        series->lost = series->lost || had_read;
        health->gaps += had_read ? 1 : 0;
        break;
    case COUNTER_COUNTED:
        health->read_errors += lows; /* they were failed reads */
        break;
    case COUNTER_LOW:
        /* After two in a row it has most likely started again, and the report lacks it. */
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
        series->power = series->summed = find_restart(series, &step, &low);
        series->apart = false; /* the sum's power restarted there, too */
        break;
    case COUNTER_RESET:
    case COUNTER_ABOVE_WHOLE:
        health->resets += lows < 2 ? 1 : 0;
        series->lost = true;
        break;
    case COUNTER_RESET_FORWARD:
        health->resets++;
        series->lost = true;
        judge_ceiling(series);
        break;
    case COUNTER_UNDECIDED:
        /* Sums continued without a member that had gone, and now lack this interval. */
        health->gaps += was_in_gap && !series->gone ? 0 : 1;
        series->lost = true;
        break;
    case COUNTER_RETURNED:
    case COUNTER_UNSTEADY:
        health->gaps++;
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
        series->follows = false; /* for the sum, which continued without it */
    }
    return outcome;
}
