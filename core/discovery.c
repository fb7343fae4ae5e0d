/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cpu_model.h"
#include "cpuinfo.h"
#include "handle.h"
#include "sum.h"
#include "sysfs.h"
#include "topology.h"
#include "unit_fault.h"

/* A driver may be loaded late. */
#define LOOK_AGAIN_NS (UINT64_C(60) * NS_PER_SECOND)
/* A zone returns some milliseconds after its CPU does, so that one more look is not enough. */
#define LOOK_REPORTS 3

/* Sources begin again with what is known now: what they have read may have another unit. */
static int reopen_sources(struct rapl *rapl) {
    const int error = choice_reopen(&rapl->choice, &rapl->source_options);
    if (error != 0)
        return error;
    rapl->source = choice_source(&rapl->choice);
    rapl->bound = false;
    for (size_t i = 0; i < rapl->binding.series_count; i++)
        series_forget(rapl->binding.series[i]);
    return 0;
}

/* The vendor decides names and units. As long as no file names it, it is looked for again. */
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
    problems_begin(&rapl->problems, PROBLEM_ROOT, PROBLEM_ROOT);
    if (*root < 0)
        problems_raise(&rapl->problems, PROBLEM_ROOT, *root, rapl->root_path);
    problems_end(&rapl->problems, PROBLEM_ROOT, PROBLEM_ROOT);
    if (*root < 0)
        return 0;
    int error = learn_model(rapl);
    if (error == 0 && rapl->choice.count == 0)
        error = choice_open(&rapl->choice, rapl->asked, &rapl->source_options, &rapl->problems);
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

/* Series that came and went count, and zones without one: why they lack, other problems say. */
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

/* How many match nothing. */
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

/* Before there are zones, nothing can match. */
static void tell_selection(struct rapl *rapl, bool any) {
    const struct selection *selection = &rapl->selection;
    problems_begin(&rapl->problems, PROBLEM_SELECTION, PROBLEM_CORES);
    if (rapl->binding.series_count > 0) {
        const size_t unmatched = tell_patterns(rapl, any ? PROBLEM_PATTERN : PROBLEM_SELECTION,
                                               selection->include, selection->include_count);
        if (!any && unmatched == 0)
            problems_raise(&rapl->problems, PROBLEM_SELECTION, 0, "everything is excluded");
        tell_patterns(rapl, PROBLEM_PATTERN, selection->exclude, selection->exclude_count);
        if (rapl->binding.cores && !has_cores(rapl))
            problems_raise(&rapl->problems, PROBLEM_CORES, 0, rapl->source->operations->name);
    }
    problems_end(&rapl->problems, PROBLEM_SELECTION, PROBLEM_CORES);
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

/* Which source is read, and why not another: told when it is known, and when it changes. */
static void tell_source(struct rapl *rapl) {
    const struct choice *choice = &rapl->choice;
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

/* What depends on the vendor are names and units of zones: a machine without them lacks nothing. */
static void tell_vendor(struct rapl *rapl) {
    problems_begin(&rapl->problems, PROBLEM_VENDOR, PROBLEM_VENDOR);
    if (rapl->binding.vendor == CPU_VENDOR_UNKNOWN && has_identified(rapl->source))
        problems_raise(&rapl->problems, PROBLEM_VENDOR, rapl->cpuinfo_error, CPUINFO_PROC);
    problems_end(&rapl->problems, PROBLEM_VENDOR, PROBLEM_VENDOR);
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

/* Once for each counter that is reported, alone or in a sum: what perf counts may tell later. */
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
    /* Samples may have met what this look was to find. */
    if (has_read(rapl))
        choice_keep(&rapl->choice);
    int changed = choice_discover(&rapl->choice);
    rapl->source = choice_source(&rapl->choice);
    rapl->report.health.source = rapl->source->operations->name;
    rapl->problems.module = rapl->source->module;
    if (changed < 0) {
        rapl->discovered_ns = 0; /* at the next report again */
        rapl->bound = false;     /* some of it may be done */
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

/* It has been read, and has no zone any more, or one with an error that tells as much. */
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
    return has_lost(rapl, series, source_lost_zone);
}

/* Files that only root may read are those of a driver that was loaded again, until udev's rules
 * have run; for want of descriptors or memory, what was to be opened anew was not. */
static bool is_out_of_reach(int error) {
    return source_lost_zone(error) || error == -EACCES || error == -EPERM || sysfs_ran_short(error);
}

static bool misses_zone(const struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (has_lost(rapl, rapl->binding.series[i], is_out_of_reach))
            return true;
    }
    return false;
}

/*
 * On AMD the core zone is that of the package's lead CPU, and when CPUs come and go this can become
 * another one: the counter is another core's then.
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
    /* Nor does a series begin where its zone was the same as another one before. */
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
    rapl->looks_left = LOOK_REPORTS;
    discovery_forget_lead_cores(rapl);
    return true;
}

/* A file that could not be read may be readable in a moment. */
static bool can_learn_model(const struct rapl *rapl) {
    int error;
    return rapl->binding.vendor == CPU_VENDOR_UNKNOWN && rapl->source_options.root >= 0 &&
           cpuinfo_read(rapl->source_options.root, &error).vendor != CPU_VENDOR_UNKNOWN;
}

int discovery_run_if_due(struct rapl *rapl) {
    discovery_watch_online(rapl);
    bool due = can_learn_model(rapl) || (rapl->source != NULL && !rapl->bound) ||
               misses_zone(rapl) || clock_boottime_ns() - rapl->discovered_ns >= LOOK_AGAIN_NS;
    if (rapl->looks_left > 0) {
        rapl->looks_left--;
        due = true;
    }
    return due ? discovery_run(rapl) : 0;
}
