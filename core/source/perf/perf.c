/* SPDX-License-Identifier: MIT */
/*
 * The counters of the kernel's PMUs power and power_core (arch/x86/events/rapl.c; if the counters
 * are not MSRs, drivers/powercap/intel_rapl_common.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/cpu_model.h"
#include "source/perf/perf_budget.h"
#include "source/perf/perf_first.h"
#include "source/perf/perf_place.h"
#include "source/perf/perf_pmu.h"
#include "source/perf/perf_reader.h"
#include "source/source.h"
#include "system/clock.h"

/* power counts packages and dies; power_core counts AMD's cores (Linux 6.14). */
enum { PMU_POWER, PMU_POWER_CORE, PMU_COUNT };
static const char *const pmu_names[PMU_COUNT] = {"power", "power_core"};

struct perf {
    struct source source; /* must be first: a struct source * points to it */
    struct source_options options;
    struct perf_reader **readers;
    size_t reader_count;
    uint32_t epoch; /* the last one given to a zone; every count gets its own */

    /* Once known, these stay, because names depend on them and CPUs that are offline show
     * nothing. */
    bool dies[PMU_COUNT];
    bool has_lead;
    struct perf_place lead;

    bool complete; /* the last discovery had no problem, and mark is its hash */
    uint64_t mark;

    bool has_ahead;
    uint64_t suspend_offset_ns; /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC when the last sweep began */
};

/* What a discovery finds. */
struct perf_finding {
    struct topology topology;
    struct pmu pmus[PMU_COUNT];
    struct perf_reader **readers;
    size_t reader_count;
    size_t zone_count;
};

static bool leads(const struct perf *perf, const struct perf_place *place) {
    return place->package_id == perf->lead.package_id &&
           (place->die_id == RAPL_NO_ID || place->die_id == perf->lead.die_id);
}

static struct perf_reader *find_reader(const struct perf *perf, int pmu_index,
                                       const struct pmu *pmu, const struct perf_place *place) {
    for (size_t i = 0; i < perf->reader_count; i++) {
        struct perf_reader *reader = perf->readers[i];
        if (reader->pmu == pmu_index && perf_place_equal(&reader->place, place) &&
            perf_reader_fits(reader, pmu))
            return reader;
    }
    return NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * Starts new counts after the machine slept. Sleep may reset the register, and the kernel then
 * counts the difference, modulo 2^32, as energy.
 */
static void part_from_sleep(struct perf *perf, uint64_t begin_ahead_ns) {
    uint64_t now_ns;
    const bool slept = clock_least_ahead_ns(&now_ns) > perf->suspend_offset_ns && perf->has_ahead;
    perf->has_ahead = true;
    perf->suspend_offset_ns = begin_ahead_ns;
    for (size_t i = 0; slept && i < perf->source.zone_count; i++)
        perf->source.zones[i]->epoch = ++perf->epoch;
}

static void perf_sample(struct source *source) {
    struct perf *perf = (struct perf *)source;
    const uint64_t begin_ahead_ns = clock_most_ahead_ns(clock_monotonic_ns());
    for (size_t i = 0; i < source->zone_count; i++) {
        struct perf_zone *zone = (struct perf_zone *)source->zones[i];
        if (zone->group != NULL && zone->zone.wanted)
            zone->group->due = true;
    }
    for (size_t i = 0; i < perf->reader_count; i++) {
        struct perf_reader *reader = perf->readers[i];
        for (size_t j = 0; j < reader->group_count; j++) {
            if (reader->groups[j].due)
                perf_group_sample(&reader->groups[j], &source->slow_reads);
            reader->groups[j].due = false;
        }
    }
    perf_learn_cores(perf->readers, perf->reader_count);
    for (size_t i = 0; i < source->zone_count; i++) {
        struct perf_zone *zone = (struct perf_zone *)source->zones[i];
        struct reading *reading = &source->readings[i];
        reading->error = zone->group != NULL ? -ENODATA : zone->zone.error;
        if (zone->group == NULL || !zone->zone.wanted)
            continue;
        zone->zone.error = perf_zone_take(zone, reading);
        if (reading->error == 0 && zone->group->interrupted)
            zone->zone.epoch = ++perf->epoch;
    }
    part_from_sleep(perf, begin_ahead_ns);
}

/* --- discovery ------------------------------------------------------------------------------- */

static void free_finding(struct perf_finding *finding) {
    topology_free(&finding->topology);
    for (int i = 0; i < PMU_COUNT; i++)
        pmu_free(&finding->pmus[i]);
    free(finding->readers);
}

static void raise_no_events(const struct pmu *pmu, int error, struct problems *problems) {
    if (error != 0)
        problems_raise(problems, PROBLEM_NO_PMU, error, PMU_FOLDER "/power");
    else if (pmu->present && pmu->event_names == 0)
        problems_raise(problems, PROBLEM_NO_EVENTS, 0, PMU_FOLDER "/power");
}

/* Negative errno: the PMUs or the topology cannot be read now. */
static int look(const struct perf *perf, struct perf_finding *finding, struct problems *problems) {
    const int root = perf->options.root;
    size_t events = 0;
    for (int i = 0; i < PMU_COUNT; i++) {
        int error = pmu_load(root, pmu_names[i], &finding->pmus[i], problems);
        if (error == -ENOMEM)
            return error;
        if (i == PMU_POWER)
            raise_no_events(&finding->pmus[i], error, problems);
        if (error != 0 && error != -ENOENT)
            return error;
        events += finding->pmus[i].event_count;
    }
    if (events == 0)
        return 0;
    int error = topology_load(root, &finding->topology);
    if (error != 0 && error != -ENOMEM)
        problems_raise(problems, PROBLEM_PMU_FILE, error, TOPOLOGY_ONLINE);
    if (error == 0 && finding->topology.error != 0) {
        char path[TOPOLOGY_PATH_SIZE];
        topology_unplaced_path(&finding->topology, path);
        problems_raise(problems, PROBLEM_PMU_FILE, finding->topology.error, path);
    }
    return error;
}

static void learn_names(struct perf *perf, const struct perf_finding *finding) {
    const struct topology *topology = &finding->topology;
    for (int i = 0; i < PMU_COUNT; i++) {
        const bool cores = i == PMU_POWER_CORE;
        perf->dies[i] = perf->dies[i] || (cores ? topology->has_dies
                                                : perf_place_has_dies(topology, &finding->pmus[i],
                                                                      perf->options.model.vendor));
    }
    if (perf->has_lead || topology->count == 0)
        return;
    perf->has_lead = true;
    perf->lead = (struct perf_place){.package_id = topology->cpus[0].package_id,
                                     .die_id = topology->cpus[0].die_id};
}

/* Finds the readers of one PMU: reuses known ones and creates the rest. */
static int find_readers(const struct perf *perf, int pmu_index, struct perf_finding *finding) {
    const struct pmu *pmu = &finding->pmus[pmu_index];
    const struct perf_scope scope = {.dies = perf->dies[pmu_index],
                                     .cores = pmu_index == PMU_POWER_CORE};
    struct perf_place *places = NULL;
    size_t count = 0;
    /* Without the place of each CPU, the sum of cores would be too low. */
    if (pmu->event_count == 0 || (scope.cores && finding->topology.error != 0))
        return 0;
    int error = perf_place_list(&finding->topology, pmu, scope, &places, &count);
    if (error != 0)
        return error;
    struct perf_reader **readers = realloc(finding->readers, (finding->reader_count + count + 1) *
                                                                 sizeof(struct perf_reader *));
    if (readers == NULL)
        error = -ENOMEM;
    else
        finding->readers = readers;
    for (size_t i = 0; i < count && error == 0; i++) {
        struct perf_reader *reader = find_reader(perf, pmu_index, pmu, &places[i]);
        if (reader != NULL)
            /* Open events stay on their CPU; new ones are opened on this one. */
            reader->place.cpu = places[i].cpu;
        else
            reader = perf_reader_new(&perf->options, pmu_names[pmu_index], pmu, &places[i],
                                     leads(perf, &places[i]));
        if (reader == NULL) {
            error = -ENOMEM;
            break;
        }
        reader->pmu = pmu_index;
        finding->readers[finding->reader_count++] = reader;
        finding->zone_count += reader->zone_count;
    }
    free(places);
    return error;
}

static bool is_known(const struct perf *perf, const struct perf_reader *reader) {
    for (size_t i = 0; i < perf->reader_count; i++) {
        if (perf->readers[i] == reader)
            return true;
    }
    return false;
}

/* Replaces the known readers by those that were found. 1: zones came, went or moved in the list. */
static int replace_readers(struct perf *perf, struct perf_finding *finding) {
    struct source *source = &perf->source;
    struct source_lists lists;
    if (source_make_lists(&lists, finding->zone_count) != 0)
        return -ENOMEM;
    int changed = 0;
    for (size_t i = 0; i < perf->reader_count; i++)
        perf->readers[i]->listed = false;
    size_t count = 0;
    for (size_t i = 0; i < finding->reader_count; i++) {
        struct perf_reader *reader = finding->readers[i];
        changed |= is_known(perf, reader) ? 0 : 1;
        reader->listed = true;
        for (size_t j = 0; j < reader->zone_count; j++)
            lists.zones[count++] = &reader->zones[j].zone;
    }
    for (size_t i = 0; i < perf->reader_count; i++) {
        if (perf->readers[i]->listed)
            continue;
        perf_reader_free(perf->readers[i]);
        changed = 1;
    }
    /* Series refer to zones by their place in the list. */
    changed |=
        count != source->zone_count ||
        (count > 0 && memcmp(lists.zones, source->zones, count * sizeof(struct zone *)) != 0);
    free(perf->readers);
    perf->readers = finding->readers;
    perf->reader_count = finding->reader_count;
    finding->readers = NULL;
    finding->reader_count = 0;
    source_take_lists(source, &lists, count);
    return changed;
}

/* Frees the new readers of a finding that is given up. */
static void free_new_readers(const struct perf *perf, struct perf_finding *finding) {
    for (size_t i = 0; i < finding->reader_count; i++) {
        if (!is_known(perf, finding->readers[i]))
            perf_reader_free(finding->readers[i]);
    }
    finding->reader_count = 0;
}

/* Closes all cores of a package if one of them is refused, for example because too many files are
 * open. Their sum is reported as that of all cores, so the others would only hold descriptors. */
static void close_incomplete(struct perf *perf) {
    for (size_t i = 0; i < perf->reader_count; i++) {
        const struct perf_reader *refused = perf->readers[i];
        const int error = refused->pmu == PMU_POWER_CORE ? perf_reader_refusal(refused) : 0;
        for (size_t j = 0; error != 0 && j < perf->reader_count; j++) {
            if (perf->readers[j]->pmu == PMU_POWER_CORE &&
                perf->readers[j]->place.package_id == refused->place.package_id)
                perf_reader_close(perf->readers[j], error);
        }
    }
}

/* 1: an event was opened, or a zone was lost or came back since the last discovery. */
static int open_readers(struct perf *perf, const struct perf_finding *finding,
                        struct problems *problems) {
    int changed = 0;
    for (size_t i = 0; i < perf->reader_count; i++) {
        struct perf_reader *reader = perf->readers[i];
        changed |= perf_reader_open(reader, &finding->pmus[reader->pmu], &perf->options,
                                    &perf->epoch, problems);
    }
    close_incomplete(perf);
    perf->source.file_count = 0;
    if (changed)
        perf_read_first(perf->readers, perf->reader_count);
    for (size_t i = 0; i < perf->source.zone_count; i++) {
        struct perf_zone *zone = (struct perf_zone *)perf->source.zones[i];
        const bool lost = error_is_lost(zone->zone.error);
        changed |= lost != zone->was_lost ? 1 : 0;
        zone->was_lost = lost;
        perf->source.file_count += zone->group != NULL ? 1 : 0;
    }
    return changed;
}

static int discover_anew(struct perf *perf, struct problems *problems) {
    struct perf_finding finding = {.readers = NULL};
    problems_begin(problems, PASS_SOURCE);
    int result = look(perf, &finding, problems);
    /* A temporary failure (too many open files) must not remove zones. */
    const bool keeps = result < 0 && result != -ENOMEM;
    if (result == 0) {
        learn_names(perf, &finding);
        for (int i = 0; i < PMU_COUNT && result == 0; i++)
            result = find_readers(perf, i, &finding);
        const int chosen = result == 0
                               ? perf_budget_apply(finding.readers, finding.reader_count,
                                                   &perf->options, &perf->source.limit, problems)
                               : result;
        result = chosen >= 0 ? replace_readers(perf, &finding) : chosen;
        if (result < 0)
            free_new_readers(perf, &finding);
        else
            result |= chosen | open_readers(perf, &finding, problems);
    }
    if (!keeps)
        problems_end(problems, PASS_SOURCE);
    free_finding(&finding);
    return keeps ? 0 : result;
}

/* A hash that changes when a discovery may find something new. */
static uint64_t read_mark(const struct perf *perf) {
    int online = topology_open_online(perf->options.root);
    uint64_t mark = topology_online_mark(online);
    if (online >= 0)
        close(online);
    for (int i = 0; i < PMU_COUNT; i++)
        mark = mark * 31 + pmu_mark(perf->options.root, pmu_names[i]);
    return mark;
}

static bool all_read(const struct perf *perf) {
    for (size_t i = 0; i < perf->source.zone_count; i++) {
        const struct perf_zone *zone = (const struct perf_zone *)perf->source.zones[i];
        if (zone->group == NULL || zone->was_lost || error_is_lost(zone->zone.error))
            return false;
    }
    return true;
}

static int perf_discover(struct source *source, struct problems *problems) {
    struct perf *perf = (struct perf *)source;
    const uint64_t mark = read_mark(perf);
    if (perf->complete && mark == perf->mark && all_read(perf))
        return 0;
    perf->complete = false;
    int result = discover_anew(perf, problems);
    perf->mark = mark;
    perf->complete = result >= 0 && problems_first_reason(problems) == NULL;
    return result;
}

static void perf_close(struct source *source) {
    struct perf *perf = (struct perf *)source;
    for (size_t i = 0; i < perf->reader_count; i++)
        perf_reader_free(perf->readers[i]);
    free(perf->readers);
    free(source->zones);
    free(source->readings);
    free(perf);
}

/* The kernel takes steps of 2^31 ticks and more for decreases (perf_count.h). At the smallest tick,
 * 15.26 uJ, that is 32.7 kJ. */
#define UNREAD_UJ UINT64_C(30000000000)

struct source *perf_open(const struct source_options *options) {
    static const struct source_operations operations = {
        .name = "perf", .discover = perf_discover, .sample = perf_sample, .close = perf_close};
    struct perf *perf = calloc(1, sizeof(*perf));
    if (perf == NULL)
        return NULL;
    perf->source.operations = &operations;
    perf->source.module = cpu_model_perf_module(&options->model);
    perf->source.limit.files = SIZE_MAX;
    perf->source.unread_uj = UNREAD_UJ;
    perf->options = *options;
    return &perf->source;
}
