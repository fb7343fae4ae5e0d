/* SPDX-License-Identifier: MIT */
/* The counters of one package, die or core, and the CPU that they are read on. */
#ifndef RAPL_MSR_READER_H
#define RAPL_MSR_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "source/cpu_model.h"
#include "source/msr/msr_device.h"
#include "source/power_ceiling.h"
#include "source/source.h"
#include "system/topology.h"

/* Of CPU_CORE, where zones are by domain. */
#define CPU_CORE_INDEX 1

struct msr_reader;

struct msr_zone {
    struct zone zone; /* first: a zone of the source is one of these */
    const struct msr_reader *reader;
    uint32_t address;
    int known_error; /* at the end of the last discovery */
    bool shown;      /* the source shows it since then */
};

struct msr_reader {
    int package_id;
    int die_id; /* RAPL_NO_ID: all of the package's, as for the next */
    int core_id;
    struct msr_device device;
    int error;              /* why the device is not open, or 0 */
    unsigned int misses;    /* discoveries in a row that could not open it */
    uint64_t unit_register; /* 0: not read yet */
    struct power_limits package_limits;
    struct power_limits dram_limits;
    int left_out; /* the error that it has because of it, or 0 */
    bool probed;
    bool stale;                          /* its CPUs have gone, or are others' by now */
    struct msr_zone *zones[CPU_DOMAINS]; /* by domain; NULL: there is none */
};

/* NULL without memory. */
struct msr_reader *msr_reader_new(int package_id, int die_id, int core_id);
void msr_reader_free(struct msr_reader *reader);

/* By package, die and core; a package comes before its cores. */
int msr_reader_compare(const struct msr_reader *a, const struct msr_reader *b);

/* Whether that CPU can read its counters. */
bool msr_reader_covers(const struct msr_reader *reader, const struct cpu *cpu);

/* Opens it on the first CPU of the topology that lets it. What is already known of it stays as it
 * is: another CPU of the same package, die and core shows the same registers. */
int msr_reader_open(struct msr_reader *reader, const struct source_options *options,
                    const struct topology *topology);

/* Its zones have that error from then on. */
void msr_reader_close(struct msr_reader *reader, int error);

/* Reads the unit register, and on Intel the power limits. *error of it; 0 with unit_register 0:
 * it reads 0. */
int msr_reader_load_unit(struct msr_reader *reader, const struct cpu_counters *counters);

/* Reads its zones again: those that failed, or all. A device whose CPU has gone is closed. */
void msr_reader_check(struct msr_reader *reader, const struct cpu_counters *counters, bool all);

/* Whether it could read counters now. */
bool msr_reader_is_usable(const struct msr_reader *reader);

/* The register of a domain; 0: no processor of that vendor has one. */
uint32_t msr_address(enum cpu_vendor vendor, enum cpu_domain domain);
uint32_t msr_unit_address(enum cpu_vendor vendor);

/* Adds a zone of that identity. -ENOMEM. */
int msr_reader_add_zone(struct msr_reader *reader, const struct cpu_counters *counters,
                        unsigned int index, const struct zone_identity *identity,
                        const struct source_options *options);

/* The error of zone. */
int msr_zone_read(struct msr_zone *zone, uint64_t *ticks);

#endif
