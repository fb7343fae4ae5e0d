/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_first.h"
#include "system/error.h"

#include <time.h>

/* Time for a first move: registers move about once a millisecond, those of whole joules less
 * often. */
#define FIRST_TICKS_MS 20

/* Time for the moves that may be needed to learn a unit. */
#define FIRST_UNIT_MS (3 * UNIT_WATCH_COUNTS)

void perf_learn_cores(struct perf_reader *const *readers, size_t count) {
    bool counts = false;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            struct perf_reader *reader = readers[i];
            for (size_t j = 0; reader->place.core_id != RAPL_NO_ID && j < reader->zone_count; j++) {
                counts = counts || reader->zones[j].counts;
                reader->zones[j].counts = counts;
            }
        }
    }
}

/* How long to wait for a zone with this error; 0: waiting does not help. */
static int wait_ms(int error) {
    if (error == UNIT_NOT_KNOWN)
        return FIRST_UNIT_MS;
    return error == ZONE_COUNTS_NOTHING ? FIRST_TICKS_MS : 0;
}

/* Tries zones without a first count. Returns the longest time to wait for one of them. */
static int try_first(struct perf_reader *reader, bool again) {
    int longest_ms = 0;
    for (size_t i = 0; i < reader->zone_count; i++) {
        struct perf_zone *zone = &reader->zones[i];
        struct reading reading;
        if (zone->group == NULL || zone->count.has_baseline)
            continue;
        if (zone->member == 0 || again)
            perf_group_read(zone->group);
        zone->zone.error = perf_zone_take(zone, &reading);
        const int zone_ms = wait_ms(zone->zone.error);
        longest_ms = zone_ms > longest_ms ? zone_ms : longest_ms;
    }
    return longest_ms;
}

void perf_read_first(struct perf_reader *const *readers, size_t count) {
    const struct timespec millisecond = {.tv_nsec = 1000000};
    int longest_ms = FIRST_UNIT_MS;
    for (int tries = 0; tries <= longest_ms; tries++) {
        if (tries > 0)
            nanosleep(&millisecond, NULL);
        perf_learn_cores(readers, count);
        longest_ms = 0;
        for (size_t i = 0; i < count; i++) {
            const int reader_ms = try_first(readers[i], tries > 0);
            longest_ms = reader_ms > longest_ms ? reader_ms : longest_ms;
        }
        if (longest_ms == 0)
            break;
    }
}
