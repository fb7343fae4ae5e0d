/* SPDX-License-Identifier: MIT */
/* The whole core on a temporary tree, with clocks that tests move. */
#include "rapl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "tree.h"
#include "usual.h"

#define JOULE UINT64_C(1000000)
#define WATT UINT64_C(1000000)
#define PACKAGE "intel-rapl:0"
#define CORE "intel-rapl:0:0"
#define DRAM "intel-rapl:0:1"
#define PSYS "intel-rapl:1"
#define ONLINE "sys/devices/system/cpu/online"

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
    run.report = NULL;
    run.descriptors = tree_count_descriptors();
    fake_clocks_stop();
    *state = tree;
    return 0;
}

/* Nothing stays open, whatever a test did. */
static int teardown(void **state) {
    rapl_close(run.rapl);
    run.rapl = NULL;
    const bool closed = tree_count_descriptors() == run.descriptors;
    return tree_teardown(state) == 0 && closed ? 0 : -1;
}

/* One package with core and dram, and psys; their counters show 1000, 2000, 3000 and 4000 J. */
static void add_machine(void) {
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_write(run.tree, ONLINE, "0-1\n");
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, CORE, "core", 2000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, DRAM, "dram", 3000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, PSYS, "psys", 4000 * JOULE, RANGE_1_J);
}

static struct rapl_options default_options(void) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = run.tree->path;
    return options;
}

static void open_with(const struct rapl_options *options) {
    assert_int_equal(rapl_open(options, &run.rapl), 0);
    assert_non_null(run.rapl);
    assume_usual_counters(run.rapl);
}

static void open_default(void) {
    const struct rapl_options options = default_options();
    open_with(&options);
}

static void open_machine(void) {
    add_machine();
    open_default();
}

static void set_joules(const char *id, uint64_t joules) {
    tree_set_energy(run.tree, id, joules * JOULE);
}

static void report(void) {
    assert_int_equal(rapl_report(run.rapl, &run.report), 0);
    assume_usual_counters(run.rapl);
}

static void report_after(uint64_t seconds) {
    fake_clocks_pass(seconds * NS_PER_S);
    report();
}

static const struct rapl_value *find(const char *name) {
    for (size_t i = 0; i < run.report->value_count; i++) {
        if (strcmp(run.report->values[i].name, name) == 0)
            return &run.report->values[i];
    }
    return NULL;
}

static void expect_power(const char *name, uint64_t energy_j, uint64_t power_w) {
    const struct rapl_value *value = find(name);
    if (value == NULL)
        fail_msg("%s says nothing", name);
    assert_int_equal(value->energy_uj, energy_j * JOULE);
    assert_true(value->has_power);
    assert_int_equal(value->power_uw, power_w * WATT);
}

static void expect_energy_alone(const char *name, uint64_t energy_j) {
    const struct rapl_value *value = find(name);
    if (value == NULL)
        fail_msg("%s says nothing", name);
    assert_int_equal(value->energy_uj, energy_j * JOULE);
    assert_false(value->has_power);
}

static void expect_energy_of(const char *name, uint64_t energy_j) {
    const struct rapl_value *value = find(name);
    if (value == NULL)
        fail_msg("%s says nothing", name);
    assert_int_equal(value->energy_uj, energy_j * JOULE);
}

static void expect_silence(const char *name) {
    if (find(name) != NULL)
        fail_msg("%s says something", name);
}

/* The first message names the source in use and is not a problem. */
static bool take_problem(struct rapl_problem *problem) {
    bool any;
    do
        any = rapl_next_problem(run.rapl, problem);
    while (any && problem->severity == RAPL_INFO && !problem->over);
    return any;
}

static struct rapl_problem next_problem(const char *part) {
    struct rapl_problem problem = {.reason = NULL};
    if (!take_problem(&problem))
        fail_msg("nothing is told of \"%s\"", part);
    if (strstr(problem.reason, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.reason, part);
    return problem;
}

static void expect_nothing_told(void) {
    struct rapl_problem problem;
    if (take_problem(&problem))
        fail_msg("\"%s\"", problem.reason);
}

/* --- opening --------------------------------------------------------------------------------- */

static void test_wrong_options_are_refused(void **state) {
    (void)state;
    static const char *const empty[] = {""};
    struct rapl *rapl = NULL;
    add_machine();
    struct rapl_options options = default_options();
    options.root = "";
    assert_int_equal(rapl_open(&options, &rapl), -EINVAL);
    options = default_options();
    options.include = empty;
    options.include_count = 1;
    assert_int_equal(rapl_open(&options, &rapl), -EINVAL);
    options = default_options();
    options.exclude = empty;
    options.exclude_count = 1;
    assert_int_equal(rapl_open(&options, &rapl), -EINVAL);
    options = default_options();
    options.source = (enum rapl_source)4;
    assert_int_equal(rapl_open(&options, &rapl), -EINVAL);
    assert_null(rapl);
    rapl_close(NULL);
}

static void test_root_comes_from_the_environment(void **state) {
    (void)state;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    char root[256];
    add_machine();
    snprintf(root, sizeof(root), "%s//", run.tree->path);
    assert_int_equal(setenv("HOST_MOUNT_PREFIX", root, 1), 0);
    open_with(&options);
    assert_string_equal(rapl_root(run.rapl), run.tree->path);
    assert_int_equal(rapl_zone_count(run.rapl), 4);
    /* a root in the options takes precedence */
    rapl_close(run.rapl);
    options.root = "/nowhere";
    open_with(&options);
    assert_string_equal(rapl_root(run.rapl), "/nowhere");
    rapl_close(run.rapl);
    run.rapl = NULL;
    assert_int_equal(setenv("HOST_MOUNT_PREFIX", "", 1), 0);
    options.root = NULL;
    open_with(&options);
    assert_string_equal(rapl_root(run.rapl), "/");
    assert_int_equal(unsetenv("HOST_MOUNT_PREFIX"), 0);
}

static void test_which_root_is_the_own(void **state) {
    (void)state;
    static const char *const own[] = {"/", "//", "///"};
    static const char *const others[] = {"", ".", "/host", "/proc/self/root", "/.", "/..", "host"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        assert_true(rapl_root_is_own(own[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(rapl_root_is_own(others[i]));
}

static void set_variable(const char *name, const char *text) {
    assert_int_equal(text != NULL ? setenv(name, text, 1) : unsetenv(name), 0);
}

/* The environment variables that Telegraf's other inputs use in a container. */
static void test_root_of_the_environment(void **state) {
    (void)state;
    static const struct {
        const char *given;
        const char *prefix;
        const char *sys;
        const char *proc;
        const char *root;
        const char *unused;
    } cases[] = {
        {NULL, NULL, NULL, NULL, "/", NULL},
        {"/", "/host", NULL, NULL, "/", NULL},
        {NULL, "/host", NULL, NULL, "/host", NULL},
        {NULL, "", "", "", "/", NULL},
        {NULL, NULL, "/host/sys", "/host/proc", "/host", NULL},
        {NULL, NULL, "/host/sys", NULL, "/host", NULL},
        {NULL, NULL, "/host/a/sys//", "/host/a/proc/", "/host/a", NULL},
        {NULL, NULL, "/sys", "/proc", "/", NULL},
        {NULL, NULL, "/sys", NULL, "/", NULL},
        {NULL, "/host", "/other/sys", "/proc", "/host", NULL},
        {"/root", NULL, "/host/sys", "/proc", "/root", NULL},
        /* two directories */
        {NULL, NULL, "/host/sys", "/proc", "/host", "HOST_PROC=/proc is"},
        {NULL, NULL, "/host/sys", "/hos/proc", "/host", "HOST_PROC=/hos/proc is"},
        {NULL, NULL, "/host/sys", "/hots/proc", "/host", "HOST_PROC=/hots/proc is"},
        {NULL, NULL, NULL, "/host/proc", "/", "HOST_PROC=/host/proc is"},
        /* not with that name */
        {NULL, NULL, "/host_sys", NULL, "/", "HOST_SYS=/host_sys is"},
        {NULL, NULL, "/host/sysfs", "/host/proc", "/", "HOST_SYS=/host/sysfs is"},
        {NULL, NULL, "sys", NULL, "/", "HOST_SYS=sys is"},
        {NULL, NULL, "/sys", "/", "/", "HOST_PROC=/ is"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256] = "";
        set_variable("HOST_MOUNT_PREFIX", cases[i].prefix);
        set_variable("HOST_SYS", cases[i].sys);
        set_variable("HOST_PROC", cases[i].proc);
        char *root = rapl_find_root(cases[i].given);
        assert_string_equal(root, cases[i].root);
        free(root);
        const bool told = rapl_root_warning(cases[i].given, text, sizeof(text));
        assert_int_equal(told, cases[i].unused != NULL);
        if (told)
            assert_int_equal(strncmp(text, cases[i].unused, strlen(cases[i].unused)), 0);
    }
    set_variable("HOST_MOUNT_PREFIX", NULL);
    set_variable("HOST_SYS", NULL);
    set_variable("HOST_PROC", NULL);
}

/* For a process that gives up the right to access the root before it opens the handle. */
static void test_root_that_is_open_already(void **state) {
    (void)state;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    add_machine();
    options.root = "/nowhere";
    options.root_file = rapl_open_root(run.tree->path);
    assert_true(options.root_file > 0);
    open_with(&options);
    assert_string_equal(rapl_root(run.rapl), "/nowhere");
    assert_int_equal(rapl_zone_count(run.rapl), 4);
    rapl_close(run.rapl);
    run.rapl = NULL;
    assert_int_equal(fcntl(options.root_file, F_GETFD), -1);
    assert_int_equal(rapl_open_root("/nowhere"), -ENOENT);
}

/* The descriptor still belongs to the caller. */
static void test_open_that_fails_keeps_the_root_open(void **state) {
    (void)state;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    static const char *const empty[] = {""};
    struct rapl *rapl = NULL;
    options.root_file = rapl_open_root(run.tree->path);
    options.include = empty;
    options.include_count = 1;
    assert_int_equal(rapl_open(&options, &rapl), -EINVAL);
    assert_int_equal(close(options.root_file), 0);
}

static void test_missing_root_is_a_problem_and_no_error(void **state) {
    const struct tree *tree = *state;
    char root[256];
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    snprintf(root, sizeof(root), "%s/late", tree->path);
    options.root = root;
    open_with(&options);
    assert_int_equal(rapl_zone_count(run.rapl), 0);
    assert_int_equal(rapl_readable_count(run.rapl), 0);
    assert_int_equal(rapl_power_ready_ns(run.rapl), 0);
    assert_string_equal(rapl_vendor(run.rapl), "unknown");
    assert_int_equal(next_problem(root).severity, RAPL_ERROR);
    report_after(59);
    assert_int_equal(run.report->value_count, 0);
    assert_int_equal(run.report->time_ns, FAKE_EPOCH_NS + 59 * NS_PER_S);
    expect_nothing_told();
    /* it appears a minute later */
    tree_write(tree, "late/sys/class/powercap/intel-rapl:0/name", "package-0\n");
    tree_write(tree, "late/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    tree_write(tree, "late/sys/class/powercap/intel-rapl:0/energy_uj", "5\n");
    tree_write(tree, "late/sys/devices/system/cpu/modalias",
               "cpu:type:x86,ven0000fam0006mod009E:feature:,0000\n");
    report_after(1);
    expect_energy_alone("package-0", 0);
    assert_true(next_problem(root).over);
    expect_nothing_told();
    assert_string_equal(rapl_vendor(run.rapl), "Intel");
    report_after(10);
    expect_power("package-0", 0, 0);
}

static void test_no_zones_are_a_problem_and_no_error(void **state) {
    (void)state;
    open_default();
    assert_int_equal(next_problem("sys/class/powercap").severity, RAPL_ERROR);
    report_after(10);
    assert_int_equal(run.report->value_count, 0);
    assert_int_equal(run.report->health.sweeps, 2);
    expect_nothing_told();
}

static void test_zones_are_described(void **state) {
    (void)state;
    struct rapl_zone zone;
    open_machine();
    assert_string_equal(rapl_source_name(run.rapl), "powercap");
    assert_string_equal(rapl_vendor(run.rapl), "Intel");
    assert_int_equal(rapl_zone_count(run.rapl), 4);
    assert_int_equal(rapl_readable_count(run.rapl), 4);
    rapl_zone(run.rapl, 2, &zone);
    assert_string_equal(zone.id, DRAM);
    assert_string_equal(zone.name, "package-0/dram");
    assert_string_equal(zone.path, "sys/class/powercap/" DRAM "/energy_uj");
    assert_int_equal(zone.unit_nj, 15258);
    assert_int_equal(zone.range_uj, RANGE_15_UJ);
    assert_int_equal(zone.ceiling_uw, 1000 * WATT);
    assert_int_equal(zone.error, 0);
    assert_true(zone.reported);
    assert_null(zone.mirrors);
    expect_nothing_told();
}

/* --- intervals ------------------------------------------------------------------------------- */

static void test_every_prompt_is_answered(void **state) {
    (void)state;
    open_machine();
    report();
    assert_int_equal(run.report->value_count, 5);
    expect_energy_alone("package-0", 0);
    expect_energy_alone("total", 0);
    fake_clocks_pass(NS_PER_MS);
    report();
    assert_int_equal(run.report->value_count, 5);
    expect_energy_alone("psys", 0);
    /* and the next one's power covers the whole span */
    set_joules(PACKAGE, 1010);
    fake_clocks_pass(999 * NS_PER_MS);
    report();
    expect_power("package-0", 10, 10);
    expect_power("total", 10, 10);
}

static void test_power_is_energy_over_time(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 1100);
    set_joules(CORE, 2060);
    set_joules(DRAM, 3050);
    set_joules(PSYS, 4200);
    report_after(10);
    assert_int_equal(run.report->value_count, 5);
    expect_power("package-0", 100, 10);
    expect_power("package-0/core", 60, 6);
    expect_power("package-0/dram", 50, 5);
    expect_power("psys", 200, 20);
    expect_power("total", 150, 15);
    assert_int_equal(run.report->time_ns, FAKE_EPOCH_NS + 10 * NS_PER_S);
    assert_int_equal(run.report->health.zones, 4);
    assert_int_equal(run.report->health.sweeps, 2);
    assert_int_equal(run.report->health.read_errors, 0);
    assert_string_equal(run.report->health.source, "powercap");
    assert_int_equal(run.report->health.rediscoveries, 0);
    report_after(10);
    expect_power("package-0", 100, 0);
    expect_power("total", 150, 0);
}

/* Plus an eighth, because CLOCK_MONOTONIC may run faster than the clock that power uses. */
static void expect_ready_after(uint64_t ns) {
    assert_int_equal(rapl_power_ready_ns(run.rapl), fake_clocks_monotonic_ns() + ns + ns / 8);
}

static void test_power_is_ready_after_50_ms(void **state) {
    (void)state;
    open_machine();
    expect_ready_after(50 * NS_PER_MS);
    report_after(1);
    expect_ready_after(50 * NS_PER_MS);
}

static void test_whole_joules_take_half_a_second(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "psys", 5 * JOULE, RANGE_1_J);
    open_default();
    expect_ready_after(500 * NS_PER_MS);
    set_joules("intel-rapl:0", 55);
    fake_clocks_pass(400 * NS_PER_MS);
    report();
    expect_energy_alone("psys", 50);
    fake_clocks_pass(100 * NS_PER_MS);
    report();
    expect_power("psys", 50, 100);
}

static void test_wrap_is_counted_to_the_tick(void **state) {
    (void)state;
    add_machine();
    tree_set_energy(run.tree, PACKAGE, RANGE_61_UJ - 99 * JOULE);
    open_default();
    tree_set_energy(run.tree, PACKAGE, 1 * JOULE - 61);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("total", 100, 10);
    assert_int_equal(run.report->health.wraps, 1);
    assert_int_equal(run.report->health.resets, 0);
    expect_nothing_told();
}

static void test_reset_leaves_the_interval_out_and_the_next_goes_on(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 1100);
    report_after(10);
    set_joules(PACKAGE, 3);
    report_after(10);
    expect_silence("package-0");
    expect_silence("total");
    expect_power("package-0/core", 0, 0);
    assert_int_equal(run.report->health.resets, 1);
    assert_int_equal(run.report->health.wraps, 0);
    set_joules(PACKAGE, 53);
    report_after(10);
    expect_power("package-0", 150, 5);
    expect_power("total", 150, 5);
    expect_nothing_told();
}

static void test_jump_forward_is_a_reset_and_names_max_power(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 1000 + 10001);
    report_after(10);
    expect_silence("package-0");
    assert_int_equal(run.report->health.resets, 1);
    const struct rapl_problem problem = next_problem("package-0");
    assert_int_equal(problem.severity, RAPL_WARNING);
    assert_non_null(strstr(problem.remedy, "MaxPower"));
    set_joules(PACKAGE, 50000);
    report_after(10);
    expect_silence("package-0");
    assert_int_equal(run.report->health.resets, 2);
    expect_nothing_told();
    set_joules(PACKAGE, 50010);
    report_after(10);
    expect_power("package-0", 10, 1);
}

static void test_max_power_raises_the_ceiling(void **state) {
    (void)state;
    add_machine();
    struct rapl_options options = default_options();
    options.max_power_uw = 2000 * WATT;
    open_with(&options);
    set_joules(PACKAGE, 1000 + 15000);
    report_after(10);
    expect_power("package-0", 15000, 1500);
}

static void test_standing_counter_is_no_power(void **state) {
    (void)state;
    open_machine();
    for (int i = 0; i < 3; i++) {
        report_after(10);
        expect_power("package-0", 0, 0);
    }
    assert_int_equal(run.report->health.wraps, 0);
}

static void test_interval_in_which_a_wrap_may_hide_is_left_out(void **state) {
    (void)state;
    open_machine();
    /* dram: 65.5 kJ are 65.5 s at 1 kW */
    set_joules(DRAM, 3010);
    report_after(120);
    expect_silence("package-0/dram");
    expect_silence("total");
    expect_power("package-0", 0, 0);
    assert_int_equal(run.report->health.gaps, 1);
    (void)next_problem("package-0/dram");
    expect_nothing_told();
    set_joules(DRAM, 3020);
    report_after(10);
    expect_power("package-0/dram", 10, 1);
}

/* The smallest existing range is assumed: 65.5 kJ, which 1 kW uses in 65.5 s. */
static void test_unknown_range_hides_no_turn(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, 0);
    open_default();
    assert_non_null(strstr(next_problem("max_energy_range_uj: No such file").reason, "65 kJ"));
    assert_in_range(rapl_sample_due_ns(run.rapl) - fake_clocks_monotonic_ns(), 32 * NS_PER_S,
                    33 * NS_PER_S);
    set_joules(PACKAGE, 1600);
    report_after(60);
    expect_power("package-0", 600, 10);
    expect_nothing_told();
    set_joules(PACKAGE, 1700);
    report_after(70);
    expect_silence("package-0");
    assert_int_equal(run.report->health.gaps, 1);
    (void)next_problem("may have wrapped more than once");
    set_joules(PACKAGE, 1800);
    report_after(10);
    expect_power("package-0", 700, 10);
    /* as far as is known, a wrap is a reset */
    set_joules(PACKAGE, 5);
    report_after(10);
    expect_silence("package-0");
    assert_int_equal(run.report->health.resets, 1);
    assert_int_equal(run.report->health.wraps, 0);
    set_joules(PACKAGE, 105);
    report_after(10);
    expect_power("package-0", 800, 10);
}

/* A laptop's psys has the unit of its package, and so its range: it must have a value every 10
 * s. */
static void test_psys_of_fine_unit_speaks_every_10_s(void **state) {
    const struct tree *tree = *state;
    tree_set_vendor(tree, "GenuineIntel");
    tree_add_zone(tree, "intel-rapl:0", "psys", 4000 * JOULE, RANGE_61_UJ);
    open_default();
    set_joules("intel-rapl:0", 4200);
    report_after(10);
    expect_power("psys", 200, 20);
    expect_nothing_told();
}

static void test_sample_between_reports_keeps_wraps_from_hiding(void **state) {
    (void)state;
    open_machine();
    set_joules(DRAM, 33010);
    fake_clocks_pass(60 * NS_PER_S);
    assert_int_equal(rapl_sample(run.rapl), 0);
    set_joules(DRAM, 3000);
    report_after(60);
    assert_int_equal(run.report->health.wraps, 1);
    assert_int_equal(run.report->health.sweeps, 4); /* one more, to decide that it is a wrap */
    const struct rapl_value *dram = find("package-0/dram");
    assert_non_null(dram);
    assert_int_equal(dram->energy_uj, UINT64_C(65532611002));
    assert_true(dram->has_power);
    assert_int_equal(dram->end_ns - dram->start_ns, 120 * NS_PER_S);
}

/* --- sleep ----------------------------------------------------------------------------------- */

static void test_sleep_counts_energy_and_reports_no_power(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 1100);
    report_after(10);
    set_joules(PACKAGE, 1150);
    set_joules(DRAM, 1);
    fake_clocks_sleep(3600 * NS_PER_S);
    report_after(10);
    expect_energy_alone("package-0", 150);
    expect_silence("package-0/dram");
    expect_silence("total");
    assert_int_equal(run.report->health.resets, 1);
    assert_int_equal(run.report->health.sleeps, 1);
    set_joules(PACKAGE, 1250);
    set_joules(DRAM, 51);
    report_after(10);
    expect_power("package-0", 250, 10);
    expect_power("package-0/dram", 50, 5);
    expect_power("total", 300, 15);
    assert_int_equal(run.report->health.sleeps, 1);
    expect_nothing_told();
}

/* The sample after the sleep fails, and the next one sees no sleep. */
static void test_sleep_before_a_failed_read_gives_no_power(void **state) {
    (void)state;
    open_machine();
    fake_clocks_sleep(100 * NS_PER_S);
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, EIO);
    report_after(10);
    expect_silence("package-0");
    set_joules(PACKAGE, 1300);
    report_after(10);
    expect_energy_alone("package-0", 300);
    expect_energy_alone("total", 300);
    set_joules(PACKAGE, 1400);
    report_after(10);
    expect_power("package-0", 400, 10);
    expect_power("total", 400, 10);
}

/* psys with a fine unit: at 50 kW every reset would pass for a wrap. */
static void test_psys_that_starts_again_is_no_wrap(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_add_zone(run.tree, "intel-rapl:0", "psys", 1000 * JOULE, RANGE_61_UJ);
    open_default();
    set_joules("intel-rapl:0", 5);
    report_after(10);
    expect_silence("psys");
    assert_int_equal(run.report->health.resets, 1);
    set_joules("intel-rapl:0", 205);
    report_after(10);
    expect_power("psys", 200, 20);
}

/* --- low readings ---------------------------------------------------------------------------- */

/* A read returned 0: 50 W are reported throughout, and not 900 W on the way back up. */
static void test_a_read_that_gave_0(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 100000); /* a jump without energy, not near 0 */
    report_after(10);
    set_joules(PACKAGE, 100500);
    report_after(10);
    expect_power("package-0", 500, 50);
    set_joules(PACKAGE, 0);
    report_after(10);
    expect_silence("package-0");
    expect_silence("total");
    assert_int_equal(run.report->health.resets, 2);
    set_joules(PACKAGE, 101500);
    report_after(10);
    expect_power("package-0", 1500, 50);
    expect_energy_alone("total", 1500);
    assert_int_equal(run.report->health.read_errors, 2);
    set_joules(PACKAGE, 102000);
    report_after(10);
    expect_power("package-0", 2000, 50);
    expect_power("total", 2000, 50);
}

/* --- zones that fail ------------------------------------------------------------------------- */

static void test_failing_zone_leaves_itself_and_the_total_out(void **state) {
    (void)state;
    open_machine();
    tree_set(run.tree, DRAM, "energy_uj", "junk\n");
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_silence("package-0/dram");
    expect_silence("total");
    assert_int_equal(run.report->value_count, 3);
    assert_int_equal(run.report->health.zones, 3);
    assert_int_equal(run.report->health.read_errors, 1);
    assert_int_equal(run.report->health.gaps, 1);
    assert_int_equal(next_problem(DRAM "/energy_uj").severity, RAPL_ERROR);
    report_after(10);
    assert_int_equal(run.report->health.read_errors, 2);
    assert_int_equal(run.report->health.gaps, 1);
    expect_nothing_told();
    /* the mean covers the whole gap */
    set_joules(DRAM, 3090);
    set_joules(PACKAGE, 1300);
    report_after(10);
    expect_power("package-0/dram", 90, 3);
    expect_power("package-0", 300, 20);
    expect_power("total", 390, 13);
    assert_true(next_problem(DRAM "/energy_uj").over);
    expect_nothing_told();
}

static void test_gap_in_which_a_wrap_may_hide_adds_nothing(void **state) {
    (void)state;
    open_machine();
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, EIO);
    report_after(60);
    set_joules(DRAM, 3090);
    report_after(10);
    expect_silence("package-0/dram");
    assert_int_equal(run.report->health.gaps, 1);
    set_joules(DRAM, 3100);
    report_after(10);
    expect_power("package-0/dram", 10, 1);
}

static void test_zone_that_is_removed_and_returns_continues(void **state) {
    (void)state;
    open_machine();
    set_joules(PACKAGE, 1100);
    set_joules(DRAM, 3050);
    report_after(10);
    /* the driver unregisters dram: its open file returns ENODEV, and its directory is gone */
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, ENODEV);
    set_joules(PACKAGE, 1200);
    tree_drop_zone(run.tree, DRAM);
    report_after(10);
    expect_silence("package-0/dram");
    expect_silence("total");
    assert_int_equal(next_problem("package-0/dram has gone; total goes on").severity, RAPL_WARNING);
    /* rediscovery does not find it: the total continues without its power and keeps its joules */
    set_joules(PACKAGE, 1300);
    report_after(10);
    expect_power("package-0", 300, 10);
    expect_power("total", 350, 10);
    assert_int_equal(run.report->health.rediscoveries, 1);
    report_after(10);
    expect_power("total", 350, 0);
    expect_nothing_told();
    /* it returns under another index and continues */
    tree_add_zone(run.tree, "intel-rapl:0:2", "dram", 3090 * JOULE, RANGE_15_UJ);
    report_after(10);
    expect_power("package-0/dram", 90, 1);
    expect_energy_alone("total", 390);
    assert_int_equal(run.report->health.rediscoveries, 2);
    assert_true(next_problem("package-0/dram has gone").over);
    set_joules("intel-rapl:0:2", 3140);
    report_after(10);
    expect_power("package-0/dram", 140, 5);
    expect_power("total", 440, 5);
    expect_nothing_told();
}

/* The driver adds a package before its sub-zones, and discovery may run in between. */
static void refuse_next_file(void) {
    fake_openat2_fails(EACCES, 1);
}

/* A reloaded driver creates the zone for root alone, until udev's rule has run. */
static void test_zone_that_returns_for_root_alone_is_looked_for_until_it_reads(void **state) {
    (void)state;
    open_machine();
    for (int i = 0; i < 5; i++) /* the first discoveries are due to the changed CPUs */
        report_after(10);
    tree_set(run.tree, CORE, "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    expect_silence("package-0/core");
    set_joules(CORE, 2100);
    fake_before_openat2("energy_uj", refuse_next_file);
    report_after(10);
    expect_silence("package-0/core");
    report_after(10);
    expect_energy_of("package-0/core", 100);
}

static void take_last_descriptor(void) {
    fake_openat2_fails(EMFILE, 1);
}

/* Every discovery reopens an incomplete zone. */
static void test_zone_that_could_not_be_opened_anew_is_back_at_the_next_report(void **state) {
    (void)state;
    add_machine();
    tree_set(run.tree, PACKAGE, "constraint_0_max_power_uw", FAKE_ERRNO, EIO);
    open_default();
    for (int i = 0; i < 5; i++) /* the first discoveries are due to the changed CPUs */
        report_after(10);
    fake_before_openat2("energy_uj", take_last_descriptor);
    report_after(60);
    expect_silence("package-0");
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_energy_of("package-0", 100);
}

static void test_sub_zones_that_return_after_their_package_are_not_told_of(void **state) {
    (void)state;
    open_machine();
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, CORE, "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, ENODEV);
    tree_drop_zone(run.tree, CORE);
    tree_drop_zone(run.tree, DRAM);
    tree_drop_zone(run.tree, PACKAGE);
    report_after(1);
    (void)next_problem("package-0 has gone");
    expect_nothing_told();
    tree_add_zone(run.tree, PACKAGE, "package-0", 1010 * JOULE, RANGE_61_UJ);
    report_after(1);
    expect_energy_of("package-0", 10);
    expect_silence("package-0/dram");
    assert_true(next_problem("package-0 has gone").over);
    expect_nothing_told();
    tree_add_zone(run.tree, DRAM, "dram", 3002 * JOULE, RANGE_15_UJ);
    report_after(1);
    expect_energy_of("package-0/dram", 2);
    /* This one has not come back with the others. */
    (void)next_problem("package-0/core has gone");
    expect_nothing_told();
}

static void test_psys_that_goes_with_the_package_of_its_number_is_told_of(void **state) {
    (void)state;
    add_machine();
    tree_add_zone(run.tree, "intel-rapl:2", "package-1", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:3", "psys-1", 1000 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(1);
    tree_set(run.tree, "intel-rapl:2", "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, "intel-rapl:3", "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(1);
    (void)next_problem("package-1 has gone");
    (void)next_problem("psys-1 has gone");
    expect_nothing_told();
}

static void test_zone_without_counter_from_the_start_is_no_member(void **state) {
    (void)state;
    add_machine();
    tree_remove(run.tree, "sys/class/powercap/" DRAM "/energy_uj");
    open_default();
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_power("total", 100, 10);
    expect_silence("package-0/dram");
    (void)next_problem(DRAM "/energy_uj");
}

static void test_mmio_takes_over_when_the_counter_goes(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl-mmio:0", "package-0", 50 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(10);
    expect_power("package-0", 0, 0);
    tree_drop_zone(tree, "intel-rapl:0");
    tree_write(tree, ONLINE, "0\n");
    report_after(60);
    expect_silence("package-0");
    set_joules("intel-rapl-mmio:0", 60);
    report_after(10);
    const struct rapl_value *package = find("package-0");
    assert_non_null(package);
    assert_int_equal(package->energy_uj, 10 * JOULE);
    set_joules("intel-rapl-mmio:0", 160);
    report_after(10);
    expect_power("package-0", 110, 10);
}

/* Its file still exists but returns ENODEV: the zone counts as gone. */
static void test_mmio_takes_over_from_a_counter_that_is_listed_still(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl-mmio:0", "package-0", 50 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(10);
    tree_set(tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    expect_silence("package-0");
    report_after(10);
    set_joules("intel-rapl-mmio:0", 150);
    report_after(10);
    expect_power("package-0", 100, 10);
}

/* --- rediscovery ----------------------------------------------------------------------------- */

static void test_driver_that_is_loaded_late_is_found_within_a_minute(void **state) {
    const struct tree *tree = *state;
    tree_make_folder(tree, "sys/class/powercap");
    tree_set_vendor(tree, "GenuineIntel");
    open_default();
    (void)next_problem("holds no RAPL zone");
    add_machine();
    report_after(59);
    assert_int_equal(run.report->value_count, 0);
    report_after(1);
    assert_int_equal(run.report->value_count, 5);
    expect_energy_alone("package-0", 0);
    assert_int_equal(run.report->health.rediscoveries, 1);
    assert_true(next_problem("holds no RAPL zone").over);
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
}

static void test_change_of_the_online_cpus_makes_it_look_three_times(void **state) {
    (void)state;
    open_machine();
    tree_write(run.tree, ONLINE, "0-3\n");
    report_after(1);
    report_after(1);
    assert_int_equal(rapl_zone_count(run.rapl), 4);
    /* the zone appears some milliseconds after its CPU */
    tree_add_zone(run.tree, "intel-rapl:2", "package-1", JOULE, RANGE_61_UJ);
    report_after(1);
    assert_int_equal(rapl_zone_count(run.rapl), 5);
    expect_energy_alone("package-1", 0);
    tree_add_zone(run.tree, "intel-rapl:3", "package-2", JOULE, RANGE_61_UJ);
    report_after(1);
    assert_int_equal(rapl_zone_count(run.rapl), 5);
    report_after(57);
    assert_int_equal(rapl_zone_count(run.rapl), 5);
    report_after(2);
    assert_int_equal(rapl_zone_count(run.rapl), 6);
}

/* The list of online CPUs shows that a package went before a read of its counter fails. */
static void test_total_is_silent_for_the_interval_in_which_a_package_went(void **state) {
    (void)state;
    add_machine();
    tree_add_zone(run.tree, "intel-rapl:2", "package-1", JOULE, RANGE_61_UJ);
    open_default();
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_power("total", 100, 10);
    tree_write(run.tree, ONLINE, "0\n");
    tree_drop_zone(run.tree, "intel-rapl:2");
    set_joules(PACKAGE, 1200);
    report_after(10);
    expect_power("package-0", 200, 10);
    expect_silence("package-1");
    expect_silence("total");
    set_joules(PACKAGE, 1300);
    report_after(10);
    expect_power("total", 300, 10);
}

/* die-1 cannot be read at first, so it is unknown whether it shows the counter of die-0. */
static void test_die_that_is_read_later_may_have_its_own_counter(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1500 * JOULE, RANGE_15_UJ);
    tree_set(run.tree, "intel-rapl:1", "energy_uj", FAKE_ERRNO, EIO);
    open_default();
    set_joules("intel-rapl:0", 1100);
    report_after(10);
    expect_power("package-0-die-0", 100, 10);
    expect_silence("total");
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    set_joules("intel-rapl:1", 1600);
    report_after(10);
    expect_silence("package-0-die-0");
    expect_silence("total");
    set_joules("intel-rapl:1", 1700);
    report_after(10);
    expect_power("package-0-die-1", 100, 10);
}

/* Both dies have shown the same counter for an interval. */
static void share_two_dies(void) {
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    set_joules("intel-rapl:0", 1100);
    set_joules("intel-rapl:1", 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
}

static void show_two_dies(void) {
    share_two_dies();
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, "intel-rapl:1", "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    tree_drop_zone(run.tree, "intel-rapl:0");
    tree_drop_zone(run.tree, "intel-rapl:1");
}

/* The kernel id of a die that was compared now belongs to another die, which was not. */
static void test_id_of_a_die_that_is_another_one_now_starts_anew(void **state) {
    (void)state;
    show_two_dies();
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1200 * JOULE, RANGE_15_UJ);
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-2", 1500 * JOULE, RANGE_15_UJ);
    report_after(10);
    expect_silence("package-0");
    set_joules("intel-rapl:1", 1600);
    report_after(10);
    expect_power("package-0-die-2", 100, 10);
}

/* A die that is known to share the counter continues the series, whichever returns. */
static void test_die_that_returns_alone_goes_on(void **state) {
    (void)state;
    show_two_dies();
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1300 * JOULE, RANGE_15_UJ);
    report_after(10);
    expect_power("package-0", 300, 10);
}

/* die-0 went before die-1 came, and shares its counter when it returns: no zone is missing. */
static void test_mirror_by_another_name_is_not_missed(void **state) {
    (void)state;
    tree_write(run.tree, ONLINE, "0-3\n");
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    (void)next_problem("vendor");
    report_after(10);
    tree_drop_zone(run.tree, "intel-rapl:0");
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_15_UJ);
    tree_write(run.tree, ONLINE, "2-3\n");
    report_after(10);
    (void)next_problem("package-0-die-0 has gone");
    set_joules("intel-rapl:1", 1100);
    report_after(10);
    expect_power("package-0-die-1", 100, 10);
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1100 * JOULE, RANGE_15_UJ);
    tree_write(run.tree, ONLINE, "0-3\n");
    report_after(10);
    assert_true(next_problem("package-0-die-0 has gone").over);
    assert_int_equal(run.report->value_count, 2); /* one of them, and total */
    report_after(10);
    assert_int_equal(run.report->value_count, 2);
    expect_nothing_told();
}

/* A package that appears in a virtual machine may show the counter of the existing one: until it
 * has moved, the total is left out, and the gap is counted. */
static void test_total_waits_for_a_package_that_comes(void **state) {
    (void)state;
    tree_write(run.tree, "proc/cpuinfo",
               "vendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor\n\n");
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    set_joules(PACKAGE, 1100);
    report_after(10);
    expect_power("total", 100, 10);
    tree_add_zone(run.tree, "intel-rapl:1", "package-1", 1100 * JOULE, RANGE_15_UJ);
    report_after(60);
    expect_silence("total");
    assert_true(run.report->health.gaps > 0);
    const uint64_t gaps = run.report->health.gaps;
    report_after(10);
    expect_silence("total");
    assert_true(run.report->health.gaps > gaps);
}

/* Two counters were taken for one, and each was the only one read while the other failed. */
static void test_what_a_die_counted_alone_is_counted_once(void **state) {
    (void)state;
    share_two_dies();
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    set_joules("intel-rapl:1", 1500);
    report_after(10);
    expect_energy_of("package-0", 500);
    tree_set(run.tree, "intel-rapl:1", "energy_uj", FAKE_ERRNO, EIO);
    set_joules("intel-rapl:0", 1600);
    report_after(10);
    expect_energy_of("package-0", 600);
    for (uint64_t i = 1; i <= 3; i++) {
        set_joules("intel-rapl:0", 1600 + 100 * i);
        set_joules("intel-rapl:1", 1500 + 50 * i);
        report_after(10);
    }
    expect_energy_of("package-0-die-0", 300);
    expect_energy_of("package-0-die-1", 150);
    expect_energy_of("total", 600 + 300 + 150);
}

/* Dies that were compared replace each other without a gap. */
static void test_mirror_that_agreed_stands_in(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    set_joules("intel-rapl:1", 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
}

/* Two counters with one name: each has its series, and both are in the total. */
static void test_second_counter_of_a_name_has_the_kernels_id(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 9000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:2", "package-0", 1000 * JOULE, RANGE_61_UJ);
    open_default();
    (void)next_problem("package-0-intel-rapl:2: the kernel shows another counter by the same name");
    set_joules("intel-rapl:0", 9100);
    set_joules("intel-rapl:2", 1050);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("package-0-intel-rapl:2", 50, 5);
    expect_power("total", 150, 15);
    assert_null(find("package-0")->zone_id);
    assert_string_equal(find("package-0-intel-rapl:2")->zone_id, "intel-rapl:2");
    expect_nothing_told();
}

/* One fails while another is reset: afterwards their mean powers cover different spans. */
static void test_total_waits_for_members_of_one_span(void **state) {
    (void)state;
    open_machine();
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, EIO);
    set_joules(PACKAGE, 5);
    report_after(10); /* the package is reset */
    expect_silence("total");
    set_joules(PACKAGE, 105);
    set_joules(DRAM, 3200);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("package-0/dram", 200, 10);
    expect_energy_alone("total", 300);
    set_joules(PACKAGE, 205);
    set_joules(DRAM, 3300);
    report_after(10);
    expect_power("total", 500, 20);
}

/* It only feeds the total, and is listed all the time. */
static void test_unselected_member_that_recovers_is_read_again(void **state) {
    (void)state;
    static const char *const package[] = {"package-0"};
    add_machine();
    struct rapl_options options = default_options();
    options.exclude = package;
    options.exclude_count = 1;
    open_with(&options);
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, ENODEV);
    for (int i = 0; i < 3; i++)
        report_after(10);
    set_joules(PACKAGE, 1400);
    for (int i = 0; i < 3; i++)
        report_after(10);
    const struct rapl_value *total = find("total");
    assert_non_null(total);
    assert_int_equal(total->energy_uj, 400 * JOULE);
    assert_true(total->has_power);
}

/* Its first read failed, so that its loading recorded no successful read. */
static void test_zone_that_read_late_and_goes_leaves_the_total(void **state) {
    (void)state;
    add_machine();
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, EIO);
    open_default();
    set_joules(DRAM, 3100);
    report_after(10);
    tree_set(run.tree, DRAM, "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    expect_silence("total");
    set_joules(PACKAGE, 1100);
    report_after(10);
    report_after(10);
    assert_non_null(find("total"));
}

/* AMD: the core zone is the core of the lead CPU, and another CPU may have become that. */
static void test_lead_core_that_may_have_moved_starts_anew(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "AuthenticAMD");
    tree_write(run.tree, ONLINE, "0-3\n");
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, CORE, "core", 10 * JOULE, RANGE_15_UJ);
    open_default();
    set_joules(PACKAGE, 1100);
    set_joules(CORE, 20);
    report_after(10);
    expect_power("package-0/lead_core", 10, 1);
    tree_write(run.tree, ONLINE, "1-3\n");
    set_joules(PACKAGE, 1200);
    set_joules(CORE, 910);
    report_after(10);
    expect_silence("package-0/lead_core");
    expect_power("package-0", 200, 10);
    set_joules(CORE, 930);
    report_after(10);
    expect_power("package-0/lead_core", 30, 2);
}

/* The change is noticed after the reads: it is unknown which core they came from. */
static void test_lead_core_read_at_a_change_is_no_baseline(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "AuthenticAMD");
    tree_write(run.tree, ONLINE, "0-3\n");
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, CORE, "core", 10 * JOULE, RANGE_15_UJ);
    open_default();
    set_joules(CORE, 20);
    report_after(10);
    expect_power("package-0/lead_core", 10, 1);
    set_joules(CORE, 30);
    tree_write(run.tree, ONLINE, "1-3\n");
    fake_clocks_pass(5 * NS_PER_S);
    assert_int_equal(rapl_sample(run.rapl), 0);
    set_joules(CORE, 530);
    report_after(5);
    expect_silence("package-0/lead_core");
    set_joules(CORE, 550);
    report_after(10);
    expect_power("package-0/lead_core", 30, 2);
}

/* A name never changes once it was shown: until the vendor is known, the zone has none. */
static void test_core_zone_waits_until_the_vendor_is_known(void **state) {
    static const struct {
        const char *vendor;
        const char *name;
    } cases[] = {{"AuthenticAMD", "package-0/lead_core"}, {"GenuineIntel", "package-0/core"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_15_UJ);
        tree_add_zone(run.tree, CORE, "core", 10 * JOULE, RANGE_15_UJ);
        open_default();
        assert_string_equal(rapl_vendor(run.rapl), "unknown");
        set_joules(PACKAGE, 1100);
        report_after(10);
        expect_power("package-0", 100, 10);
        expect_silence("package-0/core");
        expect_silence("package-0/lead_core");
        tree_set_vendor(run.tree, cases[i].vendor);
        report_after(10);
        assert_string_equal(rapl_vendor(run.rapl), i == 0 ? "AMD" : "Intel");
        set_joules(PACKAGE, 1200);
        set_joules(CORE, 30);
        report_after(10);
        expect_power(cases[i].name, 20, 2);
        assert_null(find(cases[1 - i].name));
        set_joules(PACKAGE, 1300);
        set_joules(CORE, 50);
        report_after(10);
        expect_power(cases[i].name, 40, 2);
        assert_null(find(cases[1 - i].name));
        assert_string_equal(rapl_source_name(run.rapl), "powercap");
        rapl_close(run.rapl);
        run.rapl = NULL;
        tree_drop_zone(run.tree, CORE);
        tree_drop_zone(run.tree, PACKAGE);
        tree_remove(run.tree, "proc/cpuinfo");
    }
}

/* If the sources cannot be allocated, the next report tries again. */
static void test_vendor_that_becomes_known_without_memory(void **state) {
    (void)state;
    tree_add_zone(run.tree, PACKAGE, "package-0", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    report_after(10);
    tree_set_vendor(run.tree, "AuthenticAMD");
    fake_clocks_pass(10 * NS_PER_S);
    fake_memory_fails_at(0);
    set_joules(PACKAGE, 1050);
    report();
    assert_true(fake_memory_has_failed());
    expect_power("package-0", 50, 5);
    assert_string_equal(rapl_vendor(run.rapl), "unknown");
    fake_memory_fails_at(-1);
    report_after(10);
    assert_string_equal(rapl_vendor(run.rapl), "AMD");
    set_joules(PACKAGE, 1100);
    report_after(10);
    set_joules(PACKAGE, 1200);
    report_after(10);
    expect_power("package-0", 200, 10);
}

/* Two reads with a sleep between them cannot be compared. */
static void test_sleep_does_not_part_mirrors(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_15_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_15_UJ);
    open_default();
    set_joules("intel-rapl:1", 1080);
    fake_clocks_sleep(60 * NS_PER_S);
    report_after(10);
    expect_energy_alone("package-0", 0);
    set_joules("intel-rapl:0", 1100);
    set_joules("intel-rapl:1", 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("total", 100, 10);
}

/* psys diverges, intel-rapl goes and mmio is bound in one sample: mmio has not been read yet. */
static void test_zone_bound_within_a_sample_waits_for_the_next(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "psys", 4000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:2", "psys-0", 4000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl-mmio:0", "package-0", 5000 * JOULE, RANGE_61_UJ);
    open_default();
    set_joules("intel-rapl:2", 9000);
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    expect_silence("package-0");
    report_after(10);
    report_after(10);
    expect_power("package-0", 0, 0);
    set_joules("intel-rapl-mmio:0", 5100);
    report_after(10);
    expect_power("package-0", 100, 10);
}

/* A series that is not reported does not decide when a report is ready. */
static void test_power_is_ready_when_a_selected_series_is(void **state) {
    (void)state;
    static const char *const package[] = {"package-0"};
    add_machine();
    struct rapl_options options = default_options();
    options.exclude = package;
    options.exclude_count = 1;
    open_with(&options);
    const uint64_t first_ns = rapl_power_ready_ns(run.rapl);
    report_after(10);
    assert_int_equal(rapl_power_ready_ns(run.rapl), first_ns + 10 * NS_PER_S);
}

static void test_shift_of_the_indices_mixes_up_nothing(void **state) {
    (void)state;
    add_machine();
    tree_add_zone(run.tree, "intel-rapl:2", "package-1", 500 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(10);
    /* both go, and return with each other's ids */
    tree_set(run.tree, "intel-rapl:2", "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, PSYS, "energy_uj", FAKE_ERRNO, ENODEV);
    report_after(10);
    expect_silence("psys");
    expect_silence("package-1");
    tree_set(run.tree, "intel-rapl:2", "name", "psys\n");
    tree_set(run.tree, "intel-rapl:2", "max_energy_range_uj", "4294967295000000\n");
    tree_set(run.tree, PSYS, "name", "package-1\n");
    tree_set(run.tree, PSYS, "max_energy_range_uj", "262143328850\n");
    set_joules("intel-rapl:2", 4100);
    set_joules(PSYS, 520);
    report_after(10);
    expect_power("psys", 100, 5);
    expect_power("package-1", 20, 1);
}

/* All zones are registered again between two reports, and an id belongs to another zone now: the
 * list of online CPUs shows it before a read can fail. */
static void test_ids_that_shift_between_two_reports_mix_up_nothing(void **state) {
    (void)state;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_write(run.tree, ONLINE, "0-3\n");
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-1", 500 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(10);
    tree_set(run.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, "intel-rapl:1", "energy_uj", FAKE_ERRNO, ENODEV);
    tree_drop_zone(run.tree, "intel-rapl:0");
    tree_drop_zone(run.tree, "intel-rapl:1");
    tree_add_zone(run.tree, "intel-rapl:1", "package-0", 1100 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:2", "package-1", 520 * JOULE, RANGE_61_UJ);
    tree_write(run.tree, ONLINE, "0-7\n");
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("package-1", 20, 2);
    expect_power("total", 120, 12);
    expect_nothing_told();
}

/* A selected core is opened before its package, which is not selected: the limit of an earlier
 * package with that id must not apply. */
static void test_sub_zone_has_the_ceiling_of_the_package_that_is_there(void **state) {
    (void)state;
    static const char *const include[] = {"*/core"};
    struct rapl_zone zone;
    add_machine();
    tree_set(run.tree, PACKAGE, "constraint_0_max_power_uw", "500000000\n");
    struct rapl_options options = default_options();
    options.include = include;
    options.include_count = 1;
    options.total = false;
    open_with(&options);
    rapl_zone(run.rapl, 1, &zone);
    assert_string_equal(zone.id, CORE);
    assert_int_equal(zone.ceiling_uw, 2000 * WATT);
    tree_set(run.tree, PACKAGE, "energy_uj", FAKE_ERRNO, ENODEV);
    tree_set(run.tree, CORE, "energy_uj", FAKE_ERRNO, ENODEV);
    tree_drop_zone(run.tree, CORE);
    tree_drop_zone(run.tree, PACKAGE);
    tree_add_zone(run.tree, PACKAGE, "package-1", 1000 * JOULE, RANGE_61_UJ);
    tree_set(run.tree, PACKAGE, "constraint_0_max_power_uw", "125000000\n");
    tree_add_zone(run.tree, CORE, "core", 2000 * JOULE, RANGE_61_UJ);
    report_after(60);
    rapl_zone(run.rapl, 1, &zone);
    assert_string_equal(zone.name, "package-1/core");
    assert_int_equal(zone.ceiling_uw, 500 * WATT);
}

/* Assumed mirrors have the name of their package, and are selected by it. */
static void test_selected_mirrors_come_before_what_nobody_selected(void **state) {
    (void)state;
    static const char *const include[] = {"package-1"};
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:2", "package-1-die-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:3", "package-1-die-1", 1000 * JOULE, RANGE_61_UJ);
    struct rapl_options options = default_options();
    options.include = include;
    options.include_count = 1;
    options.total = false;
    options.file_limit = 7; /* enough for two counters */
    open_with(&options);
    report_after(10);
    expect_power("package-1", 0, 0);
}

/* --- filter and total ------------------------------------------------------------------------ */

static void test_total_is_over_the_machine_whatever_is_selected(void **state) {
    (void)state;
    static const char *const include[] = {"psys", "total"};
    add_machine();
    struct rapl_options options = default_options();
    options.include = include;
    options.include_count = 2;
    open_with(&options);
    set_joules(PACKAGE, 1100);
    set_joules(DRAM, 3050);
    set_joules(PSYS, 4200);
    report_after(10);
    assert_int_equal(run.report->value_count, 2);
    expect_power("psys", 200, 20);
    expect_power("total", 150, 15);
}

static void test_total_can_be_left_out(void **state) {
    (void)state;
    static const char *const exclude[] = {"total"};
    static const char *const include[] = {"*/dram"};
    add_machine();
    struct rapl_options options = default_options();
    options.total = false;
    open_with(&options);
    report_after(10);
    assert_int_equal(run.report->value_count, 4);
    expect_silence("total");
    rapl_close(run.rapl);
    options.total = true;
    options.exclude = exclude;
    options.exclude_count = 1;
    open_with(&options);
    report_after(10);
    expect_silence("total");
    rapl_close(run.rapl);
    options = default_options();
    options.include = include;
    options.include_count = 1;
    open_with(&options);
    report_after(10);
    assert_int_equal(run.report->value_count, 1);
    expect_power("package-0/dram", 0, 0);
    /* then the other zones are not needed */
    assert_int_equal(run.report->health.zones, 1);
}

static void test_zone_filter_of_nothing_is_told(void **state) {
    (void)state;
    static const char *const include[] = {"pakage-*"};
    add_machine();
    struct rapl_options options = default_options();
    options.include = include;
    options.include_count = 1;
    open_with(&options);
    report_after(10);
    assert_int_equal(run.report->value_count, 0);
    assert_int_equal(next_problem("pakage-*").severity, RAPL_ERROR);
    expect_nothing_told();
}

static void test_series_have_numbers_of_their_own(void **state) {
    (void)state;
    open_machine();
    report_after(1);
    for (size_t i = 0; i < run.report->value_count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(run.report->values[i].series, run.report->values[j].series);
    }
    const size_t psys = find("psys")->series;
    tree_set(run.tree, PACKAGE, "energy_uj", "junk\n");
    report_after(1);
    assert_int_equal(find("psys")->series, psys);
}

/* --- mirrors --------------------------------------------------------------------------------- */

static void test_dies_of_amd_are_counted_once(void **state) {
    (void)state;
    static const char *const ids[] = {"intel-rapl:0", "intel-rapl:1", "intel-rapl:2"};
    struct rapl_zone zone;
    tree_set_vendor(run.tree, "AuthenticAMD");
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char name[32];
        char core[32];
        snprintf(name, sizeof(name), "package-0-die-%zu", i);
        snprintf(core, sizeof(core), "%s:0", ids[i]);
        tree_add_zone(run.tree, ids[i], name, 1000 * JOULE, RANGE_15_UJ);
        tree_add_zone(run.tree, core, "core", 7 * JOULE, RANGE_15_UJ);
    }
    open_default();
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        set_joules(ids[i], 1100);
    report_after(10);
    expect_power("package-0", 100, 10);
    expect_power("total", 100, 10);
    expect_power("package-0-die-1/lead_core", 0, 0);
    assert_string_equal(find("package-0-die-1/lead_core")->domain, "lead_core");
    assert_int_equal(find("package-0")->die_id, RAPL_NO_ID);
    assert_int_equal(run.report->value_count, 5);
    rapl_zone(run.rapl, 2, &zone);
    assert_string_equal(zone.mirrors, "intel-rapl:0");
    /* another die is used while the first one fails */
    tree_set(run.tree, ids[0], "energy_uj", "junk\n");
    set_joules(ids[1], 1200);
    set_joules(ids[2], 1200);
    report_after(10);
    const struct rapl_value *package = find("package-0");
    assert_non_null(package);
    assert_int_equal(package->energy_uj, 200 * JOULE);
}

/* A difference is checked again within the report: both count from where they were still equal, and
 * no energy is lost. */
static void test_dies_that_part_lose_nothing(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 1000 * JOULE, RANGE_61_UJ);
    open_default();
    assert_string_equal(rapl_vendor(run.rapl), "unknown");
    (void)next_problem("vendor");
    set_joules("intel-rapl:0", 1100);
    set_joules("intel-rapl:1", 1100);
    report_after(10);
    assert_int_equal(run.report->value_count, 2);
    expect_power("package-0", 100, 10);
    expect_power("total", 100, 10);
    expect_nothing_told();
    set_joules("intel-rapl:0", 1200);
    set_joules("intel-rapl:1", 1150);
    report_after(10);
    expect_silence("package-0");
    expect_energy_of("package-0-die-0", 100);
    expect_energy_of("package-0-die-1", 50);
    expect_energy_of("total", 250);
    assert_int_equal(run.report->health.rediscoveries, 1);
    (void)next_problem("package-0");
    set_joules("intel-rapl:0", 1300);
    set_joules("intel-rapl:1", 1200);
    report_after(10);
    expect_energy_of("package-0-die-0", 200);
    expect_energy_of("package-0-die-1", 100);
    expect_energy_of("total", 400);
    expect_nothing_told();
}

static void test_dies_that_differ_from_the_start_were_never_one(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0-die-0", 1000 * JOULE, RANGE_61_UJ);
    tree_add_zone(run.tree, "intel-rapl:1", "package-0-die-1", 2000 * JOULE, RANGE_61_UJ);
    open_default();
    report_after(10);
    assert_int_equal(run.report->value_count, 3);
    expect_power("package-0-die-0", 0, 0);
    expect_power("package-0-die-1", 0, 0);
    expect_power("total", 0, 0);
    (void)next_problem("vendor");
    expect_nothing_told();
}

/* --- shared by the options of the plugins ---------------------------------------------------- */

static void test_sources_have_names(void **state) {
    (void)state;
    enum rapl_source source = RAPL_SOURCE_MSR;
    assert_int_equal(rapl_source_from_name("auto", &source), 0);
    assert_int_equal(source, RAPL_SOURCE_AUTO);
    assert_int_equal(rapl_source_from_name("powercap", &source), 0);
    assert_int_equal(source, RAPL_SOURCE_POWERCAP);
    assert_int_equal(rapl_source_from_name("perf", &source), 0);
    assert_int_equal(source, RAPL_SOURCE_PERF);
    assert_int_equal(rapl_source_from_name("msr", &source), 0);
    assert_int_equal(source, RAPL_SOURCE_MSR);
    assert_int_equal(rapl_source_from_name("", &source), -EINVAL);
    assert_int_equal(rapl_source_from_name("Auto", &source), -EINVAL);
}

static void test_watts_from_a_milliwatt_to_a_gigawatt(void **state) {
    (void)state;
    uint64_t power_uw = 7;
    assert_int_equal(rapl_max_power_from_watts(0, &power_uw), -ERANGE);
    assert_int_equal(rapl_max_power_from_watts(-5, &power_uw), -ERANGE);
    assert_int_equal(rapl_max_power_from_watts(0.00099, &power_uw), -ERANGE);
    assert_int_equal(rapl_max_power_from_watts(1.0000001e9, &power_uw), -ERANGE);
    assert_int_equal(rapl_max_power_from_watts((double)NAN, &power_uw), -ERANGE);
    assert_int_equal(rapl_max_power_from_watts((double)INFINITY, &power_uw), -ERANGE);
    assert_int_equal(power_uw, 7);
    assert_int_equal(rapl_max_power_from_watts(0.001, &power_uw), 0);
    assert_int_equal(power_uw, 1000);
    assert_int_equal(rapl_max_power_from_watts(1e9, &power_uw), 0);
    assert_int_equal(power_uw, UINT64_C(1000000000000000));
    assert_int_equal(rapl_max_power_from_watts(0.29, &power_uw), 0);
    assert_int_equal(power_uw, 290000);
}

/* --- ceiling ---------------------------------------------------------------------------------- */

/* A power of 1.2 kW where 1 kW is assumed plausible: nothing is dropped silently, and after ten
 * steps it is accepted. */
static void test_a_package_of_more_than_a_kilowatt(void **state) {
    (void)state;
    struct rapl_problem problem;
    tree_set_vendor(run.tree, "GenuineIntel");
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
    open_default();
    for (uint64_t i = 1; i <= 20; i++) {
        set_joules("intel-rapl:0", i * 12000);
        report_after(10);
        if (i <= 10)
            expect_silence("package-0");
        else
            expect_power("package-0", (i - 10) * 12000, 1200);
        assert_int_equal(take_problem(&problem), i == 1 || i == 10);
        if (i == 10)
            assert_non_null(strstr(problem.reason, "package-0 stepped further than its ceiling "
                                                   "allows 10 times in a row"));
    }
    assert_int_equal(run.report->health.resets, 10);
    /* The counter is still read before half of its range could be used at 4 kW. */
    assert_in_range(rapl_sample_due_ns(run.rapl) - fake_clocks_monotonic_ns(), 32 * NS_PER_S,
                    33 * NS_PER_S);
}

/* --- guard ----------------------------------------------------------------------------------- */

static void test_sample_is_due_before_a_wrap_can_hide(void **state) {
    (void)state;
    open_machine();
    /* dram of 65.5 kJ without limits: 1000 W, 65.5 s to a wrap */
    const uint64_t now_ns = fake_clocks_monotonic_ns();
    const uint64_t due_ns = rapl_sample_due_ns(run.rapl);
    assert_in_range(due_ns - now_ns, 32 * NS_PER_S, 33 * NS_PER_S);
    assert_true(rapl_needs_sampler(run.rapl, 60 * NS_PER_S));
    assert_false(rapl_needs_sampler(run.rapl, 10 * NS_PER_S));
    fake_clocks_pass(30 * NS_PER_S);
    assert_int_equal(rapl_sample_due_ns(run.rapl), due_ns);
    assert_int_equal(rapl_sample(run.rapl), 0);
    assert_int_equal(rapl_sample_due_ns(run.rapl), due_ns + 30 * NS_PER_S);
}

/* Otherwise the sampler thread would never release the handle. */
static void test_no_sample_is_due_right_after_one_that_took_long(void **state) {
    (void)state;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 0, 2 * JOULE); /* wraps within 2 ms */
    tree_add_zone(run.tree, "intel-rapl:1", "package-1", 0, 2 * JOULE);
    open_default();
    assert_int_equal(rapl_sample_due_ns(run.rapl), fake_clocks_monotonic_ns() + NS_PER_S);
    fake_reads_take(9 * NS_PER_S / 10);
    assert_int_equal(rapl_sample(run.rapl), 0);
    assert_int_equal(rapl_sample_due_ns(run.rapl), fake_clocks_monotonic_ns() + NS_PER_S);
}

static void test_no_sample_is_due_where_nothing_reads(void **state) {
    (void)state;
    open_default();
    assert_int_equal(rapl_sample_due_ns(run.rapl), 0);
    assert_false(rapl_needs_sampler(run.rapl, 3600 * NS_PER_S));
    rapl_sampler_hold(NULL);
    rapl_sampler_release(NULL);
    rapl_sampler_stop(NULL);
}

static void test_sample_is_due_after_a_second_at_the_earliest(void **state) {
    (void)state;
    struct rapl_options options = default_options();
    add_machine();
    options.max_power_uw = UINT64_C(1000000000000000);
    open_with(&options);
    /* 65.5 kJ at 4 kW, which no domain draws for long */
    assert_in_range(rapl_sample_due_ns(run.rapl) - fake_clocks_monotonic_ns(), 8 * NS_PER_S,
                    9 * NS_PER_S);
}

/* The real clock and the real thread. */
static void test_sampler_reads_when_it_is_due(void **state) {
    (void)state;
    struct rapl_sampler *sampler = NULL;
    tree_add_zone(run.tree, "intel-rapl:0", "package-0", 0, 2 * JOULE); /* wraps within 2 ms */
    open_default();
    fakes_end();
    assert_int_equal(rapl_sample(run.rapl), 0);
    assert_int_equal(rapl_sampler_start(run.rapl, &sampler), 0);
    uint64_t before_ns = 0;
    unsigned int samples = 0;
    for (int i = 0; i < 1000 && samples < 4; i++) {
        usleep(50000);
        rapl_sampler_hold(sampler);
        const uint64_t due_ns = rapl_sample_due_ns(run.rapl);
        rapl_sampler_release(sampler);
        samples += due_ns != before_ns;
        before_ns = due_ns;
    }
    rapl_sampler_stop(sampler);
    assert_int_equal(samples, 4);
}

/* While no zone can be read, no sample is due; later a report finds a counter. */
static void test_sampler_wakes_when_a_zone_comes_to_read(void **state) {
    (void)state;
    struct rapl_sampler *sampler = NULL;
    tree_add_zone(run.tree, PACKAGE, "package-0", 0, 2 * JOULE); /* wraps within 2 ms */
    tree_write(run.tree, "sys/class/powercap/" PACKAGE "/energy_uj", FAKE_ERRNO, EIO);
    open_default();
    fakes_end();
    assert_int_equal(rapl_sampler_start(run.rapl, &sampler), 0);
    usleep(100000);
    rapl_sampler_hold(sampler);
    assert_int_equal(rapl_sample_due_ns(run.rapl), 0);
    tree_set_energy(run.tree, PACKAGE, JOULE);
    report();
    report();
    const uint64_t due_ns = rapl_sample_due_ns(run.rapl);
    rapl_sampler_release(sampler);
    assert_int_not_equal(due_ns, 0);
    uint64_t next_ns = due_ns;
    for (int i = 0; i < 1000 && next_ns == due_ns; i++) {
        usleep(50000);
        rapl_sampler_hold(sampler);
        next_ns = rapl_sample_due_ns(run.rapl);
        rapl_sampler_release(sampler);
    }
    rapl_sampler_stop(sampler);
    assert_true(next_ns > due_ns);
}

/* Problems found by a sample between two reports are reported with the next report. */
static void test_jump_before_a_sample_is_told(void **state) {
    (void)state;
    struct rapl_problem problem;
    open_machine();
    report_after(10);
    fake_clocks_pass(10 * NS_PER_S);
    set_joules(PACKAGE, 21000);
    assert_int_equal(rapl_sample(run.rapl), 0);
    report_after(10);
    assert_true(take_problem(&problem));
    assert_non_null(strstr(problem.remedy, "MaxPower"));
    assert_false(take_problem(&problem));
    report_after(10);
    assert_false(take_problem(&problem));
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_wrong_options_are_refused),
        IN_TREE(test_root_comes_from_the_environment),
        IN_TREE(test_which_root_is_the_own),
        cmocka_unit_test(test_root_of_the_environment),
        IN_TREE(test_root_that_is_open_already),
        IN_TREE(test_open_that_fails_keeps_the_root_open),
        IN_TREE(test_missing_root_is_a_problem_and_no_error),
        IN_TREE(test_no_zones_are_a_problem_and_no_error),
        IN_TREE(test_zones_are_described),
        IN_TREE(test_every_prompt_is_answered),
        IN_TREE(test_power_is_energy_over_time),
        IN_TREE(test_power_is_ready_after_50_ms),
        IN_TREE(test_whole_joules_take_half_a_second),
        IN_TREE(test_wrap_is_counted_to_the_tick),
        IN_TREE(test_reset_leaves_the_interval_out_and_the_next_goes_on),
        IN_TREE(test_jump_forward_is_a_reset_and_names_max_power),
        IN_TREE(test_max_power_raises_the_ceiling),
        IN_TREE(test_standing_counter_is_no_power),
        IN_TREE(test_interval_in_which_a_wrap_may_hide_is_left_out),
        IN_TREE(test_unknown_range_hides_no_turn),
        IN_TREE(test_psys_of_fine_unit_speaks_every_10_s),
        IN_TREE(test_sample_between_reports_keeps_wraps_from_hiding),
        IN_TREE(test_sleep_counts_energy_and_reports_no_power),
        IN_TREE(test_sleep_before_a_failed_read_gives_no_power),
        IN_TREE(test_psys_that_starts_again_is_no_wrap),
        IN_TREE(test_a_read_that_gave_0),
        IN_TREE(test_failing_zone_leaves_itself_and_the_total_out),
        IN_TREE(test_gap_in_which_a_wrap_may_hide_adds_nothing),
        IN_TREE(test_zone_that_is_removed_and_returns_continues),
        IN_TREE(test_zone_that_returns_for_root_alone_is_looked_for_until_it_reads),
        IN_TREE(test_zone_that_could_not_be_opened_anew_is_back_at_the_next_report),
        IN_TREE(test_sub_zones_that_return_after_their_package_are_not_told_of),
        IN_TREE(test_psys_that_goes_with_the_package_of_its_number_is_told_of),
        IN_TREE(test_zone_without_counter_from_the_start_is_no_member),
        IN_TREE(test_mmio_takes_over_when_the_counter_goes),
        IN_TREE(test_mmio_takes_over_from_a_counter_that_is_listed_still),
        IN_TREE(test_driver_that_is_loaded_late_is_found_within_a_minute),
        IN_TREE(test_change_of_the_online_cpus_makes_it_look_three_times),
        IN_TREE(test_lead_core_that_may_have_moved_starts_anew),
        IN_TREE(test_lead_core_read_at_a_change_is_no_baseline),
        IN_TREE(test_die_that_is_read_later_may_have_its_own_counter),
        IN_TREE(test_die_that_returns_alone_goes_on),
        IN_TREE(test_id_of_a_die_that_is_another_one_now_starts_anew),
        IN_TREE(test_total_waits_for_a_package_that_comes),
        IN_TREE(test_what_a_die_counted_alone_is_counted_once),
        IN_TREE(test_mirror_that_agreed_stands_in),
        IN_TREE(test_mirror_by_another_name_is_not_missed),
        IN_TREE(test_second_counter_of_a_name_has_the_kernels_id),
        IN_TREE(test_total_waits_for_members_of_one_span),
        IN_TREE(test_unselected_member_that_recovers_is_read_again),
        IN_TREE(test_zone_that_read_late_and_goes_leaves_the_total),
        IN_TREE(test_total_is_silent_for_the_interval_in_which_a_package_went),
        IN_TREE(test_zone_bound_within_a_sample_waits_for_the_next),
        IN_TREE(test_core_zone_waits_until_the_vendor_is_known),
        IN_TREE(test_vendor_that_becomes_known_without_memory),
        IN_TREE(test_sleep_does_not_part_mirrors),
        IN_TREE(test_power_is_ready_when_a_selected_series_is),
        IN_TREE(test_shift_of_the_indices_mixes_up_nothing),
        IN_TREE(test_ids_that_shift_between_two_reports_mix_up_nothing),
        IN_TREE(test_sub_zone_has_the_ceiling_of_the_package_that_is_there),
        IN_TREE(test_selected_mirrors_come_before_what_nobody_selected),
        IN_TREE(test_total_is_over_the_machine_whatever_is_selected),
        IN_TREE(test_total_can_be_left_out),
        IN_TREE(test_zone_filter_of_nothing_is_told),
        IN_TREE(test_series_have_numbers_of_their_own),
        IN_TREE(test_dies_of_amd_are_counted_once),
        IN_TREE(test_dies_that_part_lose_nothing),
        IN_TREE(test_dies_that_differ_from_the_start_were_never_one),
        cmocka_unit_test(test_sources_have_names),
        cmocka_unit_test(test_watts_from_a_milliwatt_to_a_gigawatt),
        IN_TREE(test_a_package_of_more_than_a_kilowatt),
        IN_TREE(test_sample_is_due_before_a_wrap_can_hide),
        IN_TREE(test_no_sample_is_due_right_after_one_that_took_long),
        IN_TREE(test_no_sample_is_due_where_nothing_reads),
        IN_TREE(test_sample_is_due_after_a_second_at_the_earliest),
        IN_TREE(test_sampler_reads_when_it_is_due),
        IN_TREE(test_sampler_wakes_when_a_zone_comes_to_read),
        IN_TREE(test_jump_before_a_sample_is_told),
    };
    return cmocka_run_group_tests_name("rapl", tests, NULL, NULL);
}
