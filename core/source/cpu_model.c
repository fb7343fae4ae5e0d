/* SPDX-License-Identifier: MIT */
#include "source/cpu_model.h"

#include <stddef.h>

enum {
    PKG = CPU_PACKAGE,
    PKG_CORE = CPU_PACKAGE | CPU_CORE,
    PKG_DRAM = CPU_PACKAGE | CPU_DRAM,
    PKG_DRAM_PSYS = CPU_PACKAGE | CPU_DRAM | CPU_PSYS,
    PKG_CORE_GPU = CPU_PACKAGE | CPU_CORE | CPU_UNCORE,
    PKG_CORE_DRAM = CPU_PACKAGE | CPU_CORE | CPU_DRAM,
    ALL = CPU_PACKAGE | CPU_CORE | CPU_UNCORE | CPU_DRAM | CPU_PSYS,
    ALL_BUT_PSYS = CPU_PACKAGE | CPU_CORE | CPU_UNCORE | CPU_DRAM,
    ALL_BUT_GPU = CPU_PACKAGE | CPU_CORE | CPU_DRAM | CPU_PSYS,
    NONE = 0,
};

#define INTEL CPU_VENDOR_INTEL
#define AMD CPU_VENDOR_AMD
#define HYGON CPU_VENDOR_HYGON
#define U_ESU CPU_UNIT_ESU
#define U_ATOM CPU_UNIT_ATOM
#define U_15300_NJ CPU_UNIT_15300_NJ
#define U_1_J CPU_UNIT_1_J

/*
 * Domains: what perf (arch/x86/events/rapl.c, Linux 6.12) and turbostat (tools/power/x86/turbostat)
 * read on a model. Probing leaves out registers that are missing or stay at 0. Units: rapl_defaults
 * of the powercap driver (intel_rapl_msr.c, intel_rapl_common.c), so that both sources report the
 * same energy. For dram on Broadwell-D this differs from perf and turbostat, which use 15.3 uJ. The
 * names are those of arch/x86/include/asm/intel-family.h.
 */
static const struct cpu_counters table[] = {
    {INTEL, 6, 0x2A, PKG_CORE_GPU, U_ESU, U_ESU, U_ESU},       /* SANDYBRIDGE */
    {INTEL, 6, 0x2D, PKG_CORE_DRAM, U_ESU, U_ESU, U_ESU},      /* SANDYBRIDGE_X */
    {INTEL, 6, 0x37, PKG_CORE, U_ATOM, U_ATOM, U_ATOM},        /* ATOM_SILVERMONT */
    {INTEL, 6, 0x3A, PKG_CORE_GPU, U_ESU, U_ESU, U_ESU},       /* IVYBRIDGE */
    {INTEL, 6, 0x3C, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* HASWELL */
    {INTEL, 6, 0x3D, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* BROADWELL */
    {INTEL, 6, 0x3E, PKG_CORE_DRAM, U_ESU, U_ESU, U_ESU},      /* IVYBRIDGE_X */
    {INTEL, 6, 0x3F, PKG_CORE_DRAM, U_ESU, U_15300_NJ, U_ESU}, /* HASWELL_X */
    {INTEL, 6, 0x45, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* HASWELL_L */
    {INTEL, 6, 0x46, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* HASWELL_G */
    {INTEL, 6, 0x47, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* BROADWELL_G */
    {INTEL, 6, 0x4A, PKG_CORE, U_ATOM, U_ATOM, U_ATOM},        /* ATOM_SILVERMONT_MID */
    {INTEL, 6, 0x4C, PKG_CORE, U_ATOM, U_ATOM, U_ATOM},        /* ATOM_AIRMONT */
    {INTEL, 6, 0x4D, PKG_CORE, U_ESU, U_ESU, U_ESU},           /* ATOM_SILVERMONT_D */
    {INTEL, 6, 0x4E, ALL, U_ESU, U_ESU, U_ESU},                /* SKYLAKE_L */
    {INTEL, 6, 0x4F, PKG_CORE_DRAM, U_ESU, U_15300_NJ, U_ESU}, /* BROADWELL_X */
    {INTEL, 6, 0x55, PKG_CORE_DRAM, U_ESU, U_15300_NJ, U_ESU}, /* SKYLAKE_X */
    {INTEL, 6, 0x56, PKG_CORE_DRAM, U_ESU, U_ESU, U_ESU},      /* BROADWELL_D */
    {INTEL, 6, 0x57, PKG_DRAM, U_ESU, U_15300_NJ, U_ESU},      /* XEON_PHI_KNL */
    {INTEL, 6, 0x5A, PKG_CORE, U_ATOM, U_ATOM, U_ATOM},        /* ATOM_AIRMONT_MID */
    {INTEL, 6, 0x5C, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* ATOM_GOLDMONT */
    {INTEL, 6, 0x5E, ALL, U_ESU, U_ESU, U_ESU},                /* SKYLAKE */
    {INTEL, 6, 0x5F, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* ATOM_GOLDMONT_D */
    {INTEL, 6, 0x66, ALL, U_ESU, U_ESU, U_ESU},                /* CANNONLAKE_L */
    {INTEL, 6, 0x6A, ALL_BUT_GPU, U_ESU, U_15300_NJ, U_ESU},   /* ICELAKE_X */
    {INTEL, 6, 0x6C, ALL_BUT_GPU, U_ESU, U_15300_NJ, U_ESU},   /* ICELAKE_D */
    {INTEL, 6, 0x7A, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* ATOM_GOLDMONT_PLUS */
    {INTEL, 6, 0x7D, ALL, U_ESU, U_ESU, U_ESU},                /* ICELAKE */
    {INTEL, 6, 0x7E, ALL, U_ESU, U_ESU, U_ESU},                /* ICELAKE_L */
    {INTEL, 6, 0x85, PKG_DRAM, U_ESU, U_15300_NJ, U_ESU},      /* XEON_PHI_KNM */
    {INTEL, 6, 0x86, PKG, U_ESU, U_ESU, U_ESU},                /* ATOM_TREMONT_D */
    {INTEL, 6, 0x8A, ALL, U_ESU, U_ESU, U_ESU},                /* LAKEFIELD */
    {INTEL, 6, 0x8C, ALL, U_ESU, U_ESU, U_ESU},                /* TIGERLAKE_L */
    {INTEL, 6, 0x8D, ALL, U_ESU, U_ESU, U_ESU},                /* TIGERLAKE */
    {INTEL, 6, 0x8E, ALL, U_ESU, U_ESU, U_ESU},                /* KABYLAKE_L */
    {INTEL, 6, 0x8F, ALL_BUT_GPU, U_ESU, U_ESU, U_1_J},        /* SAPPHIRERAPIDS_X */
    {INTEL, 6, 0x96, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* ATOM_TREMONT */
    {INTEL, 6, 0x97, ALL, U_ESU, U_ESU, U_ESU},                /* ALDERLAKE */
    {INTEL, 6, 0x9A, ALL, U_ESU, U_ESU, U_ESU},                /* ALDERLAKE_L */
    {INTEL, 6, 0x9C, ALL_BUT_PSYS, U_ESU, U_ESU, U_ESU},       /* ATOM_TREMONT_L */
    {INTEL, 6, 0x9D, ALL, U_ESU, U_ESU, U_ESU},                /* ICELAKE_NNPI */
    {INTEL, 6, 0x9E, ALL, U_ESU, U_ESU, U_ESU},                /* KABYLAKE */
    {INTEL, 6, 0xA5, ALL, U_ESU, U_ESU, U_ESU},                /* COMETLAKE */
    {INTEL, 6, 0xA6, ALL, U_ESU, U_ESU, U_ESU},                /* COMETLAKE_L */
    {INTEL, 6, 0xA7, ALL, U_ESU, U_ESU, U_ESU},                /* ROCKETLAKE */
    {INTEL, 6, 0xAA, ALL, U_ESU, U_ESU, U_ESU},                /* METEORLAKE_L */
    {INTEL, 6, 0xAC, ALL, U_ESU, U_ESU, U_ESU},                /* METEORLAKE */
    {INTEL, 6, 0xAD, PKG_DRAM_PSYS, U_ESU, U_ESU, U_1_J},      /* GRANITERAPIDS_X */
    {INTEL, 6, 0xAE, PKG_DRAM_PSYS, U_ESU, U_ESU, U_1_J},      /* GRANITERAPIDS_D */
    {INTEL, 6, 0xAF, PKG_DRAM_PSYS, U_ESU, U_ESU, U_ESU},      /* ATOM_CRESTMONT_X */
    {INTEL, 6, 0xB5, ALL, U_ESU, U_ESU, U_ESU},                /* ARROWLAKE_U */
    {INTEL, 6, 0xB6, PKG_DRAM_PSYS, U_ESU, U_ESU, U_ESU},      /* ATOM_CRESTMONT */
    {INTEL, 6, 0xB7, ALL, U_ESU, U_ESU, U_ESU},                /* RAPTORLAKE */
    {INTEL, 6, 0xBA, ALL, U_ESU, U_ESU, U_ESU},                /* RAPTORLAKE_P */
    {INTEL, 6, 0xBD, ALL, U_ESU, U_ESU, U_ESU},                /* LUNARLAKE_M */
    {INTEL, 6, 0xBE, ALL, U_ESU, U_ESU, U_ESU},                /* ATOM_GRACEMONT */
    {INTEL, 6, 0xBF, ALL, U_ESU, U_ESU, U_ESU},                /* RAPTORLAKE_S */
    {INTEL, 6, 0xC5, ALL, U_ESU, U_ESU, U_ESU},                /* ARROWLAKE_H */
    {INTEL, 6, 0xC6, ALL, U_ESU, U_ESU, U_ESU},                /* ARROWLAKE */
    {INTEL, 6, 0xCC, ALL, U_ESU, U_ESU, U_ESU},                /* PANTHERLAKE_L */
    {INTEL, 6, 0xCF, ALL_BUT_GPU, U_ESU, U_ESU, U_1_J},        /* EMERALDRAPIDS_X */
    {INTEL, 6, 0xD5, ALL, U_ESU, U_ESU, U_ESU},                /* WILDCATLAKE_L */
    {INTEL, 6, 0xD7, ALL, U_ESU, U_ESU, U_ESU},                /* BARTLETTLAKE */
    {INTEL, 6, 0xDD, PKG_DRAM_PSYS, U_ESU, U_ESU, U_ESU},      /* ATOM_DARKMONT_X */
    {INTEL, 18, 0x01, ALL, U_ESU, U_ESU, U_ESU},               /* NOVALAKE */
    {INTEL, 18, 0x03, ALL, U_ESU, U_ESU, U_ESU},               /* NOVALAKE_L */
    {INTEL, 19, 0x01, NONE, U_ESU, U_ESU, U_1_J},              /* DIAMONDRAPIDS_X */
    /* PPR for AMD family 17h and later: Core::X86::Msr::RAPL_PWR_UNIT, CORE_ENERGY_STAT and
     * PKG_ENERGY_STAT */
    {AMD, 0x17, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
    {HYGON, 0x18, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
    {AMD, 0x19, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
    {AMD, 0x1A, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
};

const struct cpu_counters *cpu_model_find(const struct cpu_model *cpu) {
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct cpu_counters *row = &table[i];
        if (row->vendor == cpu->vendor && row->family == cpu->family &&
            (row->model == CPU_ANY_MODEL || row->model == (int)cpu->model))
            return row;
    }
    return NULL;
}

/* Model numbers are from arch/x86/include/asm/intel-family.h. In family 6, all models below 0x2A
 * (Sandy Bridge) lack RAPL, and so do the listed Westmere, Nehalem and Atom models. The other
 * families below 16 are 486, Pentium, Pentium 4 and the first Xeon Phi. */
static bool is_before_sandy_bridge(const struct cpu_model *cpu) {
    static const unsigned int later[] = {0x2C, 0x2E, 0x2F, 0x35, 0x36};
    if (cpu->family != 6)
        return cpu->family < 16;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (cpu->model == later[i])
            return true;
    }
    return cpu->model != 0 && cpu->model < 0x2A;
}

bool cpu_model_lacks_rapl(const struct cpu_model *cpu) {
    if (cpu->is_virtual)
        return false;
    if (cpu->vendor == CPU_VENDOR_NOT_X86)
        return true;
    if (cpu->family == 0)
        return false;
    return (cpu->vendor == CPU_VENDOR_INTEL && is_before_sandy_bridge(cpu)) ||
           (cpu->vendor == CPU_VENDOR_AMD && cpu->family < 0x17);
}

struct cpu_id {
    unsigned int family;
    unsigned int model;
};

static bool is_one_of(const struct cpu_model *cpu, const struct cpu_id *ids, size_t count) {
    for (size_t i = 0; i < count && cpu->vendor == CPU_VENDOR_INTEL; i++) {
        if (cpu->family == ids[i].family && cpu->model == ids[i].model)
            return true;
    }
    return false;
}

/* Servers since Granite Rapids and Sierra Forest have their counters in memory that
 * intel_rapl_tpmi.c maps. intel_rapl_msr.c does not know these models (rapl_ids). */
static bool is_tpmi(const struct cpu_model *cpu) {
    static const struct cpu_id ids[] = {{6, 0xAD}, {6, 0xAE}, {6, 0xAF},
                                        {6, 0xB6}, {6, 0xDD}, {19, 0x01}};
    return is_one_of(cpu, ids, sizeof(ids) / sizeof(ids[0]));
}

const char *cpu_model_powercap_module(const struct cpu_model *cpu) {
    return is_tpmi(cpu) ? "intel_rapl_tpmi" : "intel_rapl_msr";
}

/* arch/x86/events/rapl.c does not know these models. The powercap drivers register their events:
 * TPMI's since Linux 6.10, and those of the newest clients since 6.19 (intel_rapl_common.c,
 * rapl_package_add_pmu). */
const char *cpu_model_perf_module(const struct cpu_model *cpu) {
    static const struct cpu_id newest[] = {{6, 0xCC}, {6, 0xD5}, {18, 0x01}, {18, 0x03}};
    if (is_tpmi(cpu) || is_one_of(cpu, newest, sizeof(newest) / sizeof(newest[0])))
        return cpu_model_powercap_module(cpu);
    return "rapl";
}

const struct cpu_counters *cpu_model_guess(enum cpu_vendor vendor) {
    static const struct cpu_counters guesses[] = {
        {INTEL, 0, CPU_ANY_MODEL, ALL, U_ESU, U_ESU, U_ESU},
        {AMD, 0, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
        {HYGON, 0, CPU_ANY_MODEL, PKG_CORE, U_ESU, U_ESU, U_ESU},
    };
    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        if (guesses[i].vendor == vendor)
            return &guesses[i];
    }
    return NULL;
}

/* --- units ----------------------------------------------------------------------------------- */

/* SDM vol. 3B 16.10.1, MSR_RAPL_POWER_UNIT; AMD's register has the same fields. */
static unsigned int energy_field(uint64_t unit_register) {
    return (unsigned int)(unit_register >> 8) & 0x1F;
}

static unsigned int power_field(uint64_t unit_register) {
    return (unsigned int)unit_register & 0xF;
}

struct tick_scale cpu_model_scale(const struct cpu_counters *counters, enum cpu_domain domain,
                                  uint64_t unit_register) {
    const uint64_t power_of_two = UINT64_C(1) << energy_field(unit_register);
    enum cpu_unit unit = counters->unit;
    if (domain == CPU_DRAM)
        unit = counters->dram_unit;
    if (domain == CPU_PSYS)
        unit = counters->psys_unit;
    switch (unit) {
    case CPU_UNIT_ATOM:
        return (struct tick_scale){.numerator_uj = (uint32_t)power_of_two, .denominator = 1};
    case CPU_UNIT_15300_NJ:
        return (struct tick_scale){.numerator_uj = 153, .denominator = 10};
    case CPU_UNIT_1_J:
        return (struct tick_scale){.numerator_uj = 1000000, .denominator = 1};
    default:
        return (struct tick_scale){.numerator_uj = 1000000, .denominator = power_of_two};
    }
}

uint64_t cpu_model_power_uw(const struct cpu_counters *counters, uint64_t unit_register,
                            uint32_t field) {
    const unsigned int shift = power_field(unit_register);
    if (counters->unit == CPU_UNIT_ATOM)
        return ((uint64_t)field << shift) * 1000;
    return (uint64_t)field * 1000000 >> shift;
}
