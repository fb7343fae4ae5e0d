/* SPDX-License-Identifier: MIT */
#include "clocks.h"

#include <stdbool.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define READING_NS UINT64_C(1000)

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static uint64_t skipped_ns;
static bool stopped;

void clocks_skip(uint64_t ns) {
    skipped_ns += ns;
}

void clocks_stop(void) {
    stopped = true;
    skipped_ns = UINT64_C(1763792592) * NS_PER_SECOND;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    uint64_t ns = skipped_ns;
    if (stopped) {
        skipped_ns += READING_NS;
        *now = (struct timespec){.tv_sec = 0};
    } else if (__real_clock_gettime(clock, now) != 0) {
        return -1;
    }
    ns += (uint64_t)now->tv_nsec;
    now->tv_sec += (time_t)(ns / NS_PER_SECOND);
    now->tv_nsec = (long)(ns % NS_PER_SECOND);
    return 0;
}
