/* SPDX-License-Identifier: MIT */
/* The clocks, in nanoseconds: each is 0 where it cannot be read, or shows a time before its epoch.
 * Another system has its own clock.c. */
#ifndef RAPL_CLOCK_H
#define RAPL_CLOCK_H

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* How much later one reading of a clock is than another; 0 where it is not. */
static inline uint64_t clock_span_ns(uint64_t begin_ns, uint64_t end_ns) {
    return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

/* Spans of power are measured by this clock: it does not count sleep, and no time daemon slews it
 * (chrony slews the others by up to 8.3 %: maxslewrate in chrony.conf(5)). Its readings are
 * compared with each other alone. */
uint64_t clock_raw_ns(void);

/* Waiting and due times are of this clock, for the kernel can wait for it. It does not count sleep.
 */
uint64_t clock_monotonic_ns(void);

/* Counts sleep. */
uint64_t clock_boottime_ns(void);

/* Wall time: for timestamps alone. */
uint64_t clock_realtime_ns(void);

/* How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, which only sleep changes, for both are slewed
 * alike.
 * At most so much, where CLOCK_MONOTONIC was read before; at least so much, where it is read
 * afterwards. Both hold however long the calls take. */
static inline uint64_t clock_most_ahead_ns(uint64_t before_ns) {
    return clock_span_ns(before_ns, clock_boottime_ns());
}

static inline uint64_t clock_least_ahead_ns(uint64_t *after_ns) {
    const uint64_t boottime_ns = clock_boottime_ns();
    *after_ns = clock_monotonic_ns();
    return clock_span_ns(*after_ns, boottime_ns);
}

#endif
