/* SPDX-License-Identifier: MIT */
/* The packages, dies and cores of the machine, as readers of their counters. */
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
    uint64_t online_mark; /* hash of the loaded list of online CPUs; 0: load it again */
    bool has_dies; /* once true it stays, because names must not change when a die goes offline */
    bool has_first;
    int first_package; /* package and die of the psys without a number */
    int first_die;
    struct msr_reader **readers; /* sorted by msr_reader_compare() */
    size_t reader_count;
};

/* Loads the topology if CPUs came or went, and adds readers for new ones. 1: loaded; 0: nothing
 * changed; a negative errno of the list of online CPUs, or -ENOMEM. */
int msr_readers_refresh(struct msr_readers *layout);

/* Marks readers as stale if their CPUs have gone or their names have changed. */
void msr_readers_judge(struct msr_readers *layout);

void msr_readers_drop_stale(struct msr_readers *layout);

void msr_readers_free(struct msr_readers *layout);

#endif
