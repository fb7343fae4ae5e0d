/* SPDX-License-Identifier: MIT */
/*
 * Every allocation in a handle's life fails, libc's own included, once and permanently, with each
 * source. The call returns -ENOMEM or copes, all memory and descriptors are released, and once
 * there is memory again, every series is reported, exact to the microjoule.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "line_protocol.h"
#include "msr_machine.h"
#include "rapl.h"
#include "tree.h"
#include "usual.h"
#include "values.h"

/* --- the allocator --------------------------------------------------------------------------- */

/* glibc's own names; the functions here replace them, also for calls from libc. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static struct {
    bool armed;
    bool lasts;
    bool failed;
    unsigned long left; /* number of allocations until one fails */
    long live;
} allocator;

static bool fails(void) {
    if (!allocator.armed || (allocator.left > 0 && allocator.left-- > 0))
        return false;
    allocator.armed = allocator.lasts;
    allocator.failed = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *memory) {
    allocator.live += memory != NULL;
    return memory;
}

__attribute__((visibility("default"))) void *malloc(size_t size) {
    return fails() ? NULL : count(__libc_malloc(size));
}

__attribute__((visibility("default"))) void *calloc(size_t number, size_t size) {
    return fails() ? NULL : count(__libc_calloc(number, size));
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t size) {
    if (fails())
        return NULL;
    return memory == NULL ? count(__libc_malloc(size)) : __libc_realloc(memory, size);
}

__attribute__((visibility("default"))) void free(void *memory) {
    allocator.live -= memory != NULL;
    __libc_free(memory);
}

static void arm(unsigned long index, bool lasts) {
    allocator.armed = true;
    allocator.lasts = lasts;
    allocator.failed = false;
    allocator.left = index;
}

/* --- machines -------------------------------------------------------------------------------- */

#define DEVICES "sys/bus/event_source/devices"
#define ONLINE "sys/devices/system/cpu/online"
#define JOULE_UJ UINT64_C(1000000)
#define MOVED_J 10

/* A machine with package-0 and package-1; the second one goes and returns. */
struct machine {
    enum rapl_source source;
    void (*make)(const struct tree *tree);
    void (*hide)(const struct tree *tree, bool hidden);
    /* package-0 uses MOVED_J; used_j: the joules that it has used since it was made. */
    void (*move)(const struct tree *tree, uint64_t used_j);
};

static void make_powercap(const struct tree *tree) {
    tree_set_vendor(tree, "GenuineIntel");
    tree_write(tree, ONLINE, "0-3\n");
    tree_add_zone(tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 0, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:1", "package-1", 0, RANGE_61_UJ);
}

static void hide_powercap(const struct tree *tree, bool hidden) {
    tree_write(tree, ONLINE, hidden ? "0-1\n" : "0-3\n");
    if (hidden)
        tree_drop_zone(tree, "intel-rapl:1");
    else
        tree_add_zone(tree, "intel-rapl:1", "package-1", 0, RANGE_61_UJ);
}

static void move_powercap(const struct tree *tree, uint64_t used_j) {
    tree_set_energy(tree, "intel-rapl:0", used_j * JOULE_UJ);
}

static struct msr_machine registers_of(const struct tree *tree) {
    return (struct msr_machine){.tree = tree, .packages = 2, .dies = 1, .cores = 2, .threads = 1};
}

static void make_registers(const struct tree *tree) {
    const struct msr_machine machine = registers_of(tree);
    tree_write(tree, "proc/cpuinfo", "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 94\n");
    machine_make(&machine);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 16384);
}

static void hide_registers(const struct tree *tree, bool hidden) {
    const struct msr_machine machine = registers_of(tree);
    machine_set_online(&machine, 2, !hidden, hidden ? "0-1" : "0-3");
    machine_set_online(&machine, 3, !hidden, hidden ? "0-1" : "0-3");
}

static void move_registers(const struct tree *tree, uint64_t used_j) {
    const struct msr_machine machine = registers_of(tree);
    machine_set_package(&machine, 0, PACKAGE, 16384 * (used_j + 1));
}

static void make_events(const struct tree *tree) {
    make_registers(tree); /* for its CPUs */
    fake_perf_start(1000);
    tree_write(tree, DEVICES "/power/type", "21\n");
    tree_write(tree, DEVICES "/power/cpumask", "0,2\n");
    tree_write(tree, DEVICES "/power/format/event", "config:0-7\n");
    tree_write(tree, DEVICES "/power/events/energy-pkg", "event=0x02\n");
    tree_write(tree, DEVICES "/power/events/energy-pkg.unit", "Joules\n");
    tree_write(tree, DEVICES "/power/events/energy-pkg.scale", "1e-6\n");
}

static void hide_events(const struct tree *tree, bool hidden) {
    hide_registers(tree, hidden);
    tree_write(tree, DEVICES "/power/cpumask", hidden ? "0\n" : "0,2\n");
}

static void move_events(const struct tree *tree, uint64_t used_j) {
    (void)tree;
    (void)used_j;
    fake_perf_add(2, 0, MOVED_J * JOULE_UJ);
}

static const struct machine machines[] = {
    {RAPL_SOURCE_POWERCAP, make_powercap, hide_powercap, move_powercap},
    {RAPL_SOURCE_MSR, make_registers, hide_registers, move_registers},
    {RAPL_SOURCE_PERF, make_events, hide_events, move_events},
    {RAPL_SOURCE_AUTO, make_events, hide_events, move_events},
};

/* --- a life ---------------------------------------------------------------------------------- */

/* Makes a report, formats its lines and reads the messages. NULL: out of memory. */
static const struct rapl_report *report(struct rapl *rapl, struct line_writer *writer) {
    const struct rapl_report *made = NULL;
    struct rapl_problem problem;
    fake_clocks_pass(60 * NS_PER_S);
    int error = rapl_report(rapl, &made);
    if (error == 0)
        error = line_writer_format(writer, made);
    while (rapl_next_problem(rapl, &problem))
        assert_true(problem.reason[0] != '\0');
    if (error != 0) {
        assert_int_equal(error, -ENOMEM);
        return NULL;
    }
    /* Without memory for its samples a series is not created. */
    for (size_t i = 0; i < made->value_count; i++)
        assert_int_equal(made->values[i].has_statistics, made->values[i].has_power);
    return made;
}

/* Hides or shows package-1, with memory available for the test's own calls. */
static void hide(const struct machine *machine, const struct tree *tree, bool hidden) {
    const bool armed = allocator.armed;
    allocator.armed = false;
    machine->hide(tree, hidden);
    allocator.armed = armed;
}

static void move(const struct machine *machine, const struct tree *tree, uint64_t used_j) {
    const bool armed = allocator.armed;
    allocator.armed = false;
    machine->move(tree, used_j);
    allocator.armed = armed;
}

/* Fake events only count while they are open. */
static bool moves_unread(const struct machine *machine) {
    return machine->move != move_events;
}

static void check_well(const struct machine *machine, const struct tree *tree, struct rapl *rapl,
                       struct line_writer *writer) {
    const uint64_t before_uj = moves_unread(machine) ? MOVED_J * JOULE_UJ : 0;
    report(rapl, writer);
    assume_usual_counters(rapl);
    const struct rapl_report *made = report(rapl, writer);
    assert_non_null(made);
    assert_non_null(find_value(made, "package-1"));
    assert_non_null(find_value(made, "total"));
    const struct rapl_value *value = find_value(made, "package-0");
    assert_non_null(value);
    assert_int_equal(value->energy_uj, before_uj);
    move(machine, tree, 2 * MOVED_J);
    made = report(rapl, writer);
    assert_non_null(made);
    value = find_value(made, "package-0");
    assert_non_null(value);
    assert_int_equal(value->energy_uj, before_uj + MOVED_J * JOULE_UJ);
    assert_true(value->has_power);
    assert_int_equal(value->power_uw, (MOVED_J * JOULE_UJ + 30) / 60);
}

/* Opens, reports, lets a package go and return, reads messages, closes. Returns whether an
 * allocation failed. */
static bool live(const struct machine *machine, const struct tree *tree, unsigned long index,
                 bool lasts) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    struct line_writer writer;
    options.root = tree->path;
    options.source = machine->source;
    options.sample_interval_ns = NS_PER_S;
    line_writer_open(
        &writer, NULL, 0,
        (struct line_fields){.energy = true, .health = true, .statistics = RAPL_STATISTICS_ALL});
    arm(index, lasts);
    const int error = rapl_open(&options, &rapl);
    for (int round = 0; error == 0 && round < 3; round++) {
        if (round > 0)
            hide(machine, tree, round == 1);
        if (round == 0 && moves_unread(machine))
            move(machine, tree, MOVED_J);
        report(rapl, &writer);
    }
    allocator.armed = false;
    const bool failed = allocator.failed;
    if (error == 0)
        check_well(machine, tree, rapl, &writer);
    else
        assert_int_equal(error, -ENOMEM);
    line_writer_close(&writer);
    rapl_close(rapl);
    return failed;
}

/* More allocations than any life has. */
#define ALLOCATIONS_MAX 5000

static void fail_each(const struct tree *tree, const struct machine *machine, bool lasts) {
    for (unsigned long i = 0; i < ALLOCATIONS_MAX; i++) {
        fakes_end();
        fake_clocks_stop();
        machine->make(tree);
        const size_t descriptors = tree_count_descriptors();
        const long before = allocator.live;
        const bool failed = live(machine, tree, i, lasts);
        const long after = allocator.live;
        assert_int_equal(tree_count_descriptors(), descriptors);
        tree_remove(tree, "sys");
        if (!failed) {
            printf("# source %d, %s: %lu allocations\n", (int)machine->source,
                   lasts ? "for ever" : "once", i);
            return;
        }
        /* The first life leaves behind what libc keeps. */
        if (i > 0)
            assert_int_equal(after, before);
    }
    fail_msg("it never ends");
}

static void test_powercap(void **state) {
    fail_each(*state, &machines[0], false);
    fail_each(*state, &machines[0], true);
}

static void test_msr(void **state) {
    fail_each(*state, &machines[1], false);
    fail_each(*state, &machines[1], true);
}

static void test_perf(void **state) {
    fail_each(*state, &machines[2], false);
    fail_each(*state, &machines[2], true);
}

static void test_auto(void **state) {
    fail_each(*state, &machines[3], false);
    fail_each(*state, &machines[3], true);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_powercap),
        IN_TREE(test_msr),
        IN_TREE(test_perf),
        IN_TREE(test_auto),
    };
    return cmocka_run_group_tests_name("allocations", tests, NULL, NULL);
}
