/* SPDX-License-Identifier: MIT */
/* Errors of our own, beside the kernel's: all are negative. rapl_error_text() words them. */
#ifndef RAPL_ERROR_H
#define RAPL_ERROR_H

#include <errno.h>
#include <stdbool.h>

/* The kernel's own end at -4095: MAX_ERRNO, include/linux/err.h. */
#define ERROR_BASE (-4096)

/* Of counts that UNIT_NOT_KNOWN asks for: all must be multiples of the right unit. Of that many
 * with the wrong one, which is a quarter of it, all are so once in four billion times. */
#define UNIT_WATCH_COUNTS 16

enum error {
    /* What a file holds (sysfs.h). */
    SYSFS_NOT_REGULAR = ERROR_BASE - 21, /* a FIFO, a device, a folder */
    SYSFS_TOO_LONG,
    SYSFS_EMPTY,
    SYSFS_NOT_A_NUMBER,
    SYSFS_OUT_OF_RANGE,
    /* What perf's files say of an event (perf_pmu.h). */
    PMU_NOT_A_FORMAT,
    PMU_NOT_AN_EVENT,
    PMU_NOT_A_SCALE,
    PMU_NOT_JOULES,
    PMU_TOO_MANY_EVENTS, /* it lists more than any PMU of energy has */
    /* Why a counter is not read, or what it shows is not counted. */
    ZONE_WITHOUT_PARENT, /* the parent of a sub-zone is not there or has no name */
    ZONE_WITHOUT_RANGE,  /* no counter can have this range */
    ZONE_WITHOUT_FILE,   /* left out: it would take more open files than the host allows */
    ZONE_BEYOND_LIMIT,   /* left out: there are more than FD_RANK_ZONES */
    ZONE_WITHOUT_VENDOR, /* it stands for one core or for all, and no file names the vendor */
    ZONE_COUNTS_NOTHING, /* it has never moved */
    UNIT_NOT_KNOWN,      /* it has not counted enough to tell its unit */
    SOURCE_READ_TOO_LONG,
    PERF_COUNT_UNDECIDED, /* the hardware counter may have wrapped unseen */
    /* Why a processor has no counters: see problem_text.c. */
    MODEL_WITHOUT_VENDOR, /* its maker is not known */
    MODEL_WITHOUT_REGISTERS,
    MODEL_WITHOUT_RAPL,
};

/* The zone itself has gone, rather than that a read failed. */
static inline bool error_is_lost(int error) {
    return error == -ENODEV || error == -ENOENT || error == -ENXIO;
}

/* The counter is there, and is not read for there are too many. */
static inline bool error_is_left_out(int error) {
    return error == ZONE_WITHOUT_FILE || error == ZONE_BEYOND_LIMIT;
}

#endif
