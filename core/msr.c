/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "source.h"

static int msr_discover(struct source *source, struct problems *problems) {
    (void)source;
    (void)problems;
    return 0;
}

static void msr_sample(struct source *source) {
    (void)source;
}

static void msr_close(struct source *source) {
    free(source);
}

struct source *msr_open(const struct source_options *options) {
    static const struct source_operations operations = {
        .name = "msr", .discover = msr_discover, .sample = msr_sample, .close = msr_close};
    (void)options;
    struct source *source = calloc(1, sizeof(*source));
    if (source != NULL)
        source->operations = &operations;
    return source;
}
