/* SPDX-License-Identifier: MIT */
/* Zones that may show the same counter, and what their readings reveal about it. */
#include "series/alike.h"

#include <errno.h>

#include "binding_bench.h"
#include "cmocka_all.h"
#include "fakes.h"

#define JOULE UINT64_C(1000000)

/* Reads of two zones in one sweep are a microsecond apart. */
static void show(struct bench *bench, const struct zone *zone, uint64_t ticks, uint64_t second) {
    set(bench, zone, ticks, second * NS_PER_S + (uint64_t)(zone - bench->zones) * 1000);
}

static uint64_t energy(const struct bench *bench, const char *name) {
    const struct series *of = series(bench, name);
    assert_non_null(of);
    return of->energy_uj;
}

static uint64_t total(const struct bench *bench) {
    uint64_t sum_uj = 0;
    for (size_t i = 0; i < bench->binding.series_count; i++) {
        const struct series *member = bench->binding.series[i];
        sum_uj += member->sum == bench->binding.sums[0] ? member->energy_uj : 0;
    }
    return sum_uj;
}

/* The series of the dies after they have shown the same values for three seconds. */
static struct series *share_for_a_while(struct bench *bench, size_t count) {
    static const char *const names[] = {"package-0-die-0", "package-0-die-1", "package-0-die-2",
                                        "package-0-die-3"};
    for (size_t i = 0; i < count; i++)
        add(bench, names[i], -1);
    bind(bench);
    for (uint64_t second = 1; second <= 3; second++) {
        for (size_t i = 0; i < count; i++)
            show(bench, &bench->zones[i], second * 10 * JOULE, second);
        take_all(bench);
    }
    struct series *shared = series(bench, "package-0");
    assert_non_null(shared);
    assert_int_equal(shared->zone_count, count);
    assert_int_equal(shared->energy_uj, 20 * JOULE);
    return shared;
}

/* --- the first readings ---------------------------------------------------------------------- */

static void test_dies_that_show_the_same_are_one_package(void **state) {
    struct bench *bench = *state;
    bench->binding.vendor = CPU_VENDOR_AMD;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *core = add(bench, "core", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_core = add(bench, "core", 2);
    bind(bench);
    show(bench, first, 100 * JOULE, 1);
    show(bench, second, 100 * JOULE + 61, 1);
    show(bench, core, 1 * JOULE, 1);
    show(bench, second_core, 5 * JOULE, 1);
    take_all(bench);
    assert_int_equal(live_count(bench), 3);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_ptr_equal(second->shown, first);
    assert_string_equal(second->name, "package-0");
    assert_int_equal(series(bench, "package-0")->identity.die_id, RAPL_NO_ID);
    /* the lead cores of the dies are two counters */
    expect_fed(bench, "package-0-die-0/lead_core", core);
    expect_fed(bench, "package-0-die-1/lead_core", second_core);
    show(bench, first, 130 * JOULE, 2);
    show(bench, second, 130 * JOULE, 2);
    take_all(bench);
    assert_int_equal(total(bench), 30 * JOULE);
    assert_int_equal(told(bench, ""), 0);
    /* the counter is updated between the two reads, several times in a row */
    for (uint64_t i = 3; i <= 5; i++) {
        show(bench, first, 130 * JOULE + i * JOULE, i);
        show(bench, second, 130 * JOULE + i * JOULE + 61, i);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 3);
    assert_int_equal(second->compared.offset, 0);
}

static void test_dies_that_differ_at_first_are_two(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *first_dram = add(bench, "dram", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    bind(bench);
    show(bench, first, 100 * JOULE, 1);
    show(bench, second, 101 * JOULE, 1);
    /* zones in different packages are two counters, whatever they show */
    show(bench, first_dram, 0, 1);
    show(bench, second_dram, 0, 1);
    take_all(bench);
    expect_fed(bench, "package-0-die-0", first);
    expect_fed(bench, "package-0-die-1", second);
    expect_fed(bench, "package-0-die-0/dram", first_dram);
    expect_fed(bench, "package-0-die-1/dram", second_dram);
    assert_int_equal(live_count(bench), 4);
    assert_int_equal(told(bench, ""), 0);
}

static void test_parts_of_one_package_are_compared(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *first_dram = add(bench, "dram", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    bind(bench);
    show(bench, first, 100 * JOULE, 1);
    show(bench, second, 100 * JOULE, 1);
    show(bench, first_dram, 7 * JOULE, 1);
    show(bench, second_dram, 7 * JOULE, 1);
    take_all(bench);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_int_equal(series(bench, "package-0/dram")->zone_count, 2);
    assert_int_equal(live_count(bench), 2);
}

/* At most 250 W, 1 ms between the reads and an update period of 2 ms. */
static void expect_finding(struct bench *bench, uint64_t one, uint64_t other, uint64_t apart_ns,
                           enum alike_finding finding) {
    set(bench, &bench->zones[0], one, NS_PER_S);
    set(bench, &bench->zones[1], other, NS_PER_S + apart_ns);
    bench->zones[1].compared.has_ticks = false;
    assert_int_equal(alike_judge_new(&bench->source, 0, 1), finding);
}

static void test_one_counter_moves_between_two_reads(void **state) {
    struct bench *bench = *state;
    const uint64_t most = 750000;
    add(bench, "package-0-die-0", -1);
    add(bench, "package-0-die-1", -1);
    bind(bench);
    expect_finding(bench, 1000, 1000 + most, NS_PER_MS, ALIKE_SAME);
    expect_finding(bench, 1000 + most, 1000, NS_PER_MS, ALIKE_SAME);
    expect_finding(bench, 1000, 1000 + most + 1, NS_PER_MS, ALIKE_OTHER);
    expect_finding(bench, 1000 + most + 1, 1000, NS_PER_MS, ALIKE_OTHER);
    /* on both sides of a wrap, with a range of 1000 J */
    expect_finding(bench, 999999999, most - 1, NS_PER_MS, ALIKE_SAME);
    expect_finding(bench, 999999999, most, NS_PER_MS, ALIKE_OTHER);
    /* the second zone was read before the first */
    set(bench, &bench->zones[0], 1000, 2 * NS_PER_S);
    set(bench, &bench->zones[1], 1000 - 750, 2 * NS_PER_S - NS_PER_MS);
    assert_int_equal(alike_judge_new(&bench->source, 0, 1), ALIKE_SAME);
}

static void test_other_traits_are_another_counter(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    const struct counter_traits traits = first->traits;
    bind(bench);
    expect_finding(bench, 1000, 1000, 0, ALIKE_SAME);
    second->traits.modulus *= 4;
    expect_finding(bench, 1000, 1000, 0, ALIKE_OTHER);
    second->traits = traits;
    second->traits.goes_on = true;
    expect_finding(bench, 1000, 1000, 0, ALIKE_OTHER);
    second->traits = traits;
    second->traits.scale.numerator_uj = 61;
    expect_finding(bench, 1000, 1000, 0, ALIKE_OTHER);
    second->traits = traits;
    second->traits.scale.denominator = 2;
    expect_finding(bench, 1000, 1000, 0, ALIKE_OTHER);
    assert_int_equal(alike_judge_own(&bench->source, 0, 1), ALIKE_UNDECIDED);
}

/* A slow counter may be updated between the two reads. */
static void test_slow_counter_moves_by_a_whole_update(void **state) {
    struct bench *bench = *state;
    struct series *shared = share_for_a_while(bench, 2);
    shared->traits.period_ns = NS_PER_S;
    show(bench, &bench->zones[0], 30 * JOULE, 4);
    show(bench, &bench->zones[1], 130 * JOULE, 4);
    take_all(bench);
    assert_false(shared->withheld);
}

static void test_platform_is_allowed_4_kilowatts(void **state) {
    struct bench *bench = *state;
    add(bench, "psys", -1)->traits.ceiling_uw = 50000 * JOULE;
    add(bench, "psys-0", -1)->traits.ceiling_uw = 50000 * JOULE;
    bind(bench);
    expect_finding(bench, 1000, 1000 + 8 * JOULE, 0, ALIKE_UNDECIDED);
    expect_finding(bench, 1000, 1000 + 8 * JOULE + 1, 0, ALIKE_OTHER);
}

static void test_packages_are_never_one_outside_of_virtual_machines(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    for (uint64_t i = 1; i <= 15; i++) {
        show(bench, first, i * 100 * JOULE % 1000000000, i);
        show(bench, second, i * 100 * JOULE % 1000000000, i);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(total(bench), 2 * 14 * 100 * JOULE);
    assert_int_equal(told(bench, ""), 0);
}

static void test_packages_of_a_virtual_machine_may_show_one_counter(void **state) {
    struct bench *bench = *state;
    const char *const names[] = {"package-0", "package-1", "package-2", "package-3"};
    bench->binding.is_virtual = true;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        add(bench, names[i], -1);
    bind(bench);
    for (uint64_t second = 1; second <= 3; second++) {
        /* only the last one shows another value */
        for (size_t i = 0; i < COUNT_OF(names); i++)
            show(bench, &bench->zones[i], (i < 3 ? 5 : 9) * JOULE + second * 30 * JOULE, second);
        take_all(bench);
    }
    assert_int_equal(series(bench, "package-0")->zone_count, 3);
    expect_fed(bench, "package-3", &bench->zones[3]);
    assert_int_equal(total(bench), 2 * 60 * JOULE);
    assert_int_equal(told(bench, "several packages of this virtual machine"), 1);
}

/* --- later readings -------------------------------------------------------------------------- */

/* Both begin at 100 J and use 30 J and 45 J per second. */
static void test_what_starts_alike_is_counted_from_there(void **state) {
    struct bench *bench = *state;
    bench->binding.is_virtual = true;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    for (uint64_t i = 0; i < 4; i++) {
        show(bench, first, 100 * JOULE + i * 30 * JOULE, 1 + i);
        show(bench, second, 100 * JOULE + i * 45 * JOULE, 1 + i);
        take_all(bench);
        assert_int_equal(total(bench), i * 75 * JOULE);
        assert_int_equal(series(bench, "package-1")->undecided, i == 0);
    }
    expect_fed(bench, "package-0", first);
    expect_fed(bench, "package-1", second);
    assert_int_equal(energy(bench, "package-0"), 90 * JOULE);
    assert_int_equal(energy(bench, "package-1"), 135 * JOULE);
}

static void test_one_difference_parts_nothing(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    for (uint64_t i = 1; i <= 6; i++) {
        show(bench, first, i * 30 * JOULE, i);
        show(bench, second, i % 2 == 0 ? 0 : i * 30 * JOULE, i);
        take_all(bench);
        assert_int_equal(series(bench, "package-0")->withheld, i % 2 == 0);
    }
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(total(bench), 4 * 30 * JOULE);
    assert_int_equal(told(bench, ""), 0);
}

static void test_dies_that_part_go_on_by_their_own_names(void **state) {
    struct bench *bench = *state;
    struct series *shared = share_for_a_while(bench, 2);
    for (uint64_t second = 4; second <= 5; second++) {
        show(bench, &bench->zones[0], second * 10 * JOULE, second);
        show(bench, &bench->zones[1], 30 * JOULE + (second - 3) * 25 * JOULE, second);
        take_all(bench);
    }
    assert_true(shared->ended);
    assert_int_equal(shared->energy_uj, 20 * JOULE);
    expect_fed(bench, "package-0-die-0", &bench->zones[0]);
    expect_fed(bench, "package-0-die-1", &bench->zones[1]);
    assert_int_equal(energy(bench, "package-0-die-0"), 20 * JOULE);
    assert_int_equal(energy(bench, "package-0-die-1"), 50 * JOULE);
    assert_int_equal(told(bench, "package-0 showed the same counter and now differ"), 1);
}

/* If one of four differs, the other three stay one series. */
static void test_dies_that_still_agree_stay_one(void **state) {
    struct bench *bench = *state;
    const struct series *shared = share_for_a_while(bench, 4);
    for (uint64_t second = 4; second <= 6; second++) {
        for (size_t i = 0; i < 4; i++)
            show(bench, &bench->zones[i], (i == 2 ? 30 : second * 10) * JOULE, second);
        take_all(bench);
    }
    assert_false(shared->ended);
    assert_int_equal(shared->zone_count, 3);
    assert_int_equal(shared->energy_uj, 50 * JOULE);
    expect_fed(bench, "package-0-die-2", &bench->zones[2]);
    assert_int_equal(total(bench), 50 * JOULE);
}

/* If the first one differs, the other three still stay one series. */
static void test_others_than_the_first_stay_one(void **state) {
    struct bench *bench = *state;
    share_for_a_while(bench, 4);
    for (uint64_t second = 4; second <= 6; second++) {
        for (size_t i = 0; i < 4; i++)
            show(bench, &bench->zones[i], (i == 0 ? 30 : second * 10) * JOULE, second);
        take_all(bench);
    }
    expect_fed(bench, "package-0-die-0", &bench->zones[0]);
    assert_int_equal(series(bench, "package-0-die-1")->zone_count, 3);
    assert_int_equal(live_count(bench), 2);
    assert_int_equal(total(bench), 50 * JOULE);
}

static void test_parts_part_with_their_packages(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    struct zone *first_dram = add(bench, "dram", 0);
    struct zone *second = add(bench, "package-0-die-1", -1);
    struct zone *second_dram = add(bench, "dram", 2);
    bind(bench);
    for (uint64_t i = 0; i < 4; i++) {
        show(bench, first, 100 * JOULE + i * 30 * JOULE, 1 + i);
        show(bench, second, 100 * JOULE + i * 45 * JOULE, 1 + i);
        show(bench, first_dram, 0, 1 + i);
        show(bench, second_dram, 0, 1 + i);
        take_all(bench);
    }
    expect_fed(bench, "package-0-die-0/dram", first_dram);
    expect_fed(bench, "package-0-die-1/dram", second_dram);
    assert_true(series(bench, "package-0/dram")->ended);
    assert_int_equal(total(bench), 3 * 75 * JOULE);
}

/* Two packages of a virtual machine whose first readings were far apart, as after a failed read. */
static void count_alike(struct bench *bench, uint64_t seconds, uint64_t step, uint64_t off) {
    bench->binding.is_virtual = true;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-1", -1);
    bind(bench);
    for (uint64_t i = 0; i < seconds; i++) {
        show(bench, first, 500 * JOULE + i * step, 1 + i);
        show(bench, second, i * step + i * off, 1 + i);
        take_all(bench);
    }
}

static void test_ten_equal_readings_join(void **state) {
    struct bench *bench = *state;
    count_alike(bench, 11, 20 * JOULE, 0);
    assert_int_equal(live_count(bench), 2);
    show(bench, &bench->zones[0], 720 * JOULE, 12);
    show(bench, &bench->zones[1], 220 * JOULE, 12);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_true(series(bench, "package-1")->ended);
    assert_int_equal(told(bench, "package-1 counts the same as another series"), 1);
    assert_int_equal(energy(bench, "package-0"), 220 * JOULE);
    assert_int_equal(energy(bench, "package-1"), 200 * JOULE);
    /* and they stay one series, despite the distance between them */
    for (uint64_t i = 13; i < 16; i++) {
        show(bench, &bench->zones[0], 480 * JOULE + i * 20 * JOULE, i);
        show(bench, &bench->zones[1], i * 20 * JOULE - 20 * JOULE, i);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 1);
}

static void test_readings_without_energy_do_not_join(void **state) {
    struct bench *bench = *state;
    count_alike(bench, 40, 99999, 0);
    assert_int_equal(live_count(bench), 2);
}

static void test_readings_that_are_nearly_equal_do_not_join(void **state) {
    struct bench *bench = *state;
    count_alike(bench, 20, 20 * JOULE, 61);
    assert_int_equal(live_count(bench), 2);
}

static void test_failed_reads_neither_part_nor_join(void **state) {
    struct bench *bench = *state;
    struct series *shared = share_for_a_while(bench, 3);
    bench->readings[0].error = -EIO;
    show(bench, &bench->zones[1], 40 * JOULE, 4);
    show(bench, &bench->zones[2], 40 * JOULE, 4);
    take_all(bench);
    assert_int_equal(shared->zone_count, 3);
    assert_true(shared->reads);
    assert_int_equal(shared->energy_uj, 30 * JOULE);
}

static void test_die_that_comes_later_joins_the_known_name(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0-die-0", -1);
    bind(bench);
    show(bench, first, 10 * JOULE, 1);
    take_all(bench);
    show(bench, first, 20 * JOULE, 2);
    take_all(bench);
    series(bench, "package-0-die-0")->was_reported = true;
    struct zone *second = add(bench, "package-0-die-1", -1);
    bind(bench);
    assert_true(second->wanted);
    show(bench, first, 30 * JOULE, 3);
    show(bench, second, 30 * JOULE, 3);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(series(bench, "package-0-die-0")->zone_count, 2);
    assert_int_equal(total(bench), 20 * JOULE);
    assert_int_equal(told(bench, ""), 0);
}

/* After the driver was reloaded, the zones are new and the series is the same. */
static void test_zones_that_return_go_on_with_their_series(void **state) {
    struct bench *bench = *state;
    const struct series *shared = share_for_a_while(bench, 2);
    for (size_t i = 0; i < 2; i++) {
        bench->zones[i].known.domain[0] = '\0';
        show(bench, &bench->zones[i], 60 * JOULE, 4);
    }
    bind(bench);
    take_all(bench);
    assert_int_equal(shared->zone_count, 2);
    assert_int_equal(shared->energy_uj, 50 * JOULE);
    assert_false(shared->lost);
    assert_int_equal(live_count(bench), 1);
}

/* --- names ----------------------------------------------------------------------------------- */

static void test_platforms_of_two_dies(void **state) {
    struct bench *bench = *state;
    struct zone *psys = add(bench, "psys", -1);
    struct zone *psys_0 = add(bench, "psys-0", -1);
    struct zone *psys_1 = add(bench, "psys-1", -1);
    struct zone *again = add(bench, "psys-1", -1);
    bind(bench);
    show(bench, psys, 10 * JOULE, 1);
    show(bench, psys_0, 10 * JOULE, 1);
    show(bench, psys_1, 10 * JOULE, 1);
    show(bench, again, 500 * JOULE, 1);
    take_all(bench);
    assert_int_equal(live_count(bench), 4);
    expect_fed(bench, "psys-1", psys_1);
    expect_fed(bench, "psys-1-intel-rapl:3", again);
    assert_string_equal(series(bench, "psys-1-intel-rapl:3")->parent, "psys-1-intel-rapl:3");
    assert_int_equal(
        told(bench, "psys-1-intel-rapl:3: the kernel shows another counter by the same"), 1);
    /* 90 W and 94.5 W */
    for (uint64_t i = 1; i <= 4; i++) {
        show(bench, psys, 10 * JOULE + i * 90 * JOULE, 1 + i);
        show(bench, psys_0, 10 * JOULE + i * 94500000, 1 + i);
        show(bench, psys_1, 10 * JOULE, 1 + i);
        show(bench, again, 500 * JOULE, 1 + i);
        take_all(bench);
    }
    expect_fed(bench, "psys", psys);
    expect_fed(bench, "psys-0", psys_0);
    assert_int_equal(energy(bench, "psys"), 4 * 90 * JOULE);
    assert_int_equal(energy(bench, "psys-0"), 4 * 94500000);
}

/* A zone with the name of a lost counter is not necessarily that counter. */
static void test_name_of_a_lost_counter_is_kept_for_it(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "psys-1", -1);
    bind(bench);
    show(bench, first, 10 * JOULE, 1);
    take_all(bench);
    first->error = -ENODEV;
    struct zone *second = add(bench, "psys-1", -1);
    bind(bench);
    show(bench, second, 500 * JOULE, 2);
    take_all(bench);
    expect_fed(bench, "psys-1-intel-rapl:1", second);
    first->error = 0;
    bind(bench);
    show(bench, first, 20 * JOULE, 3);
    bench->readings[second - bench->zones].error = -ENODEV;
    take_all(bench);
    expect_fed(bench, "psys-1", first);
    assert_int_equal(energy(bench, "psys-1"), 10 * JOULE);
}

static void test_two_zones_of_one_name_that_show_the_same_are_one(void **state) {
    struct bench *bench = *state;
    struct zone *first = add(bench, "package-0", -1);
    struct zone *second = add(bench, "package-0", -1);
    bind(bench);
    show(bench, first, 10 * JOULE, 1);
    show(bench, second, 10 * JOULE, 1);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(series(bench, "package-0")->zone_count, 2);
    assert_int_equal(told(bench, ""), 0);
}

/* --- perf ------------------------------------------------------------------------------------ */

/* Each count starts when the event is opened. */
static void add_counts(struct bench *bench) {
    add(bench, "package-0-die-0", -1);
    add(bench, "package-0-die-1", -1);
    for (size_t i = 0; i < 2; i++) {
        bench->zones[i].traits.modulus = 0;
        bench->zones[i].traits.goes_on = true;
        bench->zones[i].epoch = (uint32_t)i + 1;
    }
    bind(bench);
    for (int i = 0; i < 2; i++) { /* nothing moves at first */
        show(bench, &bench->zones[0], 7, 1);
        show(bench, &bench->zones[1], 3, 1);
        take_all(bench);
    }
    assert_int_equal(live_count(bench), 2);
    assert_false(series(bench, "package-0-die-1")->withheld);
}

static void test_first_energy_of_one_count_joins(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    show(bench, &bench->zones[0], 7 + 50000, 2);
    show(bench, &bench->zones[1], 3 + 50000, 2);
    take_all(bench);
    /* too little energy to decide */
    assert_true(series(bench, "package-0-die-1")->withheld);
    assert_int_equal(total(bench), 50000);
    show(bench, &bench->zones[0], 7 + 20 * JOULE, 3);
    show(bench, &bench->zones[1], 3 + 20 * JOULE, 3);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(total(bench), 20 * JOULE);
    assert_int_equal(told(bench, ""), 0);
}

/* Energy used during a sleep proves nothing. */
static void test_energy_counts_from_after_a_sleep(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    binding_sleep(&bench->binding, &bench->source);
    show(bench, &bench->zones[0], 7 + 20 * JOULE, 2);
    show(bench, &bench->zones[1], 3 + 25 * JOULE, 2);
    take_all(bench);
    assert_int_equal(live_count(bench), 2);
    assert_true(series(bench, "package-0-die-1")->undecided);
    show(bench, &bench->zones[0], 7 + 40 * JOULE, 3);
    show(bench, &bench->zones[1], 3 + 45 * JOULE, 3);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
}

static void test_first_energy_of_two_counts_is_counted(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    show(bench, &bench->zones[0], 7 + 20 * JOULE, 2);
    show(bench, &bench->zones[1], 3 + 21 * JOULE, 2);
    take_all(bench);
    expect_fed(bench, "package-0-die-0", &bench->zones[0]);
    expect_fed(bench, "package-0-die-1", &bench->zones[1]);
    assert_int_equal(total(bench), 41 * JOULE);
    assert_int_equal(told(bench, ""), 0);
    /* and an event that was reopened proves nothing at first */
    bench->zones[1].epoch = 7;
    show(bench, &bench->zones[0], 7 + 30 * JOULE, 3);
    show(bench, &bench->zones[1], 0, 3);
    take_all(bench);
    assert_int_equal(bench->zones[1].compared.equal, 0);
    assert_int_equal(live_count(bench), 2);
}

/* Each reading may miss an update of 2 ms: smaller differences prove nothing for 0.4 s. */
static void test_counts_that_are_nearly_the_same(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    for (uint64_t i = 1; i <= 5; i++) {
        const uint64_t ns = NS_PER_S + i * 100 * NS_PER_MS;
        set(bench, &bench->zones[0], 7 + i * 5 * JOULE, ns);
        set(bench, &bench->zones[1], 3 + i * 5 * JOULE + 40000, ns + 1000);
        take_all(bench);
        assert_int_equal(live_count(bench), i < 5 ? 2 : 1);
        assert_int_equal(series(bench, i < 5 ? "package-0-die-0" : "package-0")->undecided, i < 5);
    }
    /* it stays that far ahead */
    set(bench, &bench->zones[0], 7 + 100 * JOULE, 4 * NS_PER_S);
    set(bench, &bench->zones[1], 3 + 100 * JOULE, 4 * NS_PER_S);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    assert_int_equal(total(bench), 100 * JOULE);
    /* a larger difference that repeats: an update fell between the two first reads */
    for (uint64_t i = 5; i <= 7; i++) {
        set(bench, &bench->zones[0], 7 + i * 100 * JOULE, i * NS_PER_S);
        set(bench, &bench->zones[1], 3 + i * 100 * JOULE + 70, i * NS_PER_S);
        take_all(bench);
    }
    assert_int_equal(bench->zones[1].compared.last.time_ns, 7 * NS_PER_S);
}

static void test_counts_that_part(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    show(bench, &bench->zones[0], 7 + 20 * JOULE, 2);
    show(bench, &bench->zones[1], 3 + 20 * JOULE, 2);
    take_all(bench);
    assert_int_equal(live_count(bench), 1);
    for (uint64_t i = 3; i <= 4; i++) {
        show(bench, &bench->zones[0], 7 + i * 10 * JOULE, i);
        show(bench, &bench->zones[1], 3 + i * 10 * JOULE + 40 * JOULE, i);
        take_all(bench);
    }
    expect_fed(bench, "package-0-die-0", &bench->zones[0]);
    expect_fed(bench, "package-0-die-1", &bench->zones[1]);
    assert_int_equal(energy(bench, "package-0"), 20 * JOULE);
    assert_int_equal(energy(bench, "package-0-die-0"), 20 * JOULE);
    assert_int_equal(energy(bench, "package-0-die-1"), 60 * JOULE);
}

/* Equal values prove nothing if the two reads were far apart in time. */
static void test_counts_that_are_read_far_apart(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    for (uint64_t i = 1; i <= 3; i++) {
        set(bench, &bench->zones[0], 7 + 20 * JOULE, 2 * NS_PER_S);
        set(bench, &bench->zones[1], 3 + 20 * JOULE, 2 * NS_PER_S + 50 * NS_PER_MS);
        take_all(bench);
        assert_int_equal(live_count(bench), 2);
    }
}

/* With a unit of a joule, two counters may well show the same ten units. */
static void test_counts_of_whole_joules_need_a_thousand(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    bench->zones[1].traits.unit = JOULE;
    show(bench, &bench->zones[0], 7 + 10 * JOULE, 2);
    show(bench, &bench->zones[1], 3 + 10 * JOULE, 2);
    take_all(bench);
    assert_int_equal(live_count(bench), 2);
    assert_true(series(bench, "package-0-die-1")->withheld);
    /* only one has moved, or the other was reopened: nothing is known yet */
    bench->zones[0].epoch = 9;
    show(bench, &bench->zones[0], 7, 3);
    show(bench, &bench->zones[1], 3 + 10 * JOULE, 3);
    take_all(bench);
    show(bench, &bench->zones[0], 7 + JOULE, 4);
    show(bench, &bench->zones[1], 3 + 10 * JOULE, 4);
    take_all(bench);
    assert_int_equal(live_count(bench), 2);
    assert_true(series(bench, "package-0-die-1")->withheld);
}

static void test_count_that_is_opened_again_stays(void **state) {
    struct bench *bench = *state;
    add_counts(bench);
    show(bench, &bench->zones[0], 7 + 20 * JOULE, 2);
    show(bench, &bench->zones[1], 3 + 20 * JOULE, 2);
    take_all(bench);
    bench->zones[1].epoch = 3;
    for (uint64_t i = 3; i < 6; i++) {
        show(bench, &bench->zones[0], 7 + i * 10 * JOULE, i);
        show(bench, &bench->zones[1], i * 10 * JOULE - 30 * JOULE, i);
        take_all(bench);
        assert_int_equal(live_count(bench), 1);
    }
    assert_int_equal(total(bench), 50 * JOULE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOUND(test_dies_that_show_the_same_are_one_package),
        BOUND(test_dies_that_differ_at_first_are_two),
        BOUND(test_parts_of_one_package_are_compared),
        BOUND(test_one_counter_moves_between_two_reads),
        BOUND(test_other_traits_are_another_counter),
        BOUND(test_slow_counter_moves_by_a_whole_update),
        BOUND(test_platform_is_allowed_4_kilowatts),
        BOUND(test_packages_are_never_one_outside_of_virtual_machines),
        BOUND(test_packages_of_a_virtual_machine_may_show_one_counter),
        BOUND(test_what_starts_alike_is_counted_from_there),
        BOUND(test_one_difference_parts_nothing),
        BOUND(test_dies_that_part_go_on_by_their_own_names),
        BOUND(test_dies_that_still_agree_stay_one),
        BOUND(test_others_than_the_first_stay_one),
        BOUND(test_parts_part_with_their_packages),
        BOUND(test_ten_equal_readings_join),
        BOUND(test_readings_without_energy_do_not_join),
        BOUND(test_readings_that_are_nearly_equal_do_not_join),
        BOUND(test_failed_reads_neither_part_nor_join),
        BOUND(test_die_that_comes_later_joins_the_known_name),
        BOUND(test_zones_that_return_go_on_with_their_series),
        BOUND(test_platforms_of_two_dies),
        BOUND(test_name_of_a_lost_counter_is_kept_for_it),
        BOUND(test_two_zones_of_one_name_that_show_the_same_are_one),
        BOUND(test_first_energy_of_one_count_joins),
        BOUND(test_energy_counts_from_after_a_sleep),
        BOUND(test_first_energy_of_two_counts_is_counted),
        BOUND(test_counts_that_are_nearly_the_same),
        BOUND(test_counts_that_part),
        BOUND(test_counts_that_are_read_far_apart),
        BOUND(test_counts_of_whole_joules_need_a_thousand),
        BOUND(test_count_that_is_opened_again_stays),
    };
    return cmocka_run_group_tests_name("alike", tests, NULL, NULL);
}
