/* SPDX-License-Identifier: MIT */
/* One file behind which two counters alternate, and counters that are steady. */
#include "energy/steady.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "series/series.h"
#include "tree.h"
#include "usual.h"

#define JOULE UINT64_C(1000000)
#define WATT UINT64_C(1000000)
#define AGAIN_NS (20 * NS_PER_MS)

/* --- one series ------------------------------------------------------------------------------ */

static struct {
    struct series series;
    struct rapl_health health;
    uint64_t time_ns;
    unsigned int reported;
    unsigned int unsteady;
} run;

static void begin(uint64_t range_j, bool goes_on) {
    memset(&run, 0, sizeof(run));
    run.time_ns = NS_PER_S;
    run.series.traits = (struct counter_traits){.modulus = goes_on ? 0 : range_j * JOULE,
                                                .goes_on = goes_on,
                                                .scale = {.numerator_uj = 1, .denominator = 1},
                                                .ceiling_uw = 1000 * WATT,
                                                .most_uw = 4000 * WATT};
}

static enum counter_outcome take(uint64_t ticks) {
    const uint64_t modulus = run.series.traits.modulus;
    const struct reading reading = {.ticks = modulus != 0 ? ticks % modulus : ticks,
                                    .time_ns = run.time_ns};
    return series_take(&run.series, &reading, 0, &run.health);
}

/* As at the end of a report. */
static void close_interval(void) {
    run.reported += run.series.reads && !run.series.lost;
    run.unsteady += run.series.steady.unsteady;
    run.series.lost = false;
    run.series.left_low = run.series.counter.low.count > 0;
}

static uint64_t (*show)(uint64_t reading);

/* Reports what the counter shows, with the second reading that a low one causes. */
static void report(uint64_t interval_ns, uint64_t *reading) {
    run.time_ns += interval_ns;
    if (take(show((*reading)++)) == COUNTER_LOW && run.series.counter.low.count == 1) {
        run.time_ns += AGAIN_NS;
        take(show((*reading)++));
    }
    close_interval();
}

static void report_times(unsigned int count, uint64_t interval_ns) {
    uint64_t reading = 0;
    while (count-- > 0)
        report(interval_ns, &reading);
}

/* --- two counters ---------------------------------------------------------------------------- */

/* The first is ahead of the second by distance; each is shown for turn readings. */
static struct {
    uint64_t distance_j;
    uint64_t watts[2];
    uint64_t turn; /* 0: between one and seven */
    bool begins_above;
    bool above;
    uint64_t left;
} pair;

static uint64_t turn_length(uint64_t reading) {
    return pair.turn != 0 ? pair.turn : 1 + (reading * 2654435761U >> 7) % 7;
}

static uint64_t show_pair(uint64_t reading) {
    if (reading == 0) {
        pair.above = pair.begins_above;
        pair.left = turn_length(reading);
    } else if (--pair.left == 0) {
        pair.above = !pair.above;
        pair.left = turn_length(reading);
    }
    const uint64_t used_uj = pair.watts[pair.above ? 0 : 1] * (run.time_ns / 1000);
    return 1000 * JOULE + (pair.above ? pair.distance_j * JOULE : 0) + used_uj;
}

/* If the lower one is shown first, the first step up is plausible and cannot be recognized: energy
 * may be too high by that step and no more. */
static void expect_nothing_false(uint64_t interval_ns) {
    begin(262144, false);
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        begin(262144, goes_on != 0);
        report_times(300, interval_ns);
        const uint64_t watts = pair.watts[0] > pair.watts[1] ? pair.watts[0] : pair.watts[1];
        const uint64_t used_uj = watts * (run.time_ns / 1000);
        const bool plausible = pair.distance_j * NS_PER_S < 1000 * interval_ns;
        const uint64_t unknown_uj = plausible && !pair.begins_above ? pair.distance_j * JOULE : 0;
        if (run.series.energy_uj > used_uj + unknown_uj)
            fail_msg("%llu J apart, turns of %llu, every %llu s, %llu and %llu W: %llu uJ of %llu",
                     (unsigned long long)pair.distance_j, (unsigned long long)pair.turn,
                     (unsigned long long)(interval_ns / NS_PER_S),
                     (unsigned long long)pair.watts[0], (unsigned long long)pair.watts[1],
                     (unsigned long long)run.series.energy_uj, (unsigned long long)used_uj);
        /* If a decrease is seen, it is soon left out, or is undecided each time. */
        if (pair.distance_j * NS_PER_S > 2 * watts * interval_ns)
            assert_true(run.unsteady >= 200 || run.reported < 150);
    }
}

static void test_two_counters(void **state) {
    static const uint64_t distances_j[] = {60, 200, 5000, 20000, 60000, 110000};
    static const uint64_t turns[] = {1, 2, 3, 4, 5, 8, 0};
    static const uint64_t watts[][2] = {{64, 64}, {64, 10}, {10, 64}, {200, 180}};
    static const uint64_t intervals_ns[] = {NS_PER_S, 10 * NS_PER_S};
    (void)state;
    show = show_pair;
    for (size_t i = 0; i < COUNT_OF(distances_j) * COUNT_OF(turns) * COUNT_OF(watts) * 4; i++) {
        size_t rest = i;
        pair.begins_above = rest % 2 != 0;
        const uint64_t interval_ns = intervals_ns[(rest /= 2) % 2];
        pair.distance_j = distances_j[(rest /= 2) % COUNT_OF(distances_j)];
        pair.turn = turns[(rest /= COUNT_OF(distances_j)) % COUNT_OF(turns)];
        memcpy(pair.watts, watts[rest / COUNT_OF(turns)], sizeof(pair.watts));
        expect_nothing_false(interval_ns);
    }
}

/* Turns longer than the decreases are remembered do not silence the series, but steps that imply
 * implausible energy are left out. */
static void test_long_turns(void **state) {
    (void)state;
    show = show_pair;
    pair.distance_j = 5000;
    pair.turn = 30;
    pair.watts[0] = pair.watts[1] = 64;
    pair.begins_above = true;
    begin(262144, false);
    report_times(300, 10 * NS_PER_S);
    assert_int_equal(run.unsteady, 0);
    assert_in_range(run.reported, 270, 290);
    assert_true(run.series.energy_uj < 64 * (run.time_ns / 1000));
}

/* With a ceiling that a user set to 1 MW, 742 kJ were once counted for 128 J. */
static void test_a_ceiling_beyond_reason(void **state) {
    (void)state;
    show = show_pair;
    pair.distance_j = 30000;
    pair.turn = 3;
    pair.watts[0] = pair.watts[1] = 64;
    pair.begins_above = true;
    begin(65532, false);
    run.series.traits.ceiling_uw = 1000000 * WATT;
    report_times(100, NS_PER_S);
    assert_true(run.series.energy_uj <= 64 * (run.time_ns / 1000));
    assert_in_range(run.unsteady, 70, 100);
}

/* Two counters alternate until the series is unsteady; after that only one of them is shown. */
static void turn_until_unsteady(uint64_t *reading) {
    show = show_pair;
    pair.distance_j = 5000;
    pair.turn = 3;
    pair.watts[0] = pair.watts[1] = 64;
    begin(262144, false);
    while (!run.series.steady.unsteady)
        report(10 * NS_PER_S, reading);
    pair.left = UINT64_MAX;
}

/* A minute and ten readings after the last change it starts again from a new baseline. */
static void test_steady_again(void **state) {
    (void)state;
    uint64_t reading = 0;
    turn_until_unsteady(&reading);
    const uint64_t before_uj = run.series.energy_uj;
    const uint64_t gaps = run.health.gaps;
    for (unsigned int i = 0; i < STEADY_READINGS; i++) {
        assert_true(run.series.steady.unsteady);
        assert_int_equal(run.series.energy_uj, before_uj);
        run.reported = 0;
        report(10 * NS_PER_S, &reading);
        assert_int_equal(run.reported, 0);
    }
    assert_int_equal(run.health.gaps, gaps + STEADY_READINGS);
    assert_false(run.series.steady.unsteady);
    report(10 * NS_PER_S, &reading);
    assert_int_equal(run.reported, 1);
    assert_int_equal(run.series.energy_uj, before_uj + 640 * JOULE);
}

/* --- steady counters ------------------------------------------------------------------------- */

static uint64_t watts_shown;

static uint64_t show_alone(uint64_t reading) {
    (void)reading;
    return watts_shown * (run.time_ns / 1000);
}

/* Counters with a small range wrap every few seconds. */
static void test_wraps_alone(void **state) {
    (void)state;
    show = show_alone;
    watts_shown = 200;
    begin(1050, false);
    run.series.traits.ceiling_uw = 250 * WATT;
    report_times(200, 2 * NS_PER_S);
    assert_int_equal(run.unsteady, 0);
    assert_int_equal(run.reported, 200);
    assert_in_range(run.health.wraps, 70, 80);
}

/* Bay Trail's counters show a thousand times the energy on some kernels. */
static void test_a_thousand_times_the_energy(void **state) {
    static const uint64_t intervals_ns[] = {NS_PER_S, 8 * NS_PER_S, 10 * NS_PER_S};
    (void)state;
    show = show_alone;
    for (watts_shown = 1500; watts_shown < 12000; watts_shown += 500) {
        for (size_t i = 0; i < COUNT_OF(intervals_ns); i++) {
            begin(65532, false);
            run.series.traits.most_uw = 0;
            report_times(200, intervals_ns[i]);
            assert_int_equal(run.unsteady, 0);
        }
    }
}

static uint64_t show_around_ceiling(uint64_t reading) {
    return 1000 * (run.time_ns / 1000) + (reading % 2) * 500 * JOULE;
}

/* Every second step is above the ceiling. */
static void test_power_around_the_ceiling(void **state) {
    (void)state;
    show = show_around_ceiling;
    begin(262144, false);
    report_times(40, 10 * NS_PER_S);
    assert_int_equal(run.unsteady, 0);
}

static uint64_t show_failed(uint64_t reading) {
    return reading % 2 == 0 ? 64 * (run.time_ns / 1000) : 0;
}

/* As perf on Linux 6.19 returns 0 on another CPU: those reads count as failed, and no energy is
 * lost. */
static void test_reads_that_fail_by_less(void **state) {
    (void)state;
    show = show_failed;
    begin(262144, false);
    report_times(200, NS_PER_S);
    assert_int_equal(run.unsteady, 0);
    assert_int_equal(run.reported, 200);
}

static uint64_t restart_at;

static uint64_t show_restarts(uint64_t reading) {
    const uint64_t used_uj = 64 * (run.time_ns / 1000);
    if (reading % restart_at == 0)
        watts_shown = used_uj;
    return used_uj - watts_shown;
}

/* A counter that is reset once and climbs past its old value, and one that is reset each minute. */
static void test_resets(void **state) {
    (void)state;
    show = show_restarts;
    restart_at = 40;
    watts_shown = 0;
    begin(262144, false);
    report_times(400, 10 * NS_PER_S);
    assert_int_equal(run.unsteady, 0);
    assert_in_range(run.reported, 370, 390);
    restart_at = 7;
    begin(262144, false);
    report_times(400, 10 * NS_PER_S);
    assert_int_equal(run.unsteady, 0);
}

/* A load that makes the counter pass the value it had before a reset costs that interval alone. */
static void test_burst_after_a_reset(void **state) {
    (void)state;
    begin(262144, false);
    take(5000 * JOULE);
    run.time_ns += 10 * NS_PER_S;
    take(100 * JOULE);
    run.time_ns += AGAIN_NS;
    take(100 * JOULE);
    run.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(200 * JOULE), COUNTER_RESTARTED);
    run.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(300 * JOULE), COUNTER_COUNTED);
    run.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(5400 * JOULE), COUNTER_RETURNED);
    run.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(10500 * JOULE), COUNTER_COUNTED);
    assert_int_equal(run.series.energy_uj, 5300 * JOULE);
}

/* A gap or an undecided reading ends the recorded run of decreases. */
static void test_row_that_is_forgotten(void **state) {
    const struct reading failed = {.error = -EIO};
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        begin(262144, false);
        take(5000 * JOULE);
        run.time_ns += 10 * NS_PER_S;
        take(100 * JOULE);
        run.time_ns += AGAIN_NS;
        take(100 * JOULE);
        run.time_ns += 10 * NS_PER_S;
        assert_int_equal(take(200 * JOULE), COUNTER_RESTARTED);
        if (forgets)
            series_forget(&run.series);
        run.time_ns += 10 * NS_PER_S;
        assert_int_equal(series_take(&run.series, &failed, 0, &run.health), COUNTER_FAILED);
        assert_int_equal(take(300 * JOULE), forgets ? COUNTER_BASELINE : COUNTER_COUNTED);
        run.time_ns += 10 * NS_PER_S;
        assert_int_equal(take(5400 * JOULE), forgets ? COUNTER_COUNTED : COUNTER_RETURNED);
    }
}

/* Ten minutes and a hundred readings later, an increase past the old value is energy. */
static void test_row_of_long_ago(void **state) {
    (void)state;
    show = show_alone;
    watts_shown = 10;
    begin(262144, false);
    take(50000 * JOULE);
    report_times(STEADY_MEMORY * STEADY_READINGS + 3, 10 * NS_PER_S);
    assert_false(run.series.steady.watches);
    run.time_ns += 60 * NS_PER_S;
    assert_int_equal(take(55000 * JOULE), COUNTER_COUNTED);
}

/* The same, if readings come often. */
static void test_row_of_a_moment_ago(void **state) {
    (void)state;
    show = show_alone;
    watts_shown = 10;
    begin(262144, false);
    take(50000 * JOULE);
    report_times(STEADY_MEMORY * STEADY_READINGS + 3, NS_PER_S);
    assert_true(run.series.steady.watches);
}

static uint64_t show_anything(uint64_t reading) {
    if (reading % 2 == 0)
        return 100000 * JOULE + 64 * (run.time_ns / 1000);
    return reading % 4 == 1 ? 10000 * JOULE : 60000 * JOULE;
}

/* Reads that fail with arbitrary values do not look like a second counter. */
static void test_reads_that_fail_by_anything(void **state) {
    (void)state;
    show = show_anything;
    begin(262144, false);
    report_times(100, NS_PER_S);
    assert_int_equal(run.unsteady, 0);
}

/* The minute starts again when a zone returns while it is unsteady. */
static void test_unsteady_zone_that_returns(void **state) {
    (void)state;
    uint64_t reading = 0;
    turn_until_unsteady(&reading);
    report(50 * NS_PER_S, &reading);
    series_forget(&run.series);
    for (unsigned int i = 0; i <= STEADY_READINGS; i++) {
        assert_true(run.series.steady.unsteady);
        report(10 * NS_PER_S, &reading);
    }
    assert_false(run.series.steady.unsteady);
}

/* --- the whole core -------------------------------------------------------------------------- */

#define PACKAGE "intel-rapl:0"
#define OTHER "intel-rapl:1"

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    uint64_t seconds;
} core;

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    memset(&core, 0, sizeof(core));
    core.tree = tree;
    fake_clocks_stop();
    *state = tree;
    return 0;
}

static int teardown(void **state) {
    rapl_close(core.rapl);
    return tree_teardown(state);
}

static void open_machine(const char *second) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = core.tree->path;
    tree_set_vendor(core.tree, "GenuineIntel");
    tree_add_zone(core.tree, PACKAGE, "package-0", 20000 * JOULE, RANGE_61_UJ);
    tree_add_zone(core.tree, OTHER, second, 0, RANGE_61_UJ);
    assert_int_equal(rapl_open(&options, &core.rapl), 0);
    assume_usual_counters(core.rapl);
}

/* Both draw 10 W; the first shows below_j less. A step of 19 kJ is above the ceiling of 1 kW, but
 * not above four times that. */
static void report_below(uint64_t below_j) {
    core.seconds += 10;
    fake_clocks_pass(10 * NS_PER_S);
    tree_set_energy(core.tree, PACKAGE, (20000 + 10 * core.seconds - below_j) * JOULE);
    tree_set_energy(core.tree, OTHER, 10 * core.seconds * JOULE);
    assert_int_equal(rapl_report(core.rapl, &core.report), 0);
}

static bool is_reported(const char *name) {
    for (size_t i = 0; i < core.report->value_count; i++) {
        if (strcmp(core.report->values[i].name, name) == 0)
            return true;
    }
    return false;
}

static void expect_reasons(uint64_t below_j) {
    struct rapl_problem problem;
    unsigned int reasons = 0;
    open_machine("package-1");
    for (unsigned int i = 0; i < 24; i++) {
        report_below(i / 4 % 2 == 0 ? 0 : below_j);
        while (rapl_next_problem(core.rapl, &problem)) {
            if (problem.severity == RAPL_INFO)
                continue;
            assert_null(strstr(problem.remedy, "MaxPower"));
            assert_null(strstr(problem.remedy, "--max-power"));
            reasons += strstr(problem.reason, "package-0 goes back and forth") != NULL;
        }
    }
    assert_int_equal(reasons, 1);
    assert_false(is_reported("package-0"));
    assert_false(is_reported("total"));
    assert_true(is_reported("package-1"));
    const uint64_t gaps = core.report->health.gaps;
    report_below(below_j);
    assert_int_equal(core.report->health.gaps, gaps + 1);
    assert_false(rapl_next_problem(core.rapl, &problem));
    for (unsigned int i = 0; i < STEADY_READINGS; i++)
        report_below(below_j);
    assert_true(rapl_next_problem(core.rapl, &problem));
    assert_true(problem.over);
    assert_true(is_reported("package-0"));
    assert_true(is_reported("total"));
}

static void test_core_says_why(void **state) {
    (void)state;
    expect_reasons(5000);
}

static void test_core_says_why_it_jumps(void **state) {
    (void)state;
    expect_reasons(19000);
}

/* Setting MaxPower only helps if the ceiling is too low; it does not apply to psys. */
static void test_core_advises_max_power(void **state) {
    (void)state;
    struct rapl_problem problem;
    open_machine("psys");
    while (rapl_next_problem(core.rapl, &problem))
        continue;
    core.seconds = 100000;
    report_below(0);
    assert_true(rapl_next_problem(core.rapl, &problem));
    assert_non_null(strstr(problem.reason, "jumped further than any power explains"));
    assert_null(strstr(problem.remedy, "MaxPower"));
    assert_false(rapl_next_problem(core.rapl, &problem));
    fake_clocks_pass(10 * NS_PER_S);
    tree_set_energy(core.tree, PACKAGE, (20000 + 10 * core.seconds + 20000) * JOULE);
    assert_int_equal(rapl_report(core.rapl, &core.report), 0);
    assert_true(rapl_next_problem(core.rapl, &problem));
    assert_non_null(strstr(problem.remedy, "MaxPower"));
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_counters),
        cmocka_unit_test(test_long_turns),
        cmocka_unit_test(test_a_ceiling_beyond_reason),
        cmocka_unit_test(test_steady_again),
        cmocka_unit_test(test_wraps_alone),
        cmocka_unit_test(test_a_thousand_times_the_energy),
        cmocka_unit_test(test_power_around_the_ceiling),
        cmocka_unit_test(test_reads_that_fail_by_less),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_burst_after_a_reset),
        cmocka_unit_test(test_row_that_is_forgotten),
        cmocka_unit_test(test_row_of_long_ago),
        cmocka_unit_test(test_row_of_a_moment_ago),
        cmocka_unit_test(test_reads_that_fail_by_anything),
        cmocka_unit_test(test_unsteady_zone_that_returns),
        IN_TREE(test_core_says_why),
        IN_TREE(test_core_says_why_it_jumps),
        IN_TREE(test_core_advises_max_power),
    };
    return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
