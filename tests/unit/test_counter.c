/* SPDX-License-Identifier: MIT */
#include "energy/counter.h"

#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"

#define CEILING_UW UINT64_C(250000000)
#define SECOND NS_PER_S

/* Largest values that known parts show, the unit of each, and the modulus of each. */
static const struct {
    uint64_t range;
    uint64_t unit;
    uint64_t modulus;
} known[] = {
    {UINT64_C(262143328850), 61, UINT64_C(262143328911)},
    {UINT64_C(65532610987), 15, UINT64_C(65532611002)},
    {UINT64_C(65712999613), 15, UINT64_C(65712999628)},
    {UINT64_C(137438953440), 32, UINT64_C(137438953472)},
    {UINT64_C(4294967295000000), 1000000, UINT64_C(4294967296000000)},
    {UINT64_C(262143999938), 61, UINT64_C(262143999999)},
};

static const struct tick_scale microjoules = {.numerator_uj = 1, .denominator = 1};

static struct counter_traits traits_of(uint64_t modulus) {
    return (struct counter_traits){
        .modulus = modulus, .scale = microjoules, .ceiling_uw = CEILING_UW};
}

static struct counter counter_at(uint64_t ticks, uint64_t time_ns) {
    return (struct counter){.has_baseline = true, .ticks = ticks, .time_ns = time_ns};
}

static struct counter_step advance(struct counter *counter, const struct counter_traits *traits,
                                   uint64_t ticks, uint64_t time_ns) {
    const struct reading reading = {.ticks = ticks, .time_ns = time_ns};
    return counter_advance(counter, traits, &reading, 0);
}

static struct counter_step advance_slept(struct counter *counter,
                                         const struct counter_traits *traits, uint64_t ticks,
                                         uint64_t time_ns, uint64_t slept_ns) {
    const struct reading reading = {.ticks = ticks, .time_ns = time_ns};
    return counter_advance(counter, traits, &reading, slept_ns);
}

static void fail_read(struct counter *counter, const struct counter_traits *traits) {
    const struct reading reading = {.ticks = 77, .time_ns = 99, .error = -EIO};
    const struct counter_step step = counter_advance(counter, traits, &reading, 0);
    assert_int_equal(step.outcome, COUNTER_FAILED);
    assert_int_equal(step.ticks, 0);
}

static void expect(struct counter_step step, enum counter_outcome outcome, uint64_t ticks) {
    assert_int_equal(step.outcome, outcome);
    assert_int_equal(step.ticks, ticks);
}

#define SOON (SECOND / 50)

/* Passes a reading, repeated shortly after as often as it takes to decide what it means. */
static struct counter_step decide(struct counter *counter, const struct counter_traits *traits,
                                  uint64_t ticks, uint64_t time_ns) {
    struct counter_step step = advance(counter, traits, ticks, time_ns);
    for (int i = 0; i < 2 && step.outcome == COUNTER_LOW; i++)
        step = advance(counter, traits, ticks, time_ns += SOON);
    if (step.outcome == COUNTER_RESTARTED && step.ticks == 0)
        step.outcome = COUNTER_RESET;
    assert_true(counter->has_baseline);
    assert_false(counter->in_gap);
    assert_int_equal(counter->ticks, ticks);
    assert_int_equal(counter->time_ns, time_ns);
    assert_int_equal(counter->low.count, 0);
    return step;
}

/* One step between two readings, starting from a new counter. */
static struct counter_step step_between(const struct counter_traits *traits, uint64_t from,
                                        uint64_t to, uint64_t span_ns) {
    struct counter counter = counter_at(from, SECOND);
    return decide(&counter, traits, to, SECOND + span_ns);
}

static struct counter_step step_after_gap(const struct counter_traits *traits, uint64_t from,
                                          uint64_t to, uint64_t span_ns) {
    struct counter counter = counter_at(from, SECOND);
    fail_read(&counter, traits);
    return decide(&counter, traits, to, SECOND + span_ns);
}

/* --- range ----------------------------------------------------------------------------------- */

static void test_modulus_is_one_unit_above_every_known_range(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_int_equal(counter_unit(known[i].range), known[i].unit);
        assert_int_equal(counter_modulus(known[i].range), known[i].modulus);
    }
}

static void test_unit_is_rounded_to_the_nearest_tick(void **state) {
    (void)state;
    const uint64_t ticks = UINT32_MAX;
    assert_int_equal(counter_unit(0), 0);
    assert_int_equal(counter_unit(ticks / 2), 0);
    assert_int_equal(counter_unit(ticks / 2 + 1), 1);
    assert_int_equal(counter_unit(ticks), 1);
    assert_int_equal(counter_unit(7 * ticks + ticks / 2), 7);
    assert_int_equal(counter_unit(7 * ticks + ticks / 2 + 1), 8);
}

static void test_range_without_room_has_no_modulus(void **state) {
    (void)state;
    const uint64_t unit = counter_unit(UINT64_MAX);
    assert_int_equal(counter_modulus(0), 0);
    assert_int_equal(counter_modulus(1), 1);
    assert_int_equal(counter_modulus(UINT64_MAX), 0);
    assert_int_equal(counter_modulus(UINT64_MAX - unit + 2), 0);
    assert_int_equal(counter_modulus(UINT64_MAX - unit + 1), UINT64_MAX);
}

static void test_scales_of_every_source(void **state) {
    (void)state;
    const struct tick_scale msr = {.numerator_uj = 1000000, .denominator = UINT64_C(1) << 14};
    const struct tick_scale perf = {.numerator_uj = 1000000, .denominator = UINT64_C(1) << 32};
    assert_int_equal(counter_to_uj(microjoules, 12345), 12345);
    assert_int_equal(counter_to_uj(microjoules, UINT64_MAX), UINT64_MAX);
    assert_int_equal(counter_to_uj(msr, 16384), 1000000);
    assert_int_equal(counter_to_uj(msr, 1), 61);
    assert_int_equal(counter_to_uj(perf, UINT64_C(5) << 32), 5000000);
    /* more ticks times numerator than 64 bits hold */
    assert_int_equal(counter_to_uj(perf, UINT64_MAX), UINT64_C(4294967295999999));
    /* more energy than 64 bits hold: not the remainder modulo 2^64 */
    const struct tick_scale joule = {.numerator_uj = 1000000, .denominator = 1};
    assert_int_equal(counter_to_uj(joule, UINT64_MAX / 1000000), UINT64_MAX / 1000000 * 1000000);
    assert_int_equal(counter_to_uj(joule, UINT64_C(1) << 58), UINT64_MAX);
}

static void test_distance_goes_the_short_way_round(void **state) {
    (void)state;
    assert_int_equal(counter_distance(10, 30, 0), 20);
    assert_int_equal(counter_distance(30, 10, 0), 20);
    assert_int_equal(counter_distance(UINT64_MAX - 4, 5, 0), 10);
    assert_int_equal(counter_distance(30, 30, 100), 0);
    assert_int_equal(counter_distance(10, 30, 100), 20);
    assert_int_equal(counter_distance(95, 5, 100), 10);
    assert_int_equal(counter_distance(5, 95, 100), 10);
    assert_int_equal(counter_distance(0, 50, 100), 50);
    assert_int_equal(counter_distance(0, 51, 100), 49);
    /* further apart than the range: it is not their range */
    assert_int_equal(counter_distance(0, 100, 100), 100);
    assert_int_equal(counter_distance(0, 170, 100), 170);
}

static void test_exactly_the_ceiling_does_not_exceed_it(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    assert_false(counter_exceeds(&traits, 250000000, SECOND));
    assert_true(counter_exceeds(&traits, 250000001, SECOND));
    assert_true(counter_exceeds(&traits, 250000000, SECOND - 1));
    assert_false(counter_exceeds(&traits, 0, 0));
    assert_true(counter_exceeds(&traits, 1, 0));
    /* products of more than 64 bits */
    assert_true(counter_exceeds(&traits, UINT64_MAX, SECOND));
    traits.ceiling_uw = UINT64_MAX;
    assert_false(counter_exceeds(&traits, UINT64_MAX, SECOND));
    traits.scale = (struct tick_scale){.numerator_uj = 1000000, .denominator = 1 << 14};
    traits.ceiling_uw = CEILING_UW;
    assert_false(counter_exceeds(&traits, UINT64_C(250) << 14, SECOND));
    assert_true(counter_exceeds(&traits, (UINT64_C(250) << 14) + 1, SECOND));
}

/* --- steps ----------------------------------------------------------------------------------- */

static void test_first_reading_is_a_baseline(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = {.has_baseline = false};
    expect(advance(&counter, &traits, 5000, SECOND), COUNTER_BASELINE, 0);
    expect(advance(&counter, &traits, 5007, 2 * SECOND), COUNTER_COUNTED, 7);
}

static void test_equal_readings_are_no_energy(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const struct counter_traits unknown = traits_of(0);
    expect(step_between(&traits, 123456, 123456, 10 * SECOND), COUNTER_COUNTED, 0);
    expect(step_between(&traits, 0, 0, 0), COUNTER_COUNTED, 0);
    expect(step_between(&unknown, 123456, 123456, 10 * SECOND), COUNTER_COUNTED, 0);
}

static void test_forward_step_is_counted_up_to_the_ceiling(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    expect(step_between(&traits, 1000, 1001, SECOND), COUNTER_COUNTED, 1);
    expect(step_between(&traits, 1000, 250001000, SECOND), COUNTER_COUNTED, 250000000);
}

static void test_forward_step_above_the_ceiling_is_a_reset(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const struct counter_traits unknown = traits_of(0);
    expect(step_between(&traits, 1000, 250001001, SECOND), COUNTER_RESET_FORWARD, 0);
    expect(step_between(&unknown, 1000, 250001001, SECOND), COUNTER_RESET_FORWARD, 0);
}

static void test_counting_goes_on_from_the_reset(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(1000, SECOND);
    expect(advance(&counter, &traits, UINT64_C(9000000000), 2 * SECOND), COUNTER_RESET_FORWARD, 0);
    expect(advance(&counter, &traits, UINT64_C(9000000042), 3 * SECOND), COUNTER_COUNTED, 42);
    expect(decide(&counter, &traits, 10, 4 * SECOND), COUNTER_RESET, 0);
    expect(advance(&counter, &traits, 15, 5 * SECOND), COUNTER_COUNTED, 5);
}

static void test_short_steps_are_judged_as_of_50_ms(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const uint64_t most = 12500000; /* 250 W in 50 ms */
    expect(step_between(&traits, 0, most, 0), COUNTER_COUNTED, most);
    expect(step_between(&traits, 0, most, 1), COUNTER_COUNTED, most);
    expect(step_between(&traits, 0, most + 1, 1), COUNTER_RESET_FORWARD, 0);
    expect(step_between(&traits, 0, most + 1, 50 * NS_PER_MS), COUNTER_RESET_FORWARD, 0);
    expect(step_between(&traits, 0, 15000000, 60 * NS_PER_MS), COUNTER_COUNTED, 15000000);
    expect(step_between(&traits, 0, 15000001, 60 * NS_PER_MS), COUNTER_RESET_FORWARD, 0);
}

static void test_time_that_goes_back_is_no_time(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(0, 10 * SECOND);
    expect(advance(&counter, &traits, 12500000, 9 * SECOND), COUNTER_COUNTED, 12500000);
    expect(advance(&counter, &traits, 25000001, 8 * SECOND), COUNTER_RESET_FORWARD, 0);
}

static void test_wrap_at_every_known_range(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const struct counter_traits traits = traits_of(counter_modulus(known[i].range));
        const uint64_t unit = known[i].unit;
        const uint64_t range = known[i].range;
        /* the largest value is followed by 0, one unit of energy later */
        expect(step_between(&traits, range, 0, SECOND), COUNTER_WRAPPED, unit);
        expect(step_between(&traits, range - 7 * unit, 3 * unit, SECOND), COUNTER_WRAPPED,
               11 * unit);
        expect(step_between(&traits, range - 5, 6, SECOND), COUNTER_WRAPPED, unit + 11);
    }
}

static void test_wrap_is_counted_up_to_the_ceiling(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[1].modulus);
    const uint64_t from = known[1].modulus - 100000000;
    expect(step_between(&traits, from, 150000000, SECOND), COUNTER_WRAPPED, 250000000);
    expect(step_between(&traits, from, 150000001, SECOND), COUNTER_RESET, 0);
}

static void test_decrease_that_no_wrap_explains_is_a_reset(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    expect(step_between(&traits, UINT64_C(90000000000), 12, SECOND), COUNTER_RESET, 0);
    /* from a value beyond the range */
    expect(step_between(&traits, known[0].modulus + 5, 5, SECOND), COUNTER_RESET, 0);
    expect(step_between(&traits, known[0].modulus + 500, 5, SECOND), COUNTER_RESET, 0);
}

static void test_unknown_range_makes_every_decrease_a_reset(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(0);
    expect(step_between(&traits, 1000, 999, SECOND), COUNTER_RESET, 0);
    expect(step_between(&traits, UINT64_MAX, 0, SECOND), COUNTER_RESET, 0);
    expect(step_between(&traits, 1000, 1042, SECOND), COUNTER_COUNTED, 42);
    /* also a decrease that would be a wrap of the smallest range */
    expect(step_between(&traits, COUNTER_LEAST_TURN_UJ - 1, 1, SECOND), COUNTER_RESET, 0);
}

/* Time in ns to use the smallest range and 42 uJ at 250 W. */
#define LEAST_TURN_NS (4 * (COUNTER_LEAST_TURN_UJ + 42))

static void test_unknown_range_may_be_the_smallest(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(0);
    assert_int_equal(COUNTER_LEAST_TURN_UJ, counter_modulus(known[1].range));
    expect(step_between(&traits, 1000, 1042, LEAST_TURN_NS - 1), COUNTER_COUNTED, 42);
    expect(step_between(&traits, 1000, 1042, LEAST_TURN_NS), COUNTER_UNDECIDED, 0);
    /* a sleep hides less than what was used, as with a known range */
    struct counter counter = counter_at(1000, SECOND);
    expect(advance_slept(&counter, &traits, 1042, 2 * SECOND, LEAST_TURN_NS), COUNTER_COUNTED, 42);
    /* in ticks of 2^-14 J */
    struct counter_traits registers = traits;
    registers.scale = (struct tick_scale){.numerator_uj = 1000000, .denominator = 1 << 14};
    const uint64_t least_ns = 4 * COUNTER_LEAST_TURN_UJ;
    expect(step_between(&registers, 10, 10, least_ns - 4000), COUNTER_COUNTED, 0);
    expect(step_between(&registers, 10, 10, least_ns + 4000), COUNTER_UNDECIDED, 0);
    /* more ticks than 64 bits hold: limited to 64 bits */
    registers.scale = (struct tick_scale){.numerator_uj = 1, .denominator = UINT64_C(1) << 32};
    expect(step_between(&registers, 10, 10, UINT64_C(17179869184)), COUNTER_UNDECIDED, 0);
}

static void test_sum_that_goes_on_passes_its_end(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    traits.goes_on = true;
    expect(step_between(&traits, UINT64_MAX - 9, 32, SECOND), COUNTER_COUNTED, 42);
    expect(step_between(&traits, 32, UINT64_MAX - 9, SECOND), COUNTER_RESET_FORWARD, 0);
    expect(step_between(&traits, 1000, 999, SECOND), COUNTER_RESET, 0);
    /* the counter never wraps, however long it takes */
    expect(step_between(&traits, 1000, 1042, 3600 * SECOND), COUNTER_COUNTED, 42);
}

/* A counter of at most 1 W that wraps after slightly more than 1000 s. */
static struct counter_traits slow_traits(void) {
    return (struct counter_traits){
        .modulus = 1000000000, .scale = microjoules, .ceiling_uw = 1000000};
}

static void test_long_step_in_which_a_wrap_may_hide_is_undecided(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    /* one range and 5 uJ take 1000.000005 s at the ceiling */
    const uint64_t least_ns = UINT64_C(1000000005000);
    expect(step_between(&traits, 10, 15, least_ns - 1), COUNTER_COUNTED, 5);
    expect(step_between(&traits, 10, 15, least_ns), COUNTER_UNDECIDED, 0);
    expect(step_between(&traits, 10, 10, UINT64_C(1000000000000)), COUNTER_UNDECIDED, 0);
}

static void test_long_step_back_that_may_be_two_wraps_is_undecided(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    /* a wrap of 5 uJ, or of one range more */
    const uint64_t least_ns = UINT64_C(1000000005000);
    expect(step_between(&traits, 999999998, 3, least_ns - 1), COUNTER_WRAPPED, 5);
    expect(step_between(&traits, 999999998, 3, least_ns), COUNTER_UNDECIDED, 0);
}

/* The ceiling of psys allows steps of whole joules; no machine draws that power for long. */
static void test_no_wrap_hides_above_4_kw(void **state) {
    (void)state;
    const struct counter_traits psys = {
        .modulus = known[0].modulus, .scale = microjoules, .ceiling_uw = UINT64_C(50000000000)};
    const uint64_t least_ns = (known[0].modulus + 5) / 4; /* one range and 5 uJ at 4 kW */
    assert_int_equal((known[0].modulus + 5) % 4, 0);
    expect(step_between(&psys, 10, 15, least_ns - 1), COUNTER_COUNTED, 5);
    expect(step_between(&psys, 10, 15, least_ns), COUNTER_UNDECIDED, 0);
    expect(step_after_gap(&psys, 10, 15, least_ns - 1), COUNTER_COUNTED, 5);
    /* a step forward is still compared with the ceiling itself */
    expect(step_between(&psys, 10, UINT64_C(50000000010), SECOND), COUNTER_COUNTED,
           UINT64_C(50000000000));
    expect(step_between(&psys, 10, UINT64_C(50000000011), SECOND), COUNTER_RESET_FORWARD, 0);
}

static void test_turn_beyond_64_bits_cannot_hide(void **state) {
    (void)state;
    const struct counter_traits traits = {
        .modulus = UINT64_MAX, .scale = microjoules, .ceiling_uw = UINT64_MAX};
    const uint64_t centuries_ns = UINT64_C(5000000000) * SECOND;
    expect(step_between(&traits, 10, 10, centuries_ns), COUNTER_UNDECIDED, 0);
    expect(step_between(&traits, 10, 11, centuries_ns), COUNTER_COUNTED, 1);
}

/* --- gaps ------------------------------------------------------------------------------------ */

static void test_failed_read_keeps_the_baseline(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(5000, SECOND);
    fail_read(&counter, &traits);
    fail_read(&counter, &traits);
    assert_true(counter.has_baseline);
    assert_true(counter.in_gap);
    assert_int_equal(counter.ticks, 5000);
    assert_int_equal(counter.time_ns, SECOND);
}

/* The failed reading was the one that noticed the sleep. */
static void test_sleep_within_a_gap_is_remembered(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const struct reading failed = {.error = -EIO};
    struct counter counter = counter_at(known[0].modulus - 1000, SECOND);
    (void)counter_advance(&counter, &traits, &failed, 60 * SECOND);
    expect(advance(&counter, &traits, 10, 2 * SECOND), COUNTER_RESET, 0);
    /* and only for that gap */
    fail_read(&counter, &traits);
    expect(advance(&counter, &traits, 20, 3 * SECOND), COUNTER_COUNTED, 10);
    assert_int_equal(counter.slept_ns, 0);
}

static void test_failure_before_the_first_reading_is_no_gap(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    struct counter counter = {.has_baseline = false};
    fail_read(&counter, &traits);
    assert_false(counter.in_gap);
    expect(advance(&counter, &traits, 10, SECOND), COUNTER_BASELINE, 0);
}

static void test_gap_without_a_possible_wrap_is_counted(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    const uint64_t least_ns = UINT64_C(1000000005000);
    expect(step_after_gap(&traits, 10, 15, SECOND), COUNTER_COUNTED, 5);
    expect(step_after_gap(&traits, 10, 15, least_ns - 1), COUNTER_COUNTED, 5);
}

static void test_gap_with_a_possible_wrap_is_undecided(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    expect(step_after_gap(&traits, 10, 15, UINT64_C(1000000005000)), COUNTER_UNDECIDED, 0);
    /* a decrease that the ceiling allows is a wrap, hidden by the gap */
    expect(step_after_gap(&traits, 999999998, 3, SECOND), COUNTER_UNDECIDED, 0);
}

static void test_gap_with_a_reset_is_a_reset(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    expect(step_after_gap(&traits, 500000000, 3, SECOND), COUNTER_RESET, 0);
    expect(step_after_gap(&traits, 10, 1000011, SECOND), COUNTER_RESET_FORWARD, 0);
}

static void test_gap_of_an_unknown_range(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(0);
    expect(step_after_gap(&traits, 10, 15, SECOND), COUNTER_COUNTED, 5);
    expect(step_after_gap(&traits, 10, 52, LEAST_TURN_NS - 1), COUNTER_COUNTED, 42);
    expect(step_after_gap(&traits, 10, 52, LEAST_TURN_NS), COUNTER_UNDECIDED, 0);
    expect(step_after_gap(&traits, 10, 9, SECOND), COUNTER_RESET, 0);
}

static void test_gap_of_a_sum_that_goes_on_is_undecided(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    traits.goes_on = true;
    expect(step_after_gap(&traits, 10, 15, SECOND), COUNTER_UNDECIDED, 0);
    expect(step_after_gap(&traits, 10, 10, SECOND), COUNTER_UNDECIDED, 0);
    expect(step_after_gap(&traits, 10, 9, SECOND), COUNTER_RESET, 0);
}

static void test_gap_ends_with_the_next_reading(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    struct counter counter = counter_at(999999998, SECOND);
    fail_read(&counter, &traits);
    expect(advance(&counter, &traits, 15, 2 * SECOND), COUNTER_UNDECIDED, 0);
    assert_false(counter.in_gap);
    expect(advance(&counter, &traits, 20, 3 * SECOND), COUNTER_COUNTED, 5);
}

/* --- low readings ---------------------------------------------------------------------------- */

/* A read returned 0 or an older value, then the count continues: no energy is added or lost. */
static void test_a_low_reading_was_a_failed_read(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    static const uint64_t lows[] = {0, 100000000, 700000000};
    for (size_t i = 0; i < COUNT_OF(lows); i++) {
        struct counter counter = counter_at(1000000000, SECOND);
        expect(advance(&counter, &traits, lows[i], 2 * SECOND), COUNTER_LOW, 0);
        expect(advance(&counter, &traits, 1050000000, 2 * SECOND + SOON), COUNTER_COUNTED,
               50000000);
        /* twice in a row, and the next reading is a second later */
        counter = counter_at(1000000000, SECOND);
        expect(advance(&counter, &traits, lows[i], 2 * SECOND), COUNTER_LOW, 0);
        expect(advance(&counter, &traits, lows[i], 2 * SECOND + SOON), COUNTER_LOW, 0);
        expect(advance(&counter, &traits, 1100000000, 3 * SECOND), COUNTER_COUNTED, 100000000);
        assert_int_equal(counter.low.count, 0);
    }
}

/* Near the end of the range, a reading of 0 would pass for a wrap. */
static void test_a_low_reading_that_would_pass_for_a_wrap(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const uint64_t near_end = known[0].modulus - 200000000;
    struct counter counter = counter_at(near_end, SECOND);
    expect(advance(&counter, &traits, 0, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, near_end + 60000000, 3 * SECOND), COUNTER_COUNTED, 60000000);
}

static void test_a_wrap_is_decided_by_the_second_reading(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(known[0].modulus - 40000000, SECOND);
    expect(advance(&counter, &traits, 60000000, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, 62000000, 2 * SECOND + SOON), COUNTER_WRAPPED, 102000000);
}

/* The energy since a restart is counted, and the time of the restart is reported. */
static void test_a_new_start_is_decided_by_the_third_reading(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(UINT64_C(90000000000), SECOND);
    expect(advance(&counter, &traits, 30000000, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, 32000000, 2 * SECOND + SOON), COUNTER_LOW, 0);
    assert_int_equal(counter.low.first_ns, 2 * SECOND);
    expect(advance(&counter, &traits, 130000000, 3 * SECOND), COUNTER_RESTARTED, 100000000);
    expect(advance(&counter, &traits, 230000000, 4 * SECOND), COUNTER_COUNTED, 100000000);
}

/* A counter with little energy: wrap and reset are both plausible, so nothing is counted. */
static void test_what_may_be_both_is_undecided(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(20000000, SECOND);
    expect(advance(&counter, &traits, 10000000, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, 60000000, 3 * SECOND), COUNTER_UNDECIDED, 0);
    expect(advance(&counter, &traits, 70000000, 4 * SECOND), COUNTER_COUNTED, 10000000);
}

/* Two decreases in a row, or a larger increase than the ceiling allows. */
static void test_what_no_explanation_fits_is_a_new_start(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    const uint64_t others[] = {UINT64_C(10000000000), UINT64_C(120000000000)};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct counter counter = counter_at(UINT64_C(90000000000), SECOND);
        expect(advance(&counter, &traits, UINT64_C(40000000000), 2 * SECOND), COUNTER_LOW, 0);
        expect(advance(&counter, &traits, others[i], 3 * SECOND), COUNTER_RESET, 0);
        expect(advance(&counter, &traits, others[i] + 5, 4 * SECOND), COUNTER_COUNTED, 5);
    }
}

static void test_a_gap_or_a_sleep_after_a_low_reading_counts_nothing(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(UINT64_C(90000000000), SECOND);
    expect(advance(&counter, &traits, 0, 2 * SECOND), COUNTER_LOW, 0);
    fail_read(&counter, &traits);
    expect(advance(&counter, &traits, UINT64_C(90000000000), 3 * SECOND), COUNTER_BASELINE, 0);
    expect(advance(&counter, &traits, 0, 4 * SECOND), COUNTER_LOW, 0);
    expect(advance_slept(&counter, &traits, UINT64_C(90000000000), 5 * SECOND, 1),
           COUNTER_UNDECIDED, 0);
}

/* A wrap may also hide in the time without a valid reading after a low one. */
static void test_a_wrap_that_hides_after_a_low_reading(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    const uint64_t late_ns = 2 * SECOND + UINT64_C(1000000005000);
    struct counter counter = counter_at(500000000, SECOND);
    expect(advance(&counter, &traits, 10, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, 15, late_ns), COUNTER_UNDECIDED, 0);
    counter = counter_at(10, SECOND);
    expect(advance(&counter, &traits, 5, 2 * SECOND), COUNTER_LOW, 0);
    expect(advance(&counter, &traits, 15, late_ns), COUNTER_UNDECIDED, 0);
}

/* --- sleep ----------------------------------------------------------------------------------- */

static void test_decrease_over_sleep_is_a_reset(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(known[0].range, SECOND);
    expect(advance_slept(&counter, &traits, 5, 2 * SECOND, 1), COUNTER_RESET, 0);
    expect(advance(&counter, &traits, 12, 3 * SECOND), COUNTER_COUNTED, 7);
}

static void test_increase_over_sleep_is_counted(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    struct counter counter = counter_at(10, SECOND);
    expect(advance_slept(&counter, &traits, 15, 2 * SECOND, SECOND), COUNTER_COUNTED, 5);
    /* even where another wrap was possible: it shows no more than was used */
    expect(advance_slept(&counter, &traits, 18, 3 * SECOND, 7200 * SECOND), COUNTER_COUNTED, 3);
}

static void test_time_asleep_counts_for_the_ceiling(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(0, SECOND);
    expect(advance_slept(&counter, &traits, UINT64_C(2500000000), 2 * SECOND, 9 * SECOND),
           COUNTER_COUNTED, UINT64_C(2500000000));
    counter = counter_at(0, SECOND);
    expect(advance_slept(&counter, &traits, UINT64_C(2500000001), 2 * SECOND, 9 * SECOND),
           COUNTER_RESET_FORWARD, 0);
}

static void test_sleep_in_a_gap_is_undecided_where_a_wrap_may_hide(void **state) {
    (void)state;
    const struct counter_traits traits = slow_traits();
    struct counter counter = counter_at(10, SECOND);
    fail_read(&counter, &traits);
    expect(advance_slept(&counter, &traits, 15, 2 * SECOND, SECOND), COUNTER_COUNTED, 5);
    fail_read(&counter, &traits);
    expect(advance_slept(&counter, &traits, 18, 3 * SECOND, 7200 * SECOND), COUNTER_UNDECIDED, 0);
    fail_read(&counter, &traits);
    expect(advance_slept(&counter, &traits, 17, 4 * SECOND, SECOND), COUNTER_RESET, 0);
}

static void test_forgotten_counter_starts_anew(void **state) {
    (void)state;
    const struct counter_traits traits = traits_of(known[0].modulus);
    struct counter counter = counter_at(5000, SECOND);
    fail_read(&counter, &traits);
    counter_forget(&counter);
    assert_false(counter.has_baseline);
    assert_false(counter.in_gap);
    expect(advance(&counter, &traits, 7, 2 * SECOND), COUNTER_BASELINE, 0);
}

static void test_half_of_a_turn_at_the_ceiling_is_safe(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    traits.goes_on = true;
    assert_true(counter_safe_span_ns(&traits, 0) == UINT64_MAX);
    /* an unknown range may be the smallest: 65.5 kJ at 250 W */
    traits.goes_on = false;
    assert_int_equal(counter_safe_span_ns(&traits, 0) / UINT64_C(1000000000), 131);
    /* 15 uJ at 500 W: 131 s to a wrap */
    traits.modulus = counter_modulus(UINT64_C(65532610987));
    traits.ceiling_uw = UINT64_C(500000000);
    assert_int_equal(counter_safe_span_ns(&traits, 0) / UINT64_C(1000000000), 65);
    /* psys: a wrap is compared with 4 kW */
    traits.ceiling_uw = UINT64_C(50000000000);
    assert_int_equal(counter_safe_span_ns(&traits, 0) / UINT64_C(1000000000), 8);
    traits.modulus = UINT64_MAX;
    traits.ceiling_uw = 1;
    assert_true(counter_safe_span_ns(&traits, 0) == UINT64_MAX);
    traits.ceiling_uw = 0;
    assert_true(counter_safe_span_ns(&traits, 0) == UINT64_MAX);
}

static void test_energy_that_may_go_unread_limits_the_span(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    traits.ceiling_uw = UINT64_C(1000000000);
    assert_int_equal(counter_safe_span_ns(&traits, UINT64_C(30000000000)) / 1000000000, 30);
    traits.ceiling_uw = UINT64_C(50000000000); /* compared with 4 kW */
    assert_int_equal(counter_safe_span_ns(&traits, UINT64_C(30000000000)) / 1000000, 7500);
    traits.modulus = UINT64_C(1000000000);
    assert_int_equal(counter_safe_span_ns(&traits, UINT64_C(30000000000)) / 1000000, 125);
    traits.modulus = UINT64_C(100000000000);
    assert_int_equal(counter_safe_span_ns(&traits, UINT64_C(30000000000)) / 1000000, 7500);
}

/* Consecutive steps between the ceiling and the highest value it can be raised to. */
static void test_steps_above_the_ceiling_are_counted_in_a_row(void **state) {
    (void)state;
    struct counter_traits traits = traits_of(0);
    struct counter counter = {.has_baseline = true, .time_ns = 1};
    struct reading reading = {.ticks = 0, .time_ns = 1};
    traits.ceiling_uw = UINT64_C(1000000);
    traits.most_uw = UINT64_C(4000000);
    for (unsigned int i = 1; i <= 3; i++) {
        reading.ticks += 4000000;
        reading.time_ns += UINT64_C(1000000000);
        assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome,
                         COUNTER_RESET_FORWARD);
        assert_int_equal(counter.above, i);
    }
    reading.error = -5; /* a failed read, so no step */
    counter_advance(&counter, &traits, &reading, 0);
    assert_int_equal(counter.above, 3);
    reading.error = 0;
    reading.ticks += 4000001 * 2;
    reading.time_ns += UINT64_C(2000000000);
    counter_advance(&counter, &traits, &reading, 0);
    assert_int_equal(counter.above, 0); /* a larger step is not accepted */
    reading.ticks += 2000000;
    reading.time_ns += UINT64_C(1000000000);
    counter_advance(&counter, &traits, &reading, 0);
    assert_int_equal(counter.above, 1);
    reading.ticks += 1000000;
    reading.time_ns += UINT64_C(1000000000);
    assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome, COUNTER_COUNTED);
    assert_int_equal(counter.above, 0);
    traits.most_uw = 0; /* a ceiling set by the user is not raised */
    reading.ticks += 2000000;
    reading.time_ns += UINT64_C(1000000000);
    counter_advance(&counter, &traits, &reading, 0);
    assert_int_equal(counter.above, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modulus_is_one_unit_above_every_known_range),
        cmocka_unit_test(test_unit_is_rounded_to_the_nearest_tick),
        cmocka_unit_test(test_range_without_room_has_no_modulus),
        cmocka_unit_test(test_scales_of_every_source),
        cmocka_unit_test(test_distance_goes_the_short_way_round),
        cmocka_unit_test(test_exactly_the_ceiling_does_not_exceed_it),
        cmocka_unit_test(test_first_reading_is_a_baseline),
        cmocka_unit_test(test_equal_readings_are_no_energy),
        cmocka_unit_test(test_forward_step_is_counted_up_to_the_ceiling),
        cmocka_unit_test(test_forward_step_above_the_ceiling_is_a_reset),
        cmocka_unit_test(test_counting_goes_on_from_the_reset),
        cmocka_unit_test(test_short_steps_are_judged_as_of_50_ms),
        cmocka_unit_test(test_time_that_goes_back_is_no_time),
        cmocka_unit_test(test_wrap_at_every_known_range),
        cmocka_unit_test(test_wrap_is_counted_up_to_the_ceiling),
        cmocka_unit_test(test_decrease_that_no_wrap_explains_is_a_reset),
        cmocka_unit_test(test_unknown_range_makes_every_decrease_a_reset),
        cmocka_unit_test(test_unknown_range_may_be_the_smallest),
        cmocka_unit_test(test_sum_that_goes_on_passes_its_end),
        cmocka_unit_test(test_long_step_in_which_a_wrap_may_hide_is_undecided),
        cmocka_unit_test(test_long_step_back_that_may_be_two_wraps_is_undecided),
        cmocka_unit_test(test_no_wrap_hides_above_4_kw),
        cmocka_unit_test(test_turn_beyond_64_bits_cannot_hide),
        cmocka_unit_test(test_failed_read_keeps_the_baseline),
        cmocka_unit_test(test_failure_before_the_first_reading_is_no_gap),
        cmocka_unit_test(test_sleep_within_a_gap_is_remembered),
        cmocka_unit_test(test_gap_without_a_possible_wrap_is_counted),
        cmocka_unit_test(test_gap_with_a_possible_wrap_is_undecided),
        cmocka_unit_test(test_gap_with_a_reset_is_a_reset),
        cmocka_unit_test(test_gap_of_an_unknown_range),
        cmocka_unit_test(test_gap_of_a_sum_that_goes_on_is_undecided),
        cmocka_unit_test(test_gap_ends_with_the_next_reading),
        cmocka_unit_test(test_decrease_over_sleep_is_a_reset),
        cmocka_unit_test(test_increase_over_sleep_is_counted),
        cmocka_unit_test(test_time_asleep_counts_for_the_ceiling),
        cmocka_unit_test(test_sleep_in_a_gap_is_undecided_where_a_wrap_may_hide),
        cmocka_unit_test(test_forgotten_counter_starts_anew),
        cmocka_unit_test(test_a_low_reading_was_a_failed_read),
        cmocka_unit_test(test_a_low_reading_that_would_pass_for_a_wrap),
        cmocka_unit_test(test_a_wrap_is_decided_by_the_second_reading),
        cmocka_unit_test(test_a_new_start_is_decided_by_the_third_reading),
        cmocka_unit_test(test_what_may_be_both_is_undecided),
        cmocka_unit_test(test_what_no_explanation_fits_is_a_new_start),
        cmocka_unit_test(test_a_gap_or_a_sleep_after_a_low_reading_counts_nothing),
        cmocka_unit_test(test_a_wrap_that_hides_after_a_low_reading),
        cmocka_unit_test(test_half_of_a_turn_at_the_ceiling_is_safe),
        cmocka_unit_test(test_energy_that_may_go_unread_limits_the_span),
        cmocka_unit_test(test_steps_above_the_ceiling_are_counted_in_a_row),
    };
    return cmocka_run_group_tests_name("counter", tests, NULL, NULL);
}
