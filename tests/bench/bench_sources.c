/* SPDX-License-Identifier: MIT */
/* The cost of a report from each source, compared with the system calls that it cannot do
 * without. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"
#include "measure.h"
#include "usual.h"

/* The two are measured in short alternating turns, so that a disturbance affects both, and few
 * turns of either. */
#define TURNS 401
#define TURN_NS UINT64_C(1000000)

static void take_report(struct rapl *rapl) {
    const struct rapl_report *report = NULL;
    const int error = rapl_report(rapl, &report);
    if (error != 0)
        errx(1, "report: %s", strerror(-error));
}

/* Nanoseconds per call, over count calls. */
static double measure_reports(struct rapl *rapl, uint64_t count) {
    const uint64_t begin_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++)
        take_report(rapl);
    return (double)(measure_now_ns() - begin_ns) / (double)count;
}

static double measure_bare(struct bare *bare, uint64_t count) {
    const uint64_t begin_ns = measure_now_ns();
    for (uint64_t i = 0; i < count; i++)
        bare_read(bare);
    return (double)(measure_now_ns() - begin_ns) / (double)count;
}

static void measure(struct rapl *rapl) {
    struct bare *bare = bare_open(rapl);
    double reports[TURNS];
    double bares[TURNS];
    const double one_ns = measure_bare(bare, 10);
    const uint64_t count = one_ns < (double)TURN_NS ? (uint64_t)((double)TURN_NS / one_ns) : 1;
    for (size_t i = 0; i < TURNS; i++) {
        reports[i] = measure_reports(rapl, count);
        bares[i] = measure_bare(bare, count);
    }
    const double report_ns = measure_median(reports, TURNS);
    const double bare_ns = measure_median(bares, TURNS);
    printf("%-8s  %5zu  %5zu  %9.2f  %7.2f  %5.2f\n", rapl_source_name(rapl),
           rapl_readable_count(rapl), bare_call_count(bare), report_ns / 1000, bare_ns / 1000,
           report_ns / bare_ns);
    bare_close(bare);
}

int main(int count, char **words) {
    printf("source    zones  calls  report us  bare us  ratio\n");
    for (int i = 1; i < count; i++) {
        struct rapl_options options = RAPL_OPTIONS_DEFAULT;
        struct rapl *rapl = NULL;
        char *root = strchr(words[i], '=');
        if (root != NULL)
            *root++ = '\0';
        options.root = root;
        if (rapl_source_from_name(words[i], &options.source) != 0)
            errx(2, "usage: bench_sources SOURCE[=ROOT]...");
        const int error = rapl_open(&options, &rapl);
        if (error != 0)
            errx(1, "%s: %s", words[i], strerror(-error));
        if (rapl_readable_count(rapl) == 0)
            errx(1, "%s: nothing reads", words[i]);
        assume_usual_counters(rapl);
        measure(rapl);
        rapl_close(rapl);
    }
    return EXIT_SUCCESS;
}
