/* SPDX-License-Identifier: MIT */
/* Chooses the source: the one that the user asked for, or the first that reads energy. */
#ifndef RAPL_SOURCE_CHOICE_H
#define RAPL_SOURCE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "problem/problem.h"
#include "source/source.h"

struct candidate {
    enum rapl_source kind;
    struct source *source; /* NULL: closed, because another source was chosen */
    struct problems problems;
};

#define SOURCE_CHOICE_MAX 3

struct source_choice {
    struct candidate candidates[SOURCE_CHOICE_MAX]; /* in the order in which they are tried */
    size_t count;
    size_t files;      /* descriptors that the counters of all sources together may hold */
    size_t current;    /* the candidate that is read; the first one until one reads */
    bool settled;      /* a candidate has read energy and stays chosen */
    char reason[2048]; /* why the earlier candidates, or all of them, do not read: "powercap: …;
                          perf: …"; "" if the user asked for one source by name */
};

/* Opens the candidates for the source that was asked for. problems: a template that each
 * candidate's problems start from. Returns 0 or -ENOMEM. */
int source_choice_open(struct source_choice *choice, enum rapl_source asked,
                       const struct source_options *options, const struct problems *problems);

/* Opens all open candidates again with other options; they then have no zones yet. The choice and
 * the problems already reported are kept. -ENOMEM: nothing has changed. */
int source_choice_reopen(struct source_choice *choice, const struct source_options *options);

/* Lets the current source look for zones; before one is chosen, every candidate until one reads.
 * Returns as discover of struct source_operations; also 1 if the current source has changed. */
int source_choice_discover(struct source_choice *choice);

/* Makes the choice final, because the current source has read energy. */
void source_choice_keep(struct source_choice *choice);

/* The current source; NULL before source_choice_open(). */
struct source *source_choice_source(const struct source_choice *choice);

void source_choice_close(struct source_choice *choice);

#endif
