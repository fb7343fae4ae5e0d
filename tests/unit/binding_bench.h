/* SPDX-License-Identifier: MIT */
/* A fake source whose zones a test defines, and the series bound to them. */
#ifndef RAPL_TEST_BINDING_BENCH_H
#define RAPL_TEST_BINDING_BENCH_H

#include <stdint.h>

#include "series/binding.h"

#define ZONES_MAX 16
#define CEILING_UW UINT64_C(250000000)

struct bench {
    struct zone zones[ZONES_MAX];
    struct zone *list[ZONES_MAX];
    struct reading readings[ZONES_MAX];
    struct source source;
    struct zone_filter zone_filter;
    struct binding binding;
    struct problems problems;
    struct rapl_health health;
};

int bench_setup(void **state);
int bench_teardown(void **state);

#define BOUND(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

/* Adds the next zone in the order of kernel ids. parent: index of its parent zone, or -1. */
struct zone *add(struct bench *bench, const char *name, int parent);
struct zone *add_mmio(struct bench *bench, const char *name, int parent);

void bind(struct bench *bench);

/* The series with that name, or NULL. */
struct series *series(const struct bench *bench, const char *name);

/* Fails unless exactly one zone feeds the series, and it is this one. */
void expect_fed(const struct bench *bench, const char *name, const struct zone *zone);

/* Number of series that a zone feeds. */
size_t live_count(const struct bench *bench);

/* Sets the next reading of the zone. */
void set(struct bench *bench, const struct zone *zone, uint64_t ticks, uint64_t time_ns);

/* Passes the readings of all zones to their series, as a sample does. */
void take_all(struct bench *bench);

/* Number of problems not reported yet; the reason of each must contain that text. */
unsigned int told(struct bench *bench, const char *part_of_reason);

#endif
