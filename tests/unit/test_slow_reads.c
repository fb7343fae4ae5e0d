/* SPDX-License-Identifier: MIT */
/* Reads during which the machine stalls are repeated; power that is still uncertain is not
 * reported. */
#include "source/slow_read.h"

#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "source/source.h"
#include "tree.h"
#include "usual.h"
#include "values.h"

#define JOULE UINT64_C(1000000)
#define WATT UINT64_C(1000000)
#define PACKAGE "intel-rapl:0"
#define OTHER "intel-rapl:1"

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    const char *only;    /* the selected series; NULL: all */
    uint64_t energy_nj;  /* of package-0 at 50 W; package-1 uses twice that */
    uint64_t failing_ns; /* package-0 can be read until this time; 0: always */
    uint64_t passed_ns;
} bench;

/* --- the rule --------------------------------------------------------------------------------- */

static struct {
    uint64_t took_ns[8];
    size_t count;
} reads;

static uint64_t read_again(void *counter) {
    assert_ptr_equal(counter, &reads);
    return reads.took_ns[reads.count++];
}

static void expect_repeats(struct slow_reads *slow, uint64_t took_ns, size_t count) {
    reads.count = 0;
    slow_reads_repeat(slow, took_ns, read_again, &reads);
    assert_int_equal(reads.count, count);
}

static void test_slow_is_a_fiftieth_of_the_interval_from_2_ms_to_1_s(void **state) {
    (void)state;
    static const struct {
        uint64_t interval_ns;
        uint64_t slow_ns;
    } known[] = {
        {0, 2 * NS_PER_MS},         {100 * NS_PER_MS, 2 * NS_PER_MS},
        {NS_PER_S, 20 * NS_PER_MS}, {10 * NS_PER_S, 200 * NS_PER_MS},
        {60 * NS_PER_S, NS_PER_S},  {UINT64_MAX, NS_PER_S},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct slow_reads slow = {.repeated_ns = 5};
        slow_reads_begin(&slow, known[i].interval_ns);
        assert_int_equal(slow.slow_ns, known[i].slow_ns);
        assert_int_equal(slow.repeated_ns, 0);
    }
}

static void test_slow_read_is_repeated_up_to_twice(void **state) {
    (void)state;
    struct slow_reads slow;
    slow_reads_begin(&slow, 10 * NS_PER_S);
    reads.took_ns[0] = 1000;
    expect_repeats(&slow, 200 * NS_PER_MS, 0);
    expect_repeats(&slow, 200 * NS_PER_MS + 1, 1);
    reads.took_ns[0] = 200 * NS_PER_MS + 1;
    reads.took_ns[1] = 199 * NS_PER_MS;
    expect_repeats(&slow, 300 * NS_PER_MS, 2);
    slow_reads_begin(&slow, 10 * NS_PER_S);
    reads.took_ns[1] = 0; /* it failed */
    expect_repeats(&slow, 300 * NS_PER_MS, 2);
}

static void test_repeats_of_a_sample_take_little_time(void **state) {
    (void)state;
    struct slow_reads slow;
    slow_reads_begin(&slow, NS_PER_S);
    for (size_t i = 0; i < COUNT_OF(reads.took_ns); i++)
        reads.took_ns[i] = 30 * NS_PER_MS;
    expect_repeats(&slow, 30 * NS_PER_MS, 2);
    expect_repeats(&slow, 30 * NS_PER_MS, 0);
    slow_reads_begin(&slow, NS_PER_S);
    expect_repeats(&slow, 30 * NS_PER_MS, 2);
    slow_reads_begin(&slow, NS_PER_S);
    reads.took_ns[0] = 40 * NS_PER_MS; /* 4 % of the interval */
    expect_repeats(&slow, 30 * NS_PER_MS, 1);
}

/* --- the machine ------------------------------------------------------------------------------ */

static void show(void) {
    if (bench.failing_ns != 0 && bench.passed_ns >= bench.failing_ns)
        tree_set(bench.tree, PACKAGE, "energy_uj", FAKE_ERRNO, EIO);
    else
        tree_set_energy(bench.tree, PACKAGE, bench.energy_nj / 1000);
    tree_set_energy(bench.tree, OTHER, 2 * bench.energy_nj / 1000);
}

static void pass(uint64_t ns) {
    fake_clocks_pass(ns);
    bench.passed_ns += ns;
    bench.energy_nj += 50 * ns;
    show();
}

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    fake_clocks_stop();
    memset(&bench, 0, sizeof(bench));
    bench.tree = tree;
    bench.energy_nj = 1000 * NS_PER_S;
    tree_set_vendor(tree, "GenuineIntel");
    tree_write(tree, "sys/devices/system/cpu/online", "0-1\n");
    tree_add_zone(tree, PACKAGE, "package-0", 0, RANGE_61_UJ);
    tree_add_zone(tree, OTHER, "package-1", 0, RANGE_61_UJ);
    show();
    *state = tree;
    return 0;
}

static int teardown(void **state) {
    rapl_close(bench.rapl);
    return tree_teardown(state);
}

static void open_core(uint64_t sample_interval_ns) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.include = &bench.only;
    options.include_count = bench.only != NULL;
    options.root = bench.tree->path;
    options.sample_interval_ns = sample_interval_ns;
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
}

static void report_after(uint64_t ns) {
    pass(ns);
    assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
    assert_int_equal(fake_stalls_left(), 0);
}

static const struct rapl_value *find(const char *name) {
    return find_value(bench.report, name);
}

/* Allows a thousandth. */
static void expect_watts(const char *name, uint64_t watts) {
    const struct rapl_value *value = find(name);
    assert_non_null(value);
    assert_true(value->has_power);
    assert_in_range(value->power_uw, watts * WATT * 999 / 1000, watts * WATT * 1001 / 1000);
}

static void expect_energy_alone(const char *name) {
    const struct rapl_value *value = find(name);
    assert_non_null(value);
    assert_false(value->has_power);
    assert_false(value->has_statistics);
}

static void stall(size_t index, struct fake_stall at) {
    struct fake_stall stalls[3] = {{.before_ns = 0}};
    stalls[index] = at;
    fake_reads_stall(stalls, index + 1, pass);
}

/* The read and its repeat stall; a second repeat would take too much time. */
static void stall_twice(size_t index, struct fake_stall at) {
    struct fake_stall stalls[3] = {{.before_ns = 0}};
    stalls[index] = stalls[index + 1] = at;
    fake_reads_stall(stalls, index + 2, pass);
}

/* --- what it reports -------------------------------------------------------------------------- */

/* Without a second read the first interval is 7 % off, and the next one as much the other way. */
static void test_stall_beside_the_value_changes_no_power(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{150 * NS_PER_MS, 0}, {0, 150 * NS_PER_MS}};
    open_core(0);
    report_after(NS_PER_S);
    for (size_t i = 0; i < COUNT_OF(stalls); i++) {
        for (size_t index = 0; index < 2; index++) {
            stall(index, stalls[i]);
            report_after(NS_PER_S);
            expect_watts("package-0", 50);
            expect_watts("package-1", 100);
            expect_watts("total", 150);
            report_after(NS_PER_S);
            expect_watts("package-0", 50);
            expect_watts("package-1", 100);
            expect_watts("total", 150);
        }
    }
    assert_int_equal(bench.report->health.stalls, 0);
}

static void test_first_reading_is_repeated(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{0, 0}, {0, 0}, {0, 30 * NS_PER_MS}, {0, 0}, {0, 0}};
    /* discovery reads each of the two, and then the sample does */
    fake_reads_stall(stalls, COUNT_OF(stalls), pass);
    open_core(0);
    assert_int_equal(fake_stalls_left(), 0);
    report_after(60 * NS_PER_MS);
    expect_watts("package-0", 50);
    expect_watts("package-1", 100);
}

/* Energies divided by the times between reports give the power. */
static void test_report_is_of_the_time_of_its_readings(void **state) {
    (void)state;
    open_core(0);
    report_after(NS_PER_S);
    uint64_t time_ns = bench.report->time_ns;
    uint64_t energy_uj = find("total")->energy_uj;
    for (size_t i = 0; i < 4; i++) {
        stall(0, (struct fake_stall){i % 2 * 150 * NS_PER_MS, 0});
        report_after(NS_PER_S);
        const uint64_t span_us = (bench.report->time_ns - time_ns) / 1000;
        assert_in_range((find("total")->energy_uj - energy_uj) / (span_us / 1000), 149900, 150100);
        time_ns = bench.report->time_ns;
        energy_uj = find("total")->energy_uj;
    }
}

/* A stall that is short compared with the interval does not cause a repeat. */
static void test_read_that_is_not_slow_is_read_once(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{0, 200 * NS_PER_MS}, {0, 0}};
    open_core(0);
    fake_reads_stall(stalls, COUNT_OF(stalls), pass);
    pass(10 * NS_PER_S);
    assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
    assert_int_equal(fake_stalls_left(), 0);
    assert_true(find("package-0")->has_power);
    assert_in_range(find("package-0")->power_uw, 49 * WATT, 51 * WATT);
}

static void test_samples_between_reports_are_read_once(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{0, 900 * NS_PER_MS}, {0, 0}};
    open_core(10 * NS_PER_MS);
    report_after(NS_PER_S);
    fake_reads_stall(stalls, COUNT_OF(stalls), pass);
    assert_int_equal(rapl_sample(bench.rapl), 0);
    assert_int_equal(fake_stalls_left(), 0);
    report_after(NS_PER_S);
    expect_watts("package-0", 50);
}

/* The uncertainty is above 5 %: the next report's power covers both spans. */
static void test_power_that_is_not_known_is_left_out(void **state) {
    (void)state;
    for (size_t index = 0; index < 2; index++) {
        const char *stalled = index == 0 ? "package-0" : "package-1";
        const char *other = index == 0 ? "package-1" : "package-0";
        open_core(NS_PER_S / 10);
        report_after(NS_PER_S);
        const uint64_t energy_uj = find(stalled)->energy_uj;
        stall_twice(index, (struct fake_stall){0, 150 * NS_PER_MS});
        report_after(NS_PER_S);
        expect_energy_alone(stalled);
        expect_energy_alone("total");
        assert_true(find(stalled)->energy_uj > energy_uj);
        assert_true(find(other)->has_power);
        assert_int_equal(bench.report->health.stalls, 2);
        report_after(NS_PER_S);
        expect_watts(stalled, index == 0 ? 50 : 100);
        expect_watts(other, index == 0 ? 100 : 50);
        expect_watts("total", 150);
        assert_int_equal(find(stalled)->end_ns - find(stalled)->start_ns,
                         find("total")->end_ns - find("total")->start_ns);
        assert_true(find(stalled)->end_ns - find(stalled)->start_ns > 2 * NS_PER_S);
        assert_int_equal(bench.report->health.stalls, 2);
        rapl_close(bench.rapl);
        bench.rapl = NULL;
    }
}

/* The uncertainty at the start of a span counts as well. */
static void test_power_waits_for_a_begin_that_is_not_known(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {
        {0, 0}, {0, 0}, {0, 20 * NS_PER_MS}, {0, 20 * NS_PER_MS}};
    fake_reads_stall(stalls, COUNT_OF(stalls), pass); /* uncertain by 10 ms: 200 ms needed */
    open_core(0);
    assert_int_equal(fake_stalls_left(), 0);
    report_after(100 * NS_PER_MS);
    expect_energy_alone("package-0");
    assert_true(find("package-1")->has_power);
    assert_int_equal(bench.report->health.stalls, 2);
    report_after(101 * NS_PER_MS);
    assert_true(find("package-0")->has_power);
    assert_in_range(find("package-0")->power_uw, 95 * 50 * WATT / 100, 105 * 50 * WATT / 100);
    assert_true(find("total")->has_power);
}

static void test_first_report_waits_for_a_begin_that_is_not_known(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {
        {0, 0}, {0, 0}, {0, 20 * NS_PER_MS}, {0, 20 * NS_PER_MS}};
    bench.only = "package-0";
    fake_reads_stall(stalls, COUNT_OF(stalls), pass);
    open_core(0);
    assert_int_equal(fake_stalls_left(), 0);
    const uint64_t wait_ns = rapl_power_ready_ns(bench.rapl) - fake_clocks_monotonic_ns();
    assert_in_range(wait_ns, 170 * NS_PER_MS, 230 * NS_PER_MS);
    report_after(wait_ns);
    assert_true(find("package-0")->has_power);
    assert_int_equal(bench.report->health.stalls, 0);
}

static void test_repeat_that_fails_leaves_the_first(void **state) {
    (void)state;
    open_core(0);
    report_after(10 * NS_PER_S);
    bench.failing_ns = 20 * NS_PER_S + 1;
    stall(0, (struct fake_stall){0, 300 * NS_PER_MS});
    report_after(10 * NS_PER_S);
    assert_true(find("package-0")->has_power);
    assert_in_range(find("package-0")->power_uw, 49 * WATT, 51 * WATT);
    assert_int_equal(bench.report->health.read_errors, 0);
    assert_int_equal(bench.report->health.zones, 2);
    report_after(10 * NS_PER_S);
    assert_null(find("package-0"));
    assert_int_equal(bench.report->health.read_errors, 1);
}

/* A stall of more than a second, also in the repeat: the reading is not used. */
static void test_stall_of_more_than_a_second(void **state) {
    (void)state;
    open_core(0);
    report_after(10 * NS_PER_S);
    stall(0, (struct fake_stall){0, 1500 * NS_PER_MS});
    report_after(10 * NS_PER_S);
    expect_watts("package-0", 50);
    assert_int_equal(bench.report->health.read_errors, 0);
    static const struct fake_stall stalls[] = {{0, 1500 * NS_PER_MS}, {0, 1500 * NS_PER_MS}};
    fake_reads_stall(stalls, COUNT_OF(stalls), pass);
    report_after(10 * NS_PER_S);
    assert_null(find("package-0"));
    assert_int_equal(bench.report->health.read_errors, 1);
    expect_watts("package-1", 100);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_is_a_fiftieth_of_the_interval_from_2_ms_to_1_s),
        cmocka_unit_test(test_slow_read_is_repeated_up_to_twice),
        cmocka_unit_test(test_repeats_of_a_sample_take_little_time),
        IN_TREE(test_stall_beside_the_value_changes_no_power),
        IN_TREE(test_first_reading_is_repeated),
        IN_TREE(test_report_is_of_the_time_of_its_readings),
        IN_TREE(test_read_that_is_not_slow_is_read_once),
        IN_TREE(test_samples_between_reports_are_read_once),
        IN_TREE(test_power_that_is_not_known_is_left_out),
        IN_TREE(test_power_waits_for_a_begin_that_is_not_known),
        IN_TREE(test_first_report_waits_for_a_begin_that_is_not_known),
        IN_TREE(test_repeat_that_fails_leaves_the_first),
        IN_TREE(test_stall_of_more_than_a_second),
    };
    return cmocka_run_group_tests_name("slow_reads", tests, NULL, NULL);
}
