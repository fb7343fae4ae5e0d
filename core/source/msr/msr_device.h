/* SPDX-License-Identifier: MIT */
/* The registers of one CPU: dev/cpu/N/msr_safe if it opens, else dev/cpu/N/msr
 * (arch/x86/kernel/msr.c). */
#ifndef RAPL_MSR_DEVICE_H
#define RAPL_MSR_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "rapl.h"

#define MSR_PATH_SIZE ((size_t)48)

struct msr_device {
    unsigned int cpu;
    int file;
    bool is_safe; /* it is msr_safe, which gives EACCES for registers that are not on its list */
};

/* Opens the device for reading. 0 or a negative errno. */
int msr_device_open(struct msr_device *device, int root, unsigned int cpu,
                    const struct rapl_privilege *privilege);

/* -EIO: the CPU has no such register. */
int msr_device_read(const struct msr_device *device, uint32_t address, uint64_t *value);

/* The device's path below the root: "dev/cpu/0/msr". */
void msr_device_path(const struct msr_device *device, char path[MSR_PATH_SIZE]);

void msr_device_close(struct msr_device *device);

#endif
