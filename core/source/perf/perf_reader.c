/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/cpu_model.h"
#include "source/power_ceiling.h"
#include "system/error.h"
#include "system/sysfs.h"

#define PARANOID "proc/sys/kernel/perf_event_paranoid"

static void close_groups(struct perf_reader *reader) {
    for (size_t i = 0; i < reader->group_count; i++)
        perf_group_close(&reader->groups[i]);
    for (size_t i = 0; i < reader->zone_count; i++)
        reader->zones[i].group = NULL;
    reader->group_count = 0;
}

void perf_reader_free(struct perf_reader *reader) {
    if (reader == NULL)
        return;
    close_groups(reader);
    for (size_t i = 0; i < reader->zone_count; i++) {
        free(reader->zones[i].zone.id);
        free(reader->zones[i].zone.path);
    }
    free(reader->zones);
    free(reader->groups);
    free(reader);
}

/* The unit of psys if it counts whole joules, in ticks of perf; 0: not known. */
static uint64_t find_unit(const struct cpu_model *model, const struct zone *zone) {
    const struct cpu_counters *counters = cpu_model_find(model);
    const struct tick_scale scale = zone->traits.scale;
    const bool whole_joules = counters != NULL && counters->psys_unit == CPU_UNIT_1_J;
    return whole_joules && zone->identity.kind == ZONE_PSYS
               ? UINT64_C(1000000) * scale.denominator / scale.numerator_uj
               : 0;
}

/* The id names the first CPU that reads; it stays when another one takes over. */
static int fill_zone(const struct source_options *options, const char *pmu_name,
                     const struct perf_place *place, const struct pmu_event *event, bool leads,
                     struct perf_zone *zone) {
    struct zone *base = &zone->zone;
    zone->config = event->config;
    base->wanted = true;
    base->error = -ENODEV;
    base->path = strdup(event->path);
    if (asprintf(&base->id, "%s/%s@%u", pmu_name, event->name, place->cpu) < 0)
        base->id = NULL;
    if (base->id == NULL || base->path == NULL)
        return -ENOMEM;
    base->identified = perf_place_identify(place, event->name, leads, &base->identity) == 0;
    zone->may_lack = base->identity.kind == ZONE_PSYS && !leads;
    base->traits.goes_on = true;
    base->traits.scale = event->scale;
    base->traits.unit = find_unit(&options->model, base);
    zone->unit = unit_watch_begin(unit_fault_of_counts(&options->model, base->identity.kind));
    base->fault = unit_fault_in_doubt(&options->model, base->identity.kind);
    power_ceiling_decide(&base->traits, base->identity.kind, options->max_power_uw,
                         &(struct power_limits){.tdp_uw = 0});
    return 0;
}

struct perf_reader *perf_reader_new(const struct source_options *options, const char *pmu_name,
                                    const struct pmu *pmu, const struct perf_place *place,
                                    bool leads) {
    struct perf_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->place = *place;
    reader->zones = calloc(pmu->event_count, sizeof(*reader->zones));
    reader->groups = calloc(pmu->event_count, sizeof(*reader->groups));
    if (reader->zones == NULL || reader->groups == NULL) {
        perf_reader_free(reader);
        return NULL;
    }
    reader->zone_count = pmu->event_count;
    for (size_t i = 0; i < pmu->event_count; i++) {
        if (fill_zone(options, pmu_name, place, &pmu->events[i], leads, &reader->zones[i]) != 0) {
            perf_reader_free(reader);
            return NULL;
        }
    }
    return reader;
}

bool perf_reader_fits(const struct perf_reader *reader, const struct pmu *pmu) {
    if (reader->zone_count != pmu->event_count)
        return false;
    for (size_t i = 0; i < pmu->event_count; i++) {
        const struct perf_zone *zone = &reader->zones[i];
        const struct pmu_event *event = &pmu->events[i];
        if (strcmp(zone->zone.path, event->path) != 0 || zone->config != event->config ||
            zone->zone.traits.scale.numerator_uj != event->scale.numerator_uj ||
            zone->zone.traits.scale.denominator != event->scale.denominator)
            return false;
    }
    return true;
}

/* --- opening --------------------------------------------------------------------------------- */

static void read_paranoid(int root, struct problems *problems) {
    char line[SYSFS_TEXT_SIZE];
    problems->perf_paranoid = PROBLEM_PARANOID_UNKNOWN;
    if (sysfs_load_line(root, PARANOID, line, sizeof(line)) != 0)
        return;
    char *end = NULL;
    const long level = strtol(line, &end, 10);
    if (end != line && *end == '\0' && level >= -1 && level <= 9)
        problems->perf_paranoid = (int)level;
}

static void raise_refusal(int root, struct zone *zone, struct problems *problems) {
    if (zone->error == -EACCES || zone->error == -EPERM)
        read_paranoid(root, problems);
    problems_raise(problems, PROBLEM_PERF, zone->error, zone->path);
    zone->error_reported = true;
}

/* Opens an event in the group if it fits, otherwise in a group of its own. */
static int open_zone(struct perf_reader *reader, struct perf_zone *zone,
                     const struct rapl_privilege *privilege, struct perf_group **group) {
    const unsigned int cpu = reader->place.cpu;
    int error = -EINVAL;
    if (*group != NULL)
        error = perf_group_add(*group, reader->type, zone->config, cpu, privilege);
    if (error == -EINVAL) {
        struct perf_group *own = &reader->groups[reader->group_count];
        error = perf_group_add(own, reader->type, zone->config, cpu, privilege);
        if (error != 0)
            return error;
        reader->group_count++;
        *group = *group != NULL ? *group : own;
        zone->group = own;
        zone->member = 0;
        return 0;
    }
    if (error == 0) {
        zone->group = *group;
        zone->member = (*group)->count - 1;
    }
    return error;
}

/* Whether the events have stopped for good: the PMU was registered again, or all CPUs went
 * offline. */
static bool is_dead(const struct perf_reader *reader, const struct pmu *pmu) {
    if (reader->type != pmu->type || reader->registration != pmu->registration)
        return true;
    for (size_t i = 0; i < reader->group_count; i++) {
        if (error_is_lost(perf_group_check(&reader->groups[i])))
            return true;
    }
    return false;
}

static void place_groups(struct perf_reader *reader) {
    for (size_t i = 0; i < reader->group_count; i++) {
        reader->groups[i].cpu = reader->place.cpu;
        reader->groups[i].pinned =
            reader->place.die_id != RAPL_NO_ID && reader->place.core_id == RAPL_NO_ID;
    }
}

int perf_reader_open(struct perf_reader *reader, const struct pmu *pmu,
                     const struct source_options *options, uint32_t *epoch,
                     struct problems *problems) {
    struct perf_group *group = NULL;
    int opened = 0;
    place_groups(reader);
    if (is_dead(reader, pmu))
        close_groups(reader);
    reader->type = pmu->type;
    reader->registration = pmu->registration;
    for (size_t i = 0; i < reader->zone_count; i++) {
        struct perf_zone *zone = &reader->zones[i];
        if (zone->group != NULL) {
            /* The event has not gone: it could not be read from a CPU that was offline. */
            if (error_is_lost(zone->zone.error))
                zone->zone.error = 0;
            continue;
        }
        if (zone->left_out != 0) {
            zone->zone.error = zone->left_out;
            continue;
        }
        zone->zone.error_reported = false;
        zone->zone.error = open_zone(reader, zone, &options->privilege, &group);
        if (zone->zone.error != 0) {
            raise_refusal(options->root, &zone->zone, problems);
            continue;
        }
        zone->zone.epoch = ++*epoch;
        perf_count_forget(&zone->count); /* what is known about its register stays */
        zone->counts = false;
        opened = 1;
    }
    place_groups(reader);
    return opened;
}

int perf_reader_refusal(const struct perf_reader *reader) {
    for (size_t i = 0; i < reader->zone_count; i++) {
        const struct perf_zone *zone = &reader->zones[i];
        if (zone->group == NULL && !error_is_lost(zone->zone.error))
            return zone->zone.error;
    }
    return 0;
}

void perf_reader_close(struct perf_reader *reader, int error) {
    close_groups(reader);
    for (size_t i = 0; i < reader->zone_count; i++) {
        reader->zones[i].zone.error = error;
        reader->zones[i].zone.error_reported = true;
    }
}

/* --- reading --------------------------------------------------------------------------------- */

int perf_zone_take(struct perf_zone *zone, struct reading *reading) {
    const struct perf_group *group = zone->group;
    reading->error = group->error;
    if (group->error != 0)
        return reading->error;
    source_stamp(&zone->zone, reading, group->begin_ns, group->end_ns);
    if (reading->error != 0)
        return reading->error;
    uint64_t raw = group->counts[zone->member];
    /* A counter that the processor or the virtual machine lacks stays at 0, which does not mean 0
     * W. */
    zone->counts = zone->counts || raw != 0;
    reading->error = zone->counts ? unit_watch_take(&zone->unit, &raw) : ZONE_COUNTS_NOTHING;
    if (reading->error == 0)
        reading->error = perf_count_take(&zone->count, &zone->zone.traits, raw, reading->time_ns);
    if (zone->unit.state == UNIT_IS_WRONG)
        zone->zone.fault = zone->unit.fault;
    /* perf shows psys for each package, but most boards have only one, which the first package
     * counts. */
    zone->zone.error_reported = reading->error == ZONE_COUNTS_NOTHING && zone->may_lack;
    reading->ticks = zone->count.ticks;
    return reading->error;
}
