/* SPDX-License-Identifier: MIT */
#include "msr_machine.h"

#include <stdio.h>

#include "fakes.h"

#define CPUS "sys/devices/system/cpu"

unsigned int machine_cpus(const struct msr_machine *machine) {
    return machine->packages * machine->dies * machine->cores * machine->threads;
}

unsigned int machine_cpu(const struct msr_machine *machine, unsigned int package, unsigned int die,
                         unsigned int core, unsigned int thread) {
    return ((thread * machine->packages + package) * machine->dies + die) * machine->cores + core;
}

static void add_topology(const struct msr_machine *machine, unsigned int cpu) {
    const unsigned int core = cpu % machine->cores;
    const unsigned int die = cpu / machine->cores % machine->dies;
    const unsigned int package = cpu / machine->cores / machine->dies % machine->packages;
    const unsigned int ids[] = {package, core, die};
    static const char *const names[] = {"physical_package_id", "core_id", "die_id"};
    for (unsigned int i = 0; i < (machine->without_die_id ? 2 : 3); i++) {
        char path[128];
        snprintf(path, sizeof(path), CPUS "/cpu%u/topology/%s", cpu, names[i]);
        tree_write(machine->tree, path, "%u\n", ids[i]);
    }
}

void machine_make(const struct msr_machine *machine) {
    for (unsigned int cpu = 0; cpu < machine_cpus(machine); cpu++) {
        char path[64];
        snprintf(path, sizeof(path), "dev/cpu/%u/msr", cpu);
        tree_write(machine->tree, path, "%s", "");
        add_topology(machine, cpu);
    }
    tree_write(machine->tree, CPUS "/online", "0-%u\n", machine_cpus(machine) - 1);
}

void machine_set_online(const struct msr_machine *machine, unsigned int cpu, bool online,
                        const char *list) {
    char path[128];
    snprintf(path, sizeof(path), CPUS "/cpu%u/topology", cpu);
    fake_msr_offline(cpu, !online);
    tree_write(machine->tree, CPUS "/online", "%s\n", list);
    if (online)
        add_topology(machine, cpu);
    else
        tree_remove(machine->tree, path);
}

void machine_set_core(const struct msr_machine *machine, unsigned int package, unsigned int die,
                      unsigned int core, uint32_t address, uint64_t value) {
    for (unsigned int thread = 0; thread < machine->threads; thread++)
        fake_msr_set(machine_cpu(machine, package, die, core, thread), address, value);
}

void machine_set_die(const struct msr_machine *machine, unsigned int package, unsigned int die,
                     uint32_t address, uint64_t value) {
    for (unsigned int core = 0; core < machine->cores; core++)
        machine_set_core(machine, package, die, core, address, value);
}

void machine_set_package(const struct msr_machine *machine, unsigned int package, uint32_t address,
                         uint64_t value) {
    for (unsigned int die = 0; die < machine->dies; die++)
        machine_set_die(machine, package, die, address, value);
}

void machine_set_all(const struct msr_machine *machine, uint32_t address, uint64_t value) {
    for (unsigned int package = 0; package < machine->packages; package++)
        machine_set_package(machine, package, address, value);
}
