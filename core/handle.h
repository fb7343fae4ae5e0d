/* SPDX-License-Identifier: MIT */
/* The contents of a handle (struct rapl), and the two halves of a report: discovery and sweep. */
#ifndef RAPL_HANDLE_H
#define RAPL_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem/problem.h"
#include "rapl.h"
#include "series/binding.h"
#include "series/series.h"
#include "source/source.h"
#include "source/source_choice.h"
#include "zone/zone_filter.h"

struct rapl {
    char *root_path;
    struct source_options source_options;
    struct zone_filter zone_filter;

    int online_file;
    uint64_t online_mark;
    enum rapl_source asked;
    bool total; /* it is requested */
    struct source_choice choice;
    struct source *source; /* the current one of choice; NULL until the root is open */
    struct binding binding;
    struct problems problems;

    int cpuinfo_error;          /* why proc/cpuinfo could not be read; 0: it was read */
    uint64_t discovered_ns;     /* CLOCK_BOOTTIME of the last discovery; 0: run again */
    unsigned int rescans_left;  /* reports that still have to look for zones */
    uint64_t suspend_offset_ns; /* how far CLOCK_BOOTTIME was ahead of CLOCK_MONOTONIC when the last
                                   sweep began */
    bool sampled;
    uint64_t sampled_ns;         /* CLOCK_MONOTONIC when the last sweep began */
    uint64_t reported_ns;        /* the same for the last report; UINT64_MAX: none yet */
    uint64_t ended_ns;           /* CLOCK_MONOTONIC when the last sweep ended */
    uint64_t sample_interval_ns; /* distance of the sampling instants; 0: no statistics */
    /* Longest time from one sweep to the next; UINT64_MAX: any; 0: to be computed again. */
    uint64_t safe_span_ns;
    uint64_t interval_ns; /* between the last two reports; 0: there were none */
    uint64_t look_ns;     /* a sweep is due this long after the last one to see updates; UINT64_MAX:
                             none is */
    size_t low_count;     /* series that the last sweep left undecided: withheld, or the first low
                             reading */
    bool observes;        /* statistics are on, and the last sweep read a series */
    bool bound;           /* the binding matches the zones of the source */

    struct rapl_value *values; /* room for one value per series and sum */
    size_t value_room;
    struct rapl_report report;
};

/* Opens the root and the source if they are not open yet, and looks for zones. -ENOMEM. */
int discovery_run(struct rapl *rapl);

/* The same if a zone is missing, the set of online CPUs changed, or a minute has passed. */
int discovery_run_if_due(struct rapl *rapl);

/* Gives every zone its series. -ENOMEM: the next report tries again. */
int discovery_rebind(struct rapl *rapl);

/* Whether the set of online CPUs changed since the last call. If so, lead cores start over. */
bool discovery_watch_online(struct rapl *rapl);

/* Lead cores start over: their next reading does not continue the last one. */
void discovery_forget_lead_cores(struct rapl *rapl);

/* Whether the series has been read and now has no zone, or none that is still there. */
bool discovery_lost_series(const struct rapl *rapl, const struct series *series);

/* Takes a sweep; for a report, slow reads are repeated. -ENOMEM. */
int sample_take(struct rapl *rapl, bool for_report);

/* Number of due instants that passed since the last sweep, without the one of the sweep that begins
 * now. */
uint64_t schedule_count_missed(const struct rapl *rapl, uint64_t now_ns);

/* How long the counters that read may go unread; UINT64_MAX: for ever. */
uint64_t schedule_find_safe_span_ns(const struct rapl *rapl);

#endif
