/* SPDX-License-Identifier: MIT */
/* When the next sweep is due, and when power can be reported. */
#include "handle.h"
#include "system/clock.h"

uint64_t schedule_count_missed(const struct rapl *rapl, uint64_t now_ns) {
    if (!rapl->observes)
        return 0;
    const uint64_t passed = clock_span_ns(rapl->sampled_ns / rapl->sample_interval_ns,
                                          now_ns / rapl->sample_interval_ns);
    return passed > 1 ? passed - 1 : 0;
}

/* More frequent sweeps are never needed, unless the ceiling is set beyond reason. */
#define SAFE_SPAN_LEAST_NS UINT64_C(1000000000)

uint64_t schedule_find_safe_span_ns(const struct rapl *rapl) {
    const uint64_t unread_uj = rapl->source->unread_uj;
    uint64_t span_ns = UINT64_MAX;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        const uint64_t series_ns = counter_safe_span_ns(&series->traits, unread_uj);
        if (series_is_read(series) && series_ns < span_ns)
            span_ns = series_ns;
    }
    return span_ns > SAFE_SPAN_LEAST_NS ? span_ns : SAFE_SPAN_LEAST_NS;
}

/* CLOCK_MONOTONIC instant at which the power since the mark spans enough. That clock may run up to
 * 8.3 % faster than the readings' clock (clock_raw_ns), so an eighth is added. */
static uint64_t ready_ns(const struct rapl *rapl, const struct series *series,
                         const struct mark *mark) {
    const uint64_t sharp_ns = series_sharp_span_ns(mark->uncertainty_ns);
    uint64_t span_ns = series->power_span_ns;
    span_ns = span_ns > sharp_ns ? span_ns : sharp_ns;
    const uint64_t left_ns = clock_span_ns(series->counter.time_ns, mark->time_ns + span_ns);
    return rapl->sampled_ns + left_ns + left_ns / 8;
}

static uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns) {
    return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

/* When the power of a sum can be reported: once the power of all its members can. 0: no member
 * reads or, if moved is set, one has not moved. */
static uint64_t sum_ready_ns(const struct rapl *rapl, const struct series *sum, bool moved) {
    uint64_t last_ns = 0;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        if (series->sum != sum || !series->reads)
            continue;
        if (moved && series->motion != SERIES_MOVED)
            return 0;
        const uint64_t series_ns = ready_ns(rapl, series, &series->summed);
        last_ns = series_ns > last_ns ? series_ns : last_ns;
    }
    return last_ns;
}

/* moved: consider only counters that have moved; others may never have power. */
static uint64_t first_ready_ns(const struct rapl *rapl, bool moved) {
    const struct binding *binding = &rapl->binding;
    uint64_t first_ns = 0;
    for (size_t i = 0; i < binding->sum_count; i++) {
        if (binding->sums[i]->selected)
            first_ns = earlier_ns(first_ns, sum_ready_ns(rapl, binding->sums[i], moved));
    }
    for (size_t i = 0; i < binding->series_count; i++) {
        const struct series *series = binding->series[i];
        if (series->selected && series->reads && (!moved || series->motion == SERIES_MOVED))
            first_ns = earlier_ns(first_ns, ready_ns(rapl, series, &series->power));
    }
    return first_ns;
}

uint64_t rapl_power_ready_ns(const struct rapl *rapl) {
    const uint64_t first_ns = first_ready_ns(rapl, true);
    return first_ns != 0 ? first_ns : first_ready_ns(rapl, false);
}

/* Always in the future, even if the last sweep took longer than the sampling interval, so that
 * other threads get the handle in between. */
static uint64_t grid_due_ns(const struct rapl *rapl) {
    if (!rapl->observes)
        return 0;
    return (rapl->ended_ns / rapl->sample_interval_ns + 1) * rapl->sample_interval_ns;
}

uint64_t rapl_sample_due_ns(const struct rapl *rapl) {
    const uint64_t span_ns =
        rapl->look_ns < rapl->safe_span_ns ? rapl->look_ns : rapl->safe_span_ns;
    /* From the end of the sweep: other threads get the handle even after a longer sweep. */
    const bool waits = rapl->sampled && span_ns != UINT64_MAX;
    return earlier_ns(waits ? rapl->ended_ns + span_ns : 0, grid_due_ns(rapl));
}

/* Whether the counter has moved, and its power will be known after the next updates. */
static bool is_being_measured(const struct series *series) {
    const struct period *period = &series->period;
    if (period->state == PERIOD_SLOW)
        return series->power.kind != MARK_AT_UPDATE ||
               series->update.time_ns <= series->power.time_ns;
    return period->state == PERIOD_SOUGHT && period->has_stood;
}

bool rapl_expects_power(const struct rapl *rapl) {
    bool moved = false;
    bool read = false;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        if (!series_is_read(series) || !binding_wants(series))
            continue;
        read = true;
        if (series->motion != SERIES_MOVED)
            continue;
        moved = true;
        if (is_being_measured(series))
            return true;
    }
    return read && !moved;
}

bool rapl_needs_sampler(const struct rapl *rapl, uint64_t interval_ns) {
    const uint64_t due_ns = rapl_sample_due_ns(rapl);
    return due_ns != 0 && due_ns - rapl->sampled_ns < interval_ns;
}
