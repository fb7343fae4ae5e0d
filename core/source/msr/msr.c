/* SPDX-License-Identifier: MIT */
/* Reads the counters from the processor's registers (SDM vol. 3B 16.10; PPR for AMD family 17h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "source/msr/msr_budget.h"
#include "source/msr/msr_reader.h"
#include "source/msr/msr_readers.h"
#include "system/clock.h"

/* Wait before a counter at 0 is probed again: counters move about once a millisecond. */
static const struct timespec probe_again = {.tv_nsec = 10000000};

struct msr {
    struct source source; /* must be first: a struct source * points to it */
    struct source_options options;
    const struct cpu_counters *counters; /* NULL: the vendor is unknown */
    bool is_guess;                       /* the model is unknown */
    struct msr_readers layout;
    bool has_cores; /* a single core has counted */
};

static bool is_intel(const struct msr *msr) {
    return msr->options.model.vendor == CPU_VENDOR_INTEL;
}

/* --- opening --------------------------------------------------------------------------------- */

static bool is_core(const struct msr_reader *reader) {
    return reader->core_id != RAPL_NO_ID;
}

static bool has_zones(const struct msr_reader *reader) {
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        if (reader->zones[i] != NULL)
            return true;
    }
    return false;
}

static bool is_shown(const struct msr_reader *reader) {
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        if (reader->zones[i] != NULL && reader->zones[i]->shown)
            return true;
    }
    return false;
}

static void raise_register(const struct msr_reader *reader, uint32_t address, int error,
                           struct problems *problems) {
    char path[MSR_PATH_SIZE];
    char subject[MSR_PATH_SIZE + 32];
    msr_device_path(&reader->device, path);
    snprintf(subject, sizeof(subject), "%s: register 0x%x", path, address);
    problems_raise(problems, PROBLEM_REGISTER, error, subject);
}

/* Opens devices. 1: a device with known counters was opened again; else 0. If a package cannot be
 * read, its cores are not tried. */
static int open_readers(struct msr *msr, struct problems *problems) {
    int changed = 0;
    const struct msr_reader *package = NULL; /* sorted before its cores */
    for (size_t i = 0; i < msr->layout.reader_count; i++) {
        struct msr_reader *reader = msr->layout.readers[i];
        if (!is_core(reader))
            package = reader;
        const bool lacks_package = is_core(reader) && package != NULL &&
                                   package->package_id == reader->package_id &&
                                   !msr_reader_is_usable(package);
        if (reader->stale || reader->left_out != 0 || lacks_package)
            continue;
        if (reader->device.file < 0) {
            if (msr_reader_open(reader, &msr->options, &msr->layout.topology) != 0)
                continue;
            changed |= is_shown(reader);
        }
        if (reader->unit_register != 0)
            continue;
        const int error = msr_reader_load_unit(reader, msr->counters);
        if (reader->unit_register == 0 && !error_is_lost(error))
            raise_register(reader, msr_unit_address(msr->counters->vendor), error, problems);
    }
    return changed;
}

/* Raises devices that stay closed. A device may appear and disappear a little earlier or later than
 * its CPU, so this waits for a second miss, unless no device opens. */
static void raise_closed(const struct msr *msr, struct problems *problems) {
    bool any_open = false;
    for (size_t i = 0; i < msr->layout.reader_count; i++)
        any_open = any_open || msr->layout.readers[i]->device.file >= 0;
    for (size_t i = 0; i < msr->layout.reader_count; i++) {
        const struct msr_reader *reader = msr->layout.readers[i];
        char path[MSR_PATH_SIZE];
        if (reader->stale || reader->left_out != 0 || reader->device.file >= 0 ||
            reader->misses == 0 || (any_open && error_is_lost(reader->error) && reader->misses < 2))
            continue;
        msr_device_path(&reader->device, path);
        /* If other devices exist, the driver is loaded, and only this CPU is missing. */
        problems_raise(problems, PROBLEM_MSR,
                       any_open && reader->error == -ENOENT ? -ENXIO : reader->error, path);
    }
}

/* --- probing --------------------------------------------------------------------------------- */

/* Uses the names of the powercap driver (intel_rapl_common.c), so that every source gives the same
 * series. */
static void identify(const struct msr_readers *layout, const struct msr_reader *reader,
                     enum cpu_domain domain, struct zone_identity *identity) {
    const bool is_first = reader->package_id == layout->first_package &&
                          (reader->die_id == RAPL_NO_ID || reader->die_id == layout->first_die);
    enum zone_kind kind = ZONE_OTHER;
    const char *sub_zone = "";
    switch (domain) {
    case CPU_PACKAGE:
        kind = ZONE_PACKAGE;
        break;
    case CPU_PSYS:
        kind = ZONE_PSYS;
        break;
    case CPU_CORE:
        sub_zone = "core";
        break;
    case CPU_UNCORE:
        sub_zone = "uncore";
        break;
    case CPU_DRAM:
        sub_zone = "dram";
        break;
    }
    (void)zone_identify_counter(kind, sub_zone, reader->package_id, reader->die_id, is_first,
                                identity);
    if (domain == CPU_CORE)
        identity->core_id = reader->core_id;
}

/* Which registers a reader may have: on AMD, packages have none for cores, and cores have only
 * that. */
static bool may_have(const struct msr *msr, const struct msr_reader *reader,
                     enum cpu_domain domain) {
    if ((msr->counters->domains & domain) == 0 || !msr_reader_is_usable(reader))
        return false;
    return is_intel(msr) || (domain == CPU_CORE) == is_core(reader);
}

/* Adds a zone if the register counts. The register of a core that has not run yet is 0; it is
 * accepted if other cores count. */
static int probe(struct msr *msr, struct msr_reader *reader, unsigned int index, bool *standing,
                 struct problems *problems) {
    const enum cpu_domain domain = (enum cpu_domain)(1U << index);
    const uint32_t address = msr_address(msr->counters->vendor, domain);
    struct zone_identity identity;
    uint64_t value = 0;
    const int error = msr_device_read(&reader->device, address, &value);
    /* A missing register is not an error. */
    if (error != 0 && error != -EIO && !error_is_lost(error))
        raise_register(reader, address, error, problems);
    if (error != 0)
        return 0;
    const bool counts = (uint32_t)value != 0;
    msr->has_cores = msr->has_cores || (counts && is_core(reader));
    if (!counts && !(is_core(reader) && msr->has_cores)) {
        *standing = *standing || !reader->probed;
        return 0;
    }
    identify(&msr->layout, reader, domain, &identity);
    return msr_reader_add_zone(reader, msr->counters, index, &identity, &msr->options);
}

static int probe_all(struct msr *msr, bool *standing, struct problems *problems) {
    int error = 0;
    *standing = false;
    for (size_t i = 0; i < msr->layout.reader_count && error == 0; i++) {
        struct msr_reader *reader = msr->layout.readers[i];
        for (unsigned int j = 0; j < CPU_DOMAINS && error == 0; j++) {
            if (!reader->stale && reader->zones[j] == NULL &&
                may_have(msr, reader, (enum cpu_domain)(1U << j)))
                error = probe(msr, reader, j, standing, problems);
        }
    }
    return error;
}

static int probe_readers(struct msr *msr, struct problems *problems) {
    bool standing;
    int error = probe_all(msr, &standing, problems);
    if (error == 0 && standing) {
        nanosleep(&probe_again, NULL);
        error = probe_all(msr, &standing, problems);
    }
    for (size_t i = 0; i < msr->layout.reader_count && error == 0; i++) {
        struct msr_reader *reader = msr->layout.readers[i];
        reader->probed = reader->probed || msr_reader_is_usable(reader);
        if (!is_core(reader) && msr_reader_is_usable(reader) && !has_zones(reader))
            raise_register(reader, msr_address(msr->counters->vendor, CPU_PACKAGE), 0, problems);
    }
    return error;
}

/* --- what is shown --------------------------------------------------------------------------- */

/* Whether all cores of the package that begins at `first` can be read: their sum is reported, and
 * would be too low without one of them. Once it is reported, cores may go offline and come back. */
static bool has_all_cores(const struct msr *msr, size_t first) {
    if (msr->layout.topology.error != 0)
        return false;
    bool shown = false;
    bool lacks = false;
    bool lacks_for_good = false;
    for (size_t i = first; i < msr->layout.reader_count; i++) {
        const struct msr_reader *reader = msr->layout.readers[i];
        if (!is_core(reader) || reader->package_id != msr->layout.readers[first]->package_id)
            break;
        const struct msr_zone *zone = reader->zones[CPU_CORE_INDEX];
        if (reader->stale)
            continue;
        shown = shown || (zone != NULL && zone->shown);
        lacks = lacks || zone == NULL;
        lacks_for_good = lacks_for_good || (zone == NULL && !error_is_lost(reader->error));
    }
    return shown ? !lacks_for_good : !lacks;
}

/* Collects the zones that the source shows. Returns their number. */
static size_t collect(struct msr *msr, struct zone **zones) {
    size_t count = 0;
    bool with_cores = false;
    for (size_t i = 0; i < msr->layout.reader_count; i++) {
        struct msr_reader *reader = msr->layout.readers[i];
        if (is_core(reader) && (i == 0 || !is_core(msr->layout.readers[i - 1]) ||
                                msr->layout.readers[i - 1]->package_id != reader->package_id))
            with_cores = has_all_cores(msr, i);
        const bool shown = !reader->stale && (!is_core(reader) || with_cores);
        for (unsigned int j = 0; j < CPU_DOMAINS; j++) {
            if (shown && reader->zones[j] != NULL)
                zones[count++] = &reader->zones[j]->zone;
        }
        /* Hidden cores must not hold hundreds of descriptors. */
        if (is_core(reader) && !shown)
            msr_reader_close(reader, -ENODEV);
    }
    return count;
}

static void mark_shown(struct msr *msr) {
    for (size_t i = 0; i < msr->layout.reader_count; i++) {
        for (unsigned int j = 0; j < CPU_DOMAINS; j++) {
            if (msr->layout.readers[i]->zones[j] != NULL)
                msr->layout.readers[i]->zones[j]->shown = false;
        }
    }
    for (size_t i = 0; i < msr->source.zone_count; i++)
        ((struct msr_zone *)msr->source.zones[i])->shown = true;
}

/* Updates source->zones from the readers. 1: zones came or went, or a zone's error began or ended;
 * 0: nothing changed. */
static int show_zones(struct msr *msr) {
    struct source *source = &msr->source;
    struct source_lists lists;
    if (source_make_lists(&lists, msr->layout.reader_count * CPU_DOMAINS) != 0)
        return -ENOMEM;
    const size_t count = collect(msr, lists.zones);
    int changed = count != source->zone_count;
    for (size_t i = 0; i < count; i++) {
        struct msr_zone *zone = (struct msr_zone *)lists.zones[i];
        changed |= i >= source->zone_count || lists.zones[i] != source->zones[i] ||
                   (zone->known_error == 0) != (zone->zone.error == 0) ||
                   error_is_lost(zone->known_error) != error_is_lost(zone->zone.error);
        zone->known_error = zone->zone.error;
    }
    source_take_lists(source, &lists, count);
    mark_shown(msr);
    msr_readers_drop_stale(&msr->layout);
    return changed;
}

/* --- the source ------------------------------------------------------------------------------ */

/* Whether the processor has registers to look for. */
static bool judge_model(const struct msr *msr, struct problems *problems) {
    const struct cpu_model *model = &msr->options.model;
    const bool lacks_rapl = cpu_model_lacks_rapl(model);
    char subject[CPUINFO_MODEL_SIZE];
    cpuinfo_format_model(model, subject);
    if (lacks_rapl)
        problems_raise(problems, PROBLEM_MODEL, MODEL_WITHOUT_RAPL, subject);
    else if (msr->counters == NULL)
        problems_raise(problems, PROBLEM_MODEL, MODEL_WITHOUT_VENDOR,
                       cpuinfo_vendor_name(model->vendor));
    else if (msr->counters->domains == 0)
        problems_raise(problems, PROBLEM_MODEL, MODEL_WITHOUT_REGISTERS, subject);
    else if (msr->is_guess)
        problems_raise(problems, PROBLEM_MODEL, 0, subject);
    return !lacks_rapl && msr->counters != NULL && msr->counters->domains != 0;
}

static int look(struct msr *msr, struct problems *problems) {
    const int refreshed = msr_readers_refresh(&msr->layout);
    if (refreshed == -ENOMEM)
        return refreshed;
    /* A temporary failure (too many open files) must not remove zones. */
    if (refreshed < 0)
        problems_raise(problems, PROBLEM_MSR, refreshed, TOPOLOGY_ONLINE);
    if (msr->layout.topology.error != 0) {
        char path[TOPOLOGY_PATH_SIZE];
        topology_unplaced_path(&msr->layout.topology, path);
        problems_raise(problems, PROBLEM_PMU_FILE, msr->layout.topology.error, path);
    }
    for (size_t i = 0; i < msr->layout.reader_count; i++)
        msr_reader_check(msr->layout.readers[i], msr->counters, refreshed != 0);
    msr_readers_judge(&msr->layout);
    const int chosen = msr_budget_apply(&msr->layout, msr->counters->domains, identify,
                                        &msr->options, &msr->source, problems);
    if (chosen < 0)
        return chosen;
    const int moved = open_readers(msr, problems) | chosen;
    raise_closed(msr, problems);
    int error = probe_readers(msr, problems);
    if (error != 0)
        return error;
    const int changed = show_zones(msr);
    msr->source.file_count = 0;
    for (size_t i = 0; i < msr->layout.reader_count; i++)
        msr->source.file_count += msr->layout.readers[i]->device.file >= 0 ? 1 : 0;
    return changed < 0 ? changed : changed | moved;
}

static int msr_discover(struct source *source, struct problems *problems) {
    struct msr *msr = (struct msr *)source;
    int result = 0;
    problems_begin(problems, PASS_SOURCE);
    if (judge_model(msr, problems))
        result = look(msr, problems);
    /* A discovery that ran out of memory ends no state. */
    if (result != -ENOMEM)
        problems_end(problems, PASS_SOURCE);
    return result;
}

static int msr_read(struct zone *zone, uint64_t *ticks) {
    return msr_zone_read((struct msr_zone *)zone, ticks);
}

static void msr_sample(struct source *source) {
    uint64_t before_ns = clock_raw_ns();
    for (size_t i = 0; i < source->zone_count; i++) {
        struct msr_zone *zone = (struct msr_zone *)source->zones[i];
        struct reading *reading = &source->readings[i];
        reading->error = -ENODATA;
        if (!zone->zone.wanted)
            continue;
        reading->error = msr_zone_read(zone, &reading->ticks);
        before_ns = source_finish_read(source, i, before_ns, clock_raw_ns());
    }
}

static void msr_close(struct source *source) {
    struct msr *msr = (struct msr *)source;
    msr_readers_free(&msr->layout);
    free(source->zones);
    free(source->readings);
    free(source);
}

struct source *msr_open(const struct source_options *options) {
    static const struct source_operations operations = {.name = "msr",
                                                        .discover = msr_discover,
                                                        .sample = msr_sample,
                                                        .read = msr_read,
                                                        .close = msr_close};
    struct msr *msr = calloc(1, sizeof(*msr));
    if (msr == NULL)
        return NULL;
    msr->source.operations = &operations;
    msr->source.module = "msr";
    msr->source.limit.files = SIZE_MAX;
    msr->options = *options;
    msr->layout.root = options->root;
    msr->layout.vendor = options->model.vendor;
    msr->counters = cpu_model_find(&options->model);
    msr->is_guess = msr->counters == NULL;
    if (msr->is_guess)
        msr->counters = cpu_model_guess(options->model.vendor);
    return &msr->source;
}
