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
    int files[PERF_GROUP_MAX]; /* the first leads */
    size_t count;
    /* The owner's: it is to be read; and only from that CPU, whose counters the kernel may
     * otherwise take for those of another die: PERF_EV_CAP_READ_ACTIVE_PKG (kernel/events/core.c,
     * __perf_event_read_cpu) reads on the CPU of the caller, if that is in the same package. */
    bool due;
    bool pinned;
    unsigned int cpu;
    /* Of the last read. */
    uint64_t counts[PERF_GROUP_MAX];
    int error;
    bool interrupted; /* not all the time since the one before was counted */
    /* Of the last one that went well. */
    bool has_read;
    uint64_t running_ns;
    uint64_t begin_ns; /* CLOCK_MONOTONIC_RAW before and after it */
    uint64_t end_ns;
};

/* Opens an event as the leader, or as one more of the group: -EINVAL where it cannot be that. What
 * is not allowed is tried once more with the privilege. Negative errno. */
int perf_group_add(struct perf_group *group, uint32_t type, uint64_t config, unsigned int cpu,
                   const struct rapl_privilege *privilege);

/*
 * Reads all counts. -ENODEV: the events count no more, as they do once the last CPU of their
 * package has gone, or their PMU, and not even after it returned. While they move to another CPU,
 * for some ten milliseconds, they do not count either: they are interrupted then, and go on.
 */
int perf_group_read(struct perf_group *group);

/* The same, and repeats a read that was slow. */
int perf_group_sample(struct perf_group *group, struct slow_reads *slow);

/* Whether they count no more; leaves no trace. */
int perf_group_check(const struct perf_group *group);

void perf_group_close(struct perf_group *group);

#endif
