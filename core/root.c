/* SPDX-License-Identifier: MIT */
/* Finds the folder that contains sys, proc and dev. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rapl.h"
#include "system/sysfs.h"

static const char *find_variable(const char *name) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Length of the part of path before name ("/sys"); SIZE_MAX: path does not end in name. */
static size_t find_folder(const char *path, const char *name) {
    const size_t tail = strlen(name);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length < tail || strncmp(path + length - tail, name, tail) != 0)
        return SIZE_MAX;
    return length - tail;
}

static char *copy_root(const char *root, size_t length) {
    char *copy = strdup(length > 0 ? root : "/");
    if (copy != NULL && length > 0)
        copy[length] = '\0';
    return copy;
}

/* Telegraf's inputs use HOST_SYS and HOST_PROC (gopsutil), some of them HOST_MOUNT_PREFIX. */
char *rapl_find_root(const char *root) {
    if (root == NULL)
        root = find_variable("HOST_MOUNT_PREFIX");
    if (root != NULL)
        return copy_root(root, strlen(root));
    const char *sys = find_variable("HOST_SYS");
    const size_t length = sys != NULL ? find_folder(sys, "/sys") : SIZE_MAX;
    return length != SIZE_MAX ? copy_root(sys, length) : strdup("/");
}

/* Whether the variable is set to another folder than the root's own of that name. */
static bool differs(const char *variable, const char *root, const char *name) {
    const char *path = find_variable(variable);
    const size_t length = path != NULL ? find_folder(path, name) : 0;
    if (path == NULL)
        return false;
    return length != (rapl_root_is_own(root) ? 0 : strlen(root)) ||
           strncmp(path, root, length) != 0;
}

bool rapl_root_warning(const char *root, char *text, size_t size) {
    if (root != NULL || find_variable("HOST_MOUNT_PREFIX") != NULL)
        return false;
    char *found = rapl_find_root(NULL);
    if (found == NULL)
        return false;
    const char *variable = differs("HOST_SYS", found, "/sys")     ? "HOST_SYS"
                           : differs("HOST_PROC", found, "/proc") ? "HOST_PROC"
                                                                  : NULL;
    if (variable != NULL)
        snprintf(text, size,
                 "%s=%s is not used: sys and proc are read below one folder, which is %s; set "
                 "HOST_MOUNT_PREFIX to the folder that holds both",
                 variable, getenv(variable), found);
    free(found);
    return variable != NULL;
}

bool rapl_root_is_own(const char *root) {
    return root[0] == '/' && root[strspn(root, "/")] == '\0';
}

int rapl_open_root(const char *root) {
    return sysfs_open_root(root);
}
