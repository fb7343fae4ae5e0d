/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_source.h"
#include "reference.h"
#include "system/topology.h"
#include "tree_source.h"

struct world world;

void world_begin(struct machine *machine) {
    const uint64_t readings = world.readings;
    const uint64_t restarts = world.restarts;
    const uint64_t postponed = world.postponed;
    world = (struct world){
        .machine = machine, .readings = readings, .restarts = restarts, .postponed = postponed};
}

/* --- what the core calls (ld, --wrap) --------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __real_sysfs_open_root(const char *root);
int __wrap_sysfs_open_root(const char *root);
int __wrap_topology_open_online(int root);
uint64_t __wrap_topology_online_mark(int online_file);
struct cpu_model __wrap_cpuinfo_read(int root, int *proc_error);
struct source *__real_powercap_open(const struct source_options *options);
struct source *__wrap_powercap_open(const struct source_options *options);
struct source *__wrap_perf_open(const struct source_options *options);
struct source *__wrap_msr_open(const struct source_options *options);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
    const struct machine *machine = world.machine;
    uint64_t ns = id == CLOCK_MONOTONIC_RAW ? machine->raw_ns : machine->monotonic_ns;
    if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME)
        ns += machine->suspend_offset_ns;
    if (id == CLOCK_REALTIME)
        ns += machine->wall_ns;
    now->tv_sec = (time_t)(ns / NS_PER_S);
    now->tv_nsec = (long)(ns % NS_PER_S);
    return 0;
}

int __wrap_sysfs_open_root(const char *root) {
    return __real_sysfs_open_root(tree_source_root() != NULL ? root : "/");
}

int __wrap_topology_open_online(int root) {
    (void)root;
    /* content is not needed: the machine provides the mark */
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

uint64_t __wrap_topology_online_mark(int online_file) {
    (void)online_file;
    return world.machine->online_mark;
}

struct cpu_model __wrap_cpuinfo_read(int root, int *proc_error) {
    (void)root;
    *proc_error = 0;
    return (struct cpu_model){.vendor = world.machine->vendor,
                              .is_virtual = world.machine->is_virtual};
}

bool fake_memory_fails(void) {
    if (!world.memory_fails || world.memory_left-- > 0)
        return false;
    world.memory_fails = false;
    world.memory_failed = true;
    return true;
}

/* The core waits within a report before it reads a decreased value again. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left) {
    (void)left;
    if (world.is_unjudged) {
        machine_pass(world.machine, (uint64_t)wanted->tv_nsec);
        return 0;
    }
    if (world.samples > 0)
        reference_sampled(world.source, true);
    world.samples = 0;
    if (reference.account_count > 0 && reference_count_lows() == 0)
        reference_complain("it reads again, and nothing showed less than before");
    world.waits++;
    machine_pass(world.machine, (uint64_t)wanted->tv_nsec);
    return 0;
}

void *__wrap_calloc(size_t count, size_t size) {
    return fake_memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return fake_memory_fails() ? NULL : __real_realloc(memory, size);
}

void *fake_allocate(size_t size) {
    void *memory = __real_calloc(1, size);
    if (memory == NULL)
        abort();
    return memory;
}

struct source *__wrap_powercap_open(const struct source_options *options) {
    if (tree_source_root() != NULL)
        return tree_source_watch(__real_powercap_open(options));
    return fake_source_open(STYLE_POWERCAP);
}

struct source *__wrap_perf_open(const struct source_options *options) {
    (void)options;
    return fake_source_open(STYLE_PERF);
}

struct source *__wrap_msr_open(const struct source_options *options) {
    (void)options;
    return fake_source_open(STYLE_MSR);
}
