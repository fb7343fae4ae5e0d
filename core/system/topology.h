/* SPDX-License-Identifier: MIT */
/* Which CPUs are online, and where they are. */
#ifndef RAPL_TOPOLOGY_H
#define RAPL_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPOLOGY_ONLINE "sys/devices/system/cpu/online"

/* Opens the list of online CPUs. Descriptor or negative errno. */
int topology_open_online(int root);

/* One CPU that is online, and where it is. */
struct cpu {
    unsigned int number;
    int package_id;
    int die_id; /* 0 where the kernel does not tell it: before Linux 5.2 */
    int core_id;
};

struct topology {
    struct cpu *cpus; /* by their numbers */
    size_t count;
    bool has_dies; /* some package has more than one: the kernel's names then tell the die */
    /* Nobody can tell where a CPU is that is online: why, which, and by which file; or 0. */
    int error;
    unsigned int unplaced;
    const char *unplaced_file;
};

/* Reads it from sys/devices/system/cpu. CPUs that go meanwhile are left out. Negative errno of the
 * list of online CPUs, -EMFILE, -ENFILE, or -ENOMEM. */
int topology_load(int root, struct topology *topology);

/* The file that error is of, below the root. */
#define TOPOLOGY_PATH_SIZE ((size_t)96)
void topology_unplaced_path(const struct topology *topology, char path[TOPOLOGY_PATH_SIZE]);

void topology_free(struct topology *topology);

/* The CPU of that number, or NULL. */
const struct cpu *topology_find(const struct topology *topology, unsigned int number);

/*
 * Parses a list such as "0-3,8,10-11" and calls back with each number, in order. -EINVAL: it is
 * none, or its numbers are out of reach; what take returns if that is not 0.
 */
int topology_parse_list(const char *text, int (*take)(void *context, unsigned int number),
                        void *context);

/* The same of the list in a file below the root; or a negative errno of the file. */
int topology_load_list(int root, const char *path, int (*take)(void *context, unsigned int number),
                       void *context);

/* A number that changes when the list does; 0 where it cannot be read. */
uint64_t topology_online_mark(int online_file);

#endif
