/* SPDX-License-Identifier: MIT */
#include "series/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "usual.h"

/* A machine with one package that has dram, core and psys: the last two are not in the total. */
enum { PACKAGE, DRAM, CORE, PSYS, SERIES_COUNT };

struct machine {
    struct series series[SERIES_COUNT];
    struct series *list[SERIES_COUNT];
    struct series total;
    struct series *sums[1];
    struct rapl_health health;
    struct rapl_value values[SERIES_COUNT + 1];
    size_t count;
    uint64_t now_ns;
};

static void name_series(struct series *series, enum zone_kind kind, const char *domain,
                        size_t number) {
    *series = (struct series){.identity = {.kind = kind,
                                           .package_id = RAPL_NO_ID,
                                           .die_id = RAPL_NO_ID,
                                           .core_id = RAPL_NO_ID},
                              .number = number,
                              .selected = true,
                              .traits = {.modulus = counter_modulus(UINT64_C(262143328850)),
                                         .unit = counter_unit(UINT64_C(262143328850)),
                                         .scale = {.numerator_uj = 1, .denominator = 1},
                                         .ceiling_uw = UINT64_C(1000000000)}};
    snprintf(series->identity.domain, sizeof(series->identity.domain), "%s", domain);
    zone_format_name(&series->identity, series->name);
    zone_format_parent(&series->identity, series->parent);
    assume_usual(series);
}

static void start(struct machine *machine) {
    static const struct {
        enum zone_kind kind;
        const char *domain;
    } zones[SERIES_COUNT] = {[PACKAGE] = {ZONE_PACKAGE, "package"},
                             [DRAM] = {ZONE_DRAM, "dram"},
                             [CORE] = {ZONE_CORE, "core"},
                             [PSYS] = {ZONE_PSYS, "psys"}};
    memset(machine, 0, sizeof(*machine));
    for (size_t i = 0; i < SERIES_COUNT; i++) {
        name_series(&machine->series[i], zones[i].kind, zones[i].domain, i + 1);
        machine->list[i] = &machine->series[i];
    }
    name_series(&machine->total, ZONE_TOTAL, "total", 0);
    machine->sums[0] = &machine->total;
    machine->series[PACKAGE].sum = machine->series[DRAM].sum = &machine->total;
    machine->now_ns = 100 * NS_PER_S;
}

static void take(struct machine *machine, size_t index, uint64_t ticks, uint64_t slept_ns) {
    const struct reading reading = {.ticks = ticks, .time_ns = machine->now_ns};
    series_take(machine->list[index], &reading, slept_ns, &machine->health);
}

static void read_energy(struct machine *machine, size_t index, uint64_t ticks) {
    take(machine, index, ticks, 0);
}

/* The read took twice the uncertainty. */
static void read_slowly(struct machine *machine, size_t index, uint64_t ticks,
                        uint64_t uncertainty_ns) {
    const struct reading reading = {
        .ticks = ticks, .time_ns = machine->now_ns, .uncertainty_ns = uncertainty_ns};
    series_take(machine->list[index], &reading, 0, &machine->health);
}

static void fail_read(struct machine *machine, size_t index) {
    const struct reading reading = {.error = -EIO};
    series_take(machine->list[index], &reading, 0, &machine->health);
}

/* Sets the energies of the four zones, in joules. */
static void read_all(struct machine *machine, uint64_t package, uint64_t dram, uint64_t core,
                     uint64_t psys) {
    read_energy(machine, PACKAGE, package * 1000000);
    read_energy(machine, DRAM, dram * 1000000);
    read_energy(machine, CORE, core * 1000000);
    read_energy(machine, PSYS, psys * 1000000);
}

static void pass(struct machine *machine, uint64_t ns) {
    machine->now_ns += ns;
}

static void build(struct machine *machine) {
    machine->count = report_build(machine->list, SERIES_COUNT, machine->sums, 1, machine->values,
                                  &machine->health);
    assert_true(machine->count <= SERIES_COUNT + 1);
}

static const struct rapl_value *find(const struct machine *machine, const char *domain) {
    for (size_t i = 0; i < machine->count; i++) {
        if (strcmp(machine->values[i].domain, domain) == 0)
            return &machine->values[i];
    }
    return NULL;
}

static void expect_power(const struct machine *machine, const char *domain, uint64_t energy_j,
                         uint64_t power_w) {
    const struct rapl_value *value = find(machine, domain);
    assert_non_null(value);
    assert_int_equal(value->energy_uj, energy_j * 1000000);
    assert_true(value->has_power);
    assert_int_equal(value->power_uw, power_w * 1000000);
}

static void expect_energy_alone(const struct machine *machine, const char *domain,
                                uint64_t energy_j) {
    const struct rapl_value *value = find(machine, domain);
    assert_non_null(value);
    assert_int_equal(value->energy_uj, energy_j * 1000000);
    assert_false(value->has_power);
    assert_int_equal(value->power_uw, 0);
}

static void expect_silence(const struct machine *machine, const char *domain) {
    assert_null(find(machine, domain));
}

/* A machine that has reported once. */
static void start_running(struct machine *machine) {
    start(machine);
    read_all(machine, 500, 600, 700, 800);
    build(machine);
}

/* --- a series -------------------------------------------------------------------------------- */

static void test_first_interval_holds_energy_alone(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    assert_int_equal(machine.count, 5);
    expect_energy_alone(&machine, "package", 0);
    expect_energy_alone(&machine, "dram", 0);
    expect_energy_alone(&machine, "total", 0);
}

static void test_value_tells_who_it_is(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    machine.series[DRAM].identity.package_id = 3;
    machine.series[DRAM].identity.die_id = 2;
    machine.series[DRAM].identity.core_id = 1;
    zone_format_name(&machine.series[DRAM].identity, machine.series[DRAM].name);
    zone_format_parent(&machine.series[DRAM].identity, machine.series[DRAM].parent);
    read_all(&machine, 1, 2, 3, 4);
    build(&machine);
    const struct rapl_value *dram = find(&machine, "dram");
    assert_int_equal(dram->series, DRAM + 1);
    assert_string_equal(dram->name, "package-3-die-2-core-1/dram");
    assert_string_equal(dram->parent, "package-3-die-2-core-1");
    assert_int_equal(dram->package_id, 3);
    assert_int_equal(dram->die_id, 2);
    assert_int_equal(dram->core_id, 1);
    const struct rapl_value *total = &machine.values[machine.count - 1];
    assert_int_equal(total->series, 0);
    assert_string_equal(total->name, "total");
    assert_string_equal(total->parent, "");
    assert_int_equal(total->package_id, RAPL_NO_ID);
}

static void test_power_is_the_mean_of_the_interval(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    const uint64_t start_ns = machine.now_ns;
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    expect_power(&machine, "package", 100, 10);
    expect_power(&machine, "dram", 50, 5);
    expect_power(&machine, "core", 60, 6);
    expect_power(&machine, "psys", 200, 20);
    const struct rapl_value *package = find(&machine, "package");
    assert_int_equal(package->start_ns, start_ns);
    assert_int_equal(package->end_ns, machine.now_ns);
    assert_int_equal(package->span_energy_uj, 100000000);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 630, 650, 760, 1000);
    build(&machine);
    expect_power(&machine, "package", 130, 3);
    expect_power(&machine, "dram", 50, 0);
    package = find(&machine, "package");
    assert_int_equal(package->start_ns, start_ns + 10 * NS_PER_S);
    assert_int_equal(package->span_energy_uj, 30000000);
}

static void test_power_is_rounded_to_the_nearest(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    read_all(&machine, 0, 0, 0, 0);
    build(&machine);
    pass(&machine, 3 * NS_PER_S);
    read_energy(&machine, PACKAGE, 1);
    read_energy(&machine, DRAM, 2);
    build(&machine);
    assert_int_equal(find(&machine, "package")->power_uw, 0);
    assert_int_equal(find(&machine, "dram")->power_uw, 1);
}

static void test_short_interval_holds_energy_alone_and_the_next_covers_it(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    const uint64_t start_ns = machine.now_ns;
    pass(&machine, 50 * NS_PER_MS - 1);
    read_all(&machine, 501, 600, 700, 800);
    build(&machine);
    expect_energy_alone(&machine, "package", 1);
    expect_energy_alone(&machine, "total", 1);
    assert_int_equal(find(&machine, "package")->span_energy_uj, 1000000);
    assert_int_equal(find(&machine, "package")->start_ns, start_ns);
    pass(&machine, NS_PER_S - 50 * NS_PER_MS + 1);
    read_all(&machine, 510, 600, 700, 800);
    build(&machine);
    expect_power(&machine, "package", 10, 10);
    expect_power(&machine, "total", 10, 10);
    assert_int_equal(find(&machine, "package")->start_ns, start_ns);
    assert_int_equal(find(&machine, "total")->start_ns, start_ns);
}

static void test_50_ms_are_enough(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 50 * NS_PER_MS);
    read_all(&machine, 501, 600, 700, 800);
    build(&machine);
    expect_power(&machine, "package", 1, 20);
    expect_power(&machine, "total", 1, 20);
}

static void test_whole_joules_need_half_a_second(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    struct counter_traits traits = machine.series[DRAM].traits;
    traits.modulus = counter_modulus(UINT64_C(4294967295000000));
    traits.unit = 1000000;
    series_set_traits(&machine.series[DRAM], &traits);
    read_all(&machine, 0, 0, 0, 0);
    build(&machine);
    pass(&machine, 500 * NS_PER_MS - 1);
    read_all(&machine, 5, 3, 0, 0);
    build(&machine);
    assert_true(find(&machine, "package")->has_power);
    expect_energy_alone(&machine, "dram", 3);
    /* a sum has no power while one of its parts has none */
    const struct rapl_value *total = find(&machine, "total");
    assert_int_equal(total->energy_uj, 8000000);
    assert_false(total->has_power);
    pass(&machine, 500 * NS_PER_MS + 1);
    read_all(&machine, 10, 10, 0, 0);
    build(&machine);
    expect_power(&machine, "dram", 10, 10);
    expect_power(&machine, "total", 20, 20);
}

/* The uncertainty of both ends counts, and an interval left out is part of the next span. */
static void test_power_is_known_to_5_percent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_all(&machine, 510, 605, 700, 800);
    read_slowly(&machine, PACKAGE, 510000000, 40 * NS_PER_MS);
    build(&machine);
    expect_power(&machine, "package", 10, 10);
    expect_power(&machine, "total", 15, 15);
    assert_int_equal(machine.health.stalls, 0);
    pass(&machine, NS_PER_S);
    read_all(&machine, 520, 610, 700, 800);
    read_slowly(&machine, PACKAGE, 520000000, 10 * NS_PER_MS + 1);
    build(&machine);
    expect_energy_alone(&machine, "package", 20);
    expect_power(&machine, "dram", 10, 5);
    assert_false(find(&machine, "total")->has_power);
    assert_int_equal(find(&machine, "total")->energy_uj, 30000000);
    assert_int_equal(machine.health.stalls, 2);
    pass(&machine, NS_PER_S);
    read_all(&machine, 530, 615, 700, 800);
    read_slowly(&machine, PACKAGE, 530000000, 60 * NS_PER_MS);
    build(&machine);
    expect_power(&machine, "package", 30, 10);
    expect_power(&machine, "total", 45, 15);
    assert_int_equal(machine.health.stalls, 2);
}

/* A reset that is decided after a report: the span begins at the first reading of the new count. */
static void test_span_begins_at_a_slow_low_reading(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_all(&machine, 600, 600, 700, 800);
    build(&machine);
    pass(&machine, NS_PER_S);
    read_slowly(&machine, PACKAGE, 1000000, 300 * NS_PER_MS);
    build(&machine);
    expect_silence(&machine, "package");
    for (uint64_t joules = 2; joules < 7; joules += 4) {
        if (joules == 6)
            pass(&machine, 4 * NS_PER_S - 1);
        pass(&machine, NS_PER_S);
        read_energy(&machine, PACKAGE, joules * 1000000);
    }
    build(&machine);
    expect_energy_alone(&machine, "package", 105);
    pass(&machine, NS_PER_S + 1);
    read_energy(&machine, PACKAGE, 8000000);
    build(&machine);
    expect_power(&machine, "package", 107, 1);
}

/* A failed read leaves the uncertainty of the one before it. */
static void test_span_begins_at_a_slow_reading_before_a_failed_one(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_slowly(&machine, PACKAGE, 900000000000, 60 * NS_PER_MS);
    pass(&machine, NS_PER_S / 10);
    fail_read(&machine, PACKAGE);
    build(&machine);
    pass(&machine, NS_PER_S);
    read_energy(&machine, PACKAGE, 900011000000);
    build(&machine);
    expect_energy_alone(&machine, "package", 11);
    pass(&machine, NS_PER_S / 10);
    read_energy(&machine, PACKAGE, 900012000000);
    build(&machine);
    expect_power(&machine, "package", 12, 10);
}

/* A total without a value does not count as one without power. */
static void test_silent_total_is_no_stall(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_all(&machine, 510, 605, 700, 800);
    read_slowly(&machine, PACKAGE, 510000000, 60 * NS_PER_MS);
    machine.total.lacks = true;
    build(&machine);
    expect_energy_alone(&machine, "package", 10);
    expect_silence(&machine, "total");
    assert_int_equal(machine.health.stalls, 1);
}

static void test_spans_add_up_to_the_energy(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    machine.series[PACKAGE].traits.scale =
        (struct tick_scale){.numerator_uj = 1000000, .denominator = 1 << 14};
    read_all(&machine, 0, 0, 0, 0);
    build(&machine);
    uint64_t sum_uj = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        pass(&machine, NS_PER_S);
        read_energy(&machine, PACKAGE, 7 * i);
        build(&machine);
        sum_uj += find(&machine, "package")->span_energy_uj;
        assert_int_equal(find(&machine, "package")->energy_uj, sum_uj);
    }
    assert_int_equal(sum_uj, 700 * UINT64_C(1000000) / (1 << 14));
}

static void test_unselected_series_is_silent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    machine.series[DRAM].selected = false;
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    expect_silence(&machine, "dram");
    assert_int_equal(machine.count, 4);
    /* the total covers the machine, whatever is selected */
    expect_power(&machine, "total", 150, 15);
}

static void test_series_that_does_not_read_is_silent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    fail_read(&machine, CORE);
    build(&machine);
    expect_silence(&machine, "core");
    expect_power(&machine, "package", 100, 10);
    /* the next one covers both intervals */
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 700, 700, 860, 1200);
    build(&machine);
    expect_power(&machine, "core", 160, 8);
    assert_int_equal(find(&machine, "core")->start_ns, machine.now_ns - 20 * NS_PER_S);
}

static void test_gap_within_the_interval_is_covered(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    fail_read(&machine, CORE);
    build(&machine);
    expect_silence(&machine, "core");
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, CORE, 860000000);
    build(&machine);
    expect_power(&machine, "core", 160, 8);
}

static void test_reset_leaves_the_interval_out(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    pass(&machine, 5 * NS_PER_S);
    read_all(&machine, 3, 660, 780, 1000);
    pass(&machine, 5 * NS_PER_S);
    read_all(&machine, 28, 680, 800, 1000);
    build(&machine);
    expect_silence(&machine, "package");
    expect_power(&machine, "dram", 80, 3);
    expect_silence(&machine, "total");
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 78, 780, 800, 1000);
    build(&machine);
    /* energy since the reset is counted, and power begins there */
    expect_power(&machine, "package", 175, 5);
    expect_power(&machine, "total", 175 + 180, 15);
}

/* The first reading of an interval is decided before its report: earlier energy is unknown. */
static void test_reset_that_is_decided_within_the_interval(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    for (uint64_t joules = 3; joules < 6; joules++) {
        pass(&machine, 5 * NS_PER_S);
        read_all(&machine, joules, 660, 780, 1000);
    }
    build(&machine);
    expect_silence(&machine, "package");
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 55, 670, 800, 1000);
    build(&machine);
    expect_power(&machine, "package", 152, 5);
}

static void test_sleep_leaves_power_out_for_one_interval(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    take(&machine, PACKAGE, 600000000, NS_PER_S);
    take(&machine, DRAM, 650000000, NS_PER_S);
    take(&machine, CORE, 760000000, NS_PER_S);
    take(&machine, PSYS, 5000000, NS_PER_S);
    build(&machine);
    expect_energy_alone(&machine, "package", 100);
    expect_energy_alone(&machine, "core", 60);
    expect_silence(&machine, "psys");
    assert_int_equal(find(&machine, "total")->energy_uj, 150000000);
    assert_false(find(&machine, "total")->has_power);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 700, 660, 780, 105);
    build(&machine);
    expect_power(&machine, "package", 200, 10);
    expect_power(&machine, "psys", 100, 10);
    expect_power(&machine, "total", 260, 11);
}

/* --- total ----------------------------------------------------------------------------------- */

static void test_total_is_packages_and_dram_once(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    const uint64_t start_ns = machine.now_ns;
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    expect_power(&machine, "total", 150, 15);
    const struct rapl_value *total = &machine.values[machine.count - 1];
    assert_string_equal(total->domain, "total");
    assert_int_equal(total->span_energy_uj, 150000000);
    assert_int_equal(total->start_ns, start_ns);
    assert_int_equal(total->end_ns, machine.now_ns);
}

static void test_total_spans_its_members(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    /* the members are read one after the other */
    read_energy(&machine, DRAM, 0);
    pass(&machine, NS_PER_MS);
    read_energy(&machine, PACKAGE, 0);
    build(&machine);
    const uint64_t dram_start_ns = machine.now_ns - NS_PER_MS;
    pass(&machine, NS_PER_S);
    read_energy(&machine, PACKAGE, 10000000);
    pass(&machine, NS_PER_MS);
    read_energy(&machine, DRAM, 0);
    build(&machine);
    const struct rapl_value *total = find(&machine, "total");
    assert_int_equal(total->start_ns, dram_start_ns);
    assert_int_equal(total->end_ns, machine.now_ns);
    /* each member's power is over its own span */
    assert_int_equal(total->power_uw, 10000000);
}

static void test_no_total_where_it_is_not_wanted(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    machine.count =
        report_build(machine.list, SERIES_COUNT, NULL, 0, machine.values, &machine.health);
    assert_int_equal(machine.count, 4);
    expect_silence(&machine, "total");
}

static void test_no_total_without_a_member(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    fail_read(&machine, PACKAGE);
    read_energy(&machine, CORE, 5);
    read_energy(&machine, PSYS, 5);
    build(&machine);
    assert_int_equal(machine.count, 2);
    expect_silence(&machine, "total");
    assert_int_equal(report_build(NULL, 0, machine.sums, 1, machine.values, &machine.health), 0);
}

static void test_zone_that_never_read_is_no_member(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    read_energy(&machine, PACKAGE, 0);
    fail_read(&machine, DRAM);
    build(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 100000000);
    fail_read(&machine, DRAM);
    build(&machine);
    expect_power(&machine, "total", 100, 10);
}

static void test_silent_member_leaves_the_total_out(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    const uint64_t start_ns = machine.now_ns;
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 600000000);
    fail_read(&machine, DRAM);
    build(&machine);
    expect_power(&machine, "package", 100, 10);
    expect_silence(&machine, "total");
    /* afterwards it covers the gap for every member */
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 900000000);
    read_energy(&machine, DRAM, 620000000);
    build(&machine);
    expect_power(&machine, "package", 400, 30);
    expect_power(&machine, "total", 420, 21);
    assert_int_equal(find(&machine, "total")->start_ns, start_ns);
}

static void test_member_that_fails_at_the_report_alone_leaves_the_total_out(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    const uint64_t start_ns = machine.now_ns;
    /* a read between the reports */
    pass(&machine, 5 * NS_PER_S);
    read_all(&machine, 550, 610, 700, 800);
    pass(&machine, 5 * NS_PER_S);
    read_energy(&machine, PACKAGE, 600000000);
    fail_read(&machine, DRAM);
    build(&machine);
    expect_silence(&machine, "total");
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 800, 640, 700, 800);
    build(&machine);
    expect_power(&machine, "total", 340, 17);
    assert_int_equal(find(&machine, "total")->start_ns, start_ns);
}

static void test_member_that_has_gone_keeps_its_joules_in_the_total(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 700000000);
    fail_read(&machine, DRAM);
    machine.series[DRAM].gone = true;
    build(&machine);
    expect_power(&machine, "total", 250, 10);
    /* it returns: its joules continue, and the sum's power starts again for all */
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 800000000);
    read_energy(&machine, DRAM, 670000000);
    build(&machine);
    expect_power(&machine, "package", 300, 10);
    expect_power(&machine, "dram", 70, 1);
    assert_int_equal(find(&machine, "total")->energy_uj, 370000000);
    assert_false(find(&machine, "total")->has_power);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 900000000);
    read_energy(&machine, DRAM, 770000000);
    build(&machine);
    expect_power(&machine, "total", 570, 20);
}

static void test_merged_series_that_ended_keeps_its_joules_in_the_total(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_all(&machine, 600, 650, 760, 1000);
    build(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 700000000);
    machine.series[DRAM].ended = true;
    machine.series[DRAM].reads = false;
    build(&machine);
    expect_silence(&machine, "dram");
    expect_power(&machine, "total", 250, 10);
    /* when the last member ends, there is nothing to sum */
    machine.series[PACKAGE].ended = true;
    machine.series[PACKAGE].reads = false;
    build(&machine);
    expect_silence(&machine, "total");
}

static void test_late_member_begins_the_power_of_the_total_anew(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    read_energy(&machine, PACKAGE, 0);
    build(&machine);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 100000000);
    read_energy(&machine, DRAM, 7000000);
    build(&machine);
    assert_int_equal(find(&machine, "total")->energy_uj, 100000000);
    assert_false(find(&machine, "total")->has_power);
    pass(&machine, 10 * NS_PER_S);
    read_energy(&machine, PACKAGE, 200000000);
    read_energy(&machine, DRAM, 57000000);
    build(&machine);
    expect_power(&machine, "total", 250, 15);
}

/* No monotonic clock does this; if one did, the next report covers the time again. */
static void test_time_that_goes_back_leaves_power_out(void **state) {
    (void)state;
    struct machine machine;
    start(&machine);
    read_all(&machine, 0, 0, 0, 0);
    build(&machine);
    machine.now_ns -= 50 * NS_PER_S;
    read_all(&machine, 10, 5, 1, 20);
    build(&machine);
    expect_energy_alone(&machine, "package", 10);
    expect_energy_alone(&machine, "total", 15);
    pass(&machine, 60 * NS_PER_S);
    read_all(&machine, 20, 10, 2, 40);
    build(&machine);
    expect_power(&machine, "package", 20, 2);
    expect_power(&machine, "total", 30, 3);
}

/* The series has no name yet. */
static void test_undecided_series_is_silent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_all(&machine, 510, 605, 700, 800);
    machine.series[PACKAGE].undecided = true;
    build(&machine);
    expect_silence(&machine, "package");
    expect_silence(&machine, "total");
    pass(&machine, NS_PER_S);
    read_all(&machine, 520, 610, 701, 820);
    machine.series[PACKAGE].undecided = false;
    build(&machine);
    expect_power(&machine, "package", 20, 10);
}

/* One member exists and was never read. */
static void test_total_without_an_unread_member_is_silent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    pass(&machine, NS_PER_S);
    read_all(&machine, 510, 605, 700, 800);
    machine.total.unread = true;
    build(&machine);
    expect_power(&machine, "package", 10, 10);
    expect_silence(&machine, "total");
}

/* One member exists but is not read, because there are too many. */
static void test_total_that_lacks_a_member_is_silent(void **state) {
    (void)state;
    struct machine machine;
    start_running(&machine);
    machine.total.lacks = true;
    pass(&machine, NS_PER_S);
    read_all(&machine, 510, 605, 703, 820);
    build(&machine);
    expect_power(&machine, "package", 10, 10);
    expect_silence(&machine, "total");
    machine.total.lacks = false;
    pass(&machine, NS_PER_S);
    read_all(&machine, 520, 610, 706, 840);
    build(&machine);
    expect_power(&machine, "total", 30, 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_that_goes_back_leaves_power_out),
        cmocka_unit_test(test_first_interval_holds_energy_alone),
        cmocka_unit_test(test_undecided_series_is_silent),
        cmocka_unit_test(test_total_without_an_unread_member_is_silent),
        cmocka_unit_test(test_value_tells_who_it_is),
        cmocka_unit_test(test_power_is_the_mean_of_the_interval),
        cmocka_unit_test(test_power_is_rounded_to_the_nearest),
        cmocka_unit_test(test_short_interval_holds_energy_alone_and_the_next_covers_it),
        cmocka_unit_test(test_50_ms_are_enough),
        cmocka_unit_test(test_whole_joules_need_half_a_second),
        cmocka_unit_test(test_power_is_known_to_5_percent),
        cmocka_unit_test(test_span_begins_at_a_slow_low_reading),
        cmocka_unit_test(test_span_begins_at_a_slow_reading_before_a_failed_one),
        cmocka_unit_test(test_silent_total_is_no_stall),
        cmocka_unit_test(test_spans_add_up_to_the_energy),
        cmocka_unit_test(test_unselected_series_is_silent),
        cmocka_unit_test(test_series_that_does_not_read_is_silent),
        cmocka_unit_test(test_gap_within_the_interval_is_covered),
        cmocka_unit_test(test_reset_leaves_the_interval_out),
        cmocka_unit_test(test_reset_that_is_decided_within_the_interval),
        cmocka_unit_test(test_sleep_leaves_power_out_for_one_interval),
        cmocka_unit_test(test_total_is_packages_and_dram_once),
        cmocka_unit_test(test_total_spans_its_members),
        cmocka_unit_test(test_no_total_where_it_is_not_wanted),
        cmocka_unit_test(test_no_total_without_a_member),
        cmocka_unit_test(test_zone_that_never_read_is_no_member),
        cmocka_unit_test(test_silent_member_leaves_the_total_out),
        cmocka_unit_test(test_member_that_fails_at_the_report_alone_leaves_the_total_out),
        cmocka_unit_test(test_member_that_has_gone_keeps_its_joules_in_the_total),
        cmocka_unit_test(test_merged_series_that_ended_keeps_its_joules_in_the_total),
        cmocka_unit_test(test_late_member_begins_the_power_of_the_total_anew),
        cmocka_unit_test(test_total_that_lacks_a_member_is_silent),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
