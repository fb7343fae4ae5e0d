/* SPDX-License-Identifier: MIT */
/* Every allocation fails once: the call returns -ENOMEM or copes, and no data is lost. */
#include <errno.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "line_protocol.h"
#include "options.h"
#include "rapl.h"
#include "tree.h"
#include "values.h"

/* More allocations than any call below makes. */
#define ALLOCATIONS_MAX 2000

static void add_machine(const struct tree *tree) {
    tree_add_zone(tree, "intel-rapl:0", "package-0-die-0", 100, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 100, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-0-die-1", 100, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:2", "psys", 100, RANGE_1_J);
    tree_add_zone(tree, "intel-rapl:3", "package-1", 100, RANGE_61_UJ);
    tree_set(tree, "intel-rapl:3", "energy_uj", "junk\n");
}

static struct rapl_options options_of(const struct tree *tree) {
    static const char *const patterns[] = {"*", "*/*"};
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = tree->path;
    options.include = patterns;
    options.include_count = COUNT_OF(patterns);
    options.sample_interval_ns = NS_PER_S;
    return options;
}

static void test_open_without_memory(void **state) {
    const struct tree *tree = *state;
    const struct rapl_options options = options_of(tree);
    const size_t before = tree_count_descriptors();
    add_machine(tree);
    for (int i = 0; i < ALLOCATIONS_MAX; i++) {
        struct rapl *rapl = NULL;
        fake_memory_fails_at(i);
        const int error = rapl_open(&options, &rapl);
        const bool failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (error == 0)
            rapl_close(rapl);
        else
            assert_int_equal(error, -ENOMEM);
        assert_int_equal(tree_count_descriptors(), before);
        if (!failed) {
            assert_int_equal(error, 0);
            return;
        }
    }
    fail_msg("it never ends");
}

/* An interval with rediscovery, zones that come and go, and mirrors that diverge. */
static void test_report_without_memory(void **state) {
    const struct tree *tree = *state;
    const struct rapl_options options = options_of(tree);
    bool failed = true;
    add_machine(tree);
    for (int i = 0; i < ALLOCATIONS_MAX && failed; i++) {
        struct rapl *rapl = NULL;
        const struct rapl_report *report = NULL;
        fake_clocks_stop();
        tree_set_energy(tree, "intel-rapl:1", 100);
        tree_set_energy(tree, "intel-rapl:2", 100);
        assert_int_equal(rapl_open(&options, &rapl), 0);
        fake_clocks_pass(60 * NS_PER_S);
        tree_drop_zone(tree, "intel-rapl:0:0");
        tree_add_zone(tree, "intel-rapl:4", "package-2", 100, RANGE_61_UJ);
        tree_add_zone(tree, "intel-rapl:4:0", "dram", 100, RANGE_61_UJ);
        tree_set_energy(tree, "intel-rapl:1", UINT64_C(99000000));
        tree_set_energy(tree, "intel-rapl:2", 107);
        fake_memory_fails_at(i);
        const int error = rapl_report(rapl, &report);
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (error != 0) {
            assert_int_equal(error, -ENOMEM);
            /* the interval continues, and the zones keep their identity */
            assert_int_equal(rapl_sample(rapl), 0);
            fake_clocks_pass(NS_PER_S);
            assert_int_equal(rapl_report(rapl, &report), 0);
        }
        const struct rapl_value *psys = find_value(report, "psys");
        assert_non_null(psys);
        assert_int_equal(psys->energy_uj, 7);
        fake_clocks_pass(60 * NS_PER_S);
        assert_int_equal(rapl_report(rapl, &report), 0);
        assert_non_null(find_value(report, "package-2"));
        assert_non_null(find_value(report, "package-2/dram"));
        rapl_close(rapl);
        tree_drop_zone(tree, "intel-rapl:4:0");
        tree_drop_zone(tree, "intel-rapl:4");
        tree_add_zone(tree, "intel-rapl:0:0", "dram", 100, RANGE_61_UJ);
    }
    assert_false(failed);
}

/* Every discovery reopens an incomplete zone and its sub-zones. A sub-zone whose opening was cut
 * short has no reading, never 0. */
static void test_look_at_what_lacks_without_memory(void **state) {
    const struct tree *tree = *state;
    const struct rapl_options options = options_of(tree);
    const uint64_t joule = 1000000;
    bool failed = true;
    for (int i = 0; i < ALLOCATIONS_MAX && failed; i++) {
        struct rapl *rapl = NULL;
        const struct rapl_report *report = NULL;
        fake_clocks_stop();
        tree_add_zone(tree, "intel-rapl:0", "package-0", 9 * joule, 0);
        tree_add_zone(tree, "intel-rapl:0:0", "dram", RANGE_61_UJ - joule, RANGE_61_UJ);
        assert_int_equal(rapl_open(&options, &rapl), 0);
        fake_clocks_pass(60 * NS_PER_S);
        tree_add_zone(tree, "intel-rapl:1", "package-1", 9 * joule, RANGE_61_UJ);
        fake_memory_fails_at(i);
        const int error = rapl_report(rapl, &report);
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (error != 0)
            assert_int_equal(rapl_sample(rapl), 0);
        /* without a range, a gap hides an unknown amount: the second interval is complete again */
        for (int j = 0; j < 2; j++) {
            fake_clocks_pass(NS_PER_S);
            assert_int_equal(rapl_report(rapl, &report), 0);
        }
        assert_int_equal(find_value(report, "package-0")->energy_uj, 0);
        assert_int_equal(find_value(report, "package-0/dram")->energy_uj, 0);
        assert_int_equal(find_value(report, "package-1")->energy_uj, 0);
        assert_int_equal(report->health.resets, 0);
        rapl_close(rapl);
        tree_drop_zone(tree, "intel-rapl:0:0");
        tree_drop_zone(tree, "intel-rapl:0");
        tree_drop_zone(tree, "intel-rapl:1");
    }
    assert_false(failed);
}

static void test_lines_without_memory(void **state) {
    (void)state;
    static char key[] = "rack";
    static char text[] = "4";
    const struct tag tag = {.key = key, .value = text};
    const struct rapl_value values[] = {
        {.series = 3, .domain = "psys", .package_id = -1, .die_id = -1, .core_id = -1},
        {.series = 0, .domain = "total", .package_id = -1, .die_id = -1, .core_id = -1},
    };
    const struct rapl_report report = {
        .values = values, .value_count = COUNT_OF(values), .health = {.source = "powercap"}};
    bool failed = true;
    for (int i = 0; i < ALLOCATIONS_MAX && failed; i++) {
        struct line_writer writer;
        line_writer_open(&writer, &tag, 1, (struct line_fields){.energy = true, .health = true});
        fake_memory_fails_at(i);
        int error = line_writer_format(&writer, &report);
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (failed) {
            assert_int_equal(error, -ENOMEM);
            assert_int_equal(writer.length, 0);
            error = line_writer_format(&writer, &report);
        }
        assert_int_equal(error, 0);
        assert_true(writer.length > 0 && writer.length <= writer.text_size);
        line_writer_close(&writer);
    }
    assert_false(failed);
}

static void test_options_without_memory(void **state) {
    (void)state;
    static char words[][32] = {"rapl-execd", "--tag=rack=4", "--tag=row=5", "--include=psys"};
    char *list[] = {words[0], words[1], words[2], words[3], NULL};
    bool failed = true;
    for (int i = 0; i < ALLOCATIONS_MAX && failed; i++) {
        struct execd_options options;
        char problem[256] = "";
        fake_memory_fails_at(i);
        const int error = options_parse(4, list, &options, problem, sizeof(problem));
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (failed)
            assert_true(error == -ENOMEM || (error == -EINVAL && problem[0] != '\0'));
        else
            assert_int_equal(error, 0);
        options_free(&options);
    }
    assert_false(failed);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_open_without_memory),
        IN_TREE(test_report_without_memory),
        IN_TREE(test_look_at_what_lacks_without_memory),
        cmocka_unit_test(test_lines_without_memory),
        cmocka_unit_test(test_options_without_memory),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
