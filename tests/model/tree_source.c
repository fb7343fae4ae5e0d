/* SPDX-License-Identifier: MIT */
#include "tree_source.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_source.h"
#include "reference.h"
#include "source/powercap/powercap_list.h"

ssize_t __real_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap___pread_chk(int file, void *text, size_t size, off_t offset, size_t room);

/* The state of a zone's folder in the tree. */
struct folder {
    char id[64];
    struct place *place;
    unsigned int generation;
};

static struct {
    char root[64];
    struct folder folders[PLACES_MAX];
    size_t count;
    struct source *watched;
    const struct source_operations *operations;
    struct source shadow; /* copies of the zones, with the reference's state */
    bool samples;
    struct {
        struct fake_zone *zone; /* last one read */
        unsigned int count;     /* its reads in this sample */
        uint64_t shortest_ns;
        struct glimpse glimpse; /* of the shortest read */
        bool is_due;            /* it has to be read again now */
        uint64_t again_ns;      /* time of the repeated reads in this sample */
    } reads;
} tree;

/* --- files -------------------------------------------------------------------------------------
 */

static void write_file(const char *id, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof(path), "%s/" POWERCAP_CLASS "/%s/%s", tree.root, id, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static void write_number(const char *id, const char *name, uint64_t number) {
    char text[32];
    snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
    write_file(id, name, text);
}

static void remove_folder(const char *id) {
    static const char *const names[] = {"name", "max_energy_range_uj", "energy_uj",
                                        "constraint_0_max_power_uw"};
    char path[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/" POWERCAP_CLASS "/%s/%s", tree.root, id, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/" POWERCAP_CLASS "/%s", tree.root, id);
    if (rmdir(path) != 0)
        abort();
}

static void write_name(const struct place *place, const char *id) {
    char name[64];
    if (place->kind == ZONE_PACKAGE && place->die_id >= 0)
        snprintf(name, sizeof(name), "package-%d-die-%d\n", place->package_id, place->die_id);
    else if (place->kind == ZONE_PACKAGE)
        snprintf(name, sizeof(name), "package-%d\n", place->package_id);
    else if (place->kind == ZONE_PSYS && place->package_id >= 0)
        snprintf(name, sizeof(name), "psys-%d\n", place->package_id);
    else
        snprintf(name, sizeof(name), "%s\n", place->domain);
    write_file(id, "name", name);
}

static void make_folder(const struct folder *folder) {
    const struct machine *machine = world.machine;
    const struct place *place = folder->place;
    char path[256];
    snprintf(path, sizeof(path), "%s/" POWERCAP_CLASS "/%s", tree.root, folder->id);
    if (mkdir(path, 0755) != 0)
        abort();
    if (!place->nameless)
        write_name(place, folder->id);
    write_file(folder->id, "energy_uj", "it is the machine that answers\n");
    if (place->shows_range)
        write_number(folder->id, "max_energy_range_uj", machine_range_uj(machine, place));
    /* docs/design.md, rule 2: the ceiling is four times the limit, or 1000 W without a limit. */
    if (machine->max_power_uw == 0 && place->kind != ZONE_PSYS &&
        place->ceiling_uw != UINT64_C(1000000000))
        write_number(folder->id, "constraint_0_max_power_uw", place->ceiling_uw / 4);
}

static struct folder *find_folder(const char *id) {
    for (size_t i = 0; i < tree.count; i++) {
        if (strcmp(tree.folders[i].id, id) == 0)
            return &tree.folders[i];
    }
    return NULL;
}

/* Updates the tree to the machine's current state. */
static void bring_up_to_date(void) {
    struct machine *machine = world.machine;
    size_t kept = 0;
    for (size_t i = 0; i < tree.count; i++) {
        struct folder *folder = &tree.folders[i];
        char id[64];
        fake_format_id(folder->place, id);
        if (fake_is_listed(folder->place) && folder->generation == folder->place->generation &&
            strcmp(id, folder->id) == 0)
            tree.folders[kept++] = *folder;
        else
            remove_folder(folder->id);
    }
    tree.count = kept;
    for (size_t i = 0; i < machine->place_count; i++) {
        struct place *place = &machine->places[i];
        struct folder *folder = &tree.folders[tree.count];
        if (!fake_is_listed(place))
            continue;
        fake_format_id(place, folder->id);
        if (find_folder(folder->id) != NULL)
            continue;
        folder->place = place;
        folder->generation = place->generation;
        make_folder(folder);
        tree.count++;
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

bool tree_source_begin(void) {
    char path[256];
    static const char *const folders[] = {"sys", "sys/class", POWERCAP_CLASS};
    snprintf(tree.root, sizeof(tree.root), "/tmp/model-walk-XXXXXX");
    if (mkdtemp(tree.root) == NULL)
        return false;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", tree.root, folders[i]);
        if (mkdir(path, 0755) != 0)
            return false;
    }
    return true;
}

void tree_source_end(void) {
    if (tree.root[0] != '\0')
        nftw(tree.root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    tree.root[0] = '\0';
}

const char *tree_source_root(void) {
    return tree.root[0] != '\0' ? tree.root : NULL;
}

static struct fake_zone *find_shadow(const char *id) {
    for (size_t i = 0; i < tree.shadow.zone_count; i++) {
        if (strcmp(tree.shadow.zones[i]->id, id) == 0)
            return fake_zone_at(&tree.shadow, i);
    }
    return NULL;
}

/* --- a read of energy_uj -------------------------------------------------------------------------
 */

/* Finds the id of the zone whose energy_uj is open as file; false: another file. gone: the zone was
 * removed after the open. */
static bool find_id(int file, char id[64], bool *gone) {
    static const char end[] = "/energy_uj";
    char link[32];
    char path[512];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    char *tail = strstr(path, end);
    if (tail == NULL)
        return false;
    *gone = tail[strlen(end)] != '\0'; /* " (deleted)" */
    *tail = '\0';
    snprintf(id, 64, "%.63s", strrchr(path, '/') + 1);
    return true;
}

/* Reads that stalled once often stall again. */
static void maybe_stall(const struct fake_zone *zone) {
    struct random *random = &world.machine->random;
    const uint64_t seldom = world.machine->habits.slow_read;
    const bool repeats = zone != NULL && zone == tree.reads.zone;
    if (seldom != 0 && random_once_in(random, repeats ? 3 : seldom / 16 + 1))
        machine_pass(world.machine, random_scaled(random, 300 * NS_PER_MS));
}

static void expect_no_read(void) {
    if (tree.reads.is_due)
        reference_complain("%s: a slow read is not repeated", tree.reads.zone->zone.id);
    tree.reads.is_due = false;
}

/* A slow read is repeated at once, at most twice, unless the repeated reads of this sample have
 * already taken twice the time that makes a read slow. The shortest read counts. */
static void follow_read(struct fake_zone *zone, bool reads, uint64_t took_ns) {
    if (zone != tree.reads.zone) {
        expect_no_read();
        tree.reads.zone = zone;
        tree.reads.count = 0;
        tree.reads.shortest_ns = UINT64_MAX;
    } else if (!tree.reads.is_due) {
        reference_complain("%s is read again, and was not slow", zone->zone.id);
    }
    if (tree.reads.count++ > 0) {
        tree.reads.again_ns += reads ? took_ns : 0;
        reference.tally.repeats++;
    }
    if (reads && took_ns < tree.reads.shortest_ns) {
        tree.reads.shortest_ns = took_ns;
        tree.reads.glimpse = zone->glimpse;
    }
    tree.reads.is_due = reads && tree.reads.count < 3 && tree.reads.shortest_ns > world.slow_ns &&
                        tree.reads.again_ns < 2 * world.slow_ns;
    if (tree.reads.shortest_ns != UINT64_MAX)
        zone->glimpse = tree.reads.glimpse;
}

static ssize_t answer(const char *id, bool gone, void *text, size_t size) {
    struct fake_zone passing = {.place = NULL}; /* the source is just finding the zone */
    struct fake_zone *zone = find_shadow(id);
    uint64_t shown = 0;
    const uint64_t begin_ns = world.machine->raw_ns;
    if (tree.samples) {
        machine_pass(world.machine, 500 + random_below(&world.machine->random, 4000));
        maybe_stall(zone);
        fake_live_inside();
    }
    const uint64_t took_ns = world.machine->raw_ns - begin_ns;
    const struct folder *folder = find_folder(id);
    if (zone == NULL || !tree.samples)
        zone = &passing;
    errno = ENODEV;
    if (!gone && folder != NULL && fake_is_listed(folder->place) &&
        folder->generation == folder->place->generation) {
        zone->place = folder->place;
        errno = -fake_read(zone, tree.samples, &shown);
    }
    /* The source timestamps the middle of a read, so the counter is read there. */
    if (tree.samples)
        machine_pass(world.machine, took_ns);
    if (zone != &passing)
        follow_read(zone, errno == 0, world.machine->raw_ns - begin_ns);
    return errno != 0 ? -1 : snprintf(text, size, "%llu\n", (unsigned long long)shown);
}

ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset) {
    char id[64];
    bool gone;
    if (tree.watched != NULL && find_id(file, id, &gone))
        return answer(id, gone, text, size);
    return __real_pread(file, text, size, offset);
}

ssize_t __wrap___pread_chk(int file, void *text, size_t size, off_t offset, size_t room) {
    if (size > room)
        abort();
    return __wrap_pread(file, text, size, offset);
}

/* --- the source ----------------------------------------------------------------------------------
 */

static void free_shadow(struct fake_zone *zone) {
    free(zone->zone.id);
    free(zone);
}

/* Gives the shadow the zones of the source, and keeps the state of known ones. */
static void follow(const struct source *source) {
    struct zone **zones = fake_allocate((source->zone_count + 1) * sizeof(struct zone *));
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct zone *from = source->zones[i];
        struct fake_zone *zone = find_shadow(from->id);
        if (zone == NULL)
            zone = fake_new_zone(from->id);
        zone->listed = true;
        zone->zone.identified = from->identified;
        zone->zone.traits = from->traits;
        zone->zone.range_uj = from->range_uj;
        zone->zone.control = from->control;
        zone->zone.error = from->error;
        const struct folder *folder = find_folder(from->id);
        if (folder != NULL && from->identified) {
            zone->place = folder->place;
            if (zone->known != folder->place)
                reference_forget_zone(zone);
            zone->known = folder->place;
            if (from->traits.ceiling_uw != folder->place->ceiling_uw)
                reference_complain("%s: the ceiling is %llu uW", from->id,
                                   (unsigned long long)from->traits.ceiling_uw);
        }
        zones[i] = &zone->zone;
    }
    for (size_t i = 0; i < tree.shadow.zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(&tree.shadow, i);
        if (!zone->listed)
            free_shadow(zone);
    }
    free(tree.shadow.zones);
    tree.shadow.zones = zones;
    tree.shadow.zone_count = source->zone_count;
    for (size_t i = 0; i < tree.shadow.zone_count; i++)
        fake_zone_at(&tree.shadow, i)->listed = false;
}

static int discover(struct source *source, struct problems *problems) {
    world.looks++;
    bring_up_to_date();
    const int changed = tree.operations->discover(source, problems);
    if (changed < 0)
        abort();
    follow(source);
    reference_looked(&tree.shadow, changed > 0);
    return changed;
}

static int read_once(struct zone *zone, uint64_t *ticks) {
    return tree.operations->read(zone, ticks);
}

static void sample(struct source *source) {
    fake_begin_sample(&tree.shadow);
    tree.reads.zone = NULL;
    tree.reads.again_ns = 0;
    for (size_t i = 0; i < source->zone_count; i++) {
        struct glimpse *glimpse = &fake_zone_at(&tree.shadow, i)->glimpse;
        glimpse->tried = source->zones[i]->wanted;
        world.readings += glimpse->tried;
    }
    tree.samples = true;
    tree.operations->sample(source);
    tree.samples = false;
    expect_no_read();
    for (size_t i = 0; i < source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(&tree.shadow, i);
        if (source->readings[i].error == 0 &&
            (zone->glimpse.time_ns != source->readings[i].time_ns ||
             zone->glimpse.shown != source->readings[i].ticks))
            reference_complain("%s: the shortest read is not taken", zone->zone.id);
        zone->zone.error = source->zones[i]->error;
        zone->glimpse.error = source->readings[i].error;
        zone->glimpse.shown = source->readings[i].ticks;
        zone->glimpse.time_ns = source->readings[i].time_ns;
        zone->glimpse.uncertainty_ns = source->readings[i].uncertainty_ns;
    }
    fake_end_sample();
}

static void close_source(struct source *source) {
    tree.operations->close(source);
    for (size_t i = 0; i < tree.shadow.zone_count; i++)
        free_shadow(fake_zone_at(&tree.shadow, i));
    free(tree.shadow.zones);
    tree.shadow = (struct source){.zones = NULL};
    tree.watched = NULL;
    for (size_t i = 0; i < tree.count; i++)
        remove_folder(tree.folders[i].id);
    tree.count = 0;
    world.source = NULL;
}

struct source *tree_source_watch(struct source *source) {
    static const struct source_operations operations = {
        .name = "powercap",
        .discover = discover,
        .sample = sample,
        .read = read_once,
        .close = close_source,
    };
    if (source == NULL)
        abort();
    tree.watched = source;
    tree.operations = source->operations;
    source->operations = &operations;
    world.source = &tree.shadow;
    return source;
}
