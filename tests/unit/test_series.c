/* SPDX-License-Identifier: MIT */
#include "series/series.h"

#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"

static struct series new_series(void) {
    return (struct series){.traits = {.modulus = 1000000000,
                                      .scale = {.numerator_uj = 1, .denominator = 1},
                                      .ceiling_uw = 1000000}};
}

static enum counter_outcome take(struct series *series, uint64_t seconds, uint64_t ticks,
                                 struct rapl_health *health) {
    const struct reading reading = {.ticks = ticks, .time_ns = seconds * NS_PER_S};
    return series_take(series, &reading, 0, health);
}

static enum counter_outcome fail_read(struct series *series, struct rapl_health *health) {
    const struct reading reading = {.error = -EIO};
    return series_take(series, &reading, 0, health);
}

static void test_first_reading_joins_at_zero(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    assert_int_equal(take(&series, 5, 777, &health), COUNTER_BASELINE);
    assert_true(series.reads);
    assert_true(series.has_read);
    assert_true(series.joined);
    assert_false(series.lost);
    assert_int_equal(series.energy_uj, 0);
    assert_int_equal(series.power.time_ns, 5 * NS_PER_S);
    assert_int_equal(series.power.energy_uj, 0);
    assert_int_equal(series_now(&series).time_ns, 5 * NS_PER_S);
}

static void test_energy_only_grows(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    take(&series, 1, 999999990, &health);
    series.joined = false;
    assert_int_equal(take(&series, 2, 999999997, &health), COUNTER_COUNTED);
    assert_int_equal(series.energy_uj, 7);
    assert_int_equal(take(&series, 3, 4, &health), COUNTER_LOW);
    assert_false(series.reads);
    assert_int_equal(take(&series, 3, 4, &health), COUNTER_WRAPPED);
    assert_int_equal(series.energy_uj, 14);
    assert_int_equal(health.wraps, 1);
    assert_false(series.lost);
    assert_int_equal(take(&series, 4, 500000000, &health), COUNTER_RESET_FORWARD);
    assert_int_equal(series.energy_uj, 14);
    assert_int_equal(health.resets, 1);
    assert_true(series.lost);
    series.lost = false;
    assert_int_equal(take(&series, 5, 9, &health), COUNTER_LOW);
    assert_int_equal(health.resets, 1);
    assert_int_equal(take(&series, 5, 9, &health), COUNTER_LOW);
    assert_int_equal(health.resets, 2);
    assert_int_equal(take(&series, 5, 9, &health), COUNTER_RESTARTED);
    assert_int_equal(series.energy_uj, 14);
    assert_int_equal(health.resets, 2);
    assert_true(series.lost);
    assert_int_equal(take(&series, 6, 10, &health), COUNTER_COUNTED);
    assert_int_equal(series.energy_uj, 15);
    assert_int_equal(health.wraps, 1);
    assert_int_equal(health.gaps, 0);
    assert_false(series.joined);
}

static void test_gap_is_counted_once(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    take(&series, 1, 10, &health);
    assert_int_equal(fail_read(&series, &health), COUNTER_FAILED);
    assert_false(series.reads);
    assert_true(series.has_read);
    assert_int_equal(health.gaps, 1);
    fail_read(&series, &health);
    assert_int_equal(health.gaps, 1);
    assert_int_equal(take(&series, 4, 15, &health), COUNTER_COUNTED);
    assert_true(series.reads);
    assert_false(series.lost);
    assert_int_equal(series.energy_uj, 5);
    fail_read(&series, &health);
    assert_int_equal(health.gaps, 2);
    /* the gap's energy cannot be determined: it counts as the same gap */
    assert_int_equal(take(&series, 4000, 20, &health), COUNTER_UNDECIDED);
    assert_int_equal(health.gaps, 2);
    assert_true(series.lost);
    assert_int_equal(series.energy_uj, 5);
}

static void test_undecided_step_is_a_gap(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    take(&series, 1, 10, &health);
    assert_int_equal(take(&series, 4000, 20, &health), COUNTER_UNDECIDED);
    assert_int_equal(health.gaps, 1);
    assert_int_equal(health.resets, 0);
    assert_true(series.lost);
}

static void test_failure_before_the_first_reading_is_no_gap(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    fail_read(&series, &health);
    assert_false(series.reads);
    assert_false(series.has_read);
    assert_int_equal(health.gaps, 0);
}

/* However many intervals pass before it is read again, their energy is unknown. */
static void test_reading_after_another_counter_leaves_its_interval_out(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    take(&series, 1, 10, &health);
    series_forget(&series);
    assert_true(series.lost);
    series.lost = false; /* as a report does */
    fail_read(&series, &health);
    assert_int_equal(take(&series, 3, 30, &health), COUNTER_BASELINE);
    assert_true(series.lost);
    assert_int_equal(health.gaps, 1);
    assert_int_equal(series.energy_uj, 0);
}

static void test_sleep_is_remembered(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    const struct reading slept = {.ticks = 20, .time_ns = 2 * NS_PER_S};
    take(&series, 1, 10, &health);
    assert_false(series.slept);
    assert_int_equal(series_take(&series, &slept, 1, &health), COUNTER_COUNTED);
    assert_true(series.slept);
    take(&series, 3, 30, &health);
    assert_true(series.slept);
}

static void test_returning_member_joins_again(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    take(&series, 1, 10, &health);
    series.joined = false;
    series.gone = true;
    fail_read(&series, &health);
    assert_true(series.gone);
    assert_false(series.joined);
    take(&series, 2, 15, &health);
    assert_false(series.gone);
    assert_true(series.joined);
    assert_int_equal(series.energy_uj, 5);
}

static void test_power_needs_50_ms_or_half_a_second_per_joule(void **state) {
    (void)state;
    static const struct {
        uint64_t range;
        uint64_t span_ms;
    } known[] = {
        {0, 50},
        {UINT64_C(262143328850), 50},
        {UINT64_C(65532610987), 50},
        {UINT64_C(4294967295000000), 500},
        {UINT64_C(429496729500000), 50},
        {UINT64_C(858993459000000), 100},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct series series = new_series();
        struct counter_traits traits = series.traits;
        traits.unit = counter_unit(known[i].range);
        series_set_traits(&series, &traits);
        assert_int_equal(series.power_span_ns, known[i].span_ms * NS_PER_MS);
    }
}

static void test_unit_of_a_finer_scale(void **state) {
    (void)state;
    struct series series = new_series();
    struct rapl_health health = {.wraps = 0};
    /* an MSR with a unit of a joule: 2^32 ticks */
    const struct counter_traits traits = {.modulus = UINT64_C(1) << 32,
                                          .unit = 1,
                                          .scale = {.numerator_uj = 1000000, .denominator = 1},
                                          .ceiling_uw = UINT64_C(1000000000)};
    series_set_traits(&series, &traits);
    take(&series, 1, 7, &health);
    take(&series, 2, 10, &health);
    series_set_spans(&series);
    assert_int_equal(series.power_span_ns, 500 * NS_PER_MS);
    assert_int_equal(series.energy_uj, 3000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_reading_joins_at_zero),
        cmocka_unit_test(test_energy_only_grows),
        cmocka_unit_test(test_gap_is_counted_once),
        cmocka_unit_test(test_undecided_step_is_a_gap),
        cmocka_unit_test(test_failure_before_the_first_reading_is_no_gap),
        cmocka_unit_test(test_reading_after_another_counter_leaves_its_interval_out),
        cmocka_unit_test(test_sleep_is_remembered),
        cmocka_unit_test(test_returning_member_joins_again),
        cmocka_unit_test(test_power_needs_50_ms_or_half_a_second_per_joule),
        cmocka_unit_test(test_unit_of_a_finer_scale),
    };
    return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
