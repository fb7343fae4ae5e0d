/* SPDX-License-Identifier: MIT */
#include "series/report.h"

#include "series/sum.h"

static void describe(const struct series *series, struct rapl_value *value) {
    *value = (struct rapl_value){
        .series = series->number,
        .name = series->name,
        .parent = series->parent,
        .domain = series->identity.domain,
        .package_id = series->identity.package_id,
        .die_id = series->identity.die_id,
        .core_id = series->identity.core_id,
        .zone_id = series->identity.id[0] != '\0' ? series->identity.id : NULL,
    };
}

static bool speaks(const struct series *series) {
    return series->reads && !series->lost && !series->undecided && series->motion != SERIES_STUCK;
}

/* The samples span other instants than the power, because one was open at the last report and one
 * is open now. But power was at least as high, and at least as low, as its mean at some instant. */
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

/* Energies in different tick scales are rounded separately. */
static uint64_t energy_between_uj(const struct mark *begin, const struct mark *end) {
    return end->energy_uj > begin->energy_uj ? end->energy_uj - begin->energy_uj : 0;
}

static bool is_sharp(const struct mark *begin, const struct mark *end) {
    return end->time_ns - begin->time_ns >=
           series_sharp_span_ns(begin->uncertainty_ns + end->uncertainty_ns);
}

static void fill(struct series *series, uint64_t stands_ns, struct rapl_value *value,
                 struct rapl_health *health) {
    struct mark end;
    const bool ends = series_end_power(series, &series->power, stands_ns, &end);
    describe(series, value);
    series->was_reported = true;
    value->energy_uj = series->energy_uj;
    value->start_ns = series->power.time_ns;
    value->end_ns = series->counter.time_ns;
    if (series->energy_uj > series->power.energy_uj)
        value->span_energy_uj = series->energy_uj - series->power.energy_uj;
    if (!ends || series->slept)
        return;
    if (!is_sharp(&series->power, &end)) {
        health->stalls++;
        return;
    }
    value->has_power = true;
    value->end_ns = end.time_ns;
    value->span_energy_uj = energy_between_uj(&series->power, &end);
    value->power_uw = counter_mean_uw(value->span_energy_uj, end.time_ns - series->power.time_ns);
    series->power = end;
    tell_statistics(series, value);
}

static void add_power(struct series *series, uint64_t stands_ns, struct rapl_value *value,
                      bool *sharp) {
    struct mark *end = &series->sum_end;
    if (series_end_power(series, &series->summed, stands_ns, end)) {
        value->power_uw += counter_mean_uw(energy_between_uj(&series->summed, end),
                                           end->time_ns - series->summed.time_ns);
        *sharp = *sharp && is_sharp(&series->summed, end);
    } else {
        value->has_power = false;
    }
    value->span_energy_uj += energy_between_uj(&series->summed, end);
    if (value->start_ns == 0 || series->summed.time_ns < value->start_ns)
        value->start_ns = series->summed.time_ns;
    if (end->time_ns > value->end_ns)
        value->end_ns = end->time_ns;
}

/* Whether the member adds nothing now; what it has counted stays in the sum. */
static bool is_silent_member(const struct series *series) {
    return series->ended || series->gone || !series->has_read;
}

/* Begins the next span of the sum's power. */
static void begin_sum(struct series *const *series, size_t count, const struct series *sum,
                      bool restarts, bool goes_on) {
    for (size_t i = 0; i < count; i++) {
        struct series *member = series[i];
        if (member->sum != sum)
            continue;
        member->apart = restarts && !member->reads;
        if (restarts)
            member->summed = series_begin_power(member);
        else if (goes_on)
            member->summed = is_silent_member(member) ? series_now(member) : member->sum_end;
    }
}

/*
 * Fills the sum over the members. The energy of a member that has gone stays in it, and a silent
 * one leaves the sum out. If a member joined, lost energy or may have lost some, the power's span
 * begins again for all: powers of different members would add up to the power of no machine.
 */
static bool fill_sum(struct series *const *series, size_t count, struct series *sum,
                     uint64_t stands_ns, struct rapl_value *value, struct rapl_health *health) {
    bool silent = false;
    bool sharp = true;
    bool restart = false;
    size_t members = 0;
    describe(sum, value);
    value->has_power = true;
    for (size_t i = 0; i < count; i++) {
        struct series *member = series[i];
        if (!sum_has_member(sum, member))
            continue;
        value->energy_uj += member->energy_uj;
        silent = silent || member->left;
        if (is_silent_member(member))
            continue;
        members++;
        silent = silent || !speaks(member);
        restart = restart || member->lost || member->slept || member->joined || member->apart ||
                  member->counter.low.count > 0 || member->motion == SERIES_STUCK;
        add_power(member, stands_ns, value, &sharp);
    }
    const bool reported = members > 0 && !silent && !sum->lacks && !sum->unread;
    value->has_power = value->has_power && !restart;
    if (value->has_power && !sharp) {
        value->has_power = false;
        health->stalls += reported ? 1 : 0;
    }
    if (restart || (value->has_power && !silent))
        tell_statistics(sum, value);
    value->has_statistics = value->has_statistics && value->has_power;
    begin_sum(series, count, sum, restart, value->has_power && !silent);
    sum->was_reported = sum->was_reported || reported;
    return reported;
}

/* How long a counter that never moved must stand to be at rest: as long as the slowest of the
 * others. UINT64_MAX: the update period of none is known. */
static uint64_t find_rest_ns(struct series *const *series, size_t count) {
    uint64_t slowest_ns = 0;
    for (size_t i = 0; i < count; i++) {
        const struct period *period = &series[i]->period;
        if (period->state != PERIOD_FAST && period->state != PERIOD_SLOW)
            continue;
        const uint64_t update_ns = period_update_ns(period);
        slowest_ns = update_ns > slowest_ns ? update_ns : slowest_ns;
    }
    return slowest_ns != 0 ? PERIOD_REST * slowest_ns : UINT64_MAX;
}

/* A package or psys that stands for this long, and in this many reports, does not count. */
#define STUCK_NS UINT64_C(60000000000)
#define STUCK_REPORTS 10

static void judge_motion(struct series *series) {
    const enum zone_kind kind = series->identity.kind;
    if (series->motion != SERIES_UNMOVED || !series->reads ||
        (kind != ZONE_PACKAGE && kind != ZONE_PSYS))
        return;
    series->unmoved_reports++;
    if (series->unmoved_reports >= STUCK_REPORTS &&
        series->counter.time_ns - series->first_ns >= STUCK_NS)
        series->motion = SERIES_STUCK;
}

size_t report_build(struct series *const *series, size_t count, struct series *const *sums,
                    size_t sum_count, struct rapl_value *values, struct rapl_health *health) {
    size_t filled = 0;
    uint64_t stands_ns = 0;
    for (size_t i = 0; i < count; i++) {
        if (series[i]->motion == SERIES_UNMOVED && stands_ns == 0)
            stands_ns = find_rest_ns(series, count);
        if (series[i]->selected && speaks(series[i]))
            fill(series[i], stands_ns, &values[filled++], health);
    }
    for (size_t i = 0; i < sum_count; i++) {
        if (sums[i]->selected &&
            fill_sum(series, count, sums[i], stands_ns, &values[filled], health))
            filled++;
    }
    for (size_t i = 0; i < count; i++) {
        if (series[i]->period.state != PERIOD_FAST) {
            series_settle_power(series[i]);
            judge_motion(series[i]);
        }
        if (series[i]->lost || series[i]->slept) {
            series[i]->power = series_begin_power(series[i]);
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
