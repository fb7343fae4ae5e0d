/* SPDX-License-Identifier: MIT */
/* Statistics of the power within an interval. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "energy/period.h"
#include "energy/window.h"

#define MS UINT64_C(1000000)

/* A package of 61 uJ, read as powercap shows it. */
static const struct counter_traits package = {
    .modulus = UINT64_C(262143328911), .unit = 61, .scale = {1, 1}, .ceiling_uw = 1000000000};
/* Whole joules (psys of Sapphire Rapids). */
static const struct counter_traits board = {
    .modulus = UINT64_C(4294967296000000), .unit = 1000000, .scale = {1, 1}, .ceiling_uw = 1};

static struct window *new_window(void **state) {
    *state = calloc(1, sizeof(struct window));
    assert_non_null(*state);
    return *state;
}

static int free_window(void **state) {
    free(*state);
    return 0;
}

static void take(struct window *window, const struct counter_traits *traits, uint64_t time_ns,
                 uint64_t ticks) {
    const struct reading reading = {.time_ns = time_ns, .ticks = ticks};
    window_take(window, traits, &reading, PERIOD_USUAL_NS);
}

/* A counter that moves once per period with jitter, and the times at which it is read. */
struct meter {
    struct window *window;
    const struct counter_traits *traits;
    uint64_t period_ns; /* of its updates */
    uint64_t jitter_ns;
    uint64_t power_uw;
    uint64_t time_ns;
    uint64_t update_ns; /* of the next update */
    uint64_t shown_ns;  /* time up to which the counter includes energy */
    double energy_uj;   /* true, at shown_ns */
    uint64_t last;      /* the last value read */
};

static uint64_t pick(uint64_t below) {
    return below > 0 ? (uint64_t)random() % below : 0;
}

static void run_until(struct meter *meter, uint64_t time_ns) {
    while (meter->update_ns <= time_ns) {
        meter->energy_uj +=
            (double)meter->power_uw * 1e-9 * (double)(meter->update_ns - meter->shown_ns);
        meter->shown_ns = meter->update_ns;
        meter->update_ns += meter->period_ns - meter->jitter_ns + pick(2 * meter->jitter_ns + 1);
    }
    meter->time_ns = time_ns;
}

static void read_meter(struct meter *meter) {
    const uint64_t unit = meter->traits->unit > 0 ? meter->traits->unit : 1;
    const uint64_t shown = (uint64_t)(meter->energy_uj / (double)unit) * unit;
    const uint64_t longest_ns = meter->period_ns + 2 * meter->jitter_ns;
    const struct reading reading = {.time_ns = meter->time_ns, .ticks = shown - meter->last};
    window_take(meter->window, meter->traits, &reading,
                longest_ns > PERIOD_USUAL_NS ? longest_ns : PERIOD_USUAL_NS);
    meter->last = shown;
}

static void sample_for(struct meter *meter, uint64_t span_ns, uint64_t every_ns) {
    for (const uint64_t end_ns = meter->time_ns + span_ns; meter->time_ns < end_ns;) {
        run_until(meter, meter->time_ns + every_ns);
        read_meter(meter);
    }
}

static struct meter meter_of(struct window *window, const struct counter_traits *traits,
                             uint64_t power_uw) {
    return (struct meter){.window = window,
                          .traits = traits,
                          .period_ns = MS,
                          .jitter_ns = MS / 10,
                          .power_uw = power_uw,
                          .time_ns = MS,
                          .update_ns = MS,
                          .shown_ns = MS};
}

static void assert_within(uint64_t value, uint64_t truth, double part) {
    if (fabs((double)value - (double)truth) > part * (double)truth)
        fail_msg("%llu is not within %g of %llu", (unsigned long long)value, part,
                 (unsigned long long)truth);
}

static void nothing_is_known_of_no_sample(void **state) {
    struct window *window = new_window(state);
    assert_int_equal(window_close(window).samples, 0);
    take(window, &package, MS, 0);
    assert_int_equal(window_close(window).samples, 0);
}

/* Every sampling rate, and powers from idle to a spike: no sample is more exact than the
 * counter. */
static void constant_load_has_no_peak(void **state) {
    struct window *window = new_window(state);
    static const uint64_t every_ms[] = {1, 2, 5, 7, 10, 20, 100};
    static const uint64_t powers_uw[] = {20000, 1000000, 45000000, 300000000};
    for (size_t i = 0; i < sizeof(every_ms) / sizeof(every_ms[0]); i++) {
        for (size_t j = 0; j < sizeof(powers_uw) / sizeof(powers_uw[0]); j++) {
            memset(window, 0, sizeof(*window));
            struct meter meter = meter_of(window, &package, powers_uw[j]);
            sample_for(&meter, 60000 * MS, every_ms[i] * MS);
            const struct rapl_statistics statistics = window_close(window);
            assert_true(statistics.samples > 100);
            assert_within(statistics.mean_uw, powers_uw[j], 0.001);
            assert_within(statistics.max_uw, statistics.mean_uw, 0.05);
            assert_within(statistics.min_uw, statistics.mean_uw, 0.05);
        }
    }
}

static void whole_joules_have_no_peak(void **state) {
    struct window *window = new_window(state);
    struct meter meter = meter_of(window, &board, 70000000);
    sample_for(&meter, 60000 * MS, MS);
    const struct rapl_statistics statistics = window_close(window);
    assert_true(statistics.samples > 50);
    assert_within(statistics.max_uw, 70000000, 0.05);
    assert_within(statistics.min_uw, 70000000, 0.05);
}

/* A counter that moves every 10 ms, read every millisecond. */
static void slow_updates_are_measured(void **state) {
    struct window *window = new_window(state);
    struct meter meter = meter_of(window, &package, 45000000);
    meter.period_ns = 10 * MS;
    meter.jitter_ns = MS;
    sample_for(&meter, 60000 * MS, MS);
    const struct rapl_statistics statistics = window_close(window);
    assert_true(statistics.samples > 100);
    assert_within(statistics.max_uw, 45000000, 0.06);
    assert_within(statistics.min_uw, 45000000, 0.06);
}

/* A sample that starts at an update that is as early as possible and ends just after one that is as
 * late as possible contains energy of 1.2 ms more. */
static void jitter_is_no_peak(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, MS, 100 * 2200);
    for (uint64_t i = 20; i <= 300; i++)
        take(window, &package, i * MS / 10, (i == 20 ? 10 : 1) * 10000);
    const struct rapl_statistics statistics = window_close(window);
    assert_true(statistics.samples > 0);
    assert_within(statistics.max_uw, 100000000, 0.05);
}

/* A report reads the counter soon after the grid does: an unchanged value proves nothing then, and
 * does not lengthen a sample. */
static void readings_in_quick_succession_tell_nothing(void **state) {
    struct window *window = new_window(state);
    struct meter meter = meter_of(window, &package, 50000000);
    for (int i = 0; i < 1000; i++) {
        sample_for(&meter, 98 * MS / 10, 98 * MS / 10);
        sample_for(&meter, 2 * MS / 10, 2 * MS / 10);
    }
    /* of 30 ms each */
    assert_in_range(window_close(window).samples, 330, 400);
}

/* 200 W for 50 ms of each second, 50 W for the rest. */
static void pulse_shows_in_the_maximum(void **state) {
    struct window *window = new_window(state);
    struct meter meter = meter_of(window, &package, 0);
    for (int second = 0; second < 10; second++) {
        meter.power_uw = 200000000;
        sample_for(&meter, 50 * MS, 10 * MS);
        meter.power_uw = 50000000;
        sample_for(&meter, 950 * MS, 10 * MS);
    }
    const struct rapl_statistics statistics = window_close(window);
    assert_within(statistics.mean_uw, 57500000, 0.01);
    assert_within(statistics.max_uw, 200000000, 0.05);
    assert_within(statistics.min_uw, 50000000, 0.05);
    assert_within(statistics.p50_uw, 50000000, 0.05);
    /* The root of 0.05 * 0.95, times 150 W, less the share of samples that span an edge. */
    assert_within(statistics.stddev_uw, 32690000, 0.25);
}

static int compare(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Powers over seven decades, compared with a sorted list. */
static void percentiles_are_within_one_percent(void **state) {
    struct window *window = new_window(state);
    enum { COUNT = 10001 };
    static uint64_t powers_uw[COUNT];
    double mean = 0;
    double square = 0;
    take(window, &package, 1000 * MS, 0);
    for (size_t i = 0; i < COUNT; i++) {
        powers_uw[i] = (uint64_t)pow(10, 4 + 6.5 * (double)random() / (double)RAND_MAX);
        take(window, &package, (i + 2) * 1000 * MS, powers_uw[i]);
        mean += (double)powers_uw[i] / (double)COUNT;
        square += (double)powers_uw[i] * (double)powers_uw[i] / (double)COUNT;
    }
    const struct rapl_statistics statistics = window_close(window);
    qsort(powers_uw, COUNT, sizeof(powers_uw[0]), compare);
    assert_int_equal(statistics.samples, COUNT);
    assert_int_equal(statistics.min_uw, powers_uw[0]);
    assert_int_equal(statistics.max_uw, powers_uw[COUNT - 1]);
    assert_within(statistics.mean_uw, (uint64_t)mean, 1e-6);
    assert_within(statistics.stddev_uw, (uint64_t)sqrt(square - mean * mean), 1e-6);
    assert_within(statistics.p50_uw, powers_uw[COUNT * 50 / 100], 0.01);
    assert_within(statistics.p95_uw, powers_uw[COUNT * 95 / 100], 0.01);
    assert_within(statistics.p99_uw, powers_uw[COUNT * 99 / 100], 0.01);
}

/* One sample at that power, long enough (a million seconds) for 20 units. */
static void sample_alone(struct window *window, uint64_t *time_ns, uint64_t power_uw) {
    window_break(window);
    take(window, &package, *time_ns, 0);
    *time_ns += 1000000000 * MS;
    take(window, &package, *time_ns, power_uw * 1000000);
}

/* For the lowest powers a bucket is one microwatt wide. */
static void least_powers_are_exact(void **state) {
    struct window *window = new_window(state);
    uint64_t time_ns = 0;
    for (uint64_t power_uw = 1; power_uw < 128; power_uw++) {
        sample_alone(window, &time_ns, power_uw);
        const struct rapl_statistics statistics = window_close(window);
        assert_int_equal(statistics.samples, 1);
        assert_int_equal(statistics.p50_uw, power_uw);
    }
    for (uint64_t power_uw = 1; power_uw < 128; power_uw++)
        sample_alone(window, &time_ns, power_uw);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.min_uw, 1);
    assert_int_equal(statistics.p50_uw, 64);
    assert_int_equal(statistics.p95_uw, 121);
    assert_int_equal(statistics.p99_uw, 126);
    assert_int_equal(statistics.max_uw, 127);
}

/* All powers above 68 kW share one bucket. */
static void most_powers_share_a_bucket(void **state) {
    struct window *window = new_window(state);
    const uint64_t kilowatt_uj = UINT64_C(1000000000);
    take(window, &package, 0, 0);
    for (uint64_t i = 1; i <= 100; i++)
        take(window, &package, i * 1000 * MS, (i <= 10 ? 60 : 60 + i) * kilowatt_uj);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.samples, 100);
    assert_int_equal(statistics.max_uw, 160 * kilowatt_uj);
    assert_in_range(statistics.p50_uw, 68 * kilowatt_uj, 160 * kilowatt_uj);
    assert_int_equal(statistics.p50_uw, statistics.p99_uw);
}

/* A long sample weighs as much as the short ones that it replaces. */
static void samples_weigh_by_their_time(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, 1000 * MS, 10000000);
    take(window, &package, 10000 * MS, 900000000);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.samples, 2);
    assert_int_equal(statistics.mean_uw, 91000000);
    assert_int_equal(statistics.p50_uw, 100000000);
    assert_int_equal(statistics.stddev_uw, 27000000);
}

/* Of two equally long samples the smaller is the median; if it is a nanosecond shorter, it is
 * not. */
static void percentile_is_the_least_that_suffices(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, 1000 * MS, 10000000);
    take(window, &package, 2000 * MS, 90000000);
    assert_within(window_close(window).p50_uw, 10000000, 0.008);
    take(window, &package, 3000 * MS, 10000000);
    take(window, &package, 4000 * MS + 1, 90000000);
    assert_within(window_close(window).p50_uw, 90000000, 0.008);
}

static void small_deviation_of_much_power_is_exact(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, 1000 * MS, 100000001);
    take(window, &package, 2000 * MS, 100000004);
    take(window, &package, 3000 * MS, 100000001);
    assert_int_equal(window_close(window).stddev_uw, 1); /* the root of 2 */
}

static void open_sample_goes_on_into_the_next_window(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, 100 * MS, 10000000);
    take(window, &package, 110 * MS, 1000000);
    assert_int_equal(window_close(window).samples, 1);
    take(window, &package, 200 * MS, 9000000);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.samples, 1);
    assert_int_equal(statistics.mean_uw, 100000000);
    assert_int_equal(statistics.p99_uw, 100000000);
}

static void break_gives_up_the_open_sample(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 0, 0);
    take(window, &package, 10 * MS, 500000000);
    window_break(window);
    take(window, &package, 1000 * MS, 500000000);
    take(window, &package, 1100 * MS, 10000000);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.samples, 1);
    assert_int_equal(statistics.max_uw, 100000000);
}

/* The value of a read that took 5 ms may be from any time in it: a sample stays open until the
 * uncertainty is at most a 20th of it. */
static void long_reads_take_long_samples(void **state) {
    struct window *window = new_window(state);
    const struct reading first = {.uncertainty_ns = 5 * MS / 2};
    window_take(window, &package, &first, PERIOD_USUAL_NS);
    for (uint64_t i = 1; i <= 12; i++) {
        const struct reading reading = {
            .time_ns = i * 10 * MS, .uncertainty_ns = 5 * MS / 2, .ticks = 1000000};
        window_take(window, &package, &reading, PERIOD_USUAL_NS);
    }
    assert_int_equal(window_close(window).samples, 0);
    take(window, &package, 125 * MS, 500000);
    assert_int_equal(window_close(window).samples, 1);
}

/* Without a known update period the power is unknown, too. */
static void no_sample_ends_before_the_period_is_known(void **state) {
    struct window *window = new_window(state);
    for (uint64_t i = 0; i <= 100; i++) {
        const struct reading reading = {.time_ns = i * 100 * MS, .ticks = i == 0 ? 0 : 1000000};
        window_take(window, &package, &reading, UINT64_MAX);
    }
    assert_int_equal(window_close(window).samples, 0);
    take(window, &package, 10001 * MS, 10000);
    assert_int_equal(window_close(window).samples, 1);
}

/* Also a counter whose unit is unknown, as perf's. */
static void standing_counter_closes_no_sample(void **state) {
    struct window *window = new_window(state);
    const struct counter_traits unknown = {.goes_on = true, .scale = {1000000, 1ULL << 32}};
    for (uint64_t i = 0; i < 1000; i++)
        take(window, &package, i * 10 * MS, 0);
    assert_int_equal(window_close(window).samples, 0);
    for (uint64_t i = 1000; i < 2000; i++)
        take(window, &unknown, i * 10 * MS, 0);
    assert_int_equal(window_close(window).samples, 0);
}

/* If there is no range, or a tick is below half a microjoule, the unit is unknown: an unchanged
 * reading still does not mean 0 W. */
static void counter_without_a_unit_has_to_move_too(void **state) {
    struct window *window = new_window(state);
    static const struct counter_traits rangeless = {.scale = {1, 1}, .ceiling_uw = 1000000000};
    struct meter meter = meter_of(window, &rangeless, 45000000);
    for (uint64_t i = 0; i < 100; i++)
        take(window, &rangeless, i * MS / 100, 0);
    assert_int_equal(window_close(window).samples, 0);
    window_break(window);
    sample_for(&meter, 10000 * MS, MS / 4);
    const struct rapl_statistics statistics = window_close(window);
    assert_true(statistics.samples > 100);
    assert_within(statistics.min_uw, 45000000, 0.05);
    assert_within(statistics.max_uw, 45000000, 0.05);
}

/* An idle hour is not part of the sample of the first load after it. */
static void idle_time_is_of_no_sample_to_come(void **state) {
    struct window *window = new_window(state);
    for (uint64_t second = 0; second <= 3600; second++) {
        take(window, &package, second * 1000 * MS, 0);
        if (second % 10 == 0)
            assert_int_equal(window_close(window).samples, 0);
    }
    for (uint64_t i = 1; i <= 100; i++)
        take(window, &package, (3600 * 1000 + i * 100) * MS, 500000);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.min_uw, 5000000);
    assert_int_equal(statistics.p50_uw, 5000000);
    assert_int_equal(statistics.mean_uw, 5000000);
}

/* Energy counted meanwhile belongs to the time that follows. */
static void clock_that_stands_closes_no_sample(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 10 * MS, 0);
    take(window, &package, 10 * MS, 1000000);
    assert_int_equal(window_close(window).samples, 0);
    take(window, &package, 110 * MS, 9000000);
    assert_int_equal(window_close(window).max_uw, 100000000);
}

/* The open sample is dropped, also at its start: until the clock is past its old value, no duration
 * is known. */
static void clock_that_goes_back_breaks(void **state) {
    struct window *window = new_window(state);
    take(window, &package, 1000 * MS, 0);
    take(window, &package, 1010 * MS, 1000000);
    take(window, &package, 1005 * MS, 9000000);
    take(window, &package, 1008 * MS, 9000000);
    take(window, &package, 1110 * MS, 9000000);
    take(window, &package, 1210 * MS, 10000000);
    take(window, &package, 0, 10000000);
    take(window, &package, 1310 * MS, 10000000);
    const struct rapl_statistics statistics = window_close(window);
    assert_int_equal(statistics.samples, 1);
    assert_int_equal(statistics.min_uw, 100000000);
    assert_int_equal(statistics.max_uw, 100000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_known_of_no_sample, free_window),
        cmocka_unit_test_teardown(constant_load_has_no_peak, free_window),
        cmocka_unit_test_teardown(whole_joules_have_no_peak, free_window),
        cmocka_unit_test_teardown(slow_updates_are_measured, free_window),
        cmocka_unit_test_teardown(jitter_is_no_peak, free_window),
        cmocka_unit_test_teardown(readings_in_quick_succession_tell_nothing, free_window),
        cmocka_unit_test_teardown(pulse_shows_in_the_maximum, free_window),
        cmocka_unit_test_teardown(percentiles_are_within_one_percent, free_window),
        cmocka_unit_test_teardown(least_powers_are_exact, free_window),
        cmocka_unit_test_teardown(most_powers_share_a_bucket, free_window),
        cmocka_unit_test_teardown(samples_weigh_by_their_time, free_window),
        cmocka_unit_test_teardown(percentile_is_the_least_that_suffices, free_window),
        cmocka_unit_test_teardown(small_deviation_of_much_power_is_exact, free_window),
        cmocka_unit_test_teardown(open_sample_goes_on_into_the_next_window, free_window),
        cmocka_unit_test_teardown(break_gives_up_the_open_sample, free_window),
        cmocka_unit_test_teardown(long_reads_take_long_samples, free_window),
        cmocka_unit_test_teardown(no_sample_ends_before_the_period_is_known, free_window),
        cmocka_unit_test_teardown(standing_counter_closes_no_sample, free_window),
        cmocka_unit_test_teardown(counter_without_a_unit_has_to_move_too, free_window),
        cmocka_unit_test_teardown(idle_time_is_of_no_sample_to_come, free_window),
        cmocka_unit_test_teardown(clock_that_stands_closes_no_sample, free_window),
        cmocka_unit_test_teardown(clock_that_goes_back_breaks, free_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
