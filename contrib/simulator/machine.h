/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_MACHINE_H
#define RAPL_SIM_MACHINE_H

#include "clock.h"
#include "counter.h"
#include "load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ZONE_MAX = 40, ONLINE_MAX = 256 };

/* For NO_VALUE the kernel returns ENODATA. */
enum { NO_VALUE = -1 };

struct constraint {
    const char *name;
    int64_t power_limit_uw;
    int64_t max_power_uw;
    int64_t time_window_us;
};

struct constraint_set {
    unsigned count;
    struct constraint list[3];
};

struct machine_model;

struct zone {
    const char *control_type;
    int parent;      /* index of the parent zone, or -1 */
    char id[32];     /* intel-rapl:0:1 */
    char name[40];   /* core */
    char series[64]; /* package-0/core */
    size_t counter;
    const struct constraint_set *constraints;
    bool enabled;
    bool in_total; /* first zone of a package or dram counter */

    bool present;
    uint32_t generation; /* number of removals; older descriptors are invalid */
    int fault;           /* errno of reads of its energy, or 0 */
};

struct machine {
    const struct machine_model *model;
    struct sim_clock clock;
    struct load load;
    struct cadence cadence;
    size_t zone_count;
    struct zone zones[ZONE_MAX];
    size_t counter_count;
    struct counter counters[ZONE_MAX];
    char online[ONLINE_MAX];
};

const struct machine_model *machine_find_model(const char *name);
void machine_print_models(FILE *stream);

int machine_open(struct machine *machine, const struct machine_model *model);
void machine_close(struct machine *machine);

struct machine_shape {
    bool is_amd;
    unsigned cpus, packages;
    unsigned dies; /* 0: zones name no die */
};

struct machine_shape machine_get_shape(const struct machine *machine);

const char *machine_name(const struct machine *machine);
void machine_print_cpuinfo(const struct machine *machine, FILE *stream);

/* Finds a zone by series name or kernel id. A mirror with the same series name is only found by its
 * id. */
struct zone *machine_find_zone(struct machine *machine, const char *name);
const struct zone *machine_find_zone_of(const struct machine *machine, const char *series);
bool machine_has_control_type(const struct machine *machine, const char *control_type);

#endif
