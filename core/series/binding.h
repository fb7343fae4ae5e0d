/* SPDX-License-Identifier: MIT */
/* Which zone feeds which series. No I/O. */
#ifndef RAPL_BINDING_H
#define RAPL_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem/problem.h"
#include "series/alike.h"
#include "series/series.h"
#include "source/source.h"
#include "system/cpuinfo.h"
#include "zone/zone_filter.h"
#include "zone/zone_map.h"

/* Series live as long as the handle: names that keep changing must not fill the memory. */
#define BINDING_SERIES_MAX (4 * FD_RANK_ZONES)

struct binding {
    enum cpu_vendor vendor;
    bool is_virtual; /* the machine is virtual */
    const struct zone_filter *zone_filter;
    bool cores;   /* single cores are reported, not only their sums */
    bool windows; /* statistics are requested */
    struct series **series;
    size_t series_count;
    struct zone_map series_map;
    /* The total first, then the sum over all cores of each package, if the source counts each core.
     * Their members are read whatever else is selected. */
    struct series **sums;
    size_t sum_count;
    struct zone_map sum_map;
    size_t numbered; /* series and sums so far: the next number */
    struct alikes alikes;
    struct zone_map fed_map; /* the zones that feed series, by their own identities */
    bool withholds;          /* a series is withheld or undecided at this sample */
    bool starts;             /* some series are to begin at an earlier reading */
};

/* Begins with the total only. zone_filter must live as long as the binding. -ENOMEM. */
int binding_open(struct binding *binding, const struct zone_filter *zone_filter, bool total,
                 bool cores);

/* The rank of a zone of that identity (from the kernel's name) when not all can be read. context is
 * the binding. */
enum fd_rank binding_rank(const void *context, const struct zone_identity *kernels);

/* What a zone with that identity (from the kernel's name) is on a processor of this vendor. */
struct zone_identity binding_interpret(const struct binding *binding,
                                       const struct zone_identity *kernels);

/* The series with that identity, or NULL. */
struct series *binding_find(const struct binding *binding, const struct zone_identity *identity);

/* Adds a series with an identity that none has yet; NULL: out of memory. */
struct series *binding_add(struct binding *binding, const struct zone_identity *identity);

/* Changes the identity of a series to one that none has yet. -ENOMEM: it is changed all the
 * same. */
int binding_rename(struct binding *binding, struct series *series,
                   const struct zone_identity *identity);

/* The series of the zone that this one is part of, such as its package; or NULL. */
struct series *binding_find_whole(const struct binding *binding,
                                  const struct zone_identity *identity);

/* Sets the sum that a series is part of, and makes it if there is none. -ENOMEM. */
int binding_join_sum(struct binding *binding, struct series *series);

/* The sum that the zone's energy is part of: the total, or all cores of its package; or NULL. */
struct series *binding_find_sum(const struct binding *binding, const struct zone *zone);

/* Whether a sweep reads its zones: the series or its sum is selected. */
bool binding_wants(const struct series *series);

/* Gives every zone of the source its series, and makes new ones. -ENOMEM: the binding is unchanged
 * or unfinished; call again before the next sweep. */
int binding_update(struct binding *binding, const struct source *source, struct problems *problems);

/* Finds out from the readings which zones show one counter. 1: zones feed other series now, call
 * binding_update(); -ENOMEM. */
int binding_compare(struct binding *binding, const struct source *source,
                    struct problems *problems);

/* The machine slept in or before a sweep, so no zones are compared in it. Series of counters that
 * part later begin after it. */
void binding_sleep(struct binding *binding, const struct source *source);

/* Call before another zone feeds the series. If the last zone gets a series of its own later, that
 * begins after what is counted here. */
void binding_keep_last(const struct source *source, const struct series *series);

/* Begins the series of counters that had been taken for another one's at their last common
 * reading. */
void binding_start(struct binding *binding, const struct source *source,
                   struct rapl_health *health);

void binding_free(struct binding *binding);

#endif
