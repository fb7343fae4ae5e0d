/* SPDX-License-Identifier: MIT */
/* Which packages, dies and cores the machine has, as readers of their counters. */
#ifndef RAPL_MSR_LAYOUT_H
#define RAPL_MSR_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpuinfo.h"
#include "msr_reader.h"
#include "topology.h"

struct msr_layout {
    int root;
    enum cpu_vendor vendor;
    struct topology topology;
    uint64_t online_mark; /* of the list that it was loaded from; 0: it is to be loaded */
    bool has_dies;        /* ever: names stay when all of a die goes offline */
    bool has_first;
    int first_package; /* whose psys has no number, and the die of it */
    int first_die;
    struct msr_reader **readers; /* as msr_reader_compare orders them */
    size_t reader_count;
};

/* Loads the topology where CPUs came or went, and adds readers of what came. 1: it did so; 0:
 * nothing changed; a negative errno of the list of online CPUs, or -ENOMEM. */
int msr_layout_refresh(struct msr_layout *layout);

/* Marks readers as stale whose CPUs have gone, or that go by other names now. */
void msr_layout_judge(struct msr_layout *layout);

void msr_layout_drop_stale(struct msr_layout *layout);

void msr_layout_free(struct msr_layout *layout);

#endif
