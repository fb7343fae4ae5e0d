/* SPDX-License-Identifier: MIT */
#include "energy/counter.h"

uint64_t counter_unit(uint64_t range) {
    const uint64_t ticks = UINT32_MAX;
    return range / ticks + (range % ticks >= (ticks + 1) / 2 ? 1 : 0);
}

uint64_t counter_modulus(uint64_t range) {
    uint64_t unit = counter_unit(range);
    return range == 0 || range > UINT64_MAX - unit ? 0 : range + unit;
}

void reading_stamp(struct reading *reading, uint64_t begin_ns, uint64_t end_ns) {
    reading->uncertainty_ns = end_ns > begin_ns ? (end_ns - begin_ns) / 2 : 0;
    reading->time_ns = begin_ns + reading->uncertainty_ns;
}

/* Most dividends fit into 64 bits, where division is much faster. */
static rapl_uint128 divide(rapl_uint128 dividend, uint64_t divisor) {
    return dividend <= UINT64_MAX ? (uint64_t)dividend / divisor : dividend / divisor;
}

uint64_t counter_to_uj(struct tick_scale scale, rapl_uint128 ticks) {
    /* Most counters are powercap's: their ticks are microjoules. */
    if (scale.numerator_uj == scale.denominator)
        return ticks < UINT64_MAX ? (uint64_t)ticks : UINT64_MAX;
    const rapl_uint128 energy_uj = divide(ticks * scale.numerator_uj, scale.denominator);
    return energy_uj < UINT64_MAX ? (uint64_t)energy_uj : UINT64_MAX;
}

uint64_t counter_mean_uw(uint64_t energy_uj, uint64_t span_ns) {
    /* uJ / ns = 10^9 uW */
    return (uint64_t)divide((rapl_uint128)energy_uj * UINT64_C(1000000000) + span_ns / 2, span_ns);
}

uint64_t counter_distance(uint64_t a, uint64_t b, uint64_t modulus) {
    const uint64_t direct = a > b ? a - b : b - a;
    const uint64_t around = modulus - direct; /* for modulus 0, of 2^64 */
    return (modulus == 0 || direct < modulus) && around < direct ? around : direct;
}

struct counter_traits counter_raise(const struct counter_traits *traits) {
    struct counter_traits raised = *traits;
    if (traits->most_uw > traits->ceiling_uw)
        raised.ceiling_uw = traits->most_uw;
    return raised;
}

static bool is_above(struct tick_scale scale, uint64_t ticks, uint64_t power_uw, uint64_t span_ns) {
    /* uJ / ns = kW = 10^9 uW */
    return (rapl_uint128)counter_to_uj(scale, ticks) * UINT64_C(1000000000) >
           (rapl_uint128)power_uw * span_ns;
}

bool counter_exceeds(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    return is_above(traits->scale, ticks, traits->ceiling_uw, span_ns);
}

/* Fewest ticks after which a counter of unknown range may wrap; 0: it never wraps. */
static uint64_t find_least_turn(const struct counter_traits *traits) {
    const struct tick_scale scale = traits->scale;
    if (traits->goes_on)
        return 0;
    if (scale.numerator_uj == scale.denominator)
        return COUNTER_LEAST_TURN_UJ;
    const rapl_uint128 ticks =
        (rapl_uint128)COUNTER_LEAST_TURN_UJ * scale.denominator / scale.numerator_uj;
    return ticks < UINT64_MAX ? (uint64_t)ticks : UINT64_MAX;
}

/* No domain draws more than this for long. With the 50 kW ceiling of psys, every restart of a 262
 * kJ counter would look like a wrap once readings are more than 5 s apart. */
#define SUSTAINED_UW UINT64_C(4000000000)

static uint64_t sustained_uw(const struct counter_traits *traits) {
    return traits->ceiling_uw < SUSTAINED_UW ? traits->ceiling_uw : SUSTAINED_UW;
}

bool counter_exceeds_sustained(const struct counter_traits *traits, uint64_t ticks,
                               uint64_t span_ns) {
    return is_above(traits->scale, ticks, sustained_uw(traits), span_ns);
}

uint64_t counter_safe_span_ns(const struct counter_traits *traits, uint64_t unread_uj) {
    /* Twice the energy, because half of an odd range is not a whole number. */
    rapl_uint128 twice_uj = 2 * (rapl_uint128)unread_uj;
    const uint64_t turn = traits->modulus != 0 ? traits->modulus : find_least_turn(traits);
    if (turn != 0) {
        const uint64_t range_uj = counter_to_uj(traits->scale, turn);
        twice_uj = twice_uj == 0 || range_uj < twice_uj ? range_uj : twice_uj;
    }
    if (twice_uj == 0 || traits->ceiling_uw == 0)
        return UINT64_MAX;
    const rapl_uint128 span_ns = twice_uj * UINT64_C(1000000000) / sustained_uw(traits) / 2;
    return span_ns < UINT64_MAX ? (uint64_t)span_ns : UINT64_MAX;
}

bool counter_may_hide_turn(const struct counter_traits *traits, uint64_t turn, uint64_t ticks,
                           uint64_t span_ns) {
    return turn != 0 && ticks <= UINT64_MAX - turn &&
           !counter_exceeds_sustained(traits, ticks + turn, span_ns);
}

/* Whether ticks plus one more wrap would still have been plausible. */
static bool may_hide_wrap(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    return counter_may_hide_turn(traits, traits->modulus, ticks, span_ns);
}

static struct counter_step step_back(const struct counter_traits *traits, uint64_t back,
                                     uint64_t span_ns, bool gap, bool slept) {
    /* After sleep, or with an unknown range, a wrap looks the same as a restart. */
    if (slept || traits->modulus == 0 || back >= traits->modulus)
        return (struct counter_step){.outcome = COUNTER_RESET};
    uint64_t ticks = traits->modulus - back;
    span_ns += traits->period_ns;
    if (counter_exceeds_sustained(traits, ticks, span_ns))
        return (struct counter_step){.outcome = COUNTER_RESET};
    if (gap || may_hide_wrap(traits, ticks, span_ns))
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    return (struct counter_step){.outcome = COUNTER_WRAPPED, .ticks = ticks};
}

/* inline: nearly every reading of every counter takes this path, and gcc finds it too long. */
static inline struct counter_step step_forward(const struct counter_traits *traits, uint64_t ticks,
                                               uint64_t span_ns, bool gap, bool slept) {
    if (counter_exceeds(traits, ticks, span_ns + 2 * traits->period_ns))
        return (struct counter_step){.outcome = COUNTER_RESET_FORWARD};
    span_ns += traits->period_ns;
    /* After sleep the step is counted all the same: a counter never shows more than was used. */
    const uint64_t turn = traits->modulus != 0 ? traits->modulus : find_least_turn(traits);
    const bool hidden = turn != 0 ? counter_may_hide_turn(traits, turn, ticks, span_ns) : gap;
    if (hidden && (gap || !slept))
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    return (struct counter_step){.outcome = COUNTER_COUNTED, .ticks = ticks};
}

/* Whether a step above the ceiling may be energy because the ceiling is too low. */
static bool may_be_too_low(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    const struct counter_traits raised = counter_raise(traits);
    return !counter_exceeds(&raised, ticks, span_ns + 2 * traits->period_ns);
}

/* Whether the step is too large even for a ceiling that is somewhat too low. */
static bool is_far(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    struct counter_traits raised = *traits;
    raised.ceiling_uw *= COUNTER_NEAR_FACTOR;
    return counter_exceeds(&raised, ticks, span_ns);
}

static uint64_t judged_span_ns(uint64_t begin_ns, uint64_t end_ns, uint64_t slept_ns) {
    const uint64_t span_ns = slept_ns + (end_ns > begin_ns ? end_ns - begin_ns : 0);
    return span_ns > COUNTER_JUDGED_SPAN_NS ? span_ns : COUNTER_JUDGED_SPAN_NS;
}

/* The step as it would be if the counter had continued from an earlier value. */
static struct counter_step step_on(const struct counter_traits *traits, uint64_t from,
                                   uint64_t from_ns, const struct reading *reading) {
    if (reading->ticks < from)
        return (struct counter_step){.outcome = COUNTER_RESET};
    return step_forward(traits, reading->ticks - from, judged_span_ns(from_ns, reading->time_ns, 0),
                        false, false);
}

static bool is_plausible(const struct counter_step *step) {
    return step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_UNDECIDED;
}

bool counter_may_go_on(const struct counter_traits *traits, uint64_t from, uint64_t from_ns,
                       const struct reading *reading) {
    const struct counter_step step = step_on(traits, from, from_ns, reading);
    return is_plausible(&step);
}

/* Records a low reading, the first or one more. The baseline stays. */
static struct counter_step note_low(struct counter *counter, const struct counter *before,
                                    const struct reading *reading) {
    *counter = *before;
    if (counter->low.count++ == 0) {
        counter->low.first_ticks = reading->ticks;
        counter->low.first_ns = reading->time_ns;
        counter->low.first_uncertainty_ns = reading->uncertainty_ns;
    }
    counter->low.last_ticks = reading->ticks;
    counter->low.last_ns = reading->time_ns;
    return (struct counter_step){.outcome = COUNTER_LOW};
}

/* Judges the reading after low ones. */
static struct counter_step step_after_low(struct counter *counter,
                                          const struct counter_traits *traits,
                                          const struct counter *before,
                                          const struct reading *reading) {
    const struct low_readings *low = &before->low;
    const struct counter_step above = step_on(traits, before->ticks, before->time_ns, reading);
    const struct counter_step below = step_on(traits, low->last_ticks, low->last_ns, reading);
    if (is_plausible(&above) && is_plausible(&below))
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    if (is_plausible(&above))
        return above;
    if (below.outcome != COUNTER_COUNTED)
        return below.outcome == COUNTER_UNDECIDED ? below
                                                  : (struct counter_step){.outcome = COUNTER_RESET};
    struct counter_step down =
        step_back(traits, before->ticks - low->first_ticks,
                  judged_span_ns(before->time_ns, low->first_ns, 0), false, false);
    if (down.outcome == COUNTER_RESET && low->count == 1)
        return note_low(counter, before, reading);
    if (down.outcome == COUNTER_UNDECIDED)
        return down;
    down.ticks += reading->ticks - low->first_ticks;
    if (down.outcome == COUNTER_RESET)
        down.outcome = COUNTER_RESTARTED;
    return down;
}

static void set_baseline(struct counter *counter, const struct reading *reading) {
    *counter = (struct counter){
        .has_baseline = true, .ticks = reading->ticks, .time_ns = reading->time_ns};
}

static struct counter_step take_failure(struct counter *counter, uint64_t slept_ns) {
    if (counter->low.count > 0) {
        counter_forget(counter);
    } else {
        counter->in_gap = counter->has_baseline;
        counter->slept_ns += slept_ns;
    }
    return (struct counter_step){.outcome = COUNTER_FAILED};
}

/* Takes a reading that is below the baseline, or that follows such a reading. */
static struct counter_step take_low(struct counter *counter, const struct counter_traits *traits,
                                    const struct reading *reading, uint64_t slept_ns) {
    const struct counter before = *counter;
    set_baseline(counter, reading);
    if (before.low.count == 0 && slept_ns == 0 && !before.in_gap)
        return note_low(counter, &before, reading);
    if (before.low.count == 0)
        return step_back(traits, before.ticks - reading->ticks,
                         judged_span_ns(before.time_ns, reading->time_ns, slept_ns), before.in_gap,
                         slept_ns > 0);
    /* After sleep, a low reading from before it can no longer be decided. */
    if (slept_ns > 0)
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    return step_after_low(counter, traits, &before, reading);
}

struct counter_step counter_advance(struct counter *counter, const struct counter_traits *traits,
                                    const struct reading *reading, uint64_t slept_ns) {
    if (reading->error != 0)
        return take_failure(counter, slept_ns);
    if (!counter->has_baseline) {
        set_baseline(counter, reading);
        return (struct counter_step){.outcome = COUNTER_BASELINE};
    }
    slept_ns += counter->slept_ns;
    const uint64_t ticks = reading->ticks - counter->ticks;
    const bool passed_end = traits->goes_on && ticks <= INT64_MAX;
    if (counter->low.count > 0 || (reading->ticks < counter->ticks && !passed_end))
        return take_low(counter, traits, reading, slept_ns);
    const uint64_t span_ns = judged_span_ns(counter->time_ns, reading->time_ns, slept_ns);
    const struct counter_step step =
        step_forward(traits, ticks, span_ns, counter->in_gap, slept_ns > 0);
    const bool exceeds = step.outcome == COUNTER_RESET_FORWARD;
    const unsigned int above =
        exceeds && may_be_too_low(traits, ticks, span_ns) ? counter->above + 1 : 0;
    counter->in_gap = false;
    counter->slept_ns = 0;
    counter->ticks = reading->ticks;
    counter->time_ns = reading->time_ns;
    counter->above = above;
    counter->leapt = exceeds && is_far(traits, ticks, span_ns);
    return step;
}

void counter_forget(struct counter *counter) {
    *counter = (struct counter){.has_baseline = false};
}
