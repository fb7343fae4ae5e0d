/* SPDX-License-Identifier: MIT */
/* The update period of one counter (how often it moves), measured from its readings. Pure. */
#ifndef RAPL_PERIOD_H
#define RAPL_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

/* Hardware counters move about once a millisecond (SDM vol. 3B 16.10.3), with jitter of up to a
 * tenth of that. Shorter periods are treated as this one. */
#define PERIOD_USUAL_NS UINT64_C(1200000)

/* Counters with a longer period are slow: their power runs from update to update. A QEMU guest's
 * counters move once a second, so do Windows' meters, and a file that a host writes for its guests
 * moves every 5 s. */
#define PERIOD_SLOW_NS UINT64_C(25000000)

/* A counter that stands for longer than this counts as idle. */
#define PERIOD_LONGEST_NS UINT64_C(12000000000)

/* Power may begin or end at an update if its time is known to within the period divided by this. */
#define PERIOD_SHARPNESS 20

/* A slow counter that stands for this many periods is at rest. */
#define PERIOD_REST 3

enum period_state {
    PERIOD_SOUGHT,  /* not known yet; the counter may never have moved */
    PERIOD_FAST,    /* at most PERIOD_SLOW_NS */
    PERIOD_ASSUMED, /* its moves did not show it within PERIOD_LONGEST_NS; it is at most most_ns */
    PERIOD_SLOW,    /* longer than PERIOD_SLOW_NS */
};

struct period {
    enum period_state state;
    unsigned int pairs; /* moves for which the time since the previous move was seen */
    unsigned int rests; /* consecutive moves after a standstill longer than most_ns */
    bool large;         /* the last move was MOVE_LARGE */
    bool stands;        /* the last reading showed no move */
    bool has_stood;     /* while sought: it stood for longer than a fast counter does */
    uint64_t rest_ns;   /* length of the last of these standstills */
    uint64_t least_ns;  /* lower bound of the period; 0: unknown */
    uint64_t most_ns;   /* upper bound; 0: unknown */
    uint64_t sought_ns; /* time of the first move seen in this search; 0: none yet */
    uint64_t before_ns; /* the last reading before the current value appeared; 0: unknown */
    uint64_t shown_ns;  /* the first reading that showed the current value; 0: unknown */
};

/* How a counter moved between two readings. */
enum move {
    MOVE_NONE,
    MOVE_UNIT,  /* by less than two units: it may have stood for lack of load */
    MOVE_LARGE, /* by more: an update */
};

/* Takes a move between two readings. begin_ns and end_ns: the earliest instant at which the counter
 * can have shown the first value, and the latest for the second. */
void period_take(struct period *period, enum move move, uint64_t begin_ns, uint64_t end_ns);

/* The counter was replaced or restarted, or the machine slept: the next reading does not continue
 * the last one. The measured period stays. */
void period_break(struct period *period);

/* Whether a fast counter moved as usual between two readings, so that there is nothing to learn. */
static inline bool period_is_usual(const struct period *period, bool moved, uint64_t span_ns) {
    return period->state == PERIOD_FAST && moved && !period->stands && span_ns > period->most_ns;
}

/* Leaves what period_take() would leave if period_is_usual(). */
static inline void period_skip(struct period *period) {
    period->shown_ns = 0;
    period->rests = 0;
    period->large = true;
}

/* How long the counter has stood at that instant; 0: unknown. */
uint64_t period_stood_ns(const struct period *period, uint64_t now_ns);

/* Time from the reading at now_ns until another may learn more: the period that is sought, or the
 * time of the next update. UINT64_MAX: no reading is needed for that. interval_ns: time between the
 * last two reports. */
uint64_t period_look_ns(const struct period *period, uint64_t now_ns, uint64_t interval_ns);

/* The update period that a sample of power has to allow for; UINT64_MAX: not known yet. */
static inline uint64_t period_update_ns(const struct period *period) {
    if (period->most_ns == 0 || period->most_ns > PERIOD_LONGEST_NS)
        return period->state == PERIOD_ASSUMED ? PERIOD_USUAL_NS : UINT64_MAX;
    return period->most_ns > PERIOD_USUAL_NS ? period->most_ns : PERIOD_USUAL_NS;
}

#endif
