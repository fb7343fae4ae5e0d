/* SPDX-License-Identifier: MIT */
/* The clocks, in nanoseconds. */
#ifndef RAPL_CLOCK_H
#define RAPL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static inline uint64_t clock_read_ns(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Does not count sleep: the denominator of power. */
static inline uint64_t clock_monotonic_ns(void) {
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* Counts sleep. */
static inline uint64_t clock_boottime_ns(void) {
    return clock_read_ns(CLOCK_BOOTTIME);
}

/* Wall time: for timestamps alone. */
static inline uint64_t clock_realtime_ns(void) {
    return clock_read_ns(CLOCK_REALTIME);
}

/* Bounds of how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the true value, which only sleep
 * changes, lies between them however long the calls took. */
static inline void clock_read_ahead_ns(uint64_t *least_ns, uint64_t *most_ns) {
    const uint64_t before_ns = clock_monotonic_ns();
    const uint64_t boot_ns = clock_boottime_ns();
    const uint64_t after_ns = clock_monotonic_ns();
    *least_ns = boot_ns > after_ns ? boot_ns - after_ns : 0;
    *most_ns = boot_ns > before_ns ? boot_ns - before_ns : 0;
}

#endif
