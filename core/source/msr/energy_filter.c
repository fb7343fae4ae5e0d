/* SPDX-License-Identifier: MIT */
#include "source/msr/energy_filter.h"

#include <errno.h>
#include <stdint.h>

#include "source/msr/msr_device.h"
#include "system/error.h"
#include "system/sysfs.h"
#include "system/topology.h"

/* SDM vol. 4, table 2-2: IA32_ARCH_CAPABILITIES. Bit 10: IA32_MISC_PACKAGE_CTLS exists; bit 11: so
 * does its bit 0, ENERGY_FILTERING_ENABLE. */
#define ARCH_CAPABILITIES 0x10A
#define HAS_FILTERING ((UINT64_C(1) << 10) | (UINT64_C(1) << 11))
#define MISC_PACKAGE_CTLS 0xBC
#define IS_FILTERING UINT64_C(1)

/* Takes the first CPU of a list. */
static int take_first(void *context, unsigned int number) {
    *(unsigned int *)context = number;
    return 1;
}

static int find_lowest_cpu(int root, unsigned int *cpu) {
    int result = topology_load_list(root, TOPOLOGY_ONLINE, take_first, cpu);
    if (result == 0)
        return -ENODEV;
    return result == 1 ? 0 : result;
}

int energy_filter_read(int root, const struct rapl_privilege *privilege, bool *filtering) {
    struct msr_device device;
    unsigned int cpu = 0;
    uint64_t capabilities = 0;
    uint64_t control = 0;
    int error = find_lowest_cpu(root, &cpu);
    if (error == 0)
        error = msr_device_open(&device, root, cpu, privilege);
    if (error == SYSFS_NOT_REGULAR)
        return -ENODEV;
    if (error != 0)
        return error;
    error = msr_device_read(&device, ARCH_CAPABILITIES, &capabilities);
    if (error == -EIO || (error == 0 && (capabilities & HAS_FILTERING) != HAS_FILTERING))
        error = -ENOTSUP;
    if (error == 0)
        error = msr_device_read(&device, MISC_PACKAGE_CTLS, &control);
    if (error == 0)
        *filtering = (control & IS_FILTERING) != 0;
    msr_device_close(&device);
    return error;
}
