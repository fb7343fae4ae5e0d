/* SPDX-License-Identifier: MIT */
#include "naive_window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* docs/design.md, rule 12: at least 20 units and 20 updates. */
#define SHARPNESS 20
/* "Within 1 %": half of a 64th. */
#define PERCENTILE_PART (1.0L / 128)

/* --- samples ---------------------------------------------------------------------------------- */

static void add(struct naive_window *window, const struct naive_sample *sample) {
    if (window->count == window->room) {
        const size_t room = 2 * window->room + 16;
        struct naive_sample *samples = malloc(room * sizeof(*samples));
        if (samples == NULL)
            abort();
        if (window->count > 0)
            memcpy(samples, window->samples, window->count * sizeof(*samples));
        free(window->samples);
        window->samples = samples;
        window->room = room;
    }
    window->samples[window->count++] = *sample;
}

/* Returns whether the shares of one unit in the energy, and of one update and both reads in the
 * time, are together at most a twentieth. A counter that has not moved is not sharp. */
static bool is_sharp(const struct naive_window *window, const struct naive_scale *scale,
                     const struct naive_reading *end) {
    if (window->parts == 0 || scale->update_ns == UINT64_MAX)
        return false;
    const uint64_t span_ns = end->time_ns - window->begin.time_ns;
    const uint64_t unknown_ns =
        scale->update_ns + window->begin.uncertainty_ns + end->uncertainty_ns;
    const wide whole = window->parts * span_ns;
    const wide by_unit = (wide)scale->unit * span_ns;
    const wide by_time = window->parts * unknown_ns;
    return by_unit + by_time <= whole / SHARPNESS;
}

static void begin_sample(struct naive_window *window, const struct naive_reading *reading) {
    window->is_open = true;
    window->begin = *reading;
    window->parts = 0;
}

static void go_on(struct naive_window *window, const struct naive_scale *scale,
                  const struct naive_reading *reading) {
    window->parts += reading->parts;
    if (!is_sharp(window, scale, reading))
        return;
    const uint64_t span_ns = reading->time_ns - window->begin.time_ns;
    struct naive_sample sample = {.begin_ns = window->begin.time_ns, .end_ns = reading->time_ns};
    sample.energy_uj = (uint64_t)(window->parts * 1000000 / scale->parts);
    sample.power_uw =
        (uint64_t)((2 * (wide)sample.energy_uj * 1000000000 + span_ns) / (2 * (wide)span_ns));
    add(window, &sample);
    begin_sample(window, reading);
}

void naive_take(struct naive_window *window, const struct naive_scale *scale,
                const struct naive_reading *reading) {
    /* After the clock has gone back, wait until it reaches the old time. */
    if (reading->time_ns < window->latest.time_ns) {
        naive_break(window);
        return;
    }
    window->latest = *reading;
    if (window->is_open)
        go_on(window, scale, reading);
    else
        begin_sample(window, reading);
}

void naive_break(struct naive_window *window) {
    window->is_open = false;
}

/* Time in which the counter stood still belongs to no later sample. */
void naive_begin(struct naive_window *window) {
    window->count = 0;
    if (window->is_open && window->parts == 0)
        begin_sample(window, &window->latest);
}

void naive_free(struct naive_window *window) {
    free(window->samples);
    *window = (struct naive_window){.samples = NULL};
}

bool naive_covers(const struct naive_window *window, uint64_t begin_ns, uint64_t end_ns) {
    for (size_t i = 0; i < window->count; i++) {
        if (window->samples[i].begin_ns != begin_ns)
            return false;
        begin_ns = window->samples[i].end_ns;
    }
    return begin_ns == end_ns;
}

/* --- statistics ------------------------------------------------------------------------------- */

static uint64_t span_of(const struct naive_sample *sample) {
    return sample->end_ns - sample->begin_ns;
}

static int compare(const void *a, const void *b) {
    const struct naive_sample *left = a;
    const struct naive_sample *right = b;
    return (left->power_uw > right->power_uw) - (left->power_uw < right->power_uw);
}

/* Returns the least power that was not exceeded in this percentage of the time. */
static uint64_t find_percentile_uw(const struct naive_sample *sorted, size_t count, wide span_ns,
                                   unsigned int percent) {
    wide passed_ns = 0;
    for (size_t i = 0; i < count; i++) {
        passed_ns += span_of(&sorted[i]);
        if (100 * passed_ns >= percent * span_ns)
            return sorted[i].power_uw;
    }
    abort();
}

static bool is_near(uint64_t value, long double truth, long double slack) {
    return fabsl((long double)value - truth) <= slack;
}

static bool is_percentile(uint64_t value, uint64_t truth) {
    return is_near(value, (long double)truth, (long double)truth * PERCENTILE_PART);
}

/* Returns the mean in microwatts, and its span. */
static long double find_mean_uw(const struct naive_window *window, wide *span_ns) {
    wide energy_uj = 0;
    *span_ns = 0;
    for (size_t i = 0; i < window->count; i++) {
        energy_uj += window->samples[i].energy_uj;
        *span_ns += span_of(&window->samples[i]);
    }
    return (long double)energy_uj * 1e9L / (long double)*span_ns;
}

static long double find_deviation_uw(const struct naive_window *window, long double mean_uw,
                                     wide span_ns) {
    long double square = 0;
    for (size_t i = 0; i < window->count; i++) {
        const long double apart_uw = (long double)window->samples[i].power_uw - mean_uw;
        square += apart_uw * apart_uw * (long double)span_of(&window->samples[i]);
    }
    return sqrtl(square / (long double)span_ns);
}

static const char *find_wrong_order(const struct rapl_statistics *told) {
    if (told->min_uw > told->mean_uw || told->mean_uw > told->max_uw)
        return "the mean is not between the least and the most";
    if (told->min_uw > told->p50_uw || told->p50_uw > told->p95_uw || told->p95_uw > told->p99_uw ||
        told->p99_uw > told->max_uw)
        return "the percentiles are not in order";
    return NULL;
}

const char *naive_find_wrong(const struct naive_window *window, const struct rapl_statistics *told,
                             const uint64_t *power_uw) {
    wide span_ns;
    if (told->samples != window->count)
        return "the number of samples";
    if (window->count == 0)
        return NULL;
    const long double mean_uw = find_mean_uw(window, &span_ns);
    const long double deviation_uw = find_deviation_uw(window, mean_uw, span_ns);
    struct naive_sample *sorted = malloc(window->count * sizeof(*sorted));
    if (sorted == NULL)
        abort();
    memcpy(sorted, window->samples, window->count * sizeof(*sorted));
    qsort(sorted, window->count, sizeof(*sorted), compare);
    uint64_t least_uw = sorted[0].power_uw;
    uint64_t most_uw = sorted[window->count - 1].power_uw;
    if (power_uw != NULL && *power_uw < least_uw)
        least_uw = *power_uw;
    if (power_uw != NULL && *power_uw > most_uw)
        most_uw = *power_uw;
    const char *wrong = NULL;
    if (told->min_uw != least_uw)
        wrong = "the least";
    else if (told->max_uw != most_uw)
        wrong = "the most";
    else if (!is_near(told->mean_uw, mean_uw, 1))
        wrong = "the mean times the span is not the energy of the samples";
    else if (!is_near(told->stddev_uw, deviation_uw, 2 + deviation_uw * 1e-9L))
        wrong = "the standard deviation";
    else if (!is_percentile(told->p50_uw, find_percentile_uw(sorted, window->count, span_ns, 50)))
        wrong = "the median";
    else if (!is_percentile(told->p95_uw, find_percentile_uw(sorted, window->count, span_ns, 95)))
        wrong = "the 95th percentile";
    else if (!is_percentile(told->p99_uw, find_percentile_uw(sorted, window->count, span_ns, 99)))
        wrong = "the 99th percentile";
    else
        wrong = find_wrong_order(told);
    free(sorted);
    return wrong;
}
