/* SPDX-License-Identifier: MIT */
/*
 * Tests counters that move once in 0 to 5 s, under constant and changing load, with reports every
 * 50 ms to 60 s, with and without statistics. Every joule must be counted, power must be right for
 * its span, and under constant load no statistic may be off by more than one part in 20.
 */
#include "slow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_source.h"
#include "machine.h"
#include "reference.h"

#define WATT UINT64_C(1000000)
#define SHARPNESS 0.05
#define CHANGES_MAX 4096
/* In units of 61 uJ, of 2^32: at 1 kW the counter wraps after more than 60 s. */
#define WRAPS_LATE UINT64_C(3200000000)

struct trial {
    uint64_t period_ns;
    uint64_t interval_ns;
    uint64_t sample_ns; /* 0: no statistics */
    uint64_t power_uw;
    bool changes; /* the load changes at random, by half */
};

struct outcome {
    unsigned int reports;
    unsigned int powers;
    unsigned int windows;
    unsigned int first_power; /* number of the first report with power */
    double worst;             /* largest relative error of a power or statistic */
    double reads_per_second;
    const char *wrong;
};

static struct machine machine;

/* True energy since the start, at each change of the load. */
static struct {
    uint64_t time_ns;
    double energy_uj;
    uint64_t power_uw;
} changes[CHANGES_MAX];
static size_t change_count;

static double true_energy_uj(uint64_t time_ns) {
    size_t i = change_count - 1;
    while (i > 0 && changes[i].time_ns > time_ns)
        i--;
    return changes[i].energy_uj +
           ((double)time_ns - (double)changes[i].time_ns) * (double)changes[i].power_uw / 1e9;
}

static void set_power(uint64_t power_uw) {
    if (change_count == CHANGES_MAX)
        return;
    machine_settle(&machine, &machine.hardware[0]);
    const uint64_t as_of_ns = machine.hardware[0].as_of_ns;
    const double energy_uj = change_count > 0 ? true_energy_uj(as_of_ns) : 0;
    machine.hardware[0].power_uw = power_uw;
    changes[change_count].time_ns = as_of_ns;
    changes[change_count].energy_uj = energy_uj;
    changes[change_count++].power_uw = power_uw;
}

static void make_machine(const struct trial *trial, uint64_t seed) {
    memset(&machine, 0, sizeof(machine));
    machine.random.state = seed;
    machine.style = STYLE_POWERCAP;
    machine.vendor = CPU_VENDOR_INTEL;
    machine.period_ns = trial->period_ns;
    machine.monotonic_ns = 1000 * NS_PER_S + random_below(&machine.random, 10 * NS_PER_S);
    machine.raw_ns = 500 * NS_PER_S + random_below(&machine.random, 10 * NS_PER_S);
    machine.wall_ns = 1000 * NS_PER_S;
    machine.counter_count = machine.place_count = 1;
    machine.hardware[0] = (struct hardware){.unit_aj = 61035 * AJ_PER_NJ,
                                            .as_of_ns = machine.raw_ns,
                                            .offset = random_below(&machine.random, WRAPS_LATE)};
    if (trial->period_ns != 0)
        machine.hardware[0].as_of_ns -= machine.raw_ns % trial->period_ns;
    machine.places[0] = (struct place){.kind = ZONE_PACKAGE,
                                       .domain = "package",
                                       .die_id = -1,
                                       .core_id = -1,
                                       .ceiling_uw = 1100 * WATT,
                                       .shows_range = true,
                                       .there = true,
                                       .generation = 1};
    change_count = 0;
    set_power(trial->power_uw);
}

static void pass_until(struct rapl *rapl, const struct trial *trial, uint64_t end_ns) {
    for (;;) {
        const uint64_t due_ns = rapl_sample_due_ns(rapl);
        if (due_ns == 0 || due_ns >= end_ns)
            break;
        /* Waiting programs wake some microseconds late. */
        machine_pass_until(&machine, due_ns + 20000 + random_below(&machine.random, 60000));
        rapl_sample(rapl);
        if (trial->changes && random_once_in(&machine.random, 50))
            set_power(trial->power_uw / 2 + random_below(&machine.random, trial->power_uw / 2));
    }
    machine_pass_until(&machine, end_ns);
}

static void note_share(struct outcome *outcome, double share, const char *what) {
    if (share > outcome->worst)
        outcome->worst = share;
    if (share > SHARPNESS && outcome->wrong == NULL)
        outcome->wrong = what;
}

static void judge(const struct trial *trial, const struct rapl_value *value,
                  struct outcome *outcome) {
    const double true_uj = true_energy_uj(value->end_ns) - true_energy_uj(value->start_ns);
    const double span_ns = (double)(value->end_ns - value->start_ns);
    if (!value->has_power)
        return;
    if (outcome->powers++ == 0)
        outcome->first_power = outcome->reports;
    note_share(outcome, fabs((double)value->power_uw / (true_uj / span_ns * 1e9) - 1), "power");
    if (!value->has_statistics || value->statistics.samples == 0 || trial->changes)
        return;
    outcome->windows++;
    note_share(outcome, fabs((double)value->statistics.max_uw / (double)trial->power_uw - 1),
               "maximum");
    note_share(outcome, fabs((double)value->statistics.min_uw / (double)trial->power_uw - 1),
               "minimum");
}

static unsigned int choose_reports(const struct trial *trial) {
    const uint64_t longest_ns =
        trial->sample_ns != 0 ? 60 * trial->period_ns + 5 * NS_PER_S : 20 * NS_PER_S;
    const uint64_t reports = (longest_ns + 10 * trial->period_ns) / trial->interval_ns;
    return reports > 20 ? (unsigned int)reports : 20;
}

/* Reports at least this far apart all have power: no read is close enough to the updates of a
 * counter that moves every 25 ms or more often. */
static uint64_t shortest_ns(const struct trial *trial) {
    const uint64_t spans_ns = (trial->period_ns > 25 * NS_PER_MS ? 2 : 28) * trial->period_ns;
    return spans_ns > 51 * NS_PER_MS ? spans_ns : 51 * NS_PER_MS;
}

static void run(const struct trial *trial, uint64_t seed, struct outcome *outcome) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    const struct rapl_report *report = NULL;
    struct rapl *rapl = NULL;
    make_machine(trial, seed);
    world_begin(&machine);
    world.is_unjudged = true;
    options.root = "/";
    options.source = RAPL_SOURCE_POWERCAP;
    options.sample_interval_ns = trial->sample_ns;
    reference_begin(&machine, &options);
    if (rapl_open(&options, &rapl) != 0)
        abort();
    const uint64_t begin_ns = machine.raw_ns;
    const uint64_t count = machine.hardware[0].count;
    const unsigned int reports = choose_reports(trial);
    uint64_t next_ns = machine.monotonic_ns;
    uint64_t readings = world.readings;
    for (outcome->reports = 0; outcome->reports < reports; outcome->reports++) {
        next_ns += trial->interval_ns;
        pass_until(rapl, trial, next_ns + random_below(&machine.random, 100000));
        if (rapl_report(rapl, &report) != 0)
            abort();
        if (outcome->reports == reports / 2)
            readings = world.readings;
        if (report->value_count == 0) {
            outcome->wrong = "a report without the series";
            break;
        }
        judge(trial, &report->values[0], outcome);
    }
    outcome->reads_per_second =
        (double)(world.readings - readings) * 2e9 / (double)(machine.raw_ns - begin_ns);
    const uint64_t used_uj = (machine.hardware[0].count - count) * 61035 / 1000;
    if (report->values[0].energy_uj > used_uj + 2 * outcome->reports ||
        report->values[0].energy_uj + 2 * outcome->reports < used_uj)
        outcome->wrong = "energy";
    if (report->health.resets > 0 || report->health.gaps > 0)
        outcome->wrong = "a reset or a gap";
    const unsigned int late = outcome->reports - outcome->first_power;
    if (outcome->wrong == NULL &&
        (outcome->powers == 0 ||
         (trial->interval_ns >= shortest_ns(trial) && outcome->powers < late * 9 / 10)))
        outcome->wrong = "too few powers";
    rapl_close(rapl);
}

static int number;
static int failed;

static void try_reports(const struct trial *trial) {
    struct outcome outcome = {.wrong = NULL};
    run(trial, trial->period_ns + trial->interval_ns + trial->power_uw, &outcome);
    failed += outcome.wrong != NULL;
    printf("%s %d - period %g ms, reports each %g ms, samples each %g ms, %g W%s: %s%s\n",
           outcome.wrong == NULL ? "ok" : "not ok", ++number, (double)trial->period_ns / 1e6,
           (double)trial->interval_ns / 1e6, (double)trial->sample_ns / 1e6,
           (double)trial->power_uw / 1e6, trial->changes ? ", changing" : "",
           outcome.wrong == NULL ? "at most " : outcome.wrong, "");
    printf("#   %u reports, %u with power, the first after %.1f s, %u with statistics; off by %.2f "
           "%%; %.1f reads a second\n",
           outcome.reports, outcome.powers,
           (double)(outcome.first_power + 1) * (double)trial->interval_ns / 1e9, outcome.windows,
           outcome.worst * 100, outcome.reads_per_second);
}

int slow_measure(void) {
    static const uint64_t periods_us[] = {0,     1000,  1200,   2000,    5000,    8000,   9500,
                                          10000, 30000, 100000, 1000000, 1150000, 5000000};
    static const uint64_t intervals_ms[] = {50, 100, 250, 1000, 1500, 2500, 10000, 60000};
    static const uint64_t samples_ms[] = {1, 10, 100};
    static const uint64_t powers_uw[] = {20 * WATT, 142500000, 1000 * WATT};
    for (size_t i = 0; i < sizeof(periods_us) / sizeof(periods_us[0]); i++) {
        for (size_t j = 0; j < sizeof(intervals_ms) / sizeof(intervals_ms[0]); j++) {
            struct trial trial = {.period_ns = periods_us[i] * 1000,
                                  .interval_ns = intervals_ms[j] * NS_PER_MS};
            for (size_t k = 0; k < sizeof(powers_uw) / sizeof(powers_uw[0]); k++) {
                trial.power_uw = powers_uw[k];

                try_reports(&trial);
            }
            trial.changes = true;

            try_reports(&trial);
        }
        for (size_t j = 0; j < sizeof(samples_ms) / sizeof(samples_ms[0]); j++) {
            struct trial trial = {.period_ns = periods_us[i] * 1000,
                                  .interval_ns = 10 * NS_PER_S,
                                  .sample_ns = samples_ms[j] * NS_PER_MS,
                                  .power_uw = 142500000};

            try_reports(&trial);
        }
    }
    printf("1..%d\n", number);
    return failed > 0;
}
