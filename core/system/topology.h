/* SPDX-License-Identifier: MIT */
/* The CPUs that are online, and their package, die and core. */
#ifndef RAPL_TOPOLOGY_H
#define RAPL_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPOLOGY_ONLINE "sys/devices/system/cpu/online"

/* Opens the list of online CPUs. Returns a descriptor or a negative errno. */
int topology_open_online(int root);

/* One CPU that is online. */
struct cpu {
    unsigned int number;
    int package_id;
    int die_id; /* 0 before Linux 5.2, which does not show dies */
    int core_id;
};

struct topology {
    struct cpu *cpus; /* in ascending order */
    size_t count;
    bool has_dies; /* a package has more than one die: the kernel's names then include the die */
    /* An online CPU that could not be placed: the error or 0, its number, and the file that
     * failed. */
    int error;
    unsigned int unplaced;
    const char *unplaced_file;
};

/* Reads sys/devices/system/cpu. CPUs that go offline meanwhile are left out. 0, a negative error of
 * the list of online CPUs, -EMFILE, -ENFILE, or -ENOMEM. */
int topology_load(int root, struct topology *topology);

/* The path below the root of the file that `error` belongs to. */
#define TOPOLOGY_PATH_SIZE ((size_t)96)
void topology_unplaced_path(const struct topology *topology, char path[TOPOLOGY_PATH_SIZE]);

void topology_free(struct topology *topology);

/* Returns the CPU with this number, or NULL. */
const struct cpu *topology_find(const struct topology *topology, unsigned int number);

/*
 * Parses a list such as "0-3,8,10-11" and calls take for each number in ascending order. Returns
 * -EINVAL if the list is invalid or a number too large, or the first value other than 0 from take.
 */
int topology_parse_list(const char *text, int (*take)(void *context, unsigned int number),
                        void *context);

/* The same for a list in a file below the root; or a negative errno of the file. */
int topology_load_list(int root, const char *path, int (*take)(void *context, unsigned int number),
                       void *context);

/* A hash that changes when the list does; 0: the list cannot be read. */
uint64_t topology_online_mark(int online_file);

#endif
