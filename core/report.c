/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "sum.h"

static void describe(const struct series *series, struct rapl_value *value) {
    *value = (struct rapl_value){
        .series = series->number,
        .name = series->name,
        .parent = series->parent,
        .domain = series->identity.domain,
        .package_id = series->identity.package_id,
        .die_id = series->identity.die_id,
        .core_id = series->identity.core_id,
    };
}

static uint64_t span_between(const struct mark *begin, const struct mark *end) {
    return end->time_ns > begin->time_ns ? end->time_ns - begin->time_ns : 0;
}

static bool speaks(const struct series *series) {
    return series->reads && !series->lost;
}

/* What was open at the last report, and what is now, make the samples another span than that of
 * the power: but somewhere it was as much, and somewhere as little. */
static void tell_statistics(struct series *series, struct rapl_value *value) {
    struct rapl_statistics *statistics = &value->statistics;
    if (series->window == NULL)
        return;
    value->has_statistics = true;
    *statistics = window_close(series->window);
    if (statistics->samples == 0)
        return;
    if (value->power_uw < statistics->min_uw)
        statistics->min_uw = value->power_uw;
    if (value->power_uw > statistics->max_uw)
        statistics->max_uw = value->power_uw;
}

static bool is_sharp(const struct mark *begin, const struct mark *end, uint64_t span_ns) {
    return span_ns >= series_sharp_span_ns(begin->doubt_ns + end->doubt_ns);
}

static void fill(struct series *series, struct rapl_value *value, struct rapl_health *health) {
    const struct mark now = series_now(series);
    describe(series, value);
    value->energy_uj = now.energy_uj;
    value->start_ns = series->power.time_ns;
    value->end_ns = now.time_ns;
    value->span_energy_uj = now.energy_uj - series->power.energy_uj;
    const uint64_t span_ns = span_between(&series->power, &now);
    if (series->slept || span_ns == 0 || span_ns < series_power_span_ns(series))
        return;
    if (!is_sharp(&series->power, &now, span_ns)) {
        health->stalls++;
        return;
    }
    value->has_power = true;
    value->power_uw = counter_mean_uw(value->span_energy_uj, span_ns);
    series->power = now;
    tell_statistics(series, value);
}

static void add_power(const struct series *series, struct rapl_value *value, bool *sharp) {
    const struct mark now = series_now(series);
    const uint64_t span_ns = span_between(&series->summed, &now);
    const uint64_t energy_uj = now.energy_uj - series->summed.energy_uj;
    if (span_ns == 0 || span_ns < series_power_span_ns(series))
        value->has_power = false;
    else
        value->power_uw += counter_mean_uw(energy_uj, span_ns);
    *sharp = *sharp && is_sharp(&series->summed, &now, span_ns);
    value->span_energy_uj += energy_uj;
    if (value->start_ns == 0 || series->summed.time_ns < value->start_ns)
        value->start_ns = series->summed.time_ns;
    if (series->counter.time_ns > value->end_ns)
        value->end_ns = series->counter.time_ns;
}

/*
 * The sum over the members. The energy of a member that has gone stays in it; one that is silent
 * leaves the sum out; one that joined or lost energy, or may have, restarts the power's span for
 * all: a sum of powers over different memberships would be the power of no machine.
 */
static bool fill_sum(struct series *const *series, size_t count, struct series *sum,
                     struct rapl_value *value, struct rapl_health *health) {
    bool silent = false;
    bool sharp = true;
    bool restart = false;
    size_t members = 0;
    describe(sum, value);
    value->has_power = true;
    for (size_t i = 0; i < count; i++) {
        const struct series *member = series[i];
        if (!sum_has_member(sum, member))
            continue;
        value->energy_uj += member->energy_uj;
        silent = silent || member->left;
        if (member->ended || member->gone)
            continue;
        members++;
        silent = silent || !speaks(member);
        restart = restart || member->lost || member->slept || member->joined || member->apart ||
                  member->counter.low.count > 0;
        add_power(member, value, &sharp);
    }
    const bool reported = members > 0 && !silent && !sum->lacks;
    value->has_power = value->has_power && !restart;
    if (value->has_power && !sharp) {
        value->has_power = false;
        health->stalls += reported ? 1 : 0;
    }
    if (restart || (value->has_power && !silent))
        tell_statistics(sum, value);
    value->has_statistics = value->has_statistics && value->has_power;
    for (size_t i = 0; i < count; i++) {
        if (series[i]->sum != sum)
            continue;
        if (restart || (value->has_power && !silent))
            series[i]->summed = series_now(series[i]);
        series[i]->apart = restart && !series[i]->reads;
    }
    return reported;
}

size_t report_build(struct series *const *series, size_t count, struct series *const *sums,
                    size_t sum_count, struct rapl_value *values, struct rapl_health *health) {
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (series[i]->selected && speaks(series[i]))
            fill(series[i], &values[filled++], health);
    }
    for (size_t i = 0; i < sum_count; i++) {
        if (sums[i]->selected && fill_sum(series, count, sums[i], &values[filled], health))
            filled++;
    }
    for (size_t i = 0; i < count; i++) {
        if (series[i]->lost || series[i]->slept) {
            series[i]->power = series_now(series[i]);
            if (series[i]->window != NULL)
                window_close(series[i]->window);
        }
        series[i]->left_low = series[i]->counter.low.count > 0;
        series[i]->lost = false;
        series[i]->slept = series[i]->slept && !series[i]->reads;
        series[i]->joined = false;
        series[i]->left = false;
    }
    return filled;
}
