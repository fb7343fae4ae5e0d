/* SPDX-License-Identifier: MIT */
#include "energy/steady.h"

/* Whether the counter is now on another row of values. */
static bool leaves_row(enum counter_outcome outcome) {
    return outcome == COUNTER_RESTARTED || outcome == COUNTER_WRAPPED ||
           outcome == COUNTER_RESET_FORWARD;
}

static uint64_t mean_uw(const struct counter_traits *traits, const struct steady_step *taken,
                        const struct reading *reading) {
    const bool restarted = taken->step.outcome == COUNTER_RESTARTED;
    const uint64_t from_ns = restarted ? taken->low.first_ns : taken->from.time_ns;
    const uint64_t span_ns = reading->time_ns > from_ns ? reading->time_ns - from_ns : 1;
    return counter_mean_uw(counter_to_uj(traits->scale, taken->step.ticks), span_ns);
}

/* Whether a step that may be energy may also be the return: it is more than half of the fall, and
 * more than twice the highest power seen since. */
static bool climbs_back(const struct steady *steady, const struct counter_traits *traits,
                        const struct steady_step *taken, const struct reading *reading) {
    return steady->left == ROW_FELL && taken->step.ticks > steady->fall_ticks / 2 &&
           mean_uw(traits, taken, reading) / 2 > steady->most_uw;
}

/* Whether the low readings were no failed reads: they continue the row that was left, and have
 * moved. */
static bool reads_other_row(const struct steady *steady, const struct counter_traits *traits,
                            const struct low_readings *low) {
    const struct reading other = {.ticks = low->last_ticks, .time_ns = low->last_ns};
    return steady->left == ROW_PASSED && other.ticks > steady->left_ticks &&
           counter_may_go_on(traits, steady->left_ticks, steady->left_ns, &other);
}

/* Whether the reading, or a low one before it, continues the row that was left: a return goes down
 * after a rise, and up after a fall. */
static bool returns_to_row(const struct steady *steady, const struct counter_traits *traits,
                           const struct steady_step *taken, const struct reading *reading) {
    const enum counter_outcome outcome = taken->step.outcome;
    bool turns = false;
    if (outcome == COUNTER_COUNTED && taken->low.count > 0)
        return reads_other_row(steady, traits, &taken->low);
    if (outcome == COUNTER_COUNTED)
        turns = climbs_back(steady, traits, taken, reading);
    else if (outcome == COUNTER_RESET_FORWARD)
        turns = steady->left == ROW_FELL || steady->left == ROW_PASSED;
    else if (leaves_row(outcome))
        turns = steady->left == ROW_ROSE;
    return turns && counter_may_go_on(traits, steady->left_ticks, steady->left_ns, reading);
}

static void leave_row(struct steady *steady, const struct steady_step *taken) {
    const enum counter_outcome outcome = taken->step.outcome;
    steady->left = ROW_ROSE;
    steady->left_ticks = taken->from.ticks;
    steady->left_ns = taken->from.time_ns;
    steady->most_uw = 0;
    if (outcome == COUNTER_RESTARTED) {
        steady->left = ROW_FELL;
        steady->fall_ticks = taken->from.ticks - taken->low.first_ticks;
    } else if (outcome == COUNTER_WRAPPED) {
        steady->left = ROW_PASSED;
    } else if (outcome == COUNTER_COUNTED && taken->low.count > 0) {
        steady->left = ROW_PASSED;
        steady->left_ticks = taken->low.last_ticks;
        steady->left_ns = taken->low.last_ns;
    }
}

/* A wrap of a watched counter is no event: small ranges wrap every few seconds. */
static bool is_event(const struct steady *steady, const struct steady_step *taken) {
    if (taken->step.outcome == COUNTER_WRAPPED)
        return !steady->watches;
    return taken->step.outcome != COUNTER_COUNTED || taken->low.count > 0;
}

static void pass_time(struct steady *steady, uint64_t time_ns) {
    const uint64_t span_ns = time_ns - steady->event_ns;
    if (steady->readings < STEADY_READINGS || span_ns < STEADY_SPAN_NS)
        return;
    steady->returns = 0;
    steady->unsteady = false;
    if (steady->left != ROW_FELL || (steady->readings >= STEADY_MEMORY * STEADY_READINGS &&
                                     span_ns >= STEADY_MEMORY * STEADY_SPAN_NS))
        *steady = (struct steady){.watches = false};
}

enum counter_outcome steady_judge(struct steady *steady, const struct counter_traits *traits,
                                  const struct steady_step *taken, const struct reading *reading) {
    const enum counter_outcome outcome = taken->step.outcome;
    const bool after_low = outcome == COUNTER_COUNTED && taken->low.count > 0;
    const bool leaves = leaves_row(outcome) || after_low;
    if (outcome == COUNTER_FAILED || outcome == COUNTER_LOW || !(leaves || steady->watches))
        return outcome;
    const bool returns = returns_to_row(steady, traits, taken, reading);
    const bool is_quiet = !returns && !is_event(steady, taken);
    steady->readings = is_quiet ? steady->readings + 1 : 0;
    steady->event_ns = is_quiet ? steady->event_ns : reading->time_ns;
    steady->watches = true;
    if (returns || leaves)
        leave_row(steady, taken);
    else if (outcome != COUNTER_COUNTED)
        steady->left = ROW_NONE;
    const uint64_t power_uw = mean_uw(traits, taken, reading);
    if (power_uw > steady->most_uw)
        steady->most_uw = power_uw;
    steady->returns += returns ? 1 : 0;
    steady->unsteady = steady->unsteady || steady->returns >= STEADY_RETURNS;
    const bool says_nothing = steady->unsteady;
    pass_time(steady, reading->time_ns);
    if (says_nothing)
        return COUNTER_UNSTEADY;
    const bool may_be_energy = outcome == COUNTER_COUNTED || outcome == COUNTER_WRAPPED;
    return returns && may_be_energy && !after_low ? COUNTER_RETURNED : outcome;
}
