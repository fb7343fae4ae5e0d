/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_CLOCK_H
#define RAPL_SIM_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Wall time is read only once, so that setting the clock moves no counter. */
struct sim_clock {
    uint64_t began_ns;           /* CLOCK_REALTIME */
    uint64_t began_monotonic_ns; /* CLOCK_MONOTONIC */
};

static inline uint64_t clock_read_ns(clockid_t id) {
    struct timespec now;

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline struct sim_clock clock_begin(void) {
    return (struct sim_clock){.began_ns = clock_read_ns(CLOCK_REALTIME),
                              .began_monotonic_ns = clock_read_ns(CLOCK_MONOTONIC)};
}

static inline uint64_t clock_elapsed_ns(const struct sim_clock *clock) {
    return clock_read_ns(CLOCK_MONOTONIC) - clock->began_monotonic_ns;
}

#endif
