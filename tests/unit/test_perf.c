/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "source/perf/perf_count.h"
#include "source/source.h"
#include "source/unit_fault.h"
#include "system/error.h"
#include "system/host.h"
#include "tree.h"
#include "usual.h"
#include "values.h"

#define DEVICES "sys/bus/event_source/devices"
#define EVENTS DEVICES "/power/events"
#define SCALE "2.3283064365386962890625e-10"

/* Ticks of perf: 2^-32 J each. */
#define JOULE (INT64_C(1) << 32)
#define UNIT (INT64_C(1) << 18)

/* Event numbers (config) of the kernel. */
enum { CORES = 1, PKG, RAM, GPU, PSYS };
#define CORE CORES

/* A source on a temporary tree. */
struct bench {
    struct tree *tree;
    struct source *source;
    struct problems problems;
    struct source_options options;
};

static struct bench bench;

/* --- the machine ----------------------------------------------------------------------------- */

static void add_pmu(const char *name, const char *type, const char *cpumask) {
    char path[256];
    snprintf(path, sizeof(path), DEVICES "/%s/type", name);
    tree_write(bench.tree, path, "%s\n", type);
    snprintf(path, sizeof(path), DEVICES "/%s/cpumask", name);
    tree_write(bench.tree, path, "%s\n", cpumask);
    snprintf(path, sizeof(path), DEVICES "/%s/format/event", name);
    tree_write(bench.tree, path, "config:0-7\n");
    snprintf(path, sizeof(path), DEVICES "/%s/events", name);
    tree_make_folder(bench.tree, path);
}

static void add_event(const char *pmu, const char *name, unsigned int config, const char *scale) {
    char path[256];
    snprintf(path, sizeof(path), DEVICES "/%s/events/%s", pmu, name);
    tree_write(bench.tree, path, "event=0x%02x\n", config);
    snprintf(path, sizeof(path), DEVICES "/%s/events/%s.scale", pmu, name);
    tree_write(bench.tree, path, "%s\n", scale);
    snprintf(path, sizeof(path), DEVICES "/%s/events/%s.unit", pmu, name);
    tree_write(bench.tree, path, "Joules\n");
}

static void add_cpu(unsigned int number, int package, int die, int core) {
    char path[128];
    snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/physical_package_id",
             number);
    tree_write(bench.tree, path, "%d\n", package);
    snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/die_id", number);
    tree_write(bench.tree, path, "%d\n", die);
    snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/topology/core_id", number);
    tree_write(bench.tree, path, "%d\n", core);
}

static void set_online(const char *list) {
    tree_write(bench.tree, "sys/devices/system/cpu/online", "%s\n", list);
}

static void set_cpumask(const char *list) {
    tree_write(bench.tree, DEVICES "/power/cpumask", "%s\n", list);
}

/* Two packages of two CPUs, with pkg and ram. */
static void add_server(void) {
    add_cpu(0, 0, 0, 0);
    add_cpu(1, 0, 0, 1);
    add_cpu(2, 1, 0, 0);
    add_cpu(3, 1, 0, 1);
    set_online("0-3");
    add_pmu("power", "21", "0,2");
    add_event("power", "energy-pkg", PKG, SCALE);
    add_event("power", "energy-ram", RAM, SCALE);
}

/* One package, two dies of two CPUs. */
static void add_dies(void) {
    add_cpu(0, 0, 0, 0);
    add_cpu(1, 0, 0, 1);
    add_cpu(2, 0, 1, 0);
    add_cpu(3, 0, 1, 1);
    set_online("0-3");
    add_pmu("power", "21", "0,2");
    add_event("power", "energy-pkg", PKG, SCALE);
    add_event("power", "energy-psys", PSYS, SCALE);
}

/* --- the source ------------------------------------------------------------------------------ */

static void reopen(void) {
    if (bench.source != NULL)
        bench.source->operations->close(bench.source);
    bench.source = perf_open(&bench.options);
    assert_non_null(bench.source);
}

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    bench = (struct bench){.tree = tree, .problems = {.root = "/"}};
    bench.options = (struct source_options){
        .root = bench.tree->root, .model = {.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 85}};
    *state = bench.tree;
    fake_clocks_stop();
    fake_perf_start((uint64_t)UNIT);
    bench.source = perf_open(&bench.options);
    return bench.source != NULL ? 0 : -1;
}

static int teardown(void **state) {
    bench.source->operations->close(bench.source);
    problems_free(&bench.problems);
    return tree_teardown(state);
}

static int discover(void) {
    return bench.source->operations->discover(bench.source, &bench.problems);
}

static void sample(void) {
    bench.source->operations->sample(bench.source);
}

static size_t position(const char *id) {
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        if (strcmp(bench.source->zones[i]->id, id) == 0)
            return i;
    }
    fail_msg("%s was not found", id);
    return 0;
}

static struct zone *zone(const char *id) {
    return bench.source->zones[position(id)];
}

static const struct reading *reading(const char *id) {
    return &bench.source->readings[position(id)];
}

static void expect_names(const char *const *names, size_t count) {
    assert_int_equal(bench.source->zone_count, count);
    for (size_t i = 0; i < count; i++) {
        char name[ZONE_NAME_SIZE];
        assert_true(bench.source->zones[i]->identified);
        zone_format_name(&bench.source->zones[i]->identity, name);
        assert_string_equal(name, names[i]);
    }
}

static const char *expect_told(const char *part) {
    static struct rapl_problem problem;
    if (!problems_next(&bench.problems, &problem))
        fail_msg("nothing is told, and not \"%s\"", part);
    if (strstr(problem.reason, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.reason, part);
    return problem.remedy;
}

static void expect_holds(const char *text, const char *part) {
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void expect_nothing_told(void) {
    struct rapl_problem problem;
    if (problems_next(&bench.problems, &problem))
        fail_msg("\"%s\"", problem.reason);
}

/* One second at that power. */
static void pass(unsigned int config, unsigned int cpu, int64_t watts) {
    fake_perf_add(config, cpu, watts * JOULE);
    fake_clocks_pass(NS_PER_S);
}

/* --- names ----------------------------------------------------------------------------------- */

static void test_packages_and_domains_have_powercaps_names(void **state) {
    (void)state;
    static const char *const names[] = {"package-0",      "package-0/core", "package-0/uncore",
                                        "package-0/dram", "package-0/l3",   "psys",
                                        "package-1",      "package-1/core", "package-1/uncore",
                                        "package-1/dram", "package-1/l3",   "psys-1"};
    add_server();
    add_event("power", "energy-cores", CORES, SCALE);
    add_event("power", "energy-gpu", GPU, SCALE);
    add_event("power", "energy-psys", PSYS, SCALE);
    add_event("power", "energy-l3", 6, SCALE);
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
    const struct zone *dram = zone("power/energy-ram@2");
    assert_string_equal(dram->path, EVENTS "/energy-ram");
    assert_int_equal(dram->identity.kind, ZONE_DRAM);
    assert_int_equal(dram->identity.package_id, 1);
    assert_int_equal(dram->identity.die_id, RAPL_NO_ID);
    assert_int_equal(dram->traits.modulus, 0);
    assert_int_equal(dram->traits.unit, 0);
    assert_int_equal(dram->range_uj, 0);
    assert_int_equal(dram->control, 0);
    assert_int_equal(dram->traits.ceiling_uw, 1000000000);
    assert_int_equal(counter_to_uj(dram->traits.scale, UINT64_C(1) << 32), 1000000);
    assert_int_equal(zone("power/energy-psys@0")->traits.ceiling_uw, UINT64_C(50000000000));
    expect_nothing_told();
}

static void test_dies_of_intel_have_names(void **state) {
    (void)state;
    static const char *const names[] = {"package-0-die-0", "psys", "package-0-die-1", "psys-0"};
    add_dies();
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
}

/* Before Linux 6.13 the kernel reads on the caller's CPU if it is in the same package, and so the
 * counter of whichever die that CPU is in. */
static void test_dies_are_read_from_their_own_cpus(void **state) {
    (void)state;
    add_dies();
    fake_perf_differs((uint64_t)(5000 * JOULE));
    assert_int_equal(discover(), 1);
    sample();
    const uint64_t before = reading("power/energy-pkg@2")->ticks;
    pass(PKG, 2, 50);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(reading("power/energy-pkg@2")->ticks - before, 50 * JOULE);
    /* the first CPU of the die goes: no reading is better than one from another die */
    fake_perf_forbids(2);
    pass(PKG, 2, 50);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    set_online("0-1,3");
    set_cpumask("0,3");
    fake_perf_differs(0);
    const uint32_t opened = fake_perf_opened();
    assert_int_equal(discover(), 0);
    assert_int_equal(zone("power/energy-pkg@2")->error, 0);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(fake_perf_opened(), opened);
}

static void test_packages_are_read_from_anywhere(void **state) {
    (void)state;
    add_server();
    fake_perf_forbids(0);
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

/* Linux 6.9 to 6.11 treat an AMD CCD as a die and list a CPU for each: it is one counter. */
static void test_dies_of_amd_are_one_package(void **state) {
    (void)state;
    static const enum cpu_vendor vendors[] = {CPU_VENDOR_AMD, CPU_VENDOR_HYGON};
    static const char *const names[] = {"package-0"};
    add_dies();
    tree_remove(bench.tree, EVENTS "/energy-psys");
    for (size_t i = 0; i < COUNT_OF(vendors); i++) {
        bench.options.model.vendor = vendors[i];
        reopen();
        assert_int_equal(discover(), 1);
        expect_names(names, COUNT_OF(names));
    }
}

static void test_dies_of_a_counter_of_the_package_have_none(void **state) {
    (void)state;
    static const char *const names[] = {"package-0", "psys"};
    add_dies();
    set_cpumask("2");
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
}

static void test_names_stay_when_cpus_go(void **state) {
    (void)state;
    static const char *const names[] = {"package-0-die-1", "psys-0"};
    add_dies();
    assert_int_equal(discover(), 1);
    fake_perf_offline(0);
    set_online("2-3");
    set_cpumask("2");
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
}

/* psys of the second package is psys-1, even while it is the only one. */
static void test_psys_keeps_its_number(void **state) {
    (void)state;
    static const char *const names[] = {"psys-1"};
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    assert_int_equal(discover(), 1);
    set_online("0");
    set_cpumask("0");
    assert_int_equal(discover(), 1);
    tree_remove(bench.tree, EVENTS "/energy-pkg");
    tree_remove(bench.tree, EVENTS "/energy-ram");
    set_online("2-3");
    set_cpumask("2");
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
}

static void test_cores_of_amd(void **state) {
    (void)state;
    static const char *const names[] = {"package-0",
                                        "package-1",
                                        "package-0-core-0/core",
                                        "package-0-core-1/core",
                                        "package-1-core-0/core",
                                        "package-1-core-1/core"};
    add_server();
    tree_remove(bench.tree, EVENTS "/energy-ram");
    add_pmu("power_core", "22", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    bench.options.model = (struct cpu_model){.vendor = CPU_VENDOR_AMD, .family = 26};
    reopen();
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
    struct zone_identity whole;
    char name[ZONE_NAME_SIZE];
    assert_true(zone_is_core_of(&zone("power_core/energy-core@3")->identity, &whole));
    zone_format_name(&whole, name);
    assert_string_equal(name, "package-1/core");
    assert_int_equal(fake_perf_type(CORE, 3), 22);
    assert_int_equal(fake_perf_type(PKG, 0), 21);
    sample();
    const uint64_t before = reading("power_core/energy-core@1")->ticks;
    pass(CORE, 1, 7);
    sample();
    assert_int_equal(reading("power_core/energy-core@1")->ticks - before, 7 * JOULE);
}

/* Two threads per core, and the same core numbers on two dies. */
static void test_cores_are_told_apart_by_their_dies(void **state) {
    (void)state;
    static const char *const names[] = {"package-0-die-0-core-0/core",
                                        "package-0-die-1-core-0/core"};
    add_cpu(0, 0, 0, 0);
    add_cpu(1, 0, 1, 0);
    add_cpu(2, 0, 0, 0);
    add_cpu(3, 0, 1, 0);
    set_online("0-3");
    add_pmu("power", "21", "0");
    add_pmu("power_core", "22", "");
    add_event("power_core", "energy-core", CORE, SCALE);
    bench.options.model.vendor = CPU_VENDOR_AMD;
    reopen();
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
    assert_string_equal(bench.source->zones[1]->id, "power_core/energy-core@1");
}

static void test_whole_joules_of_psys(void **state) {
    (void)state;
    static const struct {
        struct cpu_model model;
        uint64_t unit;
    } models[] = {
        {{CPU_VENDOR_INTEL, 6, 0x8F, false}, UINT64_C(1) << 32},
        {{CPU_VENDOR_INTEL, 6, 0xCF, false}, UINT64_C(1) << 32},
        {{CPU_VENDOR_INTEL, 6, 0xAD, false}, UINT64_C(1) << 32}, /* as in the model table */
        {{CPU_VENDOR_INTEL, 6, 0xAE, false}, UINT64_C(1) << 32},
        {{CPU_VENDOR_INTEL, 6, 0xAF, false}, 0},
        {{CPU_VENDOR_INTEL, 6, 0x6A, false}, 0},
        {{CPU_VENDOR_AMD, 6, 0x8F, false}, 0},
        {{CPU_VENDOR_INTEL, 19, 0x8F, false}, 0},
    };
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        bench.options.model = models[i].model;
        reopen();
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("power/energy-psys@0")->traits.unit, models[i].unit);
        assert_int_equal(zone("power/energy-pkg@0")->traits.unit, 0);
    }
}

#define WRONG_UNIT (INT64_C(1) << 16)

/* Linux 5.10 uses a dram unit of a quarter of the true value. */
static void test_dram_with_the_wrong_unit_is_corrected(void **state) {
    (void)state;
    static const unsigned int models[] = {0x8F, 0xCF};
    add_server();
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        bench.options.model.model = models[i];
        fake_perf_start(5 * (uint64_t)WRONG_UNIT);
        reopen();
        assert_int_equal(discover(), 1);
        assert_non_null(zone("power/energy-ram@0")->fault);
        assert_null(zone("power/energy-pkg@0")->fault);
        sample();
        const uint64_t ram = reading("power/energy-ram@0")->ticks;
        const uint64_t package = reading("power/energy-pkg@0")->ticks;
        fake_perf_add(RAM, 0, 1001 * WRONG_UNIT);
        fake_perf_add(PKG, 0, 1001 * UNIT);
        sample();
        assert_int_equal(reading("power/energy-ram@0")->error, 0);
        assert_int_equal(reading("power/energy-ram@0")->ticks - ram, 1001 * UNIT);
        assert_int_equal(reading("power/energy-pkg@0")->ticks - package, 1001 * UNIT);
    }
}

/* No value is reported until it is decided whether the unit is wrong. */
static void test_dram_whose_unit_is_not_known_yet_says_nothing(void **state) {
    (void)state;
    add_server();
    bench.options.model.model = 0x8F;
    reopen();
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("power/energy-ram@0")->error, UNIT_NOT_KNOWN);
    assert_int_equal(zone("power/energy-pkg@0")->error, 0);
    for (unsigned int count = 2; count < UNIT_WATCH_COUNTS; count++) {
        fake_perf_add(RAM, 0, 3 * UNIT);
        sample();
        assert_int_equal(reading("power/energy-ram@0")->error, UNIT_NOT_KNOWN);
    }
    fake_perf_add(RAM, 0, 3 * UNIT);
    sample();
    assert_int_equal(reading("power/energy-ram@0")->error, 0);
    const uint64_t ram = reading("power/energy-ram@0")->ticks;
    fake_perf_add(RAM, 0, 7 * UNIT);
    sample();
    assert_int_equal(reading("power/energy-ram@0")->ticks - ram, 7 * UNIT);
    assert_null(zone("power/energy-ram@0")->fault);
    /* The other package has the wrong unit after all. */
    fake_perf_add(RAM, 2, WRONG_UNIT);
    sample();
    assert_int_equal(reading("power/energy-ram@2")->error, 0);
    assert_non_null(zone("power/energy-ram@2")->fault);
}

static void test_dram_whose_unit_is_in_doubt_is_marked(void **state) {
    (void)state;
    add_server();
    bench.options.model.model = 0x56;
    reopen();
    assert_int_equal(discover(), 1);
    assert_non_null(zone("power/energy-ram@0")->fault);
    assert_null(zone("power/energy-pkg@0")->fault);
    assert_int_equal(zone("power/energy-ram@0")->error, 0);
}

static void test_max_power_is_the_ceiling(void **state) {
    (void)state;
    add_server();
    bench.options.max_power_uw = 120000000;
    reopen();
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("power/energy-pkg@0")->traits.ceiling_uw, 120000000);
}

/* --- CPUs ------------------------------------------------------------------------------------ */

/* Linux 7.0 lists every CPU of a package. */
static void test_one_cpu_reads_for_a_package(void **state) {
    (void)state;
    static const char *const masks[] = {"0-3", "0,2", "1,3", "", "7-9"};
    static const unsigned int first[] = {0, 0, 1, 0, 0};
    add_server();
    for (size_t i = 0; i < COUNT_OF(masks); i++) {
        set_cpumask(masks[i]);
        reopen();
        const uint32_t before = fake_perf_opened();
        assert_int_equal(discover(), 1);
        assert_int_equal(bench.source->zone_count, 4);
        assert_int_equal(fake_perf_opened() - before, 4);
        assert_int_equal(fake_perf_type(PKG, first[i]), 21);
        assert_int_equal(fake_perf_type(RAM, first[i] + 2), 21);
    }
    tree_remove(bench.tree, DEVICES "/power/cpumask");
    reopen();
    assert_int_equal(discover(), 1);
    assert_int_equal(fake_perf_type(PKG, 0), 21);
}

static void test_one_read_for_each_package(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t before = fake_perf_reads();
    sample();
    assert_int_equal(fake_perf_reads() - before, 2);
    for (size_t i = 0; i < bench.source->zone_count; i++)
        bench.source->zones[i]->wanted = i < 2;
    sample();
    assert_int_equal(fake_perf_reads() - before, 3);
    assert_int_not_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(zone("power/energy-pkg@2")->error, 0);
}

static void test_event_that_cannot_join_is_on_its_own(void **state) {
    (void)state;
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    fake_perf_fails_sibling(RAM);
    assert_int_equal(discover(), 1);
    expect_nothing_told();
    sample();
    const uint64_t ram = reading("power/energy-ram@2")->ticks;
    const uint64_t psys = reading("power/energy-psys@2")->ticks;
    const uint32_t before = fake_perf_reads();
    fake_perf_add(RAM, 2, 3 * JOULE);
    fake_perf_add(PSYS, 2, 5 * JOULE);
    sample();
    assert_int_equal(fake_perf_reads() - before, 4);
    assert_int_equal(reading("power/energy-ram@2")->ticks - ram, 3 * JOULE);
    assert_int_equal(reading("power/energy-psys@2")->ticks - psys, 5 * JOULE);
}

static void test_reading_is_in_the_middle_of_the_read(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->time_ns, fake_clocks_raw_ns());
}

static void test_nothing_is_opened_without_cause(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    const struct zone *kept = zone("power/energy-pkg@2");
    const uint32_t opened = fake_perf_opened();
    const uint32_t reads = fake_perf_reads();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(discover(), 0);
        fake_clocks_pass(NS_PER_S);
    }
    assert_int_equal(fake_perf_reads(), reads);
    /* other CPUs in the same packages */
    set_online("0,2-3");
    assert_int_equal(discover(), 0);
    set_cpumask("0-3");
    assert_int_equal(discover(), 0);
    assert_int_equal(fake_perf_opened(), opened);
    assert_int_equal(zone("power/energy-pkg@2")->epoch, epoch);
    assert_ptr_equal(zone("power/energy-pkg@2"), kept);
}

/* The kernel moves the events to another CPU of the package. */
static void test_package_that_keeps_a_cpu_goes_on(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@0")->epoch;
    const uint64_t before = reading("power/energy-pkg@0")->ticks;
    set_online("1-3");
    set_cpumask("1-2");
    pass(PKG, 0, 50);
    assert_int_equal(discover(), 0);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(reading("power/energy-pkg@0")->ticks - before, 50 * JOULE);
    assert_int_equal(zone("power/energy-pkg@0")->epoch, epoch);
    assert_int_equal(fake_perf_opened(), 4);
}

static void test_package_that_goes_and_returns(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    fake_perf_offline(2);
    set_online("0-1");
    set_cpumask("0");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 2);
    assert_int_equal(fake_perf_open(), 2);
    assert_int_equal(discover(), 0);
    set_online("0-3");
    set_cpumask("0,2");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
    assert_int_equal(zone("power/energy-pkg@2")->error, 0);
    assert_int_not_equal(zone("power/energy-pkg@2")->epoch, epoch);
    assert_int_not_equal(zone("power/energy-ram@2")->epoch, zone("power/energy-pkg@2")->epoch);
}

/* The package goes offline and online between two discoveries: its events are dead for good. */
static void test_dead_events_are_opened_anew(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    const uint32_t other = zone("power/energy-pkg@0")->epoch;
    const size_t descriptors = tree_count_descriptors();
    fake_perf_offline(2);
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-ram@2")->error, -ENODEV);
    assert_int_equal(zone("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("power/energy-pkg@2")->error, 0);
    assert_true(zone("power/energy-pkg@2")->epoch > epoch);
    assert_int_equal(zone("power/energy-pkg@0")->epoch, other);
    assert_int_equal(fake_perf_open(), 4);
    assert_int_equal(tree_count_descriptors(), descriptors);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(discover(), 0);
}

/* The same, with discovery before the sample. */
static void test_look_finds_dead_events(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    fake_perf_offline(2);
    fake_clocks_pass(NS_PER_S);
    set_cpumask("0,3");
    assert_int_equal(discover(), 1);
    assert_true(zone("power/energy-pkg@2")->epoch > epoch);
    assert_int_equal(fake_perf_type(PKG, 3), 21);
}

/* A single event has no group to leave. Half of the energy was counted in the second in which it
 * died: that must not be reported as half the power. */
static void test_event_that_dies_within_the_interval(void **state) {
    (void)state;
    add_server();
    tree_remove(bench.tree, EVENTS "/energy-ram");
    assert_int_equal(discover(), 1);
    sample();
    fake_perf_add(PKG, 2, 25 * JOULE);
    fake_clocks_pass(NS_PER_S / 2);
    fake_perf_offline(2);
    fake_clocks_pass(NS_PER_S / 2);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

/* As while events move to another CPU: that time is unknown, and counting continues. */
static void test_event_that_did_not_run_all_the_time(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    fake_clocks_pass(10 * NS_PER_S);
    fake_perf_pause(2, NS_PER_S);
    assert_int_equal(discover(), 0);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    const uint32_t second = zone("power/energy-pkg@2")->epoch;
    assert_true(second > epoch);
    assert_true(zone("power/energy-ram@2")->epoch > epoch);
    fake_clocks_pass(NS_PER_S);
    fake_perf_pause(2, NS_PER_S / 50);
    sample();
    assert_true(zone("power/energy-pkg@2")->epoch > second);
    assert_int_equal(fake_perf_opened(), 4);
    /* a clock that is slightly slow, or exact to a tick */
    const uint32_t other = zone("power/energy-pkg@0")->epoch;
    fake_clocks_pass(10 * NS_PER_S);
    fake_perf_pause(0, NS_PER_S / 25);
    sample();
    assert_int_equal(zone("power/energy-pkg@0")->epoch, other);
    fake_clocks_pass(4 * NS_PER_MS);
    fake_perf_pause(0, 4 * NS_PER_MS);
    sample();
    assert_int_equal(zone("power/energy-pkg@0")->epoch, other);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

/* Without a TSC, perf's clock advances in jiffies. */
static void test_clock_of_jiffies(void **state) {
    (void)state;
    static const uint64_t spans_ms[] = {1, 8, 9, 13, 50, 7, 1000, 19, 19};
    add_server();
    fake_perf_tick();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    for (size_t i = 0; i < COUNT_OF(spans_ms); i++) {
        fake_clocks_pass(spans_ms[i] * NS_PER_MS + 12345);
        sample();
        assert_int_equal(reading("power/energy-pkg@2")->error, 0);
        assert_int_equal(zone("power/energy-pkg@2")->epoch, epoch);
    }
    fake_perf_offline(2);
    fake_clocks_pass(NS_PER_S);
    fake_perf_add(PKG, 0, JOULE);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

/* chrony slews the other clocks by up to 8.3 %, and perf's clock is not affected. */
static void test_slewed_clocks_do_not_interrupt(void **state) {
    (void)state;
    static const int64_t slews_ppm[] = {83333, 10000, 20, -20, -10000, -83333};
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    for (size_t i = 0; i < COUNT_OF(slews_ppm); i++) {
        fake_clocks_slew(slews_ppm[i]);
        fake_clocks_pass(10 * NS_PER_S);
        sample();
        assert_int_equal(reading("power/energy-pkg@2")->error, 0);
        assert_int_equal(zone("power/energy-pkg@2")->epoch, epoch);
    }
    fake_clocks_pass(10 * NS_PER_S);
    fake_perf_pause(2, NS_PER_S / 10);
    sample();
    assert_true(zone("power/energy-pkg@2")->epoch > epoch);
}

static void test_a_read_that_takes_long_says_nothing(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    fake_reads_take(NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    fake_reads_take(NS_PER_S + 1);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, SOURCE_READ_TOO_LONG);
    fake_reads_take(0);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

static void stall_second_group(uint64_t ns, void (*pass_time)(uint64_t ns)) {
    const struct fake_stall stalls[] = {{0, 0}, {0, ns}};
    slow_reads_begin(&bench.source->slow_reads, NS_PER_S);
    fake_reads_stall(stalls, COUNT_OF(stalls), pass_time);
    sample();
    assert_int_equal(fake_stalls_left(), 0);
}

static void use_5_joules(uint64_t ns) {
    fake_clocks_pass(ns);
    if (ns > 0)
        fake_perf_add(PKG, 2, 5 * JOULE);
}

/* All events of the group are repeated, and no other group. */
static void test_slow_read_of_a_group_is_repeated(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t reads = fake_perf_reads();
    const uint64_t before = reading("power/energy-pkg@2")->ticks;
    stall_second_group(20 * NS_PER_MS, use_5_joules);
    assert_int_equal(fake_perf_reads() - reads, 2);
    assert_int_equal(reading("power/energy-pkg@2")->ticks, before);
    assert_int_equal(reading("power/energy-pkg@2")->uncertainty_ns, 10 * NS_PER_MS);
    stall_second_group(20 * NS_PER_MS + 1, use_5_joules);
    assert_int_equal(fake_perf_reads() - reads, 5);
    assert_int_equal(reading("power/energy-pkg@2")->ticks - before, 10 * JOULE);
    assert_int_equal(reading("power/energy-pkg@2")->time_ns, fake_clocks_raw_ns());
    assert_int_equal(reading("power/energy-pkg@2")->uncertainty_ns, 0);
    assert_int_equal(reading("power/energy-ram@2")->uncertainty_ns, 0);
}

static void test_shortest_read_of_a_group_counts(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{0, 0}, {0, 30 * NS_PER_MS}, {0, 40 * NS_PER_MS}};
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint64_t before = reading("power/energy-pkg@2")->ticks;
    slow_reads_begin(&bench.source->slow_reads, NS_PER_S);
    fake_reads_stall(stalls, COUNT_OF(stalls), use_5_joules);
    sample();
    assert_int_equal(fake_stalls_left(), 0);
    assert_int_equal(reading("power/energy-pkg@2")->uncertainty_ns, 15 * NS_PER_MS);
    assert_int_equal(reading("power/energy-pkg@2")->ticks, before);
}

static void test_repeat_hides_no_interruption(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    fake_clocks_pass(NS_PER_S);
    fake_perf_pause(2, NS_PER_S / 2);
    static const struct fake_stall stalls[] = {{0, 0}, {0, 0}, {0, 100 * NS_PER_MS}};
    slow_reads_begin(&bench.source->slow_reads, NS_PER_S);
    /* an interrupted group is read twice, and the second read stalls */
    fake_reads_stall(stalls, COUNT_OF(stalls), NULL);
    sample();
    assert_int_equal(fake_stalls_left(), 0);
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(reading("power/energy-pkg@2")->uncertainty_ns, 0);
    assert_true(zone("power/energy-pkg@2")->epoch > epoch);
}

static void lose_the_cpu(uint64_t ns) {
    fake_clocks_pass(ns);
    if (ns > 0)
        fake_perf_offline(2);
}

static void test_repeat_that_fails_leaves_the_first(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    stall_second_group(100 * NS_PER_MS, lose_the_cpu);
    assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    assert_int_equal(reading("power/energy-pkg@2")->uncertainty_ns, 50 * NS_PER_MS);
    sample();
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
}

static void test_group_that_lost_a_member(void **state) {
    (void)state;
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    assert_int_equal(discover(), 1);
    sample();
    fake_perf_detach(RAM, 2);
    fake_clocks_pass(NS_PER_S);
    sample();
    /* it is unknown which event the last value belongs to */
    assert_int_equal(reading("power/energy-pkg@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-ram@2")->error, -ENODEV);
    assert_int_equal(reading("power/energy-psys@2")->error, -ENODEV);
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("power/energy-psys@2")->error, 0);
}

static void test_read_that_fails(void **state) {
    (void)state;
    static const struct {
        int error;
        int told;
        bool opened;
    } cases[] = {{EIO, -EIO, false}, {ENODEV, -ENODEV, true}, {FAKE_END_OF_FILE, -ENODEV, true}};
    add_server();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)discover();
        sample();
        const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
        fake_perf_read_fails(2, cases[i].error);
        fake_clocks_pass(NS_PER_S);
        sample();
        assert_int_equal(reading("power/energy-pkg@2")->error, cases[i].told);
        assert_int_equal(zone("power/energy-pkg@2")->error, cases[i].told);
        assert_int_equal(discover(), cases[i].opened);
        assert_int_equal(zone("power/energy-pkg@2")->epoch != epoch, cases[i].opened);
        fake_perf_read_fails(2, 0);
        sample();
        assert_int_equal(reading("power/energy-pkg@2")->error, 0);
    }
}

/* --- the PMU --------------------------------------------------------------------------------- */

static void test_pmu_that_is_registered_anew(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    const uint32_t epoch = zone("power/energy-pkg@0")->epoch;
    const struct zone *kept = zone("power/energy-pkg@0");
    tree_write(bench.tree, DEVICES "/power/type", "23\n");
    assert_int_equal(discover(), 1);
    assert_ptr_equal(zone("power/energy-pkg@0"), kept);
    assert_int_not_equal(kept->epoch, epoch);
    assert_int_equal(fake_perf_type(PKG, 0), 23);
    assert_int_equal(fake_perf_open(), 4);
    /* the number is the same again: the kernel takes the lowest free one */
    const uint32_t second = kept->epoch;
    tree_write(bench.tree, DEVICES "/power/type.new", "23\n");
    tree_move(bench.tree, DEVICES "/power/type.new", DEVICES "/power/type");
    assert_int_equal(discover(), 1);
    assert_int_not_equal(kept->epoch, second);
    assert_int_equal(discover(), 0);
}

static void test_pmu_that_comes_and_goes(void **state) {
    (void)state;
    assert_int_equal(discover(), 0);
    const char *remedy = expect_told("/" DEVICES "/power: No such file or directory");
    expect_holds(remedy, "sudo modprobe rapl");
    expect_nothing_told();
    assert_int_equal(bench.source->zone_count, 0);
    sample();
    add_server();
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
    tree_remove(bench.tree, DEVICES "/power");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 0);
    assert_int_equal(fake_perf_open(), 0);
    sample();
}

static void test_cpus_that_cannot_be_told(void **state) {
    (void)state;
    add_server();
    tree_remove(bench.tree, "sys/devices/system/cpu/online");
    assert_int_equal(discover(), 0);
    (void)expect_told("sys/devices/system/cpu/online: No such file");
    assert_int_equal(bench.source->zone_count, 0);
    set_online("0-3");
    assert_int_equal(discover(), 1);
    /* what is already known stays */
    set_online("junk");
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 4);
}

static void test_pmu_without_events(void **state) {
    (void)state;
    add_cpu(0, 0, 0, 0);
    set_online("0");
    add_pmu("power", "21", "0");
    bench.problems.is_virtual = true;
    assert_int_equal(discover(), 0);
    const char *remedy = expect_told("/" DEVICES "/power has no energy event");
    expect_holds(remedy, "virtual machine");
    assert_int_equal(bench.source->zone_count, 0);
    expect_nothing_told();
}

static void test_junk_takes_one_event_out(void **state) {
    (void)state;
    static const char *const names[] = {"package-0", "package-1"};
    add_server();
    tree_write(bench.tree, EVENTS "/energy-ram.scale", "junk\n");
    assert_int_equal(discover(), 1);
    expect_names(names, COUNT_OF(names));
    (void)expect_told("energy-ram.scale: is not a scale");
    expect_nothing_told();
    const uint32_t opened = fake_perf_opened();
    assert_int_equal(discover(), 0);
    expect_nothing_told();
    assert_int_equal(fake_perf_opened(), opened);
    tree_write(bench.tree, EVENTS "/energy-ram.scale", "%s\n", SCALE);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
}

static void test_junk_of_one_pmu_leaves_the_other(void **state) {
    (void)state;
    add_server();
    add_pmu("power_core", "junk", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
    (void)expect_told("power_core/type");
}

/* KVM returns 0 for the registers, and some models list psys although it does not count. */
static void test_counter_that_never_moves_is_none(void **state) {
    (void)state;
    add_server();
    fake_perf_start(0);
    assert_int_equal(discover(), 1);
    for (int i = 0; i < 3; i++) {
        sample();
        assert_int_equal(reading("power/energy-pkg@0")->error, ZONE_COUNTS_NOTHING);
        assert_int_equal(zone("power/energy-pkg@0")->error, ZONE_COUNTS_NOTHING);
        fake_clocks_pass(NS_PER_S);
    }
    assert_int_equal(discover(), 0);
    /* a slow counter */
    fake_perf_add(PKG, 0, JOULE);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(zone("power/energy-pkg@0")->error, 0);
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(reading("power/energy-ram@0")->error, ZONE_COUNTS_NOTHING);
}

/* Every package has the event, but most boards have one psys, which the first package counts. */
static void test_psys_of_another_package_may_stand(void **state) {
    (void)state;
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    fake_perf_start(0);
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("power/energy-psys@0")->error, ZONE_COUNTS_NOTHING);
    assert_int_equal(reading("power/energy-psys@2")->error, ZONE_COUNTS_NOTHING);
    assert_false(zone("power/energy-psys@0")->error_reported);
    assert_true(zone("power/energy-psys@2")->error_reported);
    assert_false(zone("power/energy-pkg@2")->error_reported);
    /* if it counts, it is treated as any other */
    fake_perf_add(PSYS, 2, JOULE);
    sample();
    assert_int_equal(reading("power/energy-psys@2")->error, 0);
    fake_perf_read_fails(2, EIO);
    sample();
    assert_int_equal(reading("power/energy-psys@2")->error, -EIO);
    assert_false(zone("power/energy-psys@2")->error_reported);
}

/* --- counts ---------------------------------------------------------------------------------- */

/* The kernel's signed difference: if the register moves by more than 2^31 ticks between two
 * updates, the count drops by 2^32 ticks. */
static void test_count_that_falls_is_carried_on(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    for (int64_t i = 0; i < 40; i++) {
        fake_perf_add(PKG, 0, (i * i + 1) * UNIT);
        sample();
        fake_clocks_pass(NS_PER_S);
    }
    const uint64_t before = reading("power/energy-pkg@0")->ticks;
    /* 900 W for 200 s are 180 kJ, of a range of 262 kJ */
    fake_perf_add(PKG, 0, 180000 * JOULE - (UNIT << 32));
    fake_clocks_pass(200 * NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(reading("power/energy-pkg@0")->ticks - before, 180000 * JOULE);
}

static void test_interval_that_is_too_long_is_told(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    for (int64_t i = 0; i < 40; i++) {
        fake_perf_add(PKG, 0, (i * i + 1) * UNIT);
        sample();
        fake_clocks_pass(NS_PER_S);
    }
    fake_perf_add(PKG, 0, 50 * JOULE);
    fake_clocks_pass(600 * NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, PERF_COUNT_UNDECIDED);
    assert_false(error_is_lost(PERF_COUNT_UNDECIDED));
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
}

/* A sleep sets the register to 0, which makes the kernel's difference meaningless. */
static void test_sleep_begins_a_new_epoch(void **state) {
    (void)state;
    add_server();
    assert_int_equal(discover(), 1);
    sample();
    const uint32_t epoch = zone("power/energy-pkg@0")->epoch;
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(zone("power/energy-pkg@0")->epoch, epoch);
    fake_clocks_sleep(3600 * NS_PER_S);
    fake_perf_add(PKG, 0, 40000 * JOULE);
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_true(zone("power/energy-pkg@0")->epoch > epoch);
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    const uint32_t awake = zone("power/energy-pkg@0")->epoch;
    fake_clocks_pass(NS_PER_S);
    sample();
    assert_int_equal(zone("power/energy-pkg@0")->epoch, awake);
}

/* --- what is refused ------------------------------------------------------------------------- */

static void set_paranoid(const char *level) {
    tree_write(bench.tree, "proc/sys/kernel/perf_event_paranoid", "%s\n", level);
}

static void test_each_refusal_has_its_remedy(void **state) {
    (void)state;
    static const struct {
        const char *level;
        const char *holds;
        const char *lacks;
    } cases[] = {
        {"4", "CAP_PERFMON is not enough", "seccomp"},
        {"3", "CAP_SYS_ADMIN", "seccomp"},
        {"2", "it takes CAP_PERFMON", "SYS_ADMIN"},
        {"1", "CAP_PERFMON", "SYS_ADMIN"},
        {"0", "seccomp", "sysctl"},
        {"-1", "docker run --cap-add PERFMON", "sysctl"},
        {"junk", "CAP_PERFMON", "seccomp"},
    };
    static const int errors[] = {EACCES, EPERM};
    add_server();
    for (size_t i = 0; i < COUNT_OF(cases) * COUNT_OF(errors); i++) {
        const size_t at = i / COUNT_OF(errors);
        problems_free(&bench.problems);
        set_paranoid(cases[at].level);
        fake_perf_fails(errors[i % COUNT_OF(errors)], FAKE_ALWAYS);
        reopen();
        assert_int_equal(discover(), 1);
        const char *remedy = expect_told("energy-pkg (and 3 more): perf_event_open: ");
        expect_holds(remedy, cases[at].holds);
        assert_null(strstr(remedy, cases[at].lacks));
        expect_nothing_told();
        const struct zone *refused = zone("power/energy-ram@2");
        assert_int_equal(refused->error, -errors[i % COUNT_OF(errors)]);
        assert_true(refused->error_reported);
        sample();
        assert_int_equal(reading("power/energy-ram@2")->error, refused->error);
    }
    fake_perf_fails(0, 0);
    fake_clocks_pass(60 * NS_PER_S);
    assert_int_equal(discover(), 1);
    assert_false(zone("power/energy-ram@2")->error_reported);
    assert_int_equal(zone("power/energy-ram@2")->error, 0);
    struct rapl_problem problem;
    assert_true(problems_next(&bench.problems, &problem));
    assert_true(problem.over);
}

static void test_what_was_withheld_is_the_remedy(void **state) {
    (void)state;
    add_server();
    set_paranoid("3");
    bench.problems.withheld = "NoNewPrivileges= has to be no";
    fake_perf_fails(EACCES, FAKE_ALWAYS);
    assert_int_equal(discover(), 1);
    assert_string_equal(expect_told("perf_event_open"), bench.problems.withheld);
}

struct privilege {
    int raised;
    int lowered;
};

/* With raised rights, the kernel does not refuse. */
static int change(void *context, bool raised) {
    struct privilege *privilege = context;
    *(raised ? &privilege->raised : &privilege->lowered) += 1;
    fake_perf_fails(EACCES, raised ? 0 : FAKE_ALWAYS);
    return 0;
}

static void test_privilege_is_raised_around_opening(void **state) {
    (void)state;
    struct privilege privilege = {.raised = 0};
    add_server();
    bench.options.privilege = (struct rapl_privilege){.change = change, .context = &privilege};
    reopen();
    fake_perf_fails(EACCES, FAKE_ALWAYS);
    assert_int_equal(discover(), 1);
    assert_int_equal(privilege.raised, 4);
    assert_int_equal(privilege.lowered, 4);
    expect_nothing_told();
    assert_int_equal(zone("power/energy-pkg@0")->error, 0);
    sample();
    assert_int_equal(privilege.raised, 4);
    /* it hides no other errors */
    reopen();
    fake_perf_fails(ENODEV, FAKE_ALWAYS);
    assert_int_equal(discover(), 1);
    assert_int_equal(privilege.raised, 4);
}

static void test_one_event_that_is_refused_costs_no_other(void **state) {
    (void)state;
    static const int errors[] = {EINVAL, ENOENT, ENODEV, EMFILE};
    add_server();
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        problems_free(&bench.problems);
        fake_perf_fails_config(RAM, errors[i]);
        reopen();
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("power/energy-pkg@0")->error, 0);
        assert_int_equal(zone("power/energy-ram@0")->error, -errors[i]);
        const char *remedy = expect_told("energy-ram (and 1 more): perf_event_open: ");
        assert_string_not_equal(remedy, "");
        assert_int_equal(strstr(remedy, "prlimit") != NULL, errors[i] == EMFILE);
        const uint32_t epoch = zone("power/energy-pkg@0")->epoch;
        assert_int_equal(discover(), 0);
        assert_int_equal(zone("power/energy-pkg@0")->epoch, epoch);
        /* it appears later, and the others continue */
        fake_perf_fails_config(0, 0);
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("power/energy-ram@0")->error, 0);
        assert_int_equal(zone("power/energy-pkg@0")->epoch, epoch);
        sample();
        assert_int_equal(reading("power/energy-ram@0")->error, 0);
        (void)expect_told("energy-ram");
    }
}

static void test_look_without_descriptors_takes_nothing_away(void **state) {
    (void)state;
    struct rlimit before;
    add_server();
    assert_int_equal(discover(), 1);
    const uint32_t epoch = zone("power/energy-pkg@0")->epoch;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int result = discover();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, 0);
    assert_int_equal(bench.source->zone_count, 4);
    (void)expect_told("Too many open files");
    sample();
    assert_int_equal(reading("power/energy-pkg@0")->error, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(zone("power/energy-pkg@0")->epoch, epoch);
}

static void test_every_allocation_fails_once(void **state) {
    (void)state;
    add_server();
    add_pmu("power_core", "22", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    bool failed = true;
    reopen();
    const size_t descriptors = tree_count_descriptors();
    for (int i = 0; failed; i++) {
        assert_in_range(i, 0, 400);
        reopen();
        fake_memory_fails_at(i);
        const int result = discover();
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        if (result == -ENOMEM) {
            assert_true(failed);
            assert_int_equal(bench.source->zone_count, 0);
            assert_int_equal(tree_count_descriptors(), descriptors);
            assert_int_equal(discover(), 1);
        }
        assert_true(bench.source->zone_count > 0);
        sample();
        fake_clocks_pass(NS_PER_S);
        /* and after something has changed */
        set_online(i % 2 == 0 ? "0-1" : "0-3");
        fake_memory_fails_at(i);
        const int second = discover();
        fake_memory_fails_at(-1);
        assert_true(second == -ENOMEM || second >= 0);
        sample();
        set_online("0-3");
        problems_free(&bench.problems);
        fake_perf_start((uint64_t)UNIT);
        bench.source->operations->close(bench.source);
        bench.source = NULL;
        assert_int_equal(fake_perf_open(), 0);
        fakes_end();
        fake_clocks_stop();
        fake_perf_start((uint64_t)UNIT);
    }
    if (bench.source == NULL)
        reopen();
}

/* --- the core on top of it ------------------------------------------------------------------- */

static struct rapl *open_core(void) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    options.root = bench.tree->path;
    options.source = RAPL_SOURCE_PERF;
    tree_write(bench.tree, "proc/cpuinfo",
               "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n");
    assert_int_equal(rapl_open(&options, &rapl), 0);
    assume_usual_counters(rapl);
    return rapl;
}

static void expect_power(const struct rapl_report *report, const char *name, uint64_t power_uw) {
    const struct rapl_value *value = find_value(report, name);
    if (value == NULL || !value->has_power)
        fail_msg("no power of %s", name);
    assert_int_equal(value->power_uw, power_uw);
}

/* A package goes and returns while others are read: no power is reported that was not used. */
static void test_report_through_a_hotplug(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    add_server();
    struct rapl *rapl = open_core();
    fake_perf_add(PKG, 0, 30 * JOULE);
    pass(PKG, 2, 40);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0", 30000000);
    expect_power(report, "package-1", 40000000);
    expect_power(report, "total", 70000000);
    const uint64_t energy_uj = find_value(report, "package-1")->energy_uj;
    /* it dies halfway through an interval, with half of the energy counted */
    fake_perf_add(PKG, 0, 30 * JOULE);
    fake_perf_add(PKG, 2, 20 * JOULE);
    fake_clocks_pass(NS_PER_S / 2);
    fake_perf_offline(2);
    fake_clocks_pass(NS_PER_S / 2);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0", 30000000);
    assert_null(find_value(report, "package-1"));
    assert_null(find_value(report, "total"));
    /* the next discovery reopens it: its count starts far below, or far above, the last one */
    fake_perf_start((uint64_t)(5000 * JOULE));
    fake_perf_add(PKG, 0, 30 * JOULE);
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0", 30000000);
    const struct rapl_value *returned = find_value(report, "package-1");
    if (returned != NULL) {
        assert_false(returned->has_power);
        assert_int_equal(returned->energy_uj, energy_uj);
    }
    fake_perf_add(PKG, 0, 30 * JOULE);
    pass(PKG, 2, 45);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-1", 45000000);
    assert_int_equal(find_value(report, "package-1")->energy_uj, energy_uj + 45000000);
    rapl_close(rapl);
}

/* The CPUs of two packages alternate: when the first one goes, the other package comes first in the
 * list of CPUs, and nothing else has changed. */
static void test_packages_keep_their_counters_when_the_first_cpu_goes(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    for (unsigned int cpu = 0; cpu < 4; cpu++)
        add_cpu(cpu, (int)cpu % 2, 0, (int)cpu / 2);
    set_online("0-3");
    add_pmu("power", "21", "0-1");
    add_event("power", "energy-pkg", PKG, SCALE);
    struct rapl *rapl = open_core();
    for (int i = 1; i <= 4; i++) {
        if (i == 2) {
            set_online("1-3");
            set_cpumask("1-2");
        }
        fake_perf_add(PKG, 0, 30 * JOULE);
        pass(PKG, 1, 400);
        assert_int_equal(rapl_report(rapl, &report), 0);
        expect_power(report, "package-0", 30000000);
        expect_power(report, "package-1", 400000000);
        assert_int_equal(find_value(report, "package-0")->energy_uj, i * INT64_C(30000000));
    }
    rapl_close(rapl);
}

/* A server read through perf; max_power_uw: 0 if the user sets none. */
static struct rapl *open_server(uint64_t max_power_uw) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    options.root = bench.tree->path;
    options.source = RAPL_SOURCE_PERF;
    options.max_power_uw = max_power_uw;
    add_server();
    assert_int_equal(rapl_open(&options, &rapl), 0);
    assume_usual_counters(rapl);
    return rapl;
}

/* 2^64 ticks of perf are 4.3 GJ: 124 days at 400 W, here 5 s. */
static void test_energy_grows_beyond_64_bits_of_ticks(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl *const rapl = open_server(UINT64_C(1000000000000000));
    for (uint64_t i = 1; i <= 20; i++) {
        pass(PKG, 0, 900000000);
        assert_int_equal(rapl_report(rapl, &report), 0);
        expect_power(report, "package-0", UINT64_C(900000000000000));
        assert_int_equal(find_value(report, "package-0")->energy_uj, i * UINT64_C(900000000000000));
        assert_int_equal(find_value(report, "total")->energy_uj, i * UINT64_C(900000000000000));
    }
    assert_int_equal(report->health.resets, 0);
    rapl_close(rapl);
}

/* One candidate source has lost its zones when the next one runs out of memory. */
static void test_memory_that_fails_while_no_source_reads(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = bench.tree->path;
    add_server();
    fake_perf_fails(EACCES, FAKE_ALWAYS);
    bool failed = true;
    for (int i = 0; failed; i++) {
        struct rapl *rapl = NULL;
        assert_in_range(i, 0, 400);
        tree_add_zone(bench.tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
        tree_add_zone(bench.tree, "intel-rapl:1", "package-1", 0, RANGE_61_UJ);
        tree_set(bench.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
        tree_set(bench.tree, "intel-rapl:1", "energy_uj", FAKE_ERRNO, EIO);
        assert_int_equal(rapl_open(&options, &rapl), 0);
        assume_usual_counters(rapl);
        tree_drop_zone(bench.tree, "intel-rapl:0");
        fake_clocks_pass(60 * NS_PER_S);
        fake_memory_fails_at(i);
        const int result = rapl_report(rapl, &report);
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        assert_true(result == 0 || result == -ENOMEM);
        /* the thread that samples between reports does not know */
        assert_int_equal(rapl_sample(rapl), 0);
        for (uint64_t j = 0; j < 3; j++) {
            tree_set_energy(bench.tree, "intel-rapl:1", j * 40000000);
            fake_clocks_pass(NS_PER_S);
            assert_int_equal(rapl_report(rapl, &report), 0);
            assert_null(find_value(report, "package-0"));
        }
        expect_power(report, "package-1", 40000000);
        rapl_close(rapl);
    }
}

/* Reports find that the first source can be read before the next discovery: it stays in use,
 * because the energy already reported is in its ticks. */
static void test_source_that_has_been_reported_stays(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    options.root = bench.tree->path;
    add_server();
    fake_perf_fails(EACCES, FAKE_ALWAYS);
    tree_add_zone(bench.tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
    tree_set(bench.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    assert_int_equal(rapl_open(&options, &rapl), 0);
    assume_usual_counters(rapl);
    for (uint64_t i = 0; i < 3; i++) {
        tree_set_energy(bench.tree, "intel-rapl:0", i * 40000000);
        fake_clocks_pass(NS_PER_S);
        assert_int_equal(rapl_report(rapl, &report), 0);
    }
    expect_power(report, "package-0", 40000000);
    assert_int_equal(find_value(report, "package-0")->energy_uj, 80000000);
    tree_set(bench.tree, "intel-rapl:0", "energy_uj", FAKE_ERRNO, EIO);
    fake_perf_fails(0, 0);
    fake_clocks_pass(60 * NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    assert_string_equal(rapl_source_name(rapl), "powercap");
    assert_string_equal(rapl_source_reason(rapl), "");
    tree_set_energy(bench.tree, "intel-rapl:0", 200000000);
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    assert_int_equal(find_value(report, "package-0")->energy_uj, 200000000);
    rapl_close(rapl);
}

/* The sum of a package's cores is only reported if all of them can be read. */
static void test_cores_that_cannot_all_be_opened_have_no_sum(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    options.root = bench.tree->path;
    options.source = RAPL_SOURCE_PERF;
    add_server();
    add_pmu("power_core", "22", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\n");
    fake_perf_fails_on(1, EMFILE);
    assert_int_equal(rapl_open(&options, &rapl), 0);
    assume_usual_counters(rapl);
    /* zones that cannot be shown hold no descriptors: two groups of packages and two of cores are
     * open */
    assert_int_equal(fake_perf_open(), 6);
    fake_perf_add(CORE, 2, 5 * JOULE);
    pass(CORE, 3, 6);
    assert_int_equal(rapl_report(rapl, &report), 0);
    assert_null(find_value(report, "package-0/core"));
    expect_power(report, "package-1/core", 11000000);
    fake_perf_fails_on(0, 0);
    fake_clocks_pass(60 * NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    fake_perf_add(CORE, 0, 3 * JOULE);
    pass(CORE, 1, 4);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0/core", 7000000);
    rapl_close(rapl);
}

/* A sleeping core stays at 0; the energy it uses after waking is counted. */
static void test_cores_that_sleep_use_nothing(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    add_server();
    struct rapl *rapl = NULL;
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = bench.tree->path;
    options.source = RAPL_SOURCE_PERF;
    add_pmu("power_core", "22", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    tree_write(bench.tree, "proc/cpuinfo",
               "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\n");
    fake_perf_start(0);
    assert_int_equal(rapl_open(&options, &rapl), 0);
    assume_usual_counters(rapl);
    for (int i = 0; i < 3; i++) {
        pass(CORE, 0, 6);
        assert_int_equal(rapl_report(rapl, &report), 0);
    }
    expect_power(report, "package-0/core", 6000000);
    const uint64_t energy_uj = find_value(report, "package-0/core")->energy_uj;
    fake_perf_add(CORE, 1, 4 * JOULE);
    pass(CORE, 0, 6);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0/core", 10000000);
    assert_int_equal(find_value(report, "package-0/core")->energy_uj, energy_uj + 10000000);
    expect_power(report, "package-1/core", 0);
    rapl_close(rapl);
}

/* The kernel sums signed differences of a register with a unit of 15.26 uJ
 * (arch/x86/events/rapl.c): after 32.7 kJ between updates its sum falls. At 600 W that takes
 * 55 s. */
static void test_samples_are_due_before_the_kernel_sees_a_fall(void **state) {
    (void)state;
    const int64_t tick = INT64_C(1) << 16;
    const struct rapl_report *report = NULL;
    struct rapl *const rapl = open_server(0);
    for (int minute = 1; minute <= 30; minute++) {
        const uint64_t end_ns = fake_clocks_monotonic_ns() + 60 * NS_PER_S;
        while (fake_clocks_monotonic_ns() < end_ns) {
            const uint64_t due_ns = rapl_sample_due_ns(rapl);
            const uint64_t until_ns = due_ns < end_ns ? due_ns : end_ns;
            const uint64_t span_ns = until_ns - fake_clocks_monotonic_ns();
            const uint32_t ticks = (uint32_t)(span_ns / 1000 * 600 / 15259 * 1000);
            fake_perf_add(PKG, 0, (int32_t)ticks * tick);
            fake_clocks_pass(span_ns);
            if (until_ns < end_ns)
                assert_int_equal(rapl_sample(rapl), 0);
        }
        assert_int_equal(rapl_report(rapl, &report), 0);
        assert_int_equal(report->health.gaps, 0);
        assert_int_equal(report->health.resets, 0);
        const struct rapl_value *value = find_value(report, "package-0");
        assert_non_null(value);
        assert_in_range(value->power_uw, 599900000, 600000000);
    }
    rapl_close(rapl);
}

/* What is known about the register is kept when its event is reopened. */
static void test_wrap_right_after_reopening_is_carried(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl *const rapl = open_server(0);
    for (int i = 0; i < 20; i++) {
        fake_perf_add(PKG, 0, (100 + i) << 16);
        fake_clocks_pass(NS_PER_S);
        assert_int_equal(rapl_report(rapl, &report), 0);
    }
    fake_perf_offline(0);
    fake_clocks_pass(NS_PER_S);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rapl_report(rapl, &report), 0);
    const uint64_t resets = report->health.resets;
    fake_perf_add(PKG, 0, 100 << 16);
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    fake_perf_add(PKG, 0, (INT64_C(100) << 16) - (INT64_C(1) << 48));
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0", 1526); /* 100 times 15.26 uJ in a second */
    assert_int_equal(report->health.resets, resets);
    rapl_close(rapl);
}

/* 32.7 kJ are half of the range: at the 2 kW that the user has set, that takes 16 s. */
static void test_samples_are_due_before_a_turn_can_hide(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl *const rapl = open_server(UINT64_C(2000000000));
    for (int i = 0; i < 40; i++) {
        fake_perf_add(PKG, 0, (10000 + (int64_t)i * i) << 16);
        fake_clocks_pass(NS_PER_S);
        assert_int_equal(rapl_report(rapl, &report), 0);
    }
    for (int i = 0; i < 4; i++) {
        const uint64_t due_ns = rapl_sample_due_ns(rapl);
        const uint64_t span_ns = due_ns - fake_clocks_monotonic_ns();
        assert_int_equal(span_ns, 15 * NS_PER_S);
        fake_perf_add(PKG, 0, (int64_t)(span_ns / NS_PER_S) * 100 * JOULE);
        fake_clocks_pass(span_ns);
        assert_int_equal(i < 3 ? rapl_sample(rapl) : rapl_report(rapl, &report), 0);
    }
    assert_int_equal(report->health.gaps, 0);
    expect_power(report, "package-0", 100000000);
    rapl_close(rapl);
}

static void test_report_after_sleep_has_none_of_it(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    add_server();
    struct rapl *rapl = open_core();
    pass(PKG, 0, 30);
    assert_int_equal(rapl_report(rapl, &report), 0);
    const uint64_t energy_uj = find_value(report, "package-0")->energy_uj;
    /* a register that was reset: 79 kJ in an hour would be below any ceiling */
    fake_clocks_sleep(3600 * NS_PER_S);
    pass(PKG, 0, 79000);
    assert_int_equal(rapl_report(rapl, &report), 0);
    const struct rapl_value *woken = find_value(report, "package-0");
    if (woken != NULL) {
        assert_false(woken->has_power);
        assert_int_equal(woken->energy_uj, energy_uj);
    }
    pass(PKG, 0, 31);
    assert_int_equal(rapl_report(rapl, &report), 0);
    expect_power(report, "package-0", 31000000);
    assert_int_equal(find_value(report, "package-0")->energy_uj, energy_uj + 31000000);
    rapl_close(rapl);
}

static void test_refusal_is_told_once(void **state) {
    (void)state;
    struct rapl_problem problem;
    add_server();
    set_paranoid("2");
    fake_perf_fails(EACCES, FAKE_ALWAYS);
    struct rapl *rapl = open_core();
    assert_int_equal(rapl_zone_count(rapl), 4);
    bool told = false;
    while (rapl_next_problem(rapl, &problem)) {
        if (strstr(problem.reason, "energy-pkg") == NULL ||
            strncmp(problem.reason, "no source", 9) == 0)
            continue;
        assert_false(told);
        told = true;
        const bool has_right = (host_capabilities(false) >> CAP_SYS_ADMIN & 1) != 0;
        expect_holds(problem.remedy, has_right ? "the process has CAP_SYS_ADMIN" : "CAP_PERFMON");
    }
    assert_true(told);
    rapl_close(rapl);
}

/* Once all others count, there is nothing left to report, and no read has failed. */
static void test_psys_of_another_package_is_no_fault(void **state) {
    (void)state;
    const struct rapl_report *report = NULL;
    struct rapl_problem problem;
    bool over = false;
    add_server();
    add_event("power", "energy-psys", PSYS, SCALE);
    fake_perf_start(0);
    struct rapl *rapl = open_core();
    while (rapl_next_problem(rapl, &problem)) {
    }
    for (uint64_t config = PKG; config <= PSYS; config++) {
        if (config == GPU)
            continue;
        fake_perf_add(config, 0, JOULE);
        if (config != PSYS)
            fake_perf_add(config, 2, JOULE);
    }
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    while (rapl_next_problem(rapl, &problem))
        over = over || (problem.over && strstr(problem.reason, "has counted nothing") != NULL);
    assert_true(over);
    const uint64_t read_errors = report->health.read_errors;
    fake_clocks_pass(NS_PER_S);
    assert_int_equal(rapl_report(rapl, &report), 0);
    assert_int_equal(report->health.read_errors, read_errors);
    assert_int_equal(report->health.zones, 5);
    assert_false(rapl_next_problem(rapl, &problem));
    rapl_close(rapl);
}

/* --- the real kernel ------------------------------------------------------------------------- */

/* cpu-clock of the software PMU counts nanoseconds: at 4.5e-8 J each they are 45 W. */
static void test_real_events_of_the_kernel(void **state) {
    (void)state;
    const struct timespec second = {.tv_sec = 1};
    fakes_end();
    add_cpu(0, 0, 0, 0);
    set_online("0");
    add_pmu("power", "1", "0");
    add_event("power", "energy-pkg", 0, "4.5e-8");
    add_event("power", "energy-ram", 0, "4.5e-9");
    assert_int_equal(discover(), 1);
    const struct zone *package = zone("power/energy-pkg@0");
    if (package->error == -EACCES || package->error == -EPERM || package->error == -ENOSYS) {
        print_message("the kernel refuses perf_event_open: %s\n", rapl_error_text(package->error));
        skip();
    }
    assert_int_equal(package->error, 0);
    sample();
    const struct reading first = *reading("power/energy-pkg@0");
    const struct reading first_ram = *reading("power/energy-ram@0");
    nanosleep(&second, NULL);
    sample();
    const struct reading last = *reading("power/energy-pkg@0");
    const struct reading last_ram = *reading("power/energy-ram@0");
    assert_int_equal(last.error, 0);
    const double seconds = (double)(last.time_ns - first.time_ns) / 1e9;
    const double joules =
        (double)counter_to_uj(package->traits.scale, last.ticks - first.ticks) / 1e6;
    const double ram = (double)counter_to_uj(zone("power/energy-ram@0")->traits.scale,
                                             last_ram.ticks - first_ram.ticks) /
                       1e6;
    /* The value of a slow read is from some time between its start and its end. */
    const double late = (double)(first.uncertainty_ns + last.uncertainty_ns) / 1e9;
    if (joules < 45 * 0.997 * (seconds - late) || joules > 45 * 1.003 * (seconds + late))
        fail_msg("%f W", joules / seconds);
    if (ram < 4.5 * 0.997 * (seconds - late) || ram > 4.5 * 1.003 * (seconds + late))
        fail_msg("%f W", ram / seconds);
}

/* The kernel's error codes. */
static void test_real_refusals_of_the_kernel(void **state) {
    (void)state;
    fakes_end();
    add_cpu(0, 0, 0, 0);
    set_online("0");
    add_pmu("power", "1", "0");
    add_event("power", "energy-pkg", 0, "4.5e-8");
    add_event("power", "energy-ram", 0xff, "4.5e-8");
    assert_int_equal(discover(), 1);
    if (zone("power/energy-pkg@0")->error != 0)
        skip();
    assert_int_not_equal(zone("power/energy-ram@0")->error, 0);
    (void)expect_told("energy-ram: perf_event_open: ");
    tree_write(bench.tree, DEVICES "/power/type", "4000000000\n");
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("power/energy-pkg@0")->error, -ENOENT);
}

#define OVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* --- limits ---------------------------------------------------------------------------------- */

static void test_packages_and_dram_are_opened_first(void **state) {
    (void)state;
    add_server();
    add_event("power", "energy-cores", PSYS, SCALE);
    reopen();
    bench.source->limit.files = 5;
    assert_int_equal(discover(), 1);
    assert_int_equal(fake_perf_open(), 5);
    assert_int_equal(bench.source->file_count, 5);
    assert_int_equal(zone("power/energy-ram@2")->error, 0);
    assert_int_equal(zone("power/energy-cores@0")->error, 0);
    assert_int_equal(zone("power/energy-cores@2")->error, ZONE_WITHOUT_FILE);
    (void)expect_told("1 counters are left out, such as package-1/core: at most 5 open files");
    sample();
    assert_int_equal(reading("power/energy-ram@2")->error, 0);
    const uint32_t epoch = zone("power/energy-pkg@2")->epoch;
    assert_int_equal(discover(), 0);
    assert_int_equal(fake_perf_open(), 5);
    assert_int_equal(zone("power/energy-pkg@2")->epoch, epoch);
}

static void test_single_cores_are_opened_all_or_none(void **state) {
    static const uint32_t opened[] = {0, 1, 2, 3, 4, 4, 6, 6, 8};
    (void)state;
    add_server();
    add_pmu("power_core", "22", "0-3");
    add_event("power_core", "energy-core", CORE, SCALE);
    bench.options.model.vendor = CPU_VENDOR_AMD;
    for (size_t files = 0; files < COUNT_OF(opened); files++) {
        problems_free(&bench.problems);
        reopen();
        bench.source->limit.files = files;
        discover();
        assert_int_equal(fake_perf_open(), opened[files]);
        if (files < 8)
            (void)expect_told("counters are left out");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        OVER(test_packages_and_domains_have_powercaps_names),
        OVER(test_dies_of_intel_have_names),
        OVER(test_dies_are_read_from_their_own_cpus),
        OVER(test_packages_are_read_from_anywhere),
        OVER(test_dies_of_amd_are_one_package),
        OVER(test_dies_of_a_counter_of_the_package_have_none),
        OVER(test_names_stay_when_cpus_go),
        OVER(test_psys_keeps_its_number),
        OVER(test_cores_of_amd),
        OVER(test_cores_are_told_apart_by_their_dies),
        OVER(test_whole_joules_of_psys),
        OVER(test_dram_with_the_wrong_unit_is_corrected),
        OVER(test_dram_whose_unit_is_not_known_yet_says_nothing),
        OVER(test_dram_whose_unit_is_in_doubt_is_marked),
        OVER(test_max_power_is_the_ceiling),
        OVER(test_one_cpu_reads_for_a_package),
        OVER(test_one_read_for_each_package),
        OVER(test_event_that_cannot_join_is_on_its_own),
        OVER(test_reading_is_in_the_middle_of_the_read),
        OVER(test_nothing_is_opened_without_cause),
        OVER(test_package_that_keeps_a_cpu_goes_on),
        OVER(test_package_that_goes_and_returns),
        OVER(test_dead_events_are_opened_anew),
        OVER(test_look_finds_dead_events),
        OVER(test_event_that_dies_within_the_interval),
        OVER(test_event_that_did_not_run_all_the_time),
        OVER(test_clock_of_jiffies),
        OVER(test_slewed_clocks_do_not_interrupt),
        OVER(test_a_read_that_takes_long_says_nothing),
        OVER(test_slow_read_of_a_group_is_repeated),
        OVER(test_shortest_read_of_a_group_counts),
        OVER(test_repeat_hides_no_interruption),
        OVER(test_repeat_that_fails_leaves_the_first),
        OVER(test_group_that_lost_a_member),
        OVER(test_read_that_fails),
        OVER(test_pmu_that_is_registered_anew),
        OVER(test_pmu_that_comes_and_goes),
        OVER(test_cpus_that_cannot_be_told),
        OVER(test_pmu_without_events),
        OVER(test_junk_takes_one_event_out),
        OVER(test_junk_of_one_pmu_leaves_the_other),
        OVER(test_counter_that_never_moves_is_none),
        OVER(test_psys_of_another_package_may_stand),
        OVER(test_count_that_falls_is_carried_on),
        OVER(test_interval_that_is_too_long_is_told),
        OVER(test_sleep_begins_a_new_epoch),
        OVER(test_each_refusal_has_its_remedy),
        OVER(test_what_was_withheld_is_the_remedy),
        OVER(test_privilege_is_raised_around_opening),
        OVER(test_one_event_that_is_refused_costs_no_other),
        OVER(test_look_without_descriptors_takes_nothing_away),
        OVER(test_every_allocation_fails_once),
        OVER(test_report_through_a_hotplug),
        OVER(test_packages_keep_their_counters_when_the_first_cpu_goes),
        OVER(test_energy_grows_beyond_64_bits_of_ticks),
        OVER(test_memory_that_fails_while_no_source_reads),
        OVER(test_source_that_has_been_reported_stays),
        OVER(test_cores_that_cannot_all_be_opened_have_no_sum),
        OVER(test_cores_that_sleep_use_nothing),
        OVER(test_samples_are_due_before_a_turn_can_hide),
        OVER(test_samples_are_due_before_the_kernel_sees_a_fall),
        OVER(test_wrap_right_after_reopening_is_carried),
        OVER(test_report_after_sleep_has_none_of_it),
        OVER(test_refusal_is_told_once),
        OVER(test_psys_of_another_package_is_no_fault),
        OVER(test_real_events_of_the_kernel),
        OVER(test_real_refusals_of_the_kernel),
        OVER(test_packages_and_dram_are_opened_first),
        OVER(test_single_cores_are_opened_all_or_none),
    };
    return cmocka_run_group_tests_name("perf", tests, NULL, NULL);
}
