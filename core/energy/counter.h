/* SPDX-License-Identifier: MIT */
/* Turns the readings of one raw counter into energy, step by step: wrap, reset, gap, sleep.
 * Pure. */
#ifndef RAPL_COUNTER_H
#define RAPL_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel's unsigned 128-bit integer. Microjoules times nanoseconds need it, and so does a sum
 * of perf's ticks: 2^64 of them are 4.3 GJ. */
__extension__ typedef unsigned __int128 rapl_uint128;

/* One reading of a counter. */
struct reading {
    uint64_t ticks;
    uint64_t time_ns;        /* CLOCK_MONOTONIC_RAW in the middle of the read */
    uint64_t uncertainty_ns; /* the counter had this value at most this much earlier or later */
    int error;               /* negative errno; the other fields are then invalid */
};

/* Sets the time of a reading that was taken between these two instants. */
void reading_stamp(struct reading *reading, uint64_t begin_ns, uint64_t end_ns);

/* Microjoules per tick, as a fraction: powercap 1/1, an MSR 1000000/2^14, perf 1000000/2^32. */
struct tick_scale {
    uint32_t numerator_uj;
    uint64_t denominator;
};

/* What a source knows about a counter. */
struct counter_traits {
    uint64_t modulus; /* ticks after which the counter is at 0 again; 0: unknown, or goes_on */
    bool goes_on;     /* it never wraps: it passes 2^64 like any other number */
    uint64_t unit;    /* fewest ticks it moves by: one tick of the hardware; 0: unknown */
    struct tick_scale scale;
    uint64_t period_ns; /* update period of a counter that moves seldom (period.h); 0: all others */
    uint64_t ceiling_uw; /* plausible power: a larger step is not energy */
    uint64_t most_uw;    /* ceiling after several steps in a row above it; 0: it stays */
};

/* Consecutive readings below the baseline. */
struct low_readings {
    unsigned int count;
    uint64_t first_ticks;
    uint64_t first_ns;
    uint64_t first_uncertainty_ns;
    uint64_t last_ticks;
    uint64_t last_ns;
};

struct counter {
    bool has_baseline;
    bool in_gap;       /* the last reading failed */
    uint64_t slept_ns; /* during that gap */
    uint64_t ticks;
    uint64_t time_ns;
    struct low_readings low; /* since ticks were read */
    unsigned int above;      /* consecutive steps above ceiling_uw and at most most_uw */
    bool leapt;              /* the last step was above COUNTER_NEAR_FACTOR times the ceiling */
};

/* The smallest range that a counter of unknown range may have: 2^32 ticks of 15.258 uJ, the finest
 * known unit (ESU 16 in whole nanojoules: intel_rapl_common.c, rapl_unit_xlate). */
#define COUNTER_LEAST_TURN_UJ UINT64_C(65532611002)

/* A step above the ceiling by more than this factor does not show what the machine can draw. */
#define COUNTER_NEAR_FACTOR 4

/* This many steps in a row show that the ceiling is too low: processors above 1 kW, many DIMMs. */
#define COUNTER_BELIEVED_STEPS 10

enum counter_outcome {
    COUNTER_BASELINE,      /* the first reading */
    COUNTER_COUNTED,       /* it went forward or stood still (0 J) */
    COUNTER_WRAPPED,       /* it passed its range once */
    COUNTER_LOW,           /* it is below the baseline; the next reading decides why */
    COUNTER_RESET,         /* it started again */
    COUNTER_RESTARTED,     /* it started again at the first low reading, and continued */
    COUNTER_RESET_FORWARD, /* it jumped further than the ceiling allows */
    COUNTER_UNDECIDED,     /* a wrap may have gone unseen since the last reading */
    COUNTER_FAILED,        /* it could not be read */
    COUNTER_RETURNED,      /* it may be back at values it left before (core/energy/steady.h) */
    COUNTER_UNSTEADY,      /* it alternates between two rows of values */
    COUNTER_ABOVE_WHOLE,   /* a part used more than its package (core/series/part.h) */
};

struct counter_step {
    enum counter_outcome outcome;
    uint64_t ticks; /* set for COUNTED, WRAPPED and RESTARTED, otherwise 0 */
};

/*
 * Takes the next reading.
 *
 * A step forward may hold energy used up to two update periods before the last reading: one update
 * had not come yet then, and the next may come late. A decrease, and a wrap that may be hidden,
 * allow for one period. Time for which the counter stood still allows nothing. If the modulus is
 * unknown, every decrease is a reset, and a step is UNDECIDED if the counter may have passed the
 * smallest known range in that time.
 *
 * slept_ns: time since the last reading, failed or not, that CLOCK_MONOTONIC did not count. RESET,
 * RESET_FORWARD and UNDECIDED make the reading a new baseline. The ticks of RESTARTED are counted
 * from low.first_ns, as it was before the call.
 *
 * A single low reading may be a failed read: perf on Linux 6.19 gave 0 when it was read on another
 * CPU (Panther Lake). A decrease is therefore LOW at first, unless sleep or a failed read came
 * before it. If the next reading continues the value before the low one, and not the low one, the
 * low reading was a failed read. If it continues the low one and a wrap explains the decrease, the
 * wrap is counted. Otherwise it is LOW once more, and the third reading decides between a failed
 * read and a restart. If both are plausible, nothing is counted. If a read fails before the
 * decision, the next reading is a first one.
 */
struct counter_step counter_advance(struct counter *counter, const struct counter_traits *traits,
                                    const struct reading *reading, uint64_t slept_ns);

/* Whether the reading may be of a counter that showed `from` at from_ns and continued from
 * there. */
bool counter_may_go_on(const struct counter_traits *traits, uint64_t from, uint64_t from_ns,
                       const struct reading *reading);

/* Starts over: the next reading is a first one. */
void counter_forget(struct counter *counter);

/* The hardware counts this many ticks (SDM vol. 3B 16.10.3). */
#define COUNTER_REGISTER_MODULUS (UINT64_C(1) << 32)

/*
 * The modulus of a counter with this largest value: one tick of the hardware more. The hardware
 * counts 2^32 ticks (SDM vol. 3B 16.10.3), so a tick is range / (2^32 - 1), here rounded to the
 * source's ticks. 0 if range is 0 or leaves no room for the tick.
 */
uint64_t counter_modulus(uint64_t range);

/* One tick of the hardware, computed the same way. */
uint64_t counter_unit(uint64_t range);

/* Converts ticks to microjoules; UINT64_MAX if 64 bits cannot hold the result. */
uint64_t counter_to_uj(struct tick_scale scale, rapl_uint128 ticks);

/* Energy over a time above 0 as microwatts, rounded to the nearest. */
uint64_t counter_mean_uw(uint64_t energy_uj, uint64_t span_ns);

/* The difference of two counters that wrap at modulus, the short way round; 0: at 2^64. */
uint64_t counter_distance(uint64_t a, uint64_t b, uint64_t modulus);

/* The same traits with the ceiling raised to most_uw, if that is higher. */
struct counter_traits counter_raise(const struct counter_traits *traits);

/* Whether ticks in span_ns would exceed the ceiling. */
bool counter_exceeds(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns);

/* Whether ticks in span_ns are too many for a wrap: above the ceiling, or above what any domain
 * draws for long. */
bool counter_exceeds_sustained(const struct counter_traits *traits, uint64_t ticks,
                               uint64_t span_ns);

/* Whether ticks plus one more turn (the ticks of a whole range) would still be plausible in
 * span_ns. false if turn is 0. */
bool counter_may_hide_turn(const struct counter_traits *traits, uint64_t turn, uint64_t ticks,
                           uint64_t span_ns);

/* How long the counter may go unread at its ceiling: until it may have counted half its range, or
 * unread_uj (0: no such limit). UINT64_MAX if neither limits it. */
uint64_t counter_safe_span_ns(const struct counter_traits *traits, uint64_t unread_uj);

/* Shorter spans are judged as if they were this long: counters move about once a millisecond, so
 * two reads microseconds apart may have a whole update between them. */
#define COUNTER_JUDGED_SPAN_NS UINT64_C(50000000)

#endif
