/* SPDX-License-Identifier: MIT */
/* Reads the counters of one package, die or core on one of its CPUs. */
#ifndef RAPL_MSR_READER_H
#define RAPL_MSR_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "source/cpu_model.h"
#include "source/msr/msr_device.h"
#include "source/power_ceiling.h"
#include "source/source.h"
#include "system/topology.h"

/* Index of CPU_CORE in arrays by domain. */
#define CPU_CORE_INDEX 1

struct msr_reader;

struct msr_zone {
    struct zone zone; /* must be first: the source's zones point to it */
    const struct msr_reader *reader;
    uint32_t address;
    int known_error; /* its error at the end of the last discovery */
    bool shown;      /* in the source's list since then */
};

struct msr_reader {
    int package_id;
    int die_id; /* RAPL_NO_ID: all dies; likewise for core_id */
    int core_id;
    struct msr_device device;
    int error;              /* why the device is not open, or 0 */
    unsigned int misses;    /* discoveries in a row that could not open it */
    uint64_t unit_register; /* 0: not read yet */
    struct power_limits package_limits;
    struct power_limits dram_limits;
    int left_out; /* error for which the budget left it out, or 0 */
    bool probed;
    bool stale;                          /* its CPUs have gone, or its names have changed */
    struct msr_zone *zones[CPU_DOMAINS]; /* by domain; NULL: no such zone */
};

/* NULL: no memory. */
struct msr_reader *msr_reader_new(int package_id, int die_id, int core_id);
void msr_reader_free(struct msr_reader *reader);

/* Orders by package, die and core. A package comes before its cores. */
int msr_reader_compare(const struct msr_reader *a, const struct msr_reader *b);

/* Whether this CPU can read the reader's counters. */
bool msr_reader_covers(const struct msr_reader *reader, const struct cpu *cpu);

/* Opens the device on the first CPU of the topology that allows it. Zones and limits stay as
 * they are, because all CPUs of a package, die or core show the same registers. 0 or a negative
 * errno. */
int msr_reader_open(struct msr_reader *reader, const struct source_options *options,
                    const struct topology *topology);

/* Closes the device. Its zones have this error from then on. */
void msr_reader_close(struct msr_reader *reader, int error);

/* Reads the unit register and, on Intel, the power limits. Returns the error of the unit register.
 * 0 with unit_register 0: the register is 0. */
int msr_reader_load_unit(struct msr_reader *reader, const struct cpu_counters *counters);

/* Reads zones again: those that failed, or all. Closes the device if its CPU has gone. */
void msr_reader_check(struct msr_reader *reader, const struct cpu_counters *counters, bool all);

/* Whether its device is open and its unit known. */
bool msr_reader_is_usable(const struct msr_reader *reader);

/* Number of a domain's register; 0: no processor of this vendor has one. */
uint32_t msr_address(enum cpu_vendor vendor, enum cpu_domain domain);
uint32_t msr_unit_address(enum cpu_vendor vendor);

/* Adds a zone with this identity. 0 or -ENOMEM. */
int msr_reader_add_zone(struct msr_reader *reader, const struct cpu_counters *counters,
                        unsigned int index, const struct zone_identity *identity,
                        const struct source_options *options);

/* Reads the counter. Returns the zone's error. */
int msr_zone_read(struct msr_zone *zone, uint64_t *ticks);

#endif
