/* SPDX-License-Identifier: MIT */
/* A count of energy by perf, carried on where the kernel lets it fall. Pure. */
#ifndef RAPL_PERF_COUNT_H
#define RAPL_PERF_COUNT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"

/*
 * The kernel adds up differences of a register of 32 bits. It takes them as signed, so that one of
 * 2^31 and more lowers the count by 2^32 (arch/x86/events/rapl.c, rapl_event_update), or takes
 * them as they are, so that it falls by 2^32 at each wrap (intel_rapl_common.c, the same function).
 * One tick of the register is unit ticks of perf, and every step is a multiple of it.
 */
struct perf_count {
    bool has_baseline;
    uint64_t raw; /* as the kernel gave it: two's complement, for it can go below 0 */
    uint64_t time_ns;
    uint64_t ticks;     /* the same, carried on */
    uint64_t unit;      /* greatest common divisor of all steps; 0: none yet */
    unsigned int steps; /* taken since the unit last changed */
};

/*
 * Takes the count of an instant; ticks then is what counter_advance() takes. A fall that nothing
 * explains stays a fall. PERF_COUNT_UNDECIDED: a whole turn of the register may have passed since
 * the last one, by the traits' ceiling.
 */
int perf_count_take(struct perf_count *count, const struct counter_traits *traits, uint64_t raw,
                    uint64_t time_ns);

/* Starts anew: what the count does until the next one is taken is no step. */
void perf_count_forget(struct perf_count *count);

#endif
