/* SPDX-License-Identifier: MIT */
/* Clocks that fail, stop, go back or jump: every reported value stays correct or is left out. */
#include <string.h>
#include <time.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "line_protocol.h"
#include "rapl.h"
#include "tree.h"
#include "usual.h"
#include "values.h"

#define STEP_UJ UINT64_C(10000000)
#define STEP_UW UINT64_C(10000000)
#define EVERY_CLOCK (-1)
/* More than the number of readings in these tests. */
#define READINGS_MAX 400

struct bench {
    const struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    uint64_t moved_uj;
    unsigned int left_out[2];
};

static const char *const names[] = {"package-0", "package-1"};

static void set_counters(const struct bench *bench) {
    tree_set_energy(bench->tree, "intel-rapl:0", bench->moved_uj);
    tree_set_energy(bench->tree, "intel-rapl:1", bench->moved_uj);
}

static void open_bench(struct bench *bench, const struct tree *tree) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    *bench = (struct bench){.tree = tree};
    fakes_end();
    fake_clocks_stop();
    fake_clocks_pass(7200 * NS_PER_S);
    set_counters(bench);
    options.root = tree->path;
    options.sample_interval_ns = NS_PER_S;
    assert_int_equal(rapl_open(&options, &bench->rapl), 0);
    assume_usual_counters(bench->rapl);
}

static void take_report(struct bench *bench) {
    fake_clocks_pass(NS_PER_S);
    bench->moved_uj += STEP_UJ;
    set_counters(bench);
    assert_int_equal(rapl_report(bench->rapl, &bench->report), 0);
}

/* The load is constant, so every sample has the same power. */
static void check_power(const struct rapl_value *value, bool complete, uint64_t power_uw) {
    if (complete) {
        assert_true(value->has_power);
        assert_true(value->statistics.samples > 0);
    }
    if (value->has_power)
        assert_int_equal(value->power_uw, power_uw);
    if (value->statistics.samples > 0) {
        assert_int_equal(value->statistics.min_uw, power_uw);
        assert_int_equal(value->statistics.max_uw, power_uw);
    }
}

/* Energy is correct except for intervals that were left out; so is power where it is reported. */
static void check(struct bench *bench, bool complete) {
    uint64_t told_uj = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct rapl_value *value = find_value(bench->report, names[i]);
        bench->left_out[i] += value == NULL;
        if (complete)
            assert_non_null(value);
        if (value == NULL)
            continue;
        const uint64_t lost_uj = bench->moved_uj - value->energy_uj;
        assert_int_equal(lost_uj % STEP_UJ, 0);
        assert_true(lost_uj / STEP_UJ <= bench->left_out[i]);
        check_power(value, complete, STEP_UW);
        told_uj += value->energy_uj;
    }
    const struct rapl_value *total = find_value(bench->report, "total");
    if (complete)
        assert_non_null(total);
    if (total == NULL)
        return;
    assert_int_equal(total->energy_uj, told_uj);
    check_power(total, complete, COUNT_OF(names) * STEP_UW);
}

/* Lets one or more readings of a clock fail, starting at each reading in turn. */
static void err_at_each(const struct tree *tree, int clock, unsigned int count, int64_t seconds) {
    for (unsigned int i = 0; i < READINGS_MAX; i++) {
        struct bench bench;
        open_bench(&bench, tree);
        fake_clocks_err(clock, i, count, seconds);
        for (int j = 0; j < 3; j++) {
            take_report(&bench);
            check(&bench, false);
            rapl_sample_due_ns(bench.rapl);
            rapl_power_ready_ns(bench.rapl);
        }
        const bool erred = fake_clocks_have_erred();
        fake_clocks_err(clock, 0, 0, 0);
        for (int j = 0; j < 3; j++) {
            take_report(&bench);
            check(&bench, j == 2);
        }
        rapl_close(bench.rapl);
        if (!erred)
            return;
    }
    fail_msg("it never ends");
}

static void add_machine(const struct tree *tree) {
    tree_set_vendor(tree, "GenuineIntel");
    tree_write(tree, "sys/devices/system/cpu/online", "0-1\n");
    tree_add_zone(tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 0, RANGE_61_UJ);
}

static void test_readings_that_fail(void **state) {
    static const int clocks[] = {CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                 CLOCK_REALTIME, EVERY_CLOCK};
    add_machine(*state);
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        err_at_each(*state, clocks[i], 1, FAKE_CLOCK_FAILS);
        err_at_each(*state, clocks[i], 12, FAKE_CLOCK_FAILS);
    }
}

static void test_readings_that_go_back(void **state) {
    add_machine(*state);
    err_at_each(*state, CLOCK_MONOTONIC, 1, -3600);
    err_at_each(*state, CLOCK_MONOTONIC, 5, -3600);
    err_at_each(*state, CLOCK_MONOTONIC_RAW, 1, -3600);
    err_at_each(*state, CLOCK_MONOTONIC_RAW, 5, -3600);
    err_at_each(*state, EVERY_CLOCK, 12, -3600);
    /* by less than the time to a wrap: the step is counted all the same */
    err_at_each(*state, CLOCK_MONOTONIC, 1, -30);
    err_at_each(*state, CLOCK_MONOTONIC_RAW, 1, -30);
    err_at_each(*state, EVERY_CLOCK, 12, -30);
}

/* All clocks stop from the start of a report to its end. */
static void test_clocks_that_stand_still(void **state) {
    struct bench bench;
    add_machine(*state);
    open_bench(&bench, *state);
    take_report(&bench);
    fake_clocks_err(EVERY_CLOCK, 0, READINGS_MAX, -1);
    take_report(&bench);
    check(&bench, false);
    assert_int_equal(bench.report->value_count, 3);
    assert_false(bench.report->values[0].has_power);
    fake_clocks_err(EVERY_CLOCK, 0, 0, 0);
    take_report(&bench);
    check(&bench, true);
    rapl_close(bench.rapl);
}

/* A time daemon slews every clock but CLOCK_MONOTONIC_RAW (chrony: by up to 83,333 ppm). Power of
 * intervals and samples stays correct, power is there when it is announced, and none of this counts
 * as a sleep. */
static void test_slewed_clocks(void **state) {
    static const int64_t slews_ppm[] = {80000, -80000, 20, -20, 83333, -83333};
    struct bench bench;
    add_machine(*state);
    open_bench(&bench, *state);
    for (size_t i = 0; i < 2 * COUNT_OF(slews_ppm); i++) {
        fake_clocks_slew(slews_ppm[i % COUNT_OF(slews_ppm)]);
        take_report(&bench);
        check(&bench, true);
        assert_int_equal(bench.report->health.sleeps, 0);
    }
    for (size_t i = 0; i < COUNT_OF(slews_ppm); i++) {
        fake_clocks_slew(slews_ppm[i]);
        assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
        const uint64_t now_ns = fake_clocks_monotonic_ns();
        while (fake_clocks_monotonic_ns() < rapl_power_ready_ns(bench.rapl))
            fake_clocks_pass(NS_PER_MS / 10);
        assert_in_range(fake_clocks_monotonic_ns() - now_ns, 50 * NS_PER_MS, 60 * NS_PER_MS);
        assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
        assert_true(find_value(bench.report, "package-0")->has_power);
        assert_true(find_value(bench.report, "total")->has_power);
    }
    rapl_close(bench.rapl);
}

static void expect_time(struct bench *bench, const char *text) {
    struct line_writer writer;
    line_writer_open(&writer, NULL, 0, (struct line_fields){.energy = true});
    take_report(bench);
    check(bench, true);
    assert_int_equal(line_writer_format(&writer, bench->report), 0);
    assert_true(writer.length > strlen(text));
    const char *end = writer.text + writer.length - strlen(text);
    assert_memory_equal(end, text, strlen(text));
    line_writer_close(&writer);
}

/* Wall time is used for timestamps only. */
static void test_wall_time_jumps(void **state) {
    struct bench bench;
    add_machine(*state);
    open_bench(&bench, *state);
    take_report(&bench);
    fake_clocks_err(CLOCK_REALTIME, 0, READINGS_MAX, 86400);
    expect_time(&bench, " 1763886194000000000\n");
    fake_clocks_err(CLOCK_REALTIME, 0, READINGS_MAX, -86400);
    expect_time(&bench, " 1763713395000000000\n");
    /* Before 1970: the number must not wrap. */
    fake_clocks_err(CLOCK_REALTIME, 0, READINGS_MAX, -1763800000);
    expect_time(&bench, " 0\n");
    rapl_close(bench.rapl);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_readings_that_fail),      IN_TREE(test_readings_that_go_back),
        IN_TREE(test_clocks_that_stand_still), IN_TREE(test_slewed_clocks),
        IN_TREE(test_wall_time_jumps),
    };
    return cmocka_run_group_tests_name("clocks", tests, NULL, NULL);
}
