/* SPDX-License-Identifier: MIT */
/* Energy and power of counters that move rarely or never: their series and reports. */
#include "series/report.h"

#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "series/sum.h"

#define WATT UINT64_C(1000000)
#define JOULE UINT64_C(1000000)

enum { PACKAGE, CORE, PSYS, SERIES };

static struct {
    struct series series[SERIES];
    struct series total;
    struct series *list[SERIES];
    struct series *sums[1];
    struct rapl_health health;
    struct rapl_value values[SERIES + 1];
    size_t count;
    uint64_t now_ns;
    uint64_t interval_ns;
    uint64_t period_ns[SERIES]; /* 0: it never moves */
    uint64_t power_uw[SERIES];
    uint64_t offset_uj[SERIES];
    unsigned int jumps; /* steps that turned out to be no energy */
} bench;

static void name_series(struct series *series, enum zone_kind kind) {
    series->identity = (struct zone_identity){.kind = kind};
    series->selected = true;
    const struct counter_traits traits = {.modulus = counter_modulus(UINT64_C(262143328850)),
                                          .unit = 61,
                                          .scale = {.numerator_uj = 1, .denominator = 1},
                                          .ceiling_uw = 1000 * WATT};
    series_set_traits(series, &traits);
}

static int setup(void **state) {
    (void)state;
    memset(&bench, 0, sizeof(bench));
    name_series(&bench.series[PACKAGE], ZONE_PACKAGE);
    name_series(&bench.series[CORE], ZONE_CORE);
    name_series(&bench.series[PSYS], ZONE_PSYS);
    name_series(&bench.total, ZONE_TOTAL);
    for (size_t i = 0; i < SERIES; i++)
        bench.list[i] = &bench.series[i];
    bench.sums[0] = &bench.total;
    bench.series[PACKAGE].sum = &bench.total;
    bench.now_ns = 1000 * NS_PER_S + 350 * NS_PER_MS;
    return 0;
}

static uint64_t shown_uj(size_t i) {
    if (bench.period_ns[i] == 0)
        return 1000 * JOULE;
    const uint64_t updates = bench.now_ns / bench.period_ns[i];
    return updates * (bench.period_ns[i] / NS_PER_MS) * (bench.power_uw[i] / 1000) +
           bench.offset_uj[i];
}

static void sample(void) {
    for (size_t i = 0; i < SERIES; i++) {
        const struct reading reading = {.ticks = shown_uj(i), .time_ns = bench.now_ns};
        bench.jumps +=
            series_take(bench.list[i], &reading, 0, &bench.health) == COUNTER_RESET_FORWARD;
    }
    if (bench.total.window != NULL)
        sum_take(&bench.total, bench.list, SERIES);
}

/* Passes time, with the samples in between that the periods ask for. */
static void pass(uint64_t ns) {
    const uint64_t end_ns = bench.now_ns + ns;
    while (bench.now_ns < end_ns) {
        uint64_t look_ns = end_ns - bench.now_ns;
        for (size_t i = 0; i < SERIES; i++) {
            const uint64_t own_ns =
                period_look_ns(&bench.series[i].period, bench.now_ns, bench.interval_ns);
            look_ns = own_ns < look_ns ? own_ns : look_ns;
        }
        bench.now_ns += look_ns;
        sample();
    }
}

static void report_after(uint64_t ns) {
    pass(ns);
    bench.interval_ns = ns;
    bench.count = report_build(bench.list, SERIES, bench.sums, 1, bench.values, &bench.health);
}

static const struct rapl_value *find(const struct series *series) {
    for (size_t i = 0; i < bench.count; i++) {
        if (bench.values[i].name == series->name)
            return &bench.values[i];
    }
    return NULL;
}

static const struct rapl_value *package(void) {
    return find(&bench.series[PACKAGE]);
}

static void move(size_t i, uint64_t period_ns, uint64_t power_uw) {
    const uint64_t before_uj = shown_uj(i);
    bench.period_ns[i] = period_ns;
    bench.power_uw[i] = power_uw;
    bench.offset_uj[i] += before_uj - shown_uj(i);
}

static void begin(uint64_t period_ns, uint64_t power_uw) {
    move(PACKAGE, period_ns, power_uw);
    bench.offset_uj[PACKAGE] = 0;
    sample();
}

static void expect_watts(const struct rapl_value *value, uint64_t power_uw) {
    assert_non_null(value);
    assert_true(value->has_power);
    assert_in_range(value->power_uw, power_uw - power_uw / 20, power_uw + power_uw / 20);
}

/* Energy is counted when the counter shows it, and a first step has no power. */
static void test_a_counter_of_once_a_second(void **state) {
    (void)state;
    begin(NS_PER_S, 142500000);
    const uint64_t first_uj = shown_uj(PACKAGE);
    unsigned int powers = 0;
    for (int i = 0; i < 100; i++) {
        report_after(100 * NS_PER_MS);
        assert_non_null(package());
        if (!package()->has_power)
            continue;
        expect_watts(package(), 142500000);
        expect_watts(find(&bench.total), 142500000);
        powers++;
    }
    assert_int_equal(package()->energy_uj, shown_uj(PACKAGE) - first_uj);
    assert_in_range(powers, 8, 9);
    assert_int_equal(bench.health.resets, 0);
    for (int i = 0; i < 10; i++) {
        report_after(2500 * NS_PER_MS);
        expect_watts(package(), 142500000);
    }
    /* From reading to reading, over twenty updates. */
    report_after(30 * NS_PER_S);
    expect_watts(package(), 142500000);
}

/* Each step is larger than the ceiling allows since the reading before it: once the period is
 * known, it is known whether the steps are energy. */
static void test_first_steps_are_counted_once_they_are_known(void **state) {
    (void)state;
    begin(NS_PER_S, 900 * WATT);
    const uint64_t first_uj = shown_uj(PACKAGE);
    report_after(700 * NS_PER_MS);
    assert_int_equal(package()->energy_uj, 0);
    assert_false(package()->has_power);
    report_after(3 * NS_PER_S);
    assert_int_equal(package()->energy_uj, shown_uj(PACKAGE) - first_uj);
    expect_watts(package(), 900 * WATT);
    assert_int_equal(bench.health.resets, 0);
}

/* They do not cause a peak in the total's statistics either. */
static void test_first_steps_are_no_peak(void **state) {
    (void)state;
    static struct window windows[2];
    memset(windows, 0, sizeof(windows));
    bench.series[PACKAGE].window = &windows[0];
    bench.total.window = &windows[1];
    begin(NS_PER_S, 900 * WATT);
    report_after(90 * NS_PER_S);
    const struct rapl_statistics *own = &package()->statistics;
    const struct rapl_statistics *all = &find(&bench.total)->statistics;
    assert_in_range(own->samples, 3, 4);
    assert_in_range(all->samples, 3, 4);
    assert_in_range(own->max_uw, 855 * WATT, 945 * WATT);
    assert_in_range(all->max_uw, 855 * WATT, 945 * WATT);
}

/* A held step, which may not be energy, is in no power, however much a longer period would
 * allow. */
static void test_a_step_that_is_held_has_no_power(void **state) {
    (void)state;
    begin(NS_PER_S, 900 * WATT);
    report_after(10 * NS_PER_S);
    /* Its first step holds more energy than was used since the last update, and is a reset. */
    move(PACKAGE, 4200 * NS_PER_MS, 900 * WATT);
    for (int i = 0; i < 2; i++) {
        while (bench.series[PACKAGE].held.ticks == 0 && bench.jumps == 0) {
            bench.now_ns += 20 * NS_PER_MS;
            sample();
        }
        bench.jumps = 0;
        report_after(20 * NS_PER_MS);
    }
    assert_true(bench.series[PACKAGE].held.ticks > 0);
    assert_non_null(package());
    assert_false(package()->has_power);
}

/* The energy of a package is unknown while its steps are held. */
static void test_parts_of_a_package_whose_steps_are_held(void **state) {
    (void)state;
    part_set_whole(&bench.series[CORE].part, &bench.series[PACKAGE]);
    move(CORE, NS_PER_MS, 300 * WATT);
    begin(NS_PER_S, 900 * WATT);
    report_after(5 * NS_PER_S);
    expect_watts(find(&bench.series[CORE]), 300 * WATT);
    assert_int_equal(bench.health.resets, 0);
}

/* The same jump of a counter that turns out to be fast is not energy. */
static void test_a_first_jump_of_a_fast_counter_is_no_energy(void **state) {
    (void)state;
    begin(0, 0);
    report_after(700 * NS_PER_MS);
    move(PACKAGE, NS_PER_MS, 100 * WATT);
    bench.offset_uj[PACKAGE] += 900 * JOULE;
    report_after(50 * NS_PER_MS);
    assert_int_equal(bench.jumps, 1);
    assert_int_equal(bench.health.resets, 1);
    assert_null(package());
    report_after(NS_PER_S);
    expect_watts(package(), 100 * WATT);
    assert_true(package()->energy_uj < 110 * JOULE);
}

/* Nor is the jump of a counter that does not move again, or whose next reading is not
 * continuous. */
static void test_a_first_jump_of_which_no_more_is_known(void **state) {
    (void)state;
    begin(0, 0);
    report_after(NS_PER_S);
    bench.offset_uj[PACKAGE] = 0;
    move(PACKAGE, 1000 * NS_PER_S, 100 * WATT);
    bench.offset_uj[PACKAGE] += 900 * JOULE;
    report_after(NS_PER_S);
    assert_int_equal(bench.jumps, 0);
    report_after(20 * NS_PER_S);
    assert_int_equal(bench.jumps, 1);
    assert_int_equal(bench.series[PACKAGE].energy_uj, 0);
}

static void test_a_jump_before_a_break_is_no_energy(void **state) {
    (void)state;
    begin(NS_PER_S, 900 * WATT);
    report_after(700 * NS_PER_MS);
    assert_int_equal(bench.jumps, 0);
    series_forget(&bench.series[PACKAGE]);
    sample();
    assert_int_equal(bench.jumps, 1);
    report_after(5 * NS_PER_S);
    assert_true(bench.series[PACKAGE].energy_uj > 0);
}

/* A step far above what 12 s allow is not held. */
static void test_a_jump_beyond_any_period(void **state) {
    (void)state;
    begin(NS_PER_S, 100 * WATT);
    report_after(200 * NS_PER_MS);
    bench.offset_uj[PACKAGE] += 20000 * JOULE;
    sample();
    assert_int_equal(bench.jumps, 1);
}

/* A slower host: its first step is too large for the known period. */
static void test_a_period_that_grows_loses_no_joule(void **state) {
    (void)state;
    begin(NS_PER_S, 900 * WATT);
    report_after(10 * NS_PER_S);
    const uint64_t before_uj = shown_uj(PACKAGE) - package()->energy_uj;
    move(PACKAGE, 5 * NS_PER_S, 900 * WATT);
    for (int i = 0; i < 40; i++)
        report_after(NS_PER_S);
    assert_non_null(package());
    assert_int_equal(package()->energy_uj, shown_uj(PACKAGE) - before_uj);
    assert_int_equal(bench.health.resets, 0);
}

/* For three periods an update may still come; then the counter rests, and later steps are not
 * spread. */
static void test_a_slow_counter_rests(void **state) {
    (void)state;
    begin(100 * NS_PER_MS, 100 * WATT);
    report_after(2 * NS_PER_S);
    expect_watts(package(), 100 * WATT);
    move(PACKAGE, 1000 * NS_PER_S, 1);
    report_after(200 * NS_PER_MS);
    assert_false(package()->has_power && package()->power_uw == 0);
    report_after(200 * NS_PER_MS);
    report_after(200 * NS_PER_MS);
    assert_true(package()->has_power);
    assert_int_equal(package()->power_uw, 0);
    report_after(500 * NS_PER_MS);
    assert_int_equal(package()->power_uw, 0);
    move(PACKAGE, 100 * NS_PER_MS, 100 * WATT);
    report_after(350 * NS_PER_MS);
    report_after(350 * NS_PER_MS);
    expect_watts(package(), 100 * WATT);
}

/* A counter read too rarely to locate its last update also counts as resting. */
static void test_a_last_step_that_was_not_seen_sharply(void **state) {
    (void)state;
    begin(100 * NS_PER_MS, 100 * WATT);
    report_after(2 * NS_PER_S);
    bench.now_ns += 150 * NS_PER_MS;
    sample();
    move(PACKAGE, 1000 * NS_PER_S, 1);
    report_after(500 * NS_PER_MS);
    report_after(100 * NS_PER_MS);
    assert_true(package()->has_power);
    assert_int_equal(package()->power_uw, 0);
    assert_true(find(&bench.total)->has_power);
}

/* A package that has not moved has no power; its parts have 0 W once it is known how long they
 * would have to stand still. */
static void test_counters_that_never_move(void **state) {
    (void)state;
    begin(0, 0);
    report_after(NS_PER_S);
    assert_false(package()->has_power);
    assert_false(find(&bench.series[CORE])->has_power);
    assert_false(find(&bench.series[PSYS])->has_power);
    move(PACKAGE, 100 * NS_PER_MS, 100 * WATT);
    report_after(2 * NS_PER_S);
    expect_watts(package(), 100 * WATT);
    assert_true(find(&bench.series[CORE])->has_power);
    assert_int_equal(find(&bench.series[CORE])->power_uw, 0);
    assert_false(find(&bench.series[PSYS])->has_power);
}

static void test_a_stuck_package_ends(void **state) {
    (void)state;
    begin(0, 0);
    for (int i = 0; i < 12; i++) {
        report_after(5 * NS_PER_S);
        assert_non_null(package());
    }
    report_after(5 * NS_PER_S);
    report_after(5 * NS_PER_S);
    assert_null(package());
    assert_null(find(&bench.total));
    assert_int_equal(bench.series[PACKAGE].motion, SERIES_STUCK);
    assert_non_null(find(&bench.series[CORE]));
    move(PACKAGE, NS_PER_MS, 100 * WATT);
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    expect_watts(package(), 100 * WATT);
    assert_non_null(find(&bench.total));
}

/* A minute is not enough if reports are rare. */
static void test_ten_reports_are_waited_for(void **state) {
    (void)state;
    begin(0, 0);
    for (int i = 0; i < 9; i++) {
        report_after(60 * NS_PER_S);
        assert_non_null(package());
    }
    const struct reading failed = {.error = -1};
    series_take(bench.list[PACKAGE], &failed, 0, &bench.health);
    bench.count = report_build(bench.list, SERIES, bench.sums, 1, bench.values, &bench.health);
    assert_int_equal(bench.series[PACKAGE].motion, SERIES_UNMOVED);
}

/* The power of a slow counter spans its updates, also after a sleep or a failed read. */
static void test_a_sleep_begins_at_no_old_update(void **state) {
    (void)state;
    begin(NS_PER_S, 100 * WATT);
    report_after(10 * NS_PER_S);
    const struct reading failed = {.error = -1};
    series_take(bench.list[PACKAGE], &failed, 0, &bench.health);
    sample();
    assert_int_equal(bench.series[PACKAGE].update.time_ns, 0);
    for (int i = 0; i < 5; i++) {
        report_after(2 * NS_PER_S);
        if (package()->has_power)
            expect_watts(package(), 100 * WATT);
    }
    expect_watts(package(), 100 * WATT);
}

/* If the unit is unknown, a millijoule counts as several units. */
static void test_moves_without_a_unit(void **state) {
    (void)state;
    bench.series[PACKAGE].traits.unit = 0;
    begin(100 * NS_PER_MS, 9000);
    report_after(2 * NS_PER_S);
    assert_int_equal(bench.series[PACKAGE].period.state, PERIOD_SOUGHT);
    move(PACKAGE, 100 * NS_PER_MS, 11 * WATT);
    report_after(2 * NS_PER_S);
    assert_int_equal(bench.series[PACKAGE].period.state, PERIOD_SLOW);
}

/* A clock that has stopped gives no information. */
static void test_two_readings_of_one_instant(void **state) {
    (void)state;
    begin(NS_PER_MS, 100 * WATT);
    bench.offset_uj[PACKAGE] += JOULE;
    sample();
    assert_int_equal(bench.series[PACKAGE].period.shown_ns, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_counter_of_once_a_second, setup),
        cmocka_unit_test_setup(test_first_steps_are_counted_once_they_are_known, setup),
        cmocka_unit_test_setup(test_first_steps_are_no_peak, setup),
        cmocka_unit_test_setup(test_a_step_that_is_held_has_no_power, setup),
        cmocka_unit_test_setup(test_parts_of_a_package_whose_steps_are_held, setup),
        cmocka_unit_test_setup(test_a_first_jump_of_a_fast_counter_is_no_energy, setup),
        cmocka_unit_test_setup(test_a_first_jump_of_which_no_more_is_known, setup),
        cmocka_unit_test_setup(test_a_jump_before_a_break_is_no_energy, setup),
        cmocka_unit_test_setup(test_a_jump_beyond_any_period, setup),
        cmocka_unit_test_setup(test_a_period_that_grows_loses_no_joule, setup),
        cmocka_unit_test_setup(test_a_slow_counter_rests, setup),
        cmocka_unit_test_setup(test_a_last_step_that_was_not_seen_sharply, setup),
        cmocka_unit_test_setup(test_counters_that_never_move, setup),
        cmocka_unit_test_setup(test_a_stuck_package_ends, setup),
        cmocka_unit_test_setup(test_ten_reports_are_waited_for, setup),
        cmocka_unit_test_setup(test_a_sleep_begins_at_no_old_update, setup),
        cmocka_unit_test_setup(test_moves_without_a_unit, setup),
        cmocka_unit_test_setup(test_two_readings_of_one_instant, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
