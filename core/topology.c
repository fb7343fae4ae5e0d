/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <string.h>
#include <unistd.h>

#include "sysfs.h"

/* What stands after "KEY<tab>: " in the first line that begins so, up to its end; or NULL. */
static const char *find_value(const char *text, const char *key, size_t *length) {
    const char *line = text;
    while (line != NULL && strncmp(line, key, strlen(key)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return NULL;
    line += strlen(key);
    line += strspn(line, " \t:");
    *length = strcspn(line, "\n");
    return line;
}

static enum cpu_vendor find_vendor(const char *text) {
    static const struct {
        const char *name;
        enum cpu_vendor vendor;
    } vendors[] = {{"GenuineIntel", CPU_VENDOR_INTEL},
                   {"AuthenticAMD", CPU_VENDOR_AMD},
                   {"HygonGenuine", CPU_VENDOR_HYGON}};
    size_t length = 0;
    const char *name = find_value(text, "vendor_id", &length);
    if (name == NULL || length == 0)
        return CPU_VENDOR_UNKNOWN;
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (strlen(vendors[i].name) == length && strncmp(name, vendors[i].name, length) == 0)
            return vendors[i].vendor;
    }
    return CPU_VENDOR_OTHER;
}

static bool has_flag(const char *text, const char *flag) {
    size_t length = 0;
    const char *flags = find_value(text, "flags", &length);
    const char *found = flags != NULL ? memmem(flags, length, flag, strlen(flag)) : NULL;
    if (found == NULL || found == flags || found[-1] != ' ')
        return false;
    const char *end = found + strlen(flag);
    return end == flags + length || *end == ' ';
}

struct cpu topology_read_cpu(int root) {
    struct cpu cpu = {.vendor = CPU_VENDOR_UNKNOWN};
    char text[8192]; /* the first CPU's paragraph begins the file */

    int file = sysfs_open(root, "proc/cpuinfo");
    if (file < 0)
        return cpu;
    ssize_t length = pread(file, text, sizeof(text) - 1, 0);
    close(file);
    if (length <= 0)
        return cpu;
    text[length] = '\0';
    cpu.vendor = find_vendor(text);
    cpu.is_virtual = has_flag(text, "hypervisor");
    return cpu;
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
