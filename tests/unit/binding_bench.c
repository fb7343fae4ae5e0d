/* SPDX-License-Identifier: MIT */
#include "binding_bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"

int bench_setup(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL)
        return -1;
    bench->source.zones = bench->list;
    bench->source.readings = bench->readings;
    bench->binding.vendor = CPU_VENDOR_INTEL;
    if (binding_open(&bench->binding, &bench->zone_filter, true, false) != 0)
        return -1;
    bench->problems.root = "/";
    *state = bench;
    return 0;
}

int bench_teardown(void **state) {
    struct bench *bench = *state;
    binding_free(&bench->binding);
    problems_free(&bench->problems);
    zone_filter_close(&bench->zone_filter);
    for (size_t i = 0; i < bench->source.zone_count; i++)
        free(bench->zones[i].id);
    free(bench);
    fakes_end();
    return 0;
}

struct zone *add(struct bench *bench, const char *name, int parent) {
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

struct zone *add_mmio(struct bench *bench, const char *name, int parent) {
    struct zone *zone = add(bench, name, parent);
    zone->control = 1;
    snprintf(zone->id, 32, "intel-rapl-mmio:%zx", bench->source.zone_count - 1);
    return zone;
}

void bind(struct bench *bench) {
    assert_int_equal(binding_update(&bench->binding, &bench->source, &bench->problems), 0);
}

struct series *series(const struct bench *bench, const char *name) {
    for (size_t i = 0; i < bench->binding.series_count; i++) {
        if (strcmp(bench->binding.series[i]->name, name) == 0)
            return bench->binding.series[i];
    }
    return NULL;
}

void expect_fed(const struct bench *bench, const char *name, const struct zone *zone) {
    const struct series *fed = series(bench, name);
    assert_non_null(fed);
    assert_true(fed->present);
    assert_false(fed->ended);
    assert_int_equal(fed->zone_count, 1);
    assert_ptr_equal(bench->list[fed->zones[0]], zone);
}

size_t live_count(const struct bench *bench) {
    size_t count = 0;
    for (size_t i = 0; i < bench->binding.series_count; i++)
        count += bench->binding.series[i]->present ? 1 : 0;
    return count;
}

void set(struct bench *bench, const struct zone *zone, uint64_t ticks, uint64_t time_ns) {
    bench->readings[zone - bench->zones] = (struct reading){.ticks = ticks, .time_ns = time_ns};
}

/* The zone that fed the series before, or the first one that can be read. */
static void take(struct bench *bench, struct series *taking) {
    for (size_t i = 0; i < taking->zone_count; i++) {
        const struct reading *reading = &bench->readings[taking->zones[i]];
        if (reading->error != 0)
            continue;
        taking->last_zone_identity = bench->list[taking->zones[i]]->identity;
        series_take(taking, reading, 0, &bench->health);
        return;
    }
    const struct reading none = {.error = -EIO};
    if (taking->zone_count > 0)
        series_take(taking, &none, 0, &bench->health);
}

void take_all(struct bench *bench) {
    const int changed = binding_compare(&bench->binding, &bench->source, &bench->problems);
    assert_true(changed >= 0);
    if (changed > 0)
        bind(bench);
    binding_start(&bench->binding, &bench->source, &bench->health);
    for (size_t i = 0; i < bench->binding.series_count; i++) {
        struct series *taking = bench->binding.series[i];
        taking->reads = false;
        if (!taking->withheld)
            take(bench, taking);
    }
}

unsigned int told(struct bench *bench, const char *part_of_reason) {
    struct rapl_problem problem;
    unsigned int count = 0;
    while (problems_next(&bench->problems, &problem)) {
        assert_non_null(strstr(problem.reason, part_of_reason));
        count++;
    }
    return count;
}
