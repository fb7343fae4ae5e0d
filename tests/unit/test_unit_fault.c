/* SPDX-License-Identifier: MIT */
#include "source/unit_fault.h"

#include <string.h>

#include "cmocka_all.h"
#include "system/error.h"

#define RANGE_15_3 UINT64_C(65712999613)
#define RANGE_61 UINT64_C(262143328850)
#define RANGE_61_WHOLE UINT64_C(262143999938)

static struct cpu_model intel(unsigned int model) {
    return (struct cpu_model){.vendor = CPU_VENDOR_INTEL, .family = 6, .model = model};
}

static const struct unit_fault *of_range(unsigned int model, enum zone_kind kind,
                                         uint64_t range_uj) {
    const struct cpu_model cpu = intel(model);
    return unit_fault_of_range(&cpu, kind, range_uj);
}

static void test_model_domain_and_range_prove_a_fault_together(void **state) {
    static const struct {
        unsigned int model;
        enum zone_kind kind;
        uint64_t range_uj;
        uint64_t billion_ticks_uj; /* 0: unknown */
    } faults[] = {
        {0x8F, ZONE_DRAM, RANGE_15_3, UINT64_C(61035156250)},
        {0xCF, ZONE_DRAM, RANGE_15_3, UINT64_C(61035156250)},
        {0x8F, ZONE_PSYS, RANGE_61, UINT64_C(1000000000000000)},
        {0xCF, ZONE_PSYS, RANGE_61, UINT64_C(1000000000000000)},
        {0x3F, ZONE_DRAM, RANGE_61, UINT64_C(15300000000)},
        {0x3F, ZONE_DRAM, RANGE_61_WHOLE, UINT64_C(15300000000)},
        {0x56, ZONE_DRAM, RANGE_61, 0},
    };
    static const uint64_t ranges[] = {
        RANGE_15_3,   RANGE_15_3 - 1, RANGE_15_3 + 1,     0,         RANGE_61,
        RANGE_61 + 1, RANGE_61_WHOLE, RANGE_61_WHOLE + 1, UINT64_MAX};
    (void)state;
    size_t found = 0;
    for (unsigned int model = 0; model < 0x100; model++) {
        for (enum zone_kind kind = ZONE_PACKAGE; kind <= ZONE_OTHER; kind++) {
            for (size_t i = 0; i < COUNT_OF(ranges); i++)
                found += of_range(model, kind, ranges[i]) != NULL ? 1 : 0;
        }
    }
    assert_int_equal(found, COUNT_OF(faults));
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        const struct unit_fault *fault =
            of_range(faults[i].model, faults[i].kind, faults[i].range_uj);
        assert_non_null(fault);
        assert_int_equal(unit_fault_is_corrected(fault), faults[i].billion_ticks_uj != 0);
        assert_int_equal(counter_to_uj(fault->right, 1000000000), faults[i].billion_ticks_uj);
    }
}

static void test_other_processors_have_none(void **state) {
    (void)state;
    const struct cpu_model others[] = {
        {CPU_VENDOR_AMD, 6, 0x8F, false},
        {CPU_VENDOR_UNKNOWN, 6, 0x8F, false},
        {CPU_VENDOR_INTEL, 19, 0x8F, false},
        {CPU_VENDOR_INTEL, 0, 0, false},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_null(unit_fault_of_range(&others[i], ZONE_DRAM, RANGE_15_3));
        assert_null(unit_fault_of_counts(&others[i], ZONE_DRAM));
        assert_null(unit_fault_in_doubt(&others[i], ZONE_DRAM));
    }
}

/* What the kernel shows for a register value, converted back. */
static void test_ticks_are_those_of_the_register(void **state) {
    static const struct {
        unsigned int model;
        enum zone_kind kind;
        uint64_t range_uj;
        uint64_t unit_nj;
    } faults[] = {{0x8F, ZONE_DRAM, RANGE_15_3, 15300},
                  {0x8F, ZONE_PSYS, RANGE_61, 61035},
                  {0x3F, ZONE_DRAM, RANGE_61, 61035}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        const struct unit_fault *fault =
            of_range(faults[i].model, faults[i].kind, faults[i].range_uj);
        const uint64_t unit_nj = faults[i].unit_nj;
        assert_int_equal(UINT64_C(0xFFFFFFFF) * unit_nj / 1000, faults[i].range_uj);
        for (uint64_t ticks = 0; ticks < 100000; ticks++) {
            const uint64_t high = UINT64_C(0xFFFFFFFF) - ticks;
            assert_int_equal(unit_fault_ticks(fault, ticks * unit_nj / 1000), ticks);
            assert_int_equal(unit_fault_ticks(fault, high * unit_nj / 1000), high);
        }
    }
    /* Linux before 4.0: raw * 10^6 >> 14 */
    const struct unit_fault *whole = of_range(0x3F, ZONE_DRAM, RANGE_61_WHOLE);
    for (uint64_t ticks = 0; ticks < 100000; ticks++) {
        const uint64_t high = UINT64_C(0xFFFFFFFF) - ticks;
        assert_int_equal(unit_fault_ticks(whole, ticks * 1000000 >> 14), ticks);
        assert_int_equal(unit_fault_ticks(whole, high * 1000000 >> 14), high);
    }
}

static void test_a_number_that_no_register_holds_is_no_small_one(void **state) {
    (void)state;
    const struct unit_fault *fault = of_range(0x8F, ZONE_DRAM, RANGE_15_3);
    assert_true(unit_fault_ticks(fault, UINT64_MAX) > UINT64_MAX / 16);
    assert_int_equal(unit_fault_ticks(fault, 0), 0);
}

static void test_words_name_both_units(void **state) {
    char text[256];
    (void)state;
    unit_fault_word(of_range(0x8F, ZONE_DRAM, RANGE_15_3), false, text, sizeof(text));
    assert_string_equal(text,
                        "this kernel takes its unit for 15.300 uJ, but the processor counts in "
                        "61.035 uJ; its energy is corrected");
    unit_fault_word(of_range(0x8F, ZONE_DRAM, RANGE_15_3), true, text, sizeof(text));
    assert_non_null(strstr(text, "for 15.259 uJ"));
    unit_fault_word(of_range(0x3F, ZONE_DRAM, RANGE_61), false, text, sizeof(text));
    assert_non_null(strstr(text, "for 61.035 uJ, but the processor counts in 15.300 uJ"));
    assert_true(strlen(text) < sizeof(text) - 1);
}

/* --- counts of perf -------------------------------------------------------------------------- */

static struct unit_watch watch_dram(unsigned int model) {
    const struct cpu_model cpu = intel(model);
    return unit_watch_begin(unit_fault_of_counts(&cpu, ZONE_DRAM));
}

/* The count of perf for that many ticks. */
static int take(struct unit_watch *watch, uint64_t ticks, uint64_t unit, uint64_t *count) {
    *count = ticks * unit;
    return unit_watch_take(watch, count);
}

#define WRONG (UINT64_C(1) << 16)
#define RIGHT (UINT64_C(1) << 18)

static void test_a_count_that_is_no_multiple_proves_the_wrong_unit(void **state) {
    (void)state;
    uint64_t count;
    struct unit_watch watch = watch_dram(0x8F);
    assert_int_equal(take(&watch, 4, WRONG, &count), UNIT_NOT_KNOWN);
    assert_int_equal(take(&watch, 8, WRONG, &count), UNIT_NOT_KNOWN);
    assert_int_equal(take(&watch, 10, WRONG, &count), 0);
    assert_int_equal(count, 10 * RIGHT);
    /* From now on, all of them are reported. */
    assert_int_equal(take(&watch, 12, WRONG, &count), 0);
    assert_int_equal(count, 12 * RIGHT);
    /* The kernel's own sum may become negative. */
    count = 0 - 5 * WRONG;
    assert_int_equal(unit_watch_take(&watch, &count), 0);
    assert_int_equal(count, 0 - 5 * RIGHT);
}

static void test_the_right_unit_needs_many_counts(void **state) {
    (void)state;
    uint64_t count = 0;
    struct unit_watch watch = watch_dram(0xCF);
    for (uint64_t ticks = 1; ticks < UNIT_WATCH_COUNTS; ticks++) {
        assert_int_equal(take(&watch, ticks, RIGHT, &count), UNIT_NOT_KNOWN);
        assert_int_equal(take(&watch, ticks, RIGHT, &count), UNIT_NOT_KNOWN); /* it does not move */
    }
    assert_int_equal(take(&watch, 17, RIGHT, &count), 0);
    assert_int_equal(count, 17 * RIGHT);
    assert_int_equal(take(&watch, 1, WRONG, &count), 0);
    assert_int_equal(count, WRONG);
}

/* The driver of other counters multiplies 262143 by 61035 nJ. */
static void test_counts_of_another_driver_are_right(void **state) {
    (void)state;
    uint64_t count;
    struct unit_watch watch = watch_dram(0x8F);
    assert_int_equal(take(&watch, 3, 262143, &count), 0);
    assert_int_equal(count, 3 * 262143);
}

static void test_where_nothing_can_be_wrong_nothing_is_decided(void **state) {
    static const unsigned int models[] = {0x55, 0x6A, 0xAD, 0x3F, 0x56};
    (void)state;
    uint64_t count;
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        struct unit_watch watch = watch_dram(models[i]);
        assert_int_equal(take(&watch, 1, WRONG, &count), 0);
        assert_int_equal(count, WRONG);
    }
    const struct cpu_model sapphire = intel(0x8F);
    assert_null(unit_fault_of_counts(&sapphire, ZONE_PACKAGE));
    assert_null(unit_fault_of_counts(&sapphire, ZONE_PSYS));
}

static void test_doubt_is_of_one_model(void **state) {
    (void)state;
    for (unsigned int model = 0; model < 0x100; model++) {
        const struct cpu_model cpu = intel(model);
        assert_int_equal(unit_fault_in_doubt(&cpu, ZONE_DRAM) != NULL, model == 0x56);
        assert_null(unit_fault_in_doubt(&cpu, ZONE_PACKAGE));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_domain_and_range_prove_a_fault_together),
        cmocka_unit_test(test_other_processors_have_none),
        cmocka_unit_test(test_ticks_are_those_of_the_register),
        cmocka_unit_test(test_a_number_that_no_register_holds_is_no_small_one),
        cmocka_unit_test(test_words_name_both_units),
        cmocka_unit_test(test_a_count_that_is_no_multiple_proves_the_wrong_unit),
        cmocka_unit_test(test_the_right_unit_needs_many_counts),
        cmocka_unit_test(test_counts_of_another_driver_are_right),
        cmocka_unit_test(test_where_nothing_can_be_wrong_nothing_is_decided),
        cmocka_unit_test(test_doubt_is_of_one_model),
    };
    return cmocka_run_group_tests_name("unit_fault", tests, NULL, NULL);
}
