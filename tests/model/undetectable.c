/* SPDX-License-Identifier: MIT */
/*
 * Measures, with the whole core, restarts at 0 of a running counter without a failed read or sleep.
 * The step is then equally likely to be any number from 0 to the range, so the probability that it
 * is below the ceiling and passes for energy is ceiling x time / range.
 */
#include "undetectable.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_source.h"
#include "machine.h"
#include "reference.h"

#define TRIALS 20000
#define WATT UINT64_C(1000000)

struct trial {
    uint64_t unit_nj;
    uint64_t ceiling_w;
    uint64_t power_w;
    uint64_t interval_s;
};

struct outcome {
    unsigned int passed;
    double error_j; /* energy counted in excess, by those that passed */
};

static struct machine machine;

static void make_machine(const struct trial *trial, uint64_t seed) {
    memset(&machine, 0, sizeof(machine));
    machine.random.state = seed;
    machine.style = STYLE_POWERCAP;
    machine.vendor = CPU_VENDOR_INTEL;
    machine.monotonic_ns = 1000 * NS_PER_S;
    machine.wall_ns = 1000 * NS_PER_S;
    machine.counter_count = machine.place_count = 1;
    machine.hardware[0] = (struct hardware){.unit_aj = trial->unit_nj * AJ_PER_NJ,
                                            .as_of_ns = machine_true_ns(&machine),
                                            .power_uw = trial->power_w * WATT,
                                            .offset = random_next(&machine.random)};
    machine.places[0] = (struct place){.kind = ZONE_PACKAGE,
                                       .domain = "package",
                                       .die_id = -1,
                                       .core_id = -1,
                                       .ceiling_uw = trial->ceiling_w * WATT,
                                       .shows_range = true,
                                       .there = true,
                                       .generation = 1};
}

/* Lets time pass, with the reads that the core requests. */
static void pass_until(struct rapl *rapl, uint64_t end_ns) {
    for (;;) {
        const uint64_t due_ns = rapl_sample_due_ns(rapl);
        if (due_ns == 0 || due_ns >= end_ns)
            break;
        machine_pass_until(&machine, due_ns);
        rapl_sample(rapl);
    }
    machine_pass_until(&machine, end_ns);
}

/* Runs one interval with one restart. If its energy is reported, the restart has passed. */
static void try_once(const struct trial *trial, uint64_t seed, struct outcome *outcome) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    const struct rapl_report *report = NULL;
    struct rapl *rapl = NULL;
    make_machine(trial, seed);
    world_begin(&machine);
    world.is_unjudged = true;
    options.root = "/";
    options.source = RAPL_SOURCE_POWERCAP;
    reference_begin(&machine, &options);
    if (rapl_open(&options, &rapl) != 0)
        abort();
    struct hardware *hardware = &machine.hardware[0];
    const uint64_t begin_ns = machine.monotonic_ns;
    const uint64_t count = hardware->count;
    const uint64_t interval_ns = trial->interval_s * NS_PER_S;
    pass_until(rapl, begin_ns + random_below(&machine.random, interval_ns));
    machine_settle(&machine, hardware);
    hardware->offset = 0 - hardware->count;
    pass_until(rapl, begin_ns + interval_ns);
    if (rapl_report(rapl, &report) != 0)
        abort();
    if (report->health.resets == 0 && report->health.gaps == 0) {
        const uint64_t used_nj = (hardware->count - count) * trial->unit_nj;
        outcome->passed++;
        outcome->error_j += (double)report->values[0].energy_uj / 1e6 - (double)used_nj / 1e9;
    }
    rapl_close(rapl);
}

/* Expected probability and mean error, for the longest steps that the core allows. */
static void expect(const struct trial *trial, double *chance, double *error_j) {
    const double range_j = 4294967296.0 * (double)trial->unit_nj / 1e9;
    const double ceiling_w = (double)trial->ceiling_w;
    const double longest_s = range_j / ceiling_w / 2;
    double left_s = (double)trial->interval_s;
    double weight = 0;
    *chance = *error_j = 0;
    while (left_s > 0) {
        const double step_s = left_s < longest_s ? left_s : longest_s;
        const double passed = step_s / (double)trial->interval_s * ceiling_w * step_s / range_j;
        *chance += passed;
        /* The counted energy is uniformly distributed up to the ceiling. */
        *error_j += passed * (ceiling_w / 2 - (double)trial->power_w) * step_s;
        weight += passed;
        left_s -= step_s;
    }
    *error_j /= weight;
}

static bool measure(const struct trial *trial) {
    struct outcome outcome = {.passed = 0};
    struct random random = {.state = trial->interval_s + trial->unit_nj};
    double chance;
    double error_j;
    expect(trial, &chance, &error_j);
    for (int i = 0; i < TRIALS; i++)
        try_once(trial, random_next(&random), &outcome);
    const double share = (double)outcome.passed / TRIALS;
    const double mean_j = outcome.passed > 0 ? outcome.error_j / outcome.passed : 0;
    /* Four standard deviations; the deviation of the mean follows from the uniform distribution. */
    const double slack = 4 * sqrt(chance * (1 - chance) / TRIALS);
    const double slack_j =
        4 * (error_j + (double)trial->power_w) / sqrt(TRIALS * chance) + (double)trial->power_w;
    printf("# %7.0f J %6llu W %6llu W %6llu s %9.3f %% %9.3f %% %10.0f J %10.0f J\n",
           4.294967296 * (double)trial->unit_nj, (unsigned long long)trial->ceiling_w,
           (unsigned long long)trial->power_w, (unsigned long long)trial->interval_s, share * 100,
           chance * 100, mean_j, error_j);
    return fabs(share - chance) < slack && fabs(mean_j - error_j) < slack_j;
}

int undetectable_measure(void) {
    static const struct trial trials[] = {
        {61035, 500, 100, 1},    {61035, 500, 100, 10},  {61035, 500, 100, 60},
        {61035, 500, 100, 600},  {61035, 1000, 100, 10}, {61035, 1000, 100, 60},
        {61035, 1000, 100, 600}, {15258, 1000, 100, 10}, {15258, 1000, 100, 60},
        {15258, 1000, 100, 600},
    };
    const size_t count = sizeof(trials) / sizeof(trials[0]);
    int failed = 0;
    printf("# starts that pass for energy, of %d\n"
           "#     range  ceiling   power interval     passed    expected "
           "  mean error   expected\n",
           TRIALS);
    for (size_t i = 0; i < count; i++) {
        const bool fine = measure(&trials[i]);
        failed += !fine;
        printf("%s %zu - a start within %llu s, range %.0f J, ceiling %llu W\n",
               fine ? "ok" : "not ok", i + 1, (unsigned long long)trials[i].interval_s,
               4.294967296 * (double)trials[i].unit_nj, (unsigned long long)trials[i].ceiling_w);
    }
    printf("1..%zu\n", count);
    return failed > 0;
}
