/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_CPU_H
#define RAPL_SIM_CPU_H

#include "machine.h"

#include <stdbool.h>
#include <stdint.h>

bool cpu_is_online(const struct machine *machine, unsigned cpu);

/* Linux numbers the two threads of a core half of all CPUs apart. Core ids start at 0 in each die,
 * as they do on AMD since Linux 6.9. */
struct cpu_place {
    unsigned package, die, core;
};

struct cpu_place cpu_find_place(const struct machine *machine, unsigned cpu);

/* Reads a register as /dev/cpu/N/msr does. Returns 0; -ENXIO if the CPU is offline; -EIO if the
 * register does not exist. On AMD every core shows the counter of its package's core zone. */
int cpu_read_register(const struct machine *machine, unsigned cpu, uint32_t address,
                      uint64_t elapsed_ns, uint64_t *value);

#endif
