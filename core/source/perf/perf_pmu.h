/* SPDX-License-Identifier: MIT */
/* A PMU that counts energy, from sys/bus/event_source/devices/NAME. */
#ifndef RAPL_PERF_PMU_H
#define RAPL_PERF_PMU_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/counter.h"
#include "problem/problem.h"

#define PMU_FOLDER "sys/bus/event_source/devices"

struct pmu_event {
    char *name; /* "energy-pkg" */
    char *path; /* path of its file below the root */
    uint64_t config;
    struct tick_scale scale;
};

struct pmu {
    bool present;
    uint32_t type;
    uint64_t registration; /* changes when the kernel registers the PMU again */
    struct pmu_event *events;
    size_t event_count;
    size_t event_names; /* number of all energy events, including skipped ones */
    unsigned int *cpus; /* its cpumask in ascending order */
    size_t cpu_count;
};

/*
 * Loads a PMU. An invalid file is raised as a problem, and the item that it describes is skipped.
 * -ENOENT: there is no such PMU; -ENOMEM; -EMFILE, -ENFILE: it cannot be read now.
 */
int pmu_load(int root, const char *name, struct pmu *pmu, struct problems *problems);

void pmu_free(struct pmu *pmu);

/* A hash that changes when the PMU's type, events or CPUs do. */
uint64_t pmu_mark(int root, const char *name);

/* Parses "config:0-7", the bits of config that hold an event's number. */
struct pmu_field {
    unsigned int first;
    unsigned int last;
};
int pmu_parse_format(const char *text, struct pmu_field *field);

/* Parses "event=0x02". */
int pmu_parse_event(const char *text, struct pmu_field field, uint64_t *config);

/* Parses joules per tick, such as "2.3283064365386962890625e-10". Exact if it fits, otherwise to
 * 2^-32. */
int pmu_parse_scale(const char *text, struct tick_scale *scale);

#endif
