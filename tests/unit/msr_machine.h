/* SPDX-License-Identifier: MIT */
/* A machine whose counters are MSRs: its topology, its device files and register values. */
#ifndef RAPL_TEST_MSR_MACHINE_H
#define RAPL_TEST_MSR_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

#define UNIT 0x606
#define PACKAGE 0x611
#define DRAM 0x619
#define CORE 0x639
#define UNCORE 0x641
#define PSYS 0x64D
#define AMD_UNIT 0xC0010299
#define AMD_CORE 0xC001029A
#define AMD_PACKAGE 0xC001029B

/* ESU 14: 61 uJ; 16: 15.3 uJ */
#define UNIT_61 0xA0E03
#define UNIT_15 0xA1003

/* CPU numbers count up through the cores of a die, then dies and packages, then threads, as on
 * Linux. Core ids start at 0 in each die. */
struct msr_machine {
    const struct tree *tree;
    unsigned int packages, dies, cores, threads;
    bool without_die_id; /* Linux before 5.2 */
};

unsigned int machine_cpus(const struct msr_machine *machine);
unsigned int machine_cpu(const struct msr_machine *machine, unsigned int package, unsigned int die,
                         unsigned int core, unsigned int thread);

/* Creates the files, with all CPUs online. */
void machine_make(const struct msr_machine *machine);

/* Adds or removes the CPU's topology and registers, and writes the list of online CPUs. */
void machine_set_online(const struct msr_machine *machine, unsigned int cpu, bool online,
                        const char *list);

/* Sets a register on every CPU, or on the CPUs of a package, a die or a core. */
void machine_set_all(const struct msr_machine *machine, uint32_t address, uint64_t value);
void machine_set_package(const struct msr_machine *machine, unsigned int package, uint32_t address,
                         uint64_t value);
void machine_set_die(const struct msr_machine *machine, unsigned int package, unsigned int die,
                     uint32_t address, uint64_t value);
void machine_set_core(const struct msr_machine *machine, unsigned int package, unsigned int die,
                      unsigned int core, uint32_t address, uint64_t value);

#endif
