/* SPDX-License-Identifier: MIT */
/* The directories of CPUs, and the packages, dies and cores that the layout of msr readers is
 * derived from. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "rapl.h"
#include "source/msr/msr_readers.h"
#include "system/topology.h"

#define CPU_FOLDER "sys/devices/system/cpu"
#define CPUS 4

/* Each CPU of a list takes three opens; fuzz_cpu_list covers long lists in less time. */
static int count_some(void *context, unsigned int number) {
    (void)number;
    return ++*(size_t *)context > 16 * CPUS ? -E2BIG : 0;
}

static void write_cpus(struct input *input) {
    static const char *const attributes[] = {"physical_package_id", "core_id", "die_id"};
    char *online = take_text(input);
    size_t count = 0;
    if (topology_parse_list(online, count_some, &count) == -E2BIG)
        online[0] = '\0';
    HOLDS(root_write_text(TOPOLOGY_ONLINE, online));
    free(online);
    for (unsigned int cpu = 0; cpu < CPUS && input->left > 0; cpu++) {
        for (size_t i = 0; i < COUNT_OF(attributes); i++) {
            char path[128];
            char *text = take_text(input);
            snprintf(path, sizeof(path), CPU_FOLDER "/cpu%u/topology/%s", cpu, attributes[i]);
            if (text[0] != '\0')
                HOLDS(root_write_text(path, text));
            free(text);
        }
    }
}

static void check_topology(const struct topology *topology) {
    bool has_dies = false;
    for (size_t i = 0; i < topology->count; i++) {
        const struct cpu *cpu = &topology->cpus[i];
        HOLDS(cpu->number < CPUS && cpu->package_id >= 0 && cpu->die_id >= 0 && cpu->core_id >= 0);
        HOLDS(i == 0 || topology->cpus[i - 1].number < cpu->number);
        HOLDS(topology_find(topology, cpu->number) == cpu);
        for (size_t j = 0; j < i; j++)
            has_dies = has_dies || (topology->cpus[j].package_id == cpu->package_id &&
                                    topology->cpus[j].die_id != cpu->die_id);
    }
    HOLDS(topology->has_dies == has_dies);
}

/* Every CPU has a reader, and every reader a CPU, each exactly once. */
static void check_layout(struct msr_readers *layout) {
    msr_readers_judge(layout);
    msr_readers_drop_stale(layout);
    for (size_t i = 0; i < layout->topology.count; i++) {
        size_t whole = 0;
        size_t cores = 0;
        for (size_t j = 0; j < layout->reader_count; j++) {
            const struct msr_reader *reader = layout->readers[j];
            if (!msr_reader_covers(reader, &layout->topology.cpus[i]))
                continue;
            whole += reader->core_id == RAPL_NO_ID ? 1 : 0;
            cores += reader->core_id != RAPL_NO_ID ? 1 : 0;
        }
        HOLDS(whole == 1 && cores == (layout->vendor == CPU_VENDOR_INTEL ? 0 : 1));
    }
    for (size_t j = 0; j < layout->reader_count; j++) {
        bool covers = false;
        for (size_t i = 0; i < layout->topology.count; i++)
            covers = covers || msr_reader_covers(layout->readers[j], &layout->topology.cpus[i]);
        HOLDS(covers);
        HOLDS(j == 0 || msr_reader_compare(layout->readers[j - 1], layout->readers[j]) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const enum cpu_vendor vendors[] = {CPU_VENDOR_INTEL, CPU_VENDOR_AMD};
    struct input input = {bytes, size};
    struct msr_readers layout = {.root = root_open()};
    layout.vendor = vendors[take_byte(&input) % COUNT_OF(vendors)];
    /* Twice, because CPUs come and go. */
    for (int i = 0; i < 2; i++) {
        struct topology topology;
        write_cpus(&input);
        if (topology_load(layout.root, &topology) == 0)
            check_topology(&topology);
        topology_free(&topology);
        const int result = msr_readers_refresh(&layout);
        HOLDS(result <= 1 && result != -ENOMEM);
        if (result == 1)
            check_layout(&layout);
        root_clear(CPU_FOLDER);
    }
    msr_readers_free(&layout);
    return 0;
}
