/* SPDX-License-Identifier: MIT */
/* The command line of rapl-execd. */
#ifndef RAPL_OPTIONS_H
#define RAPL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "line_protocol.h"
#include "rapl.h"

enum execd_mode { EXECD_RUN, EXECD_ONCE, EXECD_CHECK, EXECD_HELP, EXECD_VERSION };

struct execd_options {
    enum execd_mode mode;
    struct rapl_options rapl; /* its strings point into the command line */
    char *root;               /* root that is read, once known; owned */
    const char **include;
    const char **exclude;
    uint64_t interval_ns; /* 0: not given */
    struct line_fields fields;
    bool quiet; /* log errors and warnings only */
    bool debug;
    struct tag *tags; /* in the order given; owned */
    size_t tag_count;
};

/* Reads the command line. -EINVAL with the option and the reason in problem; -ENOMEM. Call
 * options_free() in every case. */
int options_parse(int count, char *const *words, struct execd_options *options, char *problem,
                  size_t problem_size);

void options_free(struct execd_options *options);

void options_print_help(FILE *file);

#endif
