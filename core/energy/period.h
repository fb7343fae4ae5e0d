/* SPDX-License-Identifier: MIT */
/* How often one counter moves: its update period, measured from its readings. Pure. */
#ifndef RAPL_PERIOD_H
#define RAPL_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

/* Counters of the hardware move about once a millisecond (SDM vol. 3B 16.10.3), with up to a tenth
 * of that as jitter. Shorter periods are taken for this one. */
#define PERIOD_USUAL_NS UINT64_C(1200000)

/* Longer ones are slow: power runs from update to update. A QEMU guest's counters move once a
 * second, Windows' meters, too, and a file that a host writes for its guests each 5 s. */
#define PERIOD_SLOW_NS UINT64_C(25000000)

/* A counter that stands for longer than this is idle, as far as can be known. */
#define PERIOD_LONGEST_NS UINT64_C(12000000000)

/* An update is where power may begin or end if it happened within one part in so many of the
 * period. */
#define PERIOD_SHARPNESS 20

/* A slow counter that stands for so many periods is at rest. */
#define PERIOD_REST 3

enum period_state {
    PERIOD_SOUGHT,  /* not known yet; where it never moved, nothing is known */
    PERIOD_FAST,    /* at most PERIOD_SLOW_NS */
    PERIOD_ASSUMED, /* its moves did not show it in PERIOD_LONGEST_NS: at most most_ns */
    PERIOD_SLOW,    /* longer than PERIOD_SLOW_NS */
};

struct period {
    enum period_state state;
    unsigned int pairs; /* moves whose span to the move before was seen */
    unsigned int rests; /* in a row: moves after the counter had stood for longer than most_ns */
    bool large;         /* the last move was of more than one unit */
    bool stands;        /* the last reading found it as it was */
    bool has_stood;     /* while sought: for longer than a fast one stands */
    uint64_t rest_ns;   /* of the last of rests: how long it stood */
    uint64_t least_ns;  /* it is at least this long; 0: not known */
    uint64_t most_ns;   /* and at most; 0: not known */
    uint64_t sought_ns; /* when a move was first seen since it is sought; 0: none was */
    uint64_t before_ns; /* the last reading that did not show its value yet; 0: not known */
    uint64_t shown_ns;  /* the first reading that showed it; 0: not known */
};

/* How a counter moved between two readings. */
enum move {
    MOVE_NONE,
    MOVE_UNIT,  /* by one unit, or less than any: it may have stood for want of load */
    MOVE_LARGE, /* by more: an update */
};

/* Takes a move between two readings, each from the earliest to the latest instant at which the
 * counter can have stood so. */
void period_take(struct period *period, enum move move, uint64_t begin_ns, uint64_t end_ns);

/* The counter is another one, started again, or the machine slept: the next reading follows on
 * nothing. What was measured stays. */
void period_break(struct period *period);

/* Whether a usual counter moved as usual between two readings: there is nothing to be learned. */
static inline bool period_is_usual(const struct period *period, bool moved, uint64_t span_ns) {
    return period->state == PERIOD_FAST && moved && !period->stands && span_ns > period->most_ns;
}

/* What period_take() leaves where period_is_usual(). */
static inline void period_skip(struct period *period) {
    period->shown_ns = 0;
    period->rests = 0;
    period->large = true;
}

/* For how long the counter has stood at that instant; 0: not known. */
uint64_t period_stood_ns(const struct period *period, uint64_t now_ns);

/* How long until a reading may find out more, from the one at now_ns on: the period that is sought,
 * or when the next update comes. UINT64_MAX: it need not be read for that. interval_ns: between the
 * last two reports. */
uint64_t period_look_ns(const struct period *period, uint64_t now_ns, uint64_t interval_ns);

/* What a sample of power has to reckon with; UINT64_MAX: not known yet. */
static inline uint64_t period_update_ns(const struct period *period) {
    if (period->most_ns == 0 || period->most_ns > PERIOD_LONGEST_NS)
        return period->state == PERIOD_ASSUMED ? PERIOD_USUAL_NS : UINT64_MAX;
    return period->most_ns > PERIOD_USUAL_NS ? period->most_ns : PERIOD_USUAL_NS;
}

#endif
