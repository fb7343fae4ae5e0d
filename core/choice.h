/* SPDX-License-Identifier: MIT */
/* Which source serves: the one that was asked for, or the first that reads energy. */
#ifndef RAPL_CHOICE_H
#define RAPL_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "problem.h"
#include "source.h"

struct candidate {
    enum rapl_source kind;
    struct source *source; /* NULL: another one has been taken */
    struct problems problems;
};

#define CHOICE_MAX 3

struct choice {
    struct candidate candidates[CHOICE_MAX]; /* in the order in which they are tried */
    size_t count;
    size_t files;   /* descriptors that the counters of all of them may hold */
    size_t current; /* the one that is read; the first as long as none reads */
    bool settled;   /* it has read energy: it stays, whatever comes later */
    char reason[2048]; /* why none of the earlier ones, or none at all: "powercap: …; perf: …"; of a
                        * source that was asked for by name, nothing */
};

/* Opens those that asked stands for. problems: what theirs begin as. -ENOMEM. */
int choice_open(struct choice *choice, enum rapl_source asked, const struct source_options *options,
                const struct problems *problems);

/* Opens again those that are open, with other options: they know no zone then. What is settled, and
 * told, stays so. -ENOMEM, and all is as before. */
int choice_reopen(struct choice *choice, const struct source_options *options);

/* Lets the current source look for zones, or every candidate until one reads. As discover of
 * struct source_operations; 1 also when another one is current than before. */
int choice_discover(struct choice *choice);

/* The current one has read energy since: it stays. */
void choice_keep(struct choice *choice);

/* The current one; NULL before choice_open. */
struct source *choice_source(const struct choice *choice);

void choice_close(struct choice *choice);

#endif
