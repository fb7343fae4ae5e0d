/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "msr_machine.h"
#include "source/source.h"
#include "system/error.h"

#define WATT UINT64_C(1000000)

/* A source on a temporary tree. */
static struct {
    struct tree *tree;
    struct source *source;
    struct problems problems;
} bench;

static const struct cpu_model skylake = {.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x5E};
static const struct cpu_model skylake_x = {.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x55};
static const struct cpu_model zen4 = {.vendor = CPU_VENDOR_AMD, .family = 0x19, .model = 0x11};

static int setup(void **state) {
    void *tree = NULL;
    if (tree_setup(&tree) != 0)
        return -1;
    memset(&bench, 0, sizeof(bench));
    bench.tree = tree;
    bench.problems.root = "/";
    *state = bench.tree;
    return 0;
}

static int teardown(void **state) {
    fake_memory_fails_at(-1);
    if (bench.source != NULL)
        bench.source->operations->close(bench.source);
    problems_free(&bench.problems);
    return tree_teardown(state);
}

static void open_source(const struct cpu_model *model, uint64_t max_power_uw) {
    const struct source_options options = {
        .root = bench.tree->root, .max_power_uw = max_power_uw, .model = *model};
    if (bench.source != NULL)
        bench.source->operations->close(bench.source);
    bench.source = msr_open(&options);
    assert_non_null(bench.source);
}

static int discover(void) {
    return bench.source->operations->discover(bench.source, &bench.problems);
}

static void sample(void) {
    bench.source->operations->sample(bench.source);
}

static size_t index_of(const char *name) {
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        char known[ZONE_NAME_SIZE];
        zone_format_name(&bench.source->zones[i]->identity, known);
        if (strcmp(known, name) == 0)
            return i;
    }
    fail_msg("%s was not found", name);
    return 0;
}

static struct zone *zone(const char *name) {
    return bench.source->zones[index_of(name)];
}

static const struct reading *reading(const char *name) {
    return &bench.source->readings[index_of(name)];
}

/* Zone names and kernel ids, in order. */
static void expect_zones(const char *const (*zones)[2], size_t count) {
    assert_int_equal(bench.source->zone_count, count);
    for (size_t i = 0; i < count; i++) {
        char name[ZONE_NAME_SIZE];
        zone_format_name(&bench.source->zones[i]->identity, name);
        assert_string_equal(name, zones[i][0]);
        assert_string_equal(bench.source->zones[i]->id, zones[i][1]);
        assert_true(bench.source->zones[i]->identified);
        assert_int_equal(bench.source->zones[i]->error, 0);
        assert_int_equal(bench.source->zones[i]->control, 0);
        assert_int_equal(bench.source->zones[i]->epoch, 0);
    }
}
#define EXPECT_ZONES(...)                                    \
    do {                                                     \
        static const char *const zones[][2] = {__VA_ARGS__}; \
        expect_zones(zones, COUNT_OF(zones));                \
    } while (0)

static struct rapl_problem expect_told(const char *reason, const char *remedy) {
    struct rapl_problem problem;
    assert_true(problems_next(&bench.problems, &problem));
    if (strstr(problem.reason, reason) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.reason, reason);
    if (strstr(problem.remedy, remedy) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.remedy, remedy);
    return problem;
}

static void expect_nothing_told(void) {
    struct rapl_problem problem;
    if (problems_next(&bench.problems, &problem))
        fail_msg("\"%s\"", problem.reason);
}

static struct msr_machine make(unsigned int packages, unsigned int dies, unsigned int cores,
                               unsigned int threads) {
    const struct msr_machine machine = {
        .tree = bench.tree, .packages = packages, .dies = dies, .cores = cores, .threads = threads};
    machine_make(&machine);
    return machine;
}

static struct msr_machine make_amd(unsigned int packages, unsigned int dies, unsigned int cores,
                                   unsigned int threads) {
    const struct msr_machine machine = make(packages, dies, cores, threads);
    machine_set_all(&machine, AMD_UNIT, UNIT_15);
    machine_set_all(&machine, AMD_PACKAGE, 1000);
    machine_set_all(&machine, AMD_CORE, 10);
    return machine;
}

static struct msr_machine make_laptop(void) {
    const struct msr_machine machine = make(1, 1, 2, 2);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 1000);
    return machine;
}

/* --- layouts --------------------------------------------------------------------------------- */

static void test_two_packages(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 1, 2, 2);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_package(&machine, 0, PACKAGE, 100);
    machine_set_package(&machine, 0, DRAM, 101);
    machine_set_package(&machine, 1, PACKAGE, 102);
    machine_set_package(&machine, 1, DRAM, 103);
    open_source(&skylake_x, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"package-0/dram", "cpu0/0x619"},
                 {"package-1", "cpu2/0x611"}, {"package-1/dram", "cpu2/0x619"});
    const struct zone *package = zone("package-1");
    assert_string_equal(package->path, "dev/cpu/2/msr");
    assert_int_equal(package->traits.modulus, UINT64_C(1) << 32);
    assert_int_equal(package->traits.unit, 1);
    assert_int_equal(counter_to_uj(package->traits.scale, 16384), 1000000);
    assert_int_equal(package->range_uj, UINT64_C(262143999938));
    assert_int_equal(counter_to_uj(zone("package-0/dram")->traits.scale, 10), 153);
    sample();
    assert_int_equal(reading("package-0")->ticks, 100);
    assert_int_equal(reading("package-0/dram")->ticks, 101);
    assert_int_equal(reading("package-1")->ticks, 102);
    assert_int_equal(reading("package-1/dram")->ticks, 103);
    assert_int_equal(discover(), 0);
    expect_nothing_told();
}

static void test_every_domain_of_a_client(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, CORE, 2);
    machine_set_all(&machine, UNCORE, 3);
    machine_set_all(&machine, DRAM, 4);
    machine_set_all(&machine, PSYS, 5);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"package-0/core", "cpu0/0x639"},
                 {"package-0/uncore", "cpu0/0x641"}, {"package-0/dram", "cpu0/0x619"},
                 {"psys", "cpu0/0x64d"});
    assert_int_equal(zone("package-0/core")->identity.core_id, RAPL_NO_ID);
}

static void test_dies_of_intel_count_by_themselves(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 2, 2, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    for (unsigned int die = 0; die < 4; die++) {
        machine_set_die(&machine, die / 2, die % 2, PACKAGE, 100 + die);
        machine_set_die(&machine, die / 2, die % 2, PSYS, 200 + die);
    }
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    /* with the names that the powercap driver gives them */
    EXPECT_ZONES({"package-0-die-0", "cpu0/0x611"}, {"psys", "cpu0/0x64d"},
                 {"package-0-die-1", "cpu2/0x611"}, {"psys-0", "cpu2/0x64d"},
                 {"package-1-die-0", "cpu4/0x611"}, {"psys-1", "cpu4/0x64d"},
                 {"package-1-die-1", "cpu6/0x611"}, {"psys-1", "cpu6/0x64d"});
    sample();
    assert_int_equal(reading("package-0-die-1")->ticks, 101);
    assert_int_equal(reading("package-1-die-1")->ticks, 103);
}

static void test_amd_counts_by_package_and_core(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(2, 1, 2, 2);
    machine_set_package(&machine, 1, AMD_PACKAGE, 2000);
    machine_set_core(&machine, 1, 0, 1, AMD_CORE, 77);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0xc001029b"}, {"package-0-core-0/core", "cpu0/0xc001029a"},
                 {"package-0-core-1/core", "cpu1/0xc001029a"}, {"package-1", "cpu2/0xc001029b"},
                 {"package-1-core-0/core", "cpu2/0xc001029a"},
                 {"package-1-core-1/core", "cpu3/0xc001029a"});
    sample();
    assert_int_equal(reading("package-1")->ticks, 2000);
    assert_int_equal(reading("package-1-core-1/core")->ticks, 77);
    assert_int_equal(reading("package-1-core-0/core")->ticks, 10);
    assert_int_equal(counter_to_uj(zone("package-0")->traits.scale, 65536), 1000000);
}

/* From Linux 6.9 on each CCD is a die: the package stays one zone, and core ids repeat per die. */
static void test_core_ids_of_amd_begin_anew_in_each_die(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 2, 2, 2);
    machine_set_core(&machine, 0, 1, 0, AMD_CORE, 42);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0xc001029b"},
                 {"package-0-die-0-core-0/core", "cpu0/0xc001029a"},
                 {"package-0-die-0-core-1/core", "cpu1/0xc001029a"},
                 {"package-0-die-1-core-0/core", "cpu2/0xc001029a"},
                 {"package-0-die-1-core-1/core", "cpu3/0xc001029a"});
    sample();
    assert_int_equal(reading("package-0-die-0-core-0/core")->ticks, 10);
    assert_int_equal(reading("package-0-die-1-core-0/core")->ticks, 42);
}

static void test_kernel_without_die_ids(void **state) {
    (void)state;
    const struct msr_machine machine = {.tree = bench.tree,
                                        .packages = 2,
                                        .dies = 1,
                                        .cores = 2,
                                        .threads = 1,
                                        .without_die_id = true};
    machine_make(&machine);
    machine_set_all(&machine, AMD_UNIT, UNIT_15);
    machine_set_all(&machine, AMD_PACKAGE, 1);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0xc001029b"}, {"package-1", "cpu2/0xc001029b"});
}

static void test_sixteen_packages(void **state) {
    (void)state;
    const struct msr_machine machine = make(16, 1, 2, 2);
    machine_set_all(&machine, UNIT, UNIT_61);
    for (unsigned int i = 0; i < 16; i++)
        machine_set_package(&machine, i, PACKAGE, 100 + i);
    open_source(&skylake_x, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 16);
    sample();
    for (unsigned int i = 0; i < 16; i++) {
        assert_int_equal(bench.source->zones[i]->identity.package_id, i);
        assert_int_equal(bench.source->readings[i].ticks, 100 + i);
    }
}

static void test_512_cores(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(2, 16, 16, 2);
    for (unsigned int core = 0; core < 512; core++)
        machine_set_core(&machine, core / 256, core / 16 % 16, core % 16, AMD_CORE, 1 + core);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const size_t before = tree_count_descriptors();
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 514);
    assert_int_equal(tree_count_descriptors() - before, 514);
    size_t reads = fake_msr_reads();
    sample();
    assert_int_equal(fake_msr_reads() - reads, 514);
    for (unsigned int core = 0, i = 0; core < 512; core++) {
        i += core % 256 == 0 ? 1 : 0;
        assert_int_equal(bench.source->readings[core + i].ticks, 1 + core);
    }
    /* this costs nothing while nothing changes */
    reads = fake_msr_reads();
    assert_int_equal(discover(), 0);
    assert_int_equal(fake_msr_reads(), reads);
    /* nor are unselected zones read */
    for (size_t i = 1; i < bench.source->zone_count; i++)
        bench.source->zones[i]->wanted = false;
    sample();
    assert_int_equal(fake_msr_reads() - reads, 1);
    assert_int_equal(bench.source->readings[1].error, -ENODATA);
}

static void test_cpus_that_are_offline_at_the_start(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(2, 1, 2, 2);
    machine_set_online(&machine, 0, false, "1-7");
    machine_set_online(&machine, 2, false, "1,3-7");
    machine_set_online(&machine, 6, false, "1,3-5,7");
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu1/0xc001029b"}, {"package-0-core-0/core", "cpu4/0xc001029a"},
                 {"package-0-core-1/core", "cpu1/0xc001029a"}, {"package-1", "cpu3/0xc001029b"},
                 {"package-1-core-1/core", "cpu3/0xc001029a"});
    expect_nothing_told();
}

/* --- registers ------------------------------------------------------------------------------- */

/* AMD's registers are 64 bits wide from Genoa on. */
static void test_only_32_bits_are_taken(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 1, 1);
    machine_set_all(&machine, AMD_PACKAGE, UINT64_C(0x123456789ABCDEF0));
    machine_set_all(&machine, AMD_CORE, UINT64_C(0xFFFFFFFFFFFFFFFF));
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("package-0")->ticks, 0x9ABCDEF0);
    assert_int_equal(reading("package-0-core-0/core")->ticks, 0xFFFFFFFF);
    assert_int_equal(zone("package-0")->traits.modulus, UINT64_C(0x100000000));
    machine_set_all(&machine, AMD_PACKAGE, UINT64_C(0x1234567900000001));
    sample();
    assert_int_equal(reading("package-0")->ticks, 1);
}

static void test_registers_that_are_not_there_or_stand_at_0(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, CORE, 7);
    machine_set_all(&machine, UNCORE, 0);
    machine_set_all(&machine, DRAM, UINT64_C(0x500000000)); /* its low 32 bits are 0, too */
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"package-0/core", "cpu0/0x639"});
    expect_nothing_told();
    /* the GPU is used for the first time */
    machine_set_all(&machine, UNCORE, 1);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"package-0/core", "cpu0/0x639"},
                 {"package-0/uncore", "cpu0/0x641"});
    expect_nothing_told();
}

/* It is checked again some updates later. */
static void test_counter_that_stands_at_0_for_a_moment(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, UNCORE, 0);
    fake_msr_set_late(0, PACKAGE, 5);
    fake_msr_set_late(0, DRAM, 6);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"package-0/dram", "cpu0/0x619"});
    expect_nothing_told();
}

static void test_counter_may_pass_through_0(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    machine_set_all(&machine, PACKAGE, 0);
    sample();
    assert_int_equal(reading("package-0")->error, 0);
    assert_int_equal(reading("package-0")->ticks, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 1);
}

/* A core that has been asleep since boot. */
static void test_core_at_0_counts_where_others_do(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 3, 1);
    machine_set_core(&machine, 0, 0, 0, AMD_CORE, 0);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
    sample();
    assert_int_equal(reading("package-0-core-0/core")->ticks, 0);
    assert_int_equal(reading("package-0-core-0/core")->error, 0);
}

static void test_amd_without_counters_of_cores(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 4, 1);
    const size_t before = tree_count_descriptors();
    machine_set_all(&machine, AMD_CORE, 0);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0xc001029b"});
    assert_int_equal(tree_count_descriptors(), before + 1);
    assert_int_equal(discover(), 0);
    expect_nothing_told();
}

static void test_units_of_the_model(void **state) {
    (void)state;
    static const struct cpu_model sapphire = {
        .vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x8F};
    static const struct cpu_model silvermont = {
        .vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x37};
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, DRAM, 1);
    machine_set_all(&machine, PSYS, 1);
    open_source(&sapphire, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(counter_to_uj(zone("package-0/dram")->traits.scale, 16384), 1000000);
    assert_int_equal(counter_to_uj(zone("psys")->traits.scale, 3), 3000000);
    assert_int_equal(zone("psys")->range_uj, UINT64_C(4294967295000000));
    machine_set_all(&machine, UNIT, 0x505);
    open_source(&silvermont, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
    assert_int_equal(counter_to_uj(zone("package-0")->traits.scale, 1000), 32000);
}

static void test_dram_whose_unit_is_in_doubt_is_marked(void **state) {
    (void)state;
    static const struct cpu_model broadwell_d = {
        .vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x56};
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, DRAM, 1);
    open_source(&broadwell_d, 0);
    assert_int_equal(discover(), 1);
    assert_non_null(zone("package-0/dram")->fault);
    assert_null(zone("package-0")->fault);
    open_source(&skylake_x, 0);
    assert_int_equal(discover(), 1);
    assert_null(zone("package-0/dram")->fault);
}

/* --- ceilings -------------------------------------------------------------------------------- */

static void test_ceiling_is_four_times_the_largest_limit(void **state) {
    (void)state;
    static const struct {
        uint64_t limit, info, ceiling_w;
    } cases[] = {
        {0, 0, 1000},
        {0, 800, 400},                                      /* TDP 100 W */
        {0, UINT64_C(1600) << 32 | 800, 400},               /* and at most 200 W */
        {0, UINT64_C(1600) << 32, 800},                     /* at most 200 W, and no TDP */
        {UINT64_C(2400) << 32 | 800, 0, 1200},              /* PL2 300 W */
        {UINT64_C(2400) << 32 | 800, 800, 400},             /* and a TDP of 100 W */
        {UINT64_C(0x80FF8000800080A0), 0, 250},             /* PL1 20 W, and all flags set */
        {UINT64_C(0x7FFF) << 32 | 1640, 0, 820},            /* no PL2; PL1 205 W */
        {UINT64_C(0x7FFF00007FFF), UINT64_C(0x7FFF), 1000}, /* nothing but "no limit" */
    };
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, CORE, 2);
    machine_set_all(&machine, DRAM, 4);
    machine_set_all(&machine, PSYS, 5);
    machine_set_all(&machine, 0x61C, 2400);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        machine_set_all(&machine, 0x610, cases[i].limit);
        machine_set_all(&machine, 0x614, cases[i].info);
        open_source(&skylake, 0);
        assert_int_equal(discover(), 1);
        assert_int_equal(zone("package-0")->traits.ceiling_uw, cases[i].ceiling_w * WATT);
        assert_int_equal(zone("package-0/core")->traits.ceiling_uw, cases[i].ceiling_w * WATT);
        assert_int_equal(zone("package-0/dram")->traits.ceiling_uw, 1200 * WATT);
        assert_int_equal(zone("psys")->traits.ceiling_uw, 50000 * WATT);
    }
    open_source(&skylake, 77 * WATT);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("package-0")->traits.ceiling_uw, 77 * WATT);
    assert_int_equal(zone("package-0/dram")->traits.ceiling_uw, 77 * WATT);
    assert_int_equal(zone("psys")->traits.ceiling_uw, 50000 * WATT);
}

static void test_ceiling_of_amd_is_1000_watts(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 1, 1);
    machine_set_all(&machine, 0x610, 800); /* a register of another vendor */
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("package-0")->traits.ceiling_uw, 1000 * WATT);
    assert_int_equal(zone("package-0-core-0/core")->traits.ceiling_uw, 1000 * WATT);
}

/* --- CPUs that come and go ------------------------------------------------------------------- */

static void test_sibling_takes_over(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 2, 2);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    const struct zone *package = zone("package-0");
    machine_set_online(&machine, 0, false, "1-3");
    sample();
    assert_int_equal(reading("package-0")->error, -ENXIO);
    assert_int_equal(reading("package-0-core-0/core")->error, -ENXIO);
    assert_int_equal(reading("package-0-core-1/core")->error, 0);
    assert_int_equal(discover(), 1);
    /* the counters are the same, so the zones are kept and nothing restarts */
    assert_ptr_equal(zone("package-0"), package);
    EXPECT_ZONES({"package-0", "cpu1/0xc001029b"}, {"package-0-core-0/core", "cpu2/0xc001029a"},
                 {"package-0-core-1/core", "cpu1/0xc001029a"});
    assert_string_equal(package->path, "dev/cpu/1/msr");
    sample();
    assert_int_equal(reading("package-0")->ticks, 1000);
    /* CPU 0 returns: the zone keeps the CPU that is already reading. */
    machine_set_online(&machine, 0, true, "0-3");
    assert_int_equal(discover(), 0);
    assert_string_equal(zone("package-0")->id, "cpu1/0xc001029b");
    expect_nothing_told();
}

/* Its CPU was offline for a moment between two discoveries. */
static void test_file_reads_again_once_its_cpu_is_back(void **state) {
    (void)state;
    (void)make_laptop();
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    for (unsigned int cpu = 0; cpu < 4; cpu++)
        fake_msr_offline(cpu, true);
    sample();
    assert_int_equal(reading("package-0")->error, -ENXIO);
    for (unsigned int cpu = 0; cpu < 4; cpu++)
        fake_msr_offline(cpu, false);
    assert_int_equal(discover(), 0);
    assert_int_equal(zone("package-0")->error, 0);
    expect_nothing_told();
}

/* The list of online CPUs does not show the change yet. */
static void test_cpus_that_go_before_the_list_does(void **state) {
    (void)state;
    (void)make_laptop();
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    fake_msr_offline(0, true);
    fake_msr_offline(1, true);
    sample();
    assert_int_equal(discover(), 1);
    assert_string_equal(zone("package-0")->path, "dev/cpu/2/msr");
    sample();
    assert_int_equal(reading("package-0")->error, 0);
    expect_nothing_told();
}

static void test_package_goes_and_returns(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 1, 1, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 5);
    machine_set_all(&machine, PSYS, 6);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    machine_set_online(&machine, 0, false, "1");
    assert_int_equal(discover(), 1);
    /* psys-1 keeps its name, although its package is now the lowest */
    EXPECT_ZONES({"package-1", "cpu1/0x611"}, {"psys-1", "cpu1/0x64d"});
    assert_int_equal(discover(), 0);
    machine_set_online(&machine, 0, true, "0-1");
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"psys", "cpu0/0x64d"}, {"package-1", "cpu1/0x611"},
                 {"psys-1", "cpu1/0x64d"});
    expect_nothing_told();
}

/* A CPU comes online before its device exists (msr.c: CPUHP_AP_ONLINE_DYN). */
static void test_device_that_comes_late(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 1, 1, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 5);
    tree_remove(bench.tree, "dev/cpu/1");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
    expect_nothing_told();
    tree_write(bench.tree, "dev/cpu/1/msr", "%s", "");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 2);
    expect_nothing_told();
}

static void test_device_that_stays_away_is_told(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 1, 1, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 5);
    tree_remove(bench.tree, "dev/cpu/1");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(discover(), 0);
    expect_told("/dev/cpu/1/msr: No such device or address", "offline");
    expect_nothing_told();
}

/* Names include the die if there are several dies, and stay the same when one goes. */
static void test_names_with_dies_stay(void **state) {
    (void)state;
    const struct msr_machine machine = make(1, 2, 1, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 5);
    machine_set_online(&machine, 1, false, "0");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"});
    machine_set_online(&machine, 1, true, "0-1");
    assert_int_equal(discover(), 1);
    /* the counter of the first die appears once, not as package-0 and package-0-die-0 */
    EXPECT_ZONES({"package-0-die-0", "cpu0/0x611"}, {"package-0-die-1", "cpu1/0x611"});
    machine_set_online(&machine, 1, false, "0");
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0-die-0", "cpu0/0x611"});
    expect_nothing_told();
}

/* As with too many open files: zones that can be read stay, and missing ones are looked for
 * again. */
static void test_topology_that_cannot_be_read_takes_nothing_away(void **state) {
    (void)state;
    const struct msr_machine machine = make(2, 1, 1, 1);
    machine_set_all(&machine, UNIT, UNIT_61);
    machine_set_all(&machine, PACKAGE, 5);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    tree_move(bench.tree, "sys", "away");
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 2);
    expect_told("/sys/devices/system/cpu/online: No such file or directory", "");
    tree_move(bench.tree, "away", "sys");
    tree_move(bench.tree, "sys/devices/system/cpu/cpu0", "cpu0");
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 2);
    tree_move(bench.tree, "cpu0", "sys/devices/system/cpu/cpu0");
    assert_int_equal(discover(), 0);
    sample();
    assert_int_equal(reading("package-0")->error, 0);
    expect_told("/sys/devices/system/cpu/online", "");
    expect_nothing_told();
}

static void test_core_whose_topology_comes_late(void **state) {
    (void)state;
    (void)make_amd(1, 1, 2, 1);
    tree_move(bench.tree, "sys/devices/system/cpu/cpu1", "cpu1");
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 2);
    /* although the list of CPUs is the same */
    tree_move(bench.tree, "cpu1", "sys/devices/system/cpu/cpu1");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 3);
}

/* --- what stands in the way ------------------------------------------------------------------ */

static void test_a_read_that_takes_long_says_nothing(void **state) {
    (void)state;
    (void)make_amd(1, 1, 2, 2);
    open_source(&zen4, 0);
    fake_clocks_stop();
    assert_int_equal(discover(), 1);
    fake_reads_take(NS_PER_S);
    sample();
    assert_int_equal(reading("package-0")->error, 0);
    fake_reads_take(NS_PER_S + 1);
    sample();
    assert_int_equal(reading("package-0")->error, SOURCE_READ_TOO_LONG);
    fake_reads_take(0);
    sample();
    assert_int_equal(reading("package-0")->error, 0);
}

static void test_slow_read_is_repeated(void **state) {
    (void)state;
    static const struct fake_stall stalls[] = {{0, 0}, {0, 0}, {30 * NS_PER_MS, 30 * NS_PER_MS}};
    (void)make_amd(1, 1, 2, 2);
    open_source(&zen4, 0);
    fake_clocks_stop();
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 3);
    slow_reads_begin(&bench.source->slow_reads, NS_PER_S);
    fake_reads_stall(stalls, COUNT_OF(stalls), NULL);
    const size_t reads = fake_msr_reads();
    sample();
    assert_int_equal(fake_msr_reads() - reads, 4);
    for (size_t i = 0; i < bench.source->zone_count; i++) {
        const struct reading *reading = &bench.source->readings[i];
        assert_int_equal(reading->error, 0);
        assert_int_equal(reading->uncertainty_ns, 0);
        assert_int_equal(fake_clocks_raw_ns() - reading->time_ns, i < 2 ? 60 * NS_PER_MS : 0);
    }
}

static void test_module_that_is_not_loaded(void **state) {
    (void)state;
    (void)make_laptop();
    tree_remove(bench.tree, "dev");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 0);
    const struct rapl_problem problem =
        expect_told("/dev/cpu/0/msr: No such file or directory", "sudo modprobe msr");
    assert_int_equal(problem.severity, RAPL_ERROR);
    expect_nothing_told();
    sample();
    (void)make_laptop();
    assert_int_equal(discover(), 1);
    assert_true(expect_told("/dev/cpu/0/msr", "").over);
}

static void test_file_that_may_not_be_opened(void **state) {
    (void)state;
    const uid_t user = geteuid();
    (void)make_laptop();
    for (unsigned int cpu = 0; cpu < 4; cpu++) {
        char path[64];
        snprintf(path, sizeof(path), "dev/cpu/%u/msr", cpu);
        tree_set_mode(bench.tree, path, user == 0 ? 0400 : 0);
    }
    open_source(&skylake, 0);
    if (user == 0 && seteuid(65534) != 0)
        skip();
    const int changed = discover();
    struct rapl_problem problem;
    const bool told = problems_next(&bench.problems, &problem);
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    assert_int_equal(changed, 0);
    assert_true(told);
    assert_string_equal(problem.reason, "/dev/cpu/0/msr: Permission denied");
    assert_non_null(strstr(problem.remedy, "setcap cap_dac_read_search,cap_sys_rawio=p "));
    expect_nothing_told();
}

static void test_neither_device_nor_file(void **state) {
    (void)state;
    (void)make(1, 1, 1, 1);
    tree_remove(bench.tree, "dev/cpu/0/msr");
    tree_make_fifo(bench.tree, "dev/cpu/0/msr");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    expect_told("/dev/cpu/0/msr: is not a regular file", "ls -lR /dev/cpu");
}

static void test_unit_that_cannot_be_read(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, UNIT, 0);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 0);
    expect_told("/dev/cpu/0/msr: register 0x606 reads 0", "the processor does not count");
    expect_nothing_told();
    for (unsigned int cpu = 0; cpu < 4; cpu++)
        fake_msr_fail(cpu, UNIT, EIO);
    assert_int_equal(discover(), 0);
    assert_true(expect_told("reads 0", "").over);
    expect_told("/dev/cpu/0/msr: register 0x606: Input/output error", "does not count");
    expect_nothing_told();
    machine_set_all(&machine, UNIT, UNIT_61);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 1);
}

static void test_virtual_machine(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, UNIT, 0);
    bench.problems.is_virtual = true;
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    expect_told("register 0x606 reads 0", "virtual machine");
}

static void test_package_that_does_not_count(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, PACKAGE, 0);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 0);
    expect_told("/dev/cpu/0/msr: register 0x611 reads 0", "");
    expect_nothing_told();
}

/* Once a register was read, it no longer counts as one that may not exist. */
static void test_register_that_fails_later(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, DRAM, 4);
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    for (unsigned int cpu = 0; cpu < 4; cpu++)
        fake_msr_fail(cpu, DRAM, EIO);
    sample();
    assert_int_equal(reading("package-0")->error, 0);
    assert_int_equal(reading("package-0/dram")->error, -EIO);
    assert_int_equal(zone("package-0/dram")->error, -EIO);
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("package-0/dram")->error, -EIO);
    assert_int_equal(discover(), 0);
    machine_set_all(&machine, DRAM, 9);
    assert_int_equal(discover(), 1);
    sample();
    assert_int_equal(reading("package-0/dram")->ticks, 9);
}

static void test_msr_safe_is_preferred(void **state) {
    (void)state;
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, DRAM, 4);
    for (unsigned int cpu = 0; cpu < 4; cpu++) {
        char path[64];
        snprintf(path, sizeof(path), "dev/cpu/%u/msr_safe", cpu);
        tree_write(bench.tree, path, "%s", "");
        fake_msr_fail(cpu, DRAM, EACCES);
    }
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"});
    assert_string_equal(zone("package-0")->path, "dev/cpu/0/msr_safe");
    expect_told("/dev/cpu/0/msr_safe: register 0x619: Permission denied", "msr_allowlist");
    expect_nothing_told();
    machine_set_all(&machine, DRAM, 4);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 2);
}

static void test_msr_where_msr_safe_does_not_open(void **state) {
    (void)state;
    (void)make_laptop();
    tree_make_fifo(bench.tree, "dev/cpu/0/msr_safe");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 1);
    assert_string_equal(zone("package-0")->path, "dev/cpu/0/msr");
    tree_remove(bench.tree, "dev/cpu");
    tree_make_fifo(bench.tree, "dev/cpu/0/msr_safe");
    open_source(&skylake, 0);
    assert_int_equal(discover(), 0);
    expect_told("/dev/cpu/0/msr_safe: is not a regular file", "");
}

static void fd_budget_descriptors(rlim_t room) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = room;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The sum of some cores is not the sum of the package. */
static void test_cores_are_shown_all_or_not_at_all(void **state) {
    (void)state;
    struct rlimit limit;
    (void)make_amd(1, 1, 32, 1);
    const size_t before = tree_count_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    open_source(&zen4, 0);
    fd_budget_descriptors(before + 16);
    const int changed = discover();
    fd_budget_descriptors(limit.rlim_cur);
    assert_int_equal(changed, 1);
    EXPECT_ZONES({"package-0", "cpu0/0xc001029b"});
    /* and no descriptor is kept open without need */
    assert_int_equal(tree_count_descriptors(), before + 1);
    expect_told("Too many open files", "prlimit");
    expect_nothing_told();
    sample();
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 33);
    sample();
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(bench.source->readings[i].error, 0);
    assert_true(expect_told("Too many open files", "").over);
}

static void test_cores_stay_when_one_goes(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 1, 4, 1);
    open_source(&zen4, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 5);
    machine_set_online(&machine, 2, false, "0-1,3");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 4);
    const size_t reads = fake_msr_reads();
    assert_int_equal(discover(), 0);
    assert_int_equal(fake_msr_reads(), reads);
    /* first without its device, then with it */
    machine_set_online(&machine, 2, true, "0-3");
    tree_remove(bench.tree, "dev/cpu/2");
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 4);
    tree_write(bench.tree, "dev/cpu/2/msr", "%s", "");
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 5);
    expect_nothing_told();
}

/* --- models ---------------------------------------------------------------------------------- */

static void test_model_that_is_not_known_is_probed(void **state) {
    (void)state;
    static const struct cpu_model future = {.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0xFE};
    const struct msr_machine machine = make_laptop();
    machine_set_all(&machine, PSYS, 4);
    open_source(&future, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"}, {"psys", "cpu0/0x64d"});
    const struct rapl_problem problem =
        expect_told("family 6 model 0xfe is not known: its registers were probed",
                    "if the watts look wrong, use powercap or perf");
    assert_int_equal(problem.severity, RAPL_WARNING);
    assert_int_equal(discover(), 0);
    expect_nothing_told();
}

static void test_model_of_amd_that_is_not_known(void **state) {
    (void)state;
    static const struct cpu_model future = {.vendor = CPU_VENDOR_AMD, .family = 27, .model = 1};
    static const struct cpu_model past = {.vendor = CPU_VENDOR_AMD, .family = 0x15, .model = 2};
    (void)make_amd(1, 1, 2, 1);
    open_source(&future, 0);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 3);
    expect_told("family 27 model 0x01", "");
    expect_nothing_told();
    const size_t reads = fake_msr_reads();
    open_source(&past, 0);
    assert_int_equal(discover(), 0);
    assert_int_equal(bench.source->zone_count, 0);
    assert_int_equal(fake_msr_reads(), reads);
}

/* Nothing is probed, and no message asks for the msr driver. */
static void test_processor_without_counters(void **state) {
    (void)state;
    static const struct {
        struct cpu_model model;
        const char *reason;
    } cases[] = {
        {{.vendor = CPU_VENDOR_AMD, .family = 0x15, .model = 2},
         "family 21 model 0x02 has no RAPL counters"},
        {{.vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x1A},
         "family 6 model 0x1a has no RAPL counters"},
        {{.vendor = CPU_VENDOR_NOT_X86}, "a processor that is not x86 has no RAPL counters"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        problems_free(&bench.problems);
        open_source(&cases[i].model, 0);
        assert_int_equal(discover(), 0);
        const struct rapl_problem problem =
            expect_told(cases[i].reason, "this processor has no RAPL counters");
        assert_int_equal(problem.severity, RAPL_ERROR);
        assert_null(strstr(problem.remedy, "modprobe"));
        expect_nothing_told();
    }
}

/* A guest may show another processor model than its host's, and still count. */
static void test_old_model_of_a_virtual_machine_is_probed(void **state) {
    (void)state;
    static const struct cpu_model nehalem = {
        .vendor = CPU_VENDOR_INTEL, .family = 6, .model = 0x1A, .is_virtual = true};
    (void)make_laptop();
    open_source(&nehalem, 0);
    assert_int_equal(discover(), 1);
    EXPECT_ZONES({"package-0", "cpu0/0x611"});
}

static void test_processor_without_registers(void **state) {
    (void)state;
    static const struct cpu_model diamond = {.vendor = CPU_VENDOR_INTEL, .family = 19, .model = 1};
    static const struct cpu_model zhaoxin = {.vendor = CPU_VENDOR_OTHER, .family = 7, .model = 1};
    static const struct cpu_model unknown = {.vendor = CPU_VENDOR_UNKNOWN};
    (void)make_laptop();
    open_source(&diamond, 0);
    assert_int_equal(discover(), 0);
    expect_told("family 19 model 0x01 counts energy in no registers", "intel_rapl_tpmi");
    open_source(&zhaoxin, 0);
    assert_int_equal(discover(), 0);
    expect_told("family 19", "");
    expect_told("whose maker is other", "powercap or perf");
    open_source(&unknown, 0);
    assert_int_equal(discover(), 0);
    sample();
    assert_int_equal(bench.source->zone_count, 0);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void test_without_memory(void **state) {
    (void)state;
    const struct msr_machine machine = make_amd(1, 2, 2, 1);
    const size_t before = tree_count_descriptors();
    bool failed = true;
    for (int i = 0; i < 1000 && failed; i++) {
        open_source(&zen4, 0);
        fake_memory_fails_at(i);
        int changed = discover();
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        assert_true(changed == 1 || (failed && changed == -ENOMEM));
        if (failed)
            sample();
        if (changed < 0)
            assert_int_equal(discover(), 1);
        assert_int_equal(bench.source->zone_count, 5);
        sample();
        /* and while CPUs go and come back */
        machine_set_online(&machine, 0, false, "1-3");
        fake_memory_fails_at(i);
        changed = discover();
        fake_memory_fails_at(-1);
        sample();
        if (changed < 0)
            assert_true(discover() >= 0);
        assert_int_equal(bench.source->zone_count, 4);
        machine_set_online(&machine, 0, true, "0-3");
        assert_int_equal(discover(), 1);
        assert_int_equal(bench.source->zone_count, 5);
        for (size_t j = 0; j < 5; j++)
            assert_int_equal(bench.source->zones[j]->error, 0);
        assert_int_equal(tree_count_descriptors(), before + 5);
    }
    assert_false(failed);
}

/* --- limits ---------------------------------------------------------------------------------- */

static void fd_budget_files(const struct cpu_model *model, size_t files) {
    problems_free(&bench.problems);
    open_source(model, 0);
    bench.source->limit.files = files;
}

/* Two packages of two cores: a device each; the cores of a package are read all or none. */
static void test_cores_of_a_package_are_read_all_or_none(void **state) {
    static const struct cpu_model model = {.vendor = CPU_VENDOR_AMD, .family = 0x19, .model = 1};
    static const size_t shown[] = {0, 1, 2, 2, 4, 4, 6};
    (void)state;
    (void)make_amd(2, 1, 2, 1);
    for (size_t files = 0; files < COUNT_OF(shown); files++) {
        const size_t before = tree_count_descriptors();
        fd_budget_files(&model, files);
        discover();
        assert_int_equal(bench.source->zone_count, shown[files]);
        assert_true(tree_count_descriptors() <= before + files);
        assert_int_equal(bench.source->lacks_members, files < 2);
        if (files >= 4)
            assert_int_equal(zone("package-0-core-1/core")->error, 0);
        if (files < 6)
            (void)expect_told("counters are left out", "LimitNOFILE=");
        expect_nothing_told();
        assert_int_equal(discover(), 0);
        open_source(&model, 0);
    }
}

/* The core zones and their sum still exist, but the sum has no value without them. */
static void test_cores_make_way_for_a_package(void **state) {
    static const struct cpu_model model = {.vendor = CPU_VENDOR_AMD, .family = 0x19, .model = 1};
    (void)state;
    const struct msr_machine machine = make_amd(2, 1, 2, 1);
    machine_set_online(&machine, 2, false, "0-1");
    machine_set_online(&machine, 3, false, "0-1");
    fd_budget_files(&model, 3);
    assert_int_equal(discover(), 1);
    assert_int_equal(bench.source->zone_count, 3);
    machine_set_online(&machine, 2, true, "0-2");
    assert_int_equal(discover(), 1);
    assert_int_equal(zone("package-1")->error, 0);
    assert_int_equal(zone("package-0-core-0/core")->error, ZONE_WITHOUT_FILE);
    assert_int_equal(zone("package-0-core-1/core")->error, ZONE_WITHOUT_FILE);
    (void)expect_told("left out, such as package-0-core-0/core", "LimitNOFILE=");
    assert_false(bench.source->lacks_members);
}

/* Cores that cannot be told apart are not reported, because their sum may lack one. */
static void test_cores_without_a_place_are_not_told(void **state) {
    static const struct cpu_model model = {.vendor = CPU_VENDOR_AMD, .family = 0x19, .model = 1};
    (void)state;
    (void)make_amd(1, 1, 2, 1);
    tree_write(bench.tree, "sys/devices/system/cpu/cpu1/topology/core_id", "%s", "one\n");
    open_source(&model, 0);
    discover();
    assert_int_equal(bench.source->zone_count, 1);
    (void)expect_told("cpu1/topology/core_id: does not hold a number", "head -c");
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_two_packages),
        IN_TREE(test_every_domain_of_a_client),
        IN_TREE(test_dies_of_intel_count_by_themselves),
        IN_TREE(test_amd_counts_by_package_and_core),
        IN_TREE(test_core_ids_of_amd_begin_anew_in_each_die),
        IN_TREE(test_kernel_without_die_ids),
        IN_TREE(test_sixteen_packages),
        IN_TREE(test_512_cores),
        IN_TREE(test_cpus_that_are_offline_at_the_start),
        IN_TREE(test_only_32_bits_are_taken),
        IN_TREE(test_registers_that_are_not_there_or_stand_at_0),
        IN_TREE(test_counter_that_stands_at_0_for_a_moment),
        IN_TREE(test_counter_may_pass_through_0),
        IN_TREE(test_core_at_0_counts_where_others_do),
        IN_TREE(test_amd_without_counters_of_cores),
        IN_TREE(test_units_of_the_model),
        IN_TREE(test_dram_whose_unit_is_in_doubt_is_marked),
        IN_TREE(test_ceiling_is_four_times_the_largest_limit),
        IN_TREE(test_ceiling_of_amd_is_1000_watts),
        IN_TREE(test_sibling_takes_over),
        IN_TREE(test_file_reads_again_once_its_cpu_is_back),
        IN_TREE(test_cpus_that_go_before_the_list_does),
        IN_TREE(test_package_goes_and_returns),
        IN_TREE(test_device_that_comes_late),
        IN_TREE(test_device_that_stays_away_is_told),
        IN_TREE(test_names_with_dies_stay),
        IN_TREE(test_topology_that_cannot_be_read_takes_nothing_away),
        IN_TREE(test_core_whose_topology_comes_late),
        IN_TREE(test_a_read_that_takes_long_says_nothing),
        IN_TREE(test_slow_read_is_repeated),
        IN_TREE(test_module_that_is_not_loaded),
        IN_TREE(test_file_that_may_not_be_opened),
        IN_TREE(test_neither_device_nor_file),
        IN_TREE(test_unit_that_cannot_be_read),
        IN_TREE(test_virtual_machine),
        IN_TREE(test_package_that_does_not_count),
        IN_TREE(test_register_that_fails_later),
        IN_TREE(test_msr_safe_is_preferred),
        IN_TREE(test_msr_where_msr_safe_does_not_open),
        IN_TREE(test_cores_are_shown_all_or_not_at_all),
        IN_TREE(test_cores_stay_when_one_goes),
        IN_TREE(test_model_that_is_not_known_is_probed),
        IN_TREE(test_model_of_amd_that_is_not_known),
        IN_TREE(test_processor_without_counters),
        IN_TREE(test_old_model_of_a_virtual_machine_is_probed),
        IN_TREE(test_processor_without_registers),
        IN_TREE(test_without_memory),
        IN_TREE(test_cores_of_a_package_are_read_all_or_none),
        IN_TREE(test_cores_make_way_for_a_package),
        IN_TREE(test_cores_without_a_place_are_not_told),
    };
    return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
