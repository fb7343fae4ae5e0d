/* SPDX-License-Identifier: MIT */
/* A hash map from identities to values. Pure. */
#ifndef RAPL_ZONE_MAP_H
#define RAPL_ZONE_MAP_H

#include <stddef.h>

#include "zone/zone.h"

struct zone_map_entry {
    const struct zone_identity *identity; /* NULL: the entry is free */
    void *value;
};

/* An empty map is all zeros. */
struct zone_map {
    struct zone_map_entry *entries;
    size_t room; /* a power of two, more than twice the count */
    size_t count;
};

/* NULL: the identity is not in the map. */
void *zone_map_find(const struct zone_map *map, const struct zone_identity *identity);

/* Adds an identity that is not in the map yet. It must live as long as the map. -ENOMEM. */
int zone_map_add(struct zone_map *map, const struct zone_identity *identity, void *value);

void zone_map_free(struct zone_map *map);

#endif
