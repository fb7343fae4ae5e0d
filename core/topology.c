/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

#define CPU_FOLDER "sys/devices/system/cpu"

/* What stands after "KEY<tab>: " in the first line that begins so, up to its end; or NULL. */
static const char *find_value(const char *text, const char *key, size_t *length) {
    const char *line = text;
    while (line != NULL && strncmp(line, key, strlen(key)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return NULL;
    line += strlen(key);
    line += strspn(line, " \t:");
    *length = strcspn(line, "\n");
    return line;
}

/* Keys that proc/cpuinfo has on other architectures, and never on x86 (arch/x86/kernel/cpu/proc.c):
 * setup.c or cpuinfo.c of arm, arm64, powerpc and riscv; proc.c of loongarch. */
static bool is_not_x86(const char *text) {
    static const char *const keys[] = {"CPU implementer", "cpu\t", "hart\t", "CPU Family"};
    size_t length;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (find_value(text, keys[i], &length) != NULL)
            return true;
    }
    return false;
}

static enum cpu_vendor find_vendor(const char *text) {
    static const struct {
        const char *name;
        enum cpu_vendor vendor;
    } vendors[] = {{"GenuineIntel", CPU_VENDOR_INTEL},
                   {"AuthenticAMD", CPU_VENDOR_AMD},
                   {"HygonGenuine", CPU_VENDOR_HYGON},
                   {"IBM/S390", CPU_VENDOR_NOT_X86}};
    size_t length = 0;
    const char *name = find_value(text, "vendor_id", &length);
    if (name == NULL || length == 0)
        return is_not_x86(text) ? CPU_VENDOR_NOT_X86 : CPU_VENDOR_UNKNOWN;
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (strlen(vendors[i].name) == length && strncmp(name, vendors[i].name, length) == 0)
            return vendors[i].vendor;
    }
    return CPU_VENDOR_OTHER;
}

static bool has_flag(const char *text, const char *flag) {
    size_t length = 0;
    const char *at = find_value(text, "flags", &length);
    const char *end = at != NULL ? at + length : NULL;
    while (at < end) {
        const size_t word = strcspn(at, " \n");
        if (word == strlen(flag) && strncmp(at, flag, word) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

/* A decimal number of at most six digits, 0 where there is none. */
static unsigned int find_number(const char *text, const char *key) {
    size_t length = 0;
    const char *value = find_value(text, key, &length);
    unsigned int number = 0;
    if (length > 6)
        return 0;
    for (size_t i = 0; value != NULL && i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 0;
        number = number * 10 + (unsigned int)(value[i] - '0');
    }
    return number;
}

struct cpu_model topology_read_model(int root) {
    struct cpu_model cpu = {.vendor = CPU_VENDOR_UNKNOWN};
    char text[8192]; /* the first CPU's paragraph begins the file */

    int file = sysfs_open(root, "proc/cpuinfo");
    if (file < 0)
        return cpu;
    const ssize_t length = sysfs_read_at(file, text, sizeof(text) - 1, 0);
    close(file);
    if (length <= 0)
        return cpu;
    text[length] = '\0';
    cpu.vendor = find_vendor(text);
    cpu.family = find_number(text, "cpu family");
    cpu.model = find_number(text, "model\t");
    cpu.is_virtual = has_flag(text, "hypervisor");
    return cpu;
}

/* --- CPUs ------------------------------------------------------------------------------------ */

/* NR_CPUS of x86 is at most that (arch/x86/Kconfig): no list makes us run on. */
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

/* file: the one that an error is of. */
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
    /* It has gone offline: its folder goes with it. */
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
            break; /* all others of it have that one's */
        }
    }
    topology->cpus = cpus;
    cpus[topology->count++] = cpu;
    return 0;
}

int topology_load_list(int root, const char *path, int (*take)(void *context, unsigned int number),
                       void *context) {
    char text[4096]; /* an attribute of sysfs is at most a page */
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

/* --- names and marks ------------------------------------------------------------------------- */

const char *topology_vendor_name(enum cpu_vendor vendor) {
    static const char *const names[] = {
        [CPU_VENDOR_UNKNOWN] = "unknown", [CPU_VENDOR_INTEL] = "Intel",
        [CPU_VENDOR_AMD] = "AMD",         [CPU_VENDOR_HYGON] = "Hygon",
        [CPU_VENDOR_OTHER] = "other",     [CPU_VENDOR_NOT_X86] = "not x86",
    };
    return names[vendor];
}

void topology_format_model(const struct cpu_model *cpu, char text[TOPOLOGY_MODEL_SIZE]) {
    if (cpu->vendor == CPU_VENDOR_NOT_X86)
        snprintf(text, TOPOLOGY_MODEL_SIZE, "a processor that is not x86");
    else
        snprintf(text, TOPOLOGY_MODEL_SIZE, "family %u model 0x%02x", cpu->family, cpu->model);
}

int topology_open_online(int root) {
    return sysfs_open(root, TOPOLOGY_ONLINE);
}

uint64_t topology_online_mark(int online_file) {
    char text[4096]; /* an attribute of sysfs is at most a page */
    int length = online_file >= 0 ? sysfs_read(online_file, text, sizeof(text)) : -1;
    if (length <= 0)
        return 0;
    uint64_t mark = UINT64_C(14695981039346656037); /* FNV-1a */
    for (int i = 0; i < length; i++)
        mark = (mark ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return mark;
}
