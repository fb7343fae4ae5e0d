/* SPDX-License-Identifier: MIT */
/* A collectd plugin that is loaded last, so that its shutdown comes after all others: prints the
 * threads and open files that the process still has. */
#include "collectd.h"

#include "plugin.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static void tell_thread(const char *id) {
    char path[300];
    char name[64] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%s/comm", id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fgets(name, sizeof(name), file) != NULL)
        NOTICE("afterwards: thread %.*s", (int)strcspn(name, "\n"), name);
    fclose(file);
}

static void tell_file(const char *number) {
    char path[300];
    char target[300];
    snprintf(path, sizeof(path), "/proc/self/fd/%s", number);
    const ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return;
    target[length] = '\0';
    NOTICE("afterwards: file %s", target);
}

static void tell_each(const char *path, void (*tell)(const char *name)) {
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.')
            tell(entry->d_name);
    }
    closedir(folder);
}

static int afterwards_shutdown(void) {
    tell_each("/proc/self/task", tell_thread);
    tell_each("/proc/self/fd", tell_file);
    NOTICE("afterwards: that is all");
    return 0;
}

void module_register(void);
__attribute__((visibility("default"))) void module_register(void) {
    plugin_register_shutdown("afterwards", afterwards_shutdown);
}
