/* SPDX-License-Identifier: MIT */
/* The functions that clock.h declares; it includes this file. */
#ifndef RAPL_CLOCK_LINUX_H
#define RAPL_CLOCK_LINUX_H

#include <time.h>

static inline uint64_t clock_read_ns(clockid_t id) {
    struct timespec now;
    if (clock_gettime(id, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_raw_ns(void) {
    return clock_read_ns(CLOCK_MONOTONIC_RAW);
}

static inline uint64_t clock_monotonic_ns(void) {
    return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock_boottime_ns(void) {
    return clock_read_ns(CLOCK_BOOTTIME);
}

static inline uint64_t clock_realtime_ns(void) {
    return clock_read_ns(CLOCK_REALTIME);
}

#endif
