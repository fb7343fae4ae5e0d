/* SPDX-License-Identifier: MIT */
/* What a source of counters provides. */
#ifndef RAPL_SOURCE_H
#define RAPL_SOURCE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/counter.h"
#include "problem/problem.h"
#include "source/fd_budget.h"
#include "source/slow_read.h"
#include "system/cpuinfo.h"
#include "system/error.h"
#include "zone/zone.h"

struct series;
struct unit_fault;

/* Whether other zones show the same counter (core/series/alike.h). */
enum zone_counter {
    ZONE_COUNTER_UNKNOWN, /* that is to be found out */
    ZONE_COUNTER_OWN,     /* it feeds its series alone, or is the first of those that do */
    ZONE_COUNTER_SHARED,  /* it feeds the series of another one */
};

/* A zone held against another one that may show the same counter. */
struct comparison {
    uint64_t ticks;    /* when both were read last */
    uint64_t ahead;    /* its ticks less those of the other one, then */
    uint64_t offset;   /* the same, as it has to be if they are one counter */
    uint64_t apart_ns; /* for so long, one moved without the other when that was measured */
    uint32_t epoch;    /* of both counts */
    uint32_t other_epoch;
    bool has_ticks;      /* all of this is known */
    bool moved;          /* and it has counted since */
    bool differs;        /* at the last reading of both: once more, and they are two counters */
    unsigned int equal;  /* readings in a row of two counters that counted the same */
    uint64_t since_ns;   /* of two counters: when ticks were read; 0: not yet */
    struct reading last; /* the last at which both had counted the same */
};

/* One counter as a source found it. */
struct zone {
    char *id;   /* the kernel's: "intel-rapl:0:1" */
    char *path; /* of the counter, below the root */
    bool identified;
    struct zone_identity identity;
    struct counter_traits traits;
    uint64_t range_uj;
    const struct unit_fault *fault; /* what the kernel has wrong of its unit; NULL: nothing */
    /* A number for its control type: 0 is intel-rapl itself, others show its counters again. */
    uint32_t control;

    /* Set by the binding. */
    struct zone_identity known; /* that all of this is true of: ids are given anew */
    char name[ZONE_NAME_SIZE];
    bool bound;               /* it feeds a series */
    bool reported;            /* it feeds a series that is selected */
    const struct zone *shown; /* the zone that is reported in its stead, or NULL */
    enum zone_counter counter;
    struct comparison compared;
    bool starts;         /* its series begins at compared.last */
    struct alike *alike; /* those that may show its counter; NULL: none may */
    size_t next_alike;   /* the next of them in the source's list, or SIZE_MAX */

    /* What each sample touches is close together, beside what the source has of its own. */
    struct series *series; /* that it feeds, or would if it were there; NULL: none */
    uint32_t epoch;        /* changes when the source itself has started the count again */
    int error;             /* of the last attempt to read it */
    bool fault_told;       /* the log says what the kernel has wrong */
    bool told;             /* discovery has reported that error, or it is no fault */
    bool wanted;           /* sample reads it: set by the binding */
};

/* Whether there is a counter that cannot be read. perf refuses an event that the processor has not
 * (arch/x86/events/rapl.c, rapl_pmu_event_init: EINVAL). */
static inline bool source_hides_counter(const struct zone *zone) {
    const int error = zone->error;
    return error != 0 && !error_is_lost(error) && error != ZONE_COUNTS_NOTHING &&
           error != ZONE_WITHOUT_PARENT && !error_is_left_out(error) &&
           !(error == -EINVAL && zone->traits.goes_on);
}

/* The reading of the zone was taken between these instants of CLOCK_MONOTONIC_RAW. */
static inline void source_stamp(struct zone *zone, struct reading *reading, uint64_t begin_ns,
                                uint64_t end_ns) {
    reading_stamp(reading, begin_ns, end_ns);
    if (reading->error == 0 && end_ns > begin_ns && end_ns - begin_ns > SLOW_READ_LONGEST_NS)
        reading->error = zone->error = SOURCE_READ_TOO_LONG;
}

struct source {
    const struct source_operations *operations;
    const char *module;  /* of the kernel, that brings its counters */
    struct zone **zones; /* in the order of their ids */
    struct reading *readings;
    size_t zone_count;
    struct limit limit; /* its owner sets how many descriptors its counters may hold */
    size_t file_count;  /* that they hold */
    /* Counters that the total needs are left out, and are no zones. */
    bool lacks_members;
    /* Energy after which each counter has to be read, whatever its range is; 0: as that allows. */
    uint64_t unread_uj;
    struct slow_reads slow_reads; /* the caller of sample() begins them */
};

/* How many zones read when they were last tried. */
static inline size_t source_readable_count(const struct source *source) {
    size_t readable = 0;
    for (size_t i = 0; i < source->zone_count; i++)
        readable += source->zones[i]->error == 0;
    return readable;
}

struct source_operations {
    const char *name;
    /* Looks for zones. What is known and reads stays as it is. The error of every zone then tells
     * whether it reads; what stands in the way of all is in the problems, as states from
     * PROBLEM_CLASS to PROBLEM_NAME. 1: zones came, went or were opened anew; 0: nothing changed;
     * -ENOMEM. */
    int (*discover)(struct source *source, struct problems *problems);
    /* Reads every wanted zone into readings; the others' hold an error. */
    void (*sample)(struct source *source);
    /* Reads a zone once; returns its error. NULL: the source reads several at a time. */
    int (*read)(struct zone *zone, uint64_t *ticks);
    void (*close)(struct source *source);
};

/* CLOCK_MONOTONIC_RAW in the middle between the first and the last reading of a sample; 0: nothing
 * read. */
uint64_t source_find_middle_ns(const struct source *source);

/* Repeats a read that was slow. Returns when the last repeated read ended. */
uint64_t source_repeat_read(struct source *source, size_t index, uint64_t begin_ns,
                            uint64_t end_ns);

/* Stamps the reading that was taken between these instants; the next read begins at the instant
 * that is returned. */
static inline uint64_t source_finish_read(struct source *source, size_t index, uint64_t begin_ns,
                                          uint64_t end_ns) {
    reading_stamp(&source->readings[index], begin_ns, end_ns);
    if (end_ns <= begin_ns)
        return begin_ns;
    return end_ns - begin_ns > source->slow_reads.slow_ns
               ? source_repeat_read(source, index, begin_ns, end_ns)
               : end_ns;
}

/* What a source is opened with. */
struct source_options {
    int root;              /* descriptor of the folder that holds sys; it stays open */
    uint64_t max_power_uw; /* as in struct rapl_options, and so is the next */
    struct rapl_privilege privilege;
    struct cpu_model model;
    size_t files; /* descriptors that all counters together may hold */
    /* What comes first where not all may be read; NULL: by what a zone is alone. */
    enum fd_rank (*rank)(const void *context, const struct zone_identity *identity);
    const void *rank_context;
};

static inline enum fd_rank source_rank(const struct source_options *options,
                                       const struct zone_identity *identity) {
    return options->rank != NULL ? options->rank(options->rank_context, identity)
                                 : fd_rank_of(identity);
}

/* NULL without memory. */
struct source *powercap_open(const struct source_options *options);
struct source *perf_open(const struct source_options *options);
struct source *msr_open(const struct source_options *options);

#endif
