/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_count.h"
#include "system/error.h"

/* Steps that must be multiples of the unit before it is used to correct a decrease. If the real
 * unit is half as large, one in 65536 such runs is even by chance. */
#define STEPS_TO_TRUST 16

/* A smaller unit is not trusted: registers count 15 uJ and more. */
#define LEAST_UNIT_UJ 1

/* Where counts begin, so that decreases do not take them below 0. */
#define ORIGIN (UINT64_C(1) << 62)

static uint64_t find_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void learn_unit(struct perf_count *count, uint64_t moved) {
    if (moved == 0)
        return;
    const uint64_t unit = find_divisor(count->unit, moved);
    if (unit == count->unit) {
        count->steps += count->steps < STEPS_TO_TRUST ? 1 : 0;
        return;
    }
    count->unit = unit;
    count->steps = 0;
}

/* Ticks of one full turn of the register; 0: not known, or beyond 64 bits. */
static uint64_t find_turn(const struct perf_count *count, const struct counter_traits *traits) {
    const bool fits = count->unit <= UINT64_MAX >> 33;
    return fits && counter_to_uj(traits->scale, count->unit) >= LEAST_UNIT_UJ ? count->unit << 32
                                                                              : 0;
}

int perf_count_take(struct perf_count *count, const struct counter_traits *traits, uint64_t raw,
                    uint64_t time_ns) {
    const struct perf_count before = *count;
    count->raw = raw;
    count->time_ns = time_ns;
    if (!before.has_baseline) {
        count->has_baseline = true;
        if (before.ticks == 0)
            count->ticks = ORIGIN;
        return 0;
    }
    /* Modulo 2^64, because the kernel's own sum may overflow. */
    uint64_t step = raw - before.raw;
    const bool falls = step > INT64_MAX;
    const uint64_t back = falls ? 0 - step : 0;
    learn_unit(count, falls ? back : step);
    const uint64_t turn = find_turn(count, traits);
    uint64_t span_ns = time_ns > before.time_ns ? time_ns - before.time_ns : 0;
    if (span_ns < COUNTER_JUDGED_SPAN_NS)
        span_ns = COUNTER_JUDGED_SPAN_NS;
    if (falls) {
        const struct counter_traits raised = counter_raise(traits);
        if (count->steps < STEPS_TO_TRUST || back >= turn ||
            counter_exceeds_sustained(&raised, turn - back, span_ns)) {
            count->ticks -= back < count->ticks ? back : count->ticks;
            return 0;
        }
        step = turn - back;
    }
    count->ticks += step;
    return counter_may_hide_turn(traits, turn, step, span_ns) ? PERF_COUNT_UNDECIDED : 0;
}

void perf_count_forget(struct perf_count *count) {
    count->has_baseline = false;
}
