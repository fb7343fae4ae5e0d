/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "handle.h"
#include "series/sum.h"
#include "system/clock.h"
#include "system/cpuinfo.h"
#include "system/error.h"
#include "system/topology.h"

/* The sum that would be wrong because this zone's counter exists and was never read; or NULL. */
static struct series *find_lacking_sum(const struct rapl *rapl, const struct zone *zone) {
    if (!zone->wanted || !source_hides_counter(zone) ||
        (zone->series != NULL && zone->series->has_read))
        return NULL;
    return binding_find_sum(&rapl->binding, zone);
}

static void note_unread(struct rapl *rapl) {
    struct series *total = rapl->binding.sums[0];
    bool any = false;
    for (size_t i = 0; i < rapl->binding.series_count; i++)
        any = any || sum_has_member(total, rapl->binding.series[i]);
    for (size_t i = 0; i < rapl->source->zone_count; i++) {
        const struct zone *zone = rapl->source->zones[i];
        struct series *sum = find_lacking_sum(rapl, zone);
        if (sum == NULL)
            continue;
        sum->unread = true;
        if (sum == total && total->selected && any)
            problems_raise(&rapl->problems, PROBLEM_UNREAD, 0, zone->name);
    }
}

/* Reports zones that fail, and returns whether any does. Zones that disappear are reported by
 * series (note_gone); a zone that was never readable is reported by its path. */
static bool note_errors(struct rapl *rapl) {
    const struct source *source = rapl->source;
    bool fails = false;
    rapl->report.health.zones = 0;
    for (size_t i = 0; i < rapl->binding.sum_count; i++)
        rapl->binding.sums[i]->unread = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *zone = source->zones[i];
        if (!zone->wanted)
            continue;
        if (zone->error == 0) {
            rapl->report.health.zones++;
            continue;
        }
        if (zone->error_reported && zone->error == ZONE_COUNTS_NOTHING)
            continue; /* not a fault */
        rapl->report.health.read_errors++;
        fails = true;
        if (!zone->error_reported &&
            (!error_is_lost(zone->error) || zone->series == NULL || !zone->series->has_read))
            problems_raise(&rapl->problems, PROBLEM_ENERGY, zone->error, zone->path);
    }
    return fails;
}

/* The series that this one is shown under, or NULL. */
static const struct series *find_parent(const struct rapl *rapl, const struct series *series) {
    return binding_find_whole(&rapl->binding, &series->identity);
}

/* A zone that disappears takes its sub-zones with it, and returns a moment before them: the
 * sub-zones are not reported. */
static void note_gone(struct rapl *rapl, const struct series *series) {
    if (!discovery_lost_series(rapl, series))
        return;
    const struct series *parent = find_parent(rapl, series);
    if (parent != NULL && (parent->returned || discovery_lost_series(rapl, parent)))
        return;
    const bool in_total = series->sum == rapl->binding.sums[0] && series->sum->selected;
    if (!in_total && !series->selected)
        return; /* a single core that is not reported alone */
    problems_raise(&rapl->problems, in_total ? PROBLEM_GONE_FROM_TOTAL : PROBLEM_GONE, 0,
                   series->name);
}

/* Whether the zone gave the last reading, or has the identity of the one that did. */
static bool feeds(const struct series *series, const struct zone *zone, size_t index) {
    return index == series->last_zone_index ||
           zone_equal(&zone->identity, &series->last_zone_identity);
}

/* Chooses the zone that a series takes its reading from: the one that gave the last reading, or
 * else the first that reads. After sleep, a zone that has not been compared is not used. Returns
 * zone_count if there is none. */
static size_t choose_zone(const struct source *source, const struct series *series, bool slept) {
    size_t chosen = series->zone_count;
    for (size_t i = 0; i < series->zone_count; i++) {
        const struct zone *zone = source->zones[series->zones[i]];
        if (source->readings[series->zones[i]].error != 0 ||
            (slept && zone->counter == ZONE_COUNTER_UNKNOWN))
            continue;
        if (feeds(series, zone, series->zones[i]))
            return i;
        if (chosen == series->zone_count)
            chosen = i;
    }
    return chosen;
}

/* Setting MaxPower helps only if the ceiling is wrong. It does not help if the counter jumps far or
 * goes back, nor for psys, which MaxPower does not affect. */
static enum problem_cause judge_jump(const struct series *series) {
    const bool near =
        !series->counter.leapt && series->steady.returns == 0 && series->identity.kind != ZONE_PSYS;
    return near ? PROBLEM_JUMPED : PROBLEM_LEAPT;
}

static void note_outcome(struct rapl *rapl, const struct series *series,
                         enum counter_outcome outcome, bool raised) {
    struct problems *problems = &rapl->problems;
    if (series->steady.unsteady)
        problems_raise(problems, PROBLEM_UNSTEADY, 0, series->name);
    if (raised) {
        problems_raise(problems, PROBLEM_RAISED, 0, series->name);
        rapl->safe_span_ns = 0;
    } else if (outcome == COUNTER_RESET_FORWARD) {
        problems_raise(problems, judge_jump(series), 0, series->name);
    } else if (outcome == COUNTER_ABOVE_WHOLE) {
        problems_raise(problems, series->part.is_apart ? PROBLEM_APART : PROBLEM_ABOVE_WHOLE, 0,
                       series->name);
    }
}

/* Zones of one counter may count from different points (their offsets). */
static void feed(struct series *series, const struct zone *zone) {
    if (zone->compared.offset != series->last_zone_offset)
        series_forget(series);
    series->last_zone_offset = zone->compared.offset;
    series->last_zone_identity = zone->identity;
}

static void take_reading(struct rapl *rapl, struct series *series, uint64_t slept_ns) {
    const struct source *source = rapl->source;
    struct reading reading = {.error = -ENODEV};
    const size_t chosen = choose_zone(source, series, slept_ns > 0);
    if (chosen < series->zone_count) {
        const struct zone *zone = source->zones[series->zones[chosen]];
        const bool changes = series->zones[chosen] != series->last_zone_index;
        /* A zone that differed at its last reading may show another counter. */
        if (changes && slept_ns == 0 && !zone_equal(&zone->identity, &series->last_zone_identity))
            binding_keep_last(source, series);
        if (zone->epoch != series->epoch ||
            (changes && zone->compared.differs && !feeds(series, zone, series->zones[chosen])))
            series_forget(series);
        if (changes)
            feed(series, zone);
        series->last_zone_index = series->zones[chosen];
        series->epoch = zone->epoch;
        reading = source->readings[series->zones[chosen]];
    }
    const bool was_in_gap = series->counter.in_gap;
    const bool was_low = series->counter.low.count > 0;
    const bool was_raised = series->raised;
    enum counter_outcome outcome = series_take(series, &reading, slept_ns, &rapl->report.health);
    if (outcome != COUNTER_COUNTED) {
        note_outcome(rapl, series, outcome, series->raised && !was_raised);
        if (outcome == COUNTER_UNDECIDED && !was_in_gap && !was_low)
            problems_raise(&rapl->problems, PROBLEM_UNDECIDED, 0, series->name);
    }
}

/* Finds out which zones show one counter. -ENOMEM: the next sweep tries again. */
static int compare_zones(struct rapl *rapl) {
    int changed = binding_compare(&rapl->binding, rapl->source, &rapl->problems);
    if (changed == 0)
        return 0;
    /* Before the first sweep no report has shown another state. */
    rapl->report.health.rediscoveries += rapl->sampled;
    rapl->bound = false;
    return changed < 0 ? changed : discovery_rebind(rapl);
}

static void take_sums(struct rapl *rapl) {
    const struct binding *binding = &rapl->binding;
    for (size_t i = 0; i < binding->sum_count; i++) {
        if (binding->sums[i]->window != NULL)
            sum_take(binding->sums[i], binding->series, binding->series_count);
    }
}

/* Handles a counter that is not known to be fast: stuck, slow, or still being measured. */
static void note_slow(struct rapl *rapl, const struct series *series) {
    if (series->motion == SERIES_STUCK && series->reads)
        problems_raise(&rapl->problems, PROBLEM_STUCK, 0, series->name);
    /* If no reading ever continues the one before, there is nothing to learn. */
    const bool is_new = series->counter.time_ns - series->first_ns <= PERIOD_LONGEST_NS;
    if (!series_is_read(series) || (series->period.shown_ns == 0 && !is_new))
        return;
    const uint64_t look_ns =
        period_look_ns(&series->period, series->counter.time_ns, rapl->interval_ns);
    rapl->look_ns = look_ns < rapl->look_ns ? look_ns : rapl->look_ns;
}

static void take_readings(struct rapl *rapl, uint64_t slept_ns) {
    rapl->observes = false;
    rapl->look_ns = UINT64_MAX;
    rapl->low_count = 0;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        struct series *series = rapl->binding.series[i];
        series->reads = false;
        if (series->withheld)
            rapl->low_count++;
        else if (!series->ended && binding_wants(series))
            take_reading(rapl, series, slept_ns);
        if (series_is_read(series) != series->guarded)
            rapl->safe_span_ns = 0;
        series->guarded = series_is_read(series);
        if (series->period.state != PERIOD_FAST)
            note_slow(rapl, series);
        rapl->low_count += series->counter.low.count == 1;
        rapl->observes = rapl->observes || (series->reads && rapl->sample_interval_ns != 0);
    }
    if (rapl->safe_span_ns == 0)
        rapl->safe_span_ns = schedule_find_safe_span_ns(rapl);
}

/* How long ago the counters were read: half of the sweep's duration or, if the machine stalled and
 * reads were repeated, what their own times say. */
static uint64_t find_age_ns(const struct source *source, uint64_t span_ns) {
    if (span_ns <= source->slow_reads.slow_ns)
        return span_ns / 2;
    const uint64_t middle_ns = source_find_middle_ns(source);
    return middle_ns != 0 ? clock_span_ns(middle_ns, clock_raw_ns()) : span_ns / 2;
}

int sample_take(struct rapl *rapl, bool for_report) {
    uint64_t end_ns;
    if (rapl->source == NULL) {
        rapl->report.time_ns = clock_realtime_ns();
        return 0;
    }
    /* If discovery ran out of memory, series may refer to zones that no longer exist. */
    int error = rapl->bound ? 0 : discovery_rebind(rapl);
    if (error != 0)
        return error;
    const uint64_t begin_ns = clock_monotonic_ns();
    const uint64_t begin_ahead_ns = clock_most_ahead_ns(begin_ns);
    /* Statistics allow for the uncertainty of a reading, so reads between reports may be slow. */
    slow_reads_begin(&rapl->source->slow_reads,
                     for_report ? clock_span_ns(rapl->reported_ns, begin_ns) : UINT64_MAX);
    rapl->source->operations->sample(rapl->source);
    const uint64_t end_ahead_ns = clock_least_ahead_ns(&end_ns);
    const uint64_t age_ns = find_age_ns(rapl->source, clock_span_ns(begin_ns, end_ns));
    rapl->report.time_ns = clock_span_ns(age_ns, clock_realtime_ns());
    /* Measured from the begin of one sweep to the end of the next: both see a sleep during a
     * sweep. */
    const uint64_t suspend_offset_ns = rapl->sampled ? rapl->suspend_offset_ns : begin_ahead_ns;
    const uint64_t slept_ns = clock_span_ns(suspend_offset_ns, end_ahead_ns);
    /* CPUs may have gone offline after the check before the sweep. Only lead cores depend on it. */
    const bool moved =
        rapl->sampled && rapl->binding.vendor != CPU_VENDOR_INTEL && discovery_watch_online(rapl);

    problems_begin(&rapl->problems, PASS_SWEEP);
    const bool fails = note_errors(rapl);
    if (slept_ns > 0)
        binding_sleep(&rapl->binding, rapl->source);
    else
        error = compare_zones(rapl);
    if (error != 0)
        return error;
    rapl->suspend_offset_ns = begin_ahead_ns;
    rapl->report.health.missed_samples += schedule_count_missed(rapl, begin_ns);
    rapl->sampled = true;
    rapl->sampled_ns = begin_ns;
    rapl->report.health.sweeps++;
    rapl->report.health.sleeps += slept_ns > 0;
    binding_start(&rapl->binding, rapl->source, &rapl->report.health);
    take_readings(rapl, slept_ns);
    if (fails)
        note_unread(rapl);
    /* It is unknown which core was read: the one that led before, or the new lead. */
    if (moved)
        discovery_forget_lead_cores(rapl);
    take_sums(rapl);
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (!rapl->binding.series[i]->reads)
            note_gone(rapl, rapl->binding.series[i]);
    }
    problems_end(&rapl->problems, PASS_SWEEP);
    /* Processing thousands of zones takes a millisecond, too: the sweep ends after that. */
    rapl->ended_ns = rapl->observes ? clock_monotonic_ns() : end_ns;
    return 0;
}

int rapl_sample(struct rapl *rapl) {
    return sample_take(rapl, false);
}
