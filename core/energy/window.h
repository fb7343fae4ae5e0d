/* SPDX-License-Identifier: MIT */
/* The power of one series inside an interval: minimum, maximum, deviation, percentiles. Pure. */
#ifndef RAPL_WINDOW_H
#define RAPL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"
#include "rapl.h"

/* A sample closes when its uncertainty is at most one part in this many: one unit of its energy,
 * and of its time one update of the counter and the duration of both reads. */
#define WINDOW_SHARPNESS 20

/*
 * Powers fall into buckets, 64 per binary order: the middle of a bucket is within 0.8 % of every
 * power in it. Powers above 68 kW share the last one.
 */
#define WINDOW_BUCKETS 1984

/* The open sample. */
struct window_sample {
    bool begun;
    uint64_t begin_ns;
    uint64_t begin_doubt_ns;
    rapl_uint128 ticks;
};

struct window {
    struct reading latest; /* the latest of all; its ticks are not used */
    struct window_sample sample;
    /* The closed samples. */
    uint64_t count;
    uint64_t span_ns;
    uint64_t min_uw;
    uint64_t max_uw;
    rapl_uint128 power_ns;               /* sum of power times span, uW ns */
    rapl_uint128 squared_power_ns;       /* sum of power squared times span, uW^2 ns */
    uint64_t weights_ns[WINDOW_BUCKETS]; /* span of the samples per bucket */
};

/* Takes what a counter counted since the last call: the reading's ticks are those between the two.
 * update_ns: its update period; UINT64_MAX: not known yet, and no sample ends. After a break a
 * sample begins at this reading, and its ticks are ignored. A reading older than the latest one is
 * a break. */
void window_take(struct window *window, const struct counter_traits *traits,
                 const struct reading *reading, uint64_t update_ns);

/* The next reading does not continue the last one: the open sample is dropped. */
void window_break(struct window *window);

/* Returns the statistics of the samples closed since the last call. The open sample continues in
 * the next window. If the counter has not moved in it, it begins at the latest reading instead:
 * otherwise an idle hour would be part of the first sample after it. */
struct rapl_statistics window_close(struct window *window);

#endif
