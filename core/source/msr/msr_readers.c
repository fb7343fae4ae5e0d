/* SPDX-License-Identifier: MIT */
#include "source/msr/msr_readers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/sysfs.h"

/* Binary search: the reader's index, or where it would be inserted. */
static size_t find_place(const struct msr_readers *layout, int package_id, int die_id, int core_id,
                         bool *found) {
    const struct msr_reader wanted = {
        .package_id = package_id, .die_id = die_id, .core_id = core_id};
    size_t low = 0;
    size_t high = layout->reader_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (msr_reader_compare(layout->readers[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < layout->reader_count && msr_reader_compare(layout->readers[low], &wanted) == 0;
    return low;
}

static int add_reader(struct msr_readers *layout, int package_id, int die_id, int core_id) {
    bool found;
    const size_t at = find_place(layout, package_id, die_id, core_id, &found);
    if (found)
        return 0;
    struct msr_reader *reader = msr_reader_new(package_id, die_id, core_id);
    if (reader == NULL)
        return -ENOMEM;
    struct msr_reader **readers =
        realloc(layout->readers, (layout->reader_count + 1) * sizeof(struct msr_reader *));
    if (readers == NULL) {
        msr_reader_free(reader);
        return -ENOMEM;
    }
    layout->readers = readers;
    memmove(&readers[at + 1], &readers[at],
            (layout->reader_count - at) * sizeof(struct msr_reader *));
    readers[at] = reader;
    layout->reader_count++;
    return 0;
}

/* Intel counts by package and die. AMD counts by package and by core; its dies (CCDs since Linux
 * 6.9) only distinguish cores, because core ids start again in each die. */
static int add_readers_of(struct msr_readers *layout, const struct cpu *cpu) {
    const int die_id = layout->has_dies ? cpu->die_id : RAPL_NO_ID;
    if (layout->vendor == CPU_VENDOR_INTEL)
        return add_reader(layout, cpu->package_id, die_id, RAPL_NO_ID);
    int error = add_reader(layout, cpu->package_id, RAPL_NO_ID, RAPL_NO_ID);
    return error != 0 ? error : add_reader(layout, cpu->package_id, die_id, cpu->core_id);
}

static void note_first(struct msr_readers *layout) {
    for (size_t i = 0; i < layout->topology.count; i++) {
        const struct cpu *cpu = &layout->topology.cpus[i];
        const bool lower =
            !layout->has_first || cpu->package_id < layout->first_package ||
            (cpu->package_id == layout->first_package && cpu->die_id < layout->first_die);
        if (!lower)
            continue;
        layout->first_package = cpu->package_id;
        layout->first_die = cpu->die_id;
        layout->has_first = true;
    }
}

static int count_cpu(void *context, unsigned int number) {
    (void)number;
    ++*(size_t *)context;
    return 0;
}

/* Counts the online CPUs. mark: hash of their list; 0: it cannot be read. */
static size_t count_online(const struct msr_readers *layout, uint64_t *mark) {
    char text[4096];
    size_t count = 0;
    *mark = 0;
    int file = topology_open_online(layout->root);
    if (file < 0)
        return 0;
    if (sysfs_read(file, text, sizeof(text)) > 0 &&
        topology_parse_list(text, count_cpu, &count) == 0)
        *mark = topology_online_mark(file);
    close(file);
    return count;
}

/* Keeps the mark only if the list did not change meanwhile and all its CPUs were found. Otherwise
 * the next call loads it again. */
int msr_readers_refresh(struct msr_readers *layout) {
    struct topology topology;
    uint64_t mark;
    uint64_t mark_after;
    const size_t count = count_online(layout, &mark);
    if (mark != 0 && mark == layout->online_mark)
        return 0;
    int error = topology_load(layout->root, &topology);
    if (error == 0 && topology.count == 0)
        error = -ENOENT;
    if (error != 0)
        return error;
    topology_free(&layout->topology);
    layout->topology = topology;
    layout->has_dies = layout->has_dies || topology.has_dies;
    if (!layout->has_first)
        note_first(layout);
    layout->online_mark = 0;
    for (size_t i = 0; i < topology.count; i++) {
        error = add_readers_of(layout, &topology.cpus[i]);
        if (error != 0)
            return error;
    }
    (void)count_online(layout, &mark_after);
    if (count == topology.count && mark == mark_after)
        layout->online_mark = mark;
    return 1;
}

static void mark_online(const struct msr_readers *layout, int package_id, int die_id, int core_id) {
    bool found;
    const size_t at = find_place(layout, package_id, die_id, core_id, &found);
    if (found)
        layout->readers[at]->stale = false;
}

/* A reader without online CPUs is stale if its device is closed or if names now include dies. */
void msr_readers_judge(struct msr_readers *layout) {
    for (size_t i = 0; i < layout->reader_count; i++) {
        struct msr_reader *reader = layout->readers[i];
        const bool has_die = layout->has_dies &&
                             (layout->vendor == CPU_VENDOR_INTEL || reader->core_id != RAPL_NO_ID);
        reader->stale = (reader->die_id != RAPL_NO_ID) != has_die || reader->device.file < 0;
    }
    for (size_t i = 0; i < layout->topology.count; i++) {
        const struct cpu *cpu = &layout->topology.cpus[i];
        const int die_id = layout->has_dies ? cpu->die_id : RAPL_NO_ID;
        const bool intel = layout->vendor == CPU_VENDOR_INTEL;
        mark_online(layout, cpu->package_id, intel ? die_id : RAPL_NO_ID, RAPL_NO_ID);
        if (!intel)
            mark_online(layout, cpu->package_id, die_id, cpu->core_id);
    }
}

void msr_readers_drop_stale(struct msr_readers *layout) {
    size_t kept = 0;
    for (size_t i = 0; i < layout->reader_count; i++) {
        if (layout->readers[i]->stale)
            msr_reader_free(layout->readers[i]);
        else
            layout->readers[kept++] = layout->readers[i];
    }
    layout->reader_count = kept;
}

void msr_readers_free(struct msr_readers *layout) {
    for (size_t i = 0; i < layout->reader_count; i++)
        msr_reader_free(layout->readers[i]);
    free(layout->readers);
    topology_free(&layout->topology);
}
