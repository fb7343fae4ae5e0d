/* SPDX-License-Identifier: MIT */
#include "binding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"

#define ZONES_MAX 16
#define CEILING_UW UINT64_C(250000000)

/* A source whose zones are made up, and what is bound to it. */
struct bench {
    struct zone zones[ZONES_MAX];
    struct zone *list[ZONES_MAX];
    struct reading readings[ZONES_MAX];
    struct source source;
    struct selection selection;
    struct binding binding;
    struct problems problems;
    struct rapl_health health;
};

static int setup(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return -1;
    bench->source.zones = bench->list;
    bench->source.readings = bench->readings;
    bench->binding.vendor = CPU_VENDOR_INTEL;
    if (binding_open(&bench->binding, &bench->selection, true, false) != 0)
        return -1;
    bench->problems.root = "/";
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    binding_free(&bench->binding);
    problems_free(&bench->problems);
    selection_close(&bench->selection);
    for (size_t i = 0; i < bench->source.zone_count; i++)
        free(bench->zones[i].id);
    free(bench);
    fakes_end();
    return 0;
}

/* The next zone, in the order of ids; parent: the index of its parent's, or -1. */
static struct zone *add(struct bench *bench, const char *name, int parent) {
    const size_t index = bench->source.zone_count++;
    struct zone *zone = &bench->zones[index];
    assert_true(index < ZONES_MAX);
    zone->id = malloc(32);
    assert_non_null(zone->id);
    snprintf(zone->id, 32, "intel-rapl:%zx", index);
    zone->identified = true;
    assert_int_equal(
        zone_identify(name, parent >= 0 ? &bench->zones[parent].identity : NULL, &zone->identity),
        0);
    zone->traits = (struct counter_traits){.modulus = 1000000000,
                                           .scale = {.numerator_uj = 1, .denominator = 1},
                                           .ceiling_uw = CEILING_UW};
    bench->list[index] = zone;
    return zone;
}

static struct zone *add_mmio(struct bench *bench, const char *name, int parent) {
    struct zone *zone = add(bench, name, parent);
    zone->control = 1;
    snprintf(zone->id, 32, "intel-rapl-mmio:%zx", bench->source.zone_count - 1);
    return zone;
}

static void bind(struct bench *bench) {
    assert_int_equal(binding_update(&bench->binding, &bench->source, &bench->problems), 0);
}

static struct series *series(const struct bench *bench, const char *name) {
    for (size_t i = 0; i < bench->binding.series_count; i++) {
        if (strcmp(bench->binding.series[i]->name, name) == 0)
            return bench->binding.series[i];
    }
    return NULL;
}

static void expect_fed(const struct bench *bench, const char *name, const struct zone *zone) {
    const struct series *fed = series(bench, name);
    assert_non_null(fed);
    assert_true(fed->present);
    assert_false(fed->ended);
    assert_int_equal(fed->zone_count, 1);
    assert_ptr_equal(bench->list[fed->zones[0]], zone);
}

static size_t live_count(const struct bench *bench) {
    size_t count = 0;
    for (size_t i = 0; i < bench->binding.series_count; i++)
        count += bench->binding.series[i]->present ? 1 : 0;
    return count;
}

static void set(struct bench *bench, const struct zone *zone, uint64_t ticks, uint64_t time_ns) {
    bench->readings[zone - bench->zones] = (struct reading){.ticks = ticks, .time_ns = time_ns};
}

/* Every series takes the reading of its first zone, as a sample does. */
static void take_all(struct bench *bench) {
    for (size_t i = 0; i < bench->binding.series_count; i++) {
        struct series *taking = bench->binding.series[i];
        if (taking->zone_count > 0)
            series_take(taking, &bench->readings[taking->zones[0]], 0, &bench->health);
    }
}

static bool part(struct bench *bench) {
    return binding_part(&bench->binding, &bench->source, &bench->problems);
}

static unsigned int told(struct bench *bench, const char *part_of_reason) {
    struct rapl_problem problem;
    unsigned int count = 0;
    while (problems_next(&bench->problems, &problem)) {
        assert_non_null(strstr(problem.reason, part_of_reason));
        count++;
    }
    return count;
}

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
    /* psys took an index before it */
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
    assert_int_equal(selection_open(&bench->selection, patterns, 1, NULL, 0), 0);
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
    /* without a total, only what is selected */
    bench->binding.sums[0]->selected = false;
    bind(bench);
    assert_false(package->wanted);
    assert_false(dram->wanted);
    assert_true(psys->wanted);
}

/* --- duplicates ------------------------------------------------------------------------------ */

static void test_lowest_of_two_with_one_identity_is_reported(void **state) {
    struct bench *bench = *state;
    struct zone *lowest = add(bench, "package-0", -1);
    struct zone *next = add(bench, "package-0", -1);
    struct zone *last = add(bench, "package-0", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 1);
    expect_fed(bench, "package-0", lowest);
    assert_ptr_equal(next->shown, lowest);
    assert_ptr_equal(last->shown, lowest);
    assert_false(next->wanted);
    assert_false(next->reported);
    bind(bench);
    assert_int_equal(told(bench, "package-0 is there more than once"), 1);
}

static void test_duplicates_are_told_on_amd_too(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_AMD;
    struct zone *lowest = add(bench, "package-0", -1);
    add(bench, "package-0", -1);
    bind(bench);
    expect_fed(bench, "package-0", lowest);
    assert_int_equal(told(bench, "more than once"), 1);
}

/* --- mirrors that are certain ---------------------------------------------------------------- */

static void check_certain_mirrors(struct bench *bench, enum cpu_vendor vendor) {
    bench->binding.vendor = vendor;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *core = add(bench, "core", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_core = add(bench, "core", 2);
    struct zone *other = add(bench, "package-1-die-0", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 4);
    const struct series *merged = series(bench, "package-0");
    assert_non_null(merged);
    assert_int_equal(merged->zone_count, 2);
    assert_ptr_equal(bench->list[merged->zones[0]], first);
    assert_ptr_equal(bench->list[merged->zones[1]], second);
    assert_null(first->shown);
    assert_ptr_equal(second->shown, first);
    assert_true(second->wanted);
    assert_int_equal(merged->identity.die_id, RAPL_NO_ID);
    /* never across packages */
    expect_fed(bench, "package-1", other);
    /* sub-zones keep their die; core is the lead CPU's */
    expect_fed(bench, "package-0-die-0/lead_core", core);
    expect_fed(bench, "package-0-die-1/lead_core", second_core);
    assert_int_equal(series(bench, "package-0-die-1/lead_core")->identity.kind, ZONE_LEAD_CORE);
    /* whatever they read, it is one counter */
    set(bench, first, 0, NS_PER_S);
    set(bench, second, 500000000, NS_PER_S);
    assert_false(part(bench));
    assert_int_equal(told(bench, ""), 0);
}

static void test_dies_of_amd_are_one_package(void **state) {
    check_certain_mirrors(*state, CPU_VENDOR_AMD);
}

static void test_dies_of_hygon_are_one_package(void **state) {
    check_certain_mirrors(*state, CPU_VENDOR_HYGON);
}

static void test_dies_of_intel_are_packages_of_their_own(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *core = add(bench, "core", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-0-die-0/core", core);
    expect_fed(bench, "package-0-die-1", second);
    set(bench, first, 5, NS_PER_S);
    set(bench, second, 5, NS_PER_S);
    assert_false(part(bench));
}

/* --- mirrors that are presumed --------------------------------------------------------------- */

static void test_dies_of_an_unknown_vendor_are_presumed_one(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *first_dram = add(bench, "dram", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    struct zone *third = add(bench, "package-0-die-2", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(series(bench, "package-0")->zone_count, 3);
    assert_int_equal(series(bench, "package-0/dram")->zone_count, 2);
    set(bench, first, 1000, NS_PER_S);
    set(bench, second, 1000, NS_PER_S + 1000);
    set(bench, third, 1061, NS_PER_S + 2000);
    set(bench, first_dram, 7, NS_PER_S);
    set(bench, second_dram, 7, NS_PER_S);
    assert_false(part(bench));
    take_all(bench);
    bind(bench);
    assert_int_equal(live_count(bench), 2);
    assert_ptr_equal(third->shown, first);
    assert_ptr_equal(second_dram->shown, first_dram);
    assert_int_equal(told(bench, ""), 0);
}

static void test_mirrors_are_never_presumed_across_packages(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-1-die-0", -1);
    struct zone *third = add(bench, "package-2", -1);
    struct zone *fourth = add(bench, "package-3", -1);
    bind(bench);
    /* a die alone keeps its name */
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-1-die-0", second);
    expect_fed(bench, "package-2", third);
    expect_fed(bench, "package-3", fourth);
    for (size_t i = 0; i < 4; i++)
        set(bench, &bench->zones[i], 1000, NS_PER_S);
    assert_false(part(bench));
    assert_int_equal(live_count(bench), 4);
}

static void test_domains_of_a_package_are_no_mirrors(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    add(bench, "package-0-die-0", -1);
    add(bench, "core", 0);
    add(bench, "uncore", 0);
    bind(bench);
    assert_int_equal(live_count(bench), 3);
}

static void test_mirrors_agree_within_the_ceiling(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    /* 250 W over 1 ms between the reads and an update of 2 ms */
    const uint64_t most = 750000;
    set(bench, first, 1000, NS_PER_S);
    set(bench, second, 1000 + most, NS_PER_S + NS_PER_MS);
    assert_false(part(bench));
    /* whichever is ahead, and whichever was read first */
    set(bench, first, 1000 + most, NS_PER_S + NS_PER_MS);
    set(bench, second, 1000, NS_PER_S);
    assert_false(part(bench));
    /* on both sides of a wrap */
    set(bench, first, 999999999, NS_PER_S);
    set(bench, second, most - 1, NS_PER_S + NS_PER_MS);
    assert_false(part(bench));
    set(bench, second, most, NS_PER_S + NS_PER_MS);
    assert_true(part(bench));
}

static void test_mirrors_that_differ_at_first_part_in_silence(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    set(bench, first, 1000, NS_PER_S);
    set(bench, second, 1000 + 750001, NS_PER_S + NS_PER_MS);
    assert_true(part(bench));
    bind(bench);
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-0-die-1", second);
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(told(bench, ""), 0);
    assert_false(part(bench));
}

static void test_mirrors_that_part_later_tell_so_once(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *third = add(bench, "package-0-die-2", -1);
    bind(bench);
    for (uint64_t i = 1; i <= 3; i++) {
        set(bench, first, 1000 * i, i * NS_PER_S);
        set(bench, second, 1000 * i, i * NS_PER_S);
        set(bench, third, 1000 * i, i * NS_PER_S);
        assert_false(part(bench));
        take_all(bench);
    }
    struct series *merged = series(bench, "package-0");
    assert_int_equal(merged->energy_uj, 2000);
    set(bench, first, 4000, 4 * NS_PER_S);
    set(bench, second, 900000, 4 * NS_PER_S);
    set(bench, third, 990000, 4 * NS_PER_S);
    assert_true(part(bench));
    bind(bench);
    /* the merged one ends and keeps its energy, each die starts at 0 */
    assert_true(merged->ended);
    assert_false(merged->present);
    assert_true(merged->lost);
    assert_int_equal(merged->energy_uj, 2000);
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-0-die-1", second);
    expect_fed(bench, "package-0-die-2", third);
    take_all(bench);
    assert_int_equal(series(bench, "package-0-die-1")->energy_uj, 0);
    assert_int_equal(told(bench, "package-0"), 1);
    /* for good */
    set(bench, second, 4000, 4 * NS_PER_S);
    assert_false(part(bench));
    bind(bench);
    assert_true(merged->ended);
    assert_int_equal(live_count(bench), 3);
    assert_int_equal(told(bench, ""), 0);
}

static void test_failing_mirror_neither_parts_nor_silences(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *third = add(bench, "package-0-die-2", -1);
    bind(bench);
    set(bench, first, 123456789, NS_PER_S);
    bench->readings[0].error = -EIO;
    set(bench, second, 1000, NS_PER_S);
    set(bench, third, 1000, NS_PER_S);
    assert_false(part(bench));
    /* the others are still compared with each other */
    set(bench, third, 900000, NS_PER_S);
    assert_true(part(bench));
}

static void test_die_that_comes_later_does_not_rename_the_first(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *first = add(bench, "package-0-die-0", -1);
    bind(bench);
    set(bench, first, 1000, NS_PER_S);
    take_all(bench);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    /* presumed one under the name that is known already: it must not count twice */
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(series(bench, "package-0-die-0")->zone_count, 2);
    assert_ptr_equal(second->shown, first);
    assert_null(series(bench, "package-0"));
    set(bench, first, 2000, 2 * NS_PER_S);
    set(bench, second, 2000, 2 * NS_PER_S);
    assert_false(part(bench));
    take_all(bench);
    set(bench, first, 3000, 3 * NS_PER_S);
    set(bench, second, 90000000, 3 * NS_PER_S);
    assert_true(part(bench));
    bind(bench);
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-0-die-1", second);
    assert_int_equal(told(bench, "package-0-die-0"), 1);
}

static void test_psys_and_psys_0_are_presumed_one(void **state) {
    struct bench *bench = *state;
    struct zone *psys = add(bench, "psys", -1);
    struct zone *psys_0 = add(bench, "psys-0", -1);
    struct zone *psys_1 = add(bench, "psys-1", -1);
    bind(bench);
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(series(bench, "psys")->zone_count, 2);
    assert_ptr_equal(psys_0->shown, psys);
    expect_fed(bench, "psys-1", psys_1);
    set(bench, psys, 1000, NS_PER_S);
    set(bench, psys_0, 1000, NS_PER_S);
    set(bench, psys_1, 700000000, NS_PER_S);
    assert_false(part(bench));
    take_all(bench);
    set(bench, psys, 2000, 2 * NS_PER_S);
    set(bench, psys_0, 90000000, 2 * NS_PER_S);
    set(bench, psys_1, 700000000, 2 * NS_PER_S);
    assert_true(part(bench));
    bind(bench);
    /* psys goes on under its name, from a new baseline */
    expect_fed(bench, "psys", psys);
    expect_fed(bench, "psys-0", psys_0);
    assert_true(series(bench, "psys")->lost);
    assert_false(series(bench, "psys")->counter.has_baseline);
    assert_int_equal(told(bench, "psys"), 1);
    /* and where it goes, it is missed: it may return */
    psys->identified = false;
    bind(bench);
    assert_false(series(bench, "psys")->present);
    assert_false(series(bench, "psys")->ended);
}

/* A zone that stood by as another's equal by name has a counter of its own. */
static void test_duplicate_that_takes_over_is_another_counter(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-0", -1);
    bind(bench);
    expect_fed(bench, "package-0", first);
    set(bench, first, 1000, NS_PER_S);
    take_all(bench);
    first->identified = false;
    bind(bench);
    expect_fed(bench, "package-0", second);
    assert_false(series(bench, "package-0")->counter.has_baseline);
    assert_true(series(bench, "package-0")->lost);
    /* bound again without a change, it goes on */
    set(bench, second, 500, 2 * NS_PER_S);
    take_all(bench);
    bind(bench);
    assert_true(series(bench, "package-0")->counter.has_baseline);
}

static void test_psys_0_alone_keeps_its_name(void **state) {
    struct bench *bench = *state;
    struct zone *psys_0 = add(bench, "psys-0", -1);
    bind(bench);
    expect_fed(bench, "psys-0", psys_0);
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
    /* another counter: the interval is lost, the energy goes on */
    assert_true(taken->lost);
    assert_false(taken->counter.has_baseline);
    /* the zone is wanted all the same: its error is to be told */
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

static void test_dies_of_mmio_are_no_mirrors_of_intel_rapl(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_AMD;
    add(bench, "package-0-die-0", -1);
    add_mmio(bench, "package-0-die-1", -1);
    bind(bench);
    assert_int_equal(series(bench, "package-0")->zone_count, 1);
}

static void test_dies_of_two_control_types_are_not_presumed_one(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_UNKNOWN;
    struct zone *package = add(bench, "package-0-die-0", -1);
    struct zone *mmio = add_mmio(bench, "package-0-die-1", -1);
    bind(bench);
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
    /* nobody asked for the single ones, and they are read for their sum */
    assert_false(first->reported);
    assert_true(first->wanted);
    bench->binding.sums[1]->selected = false;
    bind(bench);
    assert_false(first->wanted);
    /* a number of its own for each */
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

#define BOUND(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Memory for samples of a series that nobody sees would be memory for nothing. */
static void test_what_is_selected_has_a_window(void **state) {
    struct bench *bench = *state;
    static const char *const include[] = {"package-0", "package-1/core"};
    assert_int_equal(selection_open(&bench->selection, include, COUNT_OF(include), NULL, 0), 0);
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
        BOUND(test_lowest_of_two_with_one_identity_is_reported),
        BOUND(test_duplicates_are_told_on_amd_too),
        BOUND(test_dies_of_amd_are_one_package),
        BOUND(test_dies_of_hygon_are_one_package),
        BOUND(test_dies_of_intel_are_packages_of_their_own),
        BOUND(test_dies_of_an_unknown_vendor_are_presumed_one),
        BOUND(test_mirrors_are_never_presumed_across_packages),
        BOUND(test_domains_of_a_package_are_no_mirrors),
        BOUND(test_mirrors_agree_within_the_ceiling),
        BOUND(test_mirrors_that_differ_at_first_part_in_silence),
        BOUND(test_mirrors_that_part_later_tell_so_once),
        BOUND(test_failing_mirror_neither_parts_nor_silences),
        BOUND(test_die_that_comes_later_does_not_rename_the_first),
        BOUND(test_psys_and_psys_0_are_presumed_one),
        BOUND(test_duplicate_that_takes_over_is_another_counter),
        BOUND(test_psys_0_alone_keeps_its_name),
        BOUND(test_mmio_is_shown_by_intel_rapl),
        BOUND(test_mmio_serves_what_intel_rapl_lacks),
        BOUND(test_mmio_takes_over_from_a_zone_without_counter),
        BOUND(test_mmio_does_not_take_over_from_a_failing_zone),
        BOUND(test_dies_of_mmio_are_no_mirrors_of_intel_rapl),
        BOUND(test_dies_of_two_control_types_are_not_presumed_one),
        BOUND(test_cores_are_added_up_by_package),
        BOUND(test_single_cores_are_reported_when_asked_for),
        BOUND(test_what_is_selected_has_a_window),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
