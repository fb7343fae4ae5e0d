/* SPDX-License-Identifier: MIT */
/* A source whose zones are made up, and what is bound to it. */
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

/* The next zone, in the order of ids; parent: the index of its parent's, or -1. */
struct zone *add(struct bench *bench, const char *name, int parent);
struct zone *add_mmio(struct bench *bench, const char *name, int parent);

void bind(struct bench *bench);

/* The series of that name, or NULL. */
struct series *series(const struct bench *bench, const char *name);

/* One zone feeds it, and that is this one. */
void expect_fed(const struct bench *bench, const char *name, const struct zone *zone);

/* Series that zones feed. */
size_t live_count(const struct bench *bench);

/* What the zone shows next. */
void set(struct bench *bench, const struct zone *zone, uint64_t ticks, uint64_t time_ns);

/* Takes what all zones show, as a sample does. */
void take_all(struct bench *bench);

/* Problems that were not reported yet; each of them says that. */
unsigned int told(struct bench *bench, const char *part_of_reason);

#endif
