/* SPDX-License-Identifier: MIT */
/* What belongs to an identity, found without a search through all of them. Pure. */
#ifndef RAPL_ZONE_MAP_H
#define RAPL_ZONE_MAP_H

#include <stddef.h>

#include "zone/zone.h"

struct zone_map_entry {
    const struct zone_identity *identity; /* NULL: there is none */
    void *value;
};

/* All zeros: nothing in it. */
struct zone_map {
    struct zone_map_entry *entries;
    size_t room; /* a power of two, more than twice the count */
    size_t count;
};

/* NULL: nothing belongs to it. */
void *zone_map_find(const struct zone_map *map, const struct zone_identity *identity);

/* Adds what is not there yet. identity stays as long as the map. -ENOMEM. */
int zone_map_add(struct zone_map *map, const struct zone_identity *identity, void *value);

void zone_map_free(struct zone_map *map);

#endif
