/* SPDX-License-Identifier: MIT */
#include "binding_bench.h"

#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"

/* --- series ---------------------------------------------------------------------------------- */

static void test_each_zone_feeds_a_series(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    struct zone *core = add(bench, "core", 0);
    struct zone *dram = add(bench, "dram", 0);
    struct zone *psys = add(bench, "psys", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 5);
    expect_fed(bench, "package-0", package);
    expect_fed(bench, "package-0/core", core);
    expect_fed(bench, "package-0/dram", dram);
    expect_fed(bench, "psys", psys);
    expect_fed(bench, "package-1", second);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(bench->binding.series[i]->number, i + 1);
        assert_true(bench->zones[i].wanted);
        assert_true(bench->zones[i].reported);
        assert_null(bench->zones[i].shown);
    }
    assert_string_equal(core->name, "package-0/core");
    assert_string_equal(series(bench, "package-0/core")->parent, "package-0");
    assert_int_equal(told(bench, ""), 0);
}

static void test_series_stays_when_zones_move(void **state) {
    struct bench *bench = *state;
    add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    struct series *kept = series(bench, "package-1");
    set(bench, second, 100, NS_PER_S);
    take_all(bench);
    /* psys has taken an index below it */
    struct zone swapped = bench->zones[0];
    bench->zones[0] = bench->zones[1];
    bench->zones[1] = swapped;
    bind(bench);
    assert_ptr_equal(series(bench, "package-1"), kept);
    expect_fed(bench, "package-1", &bench->zones[0]);
    assert_int_equal(kept->number, 2);
    assert_true(kept->counter.has_baseline);
    assert_false(kept->lost);
}

static void test_series_stays_while_its_zone_is_missing(void **state) {
    struct bench *bench = *state;
    add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    set(bench, second, 100, NS_PER_S);
    take_all(bench);
    bench->source.zone_count = 1;
    bind(bench);
    struct series *missing = series(bench, "package-1");
    assert_non_null(missing);
    assert_false(missing->present);
    assert_false(missing->ended);
    assert_int_equal(missing->zone_count, 0);
    bench->source.zone_count = 2;
    bind(bench);
    expect_fed(bench, "package-1", second);
    assert_true(missing->counter.has_baseline);
    assert_false(missing->lost);
}

static void test_unidentified_zone_feeds_nothing(void **state) {
    struct bench *bench = *state;
    add(bench, "package-0", -1);
    struct zone *nameless = add(bench, "package-1", -1);
    nameless->identified = false;
    nameless->wanted = true;
    bind(bench);
    assert_int_equal(bench->binding.series_count, 1);
    assert_false(nameless->wanted);
    assert_false(nameless->reported);
}

static void test_traits_follow_the_zone(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    bind(bench);
    package->traits.modulus = 4242;
    package->traits.ceiling_uw = 99;
    bind(bench);
    assert_int_equal(series(bench, "package-0")->traits.modulus, 4242);
    assert_int_equal(series(bench, "package-0")->traits.ceiling_uw, 99);
}

/* --- selection ------------------------------------------------------------------------------- */

static void test_members_of_the_total_are_read_whatever_is_selected(void **state) {
    struct bench *bench = *state;
    static const char *const patterns[] = {"psys"};
    assert_int_equal(zone_filter_open(&bench->zone_filter, patterns, 1, NULL, 0), 0);
    struct zone *package = add(bench, "package-0", -1);
    struct zone *core = add(bench, "core", 0);
    struct zone *dram = add(bench, "dram", 0);
    struct zone *psys = add(bench, "psys", -1);
    bind(bench);
    assert_true(package->wanted && !package->reported);
    assert_true(dram->wanted && !dram->reported);
    assert_true(!core->wanted && !core->reported);
    assert_true(psys->wanted && psys->reported);
    assert_false(series(bench, "package-0")->selected);
    assert_true(series(bench, "psys")->selected);
    /* without a total, only selected series are read */
    bench->binding.sums[0]->selected = false;
    bind(bench);
    assert_false(package->wanted);
    assert_false(dram->wanted);
    assert_true(psys->wanted);
}

/* --- mmio ------------------------------------------------------------------------------------ */

static void test_mmio_is_shown_by_intel_rapl(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 1);
    expect_fed(bench, "package-0", package);
    assert_ptr_equal(mmio->shown, package);
    assert_false(mmio->wanted);
    assert_false(mmio->reported);
    assert_int_equal(told(bench, ""), 0);
}

static void test_mmio_serves_what_intel_rapl_lacks(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0", -1);
    struct zone *dram = add_mmio(bench, "dram", 1);
    bind(bench);
    expect_fed(bench, "package-0", package);
    assert_false(mmio->wanted);
    expect_fed(bench, "package-0/dram", dram);
    assert_true(dram->wanted);
}

static void test_mmio_takes_over_from_a_zone_without_counter(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0", -1);
    bind(bench);
    set(bench, package, 1000, NS_PER_S);
    take_all(bench);
    package->error = -ENODEV;
    bind(bench);
    struct series *taken = series(bench, "package-0");
    expect_fed(bench, "package-0", mmio);
    /* another counter feeds it: the interval is lost, the energy continues */
    assert_true(taken->lost);
    assert_false(taken->counter.has_baseline);
    /* the zone is still read, so that its error is reported */
    assert_true(package->wanted);
    assert_false(package->reported);
    package->error = 0;
    taken->lost = false;
    set(bench, mmio, 77, 2 * NS_PER_S);
    take_all(bench);
    bind(bench);
    expect_fed(bench, "package-0", package);
    assert_true(taken->lost);
}

static void test_mmio_does_not_take_over_from_a_failing_zone(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0", -1);
    package->error = -EACCES;
    bind(bench);
    expect_fed(bench, "package-0", package);
    assert_false(mmio->wanted);
}

/* A zone of another control type that has a name of its own. */
static void test_dies_of_two_control_types_are_not_compared(void **state) {
    struct bench *bench = *state;
    struct zone *package = add(bench, "package-0-die-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0-die-1", -1);
    bind(bench);
    set(bench, package, 1000, NS_PER_S);
    set(bench, mmio, 1000, NS_PER_S);
    take_all(bench);
    expect_fed(bench, "package-0-die-0", package);
    expect_fed(bench, "package-0-die-1", mmio);
}

/* --- sums ------------------------------------------------------------------------------------ */

static struct zone *add_core(struct bench *bench, int parent, int core_id) {
    struct zone *zone = add(bench, "core", parent);
    zone->identity.core_id = core_id;
    return zone;
}

static void test_cores_are_added_up_by_package(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_AMD;
    add(bench, "package-0", -1);
    add(bench, "package-1", -1);
    struct zone *first = add_core(bench, 0, 0);
    first->identity.die_id = 3;
    add_core(bench, 0, 1);
    add_core(bench, 1, 0);
    bind(bench);
    assert_int_equal(bench->binding.sum_count, 3);
    assert_string_equal(bench->binding.sums[0]->name, "total");
    assert_string_equal(bench->binding.sums[1]->name, "package-0/core");
    assert_string_equal(bench->binding.sums[2]->name, "package-1/core");
    assert_ptr_equal(series(bench, "package-0-die-3-core-0/core")->sum, bench->binding.sums[1]);
    assert_ptr_equal(series(bench, "package-0-core-1/core")->sum, bench->binding.sums[1]);
    assert_ptr_equal(series(bench, "package-1-core-0/core")->sum, bench->binding.sums[2]);
    assert_ptr_equal(series(bench, "package-1")->sum, bench->binding.sums[0]);
    /* single cores are not selected, but are read for their sum */
    assert_false(first->reported);
    assert_true(first->wanted);
    bench->binding.sums[1]->selected = false;
    bind(bench);
    assert_false(first->wanted);
    /* each has a number of its own */
    assert_int_not_equal(bench->binding.sums[1]->number, series(bench, "package-0")->number);
}

static void test_single_cores_are_reported_when_asked_for(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_AMD;
    bench->binding.cores = true;
    add(bench, "package-0", -1);
    struct zone *core = add_core(bench, 0, 5);
    bind(bench);
    assert_true(core->reported);
    assert_true(series(bench, "package-0-core-5/core")->selected);
}

/* A series that is not reported gets no memory for samples. */
static void test_what_is_selected_has_a_window(void **state) {
    struct bench *bench = *state;
    static const char *const include[] = {"package-0", "package-1/core"};
    assert_int_equal(zone_filter_open(&bench->zone_filter, include, COUNT_OF(include), NULL, 0), 0);
    add(bench, "package-0", -1);
    add(bench, "dram", 0);
    bind(bench);
    assert_null(series(bench, "package-0")->window);
    bench->binding.windows = true;
    bind(bench);
    const struct window *window = series(bench, "package-0")->window;
    assert_non_null(window);
    assert_null(series(bench, "package-0/dram")->window);
    const struct zone *package = add(bench, "package-1", -1);
    add_core(bench, (int)(package - bench->zones), 0);
    bind(bench);
    assert_ptr_equal(series(bench, "package-0")->window, window);
    assert_null(series(bench, "package-1-core-0/core")->window);
    assert_int_equal(bench->binding.sum_count, 2);
    assert_non_null(bench->binding.sums[1]->window);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOUND(test_each_zone_feeds_a_series),
        BOUND(test_series_stays_when_zones_move),
        BOUND(test_series_stays_while_its_zone_is_missing),
        BOUND(test_unidentified_zone_feeds_nothing),
        BOUND(test_traits_follow_the_zone),
        BOUND(test_members_of_the_total_are_read_whatever_is_selected),
        BOUND(test_mmio_is_shown_by_intel_rapl),
        BOUND(test_mmio_serves_what_intel_rapl_lacks),
        BOUND(test_mmio_takes_over_from_a_zone_without_counter),
        BOUND(test_mmio_does_not_take_over_from_a_failing_zone),
        BOUND(test_dies_of_two_control_types_are_not_compared),
        BOUND(test_cores_are_added_up_by_package),
        BOUND(test_single_cores_are_reported_when_asked_for),
        BOUND(test_what_is_selected_has_a_window),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
