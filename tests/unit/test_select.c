/* SPDX-License-Identifier: MIT */
#include "zone/zone_filter.h"

#include <errno.h>
#include <string.h>

#include "cmocka_all.h"

static bool selects(const char *include, const char *exclude, const char *name) {
    struct zone_filter zone_filter;
    assert_int_equal(zone_filter_open(&zone_filter, &include, include != NULL ? 1 : 0, &exclude,
                                      exclude != NULL ? 1 : 0),
                     0);
    const bool matches = zone_filter_matches(&zone_filter, name);
    zone_filter_close(&zone_filter);
    return matches;
}

static void test_no_pattern_is_everything(void **state) {
    (void)state;
    assert_true(selects(NULL, NULL, "package-0"));
    assert_true(selects(NULL, NULL, "package-0/dram"));
    assert_true(selects(NULL, NULL, "total"));
}

static void test_include_is_all_there_is(void **state) {
    (void)state;
    assert_true(selects("package-0", NULL, "package-0"));
    assert_false(selects("package-0", NULL, "package-01"));
    assert_false(selects("package-0", NULL, "package-1"));
    assert_false(selects("package-0", NULL, "total"));
}

static void test_star_does_not_cross_the_slash(void **state) {
    (void)state;
    assert_true(selects("package-*", NULL, "package-1"));
    assert_true(selects("package-*", NULL, "package-1-die-0"));
    assert_false(selects("package-*", NULL, "package-1/dram"));
    assert_true(selects("*/dram", NULL, "package-1/dram"));
    assert_true(selects("*/dram", NULL, "package-1-die-0/dram"));
    assert_false(selects("*/dram", NULL, "dram"));
    assert_true(selects("package-[01]/core", NULL, "package-1/core"));
    assert_false(selects("package-?/core", NULL, "package-10/core"));
    assert_false(selects("*", NULL, "package-0/core"));
}

static void test_exclude_wins(void **state) {
    (void)state;
    assert_false(selects(NULL, "psys", "psys"));
    assert_true(selects(NULL, "psys", "psys-1"));
    assert_false(selects("package-0", "package-0", "package-0"));
    assert_false(selects("*/*", "*/core", "package-0/core"));
    assert_true(selects("*/*", "*/core", "package-0/uncore"));
}

static void test_any_pattern_is_enough(void **state) {
    (void)state;
    static const char *const include[] = {"package-0", "*/dram", "total"};
    static const char *const exclude[] = {"package-1/*", "total"};
    struct zone_filter zone_filter;
    assert_int_equal(zone_filter_open(&zone_filter, include, 3, exclude, 2), 0);
    assert_true(zone_filter_matches(&zone_filter, "package-0"));
    assert_true(zone_filter_matches(&zone_filter, "package-0/dram"));
    assert_false(zone_filter_matches(&zone_filter, "package-1/dram"));
    assert_false(zone_filter_matches(&zone_filter, "total"));
    assert_false(zone_filter_matches(&zone_filter, "psys"));
    zone_filter_close(&zone_filter);
}

static void test_patterns_are_copied(void **state) {
    (void)state;
    char pattern[] = "psys";
    const char *patterns[] = {pattern};
    struct zone_filter zone_filter;
    assert_int_equal(zone_filter_open(&zone_filter, patterns, 1, NULL, 0), 0);
    strcpy(pattern, "none");
    patterns[0] = "nothing";
    assert_true(zone_filter_matches(&zone_filter, "psys"));
    zone_filter_close(&zone_filter);
}

static void test_empty_pattern_is_refused(void **state) {
    (void)state;
    static const char *const good[] = {"package-0", "psys"};
    static const char *const bad[] = {"package-0", ""};
    struct zone_filter zone_filter;
    assert_int_equal(zone_filter_open(&zone_filter, bad, 2, good, 2), -EINVAL);
    assert_int_equal(zone_filter_open(&zone_filter, good, 2, bad, 2), -EINVAL);
    assert_int_equal(zone_filter_open(&zone_filter, bad, 1, good, 2), 0);
    zone_filter_close(&zone_filter);
}

static void test_closing_twice_is_harmless(void **state) {
    (void)state;
    static const char *const patterns[] = {"psys"};
    struct zone_filter zone_filter;
    assert_int_equal(zone_filter_open(&zone_filter, patterns, 1, patterns, 1), 0);
    zone_filter_close(&zone_filter);
    zone_filter_close(&zone_filter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_pattern_is_everything),
        cmocka_unit_test(test_include_is_all_there_is),
        cmocka_unit_test(test_star_does_not_cross_the_slash),
        cmocka_unit_test(test_exclude_wins),
        cmocka_unit_test(test_any_pattern_is_enough),
        cmocka_unit_test(test_patterns_are_copied),
        cmocka_unit_test(test_empty_pattern_is_refused),
        cmocka_unit_test(test_closing_twice_is_harmless),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
