/* SPDX-License-Identifier: MIT */
/*
 * The cost of one report of rapl-execd, from its prompt to its write, compared with a bare loop of
 * the same reads and one write of the same size into the same pipe. Neither waits, so the time is
 * CPU time.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "bare.h"
#include "clocks.h"
#include "measure.h"

/* The two are measured alternately, so that a disturbance affects both. */
#define TURNS_LEAST 501
#define TURNS_MOST 8001
#define ROOT_NS UINT64_C(1500000000)
/* Discovery runs with one report a minute. */
#define LOOKS 21
#define LOOK_NS UINT64_C(61000000000)

struct turns {
    double *report_ns;
    double *bare_ns;
    double *part_ns[ANSWER_PARTS];
};

static double time_report(struct answerer *answerer) {
    answer_prepare(answerer);
    const uint64_t begin_ns = measure_now_ns();
    answer_prompt(answerer, NULL);
    const double took_ns = (double)(measure_now_ns() - begin_ns);
    answer_drain();
    return took_ns;
}

static double time_bare(struct bare *bare, const char *text, size_t length) {
    const uint64_t begin_ns = measure_now_ns();
    bare_read(bare);
    const ssize_t written = write(STDOUT_FILENO, text, length);
    const double took_ns = (double)(measure_now_ns() - begin_ns);
    if (written != (ssize_t)length)
        err(1, "write");
    answer_drain();
    return took_ns;
}

static void time_parts(struct answerer *answerer, const struct turns *turns, size_t turn) {
    uint64_t times_ns[ANSWER_PARTS + 1];
    answer_prepare(answerer);
    answer_prompt(answerer, times_ns);
    answer_drain();
    for (size_t i = 0; i < ANSWER_PARTS; i++)
        turns->part_ns[i][turn] = (double)(times_ns[i + 1] - times_ns[i]);
}

static double time_look(struct answerer *answerer) {
    double looks_ns[LOOKS];
    for (size_t i = 0; i < LOOKS; i++) {
        clocks_skip(LOOK_NS);
        looks_ns[i] = time_report(answerer);
    }
    return measure_median(looks_ns, LOOKS);
}

static size_t choose_turns(struct answerer *answerer) {
    const uint64_t begin_ns = measure_now_ns();
    for (int i = 0; i < 10; i++)
        (void)time_report(answerer);
    const double one_ns = (double)(measure_now_ns() - begin_ns) / 10;
    const double turns = (double)ROOT_NS / one_ns / 3;
    if (turns < TURNS_LEAST)
        return TURNS_LEAST;
    return turns < TURNS_MOST ? (size_t)turns : TURNS_MOST;
}

static void print_us(FILE *table, double *values_ns, size_t count) {
    fprintf(table, "  %8.2f", measure_median(values_ns, count) / 1000);
}

static void measure(FILE *table, const char *root, bool samples) {
    struct answerer answerer;
    struct turns turns;
    answer_open(&answerer, root, samples);
    struct bare *bare = bare_open(answerer.rapl);
    bare_add_online(bare, answerer.rapl);
    const size_t count = choose_turns(&answerer);
    turns.report_ns = measure_room(count);
    turns.bare_ns = measure_room(count);
    for (size_t i = 0; i < ANSWER_PARTS; i++)
        turns.part_ns[i] = measure_room(count);
    for (size_t i = 0; i < count; i++) {
        turns.report_ns[i] = time_report(&answerer);
        turns.bare_ns[i] = time_bare(bare, answerer.writer.text, answerer.writer.length);
        time_parts(&answerer, &turns, i);
    }
    const double report_ns = measure_median(turns.report_ns, count);
    const double bare_ns = measure_median(turns.bare_ns, count);
    fprintf(table, "%5zu  %6zu  %9.2f  %8.2f  %5.2f", rapl_readable_count(answerer.rapl),
            answerer.writer.length, report_ns / 1000, bare_ns / 1000, report_ns / bare_ns);
    for (size_t i = 0; i < ANSWER_PARTS; i++)
        print_us(table, turns.part_ns[i], count);
    fprintf(table, "  %9.2f\n", time_look(&answerer) / 1000);
    for (size_t i = 0; i < ANSWER_PARTS; i++)
        free(turns.part_ns[i]);
    free(turns.bare_ns);
    free(turns.report_ns);
    bare_close(bare);
    answer_close(&answerer);
}

int main(int count, char **words) {
    if (count < 3)
        errx(2, "usage: bench_report samples|plain ROOT...");
    FILE *table = fdopen(answer_take_pipes(), "w");
    if (table == NULL)
        err(1, "stdout");
    fprintf(table, "zones   bytes  report us   bare us  ratio");
    for (size_t i = 0; i < ANSWER_PARTS; i++)
        fprintf(table, "  %5s us", answer_part_names[i]);
    fprintf(table, "  with look us\n");
    for (int i = 2; i < count; i++)
        measure(table, words[i], strcmp(words[1], "samples") == 0);
    return fclose(table) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
