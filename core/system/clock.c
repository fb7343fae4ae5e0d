/* SPDX-License-Identifier: MIT */
/* Clocks on Linux. */
#include "system/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id) {
    struct timespec now;
    if (clock_gettime(id, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_raw_ns(void) {
    return read_ns(CLOCK_MONOTONIC_RAW);
}

uint64_t clock_monotonic_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_boottime_ns(void) {
    return read_ns(CLOCK_BOOTTIME);
}

uint64_t clock_realtime_ns(void) {
    return read_ns(CLOCK_REALTIME);
}
