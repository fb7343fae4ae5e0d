/* SPDX-License-Identifier: MIT */
/* Places that perf counts, and the CPU that reads each: packages, dies or cores. Pure. */
#ifndef RAPL_PERF_PLACE_H
#define RAPL_PERF_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "source/perf/perf_pmu.h"
#include "system/cpuinfo.h"
#include "system/topology.h"
#include "zone/zone.h"

struct perf_place {
    unsigned int cpu; /* the lowest CPU that may read there */
    int package_id;
    int die_id; /* this and core_id: RAPL_NO_ID if not distinguished */
    int core_id;
};

/* What is counted separately. */
struct perf_scope {
    bool dies;
    bool cores;
};

/*
 * Whether the PMU counts dies separately, as Intel's does, and a package has more than one. If its
 * cpumask has only one CPU of such a package, it counts the package as a whole
 * (intel_rapl_common.c, get_pmu_cpu).
 */
bool perf_place_has_dies(const struct topology *topology, const struct pmu *pmu,
                         enum cpu_vendor vendor);

/* Lists the places that are counted, in the order of their CPUs. 0 or -ENOMEM. */
int perf_place_list(const struct topology *topology, const struct pmu *pmu, struct perf_scope scope,
                    struct perf_place **places, size_t *count);

bool perf_place_equal(const struct perf_place *a, const struct perf_place *b);

/*
 * The identity that powercap would give an event such as "energy-pkg" of this place. leads: the
 * place has the psys without a number. -EINVAL: there is no such name.
 */
int perf_place_identify(const struct perf_place *place, const char *event, bool leads,
                        struct zone_identity *identity);

#endif
