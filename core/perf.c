/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "source.h"

static int perf_discover(struct source *source, struct problems *problems) {
    (void)source;
    (void)problems;
    return 0;
}

static void perf_sample(struct source *source) {
    (void)source;
}

static void perf_close(struct source *source) {
    free(source);
}

struct source *perf_open(const struct source_options *options) {
    static const struct source_operations operations = {.name = "perf",
                                                        .module = "rapl",
                                                        .discover = perf_discover,
                                                        .sample = perf_sample,
                                                        .close = perf_close};
    (void)options;
    struct source *source = calloc(1, sizeof(*source));
    if (source != NULL)
        source->operations = &operations;
    return source;
}
