/* SPDX-License-Identifier: MIT */
/* What one series' power did inside an interval: least, most, spread, percentiles. Pure. */
#ifndef RAPL_WINDOW_H
#define RAPL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"
#include "rapl.h"

/* What cannot be known of a sample is one unit of its energy, and of its time one update of the
 * counter and how long the two reads took: together at most one part in so many. */
#define WINDOW_SHARPNESS 20

/*
 * Powers fall into buckets of a 64th of their binary order: the middle of one is within 0.8 % of
 * all in it. Above 68 kW they share the last one.
 */
#define WINDOW_BUCKETS 1984

/* A sample from its begin; it is closed when it is sharp enough. */
struct window_sample {
    bool begun;
    uint64_t begin_ns;
    uint64_t begin_doubt_ns;
    rapl_uint128 ticks;
};

struct window {
    struct reading latest; /* of all; its ticks say nothing */
    struct window_sample sample;
    /* Of the closed ones. */
    uint64_t count;
    uint64_t span_ns;
    uint64_t min_uw;
    uint64_t max_uw;
    rapl_uint128 power_ns;               /* sum of power times span, uW ns */
    rapl_uint128 squared_power_ns;       /* sum of power squared times span, uW^2 ns */
    uint64_t weights_ns[WINDOW_BUCKETS]; /* span of the samples by their power */
};

/* Takes what a counter counted since it was last taken: the reading's ticks are those between the
 * two. update_ns: how often it moves; UINT64_MAX: not known yet, and no sample ends. After a break
 * a sample begins there, and ticks count for nothing. Of an instant before one that was taken, it
 * is a break. */
void window_take(struct window *window, const struct counter_traits *traits,
                 const struct reading *reading, uint64_t update_ns);

/* What comes next does not follow on what came before: the open sample is given up. */
void window_break(struct window *window);

/* The statistics of the samples that were closed since the last time. The open one goes on into the
 * next window, but for the time in which the counter stood: else the hour in which nothing ran
 * would be in the first sample after it. */
struct rapl_statistics window_close(struct window *window);

#endif
