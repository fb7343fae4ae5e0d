/* SPDX-License-Identifier: MIT */
/* The interface of a source of counters. One thread at a time may use a source. */
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
    ZONE_COUNTER_UNKNOWN, /* not decided yet */
    ZONE_COUNTER_OWN,     /* it alone feeds its series, or it is the first zone that does */
    ZONE_COUNTER_SHARED,  /* it feeds the series of another zone */
};

/* Comparison of a zone with another one that may show the same counter. */
struct comparison {
    uint64_t ticks;    /* this zone's count when both were read last */
    uint64_t ahead;    /* this zone's ticks minus the other's at that time */
    uint64_t offset;   /* the value of ahead that is expected if both are one counter */
    uint64_t apart_ns; /* time between the two reads when offset was measured; 0: not measured */
    uint32_t epoch;    /* of this zone's count */
    uint32_t other_epoch;
    bool has_ticks;     /* the fields above are valid */
    bool moved;         /* it has counted since then */
    bool differs;       /* the last reading differed; if the next one does, they are two counters */
    unsigned int equal; /* for two counters: readings in a row with equal energy */
    uint64_t since_ns;  /* for two counters: time of the last comparison; 0: none yet */
    struct reading last; /* last reading at which both had counted the same */
};

/* One counter as a source found it. */
struct zone {
    char *id;   /* for example "intel-rapl:0:1" */
    char *path; /* path of the counter below the root */
    bool identified;
    struct zone_identity identity;
    struct counter_traits traits;
    uint64_t range_uj;
    const struct unit_fault *fault; /* known error in the kernel's unit; NULL: none */
    /* Number of its control type; 0: intel-rapl itself. Other types repeat counters of
     * intel-rapl. */
    uint32_t control;

    /* Set by the binding. */
    struct zone_identity known; /* identity when these fields were set; the kernel reuses ids */
    char name[ZONE_NAME_SIZE];
    bool bound;               /* it feeds a series */
    bool reported;            /* it feeds a series that is selected */
    const struct zone *shown; /* the first zone of its series, if that is another one; else NULL */
    enum zone_counter counter;
    struct comparison compared;
    bool starts;         /* its series begins at compared.last */
    struct alike *alike; /* the zones that may show its counter; NULL: none */
    size_t next_alike;   /* index of the next of these zones in the source; SIZE_MAX: none */

    /* Fields that every sweep touches are next to each other and to the source's own fields. */
    struct series *series; /* the series that it feeds or could feed; NULL: none */
    uint32_t epoch;        /* changes when the source restarts the count */
    int error;             /* of the last attempt to read it; 0: it was read */
    bool fault_told;       /* the unit fault has been reported */
    bool error_reported;   /* discovery has reported the error, or it needs no report */
    bool wanted;           /* sample() reads it; set by the binding */
};

/* Whether there is a counter that cannot be read. EINVAL from perf means that the processor lacks
 * the counter (arch/x86/events/rapl.c, rapl_pmu_event_init). */
static inline bool source_hides_counter(const struct zone *zone) {
    const int error = zone->error;
    return error != 0 && !error_is_lost(error) && error != ZONE_COUNTS_NOTHING &&
           error != ZONE_WITHOUT_PARENT && !error_is_left_out(error) &&
           !(error == -EINVAL && zone->traits.goes_on);
}

/* Stamps a reading that was taken between these instants of CLOCK_MONOTONIC_RAW. A read of more
 * than SLOW_READ_LONGEST_NS fails. */
static inline void source_stamp(struct zone *zone, struct reading *reading, uint64_t begin_ns,
                                uint64_t end_ns) {
    reading_stamp(reading, begin_ns, end_ns);
    if (reading->error == 0 && end_ns > begin_ns && end_ns - begin_ns > SLOW_READ_LONGEST_NS)
        reading->error = zone->error = SOURCE_READ_TOO_LONG;
}

struct source {
    const struct source_operations *operations;
    const char *module;       /* kernel module that provides its counters */
    struct zone **zones;      /* in the order of their ids */
    struct reading *readings; /* of the last sweep, one per zone */
    size_t zone_count;
    struct limit limit; /* limit on the descriptors of its counters; set by the owner */
    size_t file_count;  /* descriptors that its counters hold */
    /* Counters that the total needs were left out and have no zone. */
    bool lacks_members;
    /* Energy within which each counter must be read again, in addition to its range; 0: the range
     * alone decides. */
    uint64_t unread_uj;
    struct slow_reads slow_reads; /* set by the caller of sample() before each sweep */
};

/* The number of zones that could be read at the last attempt. */
static inline size_t source_readable_count(const struct source *source) {
    size_t readable = 0;
    for (size_t i = 0; i < source->zone_count; i++)
        readable += source->zones[i]->error == 0;
    return readable;
}

/* Lists that are to take the place of those of a source. */
struct source_lists {
    struct zone **zones;
    struct reading *readings;
};

/* Allocates them for up to room zones. -ENOMEM. */
int source_make_lists(struct source_lists *lists, size_t room);
void source_free_lists(struct source_lists *lists);

/* Puts them into the source, with count zones in them, and frees the old ones. */
void source_take_lists(struct source *source, const struct source_lists *lists, size_t count);

struct source_operations {
    const char *name;
    /* Looks for zones. Zones that are known and can be read are left alone. Afterwards every zone's
     * error says whether it can be read, and general obstacles are in problems, as states from
     * PROBLEM_CLASS to PROBLEM_NAME. 1: zones came, went or were reopened; 0: nothing changed;
     * -ENOMEM. */
    int (*discover)(struct source *source, struct problems *problems);
    /* Reads every wanted zone into readings; the readings of other zones get an error. */
    void (*sample)(struct source *source);
    /* Reads a zone once and returns its error. NULL: the source reads several zones at a time. */
    int (*read)(struct zone *zone, uint64_t *ticks);
    void (*close)(struct source *source);
};

/* The middle between the first and the last reading of a sweep, CLOCK_MONOTONIC_RAW; 0: nothing was
 * read. */
uint64_t source_find_middle_ns(const struct source *source);

/* Repeats a read that was slow. Returns when the last repeat ended, CLOCK_MONOTONIC_RAW. */
uint64_t source_repeat_read(struct source *source, size_t index, uint64_t begin_ns,
                            uint64_t end_ns);

/* Stamps a reading that was taken between these instants, and repeats it if it was slow. Returns
 * the instant at which the next read begins. */
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
    int root; /* descriptor of the folder that holds sys; stays open while the source is */
    uint64_t max_power_uw; /* this and privilege: as in struct rapl_options */
    struct rapl_privilege privilege;
    struct cpu_model model;
    size_t files; /* descriptors that all counters together may hold */
    /* Rank of a zone when not all can be read; NULL: fd_rank_of(). */
    enum fd_rank (*rank)(const void *context, const struct zone_identity *identity);
    const void *rank_context;
};

static inline enum fd_rank source_rank(const struct source_options *options,
                                       const struct zone_identity *identity) {
    return options->rank != NULL ? options->rank(options->rank_context, identity)
                                 : fd_rank_of(identity);
}

/* Open a source, or return NULL if there is no memory. options is copied; its root and contexts
 * must outlive the source. */
struct source *powercap_open(const struct source_options *options);
struct source *perf_open(const struct source_options *options);
struct source *msr_open(const struct source_options *options);

#endif
