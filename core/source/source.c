/* SPDX-License-Identifier: MIT */
#include "source/source.h"

#include <errno.h>
#include <stdlib.h>

#include "system/clock.h"
#include "system/error.h"

int source_make_lists(struct source_lists *lists, size_t room) {
    const size_t some = room > 0 ? room : 1;
    lists->zones = calloc(some, sizeof(struct zone *));
    lists->readings = calloc(some, sizeof(*lists->readings));
    if (lists->zones != NULL && lists->readings != NULL)
        return 0;
    source_free_lists(lists);
    return -ENOMEM;
}

void source_free_lists(struct source_lists *lists) {
    free(lists->zones);
    free(lists->readings);
    *lists = (struct source_lists){.zones = NULL};
}

void source_take_lists(struct source *source, const struct source_lists *lists, size_t count) {
    free(source->zones);
    free(source->readings);
    source->zones = lists->zones;
    source->readings = lists->readings;
    source->zone_count = count;
}

/* --- slow reads ------------------------------------------------------------------------------ */

struct repeated_read {
    struct source *source;
    size_t index;
    uint64_t took_ns; /* duration of the read that is kept */
    uint64_t end_ns;  /* end of the last read */
};

static uint64_t read_once_more(void *counter) {
    struct repeated_read *repeated = counter;
    struct zone *zone = repeated->source->zones[repeated->index];
    struct reading reading = {.ticks = 0};
    const uint64_t begin_ns = repeated->end_ns;
    reading.error = repeated->source->operations->read(zone, &reading.ticks);
    const uint64_t end_ns = clock_raw_ns();
    const uint64_t took_ns = clock_span_ns(begin_ns, end_ns);
    if (took_ns > 0)
        repeated->end_ns = end_ns;
    if (reading.error != 0) {
        zone->error = 0; /* the reading that is kept succeeded; the next sweep finds this error */
        return 0;
    }
    if (took_ns < repeated->took_ns) {
        reading_stamp(&reading, begin_ns, end_ns);
        repeated->source->readings[repeated->index] = reading;
        repeated->took_ns = took_ns;
    }
    return took_ns;
}

uint64_t source_repeat_read(struct source *source, size_t index, uint64_t begin_ns,
                            uint64_t end_ns) {
    struct reading *reading = &source->readings[index];
    struct repeated_read repeated = {
        .source = source, .index = index, .took_ns = end_ns - begin_ns, .end_ns = end_ns};
    if (reading->error != 0)
        return end_ns;
    slow_reads_repeat(&source->slow_reads, repeated.took_ns, read_once_more, &repeated);
    if (repeated.took_ns > SLOW_READ_LONGEST_NS)
        reading->error = source->zones[index]->error = SOURCE_READ_TOO_LONG;
    return repeated.end_ns;
}

uint64_t source_find_middle_ns(const struct source *source) {
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct reading *reading = &source->readings[i];
        if (reading->error != 0)
            continue;
        first_ns = reading->time_ns < first_ns ? reading->time_ns : first_ns;
        last_ns = reading->time_ns > last_ns ? reading->time_ns : last_ns;
    }
    return last_ns == 0 ? 0 : first_ns + (last_ns - first_ns) / 2;
}
