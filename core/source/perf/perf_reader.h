/* SPDX-License-Identifier: MIT */
/* One CPU that reads for a package, die or core: its events, as zones. */
#ifndef RAPL_PERF_READER_H
#define RAPL_PERF_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/perf/perf_count.h"
#include "source/perf/perf_group.h"
#include "source/perf/perf_place.h"
#include "source/perf/perf_pmu.h"
#include "source/source.h"
#include "source/unit_fault.h"

struct perf_zone {
    struct zone zone; /* first: a zone of the source is one of these */
    uint64_t config;
    struct perf_group *group; /* NULL: not open */
    size_t member;
    struct unit_watch unit; /* tells whether the kernel has its unit wrong */
    struct perf_count count;
    bool counts;   /* it has been seen to */
    bool may_lack; /* that it counts nothing is no fault: see perf_zone_take() */
    bool was_lost; /* at the last discovery */
    int left_out;  /* the error that it has because of it, or 0 */
};

struct perf_reader {
    int pmu; /* the source's number of it */
    struct perf_place place;
    uint32_t type; /* of the PMU that its events are open at, as the next */
    uint64_t registration;
    struct perf_zone *zones; /* one per event of the PMU */
    size_t zone_count;
    struct perf_group *groups; /* as few as they fit in; room for one per zone */
    size_t group_count;
    bool listed; /* in the discovery under way */
};

/* leads: as in perf_place_identify(). NULL without memory. */
struct perf_reader *perf_reader_new(const struct source_options *options, const char *pmu_name,
                                    const struct pmu *pmu, const struct perf_place *place,
                                    bool leads);

/* Whether its zones are the PMU's events. */
bool perf_reader_fits(const struct perf_reader *reader, const struct pmu *pmu);

/*
 * Opens what is not open, and all anew where events have died: each then gets the number after
 * *epoch, and a first count has yet to be taken. 1: something was opened. What cannot be is in the
 * problems, and in the zone's error.
 */
int perf_reader_open(struct perf_reader *reader, const struct pmu *pmu,
                     const struct source_options *options, uint32_t *epoch,
                     struct problems *problems);

/* Why one of its events cannot be opened though its CPU is there, or 0. */
int perf_reader_refusal(const struct perf_reader *reader);

/* Its zones have that error, which is told already, until it is opened again. */
void perf_reader_close(struct perf_reader *reader, int error);

/* Gives the zone its part of what its group has read last. Returns the reading's error. */
int perf_zone_take(struct perf_zone *zone, struct reading *reading);

void perf_reader_free(struct perf_reader *reader);

#endif
