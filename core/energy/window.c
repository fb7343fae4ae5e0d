/* SPDX-License-Identifier: MIT */
#include "energy/window.h"

#define BUCKET_BITS 6
#define BUCKETS_PER_ORDER (1U << BUCKET_BITS)

/* --- buckets ---------------------------------------------------------------------------------- */

static unsigned int find_bucket(uint64_t power_uw) {
    if (power_uw < BUCKETS_PER_ORDER)
        return (unsigned int)power_uw;
    const unsigned int order = 63 - (unsigned int)__builtin_clzll(power_uw) - BUCKET_BITS;
    const unsigned int bucket = order * BUCKETS_PER_ORDER + (unsigned int)(power_uw >> order);
    return bucket < WINDOW_BUCKETS ? bucket : WINDOW_BUCKETS - 1;
}

static uint64_t find_middle_uw(unsigned int bucket) {
    if (bucket < 2 * BUCKETS_PER_ORDER)
        return bucket;
    const unsigned int order = bucket / BUCKETS_PER_ORDER - 1;
    const uint64_t least_uw = (uint64_t)(bucket - order * BUCKETS_PER_ORDER) << order;
    return least_uw + (UINT64_C(1) << order) / 2;
}

/* --- samples ---------------------------------------------------------------------------------- */

static bool is_sharp(const struct window_sample *sample, const struct counter_traits *traits,
                     uint64_t span_ns, uint64_t unknown_ns) {
    if (sample->ticks == 0)
        return false; /* even if the unit is unknown */
    const rapl_uint128 unknown = (rapl_uint128)traits->unit * span_ns + unknown_ns * sample->ticks;
    return WINDOW_SHARPNESS * unknown <= sample->ticks * span_ns;
}

static void add_sample(struct window *window, uint64_t power_uw, uint64_t span_ns) {
    if (window->count == 0 || power_uw < window->min_uw)
        window->min_uw = power_uw;
    if (window->count == 0 || power_uw > window->max_uw)
        window->max_uw = power_uw;
    window->count++;
    window->span_ns += span_ns;
    window->power_ns += (rapl_uint128)power_uw * span_ns;
    window->squared_power_ns += (rapl_uint128)power_uw * power_uw * span_ns;
    window->weights_ns[find_bucket(power_uw)] += span_ns;
}

void window_break(struct window *window) {
    window->sample.begun = false;
}

static void begin_sample(struct window *window, const struct reading *reading) {
    window->sample = (struct window_sample){
        .begun = true, .begin_ns = reading->time_ns, .begin_doubt_ns = reading->uncertainty_ns};
}

void window_take(struct window *window, const struct counter_traits *traits,
                 const struct reading *reading, uint64_t update_ns) {
    struct window_sample *sample = &window->sample;
    if (reading->time_ns < window->latest.time_ns) {
        window_break(window);
        return;
    }
    window->latest = *reading;
    if (!sample->begun) {
        begin_sample(window, reading);
        return;
    }
    const uint64_t span_ns = reading->time_ns - sample->begin_ns;
    sample->ticks += reading->ticks;
    if (update_ns == UINT64_MAX ||
        !is_sharp(sample, traits, span_ns,
                  update_ns + sample->begin_doubt_ns + reading->uncertainty_ns))
        return;
    add_sample(window, counter_mean_uw(counter_to_uj(traits->scale, sample->ticks), span_ns),
               span_ns);
    begin_sample(window, reading);
}

/* --- statistics ------------------------------------------------------------------------------- */

/* Rounded to the nearest, without floating point: the sum of squares has up to 114 bits. */
static uint64_t square_root(rapl_uint128 square) {
    rapl_uint128 root = 0;
    for (int bit = 63; bit >= 0; bit--) {
        const rapl_uint128 more = root | (rapl_uint128)1 << bit;
        if (more * more <= square)
            root = more;
    }
    return (uint64_t)(root + (square - root * root > root ? 1 : 0));
}

/* The mean of the squares minus the square of the mean. The mean's fraction matters: at 100 W,
 * dropping it would show as 10 mW of deviation. */
static rapl_uint128 find_variance(const struct window *window) {
    const rapl_uint128 span_ns = window->span_ns;
    const rapl_uint128 mean_uw = window->power_ns / span_ns;
    const rapl_uint128 rest = window->power_ns % span_ns;
    const rapl_uint128 mean_square = window->squared_power_ns / span_ns;
    const rapl_uint128 square_mean = mean_uw * mean_uw + 2 * mean_uw * rest / span_ns;
    return mean_square > square_mean ? mean_square - square_mean : 0;
}

static uint64_t find_percentile_uw(const struct window *window, unsigned int percent) {
    /* The time that the percentile covers, rounded up. */
    const rapl_uint128 wanted = ((rapl_uint128)window->span_ns * percent + 99) / 100;
    rapl_uint128 passed_ns = 0;
    unsigned int bucket = find_bucket(window->min_uw);
    const unsigned int last = find_bucket(window->max_uw);
    while (bucket < last && (passed_ns += window->weights_ns[bucket]) < wanted)
        bucket++;
    const uint64_t middle_uw = find_middle_uw(bucket);
    if (middle_uw < window->min_uw)
        return window->min_uw;
    return middle_uw < window->max_uw ? middle_uw : window->max_uw;
}

struct rapl_statistics window_close(struct window *window) {
    struct rapl_statistics statistics = {.samples = window->count};
    if (window->sample.begun && window->sample.ticks == 0)
        begin_sample(window, &window->latest);
    if (window->count == 0)
        return statistics;
    const rapl_uint128 span_ns = window->span_ns;
    statistics.mean_uw = (uint64_t)((window->power_ns + span_ns / 2) / span_ns);
    statistics.min_uw = window->min_uw;
    statistics.max_uw = window->max_uw;
    statistics.stddev_uw = square_root(find_variance(window));
    statistics.p50_uw = find_percentile_uw(window, 50);
    statistics.p95_uw = find_percentile_uw(window, 95);
    statistics.p99_uw = find_percentile_uw(window, 99);
    /* Only buckets from the minimum to the maximum were used. */
    for (unsigned int i = find_bucket(window->min_uw); i <= find_bucket(window->max_uw); i++)
        window->weights_ns[i] = 0;
    window->count = 0;
    window->span_ns = 0;
    window->power_ns = 0;
    window->squared_power_ns = 0;
    return statistics;
}
