/* SPDX-License-Identifier: MIT */
/* CLOCK_MONOTONIC in nanoseconds. */
#ifndef RAPL_MONOTONIC_H
#define RAPL_MONOTONIC_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static inline uint64_t clock_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

#endif
