/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <string.h>
#include <unistd.h>

#include "sysfs.h"

enum cpu_vendor topology_read_vendor(int root) {
    static const struct {
        const char *name;
        enum cpu_vendor vendor;
    } vendors[] = {{"GenuineIntel", CPU_VENDOR_INTEL},
                   {"AuthenticAMD", CPU_VENDOR_AMD},
                   {"HygonGenuine", CPU_VENDOR_HYGON}};
    static const char key[] = "vendor_id";
    char text[4096]; /* the first CPU's paragraph begins the file */

    int file = sysfs_open(root, "proc/cpuinfo");
    if (file < 0)
        return CPU_VENDOR_UNKNOWN;
    ssize_t length = pread(file, text, sizeof(text) - 1, 0);
    close(file);
    if (length <= 0)
        return CPU_VENDOR_UNKNOWN;
    text[length] = '\0';
    const char *line = text;
    while (line != NULL && strncmp(line, key, strlen(key)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return CPU_VENDOR_UNKNOWN;
    line += strlen(key);
    line += strspn(line, " \t:");
    size_t end = strcspn(line, "\n");
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (strlen(vendors[i].name) == end && strncmp(line, vendors[i].name, end) == 0)
            return vendors[i].vendor;
    }
    return end > 0 ? CPU_VENDOR_OTHER : CPU_VENDOR_UNKNOWN;
}

const char *topology_vendor_name(enum cpu_vendor vendor) {
    static const char *const names[] = {
        [CPU_VENDOR_UNKNOWN] = "unknown", [CPU_VENDOR_INTEL] = "Intel", [CPU_VENDOR_AMD] = "AMD",
        [CPU_VENDOR_HYGON] = "Hygon",     [CPU_VENDOR_OTHER] = "other",
    };
    return names[vendor];
}

int topology_open_online(int root) {
    return sysfs_open(root, "sys/devices/system/cpu/online");
}

uint64_t topology_online_mark(int online_file) {
    char text[4096]; /* an attribute of sysfs is at most a page */
    int length = online_file >= 0 ? sysfs_read(online_file, text, sizeof(text)) : -1;
    if (length <= 0)
        return 0;
    uint64_t mark = UINT64_C(14695981039346656037); /* FNV-1a */
    for (int i = 0; i < length; i++)
        mark = (mark ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return mark;
}
