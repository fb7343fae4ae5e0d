/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <errno.h>
#include <string.h>

enum {
    UNIT_INTEL = 61035,
    UNIT_SERVER_DRAM = 15300,
    UNIT_AMD = 15258,
    UNIT_WHOLE_JOULE = 1000000000
};

/* One domain. Zone n of this domain has base_watts + n * more_watts. */
struct domain {
    double base_watts; /* 0: the machine lacks this domain */
    double more_watts;
    uint32_t unit_nj;
    const struct constraint_set *constraints;
};

struct machine_model {
    const char *name;
    const char *description;
    const char *vendor;
    unsigned cpu_family;
    unsigned cpu_model;
    const char *model_name;
    unsigned cpus;
    unsigned packages;
    unsigned dies; /* 0: zones name no die; else each die repeats its package's counter */
    struct domain package, core, uncore, dram, psys;
    const struct constraint_set *mmio; /* of the mirror of package-0, or NULL */
};

static const struct constraint_set no_constraints = {0};

static const struct constraint_set unlimited = {1, {{"long_term", 0, NO_VALUE, 976}}};

static const struct constraint_set laptop_package = {3,
                                                     {{"long_term", 28000000, 28000000, 27983872},
                                                      {"short_term", 64000000, 0, 2440},
                                                      {"peak_power", 108000000, 0, NO_VALUE}}};
static const struct constraint_set laptop_mmio = {
    2, {{"long_term", 25000000, 28000000, 31981568}, {"short_term", 51000000, 0, 2440}}};
static const struct constraint_set laptop_dram = {1, {{"long_term", 0, 0, 976}}};
static const struct constraint_set laptop_psys = {
    2, {{"long_term", 90000000, NO_VALUE, 27983872}, {"short_term", 120000000, NO_VALUE, 976}}};

static const struct constraint_set server_package = {
    2, {{"long_term", 205000000, 205000000, 999424}, {"short_term", 246000000, 0, 7808}}};
static const struct constraint_set server_dram = {1, {{"long_term", 0, 41250000, 976}}};

static const struct constraint_set sapphire_package = {
    2, {{"long_term", 350000000, 350000000, 999424}, {"short_term", 420000000, 0, 11712}}};
static const struct constraint_set sapphire_dram = {1, {{"long_term", 0, 66000000, 976}}};
static const struct constraint_set sapphire_psys = {
    2, {{"long_term", 0, NO_VALUE, 976}, {"short_term", 0, NO_VALUE, 976}}};

static const struct constraint_set many_package = {
    2, {{"long_term", 165000000, 165000000, 999424}, {"short_term", 198000000, 0, 7808}}};
static const struct constraint_set many_dram = {1, {{"long_term", 0, 22500000, 976}}};

static const struct machine_model models[] = {
    {.name = "laptop",
     .description = "one package with core, uncore and dram; psys; mmio mirror of the package",
     .vendor = "GenuineIntel",
     .cpu_family = 6,
     .cpu_model = 154,
     .model_name = "Simulated laptop processor",
     .cpus = 8,
     .packages = 1,
     .package = {17.3, 0, UNIT_INTEL, &laptop_package},
     .core = {9.1, 0, UNIT_INTEL, &unlimited},
     .uncore = {2.7, 0, UNIT_INTEL, &unlimited},
     .dram = {1.9, 0, UNIT_INTEL, &laptop_dram},
     .psys = {26.4, 0, UNIT_INTEL, &laptop_psys},
     .mmio = &laptop_mmio},
    {.name = "server",
     .description = "two Intel packages, each with dram of its own energy unit",
     .vendor = "GenuineIntel",
     .cpu_family = 6,
     .cpu_model = 85,
     .model_name = "Simulated server processor",
     .cpus = 16,
     .packages = 2,
     .package = {142.5, 23.75, UNIT_INTEL, &server_package},
     .dram = {18.25, 3.5, UNIT_SERVER_DRAM, &server_dram}},
    {.name = "epyc",
     .description = "two AMD packages, each with a core zone that is one core; no constraints",
     .vendor = "AuthenticAMD",
     .cpu_family = 25,
     .cpu_model = 17,
     .model_name = "Simulated EPYC processor",
     .cpus = 32,
     .packages = 2,
     .package = {187, 26.5, UNIT_AMD, &no_constraints},
     .core = {4.3, 0.85, UNIT_AMD, &no_constraints}},
    {.name = "epyc-6.9",
     .description = "the same under Linux 6.9: eight zones a package, all of them its counter",
     .vendor = "AuthenticAMD",
     .cpu_family = 25,
     .cpu_model = 17,
     .model_name = "Simulated EPYC processor",
     .cpus = 32,
     .packages = 2,
     .dies = 8,
     .package = {187, 26.5, UNIT_AMD, &no_constraints},
     .core = {3.1, 0.17, UNIT_AMD, &no_constraints}},
    {.name = "sapphire-rapids",
     .description = "two packages with dram, and between them psys in whole joules",
     .vendor = "GenuineIntel",
     .cpu_family = 6,
     .cpu_model = 143,
     .model_name = "Simulated Sapphire Rapids processor",
     .cpus = 16,
     .packages = 2,
     .package = {231.5, 18.25, UNIT_INTEL, &sapphire_package},
     .dram = {27.75, 4.5, UNIT_INTEL, &sapphire_dram},
     .psys = {331, 47, UNIT_WHOLE_JOULE, &sapphire_psys}},
    {.name = "16-packages",
     .description = "sixteen packages with dram, ids up to intel-rapl:f",
     .vendor = "GenuineIntel",
     .cpu_family = 6,
     .cpu_model = 85,
     .model_name = "Simulated many-socket processor",
     .cpus = 32,
     .packages = 16,
     .package = {61.5, 5.75, UNIT_INTEL, &many_package},
     .dram = {6.2, 0.45, UNIT_SERVER_DRAM, &many_dram}},
};

const struct machine_model *machine_find_model(const char *name) {
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    }
    return NULL;
}

void machine_print_models(FILE *stream) {
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
        fprintf(stream, "%-16s %s\n", models[i].name, models[i].description);
}

static unsigned count_children(const struct machine *machine, int parent, const char *type) {
    unsigned count = 0;

    for (size_t i = 0; i < machine->zone_count; i++) {
        const struct zone *zone = &machine->zones[i];
        if (zone->parent == parent && strcmp(zone->control_type, type) == 0)
            count++;
    }
    return count;
}

/* Ids are those of the kernel: registration order below the parent, in hexadecimal. */
static struct zone *add_zone(struct machine *machine, const char *control_type, int parent,
                             const char *name, const struct constraint_set *constraints) {
    const unsigned index = count_children(machine, parent, control_type);
    const struct constraint *first = constraints->count > 0 ? &constraints->list[0] : NULL;
    struct zone zone = {.control_type = control_type,
                        .parent = parent,
                        .constraints = constraints,
                        .enabled = first != NULL && first->power_limit_uw > 0,
                        .present = true};

    snprintf(zone.name, sizeof(zone.name), "%s", name);
    if (parent < 0) {
        snprintf(zone.id, sizeof(zone.id), "%s:%x", control_type, index);
        snprintf(zone.series, sizeof(zone.series), "%s", name);
    } else {
        const struct zone *above = &machine->zones[parent];
        snprintf(zone.id, sizeof(zone.id), "%.24s:%x", above->id, index);
        snprintf(zone.series, sizeof(zone.series), "%s/%s", above->name, name);
    }
    machine->zones[machine->zone_count] = zone;
    return &machine->zones[machine->zone_count++];
}

static int add_counter(struct machine *machine, struct zone *zone, const struct domain *domain,
                       unsigned nth, bool in_total) {
    const uint32_t seed = (uint32_t)machine->counter_count + 1;

    zone->counter = machine->counter_count;
    zone->in_total = in_total;
    machine->counter_count++;
    return counter_open(&machine->counters[zone->counter], domain->unit_nj, seed,
                        domain->base_watts + nth * domain->more_watts);
}

static int add_sub_zone(struct machine *machine, int parent, const char *name,
                        const struct domain *domain, unsigned nth, bool in_total) {
    if (domain->base_watts <= 0)
        return 0;
    return add_counter(
        machine,
        add_zone(machine, machine->zones[parent].control_type, parent, name, domain->constraints),
        domain, nth, in_total);
}

static int add_package(struct machine *machine, unsigned package, unsigned die, size_t first) {
    const struct machine_model *model = machine->model;
    const unsigned nth = model->dies > 0 ? package * model->dies + die : package;
    const int index = (int)machine->zone_count;
    char name[40];
    struct zone *zone;
    int error = 0;

    if (model->dies > 0)
        snprintf(name, sizeof(name), "package-%u-die-%u", package, die);
    else
        snprintf(name, sizeof(name), "package-%u", package);
    zone = add_zone(machine, "intel-rapl", -1, name, model->package.constraints);

    if (die == 0)
        error = add_counter(machine, zone, &model->package, package, true);
    else
        zone->counter = machine->zones[first].counter;
    if (error == 0)
        error = add_sub_zone(machine, index, "core", &model->core, nth, false);
    if (error == 0)
        error = add_sub_zone(machine, index, "uncore", &model->uncore, nth, false);
    if (error == 0)
        error = add_sub_zone(machine, index, "dram", &model->dram, nth, true);
    return error;
}

static int add_psys(struct machine *machine, unsigned package) {
    const struct domain *psys = &machine->model->psys;
    char name[40] = "psys";

    if (psys->base_watts <= 0)
        return 0;
    if (package > 0)
        snprintf(name, sizeof(name), "psys-%u", package);
    return add_counter(machine, add_zone(machine, "intel-rapl", -1, name, psys->constraints), psys,
                       package, false);
}

int machine_open(struct machine *machine, const struct machine_model *model) {
    const unsigned dies = model->dies > 0 ? model->dies : 1;
    int error = 0;

    *machine = (struct machine){.model = model};
    snprintf(machine->online, sizeof(machine->online), "0-%u", model->cpus - 1);

    for (unsigned package = 0; error == 0 && package < model->packages; package++) {
        const size_t first = machine->zone_count;
        for (unsigned die = 0; error == 0 && die < dies; die++)
            error = add_package(machine, package, die, first);
        if (error == 0)
            error = add_psys(machine, package);
    }
    if (error == 0 && model->mmio != NULL)
        add_zone(machine, "intel-rapl-mmio", -1, "package-0", model->mmio)->counter =
            machine->zones[0].counter;
    if (error != 0)
        machine_close(machine);
    return error;
}

void machine_close(struct machine *machine) {
    for (size_t i = 0; i < machine->counter_count; i++)
        counter_close(&machine->counters[i]);
    machine->counter_count = 0;
}

struct machine_shape machine_get_shape(const struct machine *machine) {
    const struct machine_model *model = machine->model;

    return (struct machine_shape){.is_amd = strcmp(model->vendor, "AuthenticAMD") == 0,
                                  .cpus = model->cpus,
                                  .packages = model->packages,
                                  .dies = model->dies};
}

const char *machine_name(const struct machine *machine) {
    return machine->model->name;
}

void machine_print_cpuinfo(const struct machine *machine, FILE *stream) {
    const struct machine_model *model = machine->model;

    for (unsigned cpu = 0; cpu < model->cpus; cpu++)
        fprintf(stream,
                "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
                "model name\t: %s\n\n",
                cpu, model->vendor, model->cpu_family, model->cpu_model, model->model_name);
}

struct zone *machine_find_zone(struct machine *machine, const char *name) {
    for (size_t i = 0; i < machine->zone_count; i++) {
        if (strcmp(machine->zones[i].series, name) == 0 || strcmp(machine->zones[i].id, name) == 0)
            return &machine->zones[i];
    }
    return NULL;
}

const struct zone *machine_find_zone_of(const struct machine *machine, const char *series) {
    for (size_t i = 0; i < machine->zone_count; i++) {
        if (strcmp(machine->zones[i].series, series) == 0)
            return &machine->zones[i];
    }
    return NULL;
}

bool machine_has_control_type(const struct machine *machine, const char *control_type) {
    return count_children(machine, -1, control_type) > 0;
}
