/* SPDX-License-Identifier: MIT */
/* Where energy is counted by perf: which CPU reads for which package, die or core. Pure. */
#ifndef RAPL_PERF_PLACE_H
#define RAPL_PERF_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "source/perf/perf_pmu.h"
#include "system/cpuinfo.h"
#include "system/topology.h"
#include "zone/zone.h"

struct perf_place {
    unsigned int cpu; /* the lowest of those that may read there */
    int package_id;
    int die_id; /* RAPL_NO_ID where it is not told apart, as the next */
    int core_id;
};

/* What is told apart. */
struct perf_scope {
    bool dies;
    bool cores;
};

/*
 * Whether the PMU counts each die for itself, as Intel's does, and some package has more than one.
 * One whose cpumask knows a single CPU of such a package counts that as a whole
 * (intel_rapl_common.c, get_pmu_cpu).
 */
bool perf_place_has_dies(const struct topology *topology, const struct pmu *pmu,
                         enum cpu_vendor vendor);

/* One for each that is counted, in the order of their CPUs. -ENOMEM. */
int perf_place_list(const struct topology *topology, const struct pmu *pmu, struct perf_scope scope,
                    struct perf_place **places, size_t *count);

bool perf_place_equal(const struct perf_place *a, const struct perf_place *b);

/*
 * What powercap would call an event ("energy-pkg") of that place. leads: it is the one whose psys
 * has no number. -EINVAL: there is no such name.
 */
int perf_place_identify(const struct perf_place *place, const char *event, bool leads,
                        struct zone_identity *identity);

#endif
