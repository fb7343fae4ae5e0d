/* SPDX-License-Identifier: MIT */
/* Samples inside an interval, through the whole core, with clocks that tests move. */
#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "tree.h"
#include "usual.h"
#include "values.h"

#define JOULE UINT64_C(1000000)
#define WATT UINT64_C(1000000)
#define EVERY_NS (10 * NS_PER_MS)
#define PACKAGE "intel-rapl:0"
#define DRAM "intel-rapl:0:0"
#define CORE "intel-rapl:0:1"
#define OTHER "intel-rapl:1"
#define ONLINE "sys/devices/system/cpu/online"

/* A counter's zone and value, and the power that drives it. */
struct load {
    const char *id;
    const char *name;
    uint64_t watts;
    uint64_t energy_uj;
    bool fails;
    bool hidden;
};

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    struct load loads[4];
} bench;

/* --- the machine ------------------------------------------------------------------------------ */

static void show(const struct load *load) {
    if (load->fails)
        tree_set(bench.tree, load->id, "energy_uj", FAKE_ERRNO, EIO);
    else if (!load->hidden)
        tree_set_energy(bench.tree, load->id, load->energy_uj);
}

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    fake_clocks_stop();
    memset(&bench, 0, sizeof(bench));
    bench.tree = tree;
    bench.loads[0] = (struct load){.id = PACKAGE, .name = "package-0", .watts = 50};
    bench.loads[1] = (struct load){.id = DRAM, .name = "dram", .watts = 4};
    bench.loads[2] = (struct load){.id = OTHER, .name = "package-1", .watts = 40};
    bench.loads[3] = (struct load){.id = CORE, .name = "core", .watts = 30};
    tree_set_vendor(tree, "GenuineIntel");
    tree_write(tree, ONLINE, "0-1\n");
    for (size_t i = 0; i < COUNT_OF(bench.loads); i++) {
        bench.loads[i].energy_uj = 1000 * JOULE;
        tree_add_zone(tree, bench.loads[i].id, bench.loads[i].name, bench.loads[i].energy_uj,
                      RANGE_61_UJ);
    }
    *state = tree;
    return 0;
}

static int teardown(void **state) {
    rapl_close(bench.rapl);
    return tree_teardown(state);
}

static struct rapl_options default_options(void) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = bench.tree->path;
    options.sample_interval_ns = EVERY_NS;
    return options;
}

static void open_every(uint64_t sample_interval_ns, unsigned int statistics) {
    struct rapl_options options = default_options();
    options.sample_interval_ns = sample_interval_ns;
    options.statistics = statistics;
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
}

static void open_sampling(void) {
    open_every(EVERY_NS, RAPL_STATISTICS_ALL);
}

/* Passes time and uses energy: watts times nanoseconds are nanojoules. */
static void pass(uint64_t ns) {
    fake_clocks_pass(ns);
    for (size_t i = 0; i < COUNT_OF(bench.loads); i++) {
        bench.loads[i].energy_uj += bench.loads[i].watts * ns / 1000;
        show(&bench.loads[i]);
    }
}

/* Samples as both plugins do until the next report. */
static void sample_for(uint64_t ns) {
    const uint64_t end_ns = fake_clocks_monotonic_ns() + ns;
    for (uint64_t due_ns; (due_ns = rapl_sample_due_ns(bench.rapl)) != 0 && due_ns < end_ns;) {
        const uint64_t now_ns = fake_clocks_monotonic_ns();
        if (due_ns > now_ns)
            pass(due_ns - now_ns);
        assert_int_equal(rapl_sample(bench.rapl), 0);
    }
    if (end_ns > fake_clocks_monotonic_ns())
        pass(end_ns - fake_clocks_monotonic_ns());
}

static void report(void) {
    assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
    assume_usual_counters(bench.rapl);
}

static void report_after(uint64_t ns) {
    sample_for(ns);
    report();
}

static void fail_reads(size_t index, bool fails) {
    bench.loads[index].fails = fails;
    show(&bench.loads[index]);
}

/* Hides a zone, as when the last CPU of its package goes, or shows it again. */
static void hide(size_t index, bool hidden) {
    struct load *load = &bench.loads[index];
    if (hidden) {
        tree_set(bench.tree, load->id, "energy_uj", FAKE_ERRNO, ENODEV);
        tree_drop_zone(bench.tree, load->id);
    } else {
        tree_add_zone(bench.tree, load->id, load->name, load->energy_uj, RANGE_61_UJ);
    }
    load->hidden = hidden;
}

/* --- reported values ------------------------------------------------------------------------- */

static const struct rapl_value *find(const char *name) {
    const struct rapl_value *value = find_value(bench.report, name);
    if (value == NULL)
        fail_msg("%s says nothing", name);
    return value;
}

/* Power and all samples must be that many watts, to 4 %: the first and last sample of a series may
 * lack energy that the counter had not shown yet. */
static void expect_watts(const char *name, uint64_t watts) {
    const struct rapl_value *value = find(name);
    const uint64_t least_uw = watts * WATT * 96 / 100;
    const uint64_t most_uw = watts * WATT * 104 / 100;
    assert_true(value->has_power);
    assert_true(value->has_statistics);
    assert_int_not_equal(value->statistics.samples, 0);
    assert_in_range(value->power_uw, least_uw, most_uw);
    assert_in_range(value->statistics.min_uw, least_uw, most_uw);
    assert_in_range(value->statistics.max_uw, least_uw, most_uw);
}

/* --- the grid --------------------------------------------------------------------------------- */

static void test_less_than_a_millisecond_is_refused(void **state) {
    (void)state;
    struct rapl_options options = default_options();
    options.sample_interval_ns = NS_PER_MS - 1;
    assert_int_equal(rapl_open(&options, &bench.rapl), -EINVAL);
    assert_null(bench.rapl);
    open_every(NS_PER_MS, RAPL_STATISTICS_ALL);
}

static void test_nothing_runs_when_nothing_asks(void **state) {
    (void)state;
    static const struct {
        uint64_t every_ns;
        unsigned int statistics;
    } idle[] = {{0, RAPL_STATISTICS_ALL}, {EVERY_NS, 0}};
    for (size_t i = 0; i < COUNT_OF(idle); i++) {
        open_every(idle[i].every_ns, idle[i].statistics);
        /* the due sample guards against a wrap of 262 kJ at 1000 W */
        assert_in_range(rapl_sample_due_ns(bench.rapl) - fake_clocks_monotonic_ns(), 131 * NS_PER_S,
                        132 * NS_PER_S);
        assert_false(rapl_needs_sampler(bench.rapl, 60 * NS_PER_S));
        report_after(60 * NS_PER_S);
        assert_true(find("package-0")->has_power);
        assert_false(find("package-0")->has_statistics);
        assert_false(find("total")->has_statistics);
        assert_int_equal(bench.report->health.missed_samples, 0);
        rapl_close(bench.rapl);
        bench.rapl = NULL;
    }
}

static uint64_t next_instant_ns(void) {
    return (fake_clocks_monotonic_ns() / EVERY_NS + 1) * EVERY_NS;
}

/* The times do not depend on when the handle was opened, or on reports. */
static void test_instants_are_multiples_of_the_interval(void **state) {
    (void)state;
    pass(3333333);
    open_sampling();
    assert_true(rapl_needs_sampler(bench.rapl, NS_PER_S));
    for (uint64_t i = 0; i < 100; i++) {
        const uint64_t due_ns = rapl_sample_due_ns(bench.rapl);
        assert_int_equal(due_ns, next_instant_ns());
        if (i % 3 == 0) {
            pass((due_ns - fake_clocks_monotonic_ns()) * (i + 1) / 101);
            report();
            assert_int_equal(rapl_sample_due_ns(bench.rapl), due_ns);
        }
        pass(due_ns - fake_clocks_monotonic_ns());
        assert_int_equal(rapl_sample(bench.rapl), 0);
    }
    report();
    assert_int_equal(bench.report->health.missed_samples, 0);
    assert_int_equal(bench.report->health.sweeps, 1 + 100 + 34 + 1);
}

static void test_late_wake_up_is_one_sample(void **state) {
    (void)state;
    open_sampling();
    sample_for(NS_PER_S);
    const uint64_t due_ns = rapl_sample_due_ns(bench.rapl);
    pass(due_ns - fake_clocks_monotonic_ns() + 7 * EVERY_NS + EVERY_NS / 2);
    assert_int_equal(rapl_sample(bench.rapl), 0);
    assert_int_equal(rapl_sample_due_ns(bench.rapl), due_ns + 8 * EVERY_NS);
    pass(EVERY_NS / 4);
    report();
    assert_int_equal(bench.report->health.missed_samples, 7);
    assert_int_equal(bench.report->health.sweeps, 1 + 99 + 1 + 1);
    expect_watts("package-0", 50);
    /* and missed samples are not made up for */
    report_after(NS_PER_S);
    assert_int_equal(bench.report->health.missed_samples, 7);
    assert_int_equal(bench.report->health.sweeps, 102 + 100 + 1);
}

static void test_sweep_longer_than_the_interval_leaves_time(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    const uint64_t missed = bench.report->health.missed_samples;
    fake_reads_take(4 * NS_PER_MS); /* for each of the four zones */
    for (uint64_t i = 0; i < 10; i++) {
        const uint64_t due_ns = rapl_sample_due_ns(bench.rapl);
        assert_int_equal(due_ns, next_instant_ns());
        pass(due_ns - fake_clocks_monotonic_ns());
        assert_int_equal(rapl_sample(bench.rapl), 0);
    }
    fake_reads_take(0);
    sample_for(EVERY_NS);
    report();
    assert_int_equal(bench.report->health.missed_samples - missed, 10);
}

/* Like a report, a sample that guards against a wrap is not on the grid. */
static void test_what_is_due_first_comes_first(void **state) {
    (void)state;
    const uint64_t begin_ns = fake_clocks_monotonic_ns();
    open_every(100 * NS_PER_S, RAPL_STATISTICS_ALL);
    assert_int_equal(rapl_sample_due_ns(bench.rapl),
                     (begin_ns / NS_PER_S / 100 + 1) * 100 * NS_PER_S);
    rapl_close(bench.rapl);
    bench.rapl = NULL;
    open_every(UINT64_C(86400) * NS_PER_S, RAPL_STATISTICS_ALL);
    assert_in_range(rapl_sample_due_ns(bench.rapl) - begin_ns, 131 * NS_PER_S, 132 * NS_PER_S);
    report_after(1000 * NS_PER_S);
    assert_int_equal(bench.report->health.missed_samples, 0);
    assert_int_equal(bench.report->health.sweeps, 1 + 7 + 1);
}

static void test_nothing_is_missed_while_nothing_reads(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    for (size_t i = 0; i < COUNT_OF(bench.loads); i++)
        fail_reads(i, true);
    report();
    assert_int_equal(rapl_sample_due_ns(bench.rapl), 0);
    pass(NS_PER_S);
    for (size_t i = 0; i < COUNT_OF(bench.loads); i++)
        fail_reads(i, false);
    report();
    assert_int_equal(bench.report->health.missed_samples, 0);
    assert_int_equal(rapl_sample_due_ns(bench.rapl), next_instant_ns());
}

/* --- what goes with power --------------------------------------------------------------------- */

static void test_prompts_too_short_for_power_add_up(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    assert_int_equal(find("package-0")->statistics.samples, 33);
    for (uint64_t i = 0; i < 4; i++) {
        report_after(12 * NS_PER_MS);
        assert_false(find("package-0")->has_statistics);
        assert_false(find("total")->has_statistics);
    }
    report_after(952 * NS_PER_MS);
    /* the readings of the five reports come in addition to those of the grid */
    assert_in_range(find("package-0")->statistics.samples, 33, 36);
    expect_watts("package-0", 50);
    expect_watts("total", 94);
}

/* Then both cover the same span and the same energy. */
static void test_mean_is_the_power_where_every_reading_closes_a_sample(void **state) {
    (void)state;
    pass(50 * NS_PER_MS);
    open_every(100 * NS_PER_MS, RAPL_STATISTICS_ALL);
    for (uint64_t i = 0; i < 10; i++) {
        bench.loads[0].watts = 20 + 31 * i % 100;
        sample_for(533 * NS_PER_MS);
        bench.loads[0].watts = 90;
        report_after(467 * NS_PER_MS);
        const struct rapl_value *value = find("package-0");
        assert_int_equal(value->statistics.samples, 11);
        assert_in_range(value->statistics.mean_uw, value->power_uw - 1, value->power_uw + 1);
    }
}

static void test_sleep_and_new_start_leave_the_samples_out(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    sample_for(NS_PER_S);
    fake_clocks_sleep(60 * NS_PER_S);
    report_after(NS_PER_S);
    assert_false(find("package-0")->has_statistics);
    assert_false(find("total")->has_statistics);
    report_after(NS_PER_S);
    expect_watts("package-0", 50);
    assert_in_range(find("package-0")->statistics.samples, 32, 34);
    assert_in_range(find("total")->statistics.samples, 32, 34);
    sample_for(NS_PER_S);
    bench.loads[2].energy_uj = 0;
    report_after(NS_PER_S);
    assert_null(find_value(bench.report, "package-1"));
    report_after(NS_PER_S);
    expect_watts("package-1", 40);
    assert_in_range(find("package-1")->statistics.samples, 32, 34);
    assert_in_range(find("total")->statistics.samples, 32, 34);
}

static void test_only_what_is_selected_has_samples(void **state) {
    (void)state;
    static const char *const include[] = {"package-1", "total"};
    struct rapl_options options = default_options();
    options.include = include;
    options.include_count = 1;
    options.total = false;
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
    report_after(NS_PER_S);
    assert_int_equal(bench.report->value_count, 1);
    expect_watts("package-1", 40);
    rapl_close(bench.rapl);
    options.include = &include[1];
    options.total = true;
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    assert_int_equal(bench.report->value_count, 1);
    expect_watts("total", 94);
}

/* --- sums ------------------------------------------------------------------------------------- */

static void test_total_is_of_samples_of_all_members(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    expect_watts("package-0", 50);
    expect_watts("package-0/dram", 4);
    expect_watts("package-0/core", 30);
    expect_watts("total", 94);
    bench.loads[2].watts = 0; /* it can be read but does not move */
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    assert_int_equal(find("package-1")->statistics.samples, 0);
    expect_watts("total", 54);
}

/* Energy used while a member could not be read is in no sample: it is unknown when it was used. */
static void test_total_takes_no_sample_across_a_silent_member(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    sample_for(NS_PER_S / 2);
    bench.loads[2].watts = 400;
    fail_reads(2, true);
    sample_for(NS_PER_S / 4);
    fail_reads(2, false);
    bench.loads[2].watts = 40;
    report_after(NS_PER_S / 4);
    const struct rapl_value *total = find("total");
    assert_in_range(total->power_uw, 183 * WATT, 185 * WATT);
    assert_in_range(total->statistics.min_uw, 90 * WATT, 94 * WATT);
    assert_int_equal(total->statistics.max_uw, total->power_uw);
    assert_in_range(total->statistics.p99_uw, 92 * WATT, 98 * WATT);
    /* The member's own sample spans all of that time. */
    assert_in_range(find("package-1")->statistics.max_uw, 350 * WATT, 400 * WATT);
}

/* The member goes between two reports, and the next report's discovery confirms it: from then on
 * the total and its samples exclude it. */
static void test_member_that_goes_takes_its_samples_with_it(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    expect_watts("total", 94);
    sample_for(NS_PER_S / 2);
    hide(2, true);
    sample_for(NS_PER_S / 2);
    report();
    const struct rapl_value *total = find("total");
    assert_in_range(total->power_uw, 53 * WATT, 55 * WATT);
    assert_int_equal(total->statistics.samples, 0);
    report_after(NS_PER_S);
    expect_watts("total", 54);
}

/* The member goes right before a report, which leaves the total out. At the next report the total's
 * span begins before that, and its samples begin after it. */
static void test_member_that_goes_at_a_report(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    sample_for(NS_PER_S);
    hide(2, true);
    tree_write(bench.tree, ONLINE, "0\n");
    report();
    assert_null(find_value(bench.report, "total"));
    report_after(NS_PER_S);
    expect_watts("total", 54);
}

/* When the member returns, its counter includes what it used meanwhile: that is not part of a
 * sample that the others had begun. */
static void test_member_that_returns_begins_the_samples_anew(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    hide(2, true);
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    expect_watts("total", 54);
    /* so that the others have a sample open at the report: samples last for 30 ms */
    for (uint64_t i = 0; i < 3; i++) {
        sample_for(NS_PER_S + i * EVERY_NS);
        hide(2, false);
        report();
        assert_false(find("total")->has_statistics);
        report_after(NS_PER_S);
        expect_watts("total", 94);
        hide(2, true);
        report_after(NS_PER_S);
        report_after(NS_PER_S);
    }
}

/* The series that stood for both zones ends, and each gets one of its own. */
static void test_members_that_part_begin_the_samples_anew(void **state) {
    (void)state;
    tree_remove(bench.tree, "proc/cpuinfo");
    bench.loads[0].name = "package-0-die-0";
    bench.loads[2].name = "package-0-die-1";
    for (size_t i = 0; i < 3; i += 2)
        tree_set(bench.tree, bench.loads[i].id, "name", "%s\n", bench.loads[i].name);
    bench.loads[2].watts = bench.loads[0].watts;
    open_sampling();
    report_after(NS_PER_S);
    report_after(NS_PER_S);
    expect_watts("total", 54);
    bench.loads[2].watts = 40;
    report_after(NS_PER_S);
    assert_null(find_value(bench.report, "package-0"));
    report_after(NS_PER_S);
    expect_watts("package-0-die-0", 50);
    expect_watts("package-0-die-1", 40);
    expect_watts("total", 94);
}

static void test_total_of_members_that_have_all_gone(void **state) {
    (void)state;
    open_sampling();
    report_after(NS_PER_S);
    for (size_t i = COUNT_OF(bench.loads); i-- > 0;)
        hide(i, true);
    tree_write(bench.tree, ONLINE, "0\n");
    for (int i = 0; i < 3; i++) {
        report_after(NS_PER_S);
        assert_int_equal(bench.report->value_count, 0);
    }
    assert_int_equal(rapl_sample_due_ns(bench.rapl), 0);
}

/* While it lacks a counter that exists, it has no value and no samples. */
static void test_total_that_lacks_a_member_takes_no_sample(void **state) {
    (void)state;
    struct rapl_options options = default_options();
    options.file_limit = 7; /* enough for two counters */
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
    report_after(NS_PER_S);
    expect_watts("package-0", 50);
    assert_null(find_value(bench.report, "total"));
    const bool has_dram = find_value(bench.report, "package-0/dram") != NULL;
    hide(has_dram ? 2 : 1, true);
    tree_write(bench.tree, ONLINE, "0\n");
    report_after(NS_PER_S);
    assert_true(find("total")->has_power);
    assert_int_equal(find("total")->statistics.samples, 0);
    report_after(NS_PER_S);
    expect_watts("total", has_dram ? 54 : 90);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_less_than_a_millisecond_is_refused),
        IN_TREE(test_nothing_runs_when_nothing_asks),
        IN_TREE(test_instants_are_multiples_of_the_interval),
        IN_TREE(test_late_wake_up_is_one_sample),
        IN_TREE(test_sweep_longer_than_the_interval_leaves_time),
        IN_TREE(test_what_is_due_first_comes_first),
        IN_TREE(test_nothing_is_missed_while_nothing_reads),
        IN_TREE(test_prompts_too_short_for_power_add_up),
        IN_TREE(test_mean_is_the_power_where_every_reading_closes_a_sample),
        IN_TREE(test_sleep_and_new_start_leave_the_samples_out),
        IN_TREE(test_only_what_is_selected_has_samples),
        IN_TREE(test_total_is_of_samples_of_all_members),
        IN_TREE(test_total_takes_no_sample_across_a_silent_member),
        IN_TREE(test_member_that_goes_takes_its_samples_with_it),
        IN_TREE(test_member_that_goes_at_a_report),
        IN_TREE(test_member_that_returns_begins_the_samples_anew),
        IN_TREE(test_members_that_part_begin_the_samples_anew),
        IN_TREE(test_total_of_members_that_have_all_gone),
        IN_TREE(test_total_that_lacks_a_member_takes_no_sample),
    };
    return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}
