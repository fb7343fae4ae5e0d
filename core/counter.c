/* SPDX-License-Identifier: MIT */
#include "counter.h"

uint64_t counter_unit(uint64_t range) {
    const uint64_t ticks = UINT32_MAX;
    return range / ticks + (range % ticks >= (ticks + 1) / 2 ? 1 : 0);
}

uint64_t counter_modulus(uint64_t range) {
    uint64_t unit = counter_unit(range);
    return range == 0 || range > UINT64_MAX - unit ? 0 : range + unit;
}

void reading_stamp(struct reading *reading, uint64_t begin_ns, uint64_t end_ns) {
    reading->doubt_ns = end_ns > begin_ns ? (end_ns - begin_ns) / 2 : 0;
    reading->time_ns = begin_ns + reading->doubt_ns;
}

/* Most fit into 64 bits, which are divided much sooner. */
static rapl_uint128 divide(rapl_uint128 dividend, uint64_t divisor) {
    return dividend <= UINT64_MAX ? (uint64_t)dividend / divisor : dividend / divisor;
}

uint64_t counter_to_uj(struct tick_scale scale, rapl_uint128 ticks) {
    const rapl_uint128 energy_uj = divide(ticks * scale.numerator_uj, scale.denominator);
    return energy_uj < UINT64_MAX ? (uint64_t)energy_uj : UINT64_MAX;
}

uint64_t counter_mean_uw(uint64_t energy_uj, uint64_t span_ns) {
    /* uJ / ns = 10^9 uW */
    return (uint64_t)divide((rapl_uint128)energy_uj * UINT64_C(1000000000) + span_ns / 2, span_ns);
}

uint64_t counter_distance(uint64_t a, uint64_t b, uint64_t modulus) {
    uint64_t direct = a > b ? a - b : b - a;
    return direct < modulus && modulus - direct < direct ? modulus - direct : direct;
}

struct counter_traits counter_raise(const struct counter_traits *traits) {
    struct counter_traits raised = *traits;
    if (traits->most_uw > traits->ceiling_uw)
        raised.ceiling_uw = traits->most_uw;
    return raised;
}

bool counter_exceeds(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    /* uJ / ns = kW = 10^9 uW */
    return (rapl_uint128)counter_to_uj(traits->scale, ticks) * UINT64_C(1000000000) >
           (rapl_uint128)traits->ceiling_uw * span_ns;
}

/* No domain draws more than this for long. The ceiling of psys, 50 kW, would let every new start of
 * a counter of 262 kJ pass for a wrap within 5 s. */
#define SUSTAINED_UW UINT64_C(4000000000)

static uint64_t sustained_uw(const struct counter_traits *traits) {
    return traits->ceiling_uw < SUSTAINED_UW ? traits->ceiling_uw : SUSTAINED_UW;
}

bool counter_exceeds_sustained(const struct counter_traits *traits, uint64_t ticks,
                               uint64_t span_ns) {
    struct counter_traits sustained = *traits;
    sustained.ceiling_uw = sustained_uw(traits);
    return counter_exceeds(&sustained, ticks, span_ns);
}

uint64_t counter_safe_span_ns(const struct counter_traits *traits, uint64_t unread_uj) {
    /* Twice the energy, for half of an odd range is none. */
    rapl_uint128 twice_uj = 2 * (rapl_uint128)unread_uj;
    if (traits->modulus != 0) {
        const uint64_t range_uj = counter_to_uj(traits->scale, traits->modulus);
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

/* Whether one more turn of the counter than ticks would still have been possible. */
static bool may_hide_wrap(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    return counter_may_hide_turn(traits, traits->modulus, ticks, span_ns);
}

static struct counter_step step_back(const struct counter_traits *traits, uint64_t back,
                                     uint64_t span_ns, bool gap, bool slept) {
    /* After sleep and without a known range nothing tells a wrap from a new start. */
    if (slept || traits->modulus == 0 || back >= traits->modulus)
        return (struct counter_step){.outcome = COUNTER_RESET};
    uint64_t ticks = traits->modulus - back;
    if (counter_exceeds_sustained(traits, ticks, span_ns))
        return (struct counter_step){.outcome = COUNTER_RESET};
    if (gap || may_hide_wrap(traits, ticks, span_ns))
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    return (struct counter_step){.outcome = COUNTER_WRAPPED, .ticks = ticks};
}

static struct counter_step step_forward(const struct counter_traits *traits, uint64_t ticks,
                                        uint64_t span_ns, bool gap, bool slept) {
    if (counter_exceeds(traits, ticks, span_ns))
        return (struct counter_step){.outcome = COUNTER_RESET_FORWARD};
    /* Of a sleep, what the counter shows is counted: it never shows more than was used. */
    bool hidden = traits->modulus != 0 ? may_hide_wrap(traits, ticks, span_ns) : gap;
    if (hidden && (gap || !slept))
        return (struct counter_step){.outcome = COUNTER_UNDECIDED};
    return (struct counter_step){.outcome = COUNTER_COUNTED, .ticks = ticks};
}

static bool may_be_too_low(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns) {
    const struct counter_traits raised = counter_raise(traits);
    return counter_exceeds(traits, ticks, span_ns) && !counter_exceeds(&raised, ticks, span_ns);
}

struct counter_step counter_advance(struct counter *counter, const struct counter_traits *traits,
                                    const struct reading *reading, uint64_t slept_ns) {
    const struct counter before = *counter;
    if (reading->error != 0) {
        counter->in_gap = before.has_baseline;
        counter->slept_ns += slept_ns;
        return (struct counter_step){.outcome = COUNTER_FAILED};
    }
    *counter = (struct counter){
        .has_baseline = true, .ticks = reading->ticks, .time_ns = reading->time_ns};
    if (!before.has_baseline)
        return (struct counter_step){.outcome = COUNTER_BASELINE};

    const bool gap = before.in_gap;
    slept_ns += before.slept_ns;
    uint64_t span_ns = slept_ns;
    if (reading->time_ns > before.time_ns)
        span_ns += reading->time_ns - before.time_ns;
    if (span_ns < COUNTER_JUDGED_SPAN_NS)
        span_ns = COUNTER_JUDGED_SPAN_NS;
    const bool passed_end = traits->goes_on && before.ticks - reading->ticks > INT64_MAX;
    if (reading->ticks < before.ticks && !passed_end)
        return step_back(traits, before.ticks - reading->ticks, span_ns, gap, slept_ns > 0);
    const uint64_t ticks = reading->ticks - before.ticks;
    if (may_be_too_low(traits, ticks, span_ns))
        counter->above = before.above + 1;
    return step_forward(traits, ticks, span_ns, gap, slept_ns > 0);
}

void counter_forget(struct counter *counter) {
    *counter = (struct counter){.has_baseline = false};
}
