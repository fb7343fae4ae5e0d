/* SPDX-License-Identifier: MIT */
/* One series: an identity that users see, the counter behind it, and its energy so far. Pure. */
#ifndef RAPL_SERIES_H
#define RAPL_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "part.h"
#include "rapl.h"
#include "steady.h"
#include "window.h"
#include "zone.h"

/* A point from which energy and time are counted. */
struct mark {
    uint64_t time_ns;
    uint64_t energy_uj;
};

#define SERIES_FED_BY_NONE SIZE_MAX

struct series {
    struct zone_identity identity;
    char name[ZONE_NAME_SIZE];
    char parent[ZONE_TEXT_SIZE];
    size_t number;
    struct zone_identity feeder; /* own identity of the zone that gave the last reading */
    uint32_t control;            /* control type of its zones: another one is another counter */
    bool raised;                 /* its ceiling was too low, and is the most that it can be now */
    bool duplicated;             /* more than one zone has had its name */
    bool present;                /* it has a zone */
    bool left_out;               /* its zones are left out, for there are too many */
    bool lacks;                  /* a sum: one of what it is the sum of is left out */

    /* What each sample touches is close together, from here on. */
    bool selected;
    bool ended;     /* mirrors that parted: it never reads again */
    uint32_t epoch; /* of the zone that gave the last reading */
    /* Where it gets its readings; set anew by each discovery. */
    size_t *zones; /* the first that reads is taken: several only where they mirror each other */
    size_t zone_count;
    size_t fed_by; /* that of the last reading, where it was after that; or SERIES_FED_BY_NONE */
    struct counter_traits traits;
    /* What it is added to: the total, or all cores of its package; NULL: to nothing. */
    struct series *sum;
    struct part part; /* where it is one of a package */

    struct counter counter;
    bool has_read;      /* ever */
    rapl_uint128 ticks; /* counted since the start */
    uint64_t energy_uj; /* the same as energy */
    struct mark power;
    struct mark summed; /* the same for its part of the sum */
    /* Of the span of its power, where statistics are asked for, or NULL. */
    struct window *window;
    uint64_t sampled_uj; /* its energy, as the sum's window has it */

    uint64_t doubt_ns; /* of the reading that its counter goes on from */
    uint32_t breaks;   /* readings so far that did not count what went by since the one before */
    bool reads;        /* at the last sample */
    bool follows;      /* at the last sample: it counted what went by since the one before */
    bool returned;     /* at the last sample: it reads again */
    bool guarded;      /* how long it may go unread counts for the next sample */
    bool left_low;     /* a report lacked it, for what its low readings mean was not decided */
    bool lost;         /* in this interval: energy went by uncounted */
    bool slept;        /* since it was last reported */
    bool joined;       /* in this interval: its first reading, or the first after it had gone */
    bool apart; /* it was silent when the span of the sum's power began anew for the others */
    bool left;  /* in this interval: it read before, and discovery no longer finds it */
    bool gone;  /* discovery no longer finds it */
    struct steady steady;
};

/* Takes its part of a sample. Counts what happened in health; returns the outcome. */
enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health);

/* What its zone says of its counter, but for a ceiling that was raised. */
void series_set_traits(struct series *series, const struct counter_traits *traits);

/* Its next reading is that of another counter: what that one shows is no energy of this one. */
void series_forget(struct series *series);

/* It could be read at the last sample, also where what it showed is not decided yet. */
static inline bool series_is_read(const struct series *series) {
    return series->reads || series->counter.low.count > 0;
}

/* Energy and time now. */
struct mark series_now(const struct series *series);

/* Shortest span that its power may be told of, in nanoseconds: 50 ms, and unit / 2 W. */
uint64_t series_power_span_ns(const struct series *series);

#endif
