/* SPDX-License-Identifier: MIT */
/* Corrects perf's energy count where the kernel lets it decrease. Pure. */
#ifndef RAPL_PERF_COUNT_H
#define RAPL_PERF_COUNT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"

/*
 * The kernel sums up the steps of a 32-bit register. arch/x86/events/rapl.c (rapl_event_update)
 * takes them as signed, so that a step of 2^31 or more lowers the count by 2^32. The function of
 * that name in intel_rapl_common.c takes them as they are, so that the count drops by 2^32 at each
 * wrap. One tick of the register is `unit` ticks of perf, and every step is a multiple of it.
 */
struct perf_count {
    bool has_baseline;
    uint64_t raw; /* the kernel's count: two's complement, because it can go below 0 */
    uint64_t time_ns;
    uint64_t ticks;     /* the corrected count */
    uint64_t unit;      /* greatest common divisor of all steps; 0: none yet */
    unsigned int steps; /* steps since the unit last changed */
};

/*
 * Takes a count; ticks is then valid for counter_advance(). A decrease that no turn of the register
 * explains stays a decrease. PERF_COUNT_UNDECIDED: at the traits' ceiling, the register may have
 * made a full turn since the last count.
 */
int perf_count_take(struct perf_count *count, const struct counter_traits *traits, uint64_t raw,
                    uint64_t time_ns);

/* Makes the next count a new baseline. The unit stays known. */
void perf_count_forget(struct perf_count *count);

#endif
