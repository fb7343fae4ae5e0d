/* SPDX-License-Identifier: MIT */
#include "system/topology.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/error.h"
#include "system/sysfs.h"

#define CPU_FOLDER "sys/devices/system/cpu"

/* Largest NR_CPUS of x86 (arch/x86/Kconfig), so that no list makes the parser loop for long. */
#define CPU_LIMIT 8192

static const char *read_number(const char *text, unsigned int *number) {
    if (*text < '0' || *text > '9')
        return NULL;
    *number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        *number = *number * 10 + (unsigned int)(*text - '0');
        if (*number >= CPU_LIMIT)
            return NULL;
    }
    return text;
}

int topology_parse_list(const char *text, int (*take)(void *context, unsigned int number),
                        void *context) {
    unsigned int next = 0;
    while (*text != '\0' && *text != '\n') {
        unsigned int first = 0;
        unsigned int last = 0;
        text = read_number(text, &first);
        last = first;
        if (text != NULL && *text == '-')
            text = read_number(text + 1, &last);
        if (text == NULL || first < next || last < first ||
            (*text != ',' && *text != '\n' && *text != '\0'))
            return -EINVAL;
        if (*text == ',')
            text++;
        for (next = first; next <= last; next++) {
            int error = take(context, next);
            if (error != 0)
                return error;
        }
    }
    return 0;
}

struct loading {
    int root;
    struct topology *topology;
};

static int load_id(int root, unsigned int number, const char *name, int *id) {
    char path[128];
    uint64_t value = 0;
    snprintf(path, sizeof(path), CPU_FOLDER "/cpu%u/topology/%s", number, name);
    int error = sysfs_load_number(root, path, &value);
    if (error == 0 && value > INT_MAX)
        error = SYSFS_OUT_OF_RANGE;
    *id = error == 0 ? (int)value : 0;
    return error;
}

/* file: set to the file that the error belongs to. */
static int load_ids(int root, struct cpu *cpu, const char **file) {
    *file = "physical_package_id";
    int error = load_id(root, cpu->number, *file, &cpu->package_id);
    if (error != 0)
        return error;
    *file = "core_id";
    error = load_id(root, cpu->number, *file, &cpu->core_id);
    if (error != 0)
        return error;
    *file = "die_id";
    error = load_id(root, cpu->number, *file, &cpu->die_id);
    return error == -ENOENT ? 0 : error;
}

static int load_cpu(void *context, unsigned int number) {
    const struct loading *loading = context;
    struct topology *topology = loading->topology;
    struct cpu cpu = {.number = number};
    const char *file;
    const int error = load_ids(loading->root, &cpu, &file);
    if (sysfs_ran_short(error))
        return error;
    /* The CPU went offline and its folder with it. */
    if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
        return 0;
    if (error != 0 && topology->error == 0) {
        topology->error = error;
        topology->unplaced = number;
        topology->unplaced_file = file;
    }
    if (error != 0)
        return 0;
    struct cpu *cpus = realloc(topology->cpus, (topology->count + 1) * sizeof(*cpus));
    if (cpus == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < topology->count && !topology->has_dies; i++) {
        if (cpus[i].package_id == cpu.package_id) {
            topology->has_dies = cpus[i].die_id != cpu.die_id;
            break; /* all earlier CPUs of the package have the same die */
        }
    }
    topology->cpus = cpus;
    cpus[topology->count++] = cpu;
    return 0;
}

int topology_load_list(int root, const char *path, int (*take)(void *context, unsigned int number),
                       void *context) {
    char text[4096]; /* a sysfs attribute is at most one page */
    int file = sysfs_open(root, path);
    if (file < 0)
        return file;
    int error = sysfs_read(file, text, sizeof(text));
    close(file);
    return error < 0 ? error : topology_parse_list(text, take, context);
}

int topology_load(int root, struct topology *topology) {
    struct loading loading = {.root = root, .topology = topology};
    *topology = (struct topology){.cpus = NULL};
    int error = topology_load_list(root, TOPOLOGY_ONLINE, load_cpu, &loading);
    if (error != 0)
        topology_free(topology);
    return error;
}

void topology_free(struct topology *topology) {
    free(topology->cpus);
    *topology = (struct topology){.cpus = NULL};
}

void topology_unplaced_path(const struct topology *topology, char path[TOPOLOGY_PATH_SIZE]) {
    snprintf(path, TOPOLOGY_PATH_SIZE, CPU_FOLDER "/cpu%u/topology/%s", topology->unplaced,
             topology->unplaced_file);
}

const struct cpu *topology_find(const struct topology *topology, unsigned int number) {
    for (size_t i = 0; i < topology->count; i++) {
        if (topology->cpus[i].number == number)
            return &topology->cpus[i];
    }
    return NULL;
}

/* --- marks ------------------------------------------------------------------------------------ */

int topology_open_online(int root) {
    return sysfs_open(root, TOPOLOGY_ONLINE);
}

uint64_t topology_online_mark(int online_file) {
    char text[4096]; /* a sysfs attribute is at most one page */
    int length = online_file >= 0 ? sysfs_read(online_file, text, sizeof(text)) : -1;
    if (length <= 0)
        return 0;
    uint64_t mark = UINT64_C(14695981039346656037); /* FNV-1a */
    for (int i = 0; i < length; i++)
        mark = (mark ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return mark;
}
