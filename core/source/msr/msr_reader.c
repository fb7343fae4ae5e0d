/* SPDX-License-Identifier: MIT */
#include "source/msr/msr_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/power_ceiling.h"
#include "source/unit_fault.h"

/* SDM vol. 3B 16.10 and vol. 4 */
#define RAPL_POWER_UNIT 0x606
#define PKG_POWER_LIMIT 0x610
#define PKG_ENERGY_STATUS 0x611
#define PKG_POWER_INFO 0x614
#define DRAM_POWER_LIMIT 0x618
#define DRAM_ENERGY_STATUS 0x619
#define DRAM_POWER_INFO 0x61C
#define PP0_ENERGY_STATUS 0x639
#define PP1_ENERGY_STATUS 0x641
#define PLATFORM_ENERGY_STATUS 0x64D
/* PPR for AMD family 17h and later */
#define AMD_RAPL_PWR_UNIT 0xC0010299
#define AMD_CORE_ENERGY_STAT 0xC001029A
#define AMD_PKG_ENERGY_STAT 0xC001029B

/* The counter is bits 31:0. AMD's are 64 bits wide since family 19h model 10h, but Linux uses 32
 * bits of every counter (RAPL_CNTR_WIDTH in intel_rapl_msr.c and rapl.c), so that all wrap
 * there. */
#define COUNTER_MASK (COUNTER_REGISTER_MODULUS - 1)

uint32_t msr_unit_address(enum cpu_vendor vendor) {
    return vendor == CPU_VENDOR_INTEL ? RAPL_POWER_UNIT : AMD_RAPL_PWR_UNIT;
}

uint32_t msr_address(enum cpu_vendor vendor, enum cpu_domain domain) {
    const bool intel = vendor == CPU_VENDOR_INTEL;
    switch (domain) {
    case CPU_PACKAGE:
        return intel ? PKG_ENERGY_STATUS : AMD_PKG_ENERGY_STAT;
    case CPU_CORE:
        return intel ? PP0_ENERGY_STATUS : AMD_CORE_ENERGY_STAT;
    case CPU_UNCORE:
        return intel ? PP1_ENERGY_STATUS : 0;
    case CPU_DRAM:
        return intel ? DRAM_ENERGY_STATUS : 0;
    case CPU_PSYS:
        return intel ? PLATFORM_ENERGY_STATUS : 0;
    }
    return 0;
}

struct msr_reader *msr_reader_new(int package_id, int die_id, int core_id) {
    struct msr_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->package_id = package_id;
    reader->die_id = die_id;
    reader->core_id = core_id;
    reader->device.file = -1;
    reader->error = -ENXIO;
    return reader;
}

static void free_zone(struct msr_zone *zone) {
    if (zone == NULL)
        return;
    free(zone->zone.id);
    free(zone->zone.path);
    free(zone);
}

void msr_reader_free(struct msr_reader *reader) {
    if (reader == NULL)
        return;
    msr_device_close(&reader->device);
    for (unsigned int i = 0; i < CPU_DOMAINS; i++)
        free_zone(reader->zones[i]);
    free(reader);
}

int msr_reader_compare(const struct msr_reader *a, const struct msr_reader *b) {
    if (a->package_id != b->package_id)
        return a->package_id < b->package_id ? -1 : 1;
    /* RAPL_NO_ID is -1: a package without a die comes before cores with one. */
    if (a->die_id != b->die_id)
        return a->die_id < b->die_id ? -1 : 1;
    return (a->core_id > b->core_id) - (a->core_id < b->core_id);
}

bool msr_reader_covers(const struct msr_reader *reader, const struct cpu *cpu) {
    return reader->package_id == cpu->package_id &&
           (reader->die_id == RAPL_NO_ID || reader->die_id == cpu->die_id) &&
           (reader->core_id == RAPL_NO_ID || reader->core_id == cpu->core_id);
}

/* --- zones ----------------------------------------------------------------------------------- */

int msr_zone_read(struct msr_zone *zone, uint64_t *ticks) {
    const struct msr_reader *reader = zone->reader;
    uint64_t value = 0;
    zone->zone.error = reader->device.file >= 0
                           ? msr_device_read(&reader->device, zone->address, &value)
                           : reader->error;
    *ticks = value & COUNTER_MASK;
    return zone->zone.error;
}

/* Names the CPU and register that the zone is read from. Without memory the old id stays. */
static int label(struct msr_zone *zone) {
    char path[MSR_PATH_SIZE];
    char *id = NULL;
    msr_device_path(&zone->reader->device, path);
    char *copy = strdup(path);
    if (copy == NULL || asprintf(&id, "cpu%u/0x%x", zone->reader->device.cpu, zone->address) < 0) {
        free(copy);
        return -ENOMEM;
    }
    free(zone->zone.id);
    free(zone->zone.path);
    zone->zone.id = id;
    zone->zone.path = copy;
    return 0;
}

int msr_reader_add_zone(struct msr_reader *reader, const struct cpu_counters *counters,
                        unsigned int index, const struct zone_identity *identity,
                        const struct source_options *options) {
    const enum cpu_domain domain = (enum cpu_domain)(1U << index);
    struct msr_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL)
        return -ENOMEM;
    zone->reader = reader;
    zone->address = msr_address(counters->vendor, domain);
    if (label(zone) != 0) {
        free_zone(zone);
        return -ENOMEM;
    }
    zone->zone.identified = true;
    zone->zone.wanted = true;
    zone->zone.identity = *identity;
    zone->zone.traits =
        (struct counter_traits){.modulus = COUNTER_REGISTER_MODULUS,
                                .unit = 1,
                                .scale = cpu_model_scale(counters, domain, reader->unit_register)};
    /* Core and uncore are parts of their package and have its ceiling. */
    power_ceiling_decide(&zone->zone.traits, identity->kind, options->max_power_uw,
                         identity->kind == ZONE_DRAM ? &reader->dram_limits
                                                     : &reader->package_limits);
    zone->zone.range_uj = counter_to_uj(zone->zone.traits.scale, COUNTER_MASK);
    zone->zone.fault = unit_fault_in_doubt(&options->model, identity->kind);
    reader->zones[index] = zone;
    return 0;
}

/* --- the device ------------------------------------------------------------------------------ */

bool msr_reader_is_usable(const struct msr_reader *reader) {
    return reader->device.file >= 0 && reader->unit_register != 0;
}

void msr_reader_close(struct msr_reader *reader, int error) {
    msr_device_close(&reader->device);
    reader->error = error;
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        if (reader->zones[i] != NULL)
            reader->zones[i]->zone.error = error;
    }
}

/* Opens the device of one CPU, and checks that the reader's zones can be read there: the CPU may
 * have gone offline since the topology was loaded. */
static int open_on(struct msr_reader *reader, const struct source_options *options,
                   const struct cpu *cpu) {
    uint64_t ticks;
    int error = msr_device_open(&reader->device, options->root, cpu->number, &options->privilege);
    for (unsigned int i = 0; error == 0 && i < CPU_DOMAINS; i++) {
        if (reader->zones[i] != NULL && error_is_lost(msr_zone_read(reader->zones[i], &ticks)))
            error = reader->zones[i]->zone.error;
    }
    if (error != 0)
        msr_device_close(&reader->device);
    return error;
}

int msr_reader_open(struct msr_reader *reader, const struct source_options *options,
                    const struct topology *topology) {
    int first_error = 0;
    struct msr_device first = {.cpu = reader->device.cpu, .file = -1};
    for (size_t i = 0; i < topology->count; i++) {
        if (!msr_reader_covers(reader, &topology->cpus[i]))
            continue;
        const int error = open_on(reader, options, &topology->cpus[i]);
        if (error == 0) {
            for (unsigned int j = 0; j < CPU_DOMAINS; j++) {
                if (reader->zones[j] != NULL)
                    (void)label(reader->zones[j]);
            }
            reader->misses = 0;
            reader->error = 0;
            return 0;
        }
        if (first_error == 0)
            first = reader->device;
        first_error = first_error != 0 ? first_error : error;
        if (!error_is_lost(error))
            break;
    }
    reader->device = first;
    reader->misses++;
    msr_reader_close(reader, first_error != 0 ? first_error : -ENXIO);
    return reader->error;
}

/* Bits 14:0 and 46:32 are PL1 and PL2 in a limit register, TDP and maximum power in an info
 * register (SDM vol. 4, MSR 610H and 614H). */
static struct power_limits read_limits(const struct msr_reader *reader,
                                       const struct cpu_counters *counters, uint32_t limit_address,
                                       uint32_t info_address) {
    const uint32_t addresses[] = {info_address, limit_address};
    struct power_limits limits = {.tdp_uw = 0};
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        uint64_t value = 0;
        if (msr_device_read(&reader->device, addresses[i], &value) != 0)
            continue;
        for (unsigned int shift = 0; shift <= 32; shift += 32) {
            power_limits_add(&limits, cpu_model_power_uw(counters, reader->unit_register,
                                                         (uint32_t)(value >> shift) & 0x7FFF));
            if (addresses[i] == info_address && shift == 0)
                limits.tdp_uw = limits.largest_uw;
        }
    }
    return limits;
}

int msr_reader_load_unit(struct msr_reader *reader, const struct cpu_counters *counters) {
    int error = msr_device_read(&reader->device, msr_unit_address(counters->vendor),
                                &reader->unit_register);
    if (error != 0)
        reader->unit_register = 0;
    if (reader->unit_register == 0 || counters->vendor != CPU_VENDOR_INTEL)
        return error;
    reader->package_limits = read_limits(reader, counters, PKG_POWER_LIMIT, PKG_POWER_INFO);
    if ((counters->domains & CPU_DRAM) != 0)
        reader->dram_limits = read_limits(reader, counters, DRAM_POWER_LIMIT, DRAM_POWER_INFO);
    return 0;
}

void msr_reader_check(struct msr_reader *reader, const struct cpu_counters *counters, bool all) {
    int lost = 0;
    bool has_zones = false;
    uint64_t ticks;
    if (reader->device.file < 0)
        return;
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        struct msr_zone *zone = reader->zones[i];
        has_zones = has_zones || zone != NULL;
        if (zone != NULL && (all || zone->zone.error != 0) &&
            error_is_lost(msr_zone_read(zone, &ticks)))
            lost = zone->zone.error;
    }
    if (!has_zones) {
        const int error =
            msr_device_read(&reader->device, msr_unit_address(counters->vendor), &ticks);
        lost = error_is_lost(error) ? error : 0;
    }
    if (lost != 0)
        msr_reader_close(reader, lost);
}
