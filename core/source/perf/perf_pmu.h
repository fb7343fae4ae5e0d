/* SPDX-License-Identifier: MIT */
/* What the kernel says of a PMU that counts energy: sys/bus/event_source/devices/NAME. */
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
    char *path; /* of its file, below the root */
    uint64_t config;
    struct tick_scale scale;
};

struct pmu {
    bool present;
    uint32_t type;
    uint64_t registration; /* another number once the kernel has registered it anew */
    struct pmu_event *events;
    size_t event_count;
    size_t event_names; /* of all energy events, also those that were left out */
    unsigned int *cpus; /* its cpumask, in order */
    size_t cpu_count;
};

/*
 * Reads it. What a file of it should say and does not is a problem that names the file, and takes
 * out what it tells of. -ENOENT: there is none; -ENOMEM; -EMFILE, -ENFILE: it cannot be told now.
 */
int pmu_load(int root, const char *name, struct pmu *pmu, struct problems *problems);

void pmu_free(struct pmu *pmu);

/* A number that changes when the PMU's type, events or CPUs do. */
uint64_t pmu_mark(int root, const char *name);

/* "config:0-7": the bits of config that hold an event's number. */
struct pmu_field {
    unsigned int first;
    unsigned int last;
};
int pmu_parse_format(const char *text, struct pmu_field *field);

/* "event=0x02" */
int pmu_parse_event(const char *text, struct pmu_field field, uint64_t *config);

/* Joules per tick, "2.3283064365386962890625e-10": exact where that fits, to 2^-32 otherwise. */
int pmu_parse_scale(const char *text, struct tick_scale *scale);

#endif
