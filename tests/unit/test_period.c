/* SPDX-License-Identifier: MIT */
/* How often a counter moves, derived from its readings. */
#include "energy/period.h"

#include "cmocka_all.h"
#include "fakes.h"

#define START_NS (1000 * NS_PER_S)

/* A counter that moves once per period by one or several units, read in between. */
struct meter {
    struct period period;
    uint64_t period_ns;
    uint64_t phase_ns;
    uint64_t now_ns;
    enum move move;
    unsigned int reads;
};

static struct meter new_meter(uint64_t period_ns, uint64_t phase_ns) {
    return (struct meter){
        .period_ns = period_ns, .phase_ns = phase_ns, .now_ns = START_NS, .move = MOVE_LARGE};
}

static uint64_t count_updates(const struct meter *meter) {
    return (meter->now_ns + meter->phase_ns) / meter->period_ns;
}

/* Whether the reading found an update. */
static bool read_after(struct meter *meter, uint64_t ns) {
    const uint64_t begin_ns = meter->now_ns;
    const uint64_t before = count_updates(meter);
    meter->now_ns += ns;
    meter->reads++;
    const bool moved = count_updates(meter) > before;
    if (period_is_usual(&meter->period, moved, ns))
        period_skip(&meter->period);
    else
        period_take(&meter->period, moved ? meter->move : MOVE_NONE, begin_ns, meter->now_ns);
    return moved;
}

/* Reads whenever the period asks for it, during ns. */
static void look_for(struct meter *meter, uint64_t ns, uint64_t interval_ns) {
    const uint64_t end_ns = meter->now_ns + ns;
    while (meter->now_ns < end_ns) {
        uint64_t look_ns = period_look_ns(&meter->period, meter->now_ns, interval_ns);
        if (look_ns > end_ns - meter->now_ns)
            look_ns = end_ns - meter->now_ns;
        read_after(meter, look_ns);
    }
}

static void assert_knows(const struct meter *meter) {
    assert_true(meter->period.least_ns <= meter->period_ns);
    assert_true(meter->period.most_ns >= meter->period_ns);
    assert_true(meter->period.most_ns - meter->period.least_ns <= meter->period_ns / 8 + 1000000);
}

static void test_nothing_is_known_at_the_start(void **state) {
    (void)state;
    const struct period period = {.state = PERIOD_SOUGHT};
    assert_int_equal(period_update_ns(&period), UINT64_MAX);
    assert_int_equal(period_stood_ns(&period, START_NS), 0);
    assert_int_equal(period_look_ns(&period, START_NS, 0), 500000);
}

static void test_a_millisecond_is_known_after_ten(void **state) {
    (void)state;
    struct meter meter = new_meter(NS_PER_MS, 300000);
    look_for(&meter, 12 * NS_PER_MS, 0);
    assert_int_equal(meter.period.state, PERIOD_FAST);
    assert_in_range(meter.period.most_ns, NS_PER_MS, 1600000);
    assert_in_range(period_update_ns(&meter.period), PERIOD_USUAL_NS, 1600000);
    assert_int_equal(period_look_ns(&meter.period, meter.now_ns, 0), UINT64_MAX);
    assert_true(meter.reads < 30);
}

/* From 2 ms to 5 s; for a slow counter two updates are enough. */
static void test_every_period_is_found(void **state) {
    (void)state;
    static const uint64_t periods_ms[] = {2, 5, 9, 20, 30, 100, 1000, 1150, 5000};
    for (size_t i = 0; i < COUNT_OF(periods_ms); i++) {
        for (uint64_t phase = 0; phase < 7; phase++) {
            const uint64_t period_ns = periods_ms[i] * NS_PER_MS;
            struct meter meter = new_meter(period_ns, phase * period_ns / 7);
            look_for(&meter, (period_ns > PERIOD_SLOW_NS ? 3 : 70) * period_ns, 0);
            assert_knows(&meter);
            assert_int_equal(meter.period.state,
                             period_ns > PERIOD_SLOW_NS ? PERIOD_SLOW : PERIOD_FAST);
        }
    }
}

/* Reads around the expected time of the next update, and stops once the period is known. */
static void test_a_slow_update_is_looked_for_where_it_comes(void **state) {
    (void)state;
    struct meter meter = new_meter(NS_PER_S, 0);
    look_for(&meter, 10 * NS_PER_S, 0);
    meter.reads = 0;
    look_for(&meter, 10 * NS_PER_S, 0);
    assert_in_range(meter.reads, 20, 60);
    /* Over 20 updates, the exact positions of the ends hardly matter. */
    assert_int_equal(period_look_ns(&meter.period, meter.now_ns, 21 * NS_PER_S), UINT64_MAX);
}

static void test_a_slow_counter_that_rests_is_not_looked_for(void **state) {
    (void)state;
    struct meter meter = new_meter(100 * NS_PER_MS, 0);
    look_for(&meter, NS_PER_S, 0);
    assert_int_equal(meter.period.state, PERIOD_SLOW);
    meter.phase_ns = 0;
    meter.period_ns = 1000 * NS_PER_S; /* it stands still */
    while (period_look_ns(&meter.period, meter.now_ns, 0) != UINT64_MAX)
        read_after(&meter, period_look_ns(&meter.period, meter.now_ns, 0));
    assert_in_range(period_stood_ns(&meter.period, meter.now_ns), 300 * NS_PER_MS, NS_PER_S);
}

/* An idle psys with a unit of a joule moves now and then; that does not reveal its update
 * period. */
static void test_single_units_are_load(void **state) {
    (void)state;
    struct meter meter = new_meter(200 * NS_PER_MS, 0);
    meter.move = MOVE_UNIT;
    look_for(&meter, 11 * NS_PER_S, 0);
    assert_int_equal(meter.period.state, PERIOD_SOUGHT);
    assert_false(meter.period.has_stood);
    look_for(&meter, 2 * NS_PER_S, 0);
    assert_int_equal(meter.period.state, PERIOD_ASSUMED);
    assert_int_equal(period_look_ns(&meter.period, meter.now_ns, 0), UINT64_MAX);
    /* Moves of several units do reveal it. */
    meter.move = MOVE_LARGE;
    for (int i = 0; i < 100; i++)
        read_after(&meter, 10 * NS_PER_MS);
    assert_int_equal(meter.period.state, PERIOD_SLOW);
}

/* A counter that moves for the first time after the search was given up. */
static void test_a_late_first_move_is_looked_at(void **state) {
    (void)state;
    struct meter meter = new_meter(1000 * NS_PER_S, 0);
    while (period_look_ns(&meter.period, meter.now_ns, 0) != UINT64_MAX)
        read_after(&meter, period_look_ns(&meter.period, meter.now_ns, 0));
    assert_in_range(meter.reads, 100, 400);
    assert_true(meter.period.has_stood);
    meter.period_ns = NS_PER_MS;
    read_after(&meter, 10 * NS_PER_S);
    assert_true(period_look_ns(&meter.period, meter.now_ns, 0) <= NS_PER_MS);
    look_for(&meter, 20 * NS_PER_MS, 0);
    assert_int_equal(meter.period.state, PERIOD_FAST);
}

/* A counter whose moves during 12 s do not reveal the period. */
static void test_what_is_not_found_is_assumed(void **state) {
    (void)state;
    struct period period = {.state = PERIOD_SOUGHT};
    uint64_t now_ns = START_NS;
    period_take(&period, MOVE_LARGE, now_ns, now_ns + NS_PER_MS);
    for (now_ns += NS_PER_MS; now_ns < START_NS + 14 * NS_PER_S; now_ns += NS_PER_S)
        period_take(&period, MOVE_NONE, now_ns, now_ns + NS_PER_S);
    assert_int_equal(period.state, PERIOD_ASSUMED);
    assert_int_equal(period_update_ns(&period), PERIOD_USUAL_NS);
    /* The search starts again when it turns out to be fast. */
    for (int i = 0; i < 70; i++, now_ns += 5 * NS_PER_MS)
        period_take(&period, MOVE_LARGE, now_ns, now_ns + 5 * NS_PER_MS);
    assert_int_equal(period.state, PERIOD_FAST);
    assert_int_equal(period_update_ns(&period), 10 * NS_PER_MS);
}

/* A counter that does not move once or twice was idle; three times in a row, its period has
 * grown. */
static void test_a_period_that_grows(void **state) {
    (void)state;
    struct meter meter = new_meter(100 * NS_PER_MS, 0);
    look_for(&meter, 2 * NS_PER_S, 0);
    meter.period_ns = 700 * NS_PER_MS;
    for (int updates = 0; updates < 2;)
        updates += read_after(&meter, 20 * NS_PER_MS);
    assert_true(meter.period.most_ns < 150 * NS_PER_MS);
    for (int updates = 0; updates < 3;)
        updates += read_after(&meter, 20 * NS_PER_MS);
    assert_knows(&meter);
}

static void test_a_fast_counter_becomes_slow(void **state) {
    (void)state;
    struct meter meter = new_meter(NS_PER_MS, 0);
    look_for(&meter, 20 * NS_PER_MS, 0);
    for (int i = 0; i < 10; i++)
        read_after(&meter, NS_PER_S);
    assert_int_equal(meter.period.state, PERIOD_FAST);
    meter.period_ns = 5 * NS_PER_S;
    for (int updates = 0; updates < 5;)
        updates += read_after(&meter, NS_PER_S);
    assert_int_equal(meter.period.state, PERIOD_SLOW);
    meter.period_ns = NS_PER_MS;
    read_after(&meter, NS_PER_S);
    look_for(&meter, 20 * NS_PER_MS, 0);
    assert_int_equal(meter.period.state, PERIOD_FAST);
    assert_knows(&meter);
}

/* Moves of a fast counter, each after a rest of ns, read every every_ns. */
static void rest_for(struct period *period, uint64_t *now_ns, uint64_t ns, uint64_t every_ns) {
    for (uint64_t passed_ns = 0; passed_ns < ns; passed_ns += every_ns, *now_ns += every_ns)
        period_take(period, MOVE_NONE, *now_ns, *now_ns + every_ns);
    period_take(period, MOVE_LARGE, *now_ns, *now_ns + every_ns);
    *now_ns += every_ns;
}

/* Pauses of different length are rests, and so are those that are read too rarely to decide. */
static void test_pauses_are_no_period(void **state) {
    (void)state;
    struct meter meter = new_meter(NS_PER_MS, 0);
    look_for(&meter, 20 * NS_PER_MS, 0);
    uint64_t now_ns = meter.now_ns;
    for (int i = 0; i < 5; i++) {
        rest_for(&meter.period, &now_ns, NS_PER_S, 10 * NS_PER_MS);
        rest_for(&meter.period, &now_ns, 3 * NS_PER_S, 10 * NS_PER_MS);
    }
    assert_int_equal(meter.period.state, PERIOD_FAST);
    for (int i = 0; i < 5; i++)
        rest_for(&meter.period, &now_ns, 10 * NS_PER_S, 10 * NS_PER_S);
    assert_int_equal(meter.period.state, PERIOD_FAST);
    for (int i = 0; i < 4; i++)
        rest_for(&meter.period, &now_ns, NS_PER_S, 10 * NS_PER_MS);
    assert_int_equal(meter.period.state, PERIOD_SLOW);
}

/* A search ends after 12 s, even if no reading arrives then. */
static void test_a_search_ends(void **state) {
    (void)state;
    struct period period = {.state = PERIOD_SOUGHT};
    period_take(&period, MOVE_LARGE, START_NS, START_NS + NS_PER_MS);
    period_break(&period);
    assert_int_equal(period_look_ns(&period, START_NS + NS_PER_S, 0), 500000);
    assert_int_equal(period_look_ns(&period, START_NS + 13 * NS_PER_S, 0), UINT64_MAX);
}

/* It became slower, but not slow: the known period is no longer valid. */
static void test_a_fast_counter_gets_slower(void **state) {
    (void)state;
    struct meter meter = new_meter(NS_PER_MS, 0);
    look_for(&meter, 20 * NS_PER_MS, 0);
    meter.period_ns = 24 * NS_PER_MS;
    for (int updates = 0; updates < 5;)
        updates += read_after(&meter, 8 * NS_PER_MS);
    assert_int_not_equal(meter.period.state, PERIOD_SLOW);
    look_for(&meter, 300 * NS_PER_MS, 0);
    assert_int_equal(meter.period.state, PERIOD_FAST);
    assert_true(meter.period.most_ns >= 24 * NS_PER_MS);
}

/* The time that a counter rested is not its period. */
static void test_an_hour_of_rest_is_no_period(void **state) {
    (void)state;
    struct meter meter = new_meter(3600 * NS_PER_S, 0);
    for (int i = 0; i < 30000; i++)
        read_after(&meter, NS_PER_S);
    assert_int_not_equal(meter.period.state, PERIOD_SLOW);
    assert_int_equal(meter.period.least_ns, 0);
}

/* After a change of counter or a sleep, only later readings count. */
static void test_a_break_joins_nothing(void **state) {
    (void)state;
    struct period period = {.state = PERIOD_SOUGHT};
    period_take(&period, MOVE_LARGE, START_NS, START_NS + NS_PER_MS);
    period_break(&period);
    assert_int_equal(period_stood_ns(&period, START_NS + NS_PER_S), 0);
    period_take(&period, MOVE_LARGE, START_NS + NS_PER_MS, START_NS + 2 * NS_PER_MS);
    assert_int_equal(period.most_ns, 0);
    period_take(&period, MOVE_LARGE, START_NS + 2 * NS_PER_MS, START_NS + 3 * NS_PER_MS);
    assert_int_equal(period.most_ns, 2 * NS_PER_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known_at_the_start),
        cmocka_unit_test(test_a_millisecond_is_known_after_ten),
        cmocka_unit_test(test_every_period_is_found),
        cmocka_unit_test(test_a_slow_update_is_looked_for_where_it_comes),
        cmocka_unit_test(test_a_slow_counter_that_rests_is_not_looked_for),
        cmocka_unit_test(test_single_units_are_load),
        cmocka_unit_test(test_a_late_first_move_is_looked_at),
        cmocka_unit_test(test_what_is_not_found_is_assumed),
        cmocka_unit_test(test_a_period_that_grows),
        cmocka_unit_test(test_a_fast_counter_becomes_slow),
        cmocka_unit_test(test_a_fast_counter_gets_slower),
        cmocka_unit_test(test_pauses_are_no_period),
        cmocka_unit_test(test_a_search_ends),
        cmocka_unit_test(test_an_hour_of_rest_is_no_period),
        cmocka_unit_test(test_a_break_joins_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
