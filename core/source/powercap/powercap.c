/* SPDX-License-Identifier: MIT */
/* Reads the counters of the kernel's powercap class (drivers/powercap/powercap_sys.c). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/cpu_model.h"
#include "source/powercap/powercap_core.h"
#include "source/powercap/powercap_list.h"
#include "source/powercap/powercap_zone.h"
#include "source/source.h"
#include "system/clock.h"
#include "system/error.h"
#include "system/sysfs.h"
#include "zone/zone_map.h"

#define CLASS POWERCAP_CLASS

struct powercap {
    struct source source; /* must be first: a struct source * points to it */
    struct source_options options;
    bool is_intel; /* its zones show an Intel processor; used if the vendor is unknown */
};

/* --- the class ------------------------------------------------------------------------------- */

static struct powercap_zone *zone_at(const struct source *source, size_t index) {
    return (struct powercap_zone *)source->zones[index];
}

/* Updates source->zones from the listing and keeps known zones. Both lists are sorted by id. 1:
 * zones came or went; 0: nothing changed; -ENOMEM. */
static int match_entries(struct source *source, char *const *entries, size_t count) {
    struct source_lists lists;
    if (source_make_lists(&lists, count) != 0)
        return -ENOMEM;
    struct zone **zones = lists.zones;
    bool *fresh = calloc(count > 0 ? count : 1, sizeof(*fresh));
    size_t known = 0;
    size_t kept = 0;
    size_t i = 0;
    if (fresh == NULL)
        goto no_memory;
    for (; i < count; i++) {
        while (known < source->zone_count &&
               powercap_list_compare(source->zones[known]->id, entries[i]) < 0)
            known++;
        fresh[i] = known == source->zone_count ||
                   powercap_list_compare(source->zones[known]->id, entries[i]) != 0;
        kept += fresh[i] ? 0 : 1;
        zones[i] = fresh[i] ? (struct zone *)powercap_zone_new(entries[i]) : source->zones[known];
        if (zones[i] == NULL)
            goto no_memory;
    }
    const int changed = kept != count || kept != source->zone_count;
    for (size_t old = 0, at = 0; old < source->zone_count; old++) {
        while (at < count &&
               (fresh[at] || powercap_list_compare(zones[at]->id, source->zones[old]->id) < 0))
            at++;
        if (at == count || zones[at] != source->zones[old])
            powercap_zone_free(zone_at(source, old));
    }
    free(fresh);
    source_take_lists(source, &lists, count);
    return changed;

no_memory:
    for (size_t made = 0; fresh != NULL && made < i; made++) {
        if (fresh[made])
            powercap_zone_free((struct powercap_zone *)zones[made]);
    }
    free(fresh);
    source_free_lists(&lists);
    return -ENOMEM;
}

/* The parent's id is the child's without its last number. */
static struct powercap_zone *find_parent(const struct source *source, const char *id) {
    char parent[256];
    const size_t length = (size_t)(strrchr(id, ':') - id);
    size_t low = 0;
    size_t high = source->zone_count;
    if (length >= sizeof(parent) || memchr(id, ':', length) == NULL)
        return NULL;
    memcpy(parent, id, length);
    parent[length] = '\0';
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = powercap_list_compare(source->zones[middle]->id, parent);
        if (order == 0)
            return zone_at(source, middle);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void relate_zones(struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        const char *id = zone->zone.id;
        zone->zone.control = powercap_list_control(id);
        zone->parent = find_parent(source, id);
    }
}

/* --- loading --------------------------------------------------------------------------------- */

/* What the binding knew about a zone before this discovery. */
struct known {
    struct zone_identity identity;
    bool identified;
    bool open;
    bool served;
    int error;
    uint64_t modulus;
    uint64_t ceiling_uw;
};

/* State of one discovery. */
struct look {
    struct powercap *powercap;
    struct problems *problems;
    struct known *known; /* by index of the zones, as are items until they are sorted */
    struct fd_budget_item *items;
    size_t left_out; /* zones that were not even listed */
};

static struct known remember(const struct powercap_zone *zone) {
    return (struct known){.identity = zone->zone.identity,
                          .identified = zone->zone.identified,
                          .open = zone->file >= 0,
                          .served = zone->served,
                          .error = zone->zone.error,
                          .modulus = zone->zone.traits.modulus,
                          .ceiling_uw = zone->zone.traits.ceiling_uw};
}

/* Whether loading a zone found something that the binding does not know. */
static bool is_news(const struct known *was, const struct powercap_zone *after) {
    const struct zone *is = &after->zone;
    if (is->error != 0)
        return was->served || is->error != was->error;
    return !was->served || !was->open || !was->identified ||
           !zone_equal(&was->identity, &is->identity) || was->modulus != is->traits.modulus ||
           was->ceiling_uw != is->traits.ceiling_uw;
}

/* Identifies again every zone that cannot be read or lacks something, and its sub-zones. The id may
 * belong to another zone by now, and then its open file gives the error of a lost zone. */
static void identify_zones(const struct look *look) {
    const struct source *source = &look->powercap->source;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        struct known *known = &look->known[i];
        uint64_t energy_uj;
        *known = remember(zone);
        zone->loaded = zone->file < 0 || zone->lacks ||
                       (zone->parent != NULL && zone->parent->loaded) ||
                       error_is_lost(powercap_zone_read(zone, &energy_uj));
        if (!zone->loaded)
            continue;
        zone->served = false;
        (void)powercap_zone_identify(zone, &look->powercap->options, look->problems);
        /* A zone that was left out and has not changed does not affect its sub-zones. */
        if (error_is_left_out(known->error) && zone->zone.identified &&
            zone_equal(&known->identity, &zone->zone.identity))
            zone->loaded = false;
    }
}

/* Ranks the zones. If two have the same identity, the second is a stand-by. 0 or -ENOMEM. */
static int rank_zones(const struct look *look) {
    const struct source *source = &look->powercap->source;
    struct zone_map seen = {.entries = NULL};
    int error = 0;
    for (size_t i = 0; i < source->zone_count && error == 0; i++) {
        const struct powercap_zone *zone = zone_at(source, i);
        struct fd_budget_item *item = &look->items[i];
        *item = (struct fd_budget_item){.rank = FD_RANK_UNSELECTED};
        if (!zone->zone.identified)
            continue;
        item->files = item->zones = 1;
        item->holds = zone->file >= 0 || (look->known[i].open && zone->zone.error == 0);
        item->waits = error_is_left_out(look->known[i].error);
        if (zone_map_find(&seen, &zone->zone.identity) != NULL) {
            item->rank = FD_RANK_STAND_BY;
            continue;
        }
        item->rank = source_rank(&look->powercap->options, &zone->zone.identity);
        error = zone_map_add(&seen, &zone->zone.identity, zone->zone.id);
    }
    zone_map_free(&seen);
    return error;
}

static void leave_out(struct powercap_zone *zone, int error) {
    powercap_zone_close(zone);
    zone->served = false;
    zone->zone.error = error;
}

/* Closes the zone that comes last among those that should not be open. */
static void close_last(const struct look *look, int error, size_t *last) {
    const struct source *source = &look->powercap->source;
    while (*last > 0) {
        const struct fd_budget_item *item = &look->items[--*last];
        struct powercap_zone *zone = zone_at(source, item->place);
        if (!item->taken && zone->file >= 0) {
            leave_out(zone, error);
            return;
        }
    }
}

/* Opens the zones that were chosen, at most one file above the limit at a time. Returns how many
 * cannot be opened, so that others get their places: one bad zone never costs another. */
static size_t open_taken(const struct look *look, int error) {
    const struct source *source = &look->powercap->source;
    size_t last = source->zone_count;
    size_t open = 0;
    size_t fail = 0;
    for (size_t i = 0; i < source->zone_count; i++)
        open += zone_at(source, i)->file >= 0 ? 1 : 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, look->items[i].place);
        if (!look->items[i].taken || !zone->zone.identified || zone->file >= 0)
            continue;
        if (!powercap_zone_open(zone, &look->powercap->options, look->problems))
            fail++;
        else if (++open > source->limit.files || open > FD_RANK_ZONES)
            close_last(look, error, &last);
    }
    return fail;
}

/* Gives spare places to other zones in order, and leaves out the rest. */
static void leave_out_rest(const struct look *look, int error, size_t spare) {
    const struct source *source = &look->powercap->source;
    size_t left_out = look->left_out;
    const char *first = CLASS;
    char name[ZONE_NAME_SIZE];
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct fd_budget_item *item = &look->items[i];
        struct powercap_zone *zone = zone_at(source, item->place);
        if (item->taken || !zone->zone.identified)
            continue;
        if (spare > 0) {
            if (zone->file >= 0 ||
                powercap_zone_open(zone, &look->powercap->options, look->problems))
                spare--;
            continue;
        }
        leave_out(zone, error);
        if (item->rank >= FD_RANK_STAND_BY)
            continue;
        if (left_out++ == look->left_out) {
            zone_format_name(&zone->zone.identity, name);
            first = name;
        }
    }
    if (left_out > 0)
        problems_raise_left_out(look->problems, error, left_out, first,
                                fd_budget_most(&source->limit));
}

/* 1: found something that the binding does not know; 0: did not; -ENOMEM. */
static int load_zones(struct powercap *powercap, size_t unlisted, struct problems *problems) {
    struct source *source = &powercap->source;
    const size_t room = source->zone_count + 1;
    const int error = fd_budget_error(&source->limit);
    struct look look = {.powercap = powercap, .problems = problems, .left_out = unlisted};
    int changed = -ENOMEM;
    look.known = calloc(room, sizeof(*look.known));
    look.items = calloc(room, sizeof(*look.items));
    if (look.known == NULL || look.items == NULL)
        goto free_look;
    identify_zones(&look);
    powercap_core_judge(source, powercap->options.model.vendor, &powercap->is_intel);
    if (rank_zones(&look) != 0)
        goto free_look;
    (void)fd_budget_choose(&source->limit, look.items, source->zone_count, clock_boottime_ns());
    leave_out_rest(&look, error, open_taken(&look, error));
    changed = 0;
    source->file_count = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        source->file_count += zone->file >= 0 ? 1 : 0;
        if (look.known[i].open && zone->file >= 0 && !zone->loaded)
            continue;
        zone->served = zone->zone.error == 0;
        if (is_news(&look.known[i], zone))
            changed = 1;
    }

free_look:
    free(look.items);
    free(look.known);
    return changed;
}

static void raise_no_zones(const struct powercap *powercap, struct problems *problems) {
    char path[64];
    snprintf(path, sizeof(path), "sys/module/%s", powercap->source.module);
    const int driver = sysfs_open_folder(powercap->options.root, path);
    problems->has_driver = driver >= 0;
    if (driver >= 0)
        close(driver);
    problems_raise(problems, PROBLEM_NO_ZONES, 0, CLASS);
}

static int powercap_discover(struct source *source, struct problems *problems) {
    struct powercap *powercap = (struct powercap *)source;
    char **entries = NULL;
    size_t count = 0;
    size_t unlisted = 0;
    int error = powercap_list(powercap->options.root, &entries, &count, &unlisted);
    if (error == -ENOMEM)
        return error;
    problems_begin(problems, PASS_CLASS);
    if (error != 0)
        problems_raise(problems, PROBLEM_CLASS, error, CLASS);
    problems_end(problems, PASS_CLASS);
    /* A temporary failure (too many open files) must not remove zones. */
    if (error != 0 && !error_is_lost(error))
        return 0;
    problems_begin(problems, PASS_SOURCE);
    if (error == 0 && count == 0)
        raise_no_zones(powercap, problems);
    int changed = match_entries(source, entries, count);
    powercap_list_free(entries, count);
    if (changed < 0)
        return changed;
    relate_zones(source);
    changed |= source->lacks_members != (unlisted > 0) ? 1 : 0;
    source->lacks_members = unlisted > 0;
    const int loaded = load_zones(powercap, unlisted, problems);
    if (loaded < 0)
        return loaded;
    problems_end(problems, PASS_SOURCE);
    return changed | loaded;
}

static int powercap_read(struct zone *zone, uint64_t *ticks) {
    return powercap_zone_read((struct powercap_zone *)zone, ticks);
}

static void powercap_sample(struct source *source) {
    uint64_t before_ns = clock_raw_ns();
    for (size_t i = 0; i < source->zone_count; i++) {
        struct powercap_zone *zone = zone_at(source, i);
        struct reading *reading = &source->readings[i];
        reading->error = -ENODATA;
        if (!zone->zone.wanted)
            continue;
        reading->error = powercap_zone_read(zone, &reading->ticks);
        zone->served = zone->served || reading->error == 0;
        before_ns = source_finish_read(source, i, before_ns, clock_raw_ns());
        if (error_is_lost(reading->error))
            powercap_zone_close(zone);
    }
}

static void powercap_close(struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++)
        powercap_zone_free(zone_at(source, i));
    free(source->zones);
    free(source->readings);
    free(source);
}

struct source *powercap_open(const struct source_options *options) {
    static const struct source_operations operations = {
        .name = "powercap",
        .discover = powercap_discover,
        .sample = powercap_sample,
        .read = powercap_read,
        .close = powercap_close,
    };
    struct powercap *powercap = calloc(1, sizeof(*powercap));
    if (powercap == NULL)
        return NULL;
    powercap->source.operations = &operations;
    powercap->source.module = cpu_model_powercap_module(&options->model);
    powercap->source.limit.files = SIZE_MAX;
    powercap->options = *options;
    return &powercap->source;
}
