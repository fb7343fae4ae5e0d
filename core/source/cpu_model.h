/* SPDX-License-Identifier: MIT */
/* Which energy counters a processor model has as registers, and the energy of their ticks. Pure. */
#ifndef RAPL_CPU_MODEL_H
#define RAPL_CPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"
#include "system/cpuinfo.h"

/* Bits: sets of domains are or-ed together. */
enum cpu_domain {
    CPU_PACKAGE = 1,
    CPU_CORE = 2,
    CPU_UNCORE = 4,
    CPU_DRAM = 8,
    CPU_PSYS = 16,
};
#define CPU_DOMAINS 5

/* How a register's ticks become energy. ESU and PU are fields of the unit register. */
enum cpu_unit {
    CPU_UNIT_ESU,      /* energy in 2^-ESU J, power in 2^-PU W */
    CPU_UNIT_ATOM,     /* energy in 2^ESU uJ, power in 2^PU mW */
    CPU_UNIT_15300_NJ, /* this and the next are fixed, whatever the unit register says */
    CPU_UNIT_1_J,
};

#define CPU_ANY_MODEL (-1)

struct cpu_counters {
    enum cpu_vendor vendor;
    unsigned int family;
    int model;            /* a model number or CPU_ANY_MODEL */
    unsigned int domains; /* a set of enum cpu_domain; 0: there are no registers */
    enum cpu_unit unit;
    enum cpu_unit dram_unit;
    enum cpu_unit psys_unit;
};

/* The row for this processor; NULL: the model is unknown. */
const struct cpu_counters *cpu_model_find(const struct cpu_model *cpu);

/* Whether the processor is known to have no RAPL counters: it is not x86, an Intel before Sandy
 * Bridge, or an AMD before Zen. Always false in a virtual machine, which may show another processor
 * than it runs on. */
bool cpu_model_lacks_rapl(const struct cpu_model *cpu);

/* The kernel modules that show its counters as powercap zones and as perf events. */
const char *cpu_model_powercap_module(const struct cpu_model *cpu);
const char *cpu_model_perf_module(const struct cpu_model *cpu);

/* What processors of this vendor usually have; NULL: the vendor is unknown. */
const struct cpu_counters *cpu_model_guess(enum cpu_vendor vendor);

/* Energy of one tick. unit_register: value of MSR 0x606 (Intel) or 0xC0010299 (AMD). */
struct tick_scale cpu_model_scale(const struct cpu_counters *counters, enum cpu_domain domain,
                                  uint64_t unit_register);

/* Power in microwatts of a field in a power limit or power info register. */
uint64_t cpu_model_power_uw(const struct cpu_counters *counters, uint64_t unit_register,
                            uint32_t field);

#endif
