/* SPDX-License-Identifier: MIT */
/*
 * rapl-execd in this process: its parts are called as its main() calls them, with pipes as stdin
 * and stdout and counters that move.
 */
#ifndef RAPL_BENCH_ANSWER_H
#define RAPL_BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line_protocol.h"
#include "prompt.h"
#include "rapl.h"

struct counter_file;

struct answerer {
    struct rapl *rapl;
    struct prompt prompt;
    struct line_writer writer;
    struct counter_file *counters; /* the counters that are moved */
    size_t counter_count;
    bool samples; /* inside the interval, every 10 ms */
};

/* Replaces stdin and stdout by pipes and returns the old stdout. As all functions here, it ends the
 * program on failure. */
int answer_take_pipes(void);

/* Opens a handle for this root and makes two reports, so that everything is set up. samples: takes
 * samples, and lines contain their statistics. */
void answer_open(struct answerer *answerer, const char *root, bool samples);

/*
 * Puts a prompt into stdin, 60 ms after the last report; since then every counter that is a plain
 * file of the root has moved by 3 J.
 */
void answer_prepare(struct answerer *answerer);

/* Passes the same time without a prompt. */
void answer_pass(struct answerer *answerer);

/* The parts of an answer, in order. */
enum answer_part { ANSWER_PROMPT, ANSWER_REPORT, ANSWER_FORMAT, ANSWER_WRITE, ANSWER_PARTS };
extern const char *const answer_part_names[ANSWER_PARTS];

/* Takes the prompt and answers it. times_ns, if not NULL: the time at the start, then at the end of
 * each part. */
void answer_prompt(struct answerer *answerer, uint64_t times_ns[ANSWER_PARTS + 1]);

/* Empties the pipe of stdout. */
void answer_drain(void);

void answer_close(struct answerer *answerer);

#endif
