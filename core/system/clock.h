/* SPDX-License-Identifier: MIT */
/* The clocks, in nanoseconds. A clock that cannot be read, or is before its epoch, gives 0. Another
 * operating system has its own clock_linux.h, or functions that are not inline. */
#ifndef RAPL_CLOCK_H
#define RAPL_CLOCK_H

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* Inline, because a sweep reads a clock for each counter. */
#ifdef __linux__
#define CLOCK_FUNCTION static inline
#else
#define CLOCK_FUNCTION
#endif

/* Time from one reading of a clock to another; 0: the second is not later. */
static inline uint64_t clock_span_ns(uint64_t begin_ns, uint64_t end_ns) {
    return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

/* CLOCK_MONOTONIC_RAW, for spans of power. It does not count sleep, and time daemons do not slew it
 * (chrony slews the others by up to 8.3 %: maxslewrate in chrony.conf(5)). Compare its readings
 * only with each other. */
CLOCK_FUNCTION uint64_t clock_raw_ns(void);

/* CLOCK_MONOTONIC, for waiting and due times, because the kernel can wait for it. It does not count
 * sleep. */
CLOCK_FUNCTION uint64_t clock_monotonic_ns(void);

/* CLOCK_BOOTTIME. It counts sleep. */
CLOCK_FUNCTION uint64_t clock_boottime_ns(void);

/* CLOCK_REALTIME, for timestamps only. */
CLOCK_FUNCTION uint64_t clock_realtime_ns(void);

/* How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the time asleep, because both are slewed
 * alike. It is at most clock_most_ahead_ns() of an earlier CLOCK_MONOTONIC, and at least
 * clock_least_ahead_ns(), which reads CLOCK_MONOTONIC last and returns it. Both bounds hold however
 * long the calls take. */
static inline uint64_t clock_most_ahead_ns(uint64_t before_ns) {
    return clock_span_ns(before_ns, clock_boottime_ns());
}

static inline uint64_t clock_least_ahead_ns(uint64_t *after_ns) {
    const uint64_t boottime_ns = clock_boottime_ns();
    *after_ns = clock_monotonic_ns();
    return clock_span_ns(*after_ns, boottime_ns);
}

#ifdef __linux__
#include "system/clock_linux.h"
#endif

#endif
