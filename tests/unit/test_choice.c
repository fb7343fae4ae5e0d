/* SPDX-License-Identifier: MIT */
/* Which source is used when the tree holds zones, registers, both or neither. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "msr_machine.h"
#include "rapl.h"
#include "tree.h"
#include "usual.h"

static struct {
    struct tree *tree;
    struct rapl *rapl;
    const struct rapl_report *report;
    size_t descriptors;
} run;

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    run.tree = tree;
    run.rapl = NULL;
    run.descriptors = tree_count_descriptors();
    fake_clocks_stop();
    *state = tree;
    return 0;
}

static int teardown(void **state) {
    rapl_close(run.rapl);
    const bool closed = tree_count_descriptors() == run.descriptors;
    return tree_teardown(state) == 0 && closed ? 0 : -1;
}

/* One Skylake-X package with two CPUs that counts package and dram. */
static void add_registers(void) {
    const struct msr_machine machine = {
        .tree = run.tree, .packages = 1, .dies = 1, .cores = 2, .threads = 1};
    machine_make(&machine);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 1 << 20);
    machine_set_all(&machine, DRAM, 1 << 20);
}

static void set_model(void) {
    tree_write(run.tree, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n");
}

static void add_zone(void) {
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 1000000000, RANGE_61_UJ);
}

static void open_source(enum rapl_source source) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = run.tree->path;
    options.source = source;
    assert_int_equal(rapl_open(&options, &run.rapl), 0);
    assume_usual_counters(run.rapl);
}

static void report_after(uint64_t seconds) {
    fake_clocks_pass(seconds * NS_PER_S);
    assert_int_equal(rapl_report(run.rapl, &run.report), 0);
    assume_usual_counters(run.rapl);
}

/* Expects the next message about the source; other messages are skipped. */
static void expect_told(const char *text) {
    struct rapl_problem problem;
    while (rapl_next_problem(run.rapl, &problem)) {
        if (problem.severity != RAPL_INFO || problem.over)
            continue;
        if (strstr(problem.reason, text) == NULL)
            fail_msg("\"%s\" does not hold \"%s\"", problem.reason, text);
        return;
    }
    fail_msg("nothing is told of \"%s\"", text);
}

static void expect_nothing_told_of_it(void) {
    struct rapl_problem problem;
    while (rapl_next_problem(run.rapl, &problem)) {
        if (problem.severity == RAPL_INFO && !problem.over)
            fail_msg("\"%s\"", problem.reason);
    }
}

static void test_powercap_is_the_first(void **state) {
    (void)state;
    set_model();
    add_registers();
    add_zone();
    open_source(RAPL_SOURCE_AUTO);
    assert_string_equal(rapl_source_name(run.rapl), "powercap");
    assert_string_equal(rapl_source_reason(run.rapl), "");
    expect_told("source powercap");
    report_after(60);
    expect_nothing_told_of_it();
}

static void test_what_reads_is_taken_and_the_others_are_explained(void **state) {
    (void)state;
    set_model();
    add_registers();
    tree_make_folder(run.tree, "sys/class/powercap");
    open_source(RAPL_SOURCE_AUTO);
    assert_string_equal(rapl_source_name(run.rapl), "msr");
    assert_non_null(strstr(rapl_source_reason(run.rapl), "holds no RAPL zone; perf: "));
    expect_told("source msr; powercap: ");
    report_after(10);
    assert_string_equal(run.report->health.source, "msr");
    assert_int_equal(run.report->value_count, 3);
}

static void test_what_serves_stays(void **state) {
    (void)state;
    set_model();
    add_registers();
    open_source(RAPL_SOURCE_AUTO);
    report_after(10);
    add_zone();
    report_after(61);
    report_after(61);
    assert_string_equal(run.report->health.source, "msr");
    assert_int_equal(run.report->value_count, 3);
}

static void test_what_comes_late_is_taken(void **state) {
    (void)state;
    set_model();
    open_source(RAPL_SOURCE_AUTO);
    assert_int_equal(rapl_readable_count(run.rapl), 0);
    expect_told("no source reads energy; powercap: ");
    report_after(61);
    expect_nothing_told_of_it();
    add_registers();
    report_after(61);
    assert_string_equal(rapl_source_name(run.rapl), "msr");
    expect_told("source msr; powercap: ");
    report_after(10);
    assert_int_equal(run.report->value_count, 3);
    assert_true(run.report->values[0].has_power);
}

/* The series of unreadable powercap zones continue with the counters of the other source. */
static void test_zones_that_may_not_be_read_give_way(void **state) {
    (void)state;
    set_model();
    add_registers();
    add_zone();
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EACCES);
    open_source(RAPL_SOURCE_AUTO);
    assert_string_equal(rapl_source_name(run.rapl), "msr");
    assert_non_null(strstr(rapl_source_reason(run.rapl),
                           "/sys/class/powercap/intel-rapl:0/energy_uj: Permission denied; perf"));
    report_after(10);
    assert_string_equal(run.report->values[0].name, "package-0");
    assert_int_equal(run.report->values[0].energy_uj, 0);
}

/* If root alone may read a whole zone, the reason names the counter file and not the limits. */
static void test_reason_names_the_counter_before_its_limits(void **state) {
    (void)state;
    set_model();
    add_zone();
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EACCES);
    tree_set(run.tree, "intel-rapl:0", "max_energy_range_uj", FAKE_ERRNO, EACCES);
    tree_set(run.tree, "intel-rapl:0", "constraint_0_max_power_uw", FAKE_ERRNO, EACCES);
    open_source(RAPL_SOURCE_AUTO);
    const char *reason = rapl_source_reason(run.rapl);
    assert_non_null(strstr(reason, "/intel-rapl:0/energy_uj: Permission denied; perf: "));
    assert_null(strstr(reason, "constraint"));
    expect_told("no source reads energy; powercap: ");
}

/* The processor's vendor decides which registers it has. */
static void test_vendor_that_becomes_known_lets_another_source_read(void **state) {
    (void)state;
    add_registers();
    open_source(RAPL_SOURCE_AUTO);
    assert_int_equal(rapl_readable_count(run.rapl), 0);
    expect_told("no source reads energy; powercap: ");
    set_model();
    report_after(10);
    assert_string_equal(rapl_source_name(run.rapl), "msr");
    expect_told("source msr; powercap: ");
    report_after(10);
    assert_int_equal(run.report->value_count, 3);
    assert_true(run.report->values[0].has_power);
}

static void test_vendor_that_becomes_known_changes_no_source_that_reads(void **state) {
    (void)state;
    add_registers();
    add_zone();
    open_source(RAPL_SOURCE_AUTO);
    expect_told("source powercap");
    report_after(10);
    set_model();
    report_after(10);
    assert_string_equal(rapl_vendor(run.rapl), "Intel");
    report_after(10);
    report_after(10);
    assert_string_equal(rapl_source_name(run.rapl), "powercap");
    expect_nothing_told_of_it();
    assert_int_equal(run.report->value_count, 2);
    assert_true(run.report->values[0].has_power);
}

static void test_named_source_is_the_only_one(void **state) {
    (void)state;
    set_model();
    add_registers();
    open_source(RAPL_SOURCE_POWERCAP);
    assert_int_equal(rapl_readable_count(run.rapl), 0);
    report_after(61);
    assert_string_equal(run.report->health.source, "powercap");
    rapl_close(run.rapl);
    add_zone();
    open_source(RAPL_SOURCE_MSR);
    assert_string_equal(rapl_source_name(run.rapl), "msr");
    assert_string_equal(rapl_source_reason(run.rapl), "");
    assert_int_equal(rapl_readable_count(run.rapl), 2);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_powercap_is_the_first),
        IN_TREE(test_what_reads_is_taken_and_the_others_are_explained),
        IN_TREE(test_what_serves_stays),
        IN_TREE(test_what_comes_late_is_taken),
        IN_TREE(test_zones_that_may_not_be_read_give_way),
        IN_TREE(test_reason_names_the_counter_before_its_limits),
        IN_TREE(test_vendor_that_becomes_known_lets_another_source_read),
        IN_TREE(test_vendor_that_becomes_known_changes_no_source_that_reads),
        IN_TREE(test_named_source_is_the_only_one),
    };
    return cmocka_run_group_tests_name("choice", tests, NULL, NULL);
}
