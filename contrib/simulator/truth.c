/* SPDX-License-Identifier: MIT */
#include "truth.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

void truth_print(const struct machine *machine, uint64_t elapsed_ns, FILE *stream) {
    double total_watts = 0;
    double total_joules = 0;

    fprintf(stream, "began_ns %" PRIu64 "\n", machine->clock.began_ns);
    fprintf(stream, "now_ns %" PRIu64 "\n", machine->clock.began_ns + elapsed_ns);
    for (size_t i = 0; i < machine->zone_count; i++) {
        const struct zone *zone = &machine->zones[i];
        const struct counter *counter = &machine->counters[zone->counter];
        const double watts = counter_watts(counter, &machine->load, elapsed_ns);
        const double joules = counter_joules(counter, &machine->load, elapsed_ns);

        fprintf(stream, "%s %s %.6f %.6f\n", zone->id, zone->series, watts, joules);
        if (zone->in_total) {
            total_watts += watts;
            total_joules += joules;
        }
    }
    fprintf(stream, "total %.6f %.6f\n", total_watts, total_joules);
}

static bool is_repeated(const struct machine *machine, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(machine->zones[i].series, machine->zones[index].series) == 0)
            return true;
    }
    return false;
}

void truth_print_between(const struct machine *machine, uint64_t from_ns, uint64_t to_ns,
                         FILE *stream) {
    const double seconds = (double)(to_ns - from_ns) / 1e9;
    double total_joules = 0;

    for (size_t i = 0; i < machine->zone_count; i++) {
        const struct zone *zone = &machine->zones[i];
        const struct counter *counter = &machine->counters[zone->counter];
        const double joules = counter_joules(counter, &machine->load, to_ns) -
                              counter_joules(counter, &machine->load, from_ns);

        if (zone->in_total)
            total_joules += joules;
        if (!is_repeated(machine, i))
            fprintf(stream, "%s %.6f %.6f\n", zone->series, joules, joules / seconds);
    }
    fprintf(stream, "total %.6f %.6f\n", total_joules, total_joules / seconds);
}
