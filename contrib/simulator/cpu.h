/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_CPU_H
#define RAPL_SIM_CPU_H

#include "machine.h"

#include <stdbool.h>
#include <stdint.h>

bool cpu_is_online(const struct machine *machine, unsigned cpu);

/* Threads of a core are half of all CPUs apart, as Linux numbers them; core ids begin anew in each
 * die, as they do on AMD from Linux 6.9 on. */
struct cpu_place {
    unsigned package, die, core;
};

struct cpu_place cpu_find_place(const struct machine *machine, unsigned cpu);

/* A register of that CPU as /dev/cpu/N/msr gives it: 0, -ENXIO where it is offline, -EIO where
 * there is no such register. On AMD every core shows the counter of its package's core zone. */
int cpu_read_register(const struct machine *machine, unsigned cpu, uint32_t address,
                      uint64_t elapsed_ns, uint64_t *value);

#endif
