/* SPDX-License-Identifier: MIT */
/*
 * A random walk over the whole core: random machines, with every report compared with a reference
 * that knows the true energy.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_source.h"
#include "machine.h"
#include "rapl.h"
#include "reference.h"
#include "slow.h"
#include "tree_source.h"
#include "undetectable.h"

static struct {
    struct machine machine;
    struct rapl *rapl;
    uint64_t seed; /* of this machine */
    uint64_t first_reading;
    uint64_t last_reading;
    bool tells_problems;
} walk;

/* --- one machine ---------------------------------------------------------------------------------
 */

/* Half of the machines have statistics: with a few samples per interval, or with so many that most
 * are missed. */
static void choose_samples(struct rapl_options *options) {
    struct random *random = &walk.machine.random;
    uint64_t every_ns = walk.machine.interval_ns / (1 + random_below(random, 60));
    if (random_once_in(random, 4))
        every_ns = (1 + random_below(random, 50)) * NS_PER_MS;
    if (random_once_in(random, 2))
        every_ns -= every_ns % NS_PER_MS;
    if (random_once_in(random, 2))
        options->sample_interval_ns = every_ns > NS_PER_MS ? every_ns : NS_PER_MS;
    if (random_once_in(random, 16))
        options->statistics = 0;
}

static void choose_options(struct rapl_options *options) {
    static const char *const packages[] = {"package-*"};
    static const char *const drams[] = {"*/dram", "psys*"};
    static const char *const total[] = {"total"};
    static const char *const cores[] = {"*/core", "*/lead_core", "package-0"};
    static const struct {
        const char *const *patterns;
        size_t count;
    } zone_filters[] = {{packages, 1}, {drams, 2}, {total, 1}, {cores, 3}};
    struct random *random = &walk.machine.random;
    *options = (struct rapl_options)RAPL_OPTIONS_DEFAULT;
    options->root = tree_source_root() != NULL ? tree_source_root() : "/";
    options->source = RAPL_SOURCE_POWERCAP + (enum rapl_source)walk.machine.style;
    if (walk.machine.style == STYLE_POWERCAP && random_once_in(random, 2))
        options->source = RAPL_SOURCE_AUTO;
    options->total = !random_once_in(random, 8);
    options->cores = random_once_in(random, 2);
    options->max_power_uw = walk.machine.max_power_uw;
    choose_samples(options);
    const uint64_t which = random_below(random, 12);
    if (which >= sizeof(zone_filters) / sizeof(zone_filters[0]))
        return;
    options->include = zone_filters[which].patterns;
    options->include_count = zone_filters[which].count;
}

/* If memory ran out, the readings are lost and the interval continues. */
static void note_sample(int result) {
    if (world.samples > 0)
        reference_sampled(world.source, result == 0);
    reference.tally.no_memory += world.memory_failed;
    if (result != 0 && (result != -ENOMEM || !world.memory_failed))
        reference_complain("result %d", result);
    world.samples = 0;
}

/* Checks that the core reports a lack of memory only if there was one. The machine does not change
 * until a retry succeeds: a binding that was interrupted may miss zones that go meanwhile. */
static bool has_to_repeat(int result) {
    world.memory_fails = false;
    note_sample(result);
    return result == -ENOMEM && !reference_has_complained();
}

static void maybe_take_memory(void) {
    struct machine *machine = &walk.machine;
    world.memory_failed = false;
    world.memory_fails = random_once_in(&machine->random, machine->habits.memory);
    world.memory_left = random_below(&machine->random, 4);
}

static void take_guard_sample(void) {
    do
        maybe_take_memory();
    while (has_to_repeat(rapl_sample(walk.rapl)));
}

static bool take_report(const struct rapl_report **report) {
    int result;
    do {
        maybe_take_memory();
        reference_watch();
        const bool due = reference_look_is_due();
        world.looks = 0;
        world.waits = 0;
        world.is_report = true;
        result = rapl_report(walk.rapl, report);
        world.is_report = false;
        if (world.looks != due)
            reference_complain("%s", due ? "it does not look for zones" : "it looks for zones");
    } while (has_to_repeat(result));
    if (world.waits < 4 && reference_count_lows() > 0)
        reference_complain("it does not read again what showed less than before");
    reference.health.gaps += reference_count_gaps();
    world.has_reported = true;
    world.reported_ns = world.begin_ns;
    return result == 0;
}

#define SAMPLES_MOST 300
#define LONG_STEPS 10000000

/* Lets time pass until the next report, with the samples that the core requests. */
static void pass_interval(void) {
    struct machine *machine = &walk.machine;
    const uint64_t end_ns = machine->monotonic_ns + machine_choose_interval(machine);
    const bool lazy = random_once_in(&machine->random, machine->habits.lazy);
    for (unsigned int i = 0; !lazy; i++) {
        /* Limits the samples. On a hot machine a counter may then wrap unseen before the end. */
        if (i == SAMPLES_MOST && machine->is_hot)
            return;
        if (i == SAMPLES_MOST)
            break;
        const uint64_t due_ns = rapl_sample_due_ns(walk.rapl);
        if (due_ns != reference_due_ns())
            reference_complain("the next sample is due at %llu instead of %llu",
                               (unsigned long long)due_ns, (unsigned long long)reference_due_ns());
        if (due_ns == 0 || due_ns >= end_ns || reference_has_complained())
            break;
        machine_pass_until(machine, due_ns);
        if (random_once_in(&machine->random, machine->habits.late))
            machine_pass(machine, random_scaled(&machine->random, 3 * machine->interval_ns));
        take_guard_sample();
        machine_live(machine);
    }
    machine_pass_until(machine, end_ns);
}

static void drain_problems(void) {
    struct rapl_problem problem;
    for (int i = 0; walk.tells_problems && rapl_next_problem(walk.rapl, &problem); i++) {
        if (i > 10000)
            reference_complain("problems never end");
    }
}

static bool walk_machine(uint64_t seed) {
    struct rapl_options options;
    const struct rapl_report *report = NULL;
    machine_make(&walk.machine, seed, tree_source_root() != NULL);
    walk.seed = seed;
    world_begin(&walk.machine);
    choose_options(&options);
    reference_begin(&walk.machine, &options);
    /* Files are slow, so a machine that is read through them is watched for fewer readings. */
    const uint64_t most = tree_source_root() != NULL ? 3000 : 60000;
    const uint64_t steps = 200 + random_scaled(&walk.machine.random, most);
    const uint64_t last = world.readings + steps;
    walk.tells_problems = random_once_in(&walk.machine.random, 2);
    world.is_report = true;
    if (rapl_open(&options, &walk.rapl) != 0)
        reference_complain("it does not open");
    world.is_report = false;
    world.has_reported = true;
    world.reported_ns = world.begin_ns;
    note_sample(0);
    reference.tally.machines++;
    reference_close_first();
    /* Stop early if nothing is selected, or everything has been gone for long. */
    uint64_t idle = 0;
    while (world.readings < last && idle < 100 && !reference_has_complained()) {
        const uint64_t readings = world.readings;
        machine_live(&walk.machine);
        pass_interval();
        if (take_report(&report))
            reference_judge(report);
        drain_problems();
        idle = world.readings == readings ? idle + 1 : 0;
    }
    rapl_close(walk.rapl);
    walk.rapl = NULL;
    if (!reference_has_complained())
        return true;
    fprintf(stderr, "# caught after %llu steps, %llu of this machine; replay with --machine %llu\n",
            (unsigned long long)world.readings,
            (unsigned long long)(world.readings - (last - steps)), (unsigned long long)seed);
    machine_print(&walk.machine);
    return false;
}

/* --- the walk
 * -------------------------------------------------------------------------------------- */

struct count {
    const char *name;
    uint64_t count;
};

/* Fails if the walk never reached something: then it was not tested. */
static void print_counts(const struct count *counts, size_t length, bool reached) {
    for (size_t i = 0; i < length; i++) {
        printf("# %-28s %12llu\n", counts[i].name, (unsigned long long)counts[i].count);
        if (reached && counts[i].count == 0)
            reference_complain("no %s: the walk did not get there", counts[i].name);
    }
}

static void print_tally(void) {
    const struct tally *tally = &reference.tally;
    const struct count always[] = {
        {"machines", tally->machines},
        {"steps (readings of a zone)", world.readings},
        {"samples", tally->samples},
        {"reports", tally->reports},
        {"intervals told", tally->intervals},
        {"with power", tally->powers},
        {"intervals left out", tally->left_out},
        {"wraps", tally->wraps},
        {"resets told", tally->resets},
        {"jumps told", tally->jumps},
        {"starts of counters", world.restarts},
        {"gaps", tally->gaps},
        {"steps undecided", tally->undecided},
        {"handovers", tally->handovers},
        {"failed reads", tally->errors},
        {"samples after sleep", tally->slept},
        {"zones that share a counter", tally->shared},
        {"zones that parted", tally->partings},
        {"withheld readings", tally->withheld},
        {"totals that waited", tally->unread},
        {"powers of total", tally->totals},
        {"packages offline", tally->offlines},
        {"drivers loaded again", tally->reloads},
        {"zones that returned", tally->returns},
        {"changes of online CPUs", tally->online},
        {"jumps of the wall clock", tally->wall_jumps},
        {"slews of the clocks", tally->slews},
        {"steps above the ceiling", tally->above},
        {"low readings", tally->lows},
        {"reads that failed by less", tally->false_lows},
        {"starts decided later", tally->late_starts},
        {"samples that were missed", tally->missed},
        {"windows told", tally->windows},
        {"windows of sums told", tally->sum_windows},
        {"samples in windows told", tally->window_samples},
        {"windows without a sample", tally->empty_windows},
        {"windows that cover power", tally->covered},
        {"windows left out", tally->left_windows},
    };
    /* These need another source than powercap, or a lack of memory. */
    const struct count untreed[] = {
        {"powers of all cores", tally->core_sums},
        {"times without memory", tally->no_memory},
        {"ceilings that were raised", tally->raised},
        {"counts started by perf", tally->epochs},
    };
    /* A short walk may not reach these. */
    const struct count rare[] = {
        {"parts above their package", tally->overruns},
        {"returns to a row of values", tally->returned},
        {"readings while unsteady", tally->unsteady},
        {"parts measured apart", tally->apart},
        {"series that joined", tally->joins},
        {"names kept by their zone", tally->swaps},
        {"steps held", tally->held},
        {"steps held and counted", tally->held_counted},
        {"powers between updates", tally->slow_powers},
        {"counters that are stuck", tally->stuck},
        {"rests of slow counters", tally->rests},
        {"powers not known to 5 %", tally->vague},
    };
    const struct count seldom[] = {
        {"starts put off", world.postponed},
        {"counters taken for another", tally->mistaken},
        {"starts above the package", tally->strange_parts},
        {"returns like energy", tally->climbs},
    };
    const struct count treed[] = {{"slow reads repeated", tally->repeats}};
    print_counts(always, sizeof(always) / sizeof(always[0]), true);
    print_counts(untreed, sizeof(untreed) / sizeof(untreed[0]), tree_source_root() == NULL);
    print_counts(treed, sizeof(treed) / sizeof(treed[0]), tree_source_root() != NULL);
    print_counts(rare, sizeof(rare) / sizeof(rare[0]),
                 world.readings >= LONG_STEPS && tree_source_root() == NULL);
    print_counts(seldom, sizeof(seldom) / sizeof(seldom[0]), false);
}

static void add_seen(void) {
    struct tally *tally = &reference.tally;
    tally->offlines += walk.machine.seen.offlines;
    tally->reloads += walk.machine.seen.reloads;
    tally->returns += walk.machine.seen.returns;
    tally->online += walk.machine.seen.online;
    tally->epochs += walk.machine.seen.epochs;
    tally->wall_jumps += walk.machine.seen.wall_jumps;
    tally->slews += walk.machine.seen.slews;
}

static bool walk_steps(uint64_t seed, uint64_t steps) {
    struct random random = {.state = seed};
    uint64_t shown = 0;
    while (world.readings < steps) {
        if (!walk_machine(random_next(&random)))
            return false;
        add_seen();
        if (world.readings / 5000000 > shown) {
            shown = world.readings / 5000000;
            printf("# %llu M of %llu M steps\n", (unsigned long long)(world.readings / 1000000),
                   (unsigned long long)(steps / 1000000));
            fflush(stdout);
        }
    }
    print_tally();
    return !reference_has_complained();
}

static uint64_t read_number(const char *text) {
    char *end;
    errno = 0;
    const uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        fprintf(stderr, "walk: \"%s\" is no number\n", text);
        exit(2);
    }
    return number;
}

int main(int count, char **words) {
    uint64_t seed = 1;
    uint64_t steps = 1000000;
    uint64_t machine = 0;
    bool tree = false;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        if (strcmp(words[i], "--undetectable") == 0)
            return undetectable_measure();
        if (strcmp(words[i], "--slow") == 0)
            return slow_measure();
        if (strcmp(words[i], "--tree") == 0) {
            tree = true;
            continue;
        }
        if (strcmp(words[i], "--seed") == 0)
            seed = read_number(value);
        else if (strcmp(words[i], "--steps") == 0)
            steps = read_number(value);
        else if (strcmp(words[i], "--machine") == 0)
            machine = read_number(value);
        else {
            fprintf(stderr, "usage: walk [--seed N] [--steps N] [--machine N] [--tree]\n"
                            "       walk --undetectable\n"
                            "       walk --slow\n");
            return 2;
        }
        i++;
    }
    printf("# seed %llu, %llu steps: replay with --seed %llu --steps %llu\n",
           (unsigned long long)seed, (unsigned long long)steps, (unsigned long long)seed,
           (unsigned long long)steps);
    fflush(stdout);
    if (tree && !tree_source_begin())
        reference_complain("there is no room for a tree of files");
    const bool fine = machine != 0 ? walk_machine(machine) : walk_steps(seed, steps);
    tree_source_end();
    printf("%s - walk with seed %llu\n1..1\n", fine ? "ok 1" : "not ok 1",
           (unsigned long long)seed);
    return fine ? 0 : 1;
}
