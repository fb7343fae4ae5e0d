/* SPDX-License-Identifier: MIT */
#include "rapl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding.h"
#include "clock.h"
#include "problem.h"
#include "report.h"
#include "select.h"
#include "source.h"
#include "sysfs.h"
#include "topology.h"

/* A driver may be loaded late. */
#define LOOK_AGAIN_NS (UINT64_C(60) * NS_PER_SECOND)
/* A zone returns some milliseconds after its CPU does, so that one more look is not enough. */
#define LOOK_REPORTS 3

struct rapl {
    char *root_path;
    uint64_t max_power_uw;
    struct selection selection;
    struct series total;

    int root;
    int online_file;
    uint64_t online_mark;
    struct source *source;
    struct binding binding;
    struct problems problems;

    uint64_t discovered_ns; /* CLOCK_BOOTTIME */
    unsigned int looks_left;
    uint64_t ahead_ns; /* of CLOCK_BOOTTIME before CLOCK_MONOTONIC, at the last sample's begin */
    bool sampled;
    bool bound; /* the binding fits the zones of the source */

    struct rapl_value *values;
    size_t value_room;
    struct rapl_report report;
};

/* --- discovery ------------------------------------------------------------------------------- */

static int open_root(struct rapl *rapl) {
    if (rapl->root < 0)
        rapl->root = sysfs_open_root(rapl->root_path);
    problems_begin(&rapl->problems, PROBLEM_ROOT, PROBLEM_ROOT);
    if (rapl->root < 0)
        problems_raise(&rapl->problems, PROBLEM_ROOT, rapl->root, rapl->root_path);
    problems_end(&rapl->problems, PROBLEM_ROOT, PROBLEM_ROOT);
    if (rapl->root < 0)
        return 0;
    if (rapl->source == NULL) {
        rapl->source = powercap_open(rapl->root, rapl->max_power_uw);
        if (rapl->source == NULL)
            return -ENOMEM;
        rapl->report.health.source = rapl->source->operations->name;
        /* Once: it decides the names of series, and those do not change. */
        rapl->binding.vendor = topology_read_vendor(rapl->root);
    }
    if (rapl->online_file < 0)
        rapl->online_file = topology_open_online(rapl->root);
    return 0;
}

static int rebind(struct rapl *rapl) {
    rapl->bound = false;
    int error = binding_update(&rapl->binding, rapl->source, &rapl->problems);
    if (error != 0)
        return error;
    const size_t room = rapl->binding.series_count + 1;
    if (room > rapl->value_room) {
        struct rapl_value *values = realloc(rapl->values, room * sizeof(*values));
        if (values == NULL)
            return -ENOMEM;
        rapl->values = values;
        rapl->value_room = room;
    }
    bool any = rapl->total.selected;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        struct series *series = rapl->binding.series[i];
        any = any || series->selected;
        series->gone = series->gone || (series->has_read && !series->present && !series->ended);
    }
    problems_begin(&rapl->problems, PROBLEM_SELECTION, PROBLEM_SELECTION);
    if (!any && rapl->binding.series_count > 0)
        problems_raise(&rapl->problems, PROBLEM_SELECTION, 0,
                       rapl->selection.include_count > 0 ? rapl->selection.include[0]
                                                         : "everything is excluded");
    problems_end(&rapl->problems, PROBLEM_SELECTION, PROBLEM_SELECTION);
    rapl->bound = true;
    return 0;
}

static int discover(struct rapl *rapl) {
    const bool first = rapl->source == NULL;
    int error = open_root(rapl);
    if (error != 0)
        return error;
    rapl->discovered_ns = clock_boottime_ns();
    if (rapl->source == NULL)
        return 0;
    int changed = rapl->source->operations->discover(rapl->source, &rapl->problems);
    if (changed < 0) {
        rapl->discovered_ns = 0; /* at the next report again */
        return changed;
    }
    if (changed > 0 && !first)
        rapl->report.health.rediscoveries++;
    return changed > 0 || !rapl->bound ? rebind(rapl) : 0;
}

/* Whether the series has been read, and has no zone any more or one that has gone. */
static bool has_gone(const struct rapl *rapl, const struct series *series) {
    if (!series->has_read || series->ended || series->reads)
        return false;
    for (size_t i = 0; i < series->zone_count; i++) {
        if (!source_lost_zone(rapl->source->zones[series->zones[i]]->error))
            return false;
    }
    return true;
}

static bool misses_zone(const struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        if (has_gone(rapl, rapl->binding.series[i]))
            return true;
    }
    return false;
}

/*
 * On AMD the core zone is that of the package's lead CPU, and when CPUs come and go this can become
 * another one: the counter is another core's then.
 */
static void forget_lead_cores(struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        struct series *series = rapl->binding.series[i];
        const enum zone_kind kind = series->identity.kind;
        const bool may_move = kind == ZONE_LEAD_CORE ||
                              (kind == ZONE_CORE && rapl->binding.vendor == CPU_VENDOR_UNKNOWN);
        if (series->has_read && may_move)
            series_forget(series);
    }
}

/* Looks whether other CPUs are online than at the last look. */
static void watch_online(struct rapl *rapl) {
    const uint64_t online_mark = topology_online_mark(rapl->online_file);
    if (online_mark == rapl->online_mark)
        return;
    rapl->online_mark = online_mark;
    rapl->looks_left = LOOK_REPORTS;
    forget_lead_cores(rapl);
}

static int discover_if_due(struct rapl *rapl) {
    watch_online(rapl);
    bool due = (rapl->source != NULL && !rapl->bound) || misses_zone(rapl) ||
               clock_boottime_ns() - rapl->discovered_ns >= LOOK_AGAIN_NS;
    if (rapl->looks_left > 0) {
        rapl->looks_left--;
        due = true;
    }
    return due ? discover(rapl) : 0;
}

/* --- a sample -------------------------------------------------------------------------------- */

/* Bounds of how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: the true value, which only sleep
 * changes, lies between them however long the calls took. */
static void read_ahead_ns(uint64_t *least_ns, uint64_t *most_ns) {
    const uint64_t before_ns = clock_monotonic_ns();
    const uint64_t boot_ns = clock_boottime_ns();
    const uint64_t after_ns = clock_monotonic_ns();
    *least_ns = boot_ns > after_ns ? boot_ns - after_ns : 0;
    *most_ns = boot_ns > before_ns ? boot_ns - before_ns : 0;
}

static bool was_read(const struct rapl *rapl, const char *name) {
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        if (series->has_read && strcmp(series->name, name) == 0)
            return true;
    }
    return false;
}

/* What goes is told of by series; a zone that never read is told of by its file. */
static void note_errors(struct rapl *rapl) {
    const struct source *source = rapl->source;
    rapl->report.health.zones = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *zone = source->zones[i];
        if (!zone->wanted)
            continue;
        if (zone->error == 0) {
            rapl->report.health.zones++;
            continue;
        }
        rapl->report.health.read_errors++;
        if (!source_lost_zone(zone->error) || !was_read(rapl, zone->name))
            problems_raise(&rapl->problems, PROBLEM_ENERGY, zone->error, zone->path);
    }
}

/* A zone that goes takes its sub-zones with it: those are not told of. */
static void note_gone(struct rapl *rapl, const struct series *series) {
    if (!has_gone(rapl, series))
        return;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *parent = rapl->binding.series[i];
        if (parent != series && strcmp(parent->name, series->parent) == 0 && has_gone(rapl, parent))
            return;
    }
    const bool in_total = rapl->total.selected && zone_in_total(&series->identity);
    problems_raise(&rapl->problems, in_total ? PROBLEM_GONE_FROM_TOTAL : PROBLEM_GONE, 0,
                   series->name);
}

static void take_reading(struct rapl *rapl, struct series *series, uint64_t slept_ns) {
    struct reading reading = {.error = -ENODEV};
    for (size_t i = 0; i < series->zone_count && reading.error != 0; i++)
        reading = rapl->source->readings[series->zones[i]];
    const bool was_in_gap = series->counter.in_gap;
    enum counter_outcome outcome = series_take(series, &reading, slept_ns, &rapl->report.health);
    if (outcome == COUNTER_RESET_FORWARD)
        problems_raise(&rapl->problems, PROBLEM_JUMPED, 0, series->name);
    if (outcome == COUNTER_UNDECIDED && !was_in_gap)
        problems_raise(&rapl->problems, PROBLEM_UNDECIDED, 0, series->name);
}

/* Whether its zones are among those that a sample reads. */
static bool is_read(const struct rapl *rapl, const struct series *series) {
    return !series->ended &&
           (series->selected || (rapl->binding.total && zone_in_total(&series->identity)));
}

int rapl_sample(struct rapl *rapl) {
    uint64_t least_ns;
    uint64_t most_ns;
    uint64_t begin_ahead_ns;
    if (rapl->source == NULL) {
        rapl->report.time_ns = clock_realtime_ns();
        return 0;
    }
    read_ahead_ns(&least_ns, &begin_ahead_ns);
    const uint64_t begin_ns = clock_monotonic_ns();
    rapl->source->operations->sample(rapl->source);
    const uint64_t span_ns = clock_monotonic_ns() - begin_ns;
    rapl->report.time_ns = clock_realtime_ns() - span_ns / 2;
    read_ahead_ns(&least_ns, &most_ns);
    /* From the begin of one sample to the end of the next: a sleep in the midst of a sample is
     * seen by both. */
    const uint64_t slept_ns =
        rapl->sampled && least_ns > rapl->ahead_ns ? least_ns - rapl->ahead_ns : 0;
    /* CPUs that went after the look before the sample: they matter to lead cores alone. */
    if (rapl->sampled && rapl->binding.vendor != CPU_VENDOR_INTEL)
        watch_online(rapl);

    problems_begin(&rapl->problems, PROBLEM_ENERGY, PROBLEM_UNDECIDED);
    note_errors(rapl);
    if (slept_ns == 0 && binding_part(&rapl->binding, rapl->source, span_ns, &rapl->problems)) {
        int error = rebind(rapl);
        if (error != 0)
            return error;
    }
    rapl->ahead_ns = begin_ahead_ns;
    rapl->sampled = true;
    rapl->report.health.samples++;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        struct series *series = rapl->binding.series[i];
        series->reads = false;
        if (is_read(rapl, series))
            take_reading(rapl, series, slept_ns);
    }
    for (size_t i = 0; i < rapl->binding.series_count; i++)
        note_gone(rapl, rapl->binding.series[i]);
    problems_end(&rapl->problems, PROBLEM_ENERGY, PROBLEM_UNDECIDED);
    return 0;
}

static void close_interval(struct rapl *rapl) {
    rapl->report.value_count =
        report_build(rapl->binding.series, rapl->binding.series_count,
                     rapl->total.selected ? &rapl->total : NULL, rapl->values);
    rapl->report.values = rapl->values;
}

int rapl_report(struct rapl *rapl, const struct rapl_report **report) {
    int error = discover_if_due(rapl);
    if (error == 0)
        error = rapl_sample(rapl);
    if (error != 0)
        return error;
    close_interval(rapl);
    *report = &rapl->report;
    return 0;
}

/* When power of the total can be told: once it can be of all its members. 0: of none. */
static uint64_t total_ready_ns(const struct rapl *rapl) {
    uint64_t ready_ns = 0;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        const uint64_t series_ns = series->total.time_ns + series_power_span_ns(series);
        if (zone_in_total(&series->identity) && series->reads && series_ns > ready_ns)
            ready_ns = series_ns;
    }
    return ready_ns;
}

uint64_t rapl_power_ready_ns(const struct rapl *rapl) {
    uint64_t ready_ns = rapl->total.selected ? total_ready_ns(rapl) : 0;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        const uint64_t series_ns = series->power.time_ns + series_power_span_ns(series);
        if (series->selected && series->reads && (ready_ns == 0 || series_ns < ready_ns))
            ready_ns = series_ns;
    }
    return ready_ns;
}

/* --- open and close -------------------------------------------------------------------------- */

int rapl_open(const struct rapl_options *options, struct rapl **opened) {
    const char *prefix = getenv("HOST_MOUNT_PREFIX");
    const char *root = options->root;
    if (root == NULL)
        root = prefix != NULL && prefix[0] != '\0' ? prefix : "/";
    if (root[0] == '\0')
        return -EINVAL;
    if (options->source != RAPL_SOURCE_AUTO && options->source != RAPL_SOURCE_POWERCAP)
        return -ENOTSUP;
    struct rapl *rapl = calloc(1, sizeof(*rapl));
    if (rapl == NULL)
        return -ENOMEM;
    rapl->root = -1;
    rapl->online_file = -1;
    rapl->max_power_uw = options->max_power_uw;
    rapl->report.health.source = "powercap";
    rapl->values = calloc(1, sizeof(*rapl->values));
    rapl->value_room = 1;
    int error = selection_open(&rapl->selection, options->include, options->include_count,
                               options->exclude, options->exclude_count);
    if (error != 0)
        goto fail;
    error = -ENOMEM;
    rapl->root_path = strdup(root);
    if (rapl->root_path == NULL || rapl->values == NULL)
        goto fail;
    for (size_t end = strlen(rapl->root_path); end > 1 && rapl->root_path[end - 1] == '/'; end--)
        rapl->root_path[end - 1] = '\0';
    rapl->problems.root = rapl->root_path;
    rapl->total.identity = (struct zone_identity){.kind = ZONE_TOTAL,
                                                  .domain = "total",
                                                  .package_id = RAPL_NO_ID,
                                                  .die_id = RAPL_NO_ID,
                                                  .core_id = RAPL_NO_ID};
    zone_format_name(&rapl->total.identity, rapl->total.name);
    rapl->total.selected = options->total && selection_matches(&rapl->selection, "total");
    rapl->binding.selection = &rapl->selection;
    rapl->binding.total = rapl->total.selected;
    error = discover(rapl);
    rapl->online_mark = topology_online_mark(rapl->online_file);
    if (error == 0)
        error = rapl_sample(rapl);
    if (error != 0)
        goto fail;
    /* The first interval begins here, and what it says of none is said to nobody. */
    close_interval(rapl);
    *opened = rapl;
    return 0;

fail:
    rapl_close(rapl);
    return error;
}

void rapl_close(struct rapl *rapl) {
    if (rapl == NULL)
        return;
    if (rapl->source != NULL)
        rapl->source->operations->close(rapl->source);
    if (rapl->online_file >= 0)
        close(rapl->online_file);
    if (rapl->root >= 0)
        close(rapl->root);
    binding_free(&rapl->binding);
    problems_free(&rapl->problems);
    selection_close(&rapl->selection);
    free(rapl->values);
    free(rapl->root_path);
    free(rapl);
}

/* --- what was found -------------------------------------------------------------------------- */

size_t rapl_zone_count(const struct rapl *rapl) {
    return rapl->source != NULL ? rapl->source->zone_count : 0;
}

void rapl_zone(const struct rapl *rapl, size_t index, struct rapl_zone *described) {
    const struct zone *zone = rapl->source->zones[index];
    *described = (struct rapl_zone){
        .id = zone->id,
        .name = "?",
        .path = zone->path,
        .unit_nj = (uint64_t)(((rapl_uint128)zone->range_uj * 1000 + UINT32_MAX / 2) / UINT32_MAX),
        .range_uj = zone->range_uj,
        .ceiling_uw = zone->traits.ceiling_uw,
        .error = zone->error,
        .reported = zone->reported,
        .mirrors = zone->shown != NULL ? zone->shown->id : NULL,
    };
    if (zone->identified)
        described->name = zone->name;
}

size_t rapl_readable_count(const struct rapl *rapl) {
    size_t readable = 0;
    for (size_t i = 0; i < rapl_zone_count(rapl); i++)
        readable += rapl->source->zones[i]->error == 0;
    return readable;
}

const char *rapl_source_name(const struct rapl *rapl) {
    return rapl->report.health.source;
}

const char *rapl_root(const struct rapl *rapl) {
    return rapl->root_path;
}

const char *rapl_vendor(const struct rapl *rapl) {
    return topology_vendor_name(rapl->binding.vendor);
}

bool rapl_next_problem(struct rapl *rapl, struct rapl_problem *problem) {
    return problems_next(&rapl->problems, problem);
}

const char *rapl_error_text(int error) {
    return problem_word_error(error);
}

/* --- shared by the plugins' options ---------------------------------------------------------- */

int rapl_source_from_name(const char *name, enum rapl_source *source) {
    static const char *const names[] = {[RAPL_SOURCE_AUTO] = "auto",
                                        [RAPL_SOURCE_POWERCAP] = "powercap",
                                        [RAPL_SOURCE_PERF] = "perf",
                                        [RAPL_SOURCE_MSR] = "msr"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *source = (enum rapl_source)i;
            return i <= RAPL_SOURCE_POWERCAP ? 0 : -ENOTSUP;
        }
    }
    return -EINVAL;
}

int rapl_max_power_from_watts(double watts, uint64_t *max_power_uw) {
    if (!(watts >= 0.001 && watts <= 1e9))
        return -ERANGE;
    *max_power_uw = (uint64_t)(watts * 1e6 + 0.5);
    return 0;
}
