/* SPDX-License-Identifier: MIT */
/* The vendor and model of the processor. */
#ifndef RAPL_CPUINFO_H
#define RAPL_CPUINFO_H

#include <stdbool.h>
#include <stddef.h>

enum cpu_vendor {
    CPU_VENDOR_UNKNOWN, /* no file names a vendor */
    CPU_VENDOR_INTEL,
    CPU_VENDOR_AMD,
    CPU_VENDOR_HYGON,
    CPU_VENDOR_OTHER,
    CPU_VENDOR_NOT_X86, /* ARM, POWER, RISC-V, LoongArch, s390 */
};

/* What kind of processor the machine has. */
struct cpu_model {
    enum cpu_vendor vendor;
    unsigned int family; /* 0: unknown; likewise for model */
    unsigned int model;
    bool is_virtual; /* the CPU flags show a hypervisor */
};

/* The files that name it. Containers may hide proc and show sys. */
#define CPUINFO_PROC "proc/cpuinfo"
#define CPUINFO_SYS "sys/devices/system/cpu/modalias"

/* Reads proc/cpuinfo or, if that names no vendor, the module alias of the processor. CPUID is not
 * used, because the root may belong to another machine. proc_error: why proc/cpuinfo cannot be
 * read, or 0. */
struct cpu_model cpuinfo_read(int root, int *proc_error);

/* Parses "cpu:type:x86,ven0002fam0019mod0061:feature:,0000,…". Missing parts are unknown. */
struct cpu_model cpuinfo_parse_alias(const char *text);

const char *cpuinfo_vendor_name(enum cpu_vendor vendor);

/* Writes, for example, "family 6 model 0x8e". */
#define CPUINFO_MODEL_SIZE ((size_t)64)
void cpuinfo_format_model(const struct cpu_model *cpu, char text[CPUINFO_MODEL_SIZE]);

#endif
