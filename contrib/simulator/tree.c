/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include "cpu.h"
#include "truth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char devices[] = "sys/devices/virtual/powercap";

__attribute__((format(printf, 3, 4))) static int add_node(struct tree *tree, struct node node,
                                                          const char *format, ...) {
    struct node *nodes = realloc(tree->nodes, (tree->count + 1) * sizeof(*nodes));
    const char *slash;
    va_list arguments;
    int length;

    if (nodes == NULL)
        goto no_memory;
    tree->nodes = nodes;
    va_start(arguments, format);
    length = vasprintf(&node.path, format, arguments);
    va_end(arguments);
    if (length < 0)
        goto no_memory;
    slash = strrchr(node.path, '/');
    node.name = slash == NULL ? node.path : slash + 1;
    nodes[tree->count++] = node;
    return 0;

no_memory:
    free(node.target);
    return -ENOMEM;
}

static int add_folder(struct tree *tree, int zone, const char *path) {
    return add_node(tree, (struct node){.kind = NODE_FOLDER, .mode = 0755, .zone = zone}, "%s",
                    path);
}

static int add_link(struct tree *tree, int zone, const char *folder, const char *name,
                    const char *target) {
    struct node node = {.kind = NODE_LINK, .mode = 0777, .zone = zone, .target = strdup(target)};

    if (node.target == NULL)
        return -ENOMEM;
    return add_node(tree, node, "%s/%s", folder, name);
}

static int add_file(struct tree *tree, int zone, const char *folder, const char *name,
                    enum content content) {
    const mode_t mode = content == CONTENT_ENERGY ? 0400 : 0444;

    return add_node(
        tree, (struct node){.kind = NODE_FILE, .mode = mode, .zone = zone, .content = content},
        "%s/%s", folder, name);
}

static int add_constraint(struct tree *tree, int zone, const char *folder, unsigned index) {
    static const struct {
        const char *name;
        enum content content;
    } files[] = {{"name", CONTENT_CONSTRAINT_NAME},
                 {"power_limit_uw", CONTENT_POWER_LIMIT},
                 {"max_power_uw", CONTENT_MAX_POWER},
                 {"time_window_us", CONTENT_TIME_WINDOW}};
    int error = 0;

    for (size_t i = 0; error == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        error = add_node(tree,
                         (struct node){.kind = NODE_FILE,
                                       .mode = 0444,
                                       .zone = zone,
                                       .content = files[i].content,
                                       .constraint = index},
                         "%s/constraint_%u_%s", folder, index, files[i].name);
    return error;
}

/* The class folder is flat: it links to every control type and to every zone of any depth. */
static int add_class_link(struct tree *tree, int zone, const char *folder, const char *name) {
    char target[256];

    snprintf(target, sizeof(target), "../../%s", folder + strlen("sys/"));
    return add_link(tree, zone, "sys/class/powercap", name, target);
}

static int add_control_type(struct tree *tree, const char *name) {
    char folder[128];
    int error;

    snprintf(folder, sizeof(folder), "%s/%s", devices, name);
    error = add_folder(tree, -1, folder);
    if (error == 0)
        error = add_file(tree, -1, folder, "enabled", CONTENT_TYPE_ENABLED);
    if (error == 0)
        error = add_file(tree, -1, folder, "uevent", CONTENT_EMPTY);
    if (error == 0)
        error = add_link(tree, -1, folder, "subsystem", "../../../../class/powercap");
    if (error == 0)
        error = add_class_link(tree, -1, folder, name);
    return error;
}

static int add_zone(struct tree *tree, const struct machine *machine, int index) {
    static const struct {
        const char *name;
        enum content content;
    } files[] = {{"name", CONTENT_NAME},
                 {"enabled", CONTENT_ENABLED},
                 {"energy_uj", CONTENT_ENERGY},
                 {"max_energy_range_uj", CONTENT_RANGE},
                 {"uevent", CONTENT_EMPTY}};
    const struct zone *zone = &machine->zones[index];
    const struct zone *parent = zone->parent < 0 ? NULL : &machine->zones[zone->parent];
    const char *above = parent == NULL ? zone->control_type : parent->id;
    const char *subsystem =
        parent == NULL ? "../../../../../class/powercap" : "../../../../../../class/powercap";
    char folder[192];
    char device[64];
    int error;

    if (parent == NULL)
        snprintf(folder, sizeof(folder), "%s/%s/%s", devices, zone->control_type, zone->id);
    else
        snprintf(folder, sizeof(folder), "%s/%s/%s/%s", devices, zone->control_type, above,
                 zone->id);
    snprintf(device, sizeof(device), "../../%s", above);

    error = add_folder(tree, index, folder);
    for (size_t i = 0; error == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        error = add_file(tree, index, folder, files[i].name, files[i].content);
    for (unsigned i = 0; error == 0 && i < zone->constraints->count; i++)
        error = add_constraint(tree, index, folder, i);
    if (error == 0)
        error = add_link(tree, index, folder, "device", device);
    if (error == 0)
        error = add_link(tree, index, folder, "subsystem", subsystem);
    if (error == 0)
        error = add_class_link(tree, index, folder, zone->id);
    return error;
}

/* Adds a CPU's topology files and its registers. */
static int add_cpu(struct tree *tree, unsigned cpu) {
    static const char system[] = "sys/devices/system/cpu/cpu";
    static const struct {
        const char *before, *after;
        enum content content;
    } nodes[] = {{system, "", CONTENT_EMPTY},
                 {system, "/topology", CONTENT_EMPTY},
                 {system, "/topology/physical_package_id", CONTENT_PACKAGE_ID},
                 {system, "/topology/die_id", CONTENT_DIE_ID},
                 {system, "/topology/core_id", CONTENT_CORE_ID},
                 {"dev/cpu/", "", CONTENT_EMPTY},
                 {"dev/cpu/", "/msr", CONTENT_MSR}};
    int error = 0;

    for (size_t i = 0; error == 0 && i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        struct node node = {.kind = NODE_FILE,
                            .mode = nodes[i].content == CONTENT_MSR ? 0600 : 0444,
                            .zone = -1,
                            .of_cpu = true,
                            .cpu = cpu,
                            .content = nodes[i].content};
        if (nodes[i].content == CONTENT_EMPTY) {
            node.kind = NODE_FOLDER;
            node.mode = 0755;
        }
        error = add_node(tree, node, "%s%u%s", nodes[i].before, cpu, nodes[i].after);
    }
    return error;
}

static int compare_nodes(const void *left, const void *right) {
    return strcmp(((const struct node *)left)->path, ((const struct node *)right)->path);
}

int tree_open(struct tree *tree, const struct machine *machine) {
    static const char *const folders[] = {"",
                                          "sys",
                                          "sys/class",
                                          "sys/class/powercap",
                                          "proc",
                                          "dev",
                                          "dev/cpu",
                                          "sys/devices",
                                          "sys/devices/system",
                                          "sys/devices/system/cpu",
                                          devices,
                                          "sys/devices/virtual"};
    static const char *const control_types[] = {"intel-rapl", "intel-rapl-mmio"};
    int error = 0;

    *tree = (struct tree){0};
    for (size_t i = 0; error == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
        error = add_folder(tree, -1, folders[i]);
    if (error == 0)
        error = add_file(tree, -1, "sys/devices/system/cpu", "online", CONTENT_ONLINE);
    if (error == 0)
        error = add_file(tree, -1, "proc", "cpuinfo", CONTENT_CPUINFO);
    if (error == 0)
        error = add_node(
            tree,
            (struct node){.kind = NODE_FILE, .mode = 0444, .zone = -1, .content = CONTENT_TRUTH},
            "truth");
    if (error == 0)
        error = add_node(
            tree,
            (struct node){.kind = NODE_FILE, .mode = 0200, .zone = -1, .content = CONTENT_CONTROL},
            "control");
    for (size_t i = 0; error == 0 && i < sizeof(control_types) / sizeof(control_types[0]); i++) {
        if (machine_has_control_type(machine, control_types[i]))
            error = add_control_type(tree, control_types[i]);
    }
    for (int i = 0; error == 0 && i < (int)machine->zone_count; i++)
        error = add_zone(tree, machine, i);
    for (unsigned cpu = 0; error == 0 && cpu < machine_get_shape(machine).cpus; cpu++)
        error = add_cpu(tree, cpu);

    if (error == 0)
        qsort(tree->nodes, tree->count, sizeof(*tree->nodes), compare_nodes);
    else
        tree_close(tree);
    return error;
}

void tree_close(struct tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i].path);
        free(tree->nodes[i].target);
    }
    free(tree->nodes);
    *tree = (struct tree){0};
}

static int compare_path(const void *path, const void *node) {
    return strcmp(path, ((const struct node *)node)->path);
}

const struct node *tree_find(const struct tree *tree, const char *path) {
    return bsearch(path, tree->nodes, tree->count, sizeof(*tree->nodes), compare_path);
}

bool tree_is_child(const struct node *folder, const struct node *node) {
    const size_t length = strlen(folder->path);

    if (node == folder)
        return false;
    if (length == 0)
        return node->name == node->path;
    return node->name == node->path + length + 1 && strncmp(node->path, folder->path, length) == 0;
}

bool tree_is_present(const struct machine *machine, const struct node *node) {
    if (node->of_cpu)
        return cpu_is_online(machine, node->cpu);
    return node->zone < 0 || machine->zones[node->zone].present;
}

static int print_text(char text[TEXT_MAX], const char *value) {
    return snprintf(text, TEXT_MAX, "%s\n", value);
}

static int print_number(char text[TEXT_MAX], int64_t value) {
    return value == NO_VALUE ? -ENODATA : snprintf(text, TEXT_MAX, "%" PRId64 "\n", value);
}

static int print_pages(const struct machine *machine, const struct node *node, uint64_t elapsed_ns,
                       char text[TEXT_MAX]) {
    FILE *stream = fmemopen(text, TEXT_MAX, "w");
    long length;

    if (stream == NULL)
        return -errno;
    if (node->content == CONTENT_CPUINFO)
        machine_print_cpuinfo(machine, stream);
    else
        truth_print(machine, elapsed_ns, stream);
    length = fflush(stream) == 0 ? ftell(stream) : -1;
    fclose(stream);
    return length < 0 ? -ENOSPC : (int)length;
}

int tree_read(const struct machine *machine, const struct node *node, uint64_t elapsed_ns,
              char text[TEXT_MAX]) {
    const struct zone *zone = &machine->zones[node->zone < 0 ? 0 : node->zone];
    const struct counter *counter = &machine->counters[zone->counter];
    const struct constraint *constraint = &zone->constraints->list[node->constraint];

    switch (node->content) {
    case CONTENT_NAME:
        return print_text(text, zone->name);
    case CONTENT_ENABLED:
        return print_text(text, zone->enabled ? "1" : "0");
    case CONTENT_TYPE_ENABLED:
        return print_text(text, "1");
    case CONTENT_ENERGY:
        if (zone->fault != 0)
            return -zone->fault;
        return snprintf(text, TEXT_MAX, "%" PRIu64 "\n",
                        counter_ticks_to_uj(counter, counter_ticks(counter, &machine->load,
                                                                   &machine->cadence, elapsed_ns)));
    case CONTENT_RANGE:
        return snprintf(text, TEXT_MAX, "%" PRIu64 "\n", counter_ticks_to_uj(counter, UINT32_MAX));
    case CONTENT_CONSTRAINT_NAME:
        return print_text(text, constraint->name);
    case CONTENT_POWER_LIMIT:
        return print_number(text, constraint->power_limit_uw);
    case CONTENT_MAX_POWER:
        return print_number(text, constraint->max_power_uw);
    case CONTENT_TIME_WINDOW:
        return print_number(text, constraint->time_window_us);
    case CONTENT_ONLINE:
        return print_text(text, machine->online);
    case CONTENT_PACKAGE_ID:
        return print_number(text, cpu_find_place(machine, node->cpu).package);
    case CONTENT_DIE_ID:
        return print_number(text, cpu_find_place(machine, node->cpu).die);
    case CONTENT_CORE_ID:
        return print_number(text, cpu_find_place(machine, node->cpu).core);
    case CONTENT_MSR:
        return -EINVAL;
    case CONTENT_CPUINFO:
    case CONTENT_TRUTH:
        return print_pages(machine, node, elapsed_ns, text);
    case CONTENT_EMPTY:
    case CONTENT_CONTROL:
        break;
    }
    return 0;
}
