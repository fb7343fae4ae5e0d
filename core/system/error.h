/* SPDX-License-Identifier: MIT */
/* This project's own error codes. They are negative, like errnos; rapl_error_text() describes
 * both. */
#ifndef RAPL_ERROR_H
#define RAPL_ERROR_H

#include <errno.h>
#include <stdbool.h>

/* The kernel's errnos end at -4095 (MAX_ERRNO, include/linux/err.h). */
#define ERROR_BASE (-4096)

/* Counts that decide a unit (UNIT_NOT_KNOWN): all must be multiples of the right unit. If the unit
 * is wrong, a quarter of that, this happens by chance once in four billion times. */
#define UNIT_WATCH_COUNTS 16

enum error {
    /* Content of a file (sysfs.h). */
    SYSFS_NOT_REGULAR = ERROR_BASE - 21, /* a FIFO, device or folder */
    SYSFS_TOO_LONG,
    SYSFS_EMPTY,
    SYSFS_NOT_A_NUMBER,
    SYSFS_OUT_OF_RANGE,
    /* Invalid files of a perf event (perf_pmu.h). */
    PMU_NOT_A_FORMAT,
    PMU_NOT_AN_EVENT,
    PMU_NOT_A_SCALE,
    PMU_NOT_JOULES,
    PMU_TOO_MANY_EVENTS, /* more events than any energy PMU has */
    /* Why a counter is not read or not counted. */
    ZONE_WITHOUT_PARENT, /* the parent of a sub-zone is missing or has no name */
    ZONE_WITHOUT_RANGE,  /* no counter can have this range */
    ZONE_WITHOUT_FILE,   /* left out: the limit of open files is reached */
    ZONE_BEYOND_LIMIT,   /* left out: there are more than FD_RANK_ZONES */
    ZONE_WITHOUT_VENDOR, /* it may count one core or all, and no file names the vendor */
    ZONE_COUNTS_NOTHING, /* it has never moved */
    UNIT_NOT_KNOWN,      /* it has not counted enough to show its unit */
    SOURCE_READ_TOO_LONG,
    PERF_COUNT_UNDECIDED, /* the hardware counter may have wrapped unseen */
    /* Why a processor has no counters: see problem_cause.c. */
    MODEL_WITHOUT_VENDOR, /* its vendor is unknown */
    MODEL_WITHOUT_REGISTERS,
    MODEL_WITHOUT_RAPL,
};

/* Whether the zone itself has gone; other errors are failed reads. */
static inline bool error_is_lost(int error) {
    return error == -ENODEV || error == -ENOENT || error == -ENXIO;
}

/* Whether the counter exists but is not read, because there are too many. */
static inline bool error_is_left_out(int error) {
    return error == ZONE_WITHOUT_FILE || error == ZONE_BEYOND_LIMIT;
}

#endif
