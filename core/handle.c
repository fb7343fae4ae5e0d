/* SPDX-License-Identifier: MIT */
#include "rapl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "handle.h"
#include "series/report.h"
#include "source/msr/energy_filter.h"
#include "source/unit_fault.h"
#include "system/clock.h"
#include "system/cpuinfo.h"
#include "system/error.h"
#include "system/host.h"
#include "system/sysfs.h"

static void close_interval(struct rapl *rapl) {
    rapl->report.value_count =
        report_build(rapl->binding.series, rapl->binding.series_count, rapl->binding.sums,
                     rapl->binding.sum_count, rapl->values, &rapl->report.health);
    rapl->report.values = rapl->values;
    if (!rapl->sampled)
        return;
    rapl->interval_ns = clock_span_ns(rapl->reported_ns, rapl->sampled_ns);
    rapl->reported_ns = rapl->sampled_ns;
}

/* A counter that decreased is read again within the report. Most often that decides the cause, so
 * that a wrap leaves no gap in the report. */
#define READ_AGAIN_NS 20000000
#define READ_AGAIN_TRIES 4 /* others may decrease meanwhile */

/* A series that was in no report yet is not missed, unless its sum was in one. */
static bool is_missed(const struct series *series) {
    return series->was_reported || (series->sum != NULL && series->sum->was_reported);
}

/* Number of series that the report lacks because their counters are not decided yet. */
static unsigned int count_undecided(const struct rapl *rapl) {
    unsigned int count = 0;
    for (size_t i = 0; i < rapl->binding.series_count; i++) {
        const struct series *series = rapl->binding.series[i];
        const bool is_open = series->withheld || series->undecided;
        count += (is_open && is_missed(series)) || series->counter.low.count == 1;
    }
    return count;
}

/* The report that rapl_open() makes is never shown. */
static void forget_reports(struct binding *binding) {
    for (size_t i = 0; i < binding->series_count; i++)
        binding->series[i]->was_reported = false;
    for (size_t i = 0; i < binding->sum_count; i++)
        binding->sums[i]->was_reported = false;
}

int rapl_report(struct rapl *rapl, const struct rapl_report **report) {
    /* If discovery ran out of memory, the next report repeats it; the known zones are read now. */
    int error = discovery_run_if_due(rapl);
    if (error == 0 || rapl->source != NULL)
        error = sample_take(rapl, true);
    for (int tries = 0; error == 0 && rapl->low_count > 0 && tries < READ_AGAIN_TRIES; tries++) {
        const struct timespec soon = {.tv_nsec = READ_AGAIN_NS};
        nanosleep(&soon, NULL);
        error = sample_take(rapl, true);
    }
    if (error != 0)
        return error;
    if (rapl->low_count > 0 || rapl->binding.withholds)
        rapl->report.health.gaps += count_undecided(rapl);
    close_interval(rapl);
    *report = &rapl->report;
    return 0;
}

void rapl_health_list(const struct rapl_health *health,
                      struct rapl_count counts[RAPL_HEALTH_COUNTS]) {
    const struct rapl_count list[RAPL_HEALTH_COUNTS] = {
        {"zones", health->zones},
        {"sweeps", health->sweeps},
        {"read_errors", health->read_errors},
        {"wraps", health->wraps},
        {"resets", health->resets},
        {"gaps", health->gaps},
        {"rediscoveries", health->rediscoveries},
        {"sleeps", health->sleeps},
        {"missed_samples", health->missed_samples},
        {"stalls", health->stalls},
    };
    memcpy(counts, list, sizeof(list));
}

#define SAMPLE_INTERVAL_LEAST_NS UINT64_C(1000000)

/* Descriptors beside the counters': the root and the list of online CPUs, and during discovery a
 * folder, its parent and a file. */
#define OWN_FILES 5

static size_t find_counter_files(size_t file_limit) {
    if (file_limit == 0)
        return SIZE_MAX;
    return file_limit > OWN_FILES ? file_limit - OWN_FILES : 0;
}

/* --- open and close --------------------------------------------------------------------------- */

static void learn_host(struct problems *problems, const struct rapl_options *options,
                       bool own_root) {
    problems->host = host_look_here();
    /* Below another root, the modules belong to another kernel. */
    problems->host.lacks_driver = problems->host.lacks_driver && own_root;
    problems->is_root = host_is_root();
    problems->capabilities = host_capabilities(own_root && options->privilege.change != NULL);
}

int rapl_open(const struct rapl_options *options, struct rapl **opened) {
    if (options->root != NULL && options->root[0] == '\0')
        return -EINVAL;
    if (options->source < RAPL_SOURCE_AUTO || options->source > RAPL_SOURCE_MSR)
        return -EINVAL;
    const bool samples = options->sample_interval_ns != 0 && options->statistics != 0;
    if (samples && options->sample_interval_ns < SAMPLE_INTERVAL_LEAST_NS)
        return -EINVAL;
    struct rapl *rapl = calloc(1, sizeof(*rapl));
    if (rapl == NULL)
        return -ENOMEM;
    rapl->source_options.root = options->root_file > 0 ? options->root_file : -1;
    rapl->online_file = -1;
    rapl->source_options.max_power_uw = options->max_power_uw;
    rapl->source_options.files = find_counter_files(options->file_limit);
    rapl->source_options.rank = binding_rank;
    rapl->source_options.rank_context = &rapl->binding;
    rapl->asked = options->source;
    rapl->total = options->total;
    rapl->sample_interval_ns = samples ? options->sample_interval_ns : 0;
    rapl->binding.windows = samples;
    rapl->report.health.source = "none";
    rapl->reported_ns = UINT64_MAX;
    rapl->values = calloc(1, sizeof(*rapl->values));
    rapl->value_room = 1;
    int error = zone_filter_open(&rapl->zone_filter, options->include, options->include_count,
                                 options->exclude, options->exclude_count);
    if (error != 0)
        goto fail;
    error = -ENOMEM;
    rapl->root_path = rapl_find_root(options->root);
    if (rapl->root_path == NULL || rapl->values == NULL)
        goto fail;
    for (size_t end = strlen(rapl->root_path); end > 1 && rapl->root_path[end - 1] == '/'; end--)
        rapl->root_path[end - 1] = '\0';
    rapl->problems.root = rapl->root_path;
    if (rapl_root_is_own(rapl->root_path)) {
        rapl->source_options.privilege = options->privilege;
        rapl->problems.withheld = options->privilege.withheld;
    }
    learn_host(&rapl->problems, options, rapl_root_is_own(rapl->root_path));
    error = binding_open(&rapl->binding, &rapl->zone_filter, options->total, options->cores);
    if (error != 0)
        goto fail;
    error = discovery_run(rapl);
    if (error == 0)
        error = sample_take(rapl, true);
    if (error != 0)
        goto fail;
    /* The first interval begins here. The report on the time before it is never shown. */
    close_interval(rapl);
    forget_reports(&rapl->binding);
    *opened = rapl;
    return 0;

fail:
    if (options->root_file > 0)
        rapl->source_options.root = -1;
    rapl_close(rapl);
    return error;
}

void rapl_close(struct rapl *rapl) {
    if (rapl == NULL)
        return;
    source_choice_close(&rapl->choice);
    if (rapl->online_file >= 0)
        close(rapl->online_file);
    if (rapl->source_options.root >= 0)
        close(rapl->source_options.root);
    binding_free(&rapl->binding);
    problems_free(&rapl->problems);
    zone_filter_close(&rapl->zone_filter);
    free(rapl->values);
    free(rapl->root_path);
    free(rapl);
}

/* --- what was found --------------------------------------------------------------------------- */

size_t rapl_zone_count(const struct rapl *rapl) {
    return rapl->source != NULL ? rapl->source->zone_count : 0;
}

/* A zone that was left out counts as failed, too. */
static bool has_failed(const struct rapl *rapl, const struct zone *zone) {
    const bool wanted =
        !zone->identified || zone->wanted || zone_filter_matches(&rapl->zone_filter, zone->name);
    return wanted && (source_hides_counter(zone) || error_is_left_out(zone->error));
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
        .failed = has_failed(rapl, zone),
        .reported = zone->reported,
        .corrected = zone->fault != NULL && unit_fault_is_corrected(zone->fault),
        .moved = zone->series != NULL && zone->series->motion == SERIES_MOVED,
        .mirrors = zone->shown != NULL ? zone->shown->id : NULL,
    };
    if (zone->identified)
        described->name = zone->name;
}

size_t rapl_readable_count(const struct rapl *rapl) {
    return rapl->source != NULL ? source_readable_count(rapl->source) : 0;
}

const char *rapl_source_name(const struct rapl *rapl) {
    return rapl->report.health.source;
}

const char *rapl_source_reason(const struct rapl *rapl) {
    return rapl->choice.reason;
}

const char *rapl_root(const struct rapl *rapl) {
    return rapl->root_path;
}

const char *rapl_vendor(const struct rapl *rapl) {
    return cpuinfo_vendor_name(rapl->binding.vendor);
}

bool rapl_is_virtual(const struct rapl *rapl) {
    return rapl->problems.is_virtual;
}

int rapl_energy_filter(const struct rapl *rapl, bool *filtering) {
    const struct source_options *options = &rapl->source_options;
    if (options->model.vendor != CPU_VENDOR_INTEL)
        return -ENOTSUP;
    return energy_filter_read(options->root, &options->privilege, filtering);
}

bool rapl_next_problem(struct rapl *rapl, struct rapl_problem *problem) {
    const struct source_choice *choice = &rapl->choice;
    struct candidate *current = &rapl->choice.candidates[choice->current];
    return problems_next(&rapl->problems, problem) ||
           (choice->count > 0 && problems_next(&current->problems, problem));
}

/* --- shared by the plugins' options ----------------------------------------------------------- */

int rapl_source_from_name(const char *name, enum rapl_source *source) {
    static const char *const names[] = {[RAPL_SOURCE_AUTO] = "auto",
                                        [RAPL_SOURCE_POWERCAP] = "powercap",
                                        [RAPL_SOURCE_PERF] = "perf",
                                        [RAPL_SOURCE_MSR] = "msr"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *source = (enum rapl_source)i;
            return 0;
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
