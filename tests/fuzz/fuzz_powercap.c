/* SPDX-License-Identifier: MIT */
/* The whole core on a powercap tree with any content, which changes between reports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "energy/counter.h"
#include "fuzz.h"
#include "rapl.h"
#include "system/clock.h"

#define CLASS "sys/class/powercap"
#define SERIES 64
/* The plausible power of psys, the largest of all. */
#define CEILING_UW UINT64_C(50000000000)

struct seen {
    uint64_t energy_uj[SERIES];
    uint64_t time_ns;
};

static void write_attribute(struct input *input) {
    static const char *const zones[] = {"intel-rapl:0",   "intel-rapl:0:0",   "intel-rapl:0:1",
                                        "intel-rapl:1",   "intel-rapl:2",     "intel-rapl:1:0",
                                        "intel-rapl:a:0", "intel-rapl-mmio:0"};
    static const char *const attributes[] = {"name", "max_energy_range_uj", "energy_uj",
                                             "constraint_0_max_power_uw",
                                             "constraint_1_power_limit_uw"};
    static const char *const others[] = {"proc/cpuinfo", "sys/devices/system/cpu/online",
                                         "sys/devices/system/cpu/modalias"};
    char path[128];
    const uint8_t where = take_byte(input);
    const uint8_t what = take_byte(input);
    char *text = take_text(input);
    if (where < 240)
        snprintf(path, sizeof(path), CLASS "/%s/%s", zones[where % COUNT_OF(zones)],
                 attributes[what % COUNT_OF(attributes)]);
    else
        snprintf(path, sizeof(path), "%s", others[what % COUNT_OF(others)]);
    if (where % 32 == 31)
        root_clear(path);
    else
        HOLDS(root_write_text(path, text));
    free(text);
}

/* "package-0/dram": plain on both sides of at most one slash, except for the colons of a
 * kernel id. */
static void check_name(const char *name) {
    char *copy = strdup(name);
    HOLDS(copy != NULL);
    for (char *colon = copy; (colon = strchr(colon, ':')) != NULL;)
        *colon = '-';
    char *slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        HOLDS(is_plain_name(slash + 1));
    }
    HOLDS(is_plain_name(copy));
    free(copy);
}

static void check_report(const struct rapl_report *report, struct seen *seen) {
    const uint64_t now_ns = clock_monotonic_ns();
    const uint64_t span_ns = now_ns - seen->time_ns + 2 * UINT64_C(50000000);
    for (size_t i = 0; i < report->value_count; i++) {
        const struct rapl_value *value = &report->values[i];
        check_name(value->name);
        HOLDS(is_plain_name(value->domain));
        HOLDS(strchr(value->parent, '/') == NULL);
        if (value->parent[0] != '\0')
            check_name(value->parent);
        for (size_t j = 0; j < i; j++)
            HOLDS(report->values[j].series != value->series &&
                  strcmp(report->values[j].name, value->name) != 0);
        HOLDS(!value->has_power || value->power_uw <= COUNT_OF(seen->energy_uj) * CEILING_UW);
        if (value->series >= SERIES)
            continue;
        const uint64_t before_uj = seen->energy_uj[value->series];
        HOLDS(value->energy_uj >= before_uj);
        /* total is a sum, and a gap may be longer than the time since the last report. */
        if (strcmp(value->domain, "total") != 0 && before_uj != 0)
            HOLDS((rapl_uint128)(value->energy_uj - before_uj) * 1000000000 <=
                  (rapl_uint128)CEILING_UW * (span_ns * 8));
        seen->energy_uj[value->series] = value->energy_uj;
    }
    seen->time_ns = now_ns;
}

static void check_texts(struct rapl *rapl) {
    struct rapl_problem problem;
    struct rapl_zone zone;
    while (rapl_next_problem(rapl, &problem))
        HOLDS(is_printable(problem.reason) && is_printable(problem.remedy));
    for (size_t i = 0; i < rapl_zone_count(rapl); i++) {
        rapl_zone(rapl, i, &zone);
        HOLDS(is_printable(zone.id) && is_printable(zone.name) && is_printable(zone.path));
        HOLDS(zone.ceiling_uw <= CEILING_UW);
        HOLDS(zone.error <= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    struct seen seen = {.time_ns = clock_monotonic_ns()};
    options.root = root_path();
    options.source = RAPL_SOURCE_POWERCAP;
    HOLDS(root_write(CLASS "/uevent", "", 0));
    for (uint8_t i = take_byte(&input) % 32; i > 0 && input.left > 0; i--)
        write_attribute(&input);
    HOLDS(rapl_open(&options, &rapl) == 0);
    check_texts(rapl);
    for (int i = 0; i < 4; i++) {
        const struct rapl_report *report = NULL;
        for (uint8_t j = take_byte(&input) % 4; j > 0 && input.left > 0; j--)
            write_attribute(&input);
        if (i == 2)
            HOLDS(rapl_sample(rapl) == 0);
        HOLDS(rapl_report(rapl, &report) == 0);
        check_report(report, &seen);
        check_texts(rapl);
    }
    rapl_close(rapl);
    root_clear("sys");
    root_clear("proc");
    return 0;
}
