/* SPDX-License-Identifier: MIT */
/* One series: an identity that users see, the counter behind it, and its energy so far. Pure. */
#ifndef RAPL_SERIES_H
#define RAPL_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/counter.h"
#include "energy/period.h"
#include "energy/steady.h"
#include "energy/window.h"
#include "rapl.h"
#include "series/part.h"
#include "zone/zone.h"

/* The position of a mark. Later kinds are more exact for a slow counter. */
enum mark_kind {
    MARK_AT_READING,
    MARK_AT_MOVE,   /* at the first reading that showed an update */
    MARK_AT_UPDATE, /* at the update itself, if that was sharp (period.h) */
};

/* A point from which energy and time are counted. */
struct mark {
    uint64_t time_ns;
    uint64_t uncertainty_ns; /* as in struct reading */
    uint64_t energy_uj;
    enum mark_kind kind;
};

/* Steps of a counter that stood before, while its period is unknown: they are too large for the
 * time since the last reading. */
struct held_steps {
    uint64_t ticks;
    uint64_t energy_uj; /* the same as energy; marks contain it already */
    uint64_t span_ns;   /* sum of their spans, each from the reading before it */
    uint64_t since_ns;  /* time of the first step */
    unsigned int pairs; /* period.pairs at the first step */
    bool is_over;       /* the next reading did not continue them */
};

#define SERIES_FED_BY_NONE SIZE_MAX

/* Whether its counter is known to count. */
enum series_motion {
    SERIES_UNMOVED, /* it has not moved since it was first read */
    SERIES_MOVED,
    SERIES_STUCK, /* it has stood for so long that it does not count: nothing is reported */
};

struct series {
    struct zone_identity identity;
    char name[ZONE_NAME_SIZE];
    char parent[ZONE_PARENT_SIZE];
    size_t number;
    struct zone_identity
        last_zone_identity;    /* own identity of the zone that gave the last reading */
    uint64_t last_zone_offset; /* and that zone's offset (struct comparison) */
    uint32_t control;          /* control type of its zones; another type is another counter */
    bool raised;               /* its ceiling was too low, and was raised to most_uw */
    bool present;              /* it has a zone */
    bool moved_on;             /* one of its zones feeds another series now */
    struct series *same_as;    /* the series that shows the same counter in its place; or NULL */
    bool left_out;             /* its zones are left out because there are too many */
    bool awaits_zone;          /* a zone that is known to show its counter is missing */
    /* For a sum: it does not contain all that it is the sum of. */
    bool lacks;  /* a member is left out */
    bool unread; /* in the last sweep: a member has never been read */

    /* The fields from here on are used in each sweep, and lie close together. */
    bool selected;
    bool ended;        /* its counter belongs to another series now */
    bool withheld;     /* in this sweep: its zones do not agree */
    bool parted;       /* in this sweep: they do not agree for the second time */
    bool was_reported; /* a report has contained it */
    bool undecided;    /* it is unknown whether its counter is another series', too */
    uint32_t epoch;    /* epoch of the zone that gave the last reading */
    /* The zones that give its readings; set again by each discovery. */
    size_t *zones; /* indices in the source's list; several only if they show one counter */
    size_t zone_count;
    size_t lead;            /* the first of them that reads, during a comparison */
    size_t last_zone_index; /* zone of the last reading since discovery; or SERIES_FED_BY_NONE */
    struct counter_traits traits;
    /* The sum that it is added to: the total, or all cores of its package; NULL: none. */
    struct series *sum;
    struct part part; /* for a part of a package */

    struct counter counter;
    bool has_read;      /* it has been read at least once */
    rapl_uint128 ticks; /* ticks counted since the start */
    uint64_t energy_uj; /* the energy of these ticks */
    struct mark power;
    struct mark summed;  /* where its share of the sum's power begins */
    struct mark sum_end; /* where that share ends in the current report */
    struct period period;
    /* Shortest span for which its power is reported: the longest of 50 ms, 20 updates of a counter
     * that may be fast, and unit / 2 W. */
    uint64_t power_span_ns;
    struct mark update; /* the last update, of a slow counter the last sharp one; time 0: none */
    uint64_t update_width_ns;
    struct held_steps held;
    uint64_t first_ns; /* time of the first reading, for a counter that never moved */
    unsigned int unmoved_reports;
    enum series_motion motion;
    /* Statistics of the span of its power; NULL: not requested. */
    struct window *window;
    uint64_t sampled_uj; /* its energy that is already in the sum's window */

    uint64_t uncertainty_ns; /* uncertainty of the reading that the counter continues from */
    uint32_t breaks; /* readings so far that did not count the energy since the one before */
    bool reads;      /* the last sweep read it */
    bool follows;    /* the last sweep counted its energy since the reading before */
    bool returned;   /* the last sweep read it again after a gap */
    bool guarded;    /* its safe span limits the time to the next sweep */
    bool left_low;   /* a report lacked it because its low readings were not decided */
    bool lost;       /* in this interval: some energy was not counted */
    bool slept;      /* the machine slept since it was last reported */
    bool joined;     /* in this interval: its first reading, or the first after it had gone */
    bool apart;      /* it was silent when the span of the sum's power began again for the others */
    bool left;       /* in this interval: it was read before, and discovery no longer finds it */
    bool gone;       /* discovery no longer finds it */
    struct steady steady;
};

/* Takes the reading of one sweep. Counts events in health; returns the outcome. */
enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health);

/* Where power begins if the span before cannot be used. */
struct mark series_begin_power(const struct series *series);

/* Call after a report. If a slow counter is at rest, and its last update was not sharp, the energy
 * of that update has no power. */
void series_settle_power(struct series *series);

/* Call after the traits or the period have changed. */
void series_set_spans(struct series *series);

/* Takes the traits that the zone gives, but keeps a ceiling that was raised. */
void series_set_traits(struct series *series, const struct counter_traits *traits);

/* The next reading belongs to another counter: what that has counted is not energy of this
 * series. */
void series_forget(struct series *series);

/* Whether the last sweep could read it, even if what it showed is not decided yet. */
static inline bool series_is_read(const struct series *series) {
    return series->reads || series->counter.low.count > 0;
}

/* Energy and time now, held steps included. */
static inline struct mark series_now(const struct series *series) {
    return (struct mark){.time_ns = series->counter.time_ns,
                         .uncertainty_ns = series->uncertainty_ns,
                         .energy_uj = series->energy_uj + series->held.energy_uj};
}

/* Whether the span between two marks is long enough for power. */
static inline bool series_is_long_enough(const struct series *series, const struct mark *begin,
                                         const struct mark *end) {
    return end->time_ns > begin->time_ns && end->time_ns - begin->time_ns >= series->power_span_ns;
}

/* series_end_power() for a counter that is not known to be fast. */
bool series_end_unusual_power(const struct series *series, const struct mark *begin,
                              uint64_t stands_ns, struct mark *end);

/* Whether the span of power from begin can end now. end is set to its end; if it cannot end, to
 * now. stands_ns: how long a counter that never moved has to stand to be at rest; UINT64_MAX: for
 * ever. */
static inline bool series_end_power(const struct series *series, const struct mark *begin,
                                    uint64_t stands_ns, struct mark *end) {
    *end = series_now(series);
    if (series->period.state != PERIOD_FAST)
        return series_end_unusual_power(series, begin, stands_ns, end);
    return series_is_long_enough(series, begin, end);
}

/* Power is reported if at most one part in this many of its span is uncertain. Otherwise the span
 * continues, and the next report has the power of all of it. */
#define SERIES_SHARPNESS 20

/* Shortest span for which this uncertainty, of both ends together, is small enough. */
static inline uint64_t series_sharp_span_ns(uint64_t uncertainty_ns) {
    return SERIES_SHARPNESS * uncertainty_ns;
}

#endif
