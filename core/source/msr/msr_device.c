/* SPDX-License-Identifier: MIT */
#include "source/msr/msr_device.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "system/sysfs.h"

/* AMD's register numbers are above 2^31. */
_Static_assert(sizeof(off_t) >= 8, "an offset of a file holds every register's number");

void msr_device_path(const struct msr_device *device, char path[MSR_PATH_SIZE]) {
    snprintf(path, MSR_PATH_SIZE, "dev/cpu/%u/%s", device->cpu,
             device->is_safe ? "msr_safe" : "msr");
}

int msr_device_open(struct msr_device *device, int root, unsigned int cpu,
                    const struct rapl_privilege *privilege) {
    char path[MSR_PATH_SIZE];
    *device = (struct msr_device){.cpu = cpu, .is_safe = true};
    msr_device_path(device, path);
    const int safe = sysfs_open_device(root, path, privilege);
    device->file = safe;
    if (safe < 0) {
        device->is_safe = false;
        msr_device_path(device, path);
        device->file = sysfs_open_device(root, path, privilege);
    }
    /* If there is no msr device, report the error of msr_safe. */
    if (device->file == -ENOENT && safe != -ENOENT) {
        device->is_safe = true;
        device->file = safe;
    }
    return device->file < 0 ? device->file : 0;
}

int msr_device_read(const struct msr_device *device, uint32_t address, uint64_t *value) {
    const ssize_t length = sysfs_read_at(device->file, value, sizeof(*value), (off_t)address);
    if (length < 0)
        return (int)length;
    return length == sizeof(*value) ? 0 : -EIO;
}

void msr_device_close(struct msr_device *device) {
    if (device->file >= 0)
        close(device->file);
    device->file = -1;
}
