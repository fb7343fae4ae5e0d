/* SPDX-License-Identifier: MIT */
/*
 * Years of reports, made as rapl-execd makes them, in a minute: real files and simulated clocks.
 * Counters wrap, are reset, fail, go and return; every number is compared with the energy used, and
 * memory and descriptors at the end with those after a third of the run.
 *
 * RAPL_SOAK_REPORTS: number of reports. RAPL_SOAK_SEED: seed of the random events.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "line_protocol.h"
#include "rapl.h"
#include "tree.h"
#include "values.h"

#define REPORTS_DEFAULT 1000000
/* With fewer reports memory has not settled after a third: not every zone has had every event. */
#define REPORTS_COMPARED 1000000
/* Pages of the program that are first used late. */
#define RESIDENT_MORE_KIB 64
/* The allocator counts remainders that it cannot split off as in use. */
#define HEAP_MORE 256
#define UNIT_UJ 61
#define MODULUS_UJ (RANGE_61_UJ + UNIT_UJ)
#define POWER_SPAN_NS (50 * NS_PER_MS)
#define MOST_UW UINT64_C(200000000)
#define SAMPLE_INTERVAL_NS (20 * NS_PER_MS)
/* Events that affect reports are at least this many reports apart. */
#define CALM_REPORTS 20
#define SETTLE_MOVES 20
#define LEAST_UJ (UINT64_C(4) * UNIT_UJ)

struct soaked {
    const char *id;
    const char *kernel_name;
    const char *name;
    bool in_total;
    int file;            /* for writing the counter; -1: the zone is gone */
    uint64_t counter_uj; /* as shown by the file */
    uint64_t moved_uj;   /* energy since the handle was opened: the truth */
    uint64_t told_uj;    /* at the last reported power or a restart of its span; and its time */
    uint64_t told_ns;
    unsigned int samples; /* since a restart in this interval; and the time of the last one */
    uint64_t sampled_ns;
    unsigned int fails_for; /* reports left */
    unsigned int gone_for;
    bool reset;    /* since the last report */
    bool returned; /* likewise */
};

struct soak {
    const struct tree *tree;
    uint64_t random;
    struct rapl *rapl;
    struct line_writer writer;
    struct soaked zones[4];
    uint64_t calm; /* number of reports since the last event */
    uint64_t events;
    uint64_t lines;
    uint64_t samples; /* samples of the total */
    uint64_t messages;
    uint64_t bytes;
};

static uint64_t draw(struct soak *soak, uint64_t below) {
    soak->random ^= soak->random << 13; /* xorshift64 */
    soak->random ^= soak->random >> 7;
    soak->random ^= soak->random << 17;
    return soak->random % below;
}

/* --- the machine ----------------------------------------------------------------------------- */

/* Writes once, with the same length each time, so that a reader sees the old or the new number. */
static void show(const struct soaked *zone, int error) {
    char text[32];
    const int length = error == 0
                           ? snprintf(text, sizeof(text), "%013" PRIu64 "\n", zone->counter_uj)
                           : snprintf(text, sizeof(text), "errno %-7d\n", error);
    if (zone->file >= 0)
        assert_int_equal(pwrite(zone->file, text, (size_t)length, 0), length);
}

static void open_counter(const struct soak *soak, struct soaked *zone) {
    char path[512];
    snprintf(path, sizeof(path), "%s/sys/class/powercap/%s/energy_uj", soak->tree->path, zone->id);
    zone->file = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(zone->file >= 0);
    show(zone, 0);
}

static void add_zone(const struct soak *soak, struct soaked *zone) {
    tree_add_zone(soak->tree, zone->id, zone->kernel_name, zone->counter_uj, RANGE_61_UJ);
    tree_set(soak->tree, zone->id, "constraint_0_max_power_uw", "100000000\n");
    open_counter(soak, zone);
}

static void drop_zone(const struct soak *soak, struct soaked *zone) {
    show(zone, ENODEV); /* returned to readers that have it open */
    close(zone->file);
    zone->file = -1;
    tree_drop_zone(soak->tree, zone->id);
}

static void add_energy(struct soaked *zone, uint64_t moved_uj) {
    zone->moved_uj += moved_uj;
    zone->counter_uj = (zone->counter_uj + moved_uj) % MODULUS_UJ;
    show(zone, zone->fails_for > 0 ? EIO : 0);
}

/* Returns what the zone uses, at most most_uj, and at least some units: a counter that stands still
 * now and then may count as a slow one. */
static uint64_t move(struct soak *soak, struct soaked *zone, uint64_t most_uj) {
    const uint64_t moved_uj = LEAST_UJ + draw(soak, most_uj - LEAST_UJ + 1);
    add_energy(zone, moved_uj);
    return moved_uj;
}

/* Lets the core learn that the counters move once a millisecond. */
static void settle(struct soak *soak) {
    for (int i = 0; i < SETTLE_MOVES; i++) {
        for (size_t j = 0; j < COUNT_OF(soak->zones); j++)
            add_energy(&soak->zones[j], LEAST_UJ);
        fake_clocks_pass(NS_PER_MS);
        assert_int_equal(rapl_sample(soak->rapl), 0);
    }
}

/* Applies an event to one zone, never to two at once, so that all zones are undisturbed at
 * times. */
static void strike(struct soak *soak) {
    struct soaked *zone = &soak->zones[draw(soak, COUNT_OF(soak->zones))];
    const uint64_t kind = draw(soak, 3);
    /* A wrap within a gap, and a reset shortly before a wrap, would be undecided. */
    if (zone->counter_uj < MODULUS_UJ / 4 || zone->counter_uj > MODULUS_UJ / 2)
        return;
    soak->calm = 0;
    soak->events++;
    if (kind == 0) {
        zone->fails_for = 1 + (unsigned int)draw(soak, 4);
        show(zone, EIO);
    } else if (kind == 1 && strrchr(zone->id, ':') != strchr(zone->id, ':')) {
        zone->gone_for = 1 + (unsigned int)draw(soak, 4);
        drop_zone(soak, zone);
    } else {
        zone->counter_uj = 0;
        zone->reset = true;
        zone->samples = 0;
        show(zone, 0);
    }
}

/* Ends events whose number of reports has passed. */
static void heal(struct soak *soak) {
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++) {
        struct soaked *zone = &soak->zones[i];
        zone->reset = false;
        zone->returned = false;
        if (zone->fails_for > 0 && --zone->fails_for == 0) {
            show(zone, 0);
            zone->returned = true;
        }
        if (zone->gone_for > 0 && --zone->gone_for == 0) {
            add_zone(soak, zone);
            zone->returned = true;
        }
    }
}

/* --- reported values ------------------------------------------------------------------------- */

/* No sample may have more power than its counters. */
static void check_statistics(const struct rapl_value *value, uint64_t most_uw) {
    const struct rapl_statistics *told = &value->statistics;
    assert_int_equal(value->has_statistics, value->has_power);
    assert_true(told->min_uw <= told->mean_uw && told->mean_uw <= told->max_uw);
    assert_true(told->min_uw <= told->p50_uw && told->p50_uw <= told->p95_uw);
    assert_true(told->p95_uw <= told->p99_uw && told->p99_uw <= told->max_uw);
    assert_true(told->max_uw <= most_uw);
}

static void check_zone(struct soaked *zone, const struct rapl_value *value) {
    const uint64_t now_ns = fake_clocks_monotonic_ns();
    const bool silent = zone->fails_for > 0 || zone->gone_for > 0 || zone->reset;
    if (silent)
        assert_null(value);
    else
        assert_non_null(value);
    /* If three readings decide that the counter was reset, power begins at that report. Otherwise
     * it begins at the first reading after the reset, and a later interval reports it. */
    if (zone->reset) {
        zone->told_uj = zone->moved_uj;
        zone->told_ns = zone->samples == 1 ? zone->sampled_ns : now_ns;
    }
    if (value == NULL)
        return;
    assert_int_equal(value->energy_uj, zone->moved_uj);
    check_statistics(value, MOST_UW);
    const uint64_t span_ns = now_ns - zone->told_ns;
    assert_int_equal(value->has_power, span_ns >= POWER_SPAN_NS);
    if (!value->has_power)
        return;
    const double watts = (double)(zone->moved_uj - zone->told_uj) * 1e3 / (double)span_ns;
    assert_true(value->power_uw <= MOST_UW);
    assert_true((double)value->power_uw / 1e6 - watts < 1e-6);
    assert_true(watts - (double)value->power_uw / 1e6 < 1e-6);
    zone->told_uj = zone->moved_uj;
    zone->told_ns = now_ns;
}

static void check_total(struct soak *soak, const struct rapl_value *total) {
    uint64_t energy_uj = 0;
    bool known = true;
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++) {
        const struct soaked *zone = &soak->zones[i];
        energy_uj += zone->in_total ? zone->moved_uj : 0;
        known = known && zone->gone_for == 0 && (!zone->in_total || zone->fails_for == 0);
        if (zone->in_total && zone->reset)
            assert_null(total);
    }
    if (total != NULL && known)
        assert_int_equal(total->energy_uj, energy_uj);
    if (total != NULL) {
        assert_true(total->energy_uj <= energy_uj);
        check_statistics(total, 3 * MOST_UW);
        soak->samples += total->statistics.samples;
    }
    if (soak->calm > 10)
        assert_non_null(total);
}

/* Every promised line is present, with its timestamp. */
static void check_text(struct soak *soak, const struct rapl_report *report) {
    const char *at = soak->writer.text;
    const char *const end = at + soak->writer.length;
    size_t lines = 0;
    for (; at < end; at++, lines++) {
        at = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(at);
    }
    assert_int_equal(lines, report->value_count + 1);
    soak->lines += lines;
    soak->bytes += soak->writer.length;
}

static void count_messages(struct soak *soak) {
    struct rapl_problem problem;
    while (rapl_next_problem(soak->rapl, &problem)) {
        assert_true(problem.reason[0] != '\0');
        soak->messages++;
    }
}

static void report(struct soak *soak) {
    const struct rapl_report *made = NULL;
    assert_int_equal(rapl_report(soak->rapl, &made), 0);
    assert_int_equal(line_writer_format(&soak->writer, made), 0);
    count_messages(soak);
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++)
        check_zone(&soak->zones[i], find_value(made, soak->zones[i].name));
    check_total(soak, find_value(made, "total"));
    check_text(soak, made);
    heal(soak);
    soak->calm++;
}

static void pass(struct soak *soak, uint64_t span_ns) {
    const uint64_t most_uj = MOST_UW * (span_ns / NS_PER_MS) / 1000;
    uint64_t before_uj = 0;
    fake_clocks_pass(span_ns);
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++) {
        struct soaked *zone = &soak->zones[i];
        /* core, the last zone, uses no more than its package, which comes before it. */
        const uint64_t limit_uj = zone->in_total ? most_uj : before_uj;
        /* Energy used between a reset and the next reading is unknown. */
        before_uj = zone->reset || limit_uj == 0 ? 0 : move(soak, zone, limit_uj);
    }
}

/* Most intervals take a second, some take ten, and some prompts come in bursts; some contain
 * samples, far fewer than are due. */
static void pass_interval(struct soak *soak) {
    static const uint64_t spans_ns[] = {NS_PER_S,      NS_PER_S,        NS_PER_S, NS_PER_S,
                                        10 * NS_PER_S, 100 * NS_PER_MS, NS_PER_S, 7 * NS_PER_MS};
    const uint64_t span_ns = spans_ns[draw(soak, COUNT_OF(spans_ns))];
    const uint64_t parts = draw(soak, 4) == 0 ? 1 + draw(soak, 6) : 1;
    for (uint64_t i = 1; i < parts; i++) {
        pass(soak, span_ns / parts);
        assert_int_equal(rapl_sample(soak->rapl), 0);
        for (size_t j = 0; j < COUNT_OF(soak->zones); j++) {
            soak->zones[j].samples++;
            soak->zones[j].sampled_ns = fake_clocks_monotonic_ns();
        }
    }
    pass(soak, span_ns / parts);
}

/* --- memory and descriptors in use ----------------------------------------------------------- */

struct holding {
    size_t descriptors;
    size_t heap; /* bytes in use */
    long resident_kib;
};

/* statm counts pages in batches; this file counts them one by one. */
static long read_resident_kib(void) {
    char line[256];
    long resident_kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Rss: %ld", &resident_kib) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    return resident_kib;
}

/* 0 if libc does not provide it: glibc before 2.33, and others. */
static size_t count_heap(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    const struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
#else
    return 0;
#endif
}

static struct holding look(void) {
    return (struct holding){.descriptors = tree_count_descriptors(),
                            .heap = count_heap(),
                            .resident_kib = read_resident_kib()};
}

static void tell(const struct soak *soak, uint64_t reports, time_t began) {
    const struct holding now = look();
    printf("# %" PRIu64 " reports, %ld s: %zu descriptors, %zu bytes of heap, %ld KiB resident; "
           "%" PRIu64 " events, %" PRIu64 " messages, %" PRIu64 " lines, %" PRIu64
           " samples of the "
           "total\n",
           reports, (long)(time(NULL) - began), now.descriptors, now.heap, now.resident_kib,
           soak->events, soak->messages, soak->lines, soak->samples);
    fflush(stdout);
}

/* --- the test -------------------------------------------------------------------------------- */

static uint64_t read_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void open_soak(struct soak *soak, const struct tree *tree, uint64_t seed) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    *soak =
        (struct soak){.tree = tree,
                      .random = seed,
                      .zones = {
                          {.id = "intel-rapl:0", .kernel_name = "package-0", .name = "package-0"},
                          {.id = "intel-rapl:0:0", .kernel_name = "dram", .name = "package-0/dram"},
                          {.id = "intel-rapl:1", .kernel_name = "package-1", .name = "package-1"},
                          {.id = "intel-rapl:1:0", .kernel_name = "core", .name = "package-1/core"},
                      }};
    fake_clocks_stop();
    tree_set_vendor(tree, "GenuineIntel");
    tree_write(tree, "sys/devices/system/cpu/online", "0-1\n");
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++) {
        struct soaked *zone = &soak->zones[i];
        zone->in_total = i != 3;
        zone->counter_uj = draw(soak, MODULUS_UJ);
        zone->told_ns = fake_clocks_monotonic_ns();
        add_zone(soak, zone);
    }
    options.root = tree->path;
    options.sample_interval_ns = SAMPLE_INTERVAL_NS;
    assert_int_equal(rapl_open(&options, &soak->rapl), 0);
    settle(soak);
    line_writer_open(
        &soak->writer, NULL, 0,
        (struct line_fields){.energy = true, .health = true, .statistics = RAPL_STATISTICS_ALL});
}

static void close_soak(struct soak *soak) {
    line_writer_close(&soak->writer);
    rapl_close(soak->rapl);
    for (size_t i = 0; i < COUNT_OF(soak->zones); i++) {
        if (soak->zones[i].file >= 0)
            close(soak->zones[i].file);
    }
}

static void test_memory_and_descriptors_stay(void **state) {
    const uint64_t reports = read_number("RAPL_SOAK_REPORTS", REPORTS_DEFAULT);
    const uint64_t seed = read_number("RAPL_SOAK_SEED", 20260117);
    const time_t began = time(NULL);
    time_t told = began;
    struct holding early = {.descriptors = 0};
    struct soak soak;
    printf("# %" PRIu64 " reports, seed %" PRIu64 "\n", reports, seed);
    open_soak(&soak, *state, seed);
    (void)look(); /* so that the allocator's caches already contain what it leaves there */
    for (uint64_t i = 0; i < reports || soak.calm < CALM_REPORTS; i++) {
        if (early.descriptors == 0 && i >= reports / 3 && soak.calm > CALM_REPORTS) {
            early = look();
            tell(&soak, i, began);
        }
        if (i % 4096 == 0 && time(NULL) - told >= 10) {
            told = time(NULL);
            tell(&soak, i, began);
        }
        if (soak.calm > 2 * CALM_REPORTS && i < reports && draw(&soak, CALM_REPORTS) == 0)
            strike(&soak);
        pass_interval(&soak);
        report(&soak);
    }
    const struct holding late = look();
    tell(&soak, reports, began);
    assert_int_equal(late.descriptors, early.descriptors);
    assert_true(soak.messages <= 4 * soak.events + 1);
    assert_true(soak.samples > reports / 2);
    if (reports >= REPORTS_COMPARED) {
        assert_true(soak.events > reports / 1000);
        assert_true(late.heap <= early.heap + HEAP_MORE);
        assert_true(late.resident_kib <= early.resident_kib + RESIDENT_MORE_KIB);
    }
    close_soak(&soak);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_and_descriptors_stay, tree_setup,
                                        tree_teardown),
    };
    return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
