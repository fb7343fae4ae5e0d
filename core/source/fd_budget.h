/* SPDX-License-Identifier: MIT */
/* Chooses which counters are read when there are too many to read all of them. Pure. */
#ifndef RAPL_FD_BUDGET_H
#define RAPL_FD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone/zone.h"

/* Most zones that are read at a time: more than any machine has, and few enough that a sweep takes
 * milliseconds. */
#define FD_RANK_ZONES ((size_t)4096)

/* Order of preference. Packages and dram come first because the total needs them. */
enum fd_rank {
    FD_RANK_TOTAL,
    FD_RANK_PSYS,
    FD_RANK_CORE,
    FD_RANK_UNCORE,
    FD_RANK_OTHER,
    FD_RANK_SINGLE_CORE,
    FD_RANK_STAND_BY,   /* another zone shows the same counter */
    FD_RANK_UNSELECTED, /* neither it nor a sum that contains it is selected */
};

/* The rank that follows from the identity alone. */
enum fd_rank fd_rank_of(const struct zone_identity *identity);

/* One counter, or several that are read all or none. */
struct fd_budget_item {
    enum fd_rank rank;
    bool holds; /* it is open now */
    bool waits; /* the last choice left it out */
    size_t files;
    size_t zones;
    bool taken; /* result of the choice */
    size_t place;
};

/* State that lasts from one choice to the next. */
struct limit {
    size_t files;            /* most descriptors that may be open */
    size_t kept;             /* descriptors in use, plus those reserved for zones that have gone */
    uint64_t spare_since_ns; /* when some reserved descriptors became free; 0: none are */
};

/* The error of counters that are left out, and the limit that applies (descriptors or zones). */
int fd_budget_error(const struct limit *limit);
size_t fd_budget_most(const struct limit *limit);

/*
 * Chooses, and sorts the items by preference: by rank, then open before closed, then by their order
 * in the list. A series therefore never stops for another one of the same rank. It does stop, once,
 * for one of a higher rank, because a total without a package would be wrong. The descriptors of a
 * zone that has gone stay reserved for ten minutes, because it may return (a package goes offline
 * and comes back) and would otherwise push out the zone that replaced it. Items that were left out
 * may only use descriptors that are not reserved. now_ns: any clock that does not run backwards.
 * Returns how many items are left out.
 */
size_t fd_budget_choose(struct limit *limit, struct fd_budget_item *items, size_t count,
                        uint64_t now_ns);

#endif
