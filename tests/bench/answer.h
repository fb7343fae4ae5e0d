/* SPDX-License-Identifier: MIT */
/*
 * rapl-execd in our own process: its parts, called as its main() calls them, with pipes as stdin
 * and stdout, over counters that go on.
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
    struct counter_file *counters; /* those that are moved */
    size_t counter_count;
    bool samples; /* inside the interval, every 10 ms */
};

/* Puts pipes in the place of stdin and stdout. Ends the program where that fails, as do all
 * others; stdout until now is the file that is returned. */
int answer_take_pipes(void);

/* Opens the handle of this root, and makes two reports, so that all is there. Where it is to take
 * samples, lines hold their statistics. */
void answer_open(struct answerer *answerer, const char *root, bool samples);

/*
 * A prompt is in stdin from here on, the last report was 60 ms ago, in which every counter that is
 * a plain file of the root has moved by 3 J.
 */
void answer_prepare(struct answerer *answerer);

/* The same time passes, and no prompt comes. */
void answer_pass(struct answerer *answerer);

/* The parts of an answer, in their order. */
enum answer_part { ANSWER_PROMPT, ANSWER_REPORT, ANSWER_FORMAT, ANSWER_WRITE, ANSWER_PARTS };
extern const char *const answer_part_names[ANSWER_PARTS];

/* Takes the prompt and answers it. Where times are wanted, their first is that of the begin, and
 * the others those at the ends of the parts. */
void answer_prompt(struct answerer *answerer, uint64_t times_ns[ANSWER_PARTS + 1]);

/* Empties stdout. */
void answer_drain(void);

void answer_close(struct answerer *answerer);

#endif
