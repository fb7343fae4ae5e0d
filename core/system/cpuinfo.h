/* SPDX-License-Identifier: MIT */
/* Who made the processor, and which one it is. */
#ifndef RAPL_CPUINFO_H
#define RAPL_CPUINFO_H

#include <stdbool.h>
#include <stddef.h>

enum cpu_vendor {
    CPU_VENDOR_UNKNOWN, /* no file names one */
    CPU_VENDOR_INTEL,
    CPU_VENDOR_AMD,
    CPU_VENDOR_HYGON,
    CPU_VENDOR_OTHER,
    CPU_VENDOR_NOT_X86, /* ARM, POWER, RISC-V, LoongArch, s390 */
};

/* What kind of processor the machine has. */
struct cpu_model {
    enum cpu_vendor vendor;
    unsigned int family; /* 0 where it is unknown, as the next */
    unsigned int model;
    bool is_virtual; /* a hypervisor stands between it and us */
};

/* What says so: proc may be hidden where sys is shown, as in a container. */
#define CPUINFO_PROC "proc/cpuinfo"
#define CPUINFO_SYS "sys/devices/system/cpu/modalias"

/* Reads it from proc/cpuinfo, and where that names no vendor, from the alias of the processor's
 * modules; never by CPUID: the root may be another machine's. What neither says is unknown.
 * proc_error: 0, or why proc/cpuinfo cannot be read. */
struct cpu_model cpuinfo_read(int root, int *proc_error);

/* "cpu:type:x86,ven0002fam0019mod0061:feature:,0000,…"; what it does not say is unknown. */
struct cpu_model cpuinfo_parse_alias(const char *text);

const char *cpuinfo_vendor_name(enum cpu_vendor vendor);

/* "family 6 model 0x8e". */
#define CPUINFO_MODEL_SIZE ((size_t)64)
void cpuinfo_format_model(const struct cpu_model *cpu, char text[CPUINFO_MODEL_SIZE]);

#endif
