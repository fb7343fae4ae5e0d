/* SPDX-License-Identifier: MIT */
#include "source/fd_budget.h"

#include <stdlib.h>

#include "problem/problem.h"
#include "rapl.h"
#include "system/error.h"

/* A package that is taken offline for maintenance is usually back within this time. */
#define GIVE_AWAY_NS UINT64_C(600000000000)

enum fd_rank fd_rank_of(const struct zone_identity *identity) {
    switch (identity->kind) {
    case ZONE_PACKAGE:
    case ZONE_DRAM:
    case ZONE_TOTAL:
        return FD_RANK_TOTAL;
    case ZONE_PSYS:
        return FD_RANK_PSYS;
    case ZONE_CORE:
    case ZONE_LEAD_CORE:
        return identity->core_id == RAPL_NO_ID ? FD_RANK_CORE : FD_RANK_SINGLE_CORE;
    case ZONE_UNCORE:
        return FD_RANK_UNCORE;
    case ZONE_OTHER:
        break;
    }
    return FD_RANK_OTHER;
}

int fd_budget_error(const struct limit *limit) {
    return limit->files < FD_RANK_ZONES ? ZONE_WITHOUT_FILE : ZONE_BEYOND_LIMIT;
}

size_t fd_budget_most(const struct limit *limit) {
    return limit->files < FD_RANK_ZONES ? limit->files : FD_RANK_ZONES;
}

static int compare(const void *a, const void *b) {
    const struct fd_budget_item *first = a;
    const struct fd_budget_item *second = b;
    if (first->rank != second->rank)
        return first->rank < second->rank ? -1 : 1;
    if (first->holds != second->holds)
        return first->holds ? -1 : 1;
    return (first->place > second->place) - (first->place < second->place);
}

struct sum {
    size_t files;
    size_t zones;
};

/* Takes the items that fit: those left out by the last choice if waited is true, else all
 * others. */
static void take(struct fd_budget_item *items, size_t count, bool waited, struct sum room,
                 struct sum *used) {
    for (size_t i = 0; i < count; i++) {
        struct fd_budget_item *item = &items[i];
        if (item->waits != waited || item->files > room.files - used->files ||
            item->zones > room.zones - used->zones)
            continue;
        item->taken = true;
        used->files += item->files;
        used->zones += item->zones;
    }
}

/* Returns how many descriptors stay reserved for zones that have gone. */
static size_t keep(struct limit *limit, size_t used, uint64_t now_ns) {
    if (limit->kept > limit->files)
        limit->kept = limit->files;
    if (used >= limit->kept)
        limit->spare_since_ns = 0;
    else if (limit->spare_since_ns == 0)
        limit->spare_since_ns = now_ns;
    if (used >= limit->kept || now_ns - limit->spare_since_ns >= GIVE_AWAY_NS) {
        limit->kept = used;
        limit->spare_since_ns = 0;
    }
    return limit->kept - used;
}

size_t fd_budget_choose(struct limit *limit, struct fd_budget_item *items, size_t count,
                        uint64_t now_ns) {
    struct sum room = {.files = limit->files, .zones = FD_RANK_ZONES};
    struct sum used = {.files = 0};
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].place = i;
        items[i].taken = false;
    }
    if (count > 0)
        qsort(items, count, sizeof(*items), compare);
    take(items, count, false, room, &used);
    const size_t kept = keep(limit, used.files, now_ns);
    room.files -= kept;
    room.zones -= kept < room.zones - used.zones ? kept : room.zones - used.zones;
    take(items, count, true, room, &used);
    if (used.files > limit->kept)
        limit->kept = used.files;
    for (size_t i = 0; i < count; i++)
        left += items[i].taken ? 0 : 1;
    return left;
}
