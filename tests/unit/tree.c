/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"

#define CLASS "sys/class/powercap"
#define DEVICES "sys/devices/virtual/powercap"

/* In memory if possible: on a disk every file takes milliseconds. */
static bool make_outer(struct tree *tree) {
    const char *const folders[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (folders[i] == NULL || folders[i][0] != '/')
            continue;
        const int length =
            snprintf(tree->outer, sizeof(tree->outer), "%s/rapl-unit-XXXXXX", folders[i]);
        if (length < (int)sizeof(tree->outer) && mkdtemp(tree->outer) != NULL)
            return true;
    }
    return false;
}

int tree_setup(void **state) {
    struct tree *tree = malloc(sizeof(*tree));
    if (tree == NULL)
        return -1;
    if (!make_outer(tree)) {
        free(tree);
        return -1;
    }
    snprintf(tree->path, sizeof(tree->path), "%s/root", tree->outer);
    tree->root = -1;
    if (chmod(tree->outer, 0755) == 0 && mkdir(tree->path, 0755) == 0)
        tree->root = open(tree->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *state = tree;
    if (tree->root >= 0)
        return 0;
    tree_teardown(state);
    return -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Makes directories without search permission accessible on the way down. */
static int open_up(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)walk;
    if (kind == FTW_D || kind == FTW_DNR)
        (void)chmod(path, 0700);
    return 0;
}

static int remove_all(const char *path) {
    nftw(path, open_up, 16, FTW_PHYS);
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int tree_teardown(void **state) {
    struct tree *tree = *state;
    fakes_end();
    if (tree->root >= 0)
        close(tree->root);
    int error = remove_all(tree->outer);
    free(tree);
    return error;
}

static void join(const struct tree *tree, const char *path, char joined[PATH_MAX]) {
    const int length = snprintf(joined, PATH_MAX, "%s/%s", tree->path, path);
    assert_in_range(length, 1, PATH_MAX - 1);
}

static void make_folders(char *path, const char *from) {
    for (char *at = strchr(from, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(path, 0755);
        *at = '/';
    }
}

static void place(const struct tree *tree, const char *path, char joined[PATH_MAX]) {
    join(tree, path, joined);
    make_folders(joined, joined + strlen(tree->path) + 1);
}

void tree_write_bytes(const struct tree *tree, const char *path, const void *bytes, size_t length) {
    char joined[PATH_MAX];
    place(tree, path, joined);
    int file = open(joined, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        fail_msg("%s cannot be written", joined);
    assert_int_equal(write(file, bytes, length), length);
    close(file);
}

static void write_format(const struct tree *tree, const char *path, const char *format,
                         va_list arguments) {
    char text[8192];
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    assert_in_range(length, 0, sizeof(text) - 1);
    tree_write_bytes(tree, path, text, (size_t)length);
}

void tree_write(const struct tree *tree, const char *path, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_format(tree, path, format, arguments);
    va_end(arguments);
}

void tree_make_folder(const struct tree *tree, const char *path) {
    char joined[PATH_MAX];
    place(tree, path, joined);
    (void)mkdir(joined, 0755);
    struct stat status;
    assert_int_equal(stat(joined, &status), 0);
}

void tree_make_fifo(const struct tree *tree, const char *path) {
    char joined[PATH_MAX];
    place(tree, path, joined);
    assert_int_equal(mkfifo(joined, 0644), 0);
}

void tree_make_link(const struct tree *tree, const char *path, const char *target) {
    char joined[PATH_MAX];
    place(tree, path, joined);
    assert_int_equal(symlink(target, joined), 0);
}

void tree_remove(const struct tree *tree, const char *path) {
    char joined[PATH_MAX];
    join(tree, path, joined);
    assert_int_equal(remove_all(joined), 0);
}

void tree_move(const struct tree *tree, const char *from, const char *to) {
    char joined_from[PATH_MAX];
    char joined_to[PATH_MAX];
    join(tree, from, joined_from);
    place(tree, to, joined_to);
    assert_int_equal(rename(joined_from, joined_to), 0);
}

void tree_set_mode(const struct tree *tree, const char *path, unsigned int mode) {
    char joined[PATH_MAX];
    join(tree, path, joined);
    assert_int_equal(chmod(joined, mode), 0);
}

/* --- zones ----------------------------------------------------------------------------------- */

/* "intel-rapl:0:1" -> "intel-rapl/intel-rapl:0/intel-rapl:0:1" */
static void nest(const char *id, char *nested, size_t size) {
    size_t length = 0;
    for (const char *at = strchr(id, ':'); at != NULL; at = strchr(at + 1, ':'))
        length += (size_t)snprintf(nested + length, size - length, "%.*s/", (int)(at - id), id);
    length += (size_t)snprintf(nested + length, size - length, "%s", id);
    assert_true(length < size);
}

void tree_set(const struct tree *tree, const char *id, const char *attribute, const char *format,
              ...) {
    char path[512];
    va_list arguments;
    snprintf(path, sizeof(path), CLASS "/%s/%s", id, attribute);
    va_start(arguments, format);
    write_format(tree, path, format, arguments);
    va_end(arguments);
}

void tree_set_energy(const struct tree *tree, const char *id, uint64_t energy_uj) {
    tree_set(tree, id, "energy_uj", "%" PRIu64 "\n", energy_uj);
}

static void link_class(const struct tree *tree, const char *id, const char *nested) {
    char path[512];
    char target[512];
    char joined[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof(path), CLASS "/%s", id);
    snprintf(target, sizeof(target), "../../devices/virtual/powercap/%s", nested);
    join(tree, path, joined);
    if (lstat(joined, &status) != 0)
        tree_make_link(tree, path, target);
}

void tree_add_zone(const struct tree *tree, const char *id, const char *name, uint64_t energy_uj,
                   uint64_t range_uj) {
    char nested[256];
    char path[512];
    char type[64];
    nest(id, nested, sizeof(nested));
    snprintf(path, sizeof(path), DEVICES "/%s", nested);
    tree_make_folder(tree, path);
    snprintf(type, sizeof(type), "%.*s", (int)strcspn(id, ":"), id);
    link_class(tree, type, type);
    link_class(tree, id, nested);
    tree_set(tree, id, "name", "%s\n", name);
    tree_set(tree, id, "enabled", "1\n");
    if (range_uj != 0)
        tree_set(tree, id, "max_energy_range_uj", "%" PRIu64 "\n", range_uj);
    tree_set_energy(tree, id, energy_uj);
}

void tree_drop_zone(const struct tree *tree, const char *id) {
    char nested[256];
    char path[512];
    nest(id, nested, sizeof(nested));
    snprintf(path, sizeof(path), CLASS "/%s", id);
    tree_remove(tree, path);
    snprintf(path, sizeof(path), DEVICES "/%s", nested);
    tree_remove(tree, path);
}

void tree_set_vendor(const struct tree *tree, const char *vendor) {
    tree_write(tree, "proc/cpuinfo",
               "processor\t: 0\nvendor_id\t: %s\ncpu family\t: 6\n\n"
               "processor\t: 1\nvendor_id\t: %s\ncpu family\t: 6\n\n",
               vendor, vendor);
}

size_t tree_count_descriptors(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}
