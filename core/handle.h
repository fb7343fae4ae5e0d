/* SPDX-License-Identifier: MIT */
/* What a struct rapl holds, and the two halves of a report: looking for zones, and reading them. */
#ifndef RAPL_HANDLE_H
#define RAPL_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binding.h"
#include "choice.h"
#include "problem.h"
#include "rapl.h"
#include "select.h"
#include "series.h"
#include "source.h"

struct rapl {
    char *root_path;
    struct source_options source_options;
    struct selection selection;

    int online_file;
    uint64_t online_mark;
    enum rapl_source asked;
    bool total; /* is asked for */
    struct choice choice;
    struct source *source; /* the current one of the choice; NULL before the root is open */
    struct binding binding;
    struct problems problems;

    int cpuinfo_error;       /* why proc/cpuinfo could not be read, or 0 */
    uint64_t discovered_ns;  /* CLOCK_BOOTTIME */
    unsigned int looks_left; /* reports that look for zones again */
    uint64_t ahead_ns; /* of CLOCK_BOOTTIME before CLOCK_MONOTONIC, at the last sample's begin */
    bool sampled;
    uint64_t sampled_ns;         /* CLOCK_MONOTONIC at the last sample's begin */
    uint64_t reported_ns;        /* the same of the last report's; UINT64_MAX: none */
    uint64_t ended_ns;           /* and at its end */
    uint64_t sample_interval_ns; /* of the grid; 0: nobody asked for statistics */
    /* A sample is due so long after the last one; UINT64_MAX: never; 0: to be found anew. */
    uint64_t safe_span_ns;
    uint64_t interval_ns; /* between the last two; 0: there were none */
    uint64_t look_ns;     /* a sample is due so long after the last one to learn of updates */
    size_t low_count;     /* series that showed less than before, first at the last sample */
    bool observes;        /* at the last sample: something with a window read */
    bool bound;           /* the binding fits the zones of the source */

    struct rapl_value *values; /* room for one per series, and the total */
    size_t value_room;
    struct rapl_report report;
};

/* Opens the root and the source where that is still to be done, and looks for zones. -ENOMEM. */
int discovery_run(struct rapl *rapl);

/* The same if a zone is missing, the online CPUs changed, or a minute has passed. */
int discovery_run_if_due(struct rapl *rapl);

/* Gives every zone its series. -ENOMEM, and then it is tried again at the next report. */
int discovery_rebind(struct rapl *rapl);

/* Looks whether other CPUs are online than at the last look: lead cores start anew then. */
bool discovery_watch_online(struct rapl *rapl);

/* Lead cores start anew: what they read next is no continuation. */
void discovery_forget_lead_cores(struct rapl *rapl);

/* Whether the series has been read, and has no zone any more or one that has gone. */
bool discovery_lost_series(const struct rapl *rapl, const struct series *series);

/* Reads every counter once, slow ones of a report again. -ENOMEM. */
int sample_take(struct rapl *rapl, bool for_report);

/* Instants since the last sample at which one was due: all that have passed but one, which is that
 * of the sample that begins now. */
uint64_t due_count_missed(const struct rapl *rapl, uint64_t now_ns);

/* How long the counters that read may go unread; UINT64_MAX: for ever. */
uint64_t due_find_safe_span_ns(const struct rapl *rapl);

#endif
