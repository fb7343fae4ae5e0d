/* SPDX-License-Identifier: MIT */
#include "cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Energy in 2^-14 J and 2^-16 J; power in 1/8 W. */
enum { INTEL_UNITS = 0xA0E03, AMD_UNITS = 0xA1003 };

bool cpu_is_online(const struct machine *machine, unsigned cpu) {
    const char *text = machine->online;

    while (*text >= '0' && *text <= '9') {
        char *end;
        const unsigned long first = strtoul(text, &end, 10);
        const unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (first <= cpu && cpu <= last)
            return true;
        text = *end == ',' ? end + 1 : end;
    }
    return false;
}

struct cpu_place cpu_find_place(const struct machine *machine, unsigned cpu) {
    const struct machine_shape shape = machine_get_shape(machine);
    const unsigned cores = shape.cpus / 2 / shape.packages;
    const unsigned cores_of_die = cores / (shape.dies > 0 ? shape.dies : 1);
    const unsigned core = cpu % (shape.cpus / 2);

    return (struct cpu_place){
        .package = core / cores, .die = core % cores / cores_of_die, .core = core % cores_of_die};
}

/* Returns the domain whose counter is the register at this address. */
static const char *find_domain(bool is_amd, uint32_t address) {
    static const struct {
        bool is_amd;
        uint32_t address;
        const char *domain;
    } registers[] = {{false, 0x611, ""},      {false, 0x639, "/core"}, {false, 0x641, "/uncore"},
                     {false, 0x619, "/dram"}, {false, 0x64D, "psys"},  {true, 0xC001029A, "/core"},
                     {true, 0xC001029B, ""}};

    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        if (registers[i].is_amd == is_amd && registers[i].address == address)
            return registers[i].domain;
    }
    return NULL;
}

static const struct zone *find_zone(const struct machine *machine, struct cpu_place place,
                                    const char *domain) {
    char series[64];

    if (strcmp(domain, "psys") == 0 && place.package == 0)
        return machine_find_zone_of(machine, "psys");
    if (strcmp(domain, "psys") == 0)
        snprintf(series, sizeof(series), "psys-%u", place.package);
    else if (machine_get_shape(machine).dies > 0)
        snprintf(series, sizeof(series), "package-%u-die-%u%s", place.package, place.die, domain);
    else
        snprintf(series, sizeof(series), "package-%u%s", place.package, domain);
    return machine_find_zone_of(machine, series);
}

int cpu_read_register(const struct machine *machine, unsigned cpu, uint32_t address,
                      uint64_t elapsed_ns, uint64_t *value) {
    const bool is_amd = machine_get_shape(machine).is_amd;
    const char *domain = find_domain(is_amd, address);
    const struct zone *zone;

    if (!cpu_is_online(machine, cpu))
        return -ENXIO;
    if (address == (is_amd ? 0xC0010299 : 0x606)) {
        *value = is_amd ? AMD_UNITS : INTEL_UNITS;
        return 0;
    }
    zone = domain != NULL ? find_zone(machine, cpu_find_place(machine, cpu), domain) : NULL;
    if (zone == NULL || !zone->present)
        return -EIO;
    if (zone->fault != 0)
        return -zone->fault;
    *value = counter_ticks(&machine->counters[zone->counter], &machine->load, &machine->cadence,
                           elapsed_ns);
    return 0;
}
