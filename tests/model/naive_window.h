/* SPDX-License-Identifier: MIT */
/*
 * The statistics of core/energy/window.h once more, from struct rapl_statistics alone: every sample
 * is kept, and what is to be known of them is worked out when it is asked for.
 */
#ifndef RAPL_MODEL_NAIVE_WINDOW_H
#define RAPL_MODEL_NAIVE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapl.h"
#include "wide.h"

/* What a counter counts in. */
struct naive_scale {
    uint64_t parts;     /* per joule */
    uint64_t unit;      /* parts that it moves by at least; 0: not known */
    uint64_t update_ns; /* how often it moves; UINT64_MAX: not known yet */
};

struct naive_reading {
    uint64_t time_ns;
    uint64_t uncertainty_ns;
    uint64_t parts; /* counted since the reading before */
};

struct naive_sample {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t energy_uj;
    uint64_t power_uw;
};

struct naive_window {
    bool is_open;
    struct naive_reading latest; /* of all */
    struct naive_reading begin;
    wide parts;                   /* since then */
    struct naive_sample *samples; /* that were closed */
    size_t count;
    size_t room;
};

/* A reading that follows on the one before, or the first after a break. */
void naive_take(struct naive_window *window, const struct naive_scale *scale,
                const struct naive_reading *reading);

/* The next reading does not follow on what was read before. */
void naive_break(struct naive_window *window);

/* The next interval begins. */
void naive_begin(struct naive_window *window);

/* What of the statistics is not true of the samples that were closed, or NULL. The power that is
 * told beside them, if there is one, is not outside of the least and the most. */
const char *naive_find_wrong(const struct naive_window *window,
                             const struct rapl_statistics *statistics, const uint64_t *power_uw);

/* Whether the samples cover the span from one instant to the other, without a gap. */
bool naive_covers(const struct naive_window *window, uint64_t begin_ns, uint64_t end_ns);

void naive_free(struct naive_window *window);

#endif
