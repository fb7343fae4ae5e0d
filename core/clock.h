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

#endif
