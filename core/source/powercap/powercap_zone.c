/* SPDX-License-Identifier: MIT */
#include "source/powercap/powercap_zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/power_ceiling.h"
#include "source/powercap/powercap_list.h"
#include "source/unit_fault.h"
#include "system/error.h"
#include "system/sysfs.h"

#define CLASS POWERCAP_CLASS

/* powercap_sys.c: MAX_CONSTRAINTS_PER_ZONE */
#define CONSTRAINT_MAX 10

static const struct tick_scale microjoules = {.numerator_uj = 1, .denominator = 1};

static void format_path(const struct zone *zone, const char *attribute, char *path, size_t size) {
    snprintf(path, size, CLASS "/%s%s%s", zone->id, attribute[0] != '\0' ? "/" : "", attribute);
}

static int read_file(struct powercap_zone *zone, uint64_t *energy_uj) {
    if (zone->file >= 0)
        zone->zone.error = sysfs_read_number(zone->file, energy_uj);
    else if (zone->zone.error == 0)
        zone->zone.error = -ENOMEM; /* the discovery that closed it ran out of memory */
    return zone->zone.error;
}

/* Kept out of line so that the usual read costs nothing extra. */
__attribute__((noinline)) static int read_corrected(struct powercap_zone *zone, uint64_t *ticks) {
    const int error = read_file(zone, ticks);
    if (error == 0)
        *ticks = unit_fault_ticks(zone->zone.fault, *ticks);
    return error;
}

int powercap_zone_read(struct powercap_zone *zone, uint64_t *ticks) {
    return zone->is_corrected ? read_corrected(zone, ticks) : read_file(zone, ticks);
}

void powercap_zone_close(struct powercap_zone *zone) {
    if (zone->file >= 0)
        close(zone->file);
    zone->file = -1;
}

static void raise_file(struct problems *problems, enum problem_cause cause, int error,
                       const struct zone *zone, const char *attribute) {
    char path[512];
    format_path(zone, attribute, path, sizeof(path));
    problems_raise(problems, cause, error, path);
}

static int open_folder(const struct source_options *options, const struct zone *zone) {
    char path[512];
    snprintf(path, sizeof(path), CLASS "/%s", zone->id);
    return sysfs_open_folder(options->root, path);
}

/* Marks a zone that lacks a file, so that it is looked for again. The file is reported only if the
 * counter can be read (problems is not NULL); otherwise the counter's own error comes first. */
static void lack_file(struct powercap_zone *zone, enum problem_cause cause, int error,
                      const struct zone *owner, const char *attribute, struct problems *problems) {
    zone->lacks = true;
    if (problems != NULL)
        raise_file(problems, cause, error, owner, attribute);
}

/* Reads the limits of owner, which is the zone or its parent. The first constraint is the long-term
 * one, whose maximum is the TDP (intel_rapl_common.c, get_max_power and rapl_primitives:
 * THERMAL_SPEC_POWER). */
static struct power_limits read_limits(const struct source_options *options, int folder,
                                       struct powercap_zone *zone, const struct zone *owner,
                                       struct problems *problems) {
    static const char *const attributes[] = {"constraint_%d_max_power_uw",
                                             "constraint_%d_power_limit_uw"};
    struct power_limits limits = {.tdp_uw = 0};
    for (int i = 0; i < 2 * CONSTRAINT_MAX; i++) {
        char attribute[64];
        uint64_t limit_uw = 0;
        snprintf(attribute, sizeof(attribute), attributes[i % 2], i / 2);
        const int error =
            sysfs_load_number_privileged(folder, attribute, &options->privilege, &limit_uw);
        /* A missing file or ENODATA means that there is no such limit; ENODEV, that the zone is
         * being removed. */
        if (error != 0 && !error_is_lost(error) && error != -ENODATA)
            lack_file(zone, PROBLEM_LIMIT, error, owner, attribute, problems);
        if (error == 0)
            power_limits_add(&limits, limit_uw);
        if (i == 0)
            limits.tdp_uw = limits.largest_uw;
    }
    return limits;
}

/* Reads the limits of a package that has no ceiling itself. */
static struct power_limits read_parents_limits(const struct source_options *options,
                                               struct powercap_zone *zone,
                                               const struct zone *parent,
                                               struct problems *problems) {
    struct power_limits limits = {.tdp_uw = 0};
    const int folder = open_folder(options, parent);
    if (folder < 0)
        return limits;
    limits = read_limits(options, folder, zone, parent, problems);
    close(folder);
    return limits;
}

/* Core and uncore have the ceiling of their package. */
static void decide_ceiling(const struct source_options *options, int folder,
                           struct powercap_zone *zone, struct problems *problems) {
    const enum zone_kind kind = zone->zone.identity.kind;
    const struct zone *parent = zone->parent != NULL ? &zone->parent->zone : NULL;
    const bool is_part = (kind == ZONE_CORE || kind == ZONE_UNCORE) && parent != NULL;
    struct power_limits limits = {.tdp_uw = 0};
    if (is_part && parent->traits.ceiling_uw != 0) {
        zone->zone.traits.ceiling_uw = parent->traits.ceiling_uw;
        zone->zone.traits.most_uw = parent->traits.most_uw;
        return;
    }
    if (kind != ZONE_PSYS && options->max_power_uw == 0)
        limits = is_part ? read_parents_limits(options, zone, parent, problems)
                         : read_limits(options, folder, zone, &zone->zone, problems);
    power_ceiling_decide(&zone->zone.traits, kind, options->max_power_uw, &limits);
}

/* Whether the class still has the entry, even if its link is broken. */
static bool is_listed(const struct source_options *options, const char *id) {
    struct stat status;
    const int class = sysfs_open_folder(options->root, CLASS);
    const bool listed = class >= 0 && fstatat(class, id, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (class >= 0)
        close(class);
    return listed;
}

/* Raises the cause of an unreadable name: a broken link, or the file itself. A zone that the driver
 * has removed since the listing is not a fault. */
static void raise_name(const struct source_options *options, const struct zone *zone,
                       const char *path, struct problems *problems) {
    if (error_is_lost(zone->error) && !is_listed(options, zone->id))
        return;
    const int folder = zone->error == -ENOENT ? open_folder(options, zone) : -EBADF;
    if (folder == -ENOENT)
        raise_file(problems, PROBLEM_MASKED, 0, zone, "");
    else
        problems_raise(problems, PROBLEM_NAME, zone->error, path);
    if (folder >= 0)
        close(folder);
}

bool powercap_zone_identify(struct powercap_zone *zone, const struct source_options *options,
                            struct problems *problems) {
    char path[512];
    char name[SYSFS_TEXT_SIZE];
    struct zone *base = &zone->zone;

    powercap_zone_close(zone);
    zone->lacks = false;
    base->traits.ceiling_uw = 0; /* the value of the zone that had this id before */
    base->identified = false;
    format_path(base, "name", path, sizeof(path));
    base->error =
        sysfs_load_line_privileged(options->root, path, &options->privilege, name, sizeof(name));
    if (base->error == 0 && zone_identify(name, NULL, &base->identity) != 0)
        base->error = SYSFS_TOO_LONG;
    if (base->error != 0) {
        raise_name(options, base, path, problems);
        return false;
    }
    /* The parent's name says which package a sub-zone belongs to; without it, the sub-zone is
     * unknown. */
    const bool sub_zone = strchr(strchr(base->id, ':') + 1, ':') != NULL;
    if (sub_zone && (zone->parent == NULL || !zone->parent->zone.identified)) {
        base->error = ZONE_WITHOUT_PARENT;
        if (zone->parent == NULL)
            problems_raise(problems, PROBLEM_NAME, base->error, path);
        return false;
    }
    if (sub_zone)
        zone_identify(name, &zone->parent->zone.identity, &base->identity);
    base->identified = true;
    return true;
}

/* Whether the name in the folder is the zone's: 0, -ENODEV, or the error of its file. */
static int check_name(const struct source_options *options, int folder,
                      const struct powercap_zone *zone) {
    const struct zone_identity *parent = zone->parent != NULL ? &zone->parent->zone.identity : NULL;
    struct zone_identity identity;
    char name[SYSFS_TEXT_SIZE];
    const int error =
        sysfs_load_line_privileged(folder, "name", &options->privilege, name, sizeof(name));
    if (error != 0)
        return error;
    const bool same =
        zone_identify(name, parent, &identity) == 0 && zone_equal(&identity, &zone->zone.identity);
    return same ? 0 : -ENODEV;
}

/* Whether the folder still belongs to the zone, and the one above it to its parent: the kernel
 * reuses ids when packages go and come. A tree without nested folders cannot show the parent: 0. */
static int check_folder(const struct source_options *options, int folder,
                        const struct powercap_zone *zone) {
    int error = check_name(options, folder, zone);
    if (error != 0 || zone->parent == NULL)
        return error;
    const int outer = sysfs_open_outer(options->root, folder);
    if (outer < 0)
        return outer;
    error = check_name(options, outer, zone->parent);
    close(outer);
    return error == -ENOENT ? 0 : error;
}

/* Derives modulus, unit and scale from the range. If the range shows a wrong unit in the kernel,
 * readings are converted back to ticks of the register. */
static void learn_traits(struct powercap_zone *zone, const struct cpu_model *model) {
    struct zone *base = &zone->zone;
    base->traits = (struct counter_traits){.modulus = counter_modulus(base->range_uj),
                                           .unit = counter_unit(base->range_uj),
                                           .scale = microjoules};
    base->fault = unit_fault_of_range(model, base->identity.kind, base->range_uj);
    zone->is_corrected = base->fault != NULL && unit_fault_is_corrected(base->fault);
    if (!zone->is_corrected)
        return;
    base->traits = (struct counter_traits){
        .modulus = COUNTER_REGISTER_MODULUS, .unit = 1, .scale = base->fault->right};
    base->range_uj = counter_to_uj(base->traits.scale, COUNTER_REGISTER_MODULUS - 1);
}

/* Opens all files relative to one folder, because the path may lead to another zone at any
 * moment. */
static int open_counter(struct powercap_zone *zone, const struct source_options *options,
                        int folder, struct problems *problems) {
    static const char range_file[] = "max_energy_range_uj";
    struct zone *base = &zone->zone;
    uint64_t ticks;
    int error = check_folder(options, folder, zone);
    if (error != 0)
        return error;
    zone->file = sysfs_open_privileged(folder, "energy_uj", &options->privilege);
    base->range_uj = 0;
    const int range_error =
        sysfs_load_number_privileged(folder, range_file, &options->privilege, &base->range_uj);
    learn_traits(zone, &options->model);
    /* Read after the range, so that a zone removed in between is not taken for a fault. */
    error = zone->file >= 0 ? powercap_zone_read(zone, &ticks) : zone->file;
    struct problems *readable = error == 0 ? problems : NULL;
    decide_ceiling(options, folder, zone, readable);
    if (base->traits.modulus == 0)
        lack_file(zone, PROBLEM_RANGE, range_error != 0 ? range_error : ZONE_WITHOUT_RANGE, base,
                  range_file, readable);
    if (error_is_lost(error))
        powercap_zone_close(zone); /* makes the next discovery load it again */
    return error;
}

bool powercap_zone_open(struct powercap_zone *zone, const struct source_options *options,
                        struct problems *problems) {
    const int folder = open_folder(options, &zone->zone);
    zone->zone.error = folder >= 0 ? open_counter(zone, options, folder, problems) : folder;
    if (folder >= 0)
        close(folder);
    return zone->file >= 0;
}

void powercap_zone_free(struct powercap_zone *zone) {
    if (zone == NULL)
        return;
    powercap_zone_close(zone);
    free(zone->zone.id);
    free(zone->zone.path);
    free(zone);
}

struct powercap_zone *powercap_zone_new(const char *id) {
    struct powercap_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL)
        return NULL;
    zone->file = -1;
    zone->zone.id = strdup(id);
    zone->zone.wanted = true;
    zone->zone.error = -ENODEV;
    zone->zone.traits.scale = microjoules;
    if (zone->zone.id == NULL || asprintf(&zone->zone.path, CLASS "/%s/energy_uj", id) < 0) {
        zone->zone.path = NULL;
        powercap_zone_free(zone);
        return NULL;
    }
    return zone;
}
