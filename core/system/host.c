/* SPDX-License-Identifier: MIT */
#include "system/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "system/error.h"
#include "system/sysfs.h"

uint64_t host_capabilities(bool permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{.effective = 0}};
    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    const uint64_t low = permitted ? data[0].permitted : data[0].effective;
    const uint64_t high = permitted ? data[1].permitted : data[1].effective;
    return high << 32 | low;
}

/* --- confinement ----------------------------------------------------------------------------- */

/* The initial user namespace maps all ids to themselves in one line (user_namespaces(7)). */
static bool is_in_user_namespace(int root) {
    static const unsigned long whole[] = {0, 0, UINT32_MAX};
    char line[SYSFS_TEXT_SIZE];
    const int error = sysfs_load_line(root, "proc/self/uid_map", line, sizeof(line));
    if (error == SYSFS_TOO_LONG)
        return true;
    char *at = line;
    for (size_t i = 0; error == 0 && i < sizeof(whole) / sizeof(whole[0]); i++) {
        char *begin = at;
        const unsigned long number = strtoul(begin, &at, 10);
        if (at == begin)
            return false; /* not a map */
        if (number != whole[i])
            return true;
    }
    return false;
}

/* Containers do not see sys/fs/selinux, so the process's own label decides. An SELinux context has
 * at least three colons; an AppArmor profile shows its mode in parentheses (proc_pid_attr(5)). */
static enum host_confinement find_module(int root) {
    char text[512];
    uint64_t enforces = 0;
    const int error = sysfs_load_number(root, "sys/fs/selinux/enforce", &enforces);
    if (error == 0)
        return enforces != 0 ? HOST_SELINUX : HOST_UNCONFINED;
    if (sysfs_load_line(root, "proc/self/attr/current", text, sizeof(text)) != 0)
        return HOST_UNCONFINED;
    if (strstr(text, " (enforce)") != NULL)
        return HOST_APPARMOR;
    unsigned int colons = 0;
    for (const char *at = strchr(text, ':'); at != NULL; at = strchr(at + 1, ':'))
        colons++;
    return colons >= 3 ? HOST_SELINUX : HOST_UNCONFINED;
}

/* --- modules --------------------------------------------------------------------------------- */

/* Whether the driver is in the list of built-in modules, or that list cannot be read. */
static bool may_be_built_in(int root, const char *modules) {
    static const char name[] = "/intel_rapl_msr.ko";
    char path[160];
    char text[4096];
    size_t kept = 0;
    ssize_t length;
    off_t at = 0;
    bool found = false;
    snprintf(path, sizeof(path), "%s/modules.builtin", modules);
    const int file = sysfs_open(root, path);
    if (file < 0)
        return true;
    while (!found && (length = sysfs_read_at(file, text + kept, sizeof(text) - 1 - kept, at)) > 0) {
        at += length;
        kept += (size_t)length;
        text[kept] = '\0';
        found = strstr(text, name) != NULL;
        /* Keep the end, which may hold the beginning of the name. */
        const size_t rest = kept < sizeof(name) ? kept : sizeof(name);
        memmove(text, text + kept - rest, rest);
        kept = rest;
    }
    close(file);
    return found || length < 0;
}

static bool is_there(int root, const char *modules, const char *name, const char *ending) {
    char path[192];
    struct stat status;
    snprintf(path, sizeof(path), "%s/kernel/drivers/%s%s", modules, name, ending);
    return fstatat(root, path, &status, 0) == 0 || errno != ENOENT;
}

/* Looks for the module file, compressed or not, by its name since Linux 5.3 and the one before. */
static bool has_driver_file(int root, const char *modules) {
    static const char *const names[] = {"powercap/intel_rapl_msr.ko", "powercap/intel_rapl.ko"};
    static const char *const endings[] = {"", ".xz", ".zst", ".gz"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(endings) / sizeof(endings[0]); j++) {
            if (is_there(root, modules, names[i], endings[j]))
                return true;
        }
    }
    return false;
}

struct host host_look(int root, const char *release) {
    struct host host = {.confinement = HOST_UNCONFINED};
    char modules[128];
    snprintf(modules, sizeof(modules), "lib/modules/%s", release);
    host.confinement = is_in_user_namespace(root) ? HOST_USER_NAMESPACE : find_module(root);
    host.lacks_driver = is_there(root, modules, "", "") && !has_driver_file(root, modules) &&
                        !may_be_built_in(root, modules);
    return host;
}

struct host host_look_here(void) {
    struct host host = {.confinement = HOST_UNCONFINED};
    struct utsname system;
    const int root = uname(&system) == 0 ? sysfs_open_root("/") : -1;
    if (root < 0)
        return host;
    host = host_look(root, system.release);
    close(root);
    return host;
}

bool host_is_root(void) {
    return geteuid() == 0;
}
