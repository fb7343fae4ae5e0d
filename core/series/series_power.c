/* SPDX-License-Identifier: MIT */
/* Where the span of a series' power begins and ends. */
#include "series/series.h"
#include "zone/zone.h"

/* In a shorter span, the counter's own step (about 1 ms) is more than 2 % of the power. */
#define POWER_SPAN_NS UINT64_C(50000000)
/* unit / 2 W: the power of a counter of whole joules is then known to 2 W. */
#define POWER_SPAN_NS_PER_UJ UINT64_C(500)

/* A usual period is small beside the shortest span over which steps are judged, and counts as 0. */
static uint64_t judged_period_ns(const struct period *period) {
    const bool is_known = period->state == PERIOD_SLOW || period->state == PERIOD_FAST;
    const bool is_long = period->most_ns > COUNTER_JUDGED_SPAN_NS / PERIOD_SHARPNESS;
    return is_known && is_long ? period->most_ns : 0;
}

static uint64_t later_ns(uint64_t a_ns, uint64_t b_ns) {
    return a_ns > b_ns ? a_ns : b_ns;
}

void series_set_spans(struct series *series) {
    const struct period *period = &series->period;
    const struct counter_traits *traits = &series->traits;
    const uint64_t unit_uj = counter_to_uj(traits->scale, traits->unit);
    series->power_span_ns = later_ns(POWER_SPAN_NS, unit_uj * POWER_SPAN_NS_PER_UJ);
    const bool is_sought =
        period->state == PERIOD_SOUGHT && (period->large || period->most_ns <= PERIOD_SLOW_NS);
    if (period->state == PERIOD_FAST || is_sought)
        series->power_span_ns = later_ns(series->power_span_ns, PERIOD_SHARPNESS * period->most_ns);
    series->traits.period_ns = judged_period_ns(period);
}

/* A package or platform that is switched on uses energy; its parts may rest for long. */
static bool may_rest(const struct series *series) {
    return series->identity.kind != ZONE_PACKAGE && series->identity.kind != ZONE_PSYS;
}

static bool ends_unmoved(const struct series *series, const struct mark *begin, uint64_t stands_ns,
                         const struct mark *end) {
    return may_rest(series) && end->time_ns - series->first_ns >= stands_ns &&
           series_is_long_enough(series, begin, end);
}

static bool rests(const struct series *series) {
    const struct period *period = &series->period;
    return period->state == PERIOD_SLOW &&
           period_stood_ns(period, series->counter.time_ns) >= PERIOD_REST * period->most_ns;
}

struct mark series_begin_power(const struct series *series) {
    const struct mark now = series_now(series);
    const bool is_last = series->period.state == PERIOD_SLOW && series->update.time_ns != 0 &&
                         series->update.energy_uj == now.energy_uj && !rests(series);
    return is_last ? series->update : now;
}

/* For a counter of known period: power runs from update to update, or it has been at rest. */
static bool end_slow(const struct series *series, const struct mark *begin, struct mark *end) {
    const struct period *period = &series->period;
    const struct mark now = *end;
    if (now.time_ns < begin->time_ns)
        return false;
    if (now.time_ns - begin->time_ns >= PERIOD_SHARPNESS * period->most_ns)
        return true;
    /* In a short span its step is as large a part of the energy as the steps of other counters
     * are. */
    if (begin->kind == MARK_AT_UPDATE &&
        series->update.time_ns >= begin->time_ns + series->power_span_ns) {
        *end = series->update;
        return true;
    }
    return now.energy_uj == begin->energy_uj && now.time_ns > begin->time_ns && rests(series);
}

bool series_end_unusual_power(const struct series *series, const struct mark *begin,
                              uint64_t stands_ns, struct mark *end) {
    const struct period *period = &series->period;
    if (series->held.ticks != 0)
        return false;
    if (series->motion != SERIES_MOVED)
        return ends_unmoved(series, begin, stands_ns, end);
    if (period->state == PERIOD_SLOW)
        return end_slow(series, begin, end);
    /* While the period is sought, a counter that has stood, or has moved only once, may be slow. */
    const bool may_be_slow = period->state == PERIOD_SOUGHT &&
                             (period->has_stood || (period->large && period->most_ns == 0));
    return !may_be_slow && series_is_long_enough(series, begin, end);
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
