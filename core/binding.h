/* SPDX-License-Identifier: MIT */
/* Which zone feeds which series: identities, mirrors, duplicates. No I/O. */
#ifndef RAPL_BINDING_H
#define RAPL_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpuinfo.h"
#include "problem.h"
#include "select.h"
#include "series.h"
#include "source.h"
#include "zone_map.h"

/* Series live as long as the handle: names that change for ever must not fill the memory. */
#define BINDING_SERIES_MAX (4 * LIMIT_ZONES)

struct binding {
    enum cpu_vendor vendor;
    const struct selection *selection;
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
    struct mirror **mirrors;
    size_t mirror_count;
    struct zone_map mirror_map;
};

/* Begins with nothing but the total. selection stays as long as the binding. -ENOMEM. */
int binding_open(struct binding *binding, const struct selection *selection, bool total,
                 bool cores);

/* Where a zone of that identity, by the kernel's name, comes when not all can be read: context is
 * the binding. */
enum limit_rank binding_rank(const void *context, const struct zone_identity *kernels);

/* What a zone of that identity, by the kernel's name, is on a processor of this vendor. */
struct zone_identity binding_interpret(const struct binding *binding,
                                       const struct zone_identity *kernels);

/* The series of that identity, or NULL. */
struct series *binding_find(const struct binding *binding, const struct zone_identity *identity);

/* Whether a sample reads its zones: it is selected, or a sum that it is part of. */
bool binding_wants(const struct series *series);

/* Gives every zone of the source its series, making those that are new. -ENOMEM, and then the
 * binding is as it was or unfinished: call again before the next sample. */
int binding_update(struct binding *binding, const struct source *source, struct problems *problems);

/* Whether the readings show that presumed mirrors are not one counter: they have parted then, and
 * binding_update is due. */
bool binding_part(struct binding *binding, const struct source *source, struct problems *problems);

void binding_free(struct binding *binding);

#endif
