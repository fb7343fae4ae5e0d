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

/* Series live as long as the handle: names that change for ever must not fill the memory. */
#define BINDING_SERIES_MAX (4 * FD_RANK_ZONES)

struct binding {
    enum cpu_vendor vendor;
    bool is_virtual; /* the machine is a virtual one */
    const struct zone_filter *zone_filter;
    bool cores;   /* single cores are reported, not only their sums */
    bool windows; /* statistics are asked for */
    struct series **series;
    size_t series_count;
    struct zone_map series_map;
    /* The total first, then all cores of a package, where they are counted one by one. Their
     * members are read whatever else is selected. */
    struct series **sums;
    size_t sum_count;
    struct zone_map sum_map;
    size_t numbered; /* series and sums so far */
    struct alikes alikes;
    struct zone_map fed_map; /* the zones that feed series, by their own identities */
    bool withholds;          /* a series is withheld or undecided at this sample */
    bool starts;             /* series are to begin at an earlier reading */
};

/* Begins with nothing but the total. selection stays as long as the binding. -ENOMEM. */
int binding_open(struct binding *binding, const struct zone_filter *zone_filter, bool total,
                 bool cores);

/* Where a zone of that identity, by the kernel's name, comes when not all can be read: context is
 * the binding. */
enum fd_rank binding_rank(const void *context, const struct zone_identity *kernels);

/* What a zone of that identity, by the kernel's name, is on a processor of this vendor. */
struct zone_identity binding_interpret(const struct binding *binding,
                                       const struct zone_identity *kernels);

/* The series of that identity, or NULL. */
struct series *binding_find(const struct binding *binding, const struct zone_identity *identity);

/* The same, made where it is the first to be asked for; NULL without memory. */
struct series *binding_add(struct binding *binding, const struct zone_identity *identity);

/* Gives it another identity; none has it yet. -ENOMEM, and then it has it all the same. */
int binding_rename(struct binding *binding, struct series *series,
                   const struct zone_identity *identity);

/* The series of the package that it is part of, or NULL. */
struct series *binding_find_whole(const struct binding *binding,
                                  const struct zone_identity *identity);

/* Gives a series the sum that it is part of, made where it is the first. -ENOMEM. */
int binding_join_sum(struct binding *binding, struct series *series);

/* What the zone's energy is part of: the total, or all cores of its package; NULL: nothing. */
struct series *binding_find_sum(const struct binding *binding, const struct zone *zone);

/* Whether a sample reads its zones: it is selected, or a sum that it is part of. */
bool binding_wants(const struct series *series);

/* Gives every zone of the source its series, making those that are new. -ENOMEM, and then the
 * binding is as it was or unfinished: call again before the next sample. */
int binding_update(struct binding *binding, const struct source *source, struct problems *problems);

/* Finds out by the readings which zones show one counter. 1: other zones feed other series now, and
 * binding_update() is due; -ENOMEM. */
int binding_compare(struct binding *binding, const struct source *source,
                    struct problems *problems);

/* The machine slept in or before a sample, which nothing is compared at: series of counters that
 * part later begin after it. */
void binding_sleep(struct binding *binding, const struct source *source);

/* Before another zone feeds the series: what the last one counted is counted, so that a series of
 * its own would begin after that. */
void binding_keep_last(const struct source *source, const struct series *series);

/* Lets series of counters that were taken for others' begin where those were last the same. */
void binding_start(struct binding *binding, const struct source *source,
                   struct rapl_health *health);

void binding_free(struct binding *binding);

#endif
