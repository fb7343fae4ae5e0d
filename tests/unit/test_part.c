/* SPDX-License-Identifier: MIT */
/* A part of a package cannot use more than the package: the whole core on a temporary tree. */
#include "series/part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "series/series.h"
#include "tree.h"

#define JOULE UINT64_C(1000000)
#define PACKAGE "intel-rapl:0"
#define CORE "intel-rapl:0:0"
#define UNCORE "intel-rapl:0:1"
#define ONLINE "sys/devices/system/cpu/online"

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    uint64_t package_uj;
    uint64_t core_uj;
} run;

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    memset(&run, 0, sizeof(run));
    run.tree = tree;
    fake_clocks_stop();
    *state = tree;
    return 0;
}

static int teardown(void **state) {
    rapl_close(run.rapl);
    return tree_teardown(state);
}

static void add_machine(const char *vendor) {
    run.package_uj = 1000 * JOULE;
    run.core_uj = 2000 * JOULE;
    tree_set_vendor(run.tree, vendor);
    tree_write(run.tree, ONLINE, "0-3\n");
    tree_add_zone(run.tree, PACKAGE, "package-0", run.package_uj, RANGE_61_UJ);
    tree_add_zone(run.tree, CORE, "core", run.core_uj, RANGE_61_UJ);
}

static void open_with(const char *include) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = run.tree->path;
    options.total = include == NULL;
    if (include != NULL) {
        options.include = &include;
        options.include_count = 1;
    }
    assert_int_equal(rapl_open(&options, &run.rapl), 0);
}

static void open_machine(const char *vendor) {
    add_machine(vendor);
    open_with(NULL);
}

static void use(uint64_t seconds, uint64_t package_j, uint64_t core_j) {
    fake_clocks_pass(seconds * NS_PER_S);
    tree_set_energy(run.tree, PACKAGE, run.package_uj += package_j * JOULE);
    tree_set_energy(run.tree, CORE, run.core_uj += core_j * JOULE);
}

static void report(void) {
    assert_int_equal(rapl_report(run.rapl, &run.report), 0);
}

static void report_after(uint64_t seconds, uint64_t package_j, uint64_t core_j) {
    use(seconds, package_j, core_j);
    report();
}

static const struct rapl_value *find(const char *name) {
    for (size_t i = 0; i < run.report->value_count; i++) {
        if (strcmp(run.report->values[i].name, name) == 0)
            return &run.report->values[i];
    }
    return NULL;
}

static void expect_energy(const char *name, uint64_t energy_j) {
    const struct rapl_value *value = find(name);
    if (value == NULL)
        fail_msg("%s is missing", name);
    assert_int_equal(value->energy_uj, energy_j * JOULE);
}

static void expect_silence(const char *name) {
    if (find(name) != NULL)
        fail_msg("%s is reported", name);
}

/* Number of problems that contain the text; the last one stays in the handle's texts. */
static unsigned int count_problems(const char *text) {
    struct rapl_problem problem;
    unsigned int count = 0;
    while (rapl_next_problem(run.rapl, &problem))
        count += strstr(problem.reason, text) != NULL;
    return count;
}

#define ABOVE "stepped further than its package"
#define APART "apart from its package"

/* AMD's core zone is the lead core of the package. Its CPU went offline and came back between two
 * reads: another core leads, and its counter is 7.5 kJ ahead, which is 753 W over 10 s. */
static void test_lead_core_that_moved_unseen(void **state) {
    (void)state;
    open_machine("AuthenticAMD");
    report_after(10, 2000, 30);
    expect_energy("package-0/lead_core", 30);
    report_after(10, 2000, 7530);
    expect_silence("package-0/lead_core");
    expect_energy("package-0", 4000);
    assert_non_null(find("total"));
    assert_int_equal(run.report->health.resets, 1);
    assert_int_equal(count_problems(ABOVE), 1);
    report_after(10, 2000, 30);
    expect_energy("package-0/lead_core", 60);
    assert_int_equal(run.report->health.resets, 1);
    assert_int_equal(count_problems(""), 0);
}

/* The tolerance is 10 %, plus 50 ms at the package's plausible power: 50 J at 1 kW. */
static void test_bound(void **state) {
    (void)state;
    open_machine("GenuineIntel");
    report_after(10, 1000, 1150);
    expect_energy("package-0/core", 1150);
    report_after(10, 1000, 1151);
    expect_silence("package-0/core");
    report_after(10, 10, 61);
    expect_energy("package-0/core", 1211);
    assert_int_equal(run.report->health.resets, 1);
}

/* Its next update may be due: a part updated a moment earlier may not exceed that. */
static void test_package_that_has_not_moved(void **state) {
    (void)state;
    open_machine("GenuineIntel");
    report_after(10, 0, 100);
    expect_energy("package-0/core", 100);
}

/* A wrap of the part is also compared with the package, from the reading before it. */
static void test_step_back_that_would_be_a_wrap(void **state) {
    (void)state;
    add_machine("AuthenticAMD");
    run.core_uj = RANGE_61_UJ - 100 * JOULE;
    tree_set_energy(run.tree, CORE, run.core_uj);
    open_with(NULL);
    use(10, 2000, 0);
    tree_set_energy(run.tree, CORE, run.core_uj = 5000 * JOULE);
    report();
    expect_silence("package-0/lead_core");
    assert_int_equal(run.report->health.wraps, 0);
    assert_int_equal(run.report->health.resets, 1);
    report_after(10, 2000, 30);
    expect_energy("package-0/lead_core", 30);
}

static void test_wrap_within_the_package(void **state) {
    (void)state;
    add_machine("AuthenticAMD");
    run.core_uj = RANGE_61_UJ - 10 * JOULE;
    tree_set_energy(run.tree, CORE, run.core_uj);
    open_with(NULL);
    use(10, 2000, 0);
    tree_set_energy(run.tree, CORE, run.core_uj = 20 * JOULE);
    report();
    assert_in_range(find("package-0/lead_core")->energy_uj, 30 * JOULE, 30 * JOULE + 1000);
    assert_int_equal(run.report->health.wraps, 1);
}

/* A package that could not be read, or was reset, gives no bound for the span. */
static void test_package_that_was_not_counted(void **state) {
    (void)state;
    open_machine("AuthenticAMD");
    use(10, 100, 900);
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, EIO);
    report();
    expect_energy("package-0/lead_core", 900);
    report_after(10, 100, 100);
    run.package_uj = 0;
    report_after(10, 100, 900);
    expect_energy("package-0/lead_core", 1900);
    /* Only now it is certain that the package was reset. */
    report_after(10, 100, 900);
    expect_energy("package-0/lead_core", 2800);
    report_after(10, 100, 900);
    expect_silence("package-0/lead_core");
}

/* The part's gap spans two steps of the package: their sum is the bound. */
static void test_gap_of_the_part(void **state) {
    (void)state;
    open_machine("AuthenticAMD");
    use(10, 800, 0);
    tree_set(run.tree, CORE, "energy_uj", FAKE_ERRNO, EIO);
    report();
    report_after(10, 800, 1500);
    expect_energy("package-0/lead_core", 1500);
    use(10, 800, 0);
    tree_set(run.tree, CORE, "energy_uj", FAKE_ERRNO, EIO);
    report();
    report_after(10, 800, 1900);
    expect_silence("package-0/lead_core");
}

static void test_sleep(void **state) {
    (void)state;
    open_machine("AuthenticAMD");
    fake_clocks_sleep(100 * NS_PER_S);
    report_after(10, 100, 900);
    expect_energy("package-0/lead_core", 900);
    report_after(10, 100, 900);
    expect_silence("package-0/lead_core");
}

/* A slow read may cover another span than the package's: the difference may be plausible power. */
static void test_slow_reads(void **state) {
    (void)state;
    open_machine("AuthenticAMD");
    fake_reads_take(800 * NS_PER_MS);
    report_after(1, 100, 500);
    expect_energy("package-0/lead_core", 500);
}

/* A package that is not selected is not read for this check alone. */
static void test_package_that_is_not_selected(void **state) {
    (void)state;
    add_machine("AuthenticAMD");
    open_with("*/lead_core");
    report_after(10, 100, 900);
    expect_energy("package-0/lead_core", 900);
    assert_int_equal(run.report->health.zones, 1);
}

/* The package is found after its part, because it could not be read when the core started. */
static void test_package_that_comes_after_its_part(void **state) {
    (void)state;
    add_machine("AuthenticAMD");
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, ENODEV);
    open_with(NULL);
    report_after(61, 100, 10);
    report_after(61, 100, 10);
    assert_non_null(find("package-0"));
    report_after(10, 2000, 7530);
    expect_silence("package-0/lead_core");
    report_after(10, 2000, 1000);
    assert_non_null(find("package-0/lead_core"));
}

/* The core zone of a die is compared with that die. */
static void test_dies(void **state) {
    (void)state;
    add_machine("GenuineIntel");
    tree_write(run.tree, "sys/devices/virtual/powercap/intel-rapl/" PACKAGE "/name",
               "package-0-die-0\n");
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 0, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1:0", "core", 0, RANGE_61_UJ);
    open_with(NULL);
    tree_set_energy(run.tree, "intel-rapl:1", 5000 * JOULE);
    tree_set_energy(run.tree, "intel-rapl:1:0", 3000 * JOULE);
    report_after(10, 1000, 3000);
    expect_silence("package-0-die-0/core");
    expect_energy("package-0-die-1/core", 3000);
}

/* AMD's dies all show the package's counter, and each has a lead core of its own. */
static void test_dies_of_amd(void **state) {
    (void)state;
    add_machine("AuthenticAMD");
    tree_write(run.tree, "sys/devices/virtual/powercap/intel-rapl/" PACKAGE "/name",
               "package-0-die-0\n");
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", run.package_uj, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1:0", "core", 0, RANGE_61_UJ);
    open_with(NULL);
    tree_set_energy(run.tree, "intel-rapl:1", 2000 * JOULE);
    tree_set_energy(run.tree, "intel-rapl:1:0", 3000 * JOULE);
    report_after(10, 1000, 30);
    expect_silence("package-0-die-1/lead_core");
    expect_energy("package-0-die-0/lead_core", 30);
}

/* psys contains the package, and dram is outside of it: neither is a part. */
static void test_dram_is_no_part(void **state) {
    (void)state;
    add_machine("GenuineIntel");
    tree_add_zone(run.tree, UNCORE, "dram", 0, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "psys", 0, RANGE_61_UJ);
    open_with(NULL);
    tree_set_energy(run.tree, UNCORE, 900 * JOULE);
    tree_set_energy(run.tree, "intel-rapl:1", 900 * JOULE);
    report_after(10, 100, 10);
    expect_energy("package-0/dram", 900);
    expect_energy("psys", 900);
}

static void test_uncore_is_a_part(void **state) {
    (void)state;
    add_machine("GenuineIntel");
    tree_add_zone(run.tree, UNCORE, "uncore", 0, RANGE_61_UJ);
    open_with(NULL);
    tree_set_energy(run.tree, UNCORE, 900 * JOULE);
    report_after(10, 100, 10);
    expect_silence("package-0/uncore");
}

/* Some processors model the parts separately from the package: if a pair exceeds the bound in most
 * of ten intervals, it is accepted and logged. */
static void test_pair_that_is_modelled_apart(void **state) {
    (void)state;
    open_machine("GenuineIntel");
    for (unsigned int i = 1; i <= PART_VIOLATIONS; i++) {
        assert_int_equal(count_problems(APART), 0);
        report_after(10, 100, 200);
        expect_silence("package-0/core");
        assert_int_equal(run.report->health.resets, i);
    }
    assert_int_equal(count_problems(APART), 1);
    for (unsigned int i = 1; i <= 20; i++) {
        report_after(10, 100, 200);
        expect_energy("package-0/core", i * 200);
    }
    /* Also after zones were bound again. */
    tree_add_zone(run.tree, "intel-rapl:7", "package-7", 0, RANGE_61_UJ);
    report_after(61, 100, 600);
    expect_energy("package-0/core", 4600);
    report_after(10, 100, 200);
    expect_energy("package-0/core", 4800);
    assert_int_equal(run.report->health.resets, PART_VIOLATIONS);
    assert_int_equal(count_problems(ABOVE), 0);
}

/* Half of the intervals are not most of them. */
static void test_pair_that_violates_now_and_then(void **state) {
    (void)state;
    open_machine("GenuineIntel");
    for (unsigned int i = 0; i < 40; i++) {
        report_after(10, 100, i % 2 == 0 ? 200 : 10);
        assert_int_equal(find("package-0/core") == NULL, i % 2 == 0);
    }
}

/* --- two series alone ------------------------------------------------------------------------ */

/* At most 1 kW, so that 50 ms are 50 J. */
static struct series new_series(struct series *whole) {
    struct series series = {
        .traits = {.scale = {.numerator_uj = 1, .denominator = 1}, .ceiling_uw = 1000000000}};
    part_set_whole(&series.part, whole);
    return series;
}

static enum counter_outcome take_at(struct series *series, uint64_t ms, uint64_t joules,
                                    uint64_t slept_ns) {
    struct rapl_health health = {.resets = 0};
    const struct reading reading = {.ticks = joules * JOULE, .time_ns = ms * NS_PER_MS};
    return series_take(series, &reading, slept_ns, &health);
}

/* Time that the package's span lacks is allowed at its plausible power: here it begins 100 ms later
 * than the part's, and ends 200 ms earlier. */
static void test_spans_that_differ(void **state) {
    (void)state;
    struct series whole = new_series(NULL);
    struct series part = new_series(&whole);
    take_at(&whole, 1100, 0, 0);
    take_at(&part, 1000, 0, 0);
    take_at(&whole, 2000, 10, 0);
    assert_int_equal(take_at(&part, 2200, 361, 0), COUNTER_COUNTED);
    take_at(&whole, 3100, 20, 0);
    take_at(&part, 3000, 361, 0);
    take_at(&whole, 4000, 30, 0);
    assert_int_equal(take_at(&part, 4200, 723, 0), COUNTER_ABOVE_WHOLE);
}

/* Only one of them noticed the sleep; the other could not be read then. */
static void test_sleep_in_a_gap(void **state) {
    (void)state;
    struct series whole = new_series(NULL);
    struct series part = new_series(&whole);
    take_at(&whole, 1000, 0, 0);
    take_at(&part, 1000, 0, 0);
    take_at(&whole, 2000, 10, 0);
    whole.slept = true;
    assert_int_equal(take_at(&part, 2000, 500, 0), COUNTER_COUNTED);
    whole.slept = false;
    part.slept = true;
    take_at(&whole, 3000, 20, 0);
    assert_int_equal(take_at(&part, 3000, 1000, 0), COUNTER_COUNTED);
}

static void test_a_tenth_more(void **state) {
    (void)state;
    struct series whole = new_series(NULL);
    struct series part = new_series(&whole);
    take_at(&whole, 1000, 0, 0);
    take_at(&part, 1000, 0, 0);
    take_at(&whole, 2000, 100, 0);
    assert_int_equal(take_at(&part, 2000, 110, 0), COUNTER_COUNTED);
}

/* Two reads at the same time, from a clock that has stopped. */
static void test_span_of_no_time(void **state) {
    (void)state;
    struct series whole = new_series(NULL);
    struct series part = new_series(&whole);
    part.traits.ceiling_uw *= 4;
    take_at(&whole, 1000, 0, 0);
    take_at(&part, 1000, 0, 0);
    take_at(&whole, 1000, 1, 0);
    assert_int_equal(take_at(&part, 1000, 100, 0), COUNTER_COUNTED);
}

/* From a change of the whole on, only energy used since then is compared. */
static void test_other_whole(void **state) {
    (void)state;
    struct series whole = new_series(NULL);
    struct series other = new_series(NULL);
    struct series part = new_series(&whole);
    take_at(&whole, 1000, 0, 0);
    take_at(&other, 1000, 0, 0);
    take_at(&part, 1000, 0, 0);
    take_at(&other, 2000, 10, 0);
    part_set_whole(&part.part, &other);
    assert_int_equal(take_at(&part, 2000, 500, 0), COUNTER_COUNTED);
    take_at(&other, 3000, 20, 0);
    assert_int_equal(take_at(&part, 3000, 1000, 0), COUNTER_ABOVE_WHOLE);
    part_set_whole(&part.part, NULL);
    assert_int_equal(take_at(&part, 4000, 1500, 0), COUNTER_COUNTED);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_lead_core_that_moved_unseen),
        IN_TREE(test_bound),
        IN_TREE(test_package_that_has_not_moved),
        IN_TREE(test_step_back_that_would_be_a_wrap),
        IN_TREE(test_wrap_within_the_package),
        IN_TREE(test_package_that_was_not_counted),
        IN_TREE(test_gap_of_the_part),
        IN_TREE(test_sleep),
        IN_TREE(test_slow_reads),
        IN_TREE(test_package_that_is_not_selected),
        IN_TREE(test_package_that_comes_after_its_part),
        IN_TREE(test_dies),
        IN_TREE(test_dies_of_amd),
        IN_TREE(test_dram_is_no_part),
        IN_TREE(test_uncore_is_a_part),
        IN_TREE(test_pair_that_is_modelled_apart),
        IN_TREE(test_pair_that_violates_now_and_then),
        cmocka_unit_test(test_spans_that_differ),
        cmocka_unit_test(test_sleep_in_a_gap),
        cmocka_unit_test(test_a_tenth_more),
        cmocka_unit_test(test_span_of_no_time),
        cmocka_unit_test(test_other_whole),
    };
    return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
