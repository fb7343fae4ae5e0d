/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "series/sum.h"
#include "source/cpu_model.h"
#include "source/unit_fault.h"
#include "system/clock.h"
#include "system/cpuinfo.h"
#include "system/sysfs.h"
#include "system/topology.h"

/* A driver may be loaded later. */
#define LOOK_AGAIN_NS (UINT64_C(60) * NS_PER_SECOND)
/* A zone returns some milliseconds after its CPU, so one more look is not enough. */
#define LOOK_REPORTS 3

/* Reopens the sources when the processor becomes known: their units may change with it. */
static int reopen_sources(struct rapl *rapl) {
    const int error = source_choice_reopen(&rapl->choice, &rapl->source_options);
    if (error != 0)
        return error;
    rapl->source = source_choice_source(&rapl->choice);
    rapl->bound = false;
    for (size_t i = 0; i < rapl->binding.series_count; i++)
        series_forget(rapl->binding.series[i]);
    return 0;
}

/* The vendor decides names and units. While no file names it, every discovery looks again. */
static int learn_model(struct rapl *rapl) {
    struct cpu_model *model = &rapl->source_options.model;
    int error = 0;
    if (model->vendor != CPU_VENDOR_UNKNOWN)
        return 0;
    *model = cpuinfo_read(rapl->source_options.root, &rapl->cpuinfo_error);
    if (model->vendor != CPU_VENDOR_UNKNOWN && rapl->choice.count > 0)
        error = reopen_sources(rapl);
    if (error != 0)
        model->vendor = CPU_VENDOR_UNKNOWN;
    rapl->binding.vendor = model->vendor;
    rapl->binding.is_virtual = model->is_virtual;
    rapl->problems.is_virtual = model->is_virtual;
    rapl->problems.lacks_rapl = cpu_model_lacks_rapl(model);
    return error;
}

static int open_root(struct rapl *rapl) {
    int *root = &rapl->source_options.root;
    if (*root < 0)
        *root = sysfs_open_root(rapl->root_path);
    problems_begin(&rapl->problems, PASS_ROOT);
    if (*root < 0)
        problems_raise(&rapl->problems, PROBLEM_ROOT, *root, rapl->root_path);
    problems_end(&rapl->problems, PASS_ROOT);
    if (*root < 0)
        return 0;
    int error = learn_model(rapl);
    if (error == 0 && rapl->choice.count == 0)
        error =
            source_choice_open(&rapl->choice, rapl->asked, &rapl->source_options, &rapl->problems);
    if (error != 0)
        return error;
    if (rapl->online_file < 0) {
        rapl->online_file = topology_open_online(*root);
        rapl->online_mark = topology_online_mark(rapl->online_file);
    }
    return 0;
}

static bool has_cores(const struct rapl *rapl) {
    struct zone_identity whole;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (zone_is_core_of(&rapl->binding.series[i]->identity, &whole))
            return true;
    }
    return false;
}

/* Series that have gone and zones without a series match, too: other problems report these. */
static bool matches_any(const struct rapl *rapl, const char *pattern) {
    const struct binding *binding = &rapl->binding;
    struct zone_identity whole;
    for (size_t i = 0; i < binding->sum_count; i++) {
        const bool is_off = i == 0 && !rapl->total;
        if (!is_off && pattern_matches(pattern, binding->sums[i]->name))
            return true;
    }
    for (size_t i = 0; i < binding->series_count; i++) {
        const struct series *series = binding->series[i];
        const bool is_off = !binding->cores && zone_is_core_of(&series->identity, &whole);
        if (!is_off && pattern_matches(pattern, series->name))
            return true;
    }
    for (size_t i = 0; i < rapl->source->zone_count; i++) {
        const struct zone *zone = rapl->source->zones[i];
        if (zone->identified && zone->series == NULL && pattern_matches(pattern, zone->name))
            return true;
    }
    return false;
}

/* Returns how many patterns match nothing. */
static size_t tell_patterns(struct rapl *rapl, enum problem_cause cause, char *const *patterns,
                            size_t count) {
    size_t unmatched = 0;
    for (size_t i = 0; i < count; i++) {
        if (matches_any(rapl, patterns[i]))
            continue;
        problems_raise(&rapl->problems, cause, -ENOENT, patterns[i]);
        unmatched++;
    }
    return unmatched;
}

/* While there are no zones, nothing can match, and nothing is reported. */
static void tell_selection(struct rapl *rapl, bool any) {
    const struct zone_filter *zone_filter = &rapl->zone_filter;
    problems_begin(&rapl->problems, PASS_FILTER);
    if (rapl->binding.series_count > 0) {
        const size_t unmatched = tell_patterns(rapl, any ? PROBLEM_PATTERN : PROBLEM_SELECTION,
                                               zone_filter->include, zone_filter->include_count);
        if (!any && unmatched == 0)
            problems_raise(&rapl->problems, PROBLEM_SELECTION, 0, "everything is excluded");
        tell_patterns(rapl, PROBLEM_PATTERN, zone_filter->exclude, zone_filter->exclude_count);
        if (rapl->binding.cores && !has_cores(rapl))
            problems_raise(&rapl->problems, PROBLEM_CORES, 0, rapl->source->operations->name);
    }
    problems_end(&rapl->problems, PASS_FILTER);
}

int discovery_rebind(struct rapl *rapl) {
    rapl->bound = false;
    rapl->safe_span_ns = 0;
    int error = binding_update(&rapl->binding, rapl->source, &rapl->problems);
    if (error != 0)
        return error;
    const size_t room = rapl->binding.series_count + rapl->binding.sum_count;
    if (room > rapl->value_room) {
        struct rapl_value *values = realloc(rapl->values, room * sizeof(*values));
        if (values == NULL)
            return -ENOMEM;
        rapl->values = values;
        rapl->value_room = room;
    }
    bool any = false;
    for (size_t i = 0; i < rapl->binding.sum_count; i++)
        any = any || rapl->binding.sums[i]->selected;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        struct series *series = rapl->binding.series[i];
        any = any || series->selected;
        if (series->gone || !series->has_read || series->present || series->left_out ||
            series->ended)
            continue;
        series->gone = true;
        series->left = series->reads;
        sum_lose_member(series->sum);
    }
    tell_selection(rapl, any);
    rapl->bound = true;
    return 0;
}

static bool has_read(const struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (rapl->binding.series[i]->has_read)
            return true;
    }
    return false;
}

/* Reports which source is read and why others are not, once it is known and when it changes. */
static void tell_source(struct rapl *rapl) {
    const struct source_choice *choice = &rapl->choice;
    char text[sizeof(choice->reason) + 64];
    if (rapl->asked != RAPL_SOURCE_AUTO)
        return;
    snprintf(text, sizeof(text), "%s%s%s%s", choice->settled ? "source " : "no source reads energy",
             choice->settled ? rapl->source->operations->name : "",
             choice->reason[0] != '\0' ? "; " : "", choice->reason);
    problems_raise(&rapl->problems, PROBLEM_SOURCE, 0, text);
}

static bool has_identified(const struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        if (source->zones[i]->identified)
            return true;
    }
    return false;
}

/* Only the names and units of zones depend on the vendor: without zones nothing is missing. */
static void tell_vendor(struct rapl *rapl) {
    problems_begin(&rapl->problems, PASS_VENDOR);
    if (rapl->binding.vendor == CPU_VENDOR_UNKNOWN && has_identified(rapl->source))
        problems_raise(&rapl->problems, PROBLEM_VENDOR, rapl->cpuinfo_error, CPUINFO_PROC);
    problems_end(&rapl->problems, PASS_VENDOR);
}

static void tell_unit(struct rapl *rapl, const struct zone *zone) {
    const bool by_perf = strcmp(rapl->source->operations->name, "perf") == 0;
    char name[ZONE_NAME_SIZE];
    char what[256];
    char text[sizeof(name) + sizeof(what) + 2];
    zone_format_name(&zone->identity, name);
    if (!unit_fault_is_corrected(zone->fault)) {
        problems_raise(&rapl->problems, PROBLEM_UNIT_DOUBT, 0, name);
        return;
    }
    unit_fault_word(zone->fault, by_perf, what, sizeof(what));
    snprintf(text, sizeof(text), "%s: %s", name, what);
    problems_raise(&rapl->problems, PROBLEM_UNIT, 0, text);
}

/* Reports each fault once per counter that is reported, alone or in a sum. perf may show it
 * later. */
static void tell_units(struct rapl *rapl) {
    for (size_t i = 0; i < rapl->source->zone_count; i++) {
        struct zone *zone = rapl->source->zones[i];
        if (zone->fault == NULL || zone->fault_told || !zone->wanted)
            continue;
        zone->fault_told = true;
        tell_unit(rapl, zone);
    }
}

int discovery_run(struct rapl *rapl) {
    const bool first = rapl->source == NULL;
    int error = open_root(rapl);
    if (error != 0) {
        rapl->discovered_ns = 0;
        return error;
    }
    rapl->discovered_ns = clock_boottime_ns();
    if (rapl->choice.count == 0)
        return 0;
    const bool was_settled = rapl->choice.settled;
    /* Sweeps may already have found what this discovery is to find. */
    if (has_read(rapl))
        source_choice_keep(&rapl->choice);
    int changed = source_choice_discover(&rapl->choice);
    rapl->source = source_choice_source(&rapl->choice);
    rapl->report.health.source = rapl->source->operations->name;
    rapl->problems.module = rapl->source->module;
    if (changed < 0) {
        rapl->discovered_ns = 0; /* run again at the next report */
        rapl->bound = false;     /* the change may be half done */
        return changed;
    }
    if (first || rapl->choice.settled != was_settled)
        tell_source(rapl);
    tell_vendor(rapl);
    if (changed > 0 && !first)
        rapl->report.health.rediscoveries++;
    if (changed > 0 || !rapl->bound)
        error = discovery_rebind(rapl);
    if (error == 0)
        tell_units(rapl);
    return error;
}

/* Whether the series has been read, and now has no zone or only errors for which tells() is
 * true. */
static bool has_lost(const struct rapl *rapl, const struct series *series, bool (*tells)(int)) {
    const struct source *source = rapl->source;
    if (series->reads || source == NULL || !series->has_read || series->ended || series->left_out)
        return false;
    for (size_t i = 0; i < series->zone_count; i++) {
        if (!tells(source->zones[series->zones[i]]->error))
            return false;
    }
    return true;
}

bool discovery_lost_series(const struct rapl *rapl, const struct series *series) {
    return has_lost(rapl, series, error_is_lost);
}

/* After a driver was loaded again, only root may read its files until udev's rules have run. If
 * descriptors or memory are short, files could not be opened again. */
static bool is_out_of_reach(int error) {
    return error_is_lost(error) || error == -EACCES || error == -EPERM || sysfs_ran_short(error);
}

static bool misses_zone(const struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (has_lost(rapl, rapl->binding.series[i], is_out_of_reach))
            return true;
    }
    return false;
}

/*
 * On AMD the core zone belongs to the package's lead CPU. When CPUs go offline or return, another
 * CPU may become the lead, and the zone then shows another core's counter.
 */
static bool may_move(const struct rapl *rapl, const struct series *series) {
    const enum zone_kind kind = series->identity.kind;
    return kind == ZONE_LEAD_CORE ||
           (kind == ZONE_CORE && rapl->binding.vendor == CPU_VENDOR_UNKNOWN);
}

void discovery_forget_lead_cores(struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (may_move(rapl, rapl->binding.series[i]))
            series_forget(rapl->binding.series[i]);
    }
    /* Nor may a series begin at a reading that its zone had in common with another one. */
    for (size_t i = 0; rapl->source != NULL && i < rapl->source->zone_count; i++) {
        struct zone *zone = rapl->source->zones[i];
        if (zone->series != NULL && may_move(rapl, zone->series))
            zone->compared.last.time_ns = 0;
    }
}

bool discovery_watch_online(struct rapl *rapl) {
    const uint64_t online_mark = topology_online_mark(rapl->online_file);
    if (online_mark == rapl->online_mark)
        return false;
    rapl->online_mark = online_mark;
    rapl->rescans_left = LOOK_REPORTS;
    discovery_forget_lead_cores(rapl);
    return true;
}

/* A file that could not be read may become readable. */
static bool can_learn_model(const struct rapl *rapl) {
    int error;
    return rapl->binding.vendor == CPU_VENDOR_UNKNOWN && rapl->source_options.root >= 0 &&
           cpuinfo_read(rapl->source_options.root, &error).vendor != CPU_VENDOR_UNKNOWN;
}

int discovery_run_if_due(struct rapl *rapl) {
    discovery_watch_online(rapl);
    bool due = can_learn_model(rapl) || (rapl->source != NULL && !rapl->bound) ||
               misses_zone(rapl) || clock_boottime_ns() - rapl->discovered_ns >= LOOK_AGAIN_NS;
    if (rapl->rescans_left > 0) {
        rapl->rescans_left--;
        due = true;
    }
    return due ? discovery_run(rapl) : 0;
}
