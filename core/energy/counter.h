/* SPDX-License-Identifier: MIT */
/* One raw counter, turned into energy step by step: wrap, reset, gap, sleep. Pure. */
#ifndef RAPL_COUNTER_H
#define RAPL_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel's unsigned 128-bit integer: microjoules times nanoseconds need it, and so does a sum
 * of perf's ticks, of which 4.3 GJ are 2^64. */
__extension__ typedef unsigned __int128 rapl_uint128;

/* One reading of a counter. */
struct reading {
    uint64_t ticks;
    uint64_t time_ns;        /* CLOCK_MONOTONIC_RAW in the middle of the read */
    uint64_t uncertainty_ns; /* so much earlier or later the counter may have stood so */
    int error;               /* negative errno, and then the rest says nothing */
};

/* The counter stood so at an instant between these two. */
void reading_stamp(struct reading *reading, uint64_t begin_ns, uint64_t end_ns);

/* Microjoules per tick, as a fraction: powercap 1/1, an MSR 1000000/2^14, perf 1000000/2^32. */
struct tick_scale {
    uint32_t numerator_uj;
    uint64_t denominator;
};

/* What a source knows of a counter. */
struct counter_traits {
    uint64_t modulus; /* ticks after which it is at 0 again; 0: not known, or goes_on */
    bool goes_on;     /* it has none, and passes 2^64 as any other number */
    uint64_t
        unit; /* ticks that it moves by at least, those of one tick of the hardware; 0: unknown */
    struct tick_scale scale;
    uint64_t period_ns;  /* measured, of a counter that moves seldom (period.h); 0: of others */
    uint64_t ceiling_uw; /* above it, a step cannot have been energy */
    uint64_t most_uw;    /* what steps in a row above it raise it to; 0: nothing does */
};

/* Readings in a row that showed less than the one before them. */
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
    uint64_t slept_ns; /* in that gap */
    uint64_t ticks;
    uint64_t time_ns;
    struct low_readings low; /* since ticks were read */
    unsigned int above;      /* steps in a row between the ceiling and the most it can be */
    bool leapt;              /* the last step was more than COUNTER_NEAR_FACTOR times the ceiling */
};

/* The energy after which a counter of unknown range may be at 0 again: 2^32 ticks of 15.258 uJ, the
 * finest unit that is known (ESU 16 in whole nanojoules: intel_rapl_common.c, rapl_unit_xlate). */
#define COUNTER_LEAST_TURN_UJ UINT64_C(65532611002)

/* A step above its ceiling by more says nothing of what the machine can draw. */
#define COUNTER_NEAR_FACTOR 4

/* So many of them say that the ceiling is too low: processors of more than 1 kW, many DIMMs. */
#define COUNTER_BELIEVED_STEPS 10

enum counter_outcome {
    COUNTER_BASELINE,      /* the first reading */
    COUNTER_COUNTED,       /* it went forward (or stood still: 0 J) */
    COUNTER_WRAPPED,       /* it passed its range once */
    COUNTER_LOW,           /* it shows less than before: the next reading decides why */
    COUNTER_RESET,         /* it started again */
    COUNTER_RESTARTED,     /* it had started again at the first low reading, and went on */
    COUNTER_RESET_FORWARD, /* it jumped further than the ceiling allows */
    COUNTER_UNDECIDED,     /* a wrap may have hidden since the last reading */
    COUNTER_FAILED,        /* it could not be read */
    COUNTER_RETURNED,    /* it may be a row of values that it left before (core/energy/steady.h) */
    COUNTER_UNSTEADY,    /* it goes back and forth between two rows */
    COUNTER_ABOVE_WHOLE, /* of a part: it is more than its package used (core/series/part.h) */
};

struct counter_step {
    enum counter_outcome outcome;
    uint64_t ticks; /* of COUNTED, WRAPPED and RESTARTED; 0 otherwise */
};

/*
 * Takes the next reading. A step forward may hold what was used since up to two updates before the
 * last reading: one that had not come yet, and the next, which may come late. In a decrease, and
 * where a turn may hide, one is reckoned with. Time for which a counter stood allows nothing. Where
 * the modulus is not known, every decrease is a reset, and a step in whose time the counter can
 * have passed the smallest range that exists is UNDECIDED.
 *
 * slept_ns is the time since the last reading, even a failed one, that CLOCK_MONOTONIC did not
 * count. RESET, RESET_FORWARD and UNDECIDED make the reading a new
 * baseline; ticks of RESTARTED are those since low.first_ns, as it was before the call.
 *
 * A single low reading may be a failed read: perf on Linux 6.19 gave 0 when it was read on another
 * CPU (Panther Lake). So a decrease is LOW at first, unless a sleep or a failed read came before
 * it. If the next reading continues the value before the low one, and not the low one, the low
 * reading was a failed read. If it continues the low one and a wrap explains the decrease, that is
 * counted. Else it is LOW once more, and the third reading decides between a failed read and a new
 * start. Where both are plausible, nothing is counted. Where a read fails before that is decided,
 * the next reading is a first one.
 */
struct counter_step counter_advance(struct counter *counter, const struct counter_traits *traits,
                                    const struct reading *reading, uint64_t slept_ns);

/* Whether the reading may be of a counter that showed from at from_ns, and went on from there. */
bool counter_may_go_on(const struct counter_traits *traits, uint64_t from, uint64_t from_ns,
                       const struct reading *reading);

/* Starts anew: the next reading is a first one. */
void counter_forget(struct counter *counter);

/* The hardware counts so many ticks (SDM vol. 3B 16.10.3). */
#define COUNTER_REGISTER_MODULUS (UINT64_C(1) << 32)

/*
 * The modulus of a counter that shows range as its largest value: one tick of the hardware more.
 * The hardware counts 2^32 ticks (SDM vol. 3B 16.10.3), so a tick is range / (2^32 - 1), here
 * rounded to the source's ticks. 0 for a range of 0 or one that leaves no room.
 */
uint64_t counter_modulus(uint64_t range);

/* One tick of the hardware as above. */
uint64_t counter_unit(uint64_t range);

/* More than 64 bits hold are UINT64_MAX: no scale lets many ticks pass for little energy. */
uint64_t counter_to_uj(struct tick_scale scale, rapl_uint128 ticks);

/* Energy over a time above 0 as microwatts, to the nearest. */
uint64_t counter_mean_uw(uint64_t energy_uj, uint64_t span_ns);

/* The difference of two counters that go round at modulus (0: that do not). */
uint64_t counter_distance(uint64_t a, uint64_t b, uint64_t modulus);

/* The same with the ceiling that steps in a row above it may raise it to. */
struct counter_traits counter_raise(const struct counter_traits *traits);

/* Whether ticks in span_ns would be more than the ceiling. */
bool counter_exceeds(const struct counter_traits *traits, uint64_t ticks, uint64_t span_ns);

/* Whether ticks in span_ns are more than a wrap can have been: above the ceiling, or above what any
 * domain draws for long. */
bool counter_exceeds_sustained(const struct counter_traits *traits, uint64_t ticks,
                               uint64_t span_ns);

/* Whether a turn more than ticks would still have been possible in span_ns. No turn (0): never. */
bool counter_may_hide_turn(const struct counter_traits *traits, uint64_t turn, uint64_t ticks,
                           uint64_t span_ns);

/* How long it may go unread at its ceiling: until it can have gone half round, or counted the
 * energy (0: any). UINT64_MAX where neither limits it. */
uint64_t counter_safe_span_ns(const struct counter_traits *traits, uint64_t unread_uj);

/* Shorter spans are judged as if they were this long: counters move about once a millisecond, so
 * two reads microseconds apart can lie a whole update apart. */
#define COUNTER_JUDGED_SPAN_NS UINT64_C(50000000)

#endif
