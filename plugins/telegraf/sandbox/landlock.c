/* SPDX-License-Identifier: MIT */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sandbox/landlock_abi.h"

/* struct landlock_ruleset_attr of version 6: the accesses that each version can forbid to files,
 * TCP ports, and signals and sockets of other processes. All are forbidden, and only reading is
 * allowed again. Older kernels accept the longer struct if the rest is 0. */
enum { FILES, PORTS, SCOPES, RULES };
static const uint64_t all_rules[][RULES] = {
    [1] = {[FILES] = 0x1FFF},
    [2] = {[FILES] = 0x3FFF}, /* rename and link across folders */
    [3] = {[FILES] = 0x7FFF}, /* truncate */
    [4] = {[FILES] = 0x7FFF, [PORTS] = 0x3},
    [5] = {[FILES] = 0xFFFF, [PORTS] = 0x3}, /* ioctl of devices */
    [6] = {[FILES] = 0xFFFF, [PORTS] = 0x3, [SCOPES] = 0x3},
};
#define VERSION_MAX ((int)(sizeof(all_rules) / sizeof(all_rules[0])) - 1)

/* --- which paths ----------------------------------------------------------------------------- */

#define FROM(source) (1U << (source))
#define FROM_EACH (FROM(RAPL_SOURCE_POWERCAP) | FROM(RAPL_SOURCE_PERF) | FROM(RAPL_SOURCE_MSR))

struct place {
    const char *path;
    unsigned int sources; /* that use it */
    unsigned int stages;
};

#define AT(stage) (1U << (stage))
#define AT_EACH (AT(FILE_RULES_ANY_TIME) | AT(FILE_RULES_READS) | AT(FILE_RULES_CHECK))

/*
 * devtmpfs removes dev/cpu together with the last file in it, so loading the module again makes a
 * new folder. While a register file is open, the module cannot be unloaded and the folder stays.
 */
static const struct place places[] = {
    {"sys/class/powercap", FROM(RAPL_SOURCE_POWERCAP), AT_EACH},
    {"sys/module", FROM(RAPL_SOURCE_POWERCAP), AT_EACH},
    {"sys/bus/event_source", FROM(RAPL_SOURCE_PERF), AT_EACH},
    {"proc/sys/kernel/perf_event_paranoid", FROM(RAPL_SOURCE_PERF), AT_EACH},
    {"dev", FROM(RAPL_SOURCE_MSR), AT(FILE_RULES_ANY_TIME)},
    {"dev/cpu", FROM(RAPL_SOURCE_MSR), AT(FILE_RULES_READS)},
    {"dev/cpu", FROM_EACH, AT(FILE_RULES_CHECK)},
    {"sys/devices", FROM_EACH, AT_EACH}, /* targets of links in class and bus, and the CPUs */
    {"proc/cpuinfo", FROM_EACH, AT_EACH},
};

/* --- rules ----------------------------------------------------------------------------------- */

#define OPEN_TRIES 8

/* Links cannot leave the root. A rename elsewhere may make the kernel return EAGAIN, as in
 * core/system/sysfs.c. */
static int open_below(int root, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int fd;
    int tries = 0;
    do
        fd = (int)syscall(__NR_openat2, root, path, &how, sizeof(how));
    while (fd < 0 && errno == EAGAIN && ++tries < OPEN_TRIES);
    return fd >= 0 ? fd : -errno;
}

/* Opens the path or, because it may appear later, the nearest existing folder above it. -ENOENT
 * rather than all of a system. */
static int open_nearest(int root, const char *path, bool may_be_root) {
    char text[64]; /* longer than any of the places */
    snprintf(text, sizeof(text), "%s", path);
    for (;;) {
        const int fd = open_below(root, text);
        char *end = strrchr(text, '/');
        if (fd != -ENOENT && fd != -ENOTDIR)
            return fd;
        if (end == NULL && (!may_be_root || strcmp(text, ".") == 0))
            return -ENOENT;
        if (end != NULL)
            *end = '\0';
        else
            snprintf(text, sizeof(text), ".");
    }
}

static int allow_reading(int ruleset, int fd) {
    struct landlock_path rule = {.folder = fd, .allowed = LANDLOCK_READ_FOLDER};
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISDIR(status.st_mode))
        rule.allowed = LANDLOCK_READ_FILE;
    return syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0) == 0 ? 0
                                                                                          : -errno;
}

/* Returns whether the error is not the fault of the path, so that a rule would be missing. */
static bool is_ours(int error) {
    return error == -EPERM || error == -ENOSYS || error == -EAGAIN || error == -EMFILE ||
           error == -ENFILE || error == -ENOMEM;
}

/* Opens the nearest existing folder above a root that may appear later. */
static int open_above(const char *root) {
    char *text = strdup(root);
    int fd = text != NULL ? -ENOENT : -ENOMEM;
    while (fd == -ENOENT) {
        char *end = strrchr(text, '/');
        if (end == NULL || end == text)
            break;
        *end = '\0';
        fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = fd >= 0 ? fd : -errno;
    }
    free(text);
    return fd;
}

/* Used while the root does not exist. Never allows "/". */
static int allow_above(int ruleset, const char *root) {
    const int fd = open_above(root);
    if (fd < 0)
        return fd == -ENOMEM ? fd : 0;
    const int error = allow_reading(ruleset, fd);
    close(fd);
    return error;
}

static int allow_places(int ruleset, int root_file, bool own_root, enum rapl_source source,
                        enum landlock_stage stage) {
    const unsigned int sources = source == RAPL_SOURCE_AUTO ? FROM_EACH : FROM(source);
    int error = 0;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && error == 0; i++) {
        const struct place *place = &places[i];
        if ((place->sources & sources) == 0 || (place->stages & AT(stage)) == 0)
            continue;
        const int fd = stage == FILE_RULES_ANY_TIME
                           ? open_nearest(root_file, place->path, !own_root)
                           : open_below(root_file, place->path);
        if (is_ours(fd))
            error = fd;
        if (fd < 0)
            continue;
        error = allow_reading(ruleset, fd);
        /* A rule belongs to an inode. 9p makes a new inode at each lookup unless the old one is
         * open, so below another root the descriptor stays open. Local file systems keep their
         * inodes. */
        if (own_root || error != 0)
            close(fd);
    }
    return error;
}

/* Allows the files of the process and its kernel that remedies are based on (core/system/host.c).
 * They are read once, at the start, and always from the machine itself, whatever the root is. A
 * missing file gets no rule, and neither does its folder. */
static int allow_host(int ruleset) {
    char builtin[128] = "";
    const char *const paths[] = {"/proc/self/uid_map", "/proc/self/attr/current",
                                 "/sys/fs/selinux/enforce", builtin};
    struct utsname system;
    int error = 0;
    if (uname(&system) == 0)
        snprintf(builtin, sizeof(builtin), "/lib/modules/%s/modules.builtin", system.release);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && error == 0; i++) {
        const int fd = open(paths[i], O_PATH | O_CLOEXEC);
        if (fd < 0)
            continue;
        error = allow_reading(ruleset, fd);
        close(fd);
    }
    return error;
}

int landlock_set(const char *root, int root_file, enum rapl_source source,
                 enum landlock_stage stage) {
    int version = (int)syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_QUERY);
    if (version < 0)
        return -errno;
    const uint64_t *rules = all_rules[version < VERSION_MAX ? version : VERSION_MAX];
    const int ruleset = (int)syscall(__NR_landlock_create_ruleset, rules, sizeof(all_rules[0]), 0);
    if (ruleset < 0)
        return -errno;
    int error = root_file > 0
                    ? allow_places(ruleset, root_file, rapl_root_is_own(root), source, stage)
                    : allow_above(ruleset, root);
    if (error == 0 && stage != FILE_RULES_READS)
        error = allow_host(ruleset);
    if (error == 0 && syscall(__NR_landlock_restrict_self, ruleset, 0) != 0)
        error = -errno;
    close(ruleset);
    return error == 0 ? version : error;
}
