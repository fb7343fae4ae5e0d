/* SPDX-License-Identifier: MIT */
/* Which series zones feed after they turned out to share one counter, or to be several. */
#include <errno.h>

#include "binding_bench.h"
#include "cmocka_all.h"
#include "fakes.h"

#define JOULE UINT64_C(1000000)

static void show(struct bench *bench, const struct zone *zone, uint64_t joules, uint64_t second) {
    set(bench, zone, joules * JOULE, second * NS_PER_S + (uint64_t)(zone - bench->zones) * 1000);
}

static void break_read(struct bench *bench, const struct zone *zone) {
    bench->readings[zone - bench->zones] = (struct reading){.error = -EIO};
}

/* All zones show the same values. */
static void share(struct bench *bench, uint64_t seconds) {
    bind(bench);
    for (uint64_t second = 1; second <= seconds; second++) {
        for (size_t i = 0; i < bench->source.zone_count; i++)
            show(bench, &bench->zones[i], second * 10, second);
        take_all(bench);
    }
}

static uint64_t joules(const struct bench *bench, const char *name) {
    const struct series *of = series(bench, name);
    assert_non_null(of);
    return of->energy_uj / JOULE;
}

static void test_pairs_of_dies_are_two_packages(void **state) {
    struct bench *bench = *state;
    const char *const names[] = {"package-0-die-0", "package-0-die-1", "package-0-die-2",
                                 "package-0-die-3"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        add(bench, names[i], -1);
    bind(bench);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        show(bench, &bench->zones[i], i < 2 ? 10 : 500, 1);
    take_all(bench);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_int_equal(series(bench, "package-0-die-2")->zone_count, 2);
    assert_int_equal(live_count(bench), 2);
}

static void test_difference_is_withheld_while_other_zones_change(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    share(bench, 3);
    struct zone *third = add(bench, "package-1-die-0", -1);
    struct zone *fourth = add(bench, "package-1-die-1", -1);
    bind(bench);
    show(bench, first, 40, 4);
    show(bench, second, 90, 4);
    show(bench, third, 7, 4);
    show(bench, fourth, 7, 4);
    take_all(bench);
    assert_int_equal(series(bench, "package-1")->zone_count, 2);
    assert_true(series(bench, "package-0")->withheld);
    assert_int_equal(joules(bench, "package-0"), 20);
}

/* The first die's dram was read before the second die appeared, its package was not. */
static struct zone *share_dram(struct bench *bench, struct zone **second_package) {
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *dram = add(bench, "dram", 0);
    bind(bench);
    break_read(bench, first);
    show(bench, dram, 10, 1);
    take_all(bench);
    series(bench, "package-0-die-0/dram")->was_reported = true;
    *second_package = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    bind(bench);
    for (size_t i = 0; i < 4; i++)
        show(bench, &bench->zones[i], 20, 2);
    take_all(bench);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_int_equal(series(bench, "package-0-die-0/dram")->zone_count, 2);
    return second_dram;
}

static void test_parts_of_one_package_stay_one_by_another_name(void **state) {
    struct bench *bench = *state;
    struct zone *package;
    share_dram(bench, &package);
    bind(bench);
    assert_int_equal(series(bench, "package-0-die-0/dram")->zone_count, 2);
    assert_int_equal(live_count(bench), 2);
}

static void test_part_stays_when_its_package_is_lost(void **state) {
    struct bench *bench = *state;
    struct zone *package;
    share_dram(bench, &package);
    package->error = -ENODEV;
    bind(bench);
    assert_int_equal(series(bench, "package-0")->zone_count, 1);
    assert_int_equal(series(bench, "package-0-die-0/dram")->zone_count, 2);
}

/* While its own package cannot be read, it is unknown whether both dram zones are part of one
 * package. */
static void test_part_waits_for_its_package(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *dram = add(bench, "dram", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    bind(bench);
    for (uint64_t i = 1; i <= 3; i++) {
        show(bench, first, i * 10, i);
        break_read(bench, second);
        show(bench, dram, i * 10, i);
        show(bench, second_dram, i * 10, i);
        take_all(bench);
        assert_true(series(bench, "package-0-die-1/dram")->withheld);
    }
    assert_int_equal(joules(bench, "package-0-die-0/dram"), 20);
    assert_int_equal(joules(bench, "package-0-die-1/dram"), 0);
}

static void test_second_counter_of_a_name_returns_to_its_series(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "psys-1", -1);
    struct zone *second = add(bench, "psys-1", -1);
    bind(bench);
    show(bench, first, 10, 1);
    show(bench, second, 900, 1);
    take_all(bench);
    expect_fed(bench, "psys-1-intel-rapl:1", second);
    first->identified = second->identified = false;
    bind(bench);
    second->identified = true;
    bind(bench);
    expect_fed(bench, "psys-1-intel-rapl:1", second);
    assert_int_equal(series(bench, "psys-1")->zone_count, 0);
}

/* In a virtual machine: the series has the name of a zone that was not the first to be read. */
static void test_zone_keeps_the_series_that_has_its_name(void **state) {
    struct bench *bench = *state;
    bench->binding.is_virtual = true;
    struct zone *other = add(bench, "package-1", -1);
    struct zone *named = add(bench, "package-0", -1);
    bind(bench);
    break_read(bench, other);
    show(bench, named, 0, 0);
    take_all(bench);
    share(bench, 3);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    for (uint64_t i = 4; i <= 5; i++) {
        show(bench, other, 30 + (i - 3) * 10, i);
        show(bench, named, 30 + (i - 3) * 25, i);
        take_all(bench);
    }
    expect_fed(bench, "package-0", named);
    expect_fed(bench, "package-1", other);
    assert_null(series(bench, "package-0-intel-rapl:1"));
}

static void test_what_parts_after_a_sleep_begins_after_it(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    share(bench, 3);
    show(bench, first, 40, 4);
    show(bench, second, 90, 4);
    take_all(bench);
    assert_true(series(bench, "package-0")->withheld);
    binding_sleep(&bench->binding, &bench->source);
    assert_false(series(bench, "package-0")->withheld);
    show(bench, first, 50, 5);
    show(bench, second, 150, 5);
    take_all(bench);
    assert_int_equal(joules(bench, "package-0-die-1"), 0);
    show(bench, first, 60, 6);
    show(bench, second, 160, 6);
    take_all(bench);
    assert_int_equal(joules(bench, "package-0-die-1"), 10);
}

/* Both were reset, and they diverge before the resets are decided. */
static void test_what_parts_while_undecided_begins_there(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    share(bench, 3);
    show(bench, first, 5, 4);
    show(bench, second, 5, 4);
    take_all(bench);
    assert_int_equal(series(bench, "package-0")->counter.low.count, 1);
    for (uint64_t i = 5; i <= 6; i++) {
        show(bench, first, (i - 4) * 20, i);
        show(bench, second, (i - 4) * 60, i);
        take_all(bench);
    }
    expect_fed(bench, "package-0-die-0", first);
    assert_int_equal(joules(bench, "package-0-die-0"), 0);
}

/* Neither the total nor any package is selected. */
static void test_known_zone_is_read_beside_a_new_one(void **state) {
    static const char *const psys[] = {"psys"};
    struct bench *bench = *state;
    assert_int_equal(zone_filter_open(&bench->zone_filter, psys, 1, NULL, 0), 0);
    bench->binding.sums[0]->selected = false;
    struct zone *first = add(bench, "package-0-die-0", -1);
    bind(bench);
    assert_false(first->wanted);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    assert_true(second->wanted);
    assert_true(first->wanted);
    show(bench, first, 10, 1);
    show(bench, second, 10, 1);
    take_all(bench);
    assert_ptr_equal(first->series, second->series);
    assert_false(first->wanted);
}

static void test_zone_that_lost_its_name_is_compared_again(void **state) {
    struct bench *bench = *state;
    add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    share(bench, 2);
    assert_int_equal(second->counter, ZONE_COUNTER_SHARED);
    second->identified = false;
    bind(bench);
    second->identified = true;
    bind(bench);
    assert_int_equal(second->counter, ZONE_COUNTER_UNKNOWN);
}

/* Zones are joined although their earlier energies differed. */
static void test_what_joined_begins_no_earlier_than_that(void **state) {
    struct bench *bench = *state;
    bench->binding.is_virtual = true;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    for (uint64_t i = 1; i <= 12; i++) {
        show(bench, first, 500 + i * 10, i);
        show(bench, second, i * 10, i);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 1);
    const uint64_t before = joules(bench, "package-1");
    for (uint64_t i = 13; i <= 14; i++) {
        show(bench, first, 500 + i * 10, i);
        show(bench, second, 120 + (i - 12) * 70, i);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(joules(bench, "package-1") - before, 140);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOUND(test_pairs_of_dies_are_two_packages),
        BOUND(test_difference_is_withheld_while_other_zones_change),
        BOUND(test_parts_of_one_package_stay_one_by_another_name),
        BOUND(test_part_stays_when_its_package_is_lost),
        BOUND(test_part_waits_for_its_package),
        BOUND(test_second_counter_of_a_name_returns_to_its_series),
        BOUND(test_zone_keeps_the_series_that_has_its_name),
        BOUND(test_what_parts_after_a_sleep_begins_after_it),
        BOUND(test_what_parts_while_undecided_begins_there),
        BOUND(test_known_zone_is_read_beside_a_new_one),
        BOUND(test_zone_that_lost_its_name_is_compared_again),
        BOUND(test_what_joined_begins_no_earlier_than_that),
    };
    return cmocka_run_group_tests_name("parting", tests, NULL, NULL);
}
