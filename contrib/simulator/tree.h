/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_TREE_H
#define RAPL_SIM_TREE_H

#include "machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TEXT_MAX = 8192 };

enum node_kind { NODE_FOLDER, NODE_FILE, NODE_LINK };

enum content {
    CONTENT_EMPTY,
    CONTENT_NAME,
    CONTENT_ENABLED,
    CONTENT_TYPE_ENABLED,
    CONTENT_ENERGY,
    CONTENT_RANGE,
    CONTENT_CONSTRAINT_NAME,
    CONTENT_POWER_LIMIT,
    CONTENT_MAX_POWER,
    CONTENT_TIME_WINDOW,
    CONTENT_ONLINE,
    CONTENT_PACKAGE_ID,
    CONTENT_DIE_ID,
    CONTENT_CORE_ID,
    CONTENT_MSR, /* binary, see cpu.h */
    CONTENT_CPUINFO,
    CONTENT_TRUTH,
    CONTENT_CONTROL
};

struct node {
    char *path;       /* relative to the root, which is "" */
    const char *name; /* the last part of path */
    enum node_kind kind;
    mode_t mode;
    int zone;    /* index, or -1: always present */
    bool of_cpu; /* disappears with its CPU */
    unsigned cpu;
    enum content content;
    unsigned constraint;
    char *target; /* of a link */
};

/* Sorted by path, so that a folder precedes its content. */
struct tree {
    struct node *nodes;
    size_t count;
};

int tree_open(struct tree *tree, const struct machine *machine);
void tree_close(struct tree *tree);

const struct node *tree_find(const struct tree *tree, const char *path);
bool tree_is_child(const struct node *folder, const struct node *node);
bool tree_is_present(const struct machine *machine, const struct node *node);

/* Writes the text of a file at an instant. Returns its length, or a negative errno. */
int tree_read(const struct machine *machine, const struct node *node, uint64_t elapsed_ns,
              char text[TEXT_MAX]);

#endif
