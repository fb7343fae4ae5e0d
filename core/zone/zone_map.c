/* SPDX-License-Identifier: MIT */
#include "zone/zone_map.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_ROOM 64

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * UINT64_C(1099511628211); /* FNV-1a */
}

/* Hashes the fields that zone_equal() compares, except the id. */
static size_t hash(const struct zone_identity *identity) {
    uint64_t result = UINT64_C(14695981039346656037);
    result = mix(result, (uint64_t)identity->kind);
    result = mix(result, (uint32_t)identity->package_id);
    result = mix(result, (uint32_t)identity->die_id);
    result = mix(result, (uint32_t)identity->core_id);
    for (const char *at = identity->domain; *at != '\0'; at++)
        result = mix(result, (unsigned char)*at);
    return (size_t)(result ^ result >> 32);
}

/* The entry of the identity, or the free entry where it belongs. */
static struct zone_map_entry *find_place(const struct zone_map *map,
                                         const struct zone_identity *identity) {
    size_t at = hash(identity) & (map->room - 1);
    while (map->entries[at].identity != NULL && !zone_equal(map->entries[at].identity, identity))
        at = (at + 1) & (map->room - 1);
    return &map->entries[at];
}

static int grow(struct zone_map *map) {
    struct zone_map larger = {.room = map->room > 0 ? 2 * map->room : FIRST_ROOM,
                              .count = map->count};
    larger.entries = calloc(larger.room, sizeof(*larger.entries));
    if (larger.entries == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < map->room; i++) {
        if (map->entries[i].identity != NULL)
            *find_place(&larger, map->entries[i].identity) = map->entries[i];
    }
    free(map->entries);
    *map = larger;
    return 0;
}

void *zone_map_find(const struct zone_map *map, const struct zone_identity *identity) {
    return map->room > 0 ? find_place(map, identity)->value : NULL;
}

int zone_map_add(struct zone_map *map, const struct zone_identity *identity, void *value) {
    if (2 * (map->count + 1) >= map->room && grow(map) != 0)
        return -ENOMEM;
    *find_place(map, identity) = (struct zone_map_entry){.identity = identity, .value = value};
    map->count++;
    return 0;
}

void zone_map_free(struct zone_map *map) {
    free(map->entries);
    *map = (struct zone_map){.entries = NULL};
}
