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

/* Where a mark lies: the later kinds say more of a slow counter. */
enum mark_kind {
    MARK_AT_READING,
    MARK_AT_MOVE,   /* at the first reading that showed an update */
    MARK_AT_UPDATE, /* where that was sharp (period.h): at the update */
};

/* A point from which energy and time are counted. */
struct mark {
    uint64_t time_ns;
    uint64_t uncertainty_ns; /* as in struct reading */
    uint64_t energy_uj;
    enum mark_kind kind;
};

/* Steps of a counter that stood before, and whose period is not known yet: for a reading that came
 * soon before them they are too large. */
struct held_steps {
    uint64_t ticks;
    uint64_t energy_uj; /* the same, as marks hold it already */
    uint64_t span_ns;   /* of them, each from the reading before it */
    uint64_t since_ns;  /* the first */
    unsigned int pairs; /* those of the period at the first */
    bool is_over;       /* what came after them did not follow on them */
};

#define SERIES_FED_BY_NONE SIZE_MAX

/* What is known of whether its counter counts. */
enum series_motion {
    SERIES_UNMOVED, /* it has not moved since it was first read */
    SERIES_MOVED,
    SERIES_STUCK, /* it has not moved for so long that it does not count: it says nothing */
};

struct series {
    struct zone_identity identity;
    char name[ZONE_NAME_SIZE];
    char parent[ZONE_PARENT_SIZE];
    size_t number;
    struct zone_identity
        last_zone_identity;    /* own identity of the zone that gave the last reading */
    uint64_t last_zone_offset; /* and its offset (struct comparison) */
    uint32_t control;          /* control type of its zones: another one is another counter */
    bool raised;               /* its ceiling was too low, and is the most that it can be now */
    bool present;              /* it has a zone */
    bool moved_on;             /* a zone of its feeds another series now */
    struct series *same_as;    /* that one, for both show one counter; or NULL */
    bool left_out;             /* its zones are left out, for there are too many */
    bool awaits_zone;          /* one that is known to be of its counter is lost */
    /* Of a sum: what it is the sum of is more than its members. */
    bool lacks;  /* one is left out */
    bool unread; /* at the last sample: one has never been read */

    /* What each sample touches is close together, from here on. */
    bool selected;
    bool ended;     /* its counter is that of another series now */
    bool withheld;  /* at this sample: its zones do not agree */
    bool parted;    /* and have not for the second time */
    bool told;      /* a report has had it */
    bool undecided; /* whether its counter is that of another series, too */
    uint32_t epoch; /* of the zone that gave the last reading */
    /* Where it gets its readings; set anew by each discovery. */
    size_t *zones; /* the first that reads is taken: several only where they show one counter */
    size_t zone_count;
    size_t lead;            /* the first of them that reads, while they are compared */
    size_t last_zone_index; /* that of the last reading, where it was after that; or
                               SERIES_FED_BY_NONE */
    struct counter_traits traits;
    /* What it is added to: the total, or all cores of its package; NULL: to nothing. */
    struct series *sum;
    struct part part; /* where it is one of a package */

    struct counter counter;
    bool has_read;      /* ever */
    rapl_uint128 ticks; /* counted since the start */
    uint64_t energy_uj; /* the same as energy */
    struct mark power;
    struct mark summed;  /* the same for its part of the sum */
    struct mark sum_end; /* where that ends in the report under way */
    struct period period;
    /* Shortest span that its power may be told of: 50 ms, 20 updates of a counter that may be fast,
     * and unit / 2 W. */
    uint64_t power_span_ns;
    struct mark update; /* the last sharp one of a slow counter, or the last; time 0: none */
    uint64_t update_width_ns;
    struct held_steps held;
    uint64_t first_ns; /* of a counter that never moved: the first reading */
    unsigned int unmoved_reports;
    enum series_motion motion;
    /* Of the span of its power, where statistics are asked for, or NULL. */
    struct window *window;
    uint64_t sampled_uj; /* its energy, as the sum's window has it */

    uint64_t uncertainty_ns; /* of the reading that its counter goes on from */
    uint32_t breaks; /* readings so far that did not count what went by since the one before */
    bool reads;      /* at the last sample */
    bool follows;    /* at the last sample: it counted what went by since the one before */
    bool returned;   /* at the last sample: it reads again */
    bool guarded;    /* how long it may go unread counts for the next sample */
    bool left_low;   /* a report lacked it, for what its low readings mean was not decided */
    bool lost;       /* in this interval: energy went by uncounted */
    bool slept;      /* since it was last reported */
    bool joined;     /* in this interval: its first reading, or the first after it had gone */
    bool apart;      /* it was silent when the span of the sum's power began anew for the others */
    bool left;       /* in this interval: it read before, and discovery no longer finds it */
    bool gone;       /* discovery no longer finds it */
    struct steady steady;
};

/* Takes its part of a sample. Counts what happened in health; returns the outcome. */
enum counter_outcome series_take(struct series *series, const struct reading *reading,
                                 uint64_t slept_ns, struct rapl_health *health);

/* From where on power is counted when the span before says nothing. */
struct mark series_begin_power(const struct series *series);

/* After a report: energy of a slow counter that rests by now, and whose update was not sharp, has
 * no power. */
void series_settle_power(struct series *series);

/* To be called when its traits or its period have changed. */
void series_set_spans(struct series *series);

/* What its zone says of its counter, but for a ceiling that was raised. */
void series_set_traits(struct series *series, const struct counter_traits *traits);

/* Its next reading is that of another counter: what that one shows is no energy of this one. */
void series_forget(struct series *series);

/* It could be read at the last sample, also where what it showed is not decided yet. */
static inline bool series_is_read(const struct series *series) {
    return series->reads || series->counter.low.count > 0;
}

/* Energy and time now, with steps that are held. */
static inline struct mark series_now(const struct series *series) {
    return (struct mark){.time_ns = series->counter.time_ns,
                         .uncertainty_ns = series->uncertainty_ns,
                         .energy_uj = series->energy_uj + series->held.energy_uj};
}

/* Whether a power may have such a span. */
static inline bool series_is_long_enough(const struct series *series, const struct mark *begin,
                                         const struct mark *end) {
    return end->time_ns > begin->time_ns && end->time_ns - begin->time_ns >= series->power_span_ns;
}

/* The same as series_end_power() for a counter of which it is not known that it is fast. */
bool series_end_unusual_power(const struct series *series, const struct mark *begin,
                              uint64_t stands_ns, struct mark *end);

/* Whether the span of a power that began at a mark ends now, and where; otherwise end is now.
 * stands_ns: for how long a counter that never moved has to stand to be at rest; UINT64_MAX: for
 * ever. */
static inline bool series_end_power(const struct series *series, const struct mark *begin,
                                    uint64_t stands_ns, struct mark *end) {
    *end = series_now(series);
    if (series->period.state != PERIOD_FAST)
        return series_end_unusual_power(series, begin, stands_ns, end);
    return series_is_long_enough(series, begin, end);
}

/* Power is reported if at most one part in so many of its span is not known. Otherwise the span
 * goes on, and the next report has the power of all of it. */
#define SERIES_SHARPNESS 20

/* Shortest span for which so much doubt at both of its ends together is not too much. */
static inline uint64_t series_sharp_span_ns(uint64_t uncertainty_ns) {
    return SERIES_SHARPNESS * uncertainty_ns;
}

#endif
