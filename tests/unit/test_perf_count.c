/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_count.h"

#include "cmocka_all.h"
#include "fakes.h"
#include "system/error.h"

/* One tick of a register in ticks of perf, 2^-32 J. */
#define UNIT_61 (UINT64_C(1) << 18) /* 2^-14 J */
#define UNIT_15 (UINT64_C(1) << 16) /* 2^-16 J */
#define UNIT_TPMI UINT64_C(262140)  /* 61.035 uJ, cut to whole ticks */
#define JOULE (UINT64_C(1) << 32)

#define CEILING_UW UINT64_C(1000000000)

static const struct counter_traits traits = {
    .scale = {.numerator_uj = 15625, .denominator = 67108864}, .ceiling_uw = CEILING_UW};

/* A register, the kernel's count of it, and the result. */
struct bench {
    uint64_t unit;
    uint64_t register_ticks; /* since the start; the kernel sees 32 bits of it */
    uint64_t seen;           /* by the kernel at its last update */
    uint64_t raw;
    uint64_t time_ns;
    struct perf_count count;
};

static uint64_t mask(uint64_t ticks) {
    return ticks & UINT32_MAX;
}

/* arch/x86/events/rapl.c: a signed 32-bit difference */
static void update_signed(struct bench *bench) {
    const int32_t delta = (int32_t)(uint32_t)(bench->register_ticks - bench->seen);
    bench->raw += (uint64_t)(int64_t)delta * bench->unit;
    bench->seen = bench->register_ticks;
}

/* intel_rapl_common.c: the plain difference of the values seen */
static void update_plain(struct bench *bench) {
    bench->raw += (mask(bench->register_ticks) - mask(bench->seen)) * bench->unit;
    bench->seen = bench->register_ticks;
}

static int take(struct bench *bench) {
    return perf_count_take(&bench->count, &traits, bench->raw, bench->time_ns);
}

typedef void update_function(struct bench *bench);

static struct bench begin(uint64_t unit, uint64_t register_ticks) {
    struct bench bench = {.unit = unit, .register_ticks = register_ticks, .seen = register_ticks};
    bench.time_ns = NS_PER_S;
    assert_int_equal(take(&bench), 0);
    return bench;
}

static int step(struct bench *bench, update_function *update, uint64_t ticks, uint64_t span_ns) {
    bench->register_ticks += ticks;
    bench->time_ns += span_ns;
    update(bench);
    return take(bench);
}

/* Seconds at about 100 W, until the unit is known. */
static void settle(struct bench *bench, update_function *update) {
    const uint64_t second = 100 * (JOULE / bench->unit);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(step(bench, update, second + i * i * 7 + 1, NS_PER_S), 0);
    assert_int_equal(bench->count.unit, bench->unit);
}

static void test_what_grows_is_taken_as_it_is(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_61, 12345);
    const uint64_t first = bench.count.ticks;
    settle(&bench, update_signed);
    assert_int_equal(bench.count.ticks - first, bench.raw);
    const uint64_t before = bench.count.ticks;
    assert_int_equal(step(&bench, update_signed, 0, NS_PER_S), 0);
    assert_int_equal(bench.count.ticks, before);
}

static void test_wrap_of_the_register_that_the_kernel_sees_is_none(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_61, UINT32_MAX - 1000);
    const uint64_t first = bench.count.ticks;
    settle(&bench, update_signed);
    assert_int_equal(bench.count.ticks - first, bench.raw);
}

/* 600 W for 60 s are more than 2^31 ticks of 15 uJ: the kernel takes the step for a negative
 * one. */
static void test_signed_difference_is_carried(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 99);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    const uint64_t raw = bench.raw;
    const uint64_t ticks = UINT64_C(600) * 60 * (JOULE / UNIT_15);
    assert_int_equal(step(&bench, update_signed, ticks, 60 * NS_PER_S), 0);
    assert_true(bench.raw < raw || bench.raw > INT64_MAX);
    assert_int_equal(bench.count.ticks - before, ticks * UNIT_15);
    /* and counting continues from there */
    assert_int_equal(step(&bench, update_signed, 1000, NS_PER_S), 0);
    assert_int_equal(bench.count.ticks - before, (ticks + 1000) * UNIT_15);
}

static void test_count_below_zero_is_carried(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    const uint64_t ticks = UINT64_C(600) * 60 * (JOULE / UNIT_15);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(step(&bench, update_signed, ticks, 60 * NS_PER_S), 0);
        assert_int_equal(bench.count.ticks - before, (uint64_t)i * ticks * UNIT_15);
    }
    assert_true((int64_t)bench.raw < 0);
}

static void test_drop_at_a_wrap_is_carried(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_TPMI, UINT32_MAX - UINT64_C(200000000));
    settle(&bench, update_plain);
    for (int i = 0; i < 2; i++) {
        const uint64_t before = bench.count.ticks;
        const uint64_t left = UINT32_MAX - mask(bench.register_ticks);
        bench.register_ticks += left;
        bench.seen = bench.register_ticks;
        bench.raw += left * bench.unit;
        perf_count_forget(&bench.count);
        assert_int_equal(take(&bench), 0);
        assert_int_equal(bench.count.ticks, before);
        assert_int_equal(step(&bench, update_plain, 1638400, NS_PER_S), 0);
        assert_int_equal(bench.count.ticks - before, 1638400 * UNIT_TPMI);
    }
}

static void test_fall_before_the_unit_is_known_stays_one(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 5);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(step(&bench, update_signed, 1638400 + 2 * i, NS_PER_S), 0);
    /* unit and range both seem to be twice their true value */
    assert_int_equal(bench.count.unit, 2 * UNIT_15);
    const uint64_t before = bench.count.ticks;
    const uint64_t raw = bench.raw;
    assert_int_equal(step(&bench, update_signed, UINT64_C(36000) << 16, 60 * NS_PER_S), 0);
    assert_int_equal(before - bench.count.ticks, raw - bench.raw);
}

static void test_fall_by_more_than_a_turn_stays_one(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    bench.raw -= (UNIT_15 << 32) + 3 * UNIT_15;
    bench.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(&bench), 0);
    assert_int_equal(before - bench.count.ticks, (UNIT_15 << 32) + 3 * UNIT_15);
}

/* A decrease that is not a multiple of the unit is not a wrap of the register: so small a unit has
 * no range. */
/* psys may jump to 50 kW, but a wrap is accepted up to 4 kW: above that the register was reset. */
static void test_fall_that_no_power_explains_stays_one(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_61, 1000000);
    struct counter_traits psys = traits;
    psys.ceiling_uw = UINT64_C(50000000000);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    const uint64_t back = 1000 * (JOULE / UNIT_61);
    bench.register_ticks -= back;
    bench.time_ns += 10 * NS_PER_S;
    update_signed(&bench);
    assert_int_equal(perf_count_take(&bench.count, &psys, bench.raw, bench.time_ns), 0);
    assert_int_equal(before - bench.count.ticks, 1000 * JOULE);
}

static void test_fall_by_what_is_no_unit_stays_one(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    bench.raw -= (UNIT_15 << 31) + 1;
    bench.time_ns += 60 * NS_PER_S;
    assert_int_equal(take(&bench), 0);
    assert_true(bench.count.ticks < before);
}

/* At 500 W the register wraps every 131 s. The kernel itself has lost how many wraps there were in
 * 5 minutes. */
static void test_step_that_may_hide_a_turn_is_undecided(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    assert_int_equal(step(&bench, update_signed, 1000, 60 * NS_PER_S), 0);
    assert_int_equal(step(&bench, update_signed, 1000, 70 * NS_PER_S), PERF_COUNT_UNDECIDED);
    assert_int_equal(step(&bench, update_signed, 1000, 60 * NS_PER_S), 0);
    const uint64_t ticks = UINT64_C(500) * 110 * (JOULE / UNIT_15);
    assert_int_equal(step(&bench, update_signed, ticks, 150 * NS_PER_S), PERF_COUNT_UNDECIDED);
}

static void test_ceiling_says_how_long_a_turn_takes(void **state) {
    (void)state;
    struct counter_traits modest = traits;
    modest.ceiling_uw = 250000000;
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    bench.raw += 1000 * UNIT_15;
    bench.time_ns += 250 * NS_PER_S;
    assert_int_equal(perf_count_take(&bench.count, &modest, bench.raw, bench.time_ns), 0);
    /* psys may draw 50 kW, but not for long */
    modest.ceiling_uw = UINT64_C(50000000000);
    bench.raw += 1000 * UNIT_15;
    bench.time_ns += 10 * NS_PER_S;
    assert_int_equal(perf_count_take(&bench.count, &modest, bench.raw, bench.time_ns), 0);
}

static void test_whole_joules_have_no_turn(void **state) {
    (void)state;
    struct bench bench = begin(JOULE, 7);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(step(&bench, update_signed, 500 + i, NS_PER_S), 0);
    assert_int_equal(bench.count.unit, JOULE);
    assert_int_equal(step(&bench, update_signed, 500, 86400 * NS_PER_S), 0);
}

static void test_count_of_no_register_has_no_turn(void **state) {
    (void)state;
    struct bench bench = begin(1, 7);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(step(&bench, update_signed, NS_PER_S + i, 100 * NS_PER_S), 0);
}

/* The kernel's own sum is a signed 64-bit number: it overflows at 2^31 J. */
static void test_overflow_of_the_kernels_sum_is_no_step(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_61, 7);
    settle(&bench, update_signed);
    bench.raw = INT64_MAX - UNIT_61 * 10 + 1;
    perf_count_forget(&bench.count);
    assert_int_equal(take(&bench), 0);
    const uint64_t before = bench.count.ticks;
    assert_int_equal(step(&bench, update_signed, 20, NS_PER_S), 0);
    assert_int_equal(bench.count.ticks - before, 20 * UNIT_61);
}

static void test_forgotten_count_begins_where_it_is(void **state) {
    (void)state;
    struct bench bench = begin(UNIT_61, 7);
    settle(&bench, update_signed);
    const uint64_t before = bench.count.ticks;
    perf_count_forget(&bench.count);
    bench.raw = 12 * UNIT_61;
    assert_int_equal(take(&bench), 0);
    assert_int_equal(bench.count.ticks, before);
}

/* End to end through counter.c: the energy of a register that wraps. */
static void test_counter_takes_what_was_carried(void **state) {
    (void)state;
    struct counter counter = {.has_baseline = false};
    struct bench bench = begin(UNIT_15, 5);
    settle(&bench, update_signed);
    struct reading reading = {.ticks = bench.count.ticks, .time_ns = bench.time_ns};
    assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome, COUNTER_BASELINE);
    const uint64_t ticks = UINT64_C(600) * 60 * (JOULE / UNIT_15);
    assert_int_equal(step(&bench, update_signed, ticks, 60 * NS_PER_S), 0);
    reading = (struct reading){.ticks = bench.count.ticks, .time_ns = bench.time_ns};
    const struct counter_step counted = counter_advance(&counter, &traits, &reading, 0);
    assert_int_equal(counted.outcome, COUNTER_COUNTED);
    assert_int_equal(counter_to_uj(traits.scale, counted.ticks), UINT64_C(36000000000));
    /* a register that was set to 0 */
    bench.raw -= UNIT_15 << 20;
    bench.time_ns += 10 * NS_PER_S;
    assert_int_equal(take(&bench), 0);
    reading = (struct reading){.ticks = bench.count.ticks, .time_ns = bench.time_ns};
    assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome, COUNTER_LOW);
    assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome, COUNTER_LOW);
    assert_int_equal(counter_advance(&counter, &traits, &reading, 0).outcome, COUNTER_RESTARTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_grows_is_taken_as_it_is),
        cmocka_unit_test(test_wrap_of_the_register_that_the_kernel_sees_is_none),
        cmocka_unit_test(test_signed_difference_is_carried),
        cmocka_unit_test(test_count_below_zero_is_carried),
        cmocka_unit_test(test_drop_at_a_wrap_is_carried),
        cmocka_unit_test(test_fall_before_the_unit_is_known_stays_one),
        cmocka_unit_test(test_fall_by_more_than_a_turn_stays_one),
        cmocka_unit_test(test_fall_that_no_power_explains_stays_one),
        cmocka_unit_test(test_fall_by_what_is_no_unit_stays_one),
        cmocka_unit_test(test_step_that_may_hide_a_turn_is_undecided),
        cmocka_unit_test(test_ceiling_says_how_long_a_turn_takes),
        cmocka_unit_test(test_whole_joules_have_no_turn),
        cmocka_unit_test(test_count_of_no_register_has_no_turn),
        cmocka_unit_test(test_overflow_of_the_kernels_sum_is_no_step),
        cmocka_unit_test(test_forgotten_count_begins_where_it_is),
        cmocka_unit_test(test_counter_takes_what_was_carried),
    };
    return cmocka_run_group_tests_name("perf_count", tests, NULL, NULL);
}
