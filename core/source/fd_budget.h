/* SPDX-License-Identifier: MIT */
/* Which counters are read where not all may be. Pure. */
#ifndef RAPL_FD_BUDGET_H
#define RAPL_FD_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone/zone.h"

/* Zones that are read at a time: more than any machine has, and few enough to be read in some
 * milliseconds. */
#define FD_RANK_ZONES ((size_t)4096)

/* What comes first. The total needs packages and dram; a single core says least. */
enum fd_rank {
    FD_RANK_TOTAL,
    FD_RANK_PSYS,
    FD_RANK_CORE,
    FD_RANK_UNCORE,
    FD_RANK_OTHER,
    FD_RANK_SINGLE_CORE,
    FD_RANK_STAND_BY,   /* another one shows the same */
    FD_RANK_UNSELECTED, /* nobody sees it, nor a sum that it is part of */
};

/* By what the zone is alone. */
enum fd_rank fd_rank_of(const struct zone_identity *identity);

/* One counter, or several that are read all or not at all. */
struct fd_budget_item {
    enum fd_rank rank;
    bool holds; /* it is open */
    bool waits; /* it was left out by the last choice */
    size_t files;
    size_t zones;
    bool taken; /* the answer */
    size_t place;
};

/* What lasts from one choice to the next. */
struct limit {
    size_t files; /* most descriptors */
    size_t kept;  /* descriptors that what has gone may claim when it returns, and the rest uses */
    uint64_t spare_since_ns; /* since when some of them are free; 0: none is */
};

/* Why something is left out, and how many counters or descriptors there may be. */
int fd_budget_error(const struct limit *limit);
size_t fd_budget_most(const struct limit *limit);

/*
 * Chooses, and leaves the items in the order of preference: by rank, of one rank those that are
 * open already, of these those that come first in the list. So a series never stops for another one
 * of its rank; for one of a rank before its own it does, once: a total without a package would be
 * a false one. What was left out stays so while the place of something that has gone is free, for
 * that may return (a package goes offline and comes online), and would take the place away from it
 * again; after ten minutes it is given away. now_ns: any clock. Returns how many are left out.
 */
size_t fd_budget_choose(struct limit *limit, struct fd_budget_item *items, size_t count,
                        uint64_t now_ns);

#endif
