/* SPDX-License-Identifier: MIT */
/* Which zone feeds which series: identities, mirrors, duplicates. No I/O. */
#ifndef RAPL_BINDING_H
#define RAPL_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "select.h"
#include "series.h"
#include "source.h"
#include "topology.h"

/* Zones of one package and domain that are presumed to show one counter. */
struct mirror {
    struct zone_identity key;      /* theirs without what tells them apart */
    struct zone_identity identity; /* of the one series that stands for them */
    bool parted;                   /* each has its own, for good */
};

struct binding {
    enum cpu_vendor vendor;
    const struct selection *selection;
    bool cores; /* single cores are reported, not only their sums */
    struct series **series;
    size_t series_count;
    /* The total first, then all cores of a package, where they are counted one by one. Their
     * members are read whatever else is selected. */
    struct series **sums;
    size_t sum_count;
    size_t numbered; /* series and sums so far */
    struct mirror *mirrors;
    size_t mirror_count;
};

/* Begins with nothing but the total. selection stays as long as the binding. -ENOMEM. */
int binding_open(struct binding *binding, const struct selection *selection, bool total,
                 bool cores);

/* Whether a sample reads its zones: it is selected, or a sum that it is part of. */
bool binding_wants(const struct series *series);

/* Gives every zone of the source its series, making those that are new. -ENOMEM, and then the
 * binding is as it was or unfinished: call again before the next sample. */
int binding_update(struct binding *binding, const struct source *source, struct problems *problems);

/* Whether readings, all taken within span_ns, show that presumed mirrors are not: they have parted
 * then, and binding_update is due. */
bool binding_part(struct binding *binding, const struct source *source, uint64_t span_ns,
                  struct problems *problems);

void binding_free(struct binding *binding);

#endif
