/* SPDX-License-Identifier: MIT */
/* Events of perf on one CPU that are read in one call: perf_event_open(2). */
#ifndef RAPL_PERF_GROUP_H
#define RAPL_PERF_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapl.h"
#include "source/slow_read.h"

#define PERF_GROUP_MAX 8

struct perf_group {
    int files[PERF_GROUP_MAX]; /* descriptors; the first is the group leader */
    size_t count;
    /* Set by the owner. due: it is to be read. pinned: only on `cpu`. The kernel reads on the
     * caller's CPU if that is in the same package (PERF_EV_CAP_READ_ACTIVE_PKG;
     * kernel/events/core.c, __perf_event_read_cpu), and so may read the counters of another die. */
    bool due;
    bool pinned;
    unsigned int cpu;
    /* Of the last read. */
    uint64_t counts[PERF_GROUP_MAX];
    int error;
    bool interrupted; /* part of the time since the read before was not counted */
    /* Of the last successful read. */
    bool has_read;
    uint64_t running_ns;
    uint64_t begin_ns; /* CLOCK_MONOTONIC_RAW before and after it */
    uint64_t end_ns;
};

/* Opens an event as the leader or as a further member of the group. If it is refused, it is tried
 * once more with the privilege. -EINVAL: it cannot be a member of this group, or the group is full;
 * or another negative errno. */
int perf_group_add(struct perf_group *group, uint32_t type, uint64_t config, unsigned int cpu,
                   const struct rapl_privilege *privilege);

/*
 * Reads all counts. -ENODEV: the events have stopped for good, because the last CPU of their
 * package or their PMU has gone, even if it has returned since. While the kernel moves events to
 * another CPU, they stop for some ten milliseconds: then they are marked as interrupted.
 */
int perf_group_read(struct perf_group *group);

/* perf_group_read(), but repeats a read that was slow. */
int perf_group_sample(struct perf_group *group, struct slow_reads *slow);

/* Returns the error that a read would, and changes nothing. */
int perf_group_check(const struct perf_group *group);

void perf_group_close(struct perf_group *group);

#endif
