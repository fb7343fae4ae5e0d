/* SPDX-License-Identifier: MIT */
/* From where to where the power of a series runs. */
#include "series.h"
#include "zone.h"

/* Below it, the counter's own step (about 1 ms) is more than 2 % of the power. */
#define POWER_SPAN_NS UINT64_C(50000000)
/* unit / 2 W: a counter of whole joules then tells power to 2 W. */
#define POWER_SPAN_NS_PER_UJ UINT64_C(500)

struct mark series_now(const struct series *series) {
    return (struct mark){.time_ns = series->counter.time_ns,
                         .energy_uj = series->energy_uj + series->held.energy_uj};
}

struct mark series_begin_power(const struct series *series) {
    const bool is_slow = series->period.state == PERIOD_SLOW;
    return is_slow && series->update.time_ns != 0 ? series->update : series_now(series);
}

uint64_t series_power_span_ns(const struct series *series) {
    const struct counter_traits *traits = &series->traits;
    uint64_t span_ns = counter_to_uj(traits->scale, traits->unit) * POWER_SPAN_NS_PER_UJ;
    if (span_ns < POWER_SPAN_NS)
        span_ns = POWER_SPAN_NS;
    if (series->period.state != PERIOD_FAST)
        return span_ns;
    const uint64_t updates_ns = PERIOD_SHARPNESS * series->period.most_ns;
    return updates_ns > span_ns ? updates_ns : span_ns;
}

/* A package and a platform that are on use energy; their parts may rest for long. */
static bool may_rest(const struct series *series) {
    return series->identity.kind != ZONE_PACKAGE && series->identity.kind != ZONE_PSYS;
}

static bool end_at_reading(const struct series *series, const struct mark *begin,
                           struct mark *end) {
    *end = series_now(series);
    return end->time_ns > begin->time_ns &&
           end->time_ns - begin->time_ns >= series_power_span_ns(series);
}

static bool end_unmoved(const struct series *series, const struct mark *begin, uint64_t stands_ns,
                        struct mark *end) {
    if (!may_rest(series) || series->counter.time_ns - series->first_ns < stands_ns)
        return false;
    return end_at_reading(series, begin, end);
}

static bool rests(const struct series *series) {
    const struct period *period = &series->period;
    return period->state == PERIOD_SLOW && period_stood_ns(period, series->counter.time_ns) >=
                                               SERIES_REST_PERIODS * period->most_ns;
}

/* Its updates are known: power runs from one to another, or there was none for long. */
static bool end_slow(const struct series *series, const struct mark *begin, struct mark *end) {
    const struct period *period = &series->period;
    const struct mark now = series_now(series);
    *end = now;
    if (now.time_ns < begin->time_ns)
        return false;
    if (now.time_ns - begin->time_ns >= PERIOD_SHARPNESS * period->most_ns)
        return true;
    /* Its step is as large beside the energy of a short span as that of other counters. */
    if (begin->kind == MARK_AT_UPDATE &&
        series->update.time_ns >= begin->time_ns + series_power_span_ns(series)) {
        *end = series->update;
        return true;
    }
    return now.energy_uj == begin->energy_uj && now.time_ns > begin->time_ns && rests(series);
}

bool series_end_power(const struct series *series, const struct mark *begin, uint64_t stands_ns,
                      struct mark *end) {
    const struct period *period = &series->period;
    if (period->state == PERIOD_FAST)
        return end_at_reading(series, begin, end);
    *end = series_now(series);
    if (series->held.ticks != 0)
        return false;
    if (series->motion != SERIES_MOVED)
        return end_unmoved(series, begin, stands_ns, end);
    if (period->state == PERIOD_SLOW)
        return end_slow(series, begin, end);
    /* While the period is sought, what has stood may be slow. */
    const bool may_be_slow = period->state == PERIOD_SOUGHT && period->has_stood;
    return !may_be_slow && end_at_reading(series, begin, end);
}

void series_settle_power(struct series *series) {
    if (!rests(series))
        return;
    const struct mark now = series_now(series);
    if (series->power.energy_uj != now.energy_uj)
        series->power = now;
    if (series->summed.energy_uj != now.energy_uj)
        series->summed = now;
}
