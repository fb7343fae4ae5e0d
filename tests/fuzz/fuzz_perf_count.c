/* SPDX-License-Identifier: MIT */
/* Counts from perf, which may decrease. */
#include "fuzz.h"
#include "source/perf/perf_count.h"
#include "system/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    const struct counter_traits traits = {.goes_on = true,
                                          .scale = {1000000, UINT64_C(1) << 32},
                                          .ceiling_uw = take_number(&input) >> 20};
    struct perf_count count = {.has_baseline = false};
    while (input.left > 0) {
        const struct perf_count before = count;
        const uint8_t kind = take_byte(&input);
        if (kind == 0) {
            perf_count_forget(&count);
            HOLDS(!count.has_baseline && count.ticks == before.ticks);
            continue;
        }
        /* About half of the steps are multiples of a tick of the register. */
        uint64_t step = take_number(&input) >> kind % 64;
        step = kind % 2 != 0 ? step & ~UINT64_C(0x3FFFF) : step;
        const uint64_t raw = kind < 128 ? before.raw + step : before.raw - step;
        const uint64_t time_ns = before.time_ns + (take_number(&input) >> (10 + kind % 32));
        const int error = perf_count_take(&count, &traits, raw, time_ns);
        HOLDS(error == 0 || error == PERF_COUNT_UNDECIDED);
        HOLDS(count.has_baseline && count.raw == raw && count.time_ns == time_ns);
        if (!before.has_baseline) {
            HOLDS(error == 0 &&
                  count.ticks == (before.ticks != 0 ? before.ticks : UINT64_C(1) << 62));
            continue;
        }
        const uint64_t moved = raw - before.raw;
        const uint64_t back = before.raw - raw;
        if (count.unit != 0)
            HOLDS((moved <= INT64_MAX ? moved : back) % count.unit == 0);
        if (moved <= INT64_MAX) {
            HOLDS(count.ticks - before.ticks == moved);
        } else if (count.ticks - before.ticks != 0 - back && count.ticks != 0) {
            /* A corrected decrease adds exactly one range, and the result is plausible. */
            HOLDS(count.ticks - before.ticks == (count.unit << 32) - back);
            uint64_t span_ns = time_ns - before.time_ns;
            span_ns = span_ns < COUNTER_JUDGED_SPAN_NS ? COUNTER_JUDGED_SPAN_NS : span_ns;
            HOLDS(!counter_exceeds(&traits, count.ticks - before.ticks, span_ns));
        }
    }
    return 0;
}
