/* SPDX-License-Identifier: MIT */
/* Which source serves: the one that was asked for, or the first that reads energy. */
#ifndef RAPL_SOURCE_CHOICE_H
#define RAPL_SOURCE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "problem/problem.h"
#include "source/source.h"

struct candidate {
    enum rapl_source kind;
    struct source *source; /* NULL: another one has been taken */
    struct problems problems;
};

#define SOURCE_CHOICE_MAX 3

struct source_choice {
    struct candidate candidates[SOURCE_CHOICE_MAX]; /* in the order in which they are tried */
    size_t count;
    size_t files;   /* descriptors that the counters of all of them may hold */
    size_t current; /* the one that is read; the first as long as none reads */
    bool settled;   /* it has read energy: it stays, whatever comes later */
    char reason[2048]; /* why none of the earlier ones, or none at all: "powercap: …; perf: …"; of a
                        * source that was asked for by name, nothing */
};

/* Opens those that asked stands for. problems: what theirs begin as. -ENOMEM. */
int source_choice_open(struct source_choice *choice, enum rapl_source asked,
                       const struct source_options *options, const struct problems *problems);

/* Opens again those that are open, with other options: they know no zone then. What is settled, and
 * told, stays so. -ENOMEM, and all is as before. */
int source_choice_reopen(struct source_choice *choice, const struct source_options *options);

/* Lets the current source look for zones, or every candidate until one reads. As discover of
 * struct source_operations; 1 also when another one is current than before. */
int source_choice_discover(struct source_choice *choice);

/* The current one has read energy since: it stays. */
void source_choice_keep(struct source_choice *choice);

/* The current one; NULL before source_choice_open. */
struct source *source_choice_source(const struct source_choice *choice);

void source_choice_close(struct source_choice *choice);

#endif
