/* SPDX-License-Identifier: MIT */
/* The counters that the kernel's powercap class shows (drivers/powercap/powercap_sys.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ceiling.h"
#include "clock.h"
#include "powercap_list.h"
#include "source.h"
#include "sysfs.h"

#define CLASS POWERCAP_CLASS

/* powercap_sys.c: MAX_CONSTRAINTS_PER_ZONE */
#define CONSTRAINT_MAX 10

struct powercap_zone {
    struct zone zone; /* first: a zone of the source is one of these */
    struct powercap_zone *parent;
    int file;
    bool listed; /* in the discovery under way, as is the next */
    bool loaded;
    bool served; /* it has read since it was last loaded */
    bool lacks;  /* its range or a limit could not be read: it is loaded anew */
};

struct powercap {
    struct source source; /* first, likewise */
    struct source_options options;
};

/* --- one zone -------------------------------------------------------------------------------- */

static struct powercap_zone *zone_at(const struct source *source, size_t index) {
    return (struct powercap_zone *)source->zones[index];
}

static struct powercap_zone *find_zone(const struct source *source, const char *id, size_t length) {
    for (size_t i = 0; i < source->zone_count; i++) {
        const char *known = source->zones[i]->id;
        if (strncmp(known, id, length) == 0 && known[length] == '\0')
            return zone_at(source, i);
    }
    return NULL;
}

static void format_path(const struct zone *zone, const char *attribute, char *path, size_t size) {
    snprintf(path, size, CLASS "/%s/%s", zone->id, attribute);
}

static int read_energy(struct powercap_zone *zone, uint64_t *energy_uj) {
    zone->zone.error =
        zone->file >= 0 ? sysfs_read_number(zone->file, energy_uj) : zone->zone.error;
    return zone->zone.error;
}

static void close_energy(struct powercap_zone *zone) {
    if (zone->file >= 0)
        close(zone->file);
    zone->file = -1;
}

/* The largest power that the zone's limits speak of; 0 where they tell nothing. */
static uint64_t read_largest_limit_uw(const struct powercap *powercap, struct powercap_zone *zone,
                                      struct problems *problems) {
    static const char *const attributes[] = {"constraint_%d_max_power_uw",
                                             "constraint_%d_power_limit_uw"};
    uint64_t largest_uw = 0;
    for (int i = 0; i < 2 * CONSTRAINT_MAX; i++) {
        char attribute[64];
        char path[512];
        uint64_t limit_uw = 0;
        snprintf(attribute, sizeof(attribute), attributes[i % 2], i / 2);
        format_path(&zone->zone, attribute, path, sizeof(path));
        int error = sysfs_load_number(powercap->options.root, path, &limit_uw);
        /* Files that are not there, and ENODATA, are how the kernel says that there is no such
         * limit; ENODEV, that the zone is going. */
        if (error != 0 && !source_lost_zone(error) && error != -ENODATA) {
            problems_raise(problems, PROBLEM_LIMIT, error, path);
            zone->lacks = true;
        }
        if (error == 0 && limit_uw < CEILING_LIMIT_BELOW_UW && limit_uw > largest_uw)
            largest_uw = limit_uw;
    }
    return largest_uw;
}

static uint64_t decide_ceiling_uw(const struct powercap *powercap, struct powercap_zone *zone,
                                  struct problems *problems) {
    const enum zone_kind kind = zone->zone.identity.kind;
    const uint64_t max_power_uw = powercap->options.max_power_uw;
    if (kind == ZONE_PSYS || max_power_uw != 0)
        return ceiling_decide_uw(kind, max_power_uw, 0);
    if ((kind == ZONE_CORE || kind == ZONE_UNCORE) && zone->parent != NULL)
        return zone->parent->zone.traits.ceiling_uw;
    return ceiling_decide_uw(kind, 0, read_largest_limit_uw(powercap, zone, problems));
}

/* Whether the class still has the entry, wherever it leads. */
static bool is_listed(const struct powercap *powercap, const char *id) {
    struct stat status;
    const int class = sysfs_open_folder(powercap->options.root, CLASS);
    const bool listed = class >= 0 && fstatat(class, id, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (class >= 0)
        close(class);
    return listed;
}

/* A name that cannot be read is told of with what stands in its way: a link that leads nowhere,
 * or the file itself. A zone that the driver takes away between the listing and the look at it has
 * no fault. */
static void raise_name(const struct powercap *powercap, const struct zone *zone, const char *path,
                       struct problems *problems) {
    char folder[512];
    if (source_lost_zone(zone->error) && !is_listed(powercap, zone->id))
        return;
    snprintf(folder, sizeof(folder), CLASS "/%s", zone->id);
    int fd = zone->error == -ENOENT ? sysfs_open_folder(powercap->options.root, folder) : 0;
    if (fd == -ENOENT)
        problems_raise(problems, PROBLEM_MASKED, 0, folder);
    else
        problems_raise(problems, PROBLEM_NAME, zone->error, path);
    if (zone->error == -ENOENT && fd >= 0)
        close(fd);
}

static void load_zone(const struct powercap *powercap, struct powercap_zone *zone,
                      struct problems *problems) {
    char path[512];
    char name[SYSFS_TEXT_SIZE];
    uint64_t energy_uj;
    struct zone *base = &zone->zone;

    close_energy(zone);
    zone->lacks = false;
    base->identified = false;
    format_path(base, "name", path, sizeof(path));
    base->error = sysfs_load_line(powercap->options.root, path, name, sizeof(name));
    if (base->error == 0 && zone_identify(name, NULL, &base->identity) != 0)
        base->error = SYSFS_TOO_LONG;
    if (base->error != 0) {
        raise_name(powercap, base, path, problems);
        return;
    }
    /* The parent's name says whose sub-zone it is: without it, there is nothing true to say. */
    const bool sub_zone = strchr(strchr(base->id, ':') + 1, ':') != NULL;
    if (sub_zone && (zone->parent == NULL || !zone->parent->zone.identified)) {
        base->error = ZONE_WITHOUT_PARENT;
        if (zone->parent == NULL)
            problems_raise(problems, PROBLEM_NAME, base->error, path);
        return;
    }
    if (sub_zone)
        zone_identify(name, &zone->parent->zone.identity, &base->identity);
    base->identified = true;

    format_path(base, "max_energy_range_uj", path, sizeof(path));
    base->range_uj = 0;
    int range_error = sysfs_load_number(powercap->options.root, path, &base->range_uj);
    base->traits =
        (struct counter_traits){.modulus = counter_modulus(base->range_uj),
                                .unit = counter_unit(base->range_uj),
                                .scale = {.numerator_uj = 1, .denominator = 1},
                                .ceiling_uw = decide_ceiling_uw(powercap, zone, problems)};
    zone->file =
        sysfs_open_privileged(powercap->options.root, base->path, &powercap->options.privilege);
    if (zone->file < 0)
        base->error = zone->file;
    else if (source_lost_zone(read_energy(zone, &energy_uj)))
        close_energy(zone); /* so that the next discovery loads it anew */
    if (base->traits.modulus == 0 && zone->file >= 0) {
        problems_raise(problems, PROBLEM_RANGE, range_error != 0 ? range_error : ZONE_WITHOUT_RANGE,
                       path);
        zone->lacks = true;
    }
}

static void free_zone(struct powercap_zone *zone) {
    if (zone == NULL)
        return;
    close_energy(zone);
    free(zone->zone.id);
    free(zone->zone.path);
    free(zone);
}

static struct powercap_zone *new_zone(const char *id) {
    struct powercap_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL)
        return NULL;
    zone->file = -1;
    zone->zone.id = strdup(id);
    zone->zone.wanted = true;
    zone->zone.error = -ENODEV;
    if (zone->zone.id == NULL || asprintf(&zone->zone.path, CLASS "/%s/energy_uj", id) < 0) {
        zone->zone.path = NULL;
        free_zone(zone);
        return NULL;
    }
    return zone;
}

/* --- the class ------------------------------------------------------------------------------- */

/* Brings source->zones in line with the listing, keeping what is known. 1: something came or
 * went. */
static int match_entries(struct source *source, char *const *entries, size_t count) {
    int changed = 0;
    struct zone **zones = calloc(count > 0 ? count : 1, sizeof(struct zone *));
    struct reading *readings = calloc(count > 0 ? count : 1, sizeof(*readings));
    struct powercap_zone **fresh = calloc(count > 0 ? count : 1, sizeof(struct powercap_zone *));
    if (zones == NULL || readings == NULL || fresh == NULL)
        goto no_memory;
    for (size_t i = 0; i < count; i++) {
        struct powercap_zone *zone = find_zone(source, entries[i], strlen(entries[i]));
        if (zone == NULL) {
            zone = fresh[i] = new_zone(entries[i]);
            changed = 1;
        }
        if (zone == NULL)
            goto no_memory;
        zones[i] = &zone->zone;
    }
    for (size_t i = 0; i < source->zone_count; i++)
        zone_at(source, i)->listed = false;
    for (size_t i = 0; i < count; i++)
        ((struct powercap_zone *)zones[i])->listed = true;
    for (size_t i = 0; i < source->zone_count; i++) {
        if (!zone_at(source, i)->listed) {
            free_zone(zone_at(source, i));
            changed = 1;
        }
    }
    free(source->zones);
    free(source->readings);
    free(fresh);
    source->zones = zones;
    source->readings = readings;
    source->zone_count = count;
    return changed;

no_memory:
    for (size_t i = 0; fresh != NULL && i < count; i++)
        free_zone(fresh[i]);
    free(fresh);
    free(readings);
    free(zones);
    return -ENOMEM;
}

/* The same number for a name of a control type at all times; 0 for intel-rapl itself. */
static uint32_t number_control_type(const char *id, size_t length) {
    uint32_t number = 0;
    for (size_t i = strlen(POWERCAP_CONTROL_TYPE); i < length; i++)
        number = number * 131 + (unsigned char)id[i];
    return number;
}

static void relate_zones(struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        const char *id = zone->zone.id;
        zone->zone.control = number_control_type(id, strcspn(id, ":"));
        zone->parent = find_zone(source, id, (size_t)(strrchr(id, ':') - id));
    }
}

/* Whether loading a zone found what the binding does not know. */
static bool is_news(const struct powercap_zone *before, const struct powercap_zone *after) {
    const struct zone *was = &before->zone;
    const struct zone *is = &after->zone;
    if (is->error != 0)
        return before->served || is->error != was->error;
    return !before->served || before->file < 0 || !was->identified ||
           !zone_equal(&was->identity, &is->identity) ||
           was->traits.modulus != is->traits.modulus ||
           was->traits.ceiling_uw != is->traits.ceiling_uw;
}

/* Every zone that does not read, or lacks something, is loaded anew, and so are the sub-zones of
 * such a one: its id may stand for another zone by now, and its open file then tells that it has
 * gone. */
static int load_zones(const struct powercap *powercap, struct problems *problems) {
    int changed = 0;
    for (size_t i = 0; i < powercap->source.zone_count; i++) {
        struct powercap_zone *zone = zone_at(&powercap->source, i);
        uint64_t energy_uj;
        const struct powercap_zone before = *zone;
        zone->loaded = zone->file < 0 || zone->lacks ||
                       (zone->parent != NULL && zone->parent->loaded) ||
                       source_lost_zone(read_energy(zone, &energy_uj));
        if (!zone->loaded)
            continue;
        load_zone(powercap, zone, problems);
        zone->served = zone->zone.error == 0;
        if (is_news(&before, zone))
            changed = 1;
    }
    return changed;
}

static void raise_no_zones(const struct powercap *powercap, struct problems *problems) {
    int driver = sysfs_open_folder(powercap->options.root, "sys/module/intel_rapl_msr");
    problems->has_driver = driver >= 0;
    if (driver >= 0)
        close(driver);
    problems_raise(problems, PROBLEM_NO_ZONES, 0, CLASS);
}

static int powercap_discover(struct source *source, struct problems *problems) {
    struct powercap *powercap = (struct powercap *)source;
    char **entries = NULL;
    size_t count = 0;
    int changed = 0;
    int error = powercap_list(powercap->options.root, &entries, &count);
    if (error == -ENOMEM)
        return error;
    problems_begin(problems, PROBLEM_CLASS, PROBLEM_LIMIT);
    if (error != 0)
        problems_raise(problems, PROBLEM_CLASS, error, CLASS);
    else if (count == 0)
        raise_no_zones(powercap, problems);
    /* That the list cannot be read now (too many open files) takes no zone away. */
    if (error != 0 && !source_lost_zone(error)) {
        problems_end(problems, PROBLEM_CLASS, PROBLEM_CLASS);
        return 0;
    }
    changed = match_entries(source, entries, count);
    relate_zones(source);
    if (changed >= 0)
        changed |= load_zones(powercap, problems);
    problems_end(problems, PROBLEM_CLASS, PROBLEM_LIMIT);
    powercap_list_free(entries, count);
    return changed;
}

static void powercap_sample(struct source *source) {
    uint64_t before_ns = clock_monotonic_ns();
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        struct reading *reading = &source->readings[i];
        reading->error = -ENODATA;
        if (!zone->zone.wanted)
            continue;
        reading->error = read_energy(zone, &reading->ticks);
        zone->served = zone->served || reading->error == 0;
        uint64_t after_ns = clock_monotonic_ns();
        reading->time_ns = clock_middle_ns(before_ns, after_ns);
        before_ns = after_ns > before_ns ? after_ns : before_ns;
        if (source_lost_zone(reading->error))
            close_energy(zone);
    }
}

static void powercap_close(struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++)
        free_zone(zone_at(source, i));
    free(source->zones);
    free(source->readings);
    free(source);
}

struct source *powercap_open(const struct source_options *options) {
    static const struct source_operations operations = {
        .name = "powercap",
        .module = "intel_rapl_msr",
        .discover = powercap_discover,
        .sample = powercap_sample,
        .close = powercap_close,
    };
    struct powercap *powercap = calloc(1, sizeof(*powercap));
    if (powercap == NULL)
        return NULL;
    powercap->source.operations = &operations;
    powercap->options = *options;
    return &powercap->source;
}
