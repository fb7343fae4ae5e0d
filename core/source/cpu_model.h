/* SPDX-License-Identifier: MIT */
/* Which energy counters a processor has as registers, and what their ticks are worth. Pure. */
#ifndef RAPL_CPU_MODEL_H
#define RAPL_CPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"
#include "system/cpuinfo.h"

/* Sets of them are or-ed together. */
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
    CPU_UNIT_ESU,      /* 2^-ESU J, and power 2^-PU W */
    CPU_UNIT_ATOM,     /* 2^ESU uJ, and power 2^PU mW */
    CPU_UNIT_15300_NJ, /* whatever the unit register says, as the next */
    CPU_UNIT_1_J,
};

#define CPU_ANY_MODEL (-1)

struct cpu_counters {
    enum cpu_vendor vendor;
    unsigned int family;
    int model;            /* or CPU_ANY_MODEL */
    unsigned int domains; /* a set of enum cpu_domain; 0: none has a register */
    enum cpu_unit unit;
    enum cpu_unit dram_unit;
    enum cpu_unit psys_unit;
};

/* What is known of that processor; NULL: nothing. */
const struct cpu_counters *cpu_model_find(const struct cpu_model *cpu);

/* Whether it is known to have no RAPL counters of any kind: not x86, Intel's before Sandy Bridge,
 * and AMD's before Zen. A virtual machine may show another processor than it has: never of one. */
bool cpu_model_lacks_rapl(const struct cpu_model *cpu);

/* The modules of the kernel that show its counters as powercap zones, and as events of perf. */
const char *cpu_model_powercap_module(const struct cpu_model *cpu);
const char *cpu_model_perf_module(const struct cpu_model *cpu);

/* What processors of that vendor usually have; NULL: nothing is known of the vendor. */
const struct cpu_counters *cpu_model_guess(enum cpu_vendor vendor);

/* Energy of one tick. unit_register: as read from MSR 0x606 or 0xC0010299. */
struct tick_scale cpu_model_scale(const struct cpu_counters *counters, enum cpu_domain domain,
                                  uint64_t unit_register);

/* Power that a field of a power limit or info register stands for. */
uint64_t cpu_model_power_uw(const struct cpu_counters *counters, uint64_t unit_register,
                            uint32_t field);

#endif
