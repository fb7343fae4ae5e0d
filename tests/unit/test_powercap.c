/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "source/source.h"
#include "system/error.h"
#include "system/sysfs.h"
#include "tree.h"

#define WATT UINT64_C(1000000)

/* A source on a temporary tree. */
struct bench {
    struct tree *tree;
    struct source *source;
    struct problems problems;
    struct cpu_model model;
};

static struct bench bench;

static struct source *open_source(uint64_t max_power_uw) {
    const struct source_options options = {
        .root = bench.tree->root, .max_power_uw = max_power_uw, .model = bench.model};
    return powercap_open(&options);
}

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    bench = (struct bench){
        .tree = tree, .problems = {.root = "/"}, .model = {.vendor = CPU_VENDOR_INTEL}};
    bench.source = open_source(0);
    *state = bench.tree;
    return bench.source != NULL ? 0 : -1;
}

static int teardown(void **state) {
    fakes_end();
    bench.source->operations->close(bench.source);
    problems_free(&bench.problems);
    return tree_teardown(state);
}

static void open_with_max_power(uint64_t max_power_uw) {
    bench.source->operations->close(bench.source);
    bench.source = open_source(max_power_uw);
    assert_non_null(bench.source);
}

static void open_on(struct cpu_model model) {
    bench.source->operations->close(bench.source);
    bench.model = model;
    bench.source = open_source(0);
    assert_non_null(bench.source);
}

static int discover(void) {
    return bench.source->operations->discover(bench.source, &bench.problems);
}

static void sample(void) {
    bench.source->operations->sample(bench.source);
}

static const struct zone *zone(const char *id) {
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        if (strcmp(bench.source->zones[i]->id, id) == 0)
            return bench.source->zones[i];
    }
    fail_msg("%s was not found", id);
    return NULL;
}

static const struct reading *reading(const char *id) {
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        if (strcmp(bench.source->zones[i]->id, id) == 0)
            return &bench.source->readings[i];
    }
    fail_msg("%s was not found", id);
    return NULL;
}

static void expect_ids(const char *const *ids, size_t count) {
    assert_int_equal(bench.source->zone_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(bench.source->zones[i]->id, ids[i]);
}

static void expect_told(const char *part) {
    struct rapl_problem problem;
    assert_true(problems_next(&bench.problems, &problem));
    if (strstr(problem.reason, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.reason, part);
}

static void expect_nothing_told(void) {
    struct rapl_problem problem;
    if (problems_next(&bench.problems, &problem))
        fail_msg("\"%s\"", problem.reason);
}

/* --- layouts --------------------------------------------------------------------------------- */

static void test_zones_of_two_packages(void **state) {
    const struct tree *tree = *state;
    static const char *const ids[] = {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1",
                                      "intel-rapl:1", "intel-rapl:1:0"};
    tree_add_zone(tree, "intel-rapl:1", "package-1", 30, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1:0", "dram", 40, RANGE_15_UJ);
    tree_add_zone(tree, "intel-rapl:0:1", "dram", 20, RANGE_15_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 15, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    expect_ids(ids, COUNT_OF(ids));
    const struct zone *dram = zone("intel-rapl:1:0");
    assert_true(dram->identified);
    assert_int_equal(dram->identity.kind, ZONE_DRAM);
    assert_int_equal(dram->identity.package_id, 1);
    assert_int_equal(dram->range_uj, RANGE_15_UJ);
    assert_int_equal(dram->traits.modulus, counter_modulus(RANGE_15_UJ));
    assert_int_equal(counter_to_uj(dram->traits.scale, 12345), 12345);
    assert_string_equal(dram->path, "sys/class/powercap/intel-rapl:1:0/energy_uj");
    assert_int_equal(dram->control, 0);
    assert_int_equal(dram->error, 0);
    sample();
    assert_int_equal(reading("intel-rapl:0")->ticks, 10);
    assert_int_equal(reading("intel-rapl:1:0")->ticks, 40);
    assert_int_equal(discover(), 0);
    expect_nothing_told();
}

static void test_ids_are_hexadecimal_and_in_their_order(void **state) {
    const struct tree *tree = *state;
    static const char *const ids[] = {"intel-rapl:1",   "intel-rapl:2",      "intel-rapl:9",
                                      "intel-rapl:a",   "intel-rapl:a:0",    "intel-rapl:a:1",
                                      "intel-rapl:a:b", "intel-rapl:a:10",   "intel-rapl:f",
                                      "intel-rapl:10",  "intel-rapl-mmio:0", "intel-rapl-tpmi:0"};
    static const size_t order[] = {11, 9, 3, 8, 10, 0, 7, 2, 5, 1, 4, 6};
    char name[32];
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        snprintf(name, sizeof(name), "package-%zu", order[i]);
        tree_add_zone(tree, ids[order[i]], name, 1, RANGE_61_UJ);
    }
    assert_int_equal(discover(), 1);
    expect_ids(ids, COUNT_OF(ids));
    /* the a is hexadecimal for ten, and :a:10 is a sub-zone of :a, not of :10 */
    assert_int_equal(zone("intel-rapl:a:10")->identity.package_id, 3);
}

static void test_control_types_keep_their_numbers(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl-tpmi:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    const uint32_t tpmi = zone("intel-rapl-tpmi:0")->control;
    assert_int_not_equal(tpmi, 0);
    tree_add_zone(tree, "intel-rapl-mmio:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl-mmio:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    /* 0 is intel-rapl itself */
    assert_int_equal(zone("intel-rapl:0")->control, 0);
    assert_int_equal(zone("intel-rapl-tpmi:0")->control, tpmi);
    assert_int_not_equal(zone("intel-rapl-mmio:0")->control, 0);
    assert_int_not_equal(zone("intel-rapl-mmio:0")->control, tpmi);
    assert_int_equal(zone("intel-rapl-mmio:1")->control, zone("intel-rapl-mmio:0")->control);
}

static void test_what_is_not_rapl_is_ignored(void **state) {
    const struct tree *tree = *state;
    static const char *const names[] = {
        "dtpm",          "dtpm:0",        "intel-rapl",           "intel-rapl:",
        "intel-rapl:g",  "intel-rapl:0:", "intel-rapl::0",        "intel-rapl:0:x",
        "intel-rapl:A",  "intel-raplx:0", "intel-rapl:123456789", "idle:0",
        "xintel-rapl:0", "intel-rapl:0 ", "intel-rapl-a\nb:0",    "intel-rapl-\x1b[m:0"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "sys/class/powercap/%s/name", names[i]);
        tree_write(tree, path, "package-0\n");
    }
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
    expect_nothing_told();
}

static void test_class_that_is_missing_or_empty(void **state) {
    const struct tree *tree = *state;
    assert_int_equal(discover(), 0);
    expect_told("/sys/class/powercap: No such file or directory");
    tree_make_folder(tree, "sys/class/powercap");
    assert_int_equal(discover(), 0);
    expect_told("/sys/class/powercap");
    expect_told("holds no RAPL zone");
    tree_make_folder(tree, "sys/class/powercap/dtpm");
    assert_int_equal(discover(), 0);
    expect_nothing_told();
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    expect_told("holds no RAPL zone");
    expect_nothing_told();
    sample();
}

/* --- changes --------------------------------------------------------------------------------- */

static void test_zones_come_and_go(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 2, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    const struct zone *kept = zone("intel-rapl:0");
    tree_drop_zone(tree, "intel-rapl:1");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
    assert_int_equal(discover(), 0);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 3, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_ptr_equal(zone("intel-rapl:0"), kept);
    sample();
    assert_int_equal(reading("intel-rapl:1")->ticks, 3);
}

static void test_zone_that_has_gone_is_opened_anew(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(tree_count_descriptors(), before + 2);
    tree_set(tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, -ENODEV);
    assert_int_equal(zone("intel-rapl:0")->error, -ENODEV);
    assert_int_equal(tree_count_descriptors(), before + 1);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, -ENODEV);
    /* after a hotplug the id may belong to another zone */
    tree_set(tree, "intel-rapl:0", "name", "package-1\n");
    tree_set_energy(tree, "intel-rapl:0", 77);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0")->identity.package_id, 1);
    assert_int_equal(zone("intel-rapl:0:0")->identity.package_id, 1);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    assert_int_equal(reading("intel-rapl:0")->ticks, 77);
    assert_int_equal(tree_count_descriptors(), before + 2);
}

static void test_read_error_that_may_pass_keeps_the_file(void **state) {
    const struct tree *tree = *state;
    static const int errors[] = {EIO, EINVAL, ENODATA};
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    const size_t before = tree_count_descriptors();
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        tree_set(tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, errors[i]);
        sample();
        assert_int_equal(reading("intel-rapl:0")->error, -errors[i]);
        assert_int_equal(tree_count_descriptors(), before);
    }
    tree_set_energy(tree, "intel-rapl:0", 5);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    assert_int_equal(reading("intel-rapl:0")->ticks, 5);
}

static void test_zones_stay_while_the_class_cannot_be_listed(void **state) {
    const struct tree *tree = *state;
    struct rlimit limit;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* no descriptor is available, for a moment */
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    (void)discover();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(bench.source->zone_count, 1);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    expect_told("/sys/class/powercap: Too many open files");
}

static void test_list_that_is_cut_short_takes_no_zone_away(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    for (unsigned int i = 0; i < 6; i++) {
        fake_readdir_fails(EIO, i);
        assert_int_equal(discover(), 0);
        assert_int_equal(bench.source->zone_count, 2);
    }
    fake_readdir_fails(0, 0);
    expect_told("/sys/class/powercap: Input/output error");
    expect_nothing_told();
    assert_int_equal(discover(), 0);
    expect_told("/sys/class/powercap: Input/output error"); /* resolved */
    expect_nothing_told();
}

static void test_unwanted_zone_is_not_read(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 7, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    bench.source->zones[0]->wanted = false;
    bench.source->readings[0].ticks = 4711;
    sample();
    assert_int_equal(bench.source->readings[0].ticks, 4711);
}

static void test_readings_are_stamped_between_the_reads(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    fake_clocks_stop();
    fake_clocks_pass(123456789);
    sample();
    assert_int_equal(reading("intel-rapl:0")->time_ns, fake_clocks_raw_ns());
    assert_int_equal(reading("intel-rapl:1")->time_ns, fake_clocks_raw_ns());
}

/* --- incomplete zones ------------------------------------------------------------------------ */

static void test_one_bad_zone_never_costs_another(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:3", "package-3", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:4", "package-4", 44, RANGE_61_UJ);
    tree_set(tree, "intel-rapl:0", "energy_uj", "junk\n");
    tree_set(tree, "intel-rapl:1", "energy_uj", "%s", "");
    tree_remove(tree, "sys/class/powercap/intel-rapl:2/energy_uj");
    tree_remove(tree, "sys/class/powercap/intel-rapl:3/energy_uj");
    tree_make_fifo(tree, "sys/class/powercap/intel-rapl:3/energy_uj");
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, SYSFS_NOT_A_NUMBER);
    assert_int_equal(reading("intel-rapl:1")->error, SYSFS_EMPTY);
    assert_int_equal(reading("intel-rapl:2")->error, -ENOENT);
    assert_int_equal(reading("intel-rapl:3")->error, SYSFS_NOT_REGULAR);
    assert_int_equal(reading("intel-rapl:4")->error, 0);
    assert_int_equal(reading("intel-rapl:4")->ticks, 44);
    for (size_t i = 0; i < 5; i++)
        assert_true(bench.source->zones[i]->identified);
}

static void test_zone_without_a_name_is_left_out(void **state) {
    const struct tree *tree = *state;
    char name[80];
    memset(name, 'n', sizeof(name));
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_remove(tree, "sys/class/powercap/intel-rapl:0/name");
    assert_int_equal(discover(), 1);
    assert_false(zone("intel-rapl:0")->identified);
    assert_false(zone("intel-rapl:0:0")->identified);
    assert_int_equal(zone("intel-rapl:0:0")->error, ZONE_WITHOUT_PARENT);
    assert_true(zone("intel-rapl:1")->identified);
    expect_told("/sys/class/powercap/intel-rapl:0/name: No such file or directory");
    expect_nothing_told(); /* no message about the sub-zone: it is the same cause */
    tree_set(tree, "intel-rapl:0", "name", "\n");
    (void)discover();
    assert_int_equal(zone("intel-rapl:0")->error, SYSFS_EMPTY);
    tree_write_bytes(tree, "sys/class/powercap/intel-rapl:0/name", name, sizeof(name));
    (void)discover();
    assert_int_equal(zone("intel-rapl:0")->error, SYSFS_TOO_LONG);
    tree_set(tree, "intel-rapl:0", "name", "package-0\n");
    assert_int_equal(discover(), 1);
    assert_true(zone("intel-rapl:0")->identified);
    assert_true(zone("intel-rapl:0:0")->identified);
}

static void test_sub_zone_without_its_parent_is_left_out(void **state) {
    const struct tree *tree = *state;
    tree_write(tree, "sys/class/powercap/intel-rapl:3:0/name", "dram\n");
    tree_write(tree, "sys/class/powercap/intel-rapl:3:0/energy_uj", "1\n");
    assert_int_equal(discover(), 1);
    assert_false(zone("intel-rapl:3:0")->identified);
    expect_told("its parent zone cannot be identified");
}

static void test_link_that_leads_nowhere_is_told_as_such(void **state) {
    const struct tree *tree = *state;
    tree_make_link(tree, "sys/class/powercap/intel-rapl:0",
                   "../../devices/virtual/powercap/intel-rapl/intel-rapl:0");
    tree_make_link(tree, "sys/class/powercap/intel-rapl:1",
                   "../../devices/virtual/powercap/intel-rapl/intel-rapl:1");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 2);
    assert_false(zone("intel-rapl:0")->identified);
    expect_told("/sys/class/powercap/intel-rapl:0 (and 1 more): the link leads nowhere");
    expect_nothing_told();
}

static void drop_package_1(void) {
    tree_drop_zone(bench.tree, "intel-rapl:1");
}

/* The driver was unloaded, or the CPUs went, between the listing and discovery. */
static void test_zone_that_goes_while_it_is_looked_at_has_no_fault(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    fake_before_openat2("sys/class/powercap/intel-rapl:1/name", drop_package_1);
    assert_int_equal(discover(), 1);
    assert_true(zone("intel-rapl:0")->identified);
    assert_false(zone("intel-rapl:1")->identified);
    expect_nothing_told();
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
    expect_nothing_told();
}

static void test_entry_that_is_no_folder(void **state) {
    const struct tree *tree = *state;
    tree_write(tree, "sys/class/powercap/intel-rapl:0", "text\n");
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_false(zone("intel-rapl:0")->identified);
    assert_true(zone("intel-rapl:1")->identified);
    expect_told("/sys/class/powercap/intel-rapl:0/name: Not a directory");
    expect_nothing_told();
}

static void test_range_that_cannot_be_told_leaves_no_modulus(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, 0);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, 0);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, 0);
    tree_set(tree, "intel-rapl:1", "max_energy_range_uj", "-1\n");
    tree_set(tree, "intel-rapl:2", "max_energy_range_uj", "18446744073709551616\n");
    assert_int_equal(discover(), 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(bench.source->zones[i]->traits.modulus, 0);
        assert_int_equal(bench.source->zones[i]->range_uj, 0);
        assert_int_equal(bench.source->zones[i]->error, 0);
    }
    expect_told("/sys/class/powercap/intel-rapl:0/max_energy_range_uj: No such file");
    expect_told("/sys/class/powercap/intel-rapl:1/max_energy_range_uj: does not hold a number");
    expect_told("/sys/class/powercap/intel-rapl:2/max_energy_range_uj: holds a number of more");
    expect_nothing_told();
}

/* A temporary failure costs a zone nothing permanently. */
static void test_range_and_limits_that_could_not_be_read_are_read_again(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_set(tree, "intel-rapl:0", "max_energy_range_uj", FAKE_ERRNO, EIO);
    tree_set(tree, "intel-rapl:0", "constraint_0_max_power_uw", FAKE_ERRNO, EINTR);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0")->traits.modulus, 0);
    assert_int_equal(discover(), 0);
    expect_told("/sys/class/powercap/intel-rapl:0/constraint_0_max_power_uw: Interrupted");
    expect_told("/sys/class/powercap/intel-rapl:0/max_energy_range_uj: Input/output error");
    expect_nothing_told();
    tree_set(tree, "intel-rapl:0", "max_energy_range_uj", "%" PRIu64 "\n", RANGE_61_UJ);
    tree_set(tree, "intel-rapl:0", "constraint_0_max_power_uw", "100000000\n");
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0")->range_uj, RANGE_61_UJ);
    assert_int_equal(zone("intel-rapl:0")->traits.ceiling_uw, 400 * WATT);
    expect_told("constraint_0_max_power_uw"); /* both are resolved */
    expect_told("max_energy_range_uj");
    expect_nothing_told();
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    assert_int_equal(discover(), 0);
}

/* Some distributions set whole zones to mode 0400. If the counter cannot be read either, the
 * message names its file. */
static void test_counter_that_does_not_read_is_named_before_its_range(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 1, RANGE_61_UJ);
    for (int i = 0; i < 2; i++) {
        const char *id = i == 0 ? "intel-rapl:0" : "intel-rapl:0:0";
        tree_set(tree, id, "energy_uj", FAKE_ERRNO, EACCES);
        tree_set(tree, id, "max_energy_range_uj", FAKE_ERRNO, EACCES);
        tree_set(tree, id, "constraint_0_max_power_uw", FAKE_ERRNO, EACCES);
    }
    (void)discover();
    assert_int_equal(zone("intel-rapl:0")->error, -EACCES);
    assert_int_equal(zone("intel-rapl:0:0")->error, -EACCES);
    assert_null(problems_first_reason(&bench.problems));
    /* once it can be read, the others are what is missing */
    tree_set(tree, "intel-rapl:0", "energy_uj", "1\n");
    (void)discover();
    assert_int_equal(zone("intel-rapl:0")->error, 0);
    expect_told("intel-rapl:0/constraint_0_max_power_uw: Permission denied");
    expect_told("intel-rapl:0/max_energy_range_uj: Permission denied");
    expect_nothing_told();
}

static void take_zone(void) {
    tree_set(bench.tree, "intel-rapl:0", "max_energy_range_uj", FAKE_ERRNO, ENODEV);
    tree_set(bench.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, ENODEV);
}

/* The driver removes the zone after its counter was opened. */
static void test_zone_that_goes_before_its_range_is_read_has_no_fault(void **state) {
    tree_add_zone(*state, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    fake_before_openat2("max_energy_range_uj", take_zone);
    (void)discover();
    assert_int_equal(zone("intel-rapl:0")->error, -ENODEV);
    expect_nothing_told();
}

static int become(void *context, bool raised) {
    (void)context;
    return seteuid(raised ? 0 : 65534);
}

static void test_whole_zone_is_read_with_the_rights_of_its_energy(void **state) {
    static const char *const attributes[] = {"name", "energy_uj", "max_energy_range_uj",
                                             "constraint_0_max_power_uw"};
    static const char folder[] = "sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/";
    const struct tree *tree = *state;
    const struct source_options options = {.root = tree->root, .privilege = {.change = become}};
    tree_add_zone(tree, "intel-rapl:0", "package-0", 4711, RANGE_61_UJ);
    tree_set(tree, "intel-rapl:0", "constraint_0_max_power_uw", "100000000\n");
    for (size_t i = 0; i < COUNT_OF(attributes); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", folder, attributes[i]);
        tree_set_mode(tree, path, 0400);
    }
    bench.source->operations->close(bench.source);
    bench.source = powercap_open(&options);
    assert_non_null(bench.source);
    if (geteuid() != 0 || seteuid(65534) != 0)
        skip();
    const int changed = discover();
    sample();
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(changed, 1);
    expect_nothing_told();
    assert_string_equal(zone("intel-rapl:0")->id, "intel-rapl:0");
    assert_int_equal(zone("intel-rapl:0")->range_uj, RANGE_61_UJ);
    assert_int_equal(zone("intel-rapl:0")->traits.ceiling_uw, 400 * WATT);
    assert_int_equal(reading("intel-rapl:0")->ticks, 4711);
}

static void test_range_of_zero_is_told_in_words(void **state) {
    const struct tree *tree = *state;
    struct rapl_problem problem;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, 0);
    tree_set(tree, "intel-rapl:0", "max_energy_range_uj", "0\n");
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0")->traits.modulus, 0);
    assert_true(problems_next(&bench.problems, &problem));
    assert_non_null(strstr(problem.reason, "intel-rapl:0/max_energy_range_uj"));
    assert_null(strstr(problem.reason, "Success"));
}

/* --- ceiling --------------------------------------------------------------------------------- */

static void set_limit(const char *id, const char *attribute, uint64_t uw) {
    tree_set(bench.tree, id, attribute, "%" PRIu64 "\n", uw);
}

static void expect_ceiling(const char *id, uint64_t watts) {
    assert_int_equal(zone(id)->traits.ceiling_uw, watts * WATT);
}

static void test_ceiling_is_four_times_the_largest_limit(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 125 * WATT);
    set_limit("intel-rapl:0", "constraint_1_power_limit_uw", 150 * WATT);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 95 * WATT);
    set_limit("intel-rapl:1", "constraint_2_max_power_uw", 205 * WATT);
    set_limit("intel-rapl:2", "constraint_9_power_limit_uw", 300 * WATT);
    set_limit("intel-rapl:2", "constraint_10_power_limit_uw", 400 * WATT);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 600);
    expect_ceiling("intel-rapl:1", 820);
    expect_ceiling("intel-rapl:2", 1200);
    expect_nothing_told();
}

/* A TDP of 28 W beside a limit of 200 W, as laptop firmware sets it, and beside the largest values
 * of the fields of PL4 and PL1. */
static void test_ceiling_is_four_times_the_tdp_where_one_is_known(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    set_limit("intel-rapl:0", "constraint_0_max_power_uw", 28 * WATT);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 200 * WATT);
    set_limit("intel-rapl:1", "constraint_0_max_power_uw", 125 * WATT);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 4095875000);
    set_limit("intel-rapl:1", "constraint_2_power_limit_uw", 1023875000);
    set_limit("intel-rapl:2", "constraint_0_power_limit_uw", 65 * WATT);
    set_limit("intel-rapl:2", "constraint_2_power_limit_uw", 1023875000);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 250);
    expect_ceiling("intel-rapl:1", 500);
    expect_ceiling("intel-rapl:2", 260);
    assert_int_equal(zone("intel-rapl:0")->traits.most_uw, 1000 * WATT);
    assert_int_equal(zone("intel-rapl:1")->traits.most_uw, 2000 * WATT);
}

static void test_ceiling_is_at_least_250_watts(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 15 * WATT);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 62 * WATT);
    set_limit("intel-rapl:2", "constraint_0_power_limit_uw", 63 * WATT);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 250);
    expect_ceiling("intel-rapl:1", 250);
    expect_ceiling("intel-rapl:2", 252);
}

static void test_limits_of_3_kw_and_more_tell_nothing(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 3000 * WATT);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 4095 * WATT);
    set_limit("intel-rapl:1", "constraint_1_power_limit_uw", 100 * WATT);
    set_limit("intel-rapl:2", "constraint_0_power_limit_uw", 3000 * WATT - 1);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 1000);
    expect_ceiling("intel-rapl:1", 400);
    assert_int_equal(zone("intel-rapl:2")->traits.ceiling_uw, 4 * (3000 * WATT - 1));
}

static void test_ceiling_is_1000_watts_where_nothing_is_known(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "package-2", 1, RANGE_61_UJ);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 0);
    tree_set(tree, "intel-rapl:2", "constraint_0_max_power_uw", FAKE_ERRNO, ENODATA);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 1000);
    expect_ceiling("intel-rapl:1", 1000);
    expect_ceiling("intel-rapl:2", 1000);
    expect_nothing_told();
}

static void test_limit_that_holds_no_number_is_told(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_set(tree, "intel-rapl:0", "constraint_0_power_limit_uw", "unlimited\n");
    set_limit("intel-rapl:0", "constraint_1_power_limit_uw", 100 * WATT);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 400);
    expect_told("constraint_0_power_limit_uw: does not hold a number");
    expect_nothing_told();
}

static void test_core_and_uncore_have_the_ceiling_of_their_package(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:1", "uncore", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:2", "dram", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:3", "gpu", 1, RANGE_61_UJ);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 200 * WATT);
    set_limit("intel-rapl:0:0", "constraint_0_power_limit_uw", 10 * WATT);
    set_limit("intel-rapl:0:2", "constraint_0_power_limit_uw", 70 * WATT);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 800);
    expect_ceiling("intel-rapl:0:0", 800);
    expect_ceiling("intel-rapl:0:1", 800);
    expect_ceiling("intel-rapl:0:2", 280);
    expect_ceiling("intel-rapl:0:3", 1000);
}

static void test_max_power_replaces_all_but_psys(void **state) {
    const struct tree *tree = *state;
    open_with_max_power(42 * WATT);
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:1", "dram", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "psys", 1, RANGE_1_J);
    tree_add_zone(tree, "intel-rapl:2", "psys-1", 1, RANGE_1_J);
    set_limit("intel-rapl:0", "constraint_0_power_limit_uw", 200 * WATT);
    set_limit("intel-rapl:1", "constraint_0_power_limit_uw", 200 * WATT);
    assert_int_equal(discover(), 1);
    expect_ceiling("intel-rapl:0", 42);
    expect_ceiling("intel-rapl:0:0", 42);
    expect_ceiling("intel-rapl:0:1", 42);
    assert_int_equal(zone("intel-rapl:0")->traits.most_uw, 0);
    assert_int_equal(zone("intel-rapl:1")->traits.most_uw, 0);
    expect_ceiling("intel-rapl:1", 50000);
    expect_ceiling("intel-rapl:2", 50000);
}

static void test_nothing_stays_open(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    tree_add_zone(tree, "intel-rapl:0", "package-0", 1, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 1, RANGE_61_UJ);
    tree_remove(tree, "sys/class/powercap/intel-rapl:1/name");
    for (int i = 0; i < 5; i++)
        assert_true(discover() >= 0);
    assert_int_equal(tree_count_descriptors(), before + 1);
    open_with_max_power(0);
    assert_int_equal(tree_count_descriptors(), before);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* --- limits ---------------------------------------------------------------------------------- */

static void add_packages(const struct tree *tree) {
    for (int i = 0; i < 3; i++) {
        char id[32];
        char name[32];
        snprintf(id, sizeof(id), "intel-rapl:%d", i);
        snprintf(name, sizeof(name), "package-%d", i);
        tree_add_zone(tree, id, name, 10, RANGE_61_UJ);
        snprintf(id, sizeof(id), "intel-rapl:%d:0", i);
        tree_add_zone(tree, id, "core", 5, RANGE_61_UJ);
    }
}

static void test_packages_come_before_cores(void **state) {
    const size_t before = tree_count_descriptors();
    add_packages(*state);
    bench.source->limit.files = 4;
    assert_int_equal(discover(), 1);
    assert_int_equal(tree_count_descriptors(), before + 4);
    assert_int_equal(bench.source->file_count, 4);
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        const struct zone *each = bench.source->zones[i];
        const bool left =
            strcmp(each->id, "intel-rapl:1:0") == 0 || strcmp(each->id, "intel-rapl:2:0") == 0;
        assert_int_equal(each->error, left ? ZONE_WITHOUT_FILE : 0);
    }
    expect_told("2 counters are left out, such as package-1/core: at most 4 open files");
    expect_nothing_told();
    assert_int_equal(discover(), 0);
    assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    expect_nothing_told();
}

/* A zone that does not open needs no descriptor. */
static void test_a_zone_that_does_not_open_leaves_its_place(void **state) {
    const struct tree *tree = *state;
    add_packages(tree);
    tree_remove(tree, "sys/class/powercap/intel-rapl:1/energy_uj");
    bench.source->limit.files = 4;
    discover();
    assert_int_equal(zone("intel-rapl:1")->error, -ENOENT);
    assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    assert_int_equal(zone("intel-rapl:1:0")->error, 0);
    assert_int_equal(zone("intel-rapl:2:0")->error, ZONE_WITHOUT_FILE);
    assert_int_equal(bench.source->file_count, 4);
    assert_int_equal(discover(), 0);
    assert_int_equal(zone("intel-rapl:1:0")->error, 0);
}

/* A core zone whose own package could not be opened. */
static void test_a_core_has_the_ceiling_of_a_package_that_is_left_out(void **state) {
    const struct tree *tree = *state;
    add_packages(tree);
    tree_set(tree, "intel-rapl:0", "constraint_0_max_power_uw", "%d\n", 100000000);
    tree_remove(tree, "sys/class/powercap/intel-rapl:0/energy_uj");
    discover();
    assert_int_equal(zone("intel-rapl:0:0")->traits.ceiling_uw, 400 * WATT);
}

static void test_a_core_makes_way_for_a_package(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    add_packages(tree);
    bench.source->limit.files = 5;
    discover();
    assert_int_equal(zone("intel-rapl:1:0")->error, 0);
    tree_add_zone(tree, "intel-rapl:3", "package-3", 10, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:3")->error, 0);
    assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    assert_int_equal(zone("intel-rapl:1:0")->error, ZONE_WITHOUT_FILE);
    assert_int_equal(tree_count_descriptors(), before + 5);
    assert_int_equal(discover(), 0);
}

/* --- the processor --------------------------------------------------------------------------- */

#define RANGE_15_3_UJ UINT64_C(65712999613)
#define TURN (UINT64_C(1) << 32)

/* Linux before 6.1 shows dram in units of 15.3 uJ, although it counts 2^-14 J. */
static void test_dram_of_sapphire_rapids_counts_as_its_register(void **state) {
    const struct tree *tree = *state;
    open_on((struct cpu_model){.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x8F});
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 12345 * 153 / 10, RANGE_15_3_UJ);
    assert_int_equal(discover(), 1);
    const struct zone *dram = zone("intel-rapl:0:0");
    assert_non_null(dram->fault);
    assert_int_equal(dram->traits.modulus, TURN);
    assert_int_equal(dram->traits.unit, 1);
    assert_int_equal(counter_to_uj(dram->traits.scale, TURN), (TURN * 1000000) >> 14);
    assert_int_equal(dram->range_uj, UINT64_C(262143999938));
    sample();
    assert_int_equal(reading("intel-rapl:0:0")->ticks, 12345);
    tree_set_energy(tree, "intel-rapl:0:0", RANGE_15_3_UJ);
    sample();
    assert_int_equal(reading("intel-rapl:0:0")->ticks, TURN - 1);
    assert_null(zone("intel-rapl:0")->fault);
    assert_int_equal(reading("intel-rapl:0")->ticks, 10);
    /* The kernel is replaced: the zone is a different one. */
    tree_drop_zone(tree, "intel-rapl:0:0");
    assert_int_equal(discover(), 1);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 777, RANGE_61_UJ);
    assert_int_equal(discover(), 1);
    sample();
    assert_null(zone("intel-rapl:0:0")->fault);
    assert_int_equal(reading("intel-rapl:0:0")->ticks, 777);
}

static void test_dram_of_other_models_counts_as_it_is_shown(void **state) {
    const struct tree *tree = *state;
    static const struct cpu_model models[] = {
        {CPU_VENDOR_INTEL, 6, 0x6A, false},
        {CPU_VENDOR_INTEL, 6, 0x55, false},
        {CPU_VENDOR_AMD, 6, 0x8F, false},
        {CPU_VENDOR_UNKNOWN, 0, 0, false},
    };
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 777, RANGE_15_3_UJ);
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        open_on(models[i]);
        assert_int_equal(discover(), 1);
        sample();
        assert_null(zone("intel-rapl:0:0")->fault);
        assert_int_equal(reading("intel-rapl:0:0")->ticks, 777);
        assert_int_equal(zone("intel-rapl:0:0")->range_uj, RANGE_15_3_UJ);
    }
}

/* AMD's core zone is one core, Intel's covers all cores. */
static void test_core_zone_of_nobody_knows_whom_is_left_out(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    open_on((struct cpu_model){.vendor = CPU_VENDOR_UNKNOWN});
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_15_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 20, RANGE_15_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0:0")->error, ZONE_WITHOUT_VENDOR);
    assert_false(zone("intel-rapl:0:0")->identified);
    assert_int_equal(zone("intel-rapl:0")->error, 0);
    assert_int_equal(tree_count_descriptors(), before + 1);
    assert_int_equal(discover(), 0);
    sample();
    assert_int_equal(reading("intel-rapl:0:0")->error, ZONE_WITHOUT_VENDOR);
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    /* A zone that AMD's driver never creates identifies Intel, and that stays known. */
    tree_add_zone(tree, "intel-rapl:0:1", "uncore", 30, RANGE_15_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    tree_drop_zone(tree, "intel-rapl:0:1");
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    assert_true(zone("intel-rapl:0:0")->identified);
}

static void test_zones_that_only_intels_driver_makes(void **state) {
    const struct tree *tree = *state;
    static const char *const zones[][2] = {{"intel-rapl:0:1", "dram"},
                                           {"intel-rapl:0:1", "uncore"},
                                           {"intel-rapl:1", "psys"},
                                           {"intel-rapl-mmio:0", "package-0"}};
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_15_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "core", 20, RANGE_15_UJ);
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        open_on((struct cpu_model){.vendor = CPU_VENDOR_UNKNOWN});
        tree_add_zone(tree, zones[i][0], zones[i][1], 30, RANGE_15_UJ);
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("intel-rapl:0:0")->error, 0);
        tree_drop_zone(tree, zones[i][0]);
    }
    open_on((struct cpu_model){.vendor = CPU_VENDOR_UNKNOWN});
    tree_add_zone(tree, "intel-rapl:1", "package-1", 30, RANGE_15_UJ);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("intel-rapl:0:0")->error, ZONE_WITHOUT_VENDOR);
    for (enum cpu_vendor vendor = CPU_VENDOR_INTEL; vendor <= CPU_VENDOR_HYGON; vendor++) {
        open_on((struct cpu_model){.vendor = vendor});
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("intel-rapl:0:0")->error, 0);
    }
}

static void test_a_read_that_takes_long_says_nothing(void **state) {
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 10, RANGE_61_UJ);
    fake_clocks_stop();
    discover();
    fake_reads_take(NS_PER_S);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
    fake_reads_take(NS_PER_S + 1);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, SOURCE_READ_TOO_LONG);
    assert_int_equal(zone("intel-rapl:0")->error, SOURCE_READ_TOO_LONG);
    fake_reads_take(0);
    sample();
    assert_int_equal(reading("intel-rapl:0")->error, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_zones_of_two_packages),
        IN_TREE(test_ids_are_hexadecimal_and_in_their_order),
        IN_TREE(test_control_types_keep_their_numbers),
        IN_TREE(test_what_is_not_rapl_is_ignored),
        IN_TREE(test_class_that_is_missing_or_empty),
        IN_TREE(test_zones_come_and_go),
        IN_TREE(test_zone_that_has_gone_is_opened_anew),
        IN_TREE(test_read_error_that_may_pass_keeps_the_file),
        IN_TREE(test_zones_stay_while_the_class_cannot_be_listed),
        IN_TREE(test_list_that_is_cut_short_takes_no_zone_away),
        IN_TREE(test_unwanted_zone_is_not_read),
        IN_TREE(test_readings_are_stamped_between_the_reads),
        IN_TREE(test_one_bad_zone_never_costs_another),
        IN_TREE(test_zone_without_a_name_is_left_out),
        IN_TREE(test_sub_zone_without_its_parent_is_left_out),
        IN_TREE(test_link_that_leads_nowhere_is_told_as_such),
        IN_TREE(test_zone_that_goes_while_it_is_looked_at_has_no_fault),
        IN_TREE(test_entry_that_is_no_folder),
        IN_TREE(test_range_that_cannot_be_told_leaves_no_modulus),
        IN_TREE(test_range_and_limits_that_could_not_be_read_are_read_again),
        IN_TREE(test_counter_that_does_not_read_is_named_before_its_range),
        IN_TREE(test_zone_that_goes_before_its_range_is_read_has_no_fault),
        IN_TREE(test_whole_zone_is_read_with_the_rights_of_its_energy),
        IN_TREE(test_range_of_zero_is_told_in_words),
        IN_TREE(test_ceiling_is_four_times_the_largest_limit),
        IN_TREE(test_ceiling_is_four_times_the_tdp_where_one_is_known),
        IN_TREE(test_ceiling_is_at_least_250_watts),
        IN_TREE(test_limits_of_3_kw_and_more_tell_nothing),
        IN_TREE(test_ceiling_is_1000_watts_where_nothing_is_known),
        IN_TREE(test_limit_that_holds_no_number_is_told),
        IN_TREE(test_core_and_uncore_have_the_ceiling_of_their_package),
        IN_TREE(test_max_power_replaces_all_but_psys),
        IN_TREE(test_nothing_stays_open),
        IN_TREE(test_packages_come_before_cores),
        IN_TREE(test_a_zone_that_does_not_open_leaves_its_place),
        IN_TREE(test_a_core_has_the_ceiling_of_a_package_that_is_left_out),
        IN_TREE(test_a_core_makes_way_for_a_package),
        IN_TREE(test_dram_of_sapphire_rapids_counts_as_its_register),
        IN_TREE(test_dram_of_other_models_counts_as_it_is_shown),
        IN_TREE(test_core_zone_of_nobody_knows_whom_is_left_out),
        IN_TREE(test_zones_that_only_intels_driver_makes),
        IN_TREE(test_a_read_that_takes_long_says_nothing),
    };
    return cmocka_run_group_tests_name("powercap", tests, NULL, NULL);
}
