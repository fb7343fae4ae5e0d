/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_group.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/clock.h"

/*
 * Tolerances between perf's clock and CLOCK_MONOTONIC_RAW. Neither is slewed, but they are
 * calibrated separately. If the TSC is not stable, perf's clock is only right to a tick
 * (kernel/sched/clock.c). Without a TSC it counts jiffies.
 */
#define CLOCK_STEP_NS UINT64_C(5000000)
#define CLOCK_RATE 200
#define JIFFY_NS UINT64_C(10000000)
#define JIFFIES_UNIT_NS UINT64_C(1000000)

/* Most tries of a read that signals interrupt. */
#define READ_TRIES 8

static int open_event(struct perf_event_attr *attributes, unsigned int cpu, int leader) {
    const long fd = syscall(SYS_perf_event_open, attributes, -1L, (long)cpu, (long)leader,
                            (long)PERF_FLAG_FD_CLOEXEC);
    return fd >= 0 ? (int)fd : -errno;
}

int perf_group_add(struct perf_group *group, uint32_t type, uint64_t config, unsigned int cpu,
                   const struct rapl_privilege *privilege) {
    struct perf_event_attr attributes = {.type = type,
                                         .size = sizeof(attributes),
                                         .config = config,
                                         .read_format = PERF_FORMAT_GROUP |
                                                        PERF_FORMAT_TOTAL_TIME_ENABLED |
                                                        PERF_FORMAT_TOTAL_TIME_RUNNING};
    const int leader = group->count > 0 ? group->files[0] : -1;
    if (group->count == PERF_GROUP_MAX)
        return -EINVAL;
    int fd = open_event(&attributes, cpu, leader);
    if ((fd == -EACCES || fd == -EPERM) && privilege->change != NULL &&
        privilege->change(privilege->context, true) == 0) {
        fd = open_event(&attributes, cpu, leader);
        privilege->change(privilege->context, false);
    }
    if (fd < 0)
        return fd;
    group->files[group->count++] = fd;
    return 0;
}

/* perf_event_open(2), "Reading results", for the read_format above. */
enum { ENABLED, RUNNING, TIMES };
struct contents {
    uint64_t count;
    uint64_t times_ns[TIMES];
    uint64_t counts[PERF_GROUP_MAX];
};

struct timed_contents {
    struct contents contents;
    uint64_t begin_ns;
    uint64_t end_ns;
};

static int read_once(const struct perf_group *group, struct timed_contents *now) {
    const size_t size = sizeof(uint64_t) * (3 + group->count);
    ssize_t length;
    int tries = 0;
    now->begin_ns = clock_raw_ns();
    do
        length = read(group->files[0], &now->contents, sizeof(now->contents));
    while (length < 0 && errno == EINTR && ++tries < READ_TRIES);
    now->end_ns = clock_raw_ns();
    if (length < 0)
        return -errno;
    /* End of file: the event could not be scheduled, or its PMU has gone. Fewer members: they left
     * the group when their CPU went offline (kernel/events/core.c, perf_group_detach). */
    if ((size_t)length != size || now->contents.count != group->count)
        return -ENODEV;
    return 0;
}

/* The largest NR_CPUS of x86. */
#define CPUS_MAX 8192
#define CPUS_SIZE CPU_ALLOC_SIZE(CPUS_MAX)

/* Reads, on the group's CPU if it is pinned; the thread's affinity is restored afterwards. */
static int read_contents(const struct perf_group *group, struct timed_contents *now) {
    unsigned long before[CPUS_MAX / 8 / sizeof(unsigned long)];
    unsigned long there[CPUS_MAX / 8 / sizeof(unsigned long)] = {0};
    *now = (struct timed_contents){.begin_ns = 0};
    if (!group->pinned)
        return read_once(group, now);
    CPU_SET_S(group->cpu, CPUS_SIZE, (cpu_set_t *)there);
    if (sched_getaffinity(0, CPUS_SIZE, (cpu_set_t *)before) != 0)
        return -errno;
    /* EINVAL: the CPU is offline, or a cpuset forbids it. */
    if (sched_setaffinity(0, CPUS_SIZE, (cpu_set_t *)there) != 0)
        return errno == EINVAL ? -ENODEV : -errno;
    int error = read_once(group, now);
    sched_setaffinity(0, CPUS_SIZE, (cpu_set_t *)before);
    return error;
}

/* Whether the events have run all the time since the last read. */
static bool ran_throughout(const struct perf_group *group, const struct timed_contents *now) {
    const uint64_t running_ns = now->contents.times_ns[RUNNING];
    const uint64_t least_ns = clock_span_ns(group->end_ns, now->begin_ns);
    const bool jiffies =
        running_ns % JIFFIES_UNIT_NS == 0 && group->running_ns % JIFFIES_UNIT_NS == 0;
    const uint64_t allowed_ns = CLOCK_STEP_NS + least_ns / CLOCK_RATE + (jiffies ? JIFFY_NS : 0);
    return running_ns >= group->running_ns &&
           running_ns - group->running_ns + allowed_ns >= least_ns;
}

/* Reads, and reports whether the events were interrupted. */
static int read_running(const struct perf_group *group, struct timed_contents *now,
                        bool *interrupted) {
    int error = read_contents(group, now);
    *interrupted = error == 0 && group->has_read && !ran_throughout(group, now);
    if (!*interrupted)
        return error;
    /* An event that still counts has run between two reads. */
    const uint64_t before_ns = now->contents.times_ns[RUNNING];
    error = read_contents(group, now);
    return error == 0 && now->contents.times_ns[RUNNING] <= before_ns ? -ENODEV : error;
}

int perf_group_read(struct perf_group *group) {
    struct timed_contents now;
    if (group->count == 0)
        return group->error = -ENODEV;
    group->error = read_running(group, &now, &group->interrupted);
    if (group->error != 0)
        return group->error;
    for (size_t i = 0; i < group->count; i++)
        group->counts[i] = now.contents.counts[i];
    group->has_read = true;
    group->running_ns = now.contents.times_ns[RUNNING];
    group->begin_ns = now.begin_ns;
    group->end_ns = now.end_ns;
    return 0;
}

static uint64_t took_ns(const struct perf_group *group) {
    return clock_span_ns(group->begin_ns, group->end_ns);
}

static uint64_t read_once_more(void *counter) {
    struct perf_group *group = counter;
    const struct perf_group first = *group;
    const uint64_t repeat_ns = perf_group_read(group) == 0 ? took_ns(group) : 0;
    group->interrupted = group->interrupted || first.interrupted;
    if (group->error != 0 || repeat_ns >= took_ns(&first))
        *group = first;
    return repeat_ns;
}

int perf_group_sample(struct perf_group *group, struct slow_reads *slow) {
    if (perf_group_read(group) == 0 && took_ns(group) > slow->slow_ns)
        slow_reads_repeat(slow, took_ns(group), read_once_more, group);
    return group->error;
}

int perf_group_check(const struct perf_group *group) {
    struct timed_contents now;
    bool interrupted;
    return group->count > 0 ? read_running(group, &now, &interrupted) : -ENODEV;
}

void perf_group_close(struct perf_group *group) {
    for (size_t i = group->count; i > 0; i--)
        close(group->files[i - 1]);
    *group = (struct perf_group){.count = 0};
}
