/* SPDX-License-Identifier: MIT */
/* What is known of the CPUs: who made them and which are online. */
#ifndef RAPL_TOPOLOGY_H
#define RAPL_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_vendor {
    CPU_VENDOR_UNKNOWN, /* proc/cpuinfo cannot be read or names none */
    CPU_VENDOR_INTEL,
    CPU_VENDOR_AMD,
    CPU_VENDOR_HYGON,
    CPU_VENDOR_OTHER,
};

struct cpu {
    enum cpu_vendor vendor;
    bool is_virtual; /* a hypervisor stands between it and us */
};

/* Reads it from proc/cpuinfo, never by CPUID: the root may be another machine's. What cannot be
 * read is unknown. */
struct cpu topology_read_cpu(int root);

const char *topology_vendor_name(enum cpu_vendor vendor);

/* Opens the list of online CPUs. Descriptor or negative errno. */
int topology_open_online(int root);

/* A number that changes when the list does; 0 where it cannot be read. */
uint64_t topology_online_mark(int online_file);

#endif
