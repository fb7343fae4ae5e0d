/* SPDX-License-Identifier: MIT */
/* Joules and watts from MSRs, through the whole core. */
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "msr_machine.h"
#include "rapl.h"
#include "usual.h"

#define JOULE UINT64_C(1000000)
#define WATT UINT64_C(1000000)
#define RANGE (UINT64_C(1) << 32)
/* Ticks per joule with ESU 14 and 16. */
#define J61 UINT64_C(16384)
#define J15 UINT64_C(65536)

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
} bench;

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    memset(&bench, 0, sizeof(bench));
    bench.tree = tree;
    *state = tree;
    fake_clocks_stop();
    return 0;
}

static int teardown(void **state) {
    rapl_close(bench.rapl);
    return tree_teardown(state);
}

static void open_rapl(enum rapl_source source, bool cores) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = bench.tree->path;
    options.source = source;
    options.cores = cores;
    assert_int_equal(rapl_open(&options, &bench.rapl), 0);
    assume_usual_counters(bench.rapl);
}

static void report_after(uint64_t ns) {
    fake_clocks_pass(ns);
    assert_int_equal(rapl_report(bench.rapl, &bench.report), 0);
    assume_usual_counters(bench.rapl);
}

static const struct rapl_value *find(const char *name) {
    for (size_t i = 0; i < bench.report->value_count; i++) {
        if (strcmp(bench.report->values[i].name, name) == 0)
            return &bench.report->values[i];
    }
    return NULL;
}

static void expect_power(const char *name, uint64_t energy_j, uint64_t watts) {
    const struct rapl_value *value = find(name);
    if (value == NULL)
        fail_msg("%s is not reported", name);
    assert_int_equal(value->energy_uj, energy_j * JOULE);
    assert_true(value->has_power);
    assert_int_equal(value->power_uw, watts * WATT);
}

static struct msr_machine make_intel(unsigned int packages, unsigned int cores) {
    const struct msr_machine machine = {
        .tree = bench.tree, .packages = packages, .dies = 1, .cores = cores, .threads = 2};
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 94\n");
    machine_make(&machine);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 1000);
    return machine;
}

static struct msr_machine make_amd(unsigned int packages, unsigned int dies, unsigned int cores) {
    const struct msr_machine machine = {
        .tree = bench.tree, .packages = packages, .dies = dies, .cores = cores, .threads = 2};
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n");
    machine_make(&machine);
    machine_set_all(&machine, AMD_UNIT, UNIT_15);
    machine_set_all(&machine, AMD_PACKAGE, 1000);
    machine_set_all(&machine, AMD_CORE, 100);
    return machine;
}

static void test_watts_are_exact(void **state) {
    (void)state;
    const struct msr_machine machine = make_intel(2, 2);
    machine_set_all(&machine, DRAM, 7);
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_package(&machine, 0, PACKAGE, 1000 + 420 * J61);
    machine_set_package(&machine, 1, PACKAGE, 1000 + 610 * J61);
    machine_set_all(&machine, DRAM, 7 + 30 * J61);
    report_after(10 * NS_PER_S);
    expect_power("package-0", 420, 42);
    expect_power("package-1", 610, 61);
    expect_power("package-1/dram", 30, 3);
    expect_power("total", 1090, 109);
    assert_string_equal(bench.report->health.source, "msr");
    assert_int_equal(bench.report->health.zones, 4);
}

static void test_counter_wraps_at_32_bits(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 1);
    /* the upper half of a 64-bit register counts on, and does not matter */
    machine_set_all(&machine, AMD_PACKAGE, UINT64_C(0x500000000) - 3 * J15);
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_all(&machine, AMD_PACKAGE, UINT64_C(0x500000000) + 97 * J15);
    report_after(NS_PER_S);
    expect_power("package-0", 100, 100);
    assert_int_equal(bench.report->health.wraps, 1);
    /* one tick on each side of 0 */
    machine_set_all(&machine, AMD_PACKAGE, RANGE - 1);
    report_after(3600 * NS_PER_S);
    machine_set_all(&machine, AMD_PACKAGE, 0);
    report_after(NS_PER_S);
    assert_int_equal(find("package-0")->span_energy_uj, 15);
}

/* The unit of another model would give wrong watts: dram of servers, psys of Sapphire Rapids. */
static void test_units_of_domains(void **state) {
    (void)state;
    const struct msr_machine machine = make_intel(1, 1);
    machine_set_all(&machine, DRAM, 7);
    machine_set_all(&machine, PSYS, 5000);
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n");
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_all(&machine, DRAM, 7 + 30 * J61);
    machine_set_all(&machine, PSYS, 5000 + 4310);
    report_after(10 * NS_PER_S);
    expect_power("package-0/dram", 30, 3);
    expect_power("psys", 4310, 431);
    rapl_close(bench.rapl);
    bench.rapl = NULL;
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n");
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_all(&machine, DRAM, 7 + 30 * J61 + 1000000);
    report_after(NS_PER_S);
    assert_int_equal(find("package-0/dram")->power_uw, 15300000);
}

static void test_cores_of_a_package_are_summed(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(2, 2, 2);
    open_rapl(RAPL_SOURCE_MSR, false);
    for (unsigned int core = 0; core < 4; core++) {
        machine_set_core(&machine, 0, core / 2, core % 2, AMD_CORE, 100 + (core + 1) * 10 * J15);
        machine_set_core(&machine, 1, core / 2, core % 2, AMD_CORE, 100 + (core + 5) * 10 * J15);
    }
    machine_set_all(&machine, AMD_PACKAGE, 1000 + 900 * J15);
    report_after(10 * NS_PER_S);
    expect_power("package-0/core", 100, 10);
    expect_power("package-1/core", 260, 26);
    expect_power("package-0", 900, 90);
    /* cores are part of their packages */
    expect_power("total", 1800, 180);
    assert_null(find("package-0-die-0-core-0/core"));
    assert_int_equal(find("package-0/core")->core_id, RAPL_NO_ID);
    assert_int_equal(find("package-0/core")->die_id, RAPL_NO_ID);
}

static void test_single_cores_on_request(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 2);
    open_rapl(RAPL_SOURCE_MSR, true);
    machine_set_core(&machine, 0, 0, 1, AMD_CORE, 100 + 20 * J15);
    report_after(10 * NS_PER_S);
    expect_power("package-0-core-0/core", 0, 0);
    expect_power("package-0-core-1/core", 20, 2);
    expect_power("package-0/core", 20, 2);
    assert_int_equal(find("package-0-core-1/core")->core_id, 1);
}

static void test_sibling_takes_over_without_losing_a_joule(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 2);
    open_rapl(RAPL_SOURCE_MSR, true);
    for (uint64_t i = 1; i <= 6; i++) {
        if (i == 2)
            machine_set_online(&machine, 0, false, "1-3");
        if (i == 4)
            machine_set_online(&machine, 0, true, "0-3");
        if (i == 5)
            machine_set_online(&machine, 1, false, "0,2-3");
        machine_set_all(&machine, AMD_PACKAGE, 1000 + i * 500 * J15);
        machine_set_all(&machine, AMD_CORE, 100 + i * 20 * J15);
        report_after(10 * NS_PER_S);
        expect_power("package-0", i * 500, 50);
        expect_power("package-0-core-0/core", i * 20, 2);
        expect_power("package-0-core-1/core", i * 20, 2);
        expect_power("package-0/core", i * 40, 4);
        expect_power("total", i * 500, 50);
    }
    assert_int_equal(bench.report->health.resets, 0);
    assert_int_equal(bench.report->health.gaps, 0);
}

/* The CPU goes between discovery and sweep: one interval is missing, the next covers both. */
static void test_cpu_that_goes_right_before_the_sample(void **state) {
    (void)state;
    const struct msr_machine machine = make_intel(1, 2);
    open_rapl(RAPL_SOURCE_MSR, false);
    fake_msr_offline(0, true);
    machine_set_all(&machine, PACKAGE, 1000 + 500 * J61);
    report_after(10 * NS_PER_S);
    assert_null(find("package-0"));
    assert_null(find("total"));
    machine_set_online(&machine, 0, false, "1-3");
    machine_set_all(&machine, PACKAGE, 1000 + 1000 * J61);
    report_after(10 * NS_PER_S);
    expect_power("package-0", 1000, 50);
    expect_power("total", 1000, 50);
    assert_int_equal(bench.report->health.gaps, 1);
}

static void test_package_that_goes_and_returns_counts_on(void **state) {
    (void)state;
    const struct msr_machine machine = make_intel(2, 1);
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_all(&machine, PACKAGE, 1000 + 500 * J61);
    report_after(10 * NS_PER_S);
    expect_power("total", 1000, 100);
    machine_set_online(&machine, 1, false, "0,2-3");
    machine_set_online(&machine, 3, false, "0,2");
    for (uint64_t i = 2; i <= 4; i++) {
        machine_set_package(&machine, 0, PACKAGE, 1000 + i * 500 * J61);
        report_after(10 * NS_PER_S);
        expect_power("package-0", i * 500, 50);
        assert_null(find("package-1"));
    }
    /* the total continues without it, and keeps its joules */
    expect_power("total", 2500, 50);
    machine_set_online(&machine, 3, true, "0,2-3");
    machine_set_all(&machine, PACKAGE, 1000 + 2500 * J61);
    report_after(10 * NS_PER_S);
    /* now read through the other thread: it used 2000 J in the 40 s it was missing */
    expect_power("package-1", 2500, 50);
}

/* The counter's restart after a power cycle of the package is not energy. */
static void test_package_that_returns_from_0(void **state) {
    (void)state;
    const struct msr_machine machine = make_intel(2, 1);
    machine_set_all(&machine, PACKAGE, 3000000000);
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_online(&machine, 1, false, "0,2-3");
    machine_set_online(&machine, 3, false, "0,2");
    report_after(10 * NS_PER_S);
    machine_set_online(&machine, 3, true, "0,2-3");
    machine_set_package(&machine, 1, PACKAGE, 5 * J61);
    report_after(10 * NS_PER_S);
    assert_null(find("package-1"));
    machine_set_package(&machine, 1, PACKAGE, 105 * J61);
    report_after(10 * NS_PER_S);
    expect_power("package-1", 100, 10);
}

/* Both threads of a core go: the sum of the other cores continues. */
static void test_core_that_goes_leaves_the_sum(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 3);
    open_rapl(RAPL_SOURCE_MSR, false);
    machine_set_all(&machine, AMD_CORE, 100 + 20 * J15);
    report_after(10 * NS_PER_S);
    expect_power("package-0/core", 60, 6);
    machine_set_online(&machine, 1, false, "0,2-5");
    machine_set_online(&machine, 4, false, "0,2-3,5");
    machine_set_core(&machine, 0, 0, 0, AMD_CORE, 100 + 40 * J15);
    machine_set_core(&machine, 0, 0, 2, AMD_CORE, 100 + 40 * J15);
    report_after(10 * NS_PER_S);
    assert_null(find("package-0/core"));
    machine_set_core(&machine, 0, 0, 0, AMD_CORE, 100 + 60 * J15);
    machine_set_core(&machine, 0, 0, 2, AMD_CORE, 100 + 60 * J15);
    report_after(10 * NS_PER_S);
    assert_int_equal(find("package-0/core")->energy_uj, 140 * JOULE);
    machine_set_core(&machine, 0, 0, 0, AMD_CORE, 100 + 80 * J15);
    machine_set_core(&machine, 0, 0, 2, AMD_CORE, 100 + 80 * J15);
    report_after(10 * NS_PER_S);
    expect_power("package-0/core", 180, 4);
    expect_power("package-0", 0, 0);
}

static void test_auto_comes_to_it_last(void **state) {
    (void)state;
    (void)make_intel(1, 1);
    open_rapl(RAPL_SOURCE_AUTO, false);
    assert_string_equal(rapl_source_name(bench.rapl), "msr");
    assert_non_null(strstr(rapl_source_reason(bench.rapl), "powercap: "));
    tree_add_zone(bench.tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    rapl_close(bench.rapl);
    open_rapl(RAPL_SOURCE_AUTO, false);
    assert_string_equal(rapl_source_name(bench.rapl), "powercap");
}

static void test_zone_is_described(void **state) {
    (void)state;
    struct rapl_zone zone;
    (void)make_intel(1, 1);
    open_rapl(RAPL_SOURCE_MSR, false);
    assert_int_equal(rapl_zone_count(bench.rapl), 1);
    rapl_zone(bench.rapl, 0, &zone);
    assert_string_equal(zone.name, "package-0");
    assert_string_equal(zone.id, "cpu0/0x611");
    assert_string_equal(zone.path, "dev/cpu/0/msr");
    assert_int_equal(zone.unit_nj, 61035);
    assert_int_equal(zone.error, 0);
    assert_true(zone.reported);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_watts_are_exact),
        IN_TREE(test_counter_wraps_at_32_bits),
        IN_TREE(test_units_of_domains),
        IN_TREE(test_cores_of_a_package_are_summed),
        IN_TREE(test_single_cores_on_request),
        IN_TREE(test_sibling_takes_over_without_losing_a_joule),
        IN_TREE(test_cpu_that_goes_right_before_the_sample),
        IN_TREE(test_package_that_goes_and_returns_counts_on),
        IN_TREE(test_package_that_returns_from_0),
        IN_TREE(test_core_that_goes_leaves_the_sum),
        IN_TREE(test_auto_comes_to_it_last),
        IN_TREE(test_zone_is_described),
    };
    return cmocka_run_group_tests_name("msr_rapl", tests, NULL, NULL);
}
