/* SPDX-License-Identifier: MIT */
/* Readings of a counter in a window, compared with a model that keeps every sample
 * (tests/model). */
#include "energy/window.h"
#include "fuzz.h"
#include "naive_window.h"

struct pair {
    struct counter_traits traits;
    struct naive_scale scale;
    struct window window;
    struct naive_window naive;
    uint64_t time_ns;
};

static void take_traits(struct input *input, struct pair *pair) {
    static const struct tick_scale scales[] = {
        {1, 1}, {1000000, 1 << 14}, {1000000, 1 << 16}, {1000000, UINT64_C(1) << 32}};
    const uint8_t kind = take_byte(input);
    const struct tick_scale scale = scales[kind % COUNT_OF(scales)];
    const uint64_t unit = take_number(input) >> (1 + kind % 63);
    pair->traits = (struct counter_traits){.unit = unit, .scale = scale};
    pair->scale = (struct naive_scale){.parts = 1000000 / scale.numerator_uj * scale.denominator,
                                       .unit = unit};
    const uint64_t update_ns = take_number(input) >> (28 + kind % 36);
    pair->scale.update_ns = kind % 16 == 0 ? UINT64_MAX : update_ns;
}

/* Power is at most 68 kW, the highest value of percentiles, and time at most 18 minutes, with reads
 * of up to a second. Now and then the clock goes back. */
static void take_reading(struct input *input, struct pair *pair) {
    const uint8_t kind = take_byte(input);
    const bool goes_back = kind == 255;
    const uint64_t span_ns = goes_back ? 0 : take_number(input) >> (24 + kind % 40);
    const uint64_t power_uw = take_number(input) >> (28 + kind % 36);
    const uint64_t energy_uj = (uint64_t)((wide)power_uw * span_ns / 1000000000);
    const uint64_t uncertainty_ns = kind % 8 == 0 ? take_number(input) >> (34 + kind % 30) : kind;
    const uint64_t ticks = (uint64_t)((wide)energy_uj * pair->scale.parts / 1000000);
    pair->time_ns = goes_back ? pair->time_ns / 2 : pair->time_ns + span_ns;
    const struct reading reading = {
        .ticks = ticks, .time_ns = pair->time_ns, .uncertainty_ns = uncertainty_ns};
    const struct naive_reading same = {
        .parts = ticks, .time_ns = pair->time_ns, .uncertainty_ns = uncertainty_ns};
    window_take(&pair->window, &pair->traits, &reading, pair->scale.update_ns);
    naive_take(&pair->naive, &pair->scale, &same);
}

static void close_window(struct pair *pair) {
    const struct rapl_statistics statistics = window_close(&pair->window);
    const char *wrong = naive_find_wrong(&pair->naive, &statistics, NULL);
    if (wrong != NULL)
        fuzz_fail(wrong, __FILE__, __LINE__);
    naive_begin(&pair->naive);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    static struct pair pair;
    pair = (struct pair){.time_ns = 1};
    take_traits(&input, &pair);
    while (input.left > 0) {
        const uint8_t kind = take_byte(&input);
        if (kind % 32 == 0)
            close_window(&pair);
        if (kind % 32 == 1) {
            window_break(&pair.window);
            naive_break(&pair.naive);
        }
        take_reading(&input, &pair);
    }
    close_window(&pair);
    naive_free(&pair.naive);
    return 0;
}
