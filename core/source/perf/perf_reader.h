/* SPDX-License-Identifier: MIT */
/* Reads one package, die or core on one CPU: its events, as zones. */
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
    struct zone zone; /* must be first: the source's zones point to it */
    uint64_t config;
    struct perf_group *group; /* NULL: not open */
    size_t member;
    struct unit_watch unit; /* learns whether the kernel has its unit wrong */
    struct perf_count count;
    bool counts;   /* it has counted something */
    bool may_lack; /* staying at 0 needs no report: see perf_zone_take() */
    bool was_lost; /* at the last discovery */
    int left_out;  /* error for which the budget left it out, or 0 */
};

struct perf_reader {
    int pmu; /* index of its PMU in the source */
    struct perf_place place;
    uint32_t type; /* this and registration: of the PMU when its events were opened */
    uint64_t registration;
    struct perf_zone *zones; /* one per event of the PMU */
    size_t zone_count;
    struct perf_group *groups; /* as few as possible; room for one per zone */
    size_t group_count;
    bool listed; /* found by the current discovery */
};

/* leads: as in perf_place_identify(). NULL: no memory. */
struct perf_reader *perf_reader_new(const struct source_options *options, const char *pmu_name,
                                    const struct pmu *pmu, const struct perf_place *place,
                                    bool leads);

/* Whether its zones are still the PMU's events. */
bool perf_reader_fits(const struct perf_reader *reader, const struct pmu *pmu);

/*
 * Opens events that are not open, and all of them if they have stopped for good. Each opened event
 * gets the next *epoch and needs a first count. Failures are in problems and in the zones' errors.
 * 1: an event was opened; 0: none.
 */
int perf_reader_open(struct perf_reader *reader, const struct pmu *pmu,
                     const struct source_options *options, uint32_t *epoch,
                     struct problems *problems);

/* The error of an event that could not be opened although its CPU is online, or 0. */
int perf_reader_refusal(const struct perf_reader *reader);

/* Closes its events. Until they are opened again, its zones have this error, which counts as
 * reported. */
void perf_reader_close(struct perf_reader *reader, int error);

/* Takes the zone's count from the last read of its group. Returns the reading's error. */
int perf_zone_take(struct perf_zone *zone, struct reading *reading);

void perf_reader_free(struct perf_reader *reader);

#endif
