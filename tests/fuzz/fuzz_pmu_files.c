/* SPDX-License-Identifier: MIT */
/* The directory of a PMU: names of events, and files with invalid contents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "source/perf/perf_pmu.h"
#include "zone/zone.h"

#define PMU PMU_FOLDER "/power"
#define FILES 16

static void check_problems(struct problems *problems) {
    struct rapl_problem problem;
    while (problems_next(problems, &problem))
        HOLDS(is_printable(problem.reason) && is_printable(problem.remedy) &&
              strchr(problem.reason, '\n') == NULL);
    problems_free(problems);
}

static void check_pmu(const struct pmu *pmu) {
    HOLDS(pmu->event_count <= pmu->event_names);
    for (size_t i = 0; i < pmu->event_count; i++) {
        const struct pmu_event *event = &pmu->events[i];
        HOLDS(is_plain_name(event->name) && strncmp(event->name, "energy-", 7) == 0);
        HOLDS(strlen(event->name) < 7 + ZONE_TEXT_SIZE);
        HOLDS(event->scale.numerator_uj > 0 && event->scale.denominator > 0);
        for (size_t j = 0; j < i; j++)
            HOLDS(strcmp(pmu->events[j].name, event->name) != 0);
        HOLDS(i == 0 || strcmp(event->name, "energy-pkg") != 0);
    }
    for (size_t i = 1; i < pmu->cpu_count; i++)
        HOLDS(pmu->cpus[i - 1] < pmu->cpus[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const attributes[] = {"type", "cpumask", "format/event"};
    struct input input = {bytes, size};
    struct problems problems = {.root = "/"};
    struct pmu pmu;
    for (size_t i = 0; i < COUNT_OF(attributes); i++) {
        char path[128];
        char *text = take_text(&input);
        snprintf(path, sizeof(path), PMU "/%s", attributes[i]);
        if (text[0] != '\0')
            HOLDS(root_write_text(path, text));
        free(text);
    }
    for (size_t i = 0; i < FILES && input.left > 0; i++) {
        char path[2048];
        char *name = take_text(&input);
        char *text = take_text(&input);
        snprintf(path, sizeof(path), PMU "/events/%.1024s", name);
        if (strchr(name, '/') == NULL)
            (void)root_write_text(path, text);
        free(name);
        free(text);
    }
    const uint64_t mark = pmu_mark(root_open(), "power");
    const int error = pmu_load(root_open(), "power", &pmu, &problems);
    HOLDS(error == 0 || error == -ENOENT);
    if (error == 0)
        check_pmu(&pmu);
    HOLDS(error != 0 || pmu_mark(root_open(), "power") == mark);
    pmu_free(&pmu);
    check_problems(&problems);
    root_clear(PMU);
    return 0;
}
