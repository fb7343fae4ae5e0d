/* SPDX-License-Identifier: MIT */
/* Initial state of the reference. */
#include "reference.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

struct reference reference;

static bool complained;

bool reference_has_complained(void) {
    return complained;
}

void reference_complain(const char *format, ...) {
    va_list arguments;
    if (complained)
        return;
    complained = true;
    va_start(arguments, format);
    fprintf(stderr, "# wrong: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
}

void reference_begin(struct machine *machine, const struct rapl_options *options) {
    const struct tally tally = reference.tally;
    for (size_t i = 0; i < reference.account_count; i++)
        naive_free(&reference.accounts[i].window);
    for (size_t i = 0; i < reference.sum_count; i++)
        naive_free(&reference.sums[i].window);
    memset(&reference, 0, sizeof(reference));
    reference.tally = tally;
    reference.machine = machine;
    reference.include = options->include;
    reference.include_count = options->include_count;
    reference.total = options->total;
    reference.cores = options->cores;
    if (options->statistics != 0)
        reference.sample_interval_ns = options->sample_interval_ns;
    reference.online_mark = machine->online_mark;
    reference.sum_count = 1;
    reference.sums[0] =
        (struct account){.kind = ZONE_TOTAL,
                         .domain = "total",
                         .name = "total",
                         .package_id = RAPL_NO_ID,
                         .die_id = RAPL_NO_ID,
                         .core_id = RAPL_NO_ID,
                         .number = NO_NUMBER,
                         .selected = options->total && account_is_selected("total")};
}

bool account_is_selected(const char *name) {
    for (size_t i = 0; i < reference.include_count; i++) {
        if (fnmatch(reference.include[i], name, FNM_PATHNAME) == 0)
            return true;
    }
    return reference.include_count == 0;
}
