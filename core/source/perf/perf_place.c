/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rapl.h"

static bool is_listed(const struct pmu *pmu, unsigned int cpu) {
    for (size_t i = 0; i < pmu->cpu_count; i++) {
        if (pmu->cpus[i] == cpu)
            return true;
    }
    return false;
}

/* Whether the cpumask lists any CPU that is online. */
static bool has_mask(const struct topology *topology, const struct pmu *pmu) {
    for (size_t i = 0; i < pmu->cpu_count; i++) {
        if (topology_find(topology, pmu->cpus[i]) != NULL)
            return true;
    }
    return false;
}

bool perf_place_has_dies(const struct topology *topology, const struct pmu *pmu,
                         enum cpu_vendor vendor) {
    if (vendor == CPU_VENDOR_AMD || vendor == CPU_VENDOR_HYGON || !topology->has_dies)
        return false;
    if (!has_mask(topology, pmu))
        return true;
    for (size_t i = 0; i < pmu->cpu_count; i++) {
        const struct cpu *one = topology_find(topology, pmu->cpus[i]);
        for (size_t j = 0; one != NULL && j < i; j++) {
            const struct cpu *other = topology_find(topology, pmu->cpus[j]);
            if (other != NULL && other->package_id == one->package_id &&
                other->die_id != one->die_id)
                return true;
        }
    }
    return false;
}

bool perf_place_equal(const struct perf_place *a, const struct perf_place *b) {
    return a->package_id == b->package_id && a->die_id == b->die_id && a->core_id == b->core_id;
}

static bool is_known(const struct perf_place *places, size_t count,
                     const struct perf_place *place) {
    /* Searches from the end, where a match is most likely. */
    for (size_t i = count; i > 0; i--) {
        if (perf_place_equal(&places[i - 1], place))
            return true;
    }
    return false;
}

int perf_place_list(const struct topology *topology, const struct pmu *pmu, struct perf_scope scope,
                    struct perf_place **places, size_t *count) {
    const bool masked = has_mask(topology, pmu);
    *count = 0;
    *places = calloc(topology->count > 0 ? topology->count : 1, sizeof(**places));
    if (*places == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < topology->count; i++) {
        const struct cpu *cpu = &topology->cpus[i];
        const struct perf_place place = {.cpu = cpu->number,
                                         .package_id = cpu->package_id,
                                         .die_id = scope.dies ? cpu->die_id : RAPL_NO_ID,
                                         .core_id = scope.cores ? cpu->core_id : RAPL_NO_ID};
        if ((!masked || is_listed(pmu, cpu->number)) && !is_known(*places, *count, &place))
            (*places)[(*count)++] = place;
    }
    return 0;
}

/* Maps a PMU event to the name that powercap uses (rapl_domain_names, intel_rapl_common.c). */
static const char *name_sub_zone(const char *event) {
    static const char *const names[][2] = {
        {"energy-cores", "core"}, {"energy-gpu", "uncore"}, {"energy-ram", "dram"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(event, names[i][0]) == 0)
            return names[i][1];
    }
    return strchr(event, '-') + 1;
}

int perf_place_identify(const struct perf_place *place, const char *event, bool leads,
                        struct zone_identity *identity) {
    enum zone_kind kind = ZONE_OTHER;
    if (strcmp(event, "energy-pkg") == 0)
        kind = ZONE_PACKAGE;
    else if (strcmp(event, "energy-psys") == 0)
        kind = ZONE_PSYS;
    int error = zone_identify_counter(kind, name_sub_zone(event), place->package_id, place->die_id,
                                      leads, identity);
    if (error == 0 && kind == ZONE_OTHER)
        identity->core_id = place->core_id;
    return error;
}
