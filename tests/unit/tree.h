/* SPDX-License-Identifier: MIT */
/* A temporary directory in place of /, with plain files in place of the kernel's. */
#ifndef RAPL_TEST_TREE_H
#define RAPL_TEST_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree {
    char outer[128]; /* contains the root and what lies outside of it */
    char path[160];  /* of the root */
    int root;        /* descriptor of the root */
};

/* Setup and teardown of a test; *state is the tree. The teardown also turns all fakes off. */
int tree_setup(void **state);
int tree_teardown(void **state);

/* Paths are relative to the root; missing directories are created. A failure fails the test. */
void tree_write(const struct tree *tree, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tree_write_bytes(const struct tree *tree, const char *path, const void *bytes, size_t length);
void tree_make_folder(const struct tree *tree, const char *path);
void tree_make_fifo(const struct tree *tree, const char *path);
void tree_make_link(const struct tree *tree, const char *path, const char *target);
void tree_remove(const struct tree *tree, const char *path);
void tree_move(const struct tree *tree, const char *from, const char *to);
void tree_set_mode(const struct tree *tree, const char *path, unsigned int mode);

/* Largest values of known parts, by their unit. */
#define RANGE_61_UJ UINT64_C(262143328850)
#define RANGE_15_UJ UINT64_C(65532610987)
#define RANGE_1_J UINT64_C(4294967295000000)

/*
 * A zone as the kernel lays it out: a directory below sys/devices/virtual/powercap, nested by id,
 * and a link to it in sys/class/powercap. range_uj 0: without a range file.
 */
void tree_add_zone(const struct tree *tree, const char *id, const char *name, uint64_t energy_uj,
                   uint64_t range_uj);
/* Removes the directory and the link, as the kernel does when it unregisters a zone. */
void tree_drop_zone(const struct tree *tree, const char *id);
void tree_set(const struct tree *tree, const char *id, const char *attribute, const char *format,
              ...) __attribute__((format(printf, 4, 5)));
void tree_set_energy(const struct tree *tree, const char *id, uint64_t energy_uj);

/* Writes proc/cpuinfo with two CPUs. */
void tree_set_vendor(const struct tree *tree, const char *vendor);

/* Number of descriptors that this process has open. */
size_t tree_count_descriptors(void);

#endif
