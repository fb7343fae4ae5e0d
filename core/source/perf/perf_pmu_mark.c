/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_pmu.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/sysfs.h"

static uint64_t mix(uint64_t mark, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++)
        mark = (mark ^ at[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return mark;
}

static uint64_t mix_status(uint64_t mark, int fd) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return mix(mark, &fd, sizeof(fd));
    mark = mix(mark, &status.st_ino, sizeof(status.st_ino));
    return mix(mark, &status.st_mtim, sizeof(status.st_mtim));
}

static uint64_t mix_text(uint64_t mark, int fd) {
    char text[4096];
    const int length = fd >= 0 ? sysfs_read(fd, text, sizeof(text)) : fd;
    return length > 0 ? mix(mark, text, (size_t)length) : mix(mark, &length, sizeof(length));
}

uint64_t pmu_mark(int root, const char *name) {
    static const char *const parts[] = {"type", "cpumask", "events"};
    uint64_t mark = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char path[512];
        snprintf(path, sizeof(path), PMU_FOLDER "/%s/%s", name, parts[i]);
        const bool folder = i == 2;
        int fd = folder ? sysfs_open_folder(root, path) : sysfs_open(root, path);
        mark = mix_status(mark, fd);
        if (!folder)
            mark = mix_text(mark, fd);
        if (fd >= 0)
            close(fd);
    }
    return mark;
}
