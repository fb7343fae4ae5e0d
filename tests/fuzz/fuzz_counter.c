/* SPDX-License-Identifier: MIT */
/* A sequence of readings of a counter with any traits. */
#include "energy/counter.h"
#include "fuzz.h"

struct walk {
    struct counter counter;
    struct counter_traits traits;
    struct reading last; /* without an error */
    bool has_last;
    bool failed;       /* since then */
    uint64_t slept_ns; /* since then */
    unsigned int lows; /* readings below the last one, since then */
    struct reading first_low;
    struct reading last_low;
};

static struct counter_traits take_traits(struct input *input) {
    static const struct tick_scale scales[] = {
        {1, 1}, {1000000, 1 << 14}, {1000000, UINT64_C(1) << 32}, {153, 10}, {1000000, 1}};
    const uint8_t kind = take_byte(input);
    const uint64_t range = take_number(input) >> take_byte(input) % 64;
    return (struct counter_traits){.modulus = kind % 4 != 0 ? counter_modulus(range) : 0,
                                   .goes_on = kind % 4 == 0 && kind >= 128,
                                   .unit = counter_unit(range),
                                   .scale = scales[take_byte(input) % COUNT_OF(scales)],
                                   .ceiling_uw = take_number(input) >> take_byte(input) % 64};
}

/* Answers the same question in floating point. */
static bool is_above(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns,
                     uint64_t ceiling_uw) {
    long double energy_uj = (long double)ticks * (long double)traits->scale.numerator_uj /
                            (long double)traits->scale.denominator;
    if (energy_uj > (long double)UINT64_MAX)
        energy_uj = (long double)UINT64_MAX; /* the limit of counter_to_uj() */
    /* Allows a microjoule for rounding. */
    return (energy_uj - 1) * 1e9L > (long double)ceiling_uw * (long double)span_ns * (1 + 1e-15L);
}

static uint64_t find_least_turn(const struct counter_traits *traits) {
    return (uint64_t)((long double)COUNTER_LEAST_TURN_UJ * (long double)traits->scale.denominator /
                      (long double)traits->scale.numerator_uj);
}

/* Checks the step from the last reading to the first low one. */
static void check_wrap(const struct walk *walk, uint64_t ticks) {
    uint64_t span_ns = walk->first_low.time_ns - walk->last.time_ns;
    if (span_ns < COUNTER_JUDGED_SPAN_NS)
        span_ns = COUNTER_JUDGED_SPAN_NS;
    HOLDS(!is_above(&walk->traits, ticks, span_ns, walk->traits.ceiling_uw));
    HOLDS(!is_above(&walk->traits, ticks, span_ns, UINT64_C(4000000000)));
}

static void check_step(const struct walk *walk, const struct counter_step *step,
                       const struct reading *reading, uint64_t span_ns) {
    const struct counter_traits *traits = &walk->traits;
    const uint64_t before = walk->last.ticks;
    const uint64_t after = reading->ticks;
    switch (step->outcome) {
    case COUNTER_COUNTED:
        HOLDS(step->ticks == after - before);
        HOLDS(after >= before || traits->goes_on);
        HOLDS(!is_above(traits, step->ticks, span_ns, traits->ceiling_uw));
        break;
    case COUNTER_LOW:
        HOLDS(walk->lows < 2 && walk->slept_ns == 0 && !walk->failed);
        HOLDS(walk->lows == 0 ? after < before : after >= walk->last_low.ticks);
        break;
    case COUNTER_WRAPPED:
        HOLDS(walk->lows > 0 && after >= walk->first_low.ticks && walk->slept_ns == 0);
        HOLDS(traits->modulus != 0 && step->ticks == traits->modulus - before + after);
        check_wrap(walk, walk->first_low.ticks - before + traits->modulus);
        break;
    case COUNTER_RESET:
        HOLDS(walk->lows > 0 || (after < before && (walk->slept_ns > 0 || walk->failed)));
        break;
    case COUNTER_RESTARTED:
        HOLDS(walk->lows == 2 && walk->slept_ns == 0);
        HOLDS(step->ticks == after - walk->first_low.ticks);
        break;
    case COUNTER_RESET_FORWARD:
        HOLDS(walk->lows == 0 && (after > before || traits->goes_on));
        break;
    case COUNTER_UNDECIDED:
        HOLDS(!traits->goes_on || walk->failed || walk->lows > 0);
        break;
    default:
        HOLDS(false);
    }
    HOLDS(step->outcome == COUNTER_COUNTED || step->outcome == COUNTER_WRAPPED ||
          step->outcome == COUNTER_RESTARTED || step->ticks == 0);
    if (after == before && !walk->failed && traits->goes_on && walk->lows == 0)
        HOLDS(step->outcome == COUNTER_COUNTED && step->ticks == 0);
    /* If a wrap of the smallest existing range cannot hide, one of an unknown range cannot
     * either. */
    if (traits->modulus == 0 && !traits->goes_on &&
        is_above(traits, find_least_turn(traits), span_ns, traits->ceiling_uw))
        HOLDS(step->outcome != COUNTER_UNDECIDED || walk->lows > 0);
}

static void take_step(struct walk *walk, struct input *input) {
    const uint8_t kind = take_byte(input);
    const uint64_t slept_ns = kind % 8 == 1 ? take_number(input) >> 8 : 0;
    struct reading reading = {.error = kind % 8 == 0 ? -5 : 0};
    reading.time_ns = walk->last.time_ns + (take_number(input) >> (8 + kind % 48));
    const uint64_t moved = take_number(input) >> kind % 64;
    reading.ticks = kind >= 128 ? walk->last.ticks + moved : moved;
    if (walk->traits.modulus != 0)
        reading.ticks %= walk->traits.modulus;
    const struct counter_step step =
        counter_advance(&walk->counter, &walk->traits, &reading, slept_ns);
    walk->slept_ns += slept_ns;
    if (reading.error != 0) {
        HOLDS(step.outcome == COUNTER_FAILED && step.ticks == 0);
        walk->has_last = walk->has_last && walk->lows == 0;
        walk->failed = walk->has_last;
        walk->slept_ns = walk->has_last ? walk->slept_ns : 0;
        walk->lows = 0;
        return;
    }
    uint64_t span_ns = walk->slept_ns + reading.time_ns - walk->last.time_ns;
    if (span_ns < COUNTER_JUDGED_SPAN_NS)
        span_ns = COUNTER_JUDGED_SPAN_NS;
    if (walk->has_last)
        check_step(walk, &step, &reading, span_ns);
    else
        HOLDS(step.outcome == COUNTER_BASELINE && step.ticks == 0);
    if (step.outcome == COUNTER_LOW) {
        walk->first_low = walk->lows == 0 ? reading : walk->first_low;
        walk->last_low = reading;
        walk->lows++;
        return;
    }
    *walk = (struct walk){
        .counter = walk->counter, .traits = walk->traits, .last = reading, .has_last = true};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct walk walk = {.traits = take_traits(&input)};
    while (input.left > 0)
        take_step(&walk, &input);
    HOLDS(counter_safe_span_ns(&walk.traits, 0) > 0 || walk.traits.modulus != 0);
    return 0;
}
