/* SPDX-License-Identifier: MIT */
/* Which packages, dies and cores the machine has, as readers of their counters. */
#ifndef RAPL_MSR_READERS_H
#define RAPL_MSR_READERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/msr/msr_reader.h"
#include "system/cpuinfo.h"
#include "system/topology.h"

struct msr_readers {
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
int msr_readers_refresh(struct msr_readers *layout);

/* Marks readers as stale whose CPUs have gone, or that go by other names now. */
void msr_readers_judge(struct msr_readers *layout);

void msr_readers_drop_stale(struct msr_readers *layout);

void msr_readers_free(struct msr_readers *layout);

#endif
