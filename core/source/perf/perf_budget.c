/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_budget.h"

#include <errno.h>
#include <stdlib.h>

#include "system/clock.h"

/* One event, or the events of all single cores of a package. */
struct part {
    const struct perf_zone *first;
    int package_id; /* package of the cores; RAPL_NO_ID: it is one event */
    bool taken;
};

struct parting {
    struct fd_budget_item *items;
    struct part *parts;
    size_t count;
    size_t *part_of; /* index of its part for each zone of all readers in turn */
    size_t zone_count;
};

/* Searches from the end, because cores of one package mostly follow each other. */
static size_t find_cores(const struct parting *parting, int package_id) {
    for (size_t i = parting->count; i > 0; i--) {
        if (parting->parts[i - 1].package_id == package_id)
            return i - 1;
    }
    return parting->count;
}

static void add_zone(struct parting *parting, const struct perf_reader *reader,
                     const struct perf_zone *zone, const struct source_options *options) {
    const int package_id =
        reader->place.core_id != RAPL_NO_ID ? reader->place.package_id : RAPL_NO_ID;
    const size_t at = package_id != RAPL_NO_ID ? find_cores(parting, package_id) : parting->count;
    struct fd_budget_item *item = &parting->items[at];
    parting->part_of[parting->zone_count++] = at;
    if (at == parting->count) {
        parting->count++;
        parting->parts[at] = (struct part){.first = zone, .package_id = package_id};
        *item = (struct fd_budget_item){.rank = source_rank(options, &zone->zone.identity)};
    }
    item->files++;
    item->zones++;
    item->holds = item->holds || zone->group != NULL;
    item->waits = item->waits || zone->left_out != 0;
}

static int part_zones(struct parting *parting, struct perf_reader *const *readers,
                      size_t reader_count, const struct source_options *options) {
    size_t room = 1;
    for (size_t i = 0; i < reader_count; i++)
        room += readers[i]->zone_count;
    parting->items = calloc(room, sizeof(*parting->items));
    parting->parts = calloc(room, sizeof(*parting->parts));
    parting->part_of = calloc(room, sizeof(*parting->part_of));
    if (parting->items == NULL || parting->parts == NULL || parting->part_of == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < reader_count; i++) {
        for (size_t j = 0; j < readers[i]->zone_count; j++)
            add_zone(parting, readers[i], &readers[i]->zones[j], options);
    }
    return 0;
}

/* Events are read in groups: if one is left out, its reader is closed and reopened without it. */
static int mark_zones(const struct parting *parting, struct perf_reader *const *readers,
                      size_t reader_count, int error) {
    int changed = 0;
    size_t at = 0;
    for (size_t i = 0; i < reader_count; i++) {
        for (size_t j = 0; j < readers[i]->zone_count; j++) {
            struct perf_zone *zone = &readers[i]->zones[j];
            const int left_out = parting->parts[parting->part_of[at++]].taken ? 0 : error;
            changed |= left_out != zone->left_out ? 1 : 0;
            zone->left_out = left_out;
            if (left_out != 0 && zone->group != NULL)
                perf_reader_close(readers[i], error);
        }
    }
    return changed;
}

int perf_budget_apply(struct perf_reader *const *readers, size_t reader_count,
                      const struct source_options *options, struct limit *limit,
                      struct problems *problems) {
    struct parting parting = {.items = NULL};
    const int error = fd_budget_error(limit);
    char name[ZONE_NAME_SIZE] = "";
    size_t left_out = 0;
    int changed = part_zones(&parting, readers, reader_count, options);
    if (changed != 0)
        goto free_parting;
    (void)fd_budget_choose(limit, parting.items, parting.count, clock_boottime_ns());
    for (size_t i = 0; i < parting.count; i++) {
        const struct fd_budget_item *item = &parting.items[i];
        struct part *part = &parting.parts[item->place];
        part->taken = item->taken;
        if (item->taken || item->rank >= FD_RANK_STAND_BY)
            continue;
        if (left_out == 0)
            zone_format_name(&part->first->zone.identity, name);
        left_out += item->zones;
    }
    changed = mark_zones(&parting, readers, reader_count, error);
    if (left_out > 0)
        problems_raise_left_out(problems, error, left_out, name, fd_budget_most(limit));

free_parting:
    free(parting.items);
    free(parting.parts);
    free(parting.part_of);
    return changed;
}
