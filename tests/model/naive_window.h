/* SPDX-License-Identifier: MIT */
/*
 * A second implementation of core/energy/window.h: it keeps every sample and computes the
 * statistics when they are requested.
 */
#ifndef RAPL_MODEL_NAIVE_WINDOW_H
#define RAPL_MODEL_NAIVE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapl.h"
#include "wide.h"

/* How a counter counts. */
struct naive_scale {
    uint64_t parts;     /* per joule */
    uint64_t unit;      /* parts of the smallest step; 0: unknown */
    uint64_t update_ns; /* update period; UINT64_MAX: not known yet */
};

struct naive_reading {
    uint64_t time_ns;
    uint64_t uncertainty_ns;
    uint64_t parts; /* counted since the previous reading */
};

struct naive_sample {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t energy_uj;
    uint64_t power_uw;
};

struct naive_window {
    bool is_open;
    struct naive_reading latest; /* last reading of any kind */
    struct naive_reading begin;
    wide parts;                   /* counted since then */
    struct naive_sample *samples; /* closed ones */
    size_t count;
    size_t room;
};

/* Takes a reading that continues the previous one, or is the first after a break. */
void naive_take(struct naive_window *window, const struct naive_scale *scale,
                const struct naive_reading *reading);

/* The next reading does not continue the previous one. */
void naive_break(struct naive_window *window);

/* Begins the next interval. */
void naive_begin(struct naive_window *window);

/* Returns which of the statistics contradicts the closed samples, or NULL. power_uw, if not NULL,
 * must lie between min and max. */
const char *naive_find_wrong(const struct naive_window *window,
                             const struct rapl_statistics *statistics, const uint64_t *power_uw);

/* Returns whether the samples cover the span without a gap. */
bool naive_covers(const struct naive_window *window, uint64_t begin_ns, uint64_t end_ns);

void naive_free(struct naive_window *window);

#endif
