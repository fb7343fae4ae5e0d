/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "log.h"
#include "measure.h"
#include "nonblocking_stdio.h"
#include "stdout_write.h"
#include "usual.h"

/* A report of 512 zones is longer than the default size of a pipe. */
#define PIPE_SIZE (1 << 20)
#define SAMPLE_NS UINT64_C(10000000)
#define SAMPLE_UJ UINT64_C(500000)
#define INTERVAL_SAMPLES 6 /* power needs 50 ms */

const char *const answer_part_names[ANSWER_PARTS] = {"prompt", "report", "format", "write"};

static int prompts; /* write end */
static int reports; /* read end */

int answer_take_pipes(void) {
    int in[2];
    int out[2];
    const int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (before < 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        err(1, "pipes");
    if (fcntl(out[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
        err(1, "a pipe of %d bytes", PIPE_SIZE);
    if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
        err(1, "stdin and stdout");
    close(in[0]);
    close(out[1]);
    prompts = in[1];
    reports = out[0];
    return before;
}

static void check(int error, const char *what) {
    if (error != 0)
        errx(1, "%s: %s", what, strerror(-error));
}

/* --- the machine ----------------------------------------------------------------------------- */

struct counter_file {
    int file;
    uint64_t energy_uj;
};

static void add_counter(struct answerer *answerer, const char *path) {
    struct counter_file *counter = &answerer->counters[answerer->counter_count++];
    char text[32] = "";
    counter->file = open(path, O_RDWR | O_CLOEXEC);
    if (counter->file < 0 || pread(counter->file, text, sizeof(text) - 1, 0) <= 0)
        err(1, "%s", path);
    counter->energy_uj = strtoull(text, NULL, 10);
}

/* Finds the counters on the root's file system: others are the kernel's own and are not written. */
static void find_counters(struct answerer *answerer, const char *root) {
    struct stat top;
    struct stat status;
    const size_t count = rapl_zone_count(answerer->rapl);
    answerer->counters = calloc(count, sizeof(*answerer->counters));
    if (answerer->counters == NULL || stat(root, &top) != 0)
        err(1, "%s", root);
    for (size_t i = 0; i < count; i++) {
        char path[4096];
        struct rapl_zone zone;
        rapl_zone(answerer->rapl, i, &zone);
        snprintf(path, sizeof(path), "%s/%s", root, zone.path);
        if (stat(path, &status) != 0)
            err(1, "%s", path);
        if (status.st_dev == top.st_dev)
            add_counter(answerer, path);
    }
}

static void move_counters(struct answerer *answerer, uint64_t energy_uj) {
    char text[32];
    for (size_t i = 0; i < answerer->counter_count; i++) {
        struct counter_file *counter = &answerer->counters[i];
        counter->energy_uj += energy_uj;
        const int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", counter->energy_uj);
        if (pwrite(counter->file, text, (size_t)length, 0) != length)
            err(1, "a counter");
    }
}

void answer_pass(struct answerer *answerer) {
    move_counters(answerer, SAMPLE_UJ * INTERVAL_SAMPLES);
    clocks_skip(SAMPLE_NS * INTERVAL_SAMPLES);
}

void answer_prepare(struct answerer *answerer) {
    const int steps = answerer->samples ? INTERVAL_SAMPLES : 1;
    for (int i = 0; i < steps; i++) {
        if (i > 0)
            check(rapl_sample(answerer->rapl), "sample");
        move_counters(answerer, SAMPLE_UJ * INTERVAL_SAMPLES / (uint64_t)steps);
        clocks_skip(SAMPLE_NS * INTERVAL_SAMPLES / (uint64_t)steps);
    }
    if (write(prompts, "\n", 1) != 1)
        err(1, "prompt");
}

/* --- the answer ------------------------------------------------------------------------------ */

static void note(uint64_t *times_ns, size_t index) {
    if (times_ns != NULL)
        times_ns[index] = measure_now_ns();
}

void answer_prompt(struct answerer *answerer, uint64_t times_ns[ANSWER_PARTS + 1]) {
    const struct rapl_report *report = NULL;
    note(times_ns, 0);
    const uint64_t due_ns = rapl_sample_due_ns(answerer->rapl);
    prompt_wait(&answerer->prompt, due_ns - measure_now_ns());
    answerer->prompt.asked = false;
    note(times_ns, ANSWER_PROMPT + 1);
    check(rapl_report(answerer->rapl, &report), "report");
    log_problems(answerer->rapl);
    note(times_ns, ANSWER_REPORT + 1);
    check(line_writer_format(&answerer->writer, report), "format");
    note(times_ns, ANSWER_FORMAT + 1);
    check(stdout_write(&answerer->prompt, answerer->writer.text, answerer->writer.length), "write");
    note(times_ns, ANSWER_WRITE + 1);
}

void answer_drain(void) {
    static char text[PIPE_SIZE];
    if (read(reports, text, sizeof(text)) <= 0)
        err(1, "reading a report");
}

/* Not done by answer_prompt(), so that one-time costs are not counted. */
static void warm_up(struct answerer *answerer) {
    for (int i = 0; i < 2; i++) {
        const struct rapl_report *report = NULL;
        check(rapl_report(answerer->rapl, &report), "report");
        check(line_writer_format(&answerer->writer, report), "format");
        log_problems(answerer->rapl);
    }
}

void answer_open(struct answerer *answerer, const char *root, bool samples) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    options.root = root;
    options.source = RAPL_SOURCE_POWERCAP; /* so that it does not report the choice */
    options.sample_interval_ns = samples ? SAMPLE_NS : 0;
    *answerer = (struct answerer){.samples = samples};
    check(prompt_open(&answerer->prompt, 0, true), "prompt");
    nonblocking_spare(STDOUT_FILENO);
    check(rapl_open(&options, &answerer->rapl), root);
    if (rapl_readable_count(answerer->rapl) == 0)
        errx(1, "%s: nothing reads", root);
    assume_usual_counters(answerer->rapl);
    line_writer_open(&answerer->writer, NULL, 0,
                     (struct line_fields){.energy = true, .statistics = options.statistics});
    find_counters(answerer, root);
    warm_up(answerer);
}

void answer_close(struct answerer *answerer) {
    for (size_t i = 0; i < answerer->counter_count; i++)
        close(answerer->counters[i].file);
    free(answerer->counters);
    line_writer_close(&answerer->writer);
    rapl_close(answerer->rapl);
    prompt_close(&answerer->prompt);
}
